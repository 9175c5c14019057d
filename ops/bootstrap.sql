-- Roles, once per cluster and database, and again where a new version asks for it. Run by a superuser (`paloma migrate` does it when its login is one); safe
-- to run again.
do $$
begin
  -- owns the schema, never logs in
  if not exists (select from pg_roles where rolname = 'paloma_owner') then
    create role paloma_owner nologin;
  end if;
  -- what a tenant's transaction may do
  if not exists (select from pg_roles where rolname = 'paloma_tenant') then
    create role paloma_tenant nologin;
  end if;
  -- the same for somebody who sees a part of the tenant's conversations only: what is said to paloma_tenant holds for it too, and narrower policies besides
  if not exists (select from pg_roles where rolname = 'paloma_scoped') then
    create role paloma_scoped nologin;
  end if;
  -- what the engine and the platform's own transactions may do
  if not exists (select from pg_roles where rolname = 'paloma_platform') then
    create role paloma_platform nologin;
  end if;
  -- the one login role: noinherit, so that on its own it may do nothing
  if not exists (select from pg_roles where rolname = 'paloma') then
    create role paloma login noinherit;
  end if;
  -- roles are the cluster's, not the database's: two bootstraps of one cluster may run at once
exception when unique_violation or duplicate_object then
  null;
end $$;

grant paloma_tenant to paloma_scoped;
grant paloma_tenant, paloma_scoped, paloma_platform to paloma;
-- so that whoever holds back the vacuum can be named, whatever role it has; used by one function, which tells no query
grant pg_read_all_stats to paloma_owner;

do $$
begin
  execute format('grant create, connect on database %I to paloma_owner', current_database());
  execute format('grant connect on database %I to paloma', current_database());
end $$;
