//! Auth, envelope, validation, gates, webhook registration, and a send that goes well.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::desk::{Desk, answer, body};

const ANA: &str = "+15551234567";

/// Keys of a message in an answer, as a macOS 15 Mac gives them.
const REST_KEYS: &str = "associatedMessageGuid associatedMessageType attachments attributedBody balloonBundleId
    cacheRoomnames chats country dateCreated dateDelivered dateEdited datePlayed dateRead dateRetracted didNotifyRecipient
    error expressiveSendStyleId groupActionType groupTitle guid handle handleId hasDdResults hasPayloadData isArchived
    isAudioMessage isAutoReply isCorrupt isDelayed isDelivered isExpired isForward isFromMe isServiceMessage isSpam
    isSystemMessage itemType messageSummaryInfo originalROWID otherHandle partCount payloadData replyToGuid shareDirection
    shareStatus subject tempGuid text threadOriginatorGuid threadOriginatorPart timeExpressiveSendPlayed
    wasDeliveredQuietly";

/// Keys of a message in a webhook.
const WEBHOOK_KEYS: &str = "associatedMessageGuid associatedMessageType attachments attributedBody balloonBundleId chats
    dateCreated dateDelivered dateEdited dateRead dateRetracted error expressiveSendStyleId groupActionType groupTitle guid
    handle handleId hasDdResults hasPayloadData isArchived isDelivered isFromMe itemType messageSummaryInfo originalROWID
    otherHandle partCount payloadData subject text threadOriginatorGuid";

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn the_password_is_asked_for_under_three_names() {
    let desk = Desk::new().await;
    for name in ["guid", "password", "token"] {
        let url = format!("{}/api/v1/ping", desk.server.url());
        let response = desk.client.get(url).query(&[(name, " p@ss w&rd ")]).send().await.unwrap();
        assert_eq!(answer(response).await, (200, json!({"status": 200, "message": "Ping received!", "data": "pong"})));
    }
    let bare = format!("{}/api/v1/ping", desk.server.url());
    let (status, missing) = answer(desk.client.get(&bare).send().await.unwrap()).await;
    assert_eq!((status, &missing["error"]["message"]), (401, &json!("Missing server password!")));
    assert_eq!(missing["error"]["type"], "Authentication Error");
    let (status, wrong) = answer(desk.client.get(format!("{bare}?guid=no")).send().await.unwrap()).await;
    assert_eq!((status, &wrong["error"]["message"]), (401, &json!("Unauthorized")));
    let twice = format!("{bare}?guid=a&guid=b");
    assert_eq!(answer(desk.client.get(twice).send().await.unwrap()).await.0, 500);
}

#[tokio::test]
async fn unknown_paths_and_verbs_answer_plain_text_without_a_password() {
    let desk = Desk::new().await;
    let root = desk.server.url();
    let lost = desk.client.get(format!("{root}/api/v1/nowhere")).send().await.unwrap();
    assert_eq!(lost.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(answer(lost).await, (404, Value::String("Not Found".into())));
    let wrong = desk.client.delete(format!("{root}/api/v1/ping")).send().await.unwrap();
    assert!(wrong.headers().contains_key("allow"));
    assert_eq!(answer(wrong).await, (405, Value::String("Method Not Allowed".into())));
    let whys: Vec<String> = desk.sim.unexpected().into_iter().map(|unexpected| unexpected.why).collect();
    assert_eq!(whys, ["unknown path", "wrong verb"]);
    assert_eq!(answer(desk.client.get(desk.url("/ping/")).send().await.unwrap()).await.0, 200);
}

#[tokio::test]
async fn malformed_json_is_a_500() {
    let desk = Desk::new().await;
    for bad in ["{\"chatGuid\":", "3"] {
        let request = desk.client.post(desk.url("/message/text")).header(CONTENT_TYPE, "application/json").body(bad);
        let (status, said) = answer(request.send().await.unwrap()).await;
        assert_eq!((status, &said["message"]), (500, &json!("An unhandled error has occurred!")));
        assert_eq!(said["error"]["type"], "Server Error");
    }
}

#[tokio::test]
async fn a_text_is_validated_field_by_field() {
    let desk = Desk::new().await;
    let cases = [
        (json!({}), "The chatGuid field is required."),
        (json!({"chatGuid": "  "}), "The chatGuid field is required."),
        (json!({"chatGuid": 5}), "The chatGuid must be a string."),
        (json!({"chatGuid": "c"}), "The message field must be present (but can be empty)."),
        (json!({"chatGuid": "c", "message": "x", "method": "pigeon"}), "The selected method is invalid."),
        (json!({"chatGuid": "c", "message": "x", "partIndex": -1}), "The partIndex must be at least 0."),
        (json!({"chatGuid": "c", "message": "x", "partIndex": "one"}), "The partIndex must be a number."),
        (json!({"chatGuid": "c", "message": "x"}), "A 'tempGuid' is required when sending via AppleScript"),
        (
            json!({"chatGuid": "c", "message": "", "tempGuid": "t"}),
            "A 'message' is required when sending via AppleScript",
        ),
        (
            json!({"chatGuid": "c", "message": "", "method": "private-api"}),
            "A 'message' or 'subject' is required when sending via the Private API",
        ),
    ];
    for (body, detail) in cases {
        let (status, said) = desk.post("/message/text", body).await;
        assert_eq!((status, &said["error"]["message"]), (400, &json!(detail)));
        assert_eq!(said["error"]["type"], "Validation Error");
    }
    assert_eq!(desk.sim.summary().total, 0);
}

#[tokio::test]
async fn the_private_api_gate_comes_before_validation() {
    let desk = Desk::with(|config| config.private_api = false).await;
    let (status, said) = desk.get("/handle/availability/imessage").await;
    assert_eq!((status, &said["error"]["message"]), (500, &json!("iMessage Private API is not enabled!")));
    desk.sim.configure(|config| (config.private_api, config.helper_connected) = (true, false));
    let (status, said) = desk.text(ANA, "hi", "t1").await;
    assert_eq!((status, &said["message"]), (500, &json!("Message Send Error")));
    assert_eq!(said["error"]["message"], "iMessage Private API Helper is not connected!");
    assert_eq!(desk.get("/server/info").await.1["data"]["helper_connected"], false);
    desk.sim.configure(|config| config.helper_connected = true);
    let (status, said) = desk.get("/handle/availability/imessage").await;
    assert_eq!((status, &said["error"]["message"]), (400, &json!("The address field is required.")));
    assert_eq!(desk.get("/handle/availability/imessage?address=%2B15551234567").await.1["data"]["available"], true);
    assert_eq!(desk.get("/icloud/account").await.1["data"]["sms_forwarding_capable"], true);
}

#[tokio::test]
async fn a_script_send_answers_with_its_row_and_makes_two_new_messages_and_a_receipt() {
    let desk = Desk::new().await;
    let (status, said) = desk.script_text(ANA, "Hi Ana", "temp-1").await;
    assert_eq!((status, &said["message"]), (200, &json!("Message sent!")));
    let data = &said["data"];
    assert_eq!((&data["tempGuid"], &data["text"], &data["error"]), (&json!("temp-1"), &json!("Hi Ana"), &json!(0)));
    assert_eq!(data["chats"][0]["guid"], format!("iMessage;-;{ANA}"));
    assert_eq!(data["guid"].as_str().unwrap().len(), 36);
    assert_eq!(keys(data), REST_KEYS.split_whitespace().collect::<Vec<_>>());

    let new = desk.events_of("new-message").await;
    assert_eq!(new.len(), 2);
    assert!(new.iter().all(|event| event["guid"] == data["guid"] && event["chats"][0]["style"] == 45));
    assert!(new.iter().all(|event| event.get("isAudioMessage").is_none() && event["isFromMe"] == true));
    assert_eq!(new.iter().filter(|event| event["tempGuid"] == "temp-1").count(), 1);
    let plain = new.iter().find(|event| event.get("tempGuid").is_none()).unwrap();
    assert_eq!(keys(plain), WEBHOOK_KEYS.split_whitespace().collect::<Vec<_>>());
    let updated = desk.events_of("updated-message").await;
    assert_eq!(updated.len(), 1);
    assert!(updated[0].get("chats").is_none());
    assert!(updated[0]["isDelivered"] == true && updated[0]["dateDelivered"].is_i64());

    let sent = desk.sim.sent();
    assert_eq!((&*sent[0].address, &*sent[0].text, sent[0].temp_guid.as_deref()), (ANA, "Hi Ana", Some("temp-1")));
    assert_eq!(sent[0].guid, data["guid"]);
    assert!(sent[0].call_started_at_ms <= sent[0].at_ms);
    assert_eq!(desk.sim.calls()[0].address.as_deref(), Some(ANA));
}

#[tokio::test]
async fn a_temp_guid_is_refused_only_while_it_is_in_flight() {
    let desk = Desk::with(|config| config.row_delay_ms = 3_600_000).await;
    let slow =
        tokio::spawn(desk.client.post(desk.url("/message/text")).json(&body(ANA, "a", "t", "apple-script")).send());
    desk.until("it is on its way", |sim| sim.summary().in_flight > 0).await;
    let (status, said) = desk.script_text(ANA, "a", "t").await;
    assert_eq!(status, 400);
    assert_eq!(said["error"]["message"], "Message is already queued to be sent! (Temp GUID: t)");
    slow.abort();
    desk.sim.configure(|config| config.row_delay_ms = 0);
    for _ in 0..2 {
        assert_eq!(desk.script_text(ANA, "a", "free").await.0, 200);
    }
    let summary = desk.sim.summary();
    assert_eq!((summary.total, summary.distinct_messages, summary.duplicates), (2, 1, 1));
}

#[tokio::test]
async fn a_hung_up_caller_does_not_stop_the_send() {
    let desk = Desk::with(|config| config.row_delay_ms = 30).await;
    let cut = desk.client.post(desk.url("/message/text")).json(&body(ANA, "a", "t", "private-api"));
    let cut = tokio::spawn(cut.send());
    desk.until("it is on its way", |sim| sim.summary().in_flight > 0).await;
    cut.abort();
    desk.until("it has left", |sim| sim.summary().in_flight == 0).await;
    assert_eq!((desk.sim.summary().total, desk.events_of("new-message").await.len()), (1, 2));
}

#[tokio::test]
async fn a_webhook_url_is_unique_and_keeps_its_first_events() {
    let desk = Desk::new().await;
    let url = "http://127.0.0.1:9/x";
    let (status, first) = desk.post("/webhook", json!({"url": url, "events": ["new-message"]})).await;
    assert_eq!((status, &first["message"]), (200, &json!("Successfully created webhook!")));
    let again = desk.post("/webhook", json!({"url": url, "events": ["*"]})).await.1;
    assert_eq!(again["data"], first["data"]);
    let (status, said) = desk.post("/webhook", json!({"url": url, "events": ["message"]})).await;
    let detail = said["error"]["message"].as_str().unwrap();
    assert!(
        status == 400 && detail.starts_with("Invalid webhook event: message! Webhook must be one of: *,new-message,")
    );
    assert_eq!(desk.post("/webhook", json!({"url": url})).await.1["error"]["message"], "The events field is required.");
    assert_eq!(desk.get("/webhook").await.1["data"].as_array().unwrap().len(), 2);
    assert_eq!(desk.get("/webhook?id=1").await.0, 500);
    let gone = desk.url(&format!("/webhook/{}", first["data"]["id"]));
    assert_eq!(answer(desk.client.delete(gone.clone()).send().await.unwrap()).await.0, 200);
    let (status, said) = answer(desk.client.delete(gone).send().await.unwrap()).await;
    assert_eq!((status, &said["error"]["message"]), (404, &json!("Webhook does not exist!")));
}

#[tokio::test]
async fn a_new_chat_carries_its_first_message() {
    let desk = Desk::new().await;
    let ask = json!({"addresses": ["(555) 123-4567"], "message": "hello", "tempGuid": "n1", "method": "private-api"});
    let (status, said) = desk.post("/chat/new", ask).await;
    assert_eq!((status, &said["message"]), (200, &json!("Successfully created chat!")));
    assert_eq!(said["data"]["guid"], format!("iMessage;-;{ANA}"));
    assert_eq!(said["data"]["messages"][0]["tempGuid"], "n1");
    assert_eq!(said["data"]["participants"][0]["address"], ANA);
    let (status, said) = desk.post("/chat/new", json!({"addresses": [ANA, "+15550000002"], "message": "x"})).await;
    let detail = "Cannot create group chats on macOS Big Sur or newer!";
    assert_eq!((status, &said["error"]["message"]), (500, &json!(detail)));
    let (status, said) = desk.post("/chat/new", json!({"addresses": [ANA], "message": "x", "service": "RCS"})).await;
    assert_eq!((status, &said["error"]["message"]), (400, &json!("The selected service is invalid.")));
}
