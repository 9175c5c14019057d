-- Search. Text conditions are not leakproof, so behind the wall their indexes would not be used: a few functions of the owner look instead,
-- each in the caller's tenant only, and answer ids, which the caller reads through the wall. Indexes are built while writes to messages and
-- contacts wait: some minutes with ten million messages.
create extension if not exists unaccent schema app;
create extension if not exists pg_trgm schema app;
create extension if not exists btree_gin schema app;

-- One spelling: whatever the case, the accents and the width of the letters.
create function crm.fold(p_text text) returns text language sql immutable strict parallel safe
return app.unaccent('app.unaccent'::regdictionary, lower(normalize(p_text, NFKC)));
-- What a contact is found by; each word follows a space, so that the beginning of a word can be looked for.
create function crm.name_text(p_first text, p_last text, p_company text) returns text language sql immutable parallel safe
return ' ' || coalesce(crm.fold(p_first), '') || ' ' || coalesce(crm.fold(p_last), '') || ' ' || coalesce(crm.fold(p_company), '');
create function crm.number_text(p_phone text, p_second text) returns text language sql immutable parallel safe
return coalesce(p_phone, '') || ' ' || coalesce(p_second, '');
grant execute on function crm.fold, crm.name_text, crm.number_text to paloma_tenant, paloma_platform;

create index messages_recent on crm.messages (tenant_id, created_at desc, id desc);
create index messages_words on crm.messages using gin (tenant_id, to_tsvector('simple', crm.fold(body)));
create index contacts_names on crm.contacts using gin (tenant_id, crm.name_text(first_name, last_name, company) app.gin_trgm_ops);
create index contacts_numbers on crm.contacts using gin (tenant_id, crm.number_text(phone, second_phone) app.gin_trgm_ops);

create policy owner on crm.messages for select to paloma_owner using (true);
create policy owner on crm.contacts for select to paloma_owner using (true);

-- All words, the last one also as the beginning of one.
create function crm.search_query(p_words text, p_prefix text) returns tsquery language sql immutable parallel safe
return plainto_tsquery('simple', crm.fold(coalesce(p_words, '')))
  -- in quotes: what was folded may have become a sign of the query's own
  && case when p_prefix is null then ''::tsquery
          else to_tsquery('simple', '''' || replace(replace(crm.fold(p_prefix), '\', '\\'), '''', '''''') || ''':*') end;

-- Contacts whose name has a word that begins with each of these, or whose number has these digits. The three longest words are looked up together
-- by the index: a name is folded anew for each contact that it only might be.
create function crm.search_contacts(p_words text[], p_digits text, p_limit int) returns table (id uuid)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenant uuid := app.tenant_id();
  v_patterns text[];
  v_second text;
  v_third text;
  v_word text;
  v_found uuid[];
  v_walk constant int := 1500;
begin
  if p_digits is not null then
    return query
      select k.id from crm.contacts k
       where k.tenant_id = v_tenant and crm.number_text(k.phone, k.second_phone) operator(pg_catalog.~~) ('%' || p_digits || '%') limit p_limit;
    return;
  end if;
  select array_agg('% ' || crm.fold(w.word) || '%' order by length(w.word) desc) into v_patterns from unnest(p_words) w(word);
  -- names that many have are met at once among those that begin so; the index of all words would be read to the end for them
  v_word := crm.fold(p_words[1]);
  v_found := array(
    select z.id from (
      (select k.id, crm.name_text(k.first_name, k.last_name, k.company) as name from crm.contacts k
        where k.tenant_id = v_tenant and crm.fold(k.last_name) collate "C" >= v_word and crm.fold(k.last_name) collate "C" < v_word || chr(1114111)
        order by crm.fold(k.last_name) collate "C" limit v_walk)
      union all
      (select k.id, crm.name_text(k.first_name, k.last_name, k.company) from crm.contacts k
        where k.tenant_id = v_tenant and crm.fold(k.first_name) collate "C" >= v_word and crm.fold(k.first_name) collate "C" < v_word || chr(1114111)
        order by crm.fold(k.first_name) collate "C" limit v_walk)) z
     where cardinality(v_patterns) = 1 or z.name like all(v_patterns) limit 2 * p_limit);
  v_found := array(select distinct f.id from unnest(v_found) f(id));
  if cardinality(v_found) >= p_limit then
    return query select f.id from unnest(v_found) f(id) limit p_limit;
    return;
  end if;
  v_second := coalesce(v_patterns[2], v_patterns[1]);
  v_third := coalesce(v_patterns[3], v_patterns[1]);
  return query
    select k.id from crm.contacts k
     where k.tenant_id = v_tenant and crm.name_text(k.first_name, k.last_name, k.company) like v_patterns[1]
       and crm.name_text(k.first_name, k.last_name, k.company) like v_second
       and crm.name_text(k.first_name, k.last_name, k.company) like v_third
       and (cardinality(v_patterns) < 4 or crm.name_text(k.first_name, k.last_name, k.company) like all(v_patterns)) limit p_limit;
end $$;
revoke all on function crm.search_contacts from public;
grant execute on function crm.search_contacts to paloma_tenant;
