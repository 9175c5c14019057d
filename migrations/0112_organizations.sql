-- Organizations inside a tenant, which of them a line is of, and settings of a tenant or of one of them. New tables, a nullable column of lines and a
-- counter of tenants without a rewrite; locks lines and tenants for a moment. A process of the version before shows lines without their organization, and
-- reads numbers by the tenant's region alone until it is replaced.

create table crm.organizations (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  name text not null constraint organizations_name_length check (length(name) between 1 and 200),
  settings_version bigint not null default 0,    -- grows with each change of its settings, so that of two writers one learns of the other
  created_at timestamptz not null default app.now(),
  updated_at timestamptz not null default app.now(),
  primary key (tenant_id, id)
);
-- two that differ by their case or their accents alone are one to people; serves the list, too
create unique index organizations_name_key on crm.organizations (tenant_id, (crm.fold(name)) collate "C");
call app.wall('crm.organizations');

alter table crm.tenants add column settings_version bigint not null default 0;
grant update (settings_version) on crm.tenants to paloma_tenant;

-- none: the tenant's itself. An organization that has a line can't be removed
alter table crm.lines
  add column organization_id uuid,
  add constraint lines_organization foreign key (tenant_id, organization_id) references crm.organizations (tenant_id, id);
create index lines_of_organization on crm.lines (tenant_id, organization_id, id) where organization_id is not null;

-- A row is a value that somebody has set: JSON null says "none, on purpose", and "" or [] is a value too. What nobody has set has no row. The tenant's
-- region and time zone stand in crm.tenants.
create table crm.settings (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  organization_id uuid,                          -- none: the tenant's
  key text not null constraint settings_key_form check (key ~ '^[a-z_]+\.[a-z_]+$' and length(key) <= 60),
  value jsonb constraint settings_value_size check (length(value::text) <= 40000),
  secret bytea,                                  -- sealed, in place of the value
  set_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint settings_key unique nulls not distinct (tenant_id, organization_id, key),
  constraint settings_organization foreign key (tenant_id, organization_id) references crm.organizations (tenant_id, id) on delete cascade,
  constraint settings_one check (num_nonnulls(value, secret) = 1),
  -- a key or a password never lies here open, whatever the code does
  constraint settings_sealed check (case when key ~ '_(key|password)$' then secret is not null or value = 'null' else secret is null end)
);
call app.wall('crm.settings');

-- A setting is known by its key, after its organization's id where it is one's; of a secret nothing is said but that there is one. One that is sealed by another
-- key is no other secret.
create function crm.audit_setting() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_row crm.settings;
  v_before jsonb;
  v_after jsonb;
begin
  if tg_op = 'UPDATE' and old.value is not distinct from new.value
      and crm.inside_envelope(to_jsonb(old) ->> 'secret') is not distinct from crm.inside_envelope(to_jsonb(new) ->> 'secret') then
    return null;
  end if;
  if tg_op <> 'INSERT' then
    v_row := old;
    v_before := case when old.secret is not null then jsonb_build_object('secret', '***') else jsonb_build_object('value', old.value) end;
  end if;
  if tg_op <> 'DELETE' then
    v_row := new;
    v_after := case when new.secret is not null then jsonb_build_object('secret', '***') else jsonb_build_object('value', new.value) end;
  end if;
  perform crm.append_audit(v_row.tenant_id, case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'change' else 'delete' end, 'setting',
    concat_ws('/', v_row.organization_id, v_row.key), v_before, v_after);
  return null;
end $$;
create trigger audit after insert or delete or update of value, secret on crm.settings for each row execute function crm.audit_setting();
create trigger audit after insert or delete or update of name on crm.organizations
  for each row execute function crm.write_audit('organization', '', 'settings_version,updated_at');

-- the counter says nothing of what somebody has done
drop trigger audit on crm.tenants;
create trigger audit after update of slug, name, region, time_zone, state, state_reason, plan, quiet_hours, requires_second_factor on crm.tenants
  for each row execute function crm.write_audit('tenant', '', 'state_at,settings_version');
drop trigger audit on crm.lines;
create trigger audit after insert or delete or update of name, address, base_url, password, method, send_timeout_s, resolve_after_s, falls_back, sends_read_receipts,
    sends_typing, organization_id on crm.lines
  for each row execute function crm.write_audit('line', 'password,hook_token,hook_token_hash',
    'hook_state,hook_error,row_cursor,change_cursor,sms_relay,health,health_reason,health_at,swept_at,chat_prefix');
