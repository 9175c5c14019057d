//! The account's audit: who changed what about people, keys, lines and the account.

use crm::access::{
    Permission,
    audit::{self, Change, Verification},
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Json, Paging, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::AdminAuditView, routes!(changes))
        .private(Permission::AdminAuditView, routes!(verify))
}

/// Which changes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of that sort of thing: user, session, api_key, invitation, line, tenant or log_in.
    subject: Option<String>,
    /// Of the thing of that id.
    subject_id: Option<String>,
}

/// Changes, newest first.
#[utoipa::path(get, path = "/api/v1/audit/changes", tag = "access", params(Filter, Paging), responses((status = 200, body = Page<Change>)))]
async fn changes(
    call: Call,
    Query(of): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Change>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(audit::list(&mut tx, of.subject.as_deref(), of.subject_id.as_deref(), &paging.of()?).await?))
}

/// Whether the chain of changes is whole: no row was changed, and none is missing but at its end.
#[utoipa::path(get, path = "/api/v1/audit/verification", tag = "access", responses((status = 200, body = Verification)))]
async fn verify(call: Call) -> Result<Json<Verification>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(audit::verify(&mut tx).await?))
}
