//! Saved filters: a name for a list that somebody looks at again and again, for themselves or for all.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error,
    access::{Caller, Permission, users::UserId},
};

/// The id of a saved filter.
pub type SavedFilterId = Id<SavedFilter>;

/// A saved filter.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct SavedFilter {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: SavedFilterId,
    /// Who made it.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// The name.
    pub name: String,
    /// The query of the list, as it stands in its address.
    pub query: String,
    /// Whether everybody has it.
    pub is_shared: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The filters of that user and those that are shared, oldest first.
pub async fn list(
    tx: &mut TenantTx,
    user_id: UserId,
    page: &PageOf<SavedFilterId>,
) -> Result<Page<SavedFilter>, Error> {
    let rows: Vec<SavedFilter> = sqlx::query_as(
        "select f.id, f.user_id, f.name, f.query, f.is_shared, f.created_at from crm.saved_filters f
          where f.tenant_id = app.tenant_id() and (f.is_shared or f.user_id = $1) and ($2::uuid is null or f.id > $2)
          order by f.id limit $3",
    )
    .bind(user_id)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// Saves a filter. One for everybody needs the permission to manage them.
pub async fn create(
    tx: &mut TenantTx,
    caller: &Caller,
    (name, query, is_shared): (&str, &str, bool),
) -> Result<SavedFilter, Error> {
    if is_shared {
        caller.require(Permission::ConversationsManageFilters)?;
    }
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 60 {
        return Err(Error::invalid("name", "name_length", "a filter has a name of 1 to 60 characters"));
    }
    if query.chars().count() > 1_000 {
        return Err(Error::invalid("query", "query_length", "the query of a filter has 1000 characters at most"));
    }
    let made = sqlx::query_as(
        "insert into crm.saved_filters (id, user_id, name, query, is_shared) values ($1, $2, $3, $4, $5)
         returning id, user_id, name, query, is_shared, created_at",
    )
    .bind(SavedFilterId::new())
    .bind(caller.user_id)
    .bind(name)
    .bind(query)
    .bind(is_shared)
    .fetch_one(tx.conn())
    .await;
    made.map_err(|error| match db::constraint::violated(&error) {
        Some("saved_filters_name_key") => Error::conflict("filter_exists", "you have a filter of that name"),
        _ => error.into(),
    })
}

/// Removes a filter: one's own, or with the permission a shared one. Another's own does not exist.
pub async fn delete(tx: &mut TenantTx, caller: &Caller, id: SavedFilterId) -> Result<(), Error> {
    let deleted = sqlx::query(
        "delete from crm.saved_filters f where f.tenant_id = app.tenant_id() and f.id = $1 and (f.user_id = $2 or f.is_shared and $3)",
    )
    .bind(id)
    .bind(caller.user_id)
    .bind(caller.permissions.contains(Permission::ConversationsManageFilters))
    .execute(tx.conn())
    .await?;
    if deleted.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}
