//! Which conversations are on a page of the list: found by the one index that fits what is asked, whatever that is.

use db::{Narrow, PageOf, Scope, TenantTx};
use sqlx::{Postgres, postgres::PgArguments, query::QueryAs};
use uuid::Uuid;

use super::{
    conversations::{Assignee, Filter, Key},
    seen,
};
use crate::{Error, access::users::UserId};

type Keys<'q> = QueryAs<'q, Postgres, Key, PgArguments>;

/// So many unread conversations of a user are looked at one by one. Of more the newest are met sooner by walking, since few conversations lie between them.
const FEW_UNREAD: i64 = 500;
/// So many conversations of a label are looked at, rather than those of somebody.
const FEW_LABELLED: i64 = 2_000;
/// So many people's conversations are asked for one by one. Of more the newest are met sooner by walking, since few of others' lie between them.
const FEW_PEOPLE: usize = 200;

/// The keys of a page.
pub(super) async fn find(
    tx: &mut TenantTx,
    reader: UserId,
    filter: &Filter,
    page: &PageOf<Key>,
) -> Result<Vec<Key>, Error> {
    let narrow = tx.narrow().cloned();
    if narrow.as_ref().is_some_and(|narrow| filter.assignee.is_some_and(|assignee| !sees(narrow, assignee))) {
        return Ok(Vec::new());
    }
    if filter.is_unread && has_read_most(tx, reader).await? {
        return of_unread(tx, reader, filter, page).await;
    }
    match filter.label_id {
        // of a frequent label what is somebody's is found sooner among what is theirs; how frequent it is takes a look at each where not all are seen
        Some(label_id) if filter.assignee_id().is_some() && (narrow.is_some() || !is_rare(tx, label_id).await?) => {
            of_all(tx, reader, filter, page).await
        }
        Some(label_id) => of_label(tx, reader, label_id, filter, page).await,
        None => match narrow.filter(|narrow| filter.is_by_state() && narrow.users.len() <= FEW_PEOPLE) {
            Some(narrow) => seen::newest(tx, &narrow, filter.state, (page.after, page.fetch())).await,
            None => of_all(tx, reader, filter, page).await,
        },
    }
}

/// Whether what they have may be seen: if not, it need not be looked for.
fn sees(narrow: &Narrow, assignee: Assignee) -> bool {
    match assignee {
        Assignee::Nobody => narrow.with_unassigned,
        Assignee::User(id) => narrow.users.contains(&id.uuid()),
    }
}

/// Whether what a user has not read is little enough to be looked at whole.
async fn has_read_most(tx: &mut TenantTx, reader: UserId) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "select count(*) <= $2 from (select from crm.unreads u where u.tenant_id = app.tenant_id() and u.user_id = $1 limit $2 + 1) few",
    )
    .bind(reader)
    .bind(FEW_UNREAD)
    .fetch_one(tx.conn())
    .await?)
}

/// Whether few conversations have the label.
async fn is_rare(tx: &mut TenantTx, label_id: Uuid) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "select count(*) <= $2 from (select from crm.conversation_labels l where l.tenant_id = app.tenant_id() and l.label_id = $1 limit $2 + 1) few",
    )
    .bind(label_id)
    .bind(FEW_LABELLED)
    .fetch_one(tx.conn())
    .await?)
}

/// Begins with what is unread: a few of a million conversations are not found by walking through the others.
async fn of_unread(tx: &mut TenantTx, reader: UserId, filter: &Filter, page: &PageOf<Key>) -> Result<Vec<Key>, Error> {
    let (at, id) = page.after.unzip();
    Ok(sqlx::query_as(
        // `offset 0` keeps the look-up by its own key, whatever the planner believes to know
        "select c.last_message_at, c.id
           from (select u.conversation_id from crm.unreads u where u.tenant_id = app.tenant_id() and u.user_id = $9 offset 0) w
          cross join lateral (select x.* from crm.conversations x where x.tenant_id = app.tenant_id() and x.id = w.conversation_id offset 0) c
          where ($1::text is null or c.state = $1)
            and ($1::text is distinct from 'active' or $5 or c.snoozed_until is null or c.snoozed_until <= app.now())
            and ($2::uuid is null or c.assignee_id = $2)
            and (not $3 or c.assignee_id is null)
            and (not $4 or c.is_pinned)
            and (not $5 or c.snoozed_until is not null and c.snoozed_until > app.now())
            and ($6::uuid is null or c.line_id = $6)
            and ($7::text is null or c.service = $7)
            and ($8::uuid is null or $8 = any(array(select l.label_id from crm.conversation_labels l where l.tenant_id = app.tenant_id() and l.conversation_id = c.id)))
            and ($10::timestamptz is null or (c.last_message_at, c.id) < ($10, $11))
          order by c.last_message_at desc, c.id desc
          limit $12",
    )
    .bind(filter.state)
    .bind(filter.assignee_id())
    .bind(filter.assignee == Some(Assignee::Nobody))
    .bind(filter.is_pinned)
    .bind(filter.is_snoozed)
    .bind(filter.line_id)
    .bind(filter.service)
    .bind(filter.label_id)
    .bind(reader)
    .bind(at)
    .bind(id)
    .bind(page.fetch())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?)
}

/// Planned for each request, with the filter's values: only then does the planner see which index fits.
async fn of_all(tx: &mut TenantTx, reader: UserId, filter: &Filter, page: &PageOf<Key>) -> Result<Vec<Key>, Error> {
    let query = sqlx::query_as(
        "select c.last_message_at, c.id from crm.conversations c
          where c.tenant_id = app.tenant_id()
            and ($1::text is null or c.state = $1)
            and ($1::text is distinct from 'active' or $5 or c.snoozed_until is null or c.snoozed_until <= app.now())
            and ($2::uuid is null or c.assignee_id = $2)
            and (not $3 or c.assignee_id is null)
            and (not $4 or c.is_pinned)
            and (not $5 or c.snoozed_until is not null and c.snoozed_until > app.now())
            and ($6::uuid is null or c.line_id = $6)
            and ($7::text is null or c.service = $7)
            and (not $8 or exists (select from crm.unreads u where u.tenant_id = app.tenant_id() and u.user_id = $9 and u.conversation_id = c.id))
            and ($10::timestamptz is null or (c.last_message_at, c.id) < ($10, $11))
            and ($13::uuid is null or (select true from crm.conversation_labels l where l.tenant_id = app.tenant_id() and l.conversation_id = c.id and l.label_id = $13))
          order by c.last_message_at desc, c.id desc
          limit $12",
    );
    Ok(filtered(query, reader, filter, page).bind(filter.label_id).fetch_all(tx.conn()).await?)
}

/// The same by the label's own index, which has the times of its conversations.
async fn of_label(
    tx: &mut TenantTx,
    reader: UserId,
    label_id: Uuid,
    filter: &Filter,
    page: &PageOf<Key>,
) -> Result<Vec<Key>, Error> {
    let query = sqlx::query_as(
        "select l.last_message_at, l.conversation_id from crm.conversation_labels l
          join crm.conversations c on c.tenant_id = l.tenant_id and c.id = l.conversation_id
          where l.tenant_id = app.tenant_id() and l.label_id = $13
            and ($1::text is null or c.state = $1)
            and ($1::text is distinct from 'active' or $5 or c.snoozed_until is null or c.snoozed_until <= app.now())
            and ($2::uuid is null or c.assignee_id = $2)
            and (not $3 or c.assignee_id is null)
            and (not $4 or c.is_pinned)
            and (not $5 or c.snoozed_until is not null and c.snoozed_until > app.now())
            and ($6::uuid is null or c.line_id = $6)
            and ($7::text is null or c.service = $7)
            and (not $8 or exists (select from crm.unreads u where u.tenant_id = app.tenant_id() and u.user_id = $9 and u.conversation_id = c.id))
            and ($10::timestamptz is null or (l.last_message_at, l.conversation_id) < ($10, $11))
          order by l.last_message_at desc, l.conversation_id desc
          limit $12",
    );
    Ok(filtered(query, reader, filter, page).bind(label_id).fetch_all(tx.conn()).await?)
}

/// Gives the query the filter and the page, $1 to $12.
fn filtered<'q>(query: Keys<'q>, reader: UserId, filter: &Filter, page: &PageOf<Key>) -> Keys<'q> {
    let (at, id) = page.after.unzip();
    query
        .bind(filter.state)
        .bind(filter.assignee_id())
        .bind(filter.assignee == Some(Assignee::Nobody))
        .bind(filter.is_pinned)
        .bind(filter.is_snoozed)
        .bind(filter.line_id)
        .bind(filter.service)
        .bind(filter.is_unread)
        .bind(reader)
        .bind(at)
        .bind(id)
        .bind(page.fetch())
        .persistent(false)
}
