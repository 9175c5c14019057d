//! `POST /message/text`, and what happens to any outgoing message: the row, what the poller tells the webhooks, the
//! receipts, and how the call ends.

use std::sync::Arc;

use serde_json::Value;

use super::checks::{self, Refusal};
use super::config::{Behaviour, Config};
use super::envelope::{self, Reply};
use super::ledger::Departure;
use super::routes::{Asked, refuse};
use super::rows::{Chat, Extra, NewRow, Row, Rows, service_named};
use super::state::{Flight, State, lock};
use super::wire::{Chats, MessageJson, Shape, event_body};

/// A message on its way out.
pub(crate) struct Outgoing {
    pub chat: Arc<Chat>,
    pub service: &'static str,
    pub text: Arc<str>,
    pub temp_guid: Option<Arc<str>>,
    pub private_api: bool,
    /// Whether the row's chat is the one asked for, so the waiter can find it.
    pub matches: bool,
    pub extra: Option<Box<Extra>>,
    pub started_ms: i64,
}

/// How sending ended.
pub(crate) enum Ending {
    /// The row was found without an error.
    Sent(Row),
    /// The waiter found nothing in time.
    TimedOut,
    /// In this answer, whatever the route.
    Other(Reply),
}

struct TextRequest {
    chat_guid: String,
    temp_guid: Option<Arc<str>>,
    text: Arc<str>,
    private_api: bool,
    extra: Option<Box<Extra>>,
}

fn read_request(call: &Asked) -> Result<TextRequest, Refusal> {
    let body = &call.body;
    checks::required(body, "chatGuid")?;
    let chat_guid = checks::string(body, "chatGuid")?.unwrap_or_default().to_owned();
    let temp_guid = checks::string(body, "tempGuid")?.filter(|temp_guid| !temp_guid.is_empty());
    checks::present(body, "message")?;
    let text = checks::string(body, "message")?.unwrap_or_default();
    let method = checks::one_of(body, "method", &["apple-script", "private-api"])?;
    let filled = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
    let effect = filled(checks::string(body, "effectId")?);
    let subject = filled(checks::string(body, "subject")?);
    let reply_to = filled(checks::string(body, "selectedMessageGuid")?);
    let part = checks::number(body, "partIndex", 0, i64::MAX)?;
    let scan = checks::boolean(body, "ddScan")?;
    let attributed = body.get("attributedBody").is_some_and(|value| !value.is_null());
    let forced = effect.is_some() || subject.is_some() || reply_to.is_some() || scan || attributed;
    let private_api = forced || method == Some("private-api");
    if private_api {
        if text.is_empty() && subject.is_none() {
            return Err("A 'message' or 'subject' is required when sending via the Private API".into());
        }
    } else if temp_guid.is_none() {
        return Err("A 'tempGuid' is required when sending via AppleScript".into());
    } else if text.is_empty() {
        return Err("A 'message' is required when sending via AppleScript".into());
    }
    let extra = forced.then(|| {
        let reply_part = reply_to.is_some().then(|| format!("{}:0:{}", part.unwrap_or(0), text.chars().count()));
        Box::new(Extra { subject, effect, reply_to, reply_part, ..Extra::default() })
    });
    Ok(TextRequest { chat_guid, temp_guid: temp_guid.map(Arc::from), text: text.into(), private_api, extra })
}

/// The chat that a message with files goes to, and by which service.
pub(crate) fn direct_or_group(
    state: &State,
    config: &Config,
    rows: &mut Rows,
    chat_guid: &str,
) -> Option<(Arc<Chat>, &'static str)> {
    let (temp_guid, text, extra) = (None, "".into(), None);
    let request = TextRequest { chat_guid: chat_guid.to_owned(), temp_guid, text, private_api: true, extra };
    resolve(state, config, rows, &request).map(|(chat, service, _)| (chat, service))
}

/// Where a text to this chat GUID really goes: the chat, the service, and whether the row will be found under that GUID.
fn resolve(
    state: &State,
    config: &Config,
    rows: &mut Rows,
    request: &TextRequest,
) -> Option<(Arc<Chat>, &'static str, bool)> {
    let existing = rows.chat(&request.chat_guid);
    if let Some(chat) = &existing
        && chat.is_group()
    {
        let service = chat.participants.first().map_or("iMessage", |handle| handle.service);
        return Some((chat.clone(), service, true));
    }
    let mut parts = request.chat_guid.splitn(3, ';');
    let (prefix, kind, address) = (parts.next()?, parts.next()?, parts.next()?);
    if kind != "-" || address.is_empty() {
        return None;
    }
    let unified = config.macos >= 26;
    let (service, matches) = match (prefix, service_named(prefix)) {
        // Messages picks the transport itself.
        ("any", _) if unified => {
            let by_sms = !state.on_imessage(address) && config.sms_relay && !address.contains('@');
            (if by_sms { "SMS" } else { "iMessage" }, true)
        }
        // The script still addresses the service, but the row appears under `any;` and the waiter misses it.
        (_, Some(service)) if unified && !request.private_api => (service, false),
        (_, Some(service)) if !unified => (service, true),
        _ => return None,
    };
    // Only the script falls back to service and address, and it knows no service called `any`.
    let has_fallback = !request.private_api && prefix != "any";
    if existing.is_none() && !config.implicit_chats && !has_fallback {
        return None;
    }
    Some((rows.direct_chat(config.chat_prefix(service), service, address), service, matches))
}

/// Handles `POST /message/text`.
pub(crate) async fn text(state: &Arc<State>, config: &Config, call: &Asked, flight: Flight) -> Reply {
    let request = match read_request(call) {
        Ok(request) => request,
        Err(detail) => return envelope::bad_request(&detail),
    };
    let Some(in_flight) = state.claim_temp_guid(request.temp_guid.clone()) else {
        let temp_guid = request.temp_guid.as_deref().unwrap_or_default();
        return envelope::bad_request(&format!("Message is already queued to be sent! (Temp GUID: {temp_guid})"));
    };
    if request.private_api
        && let Some(detail) = config.private_api_error()
    {
        return envelope::send_error(detail);
    }
    let (state, started_ms) = (state.clone(), call.started_ms);
    // The real server goes on when the caller hangs up, so the work is not part of the connection's future.
    let work = async move {
        let _held = (in_flight, flight);
        let address = request.chat_guid.rsplit(';').next().unwrap_or_default();
        let behaviour = state.decide_send(address);
        if let Some(reply) = refuse(&state, behaviour, &request.text).await {
            return reply;
        }
        let config = state.config();
        let resolved = resolve(&state, &config, &mut lock(&state.rows), &request);
        let Some((chat, service, matches)) = resolved else {
            return refuse_chat(&state, &request).await;
        };
        let TextRequest { temp_guid, text, private_api, extra, .. } = request;
        let out = Outgoing { chat, service, text, temp_guid, private_api, matches, extra, started_ms };
        match send(&state, &out, behaviour).await {
            Ending::Sent(row) => sent(&config, &out, &row),
            Ending::TimedOut => envelope::send_error_with(Value::Null),
            Ending::Other(reply) => reply,
        }
    };
    tokio::spawn(work).await.unwrap_or(Reply::HangUp)
}

async fn refuse_chat(state: &State, request: &TextRequest) -> Reply {
    let behaviour = if request.private_api { Behaviour::ChatMissing } else { Behaviour::ScriptFailure };
    refuse(state, behaviour, &request.text).await.unwrap_or(Reply::HangUp)
}

/// A row in the shape sends answer with.
pub(crate) fn sent_message<'a>(config: &'a Config, out: &'a Outgoing, row: &'a Row) -> MessageJson<'a> {
    // The helper's answer is turned round before the chat relation is loaded.
    let chats = if out.private_api { Chats::Empty } else { Chats::Listed };
    let (temp_guid, own_address) = (out.temp_guid.as_deref(), config.own_address.as_str());
    MessageJson {
        row,
        shape: Shape {
            full: true,
            chats,
            attributed_body: true,
            summary: true,
            temp_guid,
            macos: config.macos,
            own_address,
        },
    }
}

fn sent(config: &Config, out: &Outgoing, row: &Row) -> Reply {
    envelope::success("Message sent!", sent_message(config, out, row))
}

/// Sends a message the way this behaviour says; the behaviour acts, refusals were dealt with before.
pub(crate) async fn send(state: &Arc<State>, out: &Outgoing, behaviour: Behaviour) -> Ending {
    let config = state.config();
    let behaviour = match behaviour {
        Behaviour::Normal if out.service == "SMS" && !config.sms_relay => Behaviour::ErrorRow,
        Behaviour::Normal
            if out.service == "iMessage" && !out.chat.is_group() && !state.on_imessage(&out.chat.identifier) =>
        {
            Behaviour::AsyncError
        }
        other => other,
    };
    if out.private_api {
        state.helper_slot().await;
    }
    state.until_let_go().await;
    state.pause(config.row_delay_ms).await;
    let Some(row) = write(state, out, behaviour) else { return Ending::TimedOut };
    let copy = if behaviour == Behaviour::SentTwice { write(state, out, behaviour) } else { None };
    let found = out.matches && behaviour != Behaviour::WaiterTimeout;
    let poll = Poll { row: row.clone(), copy, temp_guid: out.temp_guid.clone().filter(|_| found), behaviour };
    if out.private_api && config.poll_delay_ms > 0 {
        let (state, pending) = (state.clone(), state.pending());
        tokio::spawn(async move {
            state.pause(config.poll_delay_ms).await;
            poll.tell(&state);
            drop(pending);
        });
    } else {
        state.pause(config.poll_delay_ms).await;
        poll.tell(state);
        state.queue.room().await;
    }
    end(state, out, row, behaviour, found).await
}

async fn end(state: &State, out: &Outgoing, row: Row, behaviour: Behaviour, found: bool) -> Ending {
    match behaviour {
        Behaviour::DropAfter => Ending::Other(Reply::HangUp),
        Behaviour::HangAfter => Ending::Other(Reply::Never),
        Behaviour::ErrorRow => {
            Ending::Other(envelope::send_error("[500] Message sent with an error. See attached message"))
        }
        Behaviour::ErrorRowRejected => {
            let data = serde_json::to_value(sent_message(&state.config(), out, &row)).unwrap_or_default();
            Ending::Other(envelope::send_error_with(data))
        }
        Behaviour::HelperTimeoutSent => {
            state.stall().await;
            Ending::Other(envelope::send_error("Transaction timeout"))
        }
        Behaviour::RowNotFound => {
            state.stall().await;
            let detail = "Failed to send message! Message not found in database after 60 seconds!";
            Ending::Other(envelope::send_error(detail))
        }
        Behaviour::GatewayTimeout => {
            state.stall().await;
            Ending::Other(envelope::gateway_timeout())
        }
        Behaviour::Proxy524 => {
            state.stall().await;
            Ending::Other(envelope::proxy_page(524))
        }
        _ if !found => {
            state.stall().await;
            Ending::TimedOut
        }
        _ => Ending::Sent(row),
    }
}

/// Writes the row and, if the message really left, the ledger.
fn write(state: &State, out: &Outgoing, behaviour: Behaviour) -> Option<Row> {
    let failed = matches!(behaviour, Behaviour::ErrorRow | Behaviour::ErrorRowRejected);
    let row = lock(&state.rows).add(NewRow {
        chat: out.chat.clone(),
        service: out.service,
        guid: None,
        text: out.text.clone(),
        from_me: true,
        author: None,
        error: if failed { 22 } else { 0 },
        created_ms: state.now_ms(),
        delivered_ms: 0,
        extra: out.extra.clone(),
    })?;
    if !failed && behaviour != Behaviour::AsyncError {
        lock(&state.ledger).note_sent(Departure {
            address: out.chat.identifier.clone(),
            text: out.text.clone(),
            temp_guid: out.temp_guid.clone(),
            guid: row.guid,
            service: out.service,
            at_ms: state.machine_ms(),
            call_started_at_ms: out.started_ms,
        });
    }
    Some(row)
}

/// What the poller saw of one send.
struct Poll {
    row: Row,
    copy: Option<Row>,
    temp_guid: Option<Arc<str>>,
    behaviour: Behaviour,
}

impl Poll {
    fn tell(&self, state: &Arc<State>) {
        let temp_guid = self.temp_guid.as_deref();
        match self.behaviour {
            Behaviour::ErrorRow => message_event(state, "new-message", &self.row, None),
            Behaviour::ErrorRowRejected => {
                let unsent = Row { error: 0, ..self.row.clone() };
                message_event(state, "new-message", &unsent, None);
                message_event(state, "message-send-error", &self.row, temp_guid);
            }
            _ => {
                // Which of the two comes first varies on the real server, so it varies here.
                let temp_first = self.row.rowid.is_multiple_of(2);
                if temp_first && temp_guid.is_some() {
                    message_event(state, "new-message", &self.row, temp_guid);
                }
                message_event(state, "new-message", &self.row, None);
                if !temp_first && temp_guid.is_some() {
                    message_event(state, "new-message", &self.row, temp_guid);
                }
            }
        }
        follow(state, &self.row, self.behaviour);
        if let Some(copy) = &self.copy {
            message_event(state, "new-message", copy, None);
            follow(state, copy, Behaviour::Normal);
        }
    }
}

/// Queues a message event in the notification shape.
pub(crate) fn message_event(state: &State, event: &str, row: &Row, temp_guid: Option<&str>) {
    let config = state.config();
    let chats = if event == "updated-message" { Chats::Absent } else { Chats::Listed };
    let (macos, own_address) = (config.macos, config.own_address.as_str());
    let shape = Shape { full: false, chats, attributed_body: false, summary: false, temp_guid, macos, own_address };
    state.emit(event, || event_body(event, MessageJson { row, shape }));
}

/// What becomes of the message after the poller saw it: receipts, a late error, the peer's reply. At once if no delay asks
/// for a timer.
fn follow(state: &Arc<State>, row: &Row, behaviour: Behaviour) {
    let config = state.config();
    let rule = state.rule(&row.chat.identifier).unwrap_or_default();
    let guid = row.guid;
    if behaviour == Behaviour::AsyncError {
        later(state, config.async_error_delay_ms, move |state| {
            lock(&state.rows).change(guid, |row| row.error = 22);
        });
        return;
    }
    if row.error != 0 {
        return;
    }
    let receipts = row.handle.as_ref().is_none_or(|handle| handle.service != "SMS");
    if receipts && behaviour != Behaviour::NeverDelivered {
        let direct = !row.chat.is_group();
        let reads = direct && rule.read_receipts.unwrap_or(config.read_receipts);
        later(state, config.delivered_delay_ms, move |state| {
            receipt(state, guid, |row, now| {
                row.is_delivered = true;
                row.delivered_ms = now;
            });
            if reads {
                let read_delay_ms = state.config().read_delay_ms;
                later(state, read_delay_ms, move |state| receipt(state, guid, |row, now| row.read_ms = now));
            }
        });
    }
    if let Some(reply) = rule.reply {
        let chat = row.chat.clone();
        let service = row.handle.as_ref().map_or("iMessage", |handle| handle.service);
        later(state, config.delivered_delay_ms + rule.reply_delay_ms, move |state| {
            receive(state, chat, Arrival { service, text: reply.into(), ..Arrival::default() });
        });
    }
}

fn receipt(state: &State, guid: uuid::Uuid, change: impl FnOnce(&mut Row, i64)) {
    let now = state.now_ms();
    let changed = lock(&state.rows).change(guid, |row| change(row, now));
    if let Some(row) = changed {
        message_event(state, "updated-message", &row, None);
    }
}

fn later(state: &Arc<State>, delay_ms: u64, act: impl FnOnce(&Arc<State>) + Send + 'static) {
    if delay_ms == 0 {
        return act(state);
    }
    let (state, pending) = (state.clone(), state.pending());
    tokio::spawn(async move {
        state.pause(delay_ms).await;
        act(&state);
        drop(pending);
    });
}

/// A message that this server did not send.
pub(crate) struct Arrival {
    pub service: &'static str,
    pub text: Arc<str>,
    pub guid: Option<uuid::Uuid>,
    /// Written on another device of this account.
    pub from_me: bool,
    pub author: Option<String>,
    pub extra: Option<Box<Extra>>,
    /// Without an event.
    pub silent: bool,
}

impl Default for Arrival {
    fn default() -> Self {
        let (service, text, guid) = ("iMessage", "".into(), None);
        Self { service, text, guid, from_me: false, author: None, extra: None, silent: false }
    }
}

/// Writes a message of the peer, or of another device, and tells the webhooks unless it is `silent`. A GUID that is taken gives none.
pub(crate) fn receive(state: &State, chat: Arc<Chat>, arrival: Arrival) -> Option<Row> {
    let now = state.now_ms();
    let row = lock(&state.rows).add(NewRow {
        chat,
        service: arrival.service,
        guid: arrival.guid,
        text: arrival.text,
        from_me: arrival.from_me,
        author: arrival.author,
        error: 0,
        created_ms: now,
        delivered_ms: if arrival.from_me { 0 } else { now },
        extra: arrival.extra,
    })?;
    if !arrival.silent {
        message_event(state, "new-message", &row, None);
    }
    Some(row)
}
