//! The recipients behind a campaign's numbers.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Error,
    campaigns::{CampaignId, RecipientId, get},
};

/// A recipient as the API shows it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Recipient {
    /// The recipient.
    pub id: RecipientId,
    /// The contact, as long as there is one.
    pub contact_id: Option<Uuid>,
    /// The address frozen at launch.
    pub address: Option<String>,
    /// pending, sending, unknown, sent, delivered, read, failed, held, skipped or cancelled.
    pub state: String,
    /// Why, as a stable code.
    pub reason: Option<String>,
    /// The message, once a send was begun.
    pub message_id: Option<Uuid>,
    /// When it was known to be out.
    pub sent_at: Option<DateTime<Utc>>,
}

/// The recipients of a campaign in the order of the audience, narrowed to a state where one is given.
pub async fn recipients(
    tx: &mut TenantTx,
    id: CampaignId,
    state: Option<&str>,
    page: &PageOf<RecipientId>,
) -> Result<Page<Recipient>, Error> {
    get(tx, id).await?;
    let rows = sqlx::query_as(
        "select id, contact_id, address, state, reason, case when sending_at is not null then id end as message_id, sent_at from crm.recipients
          where tenant_id = app.tenant_id() and campaign_id = $1 and ($2::uuid is null or id > $2) and ($3::text is null or state = $3)
          order by id limit $4",
    )
    .bind(id)
    .bind(page.after)
    .bind(state)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row: &Recipient| row.id))
}
