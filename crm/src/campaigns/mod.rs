//! Campaigns: one message to each address of an audience, once.

mod audience;
mod campaign;
mod expand;
mod lifecycle;
pub mod lost;
pub mod outbox;
pub mod progress;
pub mod report;
pub mod send;

pub use audience::Audience;
pub use campaign::{Campaign, CampaignChange, NewCampaign, create, get, list, update};
pub use expand::{CancelRest, ExpandAudience};
pub use lifecycle::{Launched, cancel, launch, pause, resume};

use db::Id;

/// Marks ids of campaigns.
#[derive(Debug)]
pub enum CampaignMark {}
/// The id of a campaign.
pub type CampaignId = Id<CampaignMark>;
/// Marks ids of recipients.
#[derive(Debug)]
pub enum RecipientMark {}
/// The id of a recipient.
pub type RecipientId = Id<RecipientMark>;

/// The lane of a campaign's sends.
#[must_use]
pub fn lane_key(campaign: CampaignId) -> String {
    format!("campaign/{campaign}")
}
