//! Who did what to the queue, and why. Each act of this module's neighbours writes its row in its own transaction, so that whoever
//! calls it can't forget to.

use chrono::{DateTime, Utc};
use db::{Actor, Page, PageOf, PlatformTx, Scope};
use serde::Serialize;
use utoipa::ToSchema;

/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// Who acts, and why.
#[derive(Debug, Clone)]
pub struct By {
    actor: Actor,
    reason: String,
}

impl By {
    /// Refuses a reason that says nothing, or more than fits.
    pub fn new(actor: Actor, reason: &str) -> Result<Self, Refused> {
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            return Err(Refused::Reason);
        }
        Ok(Self { actor, reason: reason.to_owned() })
    }
    /// Why, as it is kept.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
    /// As it is told of the job that it was done to.
    pub(super) fn told(&self, act: &str) -> String {
        format!("{act} by {}: {}", self.actor, self.reason)
    }
}

/// Why an act was not done. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such thing.
    #[error("there is no such thing")]
    NotFound,
    /// The job is at work.
    #[error("the job runs and can't be taken away from its worker: pause its lane, or wait")]
    JobRunning,
    /// The job waits, runs or has completed.
    #[error("only a discarded, quarantined or cancelled job can run again")]
    JobNotFailed,
    /// The job has completed, or was given up already.
    #[error("the job has ended already")]
    JobEnded,
    /// Another job took the unique key meanwhile.
    #[error("another job holds the unique key: that one does the work")]
    JobKeyHeld,
    /// The lane takes no jobs any more.
    #[error("the lane is cancelled: it takes no jobs, and there is no way back")]
    LaneCancelled,
    /// The batch takes no jobs any more.
    #[error("the batch is cancelled: it takes no jobs, and there is no way back")]
    BatchCancelled,
    /// All jobs of the batch have ended.
    #[error("the batch has completed: only a retry of its failures opens it again")]
    BatchCompleted,
    /// No job of the batch was discarded.
    #[error("none of the batch's jobs was discarded, and quarantined ones are run again one by one")]
    BatchWithoutFailures,
    /// The reason is missing or too long.
    #[error("say why, in 1 to {LONGEST_REASON} characters")]
    Reason,
    /// A limit that no gate can have.
    #[error("{field} must be {must}")]
    Limit {
        /// Which one.
        field: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// The database refused.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
}

/// What an act was done to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    Job(i64),
    Lane(i64),
    Gate(i64),
    Batch(i64),
    Schedule(&'a str),
    /// Of the tenant with that number; 0: the one that holds for all.
    Quota(i32),
}

impl Subject<'_> {
    fn parts(self) -> (&'static str, String) {
        match self {
            Self::Job(id) => ("job", id.to_string()),
            Self::Lane(id) => ("lane", id.to_string()),
            Self::Gate(id) => ("gate", id.to_string()),
            Self::Batch(id) => ("batch", id.to_string()),
            Self::Schedule(name) => ("schedule", name.to_owned()),
            Self::Quota(tenant_number) => ("quota", tenant_number.to_string()),
        }
    }
}

/// Writes the row of an act on something that is not the queue's own: a tenant, a plan, an operator. `tenant_number` says whose it is; 0: the platform's.
pub async fn note(
    tx: &mut PlatformTx,
    by: &By,
    act: &str,
    (subject, subject_id): (&str, &str),
    tenant_number: i32,
) -> Result<(), sqlx::Error> {
    write(tx, by, act, (subject, subject_id), tenant_number).await
}

/// Writes the row of an act that was done to a thing of that tenant.
pub(super) async fn record(
    tx: &mut PlatformTx,
    by: &By,
    act: &str,
    subject: Subject<'_>,
    tenant_number: i32,
) -> Result<(), sqlx::Error> {
    let (subject, id) = subject.parts();
    write(tx, by, act, (subject, &id), tenant_number).await
}

async fn write(
    tx: &mut PlatformTx,
    by: &By,
    act: &str,
    (subject, id): (&str, &str),
    tenant_number: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into jobs.audit (tenant_number, actor, act, subject, subject_id, reason) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant_number)
    .bind(by.actor.to_string())
    .bind(act)
    .bind(subject)
    .bind(id)
    .bind(&by.reason)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// One act.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Audit)]
pub struct AuditRow {
    /// Its id.
    pub id: i64,
    /// Whose thing it was; 0 is the platform. Absent in a tenant's own view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_number: Option<i32>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: `operator`, or `operator:…` with the id of a person.
    pub actor: String,
    /// retry, cancel, pause, resume, fire, `set_limits`, `close_breaker`, `set_quota`, `reset_quota`; of tenants create, change, suspend, activate,
    /// close, impersonate and `end_impersonation`; of plans and operators create, change, invite, disable and enable.
    pub act: String,
    /// job, lane, gate, batch, schedule, quota, tenant, plan or operator.
    pub subject: String,
    /// Which one; of a quota the tenant's number, of a plan its code.
    pub subject_id: String,
    /// Why.
    pub reason: String,
}

/// Acts, newest first; those on one sort of thing, or on one thing, where that is said.
pub async fn audit<S: Scope>(
    tx: &mut S,
    subject: Option<&str>,
    subject_id: Option<&str>,
    page: &PageOf<i64>,
) -> Result<Page<AuditRow>, sqlx::Error> {
    let rows = sqlx::query_as(
        "select id, case when $5 then tenant_number end as tenant_number, at, actor, act, subject, subject_id, reason
           from jobs.audit
          where ($1::bigint is null or id < $1) and ($2::text is null or subject = $2) and ($3::text is null or subject_id = $3)
          order by id desc limit $4",
    )
    .bind(page.after)
    .bind(subject)
    .bind(subject_id)
    .bind(page.fetch())
    .bind(S::SEES_ALL)
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &AuditRow| row.id))
}
