//! Many contacts at once: labelled, removed, written out, by jobs that can be watched and cancelled.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use crm::{
    Error,
    access::Permission,
    contacts::{
        bulk::{self, Act, Bulk, BulkId},
        filter::ContactFilter,
        labels::LabelId,
    },
};
use db::Page;
use futures::stream;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    once::Once,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ContactsView, routes!(list))
        .private(Permission::ContactsView, routes!(get))
        .private(Permission::ContactsEdit, routes!(label))
        .private(Permission::ContactsDelete, routes!(delete))
        .export(Permission::ContactsExport, routes!(export))
        .private(Permission::ContactsEdit, routes!(cancel))
        .export(Permission::ContactsExport, routes!(file))
}

/// Which contacts to label.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BulkLabelBody {
    /// Which contacts.
    filter: ContactFilter,
    /// The label.
    #[schema(value_type = Uuid)]
    label_id: LabelId,
    /// true: it is taken off.
    #[serde(default)]
    remove: bool,
}

/// Which contacts are meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BulkBody {
    /// Which contacts; an empty filter means all.
    filter: ContactFilter,
}

/// The changes of many, newest first.
#[utoipa::path(get, path = "/api/v1/contacts/bulk", tag = "contacts", operation_id = "bulk_list", params(Paging), responses((status = 200, body = Page<Bulk>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Bulk>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(bulk::list(&mut tx, &paging.of()?).await?))
}

/// A change of many, with its progress.
#[utoipa::path(get, path = "/api/v1/contacts/bulk/{id}", tag = "contacts", operation_id = "bulk_get", params(("id" = Uuid, Path)), responses((status = 200, body = Bulk)))]
async fn get(call: Call, Path(id): Path<BulkId>) -> Result<Json<Bulk>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(bulk::get(&mut tx, id).await?))
}

/// Labels the contacts that the filter means now, or takes the label off them.
#[utoipa::path(
    post, path = "/api/v1/contacts/bulk/label", tag = "contacts", operation_id = "bulk_label", request_body = BulkLabelBody,
    responses((status = 201, description = "Queued", body = Bulk))
)]
async fn label(call: Call, Create { body, once }: Create<BulkLabelBody>) -> Result<Response, Problem> {
    let act = if body.remove { Act::Unlabel } else { Act::Label };
    begin(call, once, act, Some(body.label_id), &body.filter).await
}

/// Removes the contacts that the filter means now. Those with a confirmed household member stay, and are counted.
#[utoipa::path(
    post, path = "/api/v1/contacts/bulk/delete", tag = "contacts", operation_id = "bulk_delete", request_body = BulkBody,
    responses((status = 201, description = "Queued", body = Bulk))
)]
async fn delete(call: Call, Create { body, once }: Create<BulkBody>) -> Result<Response, Problem> {
    begin(call, once, Act::Delete, None, &body.filter).await
}

/// Writes the contacts that the filter means now into a CSV file, kept for a week: safe to open in a spreadsheet, fit to be imported again.
#[utoipa::path(
    post, path = "/api/v1/contacts/bulk/export", tag = "contacts", operation_id = "bulk_export", request_body = BulkBody,
    responses((status = 201, description = "Queued", body = Bulk))
)]
async fn export(call: Call, Create { body, once }: Create<BulkBody>) -> Result<Response, Problem> {
    begin(call, once, Act::Export, None, &body.filter).await
}

async fn begin(
    call: Call,
    once: Once,
    act: Act,
    label: Option<LabelId>,
    filter: &ContactFilter,
) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let bulk = bulk::begin(&mut tx, act, label, filter).await?;
    once.created(tx, &bulk).await
}

/// Stops a change where it is; what is done stays done.
#[utoipa::path(
    post, path = "/api/v1/contacts/bulk/{id}/cancel", tag = "contacts", operation_id = "bulk_cancel", params(("id" = Uuid, Path)), responses((status = 200, body = Bulk))
)]
async fn cancel(call: Call, Path(id): Path<BulkId>) -> Result<Json<Bulk>, Problem> {
    let mut tx = call.tx().await?;
    let bulk = bulk::cancel(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(bulk))
}

/// The file that a completed export wrote.
#[utoipa::path(
    get, path = "/api/v1/contacts/bulk/{id}/file", tag = "contacts", operation_id = "bulk_file", params(("id" = Uuid, Path)),
    responses((status = 200, content_type = "text/csv", body = String))
)]
async fn file(call: Call, Path(id): Path<BulkId>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    let bulk = bulk::get(&mut tx, id).await?;
    if bulk.act != Act::Export {
        return Err(Error::NotFound.into());
    }
    if bulk.state != "completed" {
        return Err(Error::conflict("export_not_completed", format!("the export is {}", bulk.state)).into());
    }
    if bulk::piece(&mut tx, id, 0).await?.is_none() {
        return Err(Error::NotFound.into());
    }
    drop(tx);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"contacts-{id}.csv\"")),
    ];
    let pieces = stream::try_unfold((call, 0), move |(call, number)| async move {
        let mut tx = call.caller.tx(&call.app).await?;
        let piece = bulk::piece(&mut tx, id, number).await?;
        drop(tx);
        Ok::<_, Error>(piece.map(|text| (text, (call, number + 1))))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}
