-- How many of a filter's contacts a campaign would reach, and how many it would skip for which reason. The matching contacts are taken as an array, whose
-- length the planner knows: few are looked up by their keys, many are met in one pass. Runs as its caller, behind the wall. Locks nothing.
create function crm.count_audience(p_filter jsonb) returns table (reason text, count bigint)
language plpgsql stable set plan_cache_mode = force_custom_plan set work_mem = '64MB' as $$
declare
  v_ids uuid[] := array(select m.id from crm.match_contacts(p_filter, null, null) m);
begin
  return query
    with c as materialized (
      select k.phone, count(*) as n from unnest(v_ids) u(id) join crm.contacts k on k.tenant_id = app.tenant_id() and k.id = u.id group by 1),
    s as (select x.address, max(x.reason) as reason from crm.suppressions x where x.tenant_id = app.tenant_id() group by 1)
    -- of an address only its first contact gets the message
    select case when c.phone is null then 'no_phone' else s.reason end, sum(case when c.phone is null then c.n else 1 end)::bigint
      from c left join s on s.address = c.phone group by 1
    union all
    select 'duplicate_address', sum(c.n - 1)::bigint from c where c.phone is not null having sum(c.n - 1) > 0;
end $$;
revoke all on function crm.count_audience from public;
grant execute on function crm.count_audience to paloma_tenant;
