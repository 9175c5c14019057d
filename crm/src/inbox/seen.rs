//! The conversations of a narrower sight, the one with the latest message first: by the indexes of what each has and of what nobody has. One walk through
//! all of a tenant's would pass over everybody else's, for a small team nearly all of them.

use db::{Narrow, Scope, TenantTx};

use super::conversations::{Key, State};
use crate::Error;

/// Those that stand there, or anywhere, after that key; active ones that are snoozed are left out where active ones are asked for.
pub(super) async fn newest(
    tx: &mut TenantTx,
    narrow: &Narrow,
    state: Option<State>,
    (after, limit): (Option<Key>, i64),
) -> Result<Vec<Key>, Error> {
    let (at, id) = after.unzip();
    Ok(sqlx::query_as(
        "select z.last_message_at, z.id from (
           select w.last_message_at, w.id from unnest($2::uuid[]) u(id)
            cross join lateral (
              select c.last_message_at, c.id from crm.conversations c
               where c.tenant_id = app.tenant_id() and c.assignee_id = u.id
                 -- said once more for the planner, who knows of these people how much they have, and takes everybody for the one who has nearly all
                 and c.assignee_id = any($2)
                 and ($1::text is null or c.state = $1)
                 and ($1::text is distinct from 'active' or c.snoozed_until is null or c.snoozed_until <= app.now())
                 and ($4::timestamptz is null or (c.last_message_at, c.id) < ($4, $5))
               order by c.last_message_at desc, c.id desc
               limit $6) w
           union all
           -- their index begins with where they stand
           select w.last_message_at, w.id from unnest(array['active', 'archived', 'closed']) s(state)
            cross join lateral (
              select c.last_message_at, c.id from crm.conversations c
               where c.tenant_id = app.tenant_id() and c.assignee_id is null and c.state = s.state
                 and ($1::text is distinct from 'active' or c.snoozed_until is null or c.snoozed_until <= app.now())
                 and ($4::timestamptz is null or (c.last_message_at, c.id) < ($4, $5))
               order by c.last_message_at desc, c.id desc
               limit $6) w
            where $3 and ($1::text is null or s.state = $1)) z
          order by z.last_message_at desc, z.id desc
          limit $6",
    )
    .bind(state)
    .bind(&narrow.users[..])
    .bind(narrow.with_unassigned)
    .bind(at)
    .bind(id)
    .bind(limit)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?)
}
