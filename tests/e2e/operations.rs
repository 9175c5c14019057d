//! The operator's API of the queue, and what a tenant sees of its own part: each act has a reason and leaves its trace.

#![expect(clippy::disallowed_methods, reason = "transactions of a superuser, beside the scopes")]

use std::time::Duration;

use e2e::{Tenant, World, early_in_the_minute, eventually, eventually_some};
use serde_json::{Value, json};
use sqlx::Connection;

/// The jobs of [`waiting_job`] that run, whatever a schedule has begun beside them.
const RUNNING: &str = "/jobs?state=running&kind=messaging.register_hook";
/// Those over which workers have died.
const QUARANTINED: &str = "/jobs?state=quarantined&kind=messaging.register_hook";

/// A job that waits, since nobody works: the registration of a new line's webhook.
pub async fn waiting_job(world: &World, tenant: &Tenant, address: &str) -> i64 {
    let body = json!({
        "name": address, "address": address, "base_url": world.gateway_url(), "password": e2e::world::GATEWAY_PASSWORD,
        "method": "private_api", "unlimited": true,
    });
    tenant.post("/lines", &body).await.expect(201);
    tenant.items("/jobs?kind=messaging.register_hook").await[0]["id"].as_i64().unwrap()
}

fn because(reason: &str) -> Value {
    json!({ "reason": reason })
}

fn acts(audit: &[Value]) -> Vec<&str> {
    audit.iter().map(|act| act["act"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_job_is_explained_cancelled_and_run_again_and_each_act_has_its_reason_in_the_audit() {
    let world = World::without_workers().await;
    let (acme, other, operator) = (world.tenant("acme").await, world.tenant("other").await, world.operator());
    let id = waiting_job(&world, &acme, "+15550000001").await;
    let job = format!("/jobs/{id}");

    let told = operator.get(&format!("{job}/why")).await.expect(200);
    assert_eq!(told["causes"][0]["cause"], "no_worker_for_queue", "{told}");
    assert_eq!(told["causes"][0]["sentence"], "no live worker serves the queue default: start one");
    assert!(told["expected_at"].is_null());
    assert_eq!(acme.get(&format!("{job}/why")).await.expect(200)["causes"], told["causes"]);
    assert_eq!(other.get(&format!("{job}/why")).await.status, 404);

    assert_eq!(operator.post(&format!("{job}/cancel"), &json!({})).await.status, 422, "a reason is needed");
    assert_eq!(operator.post(&format!("{job}/cancel"), &because("  ")).await.code(), "reason_length");
    assert_eq!(operator.post("/jobs/999999/cancel", &because("a typo")).await.status, 404);
    let cancelled = operator.post(&format!("{job}/cancel"), &because("wrong line")).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(operator.post(&format!("{job}/cancel"), &because("again")).await.code(), "job_ended");
    let retried = operator.post(&format!("{job}/retry"), &because("right after all")).await.expect(200);
    assert_eq!(retried["state"], "available");
    assert_eq!(operator.post(&format!("{job}/retry"), &because("again")).await.code(), "job_not_failed");

    let audit = operator.items("/audit?subject=job").await;
    assert_eq!(acts(&audit), ["retry", "cancel"], "newest first, and nothing of what was refused");
    assert_eq!((&audit[1]["reason"], &audit[1]["actor"]), (&json!("wrong line"), &json!("operator")));
    assert_eq!(audit[0]["subject_id"], id.to_string());
    assert!(audit[0]["tenant_number"].is_i64());
    let own = acme.items("/audit").await;
    assert_eq!(acts(&own), ["retry", "cancel", "create"], "the last is of the account itself");
    assert!(own[0].get("tenant_number").is_none());
    assert_eq!(acts(&other.items("/audit").await), ["create"]);
    assert_eq!(operator.items(&format!("/audit?subject=job&subject_id={}", id + 1)).await.len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn a_job_that_runs_is_left_to_its_worker() {
    let mut world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let id = waiting_job(&world, &acme, "+15550000001").await;
    // its handler waits for a table that somebody holds
    let mut holder = world.database.superuser().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("lock table crm.lines in access exclusive mode").execute(&mut *held).await.unwrap();
    world.start_worker().await;
    let running = eventually_some("it runs", || async { operator.items(RUNNING).await.pop() }).await;
    assert_eq!((&running["id"], &running["state"]), (&json!(id), &json!("running")));
    assert!(operator.items("/jobs?state=available&kind=messaging.register_hook").await.is_empty());
    let refused = operator.post(&format!("/jobs/{id}/cancel"), &because("too slow")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "job_running"));
    held.rollback().await.unwrap();
    world.drain().await;
    assert_eq!(operator.get(&format!("/jobs/{id}")).await.expect(200)["state"], "completed");
    world.finish().await;
}

#[tokio::test]
async fn a_job_over_which_the_fifth_worker_dies_is_quarantined_and_counted() {
    let world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let id = waiting_job(&world, &acme, "+15550000001").await;
    let mut superuser = world.database.superuser().await;
    // four have died before
    sqlx::query("update jobs.jobs set crashes = 4 where id = $1").bind(id).execute(&mut superuser).await.unwrap();
    let mut held = superuser.begin().await.unwrap();
    sqlx::query("lock table crm.lines in access exclusive mode").execute(&mut *held).await.unwrap();
    let doomed = world.worker().await;
    eventually_some("it runs", || async { operator.items(RUNNING).await.pop() }).await;
    doomed.abort();
    held.rollback().await.unwrap();
    world.advance(Duration::from_secs(31)).await;
    let heir = world.worker().await;
    let job = eventually_some("it is quarantined", || async { operator.items(QUARANTINED).await.pop() }).await;
    assert_eq!(job["id"], id);
    let counted =
        r#"paloma_jobs_settled_total{kind="messaging.register_hook",queue="default",outcome="quarantined"} 1"#;
    eventually("it is counted", || async {
        reqwest::get(format!("{}/metrics", world.base())).await.unwrap().text().await.unwrap().contains(counted)
    })
    .await;
    heir.stop().await;
    world.finish_with(&["messaging.register_hook"]).await;
}

#[tokio::test]
async fn a_job_whose_key_another_holds_is_not_run_again() {
    let world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let id = waiting_job(&world, &acme, "+15550000001").await;
    operator.post(&format!("/jobs/{id}/cancel"), &because("make room")).await.expect(200);
    let mut superuser = world.database.superuser().await;
    sqlx::query("update jobs.failures set key_scope = 2, key = 'k'").execute(&mut superuser).await.unwrap();
    sqlx::query("insert into jobs.job_keys (tenant_number, kind, key, job_id, scope) select tenant_number, kind, 'k', 77, 4 from jobs.failures")
        .execute(&mut superuser)
        .await
        .unwrap();
    assert_eq!(operator.post(&format!("/jobs/{id}/retry"), &because("now")).await.code(), "job_key_held");
    let told = operator.get(&format!("/jobs/{id}/why")).await.expect(200);
    assert_eq!((&told["causes"][1]["cause"], &told["causes"][1]["job_id"]), (&json!("key_held"), &json!(77)));
    world.finish_with(&["messaging.register_hook"]).await;
}

#[tokio::test]
async fn a_lane_is_paused_resumed_and_cancelled_for_good() {
    let world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let id = waiting_job(&world, &acme, "+15550000001").await;
    let lane = operator.get(&format!("/jobs/{id}")).await.expect(200)["lane_id"].as_i64().unwrap();
    let path = format!("/lanes/{lane}");
    let shown = operator.get(&path).await.expect(200);
    assert_eq!((&shown["jobs"], &shown["queue"]), (&json!(1), &json!("default")));
    assert!(operator.items("/lanes").await.contains(&shown));
    assert_eq!(operator.items(&format!("/jobs?lane_id={lane}")).await.len(), 1);

    let paused = operator.post(&format!("{path}/pause"), &because("the gateway moves")).await.expect(200);
    assert!(paused["paused_at"].is_string());
    assert_eq!(acme.get(&path).await.expect(200)["paused_at"], paused["paused_at"]);
    let told = acme.get(&format!("/jobs/{id}/why")).await.expect(200);
    assert_eq!(told["causes"][0]["cause"], "lane_paused");
    let resumed = operator.post(&format!("{path}/resume"), &because("it has moved")).await.expect(200);
    assert!(resumed["paused_at"].is_null());
    operator.post(&format!("{path}/cancel"), &because("the customer left")).await.expect(200);
    for act in ["pause", "resume", "cancel"] {
        let refused = operator.post(&format!("{path}/{act}"), &because("too late")).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (409, "lane_cancelled"));
    }
    assert_eq!(operator.post("/lanes/999999/pause", &because("a typo")).await.status, 404);
    assert_eq!(
        acts(&operator.items(&format!("/audit?subject=lane&subject_id={lane}")).await),
        ["cancel", "resume", "pause"]
    );
    world.finish().await;
}

#[tokio::test]
async fn the_operator_steers_a_batch_and_each_act_has_its_reason_in_the_audit() {
    let world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let id = acme.post("/batches", &json!({ "name": "offers" })).await.expect(201)["id"].as_i64().unwrap();
    let path = format!("/batches/{id}");
    let paused = operator.post(&format!("{path}/pause"), &because("too early")).await.expect(200);
    assert_eq!((&paused["state"], &paused["name"]), (&json!("paused"), &json!("api/offers")));
    assert_eq!(acme.get(&path).await.expect(200)["state"], "paused");
    assert_eq!(operator.post(&format!("{path}/resume"), &because("now")).await.expect(200)["state"], "active");
    let without = operator.post(&format!("{path}/retry-failures"), &because("again")).await;
    assert_eq!((without.status.as_u16(), without.code()), (409, "batch_without_failures"));
    assert_eq!(operator.post(&format!("{path}/cancel"), &because(" ")).await.code(), "reason_length");
    assert_eq!(operator.post(&format!("{path}/cancel"), &because("wrong")).await.expect(200)["state"], "cancelled");
    for act in ["pause", "resume", "cancel", "retry-failures"] {
        let refused = operator.post(&format!("{path}/{act}"), &because("too late")).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (409, "batch_cancelled"), "{act}");
        assert_eq!(operator.post(&format!("/batches/999999/{act}"), &because("a typo")).await.status, 404);
    }
    let audit = operator.items(&format!("/audit?subject=batch&subject_id={id}")).await;
    assert_eq!(acts(&audit), ["cancel", "resume", "pause"]);
    assert_eq!(acts(&acme.items("/audit").await), ["cancel", "resume", "pause", "create"], "its tenant sees them");
    world.finish().await;
}

#[tokio::test]
async fn the_limits_of_a_gate_are_set_taken_away_and_never_wrong() {
    let world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    waiting_job(&world, &acme, "+15550000001").await;
    let gate = operator.items("/gates").await[0].clone();
    let path = format!("/gates/{}", gate["id"]);
    assert_eq!(gate["breaker"], "closed");
    let set = json!({ "reason": "a slow day", "rate": 0.5, "burst": 3, "cap": 2 });
    let changed = operator.patch(&path, &set).await.expect(200);
    assert_eq!((&changed["rate"], &changed["burst"], &changed["cap"]), (&json!(0.5), &json!(3.0), &json!(2)));
    let changed = operator.patch(&path, &json!({ "reason": "no cap", "cap": null })).await.expect(200);
    assert_eq!((&changed["rate"], &changed["cap"]), (&json!(0.5), &Value::Null), "what is absent stays");
    let wrong = [json!({ "rate": 0 }), json!({ "rate": -1 }), json!({ "burst": 0.5 }), json!({ "cap": 0 }), json!({})];
    // more than any gate can count to
    let wrong = wrong.into_iter().chain([json!({ "rate": 4.7e124 }), json!({ "burst": 1e13 })]);
    for wrong in wrong {
        let mut body = wrong.clone();
        body["reason"] = json!("a mistake");
        let refused = operator.patch(&path, &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "limit_refused"), "{wrong}");
    }
    let paused = operator.post(&format!("{path}/pause"), &because("its service is down")).await.expect(200);
    assert_eq!(paused["reason"], "paused by operator: its service is down");
    assert!(acme.get(&path).await.expect(200)["paused_at"].is_string());
    operator.post(&format!("{path}/resume"), &because("it is back")).await.expect(200);
    sqlx::query("select jobs.open_breaker(id, 15, 'no answer') from jobs.gates")
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(operator.get(&path).await.expect(200)["breaker"], "open");
    let closed = operator.post(&format!("{path}/close"), &because("it answers")).await.expect(200);
    assert_eq!((&closed["breaker"], &closed["reason"]), (&json!("closed"), &Value::Null));
    let audit = operator.items("/audit?subject=gate").await;
    assert_eq!(acts(&audit), ["close_breaker", "resume", "pause", "set_limits", "set_limits"]);
    world.finish().await;
}

#[tokio::test]
async fn lists_are_paged_to_their_end_and_workers_show_what_they_hold() {
    // a job that a schedule makes between two pages is in one of the lists alone
    early_in_the_minute().await;
    let world = World::new().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    acme.line(&world, json!({})).await;
    let worker = eventually_some("a worker is known", || async { operator.items("/workers").await.pop() }).await;
    assert_eq!((&worker["is_live"], &worker["name"]), (&json!(true), &json!("worker")));
    assert!(worker["queues"].as_array().unwrap().contains(&json!("outbound")));
    assert_eq!(
        operator.get(&format!("/workers/{}", worker["id"].as_str().unwrap())).await.expect(200)["id"],
        worker["id"]
    );
    acme.contacts(3).await;
    world.drain().await;
    let import = eventually_some("the import's batch has completed", || async {
        operator.items("/batches?state=completed").await.pop()
    })
    .await;
    assert_eq!((&import["name"], &import["completed_count"]), (&json!("contacts.import"), &import["enqueued_count"]));
    for list in ["/queues", "/lanes", "/gates", "/batches", "/jobs?state=completed", "/workers", "/audit"] {
        let all = operator.items(list).await;
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let mark = if list.contains('?') { '&' } else { '?' };
            let page = operator.get(&format!("{list}{mark}limit=1{cursor}")).await.expect(200);
            found.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let key = |row: &Value| row["id"].clone().to_string() + row["queue"].as_str().unwrap_or_default();
        let (all, found): (Vec<_>, Vec<_>) = (all.iter().map(key).collect(), found.iter().map(key).collect());
        assert_eq!(all, found, "{list}");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_platform_s_routes_are_the_operator_s_alone_and_a_tenant_s_need_their_permission() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let made = acme.post("/api-keys", &json!({ "name": "export", "permissions": ["contacts.view"] })).await.expect(201);
    let key = made["token"].as_str().unwrap();
    let client = reqwest::Client::new();
    for path in ["queues", "lanes", "gates", "batches", "jobs", "workers", "audit"] {
        assert_eq!(acme.get(&format!("/platform/{path}")).await.status, 401, "{path}");
    }
    for path in ["lanes", "gates", "batches", "jobs", "jobs/1/why", "audit"] {
        let url = format!("{}/api/v1/{path}", world.base());
        assert_eq!(client.get(url).bearer_auth(key).send().await.unwrap().status(), 403, "{path}");
        assert!(acme.get(&format!("/{path}")).await.status.as_u16() != 403, "{path}");
    }
    world.finish().await;
}
