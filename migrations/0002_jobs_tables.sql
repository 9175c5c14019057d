-- The queue's tables. `jobs` holds what is due or running and nothing else; what is not due waits in `scheduled`, what is done
-- leaves for `history` (narrow, by day) and, where it failed, `failures`. Tenant 0 is the platform itself.

create table jobs.kinds (
  id smallint generated always as identity primary key,
  name text not null constraint kinds_name_key unique
);
create table jobs.queues (
  id smallint generated always as identity primary key,
  name text not null constraint queues_name_key unique
);
grant select on jobs.kinds, jobs.queues to paloma_tenant;
grant select, insert on jobs.kinds, jobs.queues to paloma_platform;

-- The unit of fairness, start order and pause inside a queue. Configuration only: the claim reads it and never writes it.
create table jobs.lanes (
  id bigint generated always as identity primary key,
  tenant_number int not null,
  queue smallint not null references jobs.queues,
  key text not null,
  class smallint not null default 1,            -- a person's reply is 0, bulk work is 1: lower goes first, strictly
  weight smallint not null default 1 constraint lanes_weight_bounded check (weight between 1 and 100),   -- its share beside the tenant's other lanes
  gates bigint[] not null default '{}' constraint lanes_gates_are_named check (array_position(gates, null) is null),
  paused_at timestamptz,
  cancelled_at timestamptz,
  batch_id bigint,                              -- the batch that owns it: paused, resumed and cancelled with it; null: nobody's
  created_at timestamptz not null default app.now(),
  constraint lanes_key unique (tenant_number, queue, key)
);
create index lanes_batch on jobs.lanes (batch_id) where batch_id is not null;

-- What stands between lanes and an outside service: a token bucket, a cap on running jobs, a breaker, a pause.
create table jobs.gates (
  id bigint generated always as identity primary key,
  tenant_number int not null,
  key text not null,
  rate float8 constraint gates_rate_positive check (rate > 0 and rate <= 1e12),   -- tokens a second; null: no bucket
  burst float8 not null default 1 constraint gates_burst_positive check (burst between 1 and 1e12),
  tokens float8 not null default 1 constraint gates_tokens_bounded check (tokens between 0 and 1e12),
  updated_at timestamptz not null default app.clock(),
  cap int constraint gates_cap_positive check (cap > 0),                  -- running jobs; null: no cap
  -- starts in an hour and in a day of that zone, as its clock shows them; null: as many as the rate lets through
  hourly int constraint gates_hourly_positive check (hourly > 0),
  daily int constraint gates_daily_positive check (daily > 0),
  -- one that is none fails here and not in the claim
  time_zone text not null default 'UTC' constraint gates_time_zone_known check (timestamptz '2000-01-01Z' at time zone time_zone is not null),
  hour_at timestamptz,
  hour_used int not null default 0,
  day_at timestamptz,
  day_used int not null default 0,
  paused_at timestamptz,
  breaker text not null default 'closed' constraint gates_breaker_known check (breaker in ('closed', 'open', 'half_open')),
  open_until timestamptz,                                                 -- open: the probe's time; half_open: when the probe is given up
  open_s float8 not null default 0,                                       -- how long it was opened for; doubles with each failed probe
  epoch int not null default 0,                                           -- grows with each opening
  rests_until timestamptz,                                                -- the service asked to be left alone until then
  reason text,
  constraint gates_key unique (tenant_number, key)
) with (fillfactor = 20);

-- Running jobs of a capped gate in one process, written by that process's cycle alone. The cap sums the live processes, so a slot can't leak.
create table jobs.gate_slots (
  gate_id bigint not null,
  process uuid not null,
  running int not null,
  primary key (gate_id, process)
) with (fillfactor = 50);

-- Which process has seen the service behind a gate fail of late. The breaker opens when others have too.
create table jobs.gate_evidence (
  gate_id bigint not null,
  process uuid not null,
  at timestamptz not null,
  primary key (gate_id, process)
);
grant select, insert, update, delete on jobs.gate_evidence to paloma_platform;

create table jobs.processes (
  id uuid primary key,
  name text not null,
  host text not null,
  pid int not null,
  queues text[] not null,
  started_at timestamptz not null,
  seen_at timestamptz not null,
  lease_until timestamptz not null               -- until when what it holds is its own; renewed for all its leases by this one row
) with (fillfactor = 50);
grant select, insert, update, delete on jobs.gate_slots, jobs.processes to paloma_platform;
-- What runs: a row for each claim and lane, with the jobs leased. A job's own row is not touched between its making and its end, which is
-- half of its cost (ADR 12). It runs exactly while its id is in a row of this table: whoever ends a lease otherwise than by deleting the
-- job takes the id out of the row.
create table jobs.leases (
  process uuid not null,
  fence bigint not null,
  lane_id bigint not null,
  tenant_number int not null,
  queue smallint not null,
  leased_at timestamptz not null,
  job_ids bigint[] not null,
  primary key (process, fence, lane_id)
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
-- a claim of 500 fits into a page as it is: compressing it would cost more
alter table jobs.leases alter column job_ids set storage main;
create index leases_lane on jobs.leases (lane_id);

create sequence jobs.ids cache 100;
create sequence jobs.fences;

create table jobs.jobs (
  id bigint not null default nextval('jobs.ids') primary key,
  tenant_number int not null,
  lane_id bigint not null,
  run_at timestamptz not null,
  fence bigint not null default 0,              -- leases with a smaller or the same number are void: raised whenever one ends and the job stays
  batch_id bigint,
  queue smallint not null,
  kind smallint not null,
  priority smallint not null default 0,
  attempt smallint not null default 0,          -- starts that have ended; one that runs is in its next
  max_attempts smallint not null,
  crashes smallint not null default 0,
  key_scope smallint not null default 0,        -- 0 none, 1 until started, 2 while live, 3 for a window, 4 for ever
  payload jsonb not null,
  errors jsonb
) with (fillfactor = 95, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create index jobs_lane on jobs.jobs (lane_id, priority, run_at, id);

create index lanes_cancelled on jobs.lanes (cancelled_at) where cancelled_at is not null;

create table jobs.scheduled (
  id bigint primary key,
  tenant_number int not null,
  lane_id bigint not null,
  queue smallint not null,
  kind smallint not null,
  priority smallint not null,
  attempt smallint not null,
  max_attempts smallint not null,
  crashes smallint not null,
  key_scope smallint not null,
  batch_id bigint,
  run_at timestamptz not null,
  fence bigint not null,
  payload jsonb not null,
  errors jsonb
);
create index scheduled_due on jobs.scheduled (queue, run_at);
create index scheduled_lane on jobs.scheduled (lane_id, id);

-- The one authority on uniqueness.
create table jobs.job_keys (
  tenant_number int not null,
  kind smallint not null,
  key bytea not null,
  job_id bigint not null,
  scope smallint not null,
  expires_at timestamptz,
  constraint job_keys_pkey primary key (tenant_number, kind, key)
);
create index job_keys_job on jobs.job_keys (job_id);
create index job_keys_expiry on jobs.job_keys (expires_at) where expires_at is not null;

-- One row per lane and enqueuing statement, in the job's own transaction: visible exactly when the job is, so no wake-up is lost.
create table jobs.wakes (
  tenant_number int not null,
  queue smallint not null,
  lane_id bigint not null,
  -- nothing of what it stands for comes before this place in the lane; none: any place
  priority smallint,
  run_at timestamptz
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
-- Lanes known to have work, in the order in which they are served (virtual time, drawn from the tenant's line). Whoever holds a row's lock
-- may lease jobs of the lane, or take them away, and nobody else.
create table jobs.turns (
  queue smallint not null,
  lane_id bigint not null,
  tenant_number int not null,
  class smallint not null,
  vt float8 not null,
  credit int not null default 0,                 -- jobs it may still start in this round, for its weight
  owed int not null default 0,                   -- jobs it has started in this round
  idle_until timestamptz,                        -- nothing to start was found; looked at again then, or when it is told of work
  gate_id bigint,                                -- it waits until that gate lets something through
  -- Nothing that is leased of the lane comes after this place, so that a claim that goes on from it does not walk over what runs or has
  -- gone; none: not known. What stands before it may be free, where the lane is to be looked back at.
  looks_back boolean not null default true,
  passed_priority smallint,
  passed_run_at timestamptz,
  passed_id bigint,
  primary key (queue, lane_id)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
create index turns_ready on jobs.turns (queue, class, vt, lane_id) where idle_until is null and gate_id is null;
create index turns_idle on jobs.turns (queue, idle_until) where idle_until is not null;
create index turns_waiting on jobs.turns (queue, gate_id, class, vt, lane_id) where gate_id is not null;
create index turns_tenant on jobs.turns (queue, tenant_number, vt);
-- When a gate before which lanes wait is to be looked at again: one row, however many wait. Written only under the lock of the gate's row.
create table jobs.gate_waits (
  queue smallint not null,
  gate_id bigint not null,
  due_at timestamptz not null,
  primary key (queue, gate_id)
) with (fillfactor = 50, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
create index gate_waits_due on jobs.gate_waits (queue, due_at);
grant select, insert, update, delete on jobs.gate_waits to paloma_platform;
grant select, insert, update, delete on jobs.turns to paloma_platform;

create table jobs.history (
  id bigint not null,
  tenant_number int not null,
  lane_id bigint not null,
  queue smallint not null,
  kind smallint not null,
  state text not null,
  attempt smallint not null,
  batch_id bigint,
  run_at timestamptz not null,
  leased_at timestamptz,
  finished_at timestamptz not null
) partition by range (finished_at);
-- Catches what no day covers (a clock that jumped); upkeep makes the days ahead of time.
create table jobs.history_other partition of jobs.history default;
-- Ids and ends grow with time, so that ranges of pages tell them apart; a tree would cost each completion a microsecond and 60 bytes of log.
create index history_id on jobs.history using brin (id, finished_at) with (pages_per_range = 16, autosummarize = on);

-- Discarded, quarantined and cancelled jobs with all that is needed to look at them and to run them again; 30 days.
create table jobs.failures (
  id bigint primary key,
  tenant_number int not null,
  lane_id bigint not null,
  queue smallint not null,
  kind smallint not null,
  state text not null constraint failures_state_known check (state in ('discarded', 'quarantined', 'cancelled')),
  priority smallint not null,
  attempt smallint not null,
  max_attempts smallint not null,
  crashes smallint not null,
  key_scope smallint not null,
  key bytea,                                     -- the unique key it held, to be taken again by a retry
  batch_id bigint,
  payload jsonb not null,
  errors jsonb,
  finished_at timestamptz not null
);
create index failures_finished on jobs.failures (finished_at);
create index failures_tenant on jobs.failures (tenant_number, id);
create index failures_batch on jobs.failures (batch_id, id) where batch_id is not null;

-- Jobs with one purpose. Deltas are appended by whoever settles; one folder adds them up and alone fires the completion.
create table jobs.batches (
  id bigint generated always as identity primary key,
  tenant_number int not null,
  name text not null,
  -- The batch it follows. Never changed, and always an older one: ids only grow, so no circle can be closed.
  after_id bigint constraint batches_follow_an_older_one check (after_id < id),
  opened_at timestamptz default app.now(),       -- since when its jobs may start; null: held, the one it follows has not completed
  paused_at timestamptz,
  cancelled_at timestamptz,
  is_sealed boolean not null default false,      -- no more jobs will be added
  enqueued_count bigint not null default 0,
  completed_count bigint not null default 0,
  discarded_count bigint not null default 0,     -- given up: discarded or quarantined
  cancelled_count bigint not null default 0,
  retry_at timestamptz,                          -- its jobs discarded until then are being run again
  retry_after bigint not null default 0,         -- the last failure looked at for it
  generation int not null default 1,             -- grows with each reopening; each generation completes once
  version bigint not null default 1,             -- grows with each change of this row
  on_complete jsonb,                              -- {kind, queue, lane, max_attempts, payload}: enqueued once a generation, by compare-and-set
  completed_at timestamptz,
  created_at timestamptz not null default app.now(),
  -- The feature whose batch it is: the first word of its name. A column, since under row-level security no index on an expression is used.
  feature text not null generated always as (split_part(name, '/', 1)) stored,
  state text not null generated always as (
    case when cancelled_at is not null then 'cancelled' when completed_at is not null then 'completed'
         when opened_at is null then 'held' when paused_at is not null then 'paused' else 'active' end) stored,
  constraint batches_tenant_key unique (tenant_number, id),
  constraint batches_after foreign key (tenant_number, after_id) references jobs.batches (tenant_number, id) on delete set null (after_id)
);
create index batches_held on jobs.batches (after_id) where opened_at is null and cancelled_at is null;
-- lists by key, also of one state
create index batches_state on jobs.batches (state, id);
create index batches_feature on jobs.batches (tenant_number, feature, id);
create index batches_feature_state on jobs.batches (tenant_number, feature, state, id);
create index batches_retrying on jobs.batches (id) where retry_at is not null;
create index batches_completed on jobs.batches (completed_at) where completed_at is not null;
create table jobs.batch_deltas (
  tenant_number int not null,
  batch_id bigint not null,
  enqueued int not null default 0,
  completed int not null default 0,
  discarded int not null default 0,
  cancelled int not null default 0,
  is_sealed boolean not null default false
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
create index batch_deltas_batch on jobs.batch_deltas (batch_id);

-- A schedule's contract as declared in code, and how far it has come. Whoever fires it locks the row, makes the job and moves
-- `next_fire_at` in one commit. A row that no scheduler declares any more (`seen_at`) is retired, and stays for a month.
create table jobs.schedules (
  name text primary key,
  cron text not null,
  time_zone text not null,
  nonexistent text not null constraint schedules_nonexistent_known check (nonexistent in ('skip', 'next_valid')),
  ambiguous text not null constraint schedules_ambiguous_known check (ambiguous in ('first', 'second', 'both')),
  catch_up text not null constraint schedules_catch_up_known check (catch_up in ('none', 'one', 'all')),
  catch_up_limit int constraint schedules_catch_up_bounded check (catch_up_limit between 1 and 1000),
  overlap text not null constraint schedules_overlap_known check (overlap in ('allow', 'skip', 'queue')),
  jitter_ms int not null constraint schedules_jitter_bounded check (jitter_ms between 0 and 86400000),
  kind text not null,
  queue text not null,
  next_fire_at timestamptz not null,
  queued_fire_at timestamptz,                    -- a fire that waits until the last job has ended
  last_fired_at timestamptz,
  last_job_id bigint,
  skipped_count bigint not null default 0,       -- fires that made no job because the last one was live
  missed_at timestamptz,                         -- the newest fire that was missed and not made up
  paused_at timestamptz,
  reason text,
  seen_at timestamptz not null,
  retired_at timestamptz,
  constraint schedules_all_is_bounded check ((catch_up = 'all') = (catch_up_limit is not null)),
  constraint schedules_queued_is_to_queue check (queued_fire_at is null or overlap = 'queue')
);
grant select, insert, update, delete on jobs.schedules to paloma_platform;

call app.wall_engine('jobs.lanes', 'select, insert, update (gates, class, weight, paused_at, cancelled_at, batch_id)');
call app.wall_engine('jobs.gates', 'select, insert, update (rate, burst, tokens, cap, hourly, daily, time_zone, paused_at)');
call app.wall_engine('jobs.leases', 'select');
call app.wall_engine('jobs.jobs', 'select, insert');
call app.wall_engine('jobs.scheduled', 'select, insert');
call app.wall_engine('jobs.job_keys', 'select, insert, delete, update (expires_at)');
call app.wall_engine('jobs.wakes', 'insert');
call app.wall_engine('jobs.history', 'select');
call app.wall_engine('jobs.failures', 'select');
call app.wall_engine('jobs.batches', 'select, insert, update (paused_at, cancelled_at, completed_at, retry_at, retry_after, generation, version)');
call app.wall_engine('jobs.batch_deltas', 'select, insert');
-- A tenant may write rows of its own: none that a claim, which is everybody's, could stumble over.
create policy tenant_new on jobs.jobs as restrictive for insert to paloma_tenant
  with check (attempt = 0 and crashes = 0 and fence = 0 and errors is null and isfinite(run_at));
create policy tenant_new on jobs.scheduled as restrictive for insert to paloma_tenant
  with check (attempt = 0 and crashes = 0 and fence = 0 and errors is null and isfinite(run_at));
grant usage on sequence jobs.ids to paloma_tenant, paloma_platform;
grant usage, select, update on sequence jobs.fences to paloma_platform;
-- definer functions read the catalogues and write the fences as the owner, who owns them
