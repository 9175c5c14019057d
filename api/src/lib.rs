//! HTTP and WebSocket: extract, call crm, shape the answer. The only place that stacks layers. Holds no rule of the product and no SQL.

pub mod actor;
mod boot;
pub mod extract;
mod follow;
pub mod gate;
pub mod limits;
mod live;
mod meter;
mod observe;
pub mod once;
pub mod openapi;
mod origin;
pub mod problem;
mod routes;
mod settings;
mod spa;
mod strict;
mod telemetry;
mod upload;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::FromRef,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    serve::ListenerExt,
};
use crm::App;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

pub use boot::run;
pub use openapi::document;
pub use settings::Settings;

use crate::{follow::Streams, limits::Guesses, live::Hub, meter::Meter, problem::Problem};

/// What every route works with.
#[derive(Clone)]
pub struct Api {
    /// The application.
    pub app: App,
    /// The settings of this process.
    pub settings: Arc<Settings>,
    hub: Hub,
    guesses: Arc<Guesses>,
    streams: Streams,
    meter: Arc<Meter>,
}

impl FromRef<Api> for App {
    fn from_ref(api: &Api) -> Self {
        api.app.clone()
    }
}

/// The api over an application, with default settings. Needs a runtime: the live feed's tasks start here and end with `app.stop`.
pub fn router(app: App) -> Router {
    router_with(app, Settings::default())
}

/// The api over an application.
pub fn router_with(app: App, settings: Settings) -> Router {
    telemetry::recorder();
    let hub = Hub::start(app.clone());
    let meter = Meter::start(app.clone(), &settings);
    let api =
        Api { app, settings: Arc::new(settings), hub, guesses: Arc::default(), streams: Streams::default(), meter };
    routes::all()
        .mount(&api)
        .fallback(spa::serve)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(api.clone(), observe::request))
        .with_state(api)
}

/// Serves the api on a listener until `app.stop` is cancelled; answers that are on their way are finished.
pub async fn serve(app: App, listener: TcpListener) -> std::io::Result<()> {
    let stop = app.stop.clone();
    serve_router(router(app), listener, async move { stop.cancelled().await }).await
}

async fn serve_router(
    router: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|tcp| {
        // small answers wait for nothing; a socket that refuses the option still works
        let _ = tcp.set_nodelay(true);
    });
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(stop).await
}

/// `METHOD PATH PERMISSION`, a line a route, sorted: the snapshot of routes.
#[must_use]
pub fn route_list() -> Vec<String> {
    routes::all().list()
}

async fn wrong_method() -> Problem {
    Problem::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address does not take that method",
    )
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(anyhow::anyhow!("a handler panicked: {}", text.unwrap_or("without a text"))).into_response()
}
