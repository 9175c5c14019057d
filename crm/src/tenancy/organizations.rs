//! Organizations: the parts of a tenant that lines and settings may be of. People, contacts and permissions are the tenant's: an organization is no wall.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;

use super::tenants::check_name;
use crate::Error;

/// The id of an organization.
pub type OrganizationId = Id<Organization>;

/// A part of a tenant.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Organization {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub id: OrganizationId,
    /// What people call it.
    pub name: String,
    /// How many lines are of it.
    pub line_count: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last given a name.
    pub updated_at: DateTime<Utc>,
}

/// The organizations in the order of their names.
pub async fn list(tx: &mut TenantTx, page: &PageOf<String>) -> Result<Page<Organization>, Error> {
    let rows: Vec<Organization> = sqlx::query_as(
        "select o.id, o.name, o.created_at, o.updated_at,
                (select count(*) from crm.lines l where l.tenant_id = o.tenant_id and l.organization_id = o.id) as line_count
           from crm.organizations o
          where o.tenant_id = app.tenant_id() and ($1::text is null or crm.fold(o.name) collate \"C\" > crm.fold($1) collate \"C\")
          order by crm.fold(o.name) collate \"C\" limit $2",
    )
    .bind(&page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.name.clone()))
}

/// An organization of the tenant.
pub async fn get(tx: &mut TenantTx, id: OrganizationId) -> Result<Organization, Error> {
    Ok(sqlx::query_as(
        "select o.id, o.name, o.created_at, o.updated_at,
                (select count(*) from crm.lines l where l.tenant_id = o.tenant_id and l.organization_id = o.id) as line_count
           from crm.organizations o where o.tenant_id = app.tenant_id() and o.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?)
}

/// Makes an organization, of which nothing is yet and which sets nothing.
pub async fn create(tx: &mut TenantTx, name: &str) -> Result<Organization, Error> {
    check_name(name)?;
    let id = OrganizationId::new();
    sqlx::query("insert into crm.organizations (id, name) values ($1, $2)")
        .bind(id)
        .bind(name.trim())
        .execute(tx.conn())
        .await
        .map_err(refused)?;
    get(tx, id).await
}

/// Gives an organization another name.
pub async fn rename(tx: &mut TenantTx, id: OrganizationId, name: &str) -> Result<Organization, Error> {
    check_name(name)?;
    let renamed = sqlx::query(
        "update crm.organizations o set name = $2, updated_at = app.now() where o.tenant_id = app.tenant_id() and o.id = $1",
    )
    .bind(id)
    .bind(name.trim())
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if renamed.rows_affected() == 0 { Err(Error::NotFound) } else { get(tx, id).await }
}

/// Removes an organization of which no line is, with what it has set.
pub async fn delete(tx: &mut TenantTx, id: OrganizationId) -> Result<(), Error> {
    let deleted = sqlx::query("delete from crm.organizations o where o.tenant_id = app.tenant_id() and o.id = $1")
        .bind(id)
        .execute(tx.conn())
        .await
        .map_err(refused)?;
    if deleted.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Why a thing can't be of an organization that is not there.
pub(crate) fn unknown() -> Error {
    Error::invalid("organization_id", "organization_unknown", "there is no such organization")
}

fn refused(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some("organizations_name_key") => {
            Error::conflict("organization_name_taken", "there is an organization of that name already")
        }
        Some("lines_organization") => {
            Error::conflict("organization_in_use", "a line is of this organization: move it to another one first")
        }
        _ => error.into(),
    }
}
