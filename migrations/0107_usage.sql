-- What each tenant uses, by day, as a ledger of changes: triggers write to a log, a job of each minute sums it up, and nothing is counted when somebody
-- asks. What stays (contacts, storage) is the sum of all its days; what passes (messages, campaigns, tokens) that of the days asked for. Messages of
-- campaigns are taken from where a campaign's counters are folded, so that no send waits for this. Fills in what is there already while nobody writes
-- contacts and attachments: seconds for a million.

create table crm.usage (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  measure text not null constraint usage_measure_known
    check (measure in ('messages_in', 'messages_out', 'campaign_messages', 'campaigns', 'contacts', 'storage_bytes', 'ai_tokens')),
  day date not null,                             -- by the tenant's clock
  channel text not null default '',              -- of messages: imessage, sms, rcs or unknown
  amount bigint not null,
  primary key (tenant_id, measure, day, channel)
);
create table crm.usage_log (
  tenant_id uuid not null default app.tenant_id(),
  at timestamptz not null default app.now(),
  measure text not null,
  channel text not null default '',
  amount bigint not null
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

alter table crm.contacts no force row level security;
alter table crm.attachments no force row level security;
alter table crm.tenants no force row level security;
insert into crm.usage (tenant_id, measure, day, amount)
  select t.id, 'contacts', (app.now() at time zone t.time_zone)::date, z.amount
    from (select c.tenant_id, count(*) as amount from crm.contacts c group by 1) z join crm.tenants t on t.id = z.tenant_id
  union all
  select t.id, 'storage_bytes', (app.now() at time zone t.time_zone)::date, z.amount
    from (select a.tenant_id, sum(a.byte_count)::bigint as amount from crm.attachments a where a.state = 'stored' and a.byte_count > 0 group by 1) z
    join crm.tenants t on t.id = z.tenant_id;
alter table crm.tenants force row level security;
alter table crm.attachments force row level security;
alter table crm.contacts force row level security;
call app.wall('crm.usage', 'select');
call app.wall('crm.usage_log', 'select, insert');

-- a message counts once: when it came, or when it has gone out. The condition keeps campaigns, whose rows are many, from calling anything.
create function crm.log_message() returns trigger language plpgsql as $$
begin
  insert into crm.usage_log (tenant_id, measure, channel, amount)
    values (new.tenant_id, case new.direction when 'inbound' then 'messages_in' else 'messages_out' end, new.service, 1);
  return null;
end $$;
create trigger usage_in after insert on crm.messages for each row when (new.direction = 'inbound') execute function crm.log_message();
create trigger usage_out after update of sent_at on crm.messages for each row
  when (old.sent_at is null and new.sent_at is not null and new.direction = 'outbound' and new.source <> 'campaign') execute function crm.log_message();

create function crm.log_launch() returns trigger language plpgsql as $$
begin
  insert into crm.usage_log (tenant_id, measure, amount) values (new.tenant_id, 'campaigns', 1);
  return null;
end $$;
create trigger usage after update of launched_at on crm.campaigns for each row
  when (old.launched_at is null and new.launched_at is not null) execute function crm.log_launch();

create function crm.log_file() returns trigger language plpgsql as $$
declare
  v_before bigint := case when tg_op <> 'INSERT' and old.state = 'stored' then coalesce(old.byte_count, 0) else 0 end;
  v_after bigint := case when tg_op <> 'DELETE' and new.state = 'stored' then coalesce(new.byte_count, 0) else 0 end;
begin
  if v_before <> v_after then
    insert into crm.usage_log (tenant_id, measure, amount) values (coalesce(new.tenant_id, old.tenant_id), 'storage_bytes', v_after - v_before);
  end if;
  return null;
end $$;
create trigger usage after insert or delete or update of state, byte_count on crm.attachments for each row execute function crm.log_file();

-- Contacts come in thousands a statement: counted by it, and held to the plan. Those made for somebody who wrote are kept whatever it says.
create function crm.log_contacts_added() returns trigger language plpgsql as $$
declare
  v record;
  v_most bigint;
begin
  for v in select n.tenant_id, count(*) as n, count(*) filter (where n.made_for is null) as of_people from added n group by 1 loop
    insert into crm.usage_log (tenant_id, measure, amount) values (v.tenant_id, 'contacts', v.n);
    continue when v.of_people = 0;
    v_most := (select p.most_contacts from crm.tenants t join app.plans p on p.code = t.plan where t.id = v.tenant_id);
    continue when v_most is null;
    perform pg_advisory_xact_lock(7244, hashtext('contacts' || v.tenant_id));
    if (select count(*) from (select from crm.contacts c where c.tenant_id = v.tenant_id limit v_most + 1) c) > v_most then
      raise exception 'the plan allows % contacts', v_most using errcode = 'check_violation', constraint = 'plan_contacts';
    end if;
  end loop;
  return null;
end $$;
create function crm.log_contacts_deleted() returns trigger language plpgsql as $$
begin
  insert into crm.usage_log (tenant_id, measure, amount) select o.tenant_id, 'contacts', -count(*) from deleted o group by 1;
  return null;
end $$;
create trigger usage_added after insert on crm.contacts referencing new table as added for each statement execute function crm.log_contacts_added();
create trigger usage_deleted after delete on crm.contacts referencing old table as deleted for each statement execute function crm.log_contacts_deleted();

-- what a campaign was to send when it was launched: it counts against the month from then on
alter table crm.campaigns add column planned_count bigint;
