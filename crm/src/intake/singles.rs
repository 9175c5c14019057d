//! Jobs that API clients enqueue one at a time, written together: what comes from one caller within some two milliseconds shares a transaction, since a
//! commit for each would be most of its price. Each request keeps an answer of its own, as if it had come alone.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
};

use db::{Actor, Db, Scope, TenantTx};
use jobs::Group;
use serde_json::Value;
use uuid::Uuid;

use super::{
    JobsMade, RowAnswer, enqueue_taken,
    rows::{self, Answer},
};
use crate::{
    Error,
    access::{
        Caller, Permissions,
        idempotency::{self, Key, Replay},
    },
};

/// Requests of one transaction at most.
const MOST: usize = 500;
/// Callers whose groups are kept. Beyond it all are let go: they write what they hold, and the next request starts a new one.
const MOST_CALLERS: usize = 1_000;
/// The status of an answer to a request that was taken.
const OK: u16 = 200;

/// A request to enqueue one job.
#[derive(Debug, Clone)]
struct Single {
    permissions: Permissions,
    row: Value,
    /// Makes it happen once, where the caller has given one.
    key: Option<Key>,
}

/// What a request is answered.
#[derive(Debug)]
pub enum Answered {
    /// What became of its row.
    Made(JobsMade),
    /// It has come before: the answer of then.
    Replayed(Replay),
}

type Written = Result<Answered, Error>;
/// By tenant and actor.
type Groups = HashMap<(Uuid, Actor), Group<Single, Written>>;

/// The groups, one a caller, so that nobody waits for what holds up another. Cheap to clone.
#[derive(Clone)]
pub struct Singles {
    db: Db,
    groups: Arc<Mutex<Groups>>,
}

impl Singles {
    /// No caller yet.
    #[must_use]
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone(), groups: Arc::default() }
    }

    /// Joins the caller's next group and waits until it is committed. A caller that goes away meanwhile has enqueued its job all the same.
    pub async fn enqueue(&self, caller: &Caller, row: Value, key: Option<Key>) -> Result<Answered, Error> {
        let single = Single { permissions: caller.permissions, row, key };
        self.group(caller).submit(single).await.map_err(|error| {
            tracing::warn!(%error, "single enqueues could not be written");
            Error::Unavailable
        })?
    }

    fn group(&self, caller: &Caller) -> Group<Single, Written> {
        let mut groups = self.groups.lock().expect("nothing panics while it is held");
        if groups.len() >= MOST_CALLERS {
            groups.clear();
        }
        let (tenant, actor) = (caller.tenant_id, caller.actor());
        let group = groups.entry((tenant, actor.clone())).or_insert_with(|| {
            let db = self.db.clone();
            Group::start(MOST, size, move |singles| {
                let (db, actor) = (db.clone(), actor.clone());
                async move { Ok(flush(&db, tenant, &actor, singles).await) }
            })
        });
        group.clone()
    }
}

fn size(single: &Single) -> usize {
    single.row.to_string().len()
}

/// Writes a group; answers one result a request, in their order.
async fn flush(db: &Db, tenant: Uuid, actor: &Actor, singles: Vec<Single>) -> Vec<Written> {
    let mut answers: Vec<Option<Written>> = singles.iter().map(|_| None).collect();
    for part in rounds(&singles) {
        let mut rest = VecDeque::from([part]);
        while let Some(mut part) = rest.pop_front() {
            let of_part: Vec<&Single> = part.iter().map(|index| &singles[*index]).collect();
            match write(db, tenant, actor, &of_part).await {
                Ok(written) => part.iter().zip(written).for_each(|(index, written)| answers[*index] = Some(written)),
                Err(error) if part.len() > 1 && may_be_of_one(&error) => {
                    tracing::debug!(%error, requests = part.len(), "a group is halved to find what can't be enqueued");
                    rest.push_front(part.split_off(part.len() / 2));
                    rest.push_front(part);
                }
                Err(error) => {
                    let mut errors = spread(error, part.len());
                    part.iter().for_each(|index| answers[*index] = errors.pop().map(Err));
                }
            }
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or(Err(Error::Unavailable))).collect()
}

/// In one transaction a key may come once: a request that repeats one follows in a transaction of its own, and finds the first one's answer.
fn rounds(singles: &[Single]) -> Vec<Vec<usize>> {
    let (mut rounds, mut left): (Vec<Vec<usize>>, Vec<usize>) = (Vec::new(), (0..singles.len()).collect());
    while !left.is_empty() {
        let mut seen = HashSet::new();
        let (round, repeated) = left.into_iter().partition(|index| match &singles[*index].key {
            None => true,
            Some(key) => seen.insert((&key.operation, &key.key)),
        });
        rounds.push(round);
        left = repeated;
    }
    rounds
}

/// Whether the others might be taken without the one that is at fault. A quota is the tenant's, and measured more coarsely than by a group.
const fn may_be_of_one(error: &Error) -> bool {
    !matches!(error, Error::QuotaExceeded { .. } | Error::PlanLimit(_) | Error::Unavailable)
}

/// The same error for each of them. What may be of one alone has been halved down to it, and is told as it is.
fn spread(error: Error, count: usize) -> Vec<Error> {
    match error {
        Error::QuotaExceeded { retry_after } => (0..count).map(|_| Error::QuotaExceeded { retry_after }).collect(),
        Error::PlanLimit(measure) => (0..count).map(|_| Error::PlanLimit(measure)).collect(),
        Error::Unavailable => (0..count).map(|_| Error::Unavailable).collect(),
        error => vec![error],
    }
}

async fn write(db: &Db, tenant: Uuid, actor: &Actor, singles: &[&Single]) -> Result<Vec<Written>, Error> {
    let mut tx = db.tenant(tenant, actor.clone()).await?;
    let keys: Vec<&Key> = singles.iter().filter_map(|single| single.key.as_ref()).collect();
    let mut begun = idempotency::begin_all(&mut tx, &keys).await?.into_iter();
    let begun: Vec<_> = singles.iter().map(|single| single.key.as_ref().and_then(|_| begun.next())).collect();
    let (mut taken, mut fresh) = (Vec::new(), Vec::new());
    for (single, begun) in singles.iter().zip(&begun) {
        if matches!(begun, None | Some(Ok(None))) {
            taken.push(rows::take(0, &single.row, single.permissions, tx.now()));
            fresh.push(single.key.as_ref());
        }
    }
    let made: Vec<JobsMade> = enqueue_taken(&mut tx, taken).await?.into_iter().map(alone).collect();
    keep(&mut tx, &fresh, &made).await?;
    tx.commit().await?;
    let mut made = made.into_iter();
    let lost = || Error::Internal(anyhow::anyhow!("a row of a group was not handled"));
    Ok(begun
        .into_iter()
        .map(|begun| match begun {
            None | Some(Ok(None)) => made.next().map(Answered::Made).ok_or_else(lost),
            Some(Ok(Some(replay))) => Ok(Answered::Replayed(replay)),
            Some(Err(error)) => Err(error),
        })
        .collect())
}

/// The answer to a request of that one row.
fn alone(answer: Answer) -> JobsMade {
    JobsMade { jobs: vec![RowAnswer { index: 0, answer }] }
}

/// Keeps the answers under their keys, in the transaction that makes them true.
async fn keep(tx: &mut TenantTx, keys: &[Option<&Key>], made: &[JobsMade]) -> Result<(), Error> {
    let mut kept = Vec::new();
    for (key, made) in keys.iter().zip(made) {
        if let Some(key) = key {
            kept.push((*key, OK, serde_json::to_value(made).map_err(anyhow::Error::from)?));
        }
    }
    idempotency::finish_all(tx, &kept).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(key: Option<&str>) -> Single {
        let key =
            key.map(|key| Key { key: key.to_owned(), operation: "POST /jobs".to_owned(), request_hash: Vec::new() });
        Single { permissions: Permissions::default(), row: Value::Null, key }
    }

    #[test]
    fn a_key_that_comes_again_waits_for_the_transaction_of_the_first() {
        let singles = [None, Some("a"), Some("b"), Some("a"), None, Some("a")].map(single);
        assert_eq!(rounds(&singles), [vec![0, 1, 2, 4], vec![3], vec![5]]);
        assert!(rounds(&[]).is_empty());
    }

    #[test]
    fn an_error_of_the_tenant_is_everybody_s() {
        assert_eq!(spread(Error::Unavailable, 3).len(), 3);
        assert!(may_be_of_one(&Error::conflict("lane_cancelled", "")) && !may_be_of_one(&Error::Unavailable));
    }
}
