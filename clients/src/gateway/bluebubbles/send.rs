//! Sending, and what each possible answer proves. Nothing but the few answers named here proves that a text did not go out.

use serde::{Deserialize, Serialize};

use super::BlueBubbles;
use super::wire::{self, Envelope, Raw};
use crate::ClientError;
use crate::gateway::{SendMethod, SendText, Sent};
use crate::http::{Answer, Effect, Method};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TextBody<'a> {
    chat_guid: &'a str,
    temp_guid: &'a str,
    message: &'a str,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected_message_guid: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewChatBody<'a> {
    addresses: [&'a str; 1],
    message: &'a str,
    temp_guid: &'a str,
    method: &'static str,
    service: &'static str,
}

#[derive(Deserialize)]
struct WireNewChat<'a> {
    #[serde(borrow, default)]
    messages: Raw<'a>,
    #[serde(borrow, default)]
    guid: Raw<'a>,
}

impl BlueBubbles {
    /// Sends one text over SMS. The script addresses the service by the chat's name; the helper has to be asked for a chat of that service,
    /// and gives the one that is there.
    pub async fn send_sms(&self, message: &SendText) -> Result<Sent, ClientError> {
        let method = message.method.unwrap_or(self.line().method);
        if method == SendMethod::AppleScript {
            let chat_guid = Some(format!("SMS;-;{}", message.address));
            return self.send_text(&SendText { chat_guid, reply_to: None, ..message.clone() }).await;
        }
        let body = NewChatBody {
            addresses: [&message.address],
            message: &message.text,
            temp_guid: &message.client_guid,
            method: method.as_str(),
            service: "SMS",
        };
        let mut call = self.call("send_sms", Method::POST, &["chat", "new"], &[]);
        call.json = Some(super::json(&body));
        call.timeout = self.line().private_api_timeout;
        call.effect = Effect::Once;
        judge_with(&self.http().call(call).await?, |data| {
            let chat: WireNewChat<'_> = wire::object(data)?;
            let mut sent = wire::list(chat.messages).into_iter().find_map(|raw| wire::sent(Some(raw)))?;
            // the message comes without its chat, which is around it
            sent.chat_guid = wire::word(chat.guid);
            Some(sent)
        })
    }

    /// Sends one text and waits until the Mac has a row for it, which may take minutes.
    pub async fn send_text(&self, message: &SendText) -> Result<Sent, ClientError> {
        let made;
        let chat_guid = match &message.chat_guid {
            Some(guid) => guid,
            None => {
                made = format!("iMessage;-;{}", message.address);
                &made
            }
        };
        let method = message.method.unwrap_or(self.line().method);
        let timeout = match method {
            SendMethod::AppleScript => self.line().apple_script_timeout,
            SendMethod::PrivateApi => self.line().private_api_timeout,
        };
        let body = TextBody {
            chat_guid,
            temp_guid: &message.client_guid,
            message: &message.text,
            method: method.as_str(),
            // it would turn a send by script into one by the helper, which may not be there
            selected_message_guid: message.reply_to.as_deref().filter(|_| method == SendMethod::PrivateApi),
        };
        let mut call = self.call("send_text", Method::POST, &["message", "text"], &[]);
        call.json = Some(super::json(&body));
        call.timeout = timeout;
        call.effect = Effect::Once;
        judge(&self.http().call(call).await?)
    }
}

/// What the answer to a send means.
pub(super) fn judge(answer: &Answer) -> Result<Sent, ClientError> {
    judge_with(answer, wire::sent)
}

fn judge_with(answer: &Answer, read: impl FnOnce(Raw<'_>) -> Option<Sent>) -> Result<Sent, ClientError> {
    let Some(envelope) = Envelope::parse(&answer.body) else {
        let reason = if answer.status.is_success() { "answer_not_understood" } else { "bad_gateway" };
        return Err(refusal(answer, None).unwrap_or(ClientError::UnknownOutcome { reason }));
    };
    if answer.status.is_success() {
        return read(envelope.data).ok_or(ClientError::UnknownOutcome { reason: "answer_not_understood" });
    }
    let detail = envelope.detail();
    if let Some(refusal) = refusal(answer, detail.as_deref()) {
        return Err(refusal);
    }
    let reason = match detail.as_deref().unwrap_or_default() {
        _ if answer.status.as_u16() == 504 => "gateway_timeout",
        "Failed to send message! See attached message error code." => "row_not_seen",
        "[500] Message sent with an error. See attached message" => "row_in_error",
        "Transaction timeout" => "helper_timeout",
        detail if is_already_queued(detail) => "already_in_flight",
        _ => "server_error",
    };
    Err(ClientError::UnknownOutcome { reason })
}

/// The answers that prove that nothing was done, for sends and for reads. `detail` is compared whole: the failure text of a
/// script contains the message, which could contain any of these sentences.
pub(super) fn refusal(answer: &Answer, detail: Option<&str>) -> Option<ClientError> {
    let detail = detail.map(str::trim);
    Some(match answer.status.as_u16() {
        // The same message is on its way from an earlier call, so this refusal proves nothing about it.
        400 if detail.is_some_and(is_already_queued) => return None,
        300..=399 => ClientError::rejected("redirected", "the address leads elsewhere; use the final one"),
        400 => ClientError::rejected("bad_request", "the gateway finds the request faulty"),
        401 => ClientError::Unauthorized,
        403 => ClientError::rejected("proxy_refused", "something in front of the gateway refuses access"),
        404 if detail == Some("Chat does not exist!") => chat_not_found(),
        404 if detail.is_some() || is_plain(&answer.body, "Not Found") => {
            ClientError::rejected("not_found", "the gateway does not know what was asked for")
        }
        // A tunnel that lost its gateway answers with a page; the gateway itself never does.
        404 => ClientError::Transient { reason: "tunnel_offline" },
        405 => ClientError::rejected("not_supported", "this gateway does not offer the call"),
        411 | 413..=415 | 431 => {
            ClientError::rejected("too_large", "the request is too large on its way to the gateway")
        }
        429 => ClientError::Limited { retry_after: answer.retry_after },
        500 => match detail? {
            "Attachment does not exist in disk!" => {
                ClientError::rejected("file_not_there", "the gateway has no bytes of the file")
            }
            "iMessage Private API is not enabled!" | "iMessage Private API Helper is not connected!" => {
                ClientError::rejected("private_api_off", "the Private API of the gateway is off or not connected")
            }
            "Chat does not exist!" | "Chat does not exist in IMChatRegistry!" => chat_not_found(),
            "Failed to find all handles for specified service!" => {
                ClientError::rejected("no_sms_relay", "no phone relays SMS for this gateway")
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn chat_not_found() -> ClientError {
    ClientError::rejected("chat_not_found", "the chat does not exist at the gateway")
}

fn is_already_queued(detail: &str) -> bool {
    detail.starts_with("Message is already queued to be sent!")
}

fn is_plain(body: &[u8], text: &str) -> bool {
    body.trim_ascii() == text.as_bytes()
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
