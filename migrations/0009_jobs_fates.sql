-- Fates: jobs that were given up or called off, or run again after that, told to the product. Their handlers had no say in it, so whatever waits for
-- their work would wait for ever. A kind names the job that is made then. Notes are appended by whoever ends or revives a job; one process hands
-- them over, so that ten thousand jobs of one lane make fifty jobs and nobody waits for a lock.
alter table jobs.kinds add column on_fate jsonb; -- {kind, queue, max_attempts} of the job that is told
grant update (on_fate) on jobs.kinds to paloma_platform;

-- Says only that something became of the job: what holds is looked up by whoever is told, since an operator may have turned it meanwhile.
create table jobs.fates (
  tenant_number int not null,
  kind smallint not null,
  job_id bigint not null,
  payload jsonb not null
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
call app.wall_engine('jobs.fates');

create function jobs.note_fate() returns trigger language plpgsql as $$
declare
  f jobs.failures := case when tg_op = 'INSERT' then new else old end;
begin
  insert into jobs.fates (tenant_number, kind, job_id, payload)
    select f.tenant_number, f.kind, f.id, f.payload from jobs.kinds k where k.id = f.kind and k.on_fate is not null;
  return null;
end $$;
-- by row: a settle without failures pays nothing
create trigger failures_are_told after insert or delete on jobs.failures for each row execute function jobs.note_fate();

-- Hands the notes over, two hundred a job. Answers how many there were.
create function jobs.tell_fates(p_limit int) returns int language plpgsql as $$
declare
  r record; n int := 0;
begin
  if not pg_try_advisory_xact_lock(7240) then
    return 0;
  end if;
  for r in
    with d as (
      delete from jobs.fates x where x.ctid = any(array(select y.ctid from jobs.fates y limit p_limit)) returning x.tenant_number, x.kind, x.job_id, x.payload),
    o as (
      select z.*, (row_number() over (partition by z.tenant_number, z.kind order by z.job_id) - 1) / 200 as part
        from (select distinct on (d.job_id) d.tenant_number, d.kind, d.job_id, d.payload from d order by d.job_id) z)
    select o.tenant_number, k.on_fate, count(*) as jobs, jsonb_agg(jsonb_build_object('job_id', o.job_id, 'payload', o.payload) order by o.job_id) as fates
      from o join jobs.kinds k on k.id = o.kind where k.on_fate is not null
     group by o.tenant_number, o.kind, k.on_fate, o.part
  loop
    begin
    perform jobs.enqueue(r.tenant_number, r.on_fate ->> 'kind', r.on_fate ->> 'queue', r.on_fate ->> 'kind', 1::smallint, 0::smallint,
      (r.on_fate ->> 'max_attempts')::smallint, null, 0::smallint, null, array[jsonb_build_object('fates', r.fates)], null, null);
    exception when raise_exception then
      raise warning '% fates of tenant % are not told: %', r.jobs, r.tenant_number, sqlerrm;
    end;
    n := n + r.jobs;
  end loop;
  return n;
end $$;

-- What has become of a job: live, discarded, quarantined or cancelled; gone: it has done its work, or left with its lane.
create function jobs.fate(p_job bigint) returns text language sql stable as $$
  select case
    when exists (select from jobs.jobs j where j.id = p_job) or exists (select from jobs.scheduled s where s.id = p_job) then 'live'
    else coalesce((select f.state from jobs.failures f where f.id = p_job), 'gone') end
$$;
