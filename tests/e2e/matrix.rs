//! Every route × every permission, and every route that names a thing × a thing of another tenant. Both are made from the list of routes: a
//! route that is added is in them, or fails them.

use std::collections::BTreeMap;

use e2e::{Answer, Tenant, World};
use futures::StreamExt;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::{Staff, tenant_id};

/// Requests at once.
const AT_ONCE: usize = 8;
/// Every permission there is.
const ALL: &[crm::access::Permission] = crm::access::Permission::ALL;

/// A route as the snapshot of them says it.
#[derive(Clone)]
struct Route {
    method: Method,
    /// Under `/api/v1`.
    path: String,
    access: String,
}

fn routes() -> Vec<Route> {
    let split = |line: String| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().expect("three words").to_owned();
        let (method, path, access) = (word().parse().expect("a method"), word(), word());
        Some(Route { method, path: path.strip_prefix("/api/v1")?.to_owned(), access })
    };
    api::route_list().into_iter().filter_map(split).collect()
}

/// A path that names things which nobody has.
fn nowhere(path: &str) -> String {
    let id = Uuid::now_v7().to_string();
    path.split('/').map(|part| if part.starts_with('{') { id.as_str() } else { part }).collect::<Vec<_>>().join("/")
}

async fn ask(client: &Client, base: &str, token: Option<&str>, route: &Route) -> (u16, String) {
    let url = format!("{base}/api/v1{}", nowhere(&route.path));
    let request = client.request(route.method.clone(), url).json(&json!({}));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request.header("origin", base),
    };
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

/// ADM-01
#[tokio::test]
async fn a_route_opens_to_its_permission_and_to_no_other() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let mut keys = BTreeMap::new();
    for permission in ALL {
        let body = json!({ "name": permission.name(), "permissions": [permission.name()] });
        let made = acme.post("/api-keys", &body).await.expect(201);
        keys.insert(permission.name(), made["token"].as_str().expect("a token").to_owned());
    }
    let routes = routes();
    assert!(routes.len() > 100);
    let mut wanted = Vec::new();
    for route in &routes {
        match route.access.split_once(": ") {
            Some(("public", _)) => continue,
            // nobody comes in without being known
            _ => wanted.push((route.clone(), None, 401)),
        }
        for (name, token) in &keys {
            let status = match route.access.as_str() {
                "platform" => 401,
                access if access.starts_with("signed_in: ") || access == *name => 0,
                _ => 403,
            };
            // whoever is known may end what they are known by: that is asked of nobody else
            if route.path != "/session" {
                wanted.push((route.clone(), Some((*name, token.clone())), status));
            }
        }
    }
    let (client, base) = (&Client::new(), world.base());
    let wrong: Vec<String> = futures::stream::iter(wanted)
        .map(|(route, key, status)| async move {
            let token = key.as_ref().map(|(_, token)| token.as_str());
            let (got, code) = ask(client, base, token, &route).await;
            let is_right = match status {
                // what is written decides: a reply and a note are permissions of their own
                0 if route.path.ends_with("/messages") => got != 401,
                0 => got != 401 && code != "forbidden",
                403 => got == 403 && code == "forbidden",
                other => got == other,
            };
            let who = key.map_or("nobody", |(name, _)| name);
            (!is_right).then(|| format!("{} {} by {who}: {got} {code}", route.method, route.path))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    world.finish().await;
}

/// A thing of each kind that a path may name, by the words around it.
struct Things(Vec<(&'static str, String)>);

impl Things {
    async fn make(world: &World, tenant: &Tenant) -> Self {
        let id = |made: &Value| match &made["id"] {
            Value::String(id) => id.clone(),
            number => number.to_string(),
        };
        let post = async |path: &str, body: Value| id(&tenant.post(path, &body).await.expect(201));
        let line = tenant.line(world, json!({})).await;
        let import = tenant.contacts(1).await;
        let contact = id(&tenant.items("/contacts").await[0]);
        let campaign = tenant.draft(&line, &import, json!({})).await;
        let conversation = post("/conversations", json!({ "line_id": line, "address": "+13055550142" })).await;
        let path = format!("/conversations/{conversation}/messages");
        let message = post(&path, json!({ "kind": "note", "body": "x" })).await;
        let label = post("/contact-labels", json!({ "name": "VIP" })).await;
        tenant.put(&format!("/contacts/{contact}/labels/{label}"), &json!({})).await.expect(200);
        let path = format!("/contacts/{contact}/household");
        let member = post(&path, json!({ "name": "Luis" })).await;
        let export = tenant.post("/contacts/bulk/export", &json!({ "filter": {} })).await;
        assert!(export.status.is_success(), "{}", export.text);
        let privacy = post(&format!("/contacts/{contact}/export"), json!({})).await;
        let text = json!({ "line_id": line, "address": "+13055550143", "text": "x" });
        let jobs = json!({ "jobs": [{ "kind": "messaging.send_text", "payload": text }] });
        let webhook = json!({ "url": "http://127.0.0.1:9/", "kinds": ["label.changed"] });
        let webhook = post("/webhooks", webhook).await;
        let delivery = id(&tenant.act(&format!("/webhooks/{webhook}/ping")).await.expect(200));
        let job = id(&tenant.post("/jobs", &jobs).await.expect(200)["jobs"][0]);
        let provider = json!({ "name": "x", "issuer": "https://id.example.com", "client_id": "x" });
        let provider = post("/identity-providers", provider).await;
        // somebody comes to be known at a provider by going there
        let identity = Uuid::now_v7();
        sqlx::query(
            "insert into crm.identities (tenant_id, id, user_id, issuer, subject) select u.tenant_id, $1, u.id, 'https://id.example.com', 'x' from crm.users u where u.id = $2::uuid",
        )
        .bind(identity)
        .bind(tenant.user_id().await)
        .execute(&mut world.database.superuser().await)
        .await
        .expect("a row");
        let team = post("/teams", json!({ "name": "Ventas" })).await;
        let session = id(&tenant.items("/sessions").await[0]);
        let (owner, eva) = (tenant.user_id().await, Staff::new(world, "eva").await);
        let path = format!("/tenants/{}/impersonations", tenant_id(tenant).await);
        let inside = id(&eva.opened(&path, &json!({ "user_id": owner, "reason": "ticket 42" })).await.0);
        Self(vec![
            ("/identities/{id}", identity.to_string()),
            ("/identity-providers/{id}", provider),
            ("/api-keys/{id}", post("/api-keys", json!({ "name": "x", "permissions": ["contacts.view"] })).await),
            ("/canned-replies/{id}", post("/canned-replies", json!({ "shortcut": "hola", "body": "Hola" })).await),
            ("/contact-labels/{id}", label.clone()),
            ("/contacts/bulk/{id}", id(&export.body)),
            ("/contacts/{id}/household/{member_id}", format!("{contact}/household/{member}")),
            ("/contacts/{id}/labels/{label_id}", format!("{contact}/labels/{label}")),
            ("/contacts/{id}", contact),
            ("/conversations/{id}", conversation),
            ("/labels/{id}", post("/labels", json!({ "name": "Urgente" })).await),
            ("/saved-filters/{id}", post("/saved-filters", json!({ "name": "x", "query": "assignee=me" })).await),
            ("/batches/{id}", post("/batches", json!({ "name": "x" })).await),
            ("/campaigns/{id}", campaign),
            ("/impersonations/{id}", inside),
            ("/gates/{id}", id(&tenant.items("/gates").await[0])),
            ("/imports/{id}", import),
            ("/jobs/{id}", job),
            ("/lanes/{id}", id(&tenant.items("/lanes").await[0])),
            ("/lines/{id}", line),
            ("/messages/{id}", message),
            ("/organizations/{id}", post("/organizations", json!({ "name": "x" })).await),
            ("/privacy-requests/{id}/parts/{number}", format!("{privacy}/parts/1")),
            ("/privacy-requests/{id}", privacy),
            ("/roles/{id}", post("/roles", json!({ "name": "x", "permissions": ["contacts.view"] })).await),
            ("/sessions/{id}", session),
            ("/teams/{id}/members/{user_id}", format!("{team}/members/{}", tenant.user_id().await)),
            ("/teams/{id}", team),
            ("/users/{id}", tenant.user_id().await),
            ("/webhooks/{id}/deliveries/{delivery_id}", format!("{webhook}/deliveries/{delivery}")),
            ("/webhooks/{id}", webhook),
        ])
    }

    /// The path of a route with the thing, and with one that nobody has.
    fn paths(&self, route: &str) -> Option<(String, String)> {
        let (template, id) = self.0.iter().find(|(template, _)| route.starts_with(template))?;
        let rest = &route[template.len()..];
        let before = &template[..template.find('{')?];
        let missing: Vec<String> = id
            .split('/')
            .map(|part| match part {
                number if number.parse::<i64>().is_ok() => "9007199254740991".to_owned(),
                id if id.parse::<Uuid>().is_ok() => Uuid::now_v7().to_string(),
                word => word.to_owned(),
            })
            .collect();
        Some((format!("{before}{id}{rest}"), format!("{before}{}{rest}", missing.join("/"))))
    }
}

/// What an answer says, but for the number of its request.
fn said(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    (answer.status.as_u16(), body)
}

/// ADM-02
#[tokio::test]
async fn whatever_another_tenant_has_is_whatever_nobody_has() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let things = Things::make(&world, &acme).await;
    let named = routes().into_iter().filter(|route| {
        route.path.contains('{') && route.access != "platform" && !route.access.starts_with("public: ")
    });
    let mut seen = 0;
    for route in named.filter(|route| route.path != "/suppressions/{address}") {
        let (foreign, missing) = things.paths(&route.path).unwrap_or_else(|| panic!("{} has no row here", route.path));
        let ask =
            async |path: &str| said(&other.send(other.request(route.method.clone(), path).json(&json!({}))).await);
        let (foreign, missing) = (ask(&foreign).await, ask(&missing).await);
        assert_eq!(foreign, missing, "{} {}", route.method, route.path);
        // what is not there is taken away already
        let is_away = foreign.0 == 204 && route.method == Method::DELETE;
        assert!(is_away || foreign.0 == 404 || foreign.0 == 422, "{} {}: {foreign:?}", route.method, route.path);
        seen += 1;
    }
    assert!(seen > 60);
    world.finish().await;
}
