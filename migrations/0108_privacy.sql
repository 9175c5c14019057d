-- What somebody asks of what is kept about them: a copy of all of it, or that it is gone. A new table; locks nothing.
create table crm.privacy_requests (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  kind text not null constraint privacy_requests_kind_known check (kind in ('export', 'erase')),
  state text not null default 'queued' constraint privacy_requests_state_known check (state in ('queued', 'running', 'completed', 'failed')),
  contact_id uuid not null,                      -- after an erase nobody has that id
  addresses text[] not null,                     -- by which messages are found; emptied at the end
  conversation_ids uuid[] not null,              -- those with that person alone; emptied at the end
  message_count bigint not null default 0,
  file_count bigint not null default 0,
  recipient_count bigint not null default 0,     -- places in campaigns
  part_count int not null default 0,             -- archives that an export has written
  expires_at timestamptz,                        -- of an export: until when its archives are kept
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  finished_at timestamptz,
  primary key (tenant_id, id)
);
-- of two who ask at once the second finds the first
create unique index privacy_requests_live on crm.privacy_requests (tenant_id, contact_id, kind) where state in ('queued', 'running');
create index privacy_requests_expiry on crm.privacy_requests (expires_at) where expires_at is not null;
call app.wall('crm.privacy_requests');

create table crm.privacy_parts (
  tenant_id uuid not null default app.tenant_id(),
  request_id uuid not null,
  number int not null,
  id uuid not null,                              -- of the archive, in the store of files
  byte_count bigint not null,
  primary key (tenant_id, request_id, number),
  constraint privacy_parts_request foreign key (tenant_id, request_id) references crm.privacy_requests on delete cascade
);
call app.wall('crm.privacy_parts');

-- Which messages are gone, by a hash that says nothing: a gateway tells of a message again, or is read back, and would bring it back.
create table crm.erased_messages (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  line_id uuid not null,
  guid_hash bytea not null,
  erased_at timestamptz not null default app.now(),
  primary key (tenant_id, line_id, guid_hash),
  constraint erased_messages_line foreign key (tenant_id, line_id) references crm.lines on delete cascade
);
create index erased_messages_age on crm.erased_messages (erased_at);
call app.wall('crm.erased_messages');

create trigger audit after insert or update of state on crm.privacy_requests
  for each row execute function crm.write_audit('privacy_request', 'addresses', 'conversation_ids,message_count,file_count,recipient_count,part_count');
