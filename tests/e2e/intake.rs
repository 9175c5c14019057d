//! What programs put into the queue over HTTP: rows with an answer each, quotas, batches that are followed.

use std::time::Duration;

use db::{Actor, Why};
use e2e::{Tenant, World, eventually};
use jobs::{
    admin::{By, set_quota},
    admission::Quota,
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

fn text_to(line: &str, address: &str, text: &str) -> Value {
    json!({ "kind": "messaging.send_text", "payload": { "line_id": line, "address": address, "text": text } })
}
fn with(mut row: Value, field: &str, value: Value) -> Value {
    row[field] = value;
    row
}
async fn enqueue(tenant: &Tenant, rows: &[Value]) -> Vec<Value> {
    tenant.post("/jobs", &json!({ "jobs": rows })).await.expect(200)["jobs"].as_array().unwrap().clone()
}
async fn open(tenant: &Tenant, body: Value) -> i64 {
    tenant.post("/batches", &body).await.expect(201)["id"].as_i64().unwrap()
}
async fn batch(tenant: &Tenant, id: i64) -> Value {
    tenant.get(&format!("/batches/{id}")).await.expect(200)
}

#[tokio::test]
async fn each_row_is_answered_for_itself_and_what_is_taken_is_sent() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let _ =
        acme.post("/suppressions", &json!({ "address": "+13055560009", "reason": "blacklisted" })).await.expect(201);
    let rows = [
        text_to(&line, "(305) 556-0001", "one"),
        with(text_to(&line, "+13055560002", "two"), "unique_key", json!("order 7")),
        with(text_to(&line, "+13055560002", "two again"), "unique_key", json!("order 7")),
        text_to(&line, "+13055560009", "unwanted"),
        text_to(&line, "nobody", "x"),
        text_to("018f0000-0000-7000-8000-000000000000", "+13055560001", "x"),
        json!({ "kind": "campaigns.send", "payload": {} }),
        json!({ "kind": "messaging.send_text", "payload": { "line_id": line, "address": 7, "text": "x" } }),
        with(text_to(&line, "+13055560003", "x"), "batch_id", json!(4711)),
        json!({ "kind": "messaging.sweep", "payload": { "line_id": line } }),
    ];
    let answers = enqueue(&acme, &rows).await;
    let results: Vec<&str> = answers.iter().map(|answer| answer["result"].as_str().unwrap()).collect();
    assert_eq!(results[..3], ["enqueued", "enqueued", "duplicate"], "{answers:?}");
    assert_eq!(answers[2]["id"], answers[1]["id"]);
    assert_eq!(results[9], "enqueued");
    for (index, code, pointer) in [
        (3, "suppressed", "/payload/address"),
        (4, "phone_too_short", "/payload/address"),
        (5, "line_not_found", "/payload/line_id"),
        (6, "kind_unknown", "/kind"),
        (7, "payload_invalid", "/payload/address"),
        (8, "batch_not_found", "/batch_id"),
    ] {
        let answer = &answers[index];
        assert_eq!((&answer["index"], &answer["result"]), (&json!(index), &json!("refused")));
        assert_eq!(answer["pointer"], pointer, "{answer}");
        assert!(answer["code"] == code || index == 4, "{answer}");
    }
    world.settle().await;
    assert_eq!((world.sim.summary().total, world.sim.summary().distinct_addresses), (2, 2));
    let messages = acme.messages("+13055560001").await;
    assert_eq!((&messages[0]["source"], &messages[0]["body"]), (&json!("user"), &json!("one")));
    assert_eq!(acme.messages("+13055560002").await.len(), 1);
    // the key holds after its job has ended
    let again = enqueue(&acme, &rows[1..2]).await;
    assert_eq!((&again[0]["result"], &again[0]["id"]), (&json!("duplicate"), &answers[1]["id"]));
    world.finish().await;
}

#[tokio::test]
async fn who_says_stop_before_the_time_has_come_gets_nothing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let now = chrono::DateTime::from_timestamp_millis(World::machine_ms()).unwrap();
    let later = now + chrono::TimeDelta::hours(2);
    let row = with(text_to(&line, "+13055560001", "late"), "run_at", json!(later));
    assert_eq!(enqueue(&acme, &[row]).await[0]["result"], "enqueued");
    let _ = acme.post("/suppressions", &json!({ "address": "+13055560001", "reason": "opted_out" })).await.expect(201);
    world.advance(Duration::from_secs(3 * 3600)).await;
    eventually("it is withheld", || async { acme.messages("+13055560001").await[0]["status"] == "cancelled" }).await;
    world.settle().await;
    assert_eq!(acme.messages("+13055560001").await[0]["reason"], "opted_out");
    assert_eq!(world.sim.summary().total, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_comes_twice_under_its_key_enqueues_once() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    world.stop_workers().await;
    let body = json!({ "jobs": [text_to(&line, "+13055560001", "one")] });
    let send = || acme.request(Method::POST, "/jobs").header("idempotency-key", "k1").json(&body).send();
    let first: Value = send().await.unwrap().json().await.unwrap();
    let second = send().await.unwrap();
    assert_eq!(second.headers()["idempotency-replayed"], "true");
    assert_eq!(second.json::<Value>().await.unwrap(), first);
    assert_eq!(acme.messages("+13055560001").await.len(), 1);
    let rows: Vec<Value> = (0..1001).map(|_| json!({})).collect();
    assert_eq!(acme.post("/jobs", &json!({ "jobs": rows })).await.code(), "rows_count");
    world.finish().await;
}

#[tokio::test]
async fn over_quota_nothing_is_taken_and_the_answer_says_when_to_come_back() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    world.stop_workers().await;
    let number: i32 = sqlx::query_scalar("select number from crm.tenants where slug = 'acme'")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    // smaller than an operator may set it
    let (quota, by) = (Quota { most_jobs: 5, most_bytes: 1 << 30 }, By::new(Actor::Operator, "a test").unwrap());
    let mut tx = world.app.db.platform(Why::Operator).await.unwrap();
    set_quota(&mut tx, number, Some(quota), &by).await.unwrap();
    tx.commit().await.unwrap();
    let rows: Vec<Value> = (0..5).map(|n| text_to(&line, &format!("+1305556000{n}"), "x")).collect();
    enqueue(&acme, &rows).await;
    world.advance(Duration::from_secs(2)).await;
    let mut tx = world.app.db.platform(Why::Upkeep).await.unwrap();
    sqlx::query("select jobs.sample_usage(2000)").execute(db::Scope::conn(&mut tx)).await.unwrap();
    tx.commit().await.unwrap();
    let refused = acme.request(Method::POST, "/jobs").json(&json!({ "jobs": [text_to(&line, "+13055560008", "x")] }));
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "5");
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "quota_exceeded");
    assert!(acme.messages("+13055560008").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn the_operator_sets_what_a_tenant_may_have_queued_with_a_reason_in_the_audit() {
    let world = World::without_workers().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let id = operator.items("/tenants").await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/tenants/{id}/quota");
    let all = operator.get(&path).await.expect(200);
    assert_eq!(all["most_jobs"], 2_000_000);
    let quota = |jobs: i64, reason: &str| json!({ "most_jobs": jobs, "most_bytes": 1 << 30, "reason": reason });
    assert_eq!(operator.put(&path, &quota(5, "too small")).await.code(), "quota_too_small");
    assert_eq!(operator.put(&path, &quota(20_000, " ")).await.code(), "reason_length");
    assert_eq!(operator.put(&path, &json!({ "most_jobs": 20_000, "most_bytes": 1 << 30 })).await.status, 422);
    let own = operator.put(&path, &quota(20_000, "a small plan")).await.expect(200);
    assert_eq!(own, json!({ "most_jobs": 20_000, "most_bytes": 1 << 30 }));
    assert_eq!(operator.get(&path).await.expect(200), own);
    assert_eq!(operator.post(&format!("{path}/reset"), &json!({})).await.status, 422, "a reason is needed");
    let again = operator.post(&format!("{path}/reset"), &json!({ "reason": "a larger plan" })).await.expect(200);
    assert_eq!(again, all);
    let nobody = "/tenants/018f0000-0000-7000-8000-000000000000/quota";
    assert_eq!(operator.put(nobody, &quota(20_000, "a typo")).await.status, 404);
    let audit = operator.items("/audit?subject=quota").await;
    let told = |act: &Value| (act["act"].clone(), act["reason"].clone(), act["actor"].clone());
    assert_eq!(
        audit.iter().map(told).collect::<Vec<_>>(),
        [
            (json!("reset_quota"), json!("a larger plan"), json!("operator")),
            (json!("set_quota"), json!("a small plan"), json!("operator")),
        ],
        "and nothing of what was refused"
    );
    assert_eq!(audit[0]["subject_id"], audit[0]["tenant_number"].to_string());
    assert_eq!(acme.items("/audit").await.len(), 3, "the tenant sees what was done to it, from its making on");
    world.finish().await;
}

/// Events of a stream up to its end, or until one is wanted: `(event, id, data)`.
async fn read(mut answer: reqwest::Response, until: impl Fn(&str) -> bool) -> Vec<(String, i64, Value)> {
    let (mut text, mut events) = (String::new(), Vec::new());
    while let Some(chunk) = tokio::time::timeout(Duration::from_secs(30), answer.chunk()).await.unwrap().unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let (Some(name), Some(id), Some(data)) = (field("event:"), field("id:"), field("data:")) else { continue };
            events.push((name.to_owned(), id.parse().unwrap(), serde_json::from_str(data).unwrap()));
            if until(name) {
                return events;
            }
        }
    }
    events
}

async fn follow(tenant: &Tenant, id: i64, seen: Option<i64>) -> reqwest::Response {
    let mut request = tenant.request(Method::GET, &format!("/batches/{id}/events"));
    if let Some(seen) = seen {
        request = request.header("last-event-id", seen);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_batch_is_followed_to_its_end_and_a_stream_goes_on_where_it_broke_off() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let id = open(&acme, json!({ "name": "reminders" })).await;
    let next = open(&acme, json!({ "name": "thanks", "after_id": id })).await;
    let rows: Vec<Value> = (0..20)
        .map(|n| with(text_to(&line, &format!("+130555600{n:02}"), "x"), "batch_id", json!(id)))
        .chain([with(text_to(&line, "+13055560077", "thanks"), "batch_id", json!(next))])
        .collect();
    assert!(enqueue(&acme, &rows).await.iter().all(|answer| answer["result"] == "enqueued"));
    assert_eq!(batch(&acme, next).await["state"], "held");
    let broken = read(follow(&acme, id, None).await, |name| name == "progress").await;
    let seen = broken.last().unwrap().1;
    for id in [id, next] {
        let sealed = acme.act(&format!("/batches/{id}/seal")).await.expect(200);
        assert_eq!(sealed["is_sealed"], true);
    }
    let events = read(follow(&acme, id, Some(seen)).await, |_| false).await;
    assert!(events.iter().all(|event| event.1 > seen) && events.is_sorted_by_key(|event| event.1), "{events:?}");
    let (name, last, end) = events.last().unwrap();
    assert_eq!((name.as_str(), &end["completed_count"], &end["live_count"]), ("completed", &json!(20), &json!(0)));
    assert_eq!(follow(&acme, id, Some(*last)).await.status(), StatusCode::NO_CONTENT);
    eventually("what follows has ended too", || async { batch(&acme, next).await["state"] == "completed" }).await;
    world.settle().await;
    assert_eq!(world.sim.summary().total, 21);
    // a poll that knows the state already gets no body
    let known = acme.request(Method::GET, &format!("/batches/{id}")).send().await.unwrap().headers()["etag"].clone();
    let asked = acme.request(Method::GET, &format!("/batches/{id}")).header("if-none-match", known);
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
    let late = enqueue(&acme, &rows[..1]).await;
    assert_eq!((&late[0]["code"], &late[0]["pointer"]), (&json!("batch_closed"), &json!("/batch_id")));
    world.finish().await;
}

#[tokio::test]
async fn a_paused_batch_sends_nothing_and_a_cancelled_one_never_will() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let id = open(&acme, json!({ "name": "offers" })).await;
    assert_eq!(acme.act(&format!("/batches/{id}/pause")).await.expect(200)["state"], "paused");
    let rows: Vec<Value> = (0..5)
        .map(|n| with(text_to(&line, &format!("+1305556000{n}"), "x"), "batch_id", json!(id)))
        .chain([text_to(&line, "+13055560009", "beside")])
        .collect();
    enqueue(&acme, &rows).await;
    eventually("the other one is sent", || async { world.sim.summary().total == 1 }).await;
    assert_eq!(batch(&acme, id).await["live_count"], 5);
    assert_eq!(acme.act(&format!("/batches/{id}/cancel")).await.expect(200)["state"], "cancelled");
    assert_eq!(acme.act(&format!("/batches/{id}/resume")).await.code(), "batch_cancelled");
    eventually("its messages are cancelled", || async {
        acme.messages("+13055560004").await[0]["status"] == "cancelled"
    })
    .await;
    let end = batch(&acme, id).await;
    assert_eq!((&end["cancelled_count"], &end["live_count"]), (&json!(5), &json!(0)));
    world.settle().await;
    assert_eq!(world.sim.summary().total, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_client_lists_its_batches_by_page_and_state_and_no_others() {
    let world = World::without_workers().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let first = open(&acme, json!({ "name": "reminders" })).await;
    let held = open(&acme, json!({ "name": "thanks", "after_id": first })).await;
    let paused = open(&acme, json!({ "name": "offers" })).await;
    acme.act(&format!("/batches/{paused}/pause")).await.expect(200);
    // the batch of an import is followed by its import
    acme.upload("/imports?name=x.csv", "phone\n+13055560001\n").await.expect(201);
    open(&other, json!({ "name": "theirs" })).await;
    let ids = async |query: &str| -> Vec<i64> {
        acme.items(&format!("/batches{query}")).await.iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids("").await, [paused, held, first], "newest first");
    assert_eq!(ids("?state=held").await, [held]);
    assert_eq!(ids("?state=active").await, [first]);
    assert_eq!(ids("?state=completed").await, [] as [i64; 0]);
    assert_eq!(acme.get("/batches?state=asleep").await.code(), "invalid_query");
    let page = acme.get("/batches?limit=2").await.expect(200);
    assert_eq!(page["items"][0], batch(&acme, paused).await, "a row is the batch as it is asked for alone");
    let rest = ids(&format!("?limit=2&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(rest, [first]);
    assert_eq!(other.items("/batches").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_key_and_a_foreign_batch_does_not_exist() {
    let world = World::without_workers().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let id = open(&acme, json!({ "name": "x" })).await;
    for path in ["", "/events"] {
        assert_eq!(other.get(&format!("/batches/{id}{path}")).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(other.act(&format!("/batches/{id}/cancel")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other.post("/batches", &json!({ "name": "y", "after_id": id })).await.code(), "batch_not_found");
    let made = acme.post("/api-keys", &json!({ "name": "k", "permissions": ["conversations.view"] })).await.expect(201);
    let url = format!("{}/api/v1/batches/{id}/events", world.base());
    let stream = reqwest::Client::new().get(url).bearer_auth(made["token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let path = format!("/api-keys/{}", made["id"].as_str().unwrap());
    assert_eq!(acme.delete(&path).await.status, StatusCode::NO_CONTENT);
    // the stream ends by itself: read comes back without its batch having completed
    assert!(read(stream, |_| false).await.iter().all(|event| event.0 == "progress"));
    let streams: Vec<_> = futures::future::join_all((0..20).map(|_| follow(&acme, id, None))).await;
    assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
    assert_eq!(follow(&acme, id, None).await.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(streams);
    world.finish().await;
}
