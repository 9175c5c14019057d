-- Audiences by a filter of contacts, launches at a time, hours of sending and a deadline. Workers of the last version know none of it: such an audience is
-- frozen, and such messages are sent, by kinds of jobs that they do not run. Locks campaigns and recipients for a moment; the indexes are built
-- while writes to recipients wait, some seconds with a million.
alter table crm.campaigns
  add column audience jsonb,                     -- a filter of contacts; null: those of the import, or all
  add column starts_at timestamptz,              -- launched by itself then
  add column launch_problem text,                -- why it was not, when its time had come
  add column ends_at timestamptz,                -- nothing goes out from then on
  add column quiet_hours boolean not null default false,
  add column sending_window jsonb,               -- days and hours; null: any
  add column pace jsonb;                         -- as it was said; what holds is rate_per_minute
alter table crm.campaigns drop constraint campaigns_state_known;
alter table crm.campaigns add constraint campaigns_state_known
  check (state in ('draft', 'scheduled', 'active', 'paused', 'completed', 'cancelled'));

alter table crm.recipients
  add column zones text,                         -- frozen: the zones its contact may be in, by commas; null: the tenant's
  add column regions text,                       -- frozen: its country and state, whose quiet hours may be stricter
  add column waits_until timestamptz;            -- its hours of sending begin then
create index recipients_waiting on crm.recipients (tenant_id, campaign_id, waits_until) where waits_until is not null;
-- the rows of one cause; a row without a cause is not in it, so its state still moves without a touch of any index
create index recipients_by_reason on crm.recipients (tenant_id, campaign_id, reason, id) where reason is not null;

-- What went out, by ten seconds: for the chart, which would otherwise read all recipients.
create table crm.campaign_rates (
  tenant_id uuid not null default app.tenant_id(),
  campaign_id uuid not null,
  at timestamptz not null,
  count bigint not null,
  primary key (tenant_id, campaign_id, at),
  constraint campaign_rates_campaign foreign key (tenant_id, campaign_id) references crm.campaigns on delete cascade
);
call app.wall('crm.campaign_rates');

-- Stricter quiet hours of its own: [{"region": "US-FL", "days": [1,2,3,4,5,6,7], "from": "08:00", "until": "20:00"}], a region of null is everywhere.
alter table crm.tenants add column quiet_hours jsonb not null default '[]';
grant update (quiet_hours) on crm.tenants to paloma_tenant;
