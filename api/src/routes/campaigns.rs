//! Campaigns: made, launched, paused, resumed, cancelled, watched.

use axum::response::Response;
use crm::{
    access::Permission,
    campaigns::{
        self, Campaign, CampaignChange, CampaignId, Launched, NewCampaign,
        progress::{self, Progress},
        report::{self, Recipient},
    },
};
use db::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

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
        .private(Permission::CampaignsLaunch, routes!(launch))
        .private(Permission::CampaignsPauseResume, routes!(pause))
        .private(Permission::CampaignsPauseResume, routes!(resume))
        .private(Permission::CampaignsCancel, routes!(cancel))
        .private(Permission::CampaignsViewAnalytics, routes!(progress))
        .private(Permission::CampaignsViewAnalytics, routes!(recipients))
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

/// Changes a draft or a paused campaign; absent fields stay.
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

/// The numbers of now: recipients by state, skip reasons, causes of failures, estimated finish.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/progress", tag = "campaigns", params(("id" = Uuid, Path)), responses((status = 200, body = Progress)))]
async fn progress(call: Call, Path(id): Path<CampaignId>) -> Result<Json<Progress>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(progress::progress(&mut tx, id).await?))
}

/// Narrows the recipients.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OfState {
    /// pending, sending, unknown, sent, delivered, read, failed, held, skipped or cancelled.
    state: Option<String>,
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
    Ok(Json(report::recipients(&mut tx, id, of.state.as_deref(), &paging.of()?).await?))
}
