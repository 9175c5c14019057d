//! Who lives with a contact. A member that a person has confirmed is taken away by a person alone, one at a time: never by an import, a change
//! of many or a program's guess.

use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::contact::{self, ContactId};
use crate::Error;

/// Marks ids of household members.
#[derive(Debug)]
pub enum MemberMark {}
/// The id of a household member.
pub type MemberId = Id<MemberMark>;

/// Somebody in a contact's household.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = HouseholdMember)]
pub struct Member {
    /// The member.
    pub id: MemberId,
    /// Their name; one of a kind in the household.
    pub name: String,
    /// What they are to the contact.
    pub relation: Option<String>,
    /// Whether a person has said so.
    pub is_confirmed: bool,
}

/// What is said of a member.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HouseholdMemberFields)]
pub struct MemberFields {
    /// Their name.
    pub name: Option<String>,
    /// What they are to the contact.
    pub relation: Option<String>,
    /// Whether a person has said so.
    pub is_confirmed: Option<bool>,
}

/// The household of a contact, in the order in which it became known.
pub async fn list(tx: &mut TenantTx, contact: ContactId, page: &PageOf<MemberId>) -> Result<Page<Member>, Error> {
    contact::get(tx, contact).await?;
    let rows: Vec<Member> = sqlx::query_as(
        "select m.id, m.name, m.relation, m.is_confirmed from crm.household_members m
          where m.tenant_id = app.tenant_id() and m.contact_id = $1 and ($2::uuid is null or m.id > $2)
          order by m.id limit $3",
    )
    .bind(contact)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// Adds a member.
pub async fn add(tx: &mut TenantTx, contact: ContactId, fields: MemberFields) -> Result<Member, Error> {
    contact::get(tx, contact).await?;
    let name = check_name(fields.name.as_deref().unwrap_or_default())?;
    sqlx::query_as(
        "insert into crm.household_members (id, contact_id, name, relation, is_confirmed) values ($1, $2, $3, $4, $5)
         returning id, name, relation, is_confirmed",
    )
    .bind(MemberId::new())
    .bind(contact)
    .bind(name)
    .bind(fields.relation.as_deref().map(str::trim).filter(|text| !text.is_empty()))
    .bind(fields.is_confirmed.unwrap_or(false))
    .fetch_one(tx.conn())
    .await
    .map_err(taken)
}

/// Changes a member; absent fields stay.
pub async fn update(
    tx: &mut TenantTx,
    contact: ContactId,
    id: MemberId,
    fields: MemberFields,
) -> Result<Member, Error> {
    let name = fields.name.as_deref().map(check_name).transpose()?;
    sqlx::query_as(
        "update crm.household_members set name = coalesce($3, name), relation = coalesce($4, relation), is_confirmed = coalesce($5, is_confirmed)
          where tenant_id = app.tenant_id() and contact_id = $1 and id = $2 returning id, name, relation, is_confirmed",
    )
    .bind(contact)
    .bind(id)
    .bind(name)
    .bind(fields.relation.as_deref().map(str::trim).filter(|text| !text.is_empty()))
    .bind(fields.is_confirmed)
    .fetch_optional(tx.conn())
    .await
    .map_err(taken)?
    .ok_or(Error::NotFound)
}

/// Takes a member away, confirmed or not: a person said so.
pub async fn remove(tx: &mut TenantTx, contact: ContactId, id: MemberId) -> Result<(), Error> {
    let removed = sqlx::query(
        "delete from crm.household_members where tenant_id = app.tenant_id() and contact_id = $1 and id = $2",
    )
    .bind(contact)
    .bind(id)
    .execute(tx.conn())
    .await?;
    if removed.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

fn check_name(name: &str) -> Result<String, Error> {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "name_length", "give a name of 1 to 200 characters"));
    }
    Ok(name)
}

fn taken(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some("household_members_name_key") => {
            Error::conflict("household_member_known", "the household has a member of this name")
        }
        _ => error.into(),
    }
}
