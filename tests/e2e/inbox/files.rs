//! Files that people send from the inbox: uploaded by them, sent once with a reply, kept with a draft; a refusal loses nothing.

use std::time::Duration;

use bytes::Bytes;
use e2e::{Answer, Tenant, World, eventually, eventually_some};
use reqwest::Method;
use serde_json::{Value, json};

use super::{JOSE, id, opened};

/// One pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

async fn upload(tenant: &Tenant, name: &str, bytes: &'static [u8]) -> Value {
    let part = reqwest::multipart::Part::stream(Bytes::from_static(bytes)).file_name(name.to_owned());
    let form = reqwest::multipart::Form::new().part("file", part);
    tenant.send(tenant.request(Method::POST, "/media").multipart(form)).await.expect(201)
}

async fn send(tenant: &Tenant, conversation: &str, body: Value) -> Answer {
    tenant.post(&format!("/conversations/{conversation}/messages"), &body).await
}

fn names(media: &Value) -> Vec<&str> {
    media.as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn files_go_out_with_a_reply_once_and_are_shown_at_once() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let (photo, paper) = (upload(&acme, "foto.png", PNG).await, upload(&acme, "precio.pdf", b"%PDF-1.4 x").await);
    let both = [&photo["id"], &paper["id"]];
    let sent = send(&acme, &conversation, json!({ "body": "mira", "media_ids": both })).await.expect(201);
    assert_eq!((names(&sent["media"]), &sent["media"][0]["kind"]), (vec!["foto.png", "precio.pdf"], &json!("image")));
    assert!(sent["media"][0]["url"].is_string(), "it is shown at once: {sent}");
    world.settle().await;
    let out = world.sim.sent();
    assert_eq!((out.len(), &*out[0].text), (1, "mira"));
    let files = world.sim.files_of(&out[0].guid);
    assert_eq!(
        files,
        [
            ("foto.png".to_owned(), Bytes::from_static(PNG)),
            ("precio.pdf".to_owned(), Bytes::from_static(b"%PDF-1.4 x"))
        ]
    );
    // a file alone is a message too, and the list says that it is one
    let alone = upload(&acme, "solo.png", PNG).await;
    let sent = send(&acme, &conversation, json!({ "media_ids": [alone["id"]] })).await.expect(201);
    assert_eq!((&sent["body"], names(&sent["media"])), (&json!(""), vec!["solo.png"]));
    let last = acme.get(&format!("/conversations/{conversation}")).await.expect(200)["last_message"].clone();
    assert_eq!((&last["media_count"], &last["media_kind"]), (&json!(1), &json!("image")));
    world.settle().await;
    assert_eq!(world.sim.sent().len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_file_that_may_not_be_sent_is_refused_with_its_reason_and_nothing_is_lost() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let mine = upload(&acme, "mia.pdf", b"%PDF-1").await;
    let sent = upload(&acme, "usada.pdf", b"%PDF-2").await;
    send(&acme, &conversation, json!({ "media_ids": [sent["id"]] })).await.expect(201);
    let colleague = acme.colleague("Berta", "agent").await;
    let hers = upload(&colleague, "suya.pdf", b"%PDF-3").await;
    let other = world.tenant("other").await;
    let theirs = upload(&other, "ajena.pdf", b"%PDF-4").await;
    let many: Vec<uuid::Uuid> = (0..11).map(|_| uuid::Uuid::now_v7()).collect();
    let of = |file: &Value| json!({ "body": "x", "media_ids": [mine["id"], file["id"]] });
    for (body, code) in [
        (of(&sent), "media_already_sent"),
        (of(&hers), "media_not_found"),
        (of(&theirs), "media_not_found"),
        (json!({ "body": "x", "media_ids": [mine["id"], uuid::Uuid::now_v7()] }), "media_not_found"),
        (json!({ "body": "x", "media_ids": [mine["id"], mine["id"]] }), "media_repeated"),
        (json!({ "body": "x", "media_ids": many }), "too_many_files"),
        (json!({ "body": "x", "kind": "note", "media_ids": [mine["id"]] }), "media_on_note"),
        (json!({ "body": "   ", "media_ids": [mine["id"]] }), "text_length"),
        (json!({ "body": "" }), "text_length"),
    ] {
        let refused = send(&acme, &conversation, body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{body}");
    }
    // nothing was written, and the file is still there to be sent
    assert_eq!(acme.items(&format!("/conversations/{conversation}/messages")).await.len(), 1);
    send(&acme, &conversation, json!({ "body": "al fin", "media_ids": [mine["id"]] })).await.expect(201);
    world.settle().await;
    assert_eq!(world.sim.sent().len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn of_two_replies_that_take_the_same_file_one_is_sent() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let (one, two) = (opened(&acme, &line, JOSE).await, opened(&acme, &line, "+13055550143").await);
    let file = upload(&acme, "a.pdf", b"%PDF-1").await;
    let body = json!({ "body": "x", "media_ids": [file["id"]] });
    let (a, b) = tokio::join!(send(&acme, &one, body.clone()), send(&acme, &two, body.clone()));
    let mut answers = [a, b].map(|answer| (answer.status.as_u16(), answer.code().to_owned()));
    answers.sort();
    assert_eq!(answers[0].0, 201);
    assert_eq!(answers[1], (422, "media_already_sent".to_owned()));
    world.settle().await;
    assert_eq!(world.sim.sent().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_draft_keeps_its_files_until_they_are_sent_or_too_old() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let path = format!("/conversations/{conversation}/draft");
    let (a, b) = (upload(&acme, "a.pdf", b"%PDF-1").await, upload(&acme, "b.pdf", b"%PDF-2").await);
    let kept = acme.put(&path, &json!({ "media_ids": [b["id"], a["id"]] })).await.expect(200);
    assert_eq!((&kept["body"], names(&kept["media"])), (&json!(""), vec!["b.pdf", "a.pdf"]));
    assert_eq!(acme.get(&path).await.expect(200), kept, "it is there after a reload");
    // somebody else's file can't be seen by keeping it
    let colleague = acme.colleague("Berta", "agent").await;
    let peeked = colleague.put(&path, &json!({ "body": "x", "media_ids": [a["id"]] })).await.expect(200);
    assert_eq!((&peeked["media"], &peeked["lost_file_count"]), (&json!([]), &json!(1)));
    let many: Vec<uuid::Uuid> = (0..11).map(|_| uuid::Uuid::now_v7()).collect();
    assert_eq!(acme.put(&path, &json!({ "body": "x", "media_ids": many })).await.code(), "too_many_files");
    assert_eq!(acme.put(&path, &json!({ "body": "" })).await.code(), "text_length");
    send(&acme, &conversation, json!({ "media_ids": [a["id"]] })).await.expect(201);
    acme.get(&path).await.expect(404);
    acme.put(&path, &json!({ "body": "y", "media_ids": [a["id"], b["id"]] })).await.expect(200);
    let kept = acme.get(&path).await.expect(200);
    assert_eq!((names(&kept["media"]), &kept["lost_file_count"]), (vec!["b.pdf"], &json!(1)));
    world.advance(Duration::from_secs(100_000)).await;
    let draft = eventually_some("the old upload is swept away", || async {
        let draft = acme.get(&path).await.expect(200);
        (draft["lost_file_count"] == 2).then_some(draft)
    })
    .await;
    assert_eq!((&draft["body"], &draft["media"]), (&json!("y"), &json!([])));
    let late = send(&acme, &conversation, json!({ "body": "y", "media_ids": [b["id"]] })).await;
    assert_eq!((late.status.as_u16(), late.code()), (422, "media_not_found"));
    world.finish().await;
}

/// What could run in a browser may be sent, and is never shown in our own origin.
#[tokio::test]
async fn a_page_or_drawing_that_is_sent_is_only_saved() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let conversation = opened(&acme, &line, JOSE).await;
    let file = upload(&acme, "a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>").await;
    let sent = send(&acme, &conversation, json!({ "media_ids": [file["id"]] })).await.expect(201);
    assert_eq!((&sent["media"][0]["kind"], &sent["media"][0]["playable_url"]), (&json!("file"), &Value::Null));
    let url = format!("{}{}", world.base(), sent["media"][0]["url"].as_str().unwrap());
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment;"));
    eventually("it is out", || async { world.sim.sent().len() == 1 }).await;
    assert_eq!(id(&acme.items(&format!("/conversations/{conversation}/messages")).await[0]), id(&sent));
    world.finish().await;
}
