-- Invitations: a link by which somebody who has been made a user sets the first password. A new table; locks nothing.
create table crm.invitations (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  user_id uuid not null,
  token_hash bytea not null,                     -- of the link's secret, which is stored nowhere
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (tenant_id, id),
  constraint invitations_user foreign key (tenant_id, user_id) references crm.users on delete cascade
);
create index invitations_token on crm.invitations (tenant_id, token_hash);
create index invitations_of on crm.invitations (tenant_id, user_id);
call app.wall('crm.invitations');
