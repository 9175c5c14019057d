//! The job that reads an upload row by row. Every transaction moves the rows and the place behind them together, so a job that dies
//! goes on where it was, and no row is taken twice.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Job, JobError, JobResult, KeyScope, Queue, Retry, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::{
    batch::{self, Batch},
    map::Mapping,
    progress::{self, ImportId, Mode},
    rows::{Format, Position, RowReader},
    stage::{self, Standing},
    start::CHUNK_BYTES,
};
use crate::{
    App, Error,
    events::{self, Event, JobProgress},
    phone::Region,
    queue,
};

/// Faults of ours that a retry may mend are tried this often before the import is given up.
const ATTEMPTS: i16 = 3;
/// Progress is told no more often.
const PACE: Duration = Duration::from_millis(500);

/// Turns the rows of an upload into contacts.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunImport {
    /// The import.
    pub import_id: ImportId,
}

impl Job<App> for RunImport {
    type Scope = Tenant;
    const KIND: &'static str = "contacts.run_import";
    const QUEUE: Queue = queue::IMPORT;
    const RETRY: Retry = Retry::exponential(10).from_secs(2).up_to_secs(300);
    const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some(self.import_id.into())
    }

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        match self.work(&cx).await {
            Ok(done) => Ok(done),
            Err(Stop::Release) => Err(JobError::Release),
            Err(Stop::Error(error)) => {
                let may_pass = matches!(error, Error::Unavailable);
                let is_final = matches!(error, Error::PlanLimit(_));
                if is_final || cx.is_last_attempt() || (!may_pass && cx.attempt >= ATTEMPTS) {
                    self.fail(&cx, &error).await?;
                    return Err(JobError::discard(format!("the import failed: {error:#}")));
                }
                Err(JobError::retry(format!("{error:#}")))
            }
        }
    }
}

/// Why the work stopped before the end.
enum Stop {
    /// The job is no longer ours, or the process ends.
    Release,
    /// Something went wrong.
    Error(Error),
}
impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// How the upload is read, and from where on.
#[derive(sqlx::FromRow)]
struct Plan {
    mode: Mode,
    mapping: Json<BTreeMap<String, super::map::Field>>,
    encoding: String,
    delimiter: String,
    has_header: bool,
    header: Json<Vec<String>>,
    region: String,
    byte_count: i64,
    byte_offset: i64,
    line_number: i64,
}

/// The reader and what it reads by; travels to the threads for work and back.
pub(super) struct Reading {
    pub(super) rows: RowReader,
    mapping: Mapping,
    region: Region,
}

impl RunImport {
    async fn work(&self, cx: &Cx<App, Tenant>) -> Result<Done, Stop> {
        let Some(plan) = self.begin(cx).await? else { return Ok(Done::Now) };
        let (mut reading, start) = open(&plan)?;
        let mut told = Instant::now();
        let chunk_bytes = CHUNK_BYTES as u64;
        let (first, last) = (start.offset / chunk_bytes, (plan.byte_count.max(1) as u64 - 1) / chunk_bytes);
        for number in first..=last {
            let mut bytes = self.chunk(cx, number).await?;
            if number == first {
                let passed = usize::try_from(start.offset % chunk_bytes).unwrap_or(0);
                bytes.drain(..passed.min(bytes.len()));
            }
            reading.rows.push(&bytes);
            drop(bytes);
            if number == last {
                reading.rows.finish();
            }
            loop {
                let (back, batch) = next(reading).await;
                reading = back;
                let Some(batch) = batch else { break };
                self.commit(cx, plan.mode, batch, &mut told).await?;
            }
        }
        self.complete(cx).await
    }

    /// Marks the import as running; none: it has ended, or is gone.
    async fn begin(&self, cx: &Cx<App, Tenant>) -> Result<Option<Plan>, Stop> {
        let mut tx = self.tx(cx).await?;
        let plan = sqlx::query_as(
            "update crm.imports
             set state = 'running', started_at = coalesce(started_at, app.now())
             where tenant_id = app.tenant_id() and id = $1 and state in ('queued', 'running')
             returning mode, mapping, encoding, delimiter, has_header, header, region, byte_count, byte_offset, line_number",
        )
        .bind(self.import_id)
        .fetch_optional(tx.conn())
        .await?;
        tx.commit().await?;
        Ok(plan)
    }

    /// A transaction in which the lease is proven and kept.
    async fn tx(&self, cx: &Cx<App, Tenant>) -> Result<TenantTx, Stop> {
        if cx.cancel.is_cancelled() {
            return Err(Stop::Release);
        }
        let mut tx = cx.keyed_tx().await?;
        if jobs::hold(&mut tx, cx.lease).await? { Ok(tx) } else { Err(Stop::Release) }
    }

    async fn chunk(&self, cx: &Cx<App, Tenant>, number: u64) -> Result<Vec<u8>, Stop> {
        let mut tx = cx.tx().await?;
        let bytes: Option<Vec<u8>> = sqlx::query_scalar(
            "select bytes from crm.upload_chunks where tenant_id = app.tenant_id() and import_id = $1 and number = $2",
        )
        .bind(self.import_id)
        .bind(i32::try_from(number).unwrap_or(i32::MAX))
        .fetch_optional(tx.conn())
        .await?;
        let bytes = bytes.with_context(|| format!("chunk {number} of the upload is missing"))?;
        Ok(bytes)
    }

    async fn commit(&self, cx: &Cx<App, Tenant>, mode: Mode, batch: Batch, told: &mut Instant) -> Result<(), Stop> {
        let mut tx = self.tx(cx).await?;
        let standing = stage::write(&mut tx, self.import_id, mode, batch).await?;
        jobs::note_progress(&mut tx, cx.lease).await?;
        if told.elapsed() >= PACE {
            *told = Instant::now();
            tell(&mut tx, self.import_id, "running", &standing).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The end, the removal of the upload and the job's completion are one commit.
    async fn complete(&self, cx: &Cx<App, Tenant>) -> Result<Done, Stop> {
        let mut tx = self.tx(cx).await?;
        end(&mut tx, self.import_id, "completed", None).await?;
        Ok(Done::with(tx))
    }

    /// Says on the import why it stopped. What it had read stays, and its counters say how much that was.
    async fn fail(&self, cx: &Cx<App, Tenant>, error: &Error) -> Result<(), JobError> {
        let mut tx = match self.tx(cx).await {
            Ok(tx) => tx,
            Err(Stop::Release) => return Err(JobError::Release),
            Err(Stop::Error(error)) => return Err(error.into()),
        };
        end(&mut tx, self.import_id, "failed", Some(error.code())).await?;
        Ok(tx.commit().await?)
    }
}

async fn tell(tx: &mut TenantTx, id: ImportId, state: &str, standing: &Standing) -> Result<(), sqlx::Error> {
    let done = standing.row_count;
    let total = progress::estimate(done, standing.byte_offset, standing.byte_count);
    let (id, state) = (id.uuid(), state.to_owned());
    let tenant_id = tx.tenant_id();
    events::emit(tx, tenant_id, &Event::JobProgress(JobProgress { subject: "import", id, state, done, total })).await
}

/// Ends an import that runs, once, and removes its upload.
async fn end(tx: &mut TenantTx, id: ImportId, state: &str, failure_code: Option<&str>) -> Result<(), sqlx::Error> {
    let standing: Option<Standing> =
        sqlx::query_as(
            "update crm.imports
         set state = $2, failure_code = $3, failure_detail = $4, finished_at = app.now(),
           byte_offset = case when $2 = 'completed' then byte_count else byte_offset end
         where tenant_id = app.tenant_id() and id = $1 and state = 'running'
         returning row_count, byte_offset, byte_count",
        )
        .bind(id)
        .bind(state)
        .bind(failure_code)
        .bind(failure_code.map(
            |_| "the import stopped because of a fault on our side; the rows counted were taken, the others were not",
        ))
        .fetch_optional(tx.conn())
        .await?;
    let Some(standing) = standing else { return Ok(()) };
    sqlx::query("delete from crm.upload_chunks where tenant_id = app.tenant_id() and import_id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    tell(tx, id, state, &standing).await
}

/// Follows the job however it ended. One that was discarded without a word (its workers died over it, an operator cancelled it) leaves an
/// import behind that nobody would ever end.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndImport {
    /// The import.
    pub import_id: ImportId,
}

impl Job<App> for EndImport {
    type Scope = Tenant;
    const KIND: &'static str = "contacts.end_import";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        // a no-op after an ordinary end
        sqlx::query("update crm.imports set state = 'running' where tenant_id = app.tenant_id() and id = $1 and state = 'queued'")
            .bind(self.import_id)
            .execute(tx.conn())
            .await?;
        end(&mut tx, self.import_id, "failed", Some("job_given_up")).await?;
        Ok(Done::with(tx))
    }
}

/// How a queued upload is read from its beginning, for a trial.
pub(super) async fn open_for(tx: &mut TenantTx, id: ImportId) -> Result<(Reading, Mode), Error> {
    let plan: Plan = sqlx::query_as(
        "select mode, mapping, encoding, delimiter, has_header, header, region, byte_count, byte_offset, line_number
           from crm.imports where tenant_id = app.tenant_id() and id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok((open(&plan)?.0, plan.mode))
}

fn open(plan: &Plan) -> Result<(Reading, Position), Error> {
    let encoding = plan.encoding.parse().map_err(anyhow::Error::new::<super::decode::EncodingError>)?;
    let delimiter = plan.delimiter.bytes().next().unwrap_or(b',');
    let columns = Some(plan.header.len());
    let format = Format { encoding, delimiter, has_header: plan.has_header, columns };
    let (offset, line) = (plan.byte_offset.unsigned_abs(), plan.line_number.unsigned_abs());
    let start = Position { offset, line };
    let mapping = Mapping::from_request(&plan.header, &plan.mapping).context("the stored mapping does not fit")?;
    let region = plan.region.parse().map_err(anyhow::Error::new::<crate::phone::RegionError>)?;
    Ok((Reading { rows: RowReader::new(format, start), mapping, region }, start))
}

/// Reading phones takes the processor for milliseconds at a time, so it is done where nobody else waits.
pub(super) async fn next(mut reading: Reading) -> (Reading, Option<Batch>) {
    let work = move || {
        let batch = batch::next(&mut reading.rows, &reading.mapping, reading.region);
        (reading, batch)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(read) => read,
        Err(fault) => std::panic::resume_unwind(fault.into_panic()),
    }
}
