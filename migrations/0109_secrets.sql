-- A secret that is sealed by another key is no other secret: the audit compares what an envelope holds, not what it is sealed with. Two functions; changes no table.

-- Of the bytes of a sealed secret, as JSON shows them, those inside the envelope (crm/src/secrets/envelope.rs: 65 bytes before them, 28 around what it holds).
create function crm.inside_envelope(p_value text) returns text language sql immutable
return case when p_value like '\\x01%' and length(p_value) >= 2 + 2 * 93 then substr(p_value, 3 + 2 * 65) else p_value end;

-- Arguments: what the thing is called, its columns that are secrets or about people ('*': all), and those that say nothing of what somebody has done.
create or replace function crm.write_audit() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_old jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) - string_to_array(tg_argv[2], ',') end;
  v_new jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) - string_to_array(tg_argv[2], ',') end;
  v_whole jsonb := coalesce(v_new, v_old);
  v_secrets text[] := case tg_argv[1] when '*' then array(select z.key from jsonb_object_keys(v_whole) z(key) where z.key not in ('id', 'tenant_id'))
                        else string_to_array(tg_argv[1], ',') end;
  v_key text;
  v_before jsonb;
  v_after jsonb;
begin
  foreach v_key in array v_secrets loop
    v_old := case when v_old ->> v_key is null then v_old else jsonb_set(v_old, array[v_key], to_jsonb(crm.inside_envelope(v_old ->> v_key))) end;
    v_new := case when v_new ->> v_key is null then v_new else jsonb_set(v_new, array[v_key], to_jsonb(crm.inside_envelope(v_new ->> v_key))) end;
  end loop;
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
