//! Gates as operators see and turn them, by id and across tenants.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::audit::{By, Refused, Subject, record};
use crate::{enqueue::CHANNEL, job::Queue};

/// A gate.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Gate)]
pub struct GateRow {
    /// Its id.
    pub id: i64,
    /// Whose; 0 is the platform. Absent in a tenant's own view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_number: Option<i32>,
    /// Its key, `line/{id}`.
    pub key: String,
    /// Starts a second; none: as many as come.
    pub rate: Option<f64>,
    /// Most tokens that collect.
    pub burst: f64,
    /// Tokens that are there now.
    pub tokens: f64,
    /// Jobs running at once; none: no cap.
    pub cap: Option<i32>,
    /// Starts in an hour by the clock; none: as many as the rate lets through.
    pub hourly: Option<i32>,
    /// The same in a day.
    pub daily: Option<i32>,
    /// Whose hours and days.
    pub time_zone: String,
    /// Where the hour's or the day's budget is used up: until when.
    pub spent_until: Option<DateTime<Utc>>,
    /// Running now; counted for a gate with a cap only.
    pub running: i64,
    /// Since when it lets nothing through.
    pub paused_at: Option<DateTime<Utc>>,
    /// closed, open or `half_open`.
    pub breaker: String,
    /// When the next probe may go.
    pub open_until: Option<DateTime<Utc>>,
    /// Until when the service behind it asked to be left alone.
    pub rests_until: Option<DateTime<Utc>>,
    /// Why it is paused, or why the breaker opened.
    pub reason: Option<String>,
}

/// Gates by id, newest first.
pub async fn gates<S: Scope>(tx: &mut S, page: &PageOf<i64>) -> Result<Page<GateRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select g.id, case when $3 then g.tenant_number end as tenant_number, g.key, g.rate, g.burst,
                least(g.burst, g.tokens + coalesce(g.rate, 0) * greatest(0, extract(epoch from app.clock() - g.updated_at)::float8)) as tokens,
                g.cap, g.hourly, g.daily, g.time_zone, jobs.gate_spent_until(g) as spent_until, jobs.gate_running(g.id) as running, g.paused_at, g.breaker, g.open_until, g.rests_until, g.reason
           from jobs.gates g where $1::bigint is null or g.id < $1 order by g.id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .bind(S::SEES_ALL)
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &GateRow| row.id))
}

/// Those of the gates that are there, by id.
pub(super) async fn gates_of<S: Scope>(tx: &mut S, ids: &[i64]) -> Result<Vec<GateRow>, sqlx::Error> {
    sqlx::query_as(
        "select g.id, case when $2 then g.tenant_number end as tenant_number, g.key, g.rate, g.burst,
                least(g.burst, g.tokens + coalesce(g.rate, 0) * greatest(0, extract(epoch from app.clock() - g.updated_at)::float8)) as tokens,
                g.cap, g.hourly, g.daily, g.time_zone, jobs.gate_spent_until(g) as spent_until, jobs.gate_running(g.id) as running, g.paused_at, g.breaker, g.open_until, g.rests_until, g.reason
           from jobs.gates g where g.id = any($1) order by g.id",
    )
    .bind(ids)
    .bind(S::SEES_ALL)
    .fetch_all(tx.conn())
    .await
}

/// One gate.
pub async fn find_gate<S: Scope>(tx: &mut S, id: i64) -> Result<Option<GateRow>, sqlx::Error> {
    Ok(gates_of(tx, &[id]).await?.pop())
}

/// The most that a bucket counts to, as the table has it.
const MOST_TOKENS: f64 = 1e12;

/// What is to change about a gate; what is none stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateChange<'a> {
    /// Starts a second; the inner none takes the bucket away.
    pub rate: Option<Option<f64>>,
    /// Most tokens.
    pub burst: Option<f64>,
    /// Jobs running at once; the inner none takes the cap away.
    pub cap: Option<Option<i32>>,
    /// Starts in an hour by the clock; the inner none takes the budget away.
    pub hourly: Option<Option<i32>>,
    /// The same in a day.
    pub daily: Option<Option<i32>>,
    /// Whose hours and days, an IANA name.
    pub time_zone: Option<&'a str>,
}

impl GateChange<'_> {
    fn check(&self) -> Result<(), Refused> {
        let above = |field, is_above: bool| match is_above {
            true => Ok(()),
            false => Err(Refused::Limit { field, must: "above 0, or none" }),
        };
        if self.rate.flatten().is_some_and(|rate| !(rate > 0.0 && rate <= MOST_TOKENS)) {
            return Err(Refused::Limit { field: "rate", must: "above 0 and at most 1e12, or none" });
        }
        above("cap", self.cap.flatten().is_none_or(|cap| cap > 0))?;
        if self.burst.is_some_and(|burst| !(1.0..=MOST_TOKENS).contains(&burst)) {
            return Err(Refused::Limit { field: "burst", must: "1 to 1e12" });
        }
        above("hourly", self.hourly.flatten().is_none_or(|hourly| hourly > 0))?;
        above("daily", self.daily.flatten().is_none_or(|daily| daily > 0))?;
        if self.time_zone.is_some_and(|zone| zone.parse::<chrono_tz::Tz>().is_err()) {
            return Err(Refused::Limit { field: "time_zone", must: "an IANA name, Europe/Berlin" });
        }
        let changes_limit = [self.cap, self.hourly, self.daily].iter().any(Option::is_some);
        if !changes_limit && self.rate.is_none() && self.burst.is_none() && self.time_zone.is_none() {
            return Err(Refused::Limit { field: "rate", must: "given, or another limit: nothing is to change" });
        }
        Ok(())
    }
}

/// Changes the limits of a gate. Tokens already collected are kept, up to the new burst.
pub async fn set_gate(tx: &mut PlatformTx, id: i64, change: GateChange<'_>, by: &By) -> Result<(), Refused> {
    change.check()?;
    let tenant = sqlx::query_scalar(
        "update jobs.gates set
            rate = case when $2 then $3 else rate end,
            burst = coalesce($4, burst),
            tokens = least(tokens, coalesce($4, burst)),
            cap = case when $5 then $6 else cap end,
            hourly = case when $7 then $8 else hourly end,
            daily = case when $9 then $10 else daily end,
            time_zone = coalesce($11, time_zone)
          where id = $1 returning tenant_number",
    )
    .bind(id)
    .bind(change.rate.is_some())
    .bind(change.rate.flatten())
    .bind(change.burst)
    .bind(change.cap.is_some())
    .bind(change.cap.flatten())
    .bind(change.hourly.is_some())
    .bind(change.hourly.flatten())
    .bind(change.daily.is_some())
    .bind(change.daily.flatten())
    .bind(change.time_zone)
    .fetch_optional(tx.conn())
    .await?;
    done(tx, id, by, "set_limits", tenant).await
}

/// Nothing passes the gate once this has committed.
pub async fn pause_gate(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = sqlx::query_scalar(
        "update jobs.gates set paused_at = coalesce(paused_at, app.now()), is_held = false, reason = left($2, 500) where id = $1 returning tenant_number",
    )
    .bind(id)
    .bind(by.told("paused"))
    .fetch_optional(tx.conn())
    .await?;
    done(tx, id, by, "pause", tenant).await
}

/// The gate lets through again; its lanes look within a second.
pub async fn resume_gate(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = sqlx::query_scalar(
        "update jobs.gates set paused_at = null, is_held = false, reason = case when breaker = 'closed' then null else reason end
          where id = $1 returning tenant_number",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    done(tx, id, by, "resume", tenant).await
}

/// Closes the breaker without a probe, for an operator who knows that the service is back.
pub async fn close_gate(tx: &mut PlatformTx, id: i64, by: &By) -> Result<(), Refused> {
    let tenant = sqlx::query_scalar(
        "with g as (
           update jobs.gates set breaker = 'closed', open_until = null, open_s = 0, reason = case when paused_at is null then null else reason end
            where id = $1 returning tenant_number)
         select g.tenant_number from g, jobs.wake_gate($1)",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    done(tx, id, by, "close_breaker", tenant).await
}

/// Pauses the gates of a tenant's work in one queue that are not paused already: nothing of what passes them starts until they are released. A gate
/// that lanes of another queue pass stays as it is.
pub async fn hold_gates(tx: &mut PlatformTx, tenant_number: i32, queue: Queue) -> Result<(), sqlx::Error> {
    sqlx::query(
        // in the order in which a claim takes them
        "with z as materialized (select g.id from jobs.gates g where g.tenant_number = $1 and g.paused_at is null
              and not exists (select from jobs.lanes l join jobs.queues q on q.id = l.queue
                               where l.tenant_number = $1 and q.name <> $2 and g.id = any(l.gates)) order by g.id for update)
         update jobs.gates g set paused_at = app.now(), is_held = true from z where g.id = z.id",
    )
    .bind(tenant_number)
    .bind(queue.0)
    .execute(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(())
}

/// Lets the gates through again that were held, and no other: what an operator has paused by itself stays so. Their lanes look within a second.
pub async fn release_gates(tx: &mut PlatformTx, tenant_number: i32) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with z as materialized (select g.id from jobs.gates g where g.tenant_number = $1 and g.is_held order by g.id for update)
         update jobs.gates g set paused_at = null, is_held = false from z where g.id = z.id",
    )
    .bind(tenant_number)
    .execute(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(())
}

/// Records the act and wakes the fleet, or says that there is no such gate.
async fn done(tx: &mut PlatformTx, id: i64, by: &By, act: &str, tenant: Option<i32>) -> Result<(), Refused> {
    let tenant = tenant.ok_or(Refused::NotFound)?;
    tx.notify(CHANNEL);
    Ok(record(tx, by, act, Subject::Gate(id), tenant).await?)
}
