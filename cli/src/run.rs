//! `paloma run`: the whole system in the foreground for a developer, database included, until Ctrl-C. Everything it starts is a
//! real process with the settings it would have in production.

use crate::{secrets, seed};
use anyhow::{Context, Result};
use clap::Args;
use cli::cluster::{self, Cluster, DATABASE, Options, SUPERUSER};
use cli::demo_inbox::{self, Place};
use cli::print;
use cli::stack::{Output, Program, Restart, Stack, StopSignal};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Longer than a worker needs to finish what it holds.
const GRACE: Duration = Duration::from_secs(20);
const DATABASE_LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// Settings of `paloma run`; those of the programs themselves are passed on from the environment.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Address that the API listens on.
    #[arg(long, env = "PALOMA_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Address that the simulators listen on.
    #[arg(long, env = "PALOMA_SIM_LISTEN", default_value = "127.0.0.1:8081")]
    sim_listen: SocketAddr,
    /// How many workers to start.
    #[arg(long, env = "PALOMA_WORKERS", default_value_t = 1)]
    workers: usize,
    /// Leave the demo tenant's inbox empty.
    #[arg(long, env = "PALOMA_EMPTY")]
    empty: bool,
    /// A PostgreSQL of yours instead of the embedded one.
    #[arg(long, env = "PALOMA_DATABASE_URL", hide_env_values = true, requires = "owner_database_url")]
    database_url: Option<String>,
    /// The same database for a login that may create roles and tables.
    #[arg(long, env = "PALOMA_OWNER_DATABASE_URL", hide_env_values = true, requires = "database_url")]
    owner_database_url: Option<String>,
}

/// Starts everything, and stops it in order when asked to, or when the start fails.
pub async fn run(arguments: RunArguments) -> Result<()> {
    let stop = StopSignal::listen()?;
    let folder = cluster::data_folder()?;
    let mut database = tokio::select! {
        database = Database::open(&arguments, &folder) => database?,
        () = stop.requested() => return Ok(()),
    };
    let mut stack = Stack::new(Output::Prefixed, Restart::WithPause);
    let outcome = tokio::select! {
        outcome = serve(&arguments, &folder, &mut database, &mut stack) => outcome,
        () = stop.requested() => Ok(()),
    };
    eprintln!("stopping; Ctrl-C again ends it at once");
    let stopped = stack.stop(GRACE).await;
    let closed = database.close().await;
    outcome.and(stopped).and(closed)
}

async fn serve(arguments: &RunArguments, folder: &Path, database: &mut Database, stack: &mut Stack) -> Result<()> {
    for (address, setting) in [(arguments.listen, "PALOMA_LISTEN"), (arguments.sim_listen, "PALOMA_SIM_LISTEN")] {
        TcpListener::bind(address)
            .with_context(|| format!("{address} cannot be used: set {setting} to another address"))?;
    }
    db::migrate::run(&database.owner_url).await.context("migrating the database")?;
    let base_url = start_sim(arguments, stack).await?;
    let secret = from_env_or_kept("PALOMA_SECRET", folder, "secret")?;
    let operator_token = from_env_or_kept("PALOMA_OPERATOR_TOKEN", folder, "operator-token")?;
    let listen = arguments.listen.to_string();
    let address = address_of(arguments.listen);
    let env = [
        ("PALOMA_DATABASE_URL", database.url.as_str()),
        ("PALOMA_SECRET", &secret),
        ("PALOMA_PUBLIC_URL", &address),
        ("PALOMA_ALLOW_PRIVATE_GATEWAYS", "true"),  // the simulator is one
        ("PALOMA_ALLOW_PRIVATE_ADDRESSES", "true"), // a receiver of webhooks may be tried on this machine
    ];
    let of_api = [("PALOMA_LISTEN", listen.as_str()), ("PALOMA_OPERATOR_TOKEN", &operator_token)];
    let api = stack.spawn(Program::Api, &[], &[&env[..], &of_api].concat())?;
    for _ in 0..arguments.workers {
        stack.spawn(Program::Worker, &[], &env)?;
    }
    stack.spawn(Program::Scheduler, &[], &env)?;
    api.ready_at(&format!("{address}/readyz"), READY_WITHIN).await?;
    let login = seed::login(folder)?;
    let line = seed::Line { base_url: &base_url, password: seed::SIM_PASSWORD };
    let cookie = seed::seed_demo(&address, &operator_token, &line, &login).await.context("making the demo tenant")?;
    if !arguments.empty && arguments.workers > 0 {
        let place = Place { api: &address, cookie: &cookie, sim: &base_url };
        // it is there to be looked at: without it all else works
        if let Err(error) = demo_inbox::fill(&place).await {
            tracing::warn!("the demo inbox could not be filled: {error:#}");
        }
    }
    let ready =
        format!("\nPaloma is ready at {address}\n  login     {}\n  password  {}\n", login.email, login.password);
    let data = format!(
        "\nThe queue is at {address}/operations; its token is in {}.\nThe data are in {}; Ctrl-C stops everything.",
        folder.join("operator-token").display(),
        folder.display()
    );
    // it is there to serve, not to be read: a reader that has gone does not end it
    print::ended(print::line(ready + &data))?;
    database.watch().await
}

/// Starts the simulators and answers with the address of the BlueBubbles one.
async fn start_sim(arguments: &RunArguments, stack: &mut Stack) -> Result<String> {
    let listen = arguments.sim_listen.to_string();
    let env = [("PALOMA_SIM_LISTEN", listen.as_str()), ("PALOMA_SIM_PASSWORD", seed::SIM_PASSWORD)];
    let sim = stack.spawn(Program::Sim, &[], &env)?;
    let announced = sim.announcement(READY_WITHIN).await?;
    let url = announced["url"].as_str().map(str::to_owned);
    Ok(url.unwrap_or_else(|| address_of(arguments.sim_listen)))
}

/// Where to reach a server from this machine that may listen on all addresses.
fn address_of(mut listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        listen.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{listen}")
}

fn from_env_or_kept(variable: &str, folder: &Path, file: &str) -> Result<String> {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => secrets::kept(folder, file, || Ok(secrets::random())),
    }
}

/// The embedded database or somebody's own.
struct Database {
    url: String,
    owner_url: String,
    cluster: Option<Cluster>,
}

impl Database {
    async fn open(arguments: &RunArguments, folder: &Path) -> Result<Self> {
        if let (Some(url), Some(owner_url)) = (&arguments.database_url, &arguments.owner_database_url) {
            return Ok(Self { url: url.clone(), owner_url: owner_url.clone(), cluster: None });
        }
        let cluster = Cluster::start(Options::kept(PathBuf::from(folder))).await?;
        tracing::info!("{}", cluster.describe());
        let (url, owner_url) = (cluster.url("paloma", DATABASE), cluster.url(SUPERUSER, DATABASE));
        Ok(Self { url, owner_url, cluster: Some(cluster) })
    }

    /// Brings the embedded server back whenever it ends. Does not return unless that fails.
    async fn watch(&mut self) -> Result<()> {
        let Some(cluster) = &mut self.cluster else { return std::future::pending().await };
        let mut tick = tokio::time::interval(DATABASE_LOOKED_AT_EVERY);
        loop {
            tick.tick().await;
            if let Some(status) = cluster.ended() {
                tracing::warn!("the database server ended ({status}); starting it again");
                cluster.restart().await.context("starting the database server again")?;
            }
        }
    }

    async fn close(self) -> Result<()> {
        match self.cluster {
            Some(cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}
