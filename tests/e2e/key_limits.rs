//! What an API key may ask: so much a minute and a day, told in every answer to it, and to nobody else's cost.

use std::{net::SocketAddr, time::Duration};

use crm::App;
use e2e::{Tenant, World, eventually, eventually_some};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

async fn key(tenant: &Tenant, more: Value) -> String {
    let mut body = json!({ "name": "export", "permissions": ["contacts.view"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    tenant.post("/api-keys", &body).await.expect(201)["token"].as_str().expect("a token").to_owned()
}

async fn ask(base: &str, token: &str, path: &str) -> Response {
    Client::new().get(format!("{base}/api/v1{path}")).bearer_auth(token).send().await.expect("an answer")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

/// The value of a parameter of a window in `RateLimit`.
fn of_window(answer: &Response, window: &str, parameter: &str) -> u64 {
    let all = header(answer, "ratelimit");
    let of = all.split(", ").find(|item| item.starts_with(&format!("\"{window}\";"))).expect("the window");
    let value = of.split(';').find_map(|part| part.strip_prefix(&format!("{parameter}="))).expect("the parameter");
    value.parse().expect("a number")
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_how_long_to_wait_and_holds_up_nobody_else() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (quick, other) = (key(&acme, json!({ "rate_per_minute": 60 })).await, key(&acme, json!({})).await);
    let first = ask(world.base(), &quick, "/contacts").await;
    assert_eq!(header(&first, "ratelimit-policy"), "\"minute\";q=60;w=60");
    assert_eq!((of_window(&first, "minute", "r"), of_window(&first, "minute", "t")), (59, 1));
    // every answer says it, whatever it is
    for (path, status) in
        [("/campaigns", 403), ("/contacts/00000000-0000-7000-8000-000000000000", 404), ("/contacts?limit=x", 422)]
    {
        let answer = ask(world.base(), &quick, path).await;
        assert_eq!(answer.status(), status);
        assert!(of_window(&answer, "minute", "r") <= 59, "{path}");
    }
    let refused = eventually_some("it has asked too often", || async {
        let answer = ask(world.base(), &quick, "/contacts").await;
        (answer.status() == 429).then_some(answer)
    })
    .await;
    assert_eq!((header(&refused, "retry-after"), of_window(&refused, "minute", "r")), ("1", 0));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&json!("rate_limited"), &json!(429)));
    let answer = ask(world.base(), &other, "/contacts").await;
    assert_eq!(answer.status(), 200, "another key has a bucket of its own");
    assert_eq!(header(&answer, "ratelimit-policy"), "\"minute\";q=6000;w=60", "what the process is set to");
    let own = acme.request(reqwest::Method::GET, "/contacts").send().await.unwrap();
    assert_eq!((own.status().as_u16(), header(&own, "ratelimit")), (200, ""), "a person has no such limit");
    eventually("a request is there again", || async { ask(world.base(), &quick, "/contacts").await.status() == 200 })
        .await;
    world.finish().await;
}

/// A second api process over the same database.
async fn another_api(world: &World) -> (App, String) {
    let config = (*world.app.config).clone();
    let app = App::start(config, "paloma-test-2").await.expect("an application");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let serving = app.clone();
    tokio::spawn(async move { api::serve(serving, listener).await });
    (app, format!("http://{address}"))
}

#[tokio::test]
async fn a_quota_of_a_day_is_counted_over_all_processes_and_is_there_again_the_next_day() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (other_app, other) = another_api(&world).await;
    let token = key(&acme, json!({ "quota_per_day": 5 })).await;
    let shown = |count: i64| {
        let acme = acme.clone();
        async move { acme.items("/api-keys").await[0]["requests_today"] == count }
    };
    for left in [4, 3, 2] {
        let answer = ask(world.base(), &token, "/contacts").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "ratelimit-policy"), "\"minute\";q=6000;w=60, \"day\";q=5;w=86400");
        assert_eq!(of_window(&answer, "day", "r"), left);
        assert!((1..=86_400).contains(&of_window(&answer, "day", "t")));
        if left == 4 {
            // they are written once a second, and one that is asked for just then may miss what is being written: the next two come right after
            eventually("one is written", || shown(1)).await;
        }
    }
    eventually("three are written", || shown(3)).await;
    for (count, left) in [(4, 1), (5, 0)] {
        let answer = ask(&other, &token, "/contacts").await;
        assert_eq!((answer.status().as_u16(), of_window(&answer, "day", "r")), (200, left));
        eventually("it is written", || shown(count)).await;
    }
    for base in [world.base(), &other] {
        let refused = ask(base, &token, "/contacts").await;
        assert_eq!(refused.status(), 429);
        let wait: u64 = header(&refused, "retry-after").parse().unwrap();
        assert!((1..=86_400).contains(&wait) && wait == of_window(&refused, "day", "t"), "{wait}");
    }
    world.advance(Duration::from_secs(86_400)).await;
    assert_eq!(ask(&other, &token, "/contacts").await.status(), 200);
    other_app.stop.cancel();
    eventually("what was counted last is written at the end", || shown(1)).await;
    other_app.db.close();
    world.finish().await;
}

#[tokio::test]
async fn limits_are_set_when_a_key_is_made_and_shown_with_it() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let body = |more: (&str, i64)| json!({ "name": "x", "permissions": ["contacts.view"], more.0: more.1 });
    for (field, value) in
        [("rate_per_minute", 0), ("rate_per_minute", 60_001), ("quota_per_day", 0), ("quota_per_day", -1)]
    {
        let refused = acme.post("/api-keys", &body((field, value))).await;
        assert_eq!((refused.status.as_u16(), &refused.body["field"]), (422, &json!(field)), "{}", refused.text);
    }
    let made = acme.post("/api-keys", &body(("quota_per_day", 1_000))).await.expect(201);
    let listed = acme.items("/api-keys").await.remove(0);
    for (field, value) in
        [("rate_per_minute", Value::Null), ("quota_per_day", json!(1_000)), ("requests_today", json!(0))]
    {
        assert_eq!((&made[field], &listed[field]), (&value, &value), "{field}");
    }
    world.finish().await;
}
