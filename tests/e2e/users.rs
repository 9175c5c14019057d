//! The people of a tenant: invited by a link that works once, given no more than their inviter has, and never the last owner less.

use std::time::Duration;

use e2e::{Tenant, World, actors::PASSWORD};
use serde_json::{Value, json};

async fn invite(tenant: &Tenant, email: &str, role: &str) -> (String, String) {
    let made = tenant.post("/users", &json!({ "name": "Ana", "email": email, "role": role })).await.expect(201);
    let token = made["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    (made["id"].as_str().unwrap().to_owned(), token)
}

async fn accept(tenant: &Tenant, token: &str, password: &str) -> u16 {
    tenant.post(&format!("/invitations/{token}"), &json!({ "password": password })).await.status.as_u16()
}

#[tokio::test]
async fn somebody_invited_sets_a_password_once_and_works() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (id, token) = invite(&acme, "Ana@Example.com", "agent").await;
    let listed = acme.items("/users").await;
    let ana = listed.iter().find(|user| user["id"] == *id).unwrap();
    assert_eq!((&ana["email"], &ana["role"]), (&json!("ana@example.com"), &json!("agent")));
    assert_eq!((&ana["is_active"], &ana["is_invited"]), (&json!(true), &json!(true)));
    assert_eq!(accept(&acme, &token, "short").await, 422);
    let (a, b) = tokio::join!(accept(&acme, &token, PASSWORD), accept(&acme, &token, "another long password"));
    let mut both = [a, b];
    both.sort_unstable();
    assert_eq!(both, [200, 404], "a link works once, also for two at once");
    let password = if a == 200 { PASSWORD } else { "another long password" };
    let ana = Tenant::log_in(world.base(), "ana@example.com", password).await;
    assert_eq!(ana.user_id().await, id);
    // colleagues are seen, and not changed
    assert_eq!(ana.items("/users").await.len(), 2);
    assert_eq!(
        ana.post("/users", &json!({ "name": "x", "email": "x@example.com", "role": "agent" })).await.status,
        403
    );
    assert_eq!(ana.patch(&format!("/users/{id}"), &json!({ "role": "owner" })).await.status, 403);
    for token in ["x", &"0".repeat(96), &token.replace('a', "b"), &format!("{}{}", &token[..32], "0".repeat(64))] {
        assert_eq!(accept(&acme, token, PASSWORD).await, 404, "{token}");
    }
    let stored: i64 = sqlx::query_scalar("select count(*) from crm.invitations i where i::text like '%' || $1 || '%'")
        .bind(&token[32..])
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(stored, 0);
    assert_eq!(
        acme.post("/users", &json!({ "name": "x", "email": "ANA@example.com", "role": "agent" })).await.code(),
        "email_taken"
    );
    assert_eq!(
        acme.post("/users", &json!({ "name": "x", "email": "nonsense", "role": "agent" })).await.code(),
        "email_malformed"
    );
    world.finish().await;
}

#[tokio::test]
async fn a_link_says_what_it_is_to_whoever_holds_it_and_takes_the_name_they_give() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (id, first) = invite(&acme, "ana@example.com", "agent").await;
    let look = |token: &str| {
        let path = format!("{}/api/v1/invitations/{token}", world.base());
        async move {
            let answer = reqwest::get(path).await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        }
    };
    let (status, shown) = look(&first).await;
    assert_eq!((status, &shown["state"], &shown["email"]), (200, &json!("open"), &json!("ana@example.com")));
    assert_eq!((&shown["name"], &shown["tenant_slug"]), (&json!("Ana"), &json!("acme")));
    let again = acme.act(&format!("/users/{id}/invitation")).await.expect(200);
    let second = again["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(look(&first).await.0, 404, "another one has replaced it");
    for token in ["x", &"0".repeat(96), &format!("{}{}", &second[..32], "0".repeat(64))] {
        assert_eq!(look(token).await.0, 404, "{token}");
    }
    world.database.advance(Duration::from_secs(7 * 86_400 + 1)).await;
    assert_eq!(look(&second).await.1["state"], "expired");
    let acme = Tenant::log_in(world.base(), "owner@acme.example", PASSWORD).await;
    let third = acme.act(&format!("/users/{id}/invitation")).await.expect(200);
    let third = third["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let path = format!("/invitations/{third}");
    let nameless = acme.post(&path, &json!({ "name": "  ", "password": PASSWORD })).await;
    assert_eq!((nameless.status.as_u16(), nameless.code()), (422, "name_length"));
    let set = acme.post(&path, &json!({ "name": "Ana Ruiz", "password": PASSWORD })).await.expect(200);
    assert_eq!((&set["name"], &set["is_invited"]), (&json!("Ana Ruiz"), &json!(false)));
    assert_eq!(look(&third).await.1["state"], "used");
    world.finish().await;
}

#[tokio::test]
async fn a_link_ends_after_a_week_or_with_the_next_one() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (id, first) = invite(&acme, "ana@example.com", "agent").await;
    let again = acme.act(&format!("/users/{id}/invitation")).await.expect(200);
    let second = again["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(accept(&acme, &first, PASSWORD).await, 404);
    world.database.advance(Duration::from_secs(7 * 86_400 + 1)).await;
    assert_eq!(accept(&acme, &second, PASSWORD).await, 404);
    let acme = Tenant::log_in(world.base(), "owner@acme.example", PASSWORD).await;
    let third = acme.act(&format!("/users/{id}/invitation")).await.expect(200);
    let third = third["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(accept(&acme, &third, PASSWORD).await, 200);
    assert_eq!(acme.act(&format!("/users/{id}/invitation")).await.code(), "not_invited");
    // a link of another's tenant is none of ours to renew
    let other = world.tenant("other").await;
    assert_eq!(other.act(&format!("/users/{id}/invitation")).await.status, 404);
    assert_eq!(other.patch(&format!("/users/{id}"), &json!({ "name": "x" })).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn an_invitation_that_is_sent_twice_makes_one_user_and_shows_one_link() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let body = json!({ "name": "Ana", "email": "ana@example.com", "role": "agent" });
    let mut links = Vec::new();
    for _ in 0..2 {
        let request = acme.request(reqwest::Method::POST, "/users").header("idempotency-key", "one").json(&body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        links.push(answer["invitation_url"].clone());
    }
    assert!(links[0].is_string() && links[1].is_null(), "{links:?}");
    assert_eq!(acme.items("/users").await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn nobody_gives_what_they_lack() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let admin = acme.colleague("Adán", "admin").await;
    let owner = acme.user_id().await;
    let body = |role: &str| json!({ "name": "x", "email": format!("{role}@example.com"), "role": role });
    for role in ["owner", "billing"] {
        assert_eq!(admin.post("/users", &body(role)).await.code(), "role_beyond_own", "{role}");
    }
    let made = admin.post("/users", &body("agent")).await.expect(201);
    let agent = format!("/users/{}", made["id"].as_str().unwrap());
    assert_eq!(admin.patch(&agent, &json!({ "role": "owner" })).await.code(), "role_beyond_own");
    admin.patch(&agent, &json!({ "role": "supervisor", "name": "Eva" })).await.expect(200);
    for change in [json!({ "role": "agent" }), json!({ "is_active": false })] {
        assert_eq!(admin.patch(&format!("/users/{owner}"), &change).await.code(), "role_beyond_own", "{change}");
    }
    world.finish().await;
}

#[tokio::test]
async fn the_last_owner_stays_also_where_two_leave_at_once() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let first = acme.user_id().await;
    for change in [json!({ "role": "admin" }), json!({ "is_active": false })] {
        assert_eq!(acme.patch(&format!("/users/{first}"), &change).await.code(), "last_owner", "{change}");
    }
    // one who was only invited is no owner yet
    let (invited, _) = invite(&acme, "later@example.com", "owner").await;
    assert_eq!(acme.patch(&format!("/users/{first}"), &json!({ "role": "admin" })).await.code(), "last_owner");
    acme.patch(&format!("/users/{invited}"), &json!({ "is_active": false })).await.expect(200);
    for round in 0..5 {
        let other = acme.colleague(&format!("Other{round}"), "owner").await;
        let second = other.user_id().await;
        let leave = json!({ "role": "read_only" });
        let (path, other_path) = (format!("/users/{first}"), format!("/users/{second}"));
        let (a, b) = tokio::join!(acme.patch(&path, &leave), other.patch(&other_path, &leave));
        let owners: Vec<Value> = acme
            .items("/users")
            .await
            .into_iter()
            .filter(|user| user["role"] == "owner" && user["is_active"] == true)
            .collect();
        assert_eq!(owners.len(), 1, "{} {}", a.text, b.text);
        if owners[0]["id"] != *first {
            // back to where the next round begins
            other.patch(&path, &json!({ "role": "owner" })).await.expect(200);
            acme.patch(&other_path, &json!({ "role": "agent" })).await.expect(200);
        }
    }
    world.finish().await;
}

/// D20
#[tokio::test]
async fn somebody_deactivated_is_out_at_once_and_begins_afresh_when_they_return() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let ana = acme.colleague("Ana", "agent").await;
    let (id, email) = (ana.user_id().await, ana.get("/session").await.expect(200)["user"]["email"].clone());
    let (mut feed, _) = crate::live::Feed::open(&world, &ana).await;
    world.sim.inbound(&sim::bluebubbles::Inbound::new("+13055550142", "uno")).unwrap();
    world.settle().await;
    let begun = World::machine_ms();
    let gone = acme.patch(&format!("/users/{id}"), &json!({ "is_active": false })).await.expect(200);
    assert_eq!(gone["is_active"], false);
    assert_eq!(ana.get("/session").await.status, 401);
    while feed.next().await.is_some() {}
    assert!(World::machine_ms() - begun < 5_000);
    world.sim.inbound(&sim::bluebubbles::Inbound::new("+13055550142", "dos")).unwrap();
    world.settle().await;
    acme.patch(&format!("/users/{id}"), &json!({ "is_active": true })).await.expect(200);
    assert_eq!(ana.get("/session").await.status, 401, "the old session stays ended");
    let ana = Tenant::log_in(world.base(), email.as_str().unwrap(), PASSWORD).await;
    assert_eq!(ana.get("/conversations/counts").await.expect(200)["all_unread"], 0);
    world.sim.inbound(&sim::bluebubbles::Inbound::new("+13055550142", "tres")).unwrap();
    world.settle().await;
    let row = ana.items("/conversations?unread=true").await.remove(0);
    assert_eq!(row["unread_count"], 1);
    world.finish().await;
}
