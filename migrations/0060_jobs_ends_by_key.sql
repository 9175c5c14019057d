-- What ends jobs and the chores find each row by the one index that has its key, and leave no join to the planner. It may know of a table what it
-- learnt on the first day: an index that begins with the tenant then looks as good as the job's own, and each keyed job that ended read every
-- key of its tenant.

-- Ends leases with an outcome each: 1 completed, 2 retry, 3 snooze, 4 discarded, 5 cancelled, 6 release. Only while the lease holds.
-- Answers how many leases were ended; the others had been lost and are none of our business any more.
create or replace function jobs.settle(p_process uuid, p_ids bigint[], p_fences bigint[], p_outcomes smallint[], p_delays float8[], p_errors text[])
returns int language plpgsql set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  t timestamptz := app.clock();
  held bigint[]; since timestamptz[];
  n int := 0; m int := 0; wanted int; got int;
begin
  -- the few claims that the jobs came by
  select array_agg(f.fence), array_agg(l.leased_at) into held, since
    from (select distinct u.fence from unnest(p_fences) u(fence)) f
    cross join lateral (select x.leased_at from jobs.leases x where x.process = p_process and x.fence = f.fence limit 1) l;
  if held is null then
    return 0;
  end if;
  -- Found by key and deleted by place: a join, planned while the table was empty, would read all of it for each batch. A row that somebody was
  -- changing meanwhile is at another place: it is looked for again, and held or not by what it says then.
  select count(*) into wanted from unnest(p_fences, p_outcomes) u(fence, outcome) where u.outcome = 1 and u.fence = any(held);
  for i in 1..3 loop
  exit when n >= wanted;
  with x as materialized (
    select y.c, u.id, u.fence, since[array_position(held, u.fence)] as leased_at
      from unnest(p_ids, p_fences, p_outcomes) u(id, fence, outcome)
     cross join lateral (select j.ctid as c from jobs.jobs j where j.id = u.id and j.fence < u.fence offset 0) y
     where u.outcome = 1 and u.fence = any(held)),
  d as (
    delete from jobs.jobs j using x where j.ctid = x.c and j.id = x.id and j.fence < x.fence
      returning j.id, j.tenant_number, j.lane_id, j.queue, j.kind, j.attempt, j.batch_id, j.key_scope, j.run_at, x.leased_at),
  k as (delete from jobs.job_keys x using d
    cross join lateral (select y.ctid as c, y.tenant_number, y.scope from jobs.job_keys y where y.job_id = d.id offset 0) p
    where d.key_scope in (1, 2) and x.ctid = p.c and p.tenant_number = d.tenant_number and p.scope in (1, 2)),
  b as (
    insert into jobs.batch_deltas (tenant_number, batch_id, completed)
      select d.tenant_number, d.batch_id, count(*) from d where d.batch_id is not null group by 1, 2),
  h as (
    insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, leased_at, finished_at)
      select d.id, d.tenant_number, d.lane_id, d.queue, d.kind, 'completed', d.attempt + 1, d.batch_id, d.run_at, d.leased_at, t from d)
  select count(*) into got from d;
  n := n + got;
  end loop;
  if exists (select from unnest(p_outcomes) o where o <> 1) then
    m := jobs.settle_other(p_process, t, held, since, p_ids, p_fences, p_outcomes, p_delays, p_errors);
  end if;
  return n + m;
end $$;

create or replace function jobs.settle_other(
  p_process uuid, t timestamptz, held bigint[], since timestamptz[], p_ids bigint[], p_fences bigint[], p_outcomes smallint[], p_delays float8[], p_errors text[])
returns int language plpgsql set plan_cache_mode = force_generic_plan set enable_mergejoin = off set enable_seqscan = off as $$
declare
  n int := 0; wanted int; got int;
begin
  -- another round trip of the process may be ending jobs of the same claims: in one order
  perform from jobs.leases l where l.process = p_process and l.fence = any(p_fences) order by l.fence, l.lane_id for no key update;
  select count(*) into wanted from unnest(p_fences, p_outcomes) u(fence, outcome) where u.outcome <> 1 and u.fence = any(held);
  for i in 1..3 loop
  exit when n >= wanted;
  with x as materialized (
    select y.c, u.id, u.fence as lease_fence, u.outcome, u.delay, u.error, since[array_position(held, u.fence)] as leased_at
      from unnest(p_ids, p_fences, p_outcomes, p_delays, p_errors) u(id, fence, outcome, delay, error)
     cross join lateral (
       select j.ctid as c from jobs.jobs j join jobs.leases l on l.process = p_process and l.fence = u.fence and l.lane_id = j.lane_id
        where j.id = u.id and j.fence < u.fence and u.id = any(l.job_ids) offset 0) y
     where u.outcome <> 1),
  gone_by as (
    delete from jobs.jobs j using x where j.ctid = x.c and j.id = x.id and j.fence < x.lease_fence
      returning j.*, x.lease_fence, x.outcome, x.delay, x.error, x.leased_at),
  d as materialized (
    select j.*, (j.attempt + case when j.outcome in (3, 6) then 0 else 1 end)::smallint as starts,
        case when j.error is null then j.errors
             else (coalesce(j.errors, '[]') || jsonb_build_object('at', t, 'attempt', j.attempt + 1, 'error', left(j.error, 2000)))
        end as log
      from gone_by j),
  -- the last ten errors are kept
  e as materialized (select d.*, case when jsonb_array_length(d.log) > 10 then d.log - 0 else d.log end as kept from d),
  freed as (
    update jobs.leases l set job_ids = array(select i.id from unnest(l.job_ids) with ordinality i(id, o) where i.id <> all(z.ids) order by i.o)
      from (select e.lease_fence, e.lane_id, array_agg(e.id) as ids from e group by 1, 2) z
     where l.process = p_process and l.fence = z.lease_fence and l.lane_id = z.lane_id),
  again as (
    insert into jobs.jobs (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, batch_id, run_at, fence, payload, errors)
      select e.id, e.tenant_number, e.lane_id, e.queue, e.kind, e.priority, e.starts, e.max_attempts, e.crashes, e.key_scope, e.batch_id,
             case when e.outcome = 6 then e.run_at else t end, nextval('jobs.fences'), e.payload, e.kept
        from e where e.outcome in (2, 3, 6) and coalesce(e.delay, 0) <= 0),
  later as (
    insert into jobs.scheduled (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, batch_id, run_at, fence, payload, errors)
      select e.id, e.tenant_number, e.lane_id, e.queue, e.kind, e.priority, e.starts, e.max_attempts, e.crashes, e.key_scope, e.batch_id,
             t + make_interval(secs => least(e.delay, 31536000)), nextval('jobs.fences'), e.payload, e.kept
        from e where e.outcome in (2, 3, 6) and e.delay > 0),
  wake as (
    insert into jobs.wakes (tenant_number, queue, lane_id, priority, run_at)
      select e.tenant_number, e.queue, e.lane_id, min(e.priority), min(case when e.outcome = 6 then e.run_at else t end)
        from e where e.outcome in (2, 3, 6) and coalesce(e.delay, 0) <= 0 group by 1, 2, 3),
  gone as materialized (select e.*, case when e.outcome = 4 then 'discarded' else 'cancelled' end as state from e where e.outcome in (4, 5)),
  k as (delete from jobs.job_keys x using gone
    cross join lateral (select y.ctid as c, y.tenant_number, y.scope from jobs.job_keys y where y.job_id = gone.id offset 0) p
    where gone.key_scope in (1, 2) and x.ctid = p.c and p.tenant_number = gone.tenant_number and p.scope in (1, 2)
    returning x.job_id, x.key),
  f as (
    insert into jobs.failures (id, tenant_number, lane_id, queue, kind, state, priority, attempt, max_attempts, crashes, key_scope, key, batch_id, payload, errors, finished_at)
      select g.id, g.tenant_number, g.lane_id, g.queue, g.kind, g.state, g.priority, g.starts, g.max_attempts, g.crashes, g.key_scope, k.key, g.batch_id, g.payload, g.kept, t
        from gone g left join k on k.job_id = g.id),
  h as (
    insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, leased_at, finished_at)
      select g.id, g.tenant_number, g.lane_id, g.queue, g.kind, g.state, g.starts, g.batch_id, g.run_at, g.leased_at, t from gone g),
  b as (
    insert into jobs.batch_deltas (tenant_number, batch_id, discarded, cancelled)
      select g.tenant_number, g.batch_id, count(*) filter (where g.outcome = 4), count(*) filter (where g.outcome = 5)
        from gone g where g.batch_id is not null group by 1, 2)
  select count(*) into got from d;
  n := n + got;
  end loop;
  return n;
end $$;

-- A tenant's own transaction completes its job: the effect and the completion commit together. False: the lease was lost.
create or replace function jobs.complete(p_id bigint, p_fence bigint, p_process uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_seqscan = off as $$
declare
  n int;
begin
  with d as (
    delete from jobs.jobs j using jobs.leases l
     where j.id = p_id and j.fence < p_fence and l.process = p_process and l.fence = p_fence and l.lane_id = j.lane_id and j.tenant_number = app.tenant_number()
      returning j.*, l.leased_at),
  k as (delete from jobs.job_keys x using d
    cross join lateral (select y.ctid as c, y.tenant_number, y.scope from jobs.job_keys y where y.job_id = d.id offset 0) p
    where d.key_scope in (1, 2) and x.ctid = p.c and p.tenant_number = d.tenant_number and p.scope in (1, 2)),
  b as (
    insert into jobs.batch_deltas (tenant_number, batch_id, completed) select d.tenant_number, d.batch_id, 1 from d where d.batch_id is not null),
  h as (
    insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, leased_at, finished_at)
      select d.id, d.tenant_number, d.lane_id, d.queue, d.kind, 'completed', d.attempt + 1, d.batch_id, d.run_at, d.leased_at, app.clock() from d)
  select count(*) into n from d;
  return n = 1;
end $$;

-- A job that has not started is cancelled; one that runs is not ours to take.
create or replace function jobs.cancel(p_id bigint, p_reason text) returns text language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off as $$
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
  k as (delete from jobs.job_keys x using a
    cross join lateral (select y.ctid as c, y.tenant_number, y.scope from jobs.job_keys y where y.job_id = a.id offset 0) p
    where x.ctid = p.c and p.tenant_number = a.tenant_number and p.scope in (1, 2)
    returning x.job_id, x.key),
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

-- Of these jobs the ones over which too many workers have died: only an operator lets one of them run again. Its batch counts it as discarded.
create or replace function jobs.quarantine(t timestamptz, p_ids bigint[], p_max_crashes int) returns void language sql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
  with d as (
    delete from jobs.jobs j where j.id = any(p_ids) and j.crashes >= p_max_crashes returning j.*),
  k as (delete from jobs.job_keys x using d
    cross join lateral (select y.ctid as c, y.tenant_number, y.scope from jobs.job_keys y where y.job_id = d.id offset 0) p
    where x.ctid = p.c and p.tenant_number = d.tenant_number and p.scope in (1, 2)
    returning x.job_id, x.key),
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

-- The job starts: its key "until started" ends. Waits for enqueuers that have seen it and not committed yet.
-- If the commit is lost in a crash the key is only held for as long as the job runs, so nobody waits for the disk.
create or replace function jobs.give_up_key(p_job bigint) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  x record;
begin
  set local synchronous_commit = off;
  for x in select tenant_number, kind, key from jobs.job_keys where job_id = p_job and scope = 1 loop
    perform pg_advisory_xact_lock(7234, jobs.key_lock(x.tenant_number, x.kind, x.key));
    delete from jobs.job_keys d where d.tenant_number = x.tenant_number and d.kind = x.kind and d.key = x.key and d.job_id = p_job;
  end loop;
end $$;

-- Jobs of cancelled lanes leave in chunks; what runs is let finish. They can't be retried, so history is all that is kept of them.
create or replace function jobs.sweep_cancelled(p_limit int) returns int language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off as $$
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
       -- each asked by itself: as a join, all jobs of all lanes may be read for it
       and ((select true from jobs.jobs j where j.lane_id = x.id limit 1) or (select true from jobs.scheduled s where s.lane_id = x.id limit 1))
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
    k as (delete from jobs.job_keys x using a
    cross join lateral (select y.ctid as c, y.tenant_number, y.scope from jobs.job_keys y where y.job_id = a.id offset 0) p
    where a.key_scope in (1, 2) and x.ctid = p.c and p.tenant_number = a.tenant_number and p.scope in (1, 2)),
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

-- Runs again what was asked for, a chunk a batch and call. Each failure is looked at once, in the order of ids, so that one which fails anew
-- is not taken up again, and one whose unique key is held by another job, or whose lane is cancelled, stays where it is.
create or replace function jobs.retry_batches(p_limit int) returns int language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  b record; ids bigint[]; c int; n int := 0;
begin
  if not exists (select from jobs.batches x where x.retry_at is not null) or not pg_try_advisory_xact_lock(7241) then
    return 0;
  end if;
  for b in
    select x.id, x.tenant_number, x.retry_at, x.retry_after, x.cancelled_at from jobs.batches x where x.retry_at is not null order by x.id
       for no key update skip locked
  loop
    select array_agg(z.id order by z.id) into ids from (
      select f.id from jobs.failures f
       where f.batch_id = b.id and f.id > b.retry_after and f.state = 'discarded' and f.finished_at <= b.retry_at and b.cancelled_at is null
       order by f.id limit p_limit for update skip locked) z;
    if ids is null then
      update jobs.batches x set retry_at = null, retry_after = 0, version = x.version + 1 where x.id = b.id;
      -- has the folder look, should nothing have been left to run
      insert into jobs.batch_deltas (tenant_number, batch_id) values (b.tenant_number, b.id);
      continue;
    end if;
    insert into jobs.job_keys (tenant_number, kind, key, job_id, scope)
      select f.tenant_number, f.kind, f.key, f.id, f.key_scope from unnest(ids) i(id)
       cross join lateral (select x.tenant_number, x.kind, x.key, x.id, x.key_scope, x.lane_id from jobs.failures x where x.id = i.id offset 0) f
       -- of its one lane, and not among the cancelled ones
       where f.key is not null and (select l.cancelled_at from jobs.lanes l where l.id = f.lane_id) is null
       order by f.kind, f.key
      on conflict (tenant_number, kind, key) do nothing;
    with p as materialized (
      select f.c from unnest(ids) i(id)
       cross join lateral (select x.ctid as c, x.tenant_number, x.kind, x.key, x.id, x.lane_id from jobs.failures x where x.id = i.id offset 0) f
       where (select l.cancelled_at from jobs.lanes l where l.id = f.lane_id) is null
         and (f.key is null
              or (select k.job_id from jobs.job_keys k where k.tenant_number = f.tenant_number and k.kind = f.kind and k.key = f.key) = f.id)),
    -- by place, which stands: they were locked above
    d as (
      delete from jobs.failures f using p where f.ctid = p.c
      returning f.id, f.tenant_number, f.lane_id, f.queue, f.kind, f.priority, f.max_attempts, f.key_scope, f.batch_id, f.payload, f.errors),
    j as (
      insert into jobs.jobs (id, tenant_number, lane_id, queue, kind, priority, max_attempts, key_scope, batch_id, run_at, fence, payload, errors)
        select d.id, d.tenant_number, d.lane_id, d.queue, d.kind, d.priority, d.max_attempts, d.key_scope, d.batch_id, app.clock(), nextval('jobs.fences'), d.payload, d.errors from d),
    w as (insert into jobs.wakes (tenant_number, queue, lane_id) select distinct d.tenant_number, d.queue, d.lane_id from d),
    t as (
      insert into jobs.batch_deltas (tenant_number, batch_id, discarded) select b.tenant_number, b.id, -count(*) from d having count(*) > 0)
    select count(*) into c from d;
    update jobs.batches x set retry_after = ids[cardinality(ids)] where x.id = b.id;
    n := n + c;
  end loop;
  return n;
end $$;

-- Opens the batches that follow a completed one and cancels those that follow a cancelled one. Level-triggered: it is asked of the rows each
-- round, so it does not matter which of opening a follower and completing the one it follows commits first.
create or replace function jobs.open_batches() returns int language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  b record; n int := 0;
begin
  for b in
    with held as materialized (select x.id, x.after_id from jobs.batches x where x.opened_at is null and x.cancelled_at is null),
    due as materialized (
      select h.id, p.cancelled_at from held h
       cross join lateral (select x.completed_at, x.cancelled_at from jobs.batches x where x.id between h.after_id and h.after_id order by x.id) p
       where p.completed_at is not null or p.cancelled_at is not null)
    select c.id, c.tenant_number, c.paused_at, d.cancelled_at as after_cancelled_at
      from (select z.id, z.cancelled_at from due z order by z.id) d
     cross join lateral (
       select x.id, x.tenant_number, x.paused_at from jobs.batches x
        where x.id between d.id and d.id and x.opened_at is null and x.cancelled_at is null order by x.id for no key update skip locked) c
  loop
    -- a lane is being made for it right now: the next round
    continue when not pg_try_advisory_xact_lock(7236, jobs.batch_lock(b.id));
    n := n + 1;
    if b.after_cancelled_at is not null then
      perform jobs.cancel_batch(b.tenant_number, b.id);
      continue;
    end if;
    update jobs.batches x set opened_at = app.now(), version = x.version + 1 where x.id = b.id;
    if b.paused_at is null then
      perform jobs.open_lanes(b.tenant_number, b.id);
    end if;
    insert into jobs.batch_deltas (tenant_number, batch_id) values (b.tenant_number, b.id);
  end loop;
  return n;
end $$;

-- Adds up what was settled and, where a batch is sealed and all its jobs have ended, fires its completion: once a generation, in the
-- transaction of the compare-and-set, so that a crash leaves both or neither.
create or replace function jobs.fold_batches() returns int language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  b record; n int := 0; mine bigint[];
begin
  if not pg_try_advisory_xact_lock(7231) then
    return 0;
  end if;
  -- locked by a statement of their own, so that the next one finds each where it stands
  select coalesce(array_agg(l.id), '{}') into mine
    from (select distinct z.batch_id as id from (select x.batch_id from jobs.batch_deltas x limit 10000) z order by 1) i
   cross join lateral (select x.id from jobs.batches x where x.id between i.id and i.id order by x.id for no key update skip locked) l;
  for b in
    with w as materialized (select x.ctid as c, x.batch_id from jobs.batch_deltas x limit 10000),
    -- those of a batch that somebody holds stay; those of one that is gone go
    d as (
      delete from jobs.batch_deltas y where y.ctid = any(array(
        select w.c from w
         where w.batch_id = any(mine) or (select x.id from jobs.batches x where x.id between w.batch_id and w.batch_id order by x.id) is null))
      returning y.batch_id, y.tenant_number, y.enqueued, y.completed, y.discarded, y.cancelled, y.is_sealed),
    s as (
      select batch_id, tenant_number, sum(enqueued) as enqueued, sum(completed) as completed, sum(discarded) as discarded, sum(cancelled) as cancelled, bool_or(is_sealed) as is_sealed
        from d group by 1, 2)
    update jobs.batches x set enqueued_count = x.enqueued_count + s.enqueued, completed_count = x.completed_count + s.completed,
        discarded_count = x.discarded_count + s.discarded, cancelled_count = x.cancelled_count + s.cancelled, is_sealed = x.is_sealed or s.is_sealed,
        version = x.version + 1
      from s
      cross join lateral (select y.ctid as c, y.tenant_number from jobs.batches y where y.id between s.batch_id and s.batch_id order by y.id) p
     where x.ctid = p.c and p.tenant_number = s.tenant_number
      returning x.id, x.tenant_number, x.on_complete, x.completed_at,
        x.is_sealed and x.enqueued_count = x.completed_count + x.discarded_count + x.cancelled_count
          and x.retry_at is null and (x.opened_at is not null or x.cancelled_at is not null) as is_done
  loop
    n := n + 1;
    -- deltas beyond the limit may say that more jobs were added
    if b.is_done and b.completed_at is null and not exists (select from jobs.batch_deltas d where d.batch_id = b.id) then
      update jobs.batches x set completed_at = app.clock(), version = x.version + 1 where x.id = b.id and x.completed_at is null;
      if b.on_complete is not null then
        -- where its lane was cancelled it is not told, and holds up no other
        begin
        perform jobs.enqueue(b.tenant_number, b.on_complete ->> 'kind', b.on_complete ->> 'queue', b.on_complete ->> 'lane', 1::smallint, 0::smallint,
          (b.on_complete ->> 'max_attempts')::smallint, null, 0::smallint, null, array[b.on_complete -> 'payload'], null, null);
        exception when raise_exception then
          raise warning 'the completion of batch % is not told: %', b.id, sqlerrm;
        end;
      end if;
    end if;
  end loop;
  perform jobs.open_batches();
  return n;
end $$;

-- Hours that are past their keeping, in chunks. The clock is read once, as a value that an index can be asked for.
create or replace function jobs.prune_costs(p_keep_days int, p_limit int) returns int language sql set enable_seqscan = off as $$
  with d as (delete from jobs.costs where ctid = any(array(
    select ctid from jobs.costs where hour < (select app.clock()) - make_interval(days => p_keep_days) limit p_limit for update skip locked)) returning 1)
  select count(*)::int from d;
$$;

-- Those that look up one row by its whole key and had no such word yet.
alter function jobs.lane(int, smallint, text, smallint, bigint[], bigint) set enable_seqscan = off;
alter function jobs.retry(bigint) set enable_seqscan = off;
alter function jobs.pause_batch(int, bigint) set enable_seqscan = off;
alter function jobs.resume_batch(int, bigint) set enable_seqscan = off;
alter function jobs.open_lanes(int, bigint) set enable_seqscan = off;
alter function jobs.cancel_batch(int, bigint) set enable_seqscan = off;
alter function jobs.retry_batch(int, bigint) set enable_seqscan = off;
