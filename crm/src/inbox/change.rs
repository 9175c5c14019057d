//! What people do with a conversation: take and give it, close, put aside, pin, label. Everything of one request is one change.

use chrono::{DateTime, TimeDelta, Utc};
use db::{Scope, TenantTx};
use jobs::{Cx, Done, Enqueue, Job, JobResult, Queue, Tenant};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    conversations::{ConversationId, State},
    said,
};
use crate::{
    App, Error,
    access::{Caller, Permission, users::UserId},
    events::{self, Event},
    queue,
};

/// Labels of one conversation at most.
const MOST_LABELS: usize = 20;
/// How far ahead a conversation may be put off.
const MOST_SNOOZE: TimeDelta = TimeDelta::days(366);

/// What is to become of a conversation: an absent field says nothing, null empties it.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ConversationChange)]
pub struct Change {
    /// Where it stands from now on.
    pub state: Option<State>,
    /// Who has it. Whoever may reply may take one that nobody has, and give their own back.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<Uuid>)]
    pub assignee_id: Option<Option<UserId>>,
    /// Whether it is kept at hand, for everybody.
    pub is_pinned: Option<bool>,
    /// All its labels.
    pub label_ids: Option<Vec<Uuid>>,
    /// Out of sight until then, or until something comes in.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub snoozed_until: Option<Option<DateTime<Utc>>>,
}

/// Changes a conversation as far as the caller may.
pub async fn change(tx: &mut TenantTx, caller: &Caller, id: ConversationId, change: Change) -> Result<(), Error> {
    // users before conversations, as where one is deactivated
    if let Some(Some(user_id)) = change.assignee_id {
        can_have_work(tx, user_id).await?;
    }
    let held: Option<(Option<UserId>,)> = sqlx::query_as(
        "select c.assignee_id from crm.conversations c where c.tenant_id = app.tenant_id() and c.id = $1 for no key update",
    )
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    let (assignee,) = held.ok_or(Error::NotFound)?;
    may(caller, assignee, &change)?;
    let is_moved = change.assignee_id.is_some_and(|wanted| wanted != assignee);
    if is_moved {
        // whoever gives it away may see it no more once it is done, and it is done all the same
        tx.see_all().await?;
    }
    let now = tx.now();
    if let Some(Some(until)) = change.snoozed_until
        && (until <= now || until > now + MOST_SNOOZE)
    {
        return Err(Error::invalid(
            "snoozed_until",
            "snooze_range",
            "a conversation is put off to a time within a year",
        ));
    }
    // what is closed or put away does not come back at a time
    let ends_snooze = change.state.is_some_and(|state| state != State::Active) && change.snoozed_until.is_none();
    sqlx::query(
        "update crm.conversations c set
             state = coalesce($2, c.state),
             assignee_id = case when $3 then $4 else c.assignee_id end,
             is_pinned = coalesce($5, c.is_pinned),
             snoozed_until = case when $6 then $7 else c.snoozed_until end
          where c.tenant_id = app.tenant_id() and c.id = $1",
    )
    .bind(id)
    .bind(change.state)
    .bind(change.assignee_id.is_some())
    .bind(change.assignee_id.flatten())
    .bind(change.is_pinned)
    .bind(change.snoozed_until.is_some() || ends_snooze)
    .bind(change.snoozed_until.flatten())
    .execute(tx.conn())
    .await?;
    if let Some(label_ids) = change.label_ids {
        set_labels(tx, id, label_ids).await?;
    }
    if let Some(Some(until)) = change.snoozed_until {
        Enqueue::<App, Wake>::new().run_at(until).one(tx, &Wake { conversation_id: id }).await?;
    }
    if is_moved { tell_moved(tx, id, assignee).await } else { tell(tx, id).await }
}

fn may(caller: &Caller, assignee: Option<UserId>, change: &Change) -> Result<(), Error> {
    if change.state.is_some() || change.snoozed_until.is_some() || change.label_ids.is_some() {
        caller.require_of(Permission::ConversationsChangeState, assignee)?;
    }
    if change.is_pinned.is_some() {
        caller.require_of(Permission::ConversationsPinShared, assignee)?;
    }
    if let Some(wanted) = change.assignee_id {
        let me = Some(caller.user_id);
        let is_own = (assignee.is_none() && wanted == me) || (assignee == me && (wanted.is_none() || wanted == me));
        if !(is_own && caller.permissions.contains(Permission::ConversationsReply)) {
            caller.require_of(Permission::ConversationsAssign, assignee)?;
        }
    }
    Ok(())
}

/// The lock makes a user who is being deactivated leave either before, and then gets nothing, or after, and then gives this back too.
pub(super) async fn can_have_work(tx: &mut TenantTx, user_id: UserId) -> Result<(), Error> {
    let found: Option<bool> = sqlx::query_scalar(
        "select u.disabled_at is null from crm.users u where u.tenant_id = app.tenant_id() and u.id = $1 for share",
    )
    .bind(user_id)
    .fetch_optional(tx.conn())
    .await?;
    match found {
        Some(true) => Ok(()),
        Some(false) | None => {
            Err(Error::invalid("assignee_id", "assignee_unknown", "there is no active user of that id"))
        }
    }
}

async fn set_labels(tx: &mut TenantTx, id: ConversationId, mut label_ids: Vec<Uuid>) -> Result<(), Error> {
    label_ids.sort_unstable();
    label_ids.dedup();
    if label_ids.len() > MOST_LABELS {
        let message = format!("a conversation has {MOST_LABELS} labels at most");
        return Err(Error::invalid("label_ids", "too_many_labels", message));
    }
    sqlx::query(
        "delete from crm.conversation_labels l where l.tenant_id = app.tenant_id() and l.conversation_id = $1 and l.label_id <> all($2)",
    )
    .bind(id)
    .bind(&label_ids)
    .execute(tx.conn())
    .await?;
    let added = sqlx::query(
        "insert into crm.conversation_labels (conversation_id, label_id, last_message_at)
           select c.id, u.label_id, c.last_message_at from crm.conversations c cross join unnest($2::uuid[]) u(label_id)
            where c.tenant_id = app.tenant_id() and c.id = $1
         on conflict on constraint conversation_labels_pkey do nothing",
    )
    .bind(id)
    .bind(&label_ids)
    .execute(tx.conn())
    .await;
    added.map_err(|error| match db::constraint::violated(&error) {
        Some("conversation_labels_label") => {
            Error::invalid("label_ids", "label_unknown", "there is no label of that id")
        }
        _ => error.into(),
    })?;
    sqlx::query("update crm.conversations c set is_labelled = $2 where c.tenant_id = app.tenant_id() and c.id = $1 and c.is_labelled <> $2")
        .bind(id)
        .bind(!label_ids.is_empty())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn tell(tx: &mut TenantTx, id: ConversationId) -> Result<(), Error> {
    let tenant_id = tx.tenant_id();
    events::emit(tx, tenant_id, &Event::ConversationUpdated { conversation_id: id.uuid() }).await?;
    Ok(())
}

/// The same of one that is somebody else's now: whoever may see it no more has to hear of it once, or it would stay in their lists.
async fn tell_moved(tx: &mut TenantTx, id: ConversationId, former: Option<UserId>) -> Result<(), Error> {
    let (tenant_id, event) = (tx.tenant_id(), Event::ConversationUpdated { conversation_id: id.uuid() });
    events::emit_moved(tx, tenant_id, former.map(UserId::uuid), &event).await?;
    Ok(())
}

/// A conversation that was put off comes back: lists know by the time alone, this tells those who look.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wake {
    /// The conversation.
    pub conversation_id: ConversationId,
}

impl Job<App> for Wake {
    type Scope = Tenant;
    const KIND: &'static str = "inbox.wake";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let mut tx = cx.tx().await?;
        // it may have been put off again meanwhile, or have come back by itself
        let woken = sqlx::query(
            "update crm.conversations c set snoozed_until = null
              where c.tenant_id = app.tenant_id() and c.id = $1 and c.snoozed_until <= app.now()",
        )
        .bind(self.conversation_id)
        .execute(tx.conn())
        .await?;
        if woken.rows_affected() > 0 {
            tell(&mut tx, self.conversation_id).await?;
        }
        Ok(Done::with(tx))
    }
}

/// Takes all conversations from somebody who is gone, with a line in each that says so: what comes in next would wait for nobody.
pub(crate) async fn release(tx: &mut TenantTx, user_id: UserId, name: &str) -> Result<(), Error> {
    let released: Vec<Uuid> = sqlx::query_scalar(
        "with held as materialized (
           select c.id from crm.conversations c where c.tenant_id = app.tenant_id() and c.assignee_id = $1 order by c.id for no key update)
         update crm.conversations c set assignee_id = null from held where c.tenant_id = app.tenant_id() and c.id = held.id
         returning c.id",
    )
    .bind(user_id)
    .fetch_all(tx.conn())
    .await?;
    sqlx::query(
        "insert into crm.notes (id, conversation_id, body, reason)
           select u.id, u.conversation_id, $3, 'assignee_deactivated' from unnest($1::uuid[], $2::uuid[]) u(id, conversation_id)",
    )
    .bind(released.iter().map(|_| ConversationId::new().uuid()).collect::<Vec<_>>())
    .bind(&released)
    .bind(name)
    .execute(tx.conn())
    .await?;
    for id in released {
        tell(tx, id.into()).await?;
    }
    Ok(())
}

/// Gives a contact's conversations to another.
pub(crate) async fn hand_over(tx: &mut TenantTx, kept: Uuid, gone: Uuid) -> Result<(), Error> {
    let moved: Vec<Uuid> = sqlx::query_scalar(
        "with held as materialized (
           select c.id from crm.conversations c where c.tenant_id = app.tenant_id() and c.contact_id = $2 order by c.id for no key update)
         update crm.conversations c set contact_id = $1 from held where c.tenant_id = app.tenant_id() and c.id = held.id
         returning c.id",
    )
    .bind(kept)
    .bind(gone)
    .fetch_all(tx.conn())
    .await?;
    for id in moved {
        tell(tx, id.into()).await?;
    }
    Ok(())
}

/// Gives the caller the conversation that has waited longest: active, nobody's, with something that they have not read. Of several who ask at
/// once each gets another one. Also whoever does not see those that wait may take the next one: by then it is theirs.
pub async fn take_next(tx: &mut TenantTx, caller: &Caller) -> Result<ConversationId, Error> {
    tx.see_all().await?;
    can_have_work(tx, caller.user_id).await?;
    let taken: Option<ConversationId> = sqlx::query_scalar(
        "with next as materialized (
           select c.id from crm.unreads u join crm.conversations c on c.tenant_id = u.tenant_id and c.id = u.conversation_id
            where u.tenant_id = app.tenant_id() and u.user_id = $1 and u.assignee_id is null
              and c.assignee_id is null and c.state = 'active' and (c.snoozed_until is null or c.snoozed_until <= app.now())
            order by c.last_message_at, c.id limit 1 for no key update of c skip locked)
         update crm.conversations c set assignee_id = $1 from next where c.tenant_id = app.tenant_id() and c.id = next.id
         returning c.id",
    )
    .bind(caller.user_id)
    .fetch_optional(tx.conn())
    .await?;
    let id = taken.ok_or_else(|| Error::conflict("nothing_waits", "no conversation waits for somebody"))?;
    tell_moved(tx, id, None).await?;
    Ok(id)
}
