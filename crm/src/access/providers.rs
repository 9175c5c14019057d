//! Identity providers: those that a tenant has set up for its people, and the one of the installation, which its settings name. Whoever sets one up decides
//! who everybody is, so it takes everything that an owner may.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use clap::Args;
use clients::{
    Egress,
    oidc::{Party, is_usable},
};
use db::{Id, Page, PageOf, Scope, TenantTx};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{begun, caller::Caller, role::Role};
use crate::{App, Error, tenancy::State};

/// The most that a tenant has: a log-in page shows a button for each.
const MOST: i64 = 10;
/// What a client secret is sealed for.
pub(crate) const PURPOSE: &str = "identity-provider";
/// The installation's provider, in addresses and bodies.
const INSTALLATION: &str = "installation";

/// An identity provider for the people of every tenant.
#[derive(Debug, Clone, Args)]
pub struct OidcConfig {
    /// The issuer of an identity provider that every tenant's people may log in with: https://id.example.com.
    #[arg(id = "oidc-issuer", long = "oidc-issuer", env = "PALOMA_OIDC_ISSUER", requires = "oidc-client-id")]
    pub issuer: Option<String>,
    /// The name of this installation there.
    #[arg(id = "oidc-client-id", long = "oidc-client-id", env = "PALOMA_OIDC_CLIENT_ID")]
    pub client_id: Option<String>,
    /// Its secret there; without one it is a public client.
    #[arg(
        id = "oidc-client-secret",
        long = "oidc-client-secret",
        env = "PALOMA_OIDC_CLIENT_SECRET",
        hide_env_values = true
    )]
    pub client_secret: Option<SecretString>,
    /// What the button on the log-in page calls it.
    #[arg(id = "oidc-name", long = "oidc-name", env = "PALOMA_OIDC_NAME", default_value = "OpenID Connect")]
    pub name: String,
    /// Lets identity providers stand at private addresses, and over plain http on this machine: for development, and for one in the office.
    #[arg(id = "allow-private-issuers", long = "allow-private-issuers", env = "PALOMA_ALLOW_PRIVATE_ISSUERS", default_value_t = false, action = clap::ArgAction::Set)]
    pub allow_private: bool,
}

impl Default for OidcConfig {
    fn default() -> Self {
        let name = "OpenID Connect".to_owned();
        Self { issuer: None, client_id: None, client_secret: None, name, allow_private: false }
    }
}

impl OidcConfig {
    /// Refuses an issuer that could never be asked.
    pub fn check(&self, egress: Egress) -> anyhow::Result<()> {
        let Some(issuer) = &self.issuer else { return Ok(()) };
        let usable = Url::parse(issuer).is_ok_and(|url| is_usable(egress, &url));
        anyhow::ensure!(usable, "PALOMA_OIDC_ISSUER must be an address that begins with https://");
        anyhow::ensure!(self.client_id.is_some(), "PALOMA_OIDC_ISSUER needs PALOMA_OIDC_CLIENT_ID");
        Ok(())
    }
}

/// The id of a tenant's provider.
pub type ProviderId = Id<Provider>;

/// Which provider: a tenant's, or the installation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That of the settings.
    Installation,
    /// A tenant's.
    Own(ProviderId),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str(INSTALLATION),
            Self::Own(id) => id.fmt(f),
        }
    }
}
impl FromStr for Which {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == INSTALLATION { Ok(Self::Installation) } else { Ok(Self::Own(text.parse::<Uuid>()?.into())) }
    }
}
impl Serialize for Which {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Which {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("name a provider by its id, or the installation's"))
    }
}
impl Which {
    /// The id of a tenant's own.
    pub(super) fn own(self) -> Option<Uuid> {
        match self {
            Self::Installation => None,
            Self::Own(id) => Some(id.uuid()),
        }
    }
}

/// A provider of the tenant.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = IdentityProvider)]
pub struct Provider {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: ProviderId,
    /// What the button on the log-in page calls it.
    pub name: String,
    /// Who it says it is.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Whether there is a secret; it is shown to nobody.
    pub has_client_secret: bool,
    /// Whether people may log in with it.
    pub is_enabled: bool,
    /// When it was set up.
    pub created_at: DateTime<Utc>,
    /// Where it sends people back to: to be registered there.
    #[sqlx(default)]
    pub redirect_url: String,
}

impl Provider {
    fn shown(self, app: &App) -> Self {
        let redirect_url = redirect_url(app, Which::Own(self.id));
        Self { redirect_url, ..self }
    }
}

/// A provider to be set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewIdentityProvider)]
pub struct New {
    /// What the button on the log-in page calls it, in 1 to 80 characters.
    pub name: String,
    /// Who it says it is, to the letter: `https://id.example.com`.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; none for a public client.
    #[schema(value_type = Option<String>, format = Password)]
    pub client_secret: Option<SecretString>,
}

/// What is to become of a provider; what is absent stays. Another issuer is another provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IdentityProviderChange)]
pub struct Change {
    /// What the button calls it.
    pub name: Option<String>,
    /// Our name there.
    pub client_id: Option<String>,
    /// Our secret there; an empty one takes it away.
    #[schema(value_type = Option<String>, format = Password)]
    pub client_secret: Option<SecretString>,
    /// Whether people may log in with it.
    pub is_enabled: Option<bool>,
}

/// A button of the log-in page.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LogInProvider)]
pub struct Button {
    /// By which it is named: an id, or `installation`.
    #[schema(value_type = String)]
    pub id: Which,
    /// What it is called.
    pub name: String,
}

/// Where a provider sends people back to. Each has an address of its own, so that none can answer for another.
pub(super) fn redirect_url(app: &App, which: Which) -> String {
    format!("{}/api/v1/session/oidc/{which}/callback", app.config.public_url.trim_end_matches('/'))
}

/// The one place where an address that a tenant has typed is let in as an issuer's: https, no private address where none may be. What its name resolves
/// to is looked at by the client at every connection.
fn issuer(app: &App, text: &str) -> Result<String, Error> {
    let text = text.trim();
    let usable = Url::parse(text).is_ok_and(|url| is_usable(app.oidc.egress(), &url) && url.query().is_none());
    if !usable || text.len() > 500 {
        let message = "an issuer is an address that begins with https://";
        return Err(Error::invalid("issuer", "issuer_malformed", message));
    }
    Ok(text.to_owned())
}

fn name(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 80 || text.chars().any(char::is_control) {
        return Err(Error::invalid("name", "provider_name_length", "a provider's name has 1 to 80 characters"));
    }
    Ok(text.to_owned())
}

fn client_id(text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 300 {
        return Err(Error::invalid("client_id", "client_id_length", "a client id has 1 to 300 characters"));
    }
    Ok(text.to_owned())
}

fn seal(app: &App, secret: Option<SecretString>) -> Result<Option<Vec<u8>>, Error> {
    let given = secret.filter(|secret| !secret.expose_secret().is_empty());
    if given.as_ref().is_some_and(|secret| secret.expose_secret().len() > 2000) {
        return Err(Error::invalid(
            "client_secret",
            "client_secret_length",
            "a client secret has 2000 characters or fewer",
        ));
    }
    given.map(|secret| app.keys.seal(PURPOSE, &secret)).transpose()
}

/// The tenant's providers, in the order in which they were set up.
pub async fn list(app: &App, tx: &mut TenantTx, page: &PageOf<ProviderId>) -> Result<Page<Provider>, Error> {
    let rows: Vec<Provider> = sqlx::query_as(
        "select p.id, p.name, p.issuer, p.client_id, p.client_secret is not null as has_client_secret, p.is_enabled, p.created_at
           from crm.identity_providers p where p.tenant_id = app.tenant_id() and ($1::uuid is null or p.id > $1) order by p.id limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(|row| row.shown(app)).collect();
    Ok(page.finish(rows, |row: &Provider| row.id))
}

async fn get(app: &App, tx: &mut TenantTx, id: ProviderId) -> Result<Provider, Error> {
    let row: Provider = sqlx::query_as(
        "select p.id, p.name, p.issuer, p.client_id, p.client_secret is not null as has_client_secret, p.is_enabled, p.created_at
           from crm.identity_providers p where p.tenant_id = app.tenant_id() and p.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.shown(app))
}

/// Sets a provider up. It takes a proof, and everything that an owner may.
pub async fn create(app: &App, tx: &mut TenantTx, caller: &Caller, new: New) -> Result<Provider, Error> {
    caller.require_proof(tx.now())?;
    caller.may_grant(Role::Owner.permissions())?;
    let (name, issuer, client_id) = (name(&new.name)?, issuer(app, &new.issuer)?, client_id(&new.client_id)?);
    let secret = seal(app, new.client_secret)?;
    // of two at once the second waits here, and counts the first
    sqlx::query("select 1 from crm.tenants t where t.id = app.tenant_id() for no key update")
        .execute(tx.conn())
        .await?;
    let id = ProviderId::new();
    let made = sqlx::query(
        "insert into crm.identity_providers (id, name, issuer, client_id, client_secret)
         select $1, $2, $3, $4, $5 where (select count(*) from crm.identity_providers p where p.tenant_id = app.tenant_id()) < $6",
    )
    .bind(id)
    .bind(name)
    .bind(issuer)
    .bind(client_id)
    .bind(secret)
    .bind(MOST)
    .execute(tx.conn())
    .await
    .map_err(|error| match db::constraint::violated(&error) {
        Some("identity_providers_issuer_key") => Error::conflict("issuer_taken", "there is a provider of that issuer"),
        _ => error.into(),
    })?;
    if made.rows_affected() == 0 {
        return Err(Error::conflict(
            "providers_count",
            format!("an account has {MOST} identity providers at the most"),
        ));
    }
    get(app, tx, id).await
}

/// Changes a provider. It takes what setting one up takes.
pub async fn change(
    app: &App,
    tx: &mut TenantTx,
    caller: &Caller,
    id: ProviderId,
    change: Change,
) -> Result<Provider, Error> {
    get(app, tx, id).await?;
    caller.require_proof(tx.now())?;
    caller.may_grant(Role::Owner.permissions())?;
    let (name, client_id) =
        (change.name.as_deref().map(name).transpose()?, change.client_id.as_deref().map(client_id).transpose()?);
    let sets_secret = change.client_secret.is_some();
    let secret = seal(app, change.client_secret)?;
    sqlx::query(
        "update crm.identity_providers p set name = coalesce($2, p.name), client_id = coalesce($3, p.client_id),
             client_secret = case when $4 then $5 else p.client_secret end, is_enabled = coalesce($6, p.is_enabled)
          where p.tenant_id = app.tenant_id() and p.id = $1",
    )
    .bind(id)
    .bind(name)
    .bind(client_id)
    .bind(sets_secret)
    .bind(secret)
    .bind(change.is_enabled)
    .execute(tx.conn())
    .await?;
    get(app, tx, id).await
}

/// Takes a provider away: nobody logs in with it any more, and whom it knew stays known should it come back. It takes a proof.
pub async fn delete(tx: &mut TenantTx, caller: &Caller, id: ProviderId) -> Result<(), Error> {
    caller.require_proof(tx.now())?;
    let gone = sqlx::query("delete from crm.identity_providers p where p.tenant_id = app.tenant_id() and p.id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    if gone.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// The buttons of the log-in page of that tenant. One that is not there has as many as one that has set up none.
pub async fn buttons(app: &App, slug: Option<&str>) -> Result<Vec<Button>, Error> {
    let mut tx = begun::stranger(app).await?;
    let own: Vec<(ProviderId, String)> = sqlx::query_as(
        "select p.id, p.name from crm.tenants t join crm.identity_providers p on p.tenant_id = t.id
          where t.slug = $1 and t.state <> $2 and p.is_enabled order by p.id limit $3",
    )
    .bind(slug)
    .bind(State::Closed)
    .bind(MOST)
    .fetch_all(tx.conn())
    .await?;
    let own = own.into_iter().map(|(id, name)| Button { id: Which::Own(id), name });
    let shared = app.config.oidc.issuer.is_some();
    let shared = shared.then(|| Button { id: Which::Installation, name: app.config.oidc.name.clone() });
    Ok(own.chain(shared).collect())
}

/// A provider that may be logged in with, with what we are there.
pub(super) struct Usable {
    pub which: Which,
    /// Whose it is; nobody's is the installation's.
    pub tenant_id: Option<Uuid>,
    pub issuer: String,
    client_id: String,
    client_secret: Option<SecretString>,
    redirect_url: String,
}

impl Usable {
    pub(super) fn party(&self) -> Party<'_> {
        Party {
            issuer: &self.issuer,
            client_id: &self.client_id,
            client_secret: self.client_secret.as_ref(),
            redirect_url: &self.redirect_url,
        }
    }
}

/// The provider, where it may be logged in with now.
pub(super) async fn find(app: &App, which: Which) -> Result<Option<Usable>, Error> {
    let redirect_url = redirect_url(app, which);
    let Which::Own(id) = which else {
        let OidcConfig { issuer, client_id, client_secret, .. } = app.config.oidc.clone();
        let both = issuer.zip(client_id);
        return Ok(both.map(|(issuer, client_id)| Usable {
            which,
            tenant_id: None,
            issuer,
            client_id,
            client_secret,
            redirect_url,
        }));
    };
    let mut tx = begun::stranger(app).await?;
    let found: Option<(Uuid, String, String, Option<Vec<u8>>)> = sqlx::query_as(
        "select p.tenant_id, p.issuer, p.client_id, p.client_secret from crm.identity_providers p join crm.tenants t on t.id = p.tenant_id
          where p.id = $1 and p.is_enabled and t.state <> $2",
    )
    .bind(id)
    .bind(State::Closed)
    .fetch_optional(tx.conn())
    .await?;
    let Some((tenant_id, issuer, client_id, sealed)) = found else { return Ok(None) };
    let client_secret = sealed.map(|sealed| app.keys.open(PURPOSE, &sealed)).transpose()?;
    Ok(Some(Usable { which, tenant_id: Some(tenant_id), issuer, client_id, client_secret, redirect_url }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_named_by_its_id_or_is_the_installations() {
        let id = ProviderId::new();
        assert_eq!(id.to_string().parse(), Ok(Which::Own(id)));
        assert_eq!("installation".parse(), Ok(Which::Installation));
        assert!("acme".parse::<Which>().is_err());
        assert_eq!(serde_json::to_string(&Which::Installation).unwrap(), "\"installation\"");
    }
}
