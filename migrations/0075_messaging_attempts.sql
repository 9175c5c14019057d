-- A message that is tried over a second service: both tries are rows, the message is the one that counts (rules.md D17). Adds columns with constant
-- defaults to lines and messages, which locks each for a moment, and a trigger on messages.

-- 0: tried once, and the message itself is the try. Else the number of the try that the message now is.
alter table crm.messages add column attempt smallint not null default 0;
-- What it has to go out over; null: as the line sends.
alter table crm.messages add column via text constraint messages_via_known check (via in ('sms'));

-- Whether a message that proves to find no iMessage at the other side is sent over SMS without being asked.
alter table crm.lines add column falls_back boolean not null default true;
-- Whether the gateway's Mac can send SMS at all; null: it has not said.
alter table crm.lines add column sms_relay boolean;

create table crm.message_attempts (
  tenant_id uuid not null default app.tenant_id(),
  message_id uuid not null,
  number smallint not null constraint message_attempts_number check (number in (1, 2)),
  line_id uuid not null,
  cause text not null constraint message_attempts_cause_known check (cause in ('first', 'fallback', 'person')),
  -- what the decision to make this try rested on
  evidence jsonb,
  service text not null,
  status text not null,
  reason text,
  client_guid text not null,
  guid text,
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  sent_at timestamptz,
  constraint message_attempts_pkey primary key (tenant_id, message_id, number),
  constraint message_attempts_message foreign key (tenant_id, message_id) references crm.messages on delete cascade,
  constraint message_attempts_client_guid_key unique (tenant_id, client_guid)
);
-- what a gateway says of the try that failed must not look like a message of the device
create unique index message_attempts_guid_key on crm.message_attempts (tenant_id, line_id, guid) where guid is not null;

-- The try that the message now is can't differ from the message.
create function crm.attempt_follows() returns trigger language plpgsql as $$
begin
  update crm.message_attempts a set status = new.status, reason = new.reason, service = new.service, guid = new.guid, sent_at = new.sent_at
   where a.tenant_id = new.tenant_id and a.message_id = new.id and a.number = new.attempt;
  return null;
end $$;
create trigger messages_attempt after update on crm.messages for each row
  when (new.attempt > 0 and (old.status, old.service, old.guid, old.reason, old.attempt) is distinct from (new.status, new.service, new.guid, new.reason, new.attempt))
  execute function crm.attempt_follows();

-- Whether an address is on iMessage, as a gateway answered it: a yes holds for hours, a no for minutes, since it is often wrong for a while.
create table crm.handle_capabilities (
  tenant_id uuid not null default app.tenant_id(),
  line_id uuid not null,
  address text not null,
  is_imessage boolean not null,
  checked_at timestamptz not null default app.now(),
  constraint handle_capabilities_pkey primary key (tenant_id, line_id, address),
  constraint handle_capabilities_line foreign key (tenant_id, line_id) references crm.lines on delete cascade
);
create index handle_capabilities_recent on crm.handle_capabilities (tenant_id, line_id, checked_at);

call app.wall('crm.message_attempts');
call app.wall('crm.handle_capabilities');
