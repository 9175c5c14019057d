-- A second factor for people, and until when it is known that somebody is still who they say they are. Adds columns without rewriting anything; a process
-- of the version before logs people in by their password alone, so it is replaced before a tenant asks for more.
alter table crm.users
  add column totp_secret bytea,                  -- sealed; it counts once it is confirmed
  add column totp_confirmed_at timestamptz,
  add column totp_step bigint;                   -- the last step that was accepted: a code works once

create table crm.recovery_codes (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null,
  code_hash bytea not null,
  used_at timestamptz,
  primary key (tenant_id, user_id, code_hash),
  constraint recovery_codes_user foreign key (tenant_id, user_id) references crm.users on delete cascade
);
call app.wall('crm.recovery_codes');

alter table crm.tenants add column requires_second_factor boolean not null default false;
grant update (requires_second_factor) on crm.tenants to paloma_tenant;

-- when whoever has it last gave what they log in with
alter table crm.sessions add column proven_at timestamptz not null default app.now();
create index sessions_of on crm.sessions (tenant_id, user_id) where revoked_at is null;

-- a link by which somebody who has a password sets another one
alter table crm.invitations add column is_reset boolean not null default false;
