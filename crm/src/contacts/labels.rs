//! Labels of contacts: names that are one whatever their case and accents, and which contacts carry them.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;

use super::contact::{self, Contact, ContactId};
use crate::Error;

/// Marks ids of labels.
#[derive(Debug)]
pub enum LabelMark {}
/// The id of a label of contacts.
pub type LabelId = Id<LabelMark>;

/// The longest name.
pub const MAX_NAME_CHARS: usize = 100;

/// A label.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = ContactLabel)]
pub struct Label {
    /// The label.
    pub id: LabelId,
    /// Its name as it was first written.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The key of the list.
pub type LabelKey = String;

/// The labels in the order of their names.
pub async fn list(tx: &mut TenantTx, page: &PageOf<LabelKey>) -> Result<Page<Label>, Error> {
    let rows: Vec<Label> = sqlx::query_as(
        "select l.id, l.name, l.created_at from crm.contact_labels l
          where l.tenant_id = app.tenant_id() and ($1::text is null or crm.fold(l.name) collate \"C\" > crm.fold($1) collate \"C\")
          order by crm.fold(l.name) collate \"C\" limit $2",
    )
    .bind(&page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.name.clone()))
}

/// Makes a label.
pub async fn create(tx: &mut TenantTx, name: &str) -> Result<Label, Error> {
    let name = check_name(name)?;
    sqlx::query_as("insert into crm.contact_labels (id, name) values ($1, $2) returning id, name, created_at")
        .bind(LabelId::new())
        .bind(name)
        .fetch_one(tx.conn())
        .await
        .map_err(taken)
}

/// Gives a label another name.
pub async fn rename(tx: &mut TenantTx, id: LabelId, name: &str) -> Result<Label, Error> {
    let name = check_name(name)?;
    sqlx::query_as(
        "update crm.contact_labels set name = $2 where tenant_id = app.tenant_id() and id = $1 returning id, name, created_at",
    )
    .bind(id)
    .bind(name)
    .fetch_optional(tx.conn())
    .await
    .map_err(taken)?
    .ok_or(Error::NotFound)
}

/// Removes a label from everybody, and then itself.
pub async fn delete(tx: &mut TenantTx, id: LabelId) -> Result<(), Error> {
    let deleted = sqlx::query("delete from crm.contact_labels where tenant_id = app.tenant_id() and id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    if deleted.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Labels a contact; one that has it already keeps it.
pub async fn attach(tx: &mut TenantTx, contact: ContactId, label: LabelId) -> Result<Contact, Error> {
    get(tx, label).await?;
    contact::get(tx, contact).await?;
    sqlx::query("insert into crm.contact_label_links (label_id, contact_id) values ($1, $2) on conflict do nothing")
        .bind(label)
        .bind(contact)
        .execute(tx.conn())
        .await?;
    contact::get(tx, contact).await
}

/// Takes a label off a contact.
pub async fn detach(tx: &mut TenantTx, contact: ContactId, label: LabelId) -> Result<Contact, Error> {
    sqlx::query(
        "delete from crm.contact_label_links where tenant_id = app.tenant_id() and label_id = $1 and contact_id = $2",
    )
    .bind(label)
    .bind(contact)
    .execute(tx.conn())
    .await?;
    contact::get(tx, contact).await
}

/// A label of the tenant.
pub async fn get(tx: &mut TenantTx, id: LabelId) -> Result<Label, Error> {
    let label = sqlx::query_as(
        "select l.id, l.name, l.created_at from crm.contact_labels l where l.tenant_id = app.tenant_id() and l.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(label)
}

/// A name as it is stored. What parts the labels of a cell is in none of them.
fn check_name(name: &str) -> Result<String, Error> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
        let message = format!("give a name of 1 to {MAX_NAME_CHARS} characters");
        return Err(Error::invalid("name", "name_length", message));
    }
    if name.contains(super::import::map::LIST_SEPARATORS) {
        return Err(Error::invalid("name", "label_name_separator", "a name has no semicolon, comma or |"));
    }
    Ok(name)
}

fn taken(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some("contact_labels_name_key") => Error::conflict("label_name_taken", "there is a label with this name"),
        _ => error.into(),
    }
}
