-- Permissions that reach as far as one's own conversations, those of one's teams, or all; and teams. New tables, a nullable column on the events and their
-- outbox, and policies for a role of their own on what hangs on a conversation: each of those tables is locked for a moment. Nothing changes for whoever
-- sees all.
--
-- A role or a key keeps a permission that is narrower as `conversations.view:own` or `conversations.view:team`. What was kept before says nothing, and
-- reaches as far as it did; a process of the version before knows no such name, and grants nothing by it.

create table crm.teams (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  name text not null constraint teams_name_length check (length(name) between 1 and 60),
  created_at timestamptz not null default app.now(),
  updated_at timestamptz not null default app.now(),
  primary key (tenant_id, id)
);
create unique index teams_name_key on crm.teams (tenant_id, crm.fold(name));
call app.wall('crm.teams');

-- Somebody may be in several.
create table crm.team_members (
  tenant_id uuid not null default app.tenant_id(),
  team_id uuid not null,
  user_id uuid not null,
  created_at timestamptz not null default app.now(),
  constraint team_members_pkey primary key (tenant_id, team_id, user_id),
  constraint team_members_team foreign key (tenant_id, team_id) references crm.teams on delete cascade,
  constraint team_members_user foreign key (tenant_id, user_id) references crm.users on delete cascade
);
create index team_members_of on crm.team_members (tenant_id, user_id, team_id);
call app.wall('crm.team_members');

create trigger audit after insert or delete or update of name on crm.teams
  for each row execute function crm.write_audit('team', '', 'updated_at');
create function crm.write_member_audit() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    perform crm.append_audit(new.tenant_id, 'create', 'team_member', new.team_id::text, null, jsonb_build_object('user_id', new.user_id));
  else
    perform crm.append_audit(old.tenant_id, 'delete', 'team_member', old.team_id::text, jsonb_build_object('user_id', old.user_id), null);
  end if;
  return null;
end $$;
create trigger audit after insert or delete on crm.team_members for each row execute function crm.write_member_audit();

-- Who is in a team with somebody, where one of these permissions reaches as far as that; nobody is asked for otherwise.
create function crm.mates(p_tenant uuid, p_user uuid, p_permissions text[]) returns uuid[] language sql stable
return case when exists (select from unnest(p_permissions) p(name) where p.name like '%:team') then
  array(select distinct m.user_id from crm.team_members o
          join crm.team_members m on m.tenant_id = o.tenant_id and m.team_id = o.team_id
         where o.tenant_id = p_tenant and o.user_id = p_user order by m.user_id)
  else '{}' end;
grant execute on function crm.mates to paloma_tenant, paloma_platform;

-- What a transaction of paloma_scoped sees. Read without the "missing ok" flag: one that was told nothing is an error, and does not see all.
create function app.seen_users() returns uuid[] language sql stable
return current_setting('app.seen_users')::uuid[];
create function app.sees_unassigned() returns boolean language sql stable
return current_setting('app.sees_unassigned')::boolean;
-- Enters a tenant as app.enter_tenant does, to see the conversations of these people only.
create function app.enter_within(p_id uuid, p_actor text, p_users uuid[], p_unassigned boolean)
returns table (number int, at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform set_config('app.seen_users', p_users::text, true), set_config('app.sees_unassigned', p_unassigned::text, true);
  return query select e.number, e.at from app.enter_tenant(p_id, null, p_actor) e;
end $$;
revoke all on function app.enter_within from public;
grant execute on function app.seen_users, app.sees_unassigned, app.enter_within to paloma_scoped;

-- What is out of sight is not there, for whatever statement: a row that would leave the sight is refused too. The questions in brackets are asked once a
-- statement; `offset 0` keeps each look-up by its own key, or the planner might read all conversations first.
create policy scope on crm.conversations as restrictive for select to paloma_scoped
  using (assignee_id = any ((select app.seen_users())::uuid[]) or (select app.sees_unassigned()) and assignee_id is null);
create policy scope on crm.unreads as restrictive for select to paloma_scoped
  using (assignee_id = any ((select app.seen_users())::uuid[]) or (select app.sees_unassigned()) and assignee_id is null);
create policy scope on crm.conversation_counts as restrictive for select to paloma_scoped
  using (assignee = any ((select app.seen_users())::uuid[]) or (select app.sees_unassigned()) and assignee = '00000000-0000-0000-0000-000000000000');
create policy scope on crm.conversation_deltas as restrictive for select to paloma_scoped
  using (assignee = any ((select app.seen_users())::uuid[]) or (select app.sees_unassigned()) and assignee = '00000000-0000-0000-0000-000000000000');

create policy scope on crm.messages as restrictive for select to paloma_scoped
  using (exists (select from crm.conversations c where c.tenant_id = messages.tenant_id and c.id = messages.conversation_id offset 0));
create policy scope on crm.notes as restrictive for select to paloma_scoped
  using (exists (select from crm.conversations c where c.tenant_id = notes.tenant_id and c.id = notes.conversation_id offset 0));
create policy scope on crm.reads as restrictive for select to paloma_scoped
  using (exists (select from crm.conversations c where c.tenant_id = reads.tenant_id and c.id = reads.conversation_id offset 0));
create policy scope on crm.drafts as restrictive for select to paloma_scoped
  using (exists (select from crm.conversations c where c.tenant_id = drafts.tenant_id and c.id = drafts.conversation_id offset 0));
create policy scope on crm.presences as restrictive for select to paloma_scoped
  using (exists (select from crm.conversations c where c.tenant_id = presences.tenant_id and c.id = presences.conversation_id offset 0));
create policy scope on crm.conversation_labels as restrictive for select to paloma_scoped
  using (exists (select from crm.conversations c where c.tenant_id = conversation_labels.tenant_id and c.id = conversation_labels.conversation_id offset 0));

-- Nor is anything written into what is out of sight, whatever the statement forgets. What is begun in a transaction is seen by its next statement.
create policy scope_added on crm.messages as restrictive for insert to paloma_scoped
  with check (exists (select from crm.conversations c where c.tenant_id = messages.tenant_id and c.id = messages.conversation_id offset 0));
create policy scope_added on crm.notes as restrictive for insert to paloma_scoped
  with check (exists (select from crm.conversations c where c.tenant_id = notes.tenant_id and c.id = notes.conversation_id offset 0));
create policy scope_added on crm.reads as restrictive for insert to paloma_scoped
  with check (exists (select from crm.conversations c where c.tenant_id = reads.tenant_id and c.id = reads.conversation_id offset 0));
create policy scope_added on crm.drafts as restrictive for insert to paloma_scoped
  with check (exists (select from crm.conversations c where c.tenant_id = drafts.tenant_id and c.id = drafts.conversation_id offset 0));
create policy scope_added on crm.presences as restrictive for insert to paloma_scoped
  with check (exists (select from crm.conversations c where c.tenant_id = presences.tenant_id and c.id = presences.conversation_id offset 0));
create policy scope_added on crm.conversation_labels as restrictive for insert to paloma_scoped
  with check (exists (select from crm.conversations c where c.tenant_id = conversation_labels.tenant_id and c.id = conversation_labels.conversation_id offset 0));

-- by the message, which is seen or is not; an upload that has not been sent is its maker's, which whoever asks for it says
create policy scope on crm.attachments as restrictive for select to paloma_scoped
  using (message_id is null or exists (select from crm.messages m where m.tenant_id = attachments.tenant_id and m.id = attachments.message_id offset 0));
create policy scope on crm.message_attempts as restrictive for select to paloma_scoped
  using (exists (select from crm.messages m where m.tenant_id = message_attempts.tenant_id and m.id = message_attempts.message_id offset 0));
create policy scope on crm.message_reactions as restrictive for select to paloma_scoped
  using (exists (select from crm.messages m where m.tenant_id = message_reactions.tenant_id and m.line_id = message_reactions.line_id and m.guid = message_reactions.target_guid offset 0));

-- Who had a conversation before it was given on, all zeros for nobody: whoever saw it then is told of that too, since it leaves their lists.
alter table crm.event_outbox add column former_assignee_id uuid;
alter table crm.events add column former_assignee_id uuid;

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
    insert into crm.events (tenant_id, seq, kind, data, at, user_id, former_assignee_id)
      select o.tenant_id, c.seq - count(*) over (partition by o.tenant_id) + row_number() over (partition by o.tenant_id order by o.id), o.kind, o.data, o.at, o.user_id,
             o.former_assignee_id
        from o join c on c.tenant_id = o.tenant_id)
  select count(*) into n from o;
  return n;
end $$;
