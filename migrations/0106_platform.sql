-- The platform's own people, plans for its tenants, and operators who enter a tenant as one of its users. New tables beside the wall, and nullable columns
-- or ones with a constant default; locks tenants, sessions, the audit and the gates for a moment each. A process of the version before knows nothing of
-- impersonation: it would treat such a session as the user's own, so it is replaced before an operator opens one.

create table app.operators (
  id uuid primary key,
  email text not null constraint operators_email_key unique constraint operators_email_form check (email = lower(email) and email like '%_@_%' and length(email) <= 254),
  name text not null constraint operators_name_length check (length(name) between 1 and 200),
  password_hash text,                            -- none: was invited and has set nothing yet
  totp_secret bytea,                             -- sealed; a log-in always asks for a code
  totp_confirmed_at timestamptz,
  totp_step bigint,                              -- the last step that was accepted: a code works once
  disabled_at timestamptz,
  created_at timestamptz not null default app.now(),
  constraint operators_factor check (password_hash is null or totp_confirmed_at is not null)
);
create table app.operator_links (
  token_hash bytea constraint operator_links_pkey primary key,
  operator_id uuid not null constraint operator_links_operator references app.operators,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index operator_links_of on app.operator_links (operator_id);
create table app.operator_sessions (
  id uuid primary key,
  operator_id uuid not null constraint operator_sessions_operator references app.operators,
  created_at timestamptz not null default app.now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  user_agent text,
  ip inet
);
create index operator_sessions_of on app.operator_sessions (operator_id) where revoked_at is null;
grant select, insert, update on app.operators to paloma_platform;
grant select, insert, update, delete on app.operator_links, app.operator_sessions to paloma_platform;

-- What a tenant may have; null: as much as it likes. Not a tenant's rows, so not in crm: a tenant sees them all, and changes none.
create table app.plans (
  code text constraint plans_pkey primary key constraint plans_code_form check (code ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text not null constraint plans_name_length check (length(name) between 1 and 200),
  most_users bigint constraint plans_users check (most_users >= 1),
  most_lines bigint constraint plans_lines check (most_lines >= 0),
  most_contacts bigint constraint plans_contacts check (most_contacts >= 0),
  most_messages bigint constraint plans_messages check (most_messages >= 0),          -- a month
  most_campaigns bigint constraint plans_campaigns check (most_campaigns >= 0),       -- a month
  most_storage_bytes bigint constraint plans_storage check (most_storage_bytes >= 0),
  most_ai_tokens bigint constraint plans_ai_tokens check (most_ai_tokens >= 0),       -- a month
  created_at timestamptz not null default app.now()
);
insert into app.plans (code, name) values ('unlimited', 'Unlimited');
grant select, insert, update on app.plans to paloma_platform;
grant select on app.plans to paloma_tenant;

alter table crm.tenants
  add column plan text not null default 'unlimited' constraint tenants_plan references app.plans,
  add column state_reason text,                  -- why the operator has put it into its state
  add column state_at timestamptz;
create index tenants_newest on crm.tenants (state, id desc);

drop trigger audit on crm.tenants;
create trigger audit after update of slug, name, region, time_zone, state, state_reason, plan, quiet_hours, requires_second_factor on crm.tenants
  for each row execute function crm.write_audit('tenant', '', 'state_at');

-- a session by which an operator of the platform is inside, as the user whose session it is: half an hour, whatever anybody does
alter table crm.sessions
  add column impersonator_id uuid constraint sessions_impersonator references app.operators,
  add column impersonator_name text,
  add column impersonation_reason text,
  add constraint sessions_impersonation check (case when impersonator_id is null then impersonator_name is null and impersonation_reason is null
    else impersonator_name is not null and length(impersonation_reason) between 5 and 500 and expires_at <= created_at + interval '30 minutes' end);
create index sessions_impersonated on crm.sessions (id) where impersonator_id is not null;

-- Who acts through somebody else. The hash of a row without one is what it was, so the chains that are there stay whole.
alter table crm.audit add column impersonator text;
create or replace function crm.audit_hash(p_prev bytea, p_row crm.audit) returns bytea language sql stable
return sha256(coalesce(p_prev, ''::bytea) || convert_to((jsonb_build_array(p_row.tenant_id, p_row.seq, extract(epoch from p_row.at)::text, p_row.actor, p_row.action,
  p_row.subject, p_row.subject_id, p_row.before, p_row.after)
  || case when p_row.impersonator is null then '[]'::jsonb else jsonb_build_array(p_row.impersonator) end)::text, 'UTF8'));

create or replace function crm.append_audit(p_tenant uuid, p_action text, p_subject text, p_subject_id text, p_before jsonb, p_after jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v crm.audit;
  v_prev crm.audit;
begin
  perform pg_advisory_xact_lock(7234, hashtext(p_tenant::text));
  select * into v_prev from crm.audit a where a.tenant_id = p_tenant order by a.seq desc limit 1;
  v.tenant_id := p_tenant;
  v.seq := coalesce(v_prev.seq, 0) + 1;
  v.at := app.now();
  v.actor := coalesce(nullif(current_setting('app.actor', true), ''), 'platform');
  v.impersonator := nullif(current_setting('app.impersonator', true), '');
  v.action := p_action;
  v.subject := p_subject;
  v.subject_id := p_subject_id;
  v.before := p_before;
  v.after := p_after;
  v.hash := crm.audit_hash(v_prev.hash, v);
  insert into crm.audit values (v.*);
end $$;

-- 'user:… via operator:…' says both: the first is who acts in the tenant, the second who is behind it.
create or replace function app.enter_tenant(p_id uuid, p_number int, p_actor text)
returns table (id uuid, number int, at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  select t.id, t.number, app.now() into id, number, at
    from crm.tenants t where t.id = p_id or t.number = p_number limit 1;
  if not found then
    return;
  end if;
  perform set_config('app.tenant_id', id::text, true), set_config('app.tenant_number', number::text, true),
    set_config('app.actor', split_part(p_actor, ' via ', 1), true), set_config('app.impersonator', split_part(p_actor, ' via ', 2), true);
  return next;
end $$;

-- Says who acts across tenants, for what triggers write.
create function app.act_as(p_actor text) returns void language plpgsql as $$
begin
  perform set_config('app.actor', p_actor, true);
end $$;
revoke all on function app.act_as from public;
grant execute on function app.act_as to paloma_platform;

-- held: paused because its tenant is suspended or closed, and by nobody in particular
alter table jobs.gates add column is_held boolean not null default false;

-- Refuses what would be more than the plan allows. The lock makes two that come at once count one after the other; it is taken only where there is
-- a limit. Contacts follow with what they count as (0107).
create function crm.keep_to_plan() returns trigger language plpgsql as $$
declare
  v_tenant uuid;
  v_most bigint;
  v_count bigint;
begin
  for v_tenant in select distinct n.tenant_id from added n loop
    select case tg_argv[0] when 'users' then p.most_users else p.most_lines end into v_most
      from crm.tenants t join app.plans p on p.code = t.plan where t.id = v_tenant;
    continue when v_most is null;
    perform pg_advisory_xact_lock(7244, hashtext(tg_argv[0] || v_tenant));
    if tg_argv[0] = 'users' then
      select count(*) into v_count from crm.users u where u.tenant_id = v_tenant and u.disabled_at is null;
    else
      select count(*) into v_count from crm.lines l where l.tenant_id = v_tenant;
    end if;
    if v_count > v_most then
      raise exception 'the plan allows % %', v_most, tg_argv[0] using errcode = 'check_violation', constraint = 'plan_' || tg_argv[0];
    end if;
  end loop;
  return null;
end $$;
create trigger keep_to_plan after insert on crm.users referencing new table as added for each statement execute function crm.keep_to_plan('users');
create trigger keep_to_plan after insert on crm.lines referencing new table as added for each statement execute function crm.keep_to_plan('lines');

-- somebody who may log in again
create function crm.keep_to_plan_again() returns trigger language plpgsql as $$
declare
  v_most bigint := (select p.most_users from crm.tenants t join app.plans p on p.code = t.plan where t.id = new.tenant_id);
begin
  if v_most is not null then
    perform pg_advisory_xact_lock(7244, hashtext('users' || new.tenant_id));
    if (select count(*) from crm.users u where u.tenant_id = new.tenant_id and u.disabled_at is null) > v_most then
      raise exception 'the plan allows % users', v_most using errcode = 'check_violation', constraint = 'plan_users';
    end if;
  end if;
  return null;
end $$;
create trigger keep_to_plan_again after update of disabled_at on crm.users for each row
  when (old.disabled_at is not null and new.disabled_at is null) execute function crm.keep_to_plan_again();
