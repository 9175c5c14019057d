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
#[derive(Serialize, ToSchema)]
struct QuietHoursBody {
    /// One a region, and one for everywhere.
    items: Vec<Rule>,
}

/// All rules that are to hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct QuietHoursChange {
    /// One a region, and one for everywhere.
    items: Vec<Rule>,
    /// Those that were read before; where others hold by now nothing is set, and the answer is 409 `quiet_hours_changed`. Without it any are replaced.
    was: Option<Vec<Rule>>,
}

/// The quiet hours that are stricter than 08:00 to 21:00.
#[utoipa::path(get, path = "/api/v1/quiet-hours", tag = "campaigns", responses((status = 200, body = QuietHoursBody)))]
async fn read(call: Call) -> Result<Json<QuietHoursBody>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(QuietHoursBody { items: quiet::own(&mut tx).await? }))
}

/// Sets all of them; they hold at once, also for campaigns that are under way.
#[utoipa::path(
    put, path = "/api/v1/quiet-hours", tag = "campaigns", request_body = QuietHoursChange,
    responses((status = 200, body = QuietHoursBody))
)]
async fn set(call: Call, Json(change): Json<QuietHoursChange>) -> Result<Json<QuietHoursBody>, Problem> {
    let mut tx = call.tx().await?;
    quiet::set(&mut tx, &change.items, change.was.as_deref()).await?;
    tx.commit().await?;
    Ok(Json(QuietHoursBody { items: change.items }))
}
