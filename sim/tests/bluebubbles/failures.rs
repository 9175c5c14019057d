//! The ways a send goes wrong, and what the log says really happened.

use std::time::Duration;

use serde_json::{Value, json};
use sim::bluebubbles::{Behaviour, Inbound, Rule, Scope};

use crate::desk::Desk;

const ANA: &str = "+15551234567";

#[tokio::test]
async fn a_dropped_answer_means_the_message_left() {
    let desk = Desk::new().await;
    desk.sim.fail_next(1, Behaviour::DropAfter);
    assert!(desk.try_text(ANA, "once", "t1").await.is_err());
    assert_eq!((desk.sim.summary().total, desk.events_of("new-message").await.len()), (1, 2));
    desk.sim.fail_next(1, Behaviour::DropBefore);
    assert!(desk.try_text(ANA, "never", "t2").await.is_err());
    assert_eq!(desk.sim.summary().total, 1);
    assert_eq!(desk.text(ANA, "fine", "t3").await.0, 200);
    assert_eq!(desk.sim.calls().iter().filter(|call| call.temp_guid.is_some()).count(), 3);
}

#[tokio::test]
async fn a_share_of_answers_is_dropped_by_the_seeded_dice() {
    let desk = Desk::new().await;
    desk.control("config", json!({"drop_answers_pct": 50.0, "seed": 7})).await;
    let mut lost = 0;
    for n in 0..40 {
        lost += usize::from(desk.try_text(ANA, &format!("text {n}"), &format!("t{n}")).await.is_err());
    }
    assert!((10..=30).contains(&lost), "{lost}");
    let summary = desk.look("sent/summary").await;
    assert_eq!(
        (&summary["total"], &summary["duplicates"], &summary["distinct_addresses"]),
        (&json!(40), &json!(0), &json!(1))
    );
}

#[tokio::test]
async fn held_sends_leave_once_they_are_let_go_whoever_still_waits() {
    let desk = Desk::new().await;
    desk.control("config", json!({"hold_sends": true})).await;
    let given_up = desk.until("both are held", |sim| sim.summary().in_flight == 2);
    tokio::select! {
        answer = async { tokio::join!(desk.text(ANA, "one", "t1"), desk.text(ANA, "two", "t2")) } => panic!("{answer:?}"),
        () = given_up => {}
    }
    assert_eq!((desk.sim.summary().in_flight, desk.sim.summary().total), (2, 0));
    let waits = desk.text(ANA, "three", "t3");
    let let_go = async {
        desk.until("the third is held", |sim| sim.summary().in_flight == 3).await;
        desk.sim.configure(|config| config.hold_sends = false);
    };
    let ((status, _), ()) = tokio::join!(waits, let_go);
    desk.until("all have left", |sim| sim.summary().in_flight == 0).await;
    assert_eq!((status, desk.sim.summary().total), (200, 3));
}

#[tokio::test]
async fn an_offline_server_hangs_up_and_loses_events_but_keeps_rows() {
    let desk = Desk::new().await;
    desk.control("config", json!({"offline": true})).await;
    assert!(desk.try_text(ANA, "x", "t1").await.is_err());
    assert!(desk.client.get(desk.url("/ping")).send().await.is_err());
    let said = desk.control("inbound", json!({"address": ANA, "text": "are you there?"})).await.1;
    desk.control("config", json!({"offline": false})).await;
    assert!(desk.events().await.is_empty());
    assert_eq!((desk.sim.summary().total, desk.sim.refused() >= 2), (0, true));
    let wheres = json!([{"statement": "message.ROWID > :id", "args": {"id": 0}}]);
    let found = desk.post("/message/query", json!({"where": wheres, "with": ["chat"]})).await.1;
    assert_eq!(found["data"][0]["guid"], said["guids"][0]);
    assert!(desk.sim.replay(said["guids"][0].as_str().unwrap()));
    assert_eq!(desk.events_of("new-message").await.len(), 1);
}

#[tokio::test]
async fn a_server_can_refuse_connections_for_a_while() {
    let desk = Desk::new().await;
    desk.sim.refuse_connections(Duration::from_secs(3600));
    while desk.client.get(desk.url("/ping")).send().await.is_ok() {}
    desk.sim.refuse_connections(Duration::ZERO);
    while desk.client.get(desk.url("/ping")).send().await.is_err() {}
}

#[tokio::test]
async fn an_asynchronous_error_is_a_200_and_shows_only_in_a_query() {
    let desk = Desk::new().await;
    desk.sim.rule(Rule { address: ANA.into(), imessage: Some(false), ..Rule::default() });
    let (status, said) = desk.text(ANA, "x", "t1").await;
    assert_eq!((status, &said["data"]["error"]), (200, &json!(0)));
    let guid = said["data"]["guid"].as_str().unwrap();
    assert!(desk.events().await.iter().all(|event| event["type"] == "new-message" && event["data"]["error"] == 0));
    let row = desk.get(&format!("/message/{guid}?with=chats")).await.1;
    assert_eq!((&row["data"]["error"], &row["data"]["isDelivered"]), (&json!(22), &json!(false)));
    assert_eq!(desk.sim.summary().total, 0);
    assert_eq!(desk.get("/handle/availability/imessage?address=%2B15551234567").await.1["data"]["available"], false);
    let sms = json!({"chatGuid": format!("SMS;-;{ANA}"), "tempGuid": "t2", "message": "x", "method": "private-api"});
    assert_eq!(desk.post("/message/text", sms).await.0, 200);
    assert!(desk.events_of("updated-message").await.is_empty());
    assert_eq!(desk.sim.sent()[0].service, "SMS");
}

#[tokio::test]
async fn the_three_500s_of_a_send_differ_in_their_data() {
    let desk = Desk::new().await;
    desk.sim.fail_next(1, Behaviour::WaiterTimeout);
    let (status, said) = desk.script_text(ANA, "out", "t1").await;
    assert_eq!((status, said.get("data")), (500, Some(&Value::Null)));
    assert_eq!(said["error"]["message"], "Failed to send message! See attached message error code.");
    assert_eq!((desk.sim.summary().total, desk.events_of("new-message").await.len()), (1, 1));

    desk.sim.fail_next(1, Behaviour::ErrorRow);
    let (status, said) = desk.script_text(ANA, "error", "t2").await;
    assert_eq!((status, said.get("data")), (500, None));
    assert_eq!(said["error"]["message"], "[500] Message sent with an error. See attached message");
    assert!(desk.events_of("new-message").await.iter().any(|event| event["error"] == 22));

    desk.sim.fail_next(1, Behaviour::ErrorRowRejected);
    let (status, said) = desk.script_text(ANA, "rejected", "t3").await;
    assert_eq!((status, &said["data"]["error"]), (500, &json!(22)));
    assert_eq!(desk.events_of("message-send-error").await[0]["tempGuid"], "t3");
    assert_eq!(desk.sim.summary().total, 1);
}

#[tokio::test]
async fn other_failures_say_what_the_real_server_says() {
    let desk = Desk::new().await;
    let cases = [
        (Behaviour::ChatMissing, 500, "Chat does not exist!", 0),
        (Behaviour::HelperTimeout, 500, "Transaction timeout", 0),
        (Behaviour::HelperTimeoutSent, 500, "Transaction timeout", 1),
        (Behaviour::RowNotFound, 500, "Failed to send message! Message not found in database after 60 seconds!", 1),
        (Behaviour::GatewayTimeout, 504, "The server took too long to respond and has timed-out!", 1),
        (Behaviour::BadRequest, 400, "The chatGuid attribute has errors.", 0),
        (Behaviour::Unauthorized, 401, "Unauthorized", 0),
    ];
    for (n, (behaviour, status, detail, left)) in cases.into_iter().enumerate() {
        let before = desk.sim.summary().total;
        desk.sim.rule(Rule { address: ANA.into(), behaviour: Some(behaviour), times: Some(1), ..Rule::default() });
        let (got, said) = desk.text(ANA, &format!("text {n}"), "t").await;
        assert_eq!((got, &said["error"]["message"]), (status, &json!(detail)));
        assert_eq!(desk.sim.summary().total - before, left, "{behaviour:?}");
        assert_eq!(desk.text(ANA, &format!("again {n}"), "t").await.0, 200);
    }
    desk.sim.fail_next(1, Behaviour::Proxy524);
    let (status, page) = desk.text(ANA, "html", "t").await;
    assert!(status == 524 && page.as_str().unwrap().starts_with("<!DOCTYPE html>"));
    desk.sim.fail_next(1, Behaviour::SentTwice);
    assert_eq!(desk.text(ANA, "double", "t").await.0, 200);
    assert_eq!(desk.sim.summary().duplicates, 1);
}

#[tokio::test]
async fn a_read_can_fail_without_touching_sends() {
    let desk = Desk::new().await;
    desk.control("fail_next", json!({"count": 1, "mode": "gateway_timeout_unsent", "on": "read"})).await;
    assert_eq!(desk.text(ANA, "x", "t").await.0, 200);
    assert_eq!(desk.post("/chat/query", json!({})).await.0, 504);
    assert_eq!(desk.post("/chat/query", json!({})).await.0, 200);
    desk.sim.fail_next_of(1, Behaviour::HangBefore, Scope::Any);
    let hung = tokio::spawn(desk.client.get(desk.url("/ping")).send());
    desk.until("it is asked", |sim| sim.calls().last().is_some_and(|call| &*call.path == "/api/v1/ping")).await;
    desk.server.stop().await;
    assert!(hung.await.unwrap().is_err());
}

#[tokio::test]
async fn macos_26_knows_chats_by_any() {
    let desk = Desk::with(|config| config.macos = 26).await;
    let any = json!({"chatGuid": format!("any;-;{ANA}"), "tempGuid": "t1", "message": "a", "method": "private-api"});
    assert_eq!(desk.post("/message/text", any).await.0, 200);
    assert_eq!(desk.events_of("new-message").await[0]["chats"][0]["guid"], format!("any;-;{ANA}"));
    let (status, said) = desk.text(ANA, "b", "t2").await;
    assert_eq!((status, &said["error"]["message"]), (500, &json!("Chat does not exist!")));
    // The script reaches the peer, but the waiter looks under the old GUID.
    let (status, said) = desk.script_text(ANA, "c", "t3").await;
    assert_eq!((status, said.get("data")), (500, Some(&Value::Null)));
    assert_eq!(desk.sim.summary().total, 2);
    assert_eq!(desk.get(&format!("/chat/iMessage;-;{ANA}")).await.0, 404);
    assert_eq!(desk.get(&format!("/chat/any;-;{ANA}")).await.0, 200);
}

#[tokio::test]
async fn a_private_api_send_needs_a_chat_unless_all_chats_are_implied() {
    let desk = Desk::with(|config| config.implicit_chats = false).await;
    assert_eq!(desk.text(ANA, "x", "t1").await.1["error"]["message"], "Chat does not exist!");
    assert_eq!(desk.sim.add_chat(ANA, "iMessage").unwrap(), format!("iMessage;-;{ANA}"));
    assert_eq!(desk.text(ANA, "x", "t1").await.0, 200);
    assert_eq!(desk.script_text("+15550000009", "x", "t2").await.0, 200);
}

#[tokio::test]
async fn webhooks_are_dropped_doubled_and_late_on_request() {
    let desk = Desk::with(|config| config.webhook_drop_pct = 100.0).await;
    desk.text(ANA, "a", "t1").await;
    assert!(desk.events().await.is_empty());
    assert_eq!(desk.look("posts").await["dropped"], 3);
    desk.sim.configure(|config| (config.webhook_drop_pct, config.webhook_duplicate_pct) = (0.0, 100.0));
    desk.text(ANA, "b", "t2").await;
    assert_eq!(desk.events().await.len(), 6);
    desk.control("config", json!({"webhook_duplicate_pct": 0.0, "webhook_delay_ms": 20})).await;
    desk.text(ANA, "c", "t3").await;
    assert!(desk.sim.posts().pending > 0);
    assert_eq!(desk.events().await.len(), 9);
    desk.control("emit", json!({"type": "hello-world", "data": null})).await;
    assert_eq!(desk.events_of("hello-world").await, [Value::Null]);
}

#[tokio::test]
async fn a_peer_reads_and_replies() {
    let desk = Desk::with(|config| config.read_receipts = true).await;
    desk.control("rules", json!({"address": ANA, "reply": "STOP"})).await;
    desk.text(ANA, "offer", "t1").await;
    let new = desk.events_of("new-message").await;
    let replies: Vec<&Value> = new.iter().filter(|event| event["isFromMe"] == false).collect();
    assert_eq!((replies.len(), &replies[0]["text"]), (1, &json!("STOP")));
    assert_eq!(replies[0]["handle"]["address"], ANA);
    let updated = desk.events_of("updated-message").await;
    assert_eq!((updated.len(), updated.iter().filter(|event| event["dateRead"].is_i64()).count()), (2, 1));
}

#[tokio::test]
async fn a_reset_forgets_everything_but_the_webhooks_asked_to_stay() {
    let desk = Desk::new().await;
    desk.text(ANA, "x", "t1").await;
    desk.sim.inbound(&Inbound { count: 5, ..Inbound::new(ANA, "y") }).unwrap();
    desk.events().await;
    desk.control("config", json!({"macos": 26})).await;
    desk.control("reset", json!({"keep_webhooks": true})).await;
    assert_eq!((desk.sim.summary(), desk.sim.config().macos, desk.sim.webhooks().len()), (Default::default(), 15, 1));
    assert_eq!(desk.get(&format!("/chat/iMessage;-;{ANA}")).await.0, 404);
    assert_eq!(desk.control("config", json!({"mac_os": 26})).await.0, 400);
}
