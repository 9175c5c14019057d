//! Lanes: the unit of fairness and pause. Pausing, resuming or cancelling one touches a single row, whatever it holds.

use db::{Scope, TenantTx};

use crate::{
    enqueue::{CHANNEL, EnqueueError},
    job::Queue,
};

/// Makes the lane or changes its gates and class. `gates` are ids of [`crate::gate::configure`].
pub async fn configure(
    tx: &mut TenantTx,
    queue: Queue,
    key: &str,
    class: i16,
    gates: &[i64],
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "insert into jobs.lanes (tenant_number, queue, key, class, gates)
           select app.tenant_number(), q.id, $2, $3, $4 from jobs.queues q where q.name = $1
         on conflict (tenant_number, queue, key) do update set class = excluded.class, gates = excluded.gates
         returning id",
    )
    .bind(queue.0)
    .bind(key)
    .bind(class)
    .bind(gates)
    .fetch_one(tx.conn())
    .await
}

/// Makes the lane where there is none yet, and waits for nobody where there is: for lanes that many enqueue into at once. With a batch, the lane is that
/// batch's own.
pub async fn ensure(
    tx: &mut TenantTx,
    queue: Queue,
    key: &str,
    class: i16,
    gates: &[i64],
    batch: Option<i64>,
) -> Result<i64, EnqueueError> {
    let id = sqlx::query_scalar(
        "select jobs.lane(app.tenant_number(), q.id, $2, $3, $4, $5) from jobs.queues q where q.name = $1",
    )
    .bind(queue.0)
    .bind(key)
    .bind(class)
    .bind(gates)
    .bind(batch)
    .fetch_one(tx.conn())
    .await?;
    Ok(id)
}

/// No claim that begins after this has committed leases a job of the lane. One that is under way may still lease what it has already chosen:
/// an effect that must not happen after a pause rechecks the lane, as a campaign's `sending` mark does.
pub async fn pause(tx: &mut TenantTx, queue: Queue, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update jobs.lanes l set paused_at = coalesce(l.paused_at, app.now()) from jobs.queues q
          where q.name = $1 and l.queue = q.id and l.tenant_number = app.tenant_number() and l.key = $2",
    )
    .bind(queue.0)
    .bind(key)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The lane goes on; its jobs are where they were.
pub async fn resume(tx: &mut TenantTx, queue: Queue, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with l as (
           update jobs.lanes l set paused_at = null from jobs.queues q
            where q.name = $1 and l.queue = q.id and l.tenant_number = app.tenant_number() and l.key = $2
           returning l.tenant_number, l.queue, l.id)
         insert into jobs.wakes (tenant_number, queue, lane_id) select l.tenant_number, l.queue, l.id from l",
    )
    .bind(queue.0)
    .bind(key)
    .execute(tx.conn())
    .await?;
    tx.notify(CHANNEL);
    Ok(())
}

/// The lane takes no more jobs and starts none; those it holds leave in chunks. There is no way back.
pub async fn cancel(tx: &mut TenantTx, queue: Queue, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update jobs.lanes l set cancelled_at = coalesce(l.cancelled_at, app.now()) from jobs.queues q
          where q.name = $1 and l.queue = q.id and l.tenant_number = app.tenant_number() and l.key = $2",
    )
    .bind(queue.0)
    .bind(key)
    .execute(tx.conn())
    .await?;
    Ok(())
}
