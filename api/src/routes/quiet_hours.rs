//! The account's own quiet hours.

use crm::{
    access::Permission,
    campaigns::quiet::{self, Rule},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{actor::Call, extract::Json, gate::Routes, problem::Problem};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::CampaignsView, routes!(read))
        .private(Permission::AdminSettingsManage, routes!(set))
}

/// All rules of an account, each stricter than 08:00 to 21:00.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuietHoursBody {
    /// One a region, and one for everywhere.
    items: Vec<Rule>,
}

/// The quiet hours that are stricter than 08:00 to 21:00.
#[utoipa::path(get, path = "/api/v1/quiet-hours", tag = "campaigns", responses((status = 200, body = QuietHoursBody)))]
async fn read(call: Call) -> Result<Json<QuietHoursBody>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(QuietHoursBody { items: quiet::own(&mut tx).await? }))
}

/// Sets all of them; they hold at once, also for campaigns that are under way.
#[utoipa::path(
    put, path = "/api/v1/quiet-hours", tag = "campaigns", request_body = QuietHoursBody,
    responses((status = 200, body = QuietHoursBody))
)]
async fn set(call: Call, Json(body): Json<QuietHoursBody>) -> Result<Json<QuietHoursBody>, Problem> {
    let mut tx = call.tx().await?;
    quiet::set(&mut tx, &body.items).await?;
    tx.commit().await?;
    Ok(Json(body))
}
