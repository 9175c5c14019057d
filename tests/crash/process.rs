//! Real processes. They die with the test.

use std::{path::PathBuf, process::ExitStatus, process::Stdio, time::Duration};

use e2e::{Port, World, eventually};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

/// So few calls at once that a campaign of some hundreds lasts for seconds.
pub const OUTBOUND_SLOTS: usize = 4;

/// A running program, mostly a `paloma-worker`.
pub struct Process {
    child: Child,
    /// Its number, also once it has ended.
    pub pid: i32,
}

impl Process {
    /// Starts one and waits until the engine has registered it.
    pub async fn start(world: &World) -> Self {
        Self::start_with(world, &[]).await
    }

    /// The same by another way to the database and with another lease.
    pub async fn start_by(world: &World, url: &str, lease: Duration) -> Self {
        let lease = lease.as_secs().to_string();
        Self::start_with(world, &[("PALOMA_DATABASE_URL", url), ("PALOMA_LEASE_S", &lease)]).await
    }

    /// The same with more settings.
    pub async fn start_with(world: &World, settings: &[(&str, &str)]) -> Self {
        Self::registered(world, spawn(world, "paloma-worker", settings)).await
    }

    /// One that was just started, once the engine has registered it.
    pub async fn registered(world: &World, child: Child) -> Self {
        let process = Self::of(child);
        eventually("the worker is known to the engine", || process.is_registered(world)).await;
        process
    }

    /// One that was just started.
    pub fn of(child: Child) -> Self {
        let pid = i32::try_from(child.id().expect("it was not waited for yet")).expect("a process number");
        Self { child, pid }
    }

    async fn is_registered(&self, world: &World) -> bool {
        sqlx::query_scalar("select exists (select from jobs.processes where pid = $1)")
            .bind(self.pid)
            .fetch_one(&mut world.database.superuser().await)
            .await
            .expect("processes can be read")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).expect("the process is there");
    }

    /// Ends it as the kernel does when memory is short.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process is there");
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self, within: Duration) -> ExitStatus {
        tokio::time::timeout(within, self.child.wait()).await.expect("it ends in time").expect("it can be waited for")
    }
}

/// Starts a program of ours on a world's installation.
pub fn spawn(world: &World, program: &str, settings: &[(&str, &str)]) -> Child {
    Command::new(programs().join(program))
        .env("PALOMA_DATABASE_URL", world.database.url())
        .env("PALOMA_SECRET", "5a".repeat(32))
        .env("PALOMA_PUBLIC_URL", world.base())
        .env("PALOMA_ALLOW_PRIVATE_GATEWAYS", "true")
        .env("PALOMA_OUTBOUND_SLOTS", OUTBOUND_SLOTS.to_string())
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("`make crash` builds the programs first")
}

/// An address of this machine that is given to nobody else before the test's process ends.
pub fn free_address() -> String {
    let port = Port::hold();
    let address = port.address().to_string();
    std::mem::forget(port);
    address
}

/// Where the programs of this version are: beside the folder of the test's own executable.
pub fn programs() -> PathBuf {
    let test = std::env::current_exe().expect("a test has an executable");
    test.parent().and_then(std::path::Path::parent).expect("target/debug/deps/crash").to_owned()
}
