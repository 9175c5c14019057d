-- Admission: how much a tenant may have queued. No counter is kept by those who enqueue or settle: one worker samples the queue every two
-- seconds and writes a row for each tenant that holds half of its quota or more; an enqueue reads that row, mostly finding none.

-- What tenants may have queued, waiting, due later and running together. Tenant 0: what holds where nothing else is said.
create table jobs.quotas (
  tenant_number int primary key,
  most_jobs bigint not null constraint quotas_jobs_positive check (most_jobs > 0),
  most_bytes bigint not null constraint quotas_bytes_positive check (most_bytes > 0)
);
insert into jobs.quotas (tenant_number, most_jobs, most_bytes) values (0, 2000000, 4294967296);

-- Tenants that hold half of their quota or more, as last sampled. Tenant 0: when that was.
create table jobs.usage (
  tenant_number int primary key,
  jobs bigint not null,
  bytes bigint not null,
  most_jobs bigint not null,
  most_bytes bigint not null,
  sampled_at timestamptz not null
) with (fillfactor = 50);
insert into jobs.usage (tenant_number, jobs, bytes, most_jobs, most_bytes, sampled_at) values (0, 0, 0, 0, 0, '-infinity');

call app.wall_engine('jobs.quotas', 'select');
call app.wall_engine('jobs.usage', 'select');

-- Samples at most so many pages of each table: whole where it is smaller, so that its figures are exact then. Answers how many tenants are at
-- half of their quota or more; -1: somebody else has just done it.
create function jobs.sample_usage(p_pages int) returns int language plpgsql as $$
declare
  t timestamptz := app.clock();
  size bigint := pg_table_size('jobs.jobs') + pg_table_size('jobs.scheduled');
  share_ready real := least(100, 100.0 * p_pages / greatest(1, pg_relation_size('jobs.jobs') / 8192));
  share_later real := least(100, 100.0 * p_pages / greatest(1, pg_relation_size('jobs.scheduled') / 8192));
  n int;
begin
  if not pg_try_advisory_xact_lock(7237) then
    return -1;
  end if;
  update jobs.usage u set sampled_at = t where u.tenant_number = 0 and not u.sampled_at between t - interval '1500 milliseconds' and t;
  if not found then
    return -1;
  end if;
  -- a row takes 60 bytes at the least: in a queue this small nobody can hold half of a quota, and nothing is read
  if not exists (select from jobs.quotas q where size / 60 >= q.most_jobs / 2 or size >= q.most_bytes / 2) then
    delete from jobs.usage u where u.tenant_number > 0;
    return 0;
  end if;
  with s as (
    select x.tenant_number, count(*) * 100 / share_ready as jobs, sum(pg_column_size(x.payload)) * 100 / share_ready as bytes
      from jobs.jobs x tablesample system (share_ready) where x.tenant_number > 0 group by 1
    union all
    select x.tenant_number, count(*) * 100 / share_later, sum(pg_column_size(x.payload)) * 100 / share_later
      from jobs.scheduled x tablesample system (share_later) where x.tenant_number > 0 group by 1),
  z as (select s.tenant_number, sum(s.jobs)::bigint as jobs, sum(s.bytes)::bigint as bytes from s group by 1),
  near as materialized (
    select z.tenant_number, z.jobs, z.bytes, q.most_jobs, q.most_bytes
      from z cross join lateral (
        select x.most_jobs, x.most_bytes from jobs.quotas x where x.tenant_number in (0, z.tenant_number) order by x.tenant_number desc limit 1) q
     where z.jobs >= q.most_jobs / 2 or z.bytes >= q.most_bytes / 2),
  gone as (delete from jobs.usage u where u.tenant_number > 0 and u.tenant_number not in (select near.tenant_number from near)),
  kept as (
    insert into jobs.usage (tenant_number, jobs, bytes, most_jobs, most_bytes, sampled_at)
      select near.tenant_number, near.jobs, near.bytes, near.most_jobs, near.most_bytes, t from near order by near.tenant_number
    on conflict (tenant_number) do update set jobs = excluded.jobs, bytes = excluded.bytes, most_jobs = excluded.most_jobs, most_bytes = excluded.most_bytes,
      sampled_at = excluded.sampled_at)
  select count(*) into n from near;
  return n;
end $$;
