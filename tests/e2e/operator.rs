//! The operator's log-in for the screens.

use std::time::Duration;

use e2e::World;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

fn ask(world: &World, method: Method, path: &str) -> RequestBuilder {
    Client::new().request(method, format!("{}/api/v1/platform{path}", world.base()))
}

/// The cookie as a browser would send it back.
async fn log_in(world: &World, token: &str) -> Result<String, (StatusCode, Value)> {
    let answer = ask(world, Method::POST, "/session").json(&json!({ "token": token })).send().await.unwrap();
    let cookie = answer.headers().get(header::SET_COOKIE).map(|cookie| cookie.to_str().unwrap().to_owned());
    let (status, body) = (answer.status(), answer.json().await.unwrap());
    let Some(cookie) = cookie else { return Err((status, body)) };
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    Ok(cookie.split(';').next().unwrap().to_owned())
}

async fn queues(world: &World, cookie: &str) -> StatusCode {
    ask(world, Method::GET, "/queues").header(header::COOKIE, cookie).send().await.unwrap().status()
}

#[tokio::test]
async fn an_operator_s_token_becomes_a_cookie_for_twelve_hours() {
    let world = World::without_workers().await;
    let cookie = log_in(&world, e2e::OPERATOR).await.expect("a cookie");
    assert_eq!(queues(&world, &cookie).await, StatusCode::OK);
    let changed = format!("{}{}", &cookie[..cookie.len() - 1], if cookie.ends_with('A') { 'B' } else { 'A' });
    for wrong in [changed.as_str(), "paloma_operator=", "paloma_session=x"] {
        assert_eq!(queues(&world, wrong).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    world.database.advance(Duration::from_secs(12 * 3600 - 60)).await;
    assert_eq!(queues(&world, &cookie).await, StatusCode::OK);
    world.database.advance(Duration::from_secs(61)).await;
    assert_eq!(queues(&world, &cookie).await, StatusCode::UNAUTHORIZED);
    world.finish().await;
}

#[tokio::test]
async fn a_foreign_page_can_t_act_with_the_operator_s_cookie() {
    let world = World::without_workers().await;
    let cookie = log_in(&world, e2e::OPERATOR).await.expect("a cookie");
    let fire = |origin: String| {
        ask(&world, Method::POST, "/schedules/nothing.there/fire")
            .header(header::COOKIE, &cookie)
            .header(header::ORIGIN, origin)
            .json(&json!({ "reason": "to see" }))
            .send()
    };
    assert_eq!(fire("https://evil.example".into()).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(fire(world.base().to_owned()).await.unwrap().status(), StatusCode::NOT_FOUND);
    world.finish().await;
}

#[tokio::test]
async fn wrong_operator_tokens_are_throttled_and_a_cookie_is_nobody_in_a_tenant() {
    let world = World::without_workers().await;
    let cookie = log_in(&world, e2e::OPERATOR).await.expect("a cookie");
    for _ in 0..5 {
        assert_eq!(log_in(&world, "not the token").await.unwrap_err().0, StatusCode::UNAUTHORIZED);
    }
    let (status, problem) = log_in(&world, e2e::OPERATOR).await.unwrap_err();
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    assert_eq!(queues(&world, &cookie).await, StatusCode::OK, "who is in stays in");
    let contacts = format!("{}/api/v1/contacts", world.base());
    let answer = Client::new().get(contacts).header(header::COOKIE, &cookie).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    world.finish().await;
}
