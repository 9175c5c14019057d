//! How many conversations each tab of the inbox holds: exact at every look, and as cheap with a million of them as with ten.

use std::time::Duration;

use db::{Scope, TenantTx};
use jobs::{Cx, Done, Job, JobResult, KeyScope, Platform, Queue, UniqueKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{App, Error, access::users::UserId, queue};

/// Deltas folded by one statement.
const FOLDED_AT_ONCE: i64 = 20_000;

/// What the lists hold, each counted as the list of that filter shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = ConversationCounts)]
pub struct Counts {
    /// Of those assigned to whoever asks, those with something unread.
    pub mine_unread: i64,
    /// Of those that nobody has, those with something unread.
    pub unassigned_unread: i64,
    /// Those with something unread.
    pub all_unread: i64,
    /// Active ones of whoever asks.
    pub mine: i64,
    /// Active ones that nobody has.
    pub unassigned: i64,
    /// Active ones.
    pub active: i64,
    /// Those that are snoozed now.
    pub snoozed: i64,
    /// Archived ones.
    pub archived: i64,
    /// Closed ones.
    pub closed: i64,
}

/// The counters of now, for that user: one statement, so that they are of one moment.
pub async fn counts(tx: &mut TenantTx, reader: UserId) -> Result<Counts, Error> {
    Ok(sqlx::query_as(
        "with stand as (
           select z.state, z.assignee, sum(z.n) as n from (
             select c.state, c.assignee, c.count as n from crm.conversation_counts c where c.tenant_id = app.tenant_id()
             union all
             select d.state, d.assignee, d.delta from crm.conversation_deltas d where d.tenant_id = app.tenant_id()) z
            group by 1, 2),
         total as (
           select coalesce(sum(n) filter (where state = 'active'), 0)::bigint as active,
                  coalesce(sum(n) filter (where state = 'active' and assignee = $1), 0)::bigint as mine,
                  coalesce(sum(n) filter (where state = 'active' and assignee = '00000000-0000-0000-0000-000000000000'), 0)::bigint as unassigned,
                  coalesce(sum(n) filter (where state = 'archived'), 0)::bigint as archived,
                  coalesce(sum(n) filter (where state = 'closed'), 0)::bigint as closed
             from stand),
         asleep as (
           select count(*) as every, count(*) filter (where c.state = 'active') as active,
                  count(*) filter (where c.state = 'active' and c.assignee_id = $1) as mine,
                  count(*) filter (where c.state = 'active' and c.assignee_id is null) as unassigned
             from crm.conversations c where c.tenant_id = app.tenant_id() and c.snoozed_until is not null and c.snoozed_until > app.now()),
         unread as (
           select count(*) as every, count(*) filter (where u.assignee_id = $1) as mine, count(*) filter (where u.assignee_id is null) as unassigned
             from crm.unreads u where u.tenant_id = app.tenant_id() and u.user_id = $1)
         select unread.mine as mine_unread, unread.unassigned as unassigned_unread, unread.every as all_unread,
                total.mine - asleep.mine as mine, total.unassigned - asleep.unassigned as unassigned, total.active - asleep.active as active,
                asleep.every as snoozed, total.archived, total.closed
           from total, asleep, unread",
    )
    .bind(reader)
    .fetch_one(tx.conn())
    .await?)
}

/// Folds what the conversations' triggers have written since, and sweeps up presences that nobody came back to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fold {}

impl Job<App> for Fold {
    type Scope = Platform;
    const KIND: &'static str = "inbox.fold";
    const QUEUE: Queue = queue::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(120);
    const UNIQUE: KeyScope = KeyScope::WhileLive;

    fn unique_key(&self) -> Option<UniqueKey> {
        Some("all".into())
    }

    async fn run(self, cx: Cx<App, Platform>) -> JobResult {
        loop {
            let mut tx = cx.tx().await?;
            let folded: i64 = sqlx::query_scalar(
                "with gone as (
                   delete from crm.conversation_deltas where ctid = any(array(select ctid from crm.conversation_deltas limit $1))
                   returning tenant_id, state, assignee, delta),
                 added as (
                   insert into crm.conversation_counts (tenant_id, state, assignee, count)
                     select g.tenant_id, g.state, g.assignee, sum(g.delta) from gone g group by 1, 2, 3 order by 1, 2, 3
                   on conflict on constraint conversation_counts_pkey do update set count = crm.conversation_counts.count + excluded.count)
                 select count(*) from gone",
            )
            .bind(FOLDED_AT_ONCE)
            .fetch_one(tx.conn())
            .await?;
            if folded < FOLDED_AT_ONCE || cx.cancel.is_cancelled() {
                sqlx::query("delete from crm.presences where expires_at < app.now()").execute(tx.conn()).await?;
                return Ok(Done::with(tx));
            }
            tx.commit().await?;
        }
    }
}
