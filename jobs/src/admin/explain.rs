//! Looks up why a job does not run. Reads only, and no more than some ten thousand rows by index, whatever waits: an operator asks when
//! things are bad.

use chrono::{DateTime, Utc};
use db::Scope;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    State,
    cause::{Cause, Explanation, after},
    death::Death,
    gates::{GateRow, gates_of},
    workers::SEEN_WITHIN_S,
};
/// Jobs before this one are counted so far; one more stands for "more".
const MOST_COUNTED: i64 = 10_000;

/// The job, its lane, and the time.
#[derive(sqlx::FromRow)]
struct Subject {
    tenant_number: i32,
    state: State,
    kind_number: i16,
    kind: String,
    queue: String,
    lane_id: i64,
    class: i16,
    gates: Vec<i64>,
    paused_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    priority: i16,
    crashes: i16,
    run_at: Option<DateTime<Utc>>,
    leased_by: Option<Uuid>,
    leased_at: Option<DateTime<Utc>>,
    is_lease_over: bool,
    key: Option<Vec<u8>>,
    errors: Option<Json<Value>>,
    finished_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
}

/// Why the job does not run, or what has become of it; none where there is no such job. A tenant is not told where its jobs run.
pub async fn explain<S: Scope>(tx: &mut S, id: i64) -> Result<Option<Explanation>, sqlx::Error> {
    let Some(job) = subject(tx, id).await? else { return Ok(None) };
    let (at, evidence) = (job.finished_at, job.errors.as_ref().map(|errors| errors.0.clone()));
    let causes = match job.state {
        State::Running => vec![running(tx, &job).await?],
        State::Available => waiting(tx, id, &job).await?,
        State::Completed => ended(tx, &job, Cause::Completed { at }).await?,
        State::Cancelled => ended(tx, &job, Cause::Cancelled { at, evidence }).await?,
        State::Discarded => ended(tx, &job, Cause::Discarded { at, evidence }).await?,
        State::Quarantined => {
            let deaths = Death::newest(evidence.as_ref(), job.crashes);
            ended(tx, &job, Cause::Quarantined { at, deaths }).await?
        }
    };
    Ok(Some(Explanation::new(id, job.state, job.now, causes)))
}

async fn subject<S: Scope>(tx: &mut S, id: i64) -> Result<Option<Subject>, sqlx::Error> {
    sqlx::query_as(
        "select x.tenant_number, x.state, x.kind as kind_number, k.name as kind, q.name as queue, x.lane_id, coalesce(l.class, 1::smallint) as class,
                coalesce(l.gates, '{}') as gates, l.paused_at, l.cancelled_at, x.priority, x.crashes, x.run_at, x.leased_by, x.leased_at,
                x.leased_by is not null and not jobs.holds_leases(x.leased_by) as is_lease_over, x.key, x.errors, x.finished_at, app.clock() as now
           from (
             select tenant_number, state, kind, queue, lane_id, priority, crashes, run_at,
                    leased_by, leased_at, null::bytea as key, errors, null::timestamptz as finished_at, 1 as rank
               from jobs.live where id = $1
             union all
             select tenant_number, 'available', kind, queue, lane_id, priority, crashes, run_at, null, null, null, errors, null, 1
               from jobs.scheduled where id = $1
             union all
             select tenant_number, state, kind, queue, lane_id, priority, crashes, null, null, null, key, errors, finished_at, 2
               from jobs.failures where id = $1
             union all
             select tenant_number, state, kind, queue, lane_id, 0::smallint, 0::smallint, run_at, null, null, null, null, finished_at, 3
               from jobs.history where id = $1) x
           join jobs.kinds k on k.id = x.kind
           join jobs.queues q on q.id = x.queue
           left join jobs.lanes l on l.id = x.lane_id
          order by x.rank, x.finished_at desc nulls last limit 1",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await
}

async fn running<S: Scope>(tx: &mut S, job: &Subject) -> Result<Cause, sqlx::Error> {
    let process = job.leased_by.unwrap_or_default();
    let worker = if S::SEES_ALL {
        sqlx::query_scalar("select name || '@' || host || ':' || pid from jobs.processes where id = $1")
            .bind(process)
            .fetch_optional(tx.conn())
            .await?
    } else {
        None
    };
    Ok(Cause::Running { process, worker, since: job.leased_at.unwrap_or(job.now), is_lease_over: job.is_lease_over })
}

async fn ended<S: Scope>(tx: &mut S, job: &Subject, cause: Cause) -> Result<Vec<Cause>, sqlx::Error> {
    let mut causes = vec![cause];
    if let Some(key) = &job.key {
        let holder =
            sqlx::query_scalar("select job_id from jobs.job_keys where tenant_number = $1 and kind = $2 and key = $3")
                .bind(job.tenant_number)
                .bind(job.kind_number)
                .bind(key)
                .fetch_optional(tx.conn())
                .await?;
        causes.extend(holder.map(|job_id| Cause::KeyHeld { job_id }));
    }
    Ok(causes)
}

async fn waiting<S: Scope>(tx: &mut S, id: i64, job: &Subject) -> Result<Vec<Cause>, sqlx::Error> {
    let mut causes = Vec::new();
    if let Some(since) = job.cancelled_at {
        return Ok(vec![Cause::LaneCancelled { since }]);
    }
    let run_at = job.run_at.unwrap_or(job.now);
    let is_due = run_at <= job.now;
    causes.extend((!is_due).then_some(Cause::NotDue { run_at }));
    causes.extend(job.paused_at.map(|since| Cause::LanePaused { since }));
    let is_served: bool = sqlx::query_scalar("select jobs.is_served($1, $2)")
        .bind(&job.queue)
        .bind(SEEN_WITHIN_S)
        .fetch_one(tx.conn())
        .await?;
    causes.extend((!is_served).then(|| Cause::NoWorkerForQueue { queue: job.queue.clone() }));
    causes.extend(is_unknown_kind(job).then(|| Cause::NoWorkerForKind { kind: job.kind.clone() }));
    // what starts before it is of interest once it is due; before that it says nothing of its time
    let before = if is_due { before_in_lane(tx, id, job, run_at).await? } else { 0 };
    let gates = gates_of(tx, &job.gates).await?;
    for gate_id in &job.gates {
        match gates.iter().find(|gate| gate.id == *gate_id) {
            None => causes.push(Cause::GateMissing { gate_id: *gate_id }),
            Some(gate) => {
                causes.extend(shut(gate, job.now));
                if is_due && gate.rate.is_some() {
                    let others = before_in_gate(tx, job, gate.id, before).await?;
                    causes.extend(without_tokens(gate, before + others, job.now));
                }
            }
        }
    }
    if before > 0 {
        causes.push(Cause::BehindOthers { before: before.min(MOST_COUNTED), is_more: before > MOST_COUNTED });
    }
    if causes.is_empty() {
        causes.push(Cause::Ready);
    }
    Ok(causes)
}

/// What a gate shuts for, apart from its tokens.
fn shut(gate: &GateRow, now: DateTime<Utc>) -> Vec<Cause> {
    let (gate_id, key) = (gate.id, || gate.key.clone());
    let mut causes = Vec::new();
    if let Some(since) = gate.paused_at {
        causes.push(Cause::GatePaused { gate_id, gate: key(), since, reason: gate.reason.clone() });
    }
    if gate.breaker != "closed" {
        let until = gate.open_until.unwrap_or(now);
        causes.push(Cause::BreakerOpen { gate_id, gate: key(), until, reason: gate.reason.clone() });
    }
    if let Some(until) = gate.spent_until {
        causes.push(Cause::GateSpent { gate_id, gate: key(), until });
    }
    if let Some(until) = gate.rests_until.filter(|until| *until > now) {
        causes.push(Cause::GateRests { gate_id, gate: key(), until });
    }
    if let Some(cap) = gate.cap.filter(|cap| gate.running >= i64::from(*cap)) {
        causes.push(Cause::CapReached { gate_id, gate: key(), running: gate.running, cap });
    }
    causes
}

/// Whether the bucket has less than a token for each job before this one and for itself, and when the next one comes.
fn without_tokens(gate: &GateRow, before: i64, now: DateTime<Utc>) -> Option<Cause> {
    let rate = gate.rate?;
    // a job takes a whole token; the first jobs take those that are there
    let there = gate.tokens.max(0.0).floor();
    let waiting = before - there as i64;
    if waiting < 0 {
        return None;
    }
    let next_token_at = after(now, (1.0 + there - gate.tokens) / rate)?;
    let is_more = before > MOST_COUNTED;
    let before = waiting.min(MOST_COUNTED);
    Some(Cause::GateWithoutTokens { gate_id: gate.id, gate: gate.key.clone(), rate, next_token_at, before, is_more })
}

/// The worker that took it last gave it back for that reason.
fn is_unknown_kind(job: &Subject) -> bool {
    let last = job.errors.as_ref().and_then(|errors| errors.0.as_array()).and_then(|errors| errors.last());
    let word = last.and_then(|error| error["error"].as_str()).unwrap_or_default();
    word.starts_with(crate::dispatch::UNKNOWN_KIND)
}

/// Jobs of the lane that start before it, in the order of the claim. Said with its order, so that it goes by the index of the lane also
/// where nearly all jobs are of one lane: a scan with the same limit looks cheaper and reads everything to find that there are none.
async fn before_in_lane<S: Scope>(
    tx: &mut S,
    id: i64,
    job: &Subject,
    run_at: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from (
           select from jobs.jobs j
            where j.lane_id = $1 and (j.priority, j.run_at, j.id) < ($2, $3, $4)
              and j.id not in (select unnest(x.job_ids) from jobs.leases x where x.lane_id = $1)
            order by j.priority, j.run_at, j.id limit $5) x",
    )
    .bind(job.lane_id)
    .bind(job.priority)
    .bind(run_at)
    .bind(id)
    .bind(MOST_COUNTED + 1)
    .fetch_one(tx.conn())
    .await
}

/// Jobs of the gate's other open lanes that take a token first, about: lanes of one class take turns, so each of them starts about as many
/// as stand before this job in its own; a lower class goes first with all it has. Fifty lanes are looked at.
async fn before_in_gate<S: Scope>(tx: &mut S, job: &Subject, gate: i64, before: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select coalesce(sum(z.n), 0)::bigint
           from (select l.id, l.class from jobs.lanes l
                  where l.tenant_number = $1 and l.id <> $2 and l.gates @> array[$3::bigint] and l.class <= $4
                    and l.paused_at is null and l.cancelled_at is null
                    and (select j.id from jobs.jobs j where j.lane_id = l.id order by j.priority, j.run_at, j.id limit 1) is not null
                  limit 50) o
          cross join lateral (
            select count(*) as n from (
              select from jobs.jobs j where j.lane_id = o.id and j.id not in (select unnest(x.job_ids) from jobs.leases x where x.lane_id = o.id)
               order by j.priority, j.run_at, j.id limit case when o.class < $4 then $6::bigint else least($5::bigint, $6) end) y) z",
    )
    .bind(job.tenant_number)
    .bind(job.lane_id)
    .bind(gate)
    .bind(job.class)
    .bind(before + 1)
    .bind(MOST_COUNTED + 1)
    .fetch_one(tx.conn())
    .await
}
