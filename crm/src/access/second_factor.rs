//! The second factor: codes of an authenticator (RFC 6238: SHA-1, six digits, thirty seconds, since the usual apps know no other), and ten recovery codes
//! for who has lost it. Each code works once. The secret is sealed at rest and shown while it is set up; of recovery codes only tags are stored.

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret, Totp};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    roles,
    users::{self, UserId},
};
use crate::{
    Error,
    secrets::{Keys, random_bytes},
};

/// What the secret is sealed for.
pub(crate) const PURPOSE: &str = "second-factor";
/// What an authenticator shows beside the account.
const ISSUER: &str = "Paloma";
/// Recovery codes of one person.
const CODES: usize = 10;
/// Letters of a recovery code: Crockford's, of which none looks like another.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters in one: 50 bits.
const LENGTH: usize = 10;

/// How somebody's second factor stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = SecondFactor)]
pub struct Standing {
    /// Whether a log-in asks for a code.
    pub is_on: bool,
    /// Since when.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Whether the tenant asks it of everybody.
    pub is_required: bool,
    /// Recovery codes that have not been used.
    pub recovery_codes_left: i64,
}

/// What an authenticator is set up with; shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactorSetup)]
pub struct Setup {
    /// The secret in base 32, to be typed.
    pub secret: String,
    /// The same as an address for a QR code.
    pub url: String,
}

/// What a tenant asks of everybody who logs in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
#[schema(as = LogInPolicy)]
pub struct Policy {
    /// Whether whoever has no second factor can do nothing but set one up.
    pub requires_second_factor: bool,
}

/// What the tenant asks.
pub async fn policy(tx: &mut TenantTx) -> Result<Policy, Error> {
    let sql = "select requires_second_factor from crm.tenants where id = app.tenant_id()";
    Ok(sqlx::query_as(sql).fetch_one(tx.conn()).await?)
}

/// Sets what the tenant asks; it holds at once. Whoever asks it of others has a second factor.
pub async fn set_policy(tx: &mut TenantTx, user_id: UserId, policy: &Policy) -> Result<(), Error> {
    if policy.requires_second_factor && !standing(tx, user_id).await?.is_on {
        return Err(Error::conflict("second_factor_off", "set up your own second factor first"));
    }
    sqlx::query("update crm.tenants set requires_second_factor = $1 where id = app.tenant_id()")
        .bind(policy.requires_second_factor)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How it stands.
pub async fn standing(tx: &mut TenantTx, user_id: UserId) -> Result<Standing, Error> {
    let (confirmed_at, is_required, recovery_codes_left): (Option<DateTime<Utc>>, bool, i64) = sqlx::query_as(
        "select u.totp_confirmed_at, t.requires_second_factor,
                (select count(*) from crm.recovery_codes r where r.tenant_id = u.tenant_id and r.user_id = u.id and r.used_at is null)
           from crm.users u join crm.tenants t on t.id = u.tenant_id where u.tenant_id = app.tenant_id() and u.id = $1",
    )
    .bind(user_id)
    .fetch_one(tx.conn())
    .await?;
    Ok(Standing { is_on: confirmed_at.is_some(), confirmed_at, is_required, recovery_codes_left })
}

/// Begins: a new secret, which counts once a code of it was given. One that was begun before is replaced.
pub async fn begin(tx: &mut TenantTx, keys: &Keys, user_id: UserId) -> Result<Setup, Error> {
    let account = users::get(tx, user_id).await?.email;
    let (sealed, setup) = new_secret(keys, account)?;
    let set = sqlx::query("update crm.users u set totp_secret = $2 where u.tenant_id = app.tenant_id() and u.id = $1 and u.totp_confirmed_at is null")
        .bind(user_id)
        .bind(sealed)
        .execute(tx.conn())
        .await?;
    if set.rows_affected() == 0 {
        return Err(Error::conflict("second_factor_on", "there is a second factor already: turn it off first"));
    }
    Ok(setup)
}

/// A new secret for that account: sealed, and as an authenticator is set up with it.
pub(super) fn new_secret(keys: &Keys, account: String) -> Result<(Vec<u8>, Setup), Error> {
    let secret = Secret::new_stack(random_bytes());
    let sealed = keys.seal(PURPOSE, &secret.to_base32().into())?;
    let totp = Builder::new().with_secret(secret).with_account_name(account).with_issuer(Some(ISSUER)).build();
    let totp = totp.map_err(|error| anyhow::anyhow!("setting up an authenticator: {error}"))?;
    let url = totp.to_url().map_err(|error| anyhow::anyhow!("setting up an authenticator: {error}"))?;
    Ok((sealed, Setup { secret: totp.secret().to_base32(), url }))
}

/// Turns it on by a first code, and answers the recovery codes, which are shown this once.
pub async fn confirm(tx: &mut TenantTx, keys: &Keys, user_id: UserId, code: &str) -> Result<Vec<String>, Error> {
    let (sealed, is_on): (Option<Vec<u8>>, bool) = sqlx::query_as(
        "select u.totp_secret, u.totp_confirmed_at is not null from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1 for no key update",
    )
    .bind(user_id)
    .fetch_one(tx.conn())
    .await?;
    if is_on {
        return Err(Error::conflict("second_factor_on", "there is a second factor already: turn it off first"));
    }
    let Some(sealed) = sealed else {
        return Err(Error::conflict("second_factor_not_begun", "begin to set it up first"));
    };
    let step = step_of(keys, &sealed, &plain(code), tx.now())?;
    let Some(step) = step else {
        return Err(Error::invalid("code", "code_wrong", "the code is wrong: check the clock of the authenticator"));
    };
    sqlx::query("update crm.users u set totp_confirmed_at = app.now(), totp_step = $2 where u.tenant_id = app.tenant_id() and u.id = $1")
        .bind(user_id)
        .bind(step)
        .execute(tx.conn())
        .await?;
    renew_codes(tx, keys, user_id).await
}

/// Turns it off, unless the tenant asks for it.
pub async fn turn_off(tx: &mut TenantTx, user_id: UserId) -> Result<(), Error> {
    if standing(tx, user_id).await?.is_required {
        return Err(Error::conflict("second_factor_required", "this account asks a second factor of everybody"));
    }
    forget(tx, user_id).await
}

/// Takes somebody's second factor away, for whoever has lost the authenticator and the codes: they log in without one, and set up another.
/// Nobody does that to who may more than they do.
pub async fn take_away(tx: &mut TenantTx, caller: &Caller, user_id: UserId) -> Result<(), Error> {
    caller.require_proof(tx.now())?;
    let role = users::get(tx, user_id).await?.role;
    caller.may_stand_in(user_id, roles::permissions(tx, role).await?)?;
    forget(tx, user_id).await
}

async fn forget(tx: &mut TenantTx, user_id: UserId) -> Result<(), Error> {
    sqlx::query(
        "with gone as (delete from crm.recovery_codes r where r.tenant_id = app.tenant_id() and r.user_id = $1)
         update crm.users u set totp_secret = null, totp_confirmed_at = null, totp_step = null where u.tenant_id = app.tenant_id() and u.id = $1",
    )
    .bind(user_id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// New recovery codes in place of all that there were.
pub async fn renew_codes(tx: &mut TenantTx, keys: &Keys, user_id: UserId) -> Result<Vec<String>, Error> {
    let Some(sealed) = confirmed(tx, user_id).await? else {
        return Err(Error::conflict("second_factor_off", "there is no second factor"));
    };
    let secret = keys.open(PURPOSE, &sealed)?;
    let codes: Vec<String> = (0..CODES).map(|_| new_code()).collect();
    sqlx::query("delete from crm.recovery_codes r where r.tenant_id = app.tenant_id() and r.user_id = $1")
        .bind(user_id)
        .execute(tx.conn())
        .await?;
    sqlx::query("insert into crm.recovery_codes (user_id, code_hash) select $1, unnest($2::bytea[])")
        .bind(user_id)
        .bind(codes.iter().map(|code| tag(&secret, &plain(code))).collect::<Vec<_>>())
        .execute(tx.conn())
        .await?;
    Ok(codes)
}

/// Uses a code of somebody whose second factor is on. Of two that bring the same one at once one is right.
pub(super) async fn pass(tx: &mut TenantTx, keys: &Keys, user_id: UserId, code: &SecretString) -> Result<bool, Error> {
    let code = plain(code.expose_secret());
    let Some(sealed) = confirmed(tx, user_id).await? else { return Ok(false) };
    if code.len() == LENGTH {
        let used = sqlx::query(
            "update crm.recovery_codes r set used_at = app.now() where r.tenant_id = app.tenant_id() and r.user_id = $1 and r.code_hash = $2 and r.used_at is null",
        )
        .bind(user_id)
        .bind(tag(&keys.open(PURPOSE, &sealed)?, &code))
        .execute(tx.conn())
        .await?;
        return Ok(used.rows_affected() == 1);
    }
    let Some(step) = step_of(keys, &sealed, &code, tx.now())? else { return Ok(false) };
    let used = sqlx::query(
        "update crm.users u set totp_step = $2 where u.tenant_id = app.tenant_id() and u.id = $1 and (u.totp_step is null or u.totp_step < $2)",
    )
    .bind(user_id)
    .bind(step)
    .execute(tx.conn())
    .await?;
    Ok(used.rows_affected() == 1)
}

/// The sealed secret of somebody whose second factor is on.
async fn confirmed(tx: &mut TenantTx, user_id: UserId) -> Result<Option<Vec<u8>>, Error> {
    let sql = "select u.totp_secret from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1 and u.totp_confirmed_at is not null";
    Ok(sqlx::query_scalar(sql).bind(user_id).fetch_optional(tx.conn()).await?)
}

/// The step that a code is of: the one of that moment, the one before or the one after.
pub(super) fn step_of(keys: &Keys, sealed: &[u8], code: &str, now: DateTime<Utc>) -> Result<Option<i64>, Error> {
    let secret = Secret::try_from_base32(keys.open(PURPOSE, sealed)?.expose_secret());
    let secret = secret.map_err(|error| anyhow::anyhow!("reading a secret of an authenticator: {error}"))?;
    let now = u64::try_from(now.timestamp()).unwrap_or(0);
    Ok(totp(secret)?.check(code, now).and_then(|step| i64::try_from(step).ok()))
}

fn totp(secret: Secret) -> Result<Totp, Error> {
    let totp = Builder::new().with_secret(secret).with_account_name("-").build();
    Ok(totp.map_err(|error| anyhow::anyhow!("reading a secret of an authenticator: {error}"))?)
}

/// What is stored of a recovery code: a tag by the secret of the authenticator, which outlives the secret of the installation.
fn tag(secret: &SecretString, code: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    hmac::sign(&key, code.as_bytes()).as_ref().to_vec()
}

fn new_code() -> String {
    let letters = random_bytes::<LENGTH>().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    let (one, other) = letters.split_at(LENGTH / 2);
    format!("{}-{}", one.iter().collect::<String>(), other.iter().collect::<String>())
}

/// A code as somebody types it: without spaces and dashes, and with what looks like a digit read as one.
pub(super) fn plain(code: &str) -> String {
    let letters = code.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').take(LENGTH + 1);
    letters
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            letter => letter,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the rows of SHA-1, of whose eight digits an authenticator shows the last six.
    #[test]
    fn codes_are_those_of_the_standard_and_fit_for_a_step_on_either_side() {
        let keys = Keys::parse(&"ab".repeat(32).into()).unwrap();
        let secret = Secret::new(b"12345678901234567890".as_slice().into());
        let sealed = keys.seal(PURPOSE, &secret.to_base32().into()).unwrap();
        let step = |code: &str, seconds: i64| {
            step_of(&keys, &sealed, code, DateTime::from_timestamp(seconds, 0).unwrap()).unwrap()
        };
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step(code, seconds), Some(seconds / 30), "{code}");
            assert_eq!(step(code, seconds + 30), Some(seconds / 30), "{code} a step later");
            assert_eq!(step(code, seconds + 90), None, "{code} much later");
        }
        for wrong in ["", "28708", "2870821", "abcdef", "287083"] {
            assert_eq!(step(wrong, 59), None, "{wrong}");
        }
    }

    #[test]
    fn a_recovery_code_is_read_as_people_type_it() {
        let code = new_code();
        assert_eq!((code.len(), plain(&code).len()), (LENGTH + 1, LENGTH));
        assert_eq!(plain(" abcde-fghjk "), "ABCDEFGHJK");
        assert_eq!(plain("O0Il1-xxxxx"), "00111XXXXX");
        assert_ne!(new_code(), code);
    }
}
