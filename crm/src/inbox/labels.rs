//! Labels: words in colours by which a tenant sorts its conversations.

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Error,
    events::{self, Event},
};

/// The id of a label.
pub type LabelId = Id<Label>;

/// A label.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Label {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: LabelId,
    /// The word, once in a tenant whatever its case.
    pub name: String,
    /// The colour, `#rrggbb`.
    pub color: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What is said of a label; what is absent stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelFields {
    /// The word, 1 to 60 characters.
    #[schema(min_length = 1, max_length = 60)]
    pub name: Option<String>,
    /// The colour, `#rrggbb`.
    pub color: Option<String>,
}

impl LabelFields {
    fn normal(self) -> Result<Self, Error> {
        let name = self.name.map(|name| name.trim().to_owned());
        if name.as_ref().is_some_and(|name| name.is_empty() || name.chars().count() > 60) {
            return Err(Error::invalid("name", "name_length", "a label has 1 to 60 characters"));
        }
        let color = self.color.map(|color| color.trim().to_ascii_lowercase());
        let is_color = |color: &String| {
            color.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        if color.as_ref().is_some_and(|color| !is_color(color)) {
            return Err(Error::invalid("color", "color_malformed", "a colour is written #rrggbb"));
        }
        Ok(Self { name, color })
    }
}

fn refused(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some("labels_name_key") => Error::conflict("label_exists", "there is a label of that name"),
        _ => error.into(),
    }
}

async fn tell(tx: &mut TenantTx, id: LabelId) -> Result<(), Error> {
    let tenant_id = tx.tenant_id();
    events::emit(tx, tenant_id, &Event::LabelChanged { label_id: id.uuid() }).await?;
    Ok(())
}

/// The labels, oldest first.
pub async fn list(tx: &mut TenantTx, page: &PageOf<LabelId>) -> Result<Page<Label>, Error> {
    let rows: Vec<Label> = sqlx::query_as(
        "select l.id, l.name, l.color, l.created_at from crm.labels l
          where l.tenant_id = app.tenant_id() and ($1::uuid is null or l.id > $1) order by l.id limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// Makes a label.
pub async fn create(tx: &mut TenantTx, fields: LabelFields) -> Result<Label, Error> {
    let fields = fields.normal()?;
    let name = fields.name.ok_or_else(|| Error::invalid("name", "name_length", "a label has 1 to 60 characters"))?;
    let label: Label = sqlx::query_as(
        "insert into crm.labels (id, name, color) values ($1, $2, $3) returning id, name, color, created_at",
    )
    .bind(LabelId::new())
    .bind(name)
    .bind(fields.color.as_deref().unwrap_or("#64748b"))
    .fetch_one(tx.conn())
    .await
    .map_err(refused)?;
    tell(tx, label.id).await?;
    Ok(label)
}

/// Changes a label, on all its conversations.
pub async fn update(tx: &mut TenantTx, id: LabelId, fields: LabelFields) -> Result<Label, Error> {
    let fields = fields.normal()?;
    let label: Label = sqlx::query_as(
        "update crm.labels l set name = coalesce($2, l.name), color = coalesce($3, l.color)
          where l.tenant_id = app.tenant_id() and l.id = $1 returning l.id, l.name, l.color, l.created_at",
    )
    .bind(id)
    .bind(fields.name)
    .bind(fields.color)
    .fetch_one(tx.conn())
    .await
    .map_err(refused)?;
    tell(tx, id).await?;
    Ok(label)
}

/// Removes a label, from all its conversations too.
pub async fn delete(tx: &mut TenantTx, id: LabelId) -> Result<(), Error> {
    let deleted = sqlx::query("delete from crm.labels l where l.tenant_id = app.tenant_id() and l.id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    if deleted.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    tell(tx, id).await
}
