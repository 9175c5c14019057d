-- What people and keys do to campaigns, contacts, imports and to whom nobody writes stands in the audit too. Of contacts it is told which fields were changed and
-- not what they said, so that an erase has nothing to look for here; nor what campaigns say. Written at the commit: the chain's lock is then the last that is taken, and nobody who
-- waits for a row holds it. Jobs write nothing: what they do was asked for by an import, a bulk change or a launch. Triggers; locks each table for a moment.

-- a class of its own: 7234 is that of jobs' keys
create or replace function crm.append_audit(p_tenant uuid, p_action text, p_subject text, p_subject_id text, p_before jsonb, p_after jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v crm.audit;
  v_prev crm.audit;
begin
  perform pg_advisory_xact_lock(7245, hashtext(p_tenant::text));
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

-- Whether who acts is somebody, not a job that was asked.
create function crm.is_somebody() returns boolean language sql stable
return coalesce(current_setting('app.actor', true) ~ '^(user|key):', false);

create constraint trigger audit after insert or delete or update of name, line_id, import_id, audience, body, on_unknown, rate_per_minute, state, starts_at, ends_at,
    quiet_hours, sending_window, pace on crm.campaigns
  deferrable initially deferred for each row when (crm.is_somebody())
  execute function crm.write_audit('campaign', 'audience,body', 'batch_id,expand_after,frozen_at,launched_at,completed_at,planned_count,launch_problem,created_by,created_at');
create constraint trigger audit after insert or delete on crm.contacts
  deferrable initially deferred for each row when (crm.is_somebody())
  execute function crm.write_audit('contact', '*', 'created_at,updated_at');
-- one is made in two steps, which are one act
create constraint trigger audit_change after update on crm.contacts
  deferrable initially deferred for each row when (crm.is_somebody() and new.created_at <> app.now())
  execute function crm.write_audit('contact', '*', 'created_at,updated_at');
create constraint trigger audit after insert on crm.imports
  deferrable initially deferred for each row when (crm.is_somebody())
  execute function crm.write_audit('import', '', 'state,failure_code,failure_detail,mapping,encoding,delimiter,has_header,header,region,byte_offset,line_number,row_count,created_count,updated_count,skipped_count,empty_count,invalid_count,duplicate_count,warning_count,created_by,created_at,started_at,finished_at,held_at');
create constraint trigger audit after insert on crm.bulk_changes
  deferrable initially deferred for each row when (crm.is_somebody())
  execute function crm.write_audit('bulk_change', 'filter', 'state,columns,after_id,done_count,changed_count,kept_count,created_by,created_at,finished_at');

-- Whom nobody writes to is known by the end of the address alone: it goes when they are erased, and this stays.
create function crm.write_suppression_audit() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v crm.suppressions := case when tg_op = 'DELETE' then old else new end;
  v_told jsonb := jsonb_build_object('reason', v.reason, 'source', v.source);
begin
  perform crm.append_audit(v.tenant_id, case tg_op when 'INSERT' then 'create' else 'delete' end, 'suppression', repeat('*', greatest(length(v.address) - 4, 0)) || right(v.address, 4),
    case when tg_op = 'DELETE' then v_told end, case when tg_op = 'INSERT' then v_told end);
  return null;
end $$;
create constraint trigger audit after insert or delete on crm.suppressions
  deferrable initially deferred for each row when (crm.is_somebody())
  execute function crm.write_suppression_audit();
