-- Log-in by OpenID Connect: providers of a tenant, which of their people is which user, and log-ins that have begun at a provider and not come back. New
-- tables, and a column without a rewrite; a process of the version before goes on with passwords.
create table crm.identity_providers (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  name text not null constraint identity_providers_name_length check (length(name) between 1 and 80),
  issuer text not null constraint identity_providers_issuer_form check (issuer ~ '^https?://' and length(issuer) <= 500),
  client_id text not null constraint identity_providers_client_id_length check (length(client_id) between 1 and 300),
  client_secret bytea,                           -- sealed; none: a public client
  is_enabled boolean not null default true,
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint identity_providers_issuer_key unique (tenant_id, issuer)
);
-- a log-in names a provider and no tenant
create index identity_providers_id on crm.identity_providers (id);

-- Somebody at a provider is known by issuer and subject alone; the e-mail is what it said when it was linked, to be shown.
create table crm.identities (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  user_id uuid not null,
  issuer text not null,
  subject text not null constraint identities_subject_length check (length(subject) between 1 and 255),
  email text,
  created_at timestamptz not null default app.now(),
  used_at timestamptz,
  primary key (tenant_id, id),
  constraint identities_user foreign key (tenant_id, user_id) references crm.users on delete cascade,
  constraint identities_subject_key unique (tenant_id, issuer, subject),
  constraint identities_issuer_key unique (tenant_id, user_id, issuer)
);
-- a log-in by the installation's provider names no tenant
create index identities_of on crm.identities (issuer, subject);

-- Whether some provider knows somebody, who then needs no password to come in.
create function crm.has_identity(p_tenant uuid, p_user uuid) returns boolean language sql stable
return exists (select from crm.identities i where i.tenant_id = p_tenant and i.user_id = p_user);
grant execute on function crm.has_identity to paloma_platform, paloma_tenant;

call app.wall('crm.identity_providers');
call app.wall('crm.identities');

-- the provider said that it asked for a second factor, which the tenant takes for one
alter table crm.sessions add column factor_by_provider boolean not null default false;

-- Before anybody is known there is no tenant, so these rows are the platform's alone. Of what travels through the browser only hashes are kept.
create table app.begun_log_ins (
  id uuid primary key,
  state_hash bytea not null constraint begun_log_ins_state_key unique,
  browser_hash bytea not null constraint begun_log_ins_browser_key unique,
  purpose text not null constraint begun_log_ins_purpose_known check (purpose in ('log_in', 'link', 'prove')),
  provider_id uuid,                              -- none: the installation's
  issuer text not null,
  tenant_slug text,                              -- where the installation's provider is used for one tenant
  tenant_id uuid,                                -- of whoever is logged in and links or proves
  session_id uuid,
  user_id uuid,
  secrets bytea not null,                        -- sealed: the verifier of PKCE and the nonce
  return_to text not null,
  begun_at timestamptz not null default app.now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  awaiting jsonb                                 -- whom the provider has named, where a code of the second factor is missing
);
create index begun_log_ins_expires on app.begun_log_ins (expires_at);
grant select, insert, update, delete on app.begun_log_ins to paloma_platform;

create trigger audit after insert or delete or update of name, issuer, client_id, client_secret, is_enabled on crm.identity_providers
  for each row execute function crm.write_audit('identity_provider', 'client_secret', '');
create trigger audit after insert or delete or update of user_id, issuer, subject on crm.identities
  for each row execute function crm.write_audit('identity', '', 'used_at');
