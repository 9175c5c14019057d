-- Batches: jobs with one purpose as one object. Pausing, resuming and cancelling one touches its row and those of its lanes, never a job.
-- Whatever ends a job appends a delta in the same transaction; one folder adds the deltas up and alone fires the completion. The folder never
-- waits for a tenant's transaction: rows and locks that somebody holds are left for the next round.

-- Why a batch can't be changed.
create function jobs.batch_refusal(p_tenant int, p_batch bigint) returns text language sql stable
return coalesce((
  select case when b.cancelled_at is not null then 'cancelled' when b.completed_at is not null then 'completed' else 'unchanged' end
    from jobs.batches b where b.tenant_number = p_tenant and b.id = p_batch), 'not_found');

-- Nothing of it is leased once this has committed, in whatever lanes it is; what runs ends.
create function jobs.pause_batch(p_tenant int, p_batch bigint) returns text language plpgsql as $$
begin
  perform pg_advisory_xact_lock(7236, jobs.batch_lock(p_batch));
  update jobs.batches b set paused_at = coalesce(b.paused_at, app.now()), version = b.version + 1
    where b.tenant_number = p_tenant and b.id = p_batch and b.completed_at is null and b.cancelled_at is null;
  if not found then
    return jobs.batch_refusal(p_tenant, p_batch);
  end if;
  update jobs.lanes l set paused_at = coalesce(l.paused_at, app.now()) where l.tenant_number = p_tenant and l.batch_id = p_batch;
  return 'paused';
end $$;

-- It goes on where it was; one that is held goes on waiting for the one it follows.
create function jobs.resume_batch(p_tenant int, p_batch bigint) returns text language plpgsql as $$
declare
  opened timestamptz;
begin
  perform pg_advisory_xact_lock(7236, jobs.batch_lock(p_batch));
  update jobs.batches b set paused_at = null, version = b.version + 1
    where b.tenant_number = p_tenant and b.id = p_batch and b.completed_at is null and b.cancelled_at is null returning b.opened_at into opened;
  if not found then
    return jobs.batch_refusal(p_tenant, p_batch);
  end if;
  if opened is not null then
    perform jobs.open_lanes(p_tenant, p_batch);
  end if;
  return 'resumed';
end $$;

create function jobs.open_lanes(p_tenant int, p_batch bigint) returns void language sql as $$
  with l as (
    update jobs.lanes x set paused_at = null where x.tenant_number = p_tenant and x.batch_id = p_batch and x.cancelled_at is null
      returning x.tenant_number, x.queue, x.id)
  insert into jobs.wakes (tenant_number, queue, lane_id) select l.tenant_number, l.queue, l.id from l;
$$;

-- It takes no more jobs and starts none; those it holds leave in chunks, and what runs ends as it ends. There is no way back. The delta of
-- nothing has the folder look at a batch that holds no job.
create function jobs.cancel_batch(p_tenant int, p_batch bigint) returns text language plpgsql as $$
begin
  perform pg_advisory_xact_lock(7236, jobs.batch_lock(p_batch));
  update jobs.batches b set cancelled_at = app.now(), version = b.version + 1
    where b.tenant_number = p_tenant and b.id = p_batch and b.completed_at is null and b.cancelled_at is null;
  if not found then
    return jobs.batch_refusal(p_tenant, p_batch);
  end if;
  update jobs.lanes l set cancelled_at = coalesce(l.cancelled_at, app.now()) where l.tenant_number = p_tenant and l.batch_id = p_batch;
  insert into jobs.batch_deltas (tenant_number, batch_id, is_sealed) values (p_tenant, p_batch, true);
  return 'cancelled';
end $$;

-- Asks for another run of the jobs that were discarded until now; upkeep makes them in chunks. Quarantined ones stay, though the batch counts
-- them as discarded: they would take the workers with them again, and only an operator may let one. A batch that had completed is open again, in
-- a new generation, and completes once more when these have ended.
create function jobs.retry_batch(p_tenant int, p_batch bigint) returns text language plpgsql as $$
begin
  -- the same order of locks as in all that is done to a batch: first its advisory lock, then its row
  perform pg_advisory_xact_lock(7236, jobs.batch_lock(p_batch));
  update jobs.batches b
     set retry_at = app.clock(), retry_after = 0, completed_at = null, version = b.version + 1,
         generation = b.generation + case when b.completed_at is null then 0 else 1 end
    where b.tenant_number = p_tenant and b.id = p_batch and b.cancelled_at is null and b.retry_at is null
      and exists (select from jobs.failures f where f.batch_id = b.id and f.state = 'discarded');
  if found then
    return 'retrying';
  end if;
  return (select case when b.cancelled_at is not null then 'cancelled' when b.retry_at is not null then 'retrying' else 'unchanged' end
            from jobs.batches b where b.tenant_number = p_tenant and b.id = p_batch
          union all select 'not_found' limit 1);
end $$;

-- Runs again what was asked for, a chunk a batch and call. Each failure is looked at once, in the order of ids, so that one which fails anew
-- is not taken up again, and one whose unique key is held by another job, or whose lane is cancelled, stays where it is.
create function jobs.retry_batches(p_limit int) returns int language plpgsql as $$
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
      select f.tenant_number, f.kind, f.key, f.id, f.key_scope from jobs.failures f
       where f.id = any(ids) and f.key is not null and not exists (select from jobs.lanes l where l.id = f.lane_id and l.cancelled_at is not null)
       order by f.kind, f.key
      on conflict (tenant_number, kind, key) do nothing;
    with d as (
      delete from jobs.failures f
       where f.id = any(ids) and not exists (select from jobs.lanes l where l.id = f.lane_id and l.cancelled_at is not null)
         and (f.key is null or exists (select from jobs.job_keys k where k.tenant_number = f.tenant_number and k.kind = f.kind and k.key = f.key and k.job_id = f.id))
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
create function jobs.open_batches() returns int language plpgsql as $$
declare
  b record; n int := 0;
begin
  for b in
    select c.id, c.tenant_number, c.paused_at, p.cancelled_at as after_cancelled_at
      from jobs.batches c join jobs.batches p on p.id = c.after_id
     where c.opened_at is null and c.cancelled_at is null and (p.completed_at is not null or p.cancelled_at is not null)
     order by c.id for no key update of c skip locked
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
create function jobs.fold_batches() returns int language plpgsql as $$
declare
  b record; n int := 0;
begin
  if not pg_try_advisory_xact_lock(7231) then
    return 0;
  end if;
  for b in
    with w as materialized (select x.ctid as c, x.batch_id from jobs.batch_deltas x limit 10000),
    i as materialized (select distinct w.batch_id as id from w),
    l as materialized (
      select x.id from jobs.batches x where x.id = any(array(select i.id from i)) order by x.id for no key update skip locked),
    -- those of a batch that somebody holds stay; those of one that is gone go
    d as (
      delete from jobs.batch_deltas y where y.ctid = any(array(
        select w.c from w where exists (select from l where l.id = w.batch_id) or not exists (select from jobs.batches x where x.id = w.batch_id)))
      returning y.batch_id, y.tenant_number, y.enqueued, y.completed, y.discarded, y.cancelled, y.is_sealed),
    s as (
      select batch_id, tenant_number, sum(enqueued) as enqueued, sum(completed) as completed, sum(discarded) as discarded, sum(cancelled) as cancelled, bool_or(is_sealed) as is_sealed
        from d group by 1, 2)
    update jobs.batches x set enqueued_count = x.enqueued_count + s.enqueued, completed_count = x.completed_count + s.completed,
        discarded_count = x.discarded_count + s.discarded, cancelled_count = x.cancelled_count + s.cancelled, is_sealed = x.is_sealed or s.is_sealed,
        version = x.version + 1
      from s where x.id = s.batch_id and x.tenant_number = s.tenant_number
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
