//! The throttle in front of the log-in. Counts are rows, so all processes share them, and a name counts alike whether it is known
//! or not. It limits what may be tried, and decides nothing about who may log in.

use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, Utc};
use db::{PlatformTx, Scope, Why};

use super::begun;
use crate::{App, Error};

/// Failures of one name within the window.
pub const PER_NAME: i64 = 5;
/// Failures from one address within the window.
pub const PER_ADDRESS: i64 = 15;
/// How long a failure counts.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);

/// An attempt that was let through and counts as failed until it is known to have succeeded.
#[derive(Debug)]
pub struct Attempt {
    subjects: [String; 2],
    at: DateTime<Utc>,
}

/// Counts the attempt and lets it through, or refuses it.
///
/// It is counted, and committed, before anything is looked at: of any number of attempts at one time the one that commits as the
/// n-th sees n rows, so no more than the limit pass. Refused ones are taken back, so that asking on does not prolong the wait.
pub async fn admit(app: &App, name: &str, address: IpAddr) -> Result<Attempt, Error> {
    let subjects = [format!("name:{name}"), format!("ip:{}", network(address))];
    let mut tx = app.db.platform(Why::Login).await?;
    let at: DateTime<Utc> = sqlx::query_scalar(
        // one time for both rows: by it they are found again
        "with t as materialized (select app.clock() as at),
         added as (insert into app.login_failures (subject, at) select u.subject, t.at from unnest($1::text[]) u(subject), t returning at)
         select min(at) from added",
    )
    .bind(&subjects[..])
    .fetch_one(tx.conn())
    .await?;
    tx.commit().await?;
    let attempt = Attempt { subjects, at };
    let mut tx = app.db.platform(Why::Login).await?;
    let wait = wait(&mut tx, &attempt).await?;
    if let Some(retry_after) = wait {
        forget(&mut tx, &attempt.subjects, attempt.at).await?;
        tx.commit().await?;
        return Err(Error::Limited { retry_after });
    }
    Ok(attempt)
}

/// Log-ins that one address may begin at identity providers within the window: each makes a row, and may ask the provider.
pub const BEGUN_PER_ADDRESS: i64 = 60;

/// Counts a log-in that begins at an identity provider, or refuses it.
pub async fn begins(app: &App, address: IpAddr) -> Result<(), Error> {
    let subject = format!("begin:{}", network(address));
    let mut tx = begun::stranger(app).await?;
    let at: DateTime<Utc> =
        sqlx::query_scalar("insert into app.login_failures (subject, at) values ($1, app.clock()) returning at")
            .bind(&subject)
            .fetch_one(tx.conn())
            .await?;
    tx.commit().await?;
    let mut tx = begun::stranger(app).await?;
    let seconds: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from min(f.at) + make_interval(secs => $3) - app.clock())::float8 from app.login_failures f
          where f.subject = $1 and f.at > app.clock() - make_interval(secs => $3) having count(*) > $2",
    )
    .bind(&subject)
    .bind(BEGUN_PER_ADDRESS)
    .bind(WINDOW.as_secs_f64())
    .fetch_optional(tx.conn())
    .await?;
    let Some(seconds) = seconds else { return Ok(()) };
    forget(&mut tx, &[subject], at).await?;
    tx.commit().await?;
    Err(Error::Limited { retry_after: Duration::from_secs_f64(seconds.clamp(1.0, WINDOW.as_secs_f64())) })
}

/// Takes the attempt back because it succeeded; what the name had failed before no longer counts, what its address had does.
pub async fn succeeded(app: &App, attempt: &Attempt) -> Result<(), Error> {
    let mut tx = app.db.platform(Why::Login).await?;
    let [name, address] = &attempt.subjects;
    sqlx::query("delete from app.login_failures where subject = $1").bind(name).execute(tx.conn()).await?;
    forget(&mut tx, std::slice::from_ref(address), attempt.at).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes the attempt back because it decided nothing yet: what had failed before still counts.
pub async fn undecided(app: &App, attempt: &Attempt) -> Result<(), Error> {
    let mut tx = app.db.platform(Why::Login).await?;
    forget(&mut tx, &attempt.subjects, attempt.at).await?;
    tx.commit().await?;
    Ok(())
}

/// How long the attempt has to wait, if it has to.
async fn wait(tx: &mut PlatformTx, attempt: &Attempt) -> Result<Option<Duration>, Error> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select max(extract(epoch from oldest + make_interval(secs => $4) - app.clock()))::float8
         from (
           select count(*) as failures, min(at) as oldest, subject like 'name:%' as is_name
           from app.login_failures
           where subject = any($1) and at > app.clock() - make_interval(secs => $4)
           group by subject) as counted
         where failures > case when is_name then $2::bigint else $3::bigint end",
    )
    .bind(&attempt.subjects[..])
    .bind(PER_NAME)
    .bind(PER_ADDRESS)
    .bind(WINDOW.as_secs_f64())
    .fetch_one(tx.conn())
    .await?;
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.clamp(1.0, WINDOW.as_secs_f64()))))
}

async fn forget(tx: &mut PlatformTx, subjects: &[String], at: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query("delete from app.login_failures where subject = any($1) and at = $2")
        .bind(subjects)
        .bind(at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes what no longer counts.
pub async fn prune(tx: &mut PlatformTx) -> Result<u64, Error> {
    let removed = sqlx::query("delete from app.login_failures where at < app.now() - make_interval(secs => $1)")
        .bind(WINDOW.as_secs_f64())
        .execute(tx.conn())
        .await?;
    Ok(removed.rows_affected())
}

/// What counts as one address: the whole /64 of IPv6, which one customer of a provider has for himself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => std::net::Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_customer_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), "10.0.0.1");
    }
}
