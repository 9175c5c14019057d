//! A create that is sent twice happens once: the answer is kept under the caller's key, in the transaction of the create.

use db::{PlatformTx, Scope, TenantTx};
use serde_json::Value;
use sqlx::types::Json;

use crate::Error;

/// How long an answer is kept, in hours.
pub const KEPT_HOURS: i32 = 24;

/// A request that may come again.
#[derive(Debug, Clone)]
pub struct Key {
    /// The caller's key.
    pub key: String,
    /// What is asked for, `POST /api/v1/lines`.
    pub operation: String,
    /// A hash of what was sent.
    pub request_hash: Vec<u8>,
}

/// The answer that the first request got.
#[derive(Debug)]
pub struct Replay {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Value,
}

/// Takes the key, or answers what the first request got. While the first is still at work the insert waits for its commit, so two at
/// once end as one create and one replay; if the first rolls back, the second takes its place.
pub async fn begin(tx: &mut TenantTx, key: &Key) -> Result<Option<Replay>, Error> {
    if key.key.is_empty() || key.key.chars().count() > 255 || key.key.contains('\0') {
        return Err(Error::invalid("Idempotency-Key", "idempotency_key_length", "a key has 1 to 255 characters"));
    }
    sqlx::query(
        "delete from crm.idempotency_keys
         where operation = $1 and key = $2 and created_at < app.now() - make_interval(hours => $3)",
    )
    .bind(&key.operation)
    .bind(&key.key)
    .bind(KEPT_HOURS)
    .execute(tx.conn())
    .await?;
    let taken = sqlx::query(
        "insert into crm.idempotency_keys (key, operation, request_hash) values ($1, $2, $3)
         on conflict on constraint idempotency_keys_pkey do nothing",
    )
    .bind(&key.key)
    .bind(&key.operation)
    .bind(&key.request_hash)
    .execute(tx.conn())
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(None);
    }
    let (request_hash, status, body): (Vec<u8>, Option<i32>, Option<Json<Value>>) =
        sqlx::query_as("select request_hash, status, body from crm.idempotency_keys where operation = $1 and key = $2")
            .bind(&key.operation)
            .bind(&key.key)
            .fetch_one(tx.conn())
            .await?;
    if request_hash != key.request_hash {
        let message = "this key was used for another request; take a new one for each";
        return Err(Error::invalid("Idempotency-Key", "idempotency_key_reused", message));
    }
    let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    Ok(Some(Replay { status, body: body.map_or(Value::Null, |Json(body)| body) }))
}

/// Keeps the answer, in the transaction of the create.
pub async fn finish(tx: &mut TenantTx, key: &Key, status: u16, body: &Value) -> Result<(), Error> {
    sqlx::query("update crm.idempotency_keys set status = $3, body = $4 where operation = $1 and key = $2")
        .bind(&key.operation)
        .bind(&key.key)
        .bind(i32::from(status))
        .bind(Json(body))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes answers that are no longer kept.
pub async fn prune(tx: &mut PlatformTx) -> Result<u64, Error> {
    let removed =
        sqlx::query("delete from crm.idempotency_keys where created_at < app.now() - make_interval(hours => $1)")
            .bind(KEPT_HOURS)
            .execute(tx.conn())
            .await?;
    Ok(removed.rows_affected())
}
