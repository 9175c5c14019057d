-- Campaigns and their recipients. A recipient's row is the outbox of its one message.

create table crm.campaigns (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  name text not null constraint campaigns_name_length check (length(name) between 1 and 200),
  line_id uuid not null,
  import_id uuid,                                -- the audience; null: all contacts
  body text not null constraint campaigns_body_length check (length(body) between 1 and 10000),
  on_unknown text not null default 'hold' constraint campaigns_on_unknown_known check (on_unknown in ('hold', 'resend_once')),
  rate_per_minute float8 constraint campaigns_rate_positive check (rate_per_minute > 0),
  state text not null default 'draft' constraint campaigns_state_known check (state in ('draft', 'active', 'paused', 'completed', 'cancelled')),
  batch_id bigint,
  expand_after uuid,                             -- the last contact frozen; null: none yet
  frozen_at timestamptz,
  launched_at timestamptz,
  completed_at timestamptz,
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint campaigns_name_key unique (tenant_id, name),
  constraint campaigns_line foreign key (tenant_id, line_id) references crm.lines,
  constraint campaigns_import foreign key (tenant_id, import_id) references crm.imports
);
create index campaigns_recent on crm.campaigns (tenant_id, created_at desc, id desc);

create table crm.recipients (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,                              -- also that of its message, so that a state moves without a touch of any index
  campaign_id uuid not null,
  step smallint not null default 1,
  contact_id uuid,
  address text,
  variables jsonb not null,                      -- frozen: what the template may name
  state text not null constraint recipients_state_known
    check (state in ('pending', 'sending', 'unknown', 'sent', 'delivered', 'read', 'failed', 'held', 'skipped', 'cancelled')),
  reason text,
  resent_count smallint not null default 0,
  sending_at timestamptz,
  sending_fence bigint,                          -- the lease under which it was marked: a repeated mark of the same lease is no doubt
  sent_at timestamptz,
  primary key (tenant_id, id),
  constraint recipients_campaign foreign key (tenant_id, campaign_id) references crm.campaigns on delete cascade
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1);
-- Nobody gets the same message twice: one live row per campaign, step and address; a second contact of that address is a skipped row.
create unique index recipients_address_key on crm.recipients (tenant_id, campaign_id, step, address) where reason is distinct from 'duplicate_address';
create index recipients_by_campaign on crm.recipients (tenant_id, campaign_id, id);

-- Counters are folded from deltas that a trigger writes, so they can't differ from the rows.
create table crm.campaign_counts (
  tenant_id uuid not null default app.tenant_id(),
  campaign_id uuid not null,
  state text not null,
  reason text not null default '',
  count bigint not null,
  primary key (tenant_id, campaign_id, state, reason),
  constraint campaign_counts_campaign foreign key (tenant_id, campaign_id) references crm.campaigns on delete cascade
);
create table crm.campaign_deltas (
  tenant_id uuid not null default app.tenant_id(),
  campaign_id uuid not null,
  state text not null,
  reason text not null default '',
  delta bigint not null
) with (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
create index campaign_deltas_campaign on crm.campaign_deltas (tenant_id, campaign_id);

create function crm.count_recipients_added() returns trigger language plpgsql as $$
begin
  insert into crm.campaign_deltas (tenant_id, campaign_id, state, reason, delta)
    select n.tenant_id, n.campaign_id, n.state, coalesce(n.reason, ''), count(*) from added n group by 1, 2, 3, 4;
  return null;
end $$;
create function crm.count_recipients_moved() returns trigger language plpgsql as $$
begin
  insert into crm.campaign_deltas (tenant_id, campaign_id, state, reason, delta)
    select z.tenant_id, z.campaign_id, z.state, z.reason, sum(z.d) from (
      select n.tenant_id, n.campaign_id, n.state, coalesce(n.reason, '') as reason, 1 as d from after n
      union all
      select o.tenant_id, o.campaign_id, o.state, coalesce(o.reason, ''), -1 from before o) z
    group by 1, 2, 3, 4 having sum(z.d) <> 0;
  return null;
end $$;
create trigger recipients_added after insert on crm.recipients referencing new table as added
  for each statement execute function crm.count_recipients_added();
create trigger recipients_moved after update on crm.recipients referencing old table as before new table as after
  for each statement execute function crm.count_recipients_moved();

call app.wall('crm.campaigns');
call app.wall('crm.recipients');
call app.wall('crm.campaign_counts');
call app.wall('crm.campaign_deltas');
