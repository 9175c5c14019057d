-- The inbox: where a conversation stands, who has it, what each user has read, notes, labels, drafts. Columns are added without rewriting a
-- table. The indexes are built while writes to conversations and messages wait: some minutes with ten million messages.

-- A message's place in the order in which messages became known. It is taken while the conversation's row is locked, so that whoever sees
-- a place sees every smaller one of that conversation: what is read up to a place stays read (rules.md D14). Messages from before have none.
create sequence crm.positions;
grant usage, select on sequence crm.positions to paloma_tenant, paloma_platform;
create function crm.last_position() returns bigint language sql volatile
return (select case when p.is_called then p.last_value else 0 end from crm.positions p);
grant execute on function crm.last_position to paloma_tenant, paloma_platform;

alter table crm.messages
  add column position bigint,
  add column author_id uuid,                     -- the user who wrote it
  add column despite_opt_out boolean not null default false;  -- its author was told that the other side had opted out
alter table crm.messages alter column position set default nextval('crm.positions');
alter table crm.messages add column if not exists reply_to_id uuid;
create index messages_inbound on crm.messages (tenant_id, conversation_id, position) where direction = 'inbound';

-- what came in before there was the user is no work of theirs
alter table crm.users add column read_from bigint;
alter table crm.users alter column read_from set default crm.last_position();

alter table crm.conversations
  add column state text not null default 'active' constraint conversations_state_known check (state in ('active', 'archived', 'closed')),
  add column snoozed_until timestamptz,
  add column assignee_id uuid,
  add column is_pinned boolean not null default false,
  add column is_labelled boolean not null default false,  -- whether its labels have to be told of a new message
  add constraint conversations_assignee foreign key (tenant_id, assignee_id) references crm.users (tenant_id, id) on delete set null (assignee_id);
create index conversations_by_state on crm.conversations (tenant_id, state, last_message_at desc, id desc);
-- None by line: it would begin like the key by line and address, and without statistics the planner takes one for as good as the other. A small
-- line is read whole by that key, a large one found by walking the newest.
create index conversations_by_service on crm.conversations (tenant_id, service, last_message_at desc, id desc);
create index conversations_by_assignee on crm.conversations (tenant_id, assignee_id, last_message_at desc, id desc) where assignee_id is not null;
-- with a third condition (a service, a label, a line) all of what somebody has in one state is looked at, and without this one all that they ever had
create index conversations_by_assignee_state on crm.conversations (tenant_id, assignee_id, state, last_message_at desc, id desc) where assignee_id is not null;
create index conversations_unassigned on crm.conversations (tenant_id, state, last_message_at desc, id desc) where assignee_id is null;
create index conversations_pinned on crm.conversations (tenant_id, last_message_at desc, id desc) where is_pinned;
create index conversations_snoozed on crm.conversations (tenant_id, last_message_at desc, id desc) where snoozed_until is not null;
create index conversations_contact on crm.conversations (tenant_id, contact_id) where contact_id is not null;

-- What people write to each other about a conversation: never sent, never unread.
create table crm.notes (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  conversation_id uuid not null,
  author_id uuid,                                -- none: the system says what it did
  body text not null,
  reason text,                                   -- of what the system says: a stable code
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint notes_conversation foreign key (tenant_id, conversation_id) references crm.conversations on delete cascade,
  constraint notes_author foreign key (tenant_id, author_id) references crm.users (tenant_id, id) on delete set null (author_id)
);
create index notes_thread on crm.notes (tenant_id, conversation_id, created_at desc, id desc);

-- How far a user has read a conversation. Only forward, but by the user's own wish.
create table crm.reads (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null,
  conversation_id uuid not null,
  position bigint not null,
  constraint reads_pkey primary key (tenant_id, user_id, conversation_id),
  constraint reads_user foreign key (tenant_id, user_id) references crm.users on delete cascade,
  constraint reads_conversation foreign key (tenant_id, conversation_id) references crm.conversations on delete cascade
) with (fillfactor = 80);

-- Which conversations hold something that a user has not read: a row for each such pair, so that they can be listed and counted by an index.
-- Written and removed while the conversation's row is locked. The assignee is the conversation's, for the counters.
create table crm.unreads (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null,
  conversation_id uuid not null,
  assignee_id uuid,
  -- one index for all that begins with the user, or the planner might take the wrong one
  constraint unreads_pkey primary key (tenant_id, user_id, conversation_id) include (assignee_id),
  constraint unreads_user foreign key (tenant_id, user_id) references crm.users on delete cascade,
  constraint unreads_conversation foreign key (tenant_id, conversation_id) references crm.conversations on delete cascade
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index unreads_conversation_of on crm.unreads (tenant_id, conversation_id);

create table crm.labels (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  name text not null constraint labels_name_length check (length(name) between 1 and 60),
  color text not null constraint labels_color_form check (color ~ '^#[0-9a-f]{6}$'),
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id)
);
create unique index labels_name_key on crm.labels (tenant_id, lower(name));

-- The time is the conversation's: so a label's conversations are listed newest first by an index.
create table crm.conversation_labels (
  tenant_id uuid not null default app.tenant_id(),
  conversation_id uuid not null,
  label_id uuid not null,
  last_message_at timestamptz not null,
  constraint conversation_labels_pkey primary key (tenant_id, conversation_id, label_id),
  constraint conversation_labels_conversation foreign key (tenant_id, conversation_id) references crm.conversations on delete cascade,
  constraint conversation_labels_label foreign key (tenant_id, label_id) references crm.labels on delete cascade
);
create index conversation_labels_recent on crm.conversation_labels (tenant_id, label_id, last_message_at desc, conversation_id desc);

create table crm.canned_replies (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  shortcut text not null constraint canned_replies_shortcut_form check (shortcut ~ '^[[:alnum:]_-]{1,40}$'),
  body text not null constraint canned_replies_body_length check (length(body) between 1 and 10000),
  created_by uuid,
  created_at timestamptz not null default app.now(),
  updated_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint canned_replies_maker foreign key (tenant_id, created_by) references crm.users (tenant_id, id) on delete set null (created_by)
);
create unique index canned_replies_shortcut_key on crm.canned_replies (tenant_id, lower(shortcut));

create table crm.saved_filters (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  user_id uuid not null,
  name text not null constraint saved_filters_name_length check (length(name) between 1 and 60),
  query text not null constraint saved_filters_query_length check (length(query) <= 1000),
  is_shared boolean not null default false,
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint saved_filters_user foreign key (tenant_id, user_id) references crm.users on delete cascade
);
create unique index saved_filters_name_key on crm.saved_filters (tenant_id, user_id, lower(name));
create index saved_filters_shared on crm.saved_filters (tenant_id, id) where is_shared;

create table crm.drafts (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null,
  conversation_id uuid not null,
  kind text not null constraint drafts_kind_known check (kind in ('message', 'note')),
  body text not null constraint drafts_body_length check (length(body) between 1 and 10000),
  updated_at timestamptz not null default app.now(),
  constraint drafts_pkey primary key (tenant_id, user_id, conversation_id),
  constraint drafts_user foreign key (tenant_id, user_id) references crm.users on delete cascade,
  constraint drafts_conversation foreign key (tenant_id, conversation_id) references crm.conversations on delete cascade
) with (fillfactor = 70);

-- Who is in a conversation or types there. A row is worth something for some seconds only, so no log keeps it, and its user's next one
-- sweeps it away.
create unlogged table crm.presences (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null,
  conversation_id uuid not null,
  state text not null constraint presences_state_known check (state in ('here', 'typing')),
  expires_at timestamptz not null,
  constraint presences_pkey primary key (tenant_id, user_id, conversation_id)
) with (fillfactor = 50);
create index presences_of on crm.presences (tenant_id, conversation_id);

-- Conversations by where they stand: folded from deltas that a trigger writes, so they can't differ from the rows.
create table crm.conversation_counts (
  tenant_id uuid not null default app.tenant_id(),
  state text not null,
  assignee uuid not null,                        -- all zeros: nobody
  count bigint not null,
  constraint conversation_counts_pkey primary key (tenant_id, state, assignee)
);
create table crm.conversation_deltas (
  tenant_id uuid not null default app.tenant_id(),
  id bigint generated always as identity,
  state text not null,
  assignee uuid not null,
  delta bigint not null,
  constraint conversation_deltas_pkey primary key (tenant_id, id)
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

call app.wall('crm.notes');
call app.wall('crm.reads');
call app.wall('crm.unreads');
call app.wall('crm.labels');
call app.wall('crm.conversation_labels');
call app.wall('crm.canned_replies');
call app.wall('crm.saved_filters');
call app.wall('crm.drafts');
call app.wall('crm.presences');
call app.wall('crm.conversation_counts');
call app.wall('crm.conversation_deltas');

-- What was there before. The owner of the tables is behind the wall too, and steps over it for this one statement.
alter table crm.conversations no force row level security;
alter table crm.conversation_counts no force row level security;
insert into crm.conversation_counts (tenant_id, state, assignee, count)
  select c.tenant_id, c.state, '00000000-0000-0000-0000-000000000000', count(*) from crm.conversations c group by 1, 2;
alter table crm.conversations force row level security;
alter table crm.conversation_counts force row level security;

create function crm.count_conversations_added() returns trigger language plpgsql as $$
begin
  insert into crm.conversation_deltas (tenant_id, state, assignee, delta)
    select n.tenant_id, n.state, coalesce(n.assignee_id, '00000000-0000-0000-0000-000000000000'), count(*) from added n group by 1, 2, 3;
  return null;
end $$;
create function crm.count_conversations_removed() returns trigger language plpgsql as $$
begin
  insert into crm.conversation_deltas (tenant_id, state, assignee, delta)
    select o.tenant_id, o.state, coalesce(o.assignee_id, '00000000-0000-0000-0000-000000000000'), -count(*) from removed o group by 1, 2, 3;
  return null;
end $$;
create trigger conversations_added after insert on crm.conversations referencing new table as added
  for each statement execute function crm.count_conversations_added();
create trigger conversations_removed after delete on crm.conversations referencing old table as removed
  for each statement execute function crm.count_conversations_removed();

-- Another state or another assignee. A new message touches the row far more often and is none of this.
create function crm.conversation_moved() returns trigger language plpgsql as $$
begin
  insert into crm.conversation_deltas (tenant_id, state, assignee, delta) values
    (old.tenant_id, old.state, coalesce(old.assignee_id, '00000000-0000-0000-0000-000000000000'), -1),
    (new.tenant_id, new.state, coalesce(new.assignee_id, '00000000-0000-0000-0000-000000000000'), 1);
  if old.assignee_id is distinct from new.assignee_id then
    update crm.unreads u set assignee_id = new.assignee_id where u.tenant_id = new.tenant_id and u.conversation_id = new.id;
  end if;
  return null;
end $$;
create trigger conversations_moved after update on crm.conversations for each row
  when (old.state <> new.state or old.assignee_id is distinct from new.assignee_id) execute function crm.conversation_moved();

create function crm.conversation_relabelled() returns trigger language plpgsql as $$
begin
  update crm.conversation_labels l set last_message_at = new.last_message_at where l.tenant_id = new.tenant_id and l.conversation_id = new.id;
  return null;
end $$;
create trigger conversations_relabelled after update on crm.conversations for each row
  when (new.is_labelled and old.last_message_at <> new.last_message_at) execute function crm.conversation_relabelled();

-- What came in brings a conversation back and is unread for every user, whatever wrote the row. The rows of the conversations are locked by
-- then: whoever stores a message has touched them first.
create function crm.messages_arrived() returns trigger language plpgsql as $$
begin
  if not exists (select from added n where n.direction = 'inbound') then
    return null;
  end if;
  with back as (
    update crm.conversations c set state = 'active', snoozed_until = null
      from (select distinct n.tenant_id, n.conversation_id from added n where n.direction = 'inbound') n
     where c.tenant_id = n.tenant_id and c.id = n.conversation_id and (c.state <> 'active' or c.snoozed_until is not null)
    returning c.tenant_id, c.id)
  insert into crm.event_outbox (tenant_id, kind, data)
    select b.tenant_id, 'conversation.updated', jsonb_build_object('conversation_id', b.id) from back b;
  insert into crm.unreads (tenant_id, user_id, conversation_id, assignee_id)
    select n.tenant_id, u.id, n.conversation_id, c.assignee_id
      from (select distinct n.tenant_id, n.conversation_id from added n where n.direction = 'inbound') n
      join crm.conversations c on c.tenant_id = n.tenant_id and c.id = n.conversation_id
      join crm.users u on u.tenant_id = n.tenant_id and u.disabled_at is null
     order by n.conversation_id, u.id
    on conflict on constraint unreads_pkey do nothing;
  return null;
end $$;
create trigger messages_arrived after insert on crm.messages referencing new table as added
  for each statement execute function crm.messages_arrived();
