-- Whether messages flow on a line, and what it tells the other side. Adds columns with constant defaults to lines, which locks it for a moment.

alter table crm.lines
  -- whether the other side is told that an agent has read or types
  add column sends_read_receipts boolean not null default false,
  add column sends_typing boolean not null default true,
  -- unknown: not looked at yet; ok: read back, and nothing was missing; gap: messages were found that nobody had told of; unreachable: it can't be read
  add column health text not null default 'unknown' constraint lines_health_known check (health in ('unknown', 'ok', 'gap', 'unreachable')),
  add column health_reason text,
  add column health_at timestamptz,              -- since when it is so
  add column swept_at timestamptz,               -- when it was last read back to the end
  add column last_event_at timestamptz,          -- when its gateway last told of anything
  add column missed_count bigint not null default 0;  -- messages that were found by reading back alone
