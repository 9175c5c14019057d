//! The group commits of one process: what many handlers and requests write at a high rate, written together.

use db::{Db, Why};
use jobs::{Group, GroupError};

use crate::{
    campaigns::outbox::{self, Loaded, Mark, Record, Verdict},
    messaging::inbound::{self, HookCache, HookLine},
};

/// Rows of one group at most.
const MOST: usize = 500;

/// The groups. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    /// Recipients read for their sends.
    pub load: Group<outbox::Wanted, Option<Loaded>>,
    /// `sending` marks before a call.
    pub mark: Group<Mark, Verdict>,
    /// Results after a call, with the end of the job.
    pub record: Group<Record, ()>,
    /// Whether a message whose call is still waiting has been proven to be out.
    pub proof: Group<outbox::Wanted, bool>,
    /// Raw webhook events.
    pub hooks: Group<(HookLine, bytes::Bytes), ()>,
    /// Secrets of webhooks looked up before.
    pub hook_cache: HookCache,
}

macro_rules! group {
    ($db:expr, $flush:path) => {{
        let db: Db = $db.clone();
        Group::start(MOST, move |items| {
            let db = db.clone();
            async move {
                let tx = db.keyed_platform(Why::Group).await.map_err(|error| GroupError(error.to_string()))?;
                $flush(tx, items).await
            }
        })
    }};
}

impl Groups {
    /// Starts the tasks.
    #[must_use]
    pub fn start(db: &Db) -> Self {
        Self {
            load: group!(db, outbox::load),
            mark: group!(db, outbox::mark),
            record: group!(db, outbox::record),
            proof: group!(db, outbox::proof),
            hooks: group!(db, inbound::store),
            hook_cache: HookCache::default(),
        }
    }
}
