//! What somebody may ask of what is kept about them: a copy of all of it, or that it is gone. Each is a job that goes on where it was; what was asked,
//! by whom and what came of it stays on record, without anything that was said.

mod archive;
mod card_numbers;
mod cards;
mod erase;
mod export;
mod files;
mod prune;
mod traces;

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobError, JobResult, Queue, Tenant};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) use self::cards::mask;
pub use self::{erase::EraseContact, export::ExportContact, files::SweepFiles, prune::Prune};
use crate::{
    App, Error,
    access::Caller,
    contacts::contact::ContactId,
    events::{self, Event, JobProgress},
    queue,
};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = PrivacyKind)]
pub enum Kind {
    /// A copy of all that is kept about a contact.
    Export,
    /// That all of it is gone.
    Erase,
}

/// A request of somebody about what is kept of them.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = PrivacyRequest)]
pub struct Request {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: RequestId,
    /// What is asked.
    pub kind: Kind,
    /// queued, running, completed or failed.
    pub state: String,
    /// The contact; after an erase nobody has that id.
    #[schema(value_type = Uuid)]
    pub contact_id: ContactId,
    /// Messages and notes that were copied or erased.
    pub message_count: i64,
    /// Files that were.
    pub file_count: i64,
    /// Places in campaigns that were.
    pub recipient_count: i64,
    /// Archives that an export has written, each with a part of the files.
    pub part_count: i32,
    /// Until when they can be fetched.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who asked.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}
/// The id of a request.
pub type RequestId = Id<Request>;

/// Whom a request is about, while it runs.
#[derive(Debug, sqlx::FromRow)]
struct Subject {
    contact_id: ContactId,
    addresses: Vec<String>,
    conversation_ids: Vec<Uuid>,
    created_at: DateTime<Utc>,
}

/// Asks for a copy.
pub async fn export(tx: &mut TenantTx, contact: ContactId) -> Result<Request, Error> {
    let id = begin(tx, Kind::Export, contact).await?;
    let batch = jobs::batch::open::<App, _>(tx, "privacy.export", &EndRequest { request_id: id }).await?;
    let job = ExportContact { request_id: id };
    Enqueue::<App, _>::new().lane(format!("privacy/{id}")).batch(batch).one(tx, &job).await?;
    jobs::batch::seal(tx, batch).await?;
    get(tx, id).await
}

/// Asks that all is gone. From here on nothing more is sent to the contact, and nobody sees it in the list; it takes a proof.
pub async fn erase(tx: &mut TenantTx, caller: &Caller, contact: ContactId) -> Result<Request, Error> {
    caller.require_proof(tx.now())?;
    let id = begin(tx, Kind::Erase, contact).await?;
    let subject = subject(tx, id).await?.ok_or(Error::NotFound)?;
    erase::withdraw(tx, &subject).await?;
    let batch = jobs::batch::open::<App, _>(tx, "privacy.erase", &EndRequest { request_id: id }).await?;
    let job = EraseContact { request_id: id };
    Enqueue::<App, _>::new().lane(format!("privacy/{id}")).batch(batch).one(tx, &job).await?;
    jobs::batch::seal(tx, batch).await?;
    get(tx, id).await
}

/// A conversation that is somebody else's by now stays theirs, whatever its address.
async fn begin(tx: &mut TenantTx, kind: Kind, contact: ContactId) -> Result<RequestId, Error> {
    let addresses: Vec<String> = sqlx::query_scalar(
        "select array_remove(array[k.phone, k.second_phone, k.email], null) from crm.contacts k
          where k.tenant_id = app.tenant_id() and k.id = $1 for update",
    )
    .bind(contact)
    .fetch_one(tx.conn())
    .await?;
    let id = RequestId::new();
    sqlx::query(
        "insert into crm.privacy_requests (id, kind, contact_id, addresses, conversation_ids)
         values ($1, $2, $3, $4, array(
           select c.id from crm.conversations c where c.tenant_id = app.tenant_id() and c.contact_id = $3 and c.kind = 'direct'
           union
           select c.id from crm.lines l
             join crm.conversations c on c.tenant_id = l.tenant_id and c.line_id = l.id and c.address = any($4) and c.contact_id is null
            where l.tenant_id = app.tenant_id()))",
    )
    .bind(id)
    .bind(kind)
    .bind(contact)
    .bind(addresses)
    .execute(tx.conn())
    .await
    .map_err(|error| match db::constraint::violated(&error) {
        Some("privacy_requests_live") => Error::conflict("privacy_request_runs", "this is being done already"),
        _ => error.into(),
    })?;
    Ok(id)
}

/// One request.
pub async fn get(tx: &mut TenantTx, id: RequestId) -> Result<Request, Error> {
    Ok(sqlx::query_as(
        "select r.id, r.kind, r.state, r.contact_id, r.message_count, r.file_count, r.recipient_count, r.part_count, r.expires_at, r.created_by, r.created_at, r.finished_at
           from crm.privacy_requests r where r.tenant_id = app.tenant_id() and r.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?)
}

/// The requests, newest first.
pub async fn list(tx: &mut TenantTx, page: &PageOf<RequestId>) -> Result<Page<Request>, Error> {
    let rows: Vec<Request> = sqlx::query_as(
        "select r.id, r.kind, r.state, r.contact_id, r.message_count, r.file_count, r.recipient_count, r.part_count, r.expires_at, r.created_by, r.created_at, r.finished_at
           from crm.privacy_requests r where r.tenant_id = app.tenant_id() and ($1::uuid is null or r.id < $1) order by r.id desc limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// The file of an archive of an export, its size in bytes; archives count from 1.
pub async fn part(tx: &mut TenantTx, id: RequestId, number: i64) -> Result<(Uuid, i64), Error> {
    Ok(sqlx::query_as(
        "select p.id, p.byte_count from crm.privacy_parts p
           join crm.privacy_requests r on r.tenant_id = p.tenant_id and r.id = p.request_id
          where p.tenant_id = app.tenant_id() and p.request_id = $1 and p.number = $2 and r.state = 'completed' and r.expires_at > app.now()",
    )
    .bind(id)
    .bind(number)
    .fetch_one(tx.conn())
    .await?)
}

/// A transaction of a step, as long as the job is this worker's.
async fn begin_step(cx: &Cx<App, Tenant>) -> Result<TenantTx, JobError> {
    let mut tx = cx.tx().await?;
    if !jobs::hold(&mut tx, cx.lease).await? || cx.cancel.is_cancelled() {
        return Err(JobError::Release);
    }
    jobs::note_progress(&mut tx, cx.lease).await?;
    Ok(tx)
}

/// Groups in which the contact has written.
async fn groups(tx: &mut TenantTx, subject: &Subject) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar(
        "select c.id from crm.conversations c
          where c.tenant_id = app.tenant_id() and c.kind = 'group'
            and exists (select from crm.messages m where m.tenant_id = c.tenant_id and m.conversation_id = c.id and m.sender = any($1))
          order by c.id",
    )
    .bind(&subject.addresses)
    .fetch_all(tx.conn())
    .await?)
}

/// Whom a request that has not ended is about.
async fn subject(tx: &mut TenantTx, id: RequestId) -> Result<Option<Subject>, Error> {
    Ok(sqlx::query_as(
        "update crm.privacy_requests r set state = 'running'
          where r.tenant_id = app.tenant_id() and r.id = $1 and r.state in ('queued', 'running')
         returning r.contact_id, r.addresses, r.conversation_ids, r.created_at",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?)
}

/// Counts what a step has done.
async fn count(tx: &mut TenantTx, id: RequestId, messages: u64, files: usize, recipients: u64) -> Result<(), Error> {
    let figure = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query(
        "update crm.privacy_requests r set message_count = r.message_count + $2, file_count = r.file_count + $3, recipient_count = r.recipient_count + $4
          where r.tenant_id = app.tenant_id() and r.id = $1",
    )
    .bind(id)
    .bind(figure(messages))
    .bind(figure(files as u64))
    .bind(figure(recipients))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a request that has not ended, and tells so. What it was found by is kept no longer.
async fn end(tx: &mut TenantTx, id: RequestId, state: &str) -> Result<(), Error> {
    let ended = sqlx::query(
        "update crm.privacy_requests r set state = $2, addresses = '{}', conversation_ids = '{}', finished_at = app.now()
          where r.tenant_id = app.tenant_id() and r.id = $1 and r.state in ('queued', 'running')",
    )
    .bind(id)
    .bind(state)
    .execute(tx.conn())
    .await?;
    if ended.rows_affected() == 1 {
        let (tenant_id, id) = (tx.tenant_id(), id.uuid());
        let progress = JobProgress { subject: "privacy_request", id, state: state.to_owned(), done: 1, total: 1 };
        events::emit(tx, tenant_id, &Event::JobProgress(progress)).await?;
    }
    Ok(())
}

/// Follows the job however it ended: one that was given up leaves a request behind that nobody would ever end.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndRequest {
    /// The request.
    pub request_id: RequestId,
}

impl Job<App> for EndRequest {
    type Scope = Tenant;
    const KIND: &'static str = "privacy.end_request";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        // a no-op after an ordinary end
        end(&mut tx, self.request_id, "failed").await?;
        Ok(Done::with(tx))
    }
}
