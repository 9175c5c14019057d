//! Kills workers as a crash would, in turn, and has them started again at once.

use anyhow::Result;
use cli::stack::ChildHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::interval;

/// A killer at large. Dropping it ends it.
pub struct Killer {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<u32>>,
}

/// Lets it loose on the workers; without a period it does nothing.
pub fn set_loose(workers: Vec<ChildHandle>, every_s: Option<u64>) -> Killer {
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        match every_s {
            Some(seconds) => kill(&workers, Duration::from_secs(seconds), stopped).await,
            None => Ok(0),
        }
    });
    Killer { stop, task }
}

impl Killer {
    /// Ends it between two kills, and answers how many there were.
    pub async fn stop(self) -> Result<u32> {
        drop(self.stop);
        self.task.await?
    }
}

async fn kill(workers: &[ChildHandle], every: Duration, mut stopped: oneshot::Receiver<()>) -> Result<u32> {
    let mut tick = interval(every);
    tick.tick().await; // the first one comes at once
    let mut kills = 0;
    for worker in workers.iter().cycle() {
        tokio::select! {
            _ = &mut stopped => break,
            _ = tick.tick() => {
                worker.kill9().await?;
                worker.restart(Duration::ZERO).await?;
                kills += 1;
            }
        }
    }
    Ok(kills)
}
