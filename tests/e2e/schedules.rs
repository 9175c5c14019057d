//! Schedules as the operator sees and turns them over HTTP: their contract, their next times, each act with its reason.

use e2e::{World, actors::Operator, eventually_some};
use serde_json::{Value, json};

/// Fires once an hour, so that it hardly does so by itself while a test runs.
const QUIET: &str = "/schedules/events.prune";

fn because(reason: &str) -> Value {
    json!({ "reason": reason })
}

/// The schedules, once the scheduler has stored what is declared.
async fn stored(operator: &Operator) -> Vec<Value> {
    eventually_some("the schedules are stored", || async {
        Some(operator.items("/schedules").await).filter(|all| !all.is_empty())
    })
    .await
}

#[tokio::test]
async fn a_schedule_is_listed_with_its_contract_its_next_time_and_its_last_job() {
    let world = World::without_workers().await;
    let operator = world.operator();
    let all = stored(&operator).await;
    let names: Vec<&str> = all.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let declared = [
        "access.prune",
        "events.prune",
        "inbox.fold",
        "messaging.check_hooks",
        "messaging.prune_uploads",
        "messaging.sweep_lines",
        "messaging.transcribe_missed",
        "privacy.prune",
        "secrets.rotate",
        "tenancy.fold_usage",
        "webhooks.prune",
    ];
    assert_eq!(names, declared, "by name");
    let row = operator.get(QUIET).await.expect(200);
    let contract = ["cron", "time_zone", "nonexistent", "ambiguous", "catch_up", "overlap", "kind", "queue"];
    let words: Vec<&str> = contract.iter().map(|part| row[part].as_str().unwrap()).collect();
    assert_eq!(words, ["47 * * * *", "UTC", "skip", "both", "one", "skip", "events.prune", "default"]);
    assert!(row["next_fire_at"].is_string() && row["paused_at"].is_null(), "{row}");
    let page = operator.get("/schedules?limit=1").await.expect(200);
    let next = operator.get(&format!("/schedules?limit=2&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(next.expect(200)["items"].as_array().unwrap().len(), 2);
    assert_eq!(operator.get("/schedules/no.such").await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn a_preview_tells_the_next_fifty_fires_and_what_a_change_of_the_clock_does_to_them() {
    let world = World::without_workers().await;
    let operator = world.operator();
    stored(&operator).await;
    let preview = operator.get(&format!("{QUIET}/preview")).await.expect(200);
    assert_eq!(preview["fires"].as_array().unwrap().len(), 50);
    let mut superuser = world.database.superuser().await;
    // no schedule of the product lives on a clock that changes
    sqlx::query(
        "insert into jobs.schedules (name, cron, time_zone, nonexistent, ambiguous, catch_up, overlap, jitter_ms, kind, queue, next_fire_at, seen_at)
           values ('nightly', '30 1 * * *', 'America/New_York', 'next_valid', 'both', 'one', 'skip', 0, 'events.prune', 'default', app.now() + interval '9 days', app.now())",
    )
    .execute(&mut superuser)
    .await
    .unwrap();
    let asked = "/schedules/nightly/preview?from=2026-10-31T12:00:00Z&count=2";
    let fires = operator.get(asked).await.expect(200)["fires"].clone();
    assert_eq!((&fires[0]["at"], &fires[0]["dst"]), (&json!("2026-11-01T05:30:00Z"), &json!("first")));
    assert_eq!((&fires[1]["local"], &fires[1]["dst"]), (&json!("2026-11-01T01:30:00-05:00"), &json!("second")));
    assert_eq!(operator.get(&format!("{QUIET}/preview?count=0")).await.code(), "count_range");
    assert_eq!(operator.get(&format!("{QUIET}/preview?from=tomorrow")).await.code(), "invalid_query");
    assert_eq!(operator.get("/schedules/no.such/preview").await.status, 404);
    // declared by nobody, so nobody can make its job
    assert_eq!(operator.post("/schedules/nightly/fire", &because("late")).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn a_schedule_is_paused_fired_by_hand_and_resumed_and_each_act_is_in_the_audit() {
    let world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    stored(&operator).await;
    for act in ["pause", "fire", "resume"] {
        assert_eq!(operator.post(&format!("{QUIET}/{act}"), &json!({})).await.status, 422, "{act} needs a reason");
        assert_eq!(operator.post(&format!("{QUIET}/{act}"), &because(" ")).await.code(), "reason_length");
        assert_eq!(operator.post(&format!("/schedules/no.such/{act}"), &because("a typo")).await.status, 404);
        assert_eq!(acme.post(&format!("/platform{QUIET}/{act}"), &because("mine")).await.status, 401);
    }
    let paused = operator.post(&format!("{QUIET}/pause"), &because("the disk is full")).await.expect(200);
    assert_eq!(paused["reason"], "paused by operator: the disk is full");
    assert!(paused["paused_at"].is_string());
    let fired = operator.post(&format!("{QUIET}/fire"), &because("make room")).await.expect(200);
    assert_eq!(fired["result"], "made");
    let row = operator.get(QUIET).await.expect(200);
    assert_eq!((&row["last_job_id"], &row["next_fire_at"]), (&fired["job_id"], &paused["next_fire_at"]));
    let again = operator.post(&format!("{QUIET}/fire"), &because("more room")).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "schedule_overlaps"));
    let resumed = operator.post(&format!("{QUIET}/resume"), &because("there is room")).await.expect(200);
    assert!(resumed["paused_at"].is_null() && resumed["reason"].is_null(), "{resumed}");
    let audit = operator.items("/audit?subject=schedule&subject_id=events.prune").await;
    let acts: Vec<(&str, &str)> =
        audit.iter().map(|act| (act["act"].as_str().unwrap(), act["reason"].as_str().unwrap())).collect();
    assert_eq!(acts, [("resume", "there is room"), ("fire", "make room"), ("pause", "the disk is full")]);
    world.finish().await;
}
