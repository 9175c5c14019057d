//! The scheduler: takes the product's schedules and fires them. Any number may run.

use clap::Parser;
use crm::{App, Config, process, telemetry};

/// Fires the schedules of a Paloma installation.
#[derive(Debug, Parser)]
#[command(name = "paloma-scheduler", version)]
struct Args {
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    scrape: telemetry::Scrape,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let traces = telemetry::install_logs(args.config.log_json, "paloma-scheduler")?;
    telemetry::serve(&args.scrape)?;
    let app = App::start(args.config, "paloma-scheduler").await?;
    tokio::spawn(process::stop_on_signal(app.stop.clone()));
    tracing::info!("ready");
    jobs::schedule::run(&app.db, &crm::schedules(), app.stop.clone()).await?;
    traces.end();
    Ok(())
}
