//! Contacts, one at a time.

use axum::{http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use crm::{
    access::Permission,
    contacts::{
        contact::{self, Contact, ContactFields, ContactId},
        filter::{ContactFilter, Suppressed},
        household::{self, Member, MemberFields, MemberId},
        import::ImportId,
        labels::{self, LabelId},
        merge::{self, Merge},
    },
};
use db::Page;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
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
        .private(Permission::ContactsView, routes!(suggest))
        .private(Permission::ContactsCreate, routes!(create))
        .private(Permission::ContactsView, routes!(get))
        .private(Permission::ContactsEdit, routes!(update))
        .private(Permission::ContactsDelete, routes!(delete))
        .private(Permission::ContactsEdit, routes!(attach))
        .private(Permission::ContactsEdit, routes!(detach))
        .private(Permission::ContactsMerge, routes!(merge))
        .private(Permission::ContactsView, routes!(merges))
        .private(Permission::ContactsView, routes!(household))
        .private(Permission::ContactsEdit, routes!(add_member))
        .private(Permission::ContactsEdit, routes!(update_member))
        .private(Permission::ContactsEdit, routes!(remove_member))
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
    /// Beginnings of names, of the company or of the e-mail address, or digits of a number in any spelling; case and accents don't matter.
    text: Option<String>,
    /// Those with this label.
    #[param(value_type = Option<Uuid>)]
    label_id: Option<LabelId>,
    /// Whether they have a phone.
    has_phone: Option<bool>,
    /// Whether they may be written to.
    #[param(inline)]
    suppression: Option<Suppressed>,
    /// Made at or after.
    created_from: Option<DateTime<Utc>>,
    /// Made before.
    created_before: Option<DateTime<Utc>>,
}

impl Wanted {
    fn filter(self) -> ContactFilter {
        ContactFilter {
            text: self.text,
            phone: self.phone,
            import_id: self.import_id,
            label_ids: self.label_id.into_iter().collect(),
            has_phone: self.has_phone,
            suppression: self.suppression,
            created_from: self.created_from,
            created_before: self.created_before,
            ids: None,
        }
    }
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
    Ok(Json(contact::list(&mut tx, &wanted.filter(), &paging.of()?).await?))
}

/// What was typed so far.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Typed {
    /// Beginnings of names, of an e-mail address, or digits of a number.
    q: String,
    /// Contacts wanted, 1 to 50; 10 by default.
    limit: Option<i64>,
}

/// A few contacts that may be meant.
#[derive(Serialize, ToSchema)]
struct Suggested {
    /// The contacts, those whose name begins so first.
    items: Vec<Contact>,
}

/// A few contacts for what somebody has typed so far.
#[utoipa::path(
    get, path = "/api/v1/contacts/suggest", tag = "contacts", params(Typed), responses((status = 200, body = Suggested))
)]
async fn suggest(call: Call, Query(typed): Query<Typed>) -> Result<Json<Suggested>, Problem> {
    let mut tx = call.tx().await?;
    let items = contact::suggest(&mut tx, &typed.q, typed.limit.unwrap_or(10)).await?;
    Ok(Json(Suggested { items }))
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

/// Labels a contact; one that has the label keeps it.
#[utoipa::path(
    put, path = "/api/v1/contacts/{id}/labels/{label_id}", tag = "contacts", params(("id" = Uuid, Path), ("label_id" = Uuid, Path)),
    responses((status = 200, body = Contact))
)]
async fn attach(call: Call, Path((id, label)): Path<(ContactId, LabelId)>) -> Result<Json<Contact>, Problem> {
    let mut tx = call.tx().await?;
    let contact = labels::attach(&mut tx, id, label).await?;
    tx.commit().await?;
    Ok(Json(contact))
}

/// Takes a label off a contact.
#[utoipa::path(
    delete, path = "/api/v1/contacts/{id}/labels/{label_id}", tag = "contacts", params(("id" = Uuid, Path), ("label_id" = Uuid, Path)),
    responses((status = 200, body = Contact))
)]
async fn detach(call: Call, Path((id, label)): Path<(ContactId, LabelId)>) -> Result<Json<Contact>, Problem> {
    let mut tx = call.tx().await?;
    let contact = labels::detach(&mut tx, id, label).await?;
    tx.commit().await?;
    Ok(Json(contact))
}

/// Whom to merge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MergeBody {
    /// The contact that is merged into the other and is no more.
    #[schema(value_type = Uuid)]
    merged_id: ContactId,
}

/// Merges another contact into this one, which is kept: conversations, labels and household follow.
#[utoipa::path(
    post, path = "/api/v1/contacts/{id}/merge", tag = "contacts", params(("id" = Uuid, Path)), request_body = MergeBody,
    responses((status = 200, body = Contact))
)]
async fn merge(call: Call, Path(id): Path<ContactId>, Json(body): Json<MergeBody>) -> Result<Json<Contact>, Problem> {
    let mut tx = call.tx().await?;
    let contact = merge::merge(&mut tx, id, body.merged_id).await?;
    tx.commit().await?;
    Ok(Json(contact))
}

/// The contacts that were merged into this one, as they were.
#[utoipa::path(
    get, path = "/api/v1/contacts/{id}/merges", tag = "contacts", params(("id" = Uuid, Path), Paging),
    responses((status = 200, body = Page<Merge>))
)]
async fn merges(
    call: Call,
    Path(id): Path<ContactId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Merge>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(merge::list(&mut tx, id, &paging.of()?).await?))
}

/// Who lives with a contact.
#[utoipa::path(
    get, path = "/api/v1/contacts/{id}/household", tag = "contacts", params(("id" = Uuid, Path), Paging),
    responses((status = 200, body = Page<Member>))
)]
async fn household(
    call: Call,
    Path(id): Path<ContactId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Member>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(household::list(&mut tx, id, &paging.of()?).await?))
}

/// Adds a member to a contact's household.
#[utoipa::path(
    post, path = "/api/v1/contacts/{id}/household", tag = "contacts", params(("id" = Uuid, Path)), request_body = MemberFields,
    responses((status = 201, description = "Added", body = Member))
)]
async fn add_member(
    call: Call,
    Path(id): Path<ContactId>,
    Create { body, once }: Create<MemberFields>,
) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let member = household::add(&mut tx, id, body).await?;
    once.created(tx, &member).await
}

/// Changes a member of a household; absent fields stay.
#[utoipa::path(
    patch, path = "/api/v1/contacts/{id}/household/{member_id}", tag = "contacts", params(("id" = Uuid, Path), ("member_id" = Uuid, Path)),
    request_body = MemberFields, responses((status = 200, body = Member))
)]
async fn update_member(
    call: Call,
    Path((id, member)): Path<(ContactId, MemberId)>,
    Json(body): Json<MemberFields>,
) -> Result<Json<Member>, Problem> {
    let mut tx = call.tx().await?;
    let member = household::update(&mut tx, id, member, body).await?;
    tx.commit().await?;
    Ok(Json(member))
}

/// Takes a member out of a household, confirmed or not.
#[utoipa::path(
    delete, path = "/api/v1/contacts/{id}/household/{member_id}", tag = "contacts", params(("id" = Uuid, Path), ("member_id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
async fn remove_member(call: Call, Path((id, member)): Path<(ContactId, MemberId)>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    household::remove(&mut tx, id, member).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
