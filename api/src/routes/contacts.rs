//! Contacts, one at a time.

use axum::{http::StatusCode, response::Response};
use crm::{
    access::Permission,
    contacts::{
        contact::{self, Contact, ContactFields, ContactId, Filter},
        import::ImportId,
    },
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ContactsView, routes!(list))
        .private(Permission::ContactsCreate, routes!(create))
        .private(Permission::ContactsView, routes!(get))
        .private(Permission::ContactsEdit, routes!(update))
        .private(Permission::ContactsDelete, routes!(delete))
}

/// Which contacts are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those of this phone, however it is written.
    phone: Option<String>,
    /// Those that this import made.
    #[param(value_type = Option<Uuid>)]
    import_id: Option<ImportId>,
}

/// The contacts, oldest first; those of an import in the order of its rows.
#[utoipa::path(
    get, path = "/api/v1/contacts", tag = "contacts", params(Wanted, Paging),
    responses((status = 200, body = Page<Contact>))
)]
async fn list(
    call: Call,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Contact>>, Problem> {
    let mut tx = call.tx().await?;
    let filter = Filter { phone: wanted.phone, import_id: wanted.import_id };
    Ok(Json(contact::list(&mut tx, &filter, &paging.of()?).await?))
}

/// Makes a contact.
#[utoipa::path(
    post, path = "/api/v1/contacts", tag = "contacts", request_body = ContactFields,
    responses((status = 201, description = "Made", body = Contact))
)]
async fn create(call: Call, Create { body, once }: Create<ContactFields>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let contact = contact::create(&mut tx, body).await?;
    once.created(tx, &contact).await
}

/// A contact.
#[utoipa::path(
    get, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = Uuid, Path)),
    responses((status = 200, body = Contact))
)]
async fn get(call: Call, Path(id): Path<ContactId>) -> Result<Json<Contact>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(contact::get(&mut tx, id).await?))
}

/// Changes a contact; absent fields stay, null empties.
#[utoipa::path(
    patch, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = Uuid, Path)), request_body = ContactFields,
    responses((status = 200, body = Contact))
)]
async fn update(
    call: Call,
    Path(id): Path<ContactId>,
    Json(body): Json<ContactFields>,
) -> Result<Json<Contact>, Problem> {
    let mut tx = call.tx().await?;
    let contact = contact::update(&mut tx, id, body).await?;
    tx.commit().await?;
    Ok(Json(contact))
}

/// Removes a contact.
#[utoipa::path(
    delete, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn delete(call: Call, Path(id): Path<ContactId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    contact::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
