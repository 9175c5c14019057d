//! Reads and webhook registration over a socket.

use secrecy::SecretString;

use super::*;
use crate::gateway::{BlueBubblesLine, SendMethod};
use crate::http::{Egress, Http, HttpOptions};
use crate::scripted::{Script, serve, serve_and_record};

const EMPTY: &str = r#"{"status":200,"message":"Success","data":[]}"#;
const DONE: &str = r#"{"status":200,"message":"Success"}"#;

fn mac(base: &str) -> BlueBubbles {
    let http = Http::new(HttpOptions::new(Egress::AllowPrivate)).unwrap();
    BlueBubbles::new(http, BlueBubblesLine::new(base, SecretString::from("pw"), SendMethod::AppleScript)).unwrap()
}

fn body_of(request: &str) -> serde_json::Value {
    serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

#[tokio::test]
async fn a_ping_needs_an_answer_of_the_server_itself() {
    let base = serve([
        Script::Answer(200, r#"{"status":200,"message":"Ping received!","data":"pong"}"#),
        Script::Answer(200, "<html>Visit site</html>"),
        Script::Answer(502, "<html>bad gateway</html>"),
        Script::Answer(401, r#"{"status":401,"message":"x","error":{"message":"Unauthorized"}}"#),
    ])
    .await;
    let mac = mac(&base);
    assert_eq!(mac.ping().await, Ok(()));
    assert_eq!(mac.ping().await, Err(ClientError::Transient { reason: "answer_not_understood" }));
    assert_eq!(mac.ping().await, Err(ClientError::Transient { reason: "bad_gateway" }));
    assert_eq!(mac.ping().await, Err(ClientError::Unauthorized));
}

#[tokio::test]
async fn a_base_address_with_a_folder_and_a_slash_works() {
    let (base, seen) = serve_and_record([Script::Answer(200, DONE)]).await;
    mac(&format!("{base}/mac-7/?password=old#x")).ping().await.unwrap();
    assert!(seen.lock().unwrap()[0].starts_with("GET /mac-7/api/v1/ping?password=pw HTTP/1.1\r\n"));
}

#[tokio::test]
async fn the_server_tells_what_it_can() {
    let base = serve([Script::Answer(
        200,
        r#"{"status":200,"data":{"os_version":"26.1","server_version":"1.9.9","private_api":true,"helper_connected":false,"detected_imessage":null}}"#,
    )])
    .await;
    let info = mac(&base).server_info().await.unwrap();
    assert_eq!(info.macos_major(), Some(26));
    assert!(!info.private_api_usable());
}

#[tokio::test]
async fn a_phone_in_a_query_keeps_its_plus() {
    let (base, seen) = serve_and_record([
        Script::Answer(200, r#"{"status":200,"data":{"available":true}}"#),
        Script::Answer(
            500,
            r#"{"status":500,"message":"Please","error":{"message":"iMessage Private API is not enabled!"}}"#,
        ),
        Script::Answer(500, r#"{"status":500,"message":"x","error":{"message":"Transaction timeout"}}"#),
    ])
    .await;
    let mac = mac(&base);
    assert_eq!(mac.availability("+15551234567").await, Ok(true));
    assert_eq!(mac.availability("+15551234567").await.unwrap_err().code(), "private_api_off");
    let stuck = mac.availability("+15551234567").await;
    assert_eq!(stuck, Err(ClientError::Transient { reason: "server_error" }));
    assert!(seen.lock().unwrap()[0].starts_with("GET /api/v1/handle/availability/imessage?address=%2B15551234567&"));
}

#[tokio::test]
async fn the_chat_the_mac_does_not_file_as_spam_is_preferred() {
    let (base, seen) = serve_and_record([
        Script::Answer(200, EMPTY),
        Script::Answer(200, r#"{"status":200,"data":[{"guid":"iMessage;-;+1555","style":45,"isFiltered":true}]}"#),
        Script::Answer(200, r#"{"status":200,"data":[{"guid":"SMS;-;+1555","style":45,"isFiltered":false}]}"#),
    ])
    .await;
    let chat = mac(&base).find_chat("+1 555").await.unwrap().unwrap();
    assert_eq!(chat.guid, "SMS;-;+1555");
    assert_eq!(body_of(&seen.lock().unwrap()[1]), serde_json::json!({"guid":"iMessage;-;+1555","offset":0,"limit":1}));
}

#[tokio::test]
async fn a_chat_of_somebody_else_is_not_taken() {
    let other = r#"{"status":200,"data":[{"guid":"iMessage;-;+1666","style":45}]}"#;
    let base = serve([
        Script::Answer(200, other),
        Script::Answer(
            200,
            r#"{"status":200,"data":[{"guid":"iMessage;+;chat1","chatIdentifier":"+1555","style":43}]}"#,
        ),
        Script::Answer(200, EMPTY),
        Script::Answer(200, EMPTY),
    ])
    .await;
    assert_eq!(mac(&base).find_chat("+1555").await, Ok(None));
}

#[tokio::test]
async fn a_message_that_is_not_there_is_none_and_a_lost_tunnel_is_not_the_same() {
    let (base, seen) = serve_and_record([
        Script::Answer(404, r#"{"status":404,"message":"x","error":{"message":"Message does not exist!"}}"#),
        Script::Answer(404, "<html>tunnel</html>"),
    ])
    .await;
    let mac = mac(&base);
    assert_eq!(mac.message("p:/A?B").await, Ok(None));
    assert_eq!(mac.message("A").await, Err(ClientError::Transient { reason: "tunnel_offline" }));
    assert!(
        seen.lock().unwrap()[0]
            .starts_with("GET /api/v1/message/p:%2FA%3FB?with=chats%2Cattachments%2Cmessage-summary-info&password=pw ")
    );
}

#[tokio::test]
async fn catching_up_asks_by_position_and_skips_what_is_no_message() {
    let (base, seen) = serve_and_record([
        Script::Answer(200, r#"{"status":200,"data":[{"guid":"A","originalROWID":8},{"text":"odd"},7]}"#),
        Script::Answer(200, EMPTY),
    ])
    .await;
    let mac = mac(&base);
    let found = mac.messages_since(7, 5000, 20).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].row_id, Some(8));
    mac.messages_between(1000, 2000, Some(true), 10, 0).await.unwrap();
    let seen = seen.lock().unwrap();
    let expected = serde_json::json!({"with":["chat","attachment","messageSummaryInfo"],"where":[{"statement":"message.ROWID > :id","args":{"id":7}}],
        "sort":"ASC","offset":20,"limit":1000});
    assert_eq!(body_of(&seen[0]), expected);
    let expected = serde_json::json!({"with":["chat","attachment","messageSummaryInfo"],"where":[{"statement":"message.is_from_me = 1","args":{}}],
        "sort":"ASC","after":1000,"before":2000,"offset":0,"limit":10});
    assert_eq!(body_of(&seen[1]), expected);
}

#[tokio::test]
async fn a_new_secret_replaces_the_old_webhook_and_leaves_strangers_alone() {
    let (base, seen) = serve_and_record([
        Script::Answer(
            200,
            r#"{"status":200,"data":[{"id":1,"url":"https://us/hooks/line/old","events":["*"]},
                {"id":2,"url":"https://them/hooks/line/x","events":["*"]},{"id":3,"url":"https://us/hooks/other/y","events":"[\"*\"]"}]}"#,
        ),
        Script::Answer(200, DONE),
        Script::Answer(404, r#"{"status":404,"message":"x","error":{"message":"Webhook does not exist!"}}"#),
    ])
    .await;
    mac(&base).ensure_webhook("https://us/hooks/line/new").await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(body_of(&seen[1]), serde_json::json!({"url":"https://us/hooks/line/new","events":["*"]}));
    assert!(seen[2].starts_with("DELETE /api/v1/webhook/1?"), "{}", seen[2]);
}

#[tokio::test]
async fn a_webhook_for_too_few_events_is_made_anew() {
    let (base, seen) = serve_and_record([
        Script::Answer(200, r#"{"status":200,"data":[{"id":4,"url":"https://us/hooks/t","events":["new-message"]}]}"#),
        Script::Answer(200, DONE),
        Script::Answer(200, DONE),
    ])
    .await;
    mac(&base).ensure_webhook("https://us/hooks/t").await.unwrap();
    let verbs: Vec<_> = seen.lock().unwrap().iter().map(|request| request[..4].to_owned()).collect();
    assert_eq!(verbs, ["GET ", "DELE", "POST"]);
}

#[tokio::test]
async fn a_webhook_that_is_right_is_left_alone() {
    let base =
        serve([Script::Answer(200, r#"{"status":200,"data":[{"id":4,"url":"https://us/hooks/t","events":["*"]}]}"#)])
            .await;
    mac(&base).ensure_webhook("https://us/hooks/t").await.unwrap();
    let hooks = format!("{:?}", super::super::Webhook { id: 1, url: "https://us/secret".into(), events: vec![] });
    assert!(!hooks.contains("secret"));
}
