-- Search over what was said aloud, and by the files of messages. Adds a nullable column to messages, which locks them for a moment; the index
-- is built while writes to messages wait: one pass over them, and nothing is in it yet.

alter table crm.messages add column transcript text;  -- of all its files
create policy owner on crm.attachments for select to paloma_owner using (true);
create index messages_spoken on crm.messages using gin (tenant_id, to_tsvector('simple', crm.fold(transcript))) where transcript is not null;

-- Whether the words are in it, written or said.
create function crm.says(p_body text, p_transcript text, p_query tsquery) returns boolean language sql immutable parallel safe
return to_tsvector('simple', crm.fold(p_body)) @@ p_query or (p_transcript is not null and to_tsvector('simple', crm.fold(p_transcript)) @@ p_query);

-- What holds a rare word, by the words' indexes alone; more than p_most are not looked for. Tells of each whether it is wanted otherwise, so that
-- no text has to be carried out.
create function crm.search_few(p_tenant uuid, p_query tsquery, p_direction text, p_links boolean, p_most int) returns table (id uuid, at timestamptz, is_wanted boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_indexscan = off set work_mem = '64MB' as $$
begin
  return query
    select m.id, m.created_at, (p_direction is null or m.direction = p_direction) and (not p_links or m.body ~* 'https?://') from crm.messages m
     where m.tenant_id = p_tenant and to_tsvector('simple', crm.fold(m.body)) @@ p_query
    union all
    select m.id, m.created_at, (p_direction is null or m.direction = p_direction) and (not p_links or m.body ~* 'https?://') from crm.messages m
     where m.tenant_id = p_tenant and m.transcript is not null and to_tsvector('simple', crm.fold(m.transcript)) @@ p_query
       and not to_tsvector('simple', crm.fold(m.body)) @@ p_query
    limit p_most;
end $$;
revoke all on function crm.search_few from public;

-- Messages newest first, before a place, by what was written and what was said; p_file asks for those with an image, video, audio, file or voice.
-- What is found twice or more among the newest thousand is frequent enough to be met by walking on, and the more often the sooner; what is not is
-- looked up by the words' indexes, all at once, which costs by how much there is of it; what is neither (common once, not lately) by walking to
-- the end. A link is looked for before words, since that costs least. Where a file is all that is asked, or the words are common and not lately,
-- files lead: each message once, however many it has.
create function crm.find_messages(
  p_words text, p_prefix text, p_direction text, p_links boolean, p_file text, p_conversations uuid[], p_since timestamptz, p_at timestamptz, p_id uuid, p_limit int)
returns table (id uuid, at timestamptz) language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_tenant uuid := app.tenant_id();
  v_query tsquery := crm.search_query(p_words, p_prefix);
  v_any boolean := numnode(v_query) = 0;
  v_newest constant int := 1000;
  v_most_walked constant int := 30000;
  v_few constant int := 20000;
  v_walk int := v_newest;
  v_found int := 0;
  v_step int;
  v_count int;
  v_ids uuid[];
  v_ats timestamptz[];
  v_at timestamptz := coalesce(p_at, 'infinity');
  v_id uuid := coalesce(p_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_since timestamptz := coalesce(p_since, '-infinity');
  v_last_at timestamptz;
  v_last_id uuid;
begin
  if p_conversations is not null then
    -- in their order first and read one after the other, so that of thousands only those are read that come before the last one wanted
    return query
      select w.id, w.created_at from (
        select m.id, m.created_at from crm.messages m
         where m.tenant_id = v_tenant and m.conversation_id = any(p_conversations) and (m.created_at, m.id) < (v_at, v_id) and m.created_at >= v_since
           and (p_direction is null or m.direction = p_direction)
         order by m.created_at desc, m.id desc offset 0) w
       cross join lateral (
         select from crm.messages m
          where m.tenant_id = v_tenant and m.id = w.id
            and case when p_links and m.body !~* 'https?://' then false else v_any or crm.says(m.body, m.transcript, v_query) end
            and (p_file is null or exists (select from crm.attachments a where a.tenant_id = v_tenant and a.message_id = m.id and case p_file when 'voice' then a.is_voice else a.kind = p_file end))
         offset 0) wanted
       order by w.created_at desc, w.id desc limit p_limit;
    return;
  end if;
  if p_file is null or not v_any then
    for v_step in 1..2 loop
      return query
        select w.id, w.created_at from (
          select m.id, m.created_at, m.direction, m.body, m.transcript from crm.messages m
           where m.tenant_id = v_tenant and (m.created_at, m.id) < (v_at, v_id) and m.created_at >= v_since
           order by m.created_at desc, m.id desc limit v_walk) w
         where (p_direction is null or w.direction = p_direction)
           and case when p_links and w.body !~* 'https?://' then false else v_any or crm.says(w.body, w.transcript, v_query) end
           and (p_file is null or exists (select from crm.attachments a where a.tenant_id = v_tenant and a.message_id = w.id and case p_file when 'voice' then a.is_voice else a.kind = p_file end))
         order by w.created_at desc, w.id desc limit p_limit - v_found;
      get diagnostics v_count = row_count;
      v_found := v_found + v_count;
      if v_found >= p_limit then
        return;
      end if;
      select w.created_at, w.id into v_last_at, v_last_id from (
        select m.created_at, m.id from crm.messages m
         where m.tenant_id = v_tenant and (m.created_at, m.id) < (v_at, v_id) and m.created_at >= v_since
         order by m.created_at desc, m.id desc offset v_walk - 1 limit 1) w;
      if v_last_id is null then
        return;
      end if;
      v_at := v_last_at;
      v_id := v_last_id;
      -- twice as far as it should be to the last one that is wanted
      exit when v_count < 2;
      v_walk := least(2 * v_newest * p_limit / v_count, v_most_walked);
    end loop;
    if not v_any then
      select count(*), array_agg(r.id) filter (where r.is_wanted), array_agg(r.at) filter (where r.is_wanted) into v_count, v_ids, v_ats
        from crm.search_few(v_tenant, v_query, p_direction, p_links, v_few + 1) r;
      if v_count <= v_few then
        return query
          select r.id, r.at from unnest(v_ids, v_ats) r(id, at)
           where (r.at, r.id) < (v_at, v_id) and r.at >= v_since
             and (p_file is null or exists (select from crm.attachments a where a.tenant_id = v_tenant and a.message_id = r.id and case p_file when 'voice' then a.is_voice else a.kind = p_file end))
           order by r.at desc, r.id desc limit p_limit - v_found;
        return;
      end if;
    end if;
  end if;
  if p_file is not null then
    return query
      select m.id, m.created_at from (
        select distinct on (f.message_at, f.message_id) f.message_at, f.message_id from (
          select a.message_at, a.message_id from crm.attachments a
           where p_file <> 'voice' and a.tenant_id = v_tenant and a.kind = p_file and a.message_at is not null
             and (a.message_at, a.message_id) < (v_at, v_id) and a.message_at >= v_since
          union all
          select a.message_at, a.message_id from crm.attachments a
           where p_file = 'voice' and a.tenant_id = v_tenant and a.is_voice and a.message_at is not null
             and (a.message_at, a.message_id) < (v_at, v_id) and a.message_at >= v_since) f
         order by f.message_at desc, f.message_id desc) d
       join crm.messages m on m.tenant_id = v_tenant and m.id = d.message_id
       where (p_direction is null or m.direction = p_direction) and (not p_links or m.body ~* 'https?://')
         and (v_any or crm.says(m.body, m.transcript, v_query))
       order by d.message_at desc, d.message_id desc limit p_limit - v_found;
    return;
  end if;
  return query
    select m.id, m.created_at from crm.messages m
     where m.tenant_id = v_tenant and (m.created_at, m.id) < (v_at, v_id) and m.created_at >= v_since
       and (p_direction is null or m.direction = p_direction)
       and case when p_links and m.body !~* 'https?://' then false else v_any or crm.says(m.body, m.transcript, v_query) end
     order by m.created_at desc, m.id desc limit p_limit - v_found;
end $$;
revoke all on function crm.find_messages from public;
grant execute on function crm.find_messages to paloma_tenant;
