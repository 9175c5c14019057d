//! Puts what earlier secrets of the installation have sealed under the current one, so that those can be taken away.

use std::time::Duration;

use db::PlatformTx;
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Keys,
    columns::{COLUMNS, Column},
};
use crate::{App, Error, queue};

/// Puts everything under the current secret. What no key opens stays as it is, and is told of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rotate {}

impl Job<App> for Rotate {
    type Scope = Platform;
    const KIND: &'static str = "secrets.rotate";
    const QUEUE: Queue = queue::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        let (mut resealed, mut unreadable) = (0, 0);
        for column in &COLUMNS {
            let of_column = reseal(column, &cx).await?;
            resealed += of_column.0;
            unreadable += of_column.1;
        }
        if resealed > 0 {
            tracing::info!(resealed, "secrets are sealed with the current key");
        }
        if unreadable > 0 {
            tracing::error!(
                unreadable,
                "stored secrets can't be opened by PALOMA_SECRET nor by PALOMA_PREVIOUS_SECRETS"
            );
        }
        Ok(Done::with(cx.tx().await?))
    }
}

/// Two hundred at a time, so that nobody waits long for a row. Answers how many were resealed, and how many no key opens.
async fn reseal(column: &Column, cx: &Cx<App, Platform>) -> Result<(u64, u64), Error> {
    let (mut resealed, mut unreadable) = (0, 0);
    let mut after = (Uuid::nil(), Uuid::nil());
    while !cx.cancel.is_cancelled() {
        let mut tx = cx.tx().await?;
        let behind = column.behind(&mut tx, &cx.app.keys, after).await?;
        let Some((tenant_id, id, _)) = behind.last() else { break };
        after = (*tenant_id, *id);
        for (tenant_id, id, sealed) in &behind {
            if cx.app.keys.suffices(column.purpose, sealed) {
                continue;
            }
            match cx.app.keys.reseal(column.purpose, sealed) {
                Some(new) => resealed += column.set(&mut tx, (*tenant_id, *id), &new, sealed).await?,
                None => unreadable += 1,
            }
        }
        tx.commit().await?;
    }
    Ok((resealed, unreadable))
}

/// How the stored secrets stand beside the keys that are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Sealed by an earlier secret.
    pub behind: u64,
    /// Opened by none.
    pub unreadable: u64,
}

/// Looks at each stored secret that lies behind.
pub async fn standing(tx: &mut PlatformTx, keys: &Keys) -> Result<Standing, Error> {
    let mut standing = Standing::default();
    for column in &COLUMNS {
        let mut after = (Uuid::nil(), Uuid::nil());
        loop {
            let behind = column.behind(tx, keys, after).await?;
            let Some((tenant_id, id, _)) = behind.last() else { break };
            after = (*tenant_id, *id);
            for (_, _, sealed) in &behind {
                if keys.suffices(column.purpose, sealed) {
                    continue;
                }
                match keys.open(column.purpose, sealed) {
                    Ok(_) => standing.behind += 1,
                    Err(_) => standing.unreadable += 1,
                }
            }
        }
    }
    Ok(standing)
}
