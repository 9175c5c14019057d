//! `Idempotency-Key` on creates: a request that comes again gets the first one's answer.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use crm::{
    Error,
    access::idempotency::{self, Key, Replay},
};
use db::TenantTx;
use serde::Serialize;
use serde_json::Value;

use crate::{Api, problem::Problem};

/// Makes a create happen once, if the request has a key; without one it does nothing.
///
/// In a handler: open the transaction; [`Once::replay`], and answer with what it gives; create; [`Once::created`].
#[derive(Debug)]
pub struct Once(Option<Key>);

/// The first one's answer, said to be that.
pub fn replayed(replay: Replay) -> Response {
    let status = StatusCode::from_u16(replay.status).unwrap_or(StatusCode::OK);
    (status, [("idempotency-replayed", "true")], axum::Json(replay.body)).into_response()
}

impl FromRequestParts<Api> for Once {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let Some(key) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let refuse = || Error::invalid("Idempotency-Key", "idempotency_key_malformed", "the key is not text");
        let key = key.to_str().map_err(|_| refuse())?.to_owned();
        let operation = format!("{} {}", parts.method, parts.uri.path());
        Ok(Self(Some(Key { key, operation, request_hash: Vec::new() })))
    }
}

impl Once {
    /// The same key for another body is a mistake of the caller: what was sent is part of it.
    #[must_use]
    pub fn over(self, body: &[u8]) -> Self {
        let request_hash = crm::secrets::token_hash(&String::from_utf8_lossy(body));
        Self(self.0.map(|key| Key { request_hash, ..key }))
    }
    /// The first one's answer, if this request has come before. Waits for a first one that is still at work.
    pub async fn replay(&self, tx: &mut TenantTx) -> Result<Option<Response>, Problem> {
        let Some(key) = &self.0 else { return Ok(None) };
        Ok(idempotency::begin(tx, key).await?.map(replayed))
    }
    /// The key itself, for a create that shares a transaction with others.
    pub fn into_key(self) -> Option<Key> {
        self.0
    }
    /// Keeps the answer, commits, and answers 201.
    pub async fn created(self, tx: TenantTx, created: &impl Serialize) -> Result<Response, Problem> {
        let body = serde_json::to_value(created).map_err(|error| Problem::internal(error.into()))?;
        self.answer(tx, StatusCode::CREATED, &body, &body).await
    }
    /// The same where a repeated request may not be shown all of the first answer.
    pub async fn answer(
        self,
        mut tx: TenantTx,
        status: StatusCode,
        shown: &Value,
        kept: &Value,
    ) -> Result<Response, Problem> {
        if let Some(key) = &self.0 {
            idempotency::finish(&mut tx, key, status.as_u16(), kept).await?;
        }
        tx.commit().await?;
        Ok((status, axum::Json(shown)).into_response())
    }
}
