//! What is told to open sockets, and to those that come back.

use e2e::{Tenant, World};
use serde_json::{Value, json};

use super::{ADDRESSES, Scene};
use crate::{
    inbox::{change, id, writes},
    live::Feed,
};

/// Everything up to a label that is made now: what is told of conversations by then.
pub async fn heard(acme: &Tenant, feed: &mut Feed) -> Vec<Value> {
    let name = format!("until {}", uuid::Uuid::now_v7());
    let label = id(&acme.post("/labels", &json!({ "name": name })).await.expect(201));
    let mut frames = feed.until(|frame| frame["data"]["label_id"] == *label).await;
    frames.pop();
    frames
}

/// The conversations that frames name.
pub fn named(frames: &[Value]) -> Vec<String> {
    let of = |frame: &Value| {
        let items = frame["data"]["items"].as_array().cloned().unwrap_or_default();
        items
            .into_iter()
            .chain([frame["data"].clone()])
            .filter_map(|part| part["conversation_id"].as_str().map(str::to_owned))
    };
    let mut named: Vec<String> = frames.iter().flat_map(of).collect();
    named.sort();
    named.dedup();
    named
}

#[tokio::test]
async fn a_socket_hears_of_what_is_seen_and_of_nothing_else() {
    let scene = Scene::new().await;
    for (looker, seen) in scene.lookers() {
        let (mut feed, _) = Feed::open(&scene.world, looker).await;
        for address in ADDRESSES {
            writes(&scene.world, &scene.acme, address, "hola").await;
        }
        for (_, conversation) in &scene.conversations {
            let path = format!("/conversations/{conversation}");
            scene.acme.post(&format!("{path}/messages"), &json!({ "body": "¿sí?" })).await.expect(201);
            scene.acme.post(&format!("{path}/presence"), &json!({ "state": "typing" })).await.expect(200);
            scene.acme.post(&format!("{path}/presence"), &json!({ "state": "gone" })).await.expect(200);
        }
        scene.world.settle().await;
        let frames = heard(&scene.acme, &mut feed).await;
        let mut wanted: Vec<String> = seen.iter().map(|whose| scene.of(whose).to_owned()).collect();
        wanted.sort();
        assert_eq!(named(&frames), wanted, "{seen:?}");
        for kind in ["message.new", "message.status", "conversation.presence"] {
            let of_kind: Vec<Value> = frames.iter().filter(|frame| frame["kind"] == kind).cloned().collect();
            assert_eq!(named(&of_kind), wanted, "{kind}: {seen:?}");
        }
    }
    scene.world.finish().await;
}

#[tokio::test]
async fn a_conversation_that_is_given_away_is_told_to_whoever_had_it_once_and_then_no_more() {
    let scene = Scene::new().await;
    let (mut anas, _) = Feed::open(&scene.world, &scene.ana).await;
    let (mut leos, _) = Feed::open(&scene.world, &scene.leo).await;
    let (mut teas, seen_until) = Feed::open(&scene.world, &scene.tea).await;
    let gone = scene.of("ana");
    change(&scene.acme, gone, json!({ "assignee_id": scene.leo.user_id().await })).await;
    for feed in [&mut anas, &mut leos, &mut teas] {
        let frames = heard(&scene.acme, feed).await;
        assert_eq!(named(&frames), [gone]);
        assert_eq!(frames[0]["kind"], "conversation.updated");
    }
    writes(&scene.world, &scene.acme, ADDRESSES[0], "¿sigues ahí?").await;
    for feed in [&mut anas, &mut teas] {
        assert!(named(&heard(&scene.acme, feed).await).is_empty());
    }
    assert_eq!(named(&heard(&scene.acme, &mut leos).await), [gone]);
    // nor is what was missed told to whoever comes back
    let (mut back, _) = Feed::open_since(&scene.world, &scene.tea, Some(seen_until)).await;
    let frames = heard(&scene.acme, &mut back).await;
    let news = frames.iter().filter(|frame| frame["kind"] == "message.new").count();
    assert_eq!((named(&frames), news), (vec![gone.to_owned()], 0), "that it is gone, and nothing since");
    scene.world.finish().await;
}

/// That the socket knows of it: it is told once to read everything anew, in less than the five seconds of a revocation.
async fn until_told(feed: &mut Feed, begun: i64) {
    feed.until(|frame| frame["kind"] == "resync_required").await;
    assert!(World::machine_ms() - begun < 5_000);
}

#[tokio::test]
async fn who_leaves_a_team_or_whose_team_is_gone_hears_no_more_by_it() {
    let scene = Scene::new().await;
    let (mut feed, _) = Feed::open(&scene.world, &scene.tea).await;
    writes(&scene.world, &scene.acme, ADDRESSES[0], "uno").await;
    assert_eq!(named(&heard(&scene.acme, &mut feed).await), [scene.of("ana")]);
    let path = format!("/conversations/{}", scene.of("ana"));
    let member = format!("/teams/{}/members/{}", scene.team, scene.ana.user_id().await);
    let begun = World::machine_ms();
    assert_eq!(scene.acme.delete(&member).await.status, 204);
    assert_eq!(scene.tea.get(&path).await.status, 404, "at once");
    until_told(&mut feed, begun).await;
    writes(&scene.world, &scene.acme, ADDRESSES[0], "dos").await;
    assert!(named(&heard(&scene.acme, &mut feed).await).is_empty());
    let begun = World::machine_ms();
    scene.acme.put(&member, &json!({})).await.expect(200);
    until_told(&mut feed, begun).await;
    writes(&scene.world, &scene.acme, ADDRESSES[0], "tres").await;
    assert_eq!(named(&heard(&scene.acme, &mut feed).await), [scene.of("ana")]);
    let begun = World::machine_ms();
    assert_eq!(scene.acme.delete(&format!("/teams/{}", scene.team)).await.status, 204);
    assert_eq!(scene.tea.get(&path).await.status, 404, "at once");
    until_told(&mut feed, begun).await;
    writes(&scene.world, &scene.acme, ADDRESSES[0], "cuatro").await;
    assert!(named(&heard(&scene.acme, &mut feed).await).is_empty());
    scene.world.finish().await;
}

/// It is nobody's any more, and leaves the lists of whoever had it as those of everybody else.
#[tokio::test]
async fn that_a_conversation_is_erased_is_told_to_whoever_saw_it() {
    let scene = Scene::new().await;
    let contact = json!({ "first_name": "Zoé", "phone": ADDRESSES[0] });
    let contact = id(&scene.acme.post("/contacts", &contact).await.expect(201));
    writes(&scene.world, &scene.acme, ADDRESSES[0], "borren todo").await;
    let (mut all, _) = Feed::open(&scene.world, &scene.acme).await;
    let (mut anas, _) = Feed::open(&scene.world, &scene.ana).await;
    let (mut leos, _) = Feed::open(&scene.world, &scene.leo).await;
    scene.acme.post(&format!("/contacts/{contact}/erase"), &json!({})).await.expect(201);
    scene.world.settle().await;
    assert_eq!(scene.acme.get(&format!("/conversations/{}", scene.of("ana"))).await.status, 404);
    let moved = async |feed: &mut Feed| {
        let frames = heard(&scene.acme, feed).await;
        frames.iter().filter(|frame| frame["data"]["conversation_id"] == scene.of("ana")).count()
    };
    let (all, anas, leos) = (moved(&mut all).await, moved(&mut anas).await, moved(&mut leos).await);
    assert!(all > 0 && anas > 0 && leos == 0, "{all} {anas} {leos}");
    scene.world.finish().await;
}
