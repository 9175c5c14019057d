//! Ctrl-C and SIGTERM: the first asks for an orderly stop, the second ends this process at once (and the kernel then ends its
//! children, see `spawn`).

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether this process has been asked to stop.
#[derive(Clone, Debug)]
pub struct StopSignal {
    asked: watch::Receiver<bool>,
}

impl StopSignal {
    /// Listens from now on. Needs a tokio runtime.
    pub fn listen() -> Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            for time in 1.. {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if time > 1 {
                    std::process::exit(130);
                }
                ask.send_replace(true);
            }
        });
        Ok(Self { asked })
    }

    /// Waits until somebody asks.
    pub async fn requested(&self) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
