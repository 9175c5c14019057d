-- The claim again: it finds turns whatever the planner believed when there were none, and takes more of each lane where it takes many jobs.
--
-- Each index of `turns` begins with the queue, and to a plan made while the table was empty they are all the same: it may read every turn of the
-- queue for each lane. Only the order asked for tells them apart, so a turn is looked for in the order of the one index that has it, without a
-- sort, by a comparison of rows where both columns are known; or by its place, where its row has been read before.

-- Lanes that were told of work get a turn; one claimer at a time reads the bell.
create or replace function jobs.hear_wakes(q smallint) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
begin
  if not (exists (select from jobs.wakes w where w.queue = q) and pg_try_advisory_xact_lock(7230, q)) then
    return;
  end if;
  with wl as materialized (
    select z.l, array_agg(z.c) as cs, count(z.priority) = count(*) as has_place, min(z.priority) as priority, min(z.run_at) as run_at
      from (select w.ctid as c, w.lane_id as l, w.priority, w.run_at from jobs.wakes w where w.queue = q limit 5000) z group by 1),
  st as materialized (
    select wl.l, wl.cs, ex.c, ex.c is not null as is_there, mi.lane_id is not null as is_mine, mi.idle_until is not null as is_idle,
           -- what is new stands, or may stand, before the place up to which the lane was leased
           not wl.has_place or coalesce((wl.priority, wl.run_at) <= (mi.passed_priority, mi.passed_run_at), true) as is_before,
           -- where the others are; looked up before anything is written, or it would pass over all that this statement has written
           (select o.vt from jobs.turns o where o.queue = q and o.class = mi.class and o.idle_until is null and o.gate_id is null order by o.vt limit 1) as front
      from wl
      left join lateral (
        select z.c from (select y.ctid as c, y.queue, y.lane_id from jobs.turns y where (y.queue, y.lane_id) >= (q, wl.l) order by y.queue, y.lane_id limit 1) z
         where z.queue = q and z.lane_id = wl.l) ex on true
      left join lateral (
        select u.lane_id, u.class, u.idle_until, u.passed_priority, u.passed_run_at, u.passed_id
          from jobs.turns u where u.ctid = ex.c and u.queue = q and u.lane_id = wl.l for update skip locked) mi on true),
  -- a wake whose turn another claimer holds, or has just changed, stays: that claimer's snapshot may be older than the job
  del as (delete from jobs.wakes w where w.ctid = any(array(select unnest(st.cs) from st where st.is_mine or not st.is_there))),
  up as (
    -- back among the others, not before them for as long as it was away
    update jobs.turns u set idle_until = null, looks_back = u.looks_back or st.is_before,
        vt = case when st.is_idle then greatest(u.vt, coalesce(st.front, 0)) else u.vt end
      from st where u.ctid = st.c and st.is_mine and (st.is_idle or st.is_before))
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
end $$;

-- Idle lanes whose time is over are looked at in full; one without any job is forgotten.
create or replace function jobs.wake_idle(q smallint, t timestamptz, p_limit int default 200) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
begin
  if exists (select from (select from jobs.turns u where u.queue = q and u.idle_until <= t order by u.idle_until limit 1) z) then
    with e as materialized (
      select u.ctid as c, exists (select from jobs.jobs j where j.lane_id = u.lane_id) as has_jobs from jobs.turns u
       where u.queue = q and u.idle_until <= t order by u.idle_until limit p_limit for update skip locked),
    del as (delete from jobs.turns u using e where u.ctid = e.c and not e.has_jobs)
    update jobs.turns u set idle_until = null, looks_back = true, vt = greatest(u.vt, coalesce(
        (select o.vt from jobs.turns o where o.queue = q and o.class = u.class and o.idle_until is null and o.gate_id is null order by o.vt limit 1), 0))
      from e where u.ctid = e.c and e.has_jobs;
  end if;
end $$;

create or replace function jobs.claim(p_process uuid, q smallint, n int, p_lease interval, p_may_wait boolean default false, k int default 25)
returns setof jobs.leased language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
-- a bitmap and a sort would read a whole lane for each claim, which is what is planned while the table is small
set enable_bitmapscan = off set enable_sort = off as $$
declare
  t timestamptz := app.clock(); v float8; due bigint[];
  lanes bigint[]; places tid[]; tenants int[]; gl text[]; shut bool[]; weights int[]; credits int[]; owes int[]; was bigint[]; back bool[]; pp smallint[]; pr timestamptz[]; pi bigint[];
  lims int[]; absent bool[]; waits bigint[]; probes bool[]; capped text[]; m int; heavy int; quantum int; rest int := n;
  gids bigint[]; grate float8[]; gburst float8[]; gtok float8[]; gat timestamptz[]; gcap int[]; gbrk text[]; gopen timestamptz[]; gpaused bool[]; gcapped bool[];
  grest timestamptz[]; gten int[]; ga float8[]; ghour int[]; gday int[]; ghour_end timestamptz[]; gday_end timestamptz[]; wg bigint[]; wd timestamptz[];
  i int; g bigint; x int; lim int; most int; p timestamptz; at bigint; d timestamptz; probe bool; gs bigint[]; cs bigint[]; want float8; place record;
begin
  perform jobs.promote(q, t);
  perform jobs.hear_wakes(q);
  perform jobs.wake_idle(q, t);
  -- 1 whose turn it is: ready lanes, and those that wait before a gate that is due, all of a gate together, so that its tokens are dealt in
  -- the order of turns and not to whoever comes first
  select array_agg(w.gate_id) into due from (select z.gate_id from jobs.gate_waits z where z.queue = q and z.due_at <= t order by z.due_at limit 25) w;
  select array_agg(s.lane_id order by s.o), array_agg(s.place order by s.o), array_agg(s.tenant_number order by s.o), array_agg(la.gates::text order by s.o),
         array_agg(la.paused_at is not null or la.cancelled_at is not null order by s.o), array_agg(la.weight::int order by s.o),
         -- not of those that waited before a gate, or the others would wait until these have caught up
         coalesce(min(s.vt) filter (where s.gate_id is null), min(s.vt)),
         array_agg(s.credit order by s.o), array_agg(s.owed order by s.o), array_agg(s.gate_id order by s.o),
         array_agg(s.looks_back order by s.o), array_agg(s.passed_priority order by s.o), array_agg(s.passed_run_at order by s.o), array_agg(s.passed_id order by s.o)
    into lanes, places, tenants, gl, shut, weights, v, credits, owes, was, back, pp, pr, pi
    from (select z.*, row_number() over (order by z.class, z.vt, z.lane_id) as o from (
            select * from (
              select u.ctid as place, u.* from jobs.turns u where u.queue = q and u.idle_until is null and u.gate_id is null
               order by u.class, u.vt, u.lane_id limit k for update skip locked) a
            union all
            select b.* from unnest(due) w(g) cross join lateral (
              select u.ctid as place, u.* from jobs.turns u where u.queue = q and u.gate_id = w.g
               order by u.class, u.vt, u.lane_id limit k for update skip locked) b) z
           order by z.class, z.vt, z.lane_id limit k) s
    join jobs.lanes la on la.id = s.lane_id;
  if lanes is null and p_may_wait then
    -- Everything that is ready is with somebody else right now. Waits for the first, which is free in milliseconds; it may, since it holds
    -- no turn and no gate yet, and whoever holds a turn never waits for one. Not for long: outcomes wait with it.
    begin
    perform set_config('lock_timeout', '50ms', true);
    select array[u.lane_id], array[u.place], array[u.tenant_number], array[la.gates::text], array[la.paused_at is not null or la.cancelled_at is not null], array[la.weight::int], u.vt,
           array[u.credit], array[u.owed], array[u.gate_id], array[u.looks_back], array[u.passed_priority], array[u.passed_run_at], array[u.passed_id]
      into lanes, places, tenants, gl, shut, weights, v, credits, owes, was, back, pp, pr, pi
      from (select y.ctid as place, y.* from jobs.turns y where y.queue = q and y.idle_until is null and y.gate_id is null order by y.class, y.vt, y.lane_id limit 1 for update) u
      join jobs.lanes la on la.id = u.lane_id;
    perform set_config('lock_timeout', '0', true);
    exception when lock_not_available then null;
    end;
  end if;
  if lanes is null then
    -- a gate before which nobody waits, or it would be looked at for ever
    perform from jobs.gates z where z.id = any(due) and not exists (
      select from (select from jobs.turns u where u.queue = q and u.gate_id = z.id order by u.class, u.vt, u.lane_id limit 1) y) order by z.id for update skip locked;
    if found then
      perform jobs.write_waits(q, due, '{}', '{}');
    end if;
    return;
  end if;
  -- 2 what the gates let through
  m := cardinality(lanes); heavy := 0;
  for i in 1..m loop
    heavy := heavy + weights[i];
    -- also of a lane that is shut, and the gate it waited for: what waits before a gate changes only under the gate's lock
    if gl[i] <> '{}' then gids := gids || gl[i]::bigint[]; end if;
    if was[i] is not null then gids := gids || was[i]; end if;
    if pi[i] is null then   -- a new turn of a lane of which something may run from before
      select y.priority, y.run_at, y.id into place
        from jobs.leases l cross join lateral unnest(l.job_ids) u(id)
       cross join lateral (select j.priority, j.run_at, j.id from jobs.jobs j where j.id = u.id offset 0) y
       where l.lane_id = lanes[i] order by y.priority desc, y.run_at desc, y.id desc limit 1;
      pp[i] := place.priority; pr[i] := place.run_at; pi[i] := place.id;
    end if;
  end loop;
  -- What a lane is served at once: its part of the slots, at least ten. Somewhat more, up to fifty, shows whether fewer lanes would do the next
  -- time: each of them costs a claim as much as several jobs.
  quantum := greatest(10, (n + heavy - 1) / heavy, least(50, (n * 5 / 4 + heavy - 1) / heavy));
  lims := array_fill(0, array[m]); absent := array_fill(false, array[m]); waits := array_fill(null::bigint, array[m]); probes := array_fill(false, array[m]); capped := array_fill('{}'::text, array[m]);
  if gids is null then
    -- no more than there are slots: a lane that gets none of them this time keeps its turn
    for i in 1..m loop
      continue when shut[i];
      lims[i] := least(quantum * weights[i], rest); rest := rest - lims[i];
    end loop;
  else
    perform from jobs.gates ga0 where ga0.id = any(gids) order by ga0.id for update;
    t := app.clock();   -- once, after the locks: before them it would grant too many, twice it would lose tokens
    select array_agg(z.id), array_agg(z.rate), array_agg(z.burst), array_agg(z.tokens), array_agg(z.updated_at), array_agg(z.breaker), array_agg(z.open_until),
           array_agg(z.paused_at is not null), array_agg(z.cap is not null), array_agg(z.rests_until), array_agg(z.tenant_number),
           array_agg(case when z.cap is null then 1000000 else z.cap - coalesce((select sum(s.running) from jobs.gate_slots s where s.gate_id = z.id), 0)::int end),
           array_agg(case when z.hourly is not null then z.hourly - case when z.hour_at = z.hour then z.hour_used else 0 end end),
           array_agg(case when z.daily is not null then z.daily - case when z.day_at = z.day then z.day_used else 0 end end),
           array_agg(z.hour + interval '1 hour'), array_agg((((z.day at time zone z.time_zone)::date + 1)::timestamp at time zone z.time_zone))
      into gids, grate, gburst, gtok, gat, gbrk, gopen, gpaused, gcapped, grest, gten, gcap, ghour, gday, ghour_end, gday_end
      from (select ga1.*, case when ga1.hourly is not null then date_trunc('hour', t, ga1.time_zone) end as hour, case when ga1.daily is not null then date_trunc('day', t, ga1.time_zone) end as day
              from jobs.gates ga1 where ga1.id = any(gids) order by ga1.id) z;
    gids := coalesce(gids, '{}');
    for x in 1..cardinality(gids) loop
      gtok[x] := case when grate[x] is null then 1e9 else least(gburst[x], gtok[x] + grate[x] * greatest(0, extract(epoch from t - gat[x]))::float8) end;
    end loop;
    ga := gtok;
    for i in 1..m loop
      continue when shut[i];
      most := least(quantum * weights[i], rest); lim := most; lims[i] := lim;
      continue when lim = 0;
      if gl[i] = '{}' then rest := rest - lim; continue; end if;
      gs := gl[i]::bigint[]; p := null; at := null; probe := false;
      foreach g in array gs loop
        x := array_position(gids, g); d := null;
        if x is null or gten[x] <> tenants[i] then   -- not there, or somebody else's: lets nothing through and is not waited for
          lim := 0; absent[i] := true;
        elsif gpaused[x] then
          lim := 0; d := t + interval '1s';
        elsif grest[x] > t then
          lim := 0; d := grest[x];
        elsif gbrk[x] <> 'closed' and gopen[x] > t then
          lim := 0; d := gopen[x];
        else
          if grest[x] > t - interval '10s' then   -- after a rest it starts slowly
            lim := least(lim, 1 + floor(extract(epoch from t - grest[x]) * 10)::int); d := t + interval '100ms';
          end if;
          if gbrk[x] <> 'closed' then
            lim := least(lim, 1); probe := true;   -- half open: one probe, and if it is never heard of again another after a minute
            d := greatest(d, t + interval '20ms');
          end if;
          if gcap[x] < lim then lim := greatest(0, gcap[x]); d := greatest(d, t + interval '20ms'); end if;
          if ghour[x] < lim then lim := greatest(0, ghour[x]); d := greatest(d, ghour_end[x]); end if;
          if gday[x] < lim then lim := greatest(0, gday[x]); d := greatest(d, gday_end[x]); end if;
          if grate[x] is not null and ga[x] < lim then   -- collect tokens for up to 20 ms, never past half the burst
            lim := greatest(0, floor(ga[x])::int);
            want := greatest(1, least(gburst[x] / 2, grate[x] * 0.02));
            d := greatest(d, t + make_interval(secs => least(10, greatest(0, want - greatest(0, ga[x] - lim)) / grate[x])));
          end if;
        end if;
        -- it waits for the one that keeps it longest
        if d is not null and (p is null or d > p) then p := d; at := g; end if;
      end loop;
      lims[i] := lim; rest := rest - lim; probes[i] := probe and lim > 0;
      if lim > 0 then
        cs := '{}';
        foreach g in array gs loop
          x := array_position(gids, g);
          if gcapped[x] then cs := cs || g; end if;
          ga[x] := ga[x] - lim; gcap[x] := gcap[x] - lim; ghour[x] := ghour[x] - lim; gday[x] := gday[x] - lim;
          if gbrk[x] <> 'closed' then gbrk[x] := 'half_open'; gopen[x] := t + interval '60s'; end if;
        end loop;
        capped[i] := cs::text;
      end if;
      if lim < most and not absent[i] then
        waits[i] := at;
        -- a look now and then in any case
        wg := wg || at; wd := wd || least(p, t + interval '10s');
      end if;
    end loop;
  end if;
  -- 3 lease, and write back what was taken, not what was reserved
  return query
  -- drawn while the statement already sees the jobs: one drawn before could be smaller than that of a job which has come back meanwhile, and
  -- the lease void from the start
  with fence as materialized (select nextval('jobs.fences') as number),
  pk as materialized (
    select a.* from unnest(lanes, places, tenants, lims, absent, waits, was, shut, gl, probes, capped, weights, credits, owes, back, pp, pr, pi)
      with ordinality a(lane_id, place, tenant_number, lim, is_absent, wait, was, is_shut, gt, is_probe, cp, weight, credit, owed, looks_back, passed_priority, passed_run_at, passed_id, o)),
  got as materialized (
    select pk.*, y.* from pk cross join lateral (
      select count(*)::int as n, array_agg(z.id) as ids, array_agg(z.kind) as kinds, array_agg(z.starts) as attempts, array_agg(z.max_attempts) as max_attempts,
             array_agg(z.crashes) as crashes, array_agg(z.key_scope) as key_scopes, array_agg(z.priority) as priorities, array_agg(z.run_at) as run_ats, array_agg(z.body) as payloads
        from (
          select j.id, j.kind, (j.attempt + 1)::smallint as starts, j.max_attempts, j.crashes, j.key_scope, j.priority, j.run_at, j.payload::text as body
            from jobs.jobs j
           where j.lane_id = pk.lane_id
             and j.tenant_number = pk.tenant_number   -- a tenant may write what it likes into its own row
             and (j.priority, j.run_at, j.id) > (
               case when pk.looks_back then -32768 else pk.passed_priority end, case when pk.looks_back then '-infinity' else pk.passed_run_at end, case when pk.looks_back then 0 else pk.passed_id end)
             -- beyond that place nothing is leased
             and not (pk.looks_back and pk.passed_id is not null and j.id in (select unnest(l.job_ids) from jobs.leases l where l.lane_id = any(lanes)))
           order by j.priority, j.run_at, j.id limit pk.lim) z) y),
  k1 as materialized (
    select got.*, s.credit_left, s.keeps_place, s.is_beyond,
           sum(case when s.keeps_place then 0 else got.owed + got.n end) over (partition by got.tenant_number order by got.o) as cum
      from got cross join lateral (
        -- A lane's share is served in a round: all of it at once where there are slots and tokens, else it keeps its place until it has had it.
        select c.credit_left, got.n = got.lim and (got.n = 0 or c.credit_left > 0) as keeps_place,
               got.n > 0 and coalesce((got.priorities[got.n], got.run_ats[got.n], got.ids[got.n]) > (got.passed_priority, got.passed_run_at, got.passed_id), true) as is_beyond from (
          select case when got.credit > 0 then got.credit - got.n when got.n < quantum * got.weight then (got.weight - 1) * got.n else 0 end as credit_left) c) s),
  gn as materialized (
    select xg.g, sum(k1.n)::int as n from k1 cross join lateral unnest(k1.gt::bigint[]) xg(g) where k1.n > 0 and k1.gt <> '{}' group by 1),
  g1 as (
    -- the probe's mark is written only where a probe really left
    update jobs.gates z set tokens = case when z.rate is null then z.tokens else greatest(0, least(s.tok, z.burst) - s.n) end, updated_at = t, breaker = case when s.n > 0 then s.brk else z.breaker end,
        open_until = case when s.n > 0 then s.op else z.open_until end,
        hour_used = case when z.hour_at = date_trunc('hour', t, z.time_zone) then z.hour_used else 0 end + s.n, hour_at = case when z.hourly is not null then date_trunc('hour', t, z.time_zone) end,
        day_used = case when z.day_at = date_trunc('day', t, z.time_zone) then z.day_used else 0 end + s.n, day_at = case when z.daily is not null then date_trunc('day', t, z.time_zone) end
      from (select q1.*, coalesce(gn.n, 0) as n from unnest(gids, gtok, gbrk, gopen) q1(gid, tok, brk, op) left join gn on gn.g = q1.gid) s
     where z.id = s.gid and s.n > 0 and (z.rate is not null or z.breaker <> 'closed' or z.hourly is not null or z.daily is not null)),
  sl as (
    insert into jobs.gate_slots (gate_id, process, running)
      select gn.g, p_process, gn.n from gn join jobs.gates z on z.id = gn.g where z.cap is not null
    on conflict (gate_id, process) do update set running = jobs.gate_slots.running + excluded.running),
  -- read again: a resume may have committed since the lane was seen shut, and its wake may be gone
  dl as (
    delete from jobs.turns tu using k1
     where tu.ctid = k1.place and k1.is_shut
       and exists (select from jobs.lanes z where z.id = k1.lane_id and (z.paused_at is not null or z.cancelled_at is not null))),
  up as (
    update jobs.turns tu set
       vt = case when k1.keeps_place then tu.vt
                 else greatest(v, (select b.vt from jobs.turns b where b.queue = q and b.tenant_number = k1.tenant_number order by b.vt desc limit 1)) + k1.cum end,
       credit = case when k1.n = 0 then tu.credit when k1.keeps_place then k1.credit_left else 0 end,
       owed = case when k1.keeps_place then k1.owed + k1.n else 0 end,
       idle_until = case when k1.n < k1.lim then t + p_lease when k1.is_absent then t + interval '1s' end,
       gate_id = case when k1.n = k1.lim and not k1.is_absent then k1.wait end,
       -- it has been looked at up to that place, and there may be more before it
       looks_back = k1.looks_back and k1.n = k1.lim and not k1.is_beyond,
       passed_priority = case when k1.is_beyond then k1.priorities[k1.n] else k1.passed_priority end,
       passed_run_at = case when k1.is_beyond then k1.run_ats[k1.n] else k1.passed_run_at end,
       passed_id = case when k1.is_beyond then k1.ids[k1.n] else k1.passed_id end
     from k1
     where tu.ctid = k1.place and not k1.is_shut and (k1.n > 0 or k1.n < k1.lim or k1.is_absent or k1.wait is distinct from k1.was)),
  ls as (
    insert into jobs.leases (process, fence, lane_id, tenant_number, queue, leased_at, job_ids)
      select p_process, fence.number, k1.lane_id, k1.tenant_number, q, t, k1.ids from k1, fence where k1.n > 0)
  select fence.number, k1.lane_id, k1.tenant_number, q, t, k1.cp::bigint[], k1.is_probe, k1.ids, k1.kinds, k1.attempts, k1.max_attempts, k1.crashes, k1.key_scopes, k1.run_ats, k1.payloads,
         null::int, null::float8 from k1, fence where k1.n > 0;
  if gids is not null then
    -- a lane without a job took the probe, or tokens, in the others' place: they look again at once
    if exists (select from unnest(lanes, lims, gl) z(lane_id, lim, gt) where z.lim > 0 and z.gt <> '{}'
                and not exists (select from jobs.leases l where l.lane_id = z.lane_id and l.process = p_process and l.leased_at = t)) then
      wd := array_fill(t + interval '20ms', array[coalesce(cardinality(wd), 0)]);
    end if;
    perform jobs.write_waits(q, gids, coalesce(wg, '{}'), coalesce(wd, '{}'));
  end if;
end $$;

-- When gates have been dealt with: the next look at those before which lanes wait. The caller holds the gates' locks.
create or replace function jobs.write_waits(q smallint, p_locked bigint[], p_gates bigint[], p_due_ats timestamptz[]) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
begin
  delete from jobs.gate_waits w where w.queue = q and w.gate_id = any(p_locked)
     and not exists (select from (select from jobs.turns u where u.queue = q and u.gate_id = w.gate_id order by u.class, u.vt, u.lane_id limit 1) z);
  insert into jobs.gate_waits (queue, gate_id, due_at)
    select q, z.g, max(z.d) from unnest(p_gates, p_due_ats) z(g, d)
     where exists (select from (select from jobs.turns u where u.queue = q and u.gate_id = z.g order by u.class, u.vt, u.lane_id limit 1) y) group by 2 order by 2
  on conflict (queue, gate_id) do update set due_at = excluded.due_at where jobs.gate_waits.due_at <> excluded.due_at;
end $$;

-- When a queue should be looked at again, in seconds: at once where work is ready, else at the first time that something is due, else within
-- a second.
create or replace function jobs.next_wake(q smallint) returns float8 language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
begin
  return greatest(0, least(1.0,
    case when exists (select from jobs.wakes w where w.queue = q) then 0 end,
    case when exists (select from (
      select from jobs.turns u where u.queue = q and u.idle_until is null and u.gate_id is null order by u.class, u.vt, u.lane_id limit 1) z) then 0 end,
    extract(epoch from least(
      (select u.idle_until from jobs.turns u where u.queue = q and u.idle_until is not null order by u.idle_until limit 1),
      (select w.due_at from jobs.gate_waits w where w.queue = q order by w.due_at limit 1),
      (select s.run_at from jobs.scheduled s where s.queue = q order by s.run_at limit 1)) - app.clock())))::float8;
end $$;

-- Settles, tells the slots that this process uses, and claims for each queue with free slots. The last row is the header: its `fence` is
-- null, `settled` counts the leases ended, `wake_s` says when to look again.
create or replace function jobs.cycle(
  p_process uuid, p_lease_s float8, p_ids bigint[], p_fences bigint[], p_outcomes smallint[], p_delays float8[], p_errors text[],
  p_gates bigint[], p_running int[], p_done_claims bigint[], p_queues smallint[], p_free int[])
returns setof jobs.leased language plpgsql as $$
declare
  header jobs.leased;
  wait float8 := 1;
  due float8;
  got int; taken int; each float8;
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
      -- As many lanes as will have so many jobs, by what this session has found: lanes held in vain keep others from them. One claim and no second,
      -- which would lock gates out of order.
      each := coalesce(nullif(current_setting('paloma.jobs_a_lane', true), '')::float8, 20);
      return query select * from jobs.claim(
        p_process, p_queues[i], p_free[i], make_interval(secs => p_lease_s), is_first, least(100, greatest(10, ceil(p_free[i] / each)))::int);
      get diagnostics got = row_count;
      is_first := false;
      if got > 0 then
        -- the number that the claim has drawn
        select sum(cardinality(l.job_ids)) into taken from jobs.leases l where l.process = p_process and l.fence = currval('jobs.fences');
        -- where it was served in full, fewer lanes with more of each are tried
        each := case when taken < p_free[i] * 0.95 then taken::float8 / got else least(50, greatest(each, taken::float8 / got) * 1.25) end;
        perform set_config('paloma.jobs_a_lane', each::text, false);
      end if;
    end if;
    -- ready and yet not taken: somebody else is at it, so not at once again
    wait := least(wait, case when got > 0 then 0 else greatest(due, 0.01) end);
  end loop;
  header.wake_s := wait;
  return next header;
end $$;
