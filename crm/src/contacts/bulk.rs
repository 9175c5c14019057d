//! Work on many contacts at once: labelled, deleted, written out. A job goes through them in the order of their ids, some at a time, each time
//! in one transaction with the place to go on from; so it shows progress, can be cancelled, and survives whoever runs it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    contact::ContactId,
    export,
    filter::ContactFilter,
    labels::{self, LabelId},
};
use crate::{
    App, Error,
    events::{self, Event, JobProgress},
    queue,
};

/// Contacts changed by one transaction.
const CHUNK: i64 = 1_000;
/// What was written out is kept so long.
const KEPT: &str = "7 days";

/// Marks ids of changes of many.
#[derive(Debug)]
pub enum BulkMark {}
/// The id of a change of many.
pub type BulkId = Id<BulkMark>;

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = BulkAct)]
pub enum Act {
    /// It gets a label.
    Label,
    /// It loses a label.
    Unlabel,
    /// It is removed, unless a member of its household is confirmed.
    Delete,
    /// It is written into a file.
    Export,
}

/// A change of many contacts.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Bulk {
    /// The change.
    pub id: BulkId,
    /// What is done.
    pub act: Act,
    /// The label, where it is about one.
    #[schema(value_type = Option<Uuid>)]
    pub label_id: Option<LabelId>,
    /// queued, running, completed, failed or cancelled.
    pub state: String,
    /// Contacts when it was asked for.
    pub total_count: i64,
    /// Contacts gone through.
    pub done_count: i64,
    /// Contacts changed, or written out.
    pub changed_count: i64,
    /// Contacts that were to be removed and stay, because a member of their household is confirmed.
    pub kept_count: i64,
    /// Who asked.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Asks for a change of the contacts that a filter means now; those made later are not touched.
pub async fn begin(tx: &mut TenantTx, act: Act, label: Option<LabelId>, filter: &ContactFilter) -> Result<Bulk, Error> {
    if let Some(label) = label {
        labels::get(tx, label).await?;
    }
    let mut filter = filter.clone();
    // to the moment, so that a contact of this transaction's own second is one of them
    let now = tx.now() + chrono::TimeDelta::microseconds(1);
    filter.created_before = Some(filter.created_before.map_or(now, |before| before.min(now)));
    let terms = filter.terms(tx).await?;
    sqlx::query(
        "delete from crm.bulk_pieces p using crm.bulk_changes b
          where p.tenant_id = app.tenant_id() and b.tenant_id = p.tenant_id and b.id = p.bulk_id and b.finished_at < app.now() - $1::interval",
    )
    .bind(KEPT)
    .execute(tx.conn())
    .await?;
    let id = BulkId::new();
    sqlx::query(
        "insert into crm.bulk_changes (id, act, label_id, filter, total_count)
           values ($1, $2, $3, $4, (select count(*) from crm.match_contacts($4, null, null)))",
    )
    .bind(id)
    .bind(act)
    .bind(label)
    .bind(&terms)
    .execute(tx.conn())
    .await?;
    let batch = jobs::batch::open::<App, _>(tx, "contacts.bulk", &EndBulk { bulk_id: id }).await?;
    Enqueue::<App, RunBulk>::new().lane(format!("bulk/{id}")).batch(batch).one(tx, &RunBulk { bulk_id: id }).await?;
    jobs::batch::seal(tx, batch).await?;
    get(tx, id).await
}

/// One change.
pub async fn get(tx: &mut TenantTx, id: BulkId) -> Result<Bulk, Error> {
    let bulk = sqlx::query_as(
        "select b.id, b.act, b.label_id, b.state, b.total_count, b.done_count, b.changed_count, b.kept_count, b.created_by, b.created_at, b.finished_at
           from crm.bulk_changes b where b.tenant_id = app.tenant_id() and b.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(bulk)
}

/// The changes, newest first.
pub async fn list(tx: &mut TenantTx, page: &PageOf<BulkId>) -> Result<Page<Bulk>, Error> {
    let rows: Vec<Bulk> = sqlx::query_as(
        "select b.id, b.act, b.label_id, b.state, b.total_count, b.done_count, b.changed_count, b.kept_count, b.created_by, b.created_at, b.finished_at
           from crm.bulk_changes b where b.tenant_id = app.tenant_id() and ($1::uuid is null or b.id < $1) order by b.id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// Stops a change where it is; what is done stays done.
pub async fn cancel(tx: &mut TenantTx, id: BulkId) -> Result<Bulk, Error> {
    let bulk = get(tx, id).await?;
    if end(tx, id, "cancelled").await? {
        return get(tx, id).await;
    }
    Err(Error::conflict("bulk_ended", format!("it is {}", bulk.state)))
}

/// A piece of what an export wrote; none: that was all.
pub async fn piece(tx: &mut TenantTx, id: BulkId, number: i64) -> Result<Option<String>, Error> {
    let piece = sqlx::query_scalar(
        "select p.text from crm.bulk_pieces p where p.tenant_id = app.tenant_id() and p.bulk_id = $1 and p.number = $2",
    )
    .bind(id)
    .bind(number)
    .fetch_optional(tx.conn())
    .await?;
    Ok(piece)
}

/// Goes through the contacts.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunBulk {
    /// The change.
    pub bulk_id: BulkId,
}

#[derive(sqlx::FromRow)]
struct Place {
    act: Act,
    label_id: Option<LabelId>,
    filter: Value,
    columns: Option<Json<Vec<String>>>,
    after_id: Option<ContactId>,
    done_count: i64,
}

impl Job<App> for RunBulk {
    type Scope = Tenant;
    const KIND: &'static str = "contacts.run_bulk";
    const QUEUE: Queue = queue::DEFAULT;
    const RETRY: Retry = Retry::exponential(10).from_secs(2).up_to_secs(300);
    const TIMEOUT: Duration = Duration::from_secs(3600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.bulk_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        loop {
            let mut tx = cx.keyed_tx().await?;
            if !jobs::hold(&mut tx, cx.lease).await? || cx.cancel.is_cancelled() {
                return Err(JobError::Release);
            }
            // a cancel waits for the contacts that are being changed
            let place: Option<Place> = sqlx::query_as(
                "update crm.bulk_changes set state = 'running'
                  where tenant_id = app.tenant_id() and id = $1 and state in ('queued', 'running')
                 returning act, label_id, filter, columns, after_id, done_count",
            )
            .bind(self.bulk_id)
            .fetch_optional(tx.conn())
            .await?;
            let Some(place) = place else { return Ok(Done::Now) };
            if !step(&mut tx, self.bulk_id, place).await? {
                end(&mut tx, self.bulk_id, "completed").await?;
                return Ok(Done::with(tx));
            }
            tell(&mut tx, self.bulk_id).await?;
            jobs::note_progress(&mut tx, cx.lease).await?;
            tx.commit().await?;
        }
    }
}

/// Changes the next contacts; false: there are no more.
async fn step(tx: &mut TenantTx, id: BulkId, place: Place) -> Result<bool, Error> {
    if place.act == Act::Export && place.columns.is_none() {
        let columns = export::attributes(tx, &place.filter).await?;
        keep_piece(tx, id, 0, &export::header(&columns)).await?;
        sqlx::query("update crm.bulk_changes set columns = $2 where tenant_id = app.tenant_id() and id = $1")
            .bind(id)
            .bind(Json(columns))
            .execute(tx.conn())
            .await?;
        return Ok(true);
    }
    let ids: Vec<ContactId> = sqlx::query_scalar("select m.id from crm.match_contacts($1, $2, $3) m")
        .bind(&place.filter)
        .bind(place.after_id)
        .bind(CHUNK)
        .fetch_all(tx.conn())
        .await?;
    let Some(last) = ids.last().copied() else { return Ok(false) };
    let changed = match place.act {
        Act::Label => label(tx, place.label_id, &ids).await?,
        Act::Unlabel => unlabel(tx, place.label_id, &ids).await?,
        Act::Delete => delete(tx, &ids).await?,
        Act::Export => {
            let columns = place.columns.map(|columns| columns.0).unwrap_or_default();
            let text = export::rows(tx, &ids, &columns).await?;
            keep_piece(tx, id, 1 + place.done_count / CHUNK, &text).await?;
            ids.len() as u64
        }
    };
    let (done, changed) = (ids.len() as i64, i64::try_from(changed).unwrap_or(i64::MAX));
    let kept = if place.act == Act::Delete { done - changed } else { 0 };
    sqlx::query(
        "update crm.bulk_changes set after_id = $2, done_count = done_count + $3, changed_count = changed_count + $4, kept_count = kept_count + $5
          where tenant_id = app.tenant_id() and id = $1",
    )
    .bind(id)
    .bind(last)
    .bind(done)
    .bind(changed)
    .bind(kept)
    .execute(tx.conn())
    .await?;
    Ok(true)
}

async fn label(tx: &mut TenantTx, label: Option<LabelId>, ids: &[ContactId]) -> Result<u64, Error> {
    let labelled = sqlx::query(
        "insert into crm.contact_label_links (label_id, contact_id)
           select $1, c.id from crm.contacts c where c.tenant_id = app.tenant_id() and c.id = any($2) order by c.id for key share
         on conflict do nothing",
    )
    .bind(label)
    .bind(ids)
    .execute(tx.conn())
    .await?;
    Ok(labelled.rows_affected())
}

async fn unlabel(tx: &mut TenantTx, label: Option<LabelId>, ids: &[ContactId]) -> Result<u64, Error> {
    let taken = sqlx::query(
        "delete from crm.contact_label_links where tenant_id = app.tenant_id() and label_id = $1 and contact_id = any($2)",
    )
    .bind(label)
    .bind(ids)
    .execute(tx.conn())
    .await?;
    Ok(taken.rows_affected())
}

/// Locked before their households are looked at, so that a member confirmed meanwhile is seen.
async fn delete(tx: &mut TenantTx, ids: &[ContactId]) -> Result<u64, Error> {
    sqlx::query(
        "select from crm.contacts c where c.tenant_id = app.tenant_id() and c.id = any($1) order by c.id for update",
    )
    .bind(ids)
    .execute(tx.conn())
    .await?;
    let deleted = sqlx::query(
        "delete from crm.contacts c
          where c.tenant_id = app.tenant_id() and c.id = any($1)
            and not exists (select from crm.household_members m where m.tenant_id = c.tenant_id and m.contact_id = c.id and m.is_confirmed)",
    )
    .bind(ids)
    .execute(tx.conn())
    .await?;
    Ok(deleted.rows_affected())
}

async fn keep_piece(tx: &mut TenantTx, id: BulkId, number: i64, text: &str) -> Result<(), Error> {
    sqlx::query("insert into crm.bulk_pieces (bulk_id, number, text) values ($1, $2, $3)")
        .bind(id)
        .bind(number)
        .bind(text)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Ends a change that has not ended, once.
async fn end(tx: &mut TenantTx, id: BulkId, state: &str) -> Result<bool, Error> {
    let ended = sqlx::query(
        "update crm.bulk_changes set state = $2, finished_at = app.now()
          where tenant_id = app.tenant_id() and id = $1 and state in ('queued', 'running')",
    )
    .bind(id)
    .bind(state)
    .execute(tx.conn())
    .await?
    .rows_affected()
        == 1;
    if ended {
        tell(tx, id).await?;
    }
    Ok(ended)
}

async fn tell(tx: &mut TenantTx, id: BulkId) -> Result<(), Error> {
    let bulk = get(tx, id).await?;
    let (tenant_id, id) = (tx.tenant_id(), id.uuid());
    let progress =
        JobProgress { subject: "bulk", id, state: bulk.state, done: bulk.done_count, total: bulk.total_count };
    events::emit(tx, tenant_id, &Event::JobProgress(progress)).await?;
    Ok(())
}

/// Follows the job however it ended: one that was given up leaves a change behind that nobody would ever end.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndBulk {
    /// The change.
    pub bulk_id: BulkId,
}

impl Job<App> for EndBulk {
    type Scope = Tenant;
    const KIND: &'static str = "contacts.end_bulk";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        // a no-op after an ordinary end
        end(&mut tx, self.bulk_id, "failed").await?;
        Ok(Done::with(tx))
    }
}
