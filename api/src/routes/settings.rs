//! The settings of the account, and what those of its organizations have in common with them.

use crm::{
    access::{Permission, Via},
    tenancy::settings::{self, Change, Level, Settings},
};
use db::Scope;
use utoipa_axum::routes;

use crate::{actor::Call, extract::Json, gate::Routes, problem::Problem};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::AdminSettingsView, routes!(read))
        .private(Permission::AdminSettingsManage, routes!(change))
}

/// What holds for the account, and where each value comes from. Of a secret is only said whether there is one and since when.
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings", responses((status = 200, body = Settings)))]
async fn read(call: Call) -> Result<Json<Settings>, Problem> {
    read_at(&call, Level::Tenant).await
}

/// Changes settings of the account, all that are named or none. A key in `set` gets its value, where null says "none, on purpose" and an empty text or list
/// is a value; a key in `unset` is as if it had never been set; a key that is named nowhere stays. Secrets, and addresses to which one may be sent, take a
/// proof of whoever is logged in. With `version`, nothing is done where somebody else has changed something since: 409 `settings_changed`.
#[utoipa::path(
    patch, path = "/api/v1/settings", tag = "settings", request_body = Change,
    responses((status = 200, body = Settings))
)]
async fn change(call: Call, Json(body): Json<Change>) -> Result<Json<Settings>, Problem> {
    change_at(&call, Level::Tenant, &body).await
}

/// What holds there.
pub(super) async fn read_at(call: &Call, level: Level) -> Result<Json<Settings>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(settings::resolve(&mut tx, level).await?))
}

/// Changes what is set there. A person who sends secrets to another place proves who they are; a key was given that permission by somebody who did.
pub(super) async fn change_at(call: &Call, level: Level, body: &Change) -> Result<Json<Settings>, Problem> {
    let mut tx = call.tx().await?;
    if body.is_delicate() && matches!(call.caller.via, Via::Session(_)) {
        call.caller.require_proof(tx.now())?;
    }
    let settings = settings::change(&call.app, &mut tx, level, body).await?;
    tx.commit().await?;
    Ok(Json(settings))
}
