//! What somebody may ask of what is kept about them: a copy, or that it is gone.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use crm::{
    Error,
    access::Permission,
    contacts::contact::ContactId,
    messaging::media::{Asked, BlobKey, Form, Found, store},
    privacy::{self, Request, RequestId},
};
use db::Page;
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
    routes::media::pieces,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ContactsView, routes!(list))
        .private(Permission::ContactsView, routes!(get))
        .export(Permission::ContactsExport, routes!(export))
        .export(Permission::ContactsExport, routes!(part))
        .private(Permission::ContactsDelete, routes!(erase))
}

/// What was asked, newest first, and what came of it.
#[utoipa::path(
    get, path = "/api/v1/privacy-requests", tag = "contacts", operation_id = "privacy_list", params(Paging),
    responses((status = 200, body = Page<Request>))
)]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Request>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(privacy::list(&mut tx, &paging.of()?).await?))
}

/// One request.
#[utoipa::path(
    get, path = "/api/v1/privacy-requests/{id}", tag = "contacts", operation_id = "privacy_get", params(("id" = Uuid, Path)),
    responses((status = 200, body = Request))
)]
async fn get(call: Call, Path(id): Path<RequestId>) -> Result<Json<Request>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(privacy::get(&mut tx, id).await?))
}

/// Copies all that is kept about a contact into archives, which can be fetched for a week. One that runs already answers 409. Closed to whoever sees a
/// part of the conversations only.
#[utoipa::path(
    post, path = "/api/v1/contacts/{id}/export", tag = "contacts", operation_id = "privacy_export", params(("id" = Uuid, Path)),
    responses((status = 201, description = "Queued", body = Request))
)]
async fn export(call: Call, Path(id): Path<ContactId>) -> Result<(StatusCode, Json<Request>), Problem> {
    call.caller.require_whole_sight()?;
    let mut tx = call.tx().await?;
    let request = privacy::export(&mut tx, id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(request)))
}

/// Erases a contact and all that was said with them; that they must not be written to stays. It takes a proof, and can't be undone.
#[utoipa::path(
    post, path = "/api/v1/contacts/{id}/erase", tag = "contacts", operation_id = "privacy_erase", params(("id" = Uuid, Path)),
    responses((status = 201, description = "Queued", body = Request))
)]
async fn erase(call: Call, Path(id): Path<ContactId>) -> Result<(StatusCode, Json<Request>), Problem> {
    let mut tx = call.tx().await?;
    let request = privacy::erase(&mut tx, &call.caller, id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(request)))
}

/// An archive of a completed export; they count from 1.
#[utoipa::path(
    get, path = "/api/v1/privacy-requests/{id}/parts/{number}", tag = "contacts", operation_id = "privacy_part",
    params(("id" = Uuid, Path), ("number" = i64, Path)),
    responses((status = 200, content_type = "application/zip", description = "A ZIP archive", body = String))
)]
async fn part(call: Call, Path((id, number)): Path<(RequestId, i64)>) -> Result<Response, Problem> {
    call.caller.require_whole_sight()?;
    let mut tx = call.tx().await?;
    let (file, length) = privacy::part(&mut tx, id, number).await?;
    let key = BlobKey { tenant_id: tx.tenant_id(), id: file, form: Form::Original };
    drop(tx);
    let Found::Blob(blob) = store::open(&call.app, key, Asked::All).await? else { return Err(Error::NotFound.into()) };
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"contact-{id}-{number}.zip\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, pieces(blob)).into_response())
}
