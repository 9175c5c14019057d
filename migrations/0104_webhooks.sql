-- Webhooks: what a tenant's own programs are told, and what came of telling them. New tables and one trigger on them; locks nothing.

create table crm.webhooks (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  url text not null constraint webhooks_url_length check (length(url) between 1 and 2000),
  origin text not null,                          -- scheme, host and port: what of the address may be shown to whoever reads the audit
  description text not null default '' constraint webhooks_description_length check (length(description) <= 200),
  kinds text[] not null constraint webhooks_kinds_count check (cardinality(kinds) between 1 and 100),
  owner_id uuid not null,                        -- as whom it sees: who made it, or who last chose its kinds
  secret bytea,                                  -- sealed; none once it is deleted
  previous_secret bytea,                         -- sealed; signs too until then
  previous_until timestamptz,
  created_at timestamptz not null default app.now(),
  failing_since timestamptz,                     -- the first attempt after the last one that was taken
  disabled_at timestamptz,
  disabled_reason text constraint webhooks_disabled_reason_known check (disabled_reason in ('by_hand', 'gone', 'failing')),
  deleted_at timestamptz,                        -- its log is swept away, and then itself
  primary key (tenant_id, id),
  constraint webhooks_owner foreign key (tenant_id, owner_id) references crm.users,
  constraint webhooks_disabled check ((disabled_at is null) = (disabled_reason is null)),
  constraint webhooks_previous check ((previous_secret is null) = (previous_until is null)),
  constraint webhooks_secret check (secret is not null or deleted_at is not null)
);
create index webhooks_deleted on crm.webhooks (deleted_at) where deleted_at is not null;
create index webhooks_previous_secrets on crm.webhooks (previous_until) where previous_until is not null;

-- How far each enabled webhook has been fed from the tenant's numbered events. A disabled one has no row, so that a tenant without webhooks
-- costs nothing, and what happened meanwhile is not told when it is enabled again.
create table crm.webhook_feeds (
  tenant_id uuid not null default app.tenant_id(),
  webhook_id uuid not null,
  seq bigint not null,
  fed_at timestamptz not null default app.now(),
  primary key (tenant_id, webhook_id),
  constraint webhook_feeds_webhook foreign key (tenant_id, webhook_id) references crm.webhooks on delete cascade
) with (fillfactor = 50);

create table crm.webhook_deliveries (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,                              -- what the receiver knows it by, at each attempt
  webhook_id uuid not null,
  seq bigint,                                    -- of the event; none of a test
  kind text not null,
  body text not null,                            -- what is signed and sent, to the byte
  state text not null default 'pending' constraint webhook_deliveries_state_known check (state in ('pending', 'delivered', 'failed')),
  reason text,                                   -- why it has failed
  turn int not null default 0,                   -- which job may make the next attempt
  attempt_count int not null default 0,
  attempts_before int not null default 0,        -- those that were made before it was last replayed
  status int,                                    -- of the last answer
  created_at timestamptz not null default app.now(),
  tried_since timestamptz,                       -- the first attempt since it was made or replayed
  attempted_at timestamptz,                      -- the last one
  next_attempt_at timestamptz,
  give_up_at timestamptz not null,               -- no attempt begins after this
  primary key (tenant_id, id),
  -- of two that feed the same event to a webhook, or of one that does it twice, one makes the delivery
  constraint webhook_deliveries_event unique (tenant_id, webhook_id, seq),
  constraint webhook_deliveries_webhook foreign key (tenant_id, webhook_id) references crm.webhooks on delete cascade,
  constraint webhook_deliveries_waits check ((state = 'pending') = (next_attempt_at is not null))
);
create index webhook_deliveries_of on crm.webhook_deliveries (tenant_id, webhook_id, id);
create index webhook_deliveries_by_state on crm.webhook_deliveries (tenant_id, webhook_id, state, id);
create index webhook_deliveries_created on crm.webhook_deliveries (created_at);

create table crm.webhook_attempts (
  tenant_id uuid not null default app.tenant_id(),
  delivery_id uuid not null,
  number int not null,
  at timestamptz not null,
  duration_ms int not null,
  status int,                                    -- none: there was no answer
  error text,                                    -- why there was none: a stable code
  answer text,                                   -- how it began, without what may be secret
  primary key (tenant_id, delivery_id, number),
  constraint webhook_attempts_delivery foreign key (tenant_id, delivery_id) references crm.webhook_deliveries on delete cascade
);

call app.wall('crm.webhooks', 'select, insert, update');
call app.wall('crm.webhook_feeds');
call app.wall('crm.webhook_deliveries', 'select, insert, update');
call app.wall('crm.webhook_attempts', 'select, insert');

-- the path and the query of an address may be what lets somebody in there
create trigger audit after insert or update of url, origin, description, kinds, owner_id, secret, disabled_at, deleted_at on crm.webhooks
  for each row execute function crm.write_audit('webhook', 'url,secret,previous_secret', 'failing_since');
