//! Who is granted what: roles, keys and teams, and that nobody gives what they lack.

use e2e::World;
use serde_json::{Value, json};

use super::{Scene, team};
use crate::inbox::id;

#[tokio::test]
async fn a_name_alone_reaches_everywhere_and_what_is_said_is_kept() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let names = json!(["conversations.view", "conversations.reply", "contacts.view"]);
    let make = async |name: &str, scopes: Value| {
        acme.post("/roles", &json!({ "name": name, "permissions": names, "scopes": scopes })).await
    };
    let plain = acme.post("/roles", &json!({ "name": "Plain", "permissions": names })).await.expect(201);
    assert_eq!((&plain["permissions"], &plain["scopes"]), (&names, &json!({})));
    let scopes = json!({ "conversations.view": "team", "conversations.reply": "own" });
    let made = make("Narrow", scopes.clone()).await.expect(201);
    assert_eq!((&made["permissions"], &made["scopes"]), (&names, &scopes));
    let path = format!("/roles/{}", id(&made));
    assert_eq!(acme.patch(&path, &json!({ "name": "Still narrow" })).await.expect(200)["scopes"], scopes);
    for (scopes, code) in [
        (json!({ "conversations.note": "own" }), "scope_of_nothing"),
        (json!({ "contacts.view": "own" }), "scope_not_possible"),
        (json!({ "conversations.view": "most" }), "invalid_body"),
        (json!({ "everything": "own" }), "invalid_body"),
    ] {
        let refused = make("y", scopes.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{scopes}");
    }
    let alone = acme.patch(&path, &json!({ "scopes": { "conversations.view": "own" } })).await;
    assert_eq!(alone.code(), "scope_of_nothing", "a scope is said with its permission");
    let ana = acme.colleague("Ana", &id(&made)).await;
    let me = ana.get("/session").await.expect(200);
    assert_eq!((&me["permissions"], &me["scopes"]), (&names, &scopes));
    // what a client says that knows no scopes is what it was
    let wide = acme.patch(&path, &json!({ "permissions": names })).await.expect(200);
    assert_eq!(wide["scopes"], json!({}));
    world.finish().await;
}

/// ADM-03
#[tokio::test]
async fn nobody_grants_wider_than_they_have() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let names = ["conversations.view", "admin.roles_manage", "admin.users_manage", "admin.api_keys_manage"];
    let role = json!({ "name": "Lead", "permissions": names, "scopes": { "conversations.view": "team" } });
    let lead = acme.colleague("Lea", &id(&acme.post("/roles", &role).await.expect(201))).await;
    let view = |name: &str, scope: &str| json!({ "name": name, "permissions": ["conversations.view"], "scopes": { "conversations.view": scope } });
    for (scope, status) in [("own", 201), ("team", 201), ("all", 403)] {
        let made = lead.post("/roles", &view(scope, scope)).await;
        assert_eq!(made.status.as_u16(), status, "{}", made.text);
        assert_eq!(made.code(), if status == 403 { "out_of_scope" } else { "" });
        let key = lead.post("/api-keys", &view(scope, scope)).await;
        assert_eq!(key.status.as_u16(), if status == 403 { 422 } else { 201 }, "{}", key.text);
    }
    let wide = id(&acme.post("/roles", &view("wide", "all")).await.expect(201));
    let path = format!("/roles/{wide}");
    assert_eq!(
        lead.patch(&path, &view("wide", "own")).await.code(),
        "role_beyond_own",
        "nor narrows what reaches further"
    );
    let body = json!({ "name": "x", "email": "x@example.com", "role": wide });
    assert_eq!(lead.post("/users", &body).await.code(), "role_beyond_own");
    // who is in a team decides what its members see: that is given by whoever sees all
    let of_team = id(&acme.post("/roles", &view("of a team", "team")).await.expect(201));
    let tea = acme.colleague("Tea", &of_team).await;
    let agent = acme.colleague("Ana", "agent").await;
    let ventas = team(&acme, "Ventas", &[&tea]).await;
    let put = |team: &str, user: &str| format!("/teams/{team}/members/{user}");
    for (who, status) in [(&lead, 403), (&acme, 200)] {
        let added = who.put(&put(&ventas, &agent.user_id().await), &json!({})).await;
        assert_eq!(added.status.as_u16(), status, "{}", added.text);
    }
    let own = lead.put(&put(&ventas, &lead.user_id().await), &json!({})).await;
    assert_eq!(own.code(), "out_of_scope", "nobody lets themselves in");
    for refused in
        [lead.delete(&put(&ventas, &tea.user_id().await)).await, lead.delete(&format!("/teams/{ventas}")).await]
    {
        assert_eq!(refused.code(), "out_of_scope");
    }
    // where nobody's role reaches to a team, it is a list of names
    let names = id(&lead.post("/teams", &json!({ "name": "Names" })).await.expect(201));
    lead.put(&put(&names, &agent.user_id().await), &json!({})).await.expect(200);
    assert_eq!(agent.put(&put(&names, &agent.user_id().await), &json!({})).await.code(), "forbidden");
    world.finish().await;
}

/// ADM-03: a team is what a key of its members sees, whatever they see themselves.
#[tokio::test]
async fn who_is_in_a_team_is_said_by_whoever_may_as_much_as_the_keys_of_its_members() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let names = ["conversations.view", "admin.users_manage"];
    let role = json!({ "name": "Lead", "permissions": names, "scopes": { "conversations.view": "team" } });
    let lead = acme.colleague("Lea", &id(&acme.post("/roles", &role).await.expect(201))).await;
    let (ada, ana) = (acme.colleague("Ada", "admin").await, acme.colleague("Ana", "agent").await);
    let ventas = team(&acme, "Ventas", &[&ada]).await;
    let member = format!("/teams/{ventas}/members/{}", ana.user_id().await);
    lead.put(&member, &json!({})).await.expect(200);
    assert_eq!(lead.delete(&member).await.status, 204);
    let key = |scope: &str| json!({ "name": "k", "permissions": ["conversations.view"], "scopes": { "conversations.view": scope } });
    ada.post("/api-keys", &key("own")).await.expect(201);
    lead.put(&member, &json!({})).await.expect(200);
    let key = id(&ada.post("/api-keys", &key("team")).await.expect(201));
    for refused in [
        lead.delete(&member).await,
        lead.put(&format!("/teams/{ventas}/members/{}", lead.user_id().await), &json!({})).await,
        lead.delete(&format!("/teams/{ventas}")).await,
    ] {
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "out_of_scope"), "{}", refused.text);
    }
    assert_eq!(acme.delete(&format!("/api-keys/{key}")).await.status, 204);
    assert_eq!(lead.delete(&member).await.status, 204);
    world.finish().await;
}

/// A key sees what it was given of what its maker sees now, and not more where they see more later.
#[tokio::test]
async fn a_key_reaches_as_far_as_its_maker_and_no_further() {
    let scene = Scene::new().await;
    let names = ["conversations.view", "admin.api_keys_manage"];
    let wanted = |scope: &str| json!({ "name": format!("Maker {scope}"), "permissions": names, "scopes": { "conversations.view": scope } });
    let role = id(&scene.acme.post("/roles", &wanted("team")).await.expect(201));
    let max = scene.acme.colleague("Max", &role).await;
    scene.acme.put(&format!("/teams/{}/members/{}", scene.team, max.user_id().await), &json!({})).await.expect(200);
    let key = max.post("/api-keys", &json!({ "name": "k", "permissions": ["conversations.view"] })).await.expect(201);
    assert_eq!(key["scopes"], json!({ "conversations.view": "team" }), "as far as its maker");
    let seen = async |token: &Value| {
        let url = format!("{}/api/v1/conversations?limit=200", scene.world.base());
        let asked = reqwest::Client::new().get(url).bearer_auth(token.as_str().unwrap()).send().await.unwrap();
        asked.json::<Value>().await.unwrap()["items"].as_array().unwrap().len()
    };
    assert_eq!(seen(&key["token"]).await, 3);
    for (scope, count) in [("all", 3), ("own", 0), ("team", 3)] {
        scene.acme.patch(&format!("/roles/{role}"), &wanted(scope)).await.expect(200);
        assert_eq!(seen(&key["token"]).await, count, "its maker sees {scope}");
    }
    scene.acme.delete(&format!("/teams/{}", scene.team)).await;
    assert_eq!(seen(&key["token"]).await, 1, "what nobody has");
    // of somebody who sees all a key may see less
    let own = json!({ "name": "k", "permissions": ["conversations.view"], "scopes": { "conversations.view": "own" } });
    let key = scene.acme.post("/api-keys", &own).await.expect(201);
    assert_eq!(seen(&key["token"]).await, 0);
    scene.world.finish().await;
}

#[tokio::test]
async fn teams_are_made_named_and_filled_and_another_tenant_sees_none_of_it() {
    let world = World::without_workers().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let (ana, foreign) = (acme.colleague("Ana", "agent").await, other.user_id().await);
    let ventas = team(&acme, " Ventas ", &[&ana]).await;
    let make = async |name: &str| acme.post("/teams", &json!({ "name": name })).await;
    assert_eq!(make("VENTÁS").await.code(), "team_name_taken");
    assert_eq!(make("  ").await.code(), "team_name_length");
    let path = format!("/teams/{ventas}");
    let renamed = acme.patch(&path, &json!({ "name": "Soporte" })).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["member_count"]), (&json!("Soporte"), &json!(1)));
    // who is in it stays in it, and comes in once
    acme.put(&format!("{path}/members/{}", ana.user_id().await), &json!({})).await.expect(200);
    let members = ana.items(&format!("{path}/members")).await;
    assert_eq!((members.len(), &members[0]["name"]), (1, &json!("Ana")));
    assert_eq!(acme.put(&format!("{path}/members/{foreign}"), &json!({})).await.status, 404);
    assert!(other.items("/teams").await.is_empty());
    for _ in 0..2 {
        assert_eq!(acme.delete(&format!("{path}/members/{}", ana.user_id().await)).await.status, 204);
    }
    assert_eq!((acme.delete(&path).await.status.as_u16(), acme.delete(&path).await.status.as_u16()), (204, 404));
    let changes = acme.items("/audit/changes?limit=200").await;
    let of = |subject: &str| changes.iter().filter(|change| change["subject"] == subject).count();
    assert_eq!((of("team"), of("team_member")), (3, 2), "who is in a team is who sees what");
    world.finish().await;
}

#[tokio::test]
async fn an_account_has_a_hundred_teams_and_two_at_once_do_not_make_one_more() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    for n in 0..99 {
        acme.post("/teams", &json!({ "name": format!("T{n}") })).await.expect(201);
    }
    let (one, two) = (json!({ "name": "one" }), json!({ "name": "two" }));
    let (one, two) = tokio::join!(acme.post("/teams", &one), acme.post("/teams", &two));
    let mut both = [one.status.as_u16(), two.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [201, 409], "{} {}", one.text, two.text);
    world.finish().await;
}

#[tokio::test]
async fn somebody_is_in_twenty_teams_at_most_also_where_two_take_them_at_once() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let user_id = ana.user_id().await;
    let mut members = Vec::new();
    for n in 0..21 {
        members.push(format!("/teams/{}/members/{user_id}", team(&acme, &format!("T{n}"), &[]).await));
    }
    for member in &members[..19] {
        acme.put(member, &json!({})).await.expect(200);
    }
    let nothing = json!({});
    let (one, two) = tokio::join!(acme.put(&members[19], &nothing), acme.put(&members[20], &nothing));
    let mut both = [one.code(), two.code()];
    both.sort_unstable();
    assert_eq!(both, ["", "too_many_teams_of_one"], "{} {}", one.text, two.text);
    // who is in one stays in it
    acme.put(&members[0], &nothing).await.expect(200);
    world.finish().await;
}
