-- A cycle asks for as many lanes as it needs for its slots: each costs a claim as much as several jobs, and one that is taken for nothing is kept
-- from the others.

-- Settles, tells the slots that this process uses, and claims for each queue with free slots. The last row is the header: its `fence` is
-- null, `settled` counts the leases ended, `wake_s` says when to look again, `gates` how many lanes were left waiting before gates, by what keeps them.
create or replace function jobs.cycle(
  p_process uuid, p_lease_s float8, p_ids bigint[], p_fences bigint[], p_outcomes smallint[], p_delays float8[], p_errors text[],
  p_gates bigint[], p_running int[], p_done_claims bigint[], p_queues smallint[], p_free int[])
returns setof jobs.leased language plpgsql set enable_seqscan = off as $$
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
      select u.g, p_process, u.r from unnest(p_gates, p_running) u(g, r) where (select z.id from jobs.gates z where z.id = u.g) is not null order by u.g
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
  -- how many lanes claims have left waiting before gates (0062); workers that do not know of it read past it
  header.gates := nullif(current_setting('paloma.refused', true), '')::bigint[];
  return next header;
end $$;
