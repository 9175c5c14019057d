//! Counts the statements that the api of this process runs, as sqlx tells of them: an amount that can be asserted, where a time can't.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt, registry::LookupSpan};

/// How the statement begins that asks for all who listen at once.
const LOOK: &str = "with live as";

static OF_REQUESTS: AtomicUsize = AtomicUsize::new(0);
static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// Those that were run for requests so far.
pub fn of_requests() -> &'static AtomicUsize {
    count();
    &OF_REQUESTS
}

/// Those so far that looked whether whoever listens still may.
pub fn looks() -> &'static AtomicUsize {
    count();
    &LOOKS
}

/// Begins to count, once a process.
fn count() {
    static BEGUN: OnceLock<()> = OnceLock::new();
    BEGUN.get_or_init(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Statements))
            .expect("nobody else listens");
    });
}

struct Statements;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !event.metadata().target().starts_with("sqlx::query") {
            return;
        }
        let of_a_request =
            context.event_scope(event).is_some_and(|mut spans| spans.any(|span| span.name() == "http.request"));
        if of_a_request {
            OF_REQUESTS.fetch_add(1, Ordering::Relaxed);
        }
        let mut is_look = IsLook(false);
        event.record(&mut is_look);
        if is_look.0 {
            LOOKS.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct IsLook(bool);

impl Visit for IsLook {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0 |= field.name() == "summary" && value.starts_with(LOOK);
    }
}
