//! `POST /chat/new`: a first message to one address, or over the Private API to a group. Sending itself is `send`'s.

use std::sync::Arc;

use serde_json::{Value, json};

use super::checks::{self, Refusal};
use super::config::Config;
use super::envelope::{self, Reply};
use super::routes::{Asked, refuse};
use super::rows::service_named;
use super::send::{Ending, Outgoing, send, sent_message};
use super::state::{Flight, State, lock};
use super::wire::{ChatJson, Chats};

struct NewChat {
    addresses: Vec<String>,
    text: Option<Arc<str>>,
    temp_guid: Option<Arc<str>>,
    private_api: bool,
    service: &'static str,
}

/// An address as the server's own formatter leaves it, with its mistakes: e-mails lose `+` and `-`, bare numbers get the
/// Mac's calling code.
pub(crate) fn formatted(config: &Config, address: &str) -> String {
    if address.contains('@') {
        return address.to_lowercase().replace(['+', '-'], "");
    }
    let kept: String = address.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    match (kept.starts_with('+'), config.calling_code.as_str()) {
        (true, _) => kept,
        // A number that already has the country's code and length is not given it twice.
        (false, "1") if kept.len() == 11 && kept.starts_with('1') => format!("+{kept}"),
        (false, code) => format!("+{code}{kept}"),
    }
}

fn read_request(config: &Config, call: &Asked) -> Result<NewChat, Refusal> {
    let body = &call.body;
    checks::required(body, "addresses")?;
    let list = checks::array(body, "addresses")?;
    let text = checks::string(body, "message")?.filter(|text| !text.is_empty());
    let temp_guid = checks::string(body, "tempGuid")?.filter(|temp_guid| !temp_guid.is_empty());
    checks::string(body, "effectId")?;
    checks::string(body, "subject")?;
    let method = checks::one_of(body, "method", &["apple-script", "private-api"])?;
    let service = checks::one_of(body, "service", &["iMessage", "SMS"])?.and_then(service_named).unwrap_or("iMessage");
    let addresses =
        list.into_iter().flatten().filter_map(Value::as_str).map(|address| formatted(config, address)).collect();
    Ok(NewChat {
        addresses,
        text: text.map(Arc::from),
        temp_guid: temp_guid.map(Arc::from),
        private_api: method == Some("private-api"),
        service,
    })
}

/// The wording of what stops a new chat before anything is sent.
fn refusal(config: &Config, request: &NewChat) -> Option<&'static str> {
    if request.private_api {
        if let Some(detail) = config.private_api_error() {
            return Some(detail);
        }
        if request.text.is_none() {
            return Some("A message is required when creating chats with the Private API!");
        }
        let no_relay = request.service == "SMS" && !config.sms_relay;
        return no_relay.then_some("Failed to find all handles for specified service!");
    }
    if request.addresses.len() > 1 {
        return Some("Cannot create group chats on macOS Big Sur or newer!");
    }
    let no_text = request.text.is_none();
    no_text.then_some("A message is required when creating chats on macOS Big Sur or newer!")
}

/// Handles `POST /chat/new`.
pub(crate) async fn chat(state: &Arc<State>, config: &Config, call: &Asked, flight: Flight) -> Reply {
    let request = match read_request(config, call) {
        Ok(request) => request,
        Err(detail) => return envelope::bad_request(&detail),
    };
    if let Some(detail) = refusal(config, &request) {
        return envelope::unhandled(detail);
    }
    let (state, started_ms) = (state.clone(), call.started_ms);
    // As for texts, the work outlives its connection.
    let work = async move {
        let _flight = flight;
        create(&state, request, started_ms).await
    };
    tokio::spawn(work).await.unwrap_or(Reply::HangUp)
}

async fn create(state: &Arc<State>, request: NewChat, started_ms: i64) -> Reply {
    let NewChat { addresses, text, temp_guid, private_api, service } = request;
    let text = text.unwrap_or_default();
    let Some(first) = addresses.first() else {
        return envelope::bad_request("The addresses field is required.");
    };
    let behaviour = state.decide_send(first);
    if let Some(reply) = refuse(state, behaviour, &text).await {
        return reply;
    }
    let config = state.config();
    let prefix = config.chat_prefix(service);
    let chat = match addresses.as_slice() {
        [only] => lock(&state.rows).direct_chat(prefix, service, only),
        many => lock(&state.rows).group_chat(prefix, service, many, ""),
    };
    // The script writes to `<service>;-;…`, which is never the row's chat on macOS 26.
    let matches = private_api || config.macos < 26;
    let out = Outgoing { chat, service, text, temp_guid, private_api, matches, extra: None, started_ms };
    match send(state, &out, behaviour).await {
        Ending::Sent(row) => {
            let mut message = sent_message(&config, &out, &row);
            message.shape.chats = Chats::Empty;
            let mut chat = ChatJson::new(&out.chat, &config.own_address);
            chat.participants = Some(&out.chat.participants);
            chat.messages = Some(json!([message]));
            envelope::success("Successfully created chat!", chat)
        }
        Ending::TimedOut => envelope::unhandled("Message send timeout"),
        Ending::Other(reply) => reply,
    }
}
