//! One process of a chaos test: a worker or a scheduler. It dies with the test.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use super::kinds::{PART, Part, Reach, Role};

/// The name of the ignored test that the process is.
const ITSELF: &str = "chaos::be_a_process";

/// A running process.
pub struct Process {
    child: Child,
    /// Its number, also once it has ended.
    pub pid: i32,
}

impl Process {
    /// Starts a worker.
    pub fn worker(reach: &Reach) -> Self {
        Self::worker_with(reach, &BTreeMap::new())
    }

    /// Starts a scheduler.
    pub fn scheduler(reach: &Reach) -> Self {
        Self::of(&itself(), Role::Scheduler, reach)
    }

    /// Starts a worker with more in its environment.
    pub fn worker_with(reach: &Reach, environment: &BTreeMap<&str, String>) -> Self {
        Self::start(&itself(), Role::Worker, reach, environment)
    }

    /// Starts one of another version, whose executable of these tests that is.
    pub fn of(program: &Path, role: Role, reach: &Reach) -> Self {
        Self::start(program, role, reach, &BTreeMap::new())
    }

    fn start(program: &Path, role: Role, reach: &Reach, environment: &BTreeMap<&str, String>) -> Self {
        let part = serde_json::to_string(&Part { role, reach: reach.clone() }).expect("words are JSON");
        let child = Command::new(program)
            .args(["--exact", ITSELF, "--ignored", "--nocapture"])
            .env(PART, part)
            // the load fails and gives up jobs on purpose
            .env("RUST_LOG", "warn,jobs::dispatch=off")
            .envs(environment)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a test can run itself");
        let pid = i32::try_from(child.id().expect("it was not waited for yet")).expect("a process number");
        Self { child, pid }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid), signal).expect("the process is there");
    }

    /// Ends it as the kernel does when memory is short.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process is there");
    }

    /// Asks it to end, and waits until it has.
    pub async fn end(self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.ended().await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self) -> ExitStatus {
        tokio::time::timeout(Duration::from_secs(30), self.child.wait())
            .await
            .expect("it ends in time")
            .expect("it can be waited for")
    }
}

/// The test's own executable.
pub fn itself() -> PathBuf {
    std::env::current_exe().expect("a test has an executable")
}
