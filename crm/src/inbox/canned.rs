//! Canned replies: texts that a team writes again and again, found by a shortcut, with the places of templates (rules.md D15).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use super::conversations::ConversationId;
use crate::{
    Error,
    access::users::UserId,
    text::{STANDARD_VARIABLES, Template},
};

/// The id of a canned reply.
pub type CannedReplyId = Id<CannedReply>;

/// A canned reply.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct CannedReply {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: CannedReplyId,
    /// What is typed after the slash: letters, digits, _ and -.
    pub shortcut: String,
    /// The text, with places such as `{{firstName|amigo}}`.
    pub body: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// What is said of a canned reply; what is absent stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CannedReplyFields {
    /// What is typed after the slash.
    pub shortcut: Option<String>,
    /// The text.
    pub body: Option<String>,
}

/// A canned reply as it reads in one conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Rendered {
    /// The text.
    pub body: String,
}

impl CannedReplyFields {
    fn normal(self) -> Result<Self, Error> {
        let shortcut = self.shortcut.map(|shortcut| shortcut.trim().trim_start_matches('/').to_owned());
        let is_shortcut = |text: &String| {
            (1..=40).contains(&text.chars().count())
                && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
        };
        if shortcut.as_ref().is_some_and(|text| !is_shortcut(text)) {
            let message = "a shortcut has 1 to 40 letters, digits, _ or -";
            return Err(Error::invalid("shortcut", "shortcut_malformed", message));
        }
        if let Some(body) = &self.body {
            if body.chars().count() > super::write::MOST_TEXT {
                return Err(Error::invalid("body", "text_length", "a text has 1 to 10000 characters"));
            }
            template(body)?;
        }
        Ok(Self { shortcut, body: self.body })
    }
}

/// Only what every contact has: a text for all must not fail for one.
fn template(body: &str) -> Result<Template, Error> {
    let template = Template::parse(body).and_then(|template| {
        template.check(|name| STANDARD_VARIABLES.contains(&name))?;
        Ok(template)
    });
    template.map_err(|error| Error::invalid("body", error.code(), error.to_string()))
}

fn refused(error: sqlx::Error) -> Error {
    match db::constraint::violated(&error) {
        Some("canned_replies_shortcut_key") => Error::conflict("shortcut_taken", "there is a reply of that shortcut"),
        Some("canned_replies_shortcut_form") => {
            Error::invalid("shortcut", "shortcut_malformed", "a shortcut has 1 to 40 letters, digits, _ or -")
        }
        _ => error.into(),
    }
}

/// The canned replies, oldest first.
pub async fn list(tx: &mut TenantTx, page: &PageOf<CannedReplyId>) -> Result<Page<CannedReply>, Error> {
    let rows: Vec<CannedReply> = sqlx::query_as(
        "select r.id, r.shortcut, r.body, r.created_at, r.updated_at from crm.canned_replies r
          where r.tenant_id = app.tenant_id() and ($1::uuid is null or r.id > $1) order by r.id limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// Makes a canned reply.
pub async fn create(tx: &mut TenantTx, maker: UserId, fields: CannedReplyFields) -> Result<CannedReply, Error> {
    let CannedReplyFields { shortcut, body } = fields.normal()?;
    let missing = |field| move || Error::invalid(field, "missing", "a canned reply has a shortcut and a text");
    sqlx::query_as(
        "insert into crm.canned_replies (id, shortcut, body, created_by) values ($1, $2, $3, $4)
         returning id, shortcut, body, created_at, updated_at",
    )
    .bind(CannedReplyId::new())
    .bind(shortcut.ok_or_else(missing("shortcut"))?)
    .bind(body.ok_or_else(missing("body"))?)
    .bind(maker)
    .fetch_one(tx.conn())
    .await
    .map_err(refused)
}

/// Changes a canned reply.
pub async fn update(tx: &mut TenantTx, id: CannedReplyId, fields: CannedReplyFields) -> Result<CannedReply, Error> {
    let CannedReplyFields { shortcut, body } = fields.normal()?;
    sqlx::query_as(
        "update crm.canned_replies r set shortcut = coalesce($2, r.shortcut), body = coalesce($3, r.body), updated_at = app.now()
          where r.tenant_id = app.tenant_id() and r.id = $1 returning r.id, r.shortcut, r.body, r.created_at, r.updated_at",
    )
    .bind(id)
    .bind(shortcut)
    .bind(body)
    .fetch_one(tx.conn())
    .await
    .map_err(refused)
}

/// Removes a canned reply.
pub async fn delete(tx: &mut TenantTx, id: CannedReplyId) -> Result<(), Error> {
    let deleted = sqlx::query("delete from crm.canned_replies r where r.tenant_id = app.tenant_id() and r.id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    if deleted.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// The text as it reads for the contact of a conversation; without a contact its places use their fallbacks.
pub async fn render(tx: &mut TenantTx, id: CannedReplyId, conversation: ConversationId) -> Result<Rendered, Error> {
    let body: String =
        sqlx::query_scalar("select r.body from crm.canned_replies r where r.tenant_id = app.tenant_id() and r.id = $1")
            .bind(id)
            .fetch_one(tx.conn())
            .await?;
    let values: Json<BTreeMap<String, String>> = sqlx::query_scalar(
        "select jsonb_strip_nulls(jsonb_build_object('firstName', k.first_name, 'lastName', k.last_name, 'fullName', nullif(concat_ws(' ', k.first_name, k.last_name), ''),
                'phone', coalesce(k.phone, c.address), 'email', k.email, 'company', k.company, 'city', k.city, 'state', k.state))
           from crm.conversations c left join crm.contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
          where c.tenant_id = app.tenant_id() and c.id = $1",
    )
    .bind(conversation)
    .fetch_one(tx.conn())
    .await?;
    Ok(Rendered { body: template(&body)?.render(&values.0) })
}
