//! What people do with conversations, and what helps them: taking and giving, labels, canned replies, saved filters, drafts, who else is there.

use std::time::Duration;

use e2e::World;
use serde_json::{Value, json};

use super::{JOSE, bodies, change, id, opened, with, writes};
use crate::live::Feed;

#[tokio::test]
async fn an_agent_takes_what_nobody_has_and_gives_only_their_own_away() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let (ana, eva) = (acme.colleague("Ana", "agent").await, acme.colleague("Eva", "agent").await);
    let reader = acme.colleague("Leo", "read_only").await;
    let (anas, evas) = (ana.user_id().await, eva.user_id().await);
    let path = format!("/conversations/{conversation}");
    let (mut feed, _) = Feed::open(&world, &eva).await;
    change(&ana, &conversation, json!({ "assignee_id": anas })).await;
    feed.until(|frame| frame["kind"] == "conversation.updated" && frame["data"]["conversation_id"] == *conversation)
        .await;
    for (who, what) in [
        (&eva, json!({ "assignee_id": evas })),
        (&eva, json!({ "assignee_id": null })),
        (&ana, json!({ "assignee_id": evas })),
        (&ana, json!({ "is_pinned": true })),
        (&reader, json!({ "state": "closed" })),
        (&reader, json!({ "label_ids": [] })),
    ] {
        assert_eq!(who.patch(&path, &what).await.status, 403, "{what}");
    }
    change(&ana, &conversation, json!({ "assignee_id": null, "state": "closed" })).await;
    let row = change(&acme, &conversation, json!({ "assignee_id": evas, "is_pinned": true, "state": "active" })).await;
    assert_eq!((&row["assignee_id"], &row["is_pinned"], &row["state"]), (&json!(evas), &json!(true), &json!("active")));
    for (what, code) in [
        (json!({ "assignee_id": uuid::Uuid::now_v7() }), "assignee_unknown"),
        (json!({ "snoozed_until": "2020-01-01T00:00:00Z" }), "snooze_range"),
        (json!({ "label_ids": [uuid::Uuid::now_v7()] }), "label_unknown"),
        (json!({ "state": "lost" }), "invalid_body"),
        (json!({ "colour": "red" }), "invalid_body"),
    ] {
        assert_eq!(acme.patch(&path, &what).await.code(), code, "{what}");
    }
    assert_eq!(reader.post(&format!("{path}/messages"), &json!({ "body": "x" })).await.status, 403);
    assert_eq!(reader.post(&format!("{path}/messages"), &json!({ "body": "x", "kind": "note" })).await.status, 403);
    let nowhere = format!("/conversations/{}", uuid::Uuid::now_v7());
    assert_eq!(acme.patch(&nowhere, &json!({ "state": "closed" })).await.status, 404);
    world.finish().await;
}

/// INB-04
#[tokio::test]
async fn work_of_somebody_who_is_gone_is_nobodys_and_says_so() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let ana = acme.colleague("Ana", "agent").await;
    let anas = ana.user_id().await;
    let conversation = id(&writes(&world, &acme, JOSE, "hola").await);
    change(&acme, &conversation, json!({ "assignee_id": anas })).await;
    acme.patch(&format!("/users/{anas}"), &json!({ "is_active": false })).await.expect(200);
    let row = with(&acme, JOSE).await;
    assert_eq!(row["assignee_id"], Value::Null);
    let line = acme.items(&format!("/conversations/{conversation}/messages")).await.remove(0);
    assert_eq!(
        (&line["kind"], &line["source"], &line["reason"]),
        (&json!("note"), &json!("system"), &json!("assignee_deactivated"))
    );
    assert_eq!(line["body"], "Ana");
    assert_eq!(
        acme.patch(&format!("/conversations/{conversation}"), &json!({ "assignee_id": anas })).await.code(),
        "assignee_unknown"
    );
    writes(&world, &acme, JOSE, "¿hay alguien?").await;
    let counts = acme.get("/conversations/counts").await.expect(200);
    assert_eq!((&counts["unassigned"], &counts["unassigned_unread"]), (&json!(1), &json!(1)));
    world.finish().await;
}

/// INB-04
#[tokio::test]
async fn whoever_comes_takes_what_has_waited_longest_and_no_two_the_same() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    // a campaign wrote here and nobody has answered: that is no work
    opened(&acme, &line, "+13055560009").await;
    let (ana, eva) = (acme.colleague("Ana", "agent").await, acme.colleague("Eva", "agent").await);
    for n in 0..4 {
        writes(&world, &acme, &format!("+1305556{n:04}"), "hola").await;
        world.advance(Duration::from_secs(1)).await;
    }
    let oldest = id(&with(&acme, "+13055560000").await);
    change(&acme, &oldest, json!({ "state": "closed" })).await;
    let next = |who: &e2e::Tenant| {
        let who = who.clone();
        async move { who.act("/conversations/next").await }
    };
    let taken = next(&ana).await.expect(200);
    assert_eq!((&taken["address"], &taken["assignee_id"]), (&json!("+13055560001"), &json!(ana.user_id().await)));
    let (a, b) = tokio::join!(next(&ana), next(&eva));
    let mut both =
        [a.expect(200)["address"].clone(), b.expect(200)["address"].clone()].map(|address| address.to_string());
    both.sort_unstable();
    assert_eq!(both, ["\"+13055560002\"", "\"+13055560003\""]);
    assert_eq!(next(&eva).await.code(), "nothing_waits");
    world.finish().await;
}

/// INB-03
#[tokio::test]
async fn a_contact_merged_with_itself_is_refused_and_with_another_loses_nothing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let make = |body: Value| {
        let acme = acme.clone();
        async move { id(&acme.post("/contacts", &body).await.expect(201)) }
    };
    let kept = make(json!({ "first_name": "José", "phone": JOSE, "attributes": { "plan": "oro" } })).await;
    let gone = make(json!({ "first_name": "Pepe", "last_name": "Muñoz", "phone": "+13055550143", "email": "jose@example.com", "attributes": { "plan": "plata", "zona": "norte" } })).await;
    let conversation = id(&writes(&world, &acme, "+13055550143", "soy yo").await);
    let path = format!("/contacts/{kept}/merge");
    let refused = acme.post(&path, &json!({ "merged_id": kept })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "merge_with_itself"));
    assert_eq!(acme.items("/contacts").await.len(), 2);
    assert_eq!(acme.post(&path, &json!({ "merged_id": uuid::Uuid::now_v7() })).await.status, 404);
    let other = world.tenant("other").await;
    assert_eq!(other.post(&path, &json!({ "merged_id": gone })).await.status, 404);
    let merged = acme.post(&path, &json!({ "merged_id": gone })).await.expect(200);
    assert_eq!((&merged["first_name"], &merged["last_name"]), (&json!("José"), &json!("Muñoz")));
    assert_eq!((&merged["phone"], &merged["second_phone"]), (&json!(JOSE), &json!("+13055550143")));
    assert_eq!(
        (&merged["email"], &merged["attributes"]),
        (&json!("jose@example.com"), &json!({ "plan": "oro", "zona": "norte" }))
    );
    assert_eq!(acme.get(&format!("/contacts/{gone}")).await.status, 404);
    let row = acme.get(&format!("/conversations/{conversation}")).await.expect(200);
    assert_eq!((&row["contact"]["id"], &row["name"]), (&json!(kept), &json!("José Muñoz")));
    assert_eq!(bodies(&acme, &conversation).await, ["soy yo"]);
    // of two that cross one finds nothing left to merge
    let (a, b) = (make(json!({ "phone": "+13055550151" })).await, make(json!({ "phone": "+13055550152" })).await);
    let (ab, ba) = (format!("/contacts/{a}/merge"), format!("/contacts/{b}/merge"));
    let (into_b, into_a) = (json!({ "merged_id": a }), json!({ "merged_id": b }));
    let (first, second) = tokio::join!(acme.post(&ab, &into_a), acme.post(&ba, &into_b));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    assert_eq!(acme.items("/contacts").await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_snoozed_conversation_wakes_at_its_time_and_is_told() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let row = acme.get(&format!("/conversations/{conversation}")).await.expect(200);
    let made: chrono::DateTime<chrono::Utc> = row["created_at"].as_str().unwrap().parse().unwrap();
    change(&acme, &conversation, json!({ "snoozed_until": made + chrono::TimeDelta::hours(1) })).await;
    change(&acme, &conversation, json!({ "snoozed_until": made + chrono::TimeDelta::hours(3) })).await;
    let listed = || async { acme.items("/conversations?state=active").await.len() };
    world.later(Duration::from_secs(2 * 3600)).await;
    world.drain().await;
    assert_eq!(listed().await, 0, "put off again, it sleeps on");
    let (mut feed, _) = Feed::open(&world, &acme).await;
    world.later(Duration::from_secs(3600)).await;
    feed.until(|frame| frame["kind"] == "conversation.updated" && frame["data"]["conversation_id"] == *conversation)
        .await;
    assert_eq!(listed().await, 1);
    world.drain().await;
    world.finish().await;
}

#[tokio::test]
async fn a_label_is_one_word_whatever_its_case_and_leaves_with_its_conversations() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let made = acme.post("/labels", &json!({ "name": " Urgente ", "color": "#FF0000" })).await.expect(201);
    assert_eq!((&made["name"], &made["color"]), (&json!("Urgente"), &json!("#ff0000")));
    let label = id(&made);
    assert_eq!(acme.post("/labels", &json!({ "name": "URGENTE" })).await.code(), "label_exists");
    let other = id(&acme.post("/labels", &json!({ "name": "Otro" })).await.expect(201));
    assert_eq!(acme.patch(&format!("/labels/{other}"), &json!({ "name": "urgente" })).await.code(), "label_exists");
    for (body, code) in [
        (json!({ "name": "" }), "name_length"),
        (json!({ "name": "x", "color": "red" }), "color_malformed"),
        (json!({}), "name_length"),
    ] {
        assert_eq!(acme.post("/labels", &body).await.code(), code, "{body}");
    }
    change(&acme, &conversation, json!({ "label_ids": [label, other, label] })).await;
    let (mut feed, _) = Feed::open(&world, &acme).await;
    assert_eq!(acme.delete(&format!("/labels/{label}")).await.status, 204);
    feed.until(|frame| frame["kind"] == "label.changed" && frame["data"]["label_id"] == *label).await;
    assert_eq!(with(&acme, JOSE).await["label_ids"], json!([other]));
    assert_eq!(acme.delete(&format!("/labels/{label}")).await.status, 404);
    let ana = acme.colleague("Ana", "agent").await;
    assert_eq!(ana.items("/labels").await.len(), 1);
    assert_eq!(ana.post("/labels", &json!({ "name": "Mío" })).await.status, 403);
    world.finish().await;
}

/// D15
#[tokio::test]
async fn a_canned_reply_reads_as_its_conversation_wants_it() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    acme.post("/contacts", &json!({ "first_name": "José", "phone": JOSE })).await.expect(201);
    let known = opened(&acme, &line, JOSE).await;
    let unknown = opened(&acme, &line, "+13055550143").await;
    let body = json!({ "shortcut": "/saludo", "body": "Hola {{firstName|amigo}}, le llamo al {{phone}}" });
    let made = acme.post("/canned-replies", &body).await.expect(201);
    assert_eq!(made["shortcut"], "saludo");
    let text = |conversation: String| {
        let path = format!("/canned-replies/{}/text?conversation_id={conversation}", id(&made));
        let acme = acme.clone();
        async move { acme.get(&path).await.expect(200)["body"].as_str().unwrap().to_owned() }
    };
    assert_eq!(text(known).await, format!("Hola José, le llamo al {JOSE}"));
    assert_eq!(text(unknown.clone()).await, "Hola amigo, le llamo al +13055550143");
    for (body, code) in [
        (json!({ "shortcut": "Saludo", "body": "x" }), "shortcut_taken"),
        (json!({ "shortcut": "a b", "body": "x" }), "shortcut_malformed"),
        (json!({ "shortcut": "b", "body": "{{firstNam}}" }), "template_unknown_variable"),
        (json!({ "shortcut": "b", "body": " " }), "template_empty"),
        (json!({ "shortcut": "b" }), "missing"),
    ] {
        assert_eq!(acme.post("/canned-replies", &body).await.code(), code, "{body}");
    }
    let path = format!("/canned-replies/{}", id(&made));
    acme.patch(&path, &json!({ "body": "Adiós {{firstName}}." })).await.expect(200);
    assert_eq!(text(unknown).await, "Adiós.");
    let ana = acme.colleague("Ana", "agent").await;
    assert_eq!(ana.items("/canned-replies").await.len(), 1);
    assert_eq!(ana.delete(&path).await.status, 403);
    assert_eq!((acme.delete(&path).await.status.as_u16(), acme.delete(&path).await.status.as_u16()), (204, 404));
    world.finish().await;
}

#[tokio::test]
async fn a_filter_is_its_makers_or_everybodys() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (ana, eva) = (acme.colleague("Ana", "agent").await, acme.colleague("Eva", "agent").await);
    let own = ana.post("/saved-filters", &json!({ "name": "Mías", "query": "assignee=me" })).await.expect(201);
    assert_eq!(ana.post("/saved-filters", &json!({ "name": "mías", "query": "" })).await.code(), "filter_exists");
    let shared = json!({ "name": "Sin dueño", "query": "assignee=none", "is_shared": true });
    assert_eq!(ana.post("/saved-filters", &shared).await.status, 403);
    let shared = acme.post("/saved-filters", &shared).await.expect(201);
    assert_eq!((ana.items("/saved-filters").await.len(), eva.items("/saved-filters").await.len()), (2, 1));
    assert_eq!(eva.delete(&format!("/saved-filters/{}", id(&own))).await.status, 404);
    assert_eq!(eva.delete(&format!("/saved-filters/{}", id(&shared))).await.status, 404);
    assert_eq!(ana.delete(&format!("/saved-filters/{}", id(&own))).await.status, 204);
    assert_eq!(acme.delete(&format!("/saved-filters/{}", id(&shared))).await.status, 204);
    world.finish().await;
}

#[tokio::test]
async fn a_draft_is_on_all_devices_of_its_writer_until_it_is_sent() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let ana = acme.colleague("Ana", "agent").await;
    let conversation = opened(&acme, &line, JOSE).await;
    let path = format!("/conversations/{conversation}/draft");
    assert_eq!(acme.get(&path).await.status, 404);
    acme.put(&path, &json!({ "body": "Bue" })).await.expect(200);
    acme.put(&path, &json!({ "body": "Buenos días" })).await.expect(200);
    let kept = acme.get(&path).await.expect(200);
    assert_eq!((&kept["body"], &kept["kind"]), (&json!("Buenos días"), &json!("message")));
    assert_eq!(ana.get(&path).await.status, 404);
    // a note that is written meanwhile leaves it
    super::note(&acme, &conversation, "nota").await;
    assert_eq!(acme.get(&path).await.status, 200);
    super::reply(&acme, &conversation, "Buenos días").await;
    assert_eq!(acme.get(&path).await.status, 404);
    acme.put(&path, &json!({ "body": "x", "kind": "note" })).await.expect(200);
    assert_eq!(acme.delete(&path).await.status, 204);
    assert_eq!(acme.get(&path).await.status, 404);
    assert_eq!(acme.put(&path, &json!({ "body": "" })).await.code(), "text_length");
    let nowhere = format!("/conversations/{}/draft", uuid::Uuid::now_v7());
    assert_eq!(acme.put(&nowhere, &json!({ "body": "x" })).await.status, 404);
    world.settle().await;
    assert_eq!(bodies(&acme, &conversation).await.len(), 2);
    world.finish().await;
}

/// RT-07
#[tokio::test]
async fn who_types_is_seen_by_the_others_and_forgotten_by_itself() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let ana = acme.colleague("Ana", "agent").await;
    let conversation = opened(&acme, &line, JOSE).await;
    let path = format!("/conversations/{conversation}/presence");
    let (mut feed, _) = Feed::open(&world, &acme).await;
    for (state, others) in [("here", 0), ("typing", 0), ("typing", 0)] {
        let said = ana.post(&path, &json!({ "state": state })).await.expect(200);
        assert_eq!(said["items"].as_array().unwrap().len(), others);
    }
    let mut told = Vec::new();
    for _ in 0..2 {
        let frames = feed.until(|frame| frame["kind"] == "conversation.presence").await;
        let frame = frames.last().unwrap();
        assert_eq!((&frame["data"]["name"], &frame["seq"]), (&json!("Ana"), &Value::Null));
        told.push(frame["data"]["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(told, ["here", "typing"], "said again at once it is no news");
    let seen = acme.get(&path).await.expect(200);
    assert_eq!((&seen["items"][0]["name"], &seen["items"][0]["state"]), (&json!("Ana"), &json!("typing")));
    ana.post(&path, &json!({ "state": "gone" })).await.expect(200);
    let frames = feed.until(|frame| frame["kind"] == "conversation.presence").await;
    assert_eq!(frames.last().unwrap()["data"]["state"], "gone");
    ana.post(&path, &json!({ "state": "typing" })).await.expect(200);
    world.database.advance(Duration::from_secs(16)).await;
    assert_eq!(acme.get(&path).await.expect(200)["items"], json!([]));
    // nothing of it is in the log
    let kept: i64 = sqlx::query_scalar("select (select count(*) from crm.events where kind like '%presence') + (select count(*) from crm.event_outbox where kind like '%presence')")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(kept, 0);
    assert_eq!(ana.post(&path, &json!({ "state": "asleep" })).await.status, 422);
    world.finish().await;
}

#[tokio::test]
async fn the_counters_stay_true_when_they_are_folded() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    for n in 0..5 {
        let conversation = opened(&acme, &line, &format!("+1305556{n:04}")).await;
        if n < 2 {
            change(&acme, &conversation, json!({ "state": "closed" })).await;
        }
    }
    let before = acme.get("/conversations/counts").await.expect(200);
    world.later(Duration::from_secs(61)).await;
    e2e::eventually("the deltas are folded", || async {
        let left: i64 = sqlx::query_scalar("select count(*) from crm.conversation_deltas")
            .fetch_one(&mut world.database.superuser().await)
            .await
            .unwrap();
        left == 0
    })
    .await;
    assert_eq!(acme.get("/conversations/counts").await.expect(200), before);
    assert_eq!((&before["active"], &before["closed"]), (&json!(3), &json!(2)));
    world.drain().await;
    world.finish().await;
}
