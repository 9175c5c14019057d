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

-- Whether a process that was heard of lately serves the queue. Definer: a tenant sees no process.
create function jobs.is_served(p_queue text, p_within_s float8) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from jobs.processes p where p_queue = any(p.queues) and p.seen_at >= app.clock() - make_interval(secs => p_within_s))
$$;
revoke all on function jobs.is_served from public;
grant execute on function jobs.is_served to paloma_tenant, paloma_platform;

-- The jobs that may be running: what processes have claimed. As many as the fleet has slots, however many jobs wait. Definer: claims belong
-- to processes, which no tenant sees; the ids are of use only to who may read the rows.
create function jobs.claimed_ids() returns setof bigint
language sql stable security definer set search_path = pg_catalog, pg_temp rows 200 as $$
  select unnest(c.job_ids) from jobs.claims c
$$;
revoke all on function jobs.claimed_ids from public;
grant execute on function jobs.claimed_ids to paloma_tenant, paloma_platform;
