//! What is done: giving away, taking, beginning, and acts that reach less far than sight.

use serde_json::{Value, json};

use super::Scene;
use crate::inbox::{change, id, writes};

#[tokio::test]
async fn what_somebody_gives_away_is_gone_for_them_and_what_they_are_given_is_there() {
    let scene = Scene::new().await;
    let path = format!("/conversations/{}", scene.of("ana"));
    // whoever gives it away is told how it stands, once
    let given = change(&scene.ana, scene.of("ana"), json!({ "assignee_id": scene.leo.user_id().await })).await;
    assert_eq!(given["assignee_id"], json!(scene.leo.user_id().await));
    for looker in [&scene.ana, &scene.tea] {
        assert_eq!(looker.get(&path).await.status, 404);
    }
    assert_eq!(scene.leo.get(&path).await.status, 200);
    // given back it is the queue's, which a team sees and somebody alone does not
    change(&scene.leo, scene.of("ana"), json!({ "assignee_id": null, "state": "active" })).await;
    assert_eq!((scene.leo.get(&path).await.status.as_u16(), scene.tea.get(&path).await.status.as_u16()), (404, 200));
    let take = json!({ "assignee_id": scene.leo.user_id().await });
    assert_eq!(scene.leo.patch(&path, &take).await.status, 404, "nor can they take what they do not see");
    change(&scene.tea, scene.of("ana"), json!({ "assignee_id": scene.ana.user_id().await })).await;
    assert_eq!(scene.ana.get(&path).await.status, 200);
    scene.world.finish().await;
}

#[tokio::test]
async fn the_next_one_that_waits_is_taken_by_whoever_does_not_see_the_queue_too() {
    let scene = Scene::new().await;
    writes(&scene.world, &scene.acme, "+13055550144", "¿hola?").await;
    assert_eq!(scene.ana.get(&format!("/conversations/{}", scene.of("nobody"))).await.status, 404);
    let next = scene.ana.act("/conversations/next").await.expect(200);
    assert_eq!(
        (next["id"].as_str(), &next["assignee_id"]),
        (Some(scene.of("nobody")), &json!(scene.ana.user_id().await))
    );
    assert_eq!(scene.ana.act("/conversations/next").await.code(), "nothing_waits");
    scene.world.finish().await;
}

#[tokio::test]
async fn whoever_sees_their_own_begins_conversations_of_their_own_and_meets_no_other() {
    let scene = Scene::new().await;
    let open = async |address: &str| {
        scene.ana.post("/conversations", &json!({ "line_id": scene.line, "address": address })).await
    };
    let begun = open("+13055550150").await.expect(201);
    assert_eq!(begun["assignee_id"], json!(scene.ana.user_id().await));
    assert_eq!(open("+13055550150").await.expect(201)["id"], begun["id"], "it is found again");
    assert_eq!(open("+13055550141").await.expect(201)["id"].as_str(), Some(scene.of("ana")));
    for foreign in ["+13055550143", "+13055550144"] {
        let refused = open(foreign).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (409, "conversation_not_yours"));
    }
    // a team sees the queue, and begins what is in it
    let body = json!({ "line_id": scene.line, "address": "+13055550151" });
    assert_eq!(scene.tea.post("/conversations", &body).await.expect(201)["assignee_id"], Value::Null);
    scene.world.finish().await;
}

/// Who sees all and answers their own only: what they see and may not do is refused, and does not vanish.
#[tokio::test]
async fn an_act_reaches_as_far_as_its_own_permission_says() {
    let scene = Scene::new().await;
    let scopes = json!({
        "conversations.reply": "own", "conversations.note": "team", "conversations.change_state": "own", "conversations.assign": "own",
    });
    let names = [
        "conversations.view",
        "conversations.reply",
        "conversations.note",
        "conversations.change_state",
        "conversations.assign",
    ];
    let role = id(&scene
        .acme
        .post("/roles", &json!({ "name": "x", "permissions": names, "scopes": scopes }))
        .await
        .expect(201));
    let eva = scene.acme.colleague("Eva", &role).await;
    let me = eva.user_id().await;
    scene.acme.put(&format!("/teams/{}/members/{me}", scene.team), &json!({})).await.expect(200);
    let ask =
        async |whose: &str, body: Value| eva.post(&format!("/conversations/{}/messages", scene.of(whose)), &body).await;
    for whose in ["ana", "leo", "nobody"] {
        assert_eq!(eva.get(&format!("/conversations/{}", scene.of(whose))).await.status, 200);
        let refused = ask(whose, json!({ "body": "x" })).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "out_of_scope"), "{whose}");
        let closed = eva.patch(&format!("/conversations/{}", scene.of(whose)), &json!({ "state": "closed" })).await;
        assert_eq!(closed.code(), "out_of_scope", "{whose}");
        let noted = ask(whose, json!({ "body": "x", "kind": "note" })).await;
        assert_eq!(noted.status.as_u16(), if whose == "leo" { 403 } else { 201 }, "{whose}: {}", noted.text);
    }
    let given = eva.patch(&format!("/conversations/{}", scene.of("leo")), &json!({ "assignee_id": me })).await;
    assert_eq!(given.code(), "out_of_scope");
    // whoever may answer may take what nobody has, and then it is theirs
    change(&eva, scene.of("nobody"), json!({ "assignee_id": me })).await;
    ask("nobody", json!({ "body": "hola" })).await.expect(201);
    scene.world.settle().await;
    scene.world.finish().await;
}

/// What goes to whomever, or tells all that was said with somebody, takes the permission for all.
#[tokio::test]
async fn what_is_no_matter_of_single_conversations_takes_all_of_them() {
    let scene = Scene::new().await;
    let text = json!({ "line_id": scene.line, "address": "+13055550143", "text": "x" });
    let jobs = json!({ "jobs": [{ "kind": "messaging.send_text", "payload": text }] });
    let batch = json!({ "name": "x" });
    for who in [&scene.ana, &scene.tea] {
        assert_eq!(who.post("/jobs", &jobs).await.code(), "out_of_scope");
        assert_eq!(who.post("/batches", &batch).await.code(), "out_of_scope");
    }
    let names = ["campaigns.test_send", "conversations.reply"];
    let role = json!({ "name": "Tries", "permissions": names, "scopes": { "conversations.reply": "own" } });
    let mia = scene.acme.colleague("Mia", &id(&scene.acme.post("/roles", &role).await.expect(201))).await;
    let marketing = scene.acme.colleague("Mar", "marketing").await;
    let test = json!({ "line_id": scene.line, "address": "+13055550143", "body": "x" });
    assert_eq!(mia.post("/campaigns/test", &test).await.code(), "out_of_scope");
    marketing.post("/campaigns/test", &test).await.expect(201);
    scene.world.settle().await;
    scene.acme.contacts(1).await;
    let contact = id(&scene.acme.items("/contacts").await[0]);
    let exporter = |scope: &str| json!({ "name": format!("exporter {scope}"), "permissions": ["conversations.view", "contacts.export"], "scopes": { "conversations.view": scope } });
    for (scope, status) in [("own", 403), ("team", 403), ("all", 201)] {
        let role = id(&scene.acme.post("/roles", &exporter(scope)).await.expect(201));
        let zoe = scene.acme.colleague("Zoe", &role).await;
        let asked = zoe.act(&format!("/contacts/{contact}/export")).await;
        assert_eq!(asked.status.as_u16(), status, "{scope}: {}", asked.text);
    }
    let blind = json!({ "name": "exports and sees nothing", "permissions": ["contacts.export"] });
    let zoe = scene.acme.colleague("Zoe", &id(&scene.acme.post("/roles", &blind).await.expect(201))).await;
    let asked = zoe.act(&format!("/contacts/{contact}/export")).await;
    assert_eq!((asked.status.as_u16(), asked.code()), (403, "out_of_scope"), "nor is it for whoever sees none");
    // and what is done to people and contacts is done to all of their conversations, also by whoever does not see them
    let names = ["conversations.view", "admin.users_manage"];
    let body = json!({ "name": "hr", "permissions": names, "scopes": { "conversations.view": "own" } });
    let hr = scene.acme.colleague("Hugo", &id(&scene.acme.post("/roles", &body).await.expect(201))).await;
    let plain =
        json!({ "name": "plain", "permissions": ["conversations.view"], "scopes": { "conversations.view": "own" } });
    let pia = scene.acme.colleague("Pia", &id(&scene.acme.post("/roles", &plain).await.expect(201))).await;
    change(&scene.acme, scene.of("leo"), json!({ "assignee_id": pia.user_id().await })).await;
    hr.patch(&format!("/users/{}", pia.user_id().await), &json!({ "is_active": false })).await.expect(200);
    let row = scene.acme.get(&format!("/conversations/{}", scene.of("leo"))).await.expect(200);
    assert_eq!(row["assignee_id"], Value::Null);
    scene.world.drain().await;
    scene.world.finish().await;
}

#[tokio::test]
async fn who_may_answer_and_not_look_is_shown_a_text_for_their_own_alone() {
    let scene = Scene::new().await;
    let names = ["conversations.reply", "templates.view"];
    let role = json!({ "name": "Answers", "permissions": names, "scopes": { "conversations.reply": "own" } });
    let eva = scene.acme.colleague("Eva", &id(&scene.acme.post("/roles", &role).await.expect(201))).await;
    change(&scene.acme, scene.of("leo"), json!({ "assignee_id": eva.user_id().await })).await;
    let canned = json!({ "shortcut": "hola", "body": "Hola {{phone}}" });
    let canned = id(&scene.acme.post("/canned-replies", &canned).await.expect(201));
    for (whose, status) in [("leo", 200), ("ana", 404), ("nobody", 404)] {
        let path = format!("/canned-replies/{canned}/text?conversation_id={}", scene.of(whose));
        assert_eq!(eva.get(&path).await.status.as_u16(), status, "{whose}");
    }
    scene.world.finish().await;
}
