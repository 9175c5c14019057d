//! Who changed what: written whatever way it was changed, without a secret, and never changed or removed without a trace.

use e2e::{Tenant, World, actors::PASSWORD, eventually};
use serde_json::{Value, json};

async fn changes(tenant: &Tenant, of: &str) -> Vec<Value> {
    tenant.items(&format!("/audit/changes{of}")).await
}

#[tokio::test]
async fn a_change_is_written_with_who_made_it_what_it_was_and_no_secret() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let (me, id) = (acme.user_id().await, ana.user_id().await);
    let line = acme.line(&world, json!({ "password": e2e::world::GATEWAY_PASSWORD })).await;
    acme.patch(&format!("/users/{id}"), &json!({ "role": "supervisor" })).await.expect(200);
    let key = json!({ "name": "export", "permissions": ["contacts.view"] });
    let key = acme.post("/api-keys", &key).await.expect(201);
    let rule = json!({ "region": null, "days": [1], "from": "10:00", "until": "19:00" });
    acme.put("/quiet-hours", &json!({ "items": [rule] })).await.expect(200);

    let of_ana = changes(&acme, &format!("?subject=user&subject_id={id}")).await;
    let newest = &of_ana[0];
    assert_eq!((&newest["action"], &newest["actor"]), (&json!("change"), &json!(format!("user:{me}"))));
    assert_eq!((&newest["before"], &newest["after"]), (&json!({ "role": "agent" }), &json!({ "role": "supervisor" })));
    // she was invited, and set her password herself
    assert_eq!(of_ana[1]["after"], json!({ "password_hash": "***" }));
    assert_eq!(of_ana[1]["actor"], format!("user:{id}"));
    assert_eq!((&of_ana[2]["action"], &of_ana[2]["after"]["email"]), (&json!("create"), &of_ana[2]["after"]["email"]));
    let made = &changes(&acme, &format!("?subject=line&subject_id={line}")).await[0];
    assert_eq!((&made["action"], &made["after"]["password"]), (&json!("create"), &json!("***")));
    let made = &changes(&acme, "?subject=api_key").await[0];
    assert_eq!((&made["subject_id"], &made["after"]["secret_hash"]), (&key["id"], &json!("***")));
    assert_eq!(changes(&acme, "?subject=tenant").await[0]["after"]["quiet_hours"][0]["from"], "10:00");
    assert_eq!(changes(&acme, "?subject=session").await[0]["after"]["user_id"], json!(id));
    let all = serde_json::to_string(&changes(&acme, "?limit=200").await).unwrap();
    let token = key["token"].as_str().unwrap();
    for secret in [e2e::world::GATEWAY_PASSWORD, PASSWORD, token, &token[12..], "argon2"] {
        assert!(!all.contains(secret), "{secret} stands in the audit");
    }
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], Value::Null);
    // what is not changed, or happens by itself, is no change
    let count = changes(&acme, "?limit=200").await.len();
    acme.patch(&format!("/users/{id}"), &json!({ "role": "supervisor" })).await.expect(200);
    assert_eq!(changes(&acme, "?limit=200").await.len(), count);
    assert_eq!(ana.get("/audit/changes").await.status, 403);
    let other = world.tenant("other").await;
    assert!(changes(&other, "?limit=200").await.iter().all(|change| change["subject_id"] != json!(id)));
    world.finish().await;
}

#[tokio::test]
async fn a_log_in_that_was_refused_is_written_for_whom_it_was_tried() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let wrong = json!({ "email": "owner@acme.example", "password": "not the password" });
    assert_eq!(acme.post("/session", &wrong).await.code(), "bad_credentials");
    let refused = async || changes(&acme, "?subject=log_in").await;
    eventually("it is written", || async { refused().await.len() == 1 }).await;
    let refused = refused().await.remove(0);
    assert_eq!((&refused["action"], &refused["after"]["by"]), (&json!("refuse"), &json!("password")));
    assert_eq!((&refused["subject_id"], &refused["after"]["ip"]), (&json!(acme.user_id().await), &json!("127.0.0.1")));
    world.finish().await;
}

#[tokio::test]
async fn a_row_that_is_changed_or_taken_out_is_found_and_two_at_once_make_one_chain() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let key = |n: usize| json!({ "name": format!("key {n}"), "permissions": ["contacts.view"] });
    futures::future::join_all((0..12).map(|n| {
        let acme = acme.clone();
        async move { acme.post("/api-keys", &key(n)).await.expect(201) }
    }))
    .await;
    let verify = async || acme.get("/audit/verification").await.expect(200);
    let whole = verify().await;
    assert_eq!(whole["broken_at"], Value::Null);
    let count = whole["count"].as_i64().unwrap();
    assert!(count >= 13);
    // not even whoever owns the database does it unseen
    let mut superuser = world.database.superuser().await;
    let mut run = async |sql: &'static str| sqlx::raw_sql(sql).execute(&mut superuser).await.unwrap();
    run("update crm.audit set actor = 'nobody' where seq = 5").await;
    assert_eq!(verify().await["broken_at"], 5);
    run("delete from crm.audit where seq = 3").await;
    assert_eq!(verify().await["broken_at"], 4);
    world.finish().await;
}
