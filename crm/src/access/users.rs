//! People of a tenant. They are found by e-mail before their tenant is known, so one e-mail may be several users.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, PlatformTx, Scope, TenantTx, Why};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Caller, Permission, invitations, password, permission,
    role::{Held, Role},
    roles,
};
use crate::{App, Error, reactions, tenancy::State};

/// The id of a user.
pub type UserId = Id<User>;

/// A person of a tenant.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct User {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: UserId,
    /// The e-mail, in lower case: what they log in with.
    pub email: String,
    /// The name.
    pub name: String,
    /// What they may do.
    #[sqlx(try_from = "String")]
    pub role: Held,
    /// What that role is called, where it is one of the tenant's own.
    pub role_name: Option<String>,
    /// Whether they can log in, once they have a password.
    pub is_active: bool,
    /// Whether they have been invited and have not come in yet: no password, and no identity provider that knows them.
    pub is_invited: bool,
    /// Whether their log-in asks for a code.
    pub has_second_factor: bool,
    /// Since when they can't log in any more.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When they were made.
    pub created_at: DateTime<Utc>,
}

/// A user to be made. The password is hashed before a transaction is opened.
#[derive(Debug)]
pub struct NewUser {
    email: String,
    name: String,
    role: Held,
    password_hash: Option<String>,
}

impl NewUser {
    /// Checks what was given and hashes the password.
    pub async fn prepare(
        email: &str,
        name: &str,
        role: impl Into<Held>,
        password: SecretString,
    ) -> Result<Self, Error> {
        let mut user = Self::invited(email, name, role)?;
        user.password_hash = Some(password::hash("password", password).await?);
        Ok(user)
    }
    /// The same for somebody who will set the password.
    pub fn invited(email: &str, name: &str, role: impl Into<Held>) -> Result<Self, Error> {
        let email = normal_email(email);
        let (local, domain) = email.split_once('@').unwrap_or_default();
        let shaped =
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !email.contains(char::is_whitespace);
        if !shaped || email.len() > 254 {
            return Err(Error::invalid("email", "email_malformed", "this is not an e-mail address"));
        }
        Ok(Self { email, name: normal_name(name)?, role: role.into(), password_hash: None })
    }
    /// The e-mail, in the form in which it is stored.
    pub(super) fn email(&self) -> &str {
        &self.email
    }
    /// The name, in the same.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

pub(super) fn normal_name(name: &str) -> Result<String, Error> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "name_length", "a name has 1 to 200 characters"));
    }
    Ok(name)
}

/// The form in which e-mails are stored and compared.
#[must_use]
pub fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Makes a user of that tenant.
pub async fn create<S: Scope>(tx: &mut S, tenant_id: Uuid, user: NewUser) -> Result<User, Error> {
    let created = sqlx::query_as(
        "insert into crm.users as u (tenant_id, id, email, name, role, role_id, password_hash) values ($1, $2, $3, $4, $5, $6, $7)
         returning u.id, u.email, u.name, coalesce(u.role_id::text, u.role) as role,
           (select r.name from crm.roles r where r.tenant_id = u.tenant_id and r.id = u.role_id) as role_name, u.disabled_at is null as is_active, u.password_hash is null and not crm.has_identity(u.tenant_id, u.id) as is_invited,
           u.totp_confirmed_at is not null as has_second_factor, u.disabled_at, u.created_at",
    )
    .bind(tenant_id)
    .bind(UserId::new())
    .bind(user.email)
    .bind(user.name)
    .bind(user.role.code())
    .bind(user.role.own())
    .bind(user.password_hash)
    .fetch_one(tx.conn())
    .await;
    created.map_err(|error| match db::constraint::violated(&error) {
        Some("users_email_key") => Error::conflict("email_taken", "a user of this tenant has that e-mail already"),
        Some("users_email_form") => Error::invalid("email", "email_malformed", "this is not an e-mail address"),
        Some("users_role_id") => roles::unknown(),
        _ => error.into(),
    })
}

/// A user of the tenant.
pub async fn get(tx: &mut TenantTx, id: UserId) -> Result<User, Error> {
    let user = sqlx::query_as(
        "select u.id, u.email, u.name, coalesce(u.role_id::text, u.role) as role,
           (select r.name from crm.roles r where r.tenant_id = u.tenant_id and r.id = u.role_id) as role_name, u.disabled_at is null as is_active, u.password_hash is null and not crm.has_identity(u.tenant_id, u.id) as is_invited,
           u.totp_confirmed_at is not null as has_second_factor, u.disabled_at, u.created_at
         from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(user)
}

/// The user of that e-mail, if the tenant has one.
pub async fn find_by_email(tx: &mut TenantTx, email: &str) -> Result<Option<User>, Error> {
    let user = sqlx::query_as(
        "select u.id, u.email, u.name, coalesce(u.role_id::text, u.role) as role,
           (select r.name from crm.roles r where r.tenant_id = u.tenant_id and r.id = u.role_id) as role_name, u.disabled_at is null as is_active, u.password_hash is null and not crm.has_identity(u.tenant_id, u.id) as is_invited,
           u.totp_confirmed_at is not null as has_second_factor, u.disabled_at, u.created_at
         from crm.users u where u.tenant_id = app.tenant_id() and u.email = $1",
    )
    .bind(normal_email(email))
    .fetch_optional(tx.conn())
    .await?;
    Ok(user)
}

/// Whether somebody can log in; while this transaction lasts nobody changes that.
pub(super) async fn hold_active(tx: &mut TenantTx, id: UserId) -> Result<bool, Error> {
    let is_active: Option<bool> = sqlx::query_scalar(
        "select u.disabled_at is null from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1 for no key update",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(is_active == Some(true))
}

/// The people of the tenant, in the order in which they were made.
pub async fn list(tx: &mut TenantTx, page: &PageOf<UserId>) -> Result<Page<User>, Error> {
    let users: Vec<User> = sqlx::query_as(
        "select u.id, u.email, u.name, coalesce(u.role_id::text, u.role) as role,
           (select r.name from crm.roles r where r.tenant_id = u.tenant_id and r.id = u.role_id) as role_name, u.disabled_at is null as is_active, u.password_hash is null and not crm.has_identity(u.tenant_id, u.id) as is_invited,
           u.totp_confirmed_at is not null as has_second_factor, u.disabled_at, u.created_at
         from crm.users u where u.tenant_id = app.tenant_id() and ($1::uuid is null or u.id > $1) order by u.id limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(users, |user| user.id))
}

/// The people of a tenant, for the platform's operator.
pub async fn list_of(tx: &mut PlatformTx, tenant_id: Uuid, page: &PageOf<UserId>) -> Result<Page<User>, Error> {
    sqlx::query_scalar::<_, bool>("select true from crm.tenants t where t.id = $1")
        .bind(tenant_id)
        .fetch_one(tx.conn())
        .await?;
    let users: Vec<User> = sqlx::query_as(
        "select u.id, u.email, u.name, coalesce(u.role_id::text, u.role) as role,
           (select r.name from crm.roles r where r.tenant_id = u.tenant_id and r.id = u.role_id) as role_name, u.disabled_at is null as is_active, u.password_hash is null and not crm.has_identity(u.tenant_id, u.id) as is_invited,
           u.totp_confirmed_at is not null as has_second_factor, u.disabled_at, u.created_at
           from crm.users u where u.tenant_id = $1 and ($2::uuid is null or u.id > $2) order by u.id limit $3",
    )
    .bind(tenant_id)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(users, |user| user.id))
}

/// What is to become of a user; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = UserChange)]
pub struct Change {
    /// The name.
    pub name: Option<String>,
    /// What they may do: no more than whoever says so.
    pub role: Option<Held>,
    /// Whether they can log in. Sessions of one who can't end, and what was theirs is nobody's.
    pub is_active: Option<bool>,
}

/// Changes a user. Nobody gives what they lack, nor changes somebody who may more than they do; the last owner stays.
pub async fn change(tx: &mut TenantTx, caller: &Caller, id: UserId, change: Change) -> Result<User, Error> {
    let name = change.name.as_deref().map(normal_name).transpose()?;
    // owners are locked in one order before any of them is changed: of two that would each leave the other the second sees what the first did
    let owners: Vec<UserId> = sqlx::query_scalar(
        "select u.id from crm.users u where u.tenant_id = app.tenant_id() and u.role = 'owner' and u.disabled_at is null and (u.password_hash is not null or crm.has_identity(u.tenant_id, u.id))
          order by u.id for no key update",
    )
    .fetch_all(tx.conn())
    .await?;
    sqlx::query_scalar::<_, bool>(
        "select true from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1 for no key update",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    let before = get(tx, id).await?;
    let changes_rights = change.role.is_some_and(|role| role != before.role)
        || change.is_active.is_some_and(|is_active| is_active != before.is_active);
    if changes_rights {
        caller.require_proof(tx.now())?;
        for role in [before.role, change.role.unwrap_or(before.role)] {
            caller.may_grant(roles::permissions(tx, role).await?)?;
        }
        // what was theirs is nobody's then, and so to be seen by every team
        let sees_teams = caller.permissions.scope(Permission::ConversationsView) == Some(permission::Scope::Team);
        if change.is_active == Some(false) && sees_teams {
            caller.may_stand_in(id, roles::permissions(tx, before.role).await?)?;
        }
    }
    let stays_owner = change.role.unwrap_or(before.role) == Role::Owner && change.is_active.unwrap_or(before.is_active);
    if owners == [id] && !stays_owner {
        let message = "this is the last owner: make somebody else an owner first";
        return Err(Error::conflict("last_owner", message));
    }
    sqlx::query(
        "update crm.users u set name = coalesce($2, u.name), role = coalesce($3, u.role), role_id = case when $3 is null then u.role_id else $5 end,
             disabled_at = case when $4 then null when not $4 then coalesce(u.disabled_at, app.now()) else u.disabled_at end,
             -- what came in while somebody was away is no work of theirs
             read_from = case when $4 and u.disabled_at is not null then crm.last_position() else u.read_from end
          where u.tenant_id = app.tenant_id() and u.id = $1",
    )
    .bind(id)
    .bind(name)
    .bind(change.role.map(Held::code))
    .bind(change.is_active)
    .bind(change.role.and_then(Held::own))
    .execute(tx.conn())
    .await
    .map_err(|error| match db::constraint::violated(&error) {
        // it was removed meanwhile
        Some("users_role_id") => roles::unknown(),
        _ => error.into(),
    })?;
    if change.is_active == Some(false) {
        sqlx::query("update crm.sessions set revoked_at = app.now() where tenant_id = app.tenant_id() and user_id = $1 and revoked_at is null")
            .bind(id)
            .execute(tx.conn())
            .await?;
        invitations::revoke(tx, id).await?;
        reactions::user_deactivated(tx, id.uuid(), &before.name).await?;
    }
    if change.is_active == Some(true) && !before.is_active {
        reactions::user_reactivated(tx, id.uuid()).await?;
    }
    get(tx, id).await
}

/// What a log-in needs to know of a user.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Candidate {
    pub tenant_id: Uuid,
    pub tenant_slug: String,
    pub id: UserId,
    pub password_hash: Option<String>,
    pub has_second_factor: bool,
}

/// Users of that e-mail who may log in, in all tenants or in the one of that slug. Few: a log-in tries their passwords one by one.
pub(super) async fn candidates(app: &App, email: &str, tenant_slug: Option<&str>) -> Result<Vec<Candidate>, Error> {
    let mut tx = app.db.platform(Why::Login).await?;
    let found = sqlx::query_as(
        "select u.tenant_id, t.slug as tenant_slug, u.id, u.password_hash, u.totp_confirmed_at is not null as has_second_factor
         from crm.users u
         join crm.tenants t on t.id = u.tenant_id
         where u.email = $1 and u.disabled_at is null and t.state <> $2 and ($3::text is null or t.slug = $3)
         order by u.created_at
         limit 5",
    )
    .bind(email)
    .bind(State::Closed)
    .bind(tenant_slug)
    .fetch_all(tx.conn())
    .await?;
    Ok(found)
}
