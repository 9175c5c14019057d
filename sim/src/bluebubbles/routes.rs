//! The way of a request: body, path, password, gate, handler, in the real server's order. Control routes branch off first.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, Method, Request, Response};
use serde_json::{Map, Value, json};

use super::config::{Behaviour, Config};
use super::envelope::{self, Reply};
use super::files::FormFile;
use super::state::{Flight, State, lock};
use super::{control, create, files, query, send, webhooks};

const BODY_LIMIT: usize = 100 << 20;

/// One request, taken apart.
pub(crate) struct Asked {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Map<String, Value>,
    /// The file of a form.
    pub file: Option<FormFile>,
    pub started_ms: i64,
}

impl Asked {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A string of the body, if it is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }
}

/// The connection closes without an answer.
#[derive(Debug)]
pub(crate) struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for HangUp {}

enum Route {
    Landing,
    Ping,
    Info,
    Account,
    Availability,
    SendText,
    SendFile,
    SendParts,
    StageFile,
    File(String),
    Download(String),
    /// Read, unread or typing of a chat.
    ChatAct(String, &'static str),
    NewChat,
    QueryChats,
    Chat(String),
    ChatMessages(String),
    QueryMessages,
    Message(String),
    Webhooks,
    AddWebhook,
    RemoveWebhook(String),
}

/// Answers one request, or closes the connection.
pub(crate) async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, HangUp> {
    match answer(&state, request).await {
        Reply::Http(response) => Ok(*response),
        Reply::HangUp => Err(HangUp),
        Reply::Never => {
            state.until_closed().await;
            Err(HangUp)
        }
    }
}

async fn answer(state: &Arc<State>, request: Request<Incoming>) -> Reply {
    let started_ms = state.machine_ms();
    let (head, body) = request.into_parts();
    let path = match head.uri.path() {
        "/" => "/",
        path => path.trim_end_matches('/'),
    };
    let config = state.config();
    let is_control = path == "/_sim" || path.starts_with("/_sim/");
    if (config.offline || config.unreachable) && !is_control {
        lock(&state.ledger).note_refused();
        return Reply::HangUp;
    }
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let bytes = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(_) => return Reply::HangUp,
    };
    let mut call =
        Asked { method: head.method, path: path.to_owned(), query, body: Map::new(), file: None, started_ms };
    if is_control {
        return control::answer(state, &mut call, &bytes).await;
    }
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if call.method != Method::GET && call.method != Method::HEAD {
        match files::read_form(content_type, &bytes)
            .map_or_else(|| parse_body(content_type, &bytes).map(|body| (body, None)), Ok)
        {
            Ok((body, file)) => (call.body, call.file) = (body, file),
            Err(detail) => return envelope::unhandled(&detail),
        }
    }
    note_call(state, &call, &head.headers);
    let reply = match find_route(&call) {
        Ok(route) => handle(state, &config, route, &call).await,
        Err(reply) => {
            let why = if matches!(&reply, Reply::Http(r) if r.status() == 405) { "wrong verb" } else { "unknown path" };
            lock(&state.ledger).note_unexpected(call.method.as_str(), &call.path, call.started_ms, why);
            reply
        }
    };
    if call.param("pretty").is_some() { envelope::pretty(reply).await } else { reply }
}

fn parse_body(content_type: &str, bytes: &[u8]) -> Result<Map<String, Value>, String> {
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    if content_type.starts_with("application/json") {
        return match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(map),
            // A list is valid for the parser and has none of the fields.
            Ok(Value::Array(_)) => Ok(Map::new()),
            Ok(_) => Err("invalid JSON, only supports object and array".into()),
            Err(error) => Err(error.to_string()),
        };
    }
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let pairs = url::form_urlencoded::parse(bytes).into_owned();
        return Ok(pairs.map(|(key, value)| (key, Value::String(value))).collect());
    }
    Ok(Map::new())
}

fn note_call(state: &State, call: &Asked, headers: &HeaderMap) {
    let arc = |text: &str| Arc::<str>::from(text);
    let address = match call.text("chatGuid") {
        Some(guid) => Some(arc(guid.rsplit(';').next().unwrap_or(guid))),
        None => call.body.get("addresses").and_then(|list| list.get(0)).and_then(Value::as_str).map(arc),
    };
    let who = (call.text("tempGuid").map(arc), address);
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok()).map(arc);
    lock(&state.ledger).note_call(arc(call.method.as_str()), arc(&call.path), call.started_ms, who, traceparent);
}

/// Percent-decodes a path segment; `+` stays itself.
fn decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = segment.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                decoded.push(code);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn find_route(call: &Asked) -> Result<Route, Reply> {
    if call.path == "/" {
        return if call.method == Method::GET { Ok(Route::Landing) } else { Err(envelope::wrong_verb("GET, HEAD")) };
    }
    let Some(rest) = call.path.strip_prefix("/api/v1/") else { return Err(envelope::unknown_path()) };
    let segments: Vec<&str> = rest.split('/').collect();
    let verb = call.method.as_str();
    let route = match (verb, segments.as_slice()) {
        ("GET", ["ping"]) => Route::Ping,
        ("GET", ["server", "info"]) => Route::Info,
        ("GET", ["icloud", "account"]) => Route::Account,
        ("GET", ["handle", "availability", "imessage"]) => Route::Availability,
        ("POST", ["message", "text"]) => Route::SendText,
        ("POST", ["message", "attachment"]) => Route::SendFile,
        ("POST", ["message", "multipart"]) => Route::SendParts,
        ("POST", ["attachment", "upload"]) => Route::StageFile,
        ("GET", ["attachment", guid, "download"]) => Route::Download(decode(guid)),
        ("GET", ["attachment", guid]) => Route::File(decode(guid)),
        ("POST", ["message", "query"]) => Route::QueryMessages,
        ("GET", ["message", guid]) => Route::Message(decode(guid)),
        ("POST", ["chat", "new"]) => Route::NewChat,
        ("POST", ["chat", "query"]) => Route::QueryChats,
        ("GET", ["chat", guid, "message"]) => Route::ChatMessages(decode(guid)),
        ("POST", ["chat", guid, "read"]) => Route::ChatAct(decode(guid), "read"),
        ("POST", ["chat", guid, "unread"]) => Route::ChatAct(decode(guid), "unread"),
        // what is called stopping starts again
        ("POST" | "DELETE", ["chat", guid, "typing"]) => Route::ChatAct(decode(guid), "typing"),
        ("GET", ["chat", guid]) => Route::Chat(decode(guid)),
        ("GET", ["webhook"]) => Route::Webhooks,
        ("POST", ["webhook"]) => Route::AddWebhook,
        ("DELETE", ["webhook", id]) => Route::RemoveWebhook(decode(id)),
        (_, ["ping"] | ["server", "info"] | ["icloud", "account"] | ["handle", "availability", "imessage"])
        | (_, ["chat", _, "message"]) => return Err(envelope::wrong_verb("GET, HEAD")),
        (_, ["message", "text" | "query"] | ["chat", "new" | "query"]) => {
            return Err(envelope::wrong_verb("POST, GET, HEAD"));
        }
        (_, ["message" | "chat", _]) => return Err(envelope::wrong_verb("GET, HEAD")),
        (_, ["webhook"]) => return Err(envelope::wrong_verb("GET, HEAD, POST")),
        (_, ["webhook", _]) => return Err(envelope::wrong_verb("DELETE")),
        _ => return Err(envelope::unknown_path()),
    };
    Ok(route)
}

/// The password check; the refusal if it fails.
fn refuse_password(config: &Config, call: &Asked) -> Option<Reply> {
    let Some(password) = &config.password else {
        return Some(envelope::unhandled("The server has no password configured"));
    };
    // A repeated parameter is a list to the server, and a list has no `trim`.
    for name in ["guid", "password", "token"] {
        if call.query.iter().filter(|(key, _)| key == name).count() > 1 {
            return Some(envelope::unhandled("token.trim is not a function"));
        }
    }
    let Some(given) = ["guid", "password", "token"].into_iter().find_map(|name| call.param(name)) else {
        return Some(envelope::unauthorized("Missing server password!"));
    };
    // An all-digit password is stored as a number and so loses its leading zeros.
    let is_number = !password.is_empty() && password.bytes().all(|byte| byte.is_ascii_digit());
    let stored = if is_number { password.trim_start_matches('0') } else { password.trim() };
    (given.trim() != stored).then(|| envelope::unauthorized("Unauthorized"))
}

async fn handle(state: &Arc<State>, config: &Config, route: Route, call: &Asked) -> Reply {
    if matches!(route, Route::Landing) {
        return envelope::raw(
            200,
            "text/html; charset=utf-8",
            "<!DOCTYPE html><html><body>BlueBubbles Server</body></html>",
        );
    }
    if let Some(refusal) = refuse_password(config, call) {
        return refusal;
    }
    if matches!(route, Route::Account | Route::Availability | Route::StageFile | Route::ChatAct(..))
        && let Some(detail) = config.private_api_error()
    {
        return envelope::gate_closed(detail);
    }
    if matches!(route, Route::SendText | Route::SendFile | Route::SendParts | Route::NewChat) {
        let flight = Flight::begin(state);
        return match route {
            Route::SendFile => files::attachment(state, config, call, flight).await,
            Route::SendParts => files::multipart(state, config, call, flight).await,
            Route::SendText => send::text(state, config, call, flight).await,
            _ => create::chat(state, config, call, flight).await,
        };
    }
    if let Some(refusal) = refuse(state, state.decide_read(), "").await {
        return refusal;
    }
    match route {
        Route::Landing | Route::SendText | Route::SendFile | Route::SendParts | Route::NewChat => Reply::HangUp,
        Route::ChatAct(guid, act) => act_on_chat(state, &guid, act),
        Route::StageFile => files::stage(state, call),
        Route::File(guid) => files::one(state, &guid),
        Route::Download(guid) => files::download(state, config, call, &guid),
        Route::Ping => success_pong(),
        Route::Info => info(config),
        Route::Account => account(config),
        Route::Availability => match call.param("address").map(str::trim).filter(|address| !address.is_empty()) {
            None => envelope::bad_request("The address field is required."),
            Some(address) => {
                let available = state.on_imessage(&create::formatted(config, address));
                envelope::success("Success", json!({"available": available}))
            }
        },
        Route::QueryChats => query::chats(state, config, call),
        Route::Chat(guid) => query::chat(state, config, call, &guid),
        Route::ChatMessages(guid) => query::chat_messages(state, config, call, &guid),
        Route::QueryMessages => query::messages(state, config, call),
        Route::Message(guid) => query::message(state, config, call, &guid),
        Route::Webhooks => webhooks::list(state, call),
        Route::AddWebhook => webhooks::add(state, call),
        Route::RemoveWebhook(id) => webhooks::remove(state, &id),
    }
}

/// Whether the chat is there is not looked at.
fn act_on_chat(state: &State, guid: &str, act: &'static str) -> Reply {
    if act != "typing" {
        let data = json!({ "chatGuid": guid, "read": act == "read" });
        state.emit("chat-read-status-changed", || super::wire::event_body("chat-read-status-changed", data));
    }
    envelope::success_empty(if act == "typing" { "Successfully started typing!" } else { "Successfully marked chat!" })
}

fn success_pong() -> Reply {
    envelope::success("Ping received!", "pong")
}

fn info(config: &Config) -> Reply {
    let os_version = format!("{}.0", config.macos);
    envelope::success(
        "Success",
        json!({
            "computer_id": "paloma@simulated-mac", "os_version": os_version, "server_version": "1.9.9",
            "private_api": config.private_api, "helper_connected": config.private_api && config.helper_connected,
            "proxy_service": "lan-url", "detected_icloud": "owner@example.com",
            "detected_imessage": config.own_address, "macos_time_sync": 0.01,
            "local_ipv4s": ["127.0.0.1"], "local_ipv6s": [],
        }),
    )
}

fn account(config: &Config) -> Reply {
    let aliases = json!([{"Alias": config.own_address}, {"Alias": "owner@example.com"}]);
    envelope::success(
        "Success",
        json!({
            "apple_id": "owner@example.com", "account_name": "Simulated Owner",
            "sms_forwarding_enabled": config.sms_relay, "sms_forwarding_capable": config.sms_relay,
            "vetted_aliases": aliases, "aliases": aliases, "login_status_message": "Connected",
            "active_alias": config.own_address,
        }),
    )
}

/// The end of a request that this behaviour stops before it acts; none if it acts.
pub(crate) async fn refuse(state: &State, behaviour: Behaviour, text: &str) -> Option<Reply> {
    let reply = match behaviour {
        Behaviour::DropBefore => Reply::HangUp,
        Behaviour::HangBefore => Reply::Never,
        Behaviour::WaiterTimeoutUnsent => {
            state.stall().await;
            envelope::send_error_with(Value::Null)
        }
        Behaviour::ChatMissing => envelope::send_error("Chat does not exist!"),
        Behaviour::ScriptFailure => {
            envelope::send_error(&format!("Command failed: osascript -e 'send \"{text}\"': execution error (-1728)"))
        }
        Behaviour::HelperTimeout => {
            state.stall().await;
            envelope::send_error("Transaction timeout")
        }
        Behaviour::GatewayTimeoutUnsent => {
            state.stall().await;
            envelope::gateway_timeout()
        }
        Behaviour::Proxy502 => envelope::proxy_page(502),
        Behaviour::Proxy403 => envelope::proxy_page(403),
        Behaviour::Proxy429 => envelope::turned_away(20),
        Behaviour::BadRequest => envelope::bad_request("The chatGuid attribute has errors."),
        Behaviour::Unauthorized => envelope::unauthorized("Unauthorized"),
        Behaviour::Unhandled => envelope::unhandled("Cannot read properties of null (reading 'guid')"),
        Behaviour::Normal
        | Behaviour::DropAfter
        | Behaviour::HangAfter
        | Behaviour::WaiterTimeout
        | Behaviour::ErrorRow
        | Behaviour::ErrorRowRejected
        | Behaviour::AsyncError
        | Behaviour::HelperTimeoutSent
        | Behaviour::RowNotFound
        | Behaviour::GatewayTimeout
        | Behaviour::Proxy524
        | Behaviour::SentTwice
        | Behaviour::NeverDelivered => return None,
    };
    Some(reply)
}
