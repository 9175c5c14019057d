//! What each user has read (rules.md D14): whose badge moves by what, forward only, and exact however many do it at once.

use std::{collections::BTreeSet, sync::Arc};

use e2e::{Tenant, World};
use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

use super::{JOSE, bodies, change, id, note, opened, reply, with, writes};
use crate::live::Feed;

async fn unread(tenant: &Tenant, conversation: &str) -> i64 {
    tenant.get(&format!("/conversations/{conversation}")).await.expect(200)["unread_count"].as_i64().unwrap()
}

async fn counts(tenant: &Tenant) -> (i64, i64, i64) {
    let counts = tenant.get("/conversations/counts").await.expect(200);
    let of = |name: &str| counts[name].as_i64().unwrap();
    (of("all_unread"), of("mine_unread"), of("unassigned_unread"))
}

async fn newest_position(tenant: &Tenant, conversation: &str) -> i64 {
    let items = tenant.items(&format!("/conversations/{conversation}/messages?limit=200")).await;
    items.iter().filter_map(|row| row["position"].as_i64()).max().unwrap()
}

async fn read(tenant: &Tenant, conversation: &str, position: i64) -> Value {
    tenant.put(&format!("/conversations/{conversation}/read"), &json!({ "position": position })).await.expect(200)
}

/// D14, RT-02
#[tokio::test]
async fn only_what_comes_in_is_unread_and_each_user_reads_for_themselves() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let ana = acme.colleague("Ana", "agent").await;
    let conversation = id(&writes(&world, &acme, JOSE, "uno").await);
    writes(&world, &acme, JOSE, "dos").await;
    assert_eq!((unread(&acme, &conversation).await, unread(&ana, &conversation).await), (2, 2));
    assert_eq!(counts(&acme).await, (1, 0, 1));
    let position = newest_position(&acme, &conversation).await;
    assert_eq!(read(&acme, &conversation, position).await["unread_count"], 0);
    assert_eq!((unread(&acme, &conversation).await, unread(&ana, &conversation).await), (0, 2));
    // a reply, a note, an assignment, a label, a receipt: none of it is news
    let label = id(&acme.post("/labels", &json!({ "name": "VIP" })).await.expect(201));
    reply(&ana, &conversation, "hola").await;
    note(&ana, &conversation, "cliente bueno").await;
    change(&acme, &conversation, json!({ "assignee_id": acme.user_id().await, "label_ids": [label] })).await;
    world.settle().await;
    assert_eq!((unread(&acme, &conversation).await, unread(&ana, &conversation).await), (0, 2));
    assert_eq!((counts(&acme).await, counts(&ana).await), ((0, 0, 0), (1, 0, 0)));
    writes(&world, &acme, JOSE, "tres").await;
    assert_eq!((counts(&acme).await, counts(&ana).await), ((1, 1, 0), (1, 0, 0)));
    change(&acme, &conversation, json!({ "assignee_id": null })).await;
    assert_eq!(counts(&acme).await, (1, 0, 1));
    // back is nowhere
    assert_eq!(read(&acme, &conversation, position).await["unread_count"], 1);
    assert_eq!(read(&acme, &conversation, 0).await["unread_count"], 1);
    assert_eq!(read(&acme, &conversation, i64::MAX).await["unread_count"], 0);
    // what comes after is unread, however far ahead somebody claims to have read
    writes(&world, &acme, JOSE, "cuatro").await;
    assert_eq!(unread(&acme, &conversation).await, 1);
    // who comes later does not begin with a mountain
    let late = acme.colleague("Eva", "agent").await;
    assert_eq!(unread(&late, &conversation).await, 0);
    writes(&world, &acme, JOSE, "cinco").await;
    assert_eq!((unread(&late, &conversation).await, counts(&late).await), (1, (1, 0, 1)));
    world.finish().await;
}

/// RT-02
#[tokio::test]
async fn what_one_user_reads_is_told_to_their_other_devices_and_to_nobody_else() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let ana = acme.colleague("Ana", "agent").await;
    let conversation = id(&writes(&world, &acme, JOSE, "uno").await);
    let (mut mine, _) = Feed::open(&world, &acme).await;
    let (mut anas, _) = Feed::open(&world, &ana).await;
    read(&acme, &conversation, i64::MAX).await;
    let marked = acme.delete(&format!("/conversations/{conversation}/read")).await.expect(200);
    assert_eq!(marked["unread_count"], 1);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let frame = mine.next().await.unwrap();
        if frame["kind"] == "unread.changed" {
            assert_eq!(frame["data"]["conversation_id"], *conversation);
            seen.push(frame["data"]["unread_count"].as_i64().unwrap());
        }
    }
    assert_eq!(seen, [0, 1]);
    // the next thing of the other's that is told comes without a trace of it
    change(&acme, &conversation, json!({ "is_pinned": true })).await;
    let frames = anas.until(|frame| frame["kind"] == "conversation.updated").await;
    assert!(frames.iter().all(|frame| frame["kind"] != "unread.changed"), "{frames:?}");
    assert_eq!((unread(&acme, &conversation).await, unread(&ana, &conversation).await), (1, 1));
    // where nothing has come in there is nothing to mark
    let silent = opened(&acme, &line, "+13055550199").await;
    assert_eq!(acme.delete(&format!("/conversations/{silent}/read")).await.code(), "nothing_to_mark");
    world.finish().await;
}

#[tokio::test]
async fn marking_unread_keeps_what_was_unread_before() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let conversation = id(&writes(&world, &acme, JOSE, "uno").await);
    writes(&world, &acme, JOSE, "dos").await;
    let marked = acme.delete(&format!("/conversations/{conversation}/read")).await.expect(200);
    assert_eq!(marked["unread_count"], 2);
    read(&acme, &conversation, i64::MAX).await;
    let marked = acme.delete(&format!("/conversations/{conversation}/read")).await.expect(200);
    assert_eq!(marked["unread_count"], 1);
    world.finish().await;
}

/// A reader that always reads up to what it has seen, while messages come in: what is unread in the end is what it has not seen.
#[tokio::test]
async fn nothing_is_lost_between_reading_and_coming_in() {
    let world = Arc::new(World::new().await);
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let conversation = id(&writes(&world, &acme, JOSE, "first").await);
    let (reader, path) = (acme.clone(), conversation.clone());
    let reading = tokio::spawn(async move {
        let mut seen = BTreeSet::new();
        while seen.len() < 30 {
            let items = reader.items(&format!("/conversations/{path}/messages?limit=200")).await;
            let last = items.iter().filter_map(|row| row["position"].as_i64()).max().unwrap();
            seen.extend(items.iter().map(|row| row["body"].as_str().unwrap().to_owned()));
            read(&reader, &path, last).await;
        }
        seen
    });
    for n in 0..60 {
        world.sim.inbound(&Inbound::new(JOSE, &format!("message {n}"))).unwrap();
        if n % 10 == 9 {
            world.sim.settled().await;
        }
    }
    let seen = reading.await.unwrap();
    world.settle().await;
    let all = bodies(&acme, &conversation).await;
    assert_eq!(all.len(), 61);
    let unseen = all.iter().filter(|body| !seen.contains(*body)).count();
    assert_eq!(with(&acme, JOSE).await["unread_count"], json!(unseen));
    assert_eq!(counts(&acme).await.0, i64::from(unseen > 0));
    Arc::into_inner(world).unwrap().finish().await;
}

/// Two devices that have seen different things: the farther one counts, in whatever order they come.
#[tokio::test]
async fn of_two_devices_at_once_the_farther_one_counts() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let conversation = id(&writes(&world, &acme, JOSE, "uno").await);
    let first = newest_position(&acme, &conversation).await;
    writes(&world, &acme, JOSE, "dos").await;
    let second = newest_position(&acme, &conversation).await;
    for _ in 0..10 {
        let (a, b) = tokio::join!(read(&acme, &conversation, first), read(&acme, &conversation, second));
        assert!(a["unread_count"].as_i64().unwrap() <= 1 && b["unread_count"] == 0, "{a} {b}");
        assert_eq!(unread(&acme, &conversation).await, 0);
    }
    world.finish().await;
}
