//! Who of a tenant's people is known at an identity provider: by issuer and subject, never by an e-mail. Somebody is linked by hand, or at their first log-in by
//! an e-mail that the provider has verified.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, PlatformTx, Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{caller::Caller, invitations, providers::Which, sessions, users::UserId};
use crate::{App, Error, tenancy::State};

/// The id of an identity.
pub type IdentityId = Id<Identity>;

/// Somebody as a provider knows them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Identity {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: IdentityId,
    /// Which provider, where it can be logged in with now: an id, or `installation`.
    #[schema(value_type = Option<String>)]
    pub provider: Option<Which>,
    /// What it is called, where it is still there.
    pub provider_name: Option<String>,
    /// Who it says it is.
    pub issuer: String,
    /// The e-mail that it told when it was linked.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: DateTime<Utc>,
    /// When somebody logged in or proved who they are by it last.
    pub used_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: IdentityId,
    issuer: String,
    email: Option<String>,
    created_at: DateTime<Utc>,
    used_at: Option<DateTime<Utc>>,
    provider_id: Option<Uuid>,
    provider_name: Option<String>,
}

/// Where somebody is known, in the order in which it was linked.
pub async fn list(
    app: &App,
    tx: &mut TenantTx,
    user_id: UserId,
    page: &PageOf<IdentityId>,
) -> Result<Page<Identity>, Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select i.id, i.issuer, i.email, i.created_at, i.used_at, p.id as provider_id, p.name as provider_name
           from crm.identities i
           left join crm.identity_providers p on p.tenant_id = i.tenant_id and p.issuer = i.issuer and p.is_enabled
          where i.tenant_id = app.tenant_id() and i.user_id = $1 and ($2::uuid is null or i.id > $2) order by i.id limit $3",
    )
    .bind(user_id)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    let shared = &app.config.oidc;
    let rows = rows.into_iter().map(|row| {
        let own = row.provider_id.map(|id| Which::Own(id.into()));
        let is_shared = own.is_none() && shared.issuer.as_ref() == Some(&row.issuer);
        Identity {
            id: row.id,
            provider: own.or(is_shared.then_some(Which::Installation)),
            provider_name: row.provider_name.or(is_shared.then(|| shared.name.clone())),
            issuer: row.issuer,
            email: row.email,
            created_at: row.created_at,
            used_at: row.used_at,
        }
    });
    Ok(page.finish(rows.collect(), |row: &Identity| row.id))
}

/// Takes away that somebody is known there, and ends what other sessions they have. Not the only way in: without a password another provider has to be left
/// that can be logged in with. It takes a proof.
pub async fn unlink(app: &App, tx: &mut TenantTx, caller: &Caller, id: IdentityId) -> Result<(), Error> {
    // of two at once, each of the last but one, the second sees what the first did
    let has_password: bool = sqlx::query_scalar(
        "select u.password_hash is not null from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1 for no key update",
    )
    .bind(caller.user_id)
    .fetch_one(tx.conn())
    .await?;
    let gone = sqlx::query(
        "delete from crm.identities i where i.tenant_id = app.tenant_id() and i.user_id = $1 and i.id = $2",
    )
    .bind(caller.user_id)
    .bind(id)
    .execute(tx.conn())
    .await?;
    if gone.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    caller.require_proof(tx.now())?;
    let others: bool = sqlx::query_scalar(
        "select exists (
           select from crm.identities i where i.tenant_id = app.tenant_id() and i.user_id = $1
              and (i.issuer = $2 or exists (
                select from crm.identity_providers p where p.tenant_id = i.tenant_id and p.issuer = i.issuer and p.is_enabled)))",
    )
    .bind(caller.user_id)
    .bind(&app.config.oidc.issuer)
    .fetch_one(tx.conn())
    .await?;
    if !has_password && !others {
        return Err(Error::conflict("only_way_in", "this is your only way in: set a password first"));
    }
    sessions::revoke_others(tx, caller.user_id, caller.session_id()).await
}

/// Somebody a log-in may be of.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Candidate {
    pub tenant_id: Uuid,
    pub tenant_slug: String,
    pub user_id: UserId,
    pub is_disabled: bool,
    pub has_second_factor: bool,
}

/// In which tenants a log-in is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Among<'a> {
    /// The one whose provider it is.
    pub tenant_id: Option<Uuid>,
    /// The one that was named.
    pub tenant_slug: Option<&'a str>,
}

/// Whom that provider knows by that subject.
pub(super) async fn known(
    tx: &mut PlatformTx,
    (issuer, subject): (&str, &str),
    among: Among<'_>,
) -> Result<Vec<Candidate>, Error> {
    Ok(sqlx::query_as(
        "select u.tenant_id, t.slug as tenant_slug, u.id as user_id, u.disabled_at is not null as is_disabled, u.totp_confirmed_at is not null as has_second_factor
           from crm.identities i
           join crm.users u on u.tenant_id = i.tenant_id and u.id = i.user_id
           join crm.tenants t on t.id = i.tenant_id
          where i.issuer = $1 and i.subject = $2 and t.state <> $3 and ($4::uuid is null or i.tenant_id = $4) and ($5::text is null or t.slug = $5)
          order by u.created_at limit 5",
    )
    .bind(issuer)
    .bind(subject)
    .bind(State::Closed)
    .bind(among.tenant_id)
    .bind(among.tenant_slug)
    .fetch_all(tx.conn())
    .await?)
}

/// Who has that e-mail and is not known there yet.
pub(super) async fn of_email(
    tx: &mut PlatformTx,
    (issuer, email): (&str, &str),
    among: Among<'_>,
) -> Result<Vec<Candidate>, Error> {
    Ok(sqlx::query_as(
        "select u.tenant_id, t.slug as tenant_slug, u.id as user_id, u.disabled_at is not null as is_disabled, u.totp_confirmed_at is not null as has_second_factor
           from crm.users u
           join crm.tenants t on t.id = u.tenant_id
          where u.email = $2 and t.state <> $3 and ($4::uuid is null or u.tenant_id = $4) and ($5::text is null or t.slug = $5)
            and not exists (select from crm.identities i where i.tenant_id = u.tenant_id and i.user_id = u.id and i.issuer = $1)
          order by u.created_at limit 5",
    )
    .bind(issuer)
    .bind(email)
    .bind(State::Closed)
    .bind(among.tenant_id)
    .bind(among.tenant_slug)
    .fetch_all(tx.conn())
    .await?)
}

/// What a provider has said of somebody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    pub email: Option<&'a str>,
}

/// Links somebody. A link by which they would have been invited works no more.
pub(super) async fn link(tx: &mut TenantTx, user_id: UserId, said: Said<'_>) -> Result<(), Error> {
    let linked = sqlx::query("insert into crm.identities (id, user_id, issuer, subject, email, used_at) values ($1, $2, $3, $4, $5, app.now())")
        .bind(IdentityId::new())
        .bind(user_id)
        .bind(said.issuer)
        .bind(said.subject)
        .bind(said.email)
        .execute(tx.conn())
        .await;
    linked.map_err(|error| match db::constraint::violated(&error) {
        Some("identities_subject_key") => {
            Error::conflict("identity_taken", "somebody of this account is known by that already")
        }
        Some("identities_issuer_key") => {
            Error::conflict("identity_exists", "you are known at that provider already: unlink that first")
        }
        Some("identities_subject_length") => Error::conflict(
            "identity_provider_faulty",
            "the identity provider names people by more than the standard knows",
        ),
        _ => error.into(),
    })?;
    let has_password: bool = sqlx::query_scalar(
        "select u.password_hash is not null from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1",
    )
    .bind(user_id)
    .fetch_one(tx.conn())
    .await?;
    if !has_password {
        invitations::revoke(tx, user_id).await?;
    }
    Ok(())
}

/// Whether somebody is known there by that subject; says that it was used.
pub(super) async fn used(tx: &mut TenantTx, user_id: UserId, said: Said<'_>) -> Result<bool, Error> {
    let used = sqlx::query(
        "update crm.identities i set used_at = app.now() where i.tenant_id = app.tenant_id() and i.user_id = $1 and i.issuer = $2 and i.subject = $3",
    )
    .bind(user_id)
    .bind(said.issuer)
    .bind(said.subject)
    .execute(tx.conn())
    .await?;
    Ok(used.rows_affected() == 1)
}
