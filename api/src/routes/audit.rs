//! The account's audit: who changed what about people, keys, lines, campaigns, contacts and the account.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use crm::{
    Error,
    access::{
        Permission,
        audit::{self, Change, Verification},
    },
};
use db::Page;
use futures::stream;
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
        .private(Permission::AdminAuditView, routes!(changes_file))
        .private(Permission::AdminAuditView, routes!(verify))
}

/// Which changes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of that sort of thing: user, session, api_key, line, campaign, contact, tenant, log_in and others.
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

/// Changes read from the database for one piece of the file.
const FILE_ROWS: i64 = 1_000;

/// Changes as a CSV file, the oldest first, with the hash of each; narrowed as the list is.
#[utoipa::path(
    get, path = "/api/v1/audit/changes-file", tag = "access", params(Filter),
    responses((status = 200, content_type = "text/csv", body = String))
)]
async fn changes_file(call: Call, Query(of): Query<Filter>) -> Result<Response, Problem> {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ];
    let start = (call, of, Some(0), audit::FILE_HEADER);
    let pieces = stream::try_unfold(start, |(call, of, place, before)| async move {
        let Some(after) = place else { return Ok(None) };
        let mut tx = call.caller.tx(&call.app).await?;
        let which = (of.subject.as_deref(), of.subject_id.as_deref());
        let links = audit::links(&mut tx, which, after, FILE_ROWS).await?;
        drop(tx);
        // a page that is not full is the last
        let is_full = i64::try_from(links.len()).is_ok_and(|count| count == FILE_ROWS);
        let next = links.last().filter(|_| is_full).map(|link| link.change.seq);
        Ok::<_, Error>(Some((before.to_owned() + &audit::lines(&links), (call, of, next, ""))))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Whether the chain of changes is whole: no row was changed, and none is missing but at its end.
#[utoipa::path(get, path = "/api/v1/audit/verification", tag = "access", responses((status = 200, body = Verification)))]
async fn verify(call: Call) -> Result<Json<Verification>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(audit::verify(&mut tx).await?))
}
