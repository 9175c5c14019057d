//! The worker processes of a bench: starts them, hears what they say, ends them.

use super::noop::Moment;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

const READY_WITHIN: Duration = Duration::from_secs(30);
/// Silence for so long while there is work means that something hangs.
const SILENT_AT_MOST: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(30);

/// What a worker says.
#[derive(Debug)]
pub enum Said {
    /// It claims.
    Ready,
    /// Its first job started, in nanoseconds since 1970.
    First(i64),
    /// So many of its jobs have started.
    Count { worker: usize, count: u64 },
    /// That job started.
    Started { seq: i64, at: i64 },
    /// It has ended.
    Ended,
}

/// Running worker processes.
#[derive(Debug)]
pub struct Fleet {
    children: Vec<Child>,
    said: mpsc::UnboundedReceiver<Said>,
}

impl Fleet {
    /// Starts the processes and waits until all claim. What they log goes into files of `folder`.
    pub async fn start(url: &str, folder: &Path, workers: u32, slots: usize, timed: bool) -> Result<Self> {
        let (sender, said) = mpsc::unbounded_channel();
        let mut fleet = Self { children: Vec::new(), said };
        for worker in 0..workers as usize {
            let log = File::create(folder.join(format!("worker-{worker}.log")))?;
            let mut command = Command::new(std::env::current_exe().context("finding this executable")?);
            command.args(["bench", "worker", "--slots", &slots.to_string()]).env("PALOMA_DATABASE_URL", url);
            if timed {
                command.arg("--timed");
            }
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
            let mut child = command.spawn().context("starting a worker process")?;
            if let Some(output) = child.stdout.take() {
                tokio::spawn(hear(worker, output, sender.clone()));
            }
            fleet.children.push(child);
        }
        for _ in 0..workers {
            match timeout(READY_WITHIN, fleet.said.recv()).await {
                Ok(Some(Said::Ready)) => {}
                _ => bail!("a worker process did not start"),
            }
        }
        Ok(fleet)
    }

    /// Their process ids.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().filter_map(Child::id).collect()
    }

    /// The next thing that one of them says.
    pub async fn hear(&mut self) -> Result<Said> {
        match timeout(SILENT_AT_MOST, self.said.recv()).await {
            Ok(Some(Said::Ended) | None) => bail!("a worker process ended"),
            Ok(Some(said)) => Ok(said),
            Err(_) => bail!("no worker process got any further for {SILENT_AT_MOST:?}"),
        }
    }

    /// Lets them drain and end.
    pub async fn stop(mut self) -> Result<()> {
        for child in &mut self.children {
            drop(child.stdin.take());
        }
        for child in &mut self.children {
            let status = timeout(GRACE, child.wait()).await.context("a worker process did not end")??;
            if !status.success() {
                bail!("a worker process ended with {status}");
            }
        }
        Ok(())
    }
}

async fn hear(worker: usize, output: ChildStdout, sender: mpsc::UnboundedSender<Said>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(said) = read(worker, &line) {
            // whoever listens may have had enough
            let _ = sender.send(said);
        }
    }
    let _ = sender.send(Said::Ended);
}

fn read(worker: usize, line: &str) -> Option<Said> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["READY"] => Some(Said::Ready),
        ["F", at] => Some(Said::First(at.parse::<Moment>().ok()?.0)),
        ["N", count, _] => Some(Said::Count { worker, count: count.parse().ok()? }),
        ["S", seq, at] => Some(Said::Started { seq: seq.parse().ok()?, at: at.parse::<Moment>().ok()?.0 }),
        _ => None,
    }
}
