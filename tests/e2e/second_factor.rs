//! How people log in: with a second factor where they have one, with a fresh proof for what is dangerous, and never again with what was used or
//! taken away.

use std::time::Duration;

use e2e::{Authenticator, Tenant, World, actors::PASSWORD};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

async fn log_in(world: &World, email: &str, password: &str, code: Option<&str>) -> (u16, String) {
    let answer = Client::new()
        .post(format!("{}/api/v1/session", world.base()))
        .json(&json!({ "email": email, "password": password, "code": code }))
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

/// Sets a second factor up; answers the authenticator and the recovery codes.
pub async fn set_up(world: &World, person: &Tenant) -> (Authenticator, Vec<String>) {
    let authenticator = Authenticator::scan(world, &person.act("/second-factor").await.expect(200)).await;
    let code = authenticator.code(0);
    let on = person.put("/second-factor", &json!({ "code": code })).await.expect(200);
    let codes = on["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (authenticator, codes)
}

#[tokio::test]
async fn a_log_in_asks_for_a_code_and_each_works_once() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let email = "owner@acme.example";
    assert_eq!(acme.put("/second-factor", &json!({ "code": "123456" })).await.code(), "second_factor_not_begun");
    let begun = acme.act("/second-factor").await.expect(200);
    assert!(begun["url"].as_str().unwrap().starts_with("otpauth://totp/Paloma:owner%40acme.example?"), "{begun}");
    assert_eq!(acme.put("/second-factor", &json!({ "code": "000000" })).await.code(), "code_wrong");
    assert_eq!(log_in(&world, email, PASSWORD, None).await.0, 200, "it is not on before a code was given");
    let (authenticator, recovery) = set_up(&world, &acme).await;
    assert_eq!(recovery.len(), 10);
    assert_eq!(acme.act("/second-factor").await.code(), "second_factor_on");
    let needed = (401, "code_needed".to_owned());
    let wrong = (401, "code_wrong".to_owned());
    assert_eq!(log_in(&world, email, PASSWORD, None).await, needed);
    assert_eq!(log_in(&world, email, "not the password", None).await, (401, "bad_credentials".to_owned()));
    // the code that set it up has been used
    assert_eq!(log_in(&world, email, PASSWORD, Some(&authenticator.code(0))).await, wrong);
    world.database.advance(Duration::from_secs(30)).await;
    let code = authenticator.code(1);
    let both = tokio::join!(log_in(&world, email, PASSWORD, Some(&code)), log_in(&world, email, PASSWORD, Some(&code)));
    let mut both = [both.0.0, both.1.0];
    both.sort_unstable();
    assert_eq!(both, [200, 401], "of two with one code one comes in");
    // a step before is older than what was used
    assert_eq!(log_in(&world, email, PASSWORD, Some(&authenticator.code(0))).await, wrong);
    let lost = recovery[0].to_lowercase().replace('-', " ");
    let both = tokio::join!(log_in(&world, email, PASSWORD, Some(&lost)), log_in(&world, email, PASSWORD, Some(&lost)));
    let mut both = [both.0.0, both.1.0];
    both.sort_unstable();
    assert_eq!(both, [200, 401], "a recovery code works once, also for two at once");
    assert_eq!(acme.get("/second-factor").await.expect(200)["recovery_codes_left"], 9);
    // nothing of it stands in the database as it is
    let kept: String = sqlx::query_scalar(
        "select string_agg(u::text, '') || string_agg(r::text, '') from crm.users u, crm.recovery_codes r",
    )
    .fetch_one(&mut world.database.superuser().await)
    .await
    .unwrap();
    for secret in [&recovery[1], &recovery[1].replace('-', ""), &authenticator.secret()] {
        assert!(!kept.contains(secret));
    }
    world.finish().await;
}

#[tokio::test]
async fn wrong_codes_are_throttled_and_a_right_password_between_them_helps_nobody() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (authenticator, recovery) = set_up(&world, &acme).await;
    let email = "owner@acme.example";
    for _ in 0..5 {
        assert_eq!(log_in(&world, email, PASSWORD, Some("000000")).await.1, "code_wrong");
        let _ = log_in(&world, email, PASSWORD, None).await;
    }
    world.database.advance(Duration::from_secs(60)).await;
    let code = authenticator.code(2);
    assert_eq!(log_in(&world, email, PASSWORD, Some(&code)).await.1, "limited");
    world.database.advance(Duration::from_secs(16 * 60)).await;
    assert_eq!(log_in(&world, email, PASSWORD, Some(&recovery[0])).await.0, 200);
    world.finish().await;
}

#[tokio::test]
async fn what_is_dangerous_takes_a_fresh_proof() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let id = ana.user_id().await;
    world.database.advance(Duration::from_secs(11 * 60)).await;
    let key = json!({ "name": "x", "permissions": ["contacts.view"] });
    let role = json!({ "role": "admin" });
    let user = format!("/users/{id}");
    let dangerous = async |acme: &Tenant| {
        [
            acme.post("/api-keys", &key).await,
            acme.patch(&user, &role).await,
            acme.act(&format!("{user}/password-reset")).await,
            acme.delete(&format!("{user}/second-factor")).await,
            acme.act("/second-factor").await,
            acme.put("/session/password", &json!({ "password": "another long password" })).await,
            acme.put("/log-in-policy", &json!({ "requires_second_factor": false })).await,
        ]
    };
    for refused in dangerous(&acme).await {
        assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "proof_needed"), "{}", refused.text);
    }
    // a name is not
    acme.patch(&user, &json!({ "name": "Ana Ruiz" })).await.expect(200);
    let proof = |password: &str| json!({ "password": password });
    assert_eq!(acme.post("/session/proof", &proof("not the password")).await.code(), "bad_credentials");
    acme.post("/session/proof", &proof(PASSWORD)).await.expect(204);
    for done in dangerous(&acme).await {
        assert!(done.status.is_success(), "{}", done.text);
    }
    assert_eq!(log_in(&world, "owner@acme.example", PASSWORD, None).await.0, 401);
    assert_eq!(log_in(&world, "owner@acme.example", "another long password", None).await.0, 200);
    for _ in 0..5 {
        let _ = ana.post("/session/proof", &proof("not the password")).await;
    }
    let throttled = ana.post("/session/proof", &proof(PASSWORD)).await;
    assert_eq!(throttled.status, StatusCode::TOO_MANY_REQUESTS, "{}", throttled.text);
    world.finish().await;
}

#[tokio::test]
async fn an_account_that_asks_for_a_second_factor_opens_to_nobody_without_one() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let ask = json!({ "requires_second_factor": true });
    assert_eq!(acme.put("/log-in-policy", &ask).await.code(), "second_factor_off");
    let _ = set_up(&world, &acme).await;
    acme.put("/log-in-policy", &ask).await.expect(200);
    for path in ["/conversations", "/users", "/contacts", "/live"] {
        let refused = ana.get(path).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "second_factor_needed"), "{path}");
    }
    assert_eq!(ana.get("/session").await.expect(200)["lacks_second_factor"], true);
    let _ = set_up(&world, &ana).await;
    assert_eq!(ana.get("/session").await.expect(200)["lacks_second_factor"], false);
    let _ = ana.get("/conversations").await.expect(200);
    assert_eq!(ana.delete("/second-factor").await.code(), "second_factor_required");
    // who has lost everything is let in by somebody who may
    acme.delete(&format!("/users/{}/second-factor", ana.user_id().await)).await.expect(204);
    assert_eq!(ana.get("/conversations").await.code(), "second_factor_needed");
    world.finish().await;
}

#[tokio::test]
async fn sessions_are_seen_and_ended_by_whose_they_are() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let phone = Tenant::log_in(world.base(), "owner@acme.example", PASSWORD).await;
    let laptop = Tenant::log_in(world.base(), "owner@acme.example", PASSWORD).await;
    let sessions = acme.items("/sessions").await;
    assert_eq!(sessions.len(), 3);
    assert_eq!(sessions.iter().filter(|session| session["is_current"] == true).count(), 1);
    assert_eq!(sessions[0]["ip"], "127.0.0.1");
    let of = async |person: &Tenant| {
        let sessions = person.items("/sessions").await;
        let own = sessions.iter().find(|session| session["is_current"] == true).unwrap();
        own["id"].as_str().unwrap().to_owned()
    };
    let (phones, anas) = (of(&phone).await, of(&ana).await);
    assert_eq!(acme.delete(&format!("/sessions/{anas}")).await.status, StatusCode::NOT_FOUND);
    acme.delete(&format!("/sessions/{phones}")).await.expect(204);
    assert_eq!(phone.get("/session").await.status, StatusCode::UNAUTHORIZED);
    acme.delete("/sessions").await.expect(204);
    assert_eq!(laptop.get("/session").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(acme.items("/sessions").await.len(), 1);
    let _ = ana.get("/session").await.expect(200);
    world.finish().await;
}

#[tokio::test]
async fn a_password_is_set_anew_by_a_link_that_ends_every_session() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let me = ana.get("/session").await.expect(200)["user"].clone();
    let (id, email) = (me["id"].as_str().unwrap(), me["email"].as_str().unwrap());
    let supervisor = acme.colleague("Luis", "supervisor").await;
    assert_eq!(supervisor.act(&format!("/users/{id}/password-reset")).await.status, StatusCode::FORBIDDEN);
    let made = acme.act(&format!("/users/{id}/password-reset")).await.expect(200);
    let token = made["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let path = format!("/invitations/{token}");
    let shown = acme.get(&path).await.expect(200);
    assert_eq!((&shown["state"], &shown["is_reset"]), (&json!("open"), &json!(true)));
    assert_eq!(log_in(&world, email, PASSWORD, None).await.0, 200, "until then the old one works");
    let new = json!({ "password": "another long password" });
    let (one, other) = tokio::join!(acme.post(&path, &new), acme.post(&path, &new));
    let mut both = [one.status.as_u16(), other.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [200, 404]);
    assert_eq!(ana.get("/session").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(log_in(&world, email, PASSWORD, None).await.0, 401);
    assert_eq!(log_in(&world, email, "another long password", None).await.0, 200);
    let invited = json!({ "name": "Eva", "email": "eva@example.com", "role": "agent" });
    let invited = acme.post("/users", &invited).await.expect(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(acme.act(&format!("/users/{invited}/password-reset")).await.code(), "no_password_yet");
    let late = acme.act(&format!("/users/{id}/password-reset")).await.expect(200);
    let token = late["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    world.database.advance(Duration::from_secs(86_401)).await;
    assert_eq!(acme.post(&format!("/invitations/{token}"), &new).await.status, StatusCode::NOT_FOUND);
    world.finish().await;
}
