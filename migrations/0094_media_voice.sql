-- Voice messages that go out: the form in which one is sent as such. Adds a nullable column to attachments, which locks them for a moment.
alter table crm.attachments add column voice text constraint attachments_voice_form_known check (voice in ('pending', 'stored', 'failed'));
