//! A browser that is new to somebody is told to their other sessions, and what it comes to when one of those says whose it was.

use e2e::{Browser, Tenant, World, actors::PASSWORD};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    live::Feed,
    oidc::{OWNER, api, arrive, ground, me, through},
    platform::{Staff, tenant_id},
    second_factor::set_up,
};

const LAPTOP: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PHONE: &str = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36";

/// Logs in by the password, with what cookies the browser has.
async fn log_in(world: &World, browser: &mut Browser, email: &str) {
    let body = json!({ "email": email, "password": PASSWORD });
    let seen = browser.ask(Method::POST, &api(world, "/session"), Some(&body)).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
}

/// A browser in which they have just logged in.
async fn logged_in(world: &World, agent: &str, email: &str) -> Browser {
    let mut browser = Browser::named(agent);
    log_in(world, &mut browser, email).await;
    browser
}

/// What is news there.
async fn news(world: &World, browser: &mut Browser) -> Vec<Value> {
    me(world, browser).await["new_devices"].as_array().unwrap().clone()
}

/// The session by which a single new device is told of there.
async fn told(world: &World, browser: &mut Browser) -> String {
    let news = news(world, browser).await;
    assert_eq!(news.len(), 1, "{news:?}");
    news[0]["session_id"].as_str().unwrap().to_owned()
}

/// Says there that it was them; the status and the code.
async fn recognize(world: &World, browser: &mut Browser, id: &str) -> (u16, String) {
    let path = format!("/sessions/{id}/recognition");
    let seen = browser.ask(Method::POST, &api(world, &path), Some(&json!({}))).await;
    (seen.status.as_u16(), seen.body["code"].as_str().unwrap_or_default().to_owned())
}

/// Ends a session there.
async fn end(world: &World, browser: &mut Browser, path: &str) {
    let seen = browser.ask(Method::DELETE, &api(world, path), Some(&json!({}))).await;
    assert_eq!(seen.status, StatusCode::NO_CONTENT, "{}", seen.body);
}

fn refused() -> (u16, String) {
    (409, "device_not_known".to_owned())
}

fn done() -> (u16, String) {
    (204, String::new())
}

#[tokio::test]
async fn a_browser_that_was_never_used_before_is_told_to_the_other_sessions() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let (mut feed, _) = Feed::open(&world, &acme).await;
    let mut laptop = logged_in(&world, LAPTOP, OWNER).await;
    assert!(laptop.cookies(world.base()).contains("paloma_device="));
    log_in(&world, &mut laptop, OWNER).await;
    let of_owner = async || acme.get("/session").await.expect(200)["new_devices"].clone();
    assert_eq!(of_owner().await, json!([]), "neither the first one nor the same once more is news");

    let mut phone = logged_in(&world, PHONE, OWNER).await;
    let frame = feed.next().await.unwrap();
    let id = told(&world, &mut laptop).await;
    assert_eq!((&frame["kind"], &frame["data"]), (&json!("device.changed"), &json!({ "session_id": id })));
    let shown = of_owner().await[0].clone();
    assert_eq!((&shown["user_agent"], &shown["ip"]), (&json!(PHONE), &json!("127.0.0.1")));
    assert_eq!((&shown["session_id"], &shown["may_be_recognized"]), (&json!(id), &json!(true)));
    assert!(news(&world, &mut phone).await.is_empty(), "it is no news to itself");
    assert_eq!(ana.get("/session").await.expect(200)["new_devices"], json!([]));
    let sessions = acme.items("/sessions").await;
    assert_eq!(sessions.iter().filter(|session| session["is_new_device"] == true).count(), 1);
    let listed = sessions.iter().find(|session| session["id"] == json!(id)).unwrap();
    assert_eq!((&listed["is_new_device"], &listed["device_answered_at"]), (&json!(true), &Value::Null));
    let made = &acme.items(&format!("/audit/changes?subject=session&subject_id={id}")).await[0];
    assert_eq!((&made["action"], &made["after"]["is_new_device"]), (&json!("create"), &json!(true)));
    world.finish().await;
}

#[tokio::test]
async fn a_known_browser_says_that_it_was_them_and_a_new_one_vouches_for_nobody() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let mut laptop = logged_in(&world, LAPTOP, OWNER).await;
    let mut phone = logged_in(&world, PHONE, OWNER).await;
    let phones = told(&world, &mut laptop).await;
    let mut tablet = logged_in(&world, PHONE, OWNER).await;
    // it is told of the other one, and may end it, but can't say that it was them
    let tablets = told(&world, &mut phone).await;
    assert_eq!(news(&world, &mut phone).await[0]["may_be_recognized"], false);
    for id in [&phones, &tablets] {
        assert_eq!(recognize(&world, &mut phone, id).await, refused());
        assert_eq!(recognize(&world, &mut tablet, id).await, refused());
    }
    let key = json!({ "name": "x", "permissions": ["contacts.view"] });
    let key = acme.post("/api-keys", &key).await.expect(201)["token"].as_str().unwrap().to_owned();
    let path = format!("/sessions/{phones}/recognition");
    let by_key = Client::new().post(api(&world, &path)).bearer_auth(&key).send().await.unwrap();
    assert_eq!(by_key.status(), StatusCode::CONFLICT, "a key is no session");

    assert_eq!(news(&world, &mut laptop).await.len(), 2);
    for _ in 0..2 {
        assert_eq!(recognize(&world, &mut laptop, &phones).await, done());
    }
    assert_eq!(told(&world, &mut laptop).await, tablets);
    assert_eq!(recognize(&world, &mut phone, &tablets).await, done(), "from now on it is known itself");
    for browser in [&mut laptop, &mut phone, &mut tablet] {
        assert!(news(&world, browser).await.is_empty());
        log_in(&world, browser, OWNER).await;
    }
    assert!(news(&world, &mut laptop).await.is_empty(), "they are known the next time");
    let change = &acme.items(&format!("/audit/changes?subject=session&subject_id={phones}")).await[0];
    assert!(change["action"] == "change" && change["after"]["device_answered_at"].is_string(), "{change}");
    world.finish().await;
}

#[tokio::test]
async fn it_was_not_them_ends_every_session_of_that_browser_and_forgets_it() {
    let world = World::without_workers().await;
    let _ = world.tenant("acme").await;
    let mut laptop = logged_in(&world, LAPTOP, OWNER).await;
    let mut thief = logged_in(&world, PHONE, OWNER).await;
    let id = told(&world, &mut laptop).await;
    end(&world, &mut thief, "/session").await;
    log_in(&world, &mut thief, OWNER).await;
    // to leave at once, to come back, and to end one's own answer nothing
    let own = me_id(&world, &mut thief).await;
    let mut again = Browser::named(PHONE).holding(world.base(), &thief.cookies(world.base()));
    log_in(&world, &mut again, OWNER).await;
    end(&world, &mut again, &format!("/sessions/{own}")).await;
    assert_eq!(told(&world, &mut laptop).await, id, "one browser is told once, by its first session");
    end(&world, &mut laptop, &format!("/sessions/{id}")).await;
    let session = api(&world, "/session");
    for browser in [&mut thief, &mut again] {
        assert_eq!(browser.ask(Method::GET, &session, None).await.status, StatusCode::UNAUTHORIZED);
    }
    assert!(news(&world, &mut laptop).await.is_empty());
    log_in(&world, &mut thief, OWNER).await;
    assert_ne!(told(&world, &mut laptop).await, id, "it was forgotten");
    // whoever comes back by a browser that is known learns of what was there meanwhile
    end(&world, &mut thief, "/sessions").await;
    assert_eq!(laptop.ask(Method::GET, &session, None).await.status, StatusCode::UNAUTHORIZED);
    log_in(&world, &mut laptop, OWNER).await;
    let id = told(&world, &mut laptop).await;
    end(&world, &mut laptop, &format!("/sessions/{id}")).await;
    assert_eq!(thief.ask(Method::GET, &session, None).await.status, StatusCode::UNAUTHORIZED);
    world.finish().await;
}

/// The id of the session that asks.
async fn me_id(world: &World, browser: &mut Browser) -> String {
    let seen = browser.ask(Method::GET, &api(world, "/sessions"), None).await;
    let sessions = seen.body["items"].as_array().unwrap();
    let own = sessions.iter().find(|session| session["is_current"] == true).unwrap();
    own["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn another_persons_session_is_one_that_nobody_has_and_another_persons_cookie_says_nothing() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let anas = ana.get("/session").await.expect(200)["user"]["email"].as_str().unwrap().to_owned();
    let other = world.tenant("other").await;
    let mut laptop = logged_in(&world, LAPTOP, OWNER).await;
    let mut hers = logged_in(&world, LAPTOP, &anas).await;
    let _ = logged_in(&world, PHONE, &anas).await;
    let id = told(&world, &mut hers).await;
    let missing = Uuid::now_v7().to_string();
    for id in [&id, &missing] {
        let path = format!("/sessions/{id}/recognition");
        assert_eq!(recognize(&world, &mut laptop, id).await, (404, "not_found".to_owned()));
        assert_eq!(other.act(&path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(acme.delete(&format!("/sessions/{id}")).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(told(&world, &mut hers).await, id);

    let device = hers.cookies(world.base());
    let device = device.split("; ").find(|pair| pair.starts_with("paloma_device=")).unwrap();
    let mut thief = Browser::named(LAPTOP).holding(world.base(), device);
    log_in(&world, &mut thief, OWNER).await;
    let _ = told(&world, &mut laptop).await;
    let (hashes, kept): (i64, String) =
        sqlx::query_as("select count(distinct d.device_hash), string_agg(d::text, '') from crm.devices d")
            .fetch_one(&mut world.database.superuser().await)
            .await
            .unwrap();
    assert_eq!(hashes, 4, "one cookie of two people is kept as two");
    let token = device.split('=').nth(1).unwrap();
    assert!(token.len() == 32 && !kept.contains(token));
    // a cookie that we have not made is replaced
    let mut made_up = Browser::named(PHONE).holding(world.base(), "paloma_device=x");
    log_in(&world, &mut made_up, OWNER).await;
    assert!(!made_up.cookies(world.base()).contains("paloma_device=x"));
    world.finish().await;
}

#[tokio::test]
async fn of_two_log_ins_at_once_one_is_the_first_and_one_browser_is_told_once() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (mut one, mut other) = (Browser::named(LAPTOP), Browser::named(PHONE));
    tokio::join!(log_in(&world, &mut one, OWNER), log_in(&world, &mut other, OWNER));
    let shown = acme.get("/session").await.expect(200)["new_devices"].clone();
    assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
    let path = format!("/sessions/{}/recognition", shown[0]["session_id"].as_str().unwrap());
    acme.act(&path).await.expect(204);

    let cookie = format!("paloma_device={}", "ab".repeat(16));
    let held = || Browser::named(PHONE).holding(world.base(), &cookie);
    let (mut first, mut second) = (held(), held());
    tokio::join!(log_in(&world, &mut first, OWNER), log_in(&world, &mut second, OWNER));
    let _ = told(&world, &mut one).await;
    let devices: i64 = sqlx::query_scalar("select count(*) from crm.devices")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(devices, 3);
    world.finish().await;
}

#[tokio::test]
async fn fifty_are_kept_of_a_person_and_strangers_push_out_none_that_is_known() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mut laptop = logged_in(&world, LAPTOP, OWNER).await;
    // each would take a password's tenth of a second
    sqlx::query(
        "insert into crm.devices (tenant_id, id, user_id, device_hash, seen_at)
         select u.tenant_id, gen_random_uuid(), u.id, sha256(n::text::bytea), now() + interval '1 hour' from crm.users u, generate_series(1, 50) n where u.email = $1",
    )
    .bind(OWNER)
    .execute(&mut world.database.superuser().await)
    .await
    .unwrap();
    let mut phone = logged_in(&world, PHONE, OWNER).await;
    let count = async || -> i64 {
        let count = sqlx::query_scalar("select count(*) from crm.devices");
        count.fetch_one(&mut world.database.superuser().await).await.unwrap()
    };
    assert_eq!(count().await, 50);
    let id = told(&world, &mut laptop).await;
    log_in(&world, &mut laptop, OWNER).await;
    assert_eq!(told(&world, &mut laptop).await, id, "the laptop is known still");
    assert_eq!(acme.items("/sessions").await.len(), 4);
    // silence of thirty days is an answer
    let aged = "update crm.devices set created_at = created_at - interval '31 days'";
    sqlx::query(aged).execute(&mut world.database.superuser().await).await.unwrap();
    log_in(&world, &mut phone, OWNER).await;
    assert_eq!(told(&world, &mut laptop).await, id, "nothing new of the phone");
    assert_eq!(recognize(&world, &mut phone, &id).await, refused(), "nor does it vouch for what it was");
    // and those that nobody has come by for so long go
    let aged = "update crm.devices set seen_at = seen_at - interval '401 days' where recognized_at is null";
    sqlx::query(aged).execute(&mut world.database.superuser().await).await.unwrap();
    world.operator().post("/schedules/access.prune/fire", &json!({ "reason": "a test" })).await.expect(200);
    world.drain().await;
    assert_eq!(count().await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_program_is_no_browser_and_neither_a_key_nor_an_operator_inside_is_told() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let mut laptop = logged_in(&world, LAPTOP, OWNER).await;
    for _ in 0..2 {
        // it keeps no cookie by which it would be known the next time
        let program = Tenant::log_in(world.base(), OWNER, PASSWORD).await;
        assert!(!program.cookie().contains("paloma_device"));
        let id = told(&world, &mut laptop).await;
        assert_eq!(news(&world, &mut laptop).await[0]["user_agent"], Value::Null);
        assert_eq!(recognize(&world, &mut laptop, &id).await, done());
    }
    let _ = logged_in(&world, PHONE, OWNER).await;
    let key = json!({ "name": "x", "permissions": ["conversations.view"] });
    let key = acme.post("/api-keys", &key).await.expect(201)["token"].as_str().unwrap().to_owned();
    let by_key: Value =
        Client::new().get(api(&world, "/session")).bearer_auth(&key).send().await.unwrap().json().await.unwrap();
    assert_eq!(by_key["new_devices"], json!([]));
    let eva = Staff::new(&world, "eva").await;
    let path = format!("/tenants/{}/impersonations", tenant_id(&acme).await);
    let body = json!({ "user_id": acme.user_id().await, "reason": "ticket 42" });
    let (_, cookie) = eva.opened(&path, &body).await;
    let mut inside = Browser::named(LAPTOP).holding(world.base(), &cookie);
    assert!(news(&world, &mut inside).await.is_empty());
    let id = told(&world, &mut laptop).await;
    assert_eq!(recognize(&world, &mut inside, &id).await, (403, "impersonated".to_owned()));
    world.finish().await;
}

#[tokio::test]
async fn a_browser_that_comes_by_an_identity_provider_is_known_by_the_same_cookie() {
    let Some((world, acme, _idp, provider)) = ground().await else { return };
    let mut laptop = logged_in(&world, LAPTOP, OWNER).await;
    let mut phone = Browser::named(PHONE);
    let callback = through(&world, &mut phone, &provider).await;
    assert_eq!(arrive(&world, &mut phone, &callback).await, "/inbox?tab=mine");
    let id = told(&world, &mut laptop).await;
    assert_eq!(recognize(&world, &mut laptop, &id).await, done());
    let callback = through(&world, &mut phone, &provider).await;
    assert_eq!(arrive(&world, &mut phone, &callback).await, "/inbox?tab=mine");
    log_in(&world, &mut phone, OWNER).await;
    assert!(news(&world, &mut laptop).await.is_empty(), "by whatever way it comes");

    let (authenticator, _) = set_up(&world, &acme).await;
    let mut tablet = Browser::named(PHONE);
    let callback = through(&world, &mut tablet, &provider).await;
    let page = arrive(&world, &mut tablet, &callback).await;
    let handle = page.strip_prefix("/login?code_of=").unwrap_or_else(|| panic!("{page}")).to_owned();
    assert!(news(&world, &mut laptop).await.is_empty(), "nobody has come in yet");
    let body = json!({ "log_in": handle, "code": authenticator.code(1) });
    let came = tablet.ask(Method::POST, &api(&world, "/session/oidc/code"), Some(&body)).await;
    assert_eq!(came.status, StatusCode::OK, "{}", came.body);
    assert!(tablet.cookies(world.base()).contains("paloma_device="));
    let _ = told(&world, &mut laptop).await;
    world.finish().await;
}
