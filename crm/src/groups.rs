//! The group commits of one process: what many handlers and requests write at a high rate, written together.

use std::{future::Future, sync::Arc};

use db::{Db, PlatformTx, Why};
use jobs::{Group, GroupError};

use crate::{
    campaigns::outbox::{self, Loaded, Mark, Record, Verdict},
    intake::Singles,
    messaging::inbound::{self, HookCache, HookLine},
    reactions::Lately,
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
    /// Jobs that API clients enqueue one at a time.
    pub singles: Singles,
    /// Secrets of webhooks looked up before.
    pub hook_cache: HookCache,
}

impl Groups {
    /// Starts the tasks.
    #[must_use]
    pub fn start(db: &Db) -> Self {
        let lately = Lately::default();
        Self {
            load: group(db, light, outbox::load),
            mark: group(db, light, move |tx, marks| {
                let lately = lately.clone();
                async move { outbox::mark(tx, &lately, marks).await }
            }),
            record: group(db, light, outbox::record),
            proof: group(db, light, outbox::proof),
            hooks: group(db, |(_, body): &(HookLine, bytes::Bytes)| body.len(), inbound::store),
            singles: Singles::new(db),
            hook_cache: HookCache::default(),
        }
    }
}

/// Items whose size does not matter.
const fn light<T>(_: &T) -> usize {
    0
}

fn group<T, R, F, Fut>(db: &Db, weight: fn(&T) -> usize, flush: F) -> Group<T, R>
where
    T: Clone + Send + 'static,
    R: Send + 'static,
    F: Fn(PlatformTx, Vec<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<R>, GroupError>> + Send + 'static,
{
    let (db, flush) = (db.clone(), Arc::new(flush));
    Group::start(MOST, weight, move |items| {
        let (db, flush) = (db.clone(), Arc::clone(&flush));
        async move { flush(db.keyed_platform(Why::Group).await?, items).await }
    })
}
