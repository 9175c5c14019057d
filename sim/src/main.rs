//! `paloma-sim`: runs the BlueBubbles simulator, or measures it. Everything it can do is in the library.

use std::io::Write;
use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sim::bluebubbles::{Config, Server, bench};
use tokio::signal::unix::{SignalKind, signal};

/// Simulates a BlueBubbles server with a Mac behind it.
#[derive(Parser)]
#[command(name = "paloma-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Measures sends a second against itself, webhooks included.
    Bench {
        /// How many texts to send.
        #[arg(long, default_value_t = 50_000)]
        sends: u64,
        /// How many at once.
        #[arg(long, default_value_t = 32)]
        concurrency: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Profile {
    /// All delays zero.
    Instant,
    /// Delays of a healthy Mac.
    Realistic,
}

#[derive(Args)]
struct Serve {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, env = "PALOMA_SIM_LISTEN", default_value = "127.0.0.1:1234")]
    listen: SocketAddr,
    /// The server password.
    #[arg(long, env = "PALOMA_SIM_PASSWORD", default_value = "sim-password", hide_env_values = true)]
    password: String,
    /// The delays to start from.
    #[arg(long, env = "PALOMA_SIM_PROFILE", default_value = "instant")]
    profile: Profile,
    /// Major macOS version; from 26 on chat GUIDs start with `any;`.
    #[arg(long, env = "PALOMA_SIM_MACOS")]
    macos: Option<u32>,
    /// Starts without the Private API.
    #[arg(long, env = "PALOMA_SIM_NO_PRIVATE_API")]
    no_private_api: bool,
    /// Share of sends whose answer is lost after the message left.
    #[arg(long, env = "PALOMA_SIM_DROP_ANSWERS_PCT")]
    drop_answers_pct: Option<f64>,
    /// Seed of every random choice.
    #[arg(long, env = "PALOMA_SIM_SEED")]
    seed: Option<u64>,
    /// Registers a webhook for all events at start.
    #[arg(long, env = "PALOMA_SIM_WEBHOOK")]
    webhook: Option<String>,
    /// Any other knobs, as a JSON object with the names of `/_sim/config`.
    #[arg(long, env = "PALOMA_SIM_CONFIG", value_name = "JSON")]
    config: Option<String>,
}

impl Serve {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = match self.profile {
            Profile::Instant => Config::default(),
            Profile::Realistic => Config::realistic(),
        };
        if let Some(json) = &self.config {
            config = config.patched(&serde_json::from_str(json)?).map_err(anyhow::Error::msg)?;
        }
        config.password = Some(self.password.clone());
        config.macos = self.macos.unwrap_or(config.macos);
        config.private_api &= !self.no_private_api;
        config.drop_answers_pct = self.drop_answers_pct.unwrap_or(config.drop_answers_pct);
        config.seed = self.seed.unwrap_or(config.seed);
        Ok(config)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let level = std::env::var("PALOMA_SIM_LOG").ok().and_then(|text| text.parse().ok()).unwrap_or(tracing::Level::WARN);
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Bench { sends, concurrency }) => {
            print_line(&serde_json::to_value(bench(sends, concurrency).await?)?)
        }
        None => serve(&cli.serve).await,
    }
}

async fn serve(options: &Serve) -> anyhow::Result<()> {
    // Signals are caught before the ready line, so whoever reads it may stop us at once.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let server = Server::start(options.config()?, options.listen).await?;
    if let Some(url) = &options.webhook {
        server.sim().register_webhook(url, &["*"]);
    }
    let address = server.address().to_string();
    print_line(
        &serde_json::json!({"ready": true, "simulator": "bluebubbles", "address": address, "url": server.url()}),
    )?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    server.stop().await;
    Ok(())
}

fn print_line(value: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()?;
    Ok(())
}
