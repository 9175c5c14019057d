//! What a demo stands on: a durable cluster and our programs as real processes, on free ports of this machine. Goes away afterwards; the
//! logs stay when something went wrong.

use crate::secrets;
use anyhow::{Context, Result};
use cli::cluster::{Cluster, DATABASE, Options, SUPERUSER};
use cli::stack::{ChildHandle, Output, Program, Restart, Stack, State};
use std::fs::Permissions;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// The password of the simulated gateway.
pub const SIM_PASSWORD: &str = "simulated";

const READY_WITHIN: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(20);

/// The stack of a demo.
pub struct Ground {
    stack: Stack,
    workers: Vec<ChildHandle>,
    api_url: String,
    sim_url: String,
    operator_token: String,
    cluster: Cluster,
    logs: TempDir,
    data: TempDir, // last: the server ends before its folder
}

impl Ground {
    /// Starts the database. It lives on a disk, not in memory: what a commit costs is part of the show.
    pub async fn lay() -> Result<Self> {
        let (data, logs) = (temporary("data")?, temporary("logs")?);
        let options = Options::kept(data.path()).set("shared_buffers", "512MB").set("max_wal_size", "4GB");
        let cluster = Cluster::start(options).await?;
        db::migrate::run(&cluster.url(SUPERUSER, DATABASE)).await.context("migrating the database")?;
        let stack = Stack::new(Output::Files(logs.path().to_owned()), Restart::Never);
        Ok(Self {
            stack,
            workers: Vec::new(),
            api_url: format!("http://{}", free_address()?),
            sim_url: String::new(),
            operator_token: secrets::random(),
            cluster,
            logs,
            data,
        })
    }

    /// Starts the programs and waits until they are ready. Only the first worker imports.
    pub async fn start(&mut self, workers: usize, drop_answers_pct: f64) -> Result<()> {
        let drop_answers_pct = drop_answers_pct.to_string();
        let of_sim = [
            ("PALOMA_SIM_LISTEN", "127.0.0.1:0"),
            ("PALOMA_SIM_PASSWORD", SIM_PASSWORD),
            ("PALOMA_SIM_DROP_ANSWERS_PCT", &drop_answers_pct),
        ];
        let sim = self.stack.spawn(Program::Sim, &[], &of_sim)?;
        let announced = sim.announcement(READY_WITHIN).await?;
        self.sim_url = announced["url"].as_str().context("the simulator says where it listens")?.to_owned();
        let (url, secret) = (self.cluster.url("paloma", DATABASE), secrets::random());
        let env = [
            ("PALOMA_DATABASE_URL", url.as_str()),
            ("PALOMA_SECRET", &secret),
            ("PALOMA_PUBLIC_URL", &self.api_url),
            ("PALOMA_ALLOW_PRIVATE_GATEWAYS", "true"), // the simulator is one
        ];
        let listen = self.api_url.trim_start_matches("http://");
        let of_api = [("PALOMA_LISTEN", listen), ("PALOMA_OPERATOR_TOKEN", &self.operator_token)];
        let api = self.stack.spawn(Program::Api, &[], &[&env[..], &of_api].concat())?;
        for worker in 0..workers {
            let slots = if worker == 0 { "1" } else { "0" };
            let env = [&env[..], &[("PALOMA_IMPORT_SLOTS", slots)]].concat();
            self.workers.push(self.stack.spawn(Program::Worker, &[], &env)?);
        }
        self.stack.spawn(Program::Scheduler, &[], &env)?;
        api.ready_at(&format!("{}/readyz", self.api_url), READY_WITHIN).await
    }

    /// Where the API answers.
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Where the simulator answers.
    pub fn sim_url(&self) -> &str {
        &self.sim_url
    }

    /// What the platform's routes ask for.
    pub fn operator_token(&self) -> &str {
        &self.operator_token
    }

    /// The workers, the importing one first.
    pub fn workers(&self) -> Vec<ChildHandle> {
        self.workers.clone()
    }

    /// The most memory that one of the `wanted` workers had resident, in MiB.
    pub fn rss_mb(&self, wanted: impl Fn(usize) -> bool) -> Option<f64> {
        let of_wanted = self.workers.iter().enumerate().filter(|(worker, _)| wanted(*worker));
        of_wanted.map(|(_, handle)| handle.rss_mb()).reduce(f64::max)
    }

    /// What the api has resident now, in MiB; the peak where that can't be told.
    pub fn api_rss_mb(&self) -> Result<f64> {
        let api = self.stack.children().find(|child| child.name() == "api").context("the api was started")?;
        let pid = api.pid().context("the api runs")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.map_or_else(|| api.rss_mb(), |kib| kib / 1024.0))
    }

    /// The programs that ended unasked.
    pub fn crashed(&self) -> Vec<String> {
        let crashed = self.stack.children().filter(|child| matches!(child.state(), State::Crashed(_)));
        crashed.map(|child| child.name().to_owned()).collect()
    }

    /// Stops all and removes everything.
    pub async fn clear(self) -> Result<()> {
        let stopped = self.stack.stop(GRACE).await;
        let closed = self.cluster.stop().await;
        stopped.and(closed)?;
        self.logs.close()?;
        Ok(self.data.close()?)
    }

    /// Shows the end of each log, says where they are, stops all and removes the data.
    pub async fn keep_logs(self) -> Result<()> {
        for child in self.stack.children() {
            let last = child.printed().last_lines();
            if !last.is_empty() {
                eprintln!("--- the end of {}.log ({:?})\n{last}", child.name(), child.state());
            }
        }
        let stopped = self.stack.stop(GRACE).await;
        let closed = self.cluster.stop().await;
        let logs = self.logs.keep();
        let of_server = self.data.path().join("postgres.log");
        if let Err(error) = std::fs::copy(&of_server, logs.join("postgres.log")) {
            tracing::warn!("{} could not be kept: {error}", of_server.display());
        }
        eprintln!("the logs are in {}", logs.display());
        stopped.and(closed)?;
        Ok(self.data.close()?)
    }
}

fn temporary(what: &str) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix(&format!("paloma-demo-{what}-")).tempdir()?;
    open_to_all(folder.path())?;
    Ok(folder)
}

/// As root the server runs as another user, who has to get in.
fn open_to_all(folder: &Path) -> Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o755))
        .with_context(|| format!("opening {} to other users", folder.display()))
}

/// A port that is free now. The API's address has to be known before it starts, as webhooks are registered under it.
fn free_address() -> Result<std::net::SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener.local_addr()?)
}
