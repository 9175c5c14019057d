//! What an operator turns: lanes and gates, by id, across tenants. The caller commits and says why.

use db::{PlatformTx, Scope};

use crate::enqueue::CHANNEL;

/// Adds a word to what is told of a job that waits: who had it run again, and why.
pub async fn annotate(tx: &mut PlatformTx, id: i64, word: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update jobs.jobs set errors = coalesce(errors, '[]') || jsonb_build_object('at', app.clock(), 'attempt', attempt, 'error', left($2, 2000))
          where id = $1 and leased_by is null",
    )
    .bind(id)
    .bind(word)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Nothing of the lane is leased once this has committed. False: there is no such lane, or it was cancelled.
pub async fn pause_lane(tx: &mut PlatformTx, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update jobs.lanes set paused_at = coalesce(paused_at, app.now()) where id = $1 and cancelled_at is null",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The lane goes on; its jobs are where they were. False: there is no such lane, or it was cancelled.
pub async fn resume_lane(tx: &mut PlatformTx, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "with l as (update jobs.lanes set paused_at = null where id = $1 and cancelled_at is null returning tenant_number, queue, id)
         insert into jobs.wakes (tenant_number, queue, lane_id) select l.tenant_number, l.queue, l.id from l",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(done.rows_affected() > 0)
}

/// The lane takes no more jobs and starts none; those it holds leave in chunks. There is no way back. False: there is no such lane.
pub async fn cancel_lane(tx: &mut PlatformTx, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("update jobs.lanes set cancelled_at = coalesce(cancelled_at, app.now()) where id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// What is to change about a gate; what is none stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateChange {
    /// Starts a second; the inner none takes the bucket away.
    pub rate: Option<Option<f64>>,
    /// Most tokens.
    pub burst: Option<f64>,
    /// Jobs running at once; the inner none takes the cap away.
    pub cap: Option<Option<i32>>,
}

/// Changes the limits of a gate. Tokens already collected are kept, up to the new burst. False: there is no such gate.
pub async fn set_gate(tx: &mut PlatformTx, id: i64, change: GateChange) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update jobs.gates set
            rate = case when $2 then $3 else rate end,
            burst = coalesce(greatest($4, 1), burst),
            tokens = least(tokens, coalesce(greatest($4, 1), burst)),
            cap = case when $5 then $6 else cap end
          where id = $1",
    )
    .bind(id)
    .bind(change.rate.is_some())
    .bind(change.rate.flatten())
    .bind(change.burst)
    .bind(change.cap.is_some())
    .bind(change.cap.flatten())
    .execute(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(done.rows_affected() > 0)
}

/// Nothing passes the gate once this has committed. False: there is no such gate.
pub async fn pause_gate(tx: &mut PlatformTx, id: i64, reason: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update jobs.gates set paused_at = coalesce(paused_at, app.now()), reason = left($2, 500) where id = $1",
    )
    .bind(id)
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The gate lets through again; its lanes look within a second. False: there is no such gate.
pub async fn resume_gate(tx: &mut PlatformTx, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update jobs.gates set paused_at = null, reason = case when breaker = 'closed' then null else reason end where id = $1",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(done.rows_affected() > 0)
}

/// Closes the breaker without a probe, for an operator who knows that the service is back. False: there is no such gate.
pub async fn close_gate(tx: &mut PlatformTx, id: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update jobs.gates set breaker = 'closed', open_until = null, open_s = 0, reason = case when paused_at is null then null else reason end
          where id = $1",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(done.rows_affected() > 0)
}
