-- The cycle: write the last outcomes, claim the next jobs. One function, one round trip, one transaction.
-- Order of locks: gates (in id order), then jobs. A lane's configuration row and an enqueuer are never waited for.

-- Ends leases with an outcome each: 1 completed, 2 retry, 3 snooze, 4 discarded, 5 cancelled, 6 release. Only while the fence matches.
-- Answers how many leases were ended; the others had been lost and are none of our business any more.
create function jobs.settle(p_process uuid, p_ids bigint[], p_fences bigint[], p_outcomes smallint[], p_delays float8[], p_errors text[])
returns int language plpgsql set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  t timestamptz := app.clock();
  n int; m int := 0;
begin
  with a as materialized (select u.id, u.fence from unnest(p_ids, p_fences, p_outcomes) u(id, fence, outcome) where u.outcome = 1),
  -- by an array, and the fences from a hash: a join planned while the table is empty reads all of it for each batch
  d as (
    delete from jobs.jobs j
     where j.id = any(array(select a.id from a)) and j.leased_by = p_process and ((j.id, j.fence) in (select a.id, a.fence from a)) is true
      returning j.id, j.tenant_number, j.lane_id, j.queue, j.kind, j.attempt, j.batch_id, j.key_scope, j.run_at, j.leased_at),
  k as (delete from jobs.job_keys x using d where d.key_scope in (1, 2) and x.job_id = d.id and x.tenant_number = d.tenant_number and x.scope in (1, 2)),
  b as (
    insert into jobs.batch_deltas (tenant_number, batch_id, completed)
      select d.tenant_number, d.batch_id, count(*) from d where d.batch_id is not null group by 1, 2),
  h as (
    insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, leased_at, finished_at)
      select d.id, d.tenant_number, d.lane_id, d.queue, d.kind, 'completed', d.attempt, d.batch_id, d.run_at, d.leased_at, t from d)
  select count(*) into n from d;
  if exists (select from unnest(p_outcomes) o where o <> 1) then
    m := jobs.settle_other(p_process, t, p_ids, p_fences, p_outcomes, p_delays, p_errors);
  end if;
  return n + m;
end $$;

create function jobs.settle_other(p_process uuid, t timestamptz, p_ids bigint[], p_fences bigint[], p_outcomes smallint[], p_delays float8[], p_errors text[])
returns int language sql set enable_hashjoin = on as $$
  with a as materialized (
    select u.* from unnest(p_ids, p_fences, p_outcomes, p_delays, p_errors) u(id, fence, outcome, delay, error) where u.outcome <> 1),
  gone_by as (
    delete from jobs.jobs j
     where j.id = any(array(select a.id from a)) and j.leased_by = p_process and ((j.id, j.fence) in (select a.id, a.fence from a)) is true
      returning j.*),
  d as materialized (
    select j.*, a.outcome, a.delay,
        case when a.error is null then j.errors
             else (coalesce(j.errors, '[]') || jsonb_build_object('at', t, 'attempt', j.attempt, 'error', left(a.error, 2000)))
        end as log
      from gone_by j join a on a.id = j.id and a.fence = j.fence),
  -- the last ten errors are kept
  e as materialized (
    select d.*, case when jsonb_array_length(d.log) > 10 then d.log - 0 else d.log end as kept,
      (d.attempt - case when d.outcome in (3, 6) then 1 else 0 end)::smallint as given_back from d),
  again as (
    insert into jobs.jobs (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, batch_id, run_at, fence, payload, errors)
      select e.id, e.tenant_number, e.lane_id, e.queue, e.kind, e.priority, e.given_back, e.max_attempts, e.crashes, e.key_scope, e.batch_id,
             case when e.outcome = 6 then e.run_at else t end, nextval('jobs.fences'), e.payload, e.kept
        from e where e.outcome in (2, 3, 6) and coalesce(e.delay, 0) <= 0),
  later as (
    insert into jobs.scheduled (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, batch_id, run_at, fence, payload, errors)
      select e.id, e.tenant_number, e.lane_id, e.queue, e.kind, e.priority, e.given_back, e.max_attempts, e.crashes, e.key_scope, e.batch_id,
             t + make_interval(secs => e.delay), nextval('jobs.fences'), e.payload, e.kept
        from e where e.outcome in (2, 3, 6) and e.delay > 0),
  wake as (
    insert into jobs.wakes (tenant_number, queue, lane_id)
      select distinct e.tenant_number, e.queue, e.lane_id from e where e.outcome in (2, 3, 6) and coalesce(e.delay, 0) <= 0),
  gone as materialized (select e.*, case when e.outcome = 4 then 'discarded' else 'cancelled' end as state from e where e.outcome in (4, 5)),
  k as (delete from jobs.job_keys x using gone where gone.key_scope in (1, 2) and x.job_id = gone.id and x.tenant_number = gone.tenant_number and x.scope in (1, 2) returning x.job_id, x.key),
  f as (
    insert into jobs.failures (id, tenant_number, lane_id, queue, kind, state, priority, attempt, max_attempts, crashes, key_scope, key, batch_id, payload, errors, finished_at)
      select g.id, g.tenant_number, g.lane_id, g.queue, g.kind, g.state, g.priority, g.attempt, g.max_attempts, g.crashes, g.key_scope, k.key, g.batch_id, g.payload, g.kept, t
        from gone g left join k on k.job_id = g.id),
  h as (
    insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, batch_id, run_at, leased_at, finished_at)
      select g.id, g.tenant_number, g.lane_id, g.queue, g.kind, g.state, g.attempt, g.batch_id, g.run_at, g.leased_at, t from gone g),
  b as (
    insert into jobs.batch_deltas (tenant_number, batch_id, discarded, cancelled)
      select g.tenant_number, g.batch_id, count(*) filter (where g.outcome = 4), count(*) filter (where g.outcome = 5)
        from gone g where g.batch_id is not null group by 1, 2)
  select count(*)::int from d;
$$;

-- One leased job as the claim hands it out; the last two columns are the cycle's header's.
create type jobs.leased as (
  id bigint, fence bigint, tenant_number int, lane_id bigint, queue smallint, kind smallint, attempt smallint, max_attempts smallint, crashes smallint,
  key_scope smallint, batch_id bigint, run_at timestamptz, leased_at timestamptz, gates bigint[], is_probe boolean, payload text,
  settled int, wake_s float8);

create function jobs.claim(p_process uuid, q smallint, n int, p_lease interval, k int default 25)
returns setof jobs.leased language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
-- a bitmap and a sort would read a whole lane for each claim, which is what is planned while the table is small
set enable_bitmapscan = off set enable_sort = off as $$
declare
  t timestamptz := app.clock(); f bigint; v float8; taken bigint[];
  lanes bigint[]; tenants int[]; gl text[]; shut bool[]; lims int[]; parks timestamptz[]; probes bool[]; m int; quantum int;
  gids bigint[]; grate float8[]; gburst float8[]; gtok float8[]; gat timestamptz[]; gcap int[]; gbrk text[]; gopen timestamptz[]; gpaused bool[]; gcapped bool[]; grest timestamptz[]; gten int[]; ga float8[]; capped text[]; cs bigint[];
  pt timestamptz[]; pp smallint[]; pr timestamptz[]; pi bigint[];
  i int; g bigint; x int; lim int; most int; rest int := n; p timestamptz; probe bool; gs bigint[]; shared bool := false; want float8;
begin
  -- 1 what has become due
  if exists (select from jobs.scheduled s where s.queue = q and s.run_at <= t) then
    with d as (delete from jobs.scheduled where ctid = any(array(
                 select s.ctid from jobs.scheduled s where s.queue = q and s.run_at <= t order by s.run_at limit 1000 for update skip locked)) returning *),
    ins as (insert into jobs.jobs (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, batch_id, run_at, fence, payload, errors)
            select d.id, d.tenant_number, d.lane_id, d.queue, d.kind, d.priority, d.attempt, d.max_attempts, d.crashes, d.key_scope, d.batch_id, d.run_at, d.fence, d.payload, d.errors from d)
    insert into jobs.wakes (tenant_number, queue, lane_id) select distinct d.tenant_number, q, d.lane_id from d;
  end if;
  -- 2 lanes that were told to have work; one claimer at a time reads the bell
  if exists (select from jobs.wakes w where w.queue = q) and pg_try_advisory_xact_lock(7230, q) then
    with wl as materialized (
      select z.l, array_agg(z.c) as cs from (select w.ctid as c, w.lane_id as l from jobs.wakes w where w.queue = q limit 5000) z group by 1),
    st as materialized (
      select wl.l, wl.cs, ex.lane_id is not null as is_there, mi.lane_id is not null as is_mine, mi.is_idle or mi.passed_since is not null as is_stale
        from wl
        left join lateral (select u.lane_id from jobs.turns u where u.queue = q and u.lane_id = wl.l offset 0) ex on true
        left join lateral (select u.lane_id, u.is_idle, u.passed_since from jobs.turns u where u.queue = q and u.lane_id = wl.l for update skip locked) mi on true),
    -- a wake whose turn another claimer holds stays: that claimer's snapshot may be older than the job
    del as (delete from jobs.wakes w where w.ctid = any(array(select unnest(st.cs) from st where st.is_mine or not st.is_there))),
    -- what is new may stand before the place up to which the lane was leased; only an idle lane is not parked for a reason
    up as (
      update jobs.turns u set parked_until = case when u.is_idle then null else u.parked_until end, is_idle = false, passed_since = null
        from st where st.is_mine and st.is_stale and u.queue = q and u.lane_id = st.l)
    insert into jobs.turns (queue, lane_id, tenant_number, class, vt)
      select q, la.id, la.tenant_number, la.class,
        greatest(coalesce((select max(u.vt) from jobs.turns u where u.queue = q and u.tenant_number = la.tenant_number), 0),
                 coalesce((select u.vt from jobs.turns u where u.queue = q and u.class = la.class and u.parked_until is null order by u.vt limit 1), 0))
      from st join jobs.lanes la on la.id = st.l
      where not st.is_there and la.paused_at is null and la.cancelled_at is null
      order by la.id
    on conflict do nothing;
  end if;
  -- 3 lanes whose park is over; an idle one without any job is forgotten
  if exists (select from jobs.turns u where u.queue = q and u.parked_until is not null and u.parked_until <= t) then
    with e as materialized (
      select u.ctid as c, u.lane_id as l, u.is_idle from jobs.turns u where u.queue = q and u.parked_until is not null and u.parked_until <= t
       order by u.parked_until limit 200 for update skip locked),
    del as (delete from jobs.turns u using e where u.ctid = e.c and e.is_idle and not exists (select from jobs.jobs j where j.lane_id = e.l))
    update jobs.turns u set parked_until = null, is_idle = false from e
     where u.ctid = e.c and not (e.is_idle and not exists (select from jobs.jobs j where j.lane_id = e.l));
  end if;
  -- 4 whose turn it is
  select array_agg(s.lane_id order by s.o), array_agg(s.tenant_number order by s.o), array_agg(la.gates::text order by s.o),
         array_agg(la.paused_at is not null or la.cancelled_at is not null order by s.o), min(s.vt),
         array_agg(s.passed_since order by s.o), array_agg(s.passed_priority order by s.o), array_agg(s.passed_run_at order by s.o), array_agg(s.passed_id order by s.o)
    into lanes, tenants, gl, shut, v, pt, pp, pr, pi
    from (select z.*, row_number() over () as o
            from (select u.lane_id, u.tenant_number, u.vt, u.passed_since, u.passed_priority, u.passed_run_at, u.passed_id from jobs.turns u where u.queue = q and u.parked_until is null
                   order by u.class, u.vt, u.lane_id limit k for update skip locked) z) s
    join jobs.lanes la on la.id = s.lane_id;
  if lanes is null then
    -- every ready lane is being served by somebody else right now: help with the ungated ones, job rows are skip-locked
    shared := true;
    select array_agg(s.lane_id), array_agg(s.tenant_number), array_agg('{}'::text), array_agg(false), 0,
           array_agg(s.passed_since), array_agg(s.passed_priority), array_agg(s.passed_run_at), array_agg(s.passed_id)
      into lanes, tenants, gl, shut, v, pt, pp, pr, pi
      from (select u.lane_id, u.tenant_number, u.passed_since, u.passed_priority, u.passed_run_at, u.passed_id from jobs.turns u where u.queue = q and u.parked_until is null order by u.class, u.vt, u.lane_id limit 10) s
      join jobs.lanes la on la.id = s.lane_id
     where la.paused_at is null and la.cancelled_at is null and la.gates = '{}';
    if lanes is null then
      return;
    end if;
  end if;
  -- 5 what the gates let through
  m := cardinality(lanes); quantum := greatest(10, (n + m - 1) / m);
  lims := array_fill(quantum, array[m]); parks := array_fill(null::timestamptz, array[m]); probes := array_fill(false, array[m]); capped := array_fill('{}'::text, array[m]);
  for i in 1..m loop
    -- a full look each second: a row that somebody held when the lane was leased past it, and then gave back
    if pt[i] is null or pt[i] < t - interval '1s' or pt[i] > t then
      pt[i] := null; pp[i] := -32768; pr[i] := '-infinity'; pi[i] := 0;
    end if;
    if shut[i] then lims[i] := 0; elsif gl[i] <> '{}' then gids := gids || gl[i]::bigint[]; end if;
  end loop;
  if gids is null then
    -- no more than there are slots: a lane that gets none of them this time keeps its turn
    for i in 1..m loop
      lims[i] := least(lims[i], rest); rest := rest - lims[i];
    end loop;
  end if;
  if gids is not null then
    perform from jobs.gates ga0 where ga0.id = any(gids) order by ga0.id for update;
    t := app.clock();   -- once, after the locks: before them it would grant too many, twice it would lose tokens
    select array_agg(z.id), array_agg(z.rate), array_agg(z.burst), array_agg(z.tokens), array_agg(z.updated_at), array_agg(z.breaker), array_agg(z.open_until),
           array_agg(z.paused_at is not null), array_agg(z.cap is not null), array_agg(z.rests_until), array_agg(z.tenant_number),
           array_agg(case when z.cap is null then 1000000 else z.cap - coalesce((select sum(s.running) from jobs.gate_slots s where s.gate_id = z.id), 0)::int end)
      into gids, grate, gburst, gtok, gat, gbrk, gopen, gpaused, gcapped, grest, gten, gcap
      from (select * from jobs.gates ga1 where ga1.id = any(gids) order by ga1.id) z;
    gids := coalesce(gids, '{}');
    for x in 1..cardinality(gids) loop
      gtok[x] := case when grate[x] is null then 1e9 else least(gburst[x], gtok[x] + grate[x] * greatest(0, extract(epoch from t - gat[x]))::float8) end;
    end loop;
    ga := gtok;
    for i in 1..m loop
      continue when shut[i];
      most := least(quantum, rest); lim := most; lims[i] := lim;
      continue when lim = 0;
      if gl[i] = '{}' then rest := rest - lim; continue; end if;
      gs := gl[i]::bigint[]; p := null; probe := false;
      foreach g in array gs loop
        x := array_position(gids, g);
        -- a lane that names a gate which is not there, or is somebody else's, lets nothing through
        if x is null or gten[x] <> tenants[i] or gpaused[x] then lim := 0; p := greatest(p, t + interval '1s'); continue; end if;
        if grest[x] > t then lim := 0; p := greatest(p, least(grest[x], t + interval '1s')); continue; end if;
        if grest[x] > t - interval '10s' then   -- after a rest it starts slowly
          lim := least(lim, 1 + floor(extract(epoch from t - grest[x]) * 10)::int); p := greatest(p, t + interval '100ms');
        end if;
        if gbrk[x] <> 'closed' then
          if gopen[x] > t then lim := 0; p := greatest(p, least(gopen[x], t + interval '1s')); continue; end if;
          lim := least(lim, 1); probe := true;   -- half open: one probe, and if it is never heard of again another after a minute
        end if;
        if gcap[x] <= 0 then p := greatest(p, t + interval '20ms'); end if;
        if grate[x] is not null and ga[x] < most then   -- collect tokens for up to 20 ms, never past half the burst
          want := greatest(1, least(gburst[x] / 2, grate[x] * 0.02));
          -- two seconds at most, so that a rate made faster is noticed
          p := greatest(p, t + least(interval '2s', make_interval(secs => greatest(0, want - greatest(0, ga[x] - lim)) / grate[x])));
        end if;
        lim := least(lim, greatest(0, gcap[x]), greatest(0, floor(ga[x])::int));
      end loop;
      lims[i] := lim; rest := rest - lim; probes[i] := probe and lim > 0;
      if lim > 0 then
        cs := '{}';
        foreach g in array gs loop
          x := array_position(gids, g);
          if gcapped[x] then cs := cs || g; end if;
          ga[x] := ga[x] - lim; gcap[x] := gcap[x] - lim;
          if gbrk[x] <> 'closed' then gbrk[x] := 'half_open'; gopen[x] := t + interval '60s'; end if;
        end loop;
        capped[i] := cs::text;
      end if;
      if lim < most then parks[i] := coalesce(p, t + interval '5ms'); end if;
    end loop;
  end if;
  -- 6 lease, and write back what was taken, not what was reserved
  f := nextval('jobs.fences');
  return query
  with pk as materialized (
    select a.* from unnest(lanes, tenants, lims, parks, shut, gl, probes, capped, pt, pp, pr, pi)
      a(lane_id, tenant_number, lim, park, is_shut, gt, is_probe, cp, passed_since, passed_priority, passed_run_at, passed_id)),
  c as materialized (
    select y.c, pk.cp, pk.is_probe from pk cross join lateral (
      select j.ctid as c from jobs.jobs j where j.lane_id = pk.lane_id and j.lease_until = '-infinity'
         and j.tenant_number = pk.tenant_number   -- a tenant may write what it likes into its own row
         and (j.priority, j.run_at, j.id) > (pk.passed_priority, pk.passed_run_at, pk.passed_id)
       order by j.priority, j.run_at, j.id limit greatest(pk.lim, 0) for update skip locked) y),
  u as (
    update jobs.jobs j set attempt = j.attempt + 1, leased_by = p_process, leased_at = t, fence = f, lease_until = t + p_lease
      from c where j.ctid = c.c
      returning j.id, j.tenant_number, j.lane_id, j.kind, j.attempt, j.max_attempts, j.crashes, j.key_scope, j.batch_id, j.priority, j.run_at, c.cp, c.is_probe, j.payload::text as body),
  -- the place reached, or one before it where priorities or times are mixed
  uc as materialized (
    select u.lane_id, count(*)::int as n, max(u.priority) as priority,
           case when min(u.priority) = max(u.priority) then max(u.run_at) else '-infinity' end as run_at,
           case when min(u.priority) = max(u.priority) and min(u.run_at) = max(u.run_at) then max(u.id) else 0 end as id
      from u group by 1),
  k1 as materialized (
    select pk.*, coalesce(uc.n, 0) as n, uc.priority, uc.run_at, uc.id, pk.passed_since is not null and coalesce(uc.n, 0) < pk.lim as is_short, sum(coalesce(uc.n, 0)) over (partition by pk.tenant_number order by pk.lane_id) as cum
      from pk left join uc on uc.lane_id = pk.lane_id where not shared),
  gn as materialized (
    select xg.g, sum(k1.n)::int as n from k1 cross join lateral unnest(k1.gt::bigint[]) xg(g) where k1.n > 0 and k1.gt <> '{}' group by 1),
  g1 as (
    -- the probe's mark is written only where a probe really left
    update jobs.gates z set tokens = least(s.tok, z.burst) - s.n, updated_at = t, breaker = case when s.n > 0 then s.brk else z.breaker end,
        open_until = case when s.n > 0 then s.op else z.open_until end
      from (select q1.*, coalesce(gn.n, 0) as n from unnest(gids, gtok, gbrk, gopen) q1(gid, tok, brk, op) left join gn on gn.g = q1.gid) s
     where z.id = s.gid and (z.rate is not null or s.n > 0 and z.breaker <> 'closed')),
  sl as (
    insert into jobs.gate_slots (gate_id, process, running)
      select gn.g, p_process, gn.n from gn join jobs.gates z on z.id = gn.g where z.cap is not null
    on conflict (gate_id, process) do update set running = jobs.gate_slots.running + excluded.running),
  -- read again: a resume may have committed since the lane was seen shut, and its wake may be gone
  dl as (
    delete from jobs.turns tu using k1 where tu.queue = q and tu.lane_id = k1.lane_id and k1.is_shut
       and exists (select from jobs.lanes z where z.id = k1.lane_id and (z.paused_at is not null or z.cancelled_at is not null))),
  up as (
    update jobs.turns tu set
       vt = case when k1.n = 0 then tu.vt
                 else greatest(v, (select max(b.vt) from jobs.turns b where b.queue = q and b.tenant_number = k1.tenant_number)) + k1.cum end,
       -- one that had less than it was let is idle, unless only its end was looked at
       parked_until = case when k1.park is not null and k1.n = k1.lim then k1.park when k1.n < k1.lim and not k1.is_short then t + p_lease end,
       is_idle = k1.n < k1.lim and not k1.is_short,
       passed_since = case when k1.n = k1.lim then case when k1.n > 0 then coalesce(k1.passed_since, t) else tu.passed_since end end,
       passed_priority = case when k1.n > 0 then k1.priority else tu.passed_priority end,
       passed_run_at = case when k1.n > 0 then k1.run_at else tu.passed_run_at end,
       passed_id = case when k1.n > 0 then k1.id else tu.passed_id end
     from k1 where tu.queue = q and tu.lane_id = k1.lane_id and not k1.is_shut),
  cl as (insert into jobs.claims (process, fence, job_ids) select p_process, f, array_agg(u.id) from u having count(*) > 0)
  select u.id, f, u.tenant_number, u.lane_id, q, u.kind, u.attempt, u.max_attempts, u.crashes, u.key_scope, u.batch_id, u.run_at, t,
         u.cp::bigint[], u.is_probe, u.body, null::int, null::float8 from u;
end $$;

-- When a queue should be looked at again, in seconds: at once where work is ready, else at the first park or due time, else within a second.
create function jobs.next_wake(q smallint) returns float8 language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
begin
  return greatest(0, least(1.0,
    case when exists (select from jobs.wakes w where w.queue = q) then 0 end,
    case when exists (select from jobs.turns u where u.queue = q and u.parked_until is null) then 0 end,
    extract(epoch from (select u.parked_until from jobs.turns u where u.queue = q and u.parked_until is not null order by u.parked_until limit 1) - app.clock()),
    extract(epoch from (select s.run_at from jobs.scheduled s where s.queue = q order by s.run_at limit 1) - app.clock())))::float8;
end $$;

-- Settles, tells the slots that this process uses, and claims for each queue with free slots. The last row is the header: its `id` is
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
begin
  -- Where nothing ends, nothing is lost with the commit but leases, and a lost lease is a job that is ready again: so the start of a job does
  -- not wait for the disk. Whatever is done under a lease and is durable makes the lease durable, since it comes later in the log.
  if cardinality(p_ids) = 0 then
    set local synchronous_commit = off;
  end if;
  header.settled := 0;
  if cardinality(p_ids) > 0 then
    header.settled := jobs.settle(p_process, p_ids, p_fences, p_outcomes, p_delays, p_errors);
  end if;
  if cardinality(p_gates) > 0 then
    insert into jobs.gate_slots (gate_id, process, running)
      select u.g, p_process, u.r from unnest(p_gates, p_running) u(g, r) join jobs.gates z on z.id = u.g where z.cap is not null order by u.g
      on conflict (gate_id, process) do update set running = excluded.running;
  end if;
  if cardinality(p_done_claims) > 0 then
    delete from jobs.claims c where c.process = p_process and c.fence = any(p_done_claims);
  end if;
  for i in 1..cardinality(p_queues) loop
    -- a queue without free slots is looked at again when one is freed
    continue when p_free[i] <= 0;
    due := jobs.next_wake(p_queues[i]);
    got := 0;
    if due <= 0.01 then
      return query select * from jobs.claim(p_process, p_queues[i], p_free[i], make_interval(secs => p_lease_s));
      get diagnostics got = row_count;
    end if;
    -- ready and yet not taken: somebody else is at it, so not at once again
    wait := least(wait, case when got > 0 then 0 else greatest(due, 0.01) end);
  end loop;
  header.wake_s := wait;
  return next header;
end $$;
