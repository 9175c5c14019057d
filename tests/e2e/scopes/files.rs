//! The addresses of files, which are signed and have to hold no longer than somebody sees the message.

use bytes::Bytes;
use e2e::Tenant;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::Scene;
use crate::{
    inbox::{change, id},
    second_factor::set_up,
};

const PDF: &[u8] = b"%PDF-1.4 x";

/// An address that was given to somebody is served as long as they see its message, and to nobody else as theirs.
#[tokio::test]
async fn the_address_of_a_file_holds_as_long_as_its_message_is_seen() {
    let scene = Scene::new().await;
    let part = reqwest::multipart::Part::stream(Bytes::from_static(PDF)).file_name("precio.pdf");
    let form = reqwest::multipart::Form::new().part("file", part);
    let upload = scene.acme.send(scene.acme.request(Method::POST, "/media").multipart(form)).await.expect(201);
    let body = json!({ "body": "mira", "media_ids": [upload["id"]] });
    let path = format!("/conversations/{}/messages", scene.of("ana"));
    let message = id(&scene.acme.post(&path, &body).await.expect(201));
    scene.world.settle().await;
    let url = async |looker: &Tenant| {
        let media = looker.get(&format!("/messages/{message}/media")).await.expect(200);
        media[0]["url"].as_str().unwrap().to_owned()
    };
    let fetch = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", scene.world.base())).await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    let (owners, anas) = (url(&scene.acme).await, url(&scene.ana).await);
    for address in [&owners, &anas] {
        assert_eq!(fetch(address).await, (200, Bytes::from_static(PDF)), "{address}");
    }
    assert!(!owners.contains("who=") && anas.contains("who=session:"), "{anas}");
    let (before, after) = anas.split_once("&who=").unwrap();
    let stripped = format!("{before}&{}", after.split_once('&').unwrap().1);
    assert_eq!(fetch(&stripped).await.0, 404, "whose it is can't be left out");
    // nor is it served to whoever has to set a second factor up first
    let _ = set_up(&scene.world, &scene.acme).await;
    for (is_asked, status) in [(true, 404), (false, 200)] {
        scene.acme.put("/log-in-policy", &json!({ "requires_second_factor": is_asked })).await.expect(200);
        assert_eq!(fetch(&anas).await.0, status, "{is_asked}");
    }
    change(&scene.acme, scene.of("ana"), json!({ "assignee_id": scene.leo.user_id().await })).await;
    assert_eq!(scene.ana.get(&format!("/messages/{message}/media")).await.status, 404);
    let foreign = fetch(&anas).await;
    let missing = fetch(&anas.replace(upload["id"].as_str().unwrap(), &Uuid::now_v7().to_string())).await;
    assert_eq!(foreign, missing);
    assert_eq!((foreign.0, fetch(&owners).await.0), (404, 200));
    scene.world.finish().await;
}
