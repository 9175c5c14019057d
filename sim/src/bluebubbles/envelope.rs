//! The server's answers: the envelope, its error types and the plain-text ones. Knows wording, not routes.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

/// How a request ends.
pub(crate) enum Reply {
    /// With an answer.
    Http(Box<Response<Full<Bytes>>>),
    /// With the connection closed.
    HangUp,
    /// Never, until the server stops.
    Never,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    r#type: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Envelope<'a, T: Serialize> {
    status: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

pub(crate) fn raw(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Reply::Http(Box::new(response))
}

fn seal<T: Serialize>(envelope: &Envelope<'_, T>) -> Reply {
    let body = serde_json::to_vec(envelope).expect("envelopes are plain JSON");
    raw(envelope.status, "application/json; charset=utf-8", body)
}

/// 200 with data.
pub(crate) fn success(message: &str, data: impl Serialize) -> Reply {
    seal(&Envelope { status: 200, message, error: None, data: Some(data), metadata: None })
}

/// 200 with data and metadata.
pub(crate) fn success_page(message: &str, data: impl Serialize, metadata: Value) -> Reply {
    seal(&Envelope { status: 200, message, error: None, data: Some(data), metadata: Some(metadata) })
}

/// 200 without data.
pub(crate) fn success_empty(message: &str) -> Reply {
    seal(&Envelope::<()> { status: 200, message, error: None, data: None, metadata: None })
}

fn error(status: u16, message: &str, kind: &str, detail: &str) -> Reply {
    let error = Some(ErrorBody { r#type: kind, message: detail });
    seal(&Envelope::<()> { status, message, error, data: None, metadata: None })
}

/// 400 of a validator.
pub(crate) fn bad_request(detail: &str) -> Reply {
    let message = "You've made a bad request! Please check your request params & body";
    error(400, message, "Validation Error", detail)
}

/// 401.
pub(crate) fn unauthorized(detail: &str) -> Reply {
    error(401, "You are not authorized to access this resource", "Authentication Error", detail)
}

/// 404 of something missing in the database.
pub(crate) fn not_found(detail: &str) -> Reply {
    error(404, "The requested resource was not found", "Database Error", detail)
}

/// 500 of an uncaught exception.
pub(crate) fn unhandled(detail: &str) -> Reply {
    error(500, "An unhandled error has occurred!", "Server Error", detail)
}

/// 500 of the gate in front of Private API routes.
pub(crate) fn gate_closed(detail: &str) -> Reply {
    let message = "Please make sure you have completed the setup for the Private API, and your helper is connected!";
    error(500, message, "iMessage Error", detail)
}

/// 500 of a send, without data.
pub(crate) fn send_error(detail: &str) -> Reply {
    error(500, "Message Send Error", "iMessage Error", detail)
}

/// 500 of a send whose waiter gave up or was rejected; `data` is the row or null.
pub(crate) fn send_error_with(data: Value) -> Reply {
    let detail = "Failed to send message! See attached message error code.";
    let error = Some(ErrorBody { r#type: "iMessage Error", message: detail });
    // `Some(Value::Null)` is written as `null`, which is not the same as no key.
    seal(&Envelope { status: 500, message: "Message Send Error", error, data: Some(data), metadata: None })
}

/// 504 of the response timer.
pub(crate) fn gateway_timeout() -> Reply {
    let detail = "The server took too long to respond and has timed-out!";
    error(504, "The request timed-out after 300000!", "Gateway Timeout", detail)
}

/// Unknown path.
pub(crate) fn unknown_path() -> Reply {
    raw(404, "text/plain; charset=utf-8", "Not Found")
}

/// Known path, wrong verb.
pub(crate) fn wrong_verb(allowed: &'static str) -> Reply {
    let mut reply = raw(405, "text/plain; charset=utf-8", "Method Not Allowed");
    if let Reply::Http(response) = &mut reply {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    }
    reply
}

/// The HTML page of a proxy in front of the server.
pub(crate) fn proxy_page(status: u16) -> Reply {
    let page =
        format!("<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>Error {status}</h1></body></html>");
    raw(status, "text/html; charset=UTF-8", page)
}

/// A proxy's page for a caller that comes too often, who may come again after so many seconds.
pub(crate) fn turned_away(seconds: u64) -> Reply {
    let mut reply = proxy_page(429);
    if let Reply::Http(response) = &mut reply {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    reply
}

/// An answer of a control route.
pub(crate) fn control(status: u16, data: impl Serialize) -> Reply {
    raw(status, "application/json", serde_json::to_vec(&data).expect("control answers are plain JSON"))
}

/// A refusal of a control route.
pub(crate) fn control_error(detail: impl std::fmt::Display) -> Reply {
    control(400, json!({"error": detail.to_string()}))
}

/// The same answer with its JSON spread over lines.
pub(crate) async fn pretty(reply: Reply) -> Reply {
    let Reply::Http(response) = reply else { return reply };
    let (head, body) = (*response).into_parts();
    let bytes = match http_body_util::BodyExt::collect(body).await {
        Ok(whole) => whole.to_bytes(),
        Err(never) => match never {},
    };
    let spread = serde_json::from_slice::<Value>(&bytes).ok().and_then(|value| serde_json::to_vec_pretty(&value).ok());
    Reply::Http(Box::new(Response::from_parts(head, Full::new(spread.map_or(bytes, Bytes::from)))))
}
