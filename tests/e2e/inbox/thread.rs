//! What was said: its order, pages in both directions, replies that go out once and in order, notes that never do.

use e2e::{World, eventually};
use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

use super::{JOSE, bodies, change, id, note, opened, reply, with, writes};
use crate::live::Feed;

fn said(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["body"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_reply_goes_out_ahead_of_campaigns_and_a_note_stays_here() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let conversation = id(&writes(&world, &acme, JOSE, "hola").await);
    // what has been said so far is no news to whoever listens from here on
    world.numbered().await;
    let (mut feed, _) = Feed::open(&world, &acme).await;
    let asked = acme.items(&format!("/conversations/{conversation}/messages")).await.remove(0);
    let body = json!({ "body": "¿En qué le ayudo?", "reply_to_id": asked["id"] });
    let sent = acme.post(&format!("/conversations/{conversation}/messages"), &body).await.expect(201);
    assert_eq!(
        (&sent["status"], &sent["direction"], &sent["source"]),
        (&json!("queued"), &json!("outbound"), &json!("user"))
    );
    assert_eq!(sent["author"]["name"], "Owner");
    assert_eq!(sent["reply_to"], json!({ "id": asked["id"], "preview": "hola" }));
    let frames = feed.until(|frame| frame["kind"] == "message.new").await;
    let told = &frames.last().unwrap()["data"];
    assert_eq!((&told["direction"], &told["message_id"]), (&json!("outbound"), &sent["id"]));
    let noted = note(&acme, &conversation, "es cliente").await;
    assert_eq!((&noted["kind"], &noted["status"]), (&json!("note"), &json!("stored")));
    world.settle().await;
    assert_eq!(world.sim.summary().total, 1);
    assert_eq!(bodies(&acme, &conversation).await, ["es cliente", "¿En qué le ayudo?", "hola"]);
    // its receipt comes by a webhook of its own
    eventually("the reply is delivered", || async {
        acme.items(&format!("/conversations/{conversation}/messages")).await[1]["status"] == "delivered"
    })
    .await;
    for (body, code) in [
        (json!({ "body": "  " }), "text_length"),
        (json!({ "body": "x".repeat(10_001) }), "text_length"),
        (json!({ "body": "x", "reply_to_id": uuid::Uuid::now_v7() }), "reply_to_unknown"),
        (json!({ "body": "x", "kind": "song" }), "invalid_body"),
    ] {
        let refused = acme.post(&format!("/conversations/{conversation}/messages"), &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{body}");
    }
    let nowhere = format!("/conversations/{}/messages", uuid::Uuid::now_v7());
    for kind in ["message", "note"] {
        assert_eq!(acme.post(&nowhere, &json!({ "body": "x", "kind": kind })).await.status, 404);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_reply_that_is_sent_twice_under_one_key_is_one_message() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let path = format!("/conversations/{conversation}/messages");
    let send = || async {
        let request = acme
            .request(reqwest::Method::POST, &path)
            .header("idempotency-key", "once")
            .json(&json!({ "body": "hola" }));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (a, b, c) = tokio::join!(send(), send(), send());
    assert_eq!((a.0, &a.1["id"], &b.1["id"]), (201, &b.1["id"], &c.1["id"]));
    world.settle().await;
    assert_eq!((world.sim.summary().total, bodies(&acme, &conversation).await.len()), (1, 1));
    world.finish().await;
}

/// RT-03
#[tokio::test]
async fn twenty_replies_in_a_second_are_twenty_in_order_and_twenty_events() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let (mut feed, _) = Feed::open(&world, &acme).await;
    let mut sent = Vec::new();
    for n in 0..20 {
        sent.push(id(&reply(&acme, &conversation, &format!("{n:02}")).await));
    }
    let mut told = Vec::new();
    while told.len() < 20 {
        let frame = feed.next().await.unwrap();
        if frame["kind"] == "message.new" {
            told.push(frame["data"]["message_id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(told, sent);
    let mut shown = bodies(&acme, &conversation).await;
    shown.reverse();
    assert_eq!(shown, (0..20).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    world.settle().await;
    assert_eq!((world.sim.summary().total, world.sim.summary().duplicates), (20, 0));
    // nothing was told twice
    note(&acme, &conversation, "end").await;
    let rest = feed.until(|frame| frame["kind"] == "conversation.updated").await;
    assert!(rest.iter().all(|frame| frame["kind"] != "message.new"), "{rest:?}");
    world.finish().await;
}

/// RT-04
#[tokio::test]
async fn what_was_said_first_stands_first_also_where_it_is_found_later() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let conversation = id(&writes(&world, &acme, JOSE, "earlier").await);
    reply(&acme, &conversation, "the reply").await;
    let message = json!({
        "guid": "0000000A-0000-4000-8000-000000000000", "text": "found late", "isFromMe": false, "error": 0, "itemType": 0, "originalROWID": 77,
        "dateCreated": 1_764_028_811_000_i64, "handle": { "address": JOSE, "service": "iMessage" },
        "chats": [{ "guid": format!("iMessage;-;{JOSE}"), "style": 45, "chatIdentifier": JOSE }],
    });
    world.sim.emit("new-message", &message);
    world.settle().await;
    assert_eq!(bodies(&acme, &conversation).await, ["the reply", "earlier", "found late"]);
    let row = with(&acme, JOSE).await;
    assert_eq!((&row["last_message"]["preview"], &row["unread_count"]), (&json!("the reply"), &json!(2)));
    world.finish().await;
}

#[tokio::test]
async fn a_thread_is_paged_in_both_directions_and_around_any_of_it() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let mut ids = Vec::new();
    for n in 0..12 {
        let body = format!("{n:02}");
        ids.push(id(&if n % 3 == 0 {
            note(&acme, &conversation, &body).await
        } else {
            reply(&acme, &conversation, &body).await
        }));
    }
    let path = format!("/conversations/{conversation}/messages");
    let page = |query: String| {
        let (acme, path) = (acme.clone(), format!("{path}?{query}"));
        async move { acme.get(&path).await }
    };
    let newest = page("limit=5".into()).await.expect(200);
    assert_eq!(said(&newest), ["11", "10", "09", "08", "07"]);
    assert_eq!(newest["prev_cursor"], Value::Null);
    let older = page(format!("limit=5&before={}", newest["next_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!(said(&older), ["06", "05", "04", "03", "02"]);
    let oldest = page(format!("limit=5&before={}", older["next_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((said(&oldest), &oldest["next_cursor"]), (vec!["01", "00"], &Value::Null));
    let newer = page(format!("limit=3&after={}", oldest["prev_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!(said(&newer), ["04", "03", "02"]);
    let rest = page(format!("limit=50&after={}", newer["prev_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((said(&rest).len(), &rest["prev_cursor"]), (7, &Value::Null));
    for (n, wanted) in
        [(6, vec!["08", "07", "06", "05", "04"]), (0, vec!["02", "01", "00"]), (11, vec!["11", "10", "09", "08", "07"])]
    {
        let around = page(format!("limit=5&around={}", ids[n])).await.expect(200);
        assert_eq!(said(&around), wanted, "{n}");
    }
    assert_eq!(page(format!("around={}", uuid::Uuid::now_v7())).await.status, 404);
    assert_eq!(page("before=nonsense".into()).await.code(), "bad_cursor");
    let both = page(format!("around={}&before={}", ids[0], newest["next_cursor"].as_str().unwrap())).await;
    assert_eq!(both.code(), "one_of_three");
    world.settle().await;
    world.finish().await;
}

/// D8
#[tokio::test]
async fn somebody_who_opted_out_gets_a_reply_only_from_who_says_so() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let conversation = id(&writes(&world, &acme, JOSE, "stop").await);
    let path = format!("/conversations/{conversation}/messages");
    let refused = acme.post(&path, &json!({ "body": "una cosa más" })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "recipient_opted_out"));
    assert_eq!(world.sim.summary().total, 1, "the confirmation alone");
    acme.post(&path, &json!({ "body": "su cita sigue en pie", "despite_opt_out": true })).await.expect(201);
    world.settle().await;
    assert_eq!(world.sim.summary().total, 2);
    // a note is for us
    note(&acme, &conversation, "se dio de baja").await;
    acme.post("/suppressions", &json!({ "address": JOSE, "reason": "blacklisted" })).await.expect(201);
    let refused = acme.post(&path, &json!({ "body": "hola", "despite_opt_out": true })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "recipient_blacklisted"));
    world.finish().await;
}

#[tokio::test]
async fn an_opt_out_between_writing_and_sending_is_obeyed_unless_it_was_known() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let conversation = id(&writes(&world, &acme, JOSE, "hola").await);
    world.stop_workers().await;
    reply(&acme, &conversation, "una oferta").await;
    acme.post("/suppressions", &json!({ "address": JOSE, "reason": "opted_out" })).await.expect(201);
    world.start_worker().await;
    world.settle().await;
    assert_eq!(world.sim.summary().total, 0);
    let row = acme.items(&format!("/conversations/{conversation}/messages")).await.remove(0);
    assert_eq!((&row["status"], &row["reason"]), (&json!("cancelled"), &json!("opted_out")));
    world.finish().await;
}

#[tokio::test]
async fn what_comes_in_brings_a_conversation_back() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let conversation = id(&writes(&world, &acme, JOSE, "hola").await);
    let at = chrono::DateTime::from_timestamp_millis(World::machine_ms()).unwrap() + chrono::TimeDelta::days(2);
    for put_away in [json!({ "state": "closed" }), json!({ "state": "archived" }), json!({ "snoozed_until": at })] {
        change(&acme, &conversation, put_away.clone()).await;
        // what we do brings nothing back
        note(&acme, &conversation, "nota").await;
        reply(&acme, &conversation, "adiós").await;
        world.settle().await;
        let row = with(&acme, JOSE).await;
        assert!(row["state"] != "active" || row["snoozed_until"] != Value::Null, "{row}");
        let (mut feed, _) = Feed::open(&world, &acme).await;
        world.sim.inbound(&Inbound::new(JOSE, "otra vez")).unwrap();
        feed.until(|frame| frame["kind"] == "conversation.updated").await;
        world.settle().await;
        let row = with(&acme, JOSE).await;
        assert_eq!((&row["state"], &row["snoozed_until"]), (&json!("active"), &Value::Null), "{put_away}");
    }
    world.finish().await;
}
