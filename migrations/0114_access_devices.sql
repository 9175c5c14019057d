-- Browsers by which somebody has logged in, so that one they never used before is told to their other sessions. A new table, and columns of sessions that are
-- nullable or have a constant default; locks sessions for a moment. A process of the version before opens sessions without a device, which are no news.

create table crm.devices (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null,
  user_id uuid not null,
  device_hash bytea not null,                    -- of the browser's cookie and whose it is: two people on one browser can't be matched by it
  created_at timestamptz not null default app.now(),
  seen_at timestamptz not null default app.now(),
  recognized_at timestamptz,                     -- since when it is known to be theirs; none: nobody has said so yet
  primary key (tenant_id, id),
  constraint devices_user foreign key (tenant_id, user_id) references crm.users on delete cascade,
  constraint devices_hash_key unique (tenant_id, user_id, device_hash)
);
call app.wall('crm.devices');

-- The device is no reference: a session says by which one it was opened also when that is forgotten.
alter table crm.sessions
  add column device_id uuid,
  add column is_new_device boolean not null default false,
  add column device_answered_at timestamptz;     -- when somebody said whose it was
create index sessions_new_device on crm.sessions (tenant_id, user_id) where is_new_device and device_answered_at is null;

-- whose it was is said by somebody, too
drop trigger audit on crm.sessions;
create trigger audit after insert or update of expires_at, revoked_at, device_answered_at on crm.sessions
  for each row execute function crm.write_audit('session', '', 'seen_at,proven_at');
