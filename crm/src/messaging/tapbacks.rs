//! Reactions to messages: one a person and message, the last one said. They come as rows of their own, often before the message they are about, and
//! are no messages: they make nothing unread and wake nobody.

use chrono::{DateTime, Utc};
use clients::gateway::GatewayMessage;
use db::{Scope, TenantTx};
use uuid::Uuid;

use crate::{
    Error,
    messaging::{changes, lines::LineId},
};

/// Stuck onto a message, and no reaction in words.
const STICKERS: [&str; 4] = ["sticker", "-sticker", "2007", "3007"];

/// A reaction, or the end of one.
#[derive(Debug)]
pub(super) struct Tapback {
    target: String,
    sender: String,
    kind: String,
    is_removed: bool,
    at: Option<DateTime<Utc>>,
}

impl Tapback {
    /// What a row says that reacts to another one.
    pub fn of(message: &GatewayMessage) -> Option<Self> {
        let target = message.associated_guid.clone()?;
        let kind = message.associated_type.as_deref().filter(|kind| !STICKERS.contains(kind))?;
        let (kind, is_removed) = kind.strip_prefix('-').map_or((kind, false), |kind| (kind, true));
        let sender = if message.from_me { String::new() } else { message.sender.clone()? };
        Some(Self { target, sender, kind: kind.to_owned(), is_removed, at: message.created_at })
    }
}

/// Keeps reactions, each unless a later one of that person is known.
pub(super) async fn apply(tx: &mut TenantTx, line_id: LineId, tapbacks: &[Tapback]) -> Result<(), Error> {
    if tapbacks.is_empty() {
        return Ok(());
    }
    let messages: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "with u as materialized (
           select distinct on (u.target, u.sender) u.target, u.sender, u.kind, u.is_removed, coalesce(u.at, app.now()) as at
             from unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[]) with ordinality u(target, sender, kind, is_removed, at, ord)
            order by u.target, u.sender, coalesce(u.at, app.now()) desc, u.ord desc),
         k as (
           insert into crm.message_reactions as r (line_id, target_guid, sender, kind, is_removed, at)
             select $1, u.target, u.sender, u.kind, u.is_removed, u.at from u
           on conflict (tenant_id, line_id, target_guid, sender) do update set kind = excluded.kind, is_removed = excluded.is_removed, at = excluded.at
             -- one that has been replaced is not what is taken back
             where r.at < excluded.at and (not excluded.is_removed or r.kind = excluded.kind)
           returning r.target_guid)
         select m.id, m.conversation_id from k join crm.messages m on m.tenant_id = app.tenant_id() and m.line_id = $1 and m.guid = k.target_guid",
    )
    .bind(line_id)
    .bind(tapbacks.iter().map(|row| row.target.as_str()).collect::<Vec<_>>())
    .bind(tapbacks.iter().map(|row| row.sender.as_str()).collect::<Vec<_>>())
    .bind(tapbacks.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>())
    .bind(tapbacks.iter().map(|row| row.is_removed).collect::<Vec<_>>())
    .bind(tapbacks.iter().map(|row| row.at).collect::<Vec<_>>())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    changes::changed(tx, messages).await
}
