//! What the database writes down by itself while the faults go on, in the transactions of whoever acts: no look can come too late, and
//! what was rolled back was never seen. Then what must be true of it.

use sqlx::PgConnection;

const TRIGGERS: &str = "
-- each claim, with what it took
create table public.grants (fence bigint not null, lane_id bigint not null, leased_at timestamptz not null, job_ids bigint[] not null);
create function public.note_grant() returns trigger language plpgsql security definer as $$
begin
  insert into public.grants (fence, lane_id, leased_at, job_ids) values (new.fence, new.lane_id, new.leased_at, new.job_ids);
  return null;
end $$;
create trigger noted after insert on jobs.leases for each row execute function public.note_grant();

-- Each process that is forgotten: it has left, or its lease was over. One that lives may be forgotten more than once; the transaction tells
-- which time it was.
create table public.departures (process uuid not null, pid int not null, lease_until timestamptz not null, xact xid8 not null);
create function public.note_departure() returns trigger language plpgsql security definer as $$
begin
  insert into public.departures (process, pid, lease_until, xact) values (old.id, old.pid, old.lease_until, pg_current_xact_id());
  return null;
end $$;
create trigger noted after delete on jobs.processes for each row execute function public.note_departure();

-- each job that was taken from a dead worker, with the time of the look that found it dead
create table public.rescues (job_id bigint not null, process uuid not null, at timestamptz not null, xact xid8 not null);
create function public.note_rescue() returns trigger language plpgsql security definer as $$
begin
  insert into public.rescues (job_id, process, at, xact)
    values (new.id, (new.errors -> -1 ->> 'process')::uuid, (new.errors -> -1 ->> 'at')::timestamptz, pg_current_xact_id());
  return null;
end $$;
create trigger noted after update on jobs.jobs for each row when (new.crashes > old.crashes) execute function public.note_rescue();

-- each look for dead workers, found or not, and whose it was: it begins by adding those that only their leases tell of, mostly none
create table public.looks (session int not null, at timestamptz not null);
create function public.note_look() returns trigger language plpgsql security definer as $$
begin
  insert into public.looks (session, at) values (pg_backend_pid(), app.now());
  return null;
end $$;
create trigger looked before insert on jobs.processes for each statement
  when (current_query() like '%jobs.rescue(%') execute function public.note_look();

-- each completion of a campaign, with the recipients that were not done at that moment
create table public.completions (campaign_id uuid not null, open_count bigint not null);
create function public.note_completion() returns trigger language plpgsql security definer as $$
begin
  insert into public.completions (campaign_id, open_count)
    select new.id, count(*) filter (where r.state in ('pending', 'sending', 'unknown')) from crm.recipients r where r.campaign_id = new.id;
  return null;
end $$;
create trigger noted after update on crm.campaigns for each row
  when (new.state = 'completed' and old.state <> 'completed') execute function public.note_completion();
";

/// What must be so of every case.
const LAWS: &str = "
select 'completions: ' || c.id || ' ' || coalesce(string_agg('with ' || n.open_count || ' recipients open', ', '), 'never')
  from crm.campaigns c left join public.completions n on n.campaign_id = c.id
 group by c.id having count(n.campaign_id) <> 1 or max(n.open_count) > 0
union all
select 'bubbles: ' || m.address || ' has one that was sent from the device' from crm.messages m where m.source = 'device'
union all
select 'bubbles: ' || r.address || ' has ' || count(m.id) || ' in ' || count(distinct v.id) || ' conversations'
  from crm.recipients r
  left join crm.conversations v on v.tenant_id = r.tenant_id and v.address = r.address
  left join crm.messages m on m.tenant_id = v.tenant_id and m.conversation_id = v.id and m.direction = 'outbound' and m.id = r.id
 group by r.id, r.address having (count(m.id), count(distinct v.id)) <> (1, 1)
union all
-- the gateways of these cases lose answers, never a call that has reached them
select 'held: ' || r.address || ' (' || coalesce(r.reason, 'for no reason') || '), though no worker has died over it'
  from crm.recipients r
 where r.state = 'held'
   and (r.reason is distinct from 'not_confirmed'
        or not exists (select from public.grants g join public.rescues x on x.job_id = any(g.job_ids) and x.at > g.leased_at where g.fence = r.sending_fence))
union all
select 'rescues: job ' || r.job_id || ' was taken before the lease was over'
  from public.rescues r join public.departures d on (d.process, d.xact) = (r.process, r.xact) where r.at <= d.lease_until
union all
select 'rescues: job ' || r.job_id || ' was taken and never leased again'
  from public.rescues r where not exists (select from public.grants g where r.job_id = any(g.job_ids) and g.leased_at > r.at)
union all
select 'calls: ' || count(*) || ' under the lease ' || r.sending_fence || ', which gave ' || coalesce(max(g.jobs), 0)
  from crm.recipients r
  left join (select x.fence, sum(cardinality(x.job_ids)) as jobs from public.grants x group by 1) g on g.fence = r.sending_fence
 where r.sending_fence is not null group by r.sending_fence having count(*) > coalesce(max(g.jobs), 0)";

/// Lets the database write down what it sees.
pub async fn begins(superuser: &mut PgConnection) {
    sqlx::raw_sql(TRIGGERS).execute(superuser).await.expect("the triggers");
}

/// What was not as it must be; empty where all was.
pub async fn violations(superuser: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(LAWS).fetch_all(superuser).await.expect("what was seen can be read")
}
