//! Logging in by an identity provider of a third party: who is known by it, what of it is kept, and what it opens. (`oidc_refused` tells what is refused.)

use e2e::{Authenticator, Browser, IdentityProvider, Tenant, World, actors::PASSWORD, idp::CLIENT_SECRET};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The e-mail of every world's owner.
pub const OWNER: &str = "owner@acme.example";

/// A tenant with a provider at which its owner is about to log in. None where the provider is not installed.
pub async fn ground() -> Option<(World, Tenant, IdentityProvider, String)> {
    let idp = IdentityProvider::start().await?;
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let provider = set_up(&acme, &idp).await;
    idp.person("u-1", OWNER, true, &["pwd"]).await;
    Some((world, acme, idp, provider))
}

/// Sets the provider up; answers its id.
pub async fn set_up(tenant: &Tenant, idp: &IdentityProvider) -> String {
    let body =
        json!({ "name": "Acme ID", "issuer": idp.issuer(), "client_id": "paloma", "client_secret": CLIENT_SECRET });
    tenant.post("/identity-providers", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

pub fn api(world: &World, path: &str) -> String {
    format!("{}/api/v1{path}", world.base())
}

/// Begins a log-in: where the browser is to go.
pub async fn begin(world: &World, browser: &mut Browser, body: &Value) -> String {
    let begun = browser.ask(Method::POST, &api(world, "/session/oidc"), Some(body)).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
    begun.body["url"].as_str().unwrap().to_owned()
}

/// Begins a log-in and goes through the provider: the address by which the browser would come back.
pub async fn through(world: &World, browser: &mut Browser, provider: &str) -> String {
    let url = begin(world, browser, &json!({ "provider": provider, "return_to": "/inbox?tab=mine" })).await;
    browser.walk(&url, &api(world, "/session/oidc/")).await
}

/// Comes back by that address: the page that it leads to, under the world's own.
pub async fn arrive(world: &World, browser: &mut Browser, callback: &str) -> String {
    let seen = browser.ask(Method::GET, callback, None).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.body);
    let to = seen.location.unwrap();
    to.strip_prefix(world.base()).unwrap_or_else(|| panic!("led away to {to}")).to_owned()
}

/// All of a log-in, in a browser of its own.
pub async fn log_in(world: &World, provider: &str) -> (Browser, String) {
    let mut browser = Browser::new();
    let callback = through(world, &mut browser, provider).await;
    let page = arrive(world, &mut browser, &callback).await;
    (browser, page)
}

/// Who is logged in there.
pub async fn me(world: &World, browser: &mut Browser) -> Value {
    let seen = browser.ask(Method::GET, &api(world, "/session"), None).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    seen.body
}

/// A provider whose requests end where a person is asked for a fresh proof.
async fn begin_own(world: &World, browser: &mut Browser, path: &str, provider: &str) -> (StatusCode, Value) {
    let body = json!({ "provider": provider, "return_to": "/settings/security" });
    let seen = browser.ask(Method::POST, &api(world, path), Some(&body)).await;
    (seen.status, seen.body)
}

/// The code that an authenticator shows so many steps from now.
#[tokio::test]
async fn a_first_log_in_links_by_a_verified_e_mail_and_from_then_on_the_subject_decides() {
    let Some((world, acme, idp, provider)) = ground().await else { return };
    let (mut browser, page) = log_in(&world, &provider).await;
    assert_eq!(page, "/inbox?tab=mine");
    let session = me(&world, &mut browser).await;
    assert_eq!((&session["user"]["email"], &session["tenant"]["slug"]), (&json!(OWNER), &json!("acme")));
    // no cookie of the log-in is left behind
    assert!(browser.cookies(world.base()).starts_with("paloma_session="), "{}", browser.cookies(world.base()));
    assert!(!browser.cookies(world.base()).contains(';'));
    let identities = acme.items("/identities").await;
    assert_eq!(identities.len(), 1);
    assert_eq!(identities[0]["provider"], json!(provider));
    assert_eq!((&identities[0]["email"], &identities[0]["issuer"]), (&json!(OWNER), &json!(idp.issuer())));
    // the e-mail over there is another person's by now; the subject is still the owner
    idp.person("u-1", "somebody.else@example.com", false, &["pwd"]).await;
    let (mut again, page) = log_in(&world, &provider).await;
    assert_eq!(page, "/inbox?tab=mine");
    assert_eq!(me(&world, &mut again).await["user"]["id"], session["user"]["id"]);
    // and whoever has the e-mail next is not
    idp.person("u-2", OWNER, true, &["pwd"]).await;
    assert_eq!(log_in(&world, &provider).await.1, "/login?problem=identity_unknown");
    let audit = acme.get("/audit/changes?limit=200").await.expect(200).to_string();
    assert!(
        audit.contains("\"subject\":\"identity_provider\"") && audit.contains("\"subject\":\"identity\""),
        "{audit}"
    );
    world.finish().await;
}

#[tokio::test]
async fn nothing_of_a_log_in_and_no_secret_is_kept_or_shown_as_it_is() {
    let Some((world, acme, _idp, provider)) = ground().await else { return };
    let mut browser = Browser::new();
    let url = begin(&world, &mut browser, &json!({ "provider": provider })).await;
    let parameter = |name: &str| {
        let rest = url.split(&format!("{name}=")).nth(1).unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    assert_eq!(parameter("code_challenge_method"), "S256");
    let token = browser.cookies(world.base()).split('=').nth(1).unwrap().to_owned();
    let kept: String = sqlx::query_scalar(
        "select (select string_agg(b::text, '') from app.begun_log_ins b) || (select string_agg(p::text, '') from crm.identity_providers p)
             || (select string_agg(a::text, '') from crm.audit a)",
    )
    .fetch_one(&mut world.database.superuser().await)
    .await
    .unwrap();
    for secret in [&parameter("state"), &parameter("nonce"), &token, &CLIENT_SECRET.to_owned()] {
        assert!(!kept.contains(secret.as_str()), "{secret} is kept");
    }
    let shown = acme.get("/identity-providers").await.expect(200);
    assert_eq!(
        (&shown["items"][0]["has_client_secret"], &shown["items"][0]["is_enabled"]),
        (&json!(true), &json!(true))
    );
    assert!(!shown.to_string().contains(CLIENT_SECRET));
    let told = format!("{}/api/v1/session/oidc/{provider}/callback", world.base());
    assert_eq!(shown["items"][0]["redirect_url"], json!(told));
    let changed = json!({ "client_secret": "another", "name": "Acme" });
    let _ = acme.patch(&format!("/identity-providers/{provider}"), &changed).await.expect(200);
    let audit = acme.get("/audit/changes?subject=identity_provider").await.expect(200);
    assert_eq!(audit["items"][0]["after"], json!({ "client_secret": "***", "name": "Acme" }));
    world.finish().await;
}

#[tokio::test]
async fn of_two_that_come_back_at_once_one_comes_in() {
    let Some((world, acme, _idp, provider)) = ground().await else { return };
    let mut browser = Browser::new();
    let callback = through(&world, &mut browser, &provider).await;
    let cookies = browser.cookies(world.base());
    let (mut one, mut other) = (Browser::with(world.base(), &cookies), Browser::with(world.base(), &cookies));
    let (first, second) = tokio::join!(arrive(&world, &mut one, &callback), arrive(&world, &mut other, &callback));
    let mut both = [first, second];
    both.sort_unstable();
    assert_eq!(both, ["/inbox?tab=mine", "/login?problem=log_in_expired"]);
    assert_eq!(acme.items("/sessions").await.len(), 2, "the password's, and one of these");
    world.finish().await;
}

#[tokio::test]
async fn keys_that_were_changed_meanwhile_are_fetched_anew() {
    let Some((world, _acme, idp, provider)) = ground().await else { return };
    assert_eq!(log_in(&world, &provider).await.1, "/inbox?tab=mine");
    idp.rotate().await;
    assert_eq!(log_in(&world, &provider).await.1, "/inbox?tab=mine");
    world.finish().await;
}

#[tokio::test]
async fn somebody_invited_comes_in_by_a_provider_and_the_link_works_no_more() {
    let Some((world, acme, idp, provider)) = ground().await else { return };
    let invited = json!({ "name": "Eva", "email": "eva@example.com", "role": "agent" });
    let invited = acme.post("/users", &invited).await.expect(201);
    let token = invited["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    idp.person("u-eva", "Eva@Example.com", true, &["pwd"]).await;
    let (mut browser, page) = log_in(&world, &provider).await;
    assert_eq!(page, "/inbox?tab=mine");
    let user = me(&world, &mut browser).await["user"].clone();
    assert_eq!((&user["email"], &user["is_invited"]), (&json!("eva@example.com"), &json!(false)));
    let set = json!({ "password": PASSWORD });
    assert_eq!(acme.post(&format!("/invitations/{token}"), &set).await.status, StatusCode::NOT_FOUND);
    // it is her only way in, until she has a password
    let list = browser.ask(Method::GET, &api(&world, "/identities"), None).await;
    let own = api(&world, &format!("/identities/{}", list.body["items"][0]["id"].as_str().unwrap()));
    let refused = browser.ask(Method::DELETE, &own, Some(&json!({}))).await;
    assert_eq!(refused.body["code"], "only_way_in");
    let set = browser.ask(Method::PUT, &api(&world, "/session/password"), Some(&set)).await;
    assert_eq!(set.status, StatusCode::NO_CONTENT, "{}", set.body);
    assert_eq!(browser.ask(Method::DELETE, &own, Some(&json!({}))).await.status, StatusCode::NO_CONTENT);
    world.finish().await;
}

#[tokio::test]
async fn whoever_is_logged_in_links_proves_and_unlinks() {
    let Some((world, _acme, idp, provider)) = ground().await else { return };
    let password = Tenant::log_in(world.base(), OWNER, PASSWORD).await;
    let mut browser = Browser::with(world.base(), password.cookie());
    // by another e-mail than hers, which only she can say is hers
    idp.person("u-9", "private@example.com", false, &["pwd"]).await;
    let (status, begun) = begin_own(&world, &mut browser, "/identities", &provider).await;
    assert_eq!(status, StatusCode::OK, "{begun}");
    let callback = browser.walk(begun["url"].as_str().unwrap(), &api(&world, "/session/oidc/")).await;
    // whoever took the address elsewhere links nobody
    let mut elsewhere = Browser::with(world.base(), &without_session(&browser.cookies(world.base())));
    assert_eq!(arrive(&world, &mut elsewhere, &callback).await, "/settings/security?problem=unauthorized");
    let (_, begun) = begin_own(&world, &mut browser, "/identities", &provider).await;
    let callback = browser.walk(begun["url"].as_str().unwrap(), &api(&world, "/session/oidc/")).await;
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/settings/security");
    assert_eq!(log_in(&world, &provider).await.1, "/inbox?tab=mine");
    // once more is once too often
    let (_, begun) = begin_own(&world, &mut browser, "/identities", &provider).await;
    let callback = browser.walk(begun["url"].as_str().unwrap(), &api(&world, "/session/oidc/")).await;
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/settings/security?problem=identity_taken");
    // a proof holds for ten minutes, and then the provider gives another
    sqlx::query("update crm.sessions set proven_at = proven_at - interval '11 minutes'")
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
    let (status, refused) = begin_own(&world, &mut browser, "/identities", &provider).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("proof_needed")));
    idp.person("u-other", "other@example.com", true, &["pwd"]).await;
    let mut away = Browser::with(world.base(), password.cookie());
    let (_, begun) = begin_own(&world, &mut away, "/session/proof/oidc", &provider).await;
    let callback = away.walk(begun["url"].as_str().unwrap(), &api(&world, "/session/oidc/")).await;
    assert_eq!(arrive(&world, &mut away, &callback).await, "/settings/security?problem=identity_other");
    idp.person("u-9", "private@example.com", false, &["pwd"]).await;
    let (_, begun) = begin_own(&world, &mut browser, "/session/proof/oidc", &provider).await;
    assert!(
        begun["url"].as_str().unwrap().contains("prompt=login") && begun["url"].as_str().unwrap().contains("max_age=0")
    );
    let callback = browser.walk(begun["url"].as_str().unwrap(), &api(&world, "/session/oidc/")).await;
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/settings/security");
    let identities = password.items("/identities").await;
    let own = format!("/identities/{}", identities[0]["id"].as_str().unwrap());
    password.delete(&own).await.expect(204);
    assert_eq!(password.items("/sessions").await.len(), 1, "the others have ended");
    assert_eq!(log_in(&world, &provider).await.1, "/login?problem=email_not_verified");
    world.finish().await;
}

#[tokio::test]
async fn a_password_that_is_set_anew_by_a_link_leaves_no_way_in_of_somebody_else() {
    let Some((world, acme, idp, provider)) = ground().await else { return };
    let ana = acme.colleague("Ana", "agent").await;
    let id = ana.user_id().await;
    // whoever was at her screen has linked themselves
    idp.person("u-thief", "thief@example.com", false, &["pwd"]).await;
    let mut thief = Browser::with(world.base(), ana.cookie());
    let (_, begun) = begin_own(&world, &mut thief, "/identities", &provider).await;
    let callback = thief.walk(begun["url"].as_str().unwrap(), &api(&world, "/session/oidc/")).await;
    assert_eq!(arrive(&world, &mut thief, &callback).await, "/settings/security");
    assert_eq!(log_in(&world, &provider).await.1, "/inbox?tab=mine");
    let made = acme.act(&format!("/users/{id}/password-reset")).await.expect(200);
    let token = made["invitation_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let _ = acme.post(&format!("/invitations/{token}"), &json!({ "password": PASSWORD })).await.expect(200);
    assert_eq!(log_in(&world, &provider).await.1, "/login?problem=email_not_verified");
    world.finish().await;
}

fn without_session(cookies: &str) -> String {
    cookies.split("; ").filter(|pair| !pair.starts_with("paloma_session=")).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_log_in_over_there_that_was_long_ago_proves_nothing_here() {
    let Some((world, _acme, idp, provider)) = ground().await else { return };
    idp.lie(json!({ "claims": { "auth_time": "now-3600" } })).await;
    let (mut browser, page) = log_in(&world, &provider).await;
    assert_eq!(page, "/inbox?tab=mine");
    let (status, refused) = begin_own(&world, &mut browser, "/identities", &provider).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("proof_needed")));
    let (_, begun) = begin_own(&world, &mut browser, "/session/proof/oidc", &provider).await;
    let callback = browser.walk(begun["url"].as_str().unwrap(), &api(&world, "/session/oidc/")).await;
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/settings/security?problem=identity_proof_stale");
    world.finish().await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_unless_the_provider_has_asked() {
    let Some((world, acme, idp, provider)) = ground().await else { return };
    assert_eq!(log_in(&world, &provider).await.1, "/inbox?tab=mine");
    let setup = acme.act("/second-factor").await.expect(200);
    let authenticator = Authenticator::scan(&world, &setup).await;
    let first = authenticator.code(0);
    let _ = acme.put("/second-factor", &json!({ "code": first })).await.expect(200);
    acme.put("/log-in-policy", &json!({ "requires_second_factor": true })).await.expect(200);
    let (mut browser, page) = log_in(&world, &provider).await;
    let handle = page.strip_prefix("/login?code_of=").unwrap_or_else(|| panic!("{page}")).to_owned();
    assert_eq!(browser.ask(Method::GET, &api(&world, "/session"), None).await.status, StatusCode::UNAUTHORIZED);
    let give = async |browser: &mut Browser, code: &str| {
        let body = json!({ "log_in": handle, "code": code });
        browser.ask(Method::POST, &api(&world, "/session/oidc/code"), Some(&body)).await
    };
    assert_eq!(give(&mut browser, "000000").await.body["code"], "code_wrong");
    assert_eq!(give(&mut browser, &first).await.body["code"], "code_wrong", "it was used to set it up");
    let next = authenticator.code(1);
    assert_eq!(give(&mut Browser::new(), &next).await.body["code"], "log_in_expired", "another browser");
    let came = give(&mut browser, &next).await;
    assert_eq!((came.status, &came.body["return_to"]), (StatusCode::OK, &json!("/inbox?tab=mine")), "{}", came.body);
    assert_eq!(me(&world, &mut browser).await["user"]["email"], OWNER);
    assert_eq!(give(&mut browser, &next).await.body["code"], "log_in_expired");
    // a provider that says it has asked for more than one thing is believed
    idp.person("u-1", OWNER, true, &["pwd", "otp", "mfa"]).await;
    assert_eq!(log_in(&world, &provider).await.1, "/inbox?tab=mine");
    // also for whoever has set up none here, although the account asks for one
    let ana = json!({ "name": "Ana", "email": "ana@example.com", "role": "agent" });
    let _ = acme.post("/users", &ana).await.expect(201);
    idp.person("u-ana", "ana@example.com", true, &["mfa"]).await;
    let (mut browser, _) = log_in(&world, &provider).await;
    assert_eq!(me(&world, &mut browser).await["lacks_second_factor"], false);
    idp.person("u-ana", "ana@example.com", true, &["pwd"]).await;
    let (mut browser, _) = log_in(&world, &provider).await;
    assert_eq!(me(&world, &mut browser).await["lacks_second_factor"], true);
    world.finish().await;
}

#[tokio::test]
async fn the_installations_provider_is_for_everybody_and_asks_whose_where_several_fit() {
    let Some(idp) = IdentityProvider::start().await else { return };
    let world = World::with_issuer(idp.issuer()).await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let buttons =
        async |query: &str| acme.get(&format!("/session/providers{query}")).await.expect(200)["items"].clone();
    let shared = json!([{ "id": "installation", "name": "OpenID Connect" }]);
    for query in ["", "?tenant=acme", "?tenant=nobody"] {
        assert_eq!(buttons(query).await, shared, "{query}");
    }
    idp.person("u-1", OWNER, true, &["pwd"]).await;
    assert_eq!(log_in(&world, "installation").await.1, "/inbox?tab=mine");
    let both = json!({ "name": "Owner of acme", "email": OWNER, "role": "agent" });
    let _ = other.post("/users", &both).await.expect(201);
    // one who is known goes before one who has the same e-mail, unless the account is named
    let (mut browser, _) = log_in(&world, "installation").await;
    assert_eq!(me(&world, &mut browser).await["tenant"]["slug"], "acme");
    let named = json!({ "provider": "installation", "tenant": "other" });
    let mut browser = Browser::new();
    let url = begin(&world, &mut browser, &named).await;
    let callback = browser.walk(&url, &api(&world, "/session/oidc/")).await;
    assert_eq!(arrive(&world, &mut browser, &callback).await, "/");
    assert_eq!(me(&world, &mut browser).await["tenant"]["slug"], "other");
    assert_eq!(log_in(&world, "installation").await.1, "/login?problem=tenant_required");
    world.finish().await;
}
