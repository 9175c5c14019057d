//! Who may come in and what they see: log-in, keys, foreign pages, and other tenants' things, which are missing things.

use e2e::{Answer, Tenant, World};
use reqwest::{Client, Method, StatusCode, header};
use serde_json::{Value, json};

async fn log_in(world: &World, email: &str, password: &str) -> (StatusCode, Option<String>, Value) {
    let answer = Client::new()
        .post(format!("{}/api/v1/session", world.base()))
        .json(&json!({ "email": email, "password": password }))
        .send()
        .await
        .expect("an answer");
    let status = answer.status();
    let wait = answer.headers().get(header::RETRY_AFTER).and_then(|wait| Some(wait.to_str().ok()?.to_owned()));
    let mut body: Value = answer.json().await.expect("a problem");
    body.as_object_mut().expect("an object").remove("request_id");
    (status, wait, body)
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_answer_alike_and_are_throttled_alike() {
    let world = World::without_workers().await;
    let _ = world.tenant("acme").await;
    for _ in 0..5 {
        let wrong = log_in(&world, "owner@acme.example", "not the password").await;
        let unknown = log_in(&world, "nobody@acme.example", "not the password").await;
        assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
        assert_eq!(wrong, unknown);
    }
    let known = log_in(&world, "owner@acme.example", "a long enough password").await;
    let unknown = log_in(&world, "nobody@acme.example", "a long enough password").await;
    assert_eq!((known.0, unknown.0), (StatusCode::TOO_MANY_REQUESTS, StatusCode::TOO_MANY_REQUESTS));
    assert!(known.1.is_some() && unknown.1.is_some(), "both are told when to come back");
    assert_eq!(known.2["code"], unknown.2["code"]);
    world.database.advance(std::time::Duration::from_secs(16 * 60)).await;
    assert_eq!(log_in(&world, "owner@acme.example", "a long enough password").await.0, StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn an_office_behind_one_address_may_log_in_as_often_as_it_likes() {
    let world = World::without_workers().await;
    let _ = world.tenant("acme").await;
    for _ in 0..20 {
        assert_eq!(log_in(&world, "owner@acme.example", "a long enough password").await.0, StatusCode::OK);
    }
    world.finish().await;
}

async fn with_key(world: &World, token: &str, method: Method, path: &str) -> Answer {
    let url = format!("{}/api/v1{path}", world.base());
    let answer =
        Client::new().request(method, url).bearer_auth(token).json(&json!({})).send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a whole answer");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, text, body }
}

#[tokio::test]
async fn a_key_may_do_what_it_names_until_it_is_revoked() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let body = json!({ "name": "export", "permissions": ["contacts.view"] });
    let made = acme.post("/api-keys", &body).await.expect(201);
    let token = made["token"].as_str().expect("a token, shown once");
    assert_eq!(with_key(&world, token, Method::GET, "/contacts").await.status, StatusCode::OK);
    for (method, path) in [
        (Method::POST, "/contacts"),
        (Method::GET, "/campaigns"),
        (Method::POST, "/campaigns"),
        (Method::GET, "/lines"),
        (Method::GET, "/jobs"),
        (Method::POST, "/api-keys"),
    ] {
        let refused = with_key(&world, token, method.clone(), path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path} {}", refused.text);
    }
    assert!(acme.get("/api-keys").await.text.find(token).is_none(), "a key is never shown again");
    let path = format!("/api-keys/{}", made["id"].as_str().unwrap());
    assert_eq!(acme.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(with_key(&world, token, Method::GET, "/contacts").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(with_key(&world, "nonsense", Method::GET, "/contacts").await.status, StatusCode::UNAUTHORIZED);
    world.finish().await;
}

#[tokio::test]
async fn a_foreign_page_can_not_act_with_a_persons_cookie() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let post = |origin: &'static str| {
        Client::new()
            .post(format!("{}/api/v1/contacts", world.base()))
            .header(header::COOKIE, acme.cookie())
            .header(header::ORIGIN, origin)
            .json(&json!({ "phone": "+13055550142" }))
            .send()
    };
    for origin in ["https://evil.example", "null"] {
        assert_eq!(post(origin).await.unwrap().status(), StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(acme.items("/contacts").await.len(), 0);
    let _ = acme.post("/contacts", &json!({ "phone": "+13055550142" })).await.expect(201);
    let anonymous = Client::new().get(format!("{}/api/v1/contacts", world.base())).send().await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    world.finish().await;
}

async fn first_id(tenant: &Tenant, path: &str) -> String {
    let rows = tenant.items(path).await;
    let id = &rows.first().unwrap_or_else(|| panic!("nothing under {path}"))["id"];
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// D11
#[tokio::test]
async fn another_tenants_thing_answers_as_a_missing_one_to_the_byte() {
    let mut world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(3).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    world.settle().await;
    world.stop_workers().await;
    let later = acme.draft(&line, &import, json!({})).await;
    acme.launch(&later).await;
    let contact = first_id(&acme, "/contacts").await;
    let conversation = first_id(&acme, "/conversations").await;
    let job = first_id(&acme, "/jobs").await;
    let missing = uuid::Uuid::now_v7().to_string();
    let of = |template: &str, id: &str| template.replace("{}", id);
    for (template, id, missing) in [
        ("/lines/{}", &line, missing.as_str()),
        ("/campaigns/{}", &campaign, &missing),
        ("/campaigns/{}/progress", &campaign, &missing),
        ("/campaigns/{}/recipients", &campaign, &missing),
        ("/imports/{}", &import, &missing),
        ("/imports/{}/errors", &import, &missing),
        ("/imports/{}/error-file", &import, &missing),
        ("/contacts/{}", &contact, &missing),
        ("/conversations/{}", &conversation, &missing),
        ("/conversations/{}/messages", &conversation, &missing),
        ("/conversations/{}/presence", &conversation, &missing),
        ("/jobs/{}", &job, "999999999999"),
    ] {
        assert_eq!(acme.get(&of(template, id)).await.status, StatusCode::OK, "{template}");
        let (foreign, none) = (other.get(&of(template, id)).await, other.get(&of(template, missing)).await);
        assert_eq!((foreign.status, &foreign.text), (StatusCode::NOT_FOUND, &none.text), "{template}");
    }
    for act in ["launch", "pause", "resume", "cancel"] {
        let template = format!("/campaigns/{{}}/{act}");
        let (foreign, none) = (other.act(&of(&template, &later)).await, other.act(&of(&template, &missing)).await);
        assert_eq!((foreign.status, &foreign.text), (StatusCode::NOT_FOUND, &none.text), "{act}");
    }
    // nor can a campaign of theirs be built on a line or an import of ours
    let body = |line: &str, import: &Value| json!({ "name": "x", "line_id": line, "import_id": import, "body": "x" });
    let foreign = other.post("/campaigns", &body(&line, &Value::Null)).await;
    let none = other.post("/campaigns", &body(&missing, &Value::Null)).await;
    assert_eq!((foreign.status, &foreign.text), (StatusCode::NOT_FOUND, &none.text));
    for list in ["/lines", "/campaigns", "/imports", "/contacts", "/conversations", "/jobs"] {
        assert_eq!(other.items(list).await, Vec::<Value>::new(), "{list}");
    }
    world.start_worker().await;
    acme.until(&later, "completed").await;
    world.settle().await;
    world.finish().await;
}
