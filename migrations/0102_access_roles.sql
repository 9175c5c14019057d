-- Roles of a tenant's own, beside the built-in ones. Adds a table and a column, and makes three checks of users anew: people are few, so that takes a moment.
-- A process of the version before does not know who has such a role, and refuses them until it is replaced.
create table crm.roles (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  name text not null constraint roles_name_length check (length(name) between 1 and 60),
  permissions text[] not null constraint roles_permissions_some check (cardinality(permissions) between 1 and 54),
  created_at timestamptz not null default app.now(),
  updated_at timestamptz not null default app.now(),
  primary key (tenant_id, id)
);
create unique index roles_name_key on crm.roles (tenant_id, lower(name));
call app.wall('crm.roles');

-- whoever has a role of the tenant's own is 'custom'; a role that somebody has can't be removed
alter table crm.users
  add column role_id uuid,
  drop constraint users_role_known,
  add constraint users_role_known check (role in ('owner', 'admin', 'supervisor', 'agent', 'marketing', 'billing', 'read_only', 'custom')),
  add constraint users_role_own check ((role = 'custom') = (role_id is not null)),
  add constraint users_role_id foreign key (tenant_id, role_id) references crm.roles (tenant_id, id);
create index users_of_role on crm.users (tenant_id, role_id) where role_id is not null;

drop trigger audit on crm.users;
create trigger audit after insert or delete or update of email, name, role, role_id, password_hash, disabled_at, totp_confirmed_at on crm.users
  for each row execute function crm.write_audit('user', 'password_hash', 'read_from,totp_secret,totp_step');
create trigger audit after insert or delete or update of name, permissions on crm.roles
  for each row execute function crm.write_audit('role', '', 'updated_at');
