//! The recipients behind a campaign's numbers: listed, written out, counted over time and from step to step.

use chrono::{DateTime, Utc};
use db::{Page, PageOf, Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{CampaignId, RecipientId, get, progress};
use crate::{Error, contacts::import::report::write_row};

/// Spans of a chart at most.
const MOST_SPANS: i64 = 2_000;

/// A recipient as the API shows it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Recipient {
    /// The recipient.
    pub id: RecipientId,
    /// The contact, as long as there is one.
    pub contact_id: Option<Uuid>,
    /// The name frozen at launch.
    pub name: Option<String>,
    /// The address frozen at launch.
    pub address: Option<String>,
    /// pending, sending, unknown, sent, delivered, read, failed, held, skipped or cancelled.
    pub state: String,
    /// Why, as a stable code; of one that is pending, what it waits for.
    pub reason: Option<String>,
    /// When its hours of sending begin, where it waits for them.
    pub waits_until: Option<DateTime<Utc>>,
    /// The message, once a send was begun.
    pub message_id: Option<Uuid>,
    /// What carried it: imessage, sms, rcs or unknown.
    pub service: Option<String>,
    /// When it was known to be out.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it was known to have arrived.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was known to have been read.
    pub read_at: Option<DateTime<Utc>>,
}

/// Which recipients are meant; what is absent narrows nothing.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Those in this state.
    pub state: Option<String>,
    /// Those with this cause.
    pub reason: Option<String>,
}

/// The recipients of a campaign in the order of the audience.
pub async fn recipients(
    tx: &mut TenantTx,
    id: CampaignId,
    which: &Which,
    page: &PageOf<RecipientId>,
) -> Result<Page<Recipient>, Error> {
    get(tx, id).await?;
    let rows = match reasons(tx, id, which).await? {
        Some(reasons) => by_reason(tx, id, which, &reasons, page).await?,
        None => by_state(tx, id, which, page).await?,
    };
    Ok(page.finish(rows, |row: &Recipient| row.id))
}

/// The causes by which the wanted can be looked up: few recipients have one, and an index knows them. The counters tell which there are.
async fn reasons(tx: &mut TenantTx, id: CampaignId, which: &Which) -> Result<Option<Vec<String>>, Error> {
    if let Some(reason) = &which.reason {
        return Ok(Some(vec![reason.clone()]));
    }
    let Some(state @ ("failed" | "held" | "unknown" | "skipped")) = which.state.as_deref() else { return Ok(None) };
    let reasons: Vec<String> = sqlx::query_scalar(
        "select c.reason from crm.campaign_counts c where c.tenant_id = app.tenant_id() and c.campaign_id = $1 and c.state = $2
          union select d.reason from crm.campaign_deltas d where d.tenant_id = app.tenant_id() and d.campaign_id = $1 and d.state = $2",
    )
    .bind(id)
    .bind(state)
    .fetch_all(tx.conn())
    .await?;
    Ok((!reasons.iter().any(String::is_empty)).then_some(reasons))
}

async fn by_reason(
    tx: &mut TenantTx,
    id: CampaignId,
    which: &Which,
    reasons: &[String],
    page: &PageOf<RecipientId>,
) -> Result<Vec<Recipient>, Error> {
    let rows = sqlx::query_as(
        "select r.id, r.contact_id, r.variables ->> 'fullName' as name, r.address, r.state, r.reason,
                case when r.state = 'pending' then r.waits_until end as waits_until, m.id as message_id, m.service, r.sent_at, m.delivered_at, m.read_at
           from unnest($2::text[]) u(reason)
          cross join lateral (
            select x.* from crm.recipients x
             where x.tenant_id = app.tenant_id() and x.campaign_id = $1 and x.reason = u.reason
               and ($3::uuid is null or x.id > $3) and ($4::text is null or x.state = $4)
             order by x.id limit $5) r
           left join crm.messages m on m.tenant_id = r.tenant_id and m.id = r.id and r.sending_at is not null
          order by r.id limit $5",
    )
    .bind(id)
    .bind(reasons)
    .bind(page.after)
    .bind(&which.state)
    .bind(page.fetch())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

async fn by_state(
    tx: &mut TenantTx,
    id: CampaignId,
    which: &Which,
    page: &PageOf<RecipientId>,
) -> Result<Vec<Recipient>, Error> {
    let rows = sqlx::query_as(
        "select r.id, r.contact_id, r.variables ->> 'fullName' as name, r.address, r.state, r.reason,
                case when r.state = 'pending' then r.waits_until end as waits_until, m.id as message_id, m.service, r.sent_at, m.delivered_at, m.read_at
           from (select x.* from crm.recipients x
                  where x.tenant_id = app.tenant_id() and x.campaign_id = $1 and ($2::uuid is null or x.id > $2) and ($3::text is null or x.state = $3)
                  order by x.id limit $4) r
           left join crm.messages m on m.tenant_id = r.tenant_id and m.id = r.id and r.sending_at is not null
          order by r.id",
    )
    .bind(id)
    .bind(page.after)
    .bind(&which.state)
    .bind(page.fetch())
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// What went out in a span of time.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = SentSpan)]
pub struct Span {
    /// Its beginning.
    pub at: DateTime<Utc>,
    /// Messages that were found to be out within it.
    pub count: i64,
}

/// What went out over time, in spans of so many seconds; spans in which nothing did are left out.
pub async fn rate(tx: &mut TenantTx, id: CampaignId, span_s: i32) -> Result<Vec<Span>, Error> {
    get(tx, id).await?;
    let spans = sqlx::query_as(
        "select date_bin(make_interval(secs => $2), r.at, 'epoch'::timestamptz) as at, sum(r.count)::bigint as count
           from crm.campaign_rates r where r.tenant_id = app.tenant_id() and r.campaign_id = $1 group by 1 order by 1 limit $3",
    )
    .bind(id)
    .bind(f64::from(span_s.clamp(10, 86_400)))
    .bind(MOST_SPANS)
    .fetch_all(tx.conn())
    .await?;
    Ok(spans)
}

/// How many got from each step to the next. A later step is counted in those before it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CampaignFunnel)]
pub struct Funnel {
    /// Contacts chosen at launch.
    pub selected: i64,
    /// Those that were to get the message.
    pub eligible: i64,
    /// Those it went out to.
    pub sent: i64,
    /// Those it arrived at.
    pub delivered: i64,
    /// Those who read it; none where no service that it went by tells.
    pub read: Option<i64>,
    /// Those who wrote something after it.
    pub replied: i64,
    /// Those who have opted out since.
    pub opted_out: i64,
    /// Those it could not be sent to.
    pub failed: i64,
}

/// The steps of a campaign.
pub async fn funnel(tx: &mut TenantTx, id: CampaignId) -> Result<Funnel, Error> {
    let campaign = get(tx, id).await?;
    let now = progress::progress(tx, id).await?;
    let count = |state: &str| now.counts.get(state).copied().unwrap_or(0);
    let (replied, opted_out, tells): (i64, i64, bool) = sqlx::query_as(
        "with r as materialized (
           select x.id, x.address, x.sent_at from crm.recipients x where x.tenant_id = app.tenant_id() and x.campaign_id = $1 and x.sent_at is not null)
         select (select count(*) from r
                   join crm.conversations c on c.tenant_id = app.tenant_id() and c.line_id = $2 and c.address = r.address
                  where exists (select from crm.messages m where m.tenant_id = app.tenant_id() and m.conversation_id = c.id and m.direction = 'inbound' and m.created_at > r.sent_at)),
                (select count(*) from r
                   join crm.suppressions s on s.tenant_id = app.tenant_id() and s.address = r.address and s.reason = 'opted_out' and s.created_at >= r.sent_at),
                exists (select from r join crm.messages m on m.tenant_id = app.tenant_id() and m.id = r.id where m.service in ('imessage', 'rcs'))",
    )
    .bind(id)
    .bind(campaign.line_id)
    .persistent(false)
    .fetch_one(tx.conn())
    .await?;
    let read = count("read");
    let delivered = count("delivered") + read;
    Ok(Funnel {
        selected: now.selected,
        eligible: now.eligible,
        sent: count("sent") + delivered,
        delivered,
        read: (tells || read > 0).then_some(read),
        replied,
        opted_out,
        failed: count("failed"),
    })
}

/// The first line of a report, with the mark by which Excel knows UTF-8.
#[must_use]
pub fn header() -> String {
    let names = "recipient_id,contact_id,name,address,state,reason,waits_until,service,sent_at,delivered_at,read_at";
    format!("\u{feff}{names}\r\n")
}

/// The lines of these recipients, safe to open in a spreadsheet.
#[must_use]
pub fn lines(recipients: &[Recipient]) -> String {
    let mut out = String::new();
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    for recipient in recipients {
        let cells = [
            recipient.id.to_string(),
            recipient.contact_id.map(|id| id.to_string()).unwrap_or_default(),
            recipient.name.clone().unwrap_or_default(),
            recipient.address.clone().unwrap_or_default(),
            recipient.state.clone(),
            recipient.reason.clone().unwrap_or_default(),
            time(recipient.waits_until),
            recipient.service.clone().unwrap_or_default(),
            time(recipient.sent_at),
            time(recipient.delivered_at),
            time(recipient.read_at),
        ];
        write_row(&mut out, cells.iter().map(String::as_str));
    }
    out
}
