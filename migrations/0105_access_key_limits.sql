-- What an API key may ask: how often, and how much a day. Adds nullable columns and a table; a process of the version before counts nothing.
alter table crm.api_keys
  add column rate_per_minute int constraint api_keys_rate check (rate_per_minute between 1 and 60000),   -- null: what the api is set to
  add column quota_per_day bigint constraint api_keys_quota check (quota_per_day between 1 and 1000000000);

-- Requests of a key on a day (UTC). Each api process adds what it has counted about once a second, in one statement for all keys.
create table crm.api_key_uses (
  tenant_id uuid not null default app.tenant_id(),
  key_id uuid not null,
  day date not null,
  requests bigint not null constraint api_key_uses_requests check (requests > 0),
  primary key (tenant_id, key_id, day),
  constraint api_key_uses_key foreign key (tenant_id, key_id) references crm.api_keys on delete cascade
);
create index api_key_uses_day on crm.api_key_uses (day);
call app.wall('crm.api_key_uses', 'select');
