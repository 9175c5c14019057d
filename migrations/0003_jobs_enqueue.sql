-- Enqueue: one or many jobs of one kind into one lane, inside the caller's transaction and under the caller's role.

-- Which advisory lock stands for a batch: shared while a lane is added to it or jobs from outside are, exclusive to pause, resume, cancel, open and
-- seal it. So no lane is made behind the back of a pause, and no job behind the back of a seal.
create function jobs.batch_lock(p_batch bigint) returns int language sql immutable
return (p_batch % 2147483647)::int;

-- The lane of that key, made on first use. A batch's jobs go into lanes of its own, which are made in the state of the batch.
create function jobs.lane(p_tenant int, p_queue smallint, p_key text, p_class smallint, p_gates bigint[] default '{}', p_batch bigint default null)
returns bigint language plpgsql as $$
declare
  l bigint; owner bigint; held boolean := false;
  cancelled timestamptz;
begin
  for i in 1..3 loop
    select id, cancelled_at, batch_id into l, cancelled, owner from jobs.lanes where tenant_number = p_tenant and queue = p_queue and key = p_key;
    if found then
      if cancelled is not null then
        raise exception 'the lane % is cancelled', p_key using errcode = 'P0001', constraint = 'lane_cancelled';
      end if;
      if p_batch is not null and owner is distinct from p_batch then
        raise exception 'the lane % is not one of the batch %', p_key, p_batch using errcode = 'P0001', constraint = 'lane_not_of_batch';
      end if;
      return l;
    end if;
    if p_batch is not null then
      perform pg_advisory_xact_lock_shared(7236, jobs.batch_lock(p_batch));
      select b.paused_at is not null or b.opened_at is null, b.cancelled_at into held, cancelled
        from jobs.batches b where b.tenant_number = p_tenant and b.id = p_batch;
      if not found then
        raise exception 'there is no batch %', p_batch using errcode = 'P0001', constraint = 'batch_unknown';
      end if;
      if cancelled is not null then
        raise exception 'the batch % is cancelled', p_batch using errcode = 'P0001', constraint = 'lane_cancelled';
      end if;
    end if;
    insert into jobs.lanes (tenant_number, queue, key, class, gates, batch_id, paused_at)
      values (p_tenant, p_queue, p_key, p_class, p_gates, p_batch, case when held then app.now() end)
      on conflict (tenant_number, queue, key) do nothing returning id into l;
    if l is not null then
      return l;
    end if;
  end loop;
  raise exception 'the lane % could not be made', p_key;
end $$;

-- Which lock stands for a key "until started": 64 a kind and tenant, so that a bulk enqueue does not fill the table of locks. A lock of the
-- server's own table is fair: a job that waits to start is not starved by enqueuers that keep coming, as it would be at a row lock.
create function jobs.key_lock(p_tenant int, p_kind smallint, p_key bytea) returns int language sql immutable
return hashtext(p_tenant || '/' || p_kind || '/' || (get_byte(sha256(p_key), 0) % 64));

-- The job starts: its key "until started" ends. Waits for enqueuers that have seen it and not committed yet.
-- If the commit is lost in a crash the key is only held for as long as the job runs, so nobody waits for the disk.
create function jobs.give_up_key(p_job bigint) returns void language plpgsql as $$
declare
  x record;
begin
  set local synchronous_commit = off;
  for x in select tenant_number, kind, key from jobs.job_keys where job_id = p_job and scope = 1 loop
    perform pg_advisory_xact_lock(7234, jobs.key_lock(x.tenant_number, x.kind, x.key));
    delete from jobs.job_keys d where d.tenant_number = x.tenant_number and d.kind = x.kind and d.key = x.key and d.job_id = p_job;
  end loop;
end $$;

create function jobs.enqueue(
  p_tenant int, p_kind text, p_queue text, p_lane text, p_class smallint, p_priority smallint, p_max_attempts smallint, p_batch bigint,
  p_scope smallint, p_window interval, p_payloads jsonb[], p_keys bytea[], p_run_ats timestamptz[],
  p_bytes bigint default 0, p_is_exempt boolean default true)
returns table (ord bigint, job_id bigint, is_duplicate boolean)
language plpgsql set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $$
declare
  t timestamptz := app.clock();
  k smallint; q smallint; l bigint;
  ids bigint[]; holders bigint[];
begin
  select (select z.id from jobs.kinds z where z.name = p_kind), (select z.id from jobs.queues z where z.name = p_queue) into k, q;
  if k is null or q is null then
    raise exception 'no process has registered the job kind % on the queue %', p_kind, p_queue;
  end if;
  -- one look-up a statement, in a table that holds only the few tenants near their quota (0008)
  if not p_is_exempt and exists (
    select from jobs.usage u where u.tenant_number = p_tenant and p_tenant > 0
       and (u.jobs + cardinality(p_payloads) > u.most_jobs or u.bytes + p_bytes > u.most_bytes)) then
    raise exception 'the tenant has as much queued as it may' using errcode = 'P0001', constraint = 'quota_exceeded';
  end if;
  if p_batch is not null and exists (select from jobs.batches b where b.id = p_batch and b.completed_at is not null) then
    raise exception 'the batch % has completed', p_batch using errcode = 'P0001', constraint = 'batch_completed';
  end if;
  if p_batch is null then
    select z.id into l from jobs.lanes z
     where z.tenant_number = p_tenant and z.queue = q and z.key = p_lane and z.cancelled_at is null;
  end if;
  if l is null then
    l := jobs.lane(p_tenant, q, p_lane, p_class, '{}', p_batch);
  end if;
  if cardinality(p_payloads) = 1 and p_scope = 0 and p_batch is null and (p_run_ats is null or p_run_ats[1] <= t) then
    -- one job of no batch without a key, due now: two plain inserts, a third of the cost
    insert into jobs.jobs (tenant_number, lane_id, queue, kind, priority, max_attempts, run_at, payload)
      values (p_tenant, l, q, k, p_priority, p_max_attempts, coalesce(p_run_ats[1], t), p_payloads[1]) returning id into job_id;
    insert into jobs.wakes (tenant_number, queue, lane_id, priority, run_at) values (p_tenant, q, l, p_priority, coalesce(p_run_ats[1], t));
    ord := 1; is_duplicate := false;
    return next;
    return;
  end if;
  select array_agg(nextval('jobs.ids') order by i) into ids from generate_series(1, cardinality(p_payloads)) i;
  holders := ids;
  if p_scope > 0 then
    -- A key's row is the one authority. Rows are inserted in key order, so that batches in opposite orders do not deadlock; a conflict
    -- with an uncommitted holder waits for it, and a holder that went away meanwhile means another round.
    holders := array_fill(null::bigint, array[cardinality(ids)]);
    if p_scope = 1 then
      -- "Until started": the holder may not start before this transaction ends, or it could miss what we are about to commit.
      perform pg_advisory_xact_lock_shared(7234, z.lock) from (
        select distinct jobs.key_lock(p_tenant, k, u.key) as lock from unnest(p_keys) u(key) order by 1) z;
    end if;
    for round in 1..50 loop
      if p_scope = 3 then
        delete from jobs.job_keys d using unnest(p_keys) u(key)
          where d.tenant_number = p_tenant and d.kind = k and d.key = u.key and d.expires_at <= t;
      end if;
      insert into jobs.job_keys (tenant_number, kind, key, job_id, scope, expires_at)
        select p_tenant, k, w.key, w.id, p_scope, case when p_scope = 3 then t + p_window end
          from (select distinct on (u.key) u.key, u.id from unnest(p_keys, ids) with ordinality u(key, id, ord)
                 where holders[u.ord] is null order by u.key, u.ord) w
          order by w.key
        on conflict (tenant_number, kind, key) do nothing;
      select array_agg((select j.job_id from jobs.job_keys j where j.tenant_number = p_tenant and j.kind = k and j.key = u.key) order by u.ord)
        into holders from unnest(p_keys) with ordinality u(key, ord);
      exit when array_position(holders, null) is null;
    end loop;
    if array_position(holders, null) is not null then
      raise exception 'a unique key changed hands too often' using errcode = '40001';
    end if;
  end if;
  return query
  with src as materialized (
    select u.o, u.id, u.holder, u.payload, coalesce(u.run_at, t) as due
      from unnest(ids, holders, p_payloads, p_run_ats) with ordinality u(id, holder, payload, run_at, o)),
  mine as materialized (select distinct on (src.id) src.* from src where src.holder = src.id),
  ready as (
    insert into jobs.jobs (id, tenant_number, lane_id, queue, kind, priority, max_attempts, key_scope, batch_id, run_at, payload)
      select m.id, p_tenant, l, q, k, p_priority, p_max_attempts, p_scope, p_batch, m.due, m.payload from mine m where m.due <= t),
  later as (
    insert into jobs.scheduled (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, batch_id, run_at, fence, payload)
      select m.id, p_tenant, l, q, k, p_priority, 0, p_max_attempts, 0, p_scope, p_batch, m.due, 0, m.payload from mine m where m.due > t),
  wake as (
    insert into jobs.wakes (tenant_number, queue, lane_id, priority, run_at)
      select p_tenant, q, l, p_priority, min(m.due) from mine m where m.due <= t having count(*) > 0),
  delta as (
    insert into jobs.batch_deltas (tenant_number, batch_id, enqueued)
      select p_tenant, p_batch, count(*) from mine having p_batch is not null and count(*) > 0)
  select src.o, src.holder, src.holder <> src.id from src order by src.o;
end $$;
