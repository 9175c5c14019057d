//! A create that is sent twice happens once: the answer is kept under the caller's key, in the transaction of the create.

use std::collections::{HashMap, HashSet};

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

/// What a key came to: none, it is taken; or what the first request of that key got.
type Begun = Result<Option<Replay>, Error>;

/// Takes the key, or answers what the first request got. While the first is still at work this waits for its commit, so two at once end as
/// one create and one replay; if the first rolls back, the second takes its place.
pub async fn begin(tx: &mut TenantTx, key: &Key) -> Begun {
    begin_all(tx, &[key]).await?.pop().unwrap_or(Ok(None))
}

/// The same for keys of several requests, no two of them alike; one result a key, in their order. Keys are taken in an order of their own, so
/// that two of these do not wait for one another.
pub async fn begin_all(tx: &mut TenantTx, keys: &[&Key]) -> Result<Vec<Begun>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sound: Vec<&&Key> = keys.iter().filter(|key| key.is_sound()).collect();
    let operations: Vec<&str> = sound.iter().map(|key| key.operation.as_str()).collect();
    let names: Vec<&str> = sound.iter().map(|key| key.key.as_str()).collect();
    sqlx::query(
        "delete from crm.idempotency_keys x using unnest($1::text[], $2::text[]) u(operation, key)
         where x.operation = u.operation and x.key = u.key and x.created_at < app.now() - make_interval(hours => $3)",
    )
    .bind(&operations)
    .bind(&names)
    .bind(KEPT_HOURS)
    .execute(tx.conn())
    .await?;
    let taken: Vec<(String, String)> = sqlx::query_as(
        "insert into crm.idempotency_keys (key, operation, request_hash)
           select u.key, u.operation, u.request_hash from unnest($1::text[], $2::text[], $3::bytea[]) u(operation, key, request_hash)
            order by u.operation, u.key
         on conflict on constraint idempotency_keys_pkey do nothing
         returning operation, key",
    )
    .bind(&operations)
    .bind(&names)
    .bind(sound.iter().map(|key| key.request_hash.as_slice()).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    let taken: HashSet<(String, String)> = taken.into_iter().collect();
    let mut found = if taken.len() == sound.len() { HashMap::new() } else { answers(tx, &operations, &names).await? };
    Ok(keys
        .iter()
        .map(|key| {
            if !key.is_sound() {
                let message = "a key has 1 to 255 characters";
                return Err(Error::invalid("Idempotency-Key", "idempotency_key_length", message));
            }
            let name = (key.operation.clone(), key.key.clone());
            if taken.contains(&name) {
                return Ok(None);
            }
            let (request_hash, replay) = found.remove(&name).ok_or(Error::Unavailable)?;
            if request_hash != key.request_hash {
                let message = "this key was used for another request; take a new one for each";
                return Err(Error::invalid("Idempotency-Key", "idempotency_key_reused", message));
            }
            Ok(Some(replay))
        })
        .collect())
}

#[derive(sqlx::FromRow)]
struct Kept {
    operation: String,
    key: String,
    request_hash: Vec<u8>,
    status: Option<i32>,
    body: Option<Json<Value>>,
}

/// What was answered to the first request of each key, with the hash of what that one had sent.
async fn answers(
    tx: &mut TenantTx,
    operations: &[&str],
    names: &[&str],
) -> Result<HashMap<(String, String), (Vec<u8>, Replay)>, Error> {
    let kept: Vec<Kept> = sqlx::query_as(
        "select x.operation, x.key, x.request_hash, x.status, x.body
           from crm.idempotency_keys x join unnest($1::text[], $2::text[]) u(operation, key) on x.operation = u.operation and x.key = u.key",
    )
    .bind(operations)
    .bind(names)
    .fetch_all(tx.conn())
    .await?;
    let replay = |Kept { operation, key, request_hash, status, body }| {
        let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        ((operation, key), (request_hash, Replay { status, body: body.map_or(Value::Null, |Json(body)| body) }))
    };
    Ok(kept.into_iter().map(replay).collect())
}

impl Key {
    fn is_sound(&self) -> bool {
        !self.key.is_empty() && self.key.chars().count() <= 255 && !self.key.contains('\0')
    }
}

/// Keeps the answer, in the transaction of the create.
pub async fn finish(tx: &mut TenantTx, key: &Key, status: u16, body: &Value) -> Result<(), Error> {
    finish_all(tx, &[(key, status, body.clone())]).await
}

/// The same for several.
pub async fn finish_all(tx: &mut TenantTx, answers: &[(&Key, u16, Value)]) -> Result<(), Error> {
    if answers.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update crm.idempotency_keys x set status = u.status, body = u.body
           from unnest($1::text[], $2::text[], $3::int[], $4::jsonb[]) u(operation, key, status, body)
          where x.operation = u.operation and x.key = u.key",
    )
    .bind(answers.iter().map(|(key, ..)| key.operation.as_str()).collect::<Vec<_>>())
    .bind(answers.iter().map(|(key, ..)| key.key.as_str()).collect::<Vec<_>>())
    .bind(answers.iter().map(|(_, status, _)| i32::from(*status)).collect::<Vec<_>>())
    .bind(answers.iter().map(|(.., body)| Json(body)).collect::<Vec<_>>())
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
