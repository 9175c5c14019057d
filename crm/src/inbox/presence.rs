//! Who else is in a conversation or types there, so that two do not answer at once. Worth something for seconds: it is told to the sockets of
//! now and written in no log, and ends by itself where nobody says it again.

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::conversations::ConversationId;
use crate::{Error, access::users::UserId, events};

/// How long it holds, in seconds.
pub const HOLDS_S: i32 = 15;
/// Said again so soon it is not told again: the others still know.
const FRESH_S: i32 = 10;

/// What somebody does in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PresenceState)]
pub enum State {
    /// Looks at it.
    Here,
    /// Writes in it.
    Typing,
    /// Has left.
    Gone,
}

/// Somebody who is in a conversation.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Presence {
    /// The user.
    pub user_id: Uuid,
    /// Their name.
    pub name: String,
    /// here or typing.
    pub state: String,
    /// Until when, unless it is said again.
    pub expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Told {
    name: String,
    is_news: bool,
    expires_at: DateTime<Utc>,
}

/// Says what a user does in a conversation; answers who else is there.
pub async fn say(tx: &mut TenantTx, user_id: UserId, id: ConversationId, state: State) -> Result<Vec<Presence>, Error> {
    let assignee = exists(tx, id).await?;
    let word = match state {
        State::Here => "here",
        State::Typing => "typing",
        State::Gone => "gone",
    };
    let told = match state {
        State::Gone => leave(tx, user_id, id).await?,
        State::Here | State::Typing => stay(tx, user_id, id, word).await?,
    };
    if let Some(told) = told.filter(|told| told.is_news) {
        let data = serde_json::json!({
            "conversation_id": id, "user_id": user_id, "name": told.name, "state": word, "expires_at": told.expires_at,
        });
        events::whisper(tx, "conversation.presence", (id.uuid(), assignee), data).await?;
    }
    others(tx, user_id, id).await
}

async fn stay(tx: &mut TenantTx, user_id: UserId, id: ConversationId, word: &str) -> Result<Option<Told>, Error> {
    Ok(sqlx::query_as(
        "with swept as (
           delete from crm.presences p where p.tenant_id = app.tenant_id() and p.user_id = $1 and p.conversation_id <> $2 and p.expires_at < app.now()),
         before as (
           select p.state, p.expires_at from crm.presences p where p.tenant_id = app.tenant_id() and p.user_id = $1 and p.conversation_id = $2),
         now as (
           insert into crm.presences (user_id, conversation_id, state, expires_at) values ($1, $2, $3, app.now() + make_interval(secs => $4))
           on conflict on constraint presences_pkey do update set state = excluded.state, expires_at = excluded.expires_at
           returning user_id, expires_at)
         select u.name, now.expires_at,
                not exists (select from before b where b.state = $3 and b.expires_at > app.now() + make_interval(secs => $5)) as is_news
           from now join crm.users u on u.tenant_id = app.tenant_id() and u.id = now.user_id",
    )
    .bind(user_id)
    .bind(id)
    .bind(word)
    .bind(f64::from(HOLDS_S))
    .bind(f64::from(FRESH_S))
    .fetch_optional(tx.conn())
    .await?)
}

async fn leave(tx: &mut TenantTx, user_id: UserId, id: ConversationId) -> Result<Option<Told>, Error> {
    Ok(sqlx::query_as(
        "with gone as (
           delete from crm.presences p where p.tenant_id = app.tenant_id() and p.user_id = $1 and p.conversation_id = $2 returning p.user_id)
         select u.name, app.now() as expires_at, true as is_news from gone join crm.users u on u.tenant_id = app.tenant_id() and u.id = gone.user_id",
    )
    .bind(user_id)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?)
}

/// Who is in a conversation, but for that user.
pub async fn list(tx: &mut TenantTx, user_id: UserId, id: ConversationId) -> Result<Vec<Presence>, Error> {
    exists(tx, id).await?;
    others(tx, user_id, id).await
}

/// Answers who has it.
async fn exists(tx: &mut TenantTx, id: ConversationId) -> Result<Option<Uuid>, Error> {
    let (assignee,): (Option<Uuid>,) = sqlx::query_as(
        "select c.assignee_id from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(assignee)
}

async fn others(tx: &mut TenantTx, user_id: UserId, id: ConversationId) -> Result<Vec<Presence>, Error> {
    Ok(sqlx::query_as(
        "select p.user_id, u.name, p.state, p.expires_at from crm.presences p join crm.users u on u.tenant_id = p.tenant_id and u.id = p.user_id
          where p.tenant_id = app.tenant_id() and p.conversation_id = $2 and p.user_id <> $1 and p.expires_at > app.now()
          order by u.name, p.user_id",
    )
    .bind(user_id)
    .bind(id)
    .fetch_all(tx.conn())
    .await?)
}
