-- What watches the queue: how deep it is, what keeps its dead rows from being vacuumed, and the fleet's reading of both, taken once a minute.

-- Rows as the planner would guess them, for what is too long to count.
create function jobs.guessed_rows(p_table regclass, p_queue smallint) returns bigint language plpgsql as $$
declare
  plan json;
begin
  execute format('explain (format json) select from %s where queue = %s', p_table, p_queue) into plan;
  return (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
end $$;

-- How deep each queue is, at a price that does not grow with it: up to `p_most` jobs are counted, more are guessed from the planner's
-- statistics, and the answer says so. The lanes that have jobs are found by skipping through the index, so lanes at rest cost nothing. Open
-- is what neither a pause nor a gate holds back.
create function jobs.depths(p_most int)
returns table (queue text, due bigint, is_due_estimated boolean, running bigint, scheduled bigint, is_scheduled_estimated boolean,
  oldest_due_s float8, oldest_open_s float8)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  t timestamptz := app.clock(); most_groups int := greatest(p_most, 1000) * 5;
  busy bigint[] := array(select r.id from jobs.running r);
begin
  return query
  with recursive g as (
    (select j.lane_id, j.priority from jobs.jobs j order by j.lane_id, j.priority limit 1)
    union all
    select n.lane_id, n.priority from g cross join lateral (
      select j.lane_id, j.priority from jobs.jobs j where (j.lane_id, j.priority) > (g.lane_id, g.priority) order by j.lane_id, j.priority limit 1) n),
  groups as materialized (select g.lane_id, g.priority from g limit most_groups),
  s as materialized (
    select la.queue, x.lane_id, x.priority, la.paused_at is null and la.cancelled_at is null and la.gates = '{}' as is_open
      from groups x join jobs.lanes la on la.id = x.lane_id),
  -- running ones are at the head of their lane, and few
  o as (
    select s.queue, min(f.run_at) as due, min(f.run_at) filter (where s.is_open) as open
      from s cross join lateral (
        select j.run_at from jobs.jobs j where j.lane_id = s.lane_id and j.priority = s.priority and j.id <> all(busy) order by j.run_at, j.id limit 1) f
     group by 1),
  c as (
    select q.id, q.name,
      (select count(*) from (select from s cross join lateral (
          select from jobs.jobs j where j.lane_id = s.lane_id and j.priority = s.priority limit p_most + 1) z where s.queue = q.id limit p_most + 1) z) as live,
      (select count(*) from jobs.running r where r.queue = q.id) as busy,
      (select count(*) from (select from jobs.scheduled d where d.queue = q.id limit p_most + 1) z) as later,
      (select count(*) from groups) >= most_groups as is_cut
    from jobs.queues q)
  select c.name,
    greatest(0, case when c.live > p_most or c.is_cut then greatest(c.live, jobs.guessed_rows('jobs.jobs', c.id)) else c.live end - c.busy),
    c.live > p_most or c.is_cut, c.busy,
    case when c.later > p_most then greatest(c.later, jobs.guessed_rows('jobs.scheduled', c.id)) else c.later end, c.later > p_most,
    greatest(0, coalesce(extract(epoch from t - o.due), 0))::float8, greatest(0, coalesce(extract(epoch from t - o.open), 0))::float8
  from c left join o on o.queue = c.id
  order by c.name;
end $$;

-- What keeps rows that are dead from being vacuumed, the oldest first: a session's snapshot or transaction, a standby's feedback, a
-- replication slot, a prepared transaction. What a session asks is not told: it may hold what nobody else may see. Definer: another
-- role's sessions are seen by those with pg_read_all_stats alone, which ops/bootstrap.sql gives to the owner. The clock is the server's
-- own, since the times in the catalogues are.
create function jobs.vacuum_holders(p_limit int)
returns table (holder text, name text, pid int, role text, state text, holds text, since timestamptz, age_s float8, transactions bigint)
language sql security definer set search_path = pg_catalog, pg_temp as $$
  select h.holder, h.name, h.pid, h.role, h.state, h.holds, h.since,
         case when h.since is not null then greatest(0, extract(epoch from clock_timestamp() - h.since)) end::float8 as age_s, h.transactions
    from (
      select case a.backend_type when 'walsender' then 'standby' else 'session' end as holder, coalesce(nullif(a.application_name, ''), a.backend_type) as name,
             a.pid, a.usename::text as role, a.state, 'rows' as holds, coalesce(a.xact_start, a.query_start, a.backend_start) as since,
             greatest(age(a.backend_xmin), age(a.backend_xid))::bigint as transactions
        from pg_stat_activity a
        -- only sessions of this database hold its rows back, and a VACUUM holds back nothing
       where (a.datname = current_database() or a.datid is null) and a.pid <> pg_backend_pid() and coalesce(a.backend_xmin, a.backend_xid) is not null
         and not exists (select from pg_stat_progress_vacuum v where v.pid = a.pid)
      union all
      select 'slot', s.slot_name::text, s.active_pid, null, case when s.active then 'active' else 'inactive' end,
             case when age(s.xmin) >= coalesce(age(s.catalog_xmin), 0) then 'rows' else 'catalogs' end, null,
             greatest(age(s.xmin), age(s.catalog_xmin))::bigint
        from pg_replication_slots s
       where coalesce(s.xmin, s.catalog_xmin) is not null and (s.database is null or s.database = current_database() or s.xmin is not null)
      union all
      select 'prepared', x.gid, null, x.owner::text, 'prepared', 'rows', x.prepared, age(x.transaction)::bigint
        from pg_prepared_xacts x where x.database = current_database()) h
   order by h.transactions desc, h.since limit p_limit
$$;
revoke all on function jobs.vacuum_holders from public;
grant execute on function jobs.vacuum_holders to paloma_platform;

-- Whether the sessions of every role are seen in that.
create function jobs.sees_sessions() returns boolean language sql stable
return exists (select from pg_roles r where r.rolname = 'paloma_owner' and pg_has_role(r.oid, 'pg_read_all_stats', 'usage'));

-- The fleet's last reading. One row, so that every process tells the same figures, and nobody counts more often than is asked for.
create table jobs.readings (
  id boolean primary key default true constraint readings_one check (id),
  taken_at timestamptz not null,
  reading jsonb not null
);
insert into jobs.readings (taken_at, reading) values ('-infinity', '{}');
grant select, update on jobs.readings to paloma_platform;

-- The last reading; a new one where that is older than `p_every_s` and nobody else is at it. `is_new`: it was taken by this call.
create function jobs.take_reading(p_every_s float8, p_most int) returns table (reading jsonb, is_new boolean) language plpgsql as $$
declare
  t timestamptz := app.clock();
begin
  if exists (select from jobs.readings r where r.taken_at between t - make_interval(secs => p_every_s) and t) or not pg_try_advisory_xact_lock(7239) then
    return query select r.reading, false from jobs.readings r where r.taken_at > '-infinity';
    return;
  end if;
  return query
  update jobs.readings r set taken_at = t, reading = jsonb_build_object(
      'taken_at', t,
      'queues', (select coalesce(jsonb_agg(to_jsonb(d)), '[]') from jobs.depths(p_most) d),
      'gates', (
        select jsonb_build_object(
            'closed', count(*) filter (where g.breaker = 'closed'), 'open', count(*) filter (where g.breaker = 'open'),
            'half_open', count(*) filter (where g.breaker = 'half_open'), 'paused', count(*) filter (where g.paused_at is not null),
            'empty', count(*) filter (where g.tokens + g.rate * greatest(0, extract(epoch from t - g.updated_at)::float8) < 1))
          from jobs.gates g),
      'schedule_overdue_s', (
        select greatest(0, coalesce(max(extract(epoch from t - s.next_fire_at)), 0))::float8 from jobs.schedules s where s.paused_at is null and s.retired_at is null),
      'holders', (select coalesce(jsonb_agg(to_jsonb(h)), '[]') from jobs.vacuum_holders(20) h))
    -- read again: the lock may have been another's until a moment ago
    where not r.taken_at between t - make_interval(secs => p_every_s) and t
  returning r.reading, true;
end $$;
