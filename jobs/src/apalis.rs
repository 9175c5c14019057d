//! The engine as an apalis 1.0 backend; the only file that names apalis. The backend hands out leased jobs and nothing else: it never
//! answers an error or an end, since either would stop the worker; leases, retries, limits and breakers stay with the engine.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use apalis::prelude::{Monitor, ParallelizeExt, WorkerBuilder};
use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::Task,
    worker::context::WorkerContext,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::{layer::util::Identity, util::MapFutureLayer};

use crate::{dispatch::Leased, worker::Engine};

/// The feed of an engine, as apalis polls it. Shared, so that a worker which the monitor starts again goes on with it.
#[derive(Clone)]
pub struct Feed {
    jobs: Arc<Mutex<mpsc::UnboundedReceiver<Leased>>>,
}

impl Backend for Feed {
    type Task = Task<Box<Leased>>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        match self.jobs.lock().expect("nothing panics while it polls").poll_recv(cx) {
            Poll::Ready(Some(leased)) => Poll::Ready(Some(Ok(Task::new(Box::new(leased))))),
            // an end would stop the worker before the monitor asks it to
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Feed {
    type Args = Box<Leased>;
    type Id = i64;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }
    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

/// Runs an engine under apalis' monitor until `stop`, then drains it.
///
/// The dispatch service settles by itself and always answers, so apalis sees no failure: a panic, a timeout or a poison payload is an
/// outcome of one job.
pub async fn run<S: Clone + Send + Sync + 'static>(engine: Engine<S>, name: &str, stop: CancellationToken) {
    let (jobs, dispatcher, control) = engine.into_parts();
    let feed = Feed { jobs: Arc::new(Mutex::new(jobs)) };
    let name = name.to_owned();
    let monitor = Monitor::new().register(move |_| {
        let dispatcher = dispatcher.clone();
        WorkerBuilder::new(name.as_str())
            .backend(feed.clone())
            .parallelize(tokio::spawn)
            // a run behind a pointer: spawned by value, its moves took a quarter of a busy worker's time
            .layer(MapFutureLayer::new(Box::pin))
            .build(move |leased: Box<Leased>| {
                let dispatcher = dispatcher.clone();
                async move { dispatcher.run(*leased).await }
            })
    });
    let ended = CancellationToken::new();
    let signal = ended.clone();
    let monitor = tokio::spawn(async move {
        let signal = async move {
            signal.cancelled().await;
            Ok(())
        };
        if let Err(error) = monitor.run_with_signal(signal).await {
            tracing::error!(%error, "the job loop ended");
        }
    });
    stop.cancelled().await;
    // jobs go on running under the monitor until the engine has drained
    control.drain().await;
    ended.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), monitor).await;
}
