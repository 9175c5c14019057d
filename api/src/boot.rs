//! The start and end of the process: the port is open before anything else, so that a supervisor sees a live process while the
//! database is still coming up, and an orderly end lets answers on their way finish.

use std::{
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use crm::{App, Config};
use tokio::{net::TcpListener, sync::watch};
use tower::ServiceExt;

use crate::{Settings, router_with, serve_router, telemetry};

/// How long answers on their way may take once the process is to end.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the api until the process is asked to stop.
pub async fn run(config: Config, settings: Settings) -> anyhow::Result<()> {
    if config.operator_token.as_ref().is_some_and(|token| secrecy::ExposeSecret::expose_secret(token).len() < 32) {
        anyhow::bail!("PALOMA_OPERATOR_TOKEN must have 32 characters or more");
    }
    telemetry::recorder();
    tokio::spawn(crm::telemetry::upkeep());
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| anyhow::anyhow!("can't listen on {}: {error}", settings.listen))?;
    tracing::info!(address = %listener.local_addr()?, "listening");

    let ready = Arc::new(OnceLock::<Router>::new());
    let (stop, mut stopped) = watch::channel(false);
    let server = tokio::spawn(serve_router(front(ready.clone()), listener, async move {
        // an error means that the sender is gone, which is the end as well
        let _ = stopped.wait_for(|stop| *stop).await;
    }));
    let mut asked_to_stop = pin!(crm::process::stop_signal());
    let app = tokio::select! {
        app = start(config) => app?,
        () = &mut asked_to_stop => return Ok(()),
    };
    // set once, here
    let _ = ready.set(router_with(app.clone(), settings));
    tracing::info!("ready");
    asked_to_stop.await;
    tracing::info!("stopping");
    app.stop.cancel();
    // a receiver that is gone has stopped already
    let _ = stop.send(true);
    if tokio::time::timeout(GRACE, server).await.is_err() {
        tracing::warn!("answers were still on their way after {} s", GRACE.as_secs());
    }
    Ok(())
}

/// Starts the application; a database that does not answer yet is waited for, a wrong one is not.
async fn start(config: Config) -> anyhow::Result<App> {
    loop {
        let error = match App::start(config.clone(), "paloma-api").await {
            Ok(app) => return Ok(app),
            Err(error) => error,
        };
        if !matches!(error.downcast_ref::<db::Error>(), Some(db::Error::Sqlx(_) | db::Error::NoAnswer(_))) {
            return Err(error);
        }
        tracing::warn!(error = format!("{error:#}"), "the database does not answer yet");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Answers in place of the api until there is one.
fn front(ready: Arc<OnceLock<Router>>) -> Router {
    Router::new().fallback(move |request: Request| {
        let ready = ready.clone();
        async move {
            match ready.get() {
                Some(router) => router.clone().oneshot(request).await.into_response(),
                None => starting(&request),
            }
        }
    })
}

fn starting(request: &Request) -> Response {
    match request.uri().path() {
        "/livez" => "live\n".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "starting\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    async fn status(front: &Router, path: &str) -> StatusCode {
        front.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_process_without_its_database_is_live_and_not_ready() {
        let ready = Arc::new(OnceLock::new());
        let front = front(ready.clone());
        assert_eq!(status(&front, "/livez").await, StatusCode::OK);
        assert_eq!(status(&front, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
        ready.set(Router::new().route("/readyz", axum::routing::get(|| async {}))).unwrap();
        assert_eq!(status(&front, "/readyz").await, StatusCode::OK);
    }
}
