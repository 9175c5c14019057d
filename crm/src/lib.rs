//! The product: one folder per feature, the job registry, and the start-up of a process. Knows nothing of HTTP.

pub mod access;
pub mod campaigns;
pub mod contacts;
mod error;
pub mod events;
mod groups;
pub mod inbox;
pub mod intake;
pub mod messaging;
pub mod phone;
pub mod privacy;
pub mod process;
pub mod queue;
mod reactions;
pub mod secrets;
pub mod telemetry;
pub mod tenancy;
pub mod text;
pub mod webhooks;

pub use error::Error;
pub use process::{App, Config};

/// Every job kind there is. Two of one name are refused at start-up.
#[must_use]
pub fn registry() -> jobs::Registry<App> {
    jobs::Registry::new()
        .add::<access::Prune>()
        .add::<campaigns::CancelRest>()
        .add::<campaigns::ExpandAudience>()
        .add::<campaigns::FreezeAudience>()
        .add::<campaigns::deadline::EndCampaign>()
        .add::<campaigns::lost::FollowSends>()
        .add::<campaigns::progress::CampaignProgress>()
        .add::<campaigns::schedule::LaunchScheduled>()
        .add::<campaigns::send::SendInTime>()
        .add::<campaigns::send::SendToRecipient>()
        .add::<contacts::bulk::EndBulk>()
        .add::<contacts::bulk::RunBulk>()
        .add::<contacts::import::EndImport>()
        .add::<contacts::import::RunImport>()
        .add::<events::Prune>()
        .add::<inbox::change::Wake>()
        .add::<inbox::counts::Fold>()
        .add::<messaging::changes::ReadAgain>()
        .add::<messaging::health::CheckHooks>()
        .add::<messaging::inbound::Ingest>()
        .add::<messaging::lines::RegisterHook>()
        .add::<messaging::lost::FollowJobs>()
        .add::<messaging::media::fetch::Fetch>()
        .add::<messaging::media::prepare::Prepare>()
        .add::<messaging::media::transcribe::FollowTranscripts>()
        .add::<messaging::media::transcribe::Transcribe>()
        .add::<messaging::media::transcribe::TranscribeMissed>()
        .add::<messaging::media::upload::PruneUploads>()
        .add::<messaging::send::SendAsSms>()
        .add::<messaging::send::SendMessage>()
        .add::<messaging::typing::MarkRead>()
        .add::<messaging::typing::ShowTyping>()
        .add::<messaging::sweep::Sweep>()
        .add::<messaging::sweep::SweepLines>()
        .add::<privacy::EndRequest>()
        .add::<privacy::EraseContact>()
        .add::<privacy::ExportContact>()
        .add::<privacy::Prune>()
        .add::<privacy::SweepFiles>()
        .add::<secrets::Rotate>()
        .add::<webhooks::deliver::Deliver>()
        .add::<webhooks::lost::FollowDeliveries>()
        .add::<webhooks::prune::Prune>()
        .add::<tenancy::usage::FoldUsage>()
}

/// Every schedule there is.
#[must_use]
pub fn schedules() -> Vec<jobs::schedule::Schedule> {
    use jobs::schedule::{Overlap, Schedule};
    vec![
        Schedule::new::<App, _>("access.prune", "17 * * * *", chrono_tz::UTC, access::Prune {}),
        Schedule::new::<App, _>("events.prune", "47 * * * *", chrono_tz::UTC, events::Prune {}),
        Schedule::new::<App, _>("inbox.fold", "* * * * *", chrono_tz::UTC, inbox::counts::Fold {}),
        Schedule::new::<App, _>(
            "messaging.check_hooks",
            "*/10 * * * *",
            chrono_tz::UTC,
            messaging::health::CheckHooks {},
        ),
        Schedule::new::<App, _>(
            "messaging.prune_uploads",
            "27 * * * *",
            chrono_tz::UTC,
            messaging::media::upload::PruneUploads {},
        ),
        Schedule::new::<App, _>(
            "messaging.transcribe_missed",
            "*/5 * * * *",
            chrono_tz::UTC,
            messaging::media::transcribe::TranscribeMissed {},
        ),
        Schedule::new::<App, _>("privacy.prune", "37 * * * *", chrono_tz::UTC, privacy::Prune {}),
        // one that runs may have looked before what this one is for
        Schedule::new::<App, _>("messaging.sweep_lines", "* * * * *", chrono_tz::UTC, messaging::sweep::SweepLines {})
            .overlap(Overlap::Queue),
        Schedule::new::<App, _>("secrets.rotate", "7 * * * *", chrono_tz::UTC, secrets::Rotate {}),
        Schedule::new::<App, _>("webhooks.prune", "37 * * * *", chrono_tz::UTC, webhooks::prune::Prune {}),
        Schedule::new::<App, _>("tenancy.fold_usage", "* * * * *", chrono_tz::UTC, tenancy::usage::FoldUsage {}),
    ]
}

/// The schedule of that name, as it is declared.
#[must_use]
pub fn schedule(name: &str) -> Option<jobs::schedule::Schedule> {
    schedules().into_iter().find(|schedule| schedule.name() == name)
}
