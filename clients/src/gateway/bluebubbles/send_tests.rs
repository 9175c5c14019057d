//! The table of answers to a send, and the exchange itself over a socket.

use secrecy::SecretString;

use super::*;
use crate::gateway::{BlueBubblesLine, Service};
use crate::http::{Egress, Http, HttpOptions, StatusCode};
use crate::scripted::{Script, serve, serve_and_record};

const CANARY: &str = "p@ss &#%+canary";
const TEXT: &str = "Hi Ana, a private matter";

fn answer(status: u16, body: &str) -> Answer {
    Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.as_bytes().to_vec() }
}

fn unknown(reason: &'static str) -> Result<Sent, ClientError> {
    Err(ClientError::UnknownOutcome { reason })
}

fn error_body(status: u16, message: &str, detail: &str) -> String {
    serde_json::json!({"status": status, "message": message, "error": {"type": "x", "message": detail}}).to_string()
}

#[track_caller]
fn code_of(status: u16, body: &str) -> (&'static str, &'static str) {
    let error = judge(&answer(status, body)).unwrap_err();
    assert!(!format!("{error:?} {error}").contains(TEXT));
    (error.class(), error.code())
}

#[test]
fn a_success_without_a_message_or_without_json_proves_nothing() {
    for body in
        ["", "<html>Visit site</html>", "null", "[]", "{}", r#"{"status":200,"data":null}"#, r#"{"status":200}"#]
    {
        assert_eq!(judge(&answer(200, body)), unknown("answer_not_understood"), "{body}");
    }
}

#[test]
fn these_answers_leave_the_outcome_open() {
    let waited = r#"{"status":500,"message":"Message Send Error","error":{"type":"iMessage Error","message":"Failed to send message! See attached message error code."},"data":null}"#;
    assert_eq!(judge(&answer(500, waited)), unknown("row_not_seen"));
    let row = error_body(500, "Message Send Error", "[500] Message sent with an error. See attached message");
    assert_eq!(judge(&answer(500, &row)), unknown("row_in_error"));
    let helper = error_body(500, "Message Send Error", "Transaction timeout");
    assert_eq!(judge(&answer(500, &helper)), unknown("helper_timeout"));
    let late = error_body(504, "The request timed-out after 300000!", "The server took too long to respond");
    assert_eq!(judge(&answer(504, &late)), unknown("gateway_timeout"));
    let queued = error_body(400, "bad", "Message is already queued to be sent! (Temp GUID: temp-1)");
    assert_eq!(judge(&answer(400, &queued)), unknown("already_in_flight"));
    for status in [408, 500, 502, 503, 504, 520, 524, 530] {
        assert_eq!(judge(&answer(status, "<html>bad gateway</html>")), unknown("bad_gateway"), "{status}");
    }
}

#[test]
fn a_script_failure_that_quotes_a_refusal_is_still_open() {
    let quoted = format!("Command failed: osascript -e 'send \"{TEXT} Chat does not exist!\"'");
    assert_eq!(code_of(500, &error_body(500, "Message Send Error", &quoted)), ("unknown_outcome", "server_error"));
}

#[test]
fn these_answers_prove_that_nothing_was_sent() {
    let off = error_body(500, "Message Send Error", "iMessage Private API is not enabled!");
    assert_eq!(code_of(500, &off), ("rejected", "private_api_off"));
    let helper = error_body(500, "Please make sure", "iMessage Private API Helper is not connected!");
    assert_eq!(code_of(500, &helper), ("rejected", "private_api_off"));
    for detail in ["Chat does not exist!", "Chat does not exist in IMChatRegistry!"] {
        let body = error_body(500, "Message Send Error", detail);
        assert_eq!(code_of(500, &body), ("rejected", "chat_not_found"));
    }
    let faulty = error_body(400, "You've made a bad request!", "The chatGuid field is required.");
    assert_eq!(code_of(400, &faulty), ("rejected", "bad_request"));
    for detail in ["Missing server password!", "Unauthorized"] {
        let body = error_body(401, "You are not authorized to access this resource", detail);
        assert_eq!(code_of(401, &body), ("unauthorized", "unauthorized"));
    }
    assert_eq!(code_of(401, "Unauthorized"), ("unauthorized", "unauthorized"));
    assert_eq!(code_of(404, "Not Found"), ("rejected", "not_found"));
    assert_eq!(code_of(405, "Method Not Allowed"), ("rejected", "not_supported"));
    assert_eq!(code_of(403, "<html>"), ("rejected", "proxy_refused"));
    assert_eq!(code_of(413, "<html>"), ("rejected", "too_large"));
    assert_eq!(code_of(302, ""), ("rejected", "redirected"));
    assert_eq!(code_of(404, "<html>ERR_NGROK_3200</html>"), ("transient", "tunnel_offline"));
    assert_eq!(code_of(429, "slow down"), ("limited", "limited"));
}

fn mac(base: &str) -> BlueBubbles {
    let http = Http::new(HttpOptions::new(Egress::AllowPrivate)).unwrap();
    BlueBubbles::new(http, BlueBubblesLine::new(base, SecretString::from(CANARY), SendMethod::AppleScript)).unwrap()
}

fn hello() -> SendText {
    SendText {
        reply_to: None,
        client_guid: "temp-7f3a".into(),
        address: "+15551234567".into(),
        chat_guid: None,
        text: TEXT.into(),
        method: None,
    }
}

#[tokio::test]
async fn a_sent_text_comes_back_with_its_guid() {
    let (base, seen) = serve_and_record([Script::Answer(200, SENT)]).await;
    let sent = mac(&base).send_text(&hello()).await.unwrap();
    assert_eq!(sent.guid, "6C0B8C5E-0F5F-4A53-9D9C-5E1B0B0C7A11");
    assert_eq!((sent.service, sent.error, sent.row_id), (Service::Imessage, None, Some(4211)));
    assert_eq!(sent.chat_guid.as_deref(), Some("iMessage;-;+15551234567"));
    assert_eq!(sent.created_at.unwrap().timestamp_millis(), 1_764_028_800_123);
    let request = seen.lock().unwrap().remove(0);
    assert!(
        request.starts_with("POST /api/v1/message/text?password=p%40ss+%26%23%25%2Bcanary HTTP/1.1\r\n"),
        "{request}"
    );
    let body: serde_json::Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let expected = serde_json::json!({"chatGuid": "iMessage;-;+15551234567", "tempGuid": "temp-7f3a",
        "message": TEXT, "method": "apple-script"});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_message_that_failed_at_once_is_sent_with_its_error() {
    let base =
        serve([Script::Answer(200, r#"{"status":200,"data":{"guid":"A","error":"22","handle":{"service":"SMS"}}}"#)])
            .await;
    let sent = mac(&base).send_text(&hello()).await.unwrap();
    assert_eq!((sent.error, sent.service), (Some(22), Service::Sms));
}

#[tokio::test]
async fn the_helper_is_named_and_a_known_chat_is_used_when_asked_for() {
    let (base, seen) = serve_and_record([Script::Answer(200, SENT)]).await;
    let message =
        SendText { chat_guid: Some("any;-;+15551234567".into()), method: Some(SendMethod::PrivateApi), ..hello() };
    mac(&base).send_text(&message).await.unwrap();
    let request = seen.lock().unwrap().remove(0);
    assert!(request.contains(r#""method":"private-api""#) && request.contains(r#""chatGuid":"any;-;+15551234567""#));
}

#[tokio::test]
async fn a_mac_that_closes_after_reading_leaves_the_outcome_open_and_no_secret_behind() {
    let base =
        serve([Script::Close, Script::Answer(502, "<html>canary</html>"), Script::Answer(401, "Unauthorized")]).await;
    let mac = mac(&base);
    let cut = mac.send_text(&hello()).await.unwrap_err();
    assert!(matches!(cut, ClientError::UnknownOutcome { .. }), "{cut:?}");
    let page = mac.send_text(&hello()).await.unwrap_err();
    assert_eq!(page, ClientError::UnknownOutcome { reason: "bad_gateway" });
    let refused = mac.send_text(&hello()).await.unwrap_err();
    assert_eq!(refused, ClientError::Unauthorized);
    let shown = format!("{cut:?} {cut} {page:?} {page} {refused:?} {refused} {mac:?} {:?} {:?}", mac.line(), hello());
    assert!(!shown.contains("canary") && !shown.contains(TEXT), "{shown}");
}

#[tokio::test]
async fn a_mac_that_is_away_got_nothing() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = mac(&format!("http://{closed}")).send_text(&hello()).await.unwrap_err();
    assert_eq!(error, ClientError::Transient { reason: "connect_refused" });
}

#[test]
fn an_address_that_is_no_url_is_refused_without_being_shown() {
    let http = Http::new(HttpOptions::new(Egress::AllowPrivate)).unwrap();
    for base in ["", "canary", "ftp://canary", "mailto:canary@x", "http://"] {
        let line = BlueBubblesLine::new(base, SecretString::from(CANARY), SendMethod::PrivateApi);
        let error = BlueBubbles::new(http.clone(), line).unwrap_err();
        assert_eq!(error.code(), "bad_base_url", "{base}");
        assert!(!format!("{error:?} {error}").contains("canary"));
    }
}

const SENT: &str = r#"{"status":200,"message":"Message sent!","data":{"originalROWID":4211,"tempGuid":"temp-7f3a","guid":"6C0B8C5E-0F5F-4A53-9D9C-5E1B0B0C7A11","text":"Hi Ana",
"attributedBody":[{"string":"Hi Ana","runs":[{"range":[0,6],"attributes":{"__kIMMessagePartAttributeName":0}}]}],
"handle":{"originalROWID":12,"address":"+15551234567","service":"iMessage","uncanonicalizedId":null,"country":"us"},"handleId":12,"otherHandle":0,
"attachments":[],"subject":null,"error":0,"dateCreated":1764028800123,"dateRead":null,"dateDelivered":null,"isDelivered":false,"isFromMe":true,
"itemType":0,"associatedMessageGuid":null,"associatedMessageType":null,"threadOriginatorGuid":null,
"chats":[{"originalROWID":7,"guid":"iMessage;-;+15551234567","style":45,"chatIdentifier":"+15551234567","isArchived":false,"displayName":"",
"isFiltered":false,"groupId":"D2B1","properties":null,"lastAddressedHandle":"+15550001111"}],
"messageSummaryInfo":null,"payloadData":null,"dateEdited":null,"dateRetracted":null,"partCount":1}}"#;
