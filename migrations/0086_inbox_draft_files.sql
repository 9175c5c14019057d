-- A draft keeps the files that were attached to it. What is in it is uploads of its user; one that has been sent or swept away since is left out when
-- the draft is read, so nothing refers to them. Locks drafts for a moment.
alter table crm.drafts
  add column media_ids uuid[] not null default '{}' constraint drafts_media_count check (cardinality(media_ids) <= 10);

-- with files there may be nothing written yet: wider than before, so what the last version writes still fits
alter table crm.drafts
  drop constraint drafts_body_length,
  add constraint drafts_body_length check (length(body) <= 10000 and (length(body) > 0 or cardinality(media_ids) > 0));
