//! Starts our own programs as real processes and looks after them: readiness, output, restarts, an orderly stop, and no
//! orphan whatever happens to the launcher. Refuses to know what the programs do or how they are configured.

mod child;
mod output;
mod readiness;
mod stop_signal;
#[cfg(test)]
mod tests;

pub use child::{ChildHandle, Restart, State};
pub use output::Output;
pub use readiness::loopback_client;
pub use stop_signal::StopSignal;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// One of our programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// HTTP and WebSocket.
    Api,
    /// Runs jobs.
    Worker,
    /// Fires schedules.
    Scheduler,
    /// The outside world, simulated.
    Sim,
}

impl Program {
    /// What it is called in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
            Self::Sim => "sim",
        }
    }

    /// Its file, which lies beside this executable, or beside the folder of a test's.
    pub fn path(self) -> Result<PathBuf> {
        let us = std::env::current_exe().context("finding this executable")?;
        let mut folder = us.parent().context("an executable lies in a folder")?;
        if folder.ends_with("deps") {
            folder = folder.parent().context("the folder of tests lies in another")?;
        }
        let path = folder.join(format!("paloma-{}", self.name()));
        if !path.is_file() {
            bail!("{} is missing: build the whole workspace first (cargo build)", path.display());
        }
        Ok(path)
    }
}

/// A set of running processes. Dropping it kills them; [`Stack::stop`] lets them finish.
#[derive(Debug)]
pub struct Stack {
    output: Output,
    restart: Restart,
    children: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    kind: String,
    handle: ChildHandle,
}

impl Stack {
    /// An empty stack. `output` says where the processes' lines go, `restart` what happens after a crash.
    pub fn new(output: Output, restart: Restart) -> Self {
        Self { output, restart, children: Vec::new() }
    }

    /// Starts one of our programs, with `env` on top of our own environment (less the database addresses in it that are not meant for them).
    pub fn spawn(&mut self, program: Program, args: &[&str], env: &[(&str, &str)]) -> Result<ChildHandle> {
        let mut command = Command::new(program.path()?);
        command.args(args).env_remove("PALOMA_OWNER_DATABASE_URL").env_remove("DATABASE_URL").envs(env.iter().copied());
        self.spawn_command(program.name(), command)
    }

    /// Starts any program; the second one of a `kind` is called `kind-2`.
    pub fn spawn_command(&mut self, kind: &str, command: Command) -> Result<ChildHandle> {
        let of_kind = self.children.iter().filter(|member| member.kind == kind).count();
        let name = if of_kind == 0 { kind.to_owned() } else { format!("{kind}-{}", of_kind + 1) };
        let handle = child::start(&name, command, self.restart, &self.output)?;
        self.children.push(Member { kind: kind.to_owned(), handle: handle.clone() });
        Ok(handle)
    }

    /// All processes, in the order of their start.
    pub fn children(&self) -> impl Iterator<Item = &ChildHandle> {
        self.children.iter().map(|member| &member.handle)
    }

    /// Stops all, last started first, those of one kind together: SIGTERM, and SIGKILL for what still runs after `grace`.
    pub async fn stop(mut self, grace: Duration) -> Result<()> {
        let mut outcome = Ok(());
        for member in &self.children {
            outcome = outcome.and(member.handle.let_end().await);
        }
        while let Some(last) = self.children.last() {
            let kind = last.kind.clone();
            let first = self.children.iter().rposition(|member| member.kind != kind).map_or(0, |other| other + 1);
            let together = self.children.split_off(first);
            let stops = together.iter().map(|member| member.handle.stop(grace));
            for stopped in futures::future::join_all(stops).await {
                outcome = outcome.and(stopped);
            }
        }
        outcome
    }
}
