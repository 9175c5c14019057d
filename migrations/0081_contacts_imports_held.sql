-- An upload that is looked at before its import starts. It stays `uploading`, which workers of the last version show to nobody and sweep away
-- after a day. Locks imports for a moment.
alter table crm.imports add column held_at timestamptz;
