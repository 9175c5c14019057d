//! The operator's verbs of `paloma`, as processes beside a running installation: what they show, what they do, and what `doctor` finds.

use std::time::Duration;

use e2e::{
    World, eventually,
    paloma::{Said, paloma, paloma_at, paloma_unread},
};
use serde_json::{Value, json};

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
    // eight, and that the account was made
    assert_eq!(audit["items"].as_array().unwrap().len(), 9);
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
async fn a_quota_is_shown_set_and_reset_and_each_act_is_in_the_audit() {
    let world = World::without_workers().await;
    world.tenant("acme").await;
    let id = first(&world, "tenants").await["id"].as_str().unwrap().to_owned();
    assert!(paloma(&world, &["tenants", "quota", &id]).await.text().contains("2000000"));
    let set = |jobs: &'static str, reason: &'static str| {
        let (world, id) = (&world, id.clone());
        async move {
            let words =
                ["tenants", "set-quota", &id, "--most-jobs", jobs, "--most-bytes", "67108864", "--reason", reason];
            paloma(world, &words).await
        }
    };
    assert!(set("5", "too small").await.fault().contains("most_jobs: at least 10000"));
    assert!(set("20000", " ").await.fault().contains("say why"));
    assert_eq!(set("20000", "a small plan").await.text(), format!("tenant {id}: quota set\n"));
    assert_eq!(paloma(&world, &["tenants", "quota", &id, "--json"]).await.json()["most_jobs"], 20_000);
    paloma(&world, &["tenants", "reset-quota", &id, "--reason", "a larger plan"]).await.done();
    assert_eq!(paloma(&world, &["tenants", "quota", &id, "--json"]).await.json()["most_jobs"], 2_000_000);
    let nobody = "018f0000-0000-7000-8000-000000000000";
    assert!(paloma(&world, &["tenants", "quota", nobody]).await.fault().contains("there is no tenant"));
    let audit = paloma(&world, &["audit", "--subject", "quota", "--json"]).await.json();
    assert_eq!((&audit["items"][0]["act"], &audit["items"][1]["act"]), (&"reset_quota".into(), &"set_quota".into()));
    world.finish().await;
}

#[tokio::test]
async fn a_quarantined_job_is_listed_and_explained_with_each_death_and_run_again() {
    let world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let job = waiting_job(&world, &acme, "+15550000001").await;
    let id = job.to_string();
    // five workers that died over it, and over nothing that a schedule has made
    let mut superuser = world.database.superuser().await;
    sqlx::query(
        "update jobs.jobs set crashes = 5, attempt = 5, errors = (
           select jsonb_agg(jsonb_build_object('at', app.clock(), 'attempt', i, 'error', 'its worker died', 'process', gen_random_uuid(), 'host', 'node-' || i))
             from generate_series(1, 5) i)
          where id = $1",
    )
    .bind(job)
    .execute(&mut superuser)
    .await
    .unwrap();
    sqlx::query("select jobs.quarantine(app.clock(), array[$1::bigint], 5)")
        .bind(job)
        .execute(&mut superuser)
        .await
        .unwrap();
    let listed = paloma(&world, &["jobs", "list", "--state", "quarantined"]).await;
    assert!(listed.text().contains(&id) && listed.text().contains("quarantined"), "{}", listed.out);
    assert_eq!(operator.items("/jobs?state=quarantined").await.len(), 1);
    assert_eq!(acme.items("/jobs?state=quarantined").await[0]["state"], "quarantined");
    let why = paloma(&world, &["jobs", "why", &id]).await;
    assert!(why.text().contains("5 workers died over it") && why.text().contains("attempt 5: process "), "{}", why.out);
    assert!(why.text().contains("on node-1 "), "{}", why.out);
    let told = acme.get(&format!("/jobs/{id}/why")).await.expect(200);
    assert_eq!((&told["state"], told["causes"][0]["deaths"].as_array().unwrap().len()), (&json!("quarantined"), 5));
    paloma(&world, &["jobs", "retry", &id, "--reason", "the leak is mended"]).await.done();
    assert!(paloma(&world, &["jobs", "show", &id]).await.text().contains("available"));
    assert_eq!(operator.items("/audit?subject=job").await[0]["act"], "retry");
    world.finish().await;
}

#[tokio::test]
async fn batches_are_listed_paused_resumed_cancelled_and_their_failures_run_again() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    world.stop_workers().await;
    let id = acme.post("/batches", &json!({ "name": "offers" })).await.expect(201)["id"].to_string();
    let row = json!({
        "kind": "messaging.send_text", "batch_id": id.parse::<i64>().unwrap(),
        "payload": { "line_id": line, "address": "+13055560001", "text": "x" },
    });
    acme.post("/jobs", &json!({ "jobs": [row] })).await.expect(200);
    let act = async |verb: &'static str| paloma(&world, &["batches", verb, &id, "--reason", verb]).await;
    assert_eq!(act("pause").await.text(), format!("batch {id}: paused\n"));
    let paused = paloma(&world, &["batches", "list", "--state", "paused", "--json"]).await.json();
    assert_eq!((&paused["items"][0]["state"], paused["items"].as_array().unwrap().len()), (&json!("paused"), 1));
    assert!(paloma(&world, &["batches", "show", &id]).await.text().contains("paused"));
    act("resume").await.done();
    assert!(act("retry").await.fault().contains("none of the batch's jobs was discarded"));
    let mut superuser = world.database.superuser().await;
    sqlx::query(
        "with f as (
           insert into jobs.failures (id, tenant_number, lane_id, queue, kind, state, priority, attempt, max_attempts, crashes, key_scope, batch_id, payload, finished_at)
             select nextval('jobs.ids'), tenant_number, lane_id, queue, kind, 'discarded', 0, 1, 1, 0, 0, batch_id, payload, app.now() from jobs.jobs where batch_id is not null
           returning tenant_number, batch_id)
         insert into jobs.batch_deltas (tenant_number, batch_id, enqueued, discarded) select tenant_number, batch_id, 1, 1 from f",
    )
    .execute(&mut superuser)
    .await
    .unwrap();
    assert_eq!(act("retry").await.text(), format!("batch {id}: retrying\n"));
    act("cancel").await.done();
    assert!(act("pause").await.fault().contains("no way back"));
    assert!(act("cancel").await.fault().contains("no way back"));
    assert!(paloma(&world, &["batches", "pause", "999999", "--reason", "x"]).await.fault().contains("no batch 999999"));
    assert!(paloma(&world, &["batches", "pause", &id]).await.fault().contains("--reason"));
    let audit = paloma(&world, &["audit", "--subject", "batch", "--id", &id, "--json"]).await.json();
    let acts: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|act| act["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["cancel", "retry", "resume", "pause"], "and nothing of what was refused");
    world.finish_with(&["messaging.send"]).await;
}

#[tokio::test]
async fn a_verb_whose_reader_has_gone_ends_quietly_and_has_done_its_work() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let id = waiting_job(&world, &acme, "+15550000001").await.to_string();
    for words in [
        &["jobs", "list", "--json"][..],
        &["jobs", "list"],
        &["jobs", "show", &id],
        &["jobs", "why", &id],
        &["schedules", "preview", "--cron", "* * * * *"],
        &["jobs", "cancel", &id, "--reason", "unread"],
    ] {
        let said = paloma_unread(&world, words).await;
        assert!(said.is_ok && said.out.is_empty() && !said.err.contains("panicked"), "{words:?}: {}", said.err);
    }
    assert!(paloma(&world, &["jobs", "show", &id]).await.text().contains("cancelled by operator: unread"));
    assert!(!paloma_unread(&world, &["doctor"]).await.is_ok, "a fault is one whoever reads of it: no worker runs");
    world.finish_with(&["messaging.register_hook"]).await;
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
        "sealed",
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
