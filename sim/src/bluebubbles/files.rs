//! Files: what messages carry, downloads with the conversions of the real server, uploads, and sends with files. Sending itself is `send`'s.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::checks;
use super::config::Config;
use super::envelope::{self, Reply};
use super::routes::{Asked, refuse};
use super::rows::{Extra, File};
use super::send::{Ending, Outgoing, direct_or_group, send, sent_message};
use super::state::{Flight, State, lock};
use super::wire::file_json;

/// A file of a form.
#[derive(Debug, Clone)]
pub(crate) struct FormFile {
    pub name: String,
    pub mime: Option<String>,
    pub bytes: Bytes,
}

/// `GET /attachment/:guid`
pub(crate) fn one(state: &State, guid: &str) -> Reply {
    match lock(&state.rows).file(guid) {
        Some(file) => envelope::success("Success", file_json(&file)),
        None => envelope::not_found("Attachment does not exist!"),
    }
}

/// `GET /attachment/:guid/download`
pub(crate) fn download(state: &State, config: &Config, call: &Asked, guid: &str) -> Reply {
    let Some(file) = lock(&state.rows).file(guid) else {
        // with the Private API the handler trips before it can say so
        return if config.private_api && call.param("force") != Some("false") {
            envelope::unhandled("Cannot read properties of null (reading 'transferState')")
        } else {
            envelope::not_found("Attachment does not exist!")
        };
    };
    if !file.is_on_disk {
        return envelope::unhandled("Attachment does not exist in disk!");
    }
    let is_original = matches!(call.param("original"), Some("true" | "1" | "True"));
    let (mime, bytes) = match &file.converted {
        Some((mime, bytes)) if !is_original => (mime.clone(), bytes.clone()),
        _ => (file.mime.clone().unwrap_or_else(|| "application/octet-stream".into()), file.bytes.clone()),
    };
    let mut reply = envelope::raw(200, "application/octet-stream", bytes);
    if let (Reply::Http(response), Ok(mime)) = (&mut reply, HeaderValue::from_str(&mime)) {
        response.headers_mut().insert(CONTENT_TYPE, mime);
    }
    reply
}

/// `POST /attachment/upload`
pub(crate) fn stage(state: &State, call: &Asked) -> Reply {
    let Some(file) = call.file.clone().filter(|file| !file.bytes.is_empty()) else {
        return envelope::bad_request("Attachment not provided or was empty!");
    };
    let path = format!("{}/{}", uuid::Uuid::new_v4(), file.name);
    lock(&state.staged).insert(path.clone(), file);
    envelope::success("Success", json!({ "path": path }))
}

fn kept(state: &State, file: &FormFile, name: &str) -> Arc<File> {
    let guid = format!("at_0_{}", super::wire::upper(uuid::Uuid::new_v4()));
    lock(&state.rows).add_file(|rowid| File {
        rowid,
        guid,
        uti: "public.data".into(),
        mime: file.mime.clone(),
        name: name.to_owned(),
        bytes: file.bytes.clone(),
        converted: None,
        width: 0,
        height: 0,
        is_on_disk: true,
    })
}

/// `POST /message/attachment`
pub(crate) async fn attachment(state: &Arc<State>, config: &Config, call: &Asked, flight: Flight) -> Reply {
    let read = || -> Result<_, checks::Refusal> {
        checks::required(&call.body, "chatGuid")?;
        checks::required(&call.body, "name")?;
        let method = checks::one_of(&call.body, "method", &["apple-script", "private-api"])?;
        let private_api = method == Some("private-api") || call.text("selectedMessageGuid").is_some();
        if !private_api && call.text("tempGuid").is_none() {
            return Err("A 'tempGuid' is required when sending via AppleScript".into());
        }
        Ok(private_api)
    };
    let private_api = match read() {
        Ok(private_api) => private_api,
        Err(detail) => return envelope::bad_request(&detail),
    };
    let Some(file) = call.file.clone().filter(|file| !file.bytes.is_empty()) else {
        return envelope::bad_request("Attachment not provided or was empty!");
    };
    let name = call.text("name").unwrap_or_default().to_owned();
    let is_voice = call.text("isAudioMessage") == Some("true");
    let sending = Sending { text: "".into(), files: vec![(name, file)], private_api, is_voice };
    carry(state, config, call, flight, sending, "Attachment sent!").await
}

/// `POST /message/multipart`
pub(crate) async fn multipart(state: &Arc<State>, config: &Config, call: &Asked, flight: Flight) -> Reply {
    if let Err(detail) = checks::required(&call.body, "chatGuid").and_then(|()| checks::required(&call.body, "parts")) {
        return envelope::bad_request(&detail);
    }
    if let Some(detail) = config.private_api_error() {
        return envelope::send_error(detail);
    }
    let (mut text, mut files) = (String::new(), Vec::new());
    for part in call.body.get("parts").and_then(Value::as_array).into_iter().flatten() {
        if !part["partIndex"].is_number() {
            return envelope::bad_request("Each part must have a partIndex");
        }
        match (part["text"].as_str(), part["attachment"].as_str(), part["name"].as_str()) {
            (Some(words), _, _) => text.push_str(words),
            (None, Some(_), None) => return envelope::bad_request("Each attachment must have a name"),
            (None, Some(path), Some(name)) => match lock(&state.staged).get(path) {
                Some(file) => files.push((name.to_owned(), file.clone())),
                None => return envelope::bad_request(&format!("Attachment '{path}' does not exist")),
            },
            (None, None, _) => return envelope::bad_request("Each part must have either a text or attachment"),
        }
    }
    let sending = Sending { text: text.as_str().into(), files, private_api: true, is_voice: false };
    carry(state, config, call, flight, sending, "Message sent!").await
}

struct Sending {
    text: Arc<str>,
    files: Vec<(String, FormFile)>,
    private_api: bool,
    is_voice: bool,
}

async fn carry(
    state: &Arc<State>,
    config: &Config,
    call: &Asked,
    flight: Flight,
    sending: Sending,
    said: &'static str,
) -> Reply {
    if sending.private_api
        && let Some(detail) = config.private_api_error()
    {
        return envelope::send_error(detail);
    }
    let temp_guid: Option<Arc<str>> = call.text("tempGuid").map(Arc::from);
    let Some(in_flight) = state.claim_temp_guid(temp_guid.clone()) else {
        return envelope::bad_request("Attachment is already queued to be sent!");
    };
    let chat_guid = call.text("chatGuid").unwrap_or_default().to_owned();
    let reply_to = call.text("selectedMessageGuid").map(str::to_owned);
    let (state, started_ms) = (state.clone(), call.started_ms);
    // as for texts, the work outlives its connection
    let work = async move {
        let _held = (in_flight, flight);
        let behaviour = state.decide_send(chat_guid.rsplit(';').next().unwrap_or_default());
        if let Some(reply) = refuse(&state, behaviour, &sending.text).await {
            return reply;
        }
        let config = state.config();
        let resolved = direct_or_group(&state, &config, &mut lock(&state.rows), &chat_guid);
        let Some((chat, service)) = resolved else { return envelope::send_error("Chat does not exist!") };
        let files = sending.files.iter().map(|(name, file)| kept(&state, file, name)).collect();
        let extra = Extra { files, reply_to, is_voice: sending.is_voice, ..Extra::default() };
        let (text, private_api, extra) = (sending.text, sending.private_api, Some(Box::new(extra)));
        let out = Outgoing { chat, service, text, temp_guid, private_api, matches: true, extra, started_ms };
        match send(&state, &out, behaviour).await {
            Ending::Sent(row) => {
                let mut shown = sent_message(&config, &out, &row);
                shown.shape.temp_guid = if said == "Message sent!" { out.temp_guid.as_deref() } else { None };
                envelope::success(said, shown)
            }
            Ending::TimedOut => envelope::send_error_with(Value::Null),
            Ending::Other(reply) => reply,
        }
    };
    tokio::spawn(work).await.unwrap_or(Reply::HangUp)
}

/// The fields and the file of a form.
pub(crate) fn read_form(
    content_type: &str,
    body: &Bytes,
) -> Option<(serde_json::Map<String, Value>, Option<FormFile>)> {
    let boundary = content_type.split("boundary=").nth(1)?.trim_matches('"').to_owned();
    let delimiter = format!("--{boundary}");
    let (mut fields, mut file) = (serde_json::Map::new(), None);
    let mut at = find(body, delimiter.as_bytes(), 0)? + delimiter.len();
    while body.get(at..at + 2) == Some(b"\r\n") {
        let head_end = find(body, b"\r\n\r\n", at)?;
        let head = String::from_utf8_lossy(&body[at + 2..head_end]).into_owned();
        let next = find(body, format!("\r\n{delimiter}").as_bytes(), head_end)?;
        let bytes = body.slice(head_end + 4..next);
        let named = |key: &str| Some(head.split(&format!("{key}=\"")).nth(1)?.split('"').next()?.to_owned());
        let mime =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-type: ").map(str::to_owned));
        match (named("; name"), named("filename")) {
            (Some(_), Some(name)) => file = Some(FormFile { name, mime, bytes }),
            (Some(name), None) => {
                fields.insert(name, Value::String(String::from_utf8_lossy(&bytes).into_owned()));
            }
            (None, _) => return None,
        }
        at = next + 2 + delimiter.len();
    }
    Some((fields, file))
}

fn find(body: &[u8], what: &[u8], from: usize) -> Option<usize> {
    body.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| at + from)
}
