//! Batches of API clients: opened, filled, sealed and followed over HTTP. Those of campaigns and imports have owners of their own and are not seen here.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, TenantTx};
use jobs::batch::{self, Acted, Batch, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rows::Refusal;
use crate::Error;

/// What the names of clients' batches begin with in the queue.
const OURS: &str = "api/";
/// The same as the feature they are listed by.
const FEATURE: &str = "api";

/// A batch to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBatch {
    /// What it is for, in the words of its maker.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// Its jobs start when that batch has completed; where that one is cancelled this one is too.
    pub after_id: Option<i64>,
}

/// A batch: at every moment enqueued = live + completed + discarded + cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Batch)]
pub struct BatchView {
    /// The id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// The batch it follows.
    pub after_id: Option<i64>,
    /// Where it stands.
    pub state: State,
    /// Whether it takes no more jobs, so that it can complete.
    pub is_sealed: bool,
    /// Whether discarded jobs are being run again.
    pub is_retrying: bool,
    /// Jobs added.
    pub enqueued_count: i64,
    /// Jobs that wait or run.
    pub live_count: i64,
    /// Jobs that did their work.
    pub completed_count: i64,
    /// Jobs given up: discarded or quarantined.
    pub discarded_count: i64,
    /// Jobs cancelled.
    pub cancelled_count: i64,
    /// Grows each time a retry opens it again.
    pub generation: i32,
    /// Grows with each change.
    pub version: i64,
    /// When it completed.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
}

impl From<Batch> for BatchView {
    fn from(batch: Batch) -> Self {
        Self {
            live_count: batch.live_count(),
            id: batch.id,
            name: batch.name.strip_prefix(OURS).unwrap_or(&batch.name).to_owned(),
            after_id: batch.after_id,
            state: batch.state,
            is_sealed: batch.is_sealed,
            is_retrying: batch.is_retrying,
            enqueued_count: batch.enqueued_count,
            completed_count: batch.completed_count,
            discarded_count: batch.discarded_count,
            cancelled_count: batch.cancelled_count,
            generation: batch.generation,
            version: batch.version,
            completed_at: batch.completed_at,
            created_at: batch.created_at,
        }
    }
}

/// Opens a batch.
pub async fn open(tx: &mut TenantTx, new: &NewBatch) -> Result<BatchView, Error> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 200 {
        return Err(Error::invalid("name", "name_length", "a name has 1 to 200 characters"));
    }
    let name = format!("{OURS}{name}");
    let id = match new.after_id {
        None => batch::open_silent(tx, &name).await?,
        Some(after) => {
            let unknown =
                || Error::invalid("after_id", "batch_not_found", "there is no such batch, or it is cancelled");
            get(tx, after).await.map_err(|_| unknown())?;
            batch::open_silent_after(tx, &name, after).await?.ok_or_else(unknown)?
        }
    };
    get(tx, id).await
}

/// The tenant's batches of clients, newest first; those in one state, where that is said. Exact.
pub async fn list(tx: &mut TenantTx, state: Option<State>, page: &PageOf<i64>) -> Result<Page<BatchView>, Error> {
    let Page { items, next_cursor } = batch::list(tx, FEATURE, state, page).await?;
    Ok(Page { items: items.into_iter().map(BatchView::from).collect(), next_cursor })
}

/// The batch of now, exact.
pub async fn get(tx: &mut TenantTx, id: i64) -> Result<BatchView, Error> {
    Ok(batch::find(tx, id).await?.filter(is_ours).ok_or(Error::NotFound)?.into())
}

/// The batch as last folded, whose version names exactly these numbers: for those who follow it.
pub async fn folded(tx: &mut TenantTx, id: i64) -> Result<BatchView, Error> {
    Ok(batch::folded(tx, id).await?.filter(is_ours).ok_or(Error::NotFound)?.into())
}

fn is_ours(batch: &Batch) -> bool {
    batch.name.starts_with(OURS)
}

/// An act on a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// No more jobs will be added.
    Seal,
    /// Nothing of it starts.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    Cancel,
    /// Its discarded jobs run again.
    Retry,
}

/// Does it; answers the batch as it stands then.
pub async fn act(tx: &mut TenantTx, id: i64, act: Act) -> Result<BatchView, Error> {
    get(tx, id).await?;
    let acted = match act {
        Act::Seal => {
            batch::seal(tx, id).await?;
            Acted::Done
        }
        Act::Pause => batch::pause(tx, id).await?,
        Act::Resume => batch::resume(tx, id).await?,
        Act::Cancel => batch::cancel(tx, id).await?,
        Act::Retry => batch::retry_failures(tx, id).await?,
    };
    match acted {
        Acted::Done | Acted::Unchanged => {}
        Acted::Cancelled if act == Act::Cancel => {}
        Acted::Cancelled => return Err(Error::conflict("batch_cancelled", "the batch is cancelled")),
        Acted::Completed => return Err(Error::conflict("batch_completed", "the batch has completed")),
        Acted::NotFound => return Err(Error::NotFound),
    }
    get(tx, id).await
}

/// Whether jobs may be added to the batch; it is shared by the caller, so that the answer holds.
pub(super) async fn admit(tx: &mut TenantTx, id: i64) -> Result<Result<(), Refusal>, Error> {
    let Some(batch) = batch::find(tx, id).await?.filter(is_ours) else {
        return Ok(Err(Refusal::at("batch_not_found", "there is no such batch", "/batch_id")));
    };
    let is_closed = batch.is_sealed || matches!(batch.state, State::Cancelled | State::Completed);
    if is_closed {
        return Ok(Err(Refusal::at("batch_closed", "the batch takes no more jobs", "/batch_id")));
    }
    Ok(Ok(()))
}
