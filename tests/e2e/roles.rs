//! Roles of a tenant's own: what they grant holds at once, for people and for their keys, and nobody puts into one what they lack.

use e2e::{Tenant, World};
use serde_json::{Value, json};

async fn role(tenant: &Tenant, name: &str, permissions: &[&str]) -> String {
    let made = tenant.post("/roles", &json!({ "name": name, "permissions": permissions })).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

fn permissions_of(shown: &Value) -> Vec<&str> {
    shown["permissions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_role_of_ones_own_grants_what_it_says_and_what_it_says_later() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let id = role(&acme, "Front desk", &["contacts.view", "admin.api_keys_manage"]).await;
    let ana = acme.colleague("Ana", &id).await;
    let me = ana.get("/session").await.expect(200);
    assert_eq!(
        (me["user"]["role"].as_str(), permissions_of(&me)),
        (Some(&*id), vec!["contacts.view", "admin.api_keys_manage"])
    );
    assert_eq!(ana.get("/contacts").await.status, 200);
    assert_eq!(ana.get("/conversations").await.code(), "forbidden");
    let key = ana.post("/api-keys", &json!({ "name": "k", "permissions": ["contacts.view"] })).await.expect(201);
    let with_key = async || {
        let url = format!("{}/api/v1/contacts", world.base());
        let asked = reqwest::Client::new().get(url).bearer_auth(key["token"].as_str().unwrap());
        asked.send().await.unwrap().status().as_u16()
    };
    assert_eq!(with_key().await, 200);
    let path = format!("/roles/{id}");
    acme.patch(&path, &json!({ "permissions": ["conversations.view"] })).await.expect(200);
    assert_eq!(ana.get("/contacts").await.code(), "forbidden");
    assert_eq!(ana.get("/conversations").await.status, 200);
    assert_eq!(with_key().await, 403, "the key may no more than who made it");
    let listed = acme.items("/roles").await;
    assert_eq!(listed.len(), 8, "seven are built in");
    assert_eq!((&listed[0]["id"], &listed[0]["user_count"]), (&json!("owner"), &json!(1)));
    assert_eq!((&listed[7]["name"], &listed[7]["user_count"]), (&json!("Front desk"), &json!(1)));
    // what somebody has is not taken away from under them
    assert_eq!(acme.delete(&path).await.code(), "role_in_use");
    acme.patch(&format!("/users/{}", ana.user_id().await), &json!({ "role": "agent" })).await.expect(200);
    assert_eq!(acme.delete(&path).await.status, 204);
    assert_eq!(acme.delete(&path).await.status, 404);
    world.finish().await;
}

/// ADM-03
#[tokio::test]
async fn nobody_puts_into_a_role_what_they_lack() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let money = role(&acme, "Money", &["billing.view"]).await;
    let admin = acme.colleague("Adán", "admin").await;
    let with_billing = json!({ "name": "x", "permissions": ["contacts.view", "billing.view"] });
    let refused = admin.post("/roles", &with_billing).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "forbidden"));
    let own = role(&admin, "Mine", &["contacts.view"]).await;
    let wider = json!({ "permissions": ["billing.refund"] });
    assert_eq!(admin.patch(&format!("/roles/{own}"), &wider).await.status, 403);
    // nor is one that grants more given, taken away or changed
    let body = json!({ "name": "x", "email": "x@example.com", "role": money });
    assert_eq!(admin.post("/users", &body).await.code(), "role_beyond_own");
    assert_eq!(admin.patch(&format!("/roles/{money}"), &json!({ "name": "y" })).await.code(), "role_beyond_own");
    let payer = acme.colleague("Paca", &money).await;
    let path = format!("/users/{}", payer.user_id().await);
    assert_eq!(admin.patch(&path, &json!({ "role": "agent" })).await.code(), "role_beyond_own");
    assert_eq!(admin.act(&format!("{path}/password-reset")).await.code(), "role_beyond_own");
    assert_eq!(payer.post("/roles", &json!({ "name": "x", "permissions": ["billing.view"] })).await.status, 403);
    world.finish().await;
}

#[tokio::test]
async fn what_is_no_role_is_refused_with_a_reason() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let other = world.tenant("other").await;
    role(&acme, "Front desk", &["contacts.view"]).await;
    let foreign = role(&other, "Theirs", &["contacts.view"]).await;
    let make = async |name: &str, permissions: Value| {
        acme.post("/roles", &json!({ "name": name, "permissions": permissions })).await
    };
    let some = json!(["contacts.view"]);
    assert_eq!(make(" front DESK ", some.clone()).await.code(), "role_name_taken");
    assert_eq!(make("  ", some.clone()).await.code(), "role_name_length");
    assert_eq!(make(&"x".repeat(61), some.clone()).await.code(), "role_name_length");
    assert_eq!(make("y", json!([])).await.code(), "permissions_empty");
    assert_eq!(make("y", json!(["admin.everything"])).await.status, 422);
    let missing = uuid::Uuid::now_v7().to_string();
    for role in [foreign.as_str(), missing.as_str()] {
        let body = json!({ "name": "x", "email": "x@example.com", "role": role });
        let refused = acme.post("/users", &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "role_unknown"));
    }
    let body = json!({ "name": "x", "email": "x@example.com", "role": "custom" });
    assert_eq!(acme.post("/users", &body).await.status, 422);
    assert_eq!(acme.items("/users").await.len(), 1);
    world.finish().await;
}

/// A role that is given while it is removed is either there or was not given.
#[tokio::test]
async fn a_role_is_not_removed_from_under_whom_it_is_given_to() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let user = format!("/users/{}", ana.user_id().await);
    for round in 0..5 {
        let id = role(&acme, &format!("R{round}"), &["contacts.view"]).await;
        let (path, give) = (format!("/roles/{id}"), json!({ "role": id }));
        let (given, removed) = tokio::join!(acme.patch(&user, &give), acme.delete(&path));
        match (given.status.as_u16(), removed.status.as_u16()) {
            (200, 409) => assert_eq!(removed.code(), "role_in_use"),
            (422, 204) => assert_eq!(given.code(), "role_unknown"),
            other => panic!("{other:?}: {} {}", given.text, removed.text),
        }
        acme.patch(&user, &json!({ "role": "agent" })).await.expect(200);
    }
    world.finish().await;
}

#[tokio::test]
async fn an_account_has_a_hundred_roles_and_two_at_once_do_not_make_one_more() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    for n in 0..99 {
        role(&acme, &format!("R{n}"), &["contacts.view"]).await;
    }
    let body = |name: &str| json!({ "name": name, "permissions": ["contacts.view"] });
    let (one, two) = (body("one"), body("two"));
    let (one, two) = tokio::join!(acme.post("/roles", &one), acme.post("/roles", &two));
    let mut both = [one.status.as_u16(), two.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [201, 409], "{} {}", one.text, two.text);
    assert!([one.code(), two.code()].contains(&"too_many_roles"));
    world.finish().await;
}
