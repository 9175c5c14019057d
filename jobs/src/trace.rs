//! Where a job came from: the trace of whoever enqueues it travels in its payload, so that it survives retries, waiting and an operator's
//! retry, and costs no column. With no tracer installed there is none, and a payload is not touched.

use std::collections::HashMap;

use opentelemetry::{global, trace::TraceContextExt};
use serde_json::Value;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The payload's field; no name of Rust's can be the same.
const FIELD: &str = "$trace";
/// The W3C header.
const HEADER: &str = "traceparent";

/// The traceparent of the current span, where it is recorded.
pub(crate) fn current() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_sampled() {
        return None;
    }
    let mut carrier = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.remove(HEADER)
}

/// Puts it into a payload. One that has no fields has no room for it.
pub(crate) fn put(payload: &mut Value, trace: &str) {
    if let Value::Object(fields) = payload {
        fields.insert(FIELD.to_owned(), trace.into());
    }
}

/// Takes it out again.
pub(crate) fn take(payload: &mut String) -> Option<String> {
    if !payload.contains(FIELD) {
        return None;
    }
    let mut value: Value = serde_json::from_str(payload).ok()?;
    let Value::String(trace) = value.as_object_mut()?.remove(FIELD)? else { return None };
    *payload = value.to_string();
    Some(trace)
}

/// The span came about by another's, in a trace of its own.
pub(crate) fn link(span: &Span, trace: String) {
    let carrier = HashMap::from([(HEADER.to_owned(), trace)]);
    let context = global::get_text_map_propagator(|propagator| propagator.extract(&carrier));
    span.add_link(context.span().span_context().clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_comes_out_of_a_payload_as_it_went_in_and_leaves_the_rest() {
        let mut payload = serde_json::json!({ "id": 7 });
        put(&mut payload, "00-a-b-01");
        let mut text = payload.to_string();
        assert_eq!(take(&mut text).as_deref(), Some("00-a-b-01"));
        assert_eq!(text, r#"{"id":7}"#);
        assert_eq!(take(&mut text), None);
        let mut bare = Value::Null;
        put(&mut bare, "00-a-b-01");
        assert_eq!(bare, Value::Null);
    }

    #[test]
    fn a_payload_that_only_speaks_of_it_is_left_alone() {
        let mut text = r#"{"name": "$trace"}"#.to_owned();
        assert_eq!(take(&mut text), None);
        assert_eq!(text, r#"{"name": "$trace"}"#);
    }

    #[test]
    fn without_a_tracer_there_is_nothing_to_put() {
        assert_eq!(current(), None);
    }
}
