//! The worker: takes the product's registry, runs the engine under apalis, drains on SIGTERM.

#[cfg(feature = "whisper")]
mod whisper;

use std::{path::PathBuf, sync::Arc};

use clap::Parser;
use crm::{App, Config, messaging::media::transcribe::Transcriber, process, queue, telemetry};
use jobs::{Engine, Settings};

/// Runs jobs of a Paloma installation.
#[derive(Debug, Parser)]
#[command(name = "paloma-worker", version)]
struct Args {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    scrape: telemetry::Scrape,
    /// Slots for calls to gateways.
    #[arg(long, env = "PALOMA_OUTBOUND_SLOTS", default_value_t = 96)]
    outbound_slots: usize,
    /// Slots for what comes in from gateways.
    #[arg(long, env = "PALOMA_INBOUND_SLOTS", default_value_t = 4)]
    inbound_slots: usize,
    /// Slots for everything short.
    #[arg(long, env = "PALOMA_DEFAULT_SLOTS", default_value_t = 8)]
    default_slots: usize,
    /// Slots for imports, which take memory; 0: this worker imports nothing.
    #[arg(long, env = "PALOMA_IMPORT_SLOTS", default_value_t = 1)]
    import_slots: usize,
    /// Slots for webhooks, whose receivers may be slow; 0: this worker leaves them to others.
    #[arg(long, env = "PALOMA_WEBHOOK_SLOTS", default_value_t = 16)]
    webhook_slots: usize,
    /// Slots for files, each of which may take a processor; 0: this worker leaves them to others.
    #[arg(long, env = "PALOMA_MEDIA_SLOTS", default_value_t = 2)]
    media_slots: usize,
    /// The model that transcribes voice messages, in whisper.cpp's form; without it this worker leaves them to others.
    #[arg(long, env = "PALOMA_WHISPER_MODEL")]
    whisper_model: Option<PathBuf>,
    /// Seconds until the jobs of a worker that has died are given to others; the same for all workers of an installation.
    #[arg(long, env = "PALOMA_LEASE_S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(3..=600))]
    lease_s: u64,
    /// Seconds that running jobs may go on after a stop was asked for.
    #[arg(long, env = "PALOMA_GRACE_S", default_value_t = 20)]
    grace_s: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let traces = telemetry::install_logs(args.config.log_json, "paloma-worker")?;
    telemetry::serve(&args.scrape)?;
    let transcriber = args.whisper_model.map(transcriber).transpose()?;
    let mut app = App::start(args.config, "paloma-worker").await?;
    app.transcriber = transcriber;
    let slots = [
        (queue::OUTBOUND, args.outbound_slots),
        (queue::INBOUND, args.inbound_slots),
        (queue::DEFAULT, args.default_slots),
        (queue::IMPORT, args.import_slots),
        (queue::MEDIA, args.media_slots),
        (queue::WEBHOOKS, args.webhook_slots),
        // one at a time: it takes all processors but one
        (queue::TRANSCRIBE, usize::from(app.transcriber.is_some())),
    ];
    let mut settings = Settings::new("worker", slots.into_iter().filter(|(_, count)| *count > 0).collect());
    settings.lease = std::time::Duration::from_secs(args.lease_s);
    settings.grace = std::time::Duration::from_secs(args.grace_s);
    let stop = app.stop.clone();
    tokio::spawn(process::stop_on_signal(stop.clone()));
    let engine = Engine::start(app.db.clone(), app, crm::registry(), settings).await?;
    tracing::info!("ready");
    jobs::apalis::run(engine, "paloma", stop).await;
    traces.end();
    Ok(())
}

#[cfg(feature = "whisper")]
fn transcriber(model: PathBuf) -> anyhow::Result<Arc<dyn Transcriber>> {
    Ok(Arc::new(whisper::Whisper::load(&model)?))
}

#[cfg(not(feature = "whisper"))]
fn transcriber(_: PathBuf) -> anyhow::Result<Arc<dyn Transcriber>> {
    anyhow::bail!("PALOMA_WHISPER_MODEL is set, and this worker can't use it: build it with --features whisper")
}
