//! People of a tenant. They are found by e-mail before their tenant is known, so one e-mail may be several users.

use chrono::{DateTime, Utc};
use db::{Id, Scope, TenantTx, Why};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{password, role::Role};
use crate::{App, Error, tenancy::State};

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
    pub role: Role,
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
    role: Role,
    password_hash: String,
}

impl NewUser {
    /// Checks what was given and hashes the password.
    pub async fn prepare(email: &str, name: &str, role: Role, password: SecretString) -> Result<Self, Error> {
        let email = normal_email(email);
        let (local, domain) = email.split_once('@').unwrap_or_default();
        let shaped =
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !email.contains(char::is_whitespace);
        if !shaped || email.len() > 254 {
            return Err(Error::invalid("email", "email_malformed", "this is not an e-mail address"));
        }
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 200 {
            return Err(Error::invalid("name", "name_length", "a name has 1 to 200 characters"));
        }
        Ok(Self { email, name, role, password_hash: password::hash("password", password).await? })
    }
}

/// The form in which e-mails are stored and compared.
#[must_use]
pub fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Makes a user of that tenant.
pub async fn create<S: Scope>(tx: &mut S, tenant_id: Uuid, user: NewUser) -> Result<User, Error> {
    let created = sqlx::query_as(
        "insert into crm.users (tenant_id, id, email, name, role, password_hash) values ($1, $2, $3, $4, $5, $6)
         returning id, email, name, role, disabled_at, created_at",
    )
    .bind(tenant_id)
    .bind(UserId::new())
    .bind(user.email)
    .bind(user.name)
    .bind(user.role)
    .bind(user.password_hash)
    .fetch_one(tx.conn())
    .await;
    created.map_err(|error| match db::constraint::violated(&error) {
        Some("users_email_key") => Error::conflict("email_taken", "a user of this tenant has that e-mail already"),
        Some("users_email_form") => Error::invalid("email", "email_malformed", "this is not an e-mail address"),
        _ => error.into(),
    })
}

/// A user of the tenant.
pub async fn get(tx: &mut TenantTx, id: UserId) -> Result<User, Error> {
    let user = sqlx::query_as(
        "select id, email, name, role, disabled_at, created_at from crm.users where tenant_id = app.tenant_id() and id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(user)
}

/// The user of that e-mail, if the tenant has one.
pub async fn find_by_email(tx: &mut TenantTx, email: &str) -> Result<Option<User>, Error> {
    let user = sqlx::query_as(
        "select id, email, name, role, disabled_at, created_at from crm.users where tenant_id = app.tenant_id() and email = $1",
    )
    .bind(normal_email(email))
    .fetch_optional(tx.conn())
    .await?;
    Ok(user)
}

/// What a log-in needs to know of a user.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Candidate {
    pub tenant_id: Uuid,
    pub tenant_slug: String,
    pub id: UserId,
    pub password_hash: Option<String>,
}

/// Users of that e-mail who may log in, in all tenants or in the one of that slug. Few: a log-in tries their passwords one by one.
pub(super) async fn candidates(app: &App, email: &str, tenant_slug: Option<&str>) -> Result<Vec<Candidate>, Error> {
    let mut tx = app.db.platform(Why::Login).await?;
    let found = sqlx::query_as(
        "select u.tenant_id, t.slug as tenant_slug, u.id, u.password_hash
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
