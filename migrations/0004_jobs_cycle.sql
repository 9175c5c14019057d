-- The cycle: write the last outcomes, claim the next jobs (0013). One function, one round trip, one transaction.

-- Whether that lease of the job still holds: its row is there, and the job has not been freed of it. Ask inside the statement that acts on the
-- job's row, or lock that row first: whoever frees a job of a lease without ending it raises the job's fence.
create function jobs.is_held(p_id bigint, p_fence bigint, p_process uuid) returns boolean language sql stable
return exists (
  select from jobs.jobs j join jobs.leases l on l.process = p_process and l.fence = p_fence and l.lane_id = j.lane_id
   where j.id = p_id and j.fence < p_fence);

-- Ends leases with an outcome each: 1 completed, 2 retry, 3 snooze, 4 discarded, 5 cancelled, 6 release. Only while the lease holds.
-- Answers how many leases were ended; the others had been lost and are none of our business any more.
create function jobs.settle(p_process uuid, p_ids bigint[], p_fences bigint[], p_outcomes smallint[], p_delays float8[], p_errors text[])
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
  k as (delete from jobs.job_keys x using d where d.key_scope in (1, 2) and x.job_id = d.id and x.tenant_number = d.tenant_number and x.scope in (1, 2)),
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

create function jobs.settle_other(
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
  k as (delete from jobs.job_keys x using gone where gone.key_scope in (1, 2) and x.job_id = gone.id and x.tenant_number = gone.tenant_number and x.scope in (1, 2) returning x.job_id, x.key),
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

-- What one claim has leased of one lane, in columns; the last two are the cycle's header's.
create type jobs.leased as (
  fence bigint, lane_id bigint, tenant_number int, queue smallint, leased_at timestamptz, gates bigint[], is_probe boolean,
  ids bigint[], kinds smallint[], attempts smallint[], max_attempts smallint[], crashes smallint[], key_scopes smallint[], run_ats timestamptz[], payloads text[],
  settled int, wake_s float8);

-- When a queue should be looked at again, in seconds: at once where work is ready, else at the first time that something is due, else within
-- a second.
create function jobs.next_wake(q smallint) returns float8 language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
begin
  return greatest(0, least(1.0,
    case when exists (select from jobs.wakes w where w.queue = q) then 0 end,
    case when exists (select from jobs.turns u where u.queue = q and u.idle_until is null and u.gate_id is null) then 0 end,
    extract(epoch from least(
      (select u.idle_until from jobs.turns u where u.queue = q and u.idle_until is not null order by u.idle_until limit 1),
      (select w.due_at from jobs.gate_waits w where w.queue = q order by w.due_at limit 1),
      (select s.run_at from jobs.scheduled s where s.queue = q order by s.run_at limit 1)) - app.clock())))::float8;
end $$;

-- Settles, tells the slots that this process uses, and claims for each queue with free slots. The last row is the header: its `fence` is
-- null, `settled` counts the leases ended, `wake_s` says when to look again.
create function jobs.cycle(
  p_process uuid, p_lease_s float8, p_ids bigint[], p_fences bigint[], p_outcomes smallint[], p_delays float8[], p_errors text[],
  p_gates bigint[], p_running int[], p_done_claims bigint[], p_queues smallint[], p_free int[])
returns setof jobs.leased language plpgsql as $$
declare
  header jobs.leased;
  wait float8 := 1;
  due float8;
  got int;
  is_first bool := true;
begin
  -- Where nothing ends, nothing is lost with the commit but leases, and a lost lease is a job that is ready again: so the start of a job does
  -- not wait for the disk. Whatever is done under a lease and is durable makes the lease durable, since it comes later in the log.
  if cardinality(p_ids) = 0 then
    set local synchronous_commit = off;
  end if;
  -- Whoever comes here lives, also where its renewal is late, as after an outage: or what it leases now would be taken for a dead one's at once.
  -- Before anything else is locked, since the rescuer holds this row while it waits for jobs.
  update jobs.processes p set seen_at = app.clock(), lease_until = app.clock() + make_interval(secs => p_lease_s)
    where p.id = p_process and p.lease_until < app.clock() + make_interval(secs => p_lease_s / 2);
  header.settled := 0;
  if cardinality(p_ids) > 0 then
    header.settled := jobs.settle(p_process, p_ids, p_fences, p_outcomes, p_delays, p_errors);
  end if;
  if cardinality(p_gates) > 0 then
    insert into jobs.gate_slots (gate_id, process, running)
      select u.g, p_process, u.r from unnest(p_gates, p_running) u(g, r) join jobs.gates z on z.id = u.g order by u.g
      on conflict (gate_id, process) do update set running = excluded.running;
  end if;
  if cardinality(p_done_claims) > 0 then
    delete from jobs.leases c where c.process = p_process and c.fence = any(p_done_claims);
  end if;
  for i in 1..cardinality(p_queues) loop
    -- a queue without free slots is looked at again when one is freed
    continue when p_free[i] <= 0;
    due := jobs.next_wake(p_queues[i]);
    got := 0;
    if due <= 0.01 then
      return query select * from jobs.claim(p_process, p_queues[i], p_free[i], make_interval(secs => p_lease_s), is_first);
      get diagnostics got = row_count;
      is_first := false;
    end if;
    -- ready and yet not taken: somebody else is at it, so not at once again
    wait := least(wait, case when got > 0 then 0 else greatest(due, 0.01) end);
  end loop;
  header.wake_s := wait;
  return next header;
end $$;
