//! The inbox: conversations, what was said in them, and what a user has read, begun to write and does there.

use axum::{http::StatusCode, response::Response};
use crm::{
    access::Permission,
    inbox::{
        change::{self, Change},
        conversations::{self, Assignee, Conversation, ConversationId, Filter, Service, State},
        counts::{self, Counts},
        drafts::{self, Begun, Draft, Kind},
        opening,
        presence::{self, Presence},
        reach,
        reading::{self, Unread},
        thread::{self, Message, Part, Thread},
        write::{self, Reply},
    },
};
use db::{Page, PageOf};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{
    actor::Call,
    extract::{Create, Json, Paging, Path, Query},
    gate::Routes,
    problem::Problem,
};

/// The routes. What an act needs beyond looking depends on what it says, and is asked for where it is read.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ConversationsView, routes!(list))
        .private(Permission::ConversationsReply, routes!(open))
        .private(Permission::ConversationsView, routes!(count))
        .private(Permission::ConversationsReply, routes!(take_next))
        .private(Permission::ConversationsView, routes!(get, update))
        .private(Permission::ConversationsView, routes!(messages, write))
        .private(Permission::ConversationsView, routes!(read, unread))
        .private(Permission::ConversationsView, routes!(draft, put_draft, delete_draft))
        .private(Permission::ConversationsView, routes!(present, say))
}

/// Which conversations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those that stand there; active ones without those that are snoozed.
    state: Option<State>,
    /// me, none, or a user's id.
    assignee: Option<String>,
    /// Those with that label.
    label: Option<Uuid>,
    /// true: those with something unread.
    #[serde(default)]
    unread: bool,
    /// true: those that are pinned.
    #[serde(default)]
    pinned: bool,
    /// true: those that are snoozed now.
    #[serde(default)]
    snoozed: bool,
    /// Those of that line.
    line: Option<Uuid>,
    /// Those whose last message that service carried.
    service: Option<Service>,
}

impl Wanted {
    fn filter(&self, call: &Call) -> Result<Filter, Problem> {
        let assignee = match self.assignee.as_deref() {
            None | Some("") => None,
            Some("none") => Some(Assignee::Nobody),
            Some("me") => Some(Assignee::User(call.caller.user_id)),
            Some(id) => {
                let unknown = || crm::Error::invalid("assignee", "assignee_unknown", "say me, none or a user's id");
                Some(Assignee::User(id.parse().map_err(|_| unknown())?))
            }
        };
        Ok(Filter {
            state: self.state,
            assignee,
            label_id: self.label,
            is_unread: self.unread,
            is_pinned: self.pinned,
            is_snoozed: self.snoozed,
            line_id: self.line,
            service: self.service,
        })
    }
}

/// The conversations, the one with the latest message first.
#[utoipa::path(
    get, path = "/api/v1/conversations", tag = "conversations", params(Wanted, Paging),
    responses((status = 200, body = Page<Conversation>))
)]
async fn list(
    call: Call,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Conversation>>, Problem> {
    let (filter, page) = (wanted.filter(&call)?, paging.of()?);
    let mut tx = call.tx().await?;
    Ok(Json(conversations::list(&mut tx, call.caller.user_id, &filter, &page).await?))
}

/// Whom to write to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConversationBody {
    /// By which line.
    line_id: Uuid,
    /// A phone, as people write it, or an e-mail handle.
    address: String,
}

/// Finds the conversation of a line with an address, or begins it. Whoever sees their own only has what they begin, and is refused one that is
/// another's or nobody's: 409 `conversation_not_yours`.
#[utoipa::path(
    post, path = "/api/v1/conversations", tag = "conversations", request_body = ConversationBody,
    responses((status = 201, description = "Found or begun", body = Conversation))
)]
async fn open(call: Call, Create { body, once }: Create<ConversationBody>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let id = opening::open_by(&mut tx, &call.caller, body.line_id, &body.address).await?;
    let conversation = conversations::get(&mut tx, call.caller.user_id, id).await?;
    once.created(tx, &conversation).await
}

/// How many conversations each list holds.
#[utoipa::path(get, path = "/api/v1/conversations/counts", tag = "conversations", responses((status = 200, body = Counts)))]
async fn count(call: Call) -> Result<Json<Counts>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(counts::counts(&mut tx, call.caller.user_id).await?))
}

/// Takes the conversation that has waited longest: nobody's, with something unread. Of several who ask at once each gets another one.
#[utoipa::path(
    post, path = "/api/v1/conversations/next", tag = "conversations",
    responses((status = 200, body = Conversation), (status = 409, description = "Nobody waits"))
)]
async fn take_next(call: Call) -> Result<Json<Conversation>, Problem> {
    let mut tx = call.tx().await?;
    let id = change::take_next(&mut tx, &call.caller).await?;
    let conversation = conversations::get(&mut tx, call.caller.user_id, id).await?;
    tx.commit().await?;
    Ok(Json(conversation))
}

/// A conversation.
#[utoipa::path(
    get, path = "/api/v1/conversations/{id}", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Conversation))
)]
async fn get(call: Call, Path(id): Path<ConversationId>) -> Result<Json<Conversation>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(conversations::get(&mut tx, call.caller.user_id, id).await?))
}

/// Changes a conversation: each field needs its own permission. Absent fields stay, null empties.
#[utoipa::path(
    patch, path = "/api/v1/conversations/{id}", tag = "conversations", params(("id" = Uuid, Path)), request_body = Change,
    responses((status = 200, body = Conversation))
)]
async fn update(
    call: Call,
    Path(id): Path<ConversationId>,
    Json(body): Json<Change>,
) -> Result<Json<Conversation>, Problem> {
    let mut tx = call.tx().await?;
    change::change(&mut tx, &call.caller, id, body).await?;
    let conversation = conversations::get(&mut tx, call.caller.user_id, id).await?;
    tx.commit().await?;
    Ok(Json(conversation))
}

/// Which part of a conversation; one of the three, or the newest.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The `next_cursor` of another part: what is older.
    before: Option<String>,
    /// The `prev_cursor` of another part: what is newer.
    after: Option<String>,
    /// A message or note: what is on either side of it.
    around: Option<Uuid>,
    /// The same as `before`, as in other lists.
    cursor: Option<String>,
    /// How much, 1 to 200; 50 by default.
    limit: Option<i64>,
}

impl Which {
    fn part(&self) -> Result<(Part, i64), Problem> {
        let before = self.before.as_deref().or(self.cursor.as_deref()).filter(|cursor| !cursor.is_empty());
        let page = PageOf::parse(self.limit, before.or(self.after.as_deref()))?;
        let part = match (before.is_some(), page.after, self.around) {
            (_, None, None) => Part::Newest,
            (_, None, Some(id)) => Part::Around(id),
            (true, Some(key), None) => Part::Before(key),
            (false, Some(key), None) => Part::After(key),
            (_, Some(_), Some(_)) => {
                let message = "say one of before, after and around";
                return Err(crm::Error::invalid("around", "one_of_three", message).into());
            }
        };
        Ok((part, page.limit))
    }
}

/// What was said in a conversation, newest first.
#[utoipa::path(
    get, path = "/api/v1/conversations/{id}/messages", tag = "conversations", params(("id" = Uuid, Path), Which),
    responses((status = 200, body = Thread))
)]
async fn messages(
    call: Call,
    Path(id): Path<ConversationId>,
    Query(which): Query<Which>,
) -> Result<Json<Thread>, Problem> {
    let (part, limit) = which.part()?;
    let mut tx = call.tx().await?;
    Ok(Json(thread::thread(&mut tx, &call.app.keys, id, part, limit).await?))
}

/// Something to be written into a conversation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MessageBody {
    /// The text, 1 to 10,000 characters; with files there may be none.
    #[serde(default)]
    body: String,
    /// message or note.
    #[serde(default)]
    kind: Kind,
    /// Files that go with a message, 10 at most: uploads of `POST /media` by the caller, each sent once.
    #[serde(default)]
    media_ids: Vec<Uuid>,
    /// The message that it answers.
    reply_to_id: Option<Uuid>,
    /// Also to somebody who has asked for no more messages.
    #[serde(default)]
    despite_opt_out: bool,
}

/// Writes into a conversation: a reply, which is sent, or a note, which is not.
#[utoipa::path(
    post, path = "/api/v1/conversations/{id}/messages", tag = "conversations", params(("id" = Uuid, Path)), request_body = MessageBody,
    responses((status = 201, description = "Written", body = Message))
)]
async fn write(
    call: Call,
    Path(id): Path<ConversationId>,
    Create { body, once }: Create<MessageBody>,
) -> Result<Response, Problem> {
    let permission = match body.kind {
        Kind::Message => Permission::ConversationsReply,
        Kind::Note => Permission::ConversationsNote,
    };
    call.caller.require(permission)?;
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    reach::require(&mut tx, &call.caller, permission, id).await?;
    let author = call.caller.user_id;
    let MessageBody { body, kind, media_ids, reply_to_id, despite_opt_out } = body;
    let written = match kind {
        Kind::Message => {
            let reply = Reply { author, body: &body, media: &media_ids, reply_to_id, despite_opt_out };
            write::reply(&mut tx, id, reply).await?
        }
        Kind::Note if !media_ids.is_empty() => {
            return Err(crm::Error::invalid("media_ids", "media_on_note", "a note has no files").into());
        }
        Kind::Note => write::note(&mut tx, id, author, &body).await?,
    };
    let message = thread::written(&mut tx, &call.app.keys, written, !media_ids.is_empty()).await?;
    once.created(tx, &message).await
}

/// How far somebody has read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReadBody {
    /// The largest `position` that was seen.
    position: i64,
}

/// Reads a conversation up to a place; only forward.
#[utoipa::path(
    put, path = "/api/v1/conversations/{id}/read", tag = "conversations", params(("id" = Uuid, Path)), request_body = ReadBody,
    responses((status = 200, body = Unread))
)]
async fn read(call: Call, Path(id): Path<ConversationId>, Json(body): Json<ReadBody>) -> Result<Json<Unread>, Problem> {
    let mut tx = call.tx().await?;
    let unread = reading::read(&mut tx, call.caller.user_id, id, body.position).await?;
    tx.commit().await?;
    Ok(Json(unread))
}

/// Makes a conversation unread from the last message on that came in.
#[utoipa::path(
    delete, path = "/api/v1/conversations/{id}/read", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Unread))
)]
async fn unread(call: Call, Path(id): Path<ConversationId>) -> Result<Json<Unread>, Problem> {
    let mut tx = call.tx().await?;
    let unread = reading::unread(&mut tx, call.caller.user_id, id).await?;
    tx.commit().await?;
    Ok(Json(unread))
}

/// What somebody has begun to write.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftBody {
    /// The text so far; with files there may be none.
    #[serde(default)]
    body: String,
    /// message or note.
    #[serde(default)]
    kind: Kind,
    /// Uploads of the caller that are to go with it, 10 at most.
    #[serde(default)]
    media_ids: Vec<Uuid>,
}

/// The caller's own draft in a conversation.
#[utoipa::path(
    get, path = "/api/v1/conversations/{id}/draft", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Draft))
)]
async fn draft(call: Call, Path(id): Path<ConversationId>) -> Result<Json<Draft>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(drafts::get(&mut tx, &call.app.keys, call.caller.user_id, id).await?))
}

/// Keeps the caller's draft.
#[utoipa::path(
    put, path = "/api/v1/conversations/{id}/draft", tag = "conversations", params(("id" = Uuid, Path)), request_body = DraftBody,
    responses((status = 200, body = Draft))
)]
async fn put_draft(
    call: Call,
    Path(id): Path<ConversationId>,
    Json(body): Json<DraftBody>,
) -> Result<Json<Draft>, Problem> {
    let mut tx = call.tx().await?;
    let begun = Begun { kind: body.kind, body: &body.body, media: &body.media_ids };
    let draft = drafts::put(&mut tx, &call.app.keys, call.caller.user_id, id, begun).await?;
    tx.commit().await?;
    Ok(Json(draft))
}

/// Throws the caller's draft away.
#[utoipa::path(
    delete, path = "/api/v1/conversations/{id}/draft", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Gone"))
)]
async fn delete_draft(call: Call, Path(id): Path<ConversationId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    drafts::delete(&mut tx, call.caller.user_id, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What somebody does in a conversation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PresenceBody {
    /// here, typing or gone; to be said again every ten seconds.
    state: presence::State,
}

/// Who is in a conversation.
#[derive(Serialize, ToSchema)]
struct Present {
    /// The others.
    items: Vec<Presence>,
}

/// Who else is in a conversation.
#[utoipa::path(
    get, path = "/api/v1/conversations/{id}/presence", tag = "conversations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Present))
)]
async fn present(call: Call, Path(id): Path<ConversationId>) -> Result<Json<Present>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(Present { items: presence::list(&mut tx, call.caller.user_id, id).await? }))
}

/// Says what the caller does in a conversation, for 15 seconds; answers who else is there.
#[utoipa::path(
    post, path = "/api/v1/conversations/{id}/presence", tag = "conversations", params(("id" = Uuid, Path)), request_body = PresenceBody,
    responses((status = 200, body = Present))
)]
async fn say(
    call: Call,
    Path(id): Path<ConversationId>,
    Json(body): Json<PresenceBody>,
) -> Result<Json<Present>, Problem> {
    let mut tx = call.tx().await?;
    let items = presence::say(&mut tx, call.caller.user_id, id, body.state).await?;
    tx.commit().await?;
    Ok(Json(Present { items }))
}
