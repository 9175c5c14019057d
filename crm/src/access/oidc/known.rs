//! Who somebody is that a provider vouches for, and the session that is opened for them.

use chrono::{DateTime, Utc};
use clients::oidc::Vouched;
use db::{Actor, Scope};

use super::{
    super::{
        begun::{self, Awaiting, Begun},
        identities::{self, Among, Candidate, Said},
        providers::Usable,
        sessions::{self, How, Opened, Origin},
        users::{self, UserId},
    },
    Arrival, SEVERAL_FACTORS, Whence, is_kept, of_fault, unknown,
};
use crate::{App, Error};

/// Logs in whoever the provider has named, or has them give a code first.
pub(super) async fn log_in(
    app: &App,
    begun: &Begun,
    provider: &Usable,
    vouched: &Vouched,
    from: Whence,
) -> Result<Arrival, Error> {
    let (found, email) = candidate(app, begun, provider, vouched).await?;
    let origin = Origin::new(from.address, from.user_agent.as_deref(), from.device);
    if found.is_disabled {
        origin.refuse(app, vec![(found.tenant_id, found.user_id)], "identity_provider");
        return Err(unknown());
    }
    let by_provider = vouched.methods.iter().any(|method| method == SEVERAL_FACTORS);
    let awaiting = Awaiting {
        tenant_id: found.tenant_id,
        user_id: found.user_id.uuid(),
        subject: vouched.subject.clone(),
        email,
        logged_in_at: vouched.logged_in_at,
    };
    if found.has_second_factor && !by_provider {
        begun::wait(app, begun.id, &awaiting).await?;
        return Ok(Arrival::CodeNeeded);
    }
    let opened = open(app, &begun.issuer, awaiting, (origin, by_provider)).await?;
    begun::end(app, begun.id).await?;
    Ok(Arrival::Open { opened, return_to: begun.return_to.clone() })
}

/// Who it is, with the e-mail by which they are to be linked, if they are not yet.
async fn candidate(
    app: &App,
    begun: &Begun,
    provider: &Usable,
    vouched: &Vouched,
) -> Result<(Candidate, Option<String>), Error> {
    let among = Among { tenant_id: provider.tenant_id, tenant_slug: begun.tenant_slug.as_deref() };
    let mut tx = begun::stranger(app).await?;
    let known = identities::known(&mut tx, (&begun.issuer, &vouched.subject), among).await?;
    drop(tx);
    if !known.is_empty() {
        return Ok((one(known)?, None));
    }
    let email = app.oidc.email(&provider.party(), vouched).await.map_err(|fault| of_fault(&fault))?;
    let Some(email) = email.filter(|email| email.is_verified && is_kept(&email.address)) else {
        let message = "the identity provider does not say that the e-mail is yours";
        return Err(Error::conflict("email_not_verified", message));
    };
    let email = users::normal_email(&email.address);
    let mut tx = begun::stranger(app).await?;
    let found = identities::of_email(&mut tx, (&begun.issuer, &email), among).await?;
    if found.is_empty() {
        return Err(unknown());
    }
    Ok((one(found)?, Some(email)))
}

fn one(mut found: Vec<Candidate>) -> Result<Candidate, Error> {
    // who can't log in stands in nobody's way
    if found.iter().any(|one| !one.is_disabled) {
        found.retain(|one| !one.is_disabled);
    }
    let slugs: Vec<&str> = found.iter().map(|one| one.tenant_slug.as_str()).collect();
    if slugs.len() > 1 {
        let message = format!("this log-in fits in several tenants, name one: {}", slugs.join(", "));
        return Err(Error::conflict("tenant_required", message));
    }
    found.pop().ok_or_else(unknown)
}

/// Opens the session, linking whoever is not linked yet.
pub(super) async fn open(
    app: &App,
    issuer: &str,
    named: Awaiting,
    (origin, by_provider): (Origin, bool),
) -> Result<Opened, Error> {
    let user_id = UserId::from(named.user_id);
    let mut tx = app.db.tenant(named.tenant_id, Actor::User(named.user_id)).await?;
    // whoever disables them now waits until there is a session to end, or is seen here
    if !users::hold_active(&mut tx, user_id).await? {
        return Err(unknown());
    }
    let said = Said { issuer, subject: &named.subject, email: named.email.as_deref() };
    if said.email.is_some() {
        identities::link(&mut tx, user_id, said).await?;
    } else if !identities::used(&mut tx, user_id, said).await? {
        return Err(unknown());
    }
    // a provider that lets in whoever was there before has proven nothing: what is dangerous takes a proof then
    let proven_at = named.logged_in_at.unwrap_or(DateTime::<Utc>::UNIX_EPOCH).min(tx.now());
    sessions::insert(
        tx,
        &app.keys,
        user_id,
        origin,
        How { proven_at: Some(proven_at), factor_by_provider: by_provider },
    )
    .await
}
