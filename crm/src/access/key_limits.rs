//! What an API key may ask: how often, and how many requests a day. Holds the numbers and the day's counts; the buckets are the api's.

use std::ops::RangeInclusive;

use db::{PlatformTx, Scope, Why};
use uuid::Uuid;

use super::api_keys::ApiKeyId;
use crate::{App, Error};

/// Requests a minute that a key may be given.
pub const RATES: RangeInclusive<i32> = 1..=60_000;
/// Requests a day that a key may be given.
pub const QUOTAS: RangeInclusive<i64> = 1..=1_000_000_000;

/// What a key may ask for by its row, and what it has asked for today as far as that is written.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Allowance {
    /// The key.
    pub id: ApiKeyId,
    /// Its tenant.
    pub tenant_id: Uuid,
    /// Requests a minute; where there is none, what the process is set to.
    pub rate_per_minute: Option<i32>,
    /// Requests a day (UTC); where there is none, what the process is set to.
    pub quota_per_day: Option<i64>,
    /// Requests of today that all processes have written.
    pub requests_today: i64,
    /// Seconds until the next day begins.
    pub day_ends_s: i32,
}

/// Refuses limits that no key may have.
pub(super) fn check(rate_per_minute: Option<i32>, quota_per_day: Option<i64>) -> Result<(), Error> {
    if rate_per_minute.is_some_and(|rate| !RATES.contains(&rate)) {
        let message = format!("a key may have {} to {} requests a minute", RATES.start(), RATES.end());
        return Err(Error::invalid("rate_per_minute", "key_rate_range", message));
    }
    if quota_per_day.is_some_and(|quota| !QUOTAS.contains(&quota)) {
        let message = format!("a key may have {} to {} requests a day", QUOTAS.start(), QUOTAS.end());
        return Err(Error::invalid("quota_per_day", "key_quota_range", message));
    }
    Ok(())
}

/// Adds requests to the counts of today, for all keys that were used at once, in the order of their ids.
pub async fn add(app: &App, counts: &[(Uuid, ApiKeyId, i64)]) -> Result<(), Error> {
    let mut tx = app.db.platform(Why::Login).await?;
    sqlx::query(
        "insert into crm.api_key_uses as n (tenant_id, key_id, day, requests)
         select w.tenant_id, w.key_id, (app.now() at time zone 'utc')::date, w.requests
           from unnest($1::uuid[], $2::uuid[], $3::bigint[]) w(tenant_id, key_id, requests)
           -- a key that is gone is counted no more
           join crm.api_keys k on k.tenant_id = w.tenant_id and k.id = w.key_id
          -- rows are locked in one order: two processes write at once
          order by w.tenant_id, w.key_id
         on conflict (tenant_id, key_id, day) do update set requests = n.requests + excluded.requests",
    )
    .bind(counts.iter().map(|(tenant_id, ..)| *tenant_id).collect::<Vec<_>>())
    .bind(counts.iter().map(|(_, id, _)| *id).collect::<Vec<_>>())
    .bind(counts.iter().map(|(.., requests)| *requests).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Removes the counts of days that nobody asks for.
pub(super) async fn prune(tx: &mut PlatformTx) -> Result<(), Error> {
    sqlx::query("delete from crm.api_key_uses where day < (app.now() at time zone 'utc')::date - 35")
        .execute(tx.conn())
        .await?;
    Ok(())
}
