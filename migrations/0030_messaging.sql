-- Lines, conversations, messages, and the raw events of the gateways on their way in.

-- What a status becomes when evidence of another comes in, in whatever order (rules.md D13): forward only, but an error row found later
-- turns sent into failed, and proof of delivery overrides failed and unknown. Nothing leaves read. For messages and recipients alike.
create function crm.next_status(p_old text, p_new text) returns text language sql immutable parallel safe
return case
  when p_old in ('read', 'cancelled', 'skipped', 'received') then p_old
  when p_new = 'read' then 'read'
  when p_new = 'delivered' then 'delivered'
  when p_new = 'failed' and p_old in ('queued', 'pending', 'sending', 'unknown', 'held', 'sent') then 'failed'
  when p_new = 'sent' and p_old in ('queued', 'pending', 'sending', 'unknown', 'held') then 'sent'
  when p_new = 'unknown' and p_old = 'sending' then 'unknown'
  else p_old
end;
grant execute on function crm.next_status to paloma_tenant, paloma_platform;

-- Whether a message was failed or cancelled because its job was given up or called off: should an operator run the job again, it goes out after all.
create function crm.has_lost_its_job(p_status text, p_reason text) returns boolean language sql immutable parallel safe
return p_status in ('failed', 'cancelled') and coalesce(p_reason in ('job_discarded', 'job_quarantined', 'job_cancelled'), false);
grant execute on function crm.has_lost_its_job to paloma_tenant, paloma_platform;

create table crm.lines (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  name text not null constraint lines_name_length check (length(name) between 1 and 200),
  address text not null,
  base_url text not null,
  password bytea not null,                       -- encrypted, write-only in the API
  method text not null constraint lines_method_known check (method in ('apple_script', 'private_api')),
  hook_token_hash bytea not null,                -- of the secret in the webhook's path
  hook_token bytea not null,                     -- encrypted: to register the webhook again
  hook_state text not null default 'pending' constraint lines_hook_state_known check (hook_state in ('pending', 'registered', 'failed')),
  hook_error text,
  send_timeout_s int not null constraint lines_send_timeout check (send_timeout_s between 1 and 600),
  resolve_after_s int not null constraint lines_resolve_after check (resolve_after_s between 1 and 3600),
  row_cursor bigint not null default 0,          -- the greatest row id of the gateway that has been swept
  chat_prefix text not null default 'iMessage' constraint lines_chat_prefix_known check (chat_prefix in ('iMessage', 'any')),  -- how this Mac names new direct chats
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint lines_address_key unique (tenant_id, address)
);
create index lines_hook_token on crm.lines (hook_token_hash);

create table crm.conversations (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  line_id uuid not null,
  address text not null,
  contact_id uuid,
  chat_guid text,                                -- how the gateway names it, once known
  service text not null default 'unknown' constraint conversations_service_known check (service in ('imessage', 'sms', 'rcs', 'unknown')),
  last_message_at timestamptz not null default app.now(),
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint conversations_address_key unique (tenant_id, line_id, address),
  constraint conversations_line foreign key (tenant_id, line_id) references crm.lines,
  constraint conversations_contact foreign key (tenant_id, contact_id) references crm.contacts on delete set null (contact_id)
) with (fillfactor = 80);
create index conversations_recent on crm.conversations (tenant_id, last_message_at desc, id desc);

create table crm.messages (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  conversation_id uuid not null,
  line_id uuid not null,
  direction text not null constraint messages_direction_known check (direction in ('inbound', 'outbound')),
  source text not null constraint messages_source_known check (source in ('campaign', 'user', 'device', 'contact', 'system')),
  address text not null,
  body text not null,
  service text not null default 'unknown' constraint messages_service_known check (service in ('imessage', 'sms', 'rcs', 'unknown')),
  status text not null constraint messages_status_known check (status in ('queued', 'sending', 'sent', 'delivered', 'read', 'unknown', 'failed', 'cancelled', 'received')),
  reason text,                                   -- a stable code: why it failed, or why nobody knows
  client_guid text,                              -- ours, derived from the id
  guid text,                                     -- the gateway's
  sending_at timestamptz,
  sending_fence bigint,                          -- the lease under which it was marked
  sent_at timestamptz,
  delivered_at timestamptz,
  read_at timestamptz,
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint messages_conversation foreign key (tenant_id, conversation_id) references crm.conversations,
  constraint messages_client_guid_key unique (tenant_id, client_guid)
) with (fillfactor = 70);
create unique index messages_guid_key on crm.messages (tenant_id, line_id, guid) where guid is not null;
create index messages_thread on crm.messages (tenant_id, conversation_id, created_at desc, id desc);
-- what a sweep of the line still has to find out
create index messages_unsettled on crm.messages (tenant_id, line_id, address, sending_at) where status in ('sending', 'unknown');
create index messages_undelivered on crm.messages (tenant_id, line_id, sent_at) where status = 'sent';

-- Raw events as they came, one row an event, until the line's job has worked them in. A faulty one stays, with its error.
create table crm.hook_events (
  tenant_id uuid not null default app.tenant_id(),
  line_id uuid not null,
  id bigint generated always as identity,
  body bytea not null,
  error text,
  received_at timestamptz not null default app.clock(),
  primary key (tenant_id, line_id, id),
  constraint hook_events_line foreign key (tenant_id, line_id) references crm.lines on delete cascade
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
create index hook_events_waiting on crm.hook_events (tenant_id, line_id, id) where error is null;

call app.wall('crm.lines');
call app.wall('crm.conversations');
call app.wall('crm.messages');
call app.wall('crm.hook_events');
