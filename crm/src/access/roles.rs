//! Roles that a tenant makes for itself, beside the built-in ones. Nobody makes, changes or gives one that grants what they may not do.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    permission::{self, Permission, Permissions, Scopes},
    role::{Held, Role as BuiltIn},
};
use crate::Error;

/// The id of a role of the tenant's own.
pub type RoleId = Id<OwnRole>;

/// So many roles a tenant may make: a list that a person chooses from.
const MOST: i64 = 100;

/// A role of the tenant's own.
#[derive(Debug)]
pub enum OwnRole {}

/// A role that somebody can be given.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Role {
    /// As users name it.
    pub id: Held,
    /// What the tenant calls it; a built-in one is known by its id.
    pub name: Option<String>,
    /// What it grants.
    #[schema(value_type = Vec<Permission>)]
    pub permissions: Permissions,
    /// How far those of them reach that do not reach everywhere.
    #[schema(value_type = std::collections::BTreeMap<String, permission::Scope>)]
    pub scopes: Scopes,
    /// How many people have it, those without access too.
    pub user_count: i64,
    /// When it was last changed, where it can be.
    pub updated_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: RoleId,
    name: String,
    #[sqlx(try_from = "Vec<String>")]
    permissions: Permissions,
    user_count: i64,
    updated_at: DateTime<Utc>,
}
impl From<Row> for Role {
    fn from(row: Row) -> Self {
        let Row { id, name, permissions, user_count, updated_at } = row;
        let scopes = permissions.scopes();
        Self { id: Held::Own(id), name: Some(name), permissions, scopes, user_count, updated_at: Some(updated_at) }
    }
}

/// A role to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleBody)]
pub struct NewRole {
    /// 1 to 60 characters; the tenant has no other of that name.
    #[schema(min_length = 1, max_length = 60)]
    pub name: String,
    /// What it grants: something, and nothing that whoever makes it may not do.
    pub permissions: Vec<Permission>,
    /// How far those reach that are about conversations; one of which nothing is said reaches everywhere.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, permission::Scope>)]
    pub scopes: Scopes,
}

/// What is to become of a role; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleChange)]
pub struct Change {
    /// 1 to 60 characters.
    #[schema(min_length = 1, max_length = 60)]
    pub name: Option<String>,
    /// What it grants from now on, to everybody who has it.
    pub permissions: Option<Vec<Permission>>,
    /// How far, said with the permissions; one of which nothing is said reaches everywhere.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, permission::Scope>)]
    pub scopes: Scopes,
}

/// The built-in roles, and then the tenant's own in the order in which they were made. The built-in ones stand before the first page and do not count as of it.
pub async fn list(tx: &mut TenantTx, page: &PageOf<RoleId>) -> Result<Page<Role>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select r.id, r.name, r.permissions, r.updated_at,
                (select count(*) from crm.users u where u.tenant_id = app.tenant_id() and u.role_id = r.id) as user_count
           from crm.roles r where r.tenant_id = app.tenant_id() and ($1::uuid is null or r.id > $1) order by r.id limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    let Page { items, next_cursor } = page.finish(rows, |row| row.id);
    let mut roles = if page.after.is_none() { built_in(tx).await? } else { Vec::new() };
    roles.extend(items.into_iter().map(Role::from));
    Ok(Page { items: roles, next_cursor })
}

async fn built_in(tx: &mut TenantTx) -> Result<Vec<Role>, Error> {
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "select u.role, count(*) from crm.users u where u.tenant_id = app.tenant_id() and u.role_id is null group by u.role",
    )
    .fetch_all(tx.conn())
    .await?;
    let count = |role: BuiltIn| counts.iter().find(|(code, _)| code == role.code()).map_or(0, |(_, count)| *count);
    let shown = |role: BuiltIn| Role {
        id: role.into(),
        name: None,
        permissions: role.permissions(),
        scopes: Scopes::default(),
        user_count: count(role),
        updated_at: None,
    };
    Ok(BuiltIn::ALL.into_iter().map(shown).collect())
}

/// What a role grants. One that the tenant does not have is refused.
pub(super) async fn permissions(tx: &mut TenantTx, role: Held) -> Result<Permissions, Error> {
    match role {
        Held::BuiltIn(role) => Ok(role.permissions()),
        Held::Own(id) => find(tx, id).await?.map(|row| row.permissions).ok_or_else(unknown),
    }
}

/// Why a role can't be given that is not there.
pub(super) fn unknown() -> Error {
    Error::invalid("role", "role_unknown", "there is no such role")
}

async fn find(tx: &mut TenantTx, id: RoleId) -> Result<Option<Row>, Error> {
    Ok(sqlx::query_as(
        "select r.id, r.name, r.permissions, r.updated_at,
                (select count(*) from crm.users u where u.tenant_id = app.tenant_id() and u.role_id = r.id) as user_count
           from crm.roles r where r.tenant_id = app.tenant_id() and r.id = $1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?)
}

/// Makes a role. It takes a proof.
pub async fn create(tx: &mut TenantTx, caller: &Caller, new: NewRole) -> Result<Role, Error> {
    caller.require_proof(tx.now())?;
    let permissions = within_own(caller, new.permissions, &new.scopes)?;
    // counted one after the other, so that two at once do not both find room for the last
    sqlx::query("select pg_advisory_xact_lock(7243, app.tenant_number())").execute(tx.conn()).await?;
    let id = RoleId::new();
    let made = sqlx::query(
        "insert into crm.roles (id, name, permissions) select $1, $2, $3
          where (select count(*) from crm.roles r where r.tenant_id = app.tenant_id()) < $4",
    )
    .bind(id)
    .bind(normal_name(&new.name)?)
    .bind(permissions.names())
    .bind(MOST)
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    if made.rows_affected() == 0 {
        return Err(Error::conflict("too_many_roles", format!("an account has {MOST} roles at most")));
    }
    find(tx, id).await?.map(Role::from).ok_or(Error::NotFound)
}

/// Changes a role, at once for everybody who has it. It takes a proof.
pub async fn change(tx: &mut TenantTx, caller: &Caller, id: RoleId, change: Change) -> Result<Role, Error> {
    caller.require_proof(tx.now())?;
    let name = change.name.as_deref().map(normal_name).transpose()?;
    let wanted = match change.permissions {
        Some(permissions) => Some(within_own(caller, permissions, &change.scopes)?),
        // of nothing there is nothing to say
        None => Permissions::of([], &change.scopes, everywhere).map(|_| None)?,
    };
    let before: Vec<String> = sqlx::query_scalar(
        "select r.permissions from crm.roles r where r.tenant_id = app.tenant_id() and r.id = $1 for no key update",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    caller.may_grant(Permissions::from_names(&before))?;
    sqlx::query(
        "update crm.roles r set name = coalesce($2, r.name), permissions = coalesce($3, r.permissions), updated_at = app.now()
          where r.tenant_id = app.tenant_id() and r.id = $1",
    )
    .bind(id)
    .bind(name)
    .bind(wanted.map(Permissions::names))
    .execute(tx.conn())
    .await
    .map_err(refused)?;
    find(tx, id).await?.map(Role::from).ok_or(Error::NotFound)
}

/// Removes a role that nobody has. It takes a proof.
pub async fn delete(tx: &mut TenantTx, caller: &Caller, id: RoleId) -> Result<(), Error> {
    caller.require_proof(tx.now())?;
    let deleted = sqlx::query("delete from crm.roles r where r.tenant_id = app.tenant_id() and r.id = $1")
        .bind(id)
        .execute(tx.conn())
        .await
        .map_err(refused)?;
    if deleted.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// ADM-03: what somebody may not do, or not so far, they put into no role.
fn within_own(caller: &Caller, permissions: Vec<Permission>, scopes: &Scopes) -> Result<Permissions, Error> {
    if permissions.is_empty() {
        return Err(Error::invalid("permissions", "permissions_empty", "a role grants at least one permission"));
    }
    let wanted = Permissions::of(permissions, scopes, everywhere)?;
    caller.within_own(wanted)?;
    Ok(wanted)
}

const fn everywhere(_: Permission) -> permission::Scope {
    permission::Scope::All
}

fn normal_name(name: &str) -> Result<String, Error> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 60 {
        return Err(Error::invalid("name", "role_name_length", "the name of a role has 1 to 60 characters"));
    }
    Ok(name)
}

fn refused(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some("roles_name_key") => Error::conflict("role_name_taken", "there is a role of that name already"),
        Some("users_role_id") => Error::conflict("role_in_use", "somebody has this role: give them another one first"),
        _ => error.into(),
    }
}
