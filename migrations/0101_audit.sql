-- Who changed what about people, keys, lines and the account: written by triggers, so that no way of changing it is forgotten, and chained by hashes, so that
-- a row that was changed or taken out is found. New tables and triggers; locks each of the tables for a moment.

create table crm.audit (
  tenant_id uuid not null references crm.tenants,
  seq bigint not null,                           -- without gaps in a tenant
  at timestamptz not null,
  actor text not null,
  action text not null constraint audit_action_known check (action in ('create', 'change', 'delete', 'refuse')),
  subject text not null,
  subject_id text not null,
  before jsonb,                                  -- what has changed alone; secrets as "***"
  after jsonb,
  hash bytea not null,
  primary key (tenant_id, seq)
);
create index audit_of on crm.audit (tenant_id, subject, subject_id, seq);
call app.wall('crm.audit', 'select');
revoke insert, update, delete on crm.audit from paloma_platform;
create policy owner on crm.audit to paloma_owner using (true) with check (true);

-- Of a row and of the one before it.
create function crm.audit_hash(p_prev bytea, p_row crm.audit) returns bytea language sql stable
return sha256(coalesce(p_prev, ''::bytea) || convert_to(jsonb_build_array(p_row.tenant_id, p_row.seq, extract(epoch from p_row.at)::text, p_row.actor, p_row.action,
  p_row.subject, p_row.subject_id, p_row.before, p_row.after)::text, 'UTF8'));

-- Writes the next row of a tenant's chain. The lock makes the order of the chain that of the commits.
create function crm.append_audit(p_tenant uuid, p_action text, p_subject text, p_subject_id text, p_before jsonb, p_after jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v crm.audit;
  v_prev crm.audit;
begin
  perform pg_advisory_xact_lock(7234, hashtext(p_tenant::text));
  select * into v_prev from crm.audit a where a.tenant_id = p_tenant order by a.seq desc limit 1;
  v := row(p_tenant, coalesce(v_prev.seq, 0) + 1, app.now(), coalesce(nullif(current_setting('app.actor', true), ''), 'platform'), p_action, p_subject,
           p_subject_id, p_before, p_after, null);
  v.hash := crm.audit_hash(v_prev.hash, v);
  insert into crm.audit values (v.*);
end $$;
-- a tenant's own scope can't write what it likes into it, nor into another's
revoke all on function crm.append_audit from public;
grant execute on function crm.append_audit to paloma_platform;
grant execute on function crm.audit_hash to paloma_platform, paloma_tenant;

-- Arguments: what the thing is called, its columns that are secrets, and those that say nothing of what somebody has done.
create function crm.write_audit() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_old jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) - string_to_array(tg_argv[2], ',') end;
  v_new jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) - string_to_array(tg_argv[2], ',') end;
  v_whole jsonb := coalesce(v_new, v_old);
  v_secrets text[] := string_to_array(tg_argv[1], ',');
  v_before jsonb;
  v_after jsonb;
begin
  if tg_op = 'UPDATE' and v_old = v_new then
    return null;
  end if;
  select jsonb_object_agg(z.key, case when z.key = any(v_secrets) and z.value <> 'null' then '"***"' else z.value end) into v_before
    from jsonb_each(v_old) z where z.key <> 'tenant_id' and (v_new is null or v_new -> z.key is distinct from z.value);
  select jsonb_object_agg(z.key, case when z.key = any(v_secrets) and z.value <> 'null' then '"***"' else z.value end) into v_after
    from jsonb_each(v_new) z where z.key <> 'tenant_id' and (v_old is null or v_old -> z.key is distinct from z.value);
  perform crm.append_audit(coalesce(v_whole ->> 'tenant_id', v_whole ->> 'id')::uuid,
    case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'change' else 'delete' end, tg_argv[0], v_whole ->> 'id', v_before, v_after);
  return null;
end $$;

create trigger audit after insert or delete or update of email, name, role, password_hash, disabled_at, totp_confirmed_at on crm.users
  for each row execute function crm.write_audit('user', 'password_hash', 'read_from,totp_secret,totp_step');
create trigger audit after insert or update of expires_at, revoked_at on crm.sessions
  for each row execute function crm.write_audit('session', '', 'seen_at,proven_at');
create trigger audit after insert or delete or update of name, permissions, expires_at, revoked_at on crm.api_keys
  for each row execute function crm.write_audit('api_key', 'secret_hash', 'used_at');
create trigger audit after insert or update of used_at on crm.invitations
  for each row execute function crm.write_audit('invitation', 'token_hash', '');
create trigger audit after insert or delete or update of name, address, base_url, password, method, send_timeout_s, resolve_after_s, falls_back, sends_read_receipts,
    sends_typing on crm.lines
  for each row execute function crm.write_audit('line', 'password,hook_token,hook_token_hash',
    'hook_state,hook_error,row_cursor,change_cursor,sms_relay,health,health_reason,health_at,swept_at,chat_prefix');
create trigger audit after update of slug, name, region, time_zone, state, quiet_hours, requires_second_factor on crm.tenants
  for each row execute function crm.write_audit('tenant', '', '');
