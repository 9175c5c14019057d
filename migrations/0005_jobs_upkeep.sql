-- What keeps the promises when something dies: renewal, rescue, and the chores nobody waits for.

-- Says that the process lives, which extends all its leases. Answers the claims it has lost.
create function jobs.renew(p_process uuid, p_name text, p_host text, p_pid int, p_queues text[], p_lease_s float8, p_fences bigint[])
returns setof bigint language plpgsql set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  t timestamptz := app.clock();
begin
  insert into jobs.processes (id, name, host, pid, queues, started_at, seen_at, lease_until)
    values (p_process, p_name, p_host, p_pid, p_queues, t, t, t + make_interval(secs => p_lease_s))
    on conflict (id) do update set seen_at = t, lease_until = t + make_interval(secs => p_lease_s);
  return query select a.fence from unnest(p_fences) a(fence)
    left join lateral (select true as is_held from jobs.leases l where l.process = p_process and l.fence = a.fence limit 1) h on true
    where h.is_held is null;
end $$;

-- Frees what dead processes held: a new fence, one crash more. A job whose worker died too often is quarantined with the evidence.
-- Dead: its lease has run out. Answers how many jobs were freed.
create function jobs.rescue(p_lease_s float8, p_max_crashes int) returns int language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  t timestamptz := app.clock();
  dead uuid; host text; ids bigint[]; freed int := 0; n int;
begin
  -- one that was forgotten while it stalled, and then claimed and died, is unknown but for its leases
  insert into jobs.processes (id, name, host, pid, queues, started_at, seen_at, lease_until)
    -- one step along the key for each process: there are few of them, and as many leases as lanes that somebody works at
    with recursive x(process) as (
      (select l.process from jobs.leases l order by l.process limit 1)
      union all
      select (select l.process from jobs.leases l where l.process > x.process order by l.process limit 1) from x where x.process is not null)
    select x.process, 'unknown', '', 0, '{}'::text[], t, t, t + make_interval(secs => p_lease_s) from x
     where x.process is not null and not exists (select from jobs.processes p where p.id = x.process)
    on conflict (id) do nothing;
  for dead, host in select p.id, p.host from jobs.processes p where p.lease_until < t for update skip locked loop
    with l as (delete from jobs.leases x where x.process = dead returning x.tenant_number, x.queue, x.lane_id, x.fence, x.job_ids),
    i as materialized (select l.fence, unnest(l.job_ids) as id from l),
    f as (
      update jobs.jobs j set fence = nextval('jobs.fences'), crashes = j.crashes + 1, attempt = j.attempt + 1,
          errors = coalesce(j.errors, '[]') || jsonb_build_object('at', t, 'attempt', j.attempt + 1, 'error', 'its worker died', 'process', dead, 'host', host)
       -- by key, and asked again of a row that somebody was changing: a handler of the dead may have a transaction open on it
       where j.id = any(array(select i.id from i)) and j.fence < (select max(i.fence) from i where i.id = j.id)
      returning j.id),
    w as (insert into jobs.wakes (tenant_number, queue, lane_id) select distinct l.tenant_number, l.queue, l.lane_id from l)
    select count(*), array_agg(f.id) into n, ids from f;
    freed := freed + n;
    perform jobs.quarantine(t, ids, p_max_crashes);
    delete from jobs.gate_slots s where s.process = dead;
    delete from jobs.processes p where p.id = dead;
  end loop;
  return freed;
end $$;

-- Of these jobs the ones over which too many workers have died: only an operator lets one of them run again. Its batch counts it as discarded.
create function jobs.quarantine(t timestamptz, p_ids bigint[], p_max_crashes int) returns void language sql as $$
  with d as (
    delete from jobs.jobs j using unnest(p_ids) i(id) where j.id = i.id and j.crashes >= p_max_crashes returning j.*),
  k as (delete from jobs.job_keys x using d where x.job_id = d.id and x.tenant_number = d.tenant_number and x.scope in (1, 2) returning x.job_id, x.key),
  f as (
    insert into jobs.failures (id, tenant_number, lane_id, queue, kind, state, priority, attempt, max_attempts, crashes, key_scope, key, batch_id, payload, errors, finished_at)
      select d.id, d.tenant_number, d.lane_id, d.queue, d.kind, 'quarantined', d.priority, d.attempt, d.max_attempts, d.crashes, d.key_scope, k.key, d.batch_id, d.payload, d.errors, t
        from d left join k on k.job_id = d.id),
  b as (
    insert into jobs.batch_deltas (tenant_number, batch_id, discarded)
      select d.tenant_number, d.batch_id, count(*) from d where d.batch_id is not null group by 1, 2)
  insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, leased_at, finished_at)
    select d.id, d.tenant_number, d.lane_id, d.queue, d.kind, 'quarantined', d.attempt, d.batch_id, d.run_at, null, t from d;
$$;

-- After a cycle whose answer was lost: what this process holds without knowing it goes back, with its attempt. `p_known` are the claims it knows.
-- `p_seen` is the greatest fence it was ever given: claims do not wait for the disk, so after a crash of the server the sequence may have gone
-- back; it is moved on, so that no pair of fence and process comes twice. `p_gates` and `p_running` are all its running jobs of capped gates: what a
-- claim without its knowledge took of their slots is free.
create function jobs.release_unknown(p_process uuid, p_known bigint[], p_seen bigint, p_gates bigint[] default '{}', p_running int[] default '{}') returns int language plpgsql set enable_seqscan = off as $$
declare
  n int;
begin
  if (select last_value from jobs.fences) < p_seen then
    perform pg_advisory_xact_lock(7238);
    if (select last_value from jobs.fences) < p_seen then
      -- beyond what others draw meanwhile
      perform setval('jobs.fences', p_seen + 1000);
    end if;
  end if;
  with c as (delete from jobs.leases x where x.process = p_process and x.fence <> all(p_known) returning x.tenant_number, x.queue, x.lane_id, x.fence, x.job_ids),
  -- those of its jobs that have not ended
  l as (
    select c.tenant_number, c.queue, c.lane_id, count(*)::int as n from c cross join lateral unnest(c.job_ids) i(id)
     where exists (select from jobs.jobs j where j.id = i.id and j.fence < c.fence) group by 1, 2, 3),
  s as (
    update jobs.gate_slots g set running = coalesce((select u.r from unnest(p_gates, p_running) u(g, r) where u.g = g.gate_id), 0) where g.process = p_process),
  w as (insert into jobs.wakes (tenant_number, queue, lane_id) select distinct l.tenant_number, l.queue, l.lane_id from l)
  select coalesce(sum(l.n), 0) into n from l;
  return n;
end $$;

-- Ends a process that has drained: nothing of it needs rescue.
create function jobs.leave(p_process uuid) returns void language sql as $$
  -- a claim may have committed whose answer never came
  select jobs.release_unknown(p_process, '{}', 0);
  delete from jobs.gate_slots where process = p_process;
  delete from jobs.processes where id = p_process;
$$;

-- A tenant's own transaction completes its job: the effect and the completion commit together. False: the lease was lost.
create function jobs.complete(p_id bigint, p_fence bigint, p_process uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_seqscan = off as $$
declare
  n int;
begin
  with d as (
    delete from jobs.jobs j using jobs.leases l
     where j.id = p_id and j.fence < p_fence and l.process = p_process and l.fence = p_fence and l.lane_id = j.lane_id and j.tenant_number = app.tenant_number()
      returning j.*, l.leased_at),
  k as (delete from jobs.job_keys x using d where x.job_id = d.id and x.tenant_number = d.tenant_number and x.scope in (1, 2)),
  b as (
    insert into jobs.batch_deltas (tenant_number, batch_id, completed) select d.tenant_number, d.batch_id, 1 from d where d.batch_id is not null),
  h as (
    insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, leased_at, finished_at)
      select d.id, d.tenant_number, d.lane_id, d.queue, d.kind, 'completed', d.attempt + 1, d.batch_id, d.run_at, d.leased_at, app.clock() from d)
  select count(*) into n from d;
  return n = 1;
end $$;
revoke all on function jobs.complete from public;
grant execute on function jobs.complete to paloma_tenant;

-- Those that wait before a gate are to look again now: its limits have changed, or somebody has closed its breaker.
create function jobs.wake_gate(p_gate bigint) returns void language sql as $$
  update jobs.gate_waits set due_at = app.clock() where gate_id = p_gate and due_at > app.clock()
$$;
create function jobs.wake_changed_gate() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform jobs.wake_gate(new.id);
  return null;
end $$;
create trigger wake after update of rate, burst, cap, hourly, daily, time_zone, paused_at on jobs.gates for each row execute function jobs.wake_changed_gate();

-- The breaker opens for the fleet: for `p_open_s`, and twice as long each time a probe has failed, ten minutes at most.
create function jobs.open_breaker(p_gate bigint, p_open_s float8, p_reason text) returns boolean language sql as $$
  with g as (
    update jobs.gates set
        open_s = case when breaker = 'half_open' then least(greatest(open_s, p_open_s) * 2, 600) else p_open_s end,
        open_until = app.clock() + make_interval(secs => case when breaker = 'half_open' then least(greatest(open_s, p_open_s) * 2, 600) else p_open_s end),
        breaker = 'open', epoch = epoch + 1, reason = left(p_reason, 500)
      where id = p_gate and breaker <> 'open' returning id)
  select exists (select from g);
$$;
-- One process has seen enough failures. The breaker opens for the fleet when two have, or most of those that serve the same queues: one with
-- a broken network does not stop the others. A failed probe decides alone. True: it was opened by this.
create function jobs.report_failures(p_gate bigint, p_process uuid, p_is_probe boolean, p_open_s float8, p_reason text) returns boolean language plpgsql as $$
declare
  t timestamptz := app.clock(); live int; failing int;
begin
  if not p_is_probe then
    insert into jobs.gate_evidence (gate_id, process, at) values (p_gate, p_process, t) on conflict (gate_id, process) do update set at = t;
    select count(*) into live from jobs.processes p join jobs.processes me on me.id = p_process and p.queues && me.queues where p.seen_at > t - interval '60s';
    select count(*) into failing from jobs.gate_evidence e where e.gate_id = p_gate and e.at > t - interval '60s';
    if failing < least(2, live / 2 + 1) then
      return false;
    end if;
  end if;
  delete from jobs.gate_evidence e where e.gate_id = p_gate;
  return jobs.open_breaker(p_gate, p_open_s, p_reason);
end $$;
-- The process has had an answer since.
create function jobs.retract_failures(p_gate bigint, p_process uuid) returns void language sql as $$
  delete from jobs.gate_evidence where gate_id = p_gate and process = p_process
$$;

-- The service asked to be left alone: nothing passes the gate before, and then as fast as its rate without a burst.
create function jobs.rest_gate(p_gate bigint, p_wait_s float8) returns void language sql as $$
  update jobs.gates set rests_until = greatest(rests_until, app.clock() + make_interval(secs => least(p_wait_s, 86400))), tokens = 0, updated_at = app.clock()
   where id = p_gate
$$;

-- A probe ended without a word about the service: the next may go at once.
create function jobs.free_probe(p_lane bigint) returns void language sql as $$
  with f as (
    update jobs.gates g set open_until = app.clock() from jobs.lanes l where l.id = p_lane and g.id = any(l.gates) and g.breaker = 'half_open' returning g.id)
  select jobs.wake_gate(f.id) from f
$$;

-- A probe has come back: closed again. Only from half open, so that a late answer of before the opening closes nothing.
create function jobs.close_breaker(p_gate bigint) returns boolean language plpgsql as $$
begin
  update jobs.gates set breaker = 'closed', open_until = null, open_s = 0, reason = null where id = p_gate and breaker = 'half_open';
  if not found then
    return false;
  end if;
  perform jobs.wake_gate(p_gate);
  return true;
end $$;

-- Jobs of cancelled lanes leave in chunks; what runs is let finish. They can't be retried, so history is all that is kept of them.
create function jobs.sweep_cancelled(p_limit int) returns int language plpgsql as $$
declare
  t timestamptz := app.clock();
  n int := 0; l bigint; q smallint; c int;
begin
  if not pg_try_advisory_xact_lock(7235) then
    return 0;
  end if;
  -- an enqueue that had not committed at the cancel may come late: lanes are looked at for two days
  for l, q in
    select x.id, x.queue from jobs.lanes x where x.cancelled_at > t - interval '2 days'
       and (exists (select from jobs.jobs j where j.lane_id = x.id) or exists (select from jobs.scheduled s where s.lane_id = x.id))
  loop
    perform jobs.hold_turn(q, l);
    with d as (
      delete from jobs.jobs j where j.ctid = any(array(
        select x.ctid from jobs.jobs x where x.lane_id = l and x.id not in (select unnest(y.job_ids) from jobs.leases y where y.lane_id = l)
         limit p_limit for update skip locked)) returning j.id, j.tenant_number, j.queue, j.kind, j.attempt, j.batch_id, j.run_at, j.key_scope, j.payload),
    s as (
      delete from jobs.scheduled j where j.ctid = any(array(
        select x.ctid from jobs.scheduled x where x.lane_id = l limit p_limit for update skip locked)) returning j.id, j.tenant_number, j.queue, j.kind, j.attempt, j.batch_id, j.run_at, j.key_scope, j.payload),
    a as materialized (select * from d union all select * from s),
    k as (delete from jobs.job_keys x using a where a.key_scope in (1, 2) and x.job_id = a.id and x.tenant_number = a.tenant_number and x.scope in (1, 2)),
    b as (insert into jobs.batch_deltas (tenant_number, batch_id, cancelled) select a.tenant_number, a.batch_id, count(*) from a where a.batch_id is not null group by 1, 2),
    f as (
      insert into jobs.fates (tenant_number, kind, job_id, payload)
        select a.tenant_number, a.kind, a.id, a.payload from a join jobs.kinds x on x.id = a.kind where x.on_fate is not null),
    h as (
      insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, finished_at)
        select a.id, a.tenant_number, l, a.queue, a.kind, 'cancelled', a.attempt, a.batch_id, a.run_at, t from a)
    select count(*) into c from a;
    n := n + c;
  end loop;
  return n;
end $$;

-- A failed job runs again, with a new fence, no attempt used and no worker dead over it. It takes its unique key again, or is refused where another job holds it.
create function jobs.retry(p_id bigint) returns text language plpgsql as $$
declare
  f jobs.failures;
begin
  delete from jobs.failures where id = p_id returning * into f;
  if not found then
    return 'not_found';
  end if;
  if exists (select from jobs.lanes l where l.id = f.lane_id and l.cancelled_at is not null) then
    insert into jobs.failures select f.*;
    return 'lane_cancelled';
  end if;
  if f.key is not null then
    insert into jobs.job_keys (tenant_number, kind, key, job_id, scope) values (f.tenant_number, f.kind, f.key, f.id, f.key_scope)
      on conflict (tenant_number, kind, key) do nothing;
    if not found then
      insert into jobs.failures select f.*;
      return 'key_held';
    end if;
  end if;
  insert into jobs.jobs (id, tenant_number, lane_id, queue, kind, priority, max_attempts, key_scope, batch_id, run_at, fence, payload, errors)
    values (f.id, f.tenant_number, f.lane_id, f.queue, f.kind, f.priority, f.max_attempts, f.key_scope, f.batch_id, app.clock(), nextval('jobs.fences'), f.payload, f.errors);
  insert into jobs.wakes (tenant_number, queue, lane_id) values (f.tenant_number, f.queue, f.lane_id);
  if f.batch_id is not null then
    insert into jobs.batch_deltas (tenant_number, batch_id, discarded, cancelled)
      values (f.tenant_number, f.batch_id, case when f.state in ('discarded', 'quarantined') then -1 else 0 end, case when f.state = 'cancelled' then -1 else 0 end);
  end if;
  return 'available';
end $$;

-- A job that has not started is cancelled; one that runs is not ours to take.
create function jobs.cancel(p_id bigint, p_reason text) returns text language plpgsql as $$
declare
  t timestamptz := app.clock(); n int; l bigint; q smallint;
begin
  select j.lane_id, la.queue into l, q from jobs.jobs j join jobs.lanes la on la.id = j.lane_id where j.id = p_id;
  if found then
    perform jobs.hold_turn(q, l);
  end if;
  -- one that becomes due in between is said to be running, which it may be
  with d as (delete from jobs.jobs j where j.id = p_id and j.lane_id = l and not exists (select from jobs.leases x where x.lane_id = l and p_id = any(x.job_ids))
               returning j.id, j.tenant_number, j.lane_id, j.queue, j.kind, j.priority, j.attempt, j.max_attempts, j.crashes, j.key_scope, j.batch_id, j.run_at, j.payload, j.errors),
  s as (delete from jobs.scheduled j where j.id = p_id
          returning j.id, j.tenant_number, j.lane_id, j.queue, j.kind, j.priority, j.attempt, j.max_attempts, j.crashes, j.key_scope, j.batch_id, j.run_at, j.payload, j.errors),
  a as materialized (select * from d union all select * from s),
  k as (delete from jobs.job_keys x using a where x.job_id = a.id and x.tenant_number = a.tenant_number and x.scope in (1, 2) returning x.job_id, x.key),
  f as (
    insert into jobs.failures (id, tenant_number, lane_id, queue, kind, state, priority, attempt, max_attempts, crashes, key_scope, key, batch_id, payload, errors, finished_at)
      select a.id, a.tenant_number, a.lane_id, a.queue, a.kind, 'cancelled', a.priority, a.attempt, a.max_attempts, a.crashes, a.key_scope, k.key, a.batch_id, a.payload,
             coalesce(a.errors, '[]') || jsonb_build_object('at', t, 'attempt', a.attempt, 'error', p_reason), t from a left join k on k.job_id = a.id),
  b as (insert into jobs.batch_deltas (tenant_number, batch_id, cancelled) select a.tenant_number, a.batch_id, 1 from a where a.batch_id is not null),
  h as (
    insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, finished_at)
      select a.id, a.tenant_number, a.lane_id, a.queue, a.kind, 'cancelled', a.attempt, a.batch_id, a.run_at, t from a)
  select count(*) into n from a;
  if n > 0 then
    return 'cancelled';
  end if;
  return case when exists (select from jobs.jobs where id = p_id) then 'running' else 'not_found' end;
end $$;

-- Days of history: today's and three ahead are made, those older than the retention are dropped. Definer: partitions are the owner's.
create function jobs.partition_history(p_keep_days int) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  d date; part text; r record;
begin
  if not pg_try_advisory_xact_lock(7232) then
    return;
  end if;
  for i in 0..3 loop
    d := (app.now() at time zone 'UTC')::date + i;
    part := 'history_' || to_char(d, 'YYYYMMDD');
    if to_regclass('jobs.' || part) is null then
      begin
        execute format('create table jobs.%I partition of jobs.history for values from (%L) to (%L)', part, d::timestamp at time zone 'UTC', (d + 1)::timestamp at time zone 'UTC');
      exception when check_violation then
        -- the catch-all already holds rows of that day: it keeps them
        null;
      end;
    end if;
  end loop;
  for r in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'jobs.history'::regclass and c.relname ~ '^history_\d{8}$'
       and to_date(substr(c.relname, 9), 'YYYYMMDD') < (app.now() at time zone 'UTC')::date - p_keep_days
  loop
    execute format('drop table jobs.%I', r.relname);
  end loop;
end $$;
revoke all on function jobs.partition_history from public;
grant execute on function jobs.partition_history to paloma_platform;

-- What has outlived its use, in chunks. The clock is read once, as a value that an index can be asked for: asked for each row, as it is where it
-- stands in a condition by itself, all rows are read.
create function jobs.prune(p_limit int) returns int language sql set enable_seqscan = off as $$
  with e as (delete from jobs.gate_evidence where at < (select app.clock()) - interval '10 minutes' returning 1),
  k as (delete from jobs.job_keys where ctid = any(array(
        select ctid from jobs.job_keys where expires_at <= (select app.clock()) limit p_limit for update skip locked)) returning 1),
  f as (delete from jobs.failures where ctid = any(array(
        select ctid from jobs.failures where finished_at < (select app.clock()) - interval '30 days' limit p_limit for update skip locked)) returning 1),
  b as (delete from jobs.batches where ctid = any(array(
        select ctid from jobs.batches where completed_at < (select app.clock()) - interval '30 days' limit p_limit for update skip locked)) returning 1)
  select (select count(*) from e)::int + (select count(*) from k)::int + (select count(*) from f)::int + (select count(*) from b)::int;
$$;

-- A job that commits chunk by chunk proves in each chunk that it still holds its lease; the row stays locked until the commit.
create function jobs.hold(p_id bigint, p_fence bigint, p_process uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform from jobs.jobs j where j.id = p_id and j.fence < p_fence and j.tenant_number = app.tenant_number() for no key update;
  return found and jobs.is_held(p_id, p_fence, p_process);
end $$;
revoke all on function jobs.hold from public;
grant execute on function jobs.hold to paloma_tenant;

-- It got further, so the workers that died over it before did not die of what is left: only deaths at one place count as the job's own.
create function jobs.note_progress(p_id bigint, p_fence bigint, p_process uuid) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update jobs.jobs j set crashes = 0
   where j.id = p_id and j.crashes > 0 and j.tenant_number = app.tenant_number() and jobs.is_held(p_id, p_fence, p_process) and j.fence < p_fence
$$;
revoke all on function jobs.note_progress from public;
grant execute on function jobs.note_progress to paloma_tenant;
