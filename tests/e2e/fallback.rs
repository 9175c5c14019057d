//! iMessage to SMS: only on evidence, once, with both tries to be seen, whatever dies or comes late in between.

use std::time::Duration;

use e2e::{Tenant, World, early_in_the_minute, eventually, eventually_some};
use serde_json::{Value, json};
use sim::bluebubbles::{Behaviour, Inbound, Rule};

const ANA: &str = "+13055550142";

/// A tenant with a line of that method, and Ana.
async fn ground(world: &World, more: Value) -> (Tenant, String) {
    let acme = world.tenant("acme").await;
    let line = acme.line(world, more).await;
    (acme, line)
}

async fn write(tenant: &Tenant, line: &str, text: &str) {
    let row = json!({ "kind": "messaging.send_text", "payload": { "line_id": line, "address": ANA, "text": text } });
    tenant.post("/jobs", &json!({ "jobs": [row] })).await.expect(200);
}

async fn message_is(tenant: &Tenant, status: &str) -> Value {
    eventually_some(&format!("the message is {status}"), || async {
        let message = tenant.messages(ANA).await.into_iter().next()?;
        (message["status"] == status).then_some(message)
    })
    .await
}

async fn tries(tenant: &Tenant, message: &Value) -> Vec<Value> {
    let id = message["id"].as_str().unwrap();
    tenant.get(&format!("/messages/{id}/attempts")).await.expect(200).as_array().unwrap().clone()
}

fn as_sms(message: &Value) -> String {
    format!("/messages/{}/send-as-sms", message["id"].as_str().unwrap())
}

/// Which services messages left on.
fn left(world: &World) -> Vec<&'static str> {
    world.sim.sent().iter().map(|sent| sent.service).collect()
}

/// The next send to Ana ends so.
fn once(world: &World, behaviour: Behaviour) {
    let rule = Rule { address: ANA.to_owned(), behaviour: Some(behaviour), times: Some(1), ..Rule::default() };
    world.sim.rule(rule);
}

#[tokio::test]
async fn an_error_of_the_send_has_it_go_out_as_sms_and_both_tries_are_shown() {
    let world = World::new().await;
    let (acme, line) = ground(&world, json!({})).await;
    once(&world, Behaviour::ErrorRow);
    write(&acme, &line, "hola").await;
    let message = message_is(&acme, "sent").await;
    world.settle().await;
    assert_eq!(left(&world), ["SMS"]);
    let tries = tries(&acme, &message).await;
    assert_eq!(message["service"], "sms");
    let seen: Vec<(&Value, &Value, &Value, &Value)> =
        tries.iter().map(|row| (&row["cause"], &row["service"], &row["status"], &row["reason"])).collect();
    let (first, fallback, imessage, sms) = (json!("first"), json!("fallback"), json!("imessage"), json!("sms"));
    let (failed, sent, error) = (json!("failed"), json!("sent"), json!("gateway_error_22"));
    assert_eq!(seen, [(&first, &imessage, &failed, &error), (&fallback, &sms, &sent, &Value::Null)]);
    assert_eq!((&tries[1]["evidence"]["kind"], &tries[1]["evidence"]["code"]), (&json!("error"), &json!(22)));
    let shown = acme.messages(ANA).await;
    assert_eq!(shown.len(), 1, "two tries are one message");
    assert_eq!(shown[0]["attempts"], json!(tries), "the thread shows both");
    assert_eq!(acme.items("/conversations").await[0]["service"], "sms");
    world.finish().await;
}

#[tokio::test]
async fn an_error_that_shows_only_later_has_it_go_out_too() {
    // the minute's sweep finds it, and is to come when the time is moved
    early_in_the_minute().await;
    let world = World::new().await;
    let (acme, line) = ground(&world, json!({ "method": "apple_script" })).await;
    world.sim.rule(Rule { address: ANA.to_owned(), imessage: Some(false), ..Rule::default() });
    write(&acme, &line, "hola").await;
    message_is(&acme, "sent").await;
    world.settle().await;
    assert!(left(&world).is_empty(), "the gateway has said yes, and nothing left");
    // the line's minute
    world.advance(Duration::from_secs(61)).await;
    eventually("it is out as SMS", || async { left(&world) == ["SMS"] }).await;
    let message = message_is(&acme, "sent").await;
    assert_eq!((message["service"].as_str(), tries(&acme, &message).await.len()), (Some("sms"), 2));
    world.advance(Duration::from_secs(61)).await;
    world.settle().await;
    assert_eq!(left(&world), ["SMS"]);
    world.finish().await;
}

#[tokio::test]
async fn who_is_not_on_imessage_by_the_gateways_word_is_never_tried_there() {
    let world = World::new().await;
    let (acme, line) = ground(&world, json!({})).await;
    world.sim.rule(Rule { address: ANA.to_owned(), imessage: Some(false), ..Rule::default() });
    write(&acme, &line, "hola").await;
    let message = message_is(&acme, "sent").await;
    assert!(world.sends().is_empty(), "nothing was tried over iMessage");
    assert_eq!(left(&world), ["SMS"]);
    let tries = tries(&acme, &message).await;
    assert_eq!((&tries[0]["status"], &tries[0]["reason"]), (&json!("cancelled"), &json!("not_on_imessage")));
    assert_eq!(tries[1]["evidence"]["kind"], "availability");
    // what worked is known by now
    write(&acme, &line, "otra vez").await;
    eventually("the second is out", || async { left(&world).len() == 2 }).await;
    world.settle().await;
    let asked = world.sim.calls_page(0, usize::MAX, Some("/api/v1/handle/availability/imessage")).entries;
    assert_eq!((left(&world), asked.len()), (vec!["SMS", "SMS"], 1));
    world.finish().await;
}

#[tokio::test]
async fn a_missing_receipt_or_another_error_is_no_reason() {
    let world = World::new().await;
    let (acme, line) = ground(&world, json!({})).await;
    world.sim.configure(|config| config.mode = Behaviour::NeverDelivered);
    write(&acme, &line, "hola").await;
    message_is(&acme, "sent").await;
    for _ in 0..3 {
        world.advance(Duration::from_secs(1300)).await;
        world.settle().await;
    }
    assert_eq!(left(&world), ["iMessage"], "the phone may be off");
    write(&acme, &line, "otra").await;
    eventually("it is out", || async { left(&world).len() == 2 }).await;
    let guid = world.sim.sent()[1].guid.clone();
    assert!(world.sim.set_error(&guid, 4));
    world.advance(Duration::from_secs(61)).await;
    let message = message_is(&acme, "failed").await;
    world.settle().await;
    assert_eq!(left(&world), ["iMessage", "iMessage"]);
    assert_eq!((message["reason"].as_str(), tries(&acme, &message).await.len()), (Some("gateway_error_4"), 1));
    world.finish().await;
}

/// What the gateway says again and again of the try that failed is about no other message.
#[tokio::test]
async fn late_reports_of_the_first_try_change_nothing() {
    let world = World::new().await;
    let (acme, line) = ground(&world, json!({ "method": "apple_script" })).await;
    once(&world, Behaviour::ErrorRowRejected);
    write(&acme, &line, "hola").await;
    eventually("it is out as SMS", || async { left(&world) == ["SMS"] }).await;
    world.settle().await;
    let guid: String = sqlx::query_scalar("select guid from crm.message_attempts where number = 1")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    for _ in 0..3 {
        assert!(world.sim.replay(&guid));
    }
    world.settle().await;
    world.advance(Duration::from_secs(61)).await;
    world.settle().await;
    let messages = acme.messages(ANA).await;
    assert_eq!((messages.len(), &messages[0]["status"], &messages[0]["service"]), (1, &json!("sent"), &json!("sms")));
    assert_eq!(left(&world), ["SMS"]);
    world.finish().await;
}

#[tokio::test]
async fn without_a_relay_it_has_failed_twice_and_says_why() {
    let world = World::new().await;
    let (acme, line) = ground(&world, json!({})).await;
    // taken from the phone after the line was made
    world.sim.configure(|config| config.sms_relay = false);
    once(&world, Behaviour::ErrorRow);
    write(&acme, &line, "hola").await;
    let message = eventually_some("both have failed", || async {
        let message = acme.messages(ANA).await.into_iter().next()?;
        (message["reason"] == "no_sms_relay").then_some(message)
    })
    .await;
    assert_eq!((&message["status"], tries(&acme, &message).await.len()), (&json!("failed"), 2));
    assert!(left(&world).is_empty());
    acme.act(&as_sms(&message)).await.expect(409);
    world.finish().await;
}

#[tokio::test]
async fn an_sms_whose_answer_is_lost_is_looked_up_and_not_sent_again() {
    let world = World::new().await;
    let (acme, line) = ground(&world, json!({})).await;
    world.sim.configure(|config| config.webhook_drop_pct = 100.0);
    once(&world, Behaviour::ErrorRow);
    world.sim.fail_next(1, Behaviour::DropAfter);
    write(&acme, &line, "hola").await;
    eventually("the SMS is out", || async { left(&world) == ["SMS"] }).await;
    message_is(&acme, "unknown").await;
    world.advance(Duration::from_secs(70)).await;
    let message = message_is(&acme, "sent").await;
    world.settle().await;
    assert_eq!((left(&world), tries(&acme, &message).await.len()), (vec!["SMS"], 2));
    world.finish().await;
}

#[tokio::test]
async fn an_sms_that_is_never_answered_is_unknown_and_not_sent_again() {
    let world = World::new().await;
    let (acme, line) = ground(&world, json!({ "send_timeout_s": 1 })).await;
    once(&world, Behaviour::ErrorRow);
    world.sim.fail_next(1, Behaviour::HangBefore);
    write(&acme, &line, "hola").await;
    let message = eventually_some("the SMS is unknown", || async {
        let message = acme.messages(ANA).await.into_iter().next()?;
        (message["status"] == "unknown" && message["service"] == "sms").then_some(message)
    })
    .await;
    acme.act(&as_sms(&message)).await.expect(409);
    world.advance(Duration::from_secs(70)).await;
    world.settle().await;
    let message = acme.messages(ANA).await.remove(0);
    assert_eq!((&message["status"], &message["reason"]), (&json!("unknown"), &json!("held")));
    assert!(left(&world).is_empty());
    assert_eq!(acme.act(&as_sms(&message)).await.expect(409)["code"], "already_sent_as_sms");
    world.finish().await;
}

/// The worker dies after the first try and before the second.
#[tokio::test]
async fn a_worker_that_dies_between_the_tries_loses_and_repeats_nothing() {
    let mut world = World::without_workers().await;
    let doomed = world.worker().await;
    let pace = json!({ "unlimited": false, "rate_per_minute": 1, "burst": 1, "cap": 1 });
    let (acme, line) = ground(&world, pace).await;
    once(&world, Behaviour::ErrorRow);
    write(&acme, &line, "hola").await;
    // the first token is spent: the second try waits for the next one
    eventually("the second try waits", || async {
        let messages = acme.messages(ANA).await;
        messages.first().is_some_and(|message| message["status"] == "queued" && message["service"] == "sms")
    })
    .await;
    doomed.abort();
    assert!(left(&world).is_empty());
    world.start_worker().await;
    world.advance(Duration::from_secs(91)).await;
    let message = message_is(&acme, "sent").await;
    world.settle().await;
    assert_eq!((left(&world), tries(&acme, &message).await.len()), (vec!["SMS"], 2));
    world.finish().await;
}

/// The worker dies while the second try is at the gateway.
#[tokio::test]
async fn a_worker_that_dies_in_the_second_try_has_it_looked_up() {
    let mut world = World::without_workers().await;
    let doomed = world.worker().await;
    let (acme, line) = ground(&world, json!({})).await;
    world.sim.configure(|config| config.hold_sends = true);
    world.sim.rule(Rule { address: ANA.to_owned(), imessage: Some(false), ..Rule::default() });
    write(&acme, &line, "hola").await;
    eventually("the SMS is at the gateway", || async { world.sim.summary().in_flight == 1 }).await;
    doomed.abort();
    world.sim.configure(|config| config.hold_sends = false);
    eventually("it is out", || async { left(&world) == ["SMS"] }).await;
    world.start_worker().await;
    world.advance(Duration::from_secs(31)).await;
    world.advance(Duration::from_secs(70)).await;
    message_is(&acme, "sent").await;
    world.settle().await;
    assert_eq!(left(&world), ["SMS"]);
    world.finish().await;
}

/// A message of which nobody knows whether it went out.
async fn held(world: &World, more: Value) -> (Tenant, Value) {
    let (acme, line) = ground(world, more).await;
    // somebody we know by iMessage, so that nothing is asked first
    world.sim.inbound(&Inbound::new(ANA, "hola")).unwrap();
    world.settle().await;
    once(world, Behaviour::DropBefore);
    write(&acme, &line, "adios").await;
    message_is(&acme, "unknown").await;
    let pending = acme.messages(ANA).await.remove(0);
    assert_eq!(acme.act(&as_sms(&pending)).await.expect(409)["code"], "outcome_pending");
    world.advance(Duration::from_secs(70)).await;
    let message = eventually_some("it is held", || async {
        let message = acme.messages(ANA).await.remove(0);
        (message["reason"] == "held").then_some(message)
    })
    .await;
    (acme, message)
}

#[tokio::test]
async fn a_person_sends_what_nobody_can_confirm_as_sms_once() {
    let world = World::new().await;
    let (acme, message) = held(&world, json!({})).await;
    let path = as_sms(&message);
    let (one, two) = tokio::join!(acme.act(&path), acme.act(&path));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    message_is(&acme, "sent").await;
    world.settle().await;
    assert_eq!(left(&world), ["SMS"]);
    let tries = tries(&acme, &message).await;
    assert_eq!((&tries[0]["status"], &tries[0]["reason"]), (&json!("unknown"), &json!("held")));
    assert_eq!((&tries[1]["cause"], &tries[1]["evidence"]["first_status"]), (&json!("person"), &json!("unknown")));
    acme.act(&path).await.expect(409);
    world.finish().await;
}

#[tokio::test]
async fn a_first_try_that_turns_up_in_time_calls_the_sms_off() {
    let world = World::new().await;
    let (acme, message) = held(&world, json!({ "unlimited": false, "rate_per_minute": 1, "burst": 1, "cap": 1 })).await;
    // its token is there by now: another message takes it
    let line = acme.items("/lines").await[0]["id"].as_str().unwrap().to_owned();
    write(&acme, &line, "otro").await;
    eventually("the other is out", || async { left(&world) == ["iMessage"] }).await;
    acme.act(&as_sms(&message)).await.expect(200);
    let client_guid = format!("paloma-{}", message["id"].as_str().unwrap());
    world.sim.emit("new-message", &json!({
        "guid": "0000000A-0000-4000-8000-000000000000", "tempGuid": client_guid, "text": "adios", "isFromMe": true, "error": 0, "itemType": 0,
        "isDelivered": true, "dateDelivered": 1_764_028_812_000_i64, "dateCreated": 1_764_028_811_000_i64,
        "handle": { "address": ANA, "service": "iMessage" }, "chats": [{ "guid": format!("iMessage;-;{ANA}"), "style": 45, "chatIdentifier": ANA }],
    }));
    let find = || async { acme.messages(ANA).await.into_iter().find(|row| row["id"] == message["id"]).unwrap() };
    eventually("it has arrived", || async { find().await["status"] == "delivered" }).await;
    world.advance(Duration::from_secs(180)).await;
    world.settle().await;
    assert_eq!(left(&world), ["iMessage"], "nobody gets it twice");
    let tries = tries(&acme, &message).await;
    assert_eq!((&tries[0]["status"], &tries[1]["status"]), (&json!("delivered"), &json!("cancelled")));
    assert_eq!(find().await["status"], "delivered");
    world.finish().await;
}

#[tokio::test]
async fn who_has_said_stop_gets_no_sms_and_what_arrived_is_not_sent_again() {
    let world = World::new().await;
    let (acme, message) = held(&world, json!({})).await;
    acme.post("/suppressions", &json!({ "address": ANA, "reason": "opted_out" })).await.expect(201);
    assert_eq!(acme.act(&as_sms(&message)).await.expect(409)["code"], "recipient_opted_out");
    let inbound = acme.messages(ANA).await.into_iter().find(|row| row["direction"] == "inbound").unwrap();
    assert_eq!(acme.act(&as_sms(&inbound)).await.expect(409)["code"], "not_for_sms");
    acme.act(&format!("/messages/{}/send-as-sms", uuid::Uuid::new_v4())).await.expect(404);
    let other = world.tenant("other").await;
    other.act(&as_sms(&message)).await.expect(404);
    world.settle().await;
    assert!(left(&world).is_empty());
    world.finish().await;
}
