-- Events that are for one user only. Adds a column to the outbox and the log without rewriting them, and the function that numbers carries it
-- over; a process of the version before hands such an event to the whole tenant, which it concerns as little as a stranger's badge.
alter table crm.event_outbox add column user_id uuid;
alter table crm.events add column user_id uuid;

create or replace function crm.number_events(p_limit int) returns int language plpgsql as $$
declare
  n int;
begin
  if not pg_try_advisory_xact_lock(7233) then
    return 0;
  end if;
  with o as (
    delete from crm.event_outbox where ctid = any(array(select ctid from crm.event_outbox limit p_limit)) returning *),
  c as (
    insert into crm.event_counters (tenant_id, seq) select o.tenant_id, count(*) from o group by 1
      on conflict (tenant_id) do update set seq = crm.event_counters.seq + excluded.seq
      returning tenant_id, seq),
  e as (
    insert into crm.events (tenant_id, seq, kind, data, at, user_id)
      select o.tenant_id, c.seq - count(*) over (partition by o.tenant_id) + row_number() over (partition by o.tenant_id order by o.id), o.kind, o.data, o.at, o.user_id
        from o join c on c.tenant_id = o.tenant_id)
  select count(*) into n from o;
  return n;
end $$;
