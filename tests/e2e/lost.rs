//! Messages and recipients whose send job ended without a word of its own: each gets a state with a reason, and waits again where the job is run
//! again.

#![expect(clippy::disallowed_methods, reason = "transactions of a superuser, beside the scopes")]

use std::time::Duration;

use e2e::{Operator, Tenant, World, eventually};
use serde_json::{Value, json};
use sim::bluebubbles::Behaviour;
use sqlx::Connection;

const ADDRESS: &str = "+13055560001";

fn because(reason: &str) -> Value {
    json!({ "reason": reason })
}

/// A tenant whose one message waits for its time; answers its job too.
async fn waiting(world: &World) -> (Tenant, Operator, i64) {
    let acme = world.tenant("acme").await;
    let line = acme.line(world, json!({})).await;
    let now = chrono::DateTime::from_timestamp_millis(World::machine_ms()).unwrap();
    let row = json!({
        "kind": "messaging.send_text", "run_at": now + chrono::TimeDelta::hours(1),
        "payload": { "line_id": line, "address": ADDRESS, "text": "x" },
    });
    let made = acme.post("/jobs", &json!({ "jobs": [row] })).await.expect(200);
    (acme, world.operator(), made["jobs"][0]["id"].as_i64().unwrap())
}
async fn is(tenant: &Tenant, status: &str, reason: Option<&str>) {
    eventually(&format!("the message is {status}, {reason:?}"), || async {
        let message = tenant.messages(ADDRESS).await.remove(0);
        message["status"] == status && message["reason"] == json!(reason)
    })
    .await;
}
async fn gate_of(operator: &Operator, line: &str) -> String {
    let gates = operator.items("/gates").await;
    let gate = gates.iter().find(|gate| gate["key"] == format!("line/{line}")).expect("a gate of the line");
    format!("/gates/{}", gate["id"])
}
/// Until nothing is left to be told of campaigns and their sends.
async fn all_is_told(operator: &Operator) {
    eventually("all is told", || async {
        operator.items("/jobs?kind=campaigns.progress").await.is_empty()
            && operator.items("/jobs?kind=campaigns.follow_sends").await.is_empty()
    })
    .await;
}
/// Whether somebody waits for a row; or one who tells recipients what became of their jobs, which is done one at a time.
async fn waits_for_a_row(world: &World, who_tells: bool) -> bool {
    sqlx::query_scalar(
        "select exists (select from pg_locks l join pg_stat_activity a using (pid)
          where a.datname = current_database() and l.locktype in ('transactionid', 'tuple') and not l.granted
            and $1 = exists (select from pg_locks o where o.pid = l.pid and o.locktype = 'advisory'))",
    )
    .bind(who_tells)
    .fetch_one(&mut world.database.superuser().await)
    .await
    .unwrap()
}
async fn lane_of(operator: &Operator, job: i64) -> String {
    format!("/lanes/{}", operator.get(&format!("/jobs/{job}")).await.expect(200)["lane_id"])
}
/// The operator runs the job again, held back by its lane until its message has been seen to wait.
async fn runs_again(world: &World, tenant: &Tenant, operator: &Operator, job: i64) {
    let lane = lane_of(operator, job).await;
    operator.post(&format!("{lane}/pause"), &because("look first")).await.expect(200);
    operator.post(&format!("/jobs/{job}/retry"), &because("mended")).await.expect(200);
    is(tenant, "queued", None).await;
    operator.post(&format!("{lane}/resume"), &because("go")).await.expect(200);
    world.settle().await;
    let message = tenant.messages(ADDRESS).await.remove(0);
    assert!(["sent", "delivered", "read"].contains(&message["status"].as_str().unwrap()), "{message}");
    assert!(message["reason"].is_null());
    assert_eq!(world.sim.summary().total, 1, "it went out once");
}

#[tokio::test]
async fn a_message_whose_job_an_operator_cancels_is_cancelled_and_waits_again_with_it() {
    let world = World::new().await;
    let (acme, operator, job) = waiting(&world).await;
    operator.post(&format!("/jobs/{job}/cancel"), &because("a wrong text")).await.expect(200);
    is(&acme, "cancelled", Some("job_cancelled")).await;
    runs_again(&world, &acme, &operator, job).await;
    world.finish().await;
}

#[tokio::test]
async fn a_message_whose_job_is_discarded_has_failed_and_waits_again_with_it() {
    let world = World::new().await;
    let (acme, operator, job) = waiting(&world).await;
    let mut superuser = world.database.superuser().await;
    // the secret of its line can't be read any more, and no attempt is left: a fault that no handler records
    sqlx::query("create table kept as select id, password from crm.lines").execute(&mut superuser).await.unwrap();
    sqlx::query("update crm.lines set password = 'x'").execute(&mut superuser).await.unwrap();
    sqlx::query("update jobs.scheduled set max_attempts = 1, run_at = app.now() where id = $1")
        .bind(job)
        .execute(&mut superuser)
        .await
        .unwrap();
    is(&acme, "failed", Some("job_discarded")).await;
    assert_eq!(operator.get(&format!("/jobs/{job}")).await.expect(200)["state"], "discarded");
    sqlx::query("update crm.lines l set password = k.password from kept k where k.id = l.id")
        .execute(&mut superuser)
        .await
        .unwrap();
    runs_again(&world, &acme, &operator, job).await;
    world.finish().await;
}

#[tokio::test]
async fn a_message_whose_job_is_quarantined_has_failed_and_waits_again_with_it() {
    let world = World::new().await;
    let (acme, operator, job) = waiting(&world).await;
    let lane = lane_of(&operator, job).await;
    operator.post(&format!("{lane}/pause"), &because("hold it")).await.expect(200);
    let mut superuser = world.database.superuser().await;
    // due, and five workers have died over it
    sqlx::query(
        "with d as (delete from jobs.scheduled where id = $1 returning *)
         insert into jobs.jobs (id, tenant_number, lane_id, queue, kind, max_attempts, crashes, key_scope, run_at, payload)
           select id, tenant_number, lane_id, queue, kind, max_attempts, 5, key_scope, app.now(), payload from d",
    )
    .bind(job)
    .execute(&mut superuser)
    .await
    .unwrap();
    sqlx::query("select jobs.quarantine(app.clock(), array[$1], 5)").bind(job).execute(&mut superuser).await.unwrap();
    is(&acme, "failed", Some("job_quarantined")).await;
    operator.post(&format!("{lane}/resume"), &because("mended")).await.expect(200);
    runs_again(&world, &acme, &operator, job).await;
    world.finish().await;
}

#[tokio::test]
async fn a_message_whose_lane_is_cancelled_is_cancelled_for_good() {
    let world = World::new().await;
    let (acme, operator, job) = waiting(&world).await;
    let lane = lane_of(&operator, job).await;
    operator.post(&format!("{lane}/cancel"), &because("the customer left")).await.expect(200);
    is(&acme, "cancelled", Some("lane_cancelled")).await;
    assert_eq!(operator.post(&format!("/jobs/{job}/retry"), &because("no")).await.code(), "job_not_failed");
    assert_eq!(world.sim.summary().total, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_retry_whose_job_starts_before_its_message_is_told_sends_it_all_the_same() {
    let mut world = World::new().await;
    let (acme, operator, job) = waiting(&world).await;
    operator.post(&format!("/jobs/{job}/cancel"), &because("a wrong text")).await.expect(200);
    is(&acme, "cancelled", Some("job_cancelled")).await;
    world.drain().await;
    world.stop_workers().await;
    operator.post(&format!("/jobs/{job}/retry"), &because("right after all")).await.expect(200);
    // nobody will tell the message
    sqlx::query("delete from jobs.fates").execute(&mut world.database.superuser().await).await.unwrap();
    world.start_worker().await;
    world.settle().await;
    assert_eq!(world.sim.summary().total, 1);
    assert_ne!(acme.messages(ADDRESS).await[0]["status"], "cancelled");
    world.finish().await;
}

#[tokio::test]
async fn recipients_whose_campaign_loses_its_jobs_have_failed_and_it_completes() {
    let world = World::new().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let line = acme.line(&world, json!({})).await;
    let (_, campaign) = launched_and_held(&acme, &operator, &line, 3).await;
    let lanes = operator.items("/lanes").await;
    let lane = lanes.iter().find(|lane| lane["key"] == format!("campaign/{campaign}")).expect("a lane of its own");
    operator.post(&format!("/lanes/{}/cancel", lane["id"]), &because("the wrong list")).await.expect(200);
    let ended = acme.until(&campaign, "completed").await;
    assert_eq!(ended["counts"], json!({ "failed": 3 }));
    assert_eq!(ended["causes"], json!([{ "state": "failed", "reason": "job_given_up", "count": 3 }]));
    assert_eq!(world.sim.summary().total, 0);
    world.finish().await;
}

/// A campaign to so many whose jobs wait before its line's gate; answers the gate too.
async fn launched_and_held(acme: &Tenant, operator: &Operator, line: &str, count: usize) -> (String, String) {
    let contacts = acme.contacts(count).await;
    let gate = gate_of(operator, line).await;
    operator.post(&format!("{gate}/pause"), &because("hold it")).await.expect(200);
    let campaign = acme.draft(line, &contacts, json!({})).await;
    acme.launch(&campaign).await;
    acme.until_count(&campaign, "pending", count as u64).await;
    (gate, campaign)
}

/// A campaign to three people whose first job an operator has called off, and which has completed with the other two. Answers that job too.
async fn completed_without_one(world: &World) -> (Tenant, Operator, String, i64) {
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let line = acme.line(world, json!({})).await;
    let (gate, campaign) = launched_and_held(&acme, &operator, &line, 3).await;
    let job = operator.items("/jobs?kind=campaigns.send").await[0]["id"].as_i64().unwrap();
    operator.post(&format!("/jobs/{job}/cancel"), &because("not now")).await.expect(200);
    acme.until_count(&campaign, "failed", 1).await;
    operator.post(&format!("{gate}/resume"), &because("go")).await.expect(200);
    let ended = acme.until(&campaign, "completed").await;
    assert_eq!(ended["causes"], json!([{ "state": "failed", "reason": "job_given_up", "count": 1 }]));
    world.settle().await;
    assert_eq!(world.sim.summary().total, 2);
    (acme, operator, campaign, job)
}
/// All three have got it, once.
async fn all_have_it(world: World, acme: &Tenant, campaign: &str) {
    eventually("three are out", || async { world.sim.summary().total == 3 }).await;
    world.settle().await;
    let ended = acme.until(campaign, "completed").await;
    assert_eq!(
        (&ended["causes"], &ended["eligible"], &ended["selected"]),
        (&json!([]), &json!(3), &json!(3)),
        "{ended}"
    );
    let out: u64 = ["sent", "delivered", "read"].iter().filter_map(|state| ended["counts"][state].as_u64()).sum();
    assert_eq!(out, 3, "{ended}");
    let sent = world.sim.summary();
    assert_eq!((sent.total, sent.distinct_addresses, sent.duplicates), (3, 3, 0));
    world.finish().await;
}

#[tokio::test]
async fn a_send_that_is_run_again_after_its_campaign_has_completed_opens_it_and_goes_out_once() {
    let world = World::new().await;
    let (acme, operator, campaign, job) = completed_without_one(&world).await;
    let lane = lane_of(&operator, job).await;
    operator.post(&format!("{lane}/pause"), &because("look first")).await.expect(200);
    operator.post(&format!("/jobs/{job}/retry"), &because("after all")).await.expect(200);
    let open = acme.until(&campaign, "active").await;
    assert_eq!((&open["counts"]["pending"], &open["causes"]), (&json!(1), &json!([])), "{open}");
    // what is looked at and told meanwhile takes nothing back
    all_is_told(&operator).await;
    assert_eq!(acme.progress(&campaign).await["counts"]["pending"], 1);
    assert_eq!(acme.get(&format!("/campaigns/{campaign}")).await.expect(200)["completed_at"], Value::Null);
    operator.post(&format!("{lane}/resume"), &because("go")).await.expect(200);
    all_have_it(world, &acme, &campaign).await;
}

#[tokio::test]
async fn a_send_that_starts_again_before_its_recipient_is_told_goes_out_all_the_same() {
    let mut world = World::new().await;
    let (acme, operator, campaign, job) = completed_without_one(&world).await;
    world.stop_workers().await;
    operator.post(&format!("/jobs/{job}/retry"), &because("after all")).await.expect(200);
    // nobody will tell the recipient
    sqlx::query("delete from jobs.fates").execute(&mut world.database.superuser().await).await.unwrap();
    world.start_worker().await;
    all_have_it(world, &acme, &campaign).await;
}

/// The one who completes a campaign has counted, and then the last recipient begins to wait again.
#[tokio::test]
async fn a_send_that_runs_again_while_its_campaign_is_being_completed_goes_out_all_the_same() {
    let world = World::new().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let line = acme.line(&world, json!({})).await;
    let (gate, campaign) = launched_and_held(&acme, &operator, &line, 2).await;
    let job = operator.items("/jobs?kind=campaigns.send").await[0]["id"].as_i64().unwrap();
    operator.post(&format!("/jobs/{job}/cancel"), &because("not now")).await.expect(200);
    acme.until_count(&campaign, "failed", 1).await;
    all_is_told(&operator).await;
    let mut superuser = world.database.superuser().await;
    let mut held = superuser.begin().await.unwrap();
    sqlx::query("select from crm.campaigns for no key update").execute(&mut *held).await.unwrap();
    operator.post(&format!("{gate}/resume"), &because("the other one")).await.expect(200);
    eventually("it is being completed", || async { waits_for_a_row(&world, false).await }).await;
    operator.post(&format!("{gate}/pause"), &because("hold it again")).await.expect(200);
    operator.post(&format!("/jobs/{job}/retry"), &because("after all")).await.expect(200);
    eventually("its recipient is told, or the one who tells it waits", || async {
        acme.progress(&campaign).await["counts"]["pending"] == 1 || waits_for_a_row(&world, true).await
    })
    .await;
    held.rollback().await.unwrap();
    all_is_told(&operator).await;
    operator.post(&format!("{gate}/resume"), &because("go")).await.expect(200);
    eventually("it is out", || async { world.sim.summary().total == 2 }).await;
    world.settle().await;
    assert_eq!(acme.until(&campaign, "completed").await["counts"]["failed"], Value::Null);
    world.finish().await;
}

#[tokio::test]
async fn a_send_that_is_given_up_once_more_completes_its_campaign_once_more() {
    let world = World::new().await;
    let (acme, operator, campaign, job) = completed_without_one(&world).await;
    let lane = lane_of(&operator, job).await;
    operator.post(&format!("{lane}/pause"), &because("look first")).await.expect(200);
    operator.post(&format!("/jobs/{job}/retry"), &because("after all")).await.expect(200);
    acme.until(&campaign, "active").await;
    operator.post(&format!("/jobs/{job}/cancel"), &because("rather not")).await.expect(200);
    let ended = acme.until(&campaign, "completed").await;
    assert_eq!(ended["causes"], json!([{ "state": "failed", "reason": "job_given_up", "count": 1 }]));
    assert_eq!(world.sim.summary().total, 2);
    world.finish_with(&["campaigns.send"]).await;
}

#[tokio::test]
async fn the_failures_of_a_completed_campaign_are_sent_once_when_its_batch_runs_them_again() {
    let world = World::new().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let line = acme.line(&world, json!({})).await;
    let mut superuser = world.database.superuser().await;
    // a fault that no handler records: the secret of the line can't be read
    sqlx::query("create table kept as select id, password from crm.lines").execute(&mut superuser).await.unwrap();
    let (gate, campaign) = launched_and_held(&acme, &operator, &line, 3).await;
    sqlx::query("update crm.lines set password = 'x'").execute(&mut superuser).await.unwrap();
    sqlx::query(
        "update jobs.jobs j set max_attempts = 1 from jobs.kinds k where k.id = j.kind and k.name = 'campaigns.send'",
    )
    .execute(&mut superuser)
    .await
    .unwrap();
    operator.post(&format!("{gate}/resume"), &because("go")).await.expect(200);
    let ended = acme.until(&campaign, "completed").await;
    assert_eq!(ended["counts"], json!({ "failed": 3 }));
    sqlx::query("update crm.lines l set password = k.password from kept k where k.id = l.id")
        .execute(&mut superuser)
        .await
        .unwrap();
    world.settle().await;
    let batches = operator.items("/batches").await;
    let batch =
        batches.iter().find(|batch| batch["name"] == format!("campaign/{campaign}")).expect("a batch of its own");
    operator.post(&format!("/batches/{}/retry-failures", batch["id"]), &because("mended")).await.expect(200);
    all_have_it(world, &acme, &campaign).await;
}

#[tokio::test]
async fn a_recipient_whose_second_send_is_called_off_has_failed_and_its_campaign_completes() {
    let mut world = World::new().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let line = acme.line(&world, json!({ "send_timeout_s": 1 })).await;
    let contacts = acme.contacts(1).await;
    world.sim.fail_next(1, Behaviour::DropBefore);
    let campaign = acme.draft(&line, &contacts, json!({ "on_unknown": "resend_once" })).await;
    acme.launch(&campaign).await;
    acme.until_count(&campaign, "unknown", 1).await;
    let gate = gate_of(&operator, &line).await;
    operator.post(&format!("{gate}/pause"), &because("hold it")).await.expect(200);
    world.later(Duration::from_secs(61)).await;
    acme.until_count(&campaign, "pending", 1).await;
    let job = operator.items("/jobs?kind=campaigns.send&state=available").await[0]["id"].as_i64().unwrap();
    operator.post(&format!("/jobs/{job}/cancel"), &because("enough")).await.expect(200);
    let ended = acme.until(&campaign, "completed").await;
    assert_eq!(ended["counts"], json!({ "failed": 1 }));
    world.finish_with(&["campaigns.send"]).await;
}
