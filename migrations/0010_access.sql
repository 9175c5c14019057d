-- Who may log in and what they may do. Names of permissions are the code's (crm/access/permission.rs), roles are built in.

create table crm.users (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  email text not null constraint users_email_form check (email = lower(email) and email like '%_@_%' and length(email) <= 254),
  name text not null constraint users_name_length check (length(name) between 1 and 200),
  role text not null constraint users_role_known check (role in ('owner', 'admin', 'supervisor', 'agent', 'marketing', 'billing', 'read_only')),
  password_hash text,
  disabled_at timestamptz,
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint users_email_key unique (tenant_id, email)
);
-- a log-in names an e-mail and no tenant
create index users_email on crm.users (email);

create table crm.sessions (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  user_id uuid not null,
  created_at timestamptz not null default app.now(),
  seen_at timestamptz not null default app.now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  user_agent text,
  ip inet,
  primary key (tenant_id, id),
  constraint sessions_user foreign key (tenant_id, user_id) references crm.users on delete cascade
);
create index sessions_id on crm.sessions (id);

create table crm.api_keys (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  name text not null constraint api_keys_name_length check (length(name) between 1 and 200),
  prefix text not null,
  secret_hash bytea not null,
  permissions text[] not null,
  created_by uuid not null,
  created_at timestamptz not null default app.now(),
  expires_at timestamptz,
  used_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, id),
  constraint api_keys_creator foreign key (tenant_id, created_by) references crm.users (tenant_id, id)
);
create index api_keys_prefix on crm.api_keys (prefix);

-- Answers to creates, kept for a day so that a repeated request gets the first one's answer.
create table crm.idempotency_keys (
  tenant_id uuid not null default app.tenant_id(),
  key text not null constraint idempotency_keys_length check (length(key) between 1 and 255),
  operation text not null,
  request_hash bytea not null,
  status int,
  body jsonb,
  created_at timestamptz not null default app.now(),
  constraint idempotency_keys_pkey primary key (tenant_id, operation, key)
);
create index idempotency_keys_created on crm.idempotency_keys (created_at);

call app.wall('crm.users');
call app.wall('crm.sessions');
call app.wall('crm.api_keys');
call app.wall('crm.idempotency_keys');

-- Log-in throttling: before anybody is known there is no tenant, so these rows are the platform's alone.
create table app.login_failures (
  subject text not null,                         -- 'name:…' or 'ip:…'
  at timestamptz not null default app.now()
);
create index login_failures_subject on app.login_failures (subject, at);
grant select, insert, delete on app.login_failures to paloma_platform;
