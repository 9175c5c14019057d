-- Contacts, whom not to write to, and imports.

create table crm.imports (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  file_name text not null,
  byte_count bigint not null,
  mode text not null default 'create' constraint imports_mode_known check (mode in ('create', 'update', 'skip')),
  -- uploading: chunks are still coming in; nobody is shown the import, and one that goes no further is swept away
  state text not null default 'queued' constraint imports_state_known check (state in ('uploading', 'queued', 'running', 'completed', 'failed')),
  failure_code text,
  failure_detail text,
  -- how the file is read, settled once all of it is here
  mapping jsonb not null default '{}',           -- column to field, of every column
  encoding text,
  delimiter text,
  has_header boolean,
  header jsonb,                                  -- the names of the columns in their order
  region text,                                   -- of numbers without a country code
  -- where to go on: everything up to here is committed
  byte_offset bigint not null default 0,         -- in the upload
  line_number bigint not null default 1,
  row_count bigint not null default 0,
  created_count bigint not null default 0,
  updated_count bigint not null default 0,
  skipped_count bigint not null default 0,
  empty_count bigint not null default 0,
  invalid_count bigint not null default 0,
  duplicate_count bigint not null default 0,
  warning_count bigint not null default 0,
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  started_at timestamptz,
  finished_at timestamptz,
  primary key (tenant_id, id),
  constraint imports_add_up check (row_count = created_count + updated_count + skipped_count + empty_count + invalid_count + duplicate_count)
);
create index imports_by_state on crm.imports (tenant_id, state, created_at);

-- The upload as it came, 1 MiB a row; deleted after the import.
create table crm.upload_chunks (
  tenant_id uuid not null default app.tenant_id(),
  import_id uuid not null,
  number int not null,
  bytes bytea not null constraint upload_chunks_size check (length(bytes) <= 1048576),
  primary key (tenant_id, import_id, number),
  constraint upload_chunks_import foreign key (tenant_id, import_id) references crm.imports on delete cascade
);
alter table crm.upload_chunks alter column bytes set storage external;

create table crm.contacts (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  id uuid not null,
  first_name text,
  last_name text,
  phone text constraint contacts_phone_form check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  phone_extension text,
  second_phone text,
  email text,
  company text,
  address text,
  city text,
  state text,
  postal_code text,
  country text,
  time_zone text,
  attributes jsonb not null default '{}',
  import_id uuid,
  created_at timestamptz not null default app.now(),
  updated_at timestamptz not null default app.now(),
  primary key (tenant_id, id),
  constraint contacts_import foreign key (tenant_id, import_id) references crm.imports (tenant_id, id),
  constraint contacts_address check (phone is not null or email is not null)
);
create index contacts_phone on crm.contacts (tenant_id, phone);
create index contacts_by_import on crm.contacts (tenant_id, import_id, id) where import_id is not null;

-- The phones of one file, so that the first row wins; kept after the import, because it is also which contacts the import touched.
create table crm.import_phones (
  tenant_id uuid not null default app.tenant_id(),
  import_id uuid not null,
  phone text not null,
  line_number bigint not null,
  contact_id uuid,
  constraint import_phones_pkey primary key (tenant_id, import_id, phone),
  constraint import_phones_import foreign key (tenant_id, import_id) references crm.imports on delete cascade
);
-- The import comes last: an index that begins like the key is taken for as good as the key by the planner, which then reads all of an
-- import for each of its phones.
create index import_phones_contact on crm.import_phones (tenant_id, contact_id, import_id);

create table crm.import_errors (
  tenant_id uuid not null default app.tenant_id(),
  import_id uuid not null,
  line_number bigint not null,
  code text not null,
  is_warning boolean not null default false,
  detail text,
  cells jsonb not null,
  constraint import_errors_pkey primary key (tenant_id, import_id, line_number, code),
  constraint import_errors_import foreign key (tenant_id, import_id) references crm.imports on delete cascade
);

-- Addresses nobody may write to: opted out by a word or by a person, or put on the list by the tenant.
create table crm.suppressions (
  tenant_id uuid not null default app.tenant_id() references crm.tenants,
  address text not null,
  reason text not null constraint suppressions_reason_known check (reason in ('opted_out', 'blacklisted', 'opt_out_review')),
  source text not null,
  message_id uuid,
  created_by text not null default app.actor(),
  created_at timestamptz not null default app.now(),
  constraint suppressions_pkey primary key (tenant_id, address, reason)
);

call app.wall('crm.imports');
call app.wall('crm.upload_chunks');
call app.wall('crm.contacts');
call app.wall('crm.import_phones');
call app.wall('crm.import_errors');
call app.wall('crm.suppressions');
