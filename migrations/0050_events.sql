-- Events for live clients. They commit unnumbered; one process numbers what is committed, per tenant, then tells the others.
-- A counter row inside domain transactions would cost three quarters of the throughput, a plain sequence would let replay miss late commits.

create table crm.event_outbox (
  tenant_id uuid not null default app.tenant_id(),
  id bigint generated always as identity,
  kind text not null,
  data jsonb not null,
  at timestamptz not null default app.now(),
  primary key (tenant_id, id)
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

create table crm.event_counters (
  tenant_id uuid primary key default app.tenant_id() references crm.tenants,
  seq bigint not null
);

create table crm.events (
  tenant_id uuid not null default app.tenant_id(),
  seq bigint not null,
  kind text not null,
  data jsonb not null,
  at timestamptz not null,
  primary key (tenant_id, seq)
);
create index events_at on crm.events (at);

call app.wall('crm.event_outbox', 'insert');
call app.wall('crm.event_counters', 'select');
call app.wall('crm.events', 'select');

-- Moves committed events from the outbox into the numbered log. One caller at a time (the holder of the advisory lock).
create function crm.number_events(p_limit int) returns int language plpgsql as $$
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
    insert into crm.events (tenant_id, seq, kind, data, at)
      select o.tenant_id, c.seq - count(*) over (partition by o.tenant_id) + row_number() over (partition by o.tenant_id order by o.id), o.kind, o.data, o.at
        from o join c on c.tenant_id = o.tenant_id)
  select count(*) into n from o;
  return n;
end $$;

-- A breaker that opens or closes is an event of its tenant, written with the change itself, whoever makes it.
create function crm.tell_breaker() returns trigger language plpgsql as $$
begin
  insert into crm.event_outbox (tenant_id, kind, data)
    select t.id, case new.breaker when 'open' then 'breaker.opened' else 'breaker.closed' end,
           jsonb_strip_nulls(jsonb_build_object('gate', new.key, 'reason', new.reason, 'open_until', new.open_until))
      from crm.tenants t where t.number = new.tenant_number;
  return null;
end $$;
create trigger gates_breaker after update of breaker on jobs.gates for each row
  when (old.breaker is distinct from new.breaker and new.breaker <> 'half_open') execute function crm.tell_breaker();
