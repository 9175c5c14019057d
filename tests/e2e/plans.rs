//! Plans and what tenants use: limits that hold also for two at once, and a ledger that says what there was.

use std::time::Duration;

use e2e::{Tenant, World, eventually, eventually_some};
use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

use crate::platform::tenant_id;

/// Gives a tenant a plan of its own with these limits.
async fn limit(world: &World, tenant: &Tenant, limits: Value) {
    let plan = format!("plan-{}", uuid::Uuid::now_v7().simple());
    let body = json!({ "code": plan, "name": "A plan", "limits": limits, "reason": "a test" });
    world.operator().post("/plans", &body).await.expect(201);
    let body = json!({ "reason": "a test", "change": { "plan": plan } });
    world.operator().patch(&format!("/tenants/{}", tenant_id(tenant).await), &body).await.expect(200);
}

fn is_full(answer: &e2e::Answer) -> bool {
    answer.status == 409 && answer.code() == "plan_limit_reached"
}

#[tokio::test]
async fn a_plan_is_made_and_changed_and_its_limits_are_checked() {
    let world = World::without_workers().await;
    let operator = world.operator();
    let body =
        |code: &str, limits: Value| json!({ "code": code, "name": "Small", "limits": limits, "reason": "we sell it" });
    let made =
        operator.post("/plans", &body("small", json!({ "most_users": 3, "most_messages": 1000 }))).await.expect(201);
    assert_eq!((&made["limits"]["most_users"], &made["limits"]["most_contacts"]), (&json!(3), &Value::Null));
    assert_eq!(operator.post("/plans", &body("small", json!({}))).await.code(), "plan_taken");
    assert_eq!(operator.post("/plans", &body("Bad Code", json!({}))).await.code(), "plan_code_malformed");
    assert_eq!(operator.post("/plans", &body("none", json!({ "most_users": 0 }))).await.code(), "plan_limit_range");
    let changed = json!({ "name": "Small 2", "limits": { "most_lines": 1 }, "reason": "cheaper" });
    let changed_to = operator.put("/plans/small", &changed).await.expect(200);
    assert_eq!(
        (&changed_to["name"], &changed_to["limits"]["most_users"], &changed_to["limits"]["most_lines"]),
        (&json!("Small 2"), &Value::Null, &json!(1))
    );
    assert_eq!(operator.put("/plans/nowhere", &changed).await.status, 404);
    let codes: Vec<Value> = operator.items("/plans").await.into_iter().map(|plan| plan["code"].clone()).collect();
    assert_eq!(codes, [json!("small"), json!("unlimited")]);
    assert_eq!(operator.items("/audit?subject=plan&subject_id=small").await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_plan_s_limit_holds_also_for_two_at_once() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    limit(&world, &acme, json!({ "most_users": 3, "most_contacts": 5, "most_lines": 1 })).await;
    let user = |n: usize| json!({ "name": "x", "email": format!("u{n}@example.com"), "role": "agent" });
    let answers = futures::future::join_all((0..8).map(|n| {
        let (acme, body) = (acme.clone(), user(n));
        async move { acme.post("/users", &body).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    assert!(answers.iter().all(|answer| answer.status == 201 || is_full(answer)));
    // one who can't log in makes room, and does not come back into it
    let users = acme.items("/users").await;
    let own = acme.user_id().await;
    let other = users.iter().find(|user| user["id"] != *own).unwrap()["id"].as_str().unwrap().to_owned();
    acme.patch(&format!("/users/{other}"), &json!({ "is_active": false })).await.expect(200);
    acme.post("/users", &user(20)).await.expect(201);
    assert!(is_full(&acme.patch(&format!("/users/{other}"), &json!({ "is_active": true })).await));

    let contact = |n: usize| json!({ "phone": format!("+1305555010{n}") });
    let answers = futures::future::join_all((0..8).map(|n| {
        let (acme, body) = (acme.clone(), contact(n));
        async move { acme.post("/contacts", &body).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 5);
    assert!(answers.iter().all(|answer| answer.status == 201 || is_full(answer)));
    let import = acme.import("first_name,phone\nAna,+13055550180\n", "").await;
    assert_eq!(
        (&import["state"], &import["failure_code"]),
        (&json!("failed"), &json!("plan_limit_reached")),
        "{import}"
    );
    // somebody who writes is kept, whatever the plan says
    acme.line(&world, json!({})).await;
    world.sim.inbound(&Inbound::new("+13055550142", "hola")).unwrap();
    eventually("the contact is made", || async { acme.items("/contacts?limit=200").await.len() == 6 }).await;
    let second = json!({ "name": "Line 2", "address": "+15550000002", "base_url": world.gateway_url(), "password": "x", "unlimited": true });
    assert!(is_full(&acme.post("/lines", &second).await));
    // no limit any more
    limit(&world, &acme, json!({})).await;
    acme.post("/contacts", &contact(9)).await.expect(201);
    world.finish_with(&["contacts.run_import"]).await;
}

#[tokio::test]
async fn a_month_s_messages_and_campaigns_are_held_to_the_plan_also_for_two_launches_at_once() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(6).await;
    limit(&world, &acme, json!({ "most_messages": 10 })).await;
    let (one, other) = (acme.draft(&line, &import, json!({})).await, acme.draft(&line, &import, json!({})).await);
    let paths = (format!("/campaigns/{one}/launch"), format!("/campaigns/{other}/launch"));
    let (a, b) = tokio::join!(acme.act(&paths.0), acme.act(&paths.1));
    assert!(a.status == 200 && is_full(&b) || b.status == 200 && is_full(&a), "{} {}", a.text, b.text);
    acme.until(if a.status == 200 { &one } else { &other }, "completed").await;
    let text = |n: usize| json!({ "kind": "messaging.send_text", "payload": { "line_id": line, "address": format!("+1305557000{n}"), "text": "x" } });
    let five: Vec<Value> = (0..5).map(text).collect();
    assert!(is_full(&acme.post("/jobs", &json!({ "jobs": five })).await));
    acme.post("/jobs", &json!({ "jobs": five[..4] })).await.expect(200);
    world.settle().await;
    world.advance(Duration::from_secs(61)).await;
    let conversation = acme.items("/conversations").await[0]["id"].as_str().unwrap().to_owned();
    let reply = format!("/conversations/{conversation}/messages");
    eventually("the ledger knows of them", || async {
        is_full(&acme.post("/jobs", &json!({ "jobs": [text(7)] })).await)
    })
    .await;
    assert!(is_full(&acme.post(&reply, &json!({ "kind": "message", "body": "x" })).await));
    acme.post(&reply, &json!({ "kind": "note", "body": "x" })).await.expect(201);
    limit(&world, &acme, json!({ "most_campaigns": 1 })).await;
    let left = if a.status == 200 { &other } else { &one };
    assert!(is_full(&acme.act(&format!("/campaigns/{left}/launch")).await), "the month has had its one");
    assert_eq!(acme.get(&format!("/campaigns/{left}")).await.expect(200)["state"], "draft");
    world.finish().await;
}

#[tokio::test]
async fn the_ledger_says_what_a_tenant_has_used_and_no_other() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(5).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    for n in 0..3 {
        world.sim.inbound(&Inbound::new("+13055550142", &format!("hola {n}"))).unwrap();
    }
    world.settle().await;
    let conversation = acme.items("/conversations?limit=200").await;
    let conversation =
        conversation.iter().find(|row| row["address"] == "+13055550142").unwrap()["id"].as_str().unwrap().to_owned();
    acme.post(&format!("/conversations/{conversation}/messages"), &json!({ "kind": "message", "body": "buenas" }))
        .await
        .expect(201);
    let contact = acme.items("/contacts").await[0]["id"].as_str().unwrap().to_owned();
    acme.delete(&format!("/contacts/{contact}")).await.expect(204);
    world.settle().await;
    world.advance(Duration::from_secs(61)).await;
    let wanted = json!({
        "messages_in": 3, "messages_out": 1, "campaign_messages": 5, "campaigns": 1, "contacts": 5, "storage_bytes": 0, "ai_tokens": 0,
    });
    let used = eventually_some("the ledger is summed up", || async {
        let used = acme.get("/usage").await.expect(200);
        (used["total"] == wanted).then_some(used)
    })
    .await;
    assert_eq!(used["plan"]["code"], "unlimited");
    let of_messages = used["days"].as_array().unwrap().iter().find(|day| day["measure"] == "messages_in").unwrap();
    assert_eq!(of_messages["channel"], "imessage");
    let id = tenant_id(&acme).await;
    let seen = world.operator().get(&format!("/tenants/{id}/usage")).await.expect(200);
    assert_eq!((&seen["total"], &seen["days"]), (&used["total"], &used["days"]));
    let listed = world.operator().items("/usage").await;
    assert_eq!((listed[1]["tenant_slug"].as_str(), &listed[1]["campaign_messages"]), (Some("acme"), &json!(5)));
    assert_eq!(listed[0]["messages_in"], 0);
    assert_eq!(other.get("/usage").await.expect(200)["total"]["contacts"], 0);
    // a month before has none of it; what stands stood at nothing
    assert_eq!(acme.get("/usage?month=2020-01").await.expect(200)["total"]["contacts"], 0);
    assert_eq!(acme.get("/usage?month=nonsense").await.code(), "month_malformed");
    let agent = acme.colleague("Ana", "agent").await;
    assert_eq!(agent.get("/usage").await.status, 403);
    world.finish().await;
}
