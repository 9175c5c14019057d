//! What webhooks are told: what whoever made them sees, at the moment it is sent.

use e2e::{Tenant, eventually};
use serde_json::{Value, json};
use sim::{bluebubbles::Inbound, receiver::Receiver};

use super::{ADDRESSES, Scene, told::named};
use crate::inbox::{change, id};

/// Somebody of the team who makes webhooks.
async fn wes(scene: &Scene, permissions: &[&str]) -> Tenant {
    let role = json!({ "name": "Hooks", "permissions": permissions, "scopes": { "conversations.view": "team" } });
    let wes = scene.acme.colleague("Wes", &id(&scene.acme.post("/roles", &role).await.expect(201))).await;
    scene.acme.put(&format!("/teams/{}/members/{}", scene.team, wes.user_id().await), &json!({})).await.expect(200);
    wes
}

/// What a receiver was told.
fn told(receiver: &Receiver) -> Vec<Value> {
    receiver.posts().iter().map(|post| serde_json::from_slice(&post.body).unwrap()).collect()
}

#[tokio::test]
async fn a_webhook_is_told_what_its_owner_sees() {
    let scene = Scene::new().await;
    let wes = wes(&scene, &["conversations.view", "admin.webhooks_manage"]).await;
    let receiver = Receiver::start_local().await.unwrap();
    let kinds = ["message.new", "message.status", "label.changed"];
    wes.post("/webhooks", &json!({ "url": receiver.url("/"), "kinds": kinds })).await.expect(201);
    for address in ADDRESSES {
        scene.world.sim.inbound(&Inbound::new(address, "hola")).unwrap();
    }
    scene.world.settle().await;
    scene.acme.post("/labels", &json!({ "name": "last" })).await.expect(201);
    eventually("the last one came", || async { told(&receiver).iter().any(|body| body["type"] == "label.changed") })
        .await;
    scene.world.drain().await;
    let mut wanted: Vec<String> = ["ana", "tea", "nobody"].iter().map(|whose| scene.of(whose).to_owned()).collect();
    wanted.sort();
    assert_eq!(named(&told(&receiver)), wanted);
    scene.world.finish().await;
}

/// What was fed while it was seen, and is sent when it is another's.
#[tokio::test]
async fn what_waits_for_a_webhook_is_told_only_where_its_owner_still_sees_it() {
    let mut scene = Scene::new().await;
    let wes = wes(&scene, &["conversations.view", "admin.webhooks_manage"]).await;
    let receiver = Receiver::start_local().await.unwrap();
    let kinds = ["message.new", "conversation.updated"];
    let webhook = json!({ "url": receiver.url("/"), "kinds": kinds });
    let path = format!("/webhooks/{}/deliveries", id(&wes.post("/webhooks", &webhook).await.expect(201)));
    scene.world.stop_workers().await;
    let (acme, conversation) = (&scene.acme, scene.of("ana"));
    let of = async |kind: &str| {
        let all = acme.items(&path).await;
        all.into_iter().filter(|delivery| delivery["kind"] == kind).collect::<Vec<_>>()
    };
    acme.post(&format!("/conversations/{conversation}/messages"), &json!({ "body": "hola" })).await.expect(201);
    eventually("the message waits to be told", || async { of("message.new").await.len() == 1 }).await;
    change(acme, conversation, json!({ "assignee_id": scene.leo.user_id().await })).await;
    eventually("that it is gone waits too", || async { !of("conversation.updated").await.is_empty() }).await;
    scene.world.start_worker().await;
    scene.world.settle().await;
    let told = told(&receiver);
    assert_eq!(named(&told), [scene.of("ana")]);
    assert!(told.iter().all(|body| body["type"] == "conversation.updated"), "{told:?}");
    let news = scene.acme.items(&path).await;
    let news = news.iter().find(|delivery| delivery["kind"] == "message.new").unwrap();
    assert_eq!((&news["state"], &news["reason"]), (&json!("failed"), &json!("not_allowed")));
    scene.world.finish().await;
}

/// A webhook sees as a person does, who may see more than their key.
#[tokio::test]
async fn a_key_that_sees_some_has_nothing_told_of_conversations() {
    let scene = Scene::new().await;
    let key = async |scope: &str| {
        let permissions = ["conversations.view", "campaigns.view", "admin.webhooks_manage"];
        let scopes = json!({ "conversations.view": scope });
        let body = json!({ "name": scope, "permissions": permissions, "scopes": scopes });
        scene.acme.post("/api-keys", &body).await.expect(201)["token"].as_str().unwrap().to_owned()
    };
    let make = async |key: &str, kind: &str| {
        let url = format!("{}/api/v1/webhooks", scene.world.base());
        let body = json!({ "url": "http://127.0.0.1:9/", "kinds": [kind] });
        scene.acme.send(reqwest::Client::new().post(url).bearer_auth(key).json(&body)).await
    };
    let (own, all) = (key("own").await, key("all").await);
    let refused = make(&own, "message.new").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "out_of_scope"), "{}", refused.text);
    for (key, kind) in [(&own, "campaign.progress"), (&all, "message.new")] {
        make(key, kind).await.expect(201);
    }
    scene.world.finish().await;
}
