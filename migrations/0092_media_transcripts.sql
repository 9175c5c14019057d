-- What is said in voice messages. Adds nullable columns to attachments and fills some of them while nobody reads or writes attachments and
-- messages: seconds for a million files.

alter table crm.attachments
  add column transcription text constraint attachments_transcription_known check (transcription in ('pending', 'done', 'none')),
  add column transcript text,
  add column transcript_language text,           -- as it was heard, ISO 639
  add column transcript_reason text,             -- why there is none: no_model, too_long, no_speech, unreadable, failed, taken_back
  add column transcribed_at timestamptz,
  add column message_at timestamptz;             -- its message's created_at: files are looked for newest first

create function crm.file_of_message() returns trigger language plpgsql as $$
begin
  new.message_at := (select m.created_at from crm.messages m where m.tenant_id = new.tenant_id and m.id = new.message_id);
  return new;
end $$;
create trigger message_at before insert or update of message_id on crm.attachments for each row execute function crm.file_of_message();
-- for once the owner sees them all
alter table crm.attachments no force row level security;
alter table crm.messages no force row level security;
update crm.attachments a set message_at = m.created_at from crm.messages m where m.tenant_id = a.tenant_id and m.id = a.message_id;
-- sound that is there already is caught up with as what came while nobody could
update crm.attachments set transcription = 'none', transcript_reason = 'no_model' where kind = 'audio' and state = 'stored';
alter table crm.messages force row level security;
alter table crm.attachments force row level security;

create index attachments_by_kind on crm.attachments (tenant_id, kind, message_at desc, message_id desc) where message_at is not null;
create index attachments_voice on crm.attachments (tenant_id, message_at desc, message_id desc) where message_at is not null and is_voice;
-- what came while nobody could transcribe
create index attachments_unheard on crm.attachments (created_at) where transcript_reason = 'no_model';
