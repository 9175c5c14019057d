//! A campaign while it runs: what a restart, a pause, a change of the text or of the contacts does to it, and what does not.

use std::{collections::HashSet, time::Duration};

use e2e::{Tenant, World, eventually};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The states that a message may have reached once it is out.
fn out(progress: &Value) -> u64 {
    ["sent", "delivered", "read"].iter().filter_map(|state| progress["counts"][state].as_u64()).sum()
}

fn assert_each_got_one(world: &World, count: u64) {
    let sent = world.sim.summary();
    assert_eq!((sent.total, sent.distinct_addresses, sent.duplicates), (count, count, 0));
}

async fn acme_with(world: &World, count: usize) -> (Tenant, String, String) {
    let acme = world.tenant("acme").await;
    let line = acme.line(world, json!({})).await;
    let import = acme.contacts(count).await;
    (acme, line, import)
}

/// CAM-01, CAM-15, D16.
#[tokio::test]
async fn a_paused_campaign_survives_a_restart_and_goes_on_where_it_was() {
    let mut world = World::new().await;
    let (acme, line, import) = acme_with(&world, 300).await;
    world.sim.configure(|sim| sim.row_delay_ms = 40);
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    eventually("some are sent", || async { world.sim.summary().total >= 60 }).await;
    assert_eq!(acme.act(&format!("/campaigns/{campaign}/pause")).await.expect(200)["state"], "paused");
    let paused_ms = World::machine_ms();
    assert_eq!(acme.act(&format!("/campaigns/{campaign}/pause")).await.code(), "campaign_already_paused");
    world.later(Duration::from_secs(5)).await;
    let progress = acme.progress(&campaign).await;
    assert_eq!(progress["state"], "paused");
    let begun = world.sends().len();
    assert!((60..300).contains(&begun), "{begun}");
    assert_eq!(progress["counts"]["pending"], 300 - begun);
    eventually("more than a second passes", || async { World::machine_ms() > paused_ms + 1_200 }).await;
    assert_eq!(world.sends().len(), begun);
    assert!(world.sends().iter().all(|call| call.at_ms <= paused_ms + 1_000));
    world.later(Duration::from_secs(5)).await;
    assert_eq!(acme.progress(&campaign).await["state"], "paused", "a restart completes nothing");
    let _ = acme.act(&format!("/campaigns/{campaign}/resume")).await.expect(200);
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!((out(&progress), &progress["eligible"]), (300, &json!(300)));
    assert_each_got_one(&world, 300);
    world.settle().await;
    world.finish().await;
}

/// CAM-15.
#[tokio::test]
async fn a_worker_that_is_stopped_half_way_leaves_the_rest_to_the_next() {
    let mut world = World::new().await;
    let (acme, line, import) = acme_with(&world, 200).await;
    world.sim.configure(|sim| sim.row_delay_ms = 40);
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    eventually("some are sent", || async { world.sim.summary().total >= 80 }).await;
    world.stop_workers().await;
    let progress = acme.progress(&campaign).await;
    assert_eq!(progress["state"], "active", "{progress}");
    assert!(progress["counts"]["pending"].as_u64().unwrap() > 0, "{progress}");
    assert_eq!(progress["counts"]["sending"].as_u64().unwrap_or(0), 0, "a drained worker leaves no call open");
    world.start_worker().await;
    acme.until(&campaign, "completed").await;
    assert_each_got_one(&world, 200);
    world.finish().await;
}

/// CAM-08, D15.
#[tokio::test]
async fn an_unknown_variable_is_refused_before_the_launch_and_an_empty_one_is_tidied_away() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let import = acme.import("first_name,phone,plan\n,+13055550142,gold\nAna,+13055550143,\n", "").await;
    let import = import["id"].as_str().unwrap();
    let wrong = acme.draft(&line, import, json!({ "body": "Hola {{fistName}}" })).await;
    let refused = acme.act(&format!("/campaigns/{wrong}/launch")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "template_unknown_variable"), "{}", refused.text);
    assert_eq!(acme.get(&format!("/campaigns/{wrong}")).await.expect(200)["state"], "draft");
    let unclosed = json!({ "name": "x", "line_id": line, "import_id": import, "body": "Hola {{firstName" });
    assert_eq!(acme.post("/campaigns", &unclosed).await.code(), "template_unclosed");
    let right = acme.draft(&line, import, json!({ "body": "Hola {{firstName}}, gracias" })).await;
    acme.launch(&right).await;
    acme.until(&right, "completed").await;
    let texts: HashSet<String> = world.sim.sent().iter().map(|sent| sent.text.to_string()).collect();
    assert_eq!(texts, HashSet::from(["Hola, gracias".to_owned(), "Hola Ana, gracias".to_owned()]));
    world.finish().await;
}

/// D16.
#[tokio::test]
async fn a_text_is_changed_in_pause_only_and_for_those_who_were_not_sent_to() {
    let world = World::new().await;
    let (acme, line, import) = acme_with(&world, 200).await;
    world.sim.configure(|sim| sim.row_delay_ms = 40);
    let campaign = acme.draft(&line, &import, json!({ "body": "old" })).await;
    let path = format!("/campaigns/{campaign}");
    acme.launch(&campaign).await;
    eventually("some are sent", || async { world.sim.summary().total >= 40 }).await;
    assert_eq!(acme.patch(&path, &json!({ "body": "new" })).await.code(), "campaign_not_editable");
    let _ = acme.act(&format!("{path}/pause")).await.expect(200);
    let unknown = acme.patch(&path, &json!({ "body": "{{nothing}}" })).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (422, "template_unknown_variable"));
    assert_eq!(acme.patch(&path, &json!({ "body": "new" })).await.expect(200)["body"], "new");
    eventually("no call is open", || async {
        world.sim.summary().in_flight == 0 && acme.progress(&campaign).await["counts"]["sending"].is_null()
    })
    .await;
    let old = world.sim.sent().len();
    assert!(world.sim.sent().iter().all(|sent| &*sent.text == "old"));
    let _ = acme.act(&format!("{path}/resume")).await.expect(200);
    acme.until(&campaign, "completed").await;
    assert!(world.sim.sent()[old..].iter().all(|sent| &*sent.text == "new"));
    assert_each_got_one(&world, 200);
    assert_eq!(acme.patch(&path, &json!({ "body": "x" })).await.code(), "campaign_not_editable");
    world.finish().await;
}

/// CAM-17: the audience is frozen at launch.
#[tokio::test]
async fn contacts_made_after_the_launch_are_not_in_the_audience() {
    let world = World::new().await;
    let (acme, line, _) = acme_with(&world, 10).await;
    let campaign = acme.draft(&line, "", json!({ "import_id": null, "rate_per_minute": 60.0 })).await;
    acme.launch(&campaign).await;
    eventually("the audience is frozen", || async { acme.progress(&campaign).await["is_frozen"] == true }).await;
    let _ = acme.post("/contacts", &json!({ "phone": "+13055550142" })).await.expect(201);
    let gone = acme.items("/contacts?phone=%2B13055560003").await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(acme.delete(&format!("/contacts/{gone}")).await.status, StatusCode::NO_CONTENT);
    let _ = acme.act(&format!("/campaigns/{campaign}/pause")).await.expect(200);
    let _ = acme.patch(&format!("/campaigns/{campaign}"), &json!({ "rate_per_minute": 60_000.0 })).await.expect(200);
    let _ = acme.act(&format!("/campaigns/{campaign}/resume")).await.expect(200);
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!((&progress["selected"], out(&progress)), (&json!(10), 10));
    assert!(world.sim.sent().iter().all(|sent| &*sent.address != "+13055550142"));
    world.finish().await;
}
