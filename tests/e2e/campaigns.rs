//! Campaigns from launch to the last recipient, judged by the simulator's log of what really went out.

use std::{collections::BTreeSet, time::Duration};

use e2e::{Tenant, World, eventually};
use serde_json::{Value, json};
use sim::bluebubbles::Behaviour;

async fn ready(world: &World, contacts: usize) -> (Tenant, String, String) {
    let acme = world.tenant("acme").await;
    let line = acme.line(world, json!({})).await;
    let import = acme.contacts(contacts).await;
    (acme, line, import)
}

fn addresses(world: &World) -> Vec<String> {
    world.sim.sent().iter().map(|sent| sent.address.to_string()).collect()
}

fn count(progress: &Value, state: &str) -> u64 {
    progress["counts"][state].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn each_recipient_gets_one_message_and_the_counters_equal_the_rows() {
    let world = World::new().await;
    let (acme, line, import) = ready(&world, 120).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    let launched = acme.launch(&campaign).await;
    assert_eq!(launched["audience"]["eligible"], 120);
    acme.until(&campaign, "completed").await;
    world.settle().await;
    let progress = acme.progress(&campaign).await;
    assert_eq!(count(&progress, "delivered"), 120, "{progress}");
    let summary = world.sim.summary();
    assert_eq!((summary.total, summary.distinct_addresses, summary.duplicates), (120, 120, 0));
    assert!(world.sim.sent().iter().any(|sent| &*sent.text == "Hola Name 7"));
    world.finish().await;
}

/// CAM-08, CAM-14
#[tokio::test]
async fn a_draft_says_whom_it_would_reach_and_what_is_wrong_with_it_without_being_launched() {
    let world = World::new().await;
    let (acme, line, import) = ready(&world, 3).await;
    acme.post("/suppressions", &json!({ "address": "+13055560001", "reason": "blacklisted" })).await.expect(201);
    let campaign = acme.draft(&line, &import, json!({})).await;
    let path = format!("/campaigns/{campaign}/audience");
    let told = acme.get(&path).await.expect(200);
    assert_eq!(told, json!({ "selected": 3, "eligible": 2, "skipped": { "blacklisted": 1 } }));
    assert_eq!(acme.get(&format!("/campaigns/{campaign}")).await.expect(200)["state"], "draft");
    let wrong = acme.draft(&line, &import, json!({ "body": "Hola {{fistName}}" })).await;
    let refused = acme.get(&format!("/campaigns/{wrong}/audience")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "template_unknown_variable"));
    let launched = acme.launch(&campaign).await;
    assert_eq!(launched["audience"], told, "the launch says the same");
    let late = acme.get(&path).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "campaign_state"));
    let other = world.tenant("other").await;
    assert_eq!(other.get(&path).await.status, 404);
    acme.until(&campaign, "completed").await;
    world.settle().await;
    assert_eq!(world.sim.summary().total, 2);
    world.finish().await;
}

/// CAM-02
#[tokio::test]
async fn of_twenty_parallel_launches_one_succeeds_and_the_others_conflict() {
    let world = World::new().await;
    let (acme, line, import) = ready(&world, 20).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    let path = format!("/campaigns/{campaign}/launch");
    let answers = futures::future::join_all((0..20).map(|_| acme.act(&path))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200], vec![409; 19]].concat());
    assert!(
        answers.iter().filter(|answer| answer.status == 409).all(|answer| answer.code() == "campaign_already_active")
    );
    acme.until(&campaign, "completed").await;
    assert_eq!(world.sim.summary().total, 20);
    world.finish().await;
}

/// CAM-03
#[tokio::test]
async fn four_workers_send_nothing_twice() {
    let mut world = World::new().await;
    for _ in 0..3 {
        world.start_worker().await;
    }
    let (acme, line, import) = ready(&world, 300).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    let summary = world.sim.summary();
    assert_eq!((summary.total, summary.duplicates), (300, 0));
    world.finish().await;
}

/// CAM-04
#[tokio::test]
async fn a_recipient_that_the_gateway_refuses_fails_alone() {
    let world = World::new().await;
    let (acme, line, import) = ready(&world, 60).await;
    world.sim.rule_behaviour("+13055560056", Behaviour::BadRequest);
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    world.settle().await;
    let progress = acme.progress(&campaign).await;
    assert_eq!((count(&progress, "delivered"), count(&progress, "failed")), (59, 1), "{progress}");
    assert_eq!(progress["causes"][0]["reason"], "bad_request");
    let failed = acme.get(&format!("/campaigns/{campaign}/recipients?state=failed")).await.expect(200);
    assert_eq!(failed["items"][0]["address"], "+13055560056");
    world.finish().await;
}

/// CAM-09, CAM-14
#[tokio::test]
async fn two_contacts_with_one_phone_get_one_message_and_the_reasons_add_up() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    for name in ["Ana", "Anita"] {
        acme.post("/contacts", &json!({ "first_name": name, "phone": "+13055560001" })).await.expect(201);
    }
    acme.post("/contacts", &json!({ "first_name": "Eva", "email": "eva@example.com" })).await.expect(201);
    acme.post("/contacts", &json!({ "first_name": "Bea", "phone": "+13055560002" })).await.expect(201);
    acme.post("/suppressions", &json!({ "address": "+13055560002", "reason": "blacklisted" })).await.expect(201);
    let body = json!({ "name": "All", "line_id": line, "body": "Hola {{firstName}}", "quiet_hours": false });
    let campaign = acme.post("/campaigns", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let audience = acme.launch(&campaign).await["audience"].clone();
    assert_eq!(
        audience,
        json!({ "selected": 4, "eligible": 1, "skipped": { "blacklisted": 1, "duplicate_address": 1, "no_phone": 1 } })
    );
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!(progress["skipped"], audience["skipped"]);
    assert_eq!((&progress["selected"], &progress["eligible"]), (&json!(4), &json!(1)));
    assert_eq!(addresses(&world), ["+13055560001"]);
    world.finish().await;
}

/// CAM-11
#[tokio::test]
async fn a_block_of_blacklisted_numbers_does_not_end_the_campaign() {
    let world = World::new().await;
    let (acme, line, import) = ready(&world, 90).await;
    for n in 30..60 {
        acme.post("/suppressions", &json!({ "address": format!("+1305556{n:04}"), "reason": "blacklisted" }))
            .await
            .expect(201);
    }
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!(progress["skipped"]["blacklisted"], 30);
    assert_eq!(world.sim.summary().total, 60);
    world.finish().await;
}

/// CAM-16
#[tokio::test]
async fn a_refused_connection_is_retried_and_the_others_are_sent_once() {
    let world = World::new().await;
    let (acme, line, import) = ready(&world, 40).await;
    world.sim.rule_behaviour("+13055560007", Behaviour::Proxy403);
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    acme.until_count(&campaign, "sent", 0).await;
    // each try of the refused one waits for its time; the last one fails it
    for _ in 0..12 {
        world.drain().await;
        world.advance(Duration::from_secs(150)).await;
    }
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!(count(&progress, "failed"), 1, "{progress}");
    let summary = world.sim.summary();
    assert_eq!((summary.total, summary.duplicates), (39, 0));
    world.finish().await;
}

/// CAM-18
#[tokio::test]
async fn a_cancelled_campaign_sends_no_more_and_can_not_be_resumed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({ "unlimited": false, "rate_per_minute": 600, "burst": 5, "cap": 16 })).await;
    let import = acme.contacts(200).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    eventually("some are out", || async { world.sim.summary().total >= 10 }).await;
    acme.act(&format!("/campaigns/{campaign}/cancel")).await.expect(200);
    acme.act(&format!("/campaigns/{campaign}/resume")).await.expect(409);
    world.drain().await;
    let out = world.sim.summary().total;
    world.advance(Duration::from_secs(60)).await;
    world.settle().await;
    assert_eq!(world.sim.summary().total, out, "nothing was sent after the cancel");
    let progress = acme.progress(&campaign).await;
    assert_eq!(progress["state"], "cancelled");
    assert_eq!(count(&progress, "cancelled") + out, 200, "{progress}");
    world.finish().await;
}

/// CAM-20, D15
#[tokio::test]
async fn a_launch_that_reaches_nobody_or_names_an_unknown_variable_is_refused_with_the_reason() {
    let world = World::new().await;
    let (acme, line, import) = ready(&world, 2).await;
    for n in 0..2 {
        acme.post("/suppressions", &json!({ "address": format!("+1305556{n:04}"), "reason": "blacklisted" }))
            .await
            .expect(201);
    }
    let campaign = acme.draft(&line, &import, json!({})).await;
    let refused = acme.act(&format!("/campaigns/{campaign}/launch")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "audience_empty"));
    assert!(refused.text.contains("blacklisted: 2"), "{}", refused.text);
    acme.delete("/suppressions/+13055560000").await.expect(204);
    let typo = acme.draft(&line, &import, json!({ "body": "Hola {{fistName}}" })).await;
    let refused = acme.act(&format!("/campaigns/{typo}/launch")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "template_unknown_variable"));
    assert!(refused.text.contains("fistName"));
    assert_eq!(acme.get(&format!("/campaigns/{typo}")).await.expect(200)["state"], "draft");
    world.finish().await;
}

/// CAM-01, CAM-10, D16
#[tokio::test]
async fn a_paused_campaign_begins_no_call_and_resumes_without_a_repeat() {
    let mut world = World::new().await;
    let (acme, line, import) = ready(&world, 250).await;
    world.sim.configure(|config| config.row_delay_ms = 20);
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    eventually("some are out", || async { world.sim.summary().total >= 60 }).await;
    acme.act(&format!("/campaigns/{campaign}/pause")).await.expect(200);
    let answered = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    world.drain_lane(&format!("campaign/{campaign}")).await;
    let late = world.sim.sent().iter().filter(|sent| sent.call_started_at_ms as u128 > answered + 1000).count();
    assert_eq!(late, 0, "calls began more than a second after the pause was answered");
    let out = world.sim.summary().total;
    assert!(out < 250, "the pause came too late to show anything");
    // a text may be changed now, for those who have not got it
    acme.patch(&format!("/campaigns/{campaign}"), &json!({ "body": "Buenas {{firstName}}" })).await.expect(200);
    world.stop_workers().await;
    world.start_worker().await;
    acme.act(&format!("/campaigns/{campaign}/resume")).await.expect(200);
    acme.until(&campaign, "completed").await;
    let all: BTreeSet<String> = addresses(&world).into_iter().collect();
    assert_eq!((world.sim.summary().total, all.len()), (250, 250));
    let new = world.sim.sent().iter().filter(|sent| sent.text.starts_with("Buenas")).count() as u64;
    assert_eq!(new, 250 - out);
    world.finish().await;
}

/// CAM-19
#[tokio::test]
async fn two_campaigns_on_one_line_share_its_rate() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (rate, burst) = (20.0, 4.0);
    let line = acme
        .line(&world, json!({ "unlimited": false, "rate_per_minute": rate * 60.0, "burst": burst, "cap": 50 }))
        .await;
    let import = acme.contacts(30).await;
    let campaigns =
        [acme.draft(&line, &import, json!({})).await, acme.draft(&line, &import, json!({ "body": "Otra" })).await];
    for campaign in &campaigns {
        acme.launch(campaign).await;
    }
    for campaign in &campaigns {
        acme.until(campaign, "completed").await;
    }
    assert_eq!(world.sim.sent().len(), 60);
    // by the leases, which is where tokens are taken: a call may come later than its token, and many at once on a busy machine
    let starts: Vec<f64> = sqlx::query_scalar(
        "select extract(epoch from h.leased_at)::float8 from jobs.history h join jobs.kinds k on k.id = h.kind
          where k.name = 'campaigns.send' and h.leased_at is not null order by 1",
    )
    .fetch_all(&mut world.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(starts.len(), 60);
    for (first, from) in starts.iter().enumerate() {
        for (last, to) in starts.iter().enumerate().skip(first) {
            let granted = (last - first + 1) as f64;
            assert!(granted <= burst + rate * (to - from) + 1e-3, "{granted} starts in {} s", to - from);
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn a_repeated_create_with_one_key_makes_one_campaign() {
    let world = World::new().await;
    let (acme, line, import) = ready(&world, 1).await;
    let body = json!({ "name": "Once", "line_id": line, "import_id": import, "body": "Hola" });
    let create = |body: Value| {
        acme.request(reqwest::Method::POST, "/campaigns").header("idempotency-key", "k1").json(&body).send()
    };
    let first: Value = create(body.clone()).await.unwrap().json().await.unwrap();
    let second: Value = create(body).await.unwrap().json().await.unwrap();
    assert_eq!(first, second);
    let other = create(json!({ "name": "Twice", "line_id": line, "import_id": import, "body": "Hola" })).await.unwrap();
    assert_eq!(other.status(), 422);
    world.finish().await;
}
