//! The operator's verbs of `paloma`, as processes beside a running installation: what they show, what they do, and what `doctor` finds.

use std::time::Duration;

use e2e::{
    World, eventually,
    paloma::{Said, paloma, paloma_at},
};
use serde_json::Value;

use crate::operations::waiting_job;

/// The first thing that a list shows.
async fn first(world: &World, verb: &str) -> Value {
    paloma(world, &[verb, "list", "--json"]).await.json()["items"][0].clone()
}

/// What `doctor` found, by check; the last of each name.
fn finding<'a>(checks: &'a Value, name: &str) -> &'a Value {
    checks["checks"].as_array().unwrap().iter().rfind(|check| check["check"] == name).unwrap_or(&Value::Null)
}

async fn doctor(world: &World) -> Said {
    paloma(world, &["doctor", "--json"]).await
}

#[tokio::test]
async fn jobs_are_listed_explained_cancelled_and_run_again() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let id = waiting_job(&world, &acme, "+15550000001").await.to_string();
    let listed = paloma(&world, &["jobs", "list", "--kind", "messaging.register_hook", "--queue", "default"]).await;
    assert!(listed.text().contains(&id) && listed.text().contains("messaging.register_hook"), "{}", listed.out);
    assert!(paloma(&world, &["jobs", "show", &id]).await.text().contains("available"));
    let why = paloma(&world, &["jobs", "why", &id]).await;
    assert_eq!(why.text(), format!("job {id} is available\n- no live worker serves the queue default: start one\n"));
    let told = paloma(&world, &["jobs", "why", &id, "--json"]).await.json();
    assert_eq!(told["causes"][0]["cause"], "no_worker_for_queue");

    let done = paloma(&world, &["jobs", "cancel", &id, "--reason", "wrong line"]).await;
    assert_eq!(done.text(), format!("job {id}: cancelled\n"));
    let again = paloma(&world, &["jobs", "cancel", &id, "--reason", "wrong line"]).await;
    assert!(again.fault().contains("has ended already"), "{}", again.err);
    assert!(
        paloma(&world, &["jobs", "cancel", "999999", "--reason", "x"]).await.fault().contains("there is no job 999999")
    );
    assert!(paloma(&world, &["jobs", "retry", &id]).await.fault().contains("--reason"));
    assert!(paloma(&world, &["jobs", "retry", &id, "--reason", " "]).await.fault().contains("say why"));
    paloma(&world, &["jobs", "retry", &id, "--reason", "right after all"]).await.done();
    let shown = paloma(&world, &["jobs", "show", &id]).await;
    assert!(shown.text().contains("cancelled by operator: wrong line"), "{}", shown.out);
    assert!(shown.text().contains("run again by operator: right after all"), "{}", shown.out);

    let audit = paloma(&world, &["audit", "--subject", "job", "--id", &id, "--json"]).await.json();
    let acts: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|act| act["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["retry", "cancel"]);
    assert!(paloma(&world, &["audit"]).await.text().contains("right after all"));
    world.finish().await;
}

#[tokio::test]
async fn lanes_and_gates_are_turned_and_shown() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    waiting_job(&world, &acme, "+15550000001").await;
    let lane = first(&world, "lanes").await["id"].to_string();
    paloma(&world, &["lanes", "pause", &lane, "--reason", "the gateway moves"]).await.done();
    assert!(paloma(&world, &["lanes", "show", &lane]).await.text().contains("paused"));
    paloma(&world, &["lanes", "resume", &lane, "--reason", "it has moved"]).await.done();
    paloma(&world, &["lanes", "cancel", &lane, "--reason", "the customer left"]).await.done();
    let late = paloma(&world, &["lanes", "resume", &lane, "--reason", "too late"]).await;
    assert!(late.fault().contains("no way back"), "{}", late.err);

    let gate = first(&world, "gates").await["id"].to_string();
    paloma(&world, &["gates", "set", &gate, "--rate", "0.5", "--cap", "2", "--reason", "slow"]).await.done();
    let set = paloma(&world, &["gates", "show", &gate, "--json"]).await.json();
    assert_eq!((set["rate"].as_f64(), set["cap"].as_i64()), (Some(0.5), Some(2)));
    paloma(&world, &["gates", "set", &gate, "--rate", "none", "--reason", "fast"]).await.done();
    assert!(first(&world, "gates").await["rate"].is_null());
    assert!(
        paloma(&world, &["gates", "set", &gate, "--reason", "nothing"]).await.fault().contains("what should change")
    );
    assert!(paloma(&world, &["gates", "set", &gate, "--rate", "0", "--reason", "x"]).await.fault().contains("above 0"));
    paloma(&world, &["gates", "pause", &gate, "--reason", "down"]).await.done();
    assert!(paloma(&world, &["gates", "list"]).await.text().contains("paused by operator: down"));
    paloma(&world, &["gates", "resume", &gate, "--reason", "up"]).await.done();
    paloma(&world, &["gates", "close", &gate, "--reason", "up"]).await.done();
    let audit = paloma(&world, &["audit", "--json"]).await.json();
    assert_eq!(audit["items"].as_array().unwrap().len(), 8);
    world.finish().await;
}

#[tokio::test]
async fn tenants_are_made_and_listed() {
    let world = World::without_workers().await;
    let make = [
        "tenants",
        "create",
        "acme",
        "--owner-email",
        "owner@acme.example",
        "--owner-password",
        "a long enough password",
    ];
    assert!(paloma(&world, &make).await.text().contains("acme"));
    assert!(paloma(&world, &make).await.fault().contains("exists already"));
    let acme = e2e::Tenant::log_in(world.base(), "owner@acme.example", "a long enough password").await;
    acme.get("/contacts").await.expect(200);
    assert_eq!(first(&world, "tenants").await["slug"], "acme");
    world.finish().await;
}

#[tokio::test]
async fn all_is_well_beside_a_worker_and_a_scheduler() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let import = acme.contacts(3).await;
    assert!(!import.is_empty());
    world.drain().await;
    eventually("doctor finds nothing at fault", || async { doctor(&world).await.is_ok }).await;
    let said = doctor(&world).await.json();
    assert_eq!(said["is_ok"], true, "{said}");
    let checks = [
        "secret",
        "reachability",
        "role",
        "wall",
        "migrations",
        "clocks",
        "processes",
        "queue",
        "oldest due",
        "leases",
        "vacuum",
        "schedule",
    ];
    for check in checks {
        assert_eq!(finding(&said, check)["is_ok"], true, "{check}: {said}");
    }
    let worker = first(&world, "workers").await;
    assert_eq!(worker["is_live"], true);
    assert!(paloma(&world, &["workers", "show", worker["id"].as_str().unwrap()]).await.text().contains("live"));
    assert!(paloma(&world, &["queues", "list"]).await.text().contains("import"));
    let batch = first(&world, "batches").await;
    assert_eq!(batch["enqueued_count"], batch["completed_count"]);
    assert!(paloma(&world, &["batches", "show", &batch["id"].to_string()]).await.text().contains("contacts.import"));
    world.finish().await;
}

#[tokio::test]
async fn doctor_names_what_is_at_fault() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    waiting_job(&world, &acme, "+15550000001").await;
    let said = doctor(&world).await;
    assert!(said.fault().contains("at fault"));
    let checks = said.document();
    assert!(finding(&checks, "processes")["detail"].as_str().unwrap().contains("start a worker"), "{checks}");
    let queue = checks["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["check"] == "queue" && check["detail"].as_str().unwrap().starts_with("default"));
    assert!(queue.unwrap()["detail"].as_str().unwrap().contains("no process serves it"), "{checks}");
    assert_eq!(finding(&checks, "oldest due")["is_ok"], true);

    world.database.advance(Duration::from_secs(120)).await;
    let checks = doctor(&world).await.document();
    assert_eq!(finding(&checks, "oldest due")["is_ok"], false, "{checks}");
    assert_eq!(finding(&checks, "clocks")["is_ok"], false, "the database's clock has gone ahead: {checks}");

    let nowhere = paloma_at("postgres://paloma@127.0.0.1:1/paloma", &["doctor", "--json"]).await;
    let unreachable = nowhere.document();
    assert_eq!(finding(&unreachable, "reachability")["is_ok"], false);
    assert!(finding(&unreachable, "reachability")["detail"].as_str().unwrap().contains("refused"), "{unreachable}");
    assert!(nowhere.fault().contains("1 at fault"), "{}", nowhere.err);

    let superuser = world.database.url_of("postgres");
    let said = paloma_at(&superuser, &["doctor"]).await;
    assert!(!said.is_ok && said.out.contains("FAULT") && said.out.contains("superuser"), "{}", said.out);
    world.finish().await;
}
