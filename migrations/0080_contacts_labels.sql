-- Labels of contacts, their households, merges, and how contacts are found. Text conditions are not leakproof, so behind the wall their indexes
-- would not be used: functions of the owner look instead, in the caller's tenant only, and answer ids, which the caller reads through the wall.
-- Locks contacts against writes while its indexes are built: about a minute with some million.
-- a beginning that many names share is answered by the first of them, in order
create index contacts_first_names on crm.contacts (tenant_id, (crm.fold(first_name)) collate "C");
create index contacts_last_names on crm.contacts (tenant_id, (crm.fold(last_name)) collate "C");
create index contacts_emails on crm.contacts (tenant_id, email collate "C") where email is not null;

create table crm.contact_labels (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  name text not null constraint contact_labels_name_length check (length(name) between 1 and 100),
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id)
);
create unique index contact_labels_name_key on crm.contact_labels (tenant_id, (crm.fold(name)) collate "C");

create table crm.contact_label_links (
  tenant_id uuid not null default app.tenant_id(),
  label_id uuid not null,
  contact_id uuid not null,
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, label_id, contact_id),
  constraint contact_label_links_label foreign key (tenant_id, label_id) references crm.contact_labels on delete cascade,
  constraint contact_label_links_contact foreign key (tenant_id, contact_id) references crm.contacts on delete cascade
);
create index contact_label_links_contact on crm.contact_label_links (tenant_id, contact_id, label_id);

create table crm.household_members (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  contact_id uuid not null,
  name text not null constraint household_members_name_length check (length(name) between 1 and 200),
  relation text,
  is_confirmed boolean not null default false,   -- a person has said so: only a person, one at a time, takes it away
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint household_members_contact foreign key (tenant_id, contact_id) references crm.contacts on delete cascade
);
create unique index household_members_name_key on crm.household_members (tenant_id, contact_id, (crm.fold(name)) collate "C");

-- What a merge made of two contacts, with the one that is no more as it was.
create table crm.contact_merges (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  contact_id uuid not null,                      -- that was kept
  merged_id uuid not null,
  merged jsonb not null,
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint contact_merges_merged_key unique (tenant_id, merged_id)
);
create index contact_merges_contact on crm.contact_merges (tenant_id, contact_id, id);

-- Work on many contacts at once, done by a job in the order of their ids.
create table crm.bulk_changes (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  act text not null constraint bulk_changes_act_known check (act in ('label', 'unlabel', 'delete', 'export')),
  filter jsonb not null,
  label_id uuid,
  state text not null default 'queued' constraint bulk_changes_state_known check (state in ('queued', 'running', 'completed', 'failed', 'cancelled')),
  columns jsonb,                                 -- of an export: the custom attributes that have one
  after_id uuid,                                 -- the last contact that is done
  total_count bigint not null,                   -- when it was asked for
  done_count bigint not null default 0,
  changed_count bigint not null default 0,
  kept_count bigint not null default 0,          -- not deleted, because of a confirmed household member
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  finished_at timestamptz,
  primary key (tenant_id, id),
  constraint bulk_changes_label foreign key (tenant_id, label_id) references crm.contact_labels on delete cascade
);
create table crm.bulk_pieces (
  tenant_id uuid not null default app.tenant_id(),
  bulk_id uuid not null,
  number bigint not null,
  text text not null,
  primary key (tenant_id, bulk_id, number),
  constraint bulk_pieces_bulk foreign key (tenant_id, bulk_id) references crm.bulk_changes on delete cascade
);

call app.wall('crm.contact_labels');
call app.wall('crm.contact_label_links');
call app.wall('crm.household_members');
call app.wall('crm.contact_merges', 'select, insert, update');
call app.wall('crm.bulk_changes');
call app.wall('crm.bulk_pieces');

create policy owner on crm.contact_label_links for select to paloma_owner using (true);
create policy owner on crm.suppressions for select to paloma_owner using (true);

-- The contacts of a filter behind a place, in the order of their ids. The words hold no wildcards. Each call is planned by its
-- own filter: what it does not say costs nothing, and a rare word is looked up where a common one is met on the way.
create function crm.match_contacts(p_filter jsonb, p_after uuid, p_limit bigint) returns table (id uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_tenant uuid := app.tenant_id();
  v_words text[] := (select array_agg('% ' || w.word || '%' order by length(w.word) desc)
    from (select crm.fold(x.word) as word from jsonb_array_elements_text(p_filter -> 'words') x(word)) w);
  v_email text := crm.fold(p_filter ->> 'email');
  v_digits text := '%' || (p_filter ->> 'digits') || '%';
  v_ids uuid[] := (select array_agg(x.id::uuid) from jsonb_array_elements_text(p_filter -> 'ids') x(id));
  v_labels uuid[] := (select array_agg(x.id::uuid) from jsonb_array_elements_text(p_filter -> 'label_ids') x(id));
  v_phone text := p_filter ->> 'phone';
  v_import uuid := p_filter ->> 'import_id';
  v_has_phone boolean := p_filter ->> 'has_phone';
  v_suppression text := p_filter ->> 'suppression';
  v_from timestamptz := p_filter ->> 'created_from';
  v_before timestamptz := p_filter ->> 'created_before';
begin
  return query
    select k.id from crm.contacts k
     where k.tenant_id = v_tenant and (p_after is null or k.id > p_after)
       and (v_ids is null or k.id = any(v_ids))
       and (v_phone is null or k.phone = v_phone)
       and (v_digits is null or crm.number_text(k.phone, k.second_phone) like v_digits)
       and (v_words is null and v_email is null
            or v_words is not null and crm.name_text(k.first_name, k.last_name, k.company) like v_words[1]
               and crm.name_text(k.first_name, k.last_name, k.company) like all(v_words)
            or v_email is not null and k.email collate "C" >= v_email and k.email collate "C" < v_email || chr(1114111))
       and (v_import is null or k.import_id = v_import)
       and (v_labels is null or exists (select from crm.contact_label_links l
                                         where l.tenant_id = v_tenant and l.contact_id = k.id and l.label_id = any(v_labels)))
       and (v_has_phone is null or (k.phone is not null) = v_has_phone)
       and (v_suppression is null
            or v_suppression = 'none' and not exists (select from crm.suppressions s where s.tenant_id = v_tenant and s.address in (k.phone, k.email))
            or v_suppression <> 'none' and exists (select from crm.suppressions s
                 where s.tenant_id = v_tenant and s.address in (k.phone, k.email) and v_suppression in ('any', s.reason)))
       and (v_from is null or k.created_at >= v_from)
       and (v_before is null or k.created_at < v_before)
     order by k.id
     limit p_limit;
end $$;

-- Whose name has words that begin so, by the words' index alone: for beginnings that few share.
create function crm.rare_contacts(p_tenant uuid, p_patterns text[], p_limit int) returns table (id uuid)
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_indexscan = off as $$
declare
  v_second text := coalesce(p_patterns[2], p_patterns[1]);
begin
  return query
    select k.id from crm.contacts k
     where k.tenant_id = p_tenant and crm.name_text(k.first_name, k.last_name, k.company) like p_patterns[1]
       and crm.name_text(k.first_name, k.last_name, k.company) like v_second
       and (cardinality(p_patterns) < 3 or crm.name_text(k.first_name, k.last_name, k.company) like all(p_patterns))
     limit p_limit;
end $$;
revoke all on function crm.rare_contacts from public;

-- A few contacts for what was typed so far. What many share is found at once in the order of the names; what few share by the words' index.
create function crm.suggest_contacts(p_words text[], p_digits text, p_email text, p_limit int) returns table (id uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = off as $$
declare
  v_tenant uuid := app.tenant_id();
  v_first text := crm.fold(p_words[1]);
  v_patterns text[] := (select array_agg('% ' || crm.fold(w.word) || '%' order by length(w.word) desc) from unnest(p_words) w(word));
  v_end text := chr(1114111);
  v_found uuid[];
begin
  if p_digits is not null then
    return query
      select k.id from crm.contacts k
       where k.tenant_id = v_tenant and crm.number_text(k.phone, k.second_phone) like '%' || p_digits || '%' limit p_limit;
    return;
  end if;
  if p_words is not null then
    v_found := array(
      select z.id from (
        (select k.id, crm.name_text(k.first_name, k.last_name, k.company) as name from crm.contacts k
          where k.tenant_id = v_tenant and crm.fold(k.first_name) collate "C" >= v_first and crm.fold(k.first_name) collate "C" < v_first || v_end
          order by crm.fold(k.first_name) collate "C" limit 500)
        union all
        (select k.id, crm.name_text(k.first_name, k.last_name, k.company) from crm.contacts k
          where k.tenant_id = v_tenant and crm.fold(k.last_name) collate "C" >= v_first and crm.fold(k.last_name) collate "C" < v_first || v_end
          order by crm.fold(k.last_name) collate "C" limit 500)) z
       where z.name like all(v_patterns) limit 2 * p_limit);
    v_found := array(select f.id from (select distinct on (x.id) x.id, x.nth from unnest(v_found) with ordinality x(id, nth) order by x.id, x.nth) f order by f.nth limit p_limit);
    -- three letters (the space before a word is one) are what the index knows
    if cardinality(v_found) < p_limit and length(v_patterns[1]) >= 5 then
      v_found := v_found || array(select r.id from crm.rare_contacts(v_tenant, v_patterns, 2 * p_limit) r where r.id <> all(v_found) limit p_limit - cardinality(v_found));
    end if;
  end if;
  if p_email is not null and coalesce(cardinality(v_found), 0) < p_limit then
    v_found := coalesce(v_found, '{}') || array(
      select k.id from crm.contacts k
       where k.tenant_id = v_tenant and k.email is not null and k.email collate "C" >= p_email and k.email collate "C" < p_email || v_end
         and k.id <> all(coalesce(v_found, '{}'))
       order by k.email collate "C" limit p_limit - coalesce(cardinality(v_found), 0));
  end if;
  return query select u.id from unnest(v_found) u(id);
end $$;
revoke all on function crm.match_contacts, crm.suggest_contacts from public;
grant execute on function crm.match_contacts, crm.suggest_contacts to paloma_tenant;
