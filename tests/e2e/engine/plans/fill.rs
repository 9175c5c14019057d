//! Tables as full as they get: a million jobs in a paused lane and as many scheduled, ten thousand lanes before one gate, as many idle and as
//! many ready, what ended today, and what runs.

use jobs::gate::Limits;
use sqlx::{AssertSqlSafe, raw_sql};

use crate::engine::{kinds::WORK, world::EngineWorld};

/// A lane of each sort.
pub const FEW: i32 = 1;
/// As many as there may ever be.
pub const MANY: i32 = 10_000;

/// Three lanes by name, the gate before which others wait, twenty processes, and a batch that follows another.
pub async fn lanes(world: &EngineWorld) {
    let mut tx = world.tx().await;
    for key in ["open", "paused", "cancelled"] {
        jobs::lane::configure(&mut tx, WORK, key, 1, &[]).await.unwrap();
    }
    jobs::lane::pause(&mut tx, WORK, "paused").await.unwrap();
    jobs::lane::cancel(&mut tx, WORK, "cancelled").await.unwrap();
    jobs::gate::configure(&mut tx, "narrow", Limits { rate: Some(1.0), burst: 20.0, cap: None }).await.unwrap();
    tx.commit().await.unwrap();
    world
        .execute(
            "insert into jobs.processes (id, name, host, pid, queues, started_at, seen_at, lease_until)
               select md5(n::text)::uuid, 'worker', 'here', n, array['work'], app.clock(), app.clock(), app.clock() + interval '1 hour'
                 from generate_series(1, 20) n",
        )
        .await;
    world
        .execute(
            "with b as (insert into jobs.batches (tenant_number, name) select number, 'test/before' from crm.tenants returning tenant_number, id)
             insert into jobs.batches (tenant_number, name, after_id, opened_at) select b.tenant_number, 'test/after', b.id, null from b",
        )
        .await;
}

/// So many lanes of each sort, a hundred times as many jobs in a paused lane and as many scheduled, and what belongs to them.
pub async fn rows(world: &EngineWorld, share: i32) {
    let sql = format!(
        "set local synchronous_commit = off;
         -- no temporary one: the first of a session makes a schema, and all plans of all sessions are made anew
         create table if not exists public.filling (share int, q smallint, busy smallint, k smallint, t int, now timestamptz, gate bigint, open bigint, paused bigint, cancelled bigint);
         delete from public.filling;
         insert into public.filling
           select {share} as share, q.id as q, (select o.id from jobs.queues o where o.name = 'other') as busy, k.id as k, {tenant} as t, app.clock() as now, (select id from jobs.gates where key = 'narrow') as gate,
                  (select id from jobs.lanes where key = 'open') as open, (select id from jobs.lanes where key = 'paused') as paused,
                  (select id from jobs.lanes where key = 'cancelled') as cancelled
             from jobs.queues q, jobs.kinds k where q.name = 'work' and k.name = 'test.do';
         insert into jobs.lanes (tenant_number, queue, key, gates)
           select t, q, x || '/' || share || '/' || i, case x when 'waiting' then array[gate] else '{{}}' end
             from public.filling, generate_series(1, share) i, unnest(array['waiting', 'idle']) x;
         insert into jobs.turns (queue, lane_id, tenant_number, class, vt, idle_until, gate_id)
           select q, l.id, t, 1, l.id, case when l.gates = '{{}}' then now + interval '1 hour' end, case when l.gates <> '{{}}' then gate end
             from public.filling, jobs.lanes l where l.queue = q and l.key like '%/' || share || '/%';
         with l as (
           insert into jobs.lanes (tenant_number, queue, key) select t, busy, 'ready/' || share || '/' || i from public.filling, generate_series(1, share) i returning id),
         u as (insert into jobs.turns (queue, lane_id, tenant_number, class, vt) select busy, l.id, t, 1, l.id from public.filling, l)
         insert into jobs.jobs (tenant_number, lane_id, run_at, queue, kind, max_attempts, payload)
           select t, l.id, now, busy, k, 3, '{{\"name\": \"x\", \"act\": \"Nothing\"}}' from public.filling, l, generate_series(1, 2);
         insert into jobs.jobs (tenant_number, lane_id, run_at, queue, kind, max_attempts, payload)
           select t, l, now, q, k, 3, '{{\"name\": \"x\", \"act\": \"Nothing\"}}' from public.filling, lateral (
             select paused as l from generate_series(1, 100 * share) union all select open from generate_series(1, 1000 + 10 * share)
             union all select cancelled from generate_series(1, 2 * share)
             union all select id from jobs.lanes where key like 'waiting/' || share || '/%') x;
         with j as (
           insert into jobs.jobs (tenant_number, lane_id, run_at, queue, kind, max_attempts, payload)
             select t, l.id, now, q, k, 3, '{{}}' from public.filling, lateral (select id from jobs.lanes where key like 'idle/' || share || '/%' limit 1 + share / 5) l
             returning id, lane_id)
         insert into jobs.leases (process, fence, lane_id, tenant_number, queue, leased_at, job_ids)
           select md5((11 + j.id % 10)::text)::uuid, nextval('jobs.fences'), j.lane_id, t, q, now, array[j.id] from public.filling, j;
         insert into jobs.scheduled (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, run_at, fence, payload)
           select nextval('jobs.ids'), t, case when i % 2 = 0 then open else paused end, q, k, 0, 0, 3, 0, 0, now + interval '1 hour' + i * interval '1s', 0, '{{}}'
             from public.filling, generate_series(1, 100 * share) i;
         insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, run_at, leased_at, finished_at)
           select nextval('jobs.ids'), t, open, q, k, 'completed', 1, now, now, now from public.filling, generate_series(1, 20 * share) i;
         insert into jobs.failures (id, tenant_number, lane_id, queue, kind, state, priority, attempt, max_attempts, crashes, key_scope, batch_id, payload, finished_at)
           select nextval('jobs.ids'), t, open, q, k, 'discarded', 0, 3, 3, 0, 0, case when i % 2 = 0 then -i end, '{{}}', now from public.filling, generate_series(1, share) i;
         insert into jobs.costs (tenant_number, hour, kind, jobs, wait_s, run_s, retries, discarded, cancelled)
           select t, date_trunc('hour', now) - (share / 100 + i / 200) * interval '1 hour', i % 200, 1, 0, 0, 0, 0, 0 from public.filling, generate_series(1, 2 * share) i;
         insert into jobs.job_keys (tenant_number, kind, key, job_id, scope)
           select t, k, sha256((share || '/' || i)::text::bytea), -i, 4 from public.filling, generate_series(1, 5 * share) i;
         insert into jobs.batches (tenant_number, name) select t, 'test/' || share || '/' || i from public.filling, generate_series(1, 1 + share / 10) i",
        tenant = world.acme.number
    );
    raw_sql(AssertSqlSafe(sql)).execute(&mut world.database.superuser().await).await.unwrap();
}

/// Ten processes run fifty jobs each of the lane `open`, which hold a unique key each, and the lane goes on behind them.
pub async fn leases(world: &EngineWorld) {
    world
        .execute(
            "with j as (
               select j.*, row_number() over (order by j.id) as o from jobs.jobs j join jobs.lanes l on l.id = j.lane_id and l.key = 'open'),
             l as (
               insert into jobs.leases (process, fence, lane_id, tenant_number, queue, leased_at, job_ids)
                 select md5((1 + (j.o - 1) / 50)::text)::uuid, nextval('jobs.fences'), j.lane_id, j.tenant_number, j.queue, app.clock(), array_agg(j.id order by j.o)
                   from j where j.o <= 500 group by (j.o - 1) / 50, j.lane_id, j.tenant_number, j.queue)
             insert into jobs.turns (queue, lane_id, tenant_number, class, vt, looks_back, passed_priority, passed_run_at, passed_id)
               select j.queue, j.lane_id, j.tenant_number, 1, 0, false, j.priority, j.run_at, j.id from j where j.o = 500",
        )
        .await;
    world
        .execute(
            "with j as (
               update jobs.jobs j set key_scope = 2 from jobs.leases l where l.process in (select md5(n::text)::uuid from generate_series(1, 10) n) and j.id = any(l.job_ids)
                 returning j.tenant_number, j.kind, j.id)
             insert into jobs.job_keys (tenant_number, kind, key, job_id, scope)
               select j.tenant_number, j.kind, sha256(('held/' || j.id)::bytea), j.id, 2 from j",
        )
        .await;
    world
        .execute(
            "insert into jobs.gate_waits (queue, gate_id, due_at)
               select q.id, g.id, app.clock() + interval '1 hour' from jobs.queues q, jobs.gates g where q.name = 'work' and g.key = 'narrow'",
        )
        .await;
}
