-- The ground everything stands on: who is asking, what time it is, and the wall around every table of a tenant.

create schema if not exists app;
create schema crm;
create schema jobs;
grant usage on schema app, crm, jobs to paloma_tenant, paloma_platform;
-- the boot self-check asks for the schema's version before it is in any scope
grant usage on schema app to public;

-- Time. Tests replace these two by versions that add an offset, so that time moves by one number.
create function app.now() returns timestamptz language sql stable
return now();
create function app.clock() returns timestamptz language sql volatile
return clock_timestamp();

-- Tells the listeners of these channels. A transaction of its own that waits for no disk: a notice lost in a crash costs one poll.
create function app.tell(p_channels text[]) returns void language plpgsql as $$
begin
  set local synchronous_commit = off;
  perform pg_notify(z.channel, '') from unnest(p_channels) z(channel);
end $$;
grant execute on function app.tell to public;

-- Which migration was applied last, for the boot self-check.
create function app.schema_version() returns bigint language sql stable security definer set search_path = pg_catalog, pg_temp
as 'select max(version) from app._sqlx_migrations where success';

-- Who is asking. Read without the "missing ok" flag: a scope without a tenant is an error, not an empty answer.
create function app.tenant_id() returns uuid language sql stable
return current_setting('app.tenant_id')::uuid;
create function app.tenant_number() returns int language sql stable
return current_setting('app.tenant_number')::int;
create function app.actor() returns text language sql stable
return current_setting('app.actor');

-- The directory of tenants. `number` is the small key that the engine's tables carry.
create table crm.tenants (
  id uuid primary key,
  number int generated always as identity constraint tenants_number_key unique,
  slug text not null constraint tenants_slug_key unique constraint tenants_slug_form check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text not null constraint tenants_name_length check (length(name) between 1 and 200),
  region text not null constraint tenants_region_form check (region ~ '^[A-Z]{2}$'),
  time_zone text not null,
  state text not null default 'active' constraint tenants_state_known check (state in ('active', 'past_due', 'suspended', 'closed')),
  created_at timestamptz not null default app.now()
);
alter table crm.tenants enable row level security;
alter table crm.tenants force row level security;
create policy tenant on crm.tenants to paloma_tenant using (id = app.tenant_id());
create policy platform on crm.tenants to paloma_platform using (true) with check (true);
create policy owner on crm.tenants for select to paloma_owner using (true);
grant select, update (name, region, time_zone) on crm.tenants to paloma_tenant;
grant select, insert, update on crm.tenants to paloma_platform;

-- Enters a tenant's scope for the rest of the transaction, by id or by number. No row: there is no such tenant.
-- Definer, because before it has run the caller may see no tenant at all.
create function app.enter_tenant(p_id uuid, p_number int, p_actor text)
returns table (id uuid, number int, at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  select t.id, t.number, app.now() into id, number, at
    from crm.tenants t where t.id = p_id or t.number = p_number limit 1;
  if not found then
    return;
  end if;
  perform set_config('app.tenant_id', id::text, true), set_config('app.tenant_number', number::text, true),
    set_config('app.actor', p_actor, true);
  return next;
end $$;
revoke all on function app.enter_tenant from public;
grant execute on function app.enter_tenant to paloma_tenant;

-- Puts the wall around a table with a tenant_id: forced row-level security and a policy for either scope.
create procedure app.wall(p_table regclass, p_tenant_may text default 'select, insert, update, delete')
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', p_table);
  execute format('alter table %s force row level security', p_table);
  execute format('create policy tenant on %s to paloma_tenant using (tenant_id = app.tenant_id()) with check (tenant_id = app.tenant_id())', p_table);
  execute format('create policy platform on %s to paloma_platform using (true) with check (true)', p_table);
  execute format('grant select, insert, update, delete on %s to paloma_platform', p_table);
  execute format('grant %s on %s to paloma_tenant', p_tenant_may, p_table);
end $$;
-- The same for the engine's tables, which carry the tenant's number; definer functions of the owner work on them too.
create procedure app.wall_engine(p_table regclass, p_tenant_may text default null)
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', p_table);
  execute format('alter table %s force row level security', p_table);
  execute format('create policy platform on %s to paloma_platform using (true) with check (true)', p_table);
  execute format('create policy owner on %s to paloma_owner using (true) with check (true)', p_table);
  execute format('grant select, insert, update, delete on %s to paloma_platform', p_table);
  execute format('create policy tenant on %s to paloma_tenant using (tenant_number = app.tenant_number()) with check (tenant_number = app.tenant_number())', p_table);
  if p_tenant_may is not null then
    execute format('grant %s on %s to paloma_tenant', p_tenant_may, p_table);
  end if;
end $$;

grant execute on function app.schema_version to public;
grant execute on function app.now, app.clock, app.tenant_id, app.tenant_number, app.actor to paloma_tenant, paloma_platform;
