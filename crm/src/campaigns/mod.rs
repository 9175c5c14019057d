//! Campaigns: one message to each address of an audience, once.

mod audience;
mod campaign;
pub mod deadline;
mod expand;
pub mod hours;
mod lifecycle;
pub mod lost;
pub mod outbox;
pub mod preview;
pub mod progress;
pub mod quiet;
pub mod report;
pub mod schedule;
pub mod segments;
pub mod send;
pub mod zones;

pub use audience::{Audience, Chosen, count};
pub use campaign::{Campaign, CampaignChange, NewCampaign, Pace, Per, create, get, list, update};
pub use expand::{CancelRest, ExpandAudience, FreezeAudience};
pub use lifecycle::{Launched, cancel, check, launch, pause, resume};

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
