//! Who changed what about people, keys, lines, campaigns, contacts and the account. Triggers write it (migrations 0101, 0109, 0111), so that no way of changing something is forgotten; here it
//! is read, and the chain of its hashes is looked at. Nothing can change or remove a row: not a tenant, not the platform.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope, TenantTx};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::users::UserId;
use crate::{Error, contacts::import::report::write_row};

/// One change.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = AuditChange)]
pub struct Change {
    /// Its place in the account's chain, from 1.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: `user:…`, `key:…`, `job:…`, `hook:…`, `operator`, `operator:…` or `platform`.
    pub actor: String,
    /// The operator of the platform who did it in that user's place, `operator:…`.
    pub impersonator: Option<String>,
    /// create, change, delete or refuse.
    pub action: String,
    /// What sort of thing: user, role, session, api_key, invitation, line, campaign, contact, import, bulk_change, suppression, tenant, log_in and others.
    pub subject: String,
    /// Which one.
    pub subject_id: String,
    /// What has changed, as it was; a secret is `***`.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Json<Value>>,
    /// The same, as it is since.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Json<Value>>,
}

/// Whether the chain is whole.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = AuditVerification)]
pub struct Verification {
    /// Rows that were looked at.
    pub count: i64,
    /// The first row that was changed, or before which one is missing; none: it is whole.
    pub broken_at: Option<i64>,
}

/// The account's changes, newest first; all, or those of one sort or one thing.
pub async fn list(
    tx: &mut TenantTx,
    subject: Option<&str>,
    subject_id: Option<&str>,
    page: &PageOf<i64>,
) -> Result<Page<Change>, Error> {
    let changes: Vec<Change> = sqlx::query_as(
        "select a.seq, a.at, a.actor, a.impersonator, a.action, a.subject, a.subject_id, a.before, a.after from crm.audit a
          where a.tenant_id = app.tenant_id() and ($1::text is null or a.subject = $1) and ($2::text is null or a.subject_id = $2)
            and ($3::bigint is null or a.seq < $3)
          order by a.seq desc limit $4",
    )
    .bind(subject)
    .bind(subject_id)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(changes, |change| change.seq))
}

/// A row of the chain as it leaves in a file, with what proves it.
#[derive(Debug, sqlx::FromRow)]
pub struct Link {
    /// The change.
    #[sqlx(flatten)]
    pub change: Change,
    /// Its hash, over the one before it and itself, as hex.
    pub hash: String,
}

/// Rows of the chain from the oldest on, after that number.
pub async fn links(
    tx: &mut TenantTx,
    of: (Option<&str>, Option<&str>),
    after: i64,
    limit: i64,
) -> Result<Vec<Link>, Error> {
    Ok(sqlx::query_as(
        "select a.seq, a.at, a.actor, a.impersonator, a.action, a.subject, a.subject_id, a.before, a.after, encode(a.hash, 'hex') as hash from crm.audit a
          where a.tenant_id = app.tenant_id() and ($1::text is null or a.subject = $1) and ($2::text is null or a.subject_id = $2) and a.seq > $3
          order by a.seq limit $4",
    )
    .bind(of.0)
    .bind(of.1)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?)
}

/// The first line of a file of changes.
pub const FILE_HEADER: &str = "\u{feff}seq,at,actor,impersonator,action,subject,subject_id,before,after,hash\r\n";

/// The lines of these, safe to open in a spreadsheet.
#[must_use]
pub fn lines(links: &[Link]) -> String {
    let mut out = String::new();
    let told = |value: &Option<Json<Value>>| value.as_ref().map(|value| value.0.to_string()).unwrap_or_default();
    for Link { change, hash } in links {
        let cells: [&str; 10] = [
            &change.seq.to_string(),
            &change.at.to_rfc3339(),
            &change.actor,
            change.impersonator.as_deref().unwrap_or_default(),
            &change.action,
            &change.subject,
            &change.subject_id,
            &told(&change.before),
            &told(&change.after),
            hash,
        ];
        write_row(&mut out, cells);
    }
    out
}

/// Goes through the whole chain. A row that was taken off its end leaves no trace in it: keep the number of the last one elsewhere.
pub async fn verify(tx: &mut TenantTx) -> Result<Verification, Error> {
    Ok(sqlx::query_as(
        "select count(*) as count, min(z.seq) filter (where not z.is_right) as broken_at from (
           select a.seq, a.seq = row_number() over w and a.hash = crm.audit_hash(lag(a.hash) over w, a) as is_right
             from crm.audit a where a.tenant_id = app.tenant_id() window w as (order by a.seq)) z",
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Takes the tenant's turn in the chain before the first change that is written into it: for what touches, on its way there, rows that others touch only after
/// they have it.
pub(super) async fn take_turn(tx: &mut TenantTx) -> Result<(), Error> {
    sqlx::query("select pg_advisory_xact_lock(7245, hashtext(app.tenant_id()::text))").execute(tx.conn()).await?;
    Ok(())
}

/// Writes down that a log-in of somebody known was refused, and by what.
pub(super) async fn refused(
    tx: &mut PlatformTx,
    (tenant_id, user_id): (Uuid, UserId),
    by: &'static str,
    (address, user_agent): (&str, Option<&str>),
) -> Result<(), Error> {
    let after = json!({ "by": by, "ip": address, "user_agent": user_agent });
    sqlx::query("select crm.append_audit($1, 'refuse', 'log_in', $2::text, null, $3)")
        .bind(tenant_id)
        .bind(user_id.to_string())
        .bind(Json(after))
        .execute(tx.conn())
        .await?;
    Ok(())
}
