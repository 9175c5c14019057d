//! What comes in besides texts: reactions, edits, messages taken back, answers, groups, what was written on the phone itself, people nobody knew.

use std::time::Duration;

use e2e::{Tenant, World, eventually};
use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

const ANA: &str = "+13055550142";
const LEO: &str = "+13055550143";

async fn ground() -> (World, Tenant) {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    (world, acme)
}

fn says(world: &World, from: &str, text: &str) -> String {
    world.sim.inbound(&Inbound::new(from, text)).unwrap().remove(0)
}

async fn number(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut world.database.superuser().await).await.unwrap()
}

/// The reactions that stand, as `sender kind`.
async fn reactions(world: &World) -> Vec<String> {
    sqlx::query_scalar(
        "select r.sender || ' ' || r.kind from crm.message_reactions r join crm.messages m on m.guid = r.target_guid where not r.is_removed order by 1",
    )
    .fetch_all(&mut world.database.superuser().await)
    .await
    .unwrap()
}

/// Texts that are shown, with what became of them.
async fn texts(world: &World) -> Vec<(String, bool, bool)> {
    sqlx::query_as("select body, edited_at is not null, unsent_at is not null from crm.messages order by body desc")
        .fetch_all(&mut world.database.superuser().await)
        .await
        .unwrap()
}

async fn told(world: &World, kind: &str) -> i64 {
    sqlx::query_scalar("select (select count(*) from crm.events where kind = $1) + (select count(*) from crm.event_outbox where kind = $1)")
        .bind(kind)
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap()
}

/// A row that reacts to a message, made that many seconds after the first.
fn react(world: &World, target: &str, from_me: bool, kind: &str, second: i64) {
    world.sim.emit("new-message", &json!({
        "guid": uuid::Uuid::new_v4(), "text": "Loved", "isFromMe": from_me, "error": 0, "itemType": 0,
        "associatedMessageGuid": format!("p:0/{target}"), "associatedMessageType": kind, "dateCreated": 1_764_028_811_000_i64 + second * 1000,
        "handle": { "address": ANA, "service": "iMessage" }, "chats": [{ "guid": format!("iMessage;-;{ANA}"), "style": 45, "chatIdentifier": ANA }],
    }));
}

/// BB-09
#[tokio::test]
async fn a_reaction_is_a_mark_and_no_message() {
    let (world, acme) = ground().await;
    let guid = says(&world, ANA, "hola");
    world.settle().await;
    assert!(world.sim.react(&guid, None, "love"));
    assert!(world.sim.react(&guid, Some(ANA), "like"));
    world.settle().await;
    assert_eq!(reactions(&world).await, [" love", "+13055550142 like"]);
    assert_eq!(told(&world, "message.changed").await, 2);
    // another kind takes the place of the first; told twice it is one
    assert!(world.sim.react(&guid, Some(ANA), "🔥"));
    world.settle().await;
    assert_eq!(reactions(&world).await, [" love", "+13055550142 🔥"]);
    assert!(world.sim.react(&guid, None, "-love"));
    world.settle().await;
    world.advance(Duration::from_secs(61)).await;
    world.settle().await;
    assert_eq!(reactions(&world).await, ["+13055550142 🔥"]);
    let message = acme.messages(ANA).await.remove(0);
    let shown = &message["reactions"][0];
    assert_eq!((&shown["kind"], &shown["from"]), (&json!("🔥"), &json!("contact")));
    assert_eq!(message["reactions"].as_array().unwrap().len(), 1, "one that was taken back is not shown");
    assert_eq!((acme.messages(ANA).await.len(), told(&world, "message.new").await), (1, 1));
    world.finish().await;
}

#[tokio::test]
async fn reactions_in_any_order_end_alike() {
    let (world, _) = ground().await;
    let guid = "00000001-0000-4000-8000-000000000000";
    // before its message; the end before the beginning; what has been replaced is not what is taken back
    react(&world, guid, true, "-love", 20);
    react(&world, guid, true, "love", 10);
    react(&world, guid, false, "laugh", 12);
    react(&world, guid, false, "like", 11);
    world.settle().await;
    react(&world, guid, false, "-like", 13);
    world.settle().await;
    world.sim.inbound(&Inbound { guid: Some(guid.to_owned()), ..Inbound::new(ANA, "hola") }).unwrap();
    world.settle().await;
    assert_eq!(reactions(&world).await, ["+13055550142 laugh"]);
    world.finish().await;
}

#[tokio::test]
async fn an_edit_and_a_message_taken_back_change_it_once_and_for_good() {
    let (world, _) = ground().await;
    let (edited, unsent) = (says(&world, ANA, "a las 3"), says(&world, ANA, "ups"));
    world.settle().await;
    assert!(world.sim.edit(&edited, "a las 4"));
    assert!(world.sim.unsend(&unsent));
    world.settle().await;
    let expected = [("a las 4".to_owned(), true, false), (String::new(), false, true)];
    assert_eq!(texts(&world).await, expected);
    // what was said before comes again, late
    for (guid, text) in [(&edited, "a las 3"), (&unsent, "ups")] {
        for kind in ["new-message", "updated-message"] {
            world.sim.emit(kind, &json!({
                "guid": guid, "text": text, "isFromMe": false, "error": 0, "itemType": 0, "dateCreated": 1_764_028_811_000_i64,
                "dateEdited": (kind == "updated-message").then_some(1_764_028_811_500_i64), "partCount": 1,
                "handle": { "address": ANA, "service": "iMessage" }, "chats": [{ "guid": format!("iMessage;-;{ANA}"), "style": 45, "chatIdentifier": ANA }],
            }));
        }
    }
    world.settle().await;
    world.advance(Duration::from_secs(61)).await;
    world.settle().await;
    assert_eq!(texts(&world).await, expected);
    assert_eq!((told(&world, "message.new").await, told(&world, "message.changed").await), (2, 2));
    world.finish().await;
}

#[tokio::test]
async fn an_edit_while_nobody_listened_is_found() {
    let (world, _) = ground().await;
    let guid = says(&world, ANA, "a las 3");
    world.settle().await;
    // the row has been swept: its position will not show it again
    world.advance(Duration::from_secs(61)).await;
    world.settle().await;
    assert!(world.sim.edit_silently(&guid, "a las 4"));
    world.advance(Duration::from_secs(61)).await;
    eventually("the edit is found", || async { texts(&world).await == [("a las 4".to_owned(), true, false)] }).await;
    world.finish().await;
}

#[tokio::test]
async fn an_answer_and_what_it_answers_find_each_other_in_any_order() {
    let (world, _) = ground().await;
    let first = says(&world, ANA, "¿a qué hora?");
    world.sim.inbound(&Inbound { reply_to: Some(first), ..Inbound::new(ANA, "¿hola?") }).unwrap();
    let late = "00000002-0000-4000-8000-000000000000";
    world.sim.inbound(&Inbound { reply_to: Some(late.to_owned()), ..Inbound::new(ANA, "sí, ése") }).unwrap();
    world.settle().await;
    world.sim.inbound(&Inbound { guid: Some(late.to_owned()), ..Inbound::new(ANA, "el martes") }).unwrap();
    world.settle().await;
    let mut pairs: Vec<(String, String)> = sqlx::query_as(
        "select m.body, t.body from crm.messages m join crm.messages t on t.id = m.reply_to_id order by m.created_at, m.id",
    )
    .fetch_all(&mut world.database.superuser().await)
    .await
    .unwrap();
    pairs.sort();
    let expected = [("sí, ése", "el martes"), ("¿hola?", "¿a qué hora?")];
    assert_eq!(pairs, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    world.finish().await;
}

#[tokio::test]
async fn a_group_is_one_conversation_in_which_no_word_opts_anybody_out() {
    let (world, acme) = ground().await;
    let group = |from: &str, text: &str| Inbound {
        group: vec![ANA.to_owned(), LEO.to_owned()],
        group_name: "Familia".to_owned(),
        ..Inbound::new(from, text)
    };
    let guid = world.sim.inbound(&group(ANA, "STOP")).unwrap().remove(0);
    world.sim.inbound(&group(LEO, "baja")).unwrap();
    world.sim.inbound(&Inbound { from_device: true, ..group(ANA, "desde el teléfono") }).unwrap();
    world.settle().await;
    // the same group after the Mac has learned to spell
    let chat = acme.items("/conversations").await[0]["address"].as_str().unwrap().to_owned();
    world.sim.emit("new-message", &json!({
        "guid": "00000003-0000-4000-8000-000000000000", "text": "hola", "isFromMe": false, "error": 0, "itemType": 0, "dateCreated": World::machine_ms(),
        "handle": { "address": LEO, "service": "iMessage" }, "chats": [{ "guid": format!("any;+;{chat}"), "style": 43, "chatIdentifier": chat, "displayName": "Familia" }],
    }));
    world.settle().await;
    assert!(acme.items("/suppressions").await.is_empty());
    assert_eq!(number(&world, "select count(*) from crm.contacts").await, 0);
    let rows: Vec<(String, Option<String>, i64)> = sqlx::query_as(
        "select c.kind, c.name, (select count(*) from crm.messages m where m.conversation_id = c.id) from crm.conversations c",
    )
    .fetch_all(&mut world.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(rows, [("group".to_owned(), Some("Familia".to_owned()), 4)]);
    let senders: Vec<Option<String>> = sqlx::query_scalar("select sender from crm.messages order by sender")
        .fetch_all(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(senders.iter().flatten().collect::<Vec<_>>(), [ANA, LEO, LEO]);
    assert!(world.sim.rename_group(&guid, "Los Pérez"));
    world.settle().await;
    let name: Option<String> = sqlx::query_scalar("select name from crm.conversations")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(name.as_deref(), Some("Los Pérez"));
    assert_eq!(number(&world, "select count(*) from crm.messages").await, 4);
    world.finish().await;
}

/// BB-08
#[tokio::test]
async fn what_is_written_on_the_phone_is_ours_from_the_device() {
    let (world, acme) = ground().await;
    says(&world, ANA, "hola");
    // a gateway tells of two things in any order
    world.settle().await;
    let from_device = Inbound { from_device: true, ..Inbound::new(ANA, "te llamo") };
    let guid = world.sim.inbound(&from_device).unwrap().remove(0);
    for _ in 0..2 {
        assert!(world.sim.replay(&guid));
    }
    world.settle().await;
    world.advance(Duration::from_secs(61)).await;
    world.settle().await;
    let messages = acme.messages(ANA).await;
    assert_eq!(messages.len(), 2, "{messages:?}");
    let shown: Vec<&Value> = ["direction", "source", "body"].iter().map(|field| &messages[0][field]).collect();
    assert_eq!(shown, ["outbound", "device", "te llamo"]);
    world.numbered().await;
    let directions: Vec<Value> =
        sqlx::query_scalar("select data -> 'direction' from crm.events where kind = 'message.new' order by seq")
            .fetch_all(&mut world.database.superuser().await)
            .await
            .unwrap();
    assert_eq!(directions, ["inbound", "outbound"]);
    world.finish().await;
}

#[tokio::test]
async fn who_writes_for_the_first_time_is_one_contact_however_many_lines_hear_of_it() {
    let (world, acme) = ground().await;
    acme.line(&world, json!({ "address": "+15550000002" })).await;
    for n in 0..10 {
        says(&world, &format!("+1305555020{n}"), "hola");
        says(&world, &format!("+1305555020{n}"), "¿hola?");
    }
    says(&world, "ana@example.com", "hola");
    // nobody to keep
    world.sim.inbound(&Inbound { service: "SMS".to_owned(), ..Inbound::new("21525", "su código es 1") }).unwrap();
    world.settle().await;
    assert_eq!(number(&world, "select count(*) from crm.contacts").await, 11);
    assert_eq!(number(&world, "select count(*) from crm.conversations where contact_id is not null").await, 22);
    assert_eq!(number(&world, "select count(distinct contact_id) from crm.conversations").await, 11);
    world.finish().await;
}

#[tokio::test]
async fn a_known_number_keeps_its_contact_and_a_deleted_one_does_not_come_back_by_a_replay() {
    let (world, acme) = ground().await;
    let known = acme.post("/contacts", &json!({ "phone": ANA, "first_name": "Ana" })).await.expect(201);
    says(&world, ANA, "hola");
    let guid = says(&world, LEO, "hola");
    world.settle().await;
    let contacts = acme.items("/contacts").await;
    assert_eq!(contacts.len(), 2, "{contacts:?}");
    let leo = contacts.iter().find(|contact| contact["id"] != known["id"]).unwrap();
    assert_eq!(leo["phone"], LEO);
    let path = format!("/contacts/{}", leo["id"].as_str().unwrap());
    assert_eq!(acme.delete(&path).await.status.as_u16(), 204);
    assert!(world.sim.replay(&guid));
    world.settle().await;
    assert_eq!(acme.items("/contacts").await.len(), 1);
    says(&world, LEO, "soy yo");
    world.settle().await;
    assert_eq!(acme.items("/contacts").await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn what_only_draws_a_link_is_no_message() {
    let (world, acme) = ground().await;
    says(&world, ANA, "https://example.com");
    world.sim.emit("new-message", &json!({
        "guid": "00000004-0000-4000-8000-000000000000", "text": null, "isFromMe": false, "error": 0, "itemType": 0, "dateCreated": World::machine_ms(),
        "balloonBundleId": "com.apple.messages.URLBalloonProvider", "attachments": [{ "guid": "x", "transferName": "A.pluginPayloadAttachment" }],
        "handle": { "address": ANA, "service": "iMessage" }, "chats": [{ "guid": format!("iMessage;-;{ANA}"), "style": 45, "chatIdentifier": ANA }],
    }));
    world.settle().await;
    assert_eq!(acme.messages(ANA).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn of_the_number_of_a_card_only_the_end_is_kept() {
    let (world, acme) = ground().await;
    let guid = says(&world, ANA, "cóbrelo a la 4111 1111 1111 1111, vence 12/29");
    world.settle().await;
    let bodies = async || {
        let all = acme.messages(ANA).await;
        all.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(bodies().await, ["cóbrelo a la •••• •••• •••• 1111, vence 12/29"]);
    assert!(world.sim.edit(&guid, "mejor a la 5555-5555-5555-4444"));
    world.settle().await;
    assert_eq!(bodies().await, ["mejor a la ••••-••••-••••-4444"]);
    for number in ["4111 1111 1111 1111", "5555-5555-5555-4444"] {
        assert_eq!(
            world.database.tables_with(number).await,
            Vec::<String>::new(),
            "also in events and in what came in"
        );
    }
    world.finish().await;
}
