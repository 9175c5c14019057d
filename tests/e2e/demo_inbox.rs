//! What somebody sees who starts Paloma for the first time.

use cli::demo_inbox::{Place, fill};
use e2e::World;
use serde_json::{Value, json};

#[tokio::test]
async fn the_demo_inbox_has_a_few_conversations_and_gets_them_once() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    let sim = world.gateway_url();
    let place = Place { api: world.base(), cookie: acme.cookie(), sim: &sim };
    assert_eq!(fill(&place).await.unwrap(), 5);
    let all = acme.items("/conversations").await;
    let with = |name: &str| all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}: {all:?}"));
    let said = |one: &Value| {
        let path = format!("/conversations/{}/messages", one["id"].as_str().unwrap());
        let acme = acme.clone();
        async move { acme.items(&path).await }
    };
    let unread: Vec<(&Value, &Value)> =
        all.iter().filter(|one| one["unread_count"] != 0).map(|one| (&one["name"], &one["unread_count"])).collect();
    assert_eq!(unread, [(&json!("John Miller"), &json!(2))]);
    assert_eq!(with("Familia Ortega")["kind"], "group");
    let family = said(with("Familia Ortega")).await;
    assert_eq!(family.iter().filter(|one| one["reactions"][0]["kind"] == "love").count(), 1);
    let mark = said(with("Mark Evans")).await;
    assert_eq!((&mark[0]["status"], &mark[0]["reason"]), (&json!("failed"), &json!("bad_request")));
    let carmen = said(with("Carmen Vidal")).await;
    assert_eq!(with("Carmen Vidal")["assignee_id"], acme.user_id().await);
    assert_eq!((&carmen[0]["kind"], &carmen[1]["media"][0]["name"]), (&json!("note"), &json!("terraza.jpg")));
    assert_eq!(said(with("Ana Torres")).await.len(), 3);
    // started again it finds them there
    assert_eq!(fill(&place).await.unwrap(), 5);
    assert_eq!(acme.items("/conversations").await.len(), 5);
    world.finish().await;
}
