-- What tenants cost the queue, by the hour and kind: rolled up from history once and for all, so that it outlives it.

create table jobs.costs (
  tenant_number int not null,                    -- 0 is the platform itself
  hour timestamptz not null,                     -- when they ended
  kind smallint not null,
  jobs bigint not null,                          -- that ended, however
  wait_s float8 not null,                        -- from due to leased, of their last start
  run_s float8 not null,                         -- from leased to ended, of their last start
  retries bigint not null,                       -- starts before the last
  discarded bigint not null,
  cancelled bigint not null,
  primary key (tenant_number, hour, kind)
);
create index costs_hour on jobs.costs (hour, tenant_number, kind);
call app.wall_engine('jobs.costs', 'select');

-- Up to when history has been rolled up: what ended before is in `costs`, what ended at or after is not.
create table jobs.costs_mark (
  id boolean primary key default true constraint costs_mark_one check (id),
  rolled_until timestamptz not null
);
insert into jobs.costs_mark (rolled_until) values (app.clock());
grant select, update on jobs.costs_mark to paloma_platform;

-- Since when the oldest transaction that has written has been open: what it has settled is not seen yet, and has ended since then. Prepared ones
-- are not the queue's. Definer: see jobs.vacuum_holders. By the server's clock, before which the tests' never is.
create function jobs.oldest_writer() returns timestamptz language sql security definer set search_path = pg_catalog, pg_temp as $$
  select min(a.xact_start)
    from pg_stat_activity a where a.datname = current_database() and a.backend_xid is not null and a.pid <> pg_backend_pid()
$$;
revoke all on function jobs.oldest_writer from public;
grant execute on function jobs.oldest_writer to paloma_platform;

-- Rolls up what has ended since the last time, an hour of it at most. Exactly once: the mark moves in the same transaction, by one at a time, and
-- only to where no job can end any more. True: there is more to do.
create function jobs.roll_up_costs() returns boolean language plpgsql set enable_seqscan = off as $$
declare
  -- a minute back: for a clock that is set, and for a transaction that is not in the list of sessions yet
  ended timestamptz := least(app.clock() - interval '1 minute', jobs.oldest_writer());
  since timestamptz; until timestamptz;
begin
  if not pg_try_advisory_xact_lock(7240) then
    return false;
  end if;
  select m.rolled_until, least(ended, m.rolled_until + interval '1 hour') into since, until from jobs.costs_mark m for update;
  if until <= since then
    return false;
  end if;
  insert into jobs.costs (tenant_number, hour, kind, jobs, wait_s, run_s, retries, discarded, cancelled)
    select h.tenant_number, date_trunc('hour', h.finished_at, 'UTC') as hour, h.kind, count(*),
           coalesce(sum(greatest(0, extract(epoch from h.leased_at - h.run_at))), 0)::float8,
           coalesce(sum(greatest(0, extract(epoch from h.finished_at - h.leased_at))), 0)::float8,
           sum(greatest(0, h.attempt - 1)), count(*) filter (where h.state = 'discarded'), count(*) filter (where h.state = 'cancelled')
      from jobs.history h where h.finished_at >= since and h.finished_at < until group by 1, 2, 3 order by 1, 2, 3
  on conflict (tenant_number, hour, kind) do update set jobs = jobs.costs.jobs + excluded.jobs, wait_s = jobs.costs.wait_s + excluded.wait_s,
    run_s = jobs.costs.run_s + excluded.run_s, retries = jobs.costs.retries + excluded.retries,
    discarded = jobs.costs.discarded + excluded.discarded, cancelled = jobs.costs.cancelled + excluded.cancelled;
  update jobs.costs_mark set rolled_until = until;
  return until < ended;
end $$;

-- Hours that are past their keeping, in chunks.
create function jobs.prune_costs(p_keep_days int, p_limit int) returns int language sql as $$
  with d as (delete from jobs.costs where ctid = any(array(
    select ctid from jobs.costs where hour < app.clock() - make_interval(days => p_keep_days) limit p_limit for update skip locked)) returning 1)
  select count(*)::int from d;
$$;
