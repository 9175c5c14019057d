//! The installation's secret is changed: what it sealed is sealed anew, nobody is logged out, and then the old one opens nothing.

use std::time::Duration;

use crm::secrets::{Standing, standing};
use db::Why;
use e2e::{Tenant, World, actors::PASSWORD, eventually};
use reqwest::Client;
use serde_json::{Value, json};

use crate::second_factor::set_up;

const BEFORE: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const AFTER: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";

async fn stands(world: &World) -> Standing {
    let mut tx = world.app.db.platform(Why::Operator).await.unwrap();
    standing(&mut tx, &world.app.keys).await.unwrap()
}

async fn rotate(world: &World) {
    world.operator().post("/schedules/secrets.rotate/fire", &json!({ "reason": "a new secret" })).await.expect(200);
    world.drain().await;
}

/// Whether a message to them is taken by the gateway.
async fn reach(world: &World, acme: &Tenant, line: &str, address: &str) {
    let before = world.sends().len();
    let conversation = acme.post("/conversations", &json!({ "line_id": line, "address": address })).await.expect(201);
    let path = format!("/conversations/{}/messages", conversation["id"].as_str().unwrap());
    acme.post(&path, &json!({ "kind": "message", "body": "hola" })).await.expect(201);
    eventually("it is sent", || async { world.sends().len() > before }).await;
}

async fn logs_in(base: &str, code: &str) -> u16 {
    let body = json!({ "email": "owner@acme.example", "password": PASSWORD, "code": code });
    Client::new().post(format!("{base}/api/v1/session")).json(&body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_new_secret_takes_over_what_the_old_one_sealed_and_then_does_without_it() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    world.stop_workers().await;
    let webhook = json!({ "url": "http://127.0.0.1:1/", "kinds": ["label.changed"] });
    let webhook = acme.post("/webhooks", &webhook).await.expect(201)["id"].as_str().unwrap().to_owned();
    acme.post(&format!("/webhooks/{webhook}/secret"), &json!({ "overlap_s": 3600 })).await.expect(200);
    acme.patch("/settings", &json!({ "set": { "ai.api_key": "sk-of-acme" } })).await.expect(200);
    let (authenticator, recovery) = set_up(&world, &acme).await;
    assert_eq!(stands(&world).await, Standing::default());
    let audit = async |world: &World| -> i64 {
        let count = sqlx::query_scalar("select count(*) from crm.audit where subject <> 'session'");
        count.fetch_one(&mut world.database.superuser().await).await.unwrap()
    };
    let acts = audit(&world).await;

    world.change_secret(AFTER, &[BEFORE]);
    // the password and the token of the line, both secrets of the webhook, a setting's, the authenticator's
    assert_eq!(stands(&world).await, Standing { behind: 6, unreadable: 0 });
    let base = world.second_api(|_| {}).await;
    let known = |base: &str| Client::new().get(format!("{base}/api/v1/session")).header("cookie", acme.cookie()).send();
    assert_eq!(known(&base).await.unwrap().status(), 200, "who was logged in still is");
    world.start_worker().await;
    reach(&world, &acme, &line, "+13055550142").await;
    world.drain().await;
    rotate(&world).await;
    assert_eq!(stands(&world).await, Standing::default());
    assert_eq!(audit(&world).await, acts, "nobody has changed a secret");
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], Value::Null);
    world.stop_workers().await;

    world.change_secret(AFTER, &[]);
    assert_eq!(stands(&world).await, Standing::default());
    let base = world.second_api(|_| {}).await;
    assert_eq!(known(&base).await.unwrap().status(), 401, "what the old one has signed is nobody's");
    world.database.advance(Duration::from_secs(60)).await;
    assert_eq!(logs_in(&base, &authenticator.code(2)).await, 200);
    assert_eq!(logs_in(&base, &recovery[0]).await, 200, "recovery codes outlive it");
    world.start_worker().await;
    reach(&world, &acme, &line, "+13055550143").await;
    world.finish().await;
}

#[tokio::test]
async fn what_no_key_opens_stays_as_it_is_and_a_change_of_a_secret_is_told_apart_from_a_new_seal() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let webhook = json!({ "url": "http://127.0.0.1:1/", "kinds": ["label.changed"] });
    let webhook = acme.post("/webhooks", &webhook).await.expect(201)["id"].as_str().unwrap().to_owned();
    world.stop_workers().await;
    world.change_secret(AFTER, &[]);
    assert_eq!(stands(&world).await, Standing { behind: 0, unreadable: 3 });
    world.start_worker().await;
    rotate(&world).await;
    assert_eq!(stands(&world).await, Standing { behind: 0, unreadable: 3 });
    world.change_secret(AFTER, &[BEFORE]);
    assert_eq!(stands(&world).await, Standing { behind: 3, unreadable: 0 }, "the old one still opens it");
    // the api of the world still seals with the old one
    acme.post(&format!("/webhooks/{webhook}/secret"), &json!({ "overlap_s": 0 })).await.expect(200);
    let last = acme.items("/audit/changes?subject=webhook").await.remove(0);
    assert_eq!((&last["action"], &last["after"]["secret"]), (&json!("change"), &json!("***")), "{last}");
    world.stop_workers().await;
    world.start_worker().await;
    rotate(&world).await;
    assert_eq!(stands(&world).await, Standing::default());
    world.finish().await;
}

/// Bytes that are no secrets, or are sealed for minutes.
const NOT_RESEALED: [&str; 4] =
    ["app._sqlx_migrations.checksum", "app.begun_log_ins.secrets", "crm.hook_events.body", "crm.upload_chunks.bytes"];

#[tokio::test]
async fn every_column_of_sealed_bytes_is_sealed_anew() {
    let world = World::without_workers().await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select c.oid::regclass::text, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('app', 'crm') and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
            and a.atttypid = 'bytea'::regtype and a.attname not like '%hash' order by 1, 2",
    )
    .fetch_all(&mut world.database.superuser().await)
    .await
    .unwrap();
    let sealed = include_str!("../../crm/src/secrets/columns.rs");
    let forgotten: Vec<String> = columns
        .iter()
        .filter(|(table, column)| !sealed.contains(&format!(".{column} from {table} ")))
        .map(|(table, column)| format!("{table}.{column}"))
        .filter(|column| !NOT_RESEALED.contains(&column.as_str()))
        .collect();
    assert!(columns.len() > 7 && forgotten.is_empty(), "{forgotten:?}");
    world.finish().await;
}
