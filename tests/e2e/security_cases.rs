//! What an attacker tries: guessing from many names and addresses, keys that would do more than their maker, fields that nobody may set, and a
//! session that was ended elsewhere.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use crm::App;
use e2e::{Answer, Tenant, World, actors::PASSWORD};
use futures::StreamExt;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use uuid::Uuid;

/// A second api process over the same database, behind a proxy if wanted.
async fn another_api(world: &World, behind_proxy: bool) -> (App, String) {
    let app = App::start((*world.app.config).clone(), "paloma-test-2").await.expect("an application");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let router = api::router_with(app.clone(), api::Settings { behind_proxy, ..api::Settings::default() });
    let stop = app.stop.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move {
        axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await }).await
    });
    (app, base)
}

/// The status of a log-in from an address, and what it says but for the request's id.
async fn guess(base: &str, email: &str, address: IpAddr) -> (u16, Value) {
    let request = Client::new()
        .post(format!("{base}/api/v1/session"))
        .header("x-forwarded-for", format!("203.0.113.77, {address}"))
        .json(&json!({ "email": email, "password": "not the password" }));
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let mut body: Value = answer.json().await.expect("a problem");
    for told in ["request_id", "detail"] {
        // the detail of a 429 has the seconds in it
        body.as_object_mut().expect("an object").remove(told);
    }
    (status, body)
}

/// SEC-03
#[tokio::test]
async fn guesses_are_counted_by_name_and_by_address_whether_the_name_is_known_or_not() {
    let world = World::without_workers().await;
    let _ = world.tenant("acme").await;
    let (app, base) = another_api(&world, true).await;
    let address = |n: u8| IpAddr::V4(Ipv4Addr::new(198, 51, 100, n));
    // twenty names from one address, one of them known
    let mut many = Vec::new();
    for n in 0..20 {
        let email = if n == 17 { "owner@acme.example".to_owned() } else { format!("somebody-{n}@acme.example") };
        many.push(guess(&base, &email, address(9)).await);
    }
    let statuses: Vec<u16> = many.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [vec![401; 15], vec![429; 5]].concat(), "one address, twenty names");
    assert_eq!(many[17], many[18], "the known name is told what an unknown one is");
    assert_eq!(guess(&base, "owner@acme.example", address(10)).await.0, 401, "another address is let in");
    // one name from six addresses, known and unknown alike
    world.database.advance(Duration::from_secs(16 * 60)).await;
    for email in ["owner@acme.example", "nobody@acme.example"] {
        let mut seen = Vec::new();
        for n in 20..26 {
            seen.push(guess(&base, email, address(n)).await);
        }
        let statuses: Vec<u16> = seen.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429], "{email}");
    }
    let known = guess(&base, "owner@acme.example", address(40)).await;
    let unknown = guess(&base, "nobody@acme.example", address(41)).await;
    assert_eq!((known.0, &known), (429, &unknown), "to the same words");
    app.stop.cancel();
    app.db.close();
    world.finish().await;
}

async fn with_key(base: &str, token: &str, method: Method, path: &str, body: Value) -> Answer {
    let request = Client::new().request(method, format!("{base}/api/v1{path}")).bearer_auth(token).json(&body);
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a whole answer");
    Answer { status, body: serde_json::from_str(&text).unwrap_or_default(), text }
}

async fn key(tenant: &Tenant, permissions: &[&str], more: Value) -> (String, String) {
    let mut body = json!({ "name": "program", "permissions": permissions });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = tenant.post("/api-keys", &body).await.expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

/// SEC-06
#[tokio::test]
async fn a_key_shrinks_with_its_maker_and_makes_no_keys() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let admin = acme.colleague("Ana", "admin").await;
    let id = admin.user_id().await;
    let wanted = ["admin.api_keys_manage", "admin.users_manage", "contacts.view"];
    let (_, token) = key(&admin, &wanted, json!({})).await;
    let get = |path: &'static str| with_key(world.base(), &token, Method::GET, path, Value::Null);
    let body = json!({ "name": "more", "permissions": ["contacts.view"] });
    // it may see to keys and users, and still makes no key
    assert_eq!(get("/api-keys").await.status, 200);
    let refused = with_key(world.base(), &token, Method::POST, "/api-keys", body).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "forbidden"));
    // nor gives anybody what its maker or itself lacks
    for role in ["owner", "admin"] {
        let user = json!({ "name": "x", "email": "x@example.com", "role": role });
        let refused = with_key(world.base(), &token, Method::POST, "/users", user).await;
        assert_eq!(refused.code(), "role_beyond_own", "{}", refused.text);
    }
    let beyond = json!({ "name": "x", "permissions": ["billing.refund"] });
    assert_eq!(admin.post("/api-keys", &beyond).await.code(), "permissions_beyond_own");
    assert_eq!(acme.items("/api-keys").await.len(), 1);
    // its maker loses rights: so does it, at once; and has them again when they return
    acme.patch(&format!("/users/{id}"), &json!({ "role": "billing" })).await.expect(200);
    assert_eq!((get("/api-keys").await.status.as_u16(), get("/contacts").await.status.as_u16()), (403, 403));
    acme.patch(&format!("/users/{id}"), &json!({ "role": "agent" })).await.expect(200);
    assert_eq!((get("/api-keys").await.status.as_u16(), get("/contacts").await.status.as_u16()), (403, 200));
    acme.patch(&format!("/users/{id}"), &json!({ "is_active": false })).await.expect(200);
    assert_eq!(get("/contacts").await.status, 401);
    world.finish().await;
}

/// SEC-06
#[tokio::test]
async fn a_key_that_has_expired_is_nobodys_and_its_secret_is_stored_nowhere() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let now: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select app.now()").fetch_one(&mut world.database.superuser().await).await.unwrap();
    let expires_at = now + chrono::TimeDelta::hours(1);
    let (_, token) = key(&acme, &["contacts.view"], json!({ "expires_at": expires_at })).await;
    let ask = || with_key(world.base(), &token, Method::GET, "/contacts", Value::Null);
    assert_eq!(ask().await.status, 200);
    let (_, prefix, secret) = {
        let mut parts = token.splitn(3, '_');
        (parts.next().unwrap(), parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned())
    };
    // whoever reads every row finds by the prefix a hash and nothing of the secret, as text or as bytes
    assert_eq!(world.database.tables_with(&secret).await, Vec::<String>::new());
    let as_bytes: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(world.database.tables_with(&as_bytes).await, Vec::<String>::new());
    let found = world.database.tables_with(&prefix).await;
    assert!(found.iter().any(|table| table == "crm.api_keys"), "{found:?}");
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("select secret_hash from crm.api_keys")
        .fetch_all(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(hashes.iter().map(Vec::len).collect::<Vec<_>>(), [32]);
    world.advance(Duration::from_secs(3_601)).await;
    let gone = ask().await;
    assert_eq!((gone.status.as_u16(), gone.code()), (401, "unauthorized"));
    world.finish().await;
}

/// What nobody sets by a body, and where it is set all the same.
const INTRUDERS: [&str; 6] = ["tenant_id", "id", "permissions", "is_admin", "role", "created_by"];

/// SEC-08
#[tokio::test]
async fn no_body_takes_a_field_that_it_does_not_name() {
    let world = World::without_workers().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let theirs = other.get("/session").await.expect(200)["tenant"]["id"].clone();
    let document = serde_json::to_value(api::document()).unwrap();
    let nowhere = Uuid::now_v7().to_string();
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(schema) = operation["requestBody"]["content"]["application/json"].get("schema") else { continue };
            // the operator's have a test of their own, and a gateway's events are kept as they come
            if path.contains("/platform/") || path.contains("/hooks/") {
                continue;
            }
            let named = schema["$ref"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
            let fields =
                document["components"]["schemas"][named]["properties"].as_object().expect("a shape with fields");
            let parts = path.strip_prefix("/api/v1").unwrap().split('/');
            let path: Vec<&str> =
                parts.map(|part| if part.starts_with('{') { nowhere.as_str() } else { part }).collect();
            for intruder in INTRUDERS.into_iter().filter(|name| !fields.contains_key(*name)) {
                let body = json!({ intruder: theirs });
                let method: Method = method.to_uppercase().parse().unwrap();
                let refused = acme.send(acme.request(method.clone(), &path.join("/")).json(&body)).await;
                let detail = refused.body["detail"].as_str().unwrap_or_default();
                let is_named = detail.contains(&format!("unknown field `{intruder}`"));
                assert!(refused.status == 422 && is_named, "{method} {}: {}", path.join("/"), refused.text);
                seen += 1;
            }
        }
    }
    assert!(seen > 150, "only {seen}");
    world.finish().await;
}

/// A list of values in place of a filter was a filter that left nothing out.
#[tokio::test]
async fn a_list_is_no_object_wherever_it_stands_in_a_body() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let contact = acme.post("/contacts", &json!({ "phone": "+13055550142" })).await.expect(201);
    let (path, me) = (format!("/contacts/{}", contact["id"].as_str().unwrap()), acme.user_id().await);
    for act in ["delete", "export"] {
        let refused = acme.post(&format!("/contacts/bulk/{act}"), &json!({ "filter": [null, null] })).await;
        assert_eq!((refused.status.as_u16(), &refused.body["field"]), (422, &json!("filter")), "{}", refused.text);
    }
    for (path, body) in [("/campaigns/audience", json!([null, null])), ("/labels", json!(["VIP", null]))] {
        assert_eq!(acme.post(path, &body).await.code(), "invalid_body", "{path}");
    }
    assert_eq!(acme.patch(&format!("/users/{me}"), &json!(["Eva", null])).await.code(), "invalid_body");
    world.settle().await;
    assert_eq!(acme.get(&path).await.status, 200);
    world.finish().await;
}

/// SEC-08
#[tokio::test]
async fn whoever_changes_themselves_changes_no_more_than_they_may() {
    let world = World::without_workers().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let ana = acme.colleague("Ana", "admin").await;
    let (id, before) = (ana.user_id().await, ana.get("/session").await.expect(200));
    let theirs = other.get("/session").await.expect(200)["tenant"]["id"].clone();
    let path = format!("/users/{id}");
    for more in [
        json!({ "tenant_id": theirs }),
        json!({ "permissions": ["billing.refund"] }),
        json!({ "is_admin": true }),
        json!({ "id": Uuid::now_v7() }),
    ] {
        let mut body = json!({ "name": "Eva" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(ana.patch(&path, &body).await.status, 422, "{body}");
    }
    assert_eq!(ana.patch(&path, &json!({ "role": "owner" })).await.code(), "role_beyond_own");
    for method in [Method::PATCH, Method::PUT] {
        let body = json!({ "role": "owner", "tenant_id": theirs, "permissions": ["billing.refund"] });
        assert_eq!(ana.send(ana.request(method, "/session").json(&body)).await.status, 405);
    }
    let log_in = json!({ "email": "owner@acme.example", "password": PASSWORD, "role": "owner", "tenant_id": theirs });
    assert_eq!(ana.post("/session", &log_in).await.status, 422);
    let contact = ana.post("/contacts", &json!({ "phone": "+13055550142" })).await.expect(201);
    let path = format!("/contacts/{}", contact["id"].as_str().unwrap());
    for more in [
        json!({ "tenant_id": theirs }),
        json!({ "id": Uuid::now_v7() }),
        json!({ "created_at": "2020-01-01T00:00:00Z" }),
    ] {
        assert_eq!(ana.patch(&path, &more).await.status, 422, "{more}");
    }
    assert_eq!(ana.get(&path).await.expect(200), contact);
    assert_eq!(ana.get("/session").await.expect(200), before);
    assert_eq!(other.items("/contacts").await.len() + other.items("/users").await.len(), 1);
    world.finish().await;
}

/// D20
#[tokio::test]
async fn a_session_or_key_that_is_ended_in_one_process_is_over_in_the_other() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let (app, base) = another_api(&world, false).await;
    let (key_id, token) = key(&acme, &["conversations.view"], json!({})).await;
    let client = Client::new();
    let by_session = || async {
        let request = client.get(format!("{base}/api/v1/session")).header("cookie", ana.cookie());
        request.send().await.expect("an answer").status().as_u16()
    };
    let by_key = || async { with_key(&base, &token, Method::GET, "/session", Value::Null).await.status.as_u16() };
    assert_eq!((by_session().await, by_key().await), (200, 200));
    let mut sockets = Vec::new();
    for (name, value) in [("cookie", ana.cookie().to_owned()), ("authorization", format!("Bearer {token}"))] {
        let url = format!("{}/api/v1/live", base.replace("http://", "ws://"));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("origin", world.base().parse().unwrap());
        request.headers_mut().insert(name, value.parse().unwrap());
        let (mut socket, _) = connect_async(request).await.expect("a socket");
        assert!(matches!(socket.next().await, Some(Ok(Message::Text(hello))) if hello.contains("hello")));
        sockets.push(socket);
    }
    let begun = World::machine_ms();
    assert_eq!(ana.delete("/session").await.status, 204);
    assert_eq!(acme.delete(&format!("/api-keys/{key_id}")).await.status, 204);
    assert_eq!((by_session().await, by_key().await), (401, 401), "at once, over HTTP");
    for mut socket in sockets {
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Close(_)) {
                break;
            }
        }
    }
    assert!(World::machine_ms() - begun < 5_000, "{} ms", World::machine_ms() - begun);
    app.stop.cancel();
    app.db.close();
    world.finish().await;
}
