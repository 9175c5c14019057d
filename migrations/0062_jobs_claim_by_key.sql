-- The claim as it was (0013), with each lane, turn and gate found by its key (0061) or its place, and with more of each lane where it takes many jobs. It
-- looks back at a lane from the place it was told (0061) and not from its beginning: what a transaction that is kept open keeps of jobs long gone stands
-- before it. And it notes how many lanes it has left waiting before gates, for the header of the cycle (0063).

create or replace function jobs.claim(p_process uuid, q smallint, n int, p_lease interval, p_may_wait boolean default false, k int default 25)
returns setof jobs.leased language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off
-- a bitmap and a sort would read a whole lane for each claim, which is what is planned while the table is small
set enable_bitmapscan = off set enable_sort = off as $$
declare
  t timestamptz := app.clock(); v float8; due bigint[];
  lanes bigint[]; places tid[]; tenants int[]; gl text[]; shut bool[]; weights int[]; credits int[]; owes int[]; was bigint[]; back bool[]; pp smallint[]; pr timestamptz[]; pi bigint[]; bp smallint[]; br timestamptz[];
  lims int[]; absent bool[]; waits bigint[]; probes bool[]; capped text[]; m int; heavy int; quantum int; rest int := n;
  gids bigint[]; grate float8[]; gburst float8[]; gtok float8[]; gat timestamptz[]; gcap int[]; gbrk text[]; gopen timestamptz[]; gpaused bool[]; gcapped bool[];
  grest timestamptz[]; gten int[]; ga float8[]; ghour int[]; gday int[]; ghour_end timestamptz[]; gday_end timestamptz[]; wg bigint[]; wd timestamptz[];
  i int; g bigint; x int; lim int; most int; p timestamptz; at bigint; d timestamptz; probe bool; gs bigint[]; cs bigint[]; want float8; place record; refused bigint[];
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
         array_agg(s.looks_back order by s.o), array_agg(s.passed_priority order by s.o), array_agg(s.passed_run_at order by s.o), array_agg(s.passed_id order by s.o),
         array_agg(case when s.is_told then s.back_priority end order by s.o), array_agg(case when s.is_told then s.back_run_at end order by s.o)
    into lanes, places, tenants, gl, shut, weights, v, credits, owes, was, back, pp, pr, pi, bp, br
    from (select z.*, row_number() over (order by z.class, z.vt, z.lane_id) as o from (
            select * from (
              select u.ctid as place, u.xmin = u.back_xid as is_told, u.* from jobs.turns u where u.queue = q and u.idle_until is null and u.gate_id is null
               order by u.class, u.vt, u.lane_id limit k for update skip locked) a
            union all
            select b.* from unnest(due) w(g) cross join lateral (
              select u.ctid as place, u.xmin = u.back_xid as is_told, u.* from jobs.turns u where u.queue = q and u.gate_id = w.g
               order by u.class, u.vt, u.lane_id limit k for update skip locked) b) z
           order by z.class, z.vt, z.lane_id limit k) s
    cross join lateral (select x.gates, x.paused_at, x.cancelled_at, x.weight from jobs.lanes x where x.id = s.lane_id offset 0) la;
  if lanes is null and p_may_wait then
    -- Everything that is ready is with somebody else right now. Waits for the first, which is free in milliseconds; it may, since it holds
    -- no turn and no gate yet, and whoever holds a turn never waits for one. Not for long: outcomes wait with it.
    begin
    perform set_config('lock_timeout', '50ms', true);
    select array[u.lane_id], array[u.place], array[u.tenant_number], array[la.gates::text], array[la.paused_at is not null or la.cancelled_at is not null], array[la.weight::int], u.vt,
           array[u.credit], array[u.owed], array[u.gate_id], array[u.looks_back], array[u.passed_priority], array[u.passed_run_at], array[u.passed_id],
           array[case when u.is_told then u.back_priority end], array[case when u.is_told then u.back_run_at end]
      into lanes, places, tenants, gl, shut, weights, v, credits, owes, was, back, pp, pr, pi, bp, br
      from (select y.ctid as place, y.xmin = y.back_xid as is_told, y.* from jobs.turns y where y.queue = q and y.idle_until is null and y.gate_id is null order by y.class, y.vt, y.lane_id limit 1 for update) u
      cross join lateral (select x.gates, x.paused_at, x.cancelled_at, x.weight from jobs.lanes x where x.id = u.lane_id offset 0) la;
    perform set_config('lock_timeout', '0', true);
    exception when lock_not_available then null;
    end;
  end if;
  if lanes is null then
    -- a gate before which nobody waits, or it would be looked at for ever
    perform from jobs.gates z
      where z.id = any(due) and (select true from jobs.turns u where u.queue = q and u.gate_id = z.id order by u.class, u.vt, u.lane_id limit 1) is null
      order by z.id for update skip locked;
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
        from (select x.job_ids from jobs.leases x where x.lane_id between lanes[i] and lanes[i] order by x.lane_id) l cross join lateral unnest(l.job_ids) u(id)
       cross join lateral (select j.priority, j.run_at, j.id from jobs.jobs j where j.id = u.id offset 0) y
       order by y.priority desc, y.run_at desc, y.id desc limit 1;
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
    select a.* from unnest(lanes, places, tenants, lims, absent, waits, was, shut, gl, probes, capped, weights, credits, owes, back, pp, pr, pi, bp, br)
      with ordinality a(lane_id, place, tenant_number, lim, is_absent, wait, was, is_shut, gt, is_probe, cp, weight, credit, owed, looks_back, passed_priority, passed_run_at, passed_id,
        back_priority, back_run_at, o)),
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
               case when pk.looks_back then coalesce(pk.back_priority, -32768) else pk.passed_priority end,
               case when pk.looks_back then coalesce(pk.back_run_at, '-infinity') else pk.passed_run_at end, case when pk.looks_back then 0 else pk.passed_id end)
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
      cross join lateral (select y.ctid as c from jobs.gates y where y.id = s.gid offset 0) p
     where z.ctid = p.c and s.n > 0 and (z.rate is not null or z.breaker <> 'closed' or z.hourly is not null or z.daily is not null)),
  sl as (
    insert into jobs.gate_slots (gate_id, process, running)
      select gn.g, p_process, gn.n from gn where (select z.cap from jobs.gates z where z.id = gn.g) is not null
    on conflict (gate_id, process) do update set running = jobs.gate_slots.running + excluded.running),
  -- read again: a resume may have committed since the lane was seen shut, and its wake may be gone
  dl as (
    delete from jobs.turns tu using k1
     where tu.ctid = k1.place and k1.is_shut
       and (select z.paused_at is not null or z.cancelled_at is not null from jobs.lanes z where z.id = k1.lane_id)),
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
       back_priority = k1.back_priority, back_run_at = k1.back_run_at, back_xid = pg_current_xact_id()::xid,
       passed_priority = case when k1.is_beyond then k1.priorities[k1.n] else k1.passed_priority end,
       passed_run_at = case when k1.is_beyond then k1.run_ats[k1.n] else k1.passed_run_at end,
       passed_id = case when k1.is_beyond then k1.ids[k1.n] else k1.passed_id end
     -- by place: a join, planned while the table was small, would read every lane's turn for each of ours
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
    if wg is not null then
      -- How many lanes are left waiting, by what keeps them. One that had no more jobs than it was let through waits for nothing. Of several causes
      -- it is the last.
      refused := coalesce(nullif(current_setting('paloma.refused', true), ''), '{0,0,0,0,0,0}')::bigint[];
      for g in
        select u.gate_id from unnest(lanes) l(id)
         cross join lateral (select y.gate_id from jobs.turns y where y.queue = q and y.lane_id between l.id and l.id order by y.lane_id) u where u.gate_id is not null
      loop
        x := array_position(gids, g);
        continue when x is null;
        i := case when gpaused[x] then 6 when grest[x] > t - interval '10s' then 5 when gbrk[x] <> 'closed' then 4
                  when ghour[x] <= 0 or gday[x] <= 0 then 3 when gcap[x] <= 0 then 2 else 1 end;
        refused[i] := refused[i] + 1;
      end loop;
      perform set_config('paloma.refused', refused::text, true);
    end if;
  end if;
end $$;
