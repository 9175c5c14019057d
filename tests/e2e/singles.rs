//! Jobs enqueued one at a time by many at once: written together, answered apart.

#![expect(clippy::disallowed_methods, reason = "transactions of a superuser, beside the scopes")]

use std::sync::Arc;

use e2e::{Answer, Tenant, World, eventually};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection;

/// Transactions of ours that wait for a lock.
const WAITING: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

fn row(line: &str, number: usize) -> Value {
    json!({ "kind": "messaging.send_text", "payload": { "line_id": line, "address": format!("+1305556{number:04}"), "text": "x" } })
}
fn keyed(mut row: Value, key: &str) -> Value {
    row["unique_key"] = json!(key);
    row
}
async fn enqueue(tenant: &Tenant, row: &Value) -> Answer {
    tenant.post("/jobs", &json!({ "jobs": [row] })).await
}
/// The same under an idempotency key: the status, whether it was a replay, and the body.
async fn once(tenant: &Tenant, key: &str, row: &Value) -> (StatusCode, bool, Value) {
    let request = tenant.request(Method::POST, "/jobs").header("idempotency-key", key).json(&json!({ "jobs": [row] }));
    let answer = request.send().await.unwrap();
    let is_replay = answer.headers().contains_key("idempotency-replayed");
    (answer.status(), is_replay, answer.json().await.unwrap())
}
fn id_of(answer: &Value) -> i64 {
    answer["jobs"][0]["id"].as_i64().unwrap_or_else(|| panic!("{answer}"))
}
async fn number(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut world.database.superuser().await).await.unwrap()
}
async fn jobs(world: &World) -> i64 {
    number(world, "select count(*) from jobs.jobs j join jobs.kinds k on k.id = j.kind where k.name = 'messaging.send'")
        .await
}
/// A world with a tenant and its line, in which nobody sends.
async fn idle() -> (World, Tenant, String) {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    world.stop_workers().await;
    (world, acme, line)
}

#[tokio::test]
async fn many_at_once_share_transactions_and_each_gets_its_own_answer() {
    let (world, acme, line) = idle().await;
    acme.post("/suppressions", &json!({ "address": "+13055560007", "reason": "opted_out" })).await.expect(201);
    let rows: Vec<Value> = (0..200)
        .map(|n| match n {
            3 => json!({ "kind": "no.such", "payload": {} }),
            _ => keyed(row(&line, n), &format!("order {}", n / 2)),
        })
        .collect();
    let answers = join_all(rows.iter().map(|row| enqueue(&acme, row))).await;
    let results: Vec<Value> = answers.into_iter().map(|answer| answer.expect(200)["jobs"][0].clone()).collect();
    assert!(results.iter().all(|result| result["index"] == 0), "each is the first of its own request");
    assert_eq!((&results[3]["result"], &results[3]["code"]), (&json!("refused"), &json!("kind_unknown")));
    assert_eq!(results[7]["code"], "suppressed");
    for pair in (0..200).step_by(2).filter(|n| ![2, 6].contains(n)) {
        let (one, other) = (&results[pair], &results[pair + 1]);
        let words = [one, other].map(|result| result["result"].as_str().unwrap());
        assert!(words == ["enqueued", "duplicate"] || words == ["duplicate", "enqueued"], "{one} {other}");
        assert_eq!(one["id"], other["id"]);
    }
    assert_eq!(jobs(&world).await, 100);
    let transactions = number(&world, "select count(distinct xmin::text) from jobs.jobs").await;
    assert!(transactions <= 50, "100 jobs came in {transactions} transactions");
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_comes_twice_is_answered_twice_and_done_once() {
    let (world, acme, line) = idle().await;
    // both at once, several times over, and with others in their groups
    let rows: Vec<Value> = (0..20).map(|n| row(&line, n)).collect();
    let asked = (0..60).map(|n| (format!("k{}", n % 20), &rows[n % 20]));
    let answers = join_all(asked.map(async |(key, row)| once(&acme, &key, row).await)).await;
    assert_eq!(answers.iter().filter(|(status, is_replay, _)| *status == 200 && !is_replay).count(), 20);
    for (n, (status, _, body)) in answers.iter().enumerate() {
        assert_eq!((*status, body), (StatusCode::OK, &answers[n % 20].2), "{n}");
    }
    assert_eq!(jobs(&world).await, 20);
    let (status, is_replay, body) = once(&acme, "k0", &rows[0]).await;
    assert_eq!((status, is_replay, &body), (StatusCode::OK, true, &answers[0].2));
    let (status, _, body) = once(&acme, "k0", &rows[1]).await;
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!("idempotency_key_reused")));
    let (status, _, body) = once(&acme, &"x".repeat(256), &rows[1]).await;
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!("idempotency_key_length")));
    world.finish().await;
}

#[tokio::test]
async fn one_that_can_not_be_taken_fails_alone() {
    let (world, acme, line) = idle().await;
    let other = acme.post("/lines", &json!({
        "name": "Other", "address": "+15550000002", "base_url": world.gateway_url(), "password": e2e::world::GATEWAY_PASSWORD,
        "method": "private_api", "unlimited": true,
    })).await.expect(201)["id"].as_str().unwrap().to_owned();
    let made = enqueue(&acme, &row(&other, 0)).await.expect(200);
    let lane = world.operator().get(&format!("/jobs/{}", id_of(&made))).await.expect(200)["lane_id"].clone();
    let cancel = format!("/lanes/{lane}/cancel");
    world.operator().post(&cancel, &json!({ "reason": "the line moves" })).await.expect(200);
    let rows: Vec<Value> = (0..40).map(|n| row(if n == 17 { &other } else { &line }, n)).collect();
    let answers = join_all(rows.iter().map(|row| enqueue(&acme, row))).await;
    for (n, answer) in answers.iter().enumerate() {
        match n {
            17 => assert_eq!((answer.status.as_u16(), answer.code()), (409, "lane_cancelled")),
            _ => assert_eq!(answer.body["jobs"][0]["result"], "enqueued", "{}", answer.text),
        }
    }
    world.finish_with(&["messaging.register_hook"]).await;
}

#[tokio::test]
async fn a_group_that_is_cut_in_the_middle_has_done_nothing_and_can_be_sent_again() {
    let (world, acme, line) = idle().await;
    // its jobs are in, its messages wait for a table that somebody holds: there it is cut
    let mut holder = world.database.superuser().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("lock table crm.messages in access exclusive mode").execute(&mut *held).await.unwrap();
    let rows: Vec<Value> = (0..3).map(|n| row(&line, n)).collect();
    let send = || join_all(rows.iter().enumerate().map(async |(n, row)| once(&acme, &format!("k{n}"), row).await));
    let cut = async {
        eventually("every request is in a group that waits or behind it", || async {
            number(&world, WAITING).await > 0
        })
        .await;
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
            .execute(&mut *held)
            .await
            .unwrap();
        held.rollback().await.unwrap();
    };
    let (answers, ()) = futures::future::join(send(), cut).await;
    let failed = answers.iter().filter(|(status, ..)| *status == StatusCode::SERVICE_UNAVAILABLE).count();
    assert!(failed > 0, "{answers:?}");
    assert_eq!(jobs(&world).await, i64::try_from(3 - failed).unwrap(), "what was not answered was not done");
    let again = send().await;
    assert!(again.iter().all(|(status, ..)| *status == StatusCode::OK), "{again:?}");
    assert_eq!(jobs(&world).await, 3, "and once it is done it is done once");
    world.finish().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_from_the_others() {
    let (world, acme, line) = idle().await;
    let world = Arc::new(world);
    let mut holder = world.database.superuser().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("lock table crm.messages in access exclusive mode").execute(&mut *held).await.unwrap();
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let (acme, row) = (acme.clone(), row(&line, n));
            tokio::spawn(async move { enqueue(&acme, &row).await })
        })
        .collect();
    eventually("a group waits", || async { number(&world, WAITING).await > 0 }).await;
    tasks[0].abort();
    held.rollback().await.unwrap();
    for (n, task) in tasks.into_iter().enumerate() {
        match task.await {
            Ok(answer) => assert_eq!(answer.expect(200)["jobs"][0]["result"], "enqueued"),
            Err(gone) => assert!(n == 0 && gone.is_cancelled()),
        }
    }
    let left = jobs(&world).await;
    assert!((9..=10).contains(&left), "its own was enqueued or not, whole: {left}");
    let messages = number(&world, "select count(*) from crm.messages").await;
    assert_eq!(messages, left);
    Arc::into_inner(world).unwrap().finish().await;
}

#[tokio::test]
async fn a_tenant_s_group_holds_its_own_rows_and_holds_up_nobody_else() {
    let (world, acme, line) = idle().await;
    let other = world.tenant("other").await;
    // a foreign line does not exist, also while its owner writes in the same moment
    let (own, foreign) = futures::future::join(
        join_all((0..20).map(|n| {
            let row = row(&line, n);
            let acme = &acme;
            async move { enqueue(acme, &row).await }
        })),
        join_all((0..20).map(|n| {
            let row = row(&line, n);
            let other = &other;
            async move { enqueue(other, &row).await }
        })),
    )
    .await;
    assert!(own.iter().all(|answer| answer.body["jobs"][0]["result"] == "enqueued"));
    assert!(foreign.iter().all(|answer| answer.body["jobs"][0]["code"] == "line_not_found"));
    assert_eq!((acme.items("/jobs?kind=messaging.send").await.len(), other.items("/jobs").await.len()), (20, 0));
    // one tenant's group waits for a batch of its own that somebody seals
    let batch = acme.post("/batches", &json!({ "name": "offers" })).await.expect(201)["id"].as_i64().unwrap();
    let mut holder = world.database.superuser().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7236, jobs.batch_lock($1))")
        .bind(batch)
        .execute(&mut *held)
        .await
        .unwrap();
    let mut waits = row(&line, 30);
    waits["batch_id"] = json!(batch);
    let through = async {
        eventually("the group waits", || async { number(&world, WAITING).await > 0 }).await;
        let answer = enqueue(&other, &row(&line, 31)).await.expect(200);
        held.rollback().await.unwrap();
        answer
    };
    let (waited, through) = futures::future::join(enqueue(&acme, &waits), through).await;
    assert_eq!(waited.expect(200)["jobs"][0]["result"], "enqueued");
    assert_eq!(through["jobs"][0]["code"], "line_not_found", "another tenant was answered meanwhile");
    world.finish().await;
}
