//! The outbox of campaigns: a recipient's row is marked before its call and gets its result after it, many rows a statement. A mark
//! rechecks everything that may have changed since the job was made: lease, lane, campaign, consent.

use std::time::Duration;

use chrono::{DateTime, Utc};
use db::{PlatformTx, Scope};
use jobs::{GroupError, Lease};
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

use super::{hours::Window, quiet::Rule};
use crate::{
    events::{self, Event, MessageStatus},
    messaging::{call::Ending, lines::LineId},
    reactions,
};

/// A recipient to be read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Whose.
    pub tenant_number: i32,
    /// The recipient.
    pub recipient_id: Uuid,
}

/// What a send needs to know.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Loaded {
    ord: i64,
    /// The address frozen at launch.
    pub address: Option<String>,
    /// What the template may name, frozen at launch.
    pub variables: Json<BTreeMap<String, String>>,
    /// The text of now.
    pub body: String,
    /// The line.
    pub line_id: LineId,
    /// The chat as the gateway spells it, where it is known.
    pub chat_guid: Option<String>,
    /// Sends made again because the first could not be confirmed.
    pub resent_count: i16,
    /// draft, active, paused, completed or cancelled.
    pub campaign_state: String,
    /// pending, or what has become of it since.
    pub state: String,
    /// The zones the contact may be in, frozen at launch; none: that of the line.
    pub zones: Option<String>,
    /// The regions the contact is in, frozen at launch, by commas.
    pub regions: Option<String>,
    /// The tenant's zone.
    pub time_zone: String,
    /// That of the line: of its organization, where that has set one.
    pub line_zone: Option<String>,
    /// The tenant's own quiet hours of now.
    pub quiet_rules: Json<Vec<Rule>>,
    /// Days and hours in which the campaign sends.
    pub window: Option<Json<Window>>,
    /// Whether the quiet hours hold.
    pub quiet_hours: bool,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Reads recipients, one answer a wish.
pub(crate) async fn load(mut tx: PlatformTx, wanted: Vec<Wanted>) -> Result<Vec<Option<Loaded>>, GroupError> {
    let rows: Vec<Loaded> = sqlx::query_as(
        // `offset 0` keeps each look-up by its own key: without statistics the planner would take all recipients of the campaign instead
        "select u.ord, r.address, r.variables, c.body, c.line_id, v.chat_guid, r.resent_count, c.state as campaign_state,
                r.state, r.zones, r.regions, t.time_zone, o.zone as line_zone, t.quiet_hours as quiet_rules, c.sending_window as window, c.quiet_hours, app.now() as now
           from unnest($1::int[], $2::uuid[]) with ordinality u(tenant_number, id, ord)
           join crm.tenants t on t.number = u.tenant_number
           cross join lateral (select x.* from crm.recipients x where x.tenant_id = t.id and x.id = u.id offset 0) r
           cross join lateral (select x.* from crm.campaigns x where x.tenant_id = t.id and x.id = r.campaign_id offset 0) c
           left join lateral (select x.chat_guid from crm.conversations x where x.tenant_id = t.id and x.line_id = c.line_id and x.address = r.address offset 0) v on true
           left join lateral (select s.value #>> '{}' as zone from crm.lines x join crm.settings s on s.tenant_id = x.tenant_id and s.organization_id = x.organization_id
                               where x.tenant_id = t.id and x.id = c.line_id and s.key = 'locale.time_zone' offset 0) o on true",
    )
    .bind(wanted.iter().map(|row| row.tenant_number).collect::<Vec<_>>())
    .bind(wanted.iter().map(|row| row.recipient_id).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    let mut answers: Vec<Option<Loaded>> = wanted.iter().map(|_| None).collect();
    for row in rows {
        let place = usize::try_from(row.ord - 1).unwrap_or(usize::MAX);
        if let Some(answer) = answers.get_mut(place) {
            *answer = Some(row);
        }
    }
    Ok(answers)
}

/// Whether messages have been proven to be out while their calls still wait.
pub(crate) async fn proof(mut tx: PlatformTx, wanted: Vec<Wanted>) -> Result<Vec<bool>, GroupError> {
    Ok(sqlx::query_scalar(
        "select coalesce(r.state in ('sent', 'delivered', 'read'), false)
           from unnest($1::int[], $2::uuid[]) with ordinality u(tenant_number, id, ord)
           join crm.tenants t on t.number = u.tenant_number
           left join crm.recipients r on r.tenant_id = t.id and r.id = u.id
          order by u.ord",
    )
    .bind(wanted.iter().map(|row| row.tenant_number).collect::<Vec<_>>())
    .bind(wanted.iter().map(|row| row.recipient_id).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?)
}

/// A mark to be made.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Whose.
    pub tenant_number: i32,
    /// The recipient.
    pub recipient_id: Uuid,
    /// The lease under which the call will be made.
    pub lease: Lease,
    /// The lane the job came by.
    pub lane_id: i64,
    /// The template that was rendered; a changed one makes the mark stale.
    pub template: String,
    /// The rendered text.
    pub text: String,
    /// The conversation's row, where there is none yet.
    pub conversation_id: Uuid,
    /// Our id of the message at the gateway.
    pub client_guid: String,
    /// Until when it may be sent, by the hours that were read; none: it heeds no clock.
    pub open_until: Option<DateTime<Utc>>,
    /// The account's own quiet hours that were heeded; others by now make the mark stale.
    pub quiet_rules: String,
}

/// What a mark came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Marked: make the call.
    Go,
    /// The lane or the campaign is paused or cancelled: give the job back.
    Shut,
    /// The tenant is suspended or closed, and its gates are held: what was leased before waits.
    Still,
    /// The text or the hours have changed since they were read, or the hours are over: read again.
    Stale,
    /// Its job had been given up, and the recipient has failed with it: take it back and read again.
    GivenUp,
    /// Nothing is left to do: sent, skipped, cancelled or failed already, or not wanted any more.
    Over,
    /// A worker died between the mark and the result: nobody knows whether the call was made.
    InDoubt,
    /// The lease is lost.
    Lost,
}

#[derive(sqlx::FromRow)]
struct Marked {
    verdict: String,
    tenant_number: i32,
    campaign_id: Option<Uuid>,
    line_id: Option<Uuid>,
    resolve_after_s: Option<i32>,
}

/// Marks recipients as being sent, with their conversation and message rows.
pub(crate) async fn mark(
    mut tx: PlatformTx,
    lately: &reactions::Lately,
    marks: Vec<Mark>,
) -> Result<Vec<Verdict>, GroupError> {
    let rows: Vec<Marked> = sqlx::query_as(
        "with a as materialized (
           select u.*, t.id as tenant_id, t.quiet_hours, t.state in ('suspended', 'closed') as is_still from unnest($1::int[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::uuid[], $9::text[], $11::timestamptz[], $12::text[])
             with ordinality u(tenant_number, recipient_id, job_id, fence, lane_id, template, text, conversation_id, client_guid, open_until, quiet_rules, ord)
           join crm.tenants t on t.number = u.tenant_number),
         r as materialized (
           select r.* from crm.recipients r join a on a.tenant_id = r.tenant_id and a.recipient_id = r.id order by r.id for update of r),
         v as materialized (
           select a.*, r.campaign_id, r.address, r.contact_id, c.line_id, n.resolve_after_s,
             case
               when not jobs.is_held(a.job_id, a.fence, $10) then 'lost'
               when r.state = 'sending' and r.sending_fence is distinct from a.fence then 'in_doubt'
               when r.state = 'failed' and r.reason = 'job_given_up' and c.state <> 'cancelled' then 'given_up'
               when r.state not in ('pending', 'sending') then 'over'
               when c.state <> 'active' or l.paused_at is not null or l.cancelled_at is not null then 'shut'
               when a.is_still then 'still'
               when c.body <> a.template then 'stale'
               when r.state = 'pending' and (a.open_until <= app.now() or c.quiet_hours and a.quiet_hours <> a.quiet_rules::jsonb) then 'stale'
               when s.reason is not null then 'suppressed'
               when c.ends_at <= app.now() then 'late'
               else 'go' end as verdict, s.reason as suppressed
             from a
             join r on r.tenant_id = a.tenant_id and r.id = a.recipient_id
             join crm.campaigns c on c.tenant_id = r.tenant_id and c.id = r.campaign_id
             join crm.lines n on n.tenant_id = c.tenant_id and n.id = c.line_id
             join jobs.lanes l on l.id = a.lane_id
             left join lateral (select s.reason from crm.suppressions s where s.tenant_id = r.tenant_id and s.address = r.address order by s.reason desc limit 1) s on true),
         conv as (
           insert into crm.conversations (tenant_id, id, line_id, address, contact_id, last_message_at)
             select distinct on (v.tenant_id, v.line_id, v.address) v.tenant_id, v.conversation_id, v.line_id, v.address,
                    -- the contact may have been deleted since the launch
                    (select k.id from crm.contacts k where k.tenant_id = v.tenant_id and k.id = v.contact_id), app.now()
               from v where v.verdict = 'go' order by v.tenant_id, v.line_id, v.address
           on conflict (tenant_id, line_id, address) do update set last_message_at = excluded.last_message_at
           returning tenant_id, id, line_id, address),
         msg as (
           insert into crm.messages (tenant_id, id, conversation_id, line_id, direction, source, address, body, status, client_guid, sending_at, created_at)
             select v.tenant_id, v.recipient_id, conv.id, v.line_id, 'outbound', 'campaign', v.address, v.text, 'sending', v.client_guid, app.now(), app.now()
               from v join conv on conv.tenant_id = v.tenant_id and conv.line_id = v.line_id and conv.address = v.address
              where v.verdict = 'go' order by v.recipient_id
           on conflict (tenant_id, id) do update set body = excluded.body, status = 'sending', reason = null, client_guid = excluded.client_guid, sending_at = excluded.sending_at),
         rec as (
           update crm.recipients r set
               state = case v.verdict when 'go' then 'sending' when 'in_doubt' then 'unknown' else 'skipped' end,
               reason = case v.verdict when 'go' then null when 'in_doubt' then 'worker_died' when 'late' then 'deadline_passed' else v.suppressed end,
               sending_at = case when v.verdict = 'go' then app.now() else r.sending_at end,
               sending_fence = case when v.verdict = 'go' then v.fence else r.sending_fence end
             from v where r.tenant_id = v.tenant_id and r.id = v.recipient_id and v.verdict in ('go', 'in_doubt', 'suppressed', 'late')),
         gone as (
           -- one whose call was to be made again
           update crm.messages x set status = 'cancelled', reason = case v.verdict when 'late' then 'deadline_passed' else v.suppressed end
             from v where v.verdict in ('suppressed', 'late') and x.tenant_id = v.tenant_id and x.id = v.recipient_id and x.status = 'queued'),
         doubt as (
           update crm.messages x set status = crm.next_status(x.status, 'unknown'), reason = 'worker_died'
             from v where v.verdict = 'in_doubt' and x.tenant_id = v.tenant_id and x.id = v.recipient_id)
         select coalesce(v.verdict, 'over') as verdict, a.tenant_number, v.campaign_id, v.line_id, v.resolve_after_s
           from a left join v on v.ord = a.ord order by a.ord",
    )
    .bind(marks.iter().map(|row| row.tenant_number).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.recipient_id).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.lease.job_id).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.lease.fence).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.lane_id).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.template.as_str()).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.text.as_str()).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.conversation_id).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.client_guid.as_str()).collect::<Vec<_>>())
    .bind(marks.first().map(|row| row.lease.process))
    .bind(marks.iter().map(|row| row.open_until).collect::<Vec<_>>())
    .bind(marks.iter().map(|row| row.quiet_rules.as_str()).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    // a result follows each mark and asks for the progress in any case, so of marks it is asked for only now and then
    let moved = rows.iter().filter_map(|row| Some((row.verdict.as_str(), (row.tenant_number, row.campaign_id?))));
    let moved: BTreeSet<(i32, Uuid)> = moved
        .filter(|(verdict, _)| matches!(*verdict, "go" | "in_doubt" | "suppressed" | "late"))
        .filter(|(verdict, campaign)| *verdict != "go" || lately.is_due(*campaign))
        .map(|(_, campaign)| campaign)
        .collect();
    reactions::campaigns_moved_in(&mut tx, moved).await?;
    let doubt = rows.iter().filter(|row| row.verdict == "in_doubt");
    let lines = doubt.filter_map(|row| Some((row.tenant_number, row.line_id?, seconds(row.resolve_after_s))));
    reactions::outcomes_unknown_in(&mut tx, lines).await?;
    let verdicts = rows.iter().map(|row| verdict(&row.verdict)).collect();
    tx.commit().await?;
    Ok(verdicts)
}

fn seconds(seconds: Option<i32>) -> Duration {
    Duration::from_secs(u64::try_from(seconds.unwrap_or(200)).unwrap_or(200))
}

fn verdict(word: &str) -> Verdict {
    match word {
        "go" => Verdict::Go,
        "shut" => Verdict::Shut,
        "still" => Verdict::Still,
        "stale" => Verdict::Stale,
        "given_up" => Verdict::GivenUp,
        "in_doubt" => Verdict::InDoubt,
        "lost" => Verdict::Lost,
        _ => Verdict::Over,
    }
}

/// A result to be written.
#[derive(Debug, Clone)]
pub struct Record {
    /// Whose.
    pub tenant_number: i32,
    /// The recipient.
    pub recipient_id: Uuid,
    /// The lease under which the call was made.
    pub lease: Lease,
    /// How it ended.
    pub ending: Ending,
}

#[derive(sqlx::FromRow)]
struct Recorded {
    tenant_id: Uuid,
    tenant_number: i32,
    campaign_id: Uuid,
    line_id: Uuid,
    resolve_after_s: i32,
    message_id: Uuid,
    conversation_id: Uuid,
    status: String,
    reason: Option<String>,
}

/// Writes results and ends the jobs, in one transaction. "Sent" counts whoever holds the lease by now, since it is proof; the rest only
/// while the lease is ours.
pub(crate) async fn record(mut tx: PlatformTx, records: Vec<Record>) -> Result<Vec<()>, GroupError> {
    let guid = |row: &Record| row.ending.guid().map(str::to_owned);
    let service = |row: &Record| match &row.ending {
        Ending::Sent { service, .. } => *service,
        _ => "unknown",
    };
    let process = records.first().map(|row| row.lease.process);
    let rows: Vec<Recorded> = sqlx::query_as(
        "with a as materialized (
           select u.*, t.id as tenant_id from unnest($1::int[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])
             with ordinality u(tenant_number, recipient_id, job_id, fence, ending, reason, guid, service, ord)
           join crm.tenants t on t.number = u.tenant_number),
         r as materialized (
           select r.* from crm.recipients r join a on a.tenant_id = r.tenant_id and a.recipient_id = r.id order by r.id for update of r),
         v as materialized (
           select a.*, r.campaign_id from a join r on r.tenant_id = a.tenant_id and r.id = a.recipient_id
            where a.ending = 'sent' or jobs.is_held(a.job_id, a.fence, $9)),
         rec as (
           update crm.recipients x set
               state = case when v.ending = 'again' then case when x.state = 'sending' then 'pending' else x.state end else crm.next_status(x.state, v.ending) end,
               reason = case when v.ending = 'again' then x.reason
                             when v.ending = 'sent' then case when x.state in ('failed', 'skipped') then x.reason end
                             when crm.next_status(x.state, v.ending) = x.state then x.reason else v.reason end,
               sent_at = case when v.ending = 'sent' then coalesce(x.sent_at, app.now()) else x.sent_at end
             from v where x.tenant_id = v.tenant_id and x.id = v.recipient_id),
         msg as (
           update crm.messages x set
               status = case when v.ending = 'again' then case when x.status = 'sending' then 'queued' else x.status end else crm.next_status(x.status, v.ending) end,
               reason = case when v.ending = 'again' then v.reason
                             when v.ending = 'sent' then case when x.status = 'failed' then x.reason end
                             when crm.next_status(x.status, v.ending) = x.status then x.reason else v.reason end,
               guid = case when x.guid is null and v.guid is not null
                                and not exists (select from crm.messages o where o.tenant_id = x.tenant_id and o.line_id = x.line_id and o.guid = v.guid)
                           then v.guid else x.guid end,
               service = case when v.service = 'unknown' then x.service else v.service end,
               sent_at = case when v.ending = 'sent' then coalesce(x.sent_at, app.now()) else x.sent_at end
             from v where x.tenant_id = v.tenant_id and x.id = v.recipient_id
           returning x.tenant_id, x.id, x.conversation_id, x.line_id, x.status, x.reason)
         select v.tenant_id, v.tenant_number, v.campaign_id, msg.line_id, n.resolve_after_s, msg.id as message_id, msg.conversation_id, msg.status, msg.reason
           from v join msg on msg.tenant_id = v.tenant_id and msg.id = v.recipient_id
           join crm.lines n on n.tenant_id = v.tenant_id and n.id = msg.line_id",
    )
    .bind(records.iter().map(|row| row.tenant_number).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.recipient_id).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.lease.job_id).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.lease.fence).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.ending.word()).collect::<Vec<_>>())
    .bind(records.iter().map(|row| row.ending.reason().map(str::to_owned)).collect::<Vec<_>>())
    .bind(records.iter().map(guid).collect::<Vec<_>>())
    .bind(records.iter().map(service).collect::<Vec<_>>())
    .bind(process)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    tell(&mut tx, &rows).await?;
    settle(&mut tx, &records).await?;
    tx.commit().await?;
    Ok(vec![(); records.len()])
}

async fn tell(tx: &mut PlatformTx, rows: &[Recorded]) -> Result<(), GroupError> {
    let mut by_tenant: BTreeMap<Uuid, Vec<MessageStatus>> = BTreeMap::new();
    for row in rows {
        by_tenant.entry(row.tenant_id).or_default().push(MessageStatus {
            message_id: row.message_id,
            conversation_id: row.conversation_id,
            status: row.status.clone(),
            reason: row.reason.clone(),
        });
    }
    for (tenant_id, items) in by_tenant {
        events::emit(tx, tenant_id, &Event::MessageStatus(items)).await?;
    }
    reactions::campaigns_moved_in(tx, rows.iter().map(|row| (row.tenant_number, row.campaign_id))).await?;
    let unknown = rows.iter().filter(|row| row.status == "unknown");
    let lines = unknown.map(|row| (row.tenant_number, row.line_id, seconds(Some(row.resolve_after_s))));
    Ok(reactions::outcomes_unknown_in(tx, lines).await?)
}

/// Ends the jobs as the last statement before the commit, each only while its lease holds.
async fn settle(tx: &mut PlatformTx, records: &[Record]) -> Result<(), GroupError> {
    let code = |row: &Record| match row.ending {
        Ending::Again { .. } => 2_i16,
        Ending::Later { .. } => 3,
        _ => 1,
    };
    let delay = |row: &Record| match row.ending {
        Ending::Again { after_s, .. } | Ending::Later { after_s, .. } => after_s,
        _ => 0.0,
    };
    let error = |row: &Record| if let Ending::Again { reason, .. } = &row.ending { Some(reason.clone()) } else { None };
    sqlx::query("select jobs.settle($1, $2, $3, $4, $5, $6)")
        .bind(records.first().map(|row| row.lease.process))
        .bind(records.iter().map(|row| row.lease.job_id).collect::<Vec<_>>())
        .bind(records.iter().map(|row| row.lease.fence).collect::<Vec<_>>())
        .bind(records.iter().map(code).collect::<Vec<_>>())
        .bind(records.iter().map(delay).collect::<Vec<_>>())
        .bind(records.iter().map(error).collect::<Vec<_>>())
        .execute(tx.conn())
        .await?;
    Ok(())
}
