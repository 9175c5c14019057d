-- Files of messages, in and out. New tables only; nothing that anybody waits for is locked.

create table crm.attachments (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  message_id uuid,                               -- none: uploaded, and not sent yet
  line_id uuid,
  guid text,                                     -- the gateway's
  ordinal smallint not null default 0,
  name text not null constraint attachments_name_length check (length(name) between 1 and 255),
  told_mime text,                                -- what the sender or the gateway calls it
  mime text,                                     -- what its bytes are
  kind text not null default 'file' constraint attachments_kind_known check (kind in ('image', 'video', 'audio', 'file')),
  is_voice boolean not null default false,
  byte_count bigint,
  width int,
  height int,
  duration_ms bigint,
  state text not null default 'pending' constraint attachments_state_known check (state in ('pending', 'stored', 'failed', 'too_large')),
  reason text,                                   -- why it has failed: a stable code
  -- a small picture of it, and a form that every browser shows: none where it needs none
  thumbnail text constraint attachments_thumbnail_known check (thumbnail in ('pending', 'stored', 'failed')),
  playable text constraint attachments_playable_known check (playable in ('pending', 'stored', 'failed')),
  playable_mime text,
  prepare_reason text,
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  stored_at timestamptz,
  primary key (tenant_id, id),
  constraint attachments_message foreign key (tenant_id, message_id) references crm.messages on delete cascade,
  constraint attachments_line foreign key (tenant_id, line_id) references crm.lines
);
create unique index attachments_guid_key on crm.attachments (tenant_id, line_id, guid) where guid is not null;
create index attachments_of on crm.attachments (tenant_id, message_id, ordinal, id) where message_id is not null;
-- uploads that nobody has sent are swept away
create index attachments_unsent on crm.attachments (created_at) where message_id is null;

call app.wall('crm.attachments');
