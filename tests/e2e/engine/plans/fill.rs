//! Tables as full as they get: a million jobs in a paused lane and as many scheduled, ten thousand lanes before one gate and as many idle,
//! what ended today, and what runs.

use jobs::gate::Limits;
use sqlx::{AssertSqlSafe, raw_sql};

use crate::engine::{kinds::WORK, world::EngineWorld};

/// So many times the smallest filling.
pub const MANY: i32 = 100;

/// Three lanes by name, the gate before which others wait, and twenty processes.
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
}

/// Ten thousand jobs in a paused lane and as many scheduled, times `share`, and what belongs to them.
pub async fn rows(world: &EngineWorld, share: i32) {
    let sql = format!(
        "set local synchronous_commit = off;
         create temporary table z on commit drop as
           select {share} as share, q.id as q, k.id as k, {tenant} as t, app.clock() as now, (select id from jobs.gates where key = 'narrow') as gate,
                  (select id from jobs.lanes where key = 'open') as open, (select id from jobs.lanes where key = 'paused') as paused,
                  (select id from jobs.lanes where key = 'cancelled') as cancelled
             from jobs.queues q, jobs.kinds k where q.name = 'work' and k.name = 'test.do';
         insert into jobs.lanes (tenant_number, queue, key, gates)
           select t, q, x || '/' || share || '/' || i, case x when 'waiting' then array[gate] else '{{}}' end
             from z, generate_series(1, 100 * share) i, unnest(array['waiting', 'idle']) x;
         insert into jobs.turns (queue, lane_id, tenant_number, class, vt, idle_until, gate_id)
           select q, l.id, t, 1, l.id, case when l.gates = '{{}}' then now + interval '1 hour' end, case when l.gates <> '{{}}' then gate end
             from z, jobs.lanes l where l.key like '%/' || share || '/%';
         insert into jobs.jobs (tenant_number, lane_id, run_at, queue, kind, max_attempts, payload)
           select t, l, now, q, k, 3, '{{\"name\": \"x\", \"act\": \"Nothing\"}}' from z, lateral (
             select paused as l from generate_series(1, 10000 * share) union all select open from generate_series(1, 1000 * share)
             union all select cancelled from generate_series(1, 200 * share)
             union all select id from jobs.lanes where key like 'waiting/' || share || '/%') x;
         with j as (
           insert into jobs.jobs (tenant_number, lane_id, run_at, queue, kind, max_attempts, payload)
             select t, l.id, now, q, k, 3, '{{}}' from z, lateral (select id from jobs.lanes where key like 'idle/' || share || '/%' limit 20 * share) l
             returning id, lane_id)
         insert into jobs.leases (process, fence, lane_id, tenant_number, queue, leased_at, job_ids)
           select md5((11 + j.id % 10)::text)::uuid, nextval('jobs.fences'), j.lane_id, t, q, now, array[j.id] from z, j;
         insert into jobs.scheduled (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, run_at, fence, payload)
           select nextval('jobs.ids'), t, case when i % 2 = 0 then open else paused end, q, k, 0, 0, 3, 0, 0, now + interval '1 hour' + i * interval '1s', 0, '{{}}'
             from z, generate_series(1, 10000 * share) i;
         insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, run_at, leased_at, finished_at)
           select nextval('jobs.ids'), t, open, q, k, 'completed', 1, now, now, now from z, generate_series(1, 2000 * share) i;
         insert into jobs.failures (id, tenant_number, lane_id, queue, kind, state, priority, attempt, max_attempts, crashes, key_scope, payload, finished_at)
           select nextval('jobs.ids'), t, open, q, k, 'discarded', 0, 3, 3, 0, 0, '{{}}', now from z, generate_series(1, 100 * share) i;
         insert into jobs.job_keys (tenant_number, kind, key, job_id, scope)
           select t, k, sha256((share || '/' || i)::text::bytea), -i, 4 from z, generate_series(1, 500 * share) i;
         insert into jobs.batches (tenant_number, name) select t, 'test/' || share || '/' || i from z, generate_series(1, 10 * share) i",
        tenant = world.acme.number
    );
    raw_sql(AssertSqlSafe(sql)).execute(&mut world.database.superuser().await).await.unwrap();
}

/// Ten processes run fifty jobs each of the lane `open`, and the lane goes on behind them.
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
            "insert into jobs.gate_waits (queue, gate_id, due_at)
               select q.id, g.id, app.clock() + interval '1 hour' from jobs.queues q, jobs.gates g where q.name = 'work' and g.key = 'narrow'",
        )
        .await;
}
