//! The platform's operators: people of their own, and what they do to tenants, each with a reason that is kept.

use std::time::Duration;

use e2e::{Answer, Authenticator, Tenant, World, actors::PASSWORD, eventually};
use reqwest::{Client, Method, header};
use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

/// Somebody who operates the platform, logged in.
#[derive(Clone)]
pub(crate) struct Staff {
    pub(crate) base: String,
    pub(crate) id: String,
    pub(crate) cookie: String,
    authenticator: Authenticator,
}

async fn read(request: reqwest::RequestBuilder) -> (Answer, Option<String>) {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let cookie = headers.get(header::SET_COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    (Answer { status, text, body }, cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned()))
}

fn open(base: &str, method: Method, path: &str) -> reqwest::RequestBuilder {
    Client::new().request(method, format!("{base}/api/v1/platform{path}")).header(header::ORIGIN, base)
}

/// What an operator brings to log in; the answer and the cookie.
async fn log_in(base: &str, email: &str, password: &str, code: Option<&str>) -> (Answer, Option<String>) {
    let body = json!({ "email": email, "password": password, "code": code });
    read(open(base, Method::POST, "/session").json(&body)).await
}

/// The token at the end of a link.
fn token(invited: &Value) -> String {
    invited["link_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

/// Sets password and second factor by a link.
async fn accept(world: &World, base: &str, token: &str) -> (Answer, Authenticator) {
    let path = format!("/invitations/{token}");
    let begun = read(open(base, Method::POST, &format!("{path}/second-factor"))).await.0.expect(200);
    let authenticator = Authenticator::scan(world, &begun).await;
    let body = json!({ "password": PASSWORD, "sealed": begun["sealed"], "code": authenticator.code(0) });
    (read(open(base, Method::POST, &path).json(&body)).await.0, authenticator)
}

impl Staff {
    /// Invited by the installation's token, and in.
    pub(crate) async fn new(world: &World, name: &str) -> Self {
        let email = format!("{name}@platform.example");
        let body = json!({ "email": email, "name": name, "reason": "joins us" });
        let invited = world.operator().post("/operators", &body).await.expect(201);
        let (accepted, authenticator) = accept(world, world.base(), &token(&invited)).await;
        accepted.expect(204);
        let code = authenticator.code(1);
        let (answer, cookie) = log_in(world.base(), &email, PASSWORD, Some(&code)).await;
        answer.expect(200);
        let id = invited["id"].as_str().unwrap().to_owned();
        Self { base: world.base().to_owned(), id, cookie: cookie.unwrap(), authenticator }
    }
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        open(&self.base, method, path).header(header::COOKIE, &self.cookie)
    }
    pub(crate) async fn get(&self, path: &str) -> Answer {
        read(self.request(Method::GET, path)).await.0
    }
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        read(self.request(Method::POST, path).json(body)).await.0
    }
    /// The same act by a cookie that the answer sets.
    pub(crate) async fn opened(&self, path: &str, body: &Value) -> (Value, String) {
        let (answer, cookie) = read(self.request(Method::POST, path).json(body)).await;
        (answer.expect(201), cookie.unwrap())
    }
}

fn why(reason: &str) -> Value {
    json!({ "reason": reason })
}

pub(crate) async fn tenant_id(tenant: &Tenant) -> String {
    tenant.get("/session").await.expect(200)["tenant"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_operator_comes_in_by_a_link_with_a_password_and_a_code_and_by_nothing_less() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let base = world.base();
    let eva = json!({ "email": "Eva@Platform.example", "name": "Eva", "reason": "joins us" });
    let first = token(&world.operator().post("/operators", &eva).await.expect(201));
    assert_eq!(world.operator().post("/operators", &eva).await.code(), "operator_email_taken");
    let shown = read(open(base, Method::GET, &format!("/invitations/{first}"))).await.0.expect(200);
    assert_eq!(shown, json!({ "email": "eva@platform.example", "name": "Eva" }));
    let id = world.operator().items("/operators").await[0]["id"].as_str().unwrap().to_owned();
    let second = token(&world.operator().post(&format!("/operators/{id}/link"), &why("lost it")).await.expect(200));
    assert_eq!(read(open(base, Method::GET, &format!("/invitations/{first}"))).await.0.status, 404);
    // a code that is none, and a secret that we did not seal
    let begun = read(open(base, Method::POST, &format!("/invitations/{second}/second-factor"))).await.0.expect(200);
    for sealed in [begun["sealed"].clone(), json!("AAAA")] {
        let body = json!({ "password": PASSWORD, "sealed": sealed, "code": "000000" });
        let refused = read(open(base, Method::POST, &format!("/invitations/{second}")).json(&body)).await.0;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "code_wrong"));
    }
    assert_eq!(log_in(base, "eva@platform.example", PASSWORD, None).await.0.code(), "bad_credentials");
    let (one, other) = tokio::join!(accept(&world, base, &second), accept(&world, base, &second));
    let mut both = [one.0.status.as_u16(), other.0.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [204, 404], "a link works once, also for two at once");
    let authenticator = if one.0.status == 204 { one.1 } else { other.1 };
    let log_in =
        |code: Option<String>| async move { log_in(base, "eva@platform.example", PASSWORD, code.as_deref()).await };
    assert_eq!(log_in(None).await.0.code(), "code_needed");
    assert_eq!(log_in(Some(authenticator.code(0))).await.0.code(), "code_wrong", "it set the factor up");
    let next = authenticator.code(1);
    let (a, b) = tokio::join!(log_in(Some(next.clone())), log_in(Some(next)));
    let mut both = [a.0.status.as_u16(), b.0.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [200, 401], "of two with one code one comes in");
    let cookie = a.1.or(b.1).unwrap();
    let me = |cookie: String| async move {
        read(open(base, Method::GET, "/session").header(header::COOKIE, cookie)).await.0
    };
    assert_eq!(me(cookie.clone()).await.expect(200)["person"]["email"], "eva@platform.example");
    // nobody in a tenant, and nobody of a tenant here
    let contacts = Client::new().get(format!("{base}/api/v1/contacts")).header(header::COOKIE, &cookie);
    assert_eq!(contacts.send().await.unwrap().status(), 401);
    assert_eq!(me(acme.cookie().to_owned()).await.status, 401);
    assert_eq!(me(acme.cookie().replace("paloma_session", "paloma_operator")).await.status, 401);
    // a new link leaves what they have until it is used, and then ends it
    let third =
        token(&world.operator().post(&format!("/operators/{id}/link"), &why("lost the phone")).await.expect(200));
    assert_eq!(me(cookie.clone()).await.status, 200);
    accept(&world, base, &third).await.0.expect(204);
    assert_eq!(me(cookie).await.status, 401);
    let kept: String = sqlx::query_scalar(
        "select string_agg(o::text, '') || (select string_agg(l::text, '') from app.operator_links l) from app.operators o",
    )
    .fetch_one(&mut world.database.superuser().await)
    .await
    .unwrap();
    assert!(!kept.contains(&third) && !kept.contains(&authenticator.secret()));
    world.finish().await;
}

#[tokio::test]
async fn an_operator_who_is_disabled_is_out_at_once_and_the_last_one_stays_while_there_is_no_token() {
    let world = World::without_workers().await;
    let (eva, luis) = (Staff::new(&world, "eva").await, Staff::new(&world, "luis").await);
    let path = |of: &Staff, act: &str| format!("/operators/{}/{act}", of.id);
    eva.post(&path(&luis, "disable"), &why("has left")).await.expect(200);
    assert_eq!(luis.get("/session").await.status, 401);
    assert_eq!(eva.post(&path(&luis, "disable"), &why("has left")).await.code(), "operator_disabled");
    assert_eq!(eva.post(&path(&luis, "link"), &why("again")).await.code(), "operator_disabled");
    world.database.advance(Duration::from_secs(60)).await;
    let back = log_in(world.base(), "luis@platform.example", PASSWORD, Some(&luis.authenticator.code(2))).await.0;
    assert_eq!(back.code(), "bad_credentials");
    eva.post(&path(&luis, "enable"), &why("is back")).await.expect(200);
    assert_eq!(luis.get("/session").await.status, 401, "the old session stays ended");
    // the acts name who did them
    let acts = eva.get("/audit?subject=operator").await.expect(200);
    assert_eq!(
        (&acts["items"][0]["act"], &acts["items"][0]["actor"]),
        (&json!("enable"), &json!(format!("operator:{}", eva.id)))
    );
    // without a token: of two who disable each other at once one stays
    let base = world.second_api(|config| config.operator_token = None).await;
    for round in 0..3 {
        let code = luis.authenticator.code(2 * (round + 1));
        let (_, cookie) = log_in(&base, "luis@platform.example", PASSWORD, Some(&code)).await;
        let luis =
            Staff { base: base.clone(), cookie: cookie.unwrap_or_else(|| panic!("round {round}")), ..luis.clone() };
        let eva = Staff { base: base.clone(), ..eva.clone() };
        let (of_eva, of_luis, reason) = (path(&eva, "disable"), path(&luis, "disable"), why("a quarrel"));
        let (a, b) = tokio::join!(eva.post(&of_luis, &reason), luis.post(&of_eva, &reason));
        let left: i64 = sqlx::query_scalar("select count(*) from app.operators where disabled_at is null")
            .fetch_one(&mut world.database.superuser().await)
            .await
            .unwrap();
        assert_eq!(left, 1, "{} {}", a.text, b.text);
        let (last, gone) = if eva.get("/session").await.status == 200 { (&eva, &luis) } else { (&luis, &eva) };
        assert_eq!(last.post(&path(last, "disable"), &reason).await.code(), "last_operator");
        last.post(&path(gone, "enable"), &reason).await.expect(200);
        if gone.id == eva.id {
            break;
        }
        world.database.advance(Duration::from_secs(60)).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_tenant_is_found_changed_suspended_activated_and_closed_with_a_reason() {
    let world = World::without_workers().await;
    let (acme, eva) = (world.tenant("acme").await, Staff::new(&world, "eva").await);
    world.tenant("bravo").await;
    let id = tenant_id(&acme).await;
    let path = format!("/tenants/{id}");
    let slugs = |found: Value| -> Vec<String> {
        found["items"].as_array().unwrap().iter().map(|tenant| tenant["slug"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(slugs(eva.get("/tenants?search=AC").await.expect(200)), ["acme"]);
    assert_eq!(slugs(eva.get("/tenants?search=%25").await.expect(200)), Vec::<String>::new());
    let change =
        json!({ "reason": "has moved", "change": { "name": "Acme 2", "time_zone": "Europe/Madrid", "region": "ES" } });
    let changed = read(eva.request(Method::PATCH, &path).json(&change)).await.0.expect(200);
    assert_eq!(
        (&changed["name"], &changed["region"], &changed["plan"]),
        (&json!("Acme 2"), &json!("ES"), &json!("unlimited"))
    );
    for (change, code) in [
        (json!({ "time_zone": "Mars/Olympus" }), "time_zone_unknown"),
        (json!({ "region": "XX" }), "region_unknown"),
        (json!({ "name": " " }), "name_length"),
        (json!({ "plan": "nowhere" }), "plan_unknown"),
    ] {
        let body = json!({ "reason": "to see", "change": change });
        assert_eq!(read(eva.request(Method::PATCH, &path).json(&body)).await.0.code(), code);
    }
    assert_eq!(eva.post(&format!("{path}/suspend"), &why(" ")).await.code(), "reason_length");
    // of two at once one wins, either way
    for (act, state) in [("suspend", "suspended"), ("activate", "active"), ("suspend", "suspended")] {
        let (act, reason) = (format!("{path}/{act}"), why("an invoice"));
        let operator = world.operator();
        let (a, b) = tokio::join!(eva.post(&act, &reason), operator.post(&act, &reason));
        let mut both = [a.status.as_u16(), b.status.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [200, 409], "{} {}", a.text, b.text);
        let tenant = eva.get(&path).await.expect(200);
        assert_eq!((&tenant["state"], &tenant["state_reason"]), (&json!(state), &json!("an invoice")));
    }
    assert_eq!(slugs(eva.get("/tenants?state=suspended").await.expect(200)), ["acme"]);
    // the tenant sees it, with who and why
    let seen = &acme.items("/audit/changes?subject=tenant").await[0];
    assert_eq!(
        (&seen["after"]["state"], &seen["after"]["state_reason"]),
        (&json!("suspended"), &Value::Null),
        "{seen}"
    );
    assert!(seen["actor"].as_str().unwrap().starts_with("operator"), "{seen}");
    assert_eq!(acme.items("/audit?subject=tenant").await[0]["reason"], "an invoice");
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], Value::Null);
    let close = |slug: &str| json!({ "reason": "has left", "slug": slug });
    assert_eq!(eva.post(&format!("{path}/close"), &close("acm")).await.code(), "slug_differs");
    eva.post(&format!("{path}/close"), &close("acme")).await.expect(200);
    assert_eq!(eva.post(&format!("{path}/close"), &close("acme")).await.code(), "tenant_state");
    assert_eq!(acme.get("/session").await.status, 401);
    assert_eq!(
        acme.post("/session", &json!({ "email": "owner@acme.example", "password": PASSWORD })).await.status,
        401
    );
    eva.post(&format!("{path}/activate"), &why("is back")).await.expect(200);
    let _ = acme.get("/session").await.expect(200);
    let nobody = format!("/tenants/{}", uuid::Uuid::now_v7());
    for act in ["", "/usage", "/users"] {
        assert_eq!(eva.get(&format!("{nobody}{act}")).await.status, 404, "{act}");
    }
    for act in ["suspend", "activate"] {
        assert_eq!(eva.post(&format!("{nobody}/{act}"), &why("x")).await.status, 404);
    }
    world.finish().await;
}

/// D19
#[tokio::test]
async fn what_a_suspended_tenant_has_queued_waits_what_comes_in_is_stored_and_all_goes_on_within_a_minute() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({ "unlimited": false, "rate_per_minute": 60, "burst": 1 })).await;
    let import = acme.contacts(4).await;
    let path = format!("/tenants/{}", tenant_id(&acme).await);
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    let text = |n: usize| json!({ "line_id": line, "address": format!("+1305557000{n}"), "text": "x" });
    let jobs: Vec<Value> = (0..2).map(|n| json!({ "kind": "messaging.send_text", "payload": text(n) })).collect();
    acme.post("/jobs", &json!({ "jobs": jobs })).await.expect(200);
    eventually("the first is out", || async { !world.sends().is_empty() }).await;
    world.operator().post(&format!("{path}/suspend"), &why("an invoice")).await.expect(200);
    world.drain_lane(&format!("campaign/{campaign}")).await;
    let before = world.sends().len();
    assert!(before < 6, "{before} of 6 were out before the suspension");
    for refused in [
        acme.post("/jobs", &json!({ "jobs": jobs })).await,
        acme.act(&format!("/campaigns/{campaign}/resume")).await,
        acme.post("/contacts", &json!({ "phone": "+13055550199" })).await,
    ] {
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "tenant_suspended"));
    }
    world.advance(Duration::from_secs(120)).await;
    world.sim.inbound(&Inbound::new("+13055550142", "hola")).unwrap();
    eventually("it is stored", || async { acme.messages("+13055550142").await.len() == 1 }).await;
    assert_eq!(world.sends().len(), before, "nothing went out meanwhile");
    let export = acme.post("/contacts/bulk/export", &json!({ "filter": {} })).await;
    assert!(export.status.is_success(), "{}", export.text);
    let file = format!("/contacts/bulk/{}/file", export.body["id"].as_str().unwrap());
    eventually("the export is there", || async { acme.get(&file).await.status == 200 }).await;
    // what an operator has paused by itself stays so
    world.operator().post(&format!("{path}/activate"), &why("paid")).await.expect(200);
    eventually("all of it is out", || async {
        world.advance(Duration::from_secs(2)).await;
        world.sends().len() >= 6
    })
    .await;
    acme.until(&campaign, "completed").await;
    world.settle().await;
    assert_eq!((world.sim.summary().total, world.sim.summary().duplicates), (6, 0));
    world.finish().await;
}

#[tokio::test]
async fn a_gate_that_an_operator_has_paused_stays_so_when_its_tenant_goes_on() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    for n in 1..=2 {
        acme.line(&world, json!({ "address": format!("+1555000000{n}"), "name": format!("Line {n}") })).await;
    }
    let path = format!("/tenants/{}", tenant_id(&acme).await);
    let operator = world.operator();
    let is_out = |gate: &Value| !gate["key"].as_str().unwrap().ends_with("/inbound");
    let gates: Vec<Value> = acme.items("/gates").await.into_iter().filter(is_out).collect();
    let (one, other) = (gates[0]["id"].as_i64().unwrap(), gates[1]["id"].as_i64().unwrap());
    let paused = async || {
        let gates = acme.items("/gates").await;
        let paused = gates.iter().filter(|gate| !gate["paused_at"].is_null());
        paused.map(|gate| gate["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    operator.post(&format!("/gates/{one}/pause"), &why("a fault")).await;
    operator.post(&format!("{path}/suspend"), &why("an invoice")).await.expect(200);
    assert_eq!(paused().await.len(), 2, "what comes in passes gates of its own");
    operator.post(&format!("{path}/activate"), &why("paid")).await.expect(200);
    assert_eq!(paused().await, [one]);
    operator.post(&format!("{path}/suspend"), &why("an invoice")).await.expect(200);
    operator.post(&format!("/gates/{other}/pause"), &why("a fault too")).await;
    operator.post(&format!("{path}/activate"), &why("paid")).await.expect(200);
    assert_eq!(paused().await.len(), 2);
    world.finish().await;
}
