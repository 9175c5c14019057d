//! What a log-in by an identity provider is refused for: an answer that is not ours, not for us, not of now, or of somebody who may not; and what is seen when the
//! provider is away or talks nonsense.

use std::time::Duration;

use axum::{
    Router,
    http::{StatusCode, header},
};
use e2e::{Browser, World, actors::PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::oidc::{OWNER, api, arrive, begin, ground, log_in, me, through};

/// An address with one parameter changed.
fn changed(url: &str, name: &str, value: &str) -> String {
    let (path, query) = url.split_once('?').unwrap();
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if key == name => format!("{name}={value}"),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

fn parameter(url: &str, name: &str) -> String {
    let found = url.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("{url} has no {name}")).to_owned()
}

async fn sessions(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from crm.sessions")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap()
}

/// From here on nobody has failed: what is told are refusals, not the throttle.
async fn forgive(world: &World) {
    sqlx::query("delete from app.login_failures").execute(&mut world.database.superuser().await).await.unwrap();
}

const EXPIRED: &str = "/login?problem=log_in_expired";
const UNTRUSTED: &str = "/login?problem=identity_not_trusted";
const REFUSED: &str = "/login?problem=identity_provider_refused";

#[tokio::test]
async fn an_answer_that_is_not_to_this_log_in_is_refused() {
    let Some((world, acme, _idp, provider)) = ground().await else { return };
    let before = sessions(&world).await;
    // another state, and none
    let mut browser = Browser::new();
    let callback = through(&world, &mut browser, &provider).await;
    for state in ["0".repeat(64), "x".to_owned(), String::new()] {
        assert_eq!(arrive(&world, &mut browser, &changed(&callback, "state", &state)).await, EXPIRED);
    }
    // another browser, with no cookie or with that of another log-in
    assert_eq!(arrive(&world, &mut Browser::new(), &callback).await, EXPIRED);
    let mut foreign = Browser::new();
    let theirs = through(&world, &mut foreign, &provider).await;
    let name = browser.cookies(world.base()).split('=').next().unwrap().to_owned();
    let value = foreign.cookies(world.base()).split('=').nth(1).unwrap().to_owned();
    assert_eq!(arrive(&world, &mut Browser::with(world.base(), &format!("{name}={value}")), &callback).await, EXPIRED);
    // none of that has used it up
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/inbox?tab=mine");
    // the same again
    let session = browser.cookies(world.base());
    assert_eq!(arrive(&world, &mut browser, &callback).await, EXPIRED);
    assert_eq!(browser.cookies(world.base()), session, "whoever is in stays in");
    // the code of one log-in in another
    let used = parameter(&callback, "code");
    assert_eq!(arrive(&world, &mut foreign, &changed(&theirs, "code", &used)).await, REFUSED);
    // a code that somebody else has begun for: the verifier is not theirs
    let (mut one, mut other) = (Browser::new(), Browser::new());
    let (ours, theirs) = (through(&world, &mut one, &provider).await, through(&world, &mut other, &provider).await);
    let stolen = parameter(&theirs, "code");
    assert_eq!(arrive(&world, &mut one, &changed(&ours, "code", &stolen)).await, REFUSED);
    // the provider says no
    let mut browser = Browser::new();
    let callback = through(&world, &mut browser, &provider).await;
    let denied = callback.replace("code=", "error=access_denied&was=");
    assert_eq!(arrive(&world, &mut browser, &denied).await, REFUSED);
    assert_eq!(sessions(&world).await, before + 1);
    let _ = acme.get("/session").await.expect(200);
    world.finish().await;
}

#[tokio::test]
async fn an_answer_of_another_issuer_or_at_anothers_address_is_refused() {
    let Some((world, acme, _idp, provider)) = ground().await else { return };
    let mut browser = Browser::new();
    let callback = through(&world, &mut browser, &provider).await;
    // it says who it is (RFC 9207)
    let mixed = changed(&callback, "iss", "https://evil.example");
    assert_eq!(arrive(&world, &mut browser, &mixed).await, UNTRUSTED);
    let callback = through(&world, &mut browser, &provider).await;
    let silent = callback.split('&').filter(|pair| !pair.starts_with("iss=")).collect::<Vec<_>>().join("&");
    assert_eq!(arrive(&world, &mut browser, &silent).await, UNTRUSTED);
    let body = json!({ "name": "Other", "issuer": "https://id.example.com", "client_id": "paloma" });
    let other = acme.post("/identity-providers", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let callback = through(&world, &mut browser, &provider).await;
    let mixed = callback.replace(&provider, &other);
    assert_eq!(arrive(&world, &mut browser, &mixed).await, "/login?problem=identity_provider_gone");
    // one that is turned off while somebody is over there
    let callback = through(&world, &mut browser, &provider).await;
    let off = json!({ "is_enabled": false });
    let _ = acme.patch(&format!("/identity-providers/{provider}"), &off).await.expect(200);
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/login?problem=identity_provider_gone");
    let gone = json!({ "provider": provider });
    assert_eq!(browser.ask(Method::POST, &api(&world, "/session/oidc"), Some(&gone)).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn a_begun_log_in_ends_after_ten_minutes() {
    let Some((world, _acme, _idp, provider)) = ground().await else { return };
    let mut browser = Browser::new();
    let callback = through(&world, &mut browser, &provider).await;
    world.database.advance(Duration::from_secs(601)).await;
    assert_eq!(arrive(&world, &mut browser, &callback).await, EXPIRED);
    world.finish().await;
}

#[tokio::test]
async fn an_id_token_that_is_not_what_it_has_to_be_is_refused() {
    let Some((world, _acme, idp, provider)) = ground().await else { return };
    let before = sessions(&world).await;
    // what was asked for is not what is answered: the provider puts the nonce that it was given
    let mut browser = Browser::new();
    let url = begin(&world, &mut browser, &json!({ "provider": provider })).await;
    let callback = browser.walk(&changed(&url, "nonce", "another"), &api(&world, "/session/oidc/")).await;
    assert_eq!(arrive(&world, &mut browser, &callback).await, UNTRUSTED);
    for lie in [
        json!({ "claims": { "nonce": null } }),
        json!({ "claims": { "aud": "somebody-else" } }),
        json!({ "claims": { "aud": ["paloma", "somebody-else"] } }),
        json!({ "claims": { "azp": "somebody-else" } }),
        json!({ "claims": { "iss": "https://evil.example" } }),
        json!({ "claims": { "exp": "now-1" } }),
        json!({ "claims": { "iat": "now-3600" } }),
        json!({ "claims": { "iat": "now+3600" } }),
        json!({ "claims": { "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" } }),
        json!({ "alg": "none" }),
        json!({ "alg": "HS256" }),
        json!({ "kid": "another" }),
    ] {
        forgive(&world).await;
        idp.lie(lie.clone()).await;
        assert_eq!(log_in(&world, &provider).await.1, UNTRUSTED, "{lie}");
    }
    idp.lie(Value::Null).await;
    assert_eq!(sessions(&world).await, before);
    assert_eq!(log_in(&world, &provider).await.1, "/inbox?tab=mine");
    world.finish().await;
}

#[tokio::test]
async fn whoever_may_not_come_in_does_not() {
    let Some((world, acme, idp, provider)) = ground().await else { return };
    let unknown = "/login?problem=identity_unknown";
    // an e-mail that the provider has not verified says nothing, nor does one that nobody has
    idp.person("u-1", OWNER, false, &["pwd"]).await;
    assert_eq!(log_in(&world, &provider).await.1, "/login?problem=email_not_verified");
    idp.person("u-1", "nobody@example.com", true, &["pwd"]).await;
    assert_eq!(log_in(&world, &provider).await.1, unknown);
    // a colleague who was disabled, before being known there and after
    let ana = acme.colleague("Ana", "agent").await;
    let user = ana.get("/session").await.expect(200)["user"].clone();
    let (id, email) = (user["id"].as_str().unwrap(), user["email"].as_str().unwrap());
    idp.person("u-ana", email, true, &["pwd"]).await;
    let set = async |is_active: bool| {
        let _ = acme.patch(&format!("/users/{id}"), &json!({ "is_active": is_active })).await.expect(200);
    };
    set(false).await;
    assert_eq!(log_in(&world, &provider).await.1, unknown);
    set(true).await;
    assert_eq!(log_in(&world, &provider).await.1, "/inbox?tab=mine");
    set(false).await;
    let (mut browser, page) = log_in(&world, &provider).await;
    assert_eq!(page, unknown);
    assert_eq!(browser.ask(Method::GET, &api(&world, "/session"), None).await.status, StatusCode::UNAUTHORIZED);
    let refused = async || acme.items("/audit/changes?subject=log_in").await;
    e2e::eventually("it is written down", || async { refused().await.len() == 2 }).await;
    assert_eq!(refused().await[0]["after"]["by"], "identity_provider");
    world.finish().await;
}

#[tokio::test]
async fn a_suspended_account_is_looked_at_and_a_closed_one_is_not_there() {
    let Some((world, acme, _idp, provider)) = ground().await else { return };
    let tenant = acme.get("/session").await.expect(200)["tenant"]["id"].as_str().unwrap().to_owned();
    let state = async |state: &str| {
        sqlx::query("update crm.tenants set state = $2 where id = $1::uuid")
            .bind(&tenant)
            .bind(state)
            .execute(&mut world.database.superuser().await)
            .await
            .unwrap();
    };
    state("suspended").await;
    let (mut browser, page) = log_in(&world, &provider).await;
    assert_eq!(page, "/inbox?tab=mine");
    assert_eq!(me(&world, &mut browser).await["tenant"]["state"], "suspended");
    let mut browser = Browser::new();
    let callback = through(&world, &mut browser, &provider).await;
    state("closed").await;
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/login?problem=identity_provider_gone");
    let begun = json!({ "provider": provider });
    assert_eq!(browser.ask(Method::POST, &api(&world, "/session/oidc"), Some(&begun)).await.status, 404);
    // an account that is closed, one that is not there and one without providers are the same to whoever asks
    for slug in ["acme", "nobody", "x%27"] {
        let seen = browser.ask(Method::GET, &api(&world, &format!("/session/providers?tenant={slug}")), None).await;
        assert_eq!((seen.status, seen.body), (StatusCode::OK, json!({ "items": [] })), "{slug}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_and_nothing_fails() {
    let Some((world, _acme, mut idp, provider)) = ground().await else { return };
    let mut browser = Browser::new();
    let callback = through(&world, &mut browser, &provider).await;
    idp.stop().await;
    // what it publishes is remembered, so that a log-in still begins, and ends here
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/login?problem=identity_provider_unreachable");
    world.finish().await;
}

/// A site that answers every address with the same.
async fn site(status: StatusCode, kind: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = move || async move {
        (status, [(header::CONTENT_TYPE, kind), (header::LOCATION, "http://127.0.0.1:1/")], body.clone())
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

#[tokio::test]
async fn a_provider_that_talks_nonsense_is_told_and_nothing_fails() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let json = "application/json";
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let foreign = json!({
        "issuer": "https://evil.example", "authorization_endpoint": "https://evil.example/a", "token_endpoint": "https://evil.example/t",
        "jwks_uri": "https://evil.example/k", "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    let faulty = "identity_provider_faulty";
    let away = "identity_provider_unreachable";
    for (issuer, code) in [
        (closed, away),
        (format!("http://{}", silent.local_addr().unwrap()), away),
        (site(StatusCode::BAD_GATEWAY, "text/html", "<h1>down</h1>".to_owned()).await, away),
        (site(StatusCode::OK, "text/html", "<h1>hello</h1>".to_owned()).await, faulty),
        (site(StatusCode::OK, json, "{".to_owned()).await, faulty),
        (site(StatusCode::OK, json, "{}".to_owned()).await, faulty),
        (site(StatusCode::OK, json, foreign.to_string()).await, faulty),
        (site(StatusCode::OK, json, " ".repeat(1 << 20)).await, faulty),
        // not followed
        (site(StatusCode::FOUND, json, "{}".to_owned()).await, faulty),
    ] {
        let body = json!({ "name": "x", "issuer": issuer, "client_id": "paloma" });
        let provider = acme.post("/identity-providers", &body).await.expect(201)["id"].clone();
        let begun = acme.post("/session/oidc", &json!({ "provider": provider })).await;
        assert_eq!((begun.status.as_u16(), begun.code()), (409, code), "{issuer}: {}", begun.text);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_provider_is_set_up_by_whoever_may_everything_and_proves_it() {
    let Some((world, acme, idp, provider)) = ground().await else { return };
    let new = |issuer: &str| json!({ "name": "x", "issuer": issuer, "client_id": "paloma" });
    for issuer in ["", "id.example.com", "http://id.example.com", "ftp://id.example.com", "https://169.254.169.254"] {
        assert_eq!(acme.post("/identity-providers", &new(issuer)).await.code(), "issuer_malformed", "{issuer}");
    }
    assert_eq!(acme.post("/identity-providers", &new(idp.issuer())).await.code(), "issuer_taken");
    // whoever says who everybody is could be everybody
    let admin = acme.colleague("Ada", "admin").await;
    assert_eq!(admin.post("/identity-providers", &new("https://id.example.com")).await.code(), "role_beyond_own");
    let path = format!("/identity-providers/{provider}");
    assert_eq!(admin.patch(&path, &json!({ "client_id": "mine" })).await.code(), "role_beyond_own");
    for number in 0..9 {
        let _ = acme.post("/identity-providers", &new(&format!("https://id{number}.example.com"))).await.expect(201);
    }
    assert_eq!(acme.post("/identity-providers", &new("https://id.example.com")).await.code(), "providers_count");
    // another account's are not there, neither for its people nor for its settings
    let other = world.tenant("other").await;
    assert_eq!(other.post("/identities", &json!({ "provider": provider })).await.status, 404);
    assert_eq!(other.delete(&path).await.status, 404);
    world.database.advance(Duration::from_secs(601)).await;
    for refused in [
        acme.post("/identity-providers", &new("https://id.example.com")).await,
        acme.patch(&path, &json!({ "is_enabled": false })).await,
        acme.delete(&path).await,
    ] {
        assert_eq!(refused.code(), "proof_needed", "{}", refused.text);
    }
    acme.post("/session/proof", &json!({ "password": PASSWORD })).await.expect(204);
    acme.delete(&path).await.expect(204);
    let ours = acme.get("/session/providers?tenant=acme").await.expect(200);
    assert!(!ours.to_string().contains(&provider), "{ours}");
    world.finish().await;
}

#[tokio::test]
async fn one_address_begins_only_so_many_log_ins_and_goes_back_to_no_other_site() {
    let Some((world, _acme, _idp, provider)) = ground().await else { return };
    let mut browser = Browser::new();
    let mut ask = async |body: Value| browser.ask(Method::POST, &api(&world, "/session/oidc"), Some(&body)).await;
    for path in ["//evil.example", "https://evil.example", "/\\evil.example"] {
        let refused = ask(json!({ "provider": provider, "return_to": path })).await;
        assert_eq!(refused.body["code"], "return_to_foreign", "{path}");
    }
    for _ in 0..60 {
        let begun = ask(json!({ "provider": provider })).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
    }
    assert_eq!(ask(json!({ "provider": provider })).await.status, StatusCode::TOO_MANY_REQUESTS);
    world.finish().await;
}
