-- Turns are found by their key, and the first of them by their order, each by the one index that gives it. Turns come and go, so the server's own
-- upkeep often takes their statistics while there is none or a single one; by these any index of the queue looks as good as the key, and each
-- look at one lane read the turns of all. `between x and x order by x` is how to say the key to a planner that has been told not to sort.

-- And bells that have been heard are not passed again. A transaction that is kept open keeps every row that has gone since then, and the table of
-- bells has no live ones to speak of: each look went through all that had ever been rung, which grew to a tenth of a second in two minutes.

-- The transaction that rang.
alter table jobs.wakes add column xid xid8 not null default pg_current_xact_id();
create index wakes_xid on jobs.wakes (queue, xid);

-- What this session need not look at any more: all transactions before this one have ended, and what they rang has been heard. Only a session
-- can know it without leaving dead rows itself.
create function jobs.heard(q smallint) returns xid8 language sql stable as $$
  select coalesce(nullif(current_setting('paloma.heard_' || q, true), ''), '0')::xid8
$$;

-- From where a lane is looked back at; none: from its beginning. It holds while the row is as the transaction that wrote it has left it: a
-- version of the program that does not know these columns writes the others without them.
alter table jobs.turns add column back_priority smallint, add column back_run_at timestamptz, add column back_xid xid;

-- When a queue should be looked at again, in seconds: at once where work is ready, else at the first time that something is due, else within
-- a second.
create or replace function jobs.next_wake(q smallint) returns float8 language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
declare heard xid8 := jobs.heard(q);
begin
  return greatest(0, least(1.0,
    case when exists (select from jobs.wakes w where w.queue = q and w.xid >= heard) then 0 end,
    case when (select true from jobs.turns u where u.queue = q and u.idle_until is null and u.gate_id is null order by u.class, u.vt, u.lane_id limit 1) then 0 end,
    extract(epoch from least(
      (select u.idle_until from jobs.turns u where u.queue = q and u.idle_until is not null order by u.idle_until limit 1),
      (select w.due_at from jobs.gate_waits w where w.queue = q order by w.due_at limit 1),
      (select s.run_at from jobs.scheduled s where s.queue = q order by s.run_at limit 1)) - app.clock())))::float8;
end $$;

-- Lanes that were told of work get a turn; one claimer at a time reads the bell.
create or replace function jobs.hear_wakes(q smallint) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare heard xid8 := jobs.heard(q);
begin
  if not (exists (select from jobs.wakes w where w.queue = q and w.xid >= heard) and pg_try_advisory_xact_lock(7230, q)) then
    return;
  end if;
  with wl as materialized (
    select z.l, array_agg(z.c) as cs, count(z.priority) = count(*) as has_place, min(z.priority) as priority, min(z.run_at) as run_at
      from (select w.ctid as c, w.lane_id as l, w.priority, w.run_at from jobs.wakes w where w.queue = q and w.xid >= heard order by w.xid limit 5000) z group by 1),
  st as materialized (
    select wl.l, wl.cs, ex.c, ex.c is not null as is_there, mi.c is not null as is_mine, mi.idle_until is not null as is_idle,
           -- what is new stands, or may stand, before the place up to which the lane was leased
           not wl.has_place or coalesce((wl.priority, wl.run_at) <= (mi.passed_priority, mi.passed_run_at), true) as is_before,
           wl.has_place, wl.priority, wl.run_at,
           -- where the others are; looked up before anything is written, or it would pass over all that this statement has written
           (select o.vt from jobs.turns o where o.queue = q and o.class = mi.class and o.idle_until is null and o.gate_id is null order by o.vt limit 1) as front
      from wl
      left join lateral (select u.ctid as c from jobs.turns u where u.queue = q and u.lane_id between wl.l and wl.l order by u.lane_id) ex on true
      -- as it was seen: one that another claimer has written since then can't be written by this statement
      left join lateral (
        select u.ctid as c, u.class, u.idle_until, u.passed_priority, u.passed_run_at, u.passed_id
          from jobs.turns u where u.queue = q and u.lane_id between wl.l and wl.l order by u.lane_id for update skip locked) mi on mi.c = ex.c),
  -- a wake whose turn another claimer holds, or has just written, stays: that claimer's snapshot may be older than the job
  del as (delete from jobs.wakes w where w.ctid = any(array(select unnest(st.cs) from st where st.is_mine or not st.is_there))),
  up as (
    -- back among the others, not before them for as long as it was away
    update jobs.turns u set idle_until = null, looks_back = u.looks_back or st.is_before,
        back_priority = b.priority, back_run_at = b.run_at, back_xid = pg_current_xact_id()::xid,
        vt = case when st.is_idle then greatest(u.vt, coalesce(st.front, 0)) else u.vt end
      from st cross join lateral (
        -- the first of the places that are told, where all are: jobs come out of order by milliseconds, and what has gone before may be much
        select case when count(*) = count(z.run_at) then min(z.priority) end as priority, case when count(*) = count(z.run_at) then min(z.run_at) end as run_at
          from (select st.priority, case when st.has_place then st.run_at end where st.is_before
                union all
                select y.back_priority, case when y.xmin = y.back_xid then y.back_run_at end from jobs.turns y where y.ctid = st.c and y.looks_back) z(priority, run_at)) b
     where u.ctid = st.c and st.is_mine and (st.is_idle or st.is_before))
  insert into jobs.turns (queue, lane_id, tenant_number, class, vt)
    select q, z.id, z.tenant_number, z.class, z.vt from (
      select la.id, la.tenant_number, la.class, greatest(coalesce(mine.vt, 0), coalesce(front.vt, 0)) as vt
        from st
       cross join lateral (select y.* from jobs.lanes y where y.id = st.l offset 0) la
        left join lateral (select u.vt from jobs.turns u where u.queue = q and u.tenant_number = la.tenant_number order by u.vt desc limit 1) mine on true
        left join lateral (
          select u.vt from jobs.turns u where u.queue = q and u.class = la.class and u.idle_until is null and u.gate_id is null order by u.vt limit 1) front on true
       where not st.is_there and la.queue = q and la.paused_at is null and la.cancelled_at is null
       order by la.id offset 0) z
  on conflict do nothing;
  -- What rang before all that still runs has been looked at, but for what stays. Whoever rolls back forgets this with it.
  perform set_config('paloma.heard_' || q, least(pg_snapshot_xmin(pg_current_snapshot()),
    (select w.xid from jobs.wakes w where w.queue = q and w.xid >= heard order by w.xid limit 1))::text, false);
end $$;

-- Idle lanes whose time is over are looked at in full; one without any job is forgotten.
create or replace function jobs.wake_idle(q smallint, t timestamptz, p_limit int default 200) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
begin
  if (select u.idle_until from jobs.turns u where u.queue = q and u.idle_until is not null order by u.idle_until limit 1) <= t then
    with e as materialized (
      select u.ctid as c, exists (select from jobs.jobs j where j.lane_id = u.lane_id) as has_jobs from jobs.turns u
       where u.queue = q and u.idle_until <= t order by u.idle_until limit p_limit for update skip locked),
    del as (delete from jobs.turns u using e where u.ctid = e.c and not e.has_jobs)
    update jobs.turns u set idle_until = null, looks_back = true, vt = greatest(u.vt, coalesce(
        (select o.vt from jobs.turns o where o.queue = q and o.class = u.class and o.idle_until is null and o.gate_id is null order by o.vt limit 1), 0))
      from e where u.ctid = e.c and e.has_jobs;
  end if;
end $$;

-- Takes the lane for whoever wants to take jobs away from it: no claim is at it until the transaction has ended.
create or replace function jobs.hold_turn(q smallint, p_lane bigint) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
begin
  -- A claimer that hears of new lanes holds turns and makes others: not meanwhile, or each would wait for the other.
  perform pg_advisory_xact_lock(7230, q);
  loop
    insert into jobs.turns (queue, lane_id, tenant_number, class, vt, idle_until)
      select q, la.id, la.tenant_number, la.class, 0, app.clock() from jobs.lanes la where la.id = p_lane and la.queue = q
      on conflict do nothing;
    perform from jobs.turns u where u.queue = q and u.lane_id between p_lane and p_lane order by u.lane_id for update;
    exit when found or not exists (select from jobs.lanes la where la.id = p_lane and la.queue = q);
  end loop;
end $$;

-- When gates have been dealt with: the next look at those before which lanes wait. The caller holds the gates' locks.
create or replace function jobs.write_waits(q smallint, p_locked bigint[], p_gates bigint[], p_due_ats timestamptz[]) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
begin
  delete from jobs.gate_waits w using unnest(p_locked) g(id)
   cross join lateral (select y.ctid as c from jobs.gate_waits y where y.queue = q and y.gate_id between g.id and g.id order by y.gate_id) p
   where w.ctid = p.c
     and (select true from jobs.turns u where u.queue = q and u.gate_id = g.id order by u.class, u.vt, u.lane_id limit 1) is null;
  insert into jobs.gate_waits (queue, gate_id, due_at)
    select q, z.g, max(z.d) from unnest(p_gates, p_due_ats) z(g, d)
     where (select true from jobs.turns u where u.queue = q and u.gate_id = z.g order by u.class, u.vt, u.lane_id limit 1) group by 2 order by 2
  on conflict (queue, gate_id) do update set due_at = excluded.due_at where jobs.gate_waits.due_at <> excluded.due_at;
end $$;
