//! What is seen: by every route that names a conversation, in lists, counters and search.

use db::Scope;
use e2e::Tenant;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ADDRESSES, Scene};
use crate::inbox::{change, id, opened, writes};

/// Every route that names a conversation, or a message of one.
fn routes() -> Vec<(Method, String)> {
    let named = |line: String| {
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.parse().ok()?, words.next()?.strip_prefix("/api/v1")?.to_owned());
        (path.starts_with("/conversations/{id}") || path.starts_with("/messages/{id}")).then_some((method, path))
    };
    let mut named: Vec<(Method, String)> = api::route_list().into_iter().filter_map(named).collect();
    named.push((Method::GET, "/canned-replies/{canned}/text?conversation_id={id}".to_owned()));
    named
}

fn body(method: &Method, path: &str) -> Value {
    match (method.as_str(), path.rsplit('/').next()) {
        ("PUT", Some("read")) => json!({ "position": 1 }),
        (_, Some("presence")) => json!({ "state": "here" }),
        ("PATCH", _) => json!({ "state": "active" }),
        _ => json!({ "body": "x" }),
    }
}

#[tokio::test]
async fn a_conversation_out_of_sight_is_one_that_nobody_has_by_every_route() {
    let scene = Scene::new().await;
    let canned = json!({ "shortcut": "hola", "body": "Hola {{firstName|amigo}}" });
    let canned = id(&scene.acme.post("/canned-replies", &canned).await.expect(201));
    let mut messages = Vec::new();
    for (whose, conversation) in &scene.conversations {
        let path = format!("/conversations/{conversation}/messages");
        messages.push((*whose, id(&scene.acme.post(&path, &json!({ "body": "hola" })).await.expect(201))));
    }
    scene.world.settle().await;
    let mut asked = 0;
    for (method, route) in routes() {
        let things = if route.starts_with("/messages") { &messages[..] } else { &scene.conversations[..] };
        let path = |id: &str| route.replace("{id}", id).replace("{canned}", &canned);
        for (looker, seen) in scene.lookers() {
            let ask = async |id: &str| {
                let request = looker.request(method.clone(), &path(id));
                let request = if method == Method::GET { request } else { request.json(&body(&method, &route)) };
                looker.send(request).await
            };
            let missing = ask(&Uuid::now_v7().to_string()).await;
            for (whose, thing) in things {
                let answer = ask(thing).await;
                let what = format!("{method} {route}: {whose}'s by {}: {}", seen.join(", "), answer.text);
                assert_ne!(answer.status.as_u16(), 403, "{what}");
                if !seen.contains(whose) {
                    assert_eq!((answer.status, &answer.text), (missing.status, &missing.text), "{what}");
                    let is_away = method == Method::DELETE && answer.status.as_u16() == 204;
                    assert!(is_away || answer.status.as_u16() == 404, "{what}");
                } else if !route.ends_with("/draft") || method != Method::GET {
                    // a draft may not be there
                    assert_ne!(answer.status.as_u16(), 404, "{what}");
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 200, "only {asked}");
    scene.world.settle().await;
    scene.world.finish().await;
}

fn addresses(items: &[Value]) -> Vec<&str> {
    let mut addresses: Vec<&str> = items.iter().map(|row| row["address"].as_str().unwrap()).collect();
    addresses.sort_unstable();
    addresses
}

async fn listed(looker: &Tenant, query: &str) -> Vec<String> {
    let items = looker.items(&format!("/conversations?limit=200&{query}")).await;
    addresses(&items).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn lists_counters_and_search_hold_what_is_seen_and_no_more() {
    let scene = Scene::new().await;
    for address in ADDRESSES {
        writes(&scene.world, &scene.acme, address, "cotización").await;
    }
    let label = id(&scene.acme.post("/labels", &json!({ "name": "VIP" })).await.expect(201));
    for (_, conversation) in &scene.conversations {
        change(&scene.acme, conversation, json!({ "label_ids": [label], "is_pinned": true })).await;
    }
    for (looker, seen) in scene.lookers() {
        let mut wanted: Vec<&str> = Vec::new();
        for ((whose, _), address) in scene.conversations.iter().zip(ADDRESSES) {
            if seen.contains(whose) {
                wanted.push(address);
            }
        }
        for query in [
            "",
            "state=active",
            "unread=true",
            "pinned=true",
            &format!("label={label}"),
            &format!("line={}", scene.line),
        ] {
            assert_eq!(listed(looker, query).await, wanted, "{query}");
        }
        let found = looker.items("/search?q=cotizaci%C3%B3n&kind=message").await;
        assert_eq!(addresses(&found), wanted);
        let nobody: &[&str] = if seen.contains(&"nobody") { &[ADDRESSES[3]] } else { &[] };
        assert_eq!(listed(looker, "assignee=none").await, nobody);
        let counts = looker.get("/conversations/counts").await.expect(200);
        let count = json!(wanted.len());
        assert_eq!((&counts["active"], &counts["all_unread"]), (&count, &count), "{counts}");
        assert_eq!((&counts["unassigned"], &counts["unassigned_unread"]), (&json!(nobody.len()), &json!(nobody.len())));
        let number = looker.items(&format!("/search?q={}", ADDRESSES[2].trim_start_matches('+'))).await;
        let hits = number.iter().filter(|row| row["conversation_id"] != Value::Null).count();
        assert_eq!(hits, usize::from(seen.contains(&"leo")), "{number:?}");
    }
    let leos = listed(&scene.ana, &format!("assignee={}", scene.leo.user_id().await)).await;
    assert!(leos.is_empty(), "{leos:?}");
    scene.world.finish().await;
}

/// Contacts are a list of their own: who sees none of it finds people by the conversations that they see.
#[tokio::test]
async fn people_without_a_conversation_in_sight_are_found_by_whoever_may_see_contacts() {
    let scene = Scene::new().await;
    let phones = ["+13055550161", "+13055550162", "+13055550163"];
    for phone in phones {
        scene.acme.post("/contacts", &json!({ "first_name": "Zoé", "phone": phone })).await.expect(201);
    }
    for (whose, phone) in [&scene.ana, &scene.leo].into_iter().zip(phones) {
        let conversation = opened(&scene.acme, &scene.line, phone).await;
        change(&scene.acme, &conversation, json!({ "assignee_id": whose.user_id().await })).await;
    }
    let names = ["conversations.view", "contacts.view"];
    let role = json!({ "name": "Reads", "permissions": names, "scopes": { "conversations.view": "own" } });
    let eva = scene.acme.colleague("Eva", &id(&scene.acme.post("/roles", &role).await.expect(201))).await;
    let found = async |looker: &Tenant, query: &str| {
        let rows = looker.items(&format!("/search?q=zoe{query}")).await;
        rows.iter().map(|row| row["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&scene.ana, "").await, ["conversation"]);
    assert!(found(&scene.ana, "&kind=contact").await.is_empty());
    assert_eq!(found(&eva, "").await, ["contact"; 3]);
    scene.world.finish().await;
}

/// D14: what came in while a conversation was another's is unread for whoever gets it.
#[tokio::test]
async fn what_is_unread_comes_and_goes_with_the_conversation() {
    let scene = Scene::new().await;
    let unread = async |looker: &Tenant| looker.get("/conversations/counts").await.expect(200)["all_unread"].clone();
    writes(&scene.world, &scene.acme, ADDRESSES[2], "uno").await;
    writes(&scene.world, &scene.acme, ADDRESSES[2], "dos").await;
    assert_eq!((unread(&scene.ana).await, unread(&scene.leo).await), (json!(0), json!(1)));
    change(&scene.acme, scene.of("leo"), json!({ "assignee_id": scene.ana.user_id().await })).await;
    assert_eq!((unread(&scene.ana).await, unread(&scene.leo).await), (json!(1), json!(0)));
    let row = scene.ana.get(&format!("/conversations/{}", scene.of("leo"))).await.expect(200);
    assert_eq!(row["unread_count"], 2);
    scene.world.finish().await;
}

/// A table that is added and hangs on a conversation is behind the same policy, or fails this.
#[tokio::test]
async fn whatever_hangs_on_a_conversation_is_out_of_sight_with_it() {
    let database = e2e::Database::new().await;
    let db = database.connect("scope tests", 2).await;
    let mut tx = db.platform(db::Why::Operator).await.unwrap();
    let open: Vec<String> = sqlx::query_scalar(
        "select distinct c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
          where c.relnamespace = 'crm'::regnamespace and c.relkind in ('r', 'p')
            and (a.attname in ('conversation_id', 'message_id', 'target_guid') or c.relname like 'conversation%')
            -- where somebody asked for no more messages, which whoever may see the list of those may know
            and c.relname <> 'suppressions'
            and not exists (select from pg_policy p join pg_roles r on r.oid = any(p.polroles)
                             where p.polrelid = c.oid and r.rolname = 'paloma_scoped' and not p.polpermissive and p.polcmd in ('r', '*'))",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    assert!(open.is_empty(), "{open:?}");
    drop(tx);
    db.close();
    database.drop().await;
}
