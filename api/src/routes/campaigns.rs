//! Campaigns: made, launched, paused, resumed, cancelled, watched.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use crm::{
    Error,
    access::Permission,
    campaigns::{
        self, Audience, Campaign, CampaignChange, CampaignId, Chosen, Launched, NewCampaign, RecipientId,
        preview::{self, NewTest, Preview, Test},
        progress::{self, Progress},
        report::{self, Funnel, Recipient, Span, Which},
        schedule,
    },
    contacts::filter::ContactFilter,
};
use db::{Page, PageOf};
use futures::stream;
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

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::CampaignsView, routes!(list))
        .private(Permission::CampaignsCreate, routes!(create))
        .private(Permission::CampaignsView, routes!(get))
        .private(Permission::CampaignsEdit, routes!(update))
        .private(Permission::CampaignsView, routes!(audience))
        .private(Permission::CampaignsView, routes!(count_audience))
        .private(Permission::CampaignsView, routes!(preview))
        .private(Permission::CampaignsTestSend, routes!(test))
        .private(Permission::CampaignsLaunch, routes!(launch))
        .private(Permission::CampaignsLaunch, routes!(schedule))
        .private(Permission::CampaignsLaunch, routes!(unschedule))
        .private(Permission::CampaignsPauseResume, routes!(pause))
        .private(Permission::CampaignsPauseResume, routes!(resume))
        .private(Permission::CampaignsCancel, routes!(cancel))
        .private(Permission::CampaignsViewAnalytics, routes!(progress))
        .private(Permission::CampaignsViewAnalytics, routes!(funnel))
        .private(Permission::CampaignsViewAnalytics, routes!(rate))
        .private(Permission::CampaignsViewAnalytics, routes!(recipients))
        .export(Permission::CampaignsViewAnalytics, routes!(report_file))
}

/// The campaigns, newest first.
#[utoipa::path(get, path = "/api/v1/campaigns", tag = "campaigns", params(Paging), responses((status = 200, body = Page<Campaign>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Campaign>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(campaigns::list(&mut tx, &paging.of()?).await?))
}

/// Makes a draft.
#[utoipa::path(
    post, path = "/api/v1/campaigns", tag = "campaigns", request_body = NewCampaign,
    responses((status = 201, description = "Made", body = Campaign))
)]
async fn create(call: Call, Create { body, once }: Create<NewCampaign>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let campaign = campaigns::create(&mut tx, body).await?;
    once.created(tx, &campaign).await
}

/// A campaign.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Campaign)))]
async fn get(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Campaign>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(campaigns::get(&mut tx, id).await?))
}

/// Changes what is not launched yet, or is paused; absent fields stay, null takes away. Audience, line and hours are frozen by a launch.
#[utoipa::path(
    patch, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = Uuid, Path)), request_body = CampaignChange,
    responses((status = 200, body = Campaign))
)]
async fn update(
    call: Call,
    Path(id): Path<CampaignId>,
    Json(change): Json<CampaignChange>,
) -> Result<Json<Campaign>, Problem> {
    let mut tx = call.tx().await?;
    let campaign = campaigns::update(&mut tx, id, change).await?;
    tx.commit().await?;
    Ok(Json(campaign))
}

/// Whom a draft would reach if it were launched now, and who would be skipped for which reason; 422 where its text can't be sent.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/audience", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Audience)))]
async fn audience(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Audience>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(campaigns::check(&mut tx, id).await?))
}

/// Launches a draft and says whom it will reach; 422 with the reasons where that is nobody.
///
/// The audience is frozen by a job; `frozen_at` tells when that was done. Of parallel calls one succeeds, the others get 409.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/launch", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Launched)))]
async fn launch(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Launched>, Problem> {
    let mut tx = call.tx().await?;
    let launched = campaigns::launch(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(launched))
}

/// Pauses a campaign: within a second of the answer no call to a gateway begins any more.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/pause", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Campaign)))]
async fn pause(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Campaign>, Problem> {
    let mut tx = call.tx().await?;
    let campaign = campaigns::pause(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(campaign))
}

/// Resumes a paused campaign where it was.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/resume", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Campaign)))]
async fn resume(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Campaign>, Problem> {
    let mut tx = call.tx().await?;
    let campaign = campaigns::resume(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(campaign))
}

/// Cancels a campaign: what was not sent stays unsent, and there is no way back.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/cancel", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Campaign)))]
async fn cancel(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Campaign>, Problem> {
    let mut tx = call.tx().await?;
    let campaign = campaigns::cancel(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(campaign))
}

/// The numbers of now: recipients by state, skip reasons, causes of failures, what waits for its hours and until when, estimated finish.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/progress", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Progress)))]
async fn progress(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Progress>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(progress::shown(&mut tx, id).await?))
}

/// Narrows the recipients.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OfState {
    /// pending, sending, unknown, sent, delivered, read, failed, held, skipped or cancelled.
    state: Option<String>,
    /// Those with this cause.
    reason: Option<String>,
}

impl From<OfState> for Which {
    fn from(of: OfState) -> Self {
        Self { state: of.state, reason: of.reason }
    }
}

/// The recipients behind the numbers, in the order of the audience.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/recipients", tag = "campaigns", params(("id" = Uuid, Path), OfState, Paging),
    responses((status = 200, body = Page<Recipient>))
)]
async fn recipients(
    call: Call,
    Path(id): Path<CampaignId>,
    Query(of): Query<OfState>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Recipient>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(report::recipients(&mut tx, id, &of.into(), &paging.of()?).await?))
}

/// Whom a campaign would go to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AudienceBody {
    /// The contacts of an import.
    import_id: Option<Uuid>,
    /// The contacts of a filter; neither: all.
    filter: Option<ContactFilter>,
}

/// Counts an audience before there is a campaign: selected = eligible + the sum of the reasons.
#[utoipa::path(
    post, path = "/api/v1/campaigns/audience", tag = "campaigns", request_body = AudienceBody, responses((status = 200, body = Audience))
)]
async fn count_audience(call: Call, Json(body): Json<AudienceBody>) -> Result<Json<Audience>, Problem> {
    let mut tx = call.tx().await?;
    let chosen = Chosen::by(&mut tx, body.import_id, body.filter.as_ref()).await?;
    Ok(Json(campaigns::count(&mut tx, &chosen).await?))
}

/// A text to be shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewBody {
    /// The text, with variables.
    body: String,
    /// For whom; absent: as for one of whom nothing is known.
    contact_id: Option<Uuid>,
}

/// A text as a contact would get it, with its SMS segments and the letters that make it dearer; 422 names an unknown variable.
#[utoipa::path(
    post, path = "/api/v1/campaigns/preview", tag = "campaigns", request_body = PreviewBody, responses((status = 200, body = Preview))
)]
async fn preview(call: Call, Json(body): Json<PreviewBody>) -> Result<Json<Preview>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(preview::preview(&mut tx, &body.body, body.contact_id).await?))
}

/// Sends a text to one address to try it, as an ordinary message that no campaign counts; once for one `Idempotency-Key`.
///
/// Whoever has opted out or is blacklisted gets none: 409.
#[utoipa::path(
    post, path = "/api/v1/campaigns/test", tag = "campaigns", request_body = NewTest,
    responses((status = 201, description = "On its way", body = Test))
)]
async fn test(call: Call, Create { body, once }: Create<NewTest>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    let sent = preview::test(&mut tx, &call.caller, &body).await?;
    once.created(tx, &sent).await
}

/// When to launch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleBody {
    /// The time, with its offset: `2026-01-05T10:00:00-05:00`.
    starts_at: String,
}

/// Schedules a draft, or gives what is scheduled another time; 422 where it could not be launched now, or the time has no offset.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/schedule", tag = "campaigns", params(("id" = Uuid, Path)), request_body = ScheduleBody,
    responses((status = 200, body = Campaign))
)]
async fn schedule(
    call: Call,
    Path(id): Path<CampaignId>,
    Json(body): Json<ScheduleBody>,
) -> Result<Json<Campaign>, Problem> {
    let mut tx = call.tx().await?;
    let campaign = schedule::schedule(&mut tx, id, &body.starts_at).await?;
    tx.commit().await?;
    Ok(Json(campaign))
}

/// Makes a scheduled campaign a draft again.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/unschedule", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Campaign))
)]
async fn unschedule(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Campaign>, Problem> {
    let mut tx = call.tx().await?;
    let campaign = schedule::unschedule(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(campaign))
}

/// How many got from each step to the next, to replies and opt-outs.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/funnel", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Funnel)))]
async fn funnel(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Funnel>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(report::funnel(&mut tx, id).await?))
}

/// In which spans.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Spans {
    /// Seconds of a span, 10 to 86400; 60 by default.
    span_s: Option<i32>,
}

/// What went out over time, for a chart.
#[derive(Serialize, ToSchema)]
struct CampaignRate {
    /// Spans in their order; those in which nothing went out are left out.
    items: Vec<Span>,
}

/// What went out over time, at most the first 2,000 spans.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/rate", tag = "campaigns", params(("id" = Uuid, Path), Spans), responses((status = 200, body = CampaignRate))
)]
async fn rate(
    call: Call,
    Path(id): Path<CampaignId>,
    Query(spans): Query<Spans>,
) -> Result<Json<CampaignRate>, Problem> {
    let mut tx = call.tx().await?;
    let items = report::rate(&mut tx, id, spans.span_s.unwrap_or(60)).await?;
    Ok(Json(CampaignRate { items }))
}

/// Recipients read from the database for one piece of the file.
const REPORT_ROWS: i64 = 1_000;

/// All recipients as a CSV file, safe to open in a spreadsheet; narrowed as the list of recipients is.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/report-file", tag = "campaigns", params(("id" = Uuid, Path), OfState),
    responses((status = 200, content_type = "text/csv", body = String))
)]
async fn report_file(call: Call, Path(id): Path<CampaignId>, Query(of): Query<OfState>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    campaigns::get(&mut tx, id).await?;
    drop(tx);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"campaign-{id}.csv\"")),
    ];
    let start = (call, Which::from(of), Some(None::<RecipientId>), report::header());
    let pieces = stream::try_unfold(start, move |(call, which, place, before)| async move {
        let Some(after) = place else { return Ok(None) };
        let mut tx = call.caller.tx(&call.app).await?;
        let page = PageOf { limit: REPORT_ROWS, after };
        let rows = report::recipients(&mut tx, id, &which, &page).await?;
        drop(tx);
        let text = before + &report::lines(&rows.items);
        let next = rows.next_cursor.and(rows.items.last().map(|row| Some(row.id)));
        Ok::<_, Error>(Some((text, (call, which, next, String::new()))))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}
