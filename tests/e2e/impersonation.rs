//! An operator inside a tenant, in a user's place: for half an hour, seen by the tenant, and never where its money, its secrets or its ways in are.

use std::time::Duration;

use e2e::{Tenant, World};
use futures::StreamExt;
use reqwest::{Client, Method, header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::{Staff, tenant_id};

/// The browser of an operator who is inside.
struct Inside {
    id: String,
    cookie: String,
    base: String,
}

impl Inside {
    async fn new(staff: &Staff, tenant: &Tenant, user_id: &str) -> Self {
        let path = format!("/tenants/{}/impersonations", tenant_id(tenant).await);
        let body = json!({ "user_id": user_id, "reason": "ticket 42" });
        let (opened, cookie) = staff.opened(&path, &body).await;
        Self { id: opened["id"].as_str().unwrap().to_owned(), cookie, base: staff.base.clone() }
    }
    async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Client::new()
            .request(method, format!("{}/api/v1{path}", self.base))
            .header(header::COOKIE, &self.cookie)
            .header(header::ORIGIN, &self.base)
            .json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }
    async fn me(&self) -> (u16, Value) {
        self.ask(Method::GET, "/session", &json!({})).await
    }
}

#[tokio::test]
async fn an_operator_inside_acts_as_the_user_and_the_audit_keeps_both() {
    let world = World::without_workers().await;
    let (acme, eva) = (world.tenant("acme").await, Staff::new(&world, "eva").await);
    let (owner, id) = (acme.user_id().await, tenant_id(&acme).await);
    let path = format!("/tenants/{id}/impersonations");
    let body = |reason: &str| json!({ "user_id": owner, "reason": reason });
    assert_eq!(world.operator().post(&path, &body("ticket 42")).await.code(), "operator_nameless");
    assert_eq!(eva.post(&path, &body("t 42")).await.code(), "reason_too_short");
    let nobody = json!({ "user_id": Uuid::now_v7(), "reason": "ticket 42" });
    assert_eq!(eva.post(&path, &nobody).await.status, 404);
    let other = world.tenant("other").await;
    let foreign = json!({ "user_id": other.user_id().await, "reason": "ticket 42" });
    assert_eq!(eva.post(&path, &foreign).await.status, 404, "a user of another tenant");
    let listed = eva.get(&format!("/tenants/{id}/users")).await.expect(200);
    assert_eq!(listed["items"][0]["id"], json!(owner));

    let inside = Inside::new(&eva, &acme, &owner).await;
    let me = inside.me().await.1;
    assert_eq!((&me["user"]["id"], &me["impersonation"]["operator_name"]), (&json!(owner), &json!("eva")));
    assert_eq!(me["impersonation"]["reason"], "ticket 42");
    assert_eq!(acme.get("/session").await.expect(200)["impersonation"], Value::Null);
    let before = acme.get("/audit/verification").await.expect(200)["count"].clone();
    let rule = json!({ "items": [{ "region": null, "days": [1], "from": "10:00", "until": "19:00" }] });
    assert_eq!(inside.ask(Method::PUT, "/quiet-hours", &rule).await.0, 200);
    let change = &acme.items("/audit/changes?subject=tenant").await[0];
    let both = (&change["actor"], &change["impersonator"]);
    assert_eq!(both, (&json!(format!("user:{owner}")), &json!(format!("operator:{}", eva.id))));
    let opened = &acme.items(&format!("/audit/changes?subject=session&subject_id={}", inside.id)).await[0];
    assert_eq!(
        (&opened["actor"], &opened["after"]["impersonation_reason"]),
        (&json!(format!("operator:{}", eva.id)), &json!("ticket 42"))
    );
    // by themselves nobody is behind them
    let label = json!({ "name": "export", "permissions": ["contacts.view"] });
    acme.post("/api-keys", &label).await.expect(201);
    assert_eq!(acme.items("/audit/changes?subject=api_key").await[0]["impersonator"], Value::Null);
    let after = acme.get("/audit/verification").await.expect(200);
    assert!(after["count"].as_i64() > before.as_i64() && after["broken_at"].is_null(), "{after}");
    // who was behind it is part of the chain
    let seq = change["seq"].as_i64().unwrap();
    sqlx::query("update crm.audit set impersonator = null where seq = $1 and impersonator is not null")
        .bind(seq)
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], seq);
    world.finish().await;
}

/// Chains that were there before somebody could be behind an act stay whole.
#[tokio::test]
async fn a_row_without_an_impersonator_has_the_hash_that_it_always_had() {
    let world = World::without_workers().await;
    world.tenant("acme").await;
    let same: bool = sqlx::query_scalar(
        "select bool_and(z.hash = sha256(coalesce(z.prev, ''::bytea) || convert_to(jsonb_build_array(z.tenant_id, z.seq, extract(epoch from z.at)::text, z.actor, z.action,
            z.subject, z.subject_id, z.before, z.after)::text, 'UTF8')))
           from (select a.*, lag(a.hash) over (partition by a.tenant_id order by a.seq) as prev from crm.audit a) z",
    )
    .fetch_one(&mut world.database.superuser().await)
    .await
    .unwrap();
    assert!(same);
    world.finish().await;
}

#[tokio::test]
async fn a_stay_ends_after_half_an_hour_or_when_anybody_ends_it() {
    let world = World::without_workers().await;
    let (acme, eva) = (world.tenant("acme").await, Staff::new(&world, "eva").await);
    let owner = acme.user_id().await;
    let inside = Inside::new(&eva, &acme, &owner).await;
    world.database.advance(Duration::from_secs(30 * 60 - 20)).await;
    assert_eq!(inside.me().await.0, 200, "it is used, which prolongs nothing");
    world.database.advance(Duration::from_secs(21)).await;
    assert_eq!(inside.me().await.0, 401);
    let longer = sqlx::query(
        "update crm.sessions set expires_at = expires_at + interval '1 minute' where impersonator_id is not null",
    )
    .execute(&mut world.database.superuser().await)
    .await;
    assert!(longer.is_err(), "the table itself refuses more");
    // the tenant ends it
    let inside = Inside::new(&eva, &acme, &owner).await;
    let listed = acme.items("/impersonations").await;
    assert_eq!(
        (listed.len(), &listed[0]["operator_name"], &listed[0]["reason"]),
        (2, &json!("eva"), &json!("ticket 42"))
    );
    assert_eq!(inside.ask(Method::DELETE, &format!("/impersonations/{}", inside.id), &json!({})).await.0, 403);
    acme.delete(&format!("/impersonations/{}", inside.id)).await.expect(200);
    assert_eq!(inside.me().await.0, 401);
    // so does the user whose place it is
    let inside = Inside::new(&eva, &acme, &owner).await;
    let own = acme.items("/sessions").await;
    assert!(own.iter().any(|session| session["impersonator_name"] == "eva"), "{own:?}");
    acme.delete(&format!("/sessions/{}", inside.id)).await.expect(204);
    assert_eq!(inside.me().await.0, 401);
    // and whoever is inside
    let inside = Inside::new(&eva, &acme, &owner).await;
    assert_eq!(inside.ask(Method::DELETE, "/session", &json!({})).await.0, 204);
    assert_eq!(inside.me().await.0, 401);
    // another operator
    let inside = Inside::new(&eva, &acme, &owner).await;
    let path = format!("/impersonations/{}/end", inside.id);
    world.operator().post(&path, &json!({ "reason": "enough" })).await.expect(200);
    assert_eq!(inside.me().await.0, 401);
    // and one who is disabled takes all of theirs along
    let inside = Inside::new(&eva, &acme, &owner).await;
    world
        .operator()
        .post(&format!("/operators/{}/disable", eva.id), &json!({ "reason": "has left" }))
        .await
        .expect(200);
    assert_eq!(inside.me().await.0, 401);
    assert_eq!(world.operator().items("/impersonations").await.len(), 6);
    let other = world.tenant("other").await;
    assert_eq!(other.items("/impersonations").await, Vec::<Value>::new());
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], Value::Null);
    world.finish().await;
}

/// What is closed to whoever is inside, whatever the user may do.
fn is_closed(path: &str, access: &str) -> bool {
    let groups = [
        "billing.",
        "admin.api_keys_manage",
        "admin.webhooks_manage",
        "admin.channels_manage",
        "admin.users_manage",
        "admin.roles_manage",
    ];
    groups.iter().any(|group| access.starts_with(group))
        || ["contacts.export", "conversations.export", "calendar.connect_google"].contains(&access)
        || access == "signed_in: everybody sees to how they log in themselves"
        || path.ends_with("/report-file")
        || path.ends_with("/error-file")
}

#[tokio::test]
async fn of_all_routes_those_of_money_secrets_and_ways_in_are_closed_to_whoever_is_inside() {
    let world = World::without_workers().await;
    let (acme, eva) = (world.tenant("acme").await, Staff::new(&world, "eva").await);
    let inside = &Inside::new(&eva, &acme, &acme.user_id().await).await;
    let routes: Vec<(Method, String, String)> = api::route_list()
        .into_iter()
        .filter_map(|line| {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            let (method, path, access) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
            Some((method, path.strip_prefix("/api/v1")?.to_owned(), access))
        })
        // whoever asks who they are, and whoever goes, is let; nobody of a tenant is asked for on the others
        .filter(|(_, path, access)| path != "/session" && access != "platform" && !access.starts_with("public: "))
        .collect();
    assert!(routes.iter().filter(|(_, path, access)| is_closed(path, access)).count() >= 20);
    let wrong: Vec<String> = futures::stream::iter(routes)
        .map(|(method, path, access)| async move {
            let id = Uuid::now_v7().to_string();
            let named: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { &id } else { part }).collect();
            let (status, body) = inside.ask(method.clone(), &named.join("/"), &json!({})).await;
            let is_refused = (status, body["code"].as_str()) == (403, Some("impersonated"));
            let is_right = is_refused == is_closed(&path, &access) && status != 401;
            (!is_right).then(|| format!("{method} {path} ({access}): {status} {body}"))
        })
        .buffer_unordered(8)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // what takes a proof takes one that nobody inside can give
    let policy = json!({ "requires_second_factor": false });
    assert_eq!(inside.ask(Method::PUT, "/log-in-policy", &policy).await.1["code"], "proof_needed");
    let me = inside.me().await.1;
    let may: Vec<&str> = me["permissions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(may.contains(&"conversations.reply") && !may.iter().any(|name| is_closed("", name)), "{may:?}");
    world.finish().await;
}
