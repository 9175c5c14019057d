-- What operators do to the queue, kept for good, and the little that a tenant's own view needs to know of the fleet.

-- Written by the act itself, in its transaction; nobody may change or delete a row.
create table jobs.audit (
  id bigint generated always as identity primary key,
  tenant_number int not null,                    -- whose thing it was; 0 is the platform
  at timestamptz not null default app.now(),
  actor text not null,
  act text not null,                             -- retry, cancel, pause, resume, fire, set_limits, close_breaker, set_quota, reset_quota
  subject text not null,                         -- job, lane, gate, batch, schedule, quota
  subject_id text not null,
  reason text not null constraint audit_reason_length check (length(reason) between 1 and 500)
);
create index audit_tenant on jobs.audit (tenant_number, id);
create index audit_subject on jobs.audit (subject, subject_id, id);
call app.wall_engine('jobs.audit', 'select');
revoke update, delete on jobs.audit from paloma_platform;

-- Jobs running behind a gate in live processes. Definer: slots belong to processes, which no tenant sees; a tenant is told of its own gates.
create function jobs.gate_running(p_gate bigint) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(sum(s.running), 0)::bigint from jobs.gate_slots s join jobs.gates g on g.id = s.gate_id
   where s.gate_id = p_gate and g.tenant_number = coalesce(nullif(current_setting('app.tenant_number', true), '')::int, g.tenant_number)
$$;
revoke all on function jobs.gate_running from public;
grant execute on function jobs.gate_running to paloma_tenant, paloma_platform;

-- Until when a gate lets nothing through because the budget of its hour or day is used up; null: it is not.
create function jobs.gate_spent_until(g jobs.gates) returns timestamptz language sql stable
return (
  select max(z.until) from (
    select case when g.hour_used >= g.hourly and g.hour_at = date_trunc('hour', app.now(), g.time_zone) then g.hour_at + interval '1 hour' end as until
    union all
    select case when g.day_used >= g.daily and g.day_at = date_trunc('day', app.now(), g.time_zone)
                then ((g.day_at at time zone g.time_zone)::date + 1)::timestamp at time zone g.time_zone end) z);

-- Whether a process that was heard of lately serves the queue. Definer: a tenant sees no process.
create function jobs.is_served(p_queue text, p_within_s float8) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from jobs.processes p where p_queue = any(p.queues) and p.seen_at >= app.clock() - make_interval(secs => p_within_s))
$$;
revoke all on function jobs.is_served from public;
grant execute on function jobs.is_served to paloma_tenant, paloma_platform;

-- The hot table with what runs: a row a job, and the lease under which it runs, if it does. Seen with the rights of whoever asks.
create view jobs.live with (security_invoker = true) as
  select j.id, j.tenant_number, j.lane_id, j.queue, j.kind, j.priority, (j.attempt + case when l.process is null then 0 else 1 end)::smallint as attempt, j.max_attempts, j.crashes, j.key_scope, j.batch_id,
         j.run_at, j.payload, j.errors, case when l.process is null then 'available' else 'running' end as state, l.process as leased_by, l.fence as lease_fence, l.leased_at
    from jobs.jobs j
    left join lateral (
      select x.process, x.fence, x.leased_at from jobs.leases x where x.lane_id = j.lane_id and j.id = any(x.job_ids) limit 1) l on true;
-- What runs, found by the leases: as many as the fleet has slots, however many jobs wait.
create view jobs.running with (security_invoker = true) as
  select j.id, j.tenant_number, j.lane_id, j.queue, j.kind, j.priority, (j.attempt + 1)::smallint as attempt, j.max_attempts, j.crashes, j.run_at, j.payload, j.errors,
         l.process as leased_by, l.fence as lease_fence, l.leased_at
    from jobs.leases l cross join lateral unnest(l.job_ids) i(id)
   cross join lateral (select x.* from jobs.jobs x where x.id = i.id offset 0) j;
grant select on jobs.live, jobs.running to paloma_tenant, paloma_platform;

-- Whether the process still holds what it has leased. Definer: a tenant sees no process.
create function jobs.holds_leases(p_process uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from jobs.processes p where p.id = p_process and p.lease_until >= app.clock())
$$;
revoke all on function jobs.holds_leases from public;
grant execute on function jobs.holds_leases to paloma_tenant, paloma_platform;
