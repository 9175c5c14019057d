//! One supervised process. A task owns it and is the only one to signal it, so a signal never reaches a stranger that got the
//! same process id.

use super::output::{Output, Printed};
use crate::spawn::{Identity, bind, on_spawner};
use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A process that lived this long is taken to have been well.
const WELL_AFTER: Duration = Duration::from_secs(30);
/// The last words of a process may still be on their way when it has ended; a child of its own may hold the pipe for ever.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(500);

/// What happens when a process ends unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It is started again, after a pause that grows while it keeps failing.
    WithPause,
    /// Nothing, until somebody asks.
    Never,
}

/// What a process is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs under this process id.
    Running(u32),
    /// It ended unasked.
    Crashed(ExitStatus),
    /// It was asked to end, and did.
    Stopped,
}

/// A supervised process; clones mean the same one.
#[derive(Clone, Debug)]
pub struct ChildHandle {
    name: Arc<str>,
    orders: mpsc::Sender<(Order, oneshot::Sender<Result<()>>)>,
    state: watch::Receiver<State>,
    peak_kib: Arc<AtomicU64>,
    printed: Printed,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    LetEnd,
    Kill9,
    Stop(Duration),
    Restart(Duration),
}

impl ChildHandle {
    /// Its name in the output: `worker`, `worker-2` …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, if it runs.
    pub fn pid(&self) -> Option<u32> {
        match *self.state.borrow() {
            State::Running(pid) => Some(pid),
            State::Crashed(_) | State::Stopped => None,
        }
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until `wanted` is true of its state.
    pub async fn until(&self, wanted: impl FnMut(&State) -> bool) -> Result<State> {
        let mut state = self.state.clone();
        let seen = state.wait_for(wanted).await.map_err(|_| anyhow!("{} is supervised no longer", self.name))?;
        Ok(seen.clone())
    }

    /// Kills it on the spot and waits for its end. That counts as a crash.
    pub async fn kill9(&self) -> Result<()> {
        self.order(Order::Kill9).await
    }

    /// Stops it: SIGTERM, and SIGKILL if it still runs after `grace`. It stays stopped.
    pub async fn stop(&self, grace: Duration) -> Result<()> {
        self.order(Order::Stop(grace)).await
    }

    /// Stops it if it runs, and starts it.
    pub async fn restart(&self, grace: Duration) -> Result<()> {
        self.order(Order::Restart(grace)).await
    }

    /// From now on it is not started again by itself, as everything is about to stop.
    pub(super) async fn let_end(&self) -> Result<()> {
        self.order(Order::LetEnd).await
    }

    /// The most memory that it, or an earlier run of it, had resident, in MiB.
    pub fn rss_mb(&self) -> f64 {
        if let Some(pid) = self.pid() {
            note_peak(&self.peak_kib, pid);
        }
        self.peak_kib.load(Ordering::Relaxed) as f64 / 1024.0
    }

    /// What it has printed.
    pub fn printed(&self) -> &Printed {
        &self.printed
    }

    async fn order(&self, order: Order) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let gone = || anyhow!("{} is supervised no longer", self.name);
        self.orders.send((order, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Starts a process and the task that looks after it. Needs a tokio runtime, whose end kills the process.
pub fn start(name: &str, command: Command, restart: Restart, output: &Output) -> Result<ChildHandle> {
    let printed = Printed::new(name, output)?;
    let (orders, received) = mpsc::channel(8);
    let (state, watched) = watch::channel(State::Stopped);
    let peak_kib = Arc::new(AtomicU64::new(0));
    let name: Arc<str> = name.into();
    let mut keeper = Keeper {
        name: name.clone(),
        launch: Launch::of(command),
        restart,
        printed: printed.clone(),
        peak_kib: peak_kib.clone(),
        state,
        child: None,
        passing: JoinSet::new(),
        started_at: Instant::now(),
        pause: FIRST_PAUSE,
        next_start: None,
    };
    keeper.start()?;
    tokio::spawn(keeper.keep(received));
    Ok(ChildHandle { name, orders, state: watched, peak_kib, printed })
}

struct Keeper {
    name: Arc<str>,
    launch: Launch,
    restart: Restart,
    printed: Printed,
    peak_kib: Arc<AtomicU64>,
    state: watch::Sender<State>,
    child: Option<Child>,
    passing: JoinSet<()>,
    started_at: Instant,
    pause: Duration,
    next_start: Option<Instant>,
}

impl Keeper {
    async fn keep(mut self, mut orders: mpsc::Receiver<(Order, oneshot::Sender<Result<()>>)>) {
        loop {
            tokio::select! {
                status = ended(&mut self.child) => self.crashed(status).await,
                () = due(self.next_start) => {
                    if let Err(error) = self.start() {
                        tracing::error!("{} could not be started again: {error:#}", self.name);
                        self.plan_start();
                    }
                }
                order = orders.recv() => {
                    // no handle is left: dropping the child kills it
                    let Some((order, reply)) = order else { return };
                    let _ = reply.send(self.obey(order).await);
                }
            }
        }
    }

    fn start(&mut self) -> Result<()> {
        let command = self.launch.command();
        let handle = tokio::runtime::Handle::current();
        let spawned = on_spawner(move || {
            let _runtime = handle.enter();
            tokio::process::Command::from(command).kill_on_drop(true).spawn()
        });
        let mut child =
            spawned.with_context(|| format!("starting {} ({})", self.name, self.launch.program.display()))?;
        self.passing = self.printed.follow(child.stdout.take(), child.stderr.take());
        let pid = child.id().context("a process that was just started has an id")?;
        self.child = Some(child);
        self.started_at = Instant::now();
        self.next_start = None;
        self.state.send_replace(State::Running(pid));
        Ok(())
    }

    async fn crashed(&mut self, status: ExitStatus) {
        self.child = None;
        self.hear_out().await;
        self.state.send_replace(State::Crashed(status));
        if self.restart == Restart::WithPause {
            if self.started_at.elapsed() >= WELL_AFTER {
                self.pause = FIRST_PAUSE;
            }
            tracing::warn!("{} ended ({status}); starting it again in {:?}", self.name, self.pause);
            self.plan_start();
        }
    }

    fn plan_start(&mut self) {
        self.next_start = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    async fn obey(&mut self, order: Order) -> Result<()> {
        match order {
            Order::LetEnd => {
                self.restart = Restart::Never;
                self.next_start = None;
                Ok(())
            }
            Order::Kill9 => {
                if let Some(child) = &mut self.child {
                    note_child(&self.peak_kib, child);
                    child.start_kill()?;
                    let status = child.wait().await?;
                    self.crashed(status).await;
                }
                Ok(())
            }
            Order::Stop(grace) => self.stop(grace).await,
            Order::Restart(grace) => {
                self.stop(grace).await?;
                self.pause = FIRST_PAUSE;
                self.start()
            }
        }
    }

    async fn stop(&mut self, grace: Duration) -> Result<()> {
        self.next_start = None;
        if let Some(child) = &mut self.child {
            note_child(&self.peak_kib, child);
            if let Some(pid) = child.id() {
                kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM)
                    .with_context(|| format!("stopping {}", self.name))?;
            }
            if timeout(grace, child.wait()).await.is_err() {
                tracing::warn!("{} did not stop within {grace:?}: killing it", self.name);
                child.kill().await?;
            }
        }
        self.child = None;
        self.hear_out().await;
        self.state.send_replace(State::Stopped);
        Ok(())
    }

    async fn hear_out(&mut self) {
        let _ = timeout(LAST_WORDS_WITHIN, async { while self.passing.join_next().await.is_some() {} }).await;
    }
}

/// How to start the process, again and again: a `Command` that was prepared for one start cannot be cloned.
struct Launch {
    program: std::path::PathBuf,
    template: Command,
}

impl Launch {
    fn of(template: Command) -> Self {
        Self { program: template.get_program().into(), template }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.template.get_args());
        for (name, value) in self.template.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = self.template.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        bind(&mut command, Identity::Same, Signal::SIGKILL);
        command
    }
}

async fn ended(child: &mut Option<Child>) -> ExitStatus {
    match child {
        Some(child) => match child.wait().await {
            Ok(status) => status,
            Err(_) => std::future::pending().await, // nothing can be known of it any more
        },
        None => std::future::pending().await,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn note_child(peak_kib: &AtomicU64, child: &Child) {
    if let Some(pid) = child.id() {
        note_peak(peak_kib, pid);
    }
}

/// The kernel keeps the peak, but only as long as the process lives.
fn note_peak(peak_kib: &AtomicU64, pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(kib) = peak.and_then(|rest| rest.split_whitespace().next()?.parse().ok()) {
        peak_kib.fetch_max(kib, Ordering::Relaxed);
    }
}
