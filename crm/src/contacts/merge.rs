//! Two contacts that are one person: one is kept and fills its gaps from the other, whose conversations, labels and household follow it; what
//! the other was stays on record.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::contact::{self, Contact, ContactId};
use crate::{Error, reactions};

/// Marks ids of merges.
#[derive(Debug)]
pub enum MergeMark {}
/// The id of a merge.
pub type MergeId = Id<MergeMark>;

/// A merge that was made.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = ContactMerge)]
pub struct Merge {
    /// The merge.
    pub id: MergeId,
    /// The contact that is no more.
    pub merged_id: ContactId,
    /// What it was.
    #[schema(value_type = Contact)]
    pub merged: Json<Value>,
    /// Who merged.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Merges a contact into another, which is kept. A contact with itself is refused, and nothing is lost.
pub async fn merge(tx: &mut TenantTx, kept: ContactId, merged: ContactId) -> Result<Contact, Error> {
    if kept == merged {
        return Err(Error::invalid("merged_id", "merge_with_itself", "choose two different contacts"));
    }
    // in the order of the ids, so that two merges of the same two wait for each other in one order
    let locked: Vec<ContactId> = sqlx::query_scalar(
        "select c.id from crm.contacts c where c.tenant_id = app.tenant_id() and c.id = any($1) order by c.id for update",
    )
    .bind([kept, merged])
    .fetch_all(tx.conn())
    .await?;
    if locked.len() < 2 {
        return Err(Error::NotFound);
    }
    let (stays, goes) = (contact::get(tx, kept).await?, contact::get(tx, merged).await?);
    let snapshot = serde_json::to_value(&goes).map_err(anyhow::Error::new)?;
    sqlx::query("insert into crm.contact_merges (id, contact_id, merged_id, merged) values ($1, $2, $3, $4)")
        .bind(MergeId::new())
        .bind(kept)
        .bind(merged)
        .bind(snapshot)
        .execute(tx.conn())
        .await?;
    follow(tx, kept, merged).await?;
    fill_gaps(tx, &stays, &goes).await?;
    contact::delete(tx, merged).await?;
    contact::get(tx, kept).await
}

/// The merges that made a contact what it is, oldest first.
pub async fn list(tx: &mut TenantTx, contact: ContactId, page: &PageOf<MergeId>) -> Result<Page<Merge>, Error> {
    contact::get(tx, contact).await?;
    let rows: Vec<Merge> = sqlx::query_as(
        "select m.id, m.merged_id, m.merged, m.created_by, m.created_at from crm.contact_merges m
          where m.tenant_id = app.tenant_id() and m.contact_id = $1 and ($2::uuid is null or m.id > $2) order by m.id limit $3",
    )
    .bind(contact)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// Whatever points at the one points at the other.
async fn follow(tx: &mut TenantTx, kept: ContactId, merged: ContactId) -> Result<(), Error> {
    reactions::contacts_merged(tx, kept.uuid(), merged.uuid()).await?;
    sqlx::query("update crm.import_phones set contact_id = $1 where tenant_id = app.tenant_id() and contact_id = $2")
        .bind(kept)
        .bind(merged)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "insert into crm.contact_label_links (label_id, contact_id)
           select l.label_id, $1 from crm.contact_label_links l where l.tenant_id = app.tenant_id() and l.contact_id = $2
         on conflict do nothing",
    )
    .bind(kept)
    .bind(merged)
    .execute(tx.conn())
    .await?;
    // one whom both name is confirmed where either says so
    sqlx::query(
        "update crm.household_members k set is_confirmed = true
           from crm.household_members m
          where k.tenant_id = app.tenant_id() and m.tenant_id = k.tenant_id and k.contact_id = $1 and m.contact_id = $2 and m.is_confirmed
            and crm.fold(k.name) = crm.fold(m.name)",
    )
    .bind(kept)
    .bind(merged)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "update crm.household_members m set contact_id = $1
          where m.tenant_id = app.tenant_id() and m.contact_id = $2
            and not exists (select from crm.household_members k
                             where k.tenant_id = m.tenant_id and k.contact_id = $1 and crm.fold(k.name) = crm.fold(m.name))",
    )
    .bind(kept)
    .bind(merged)
    .execute(tx.conn())
    .await?;
    sqlx::query("update crm.contact_merges set contact_id = $1 where tenant_id = app.tenant_id() and contact_id = $2")
        .bind(kept)
        .bind(merged)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What the kept one does not say, the other says. Its numbers are taken over as far as there is room for them.
async fn fill_gaps(tx: &mut TenantTx, stays: &Contact, goes: &Contact) -> Result<(), Error> {
    let mut numbers: Vec<&String> = Vec::new();
    for phone in [&stays.phone, &stays.second_phone, &goes.phone, &goes.second_phone].into_iter().flatten() {
        if !numbers.contains(&phone) {
            numbers.push(phone);
        }
    }
    sqlx::query(
        "update crm.contacts k set phone = $3, second_phone = $4, attributes = m.attributes || k.attributes, updated_at = app.now(),
            phone_extension = case when k.phone is null then m.phone_extension else k.phone_extension end,
            first_name = coalesce(k.first_name, m.first_name), last_name = coalesce(k.last_name, m.last_name),
            email = coalesce(k.email, m.email), company = coalesce(k.company, m.company), address = coalesce(k.address, m.address),
            city = coalesce(k.city, m.city), state = coalesce(k.state, m.state), postal_code = coalesce(k.postal_code, m.postal_code),
            country = coalesce(k.country, m.country), time_zone = coalesce(k.time_zone, m.time_zone)
           from crm.contacts m
          where k.tenant_id = app.tenant_id() and m.tenant_id = k.tenant_id and k.id = $1 and m.id = $2",
    )
    .bind(stays.id)
    .bind(goes.id)
    .bind(numbers.first())
    .bind(numbers.get(1))
    .execute(tx.conn())
    .await?;
    Ok(())
}
