//! What comes back: outcomes that nobody knows at first, webhooks in any number and order, people who write.

use std::time::Duration;

use e2e::{Tenant, World, eventually};
use serde_json::{Value, json};
use sim::bluebubbles::{Behaviour, Inbound};

async fn campaign_to(world: &World, contacts: usize, more: Value) -> (Tenant, String, String) {
    let acme = world.tenant("acme").await;
    let line = acme.line(world, json!({})).await;
    let import = acme.contacts(contacts).await;
    let campaign = acme.draft(&line, &import, more).await;
    (acme, line, campaign)
}

fn count(progress: &Value, state: &str) -> u64 {
    progress["counts"][state].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_by_the_webhook_and_nothing_is_sent_again() {
    let world = World::new().await;
    let (acme, _, campaign) = campaign_to(&world, 20, json!({})).await;
    world.sim.fail_next(5, Behaviour::DropAfter);
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    // a receipt that comes before it is known whose it is waits a moment
    acme.until_count(&campaign, "delivered", 20).await;
    world.settle().await;
    assert_eq!((world.sim.summary().total, world.sim.summary().duplicates), (20, 0));
    world.finish().await;
}

/// BB-05
#[tokio::test]
async fn a_500_for_a_message_that_went_out_ends_as_sent() {
    let world = World::new().await;
    let (acme, _, campaign) = campaign_to(&world, 3, json!({})).await;
    world.sim.fail_next(3, Behaviour::WaiterTimeout);
    acme.launch(&campaign).await;
    acme.until_count(&campaign, "unknown", 3).await;
    world.advance(Duration::from_secs(70)).await;
    acme.until(&campaign, "completed").await;
    world.settle().await;
    let progress = acme.progress(&campaign).await;
    assert_eq!(count(&progress, "sent") + count(&progress, "delivered"), 3, "{progress}");
    assert_eq!(world.sim.summary().total, 3);
    world.finish().await;
}

#[tokio::test]
async fn with_the_answer_and_the_webhooks_lost_the_chat_is_read_back() {
    let world = World::new().await;
    let (acme, _, campaign) = campaign_to(&world, 4, json!({})).await;
    world.sim.configure(|config| config.webhook_drop_pct = 100.0);
    world.sim.fail_next(4, Behaviour::DropAfter);
    acme.launch(&campaign).await;
    acme.until_count(&campaign, "unknown", 4).await;
    world.sim.configure(|config| config.webhook_drop_pct = 0.0);
    world.advance(Duration::from_secs(70)).await;
    acme.until(&campaign, "completed").await;
    let progress = acme.progress(&campaign).await;
    assert_eq!(count(&progress, "sent") + count(&progress, "delivered"), 4, "{progress}");
    assert_eq!(world.sim.summary().total, 4);
    world.finish().await;
}

#[tokio::test]
async fn what_never_left_is_held_for_a_person_and_completes_the_campaign() {
    let world = World::new().await;
    let (acme, _, campaign) = campaign_to(&world, 3, json!({})).await;
    world.sim.rule_behaviour("+13055560001", Behaviour::DropBefore);
    acme.launch(&campaign).await;
    acme.until_count(&campaign, "unknown", 1).await;
    world.advance(Duration::from_secs(70)).await;
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!(count(&progress, "held"), 1, "{progress}");
    assert_eq!(progress["causes"][0]["reason"], "not_confirmed");
    assert_eq!(world.sim.summary().total, 2);
    world.finish().await;
}

#[tokio::test]
async fn where_the_campaign_says_so_what_never_left_is_sent_once_more() {
    let world = World::new().await;
    let (acme, _, campaign) = campaign_to(&world, 3, json!({ "on_unknown": "resend_once" })).await;
    world.sim.fail_next(1, Behaviour::DropBefore);
    acme.launch(&campaign).await;
    acme.until_count(&campaign, "unknown", 1).await;
    world.advance(Duration::from_secs(70)).await;
    acme.until(&campaign, "completed").await;
    assert_eq!((world.sim.summary().total, world.sim.summary().duplicates), (3, 0));
    world.finish().await;
}

/// CAM-13
#[tokio::test]
async fn what_a_dead_worker_held_is_taken_over_and_looked_up() {
    let mut world = World::without_workers().await;
    let doomed = world.worker().await;
    let (acme, _, campaign) = campaign_to(&world, 30, json!({})).await;
    world.sim.configure(|config| config.row_delay_ms = 200);
    acme.launch(&campaign).await;
    eventually("calls are in flight", || async { world.sim.summary().in_flight > 0 }).await;
    doomed.abort();
    world.sim.configure(|config| config.row_delay_ms = 0);
    world.start_worker().await;
    world.advance(Duration::from_secs(31)).await;
    eventually("the dead worker's jobs are taken over", || async {
        let progress = acme.progress(&campaign).await;
        count(&progress, "pending") + count(&progress, "sending") == 0
    })
    .await;
    world.advance(Duration::from_secs(70)).await;
    acme.until(&campaign, "completed").await;
    assert_eq!(world.sim.summary().duplicates, 0);
    world.finish().await;
}

#[tokio::test]
async fn an_error_row_found_later_turns_sent_into_failed() {
    let world = World::new().await;
    let (acme, _, campaign) = campaign_to(&world, 2, json!({})).await;
    world.sim.rule_behaviour("+13055560001", Behaviour::AsyncError);
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    world.settle().await;
    // nothing tells of it but the sweep
    world.advance(Duration::from_secs(61)).await;
    let progress = acme.until_count(&campaign, "failed", 1).await;
    assert_eq!(progress["causes"][0]["reason"], "gateway_error_22");
    world.finish().await;
}

/// BB-07, and webhooks twice, late and out of order
#[tokio::test]
async fn receipts_in_any_number_and_order_end_in_one_status() {
    let world = World::new().await;
    let (acme, _, campaign) = campaign_to(&world, 25, json!({})).await;
    world.sim.configure(|config| {
        config.webhook_duplicate_pct = 60.0;
        config.webhook_shuffle_pct = 60.0;
        config.webhook_shuffle_ms = 40;
    });
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    world.settle().await;
    assert_eq!(count(&acme.progress(&campaign).await, "delivered"), 25);
    let messages: i64 = sqlx::query_scalar("select count(*) from crm.messages")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(messages, 25);
    world.finish().await;
}

/// BB-01, BB-02
#[tokio::test]
async fn a_message_that_is_reported_many_times_is_one_message() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let guid = world.sim.inbound(&Inbound::new("+13055550142", "hola")).unwrap().remove(0);
    for _ in 0..3 {
        assert!(world.sim.replay(&guid));
    }
    world.settle().await;
    world.stop_workers().await;
    world.start_worker().await;
    world.sim.replay(&guid);
    world.settle().await;
    let conversations = acme.get("/conversations").await.expect(200);
    assert_eq!(conversations["items"].as_array().unwrap().len(), 1);
    let id = conversations["items"][0]["id"].as_str().unwrap();
    let messages = acme.get(&format!("/conversations/{id}/messages")).await.expect(200);
    assert_eq!(messages["items"].as_array().unwrap().len(), 1, "{messages}");
    assert_eq!(messages["items"][0]["body"], "hola");
    world.finish().await;
}

/// BB-03
#[tokio::test]
async fn however_the_gateway_spells_the_chat_it_is_one_conversation() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    for (n, chat) in
        ["iMessage;-;+13055550142", "any;-;+13055550142", "SMS;-;+13055550142", "+13055550142"].into_iter().enumerate()
    {
        world.sim.emit("new-message", &json!({
            "guid": format!("0000000{n}-0000-4000-8000-000000000000"), "text": format!("form {n}"), "isFromMe": false, "error": 0, "itemType": 0,
            "originalROWID": n + 1, "dateCreated": 1_764_028_811_000_i64 + n as i64, "handle": { "address": "+13055550142", "service": "SMS" },
            "chats": [{ "guid": chat, "style": 45, "chatIdentifier": "+13055550142" }],
        }));
    }
    world.settle().await;
    let conversations = acme.get("/conversations").await.expect(200);
    assert_eq!(conversations["items"].as_array().unwrap().len(), 1, "{conversations}");
    assert_eq!(conversations["items"][0]["service"], "sms");
    world.finish().await;
}

/// BB-06
#[tokio::test]
async fn a_webhook_with_a_wrong_secret_is_a_missing_thing_and_stores_nothing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let url = format!("{}/api/v1/hooks/bluebubbles/{line}/{}", world.base(), "0".repeat(64));
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(
            reqwest::Client::new().post(&url).body(r#"{"type":"hello-world"}"#).send().await.unwrap().status().as_u16(),
        );
    }
    assert_eq!(statuses[0], 404);
    assert_eq!(statuses[39], 429, "guessing is slowed down");
    let stored: i64 = sqlx::query_scalar("select count(*) from crm.hook_events")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(stored, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_faulty_event_is_kept_with_its_error_and_stops_no_other() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    world.sim.emit("new-message", &json!({ "text": "no guid" }));
    world.sim.inbound(&Inbound::new("+13055550142", "hola")).unwrap();
    world.settle().await;
    assert_eq!(acme.get("/conversations").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let errors: Vec<Option<String>> = sqlx::query_scalar("select error from crm.hook_events")
        .fetch_all(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(errors, [Some("event_without_message".to_owned())]);
    world.finish().await;
}

/// CAM-06
#[tokio::test]
async fn stop_words_act_exactly_and_are_confirmed_once() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    for (address, text) in [
        ("+13055550101", "Stop."),
        ("+13055550102", " STOP!! "),
        ("+13055550103", "Count me in! We have got to STOP this"),
        ("+13055550104", "Dar de baja"),
        ("+13055550105", "hola"),
    ] {
        world.sim.inbound(&Inbound::new(address, text)).unwrap();
    }
    world.settle().await;
    world.sim.inbound(&Inbound::new("+13055550101", "STOP")).unwrap();
    world.settle().await;
    let listed = acme.get("/suppressions").await.expect(200);
    let mut found: Vec<(String, String)> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["address"].as_str().unwrap().to_owned(), row["reason"].as_str().unwrap().to_owned()))
        .collect();
    found.sort();
    let expected = [
        ("+13055550101", "opted_out"),
        ("+13055550102", "opted_out"),
        ("+13055550103", "opt_out_review"),
        ("+13055550104", "opted_out"),
    ];
    assert_eq!(found, expected.map(|(address, reason)| (address.to_owned(), reason.to_owned())));
    let confirmations: Vec<(String, String)> =
        world.sim.sent().iter().map(|sent| (sent.address.to_string(), sent.text.to_string())).collect();
    assert_eq!(confirmations.len(), 3, "one each, however often they say it: {confirmations:?}");
    assert!(confirmations.iter().any(|(address, text)| address == "+13055550104" && text.contains("ALTA")));
    world.sim.inbound(&Inbound::new("+13055550101", "start")).unwrap();
    world.settle().await;
    assert_eq!(acme.get("/suppressions").await.expect(200)["items"].as_array().unwrap().len(), 3);
    world.finish().await;
}

/// A text that a person wrote that many seconds after the first one, whenever it is found.
fn report(world: &World, address: &str, text: &str, second: i64) {
    let message = json!({
        "guid": format!("{address}-{second}"), "text": text, "isFromMe": false, "error": 0, "itemType": 0,
        "dateCreated": 1_764_028_811_000_i64 + second * 1000, "handle": { "address": address, "service": "iMessage" },
        "chats": [{ "guid": format!("iMessage;-;{address}"), "style": 45, "chatIdentifier": address }],
    });
    world.sim.emit("new-message", &message);
}

#[tokio::test]
async fn the_last_word_on_consent_counts_in_whatever_order_it_is_found() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let (leaves, returns, wavers) = ("+13055550101", "+13055550102", "+13055550103");
    report(&world, leaves, "stop", 10);
    report(&world, returns, "start", 10);
    world.settle().await;
    // found late, by a sweep or a slow webhook
    report(&world, leaves, "start", 5);
    report(&world, returns, "stop", 5);
    for (second, text) in [(1, "stop"), (4, "start"), (2, "start"), (3, "stop"), (5, "stop")] {
        report(&world, wavers, text, second);
    }
    world.settle().await;
    let out: Vec<String> = acme.items("/suppressions").await.iter().map(|row| row["address"].to_string()).collect();
    assert_eq!(out.len(), 2, "{out:?}");
    assert!(out.iter().all(|address| !address.contains(returns)), "{out:?}");
    world.finish().await;
}

#[tokio::test]
async fn an_identifier_of_kilobytes_blocks_nothing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    // no index holds it, and no compression helps
    let long: String = (0..400).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
    let handle = json!({ "address": "+13055550142", "service": "iMessage" });
    world.sim.emit("new-message", &json!({ "guid": long, "text": "a", "handle": handle }));
    world.sim.emit("new-message", &json!({ "guid": "A", "text": "b", "handle": handle, "chats": [{ "guid": long }] }));
    world.sim.emit(
        "new-message",
        &json!({ "guid": "B", "text": "c", "handle": { "address": format!("{long}@example.com") } }),
    );
    world.sim.emit("updated-message", &json!({ "guid": "C", "tempGuid": long, "isFromMe": true, "handle": handle }));
    world.sim.inbound(&Inbound::new("+13055550142", "hola")).unwrap();
    world.settle().await;
    let bodies: Vec<Value> = acme.messages("+13055550142").await.into_iter().map(|row| row["body"].clone()).collect();
    assert!(bodies.contains(&json!("hola")), "{bodies:?}");
    let waiting: i64 = sqlx::query_scalar("select count(*) from crm.hook_events where error is null")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(waiting, 0);
    world.finish().await;
}

/// CAM-07
#[tokio::test]
async fn an_opt_out_after_the_launch_is_obeyed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({ "unlimited": false, "rate_per_minute": 90, "burst": 1, "cap": 4 })).await;
    let import = acme.contacts(15).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    world.sim.inbound(&Inbound::new("+13055560014", "BAJA")).unwrap();
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!(progress["skipped"]["opted_out"], 1, "{progress}");
    let campaign_texts = world
        .sim
        .sent()
        .iter()
        .filter(|sent| &*sent.address == "+13055560014" && sent.text.starts_with("Hola"))
        .count();
    assert_eq!(campaign_texts, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_gateway_that_is_away_opens_the_breaker_and_is_found_again_by_one_probe() {
    let world = World::new().await;
    let (acme, line, campaign) = campaign_to(&world, 30, json!({})).await;
    // until somebody mends it: five in a row open the breaker, in whatever order the answers come
    world.sim.fail_next(u32::MAX, Behaviour::Unauthorized);
    acme.launch(&campaign).await;
    eventually("the breaker opens", || async {
        acme.get(&format!("/lines/{line}")).await.expect(200)["breaker"] != "closed"
    })
    .await;
    assert_eq!(acme.progress(&campaign).await["waits_for_line"], true);
    world.sim.clear_rules();
    for _ in 0..6 {
        world.advance(Duration::from_secs(40)).await;
        world.drain().await;
    }
    acme.until(&campaign, "completed").await;
    assert_eq!((world.sim.summary().total, world.sim.summary().duplicates), (30, 0));
    assert_eq!(acme.get(&format!("/lines/{line}")).await.expect(200)["breaker"], "closed");
    world.finish().await;
}
