//! Writes down what came of an attempt: the attempt itself, where its delivery stands, the next job, and what it says of the webhook.

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use jobs::Enqueue;

use super::{
    deliver::{Deliver, Due},
    kinds,
    outcome::{Attempt, Next},
    webhook::{self, WebhookId},
};
use crate::{App, Error};

/// Not sent after all.
pub(super) async fn refuse(tx: &mut TenantTx, job: &Deliver, reason: &'static str) -> Result<(), Error> {
    give_up(tx, job, reason).await?;
    Ok(())
}

/// False: it was replayed meanwhile, and goes on.
async fn give_up(tx: &mut TenantTx, job: &Deliver, reason: &'static str) -> Result<bool, Error> {
    let given_up = sqlx::query(
        "update crm.webhook_deliveries d set state = 'failed', reason = $3, next_attempt_at = null
          where d.tenant_id = app.tenant_id() and d.id = $1 and d.turn = $2 and d.state = 'pending'",
    )
    .bind(job.delivery_id)
    .bind(job.turn)
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(given_up.rows_affected() == 1)
}

/// What came of an attempt that was made.
pub(super) async fn record(tx: &mut TenantTx, job: &Deliver, due: &Due, attempt: &Attempt) -> Result<(), Error> {
    if !note(tx, job, attempt).await? {
        // swept away meanwhile
        return Ok(());
    }
    let number = usize::try_from(due.since_replay + 1).unwrap_or(usize::MAX);
    let is_test = due.kind == kinds::PING;
    let next = match attempt.next(number, tx.now(), due.give_up_at) {
        Next::Again(_) if is_test => Next::GivenUp("test_failed"),
        next => next,
    };
    let mut is_given_up = false;
    match next {
        Next::Delivered => delivered(tx, job).await?,
        Next::Again(at) => again(tx, job, due.webhook_id, at).await?,
        Next::GivenUp(reason) => is_given_up = give_up(tx, job, reason).await?,
    }
    if attempt.is_taken() {
        answers(tx, due.webhook_id).await
    } else if is_test {
        // it is looked at by whoever has sent it, and says nothing of what is told otherwise
        Ok(())
    } else if attempt.is_gone() {
        webhook::disable(tx, due.webhook_id, "gone").await
    } else {
        fails(tx, due.webhook_id).await?;
        if is_given_up && has_failed_for_days(tx, job).await? {
            webhook::disable(tx, due.webhook_id, "failing").await?;
        }
        Ok(())
    }
}

/// The attempt, and its delivery's count of them. False: there is no such delivery any more.
async fn note(tx: &mut TenantTx, job: &Deliver, attempt: &Attempt) -> Result<bool, Error> {
    let noted = sqlx::query(
        "with d as (
           update crm.webhook_deliveries d set attempt_count = d.attempt_count + 1, status = $5, attempted_at = $2, tried_since = coalesce(d.tried_since, app.now())
            where d.tenant_id = app.tenant_id() and d.id = $1 returning d.id, d.attempt_count)
         insert into crm.webhook_attempts (delivery_id, number, at, duration_ms, error, status, answer)
           select d.id, d.attempt_count, $2, $3, $4, $5, $6 from d",
    )
    .bind(job.delivery_id)
    .bind(attempt.at)
    .bind(i32::try_from(attempt.duration.as_millis()).unwrap_or(i32::MAX))
    .bind(attempt.error)
    .bind(attempt.status.map(i32::from))
    .bind(&attempt.answer)
    .execute(tx.conn())
    .await?;
    Ok(noted.rows_affected() == 1)
}

async fn delivered(tx: &mut TenantTx, job: &Deliver) -> Result<(), Error> {
    sqlx::query(
        "update crm.webhook_deliveries d set state = 'delivered', reason = null, next_attempt_at = null
          where d.tenant_id = app.tenant_id() and d.id = $1 and d.turn = $2 and d.state = 'pending'",
    )
    .bind(job.delivery_id)
    .bind(job.turn)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The next attempt, with its job. Where the delivery was replayed meanwhile that one goes on.
async fn again(tx: &mut TenantTx, job: &Deliver, webhook_id: WebhookId, at: DateTime<Utc>) -> Result<(), Error> {
    let turn: Option<i32> = sqlx::query_scalar(
        "update crm.webhook_deliveries d set turn = d.turn + 1, next_attempt_at = $3
          where d.tenant_id = app.tenant_id() and d.id = $1 and d.turn = $2 and d.state = 'pending' returning d.turn",
    )
    .bind(job.delivery_id)
    .bind(job.turn)
    .bind(at)
    .fetch_optional(tx.conn())
    .await?;
    let Some(turn) = turn else { return Ok(()) };
    let next = Deliver { delivery_id: job.delivery_id, turn };
    Enqueue::<App, Deliver>::new().lane(webhook::lane_key(webhook_id)).run_at(at).one(tx, &next).await?;
    Ok(())
}

/// The receiver takes what it is told. Rows are only written where that is news.
async fn answers(tx: &mut TenantTx, id: WebhookId) -> Result<(), Error> {
    sqlx::query(
        "update crm.webhooks w set failing_since = null
          where w.tenant_id = app.tenant_id() and w.id = $1 and w.failing_since is not null and w.disabled_at is null",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn fails(tx: &mut TenantTx, id: WebhookId) -> Result<(), Error> {
    sqlx::query(
        "update crm.webhooks w set failing_since = app.now()
          where w.tenant_id = app.tenant_id() and w.id = $1 and w.failing_since is null and w.disabled_at is null",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether nothing at all was taken since the first attempt at a delivery that is given up: days, with attempts all along. One that the
/// receiver alone does not take, while it takes others, is no reason.
async fn has_failed_for_days(tx: &mut TenantTx, job: &Deliver) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "select w.failing_since <= d.tried_since and w.failing_since < app.now() - interval '2 days' from crm.webhook_deliveries d
           join crm.webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
          where d.tenant_id = app.tenant_id() and d.id = $1 and w.failing_since is not null",
    )
    .bind(job.delivery_id)
    .fetch_optional(tx.conn())
    .await?
    .unwrap_or(false))
}
