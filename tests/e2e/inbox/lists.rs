//! Lists of conversations: each filter, paging, what a row tells, and the counters beside them.

use std::{sync::atomic::Ordering, time::Duration};

use e2e::{Tenant, World};
use serde_json::{Value, json};

use super::{JOSE, change, id, note, opened, reply, with, writes};

async fn addresses(tenant: &Tenant, query: &str) -> Vec<String> {
    let rows = tenant.items(&format!("/conversations?{query}")).await;
    rows.iter().map(|row| row["address"].as_str().unwrap().to_owned()).collect()
}

fn address(n: usize) -> String {
    format!("+1305556{n:04}")
}

#[tokio::test]
async fn each_filter_finds_its_own_and_nothing_else() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let (me, ana) = (acme.user_id().await, acme.colleague("Ana", "agent").await);
    let anas = ana.user_id().await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(opened(&acme, &line, &address(n)).await);
    }
    writes(&world, &acme, &address(5), "hola").await;
    // not before: both stand on one gateway, which tells everything to both
    let second = acme.line(&world, json!({ "address": "+15550000002", "name": "Second" })).await;
    opened(&acme, &second, &address(6)).await;
    let label = id(&acme.post("/labels", &json!({ "name": "VIP", "color": "#FF8800" })).await.expect(201));
    change(&acme, &ids[0], json!({ "assignee_id": me })).await;
    change(&acme, &ids[1], json!({ "assignee_id": anas, "is_pinned": true })).await;
    change(&acme, &ids[2], json!({ "state": "closed", "label_ids": [label] })).await;
    change(&acme, &ids[3], json!({ "state": "archived" })).await;
    let tomorrow = world.app.db.platform(db::Why::Operator).await.unwrap();
    let tomorrow = db::Scope::now(&tomorrow) + chrono::TimeDelta::days(1);
    change(&acme, &ids[4], json!({ "snoozed_until": tomorrow })).await;
    let at = |wanted: &[usize]| wanted.iter().map(|n| address(*n)).collect::<Vec<_>>();
    for (query, wanted) in [
        ("", at(&[6, 5, 4, 3, 2, 1, 0])),
        ("state=active", at(&[6, 5, 1, 0])),
        ("state=closed", at(&[2])),
        ("state=archived", at(&[3])),
        ("snoozed=true", at(&[4])),
        ("assignee=me", at(&[0])),
        ("assignee=none&state=active", at(&[6, 5])),
        (&format!("assignee={anas}"), at(&[1])),
        ("pinned=true", at(&[1])),
        ("unread=true", at(&[5])),
        ("unread=true&assignee=me", vec![]),
        (&format!("unread=true&label={label}"), vec![]),
        (&format!("line={second}"), at(&[6])),
        ("service=imessage", at(&[5])),
        ("service=sms", vec![]),
        (&format!("label={label}"), at(&[2])),
        (&format!("label={label}&state=active"), vec![]),
        (&format!("label={label}&state=closed&assignee=none&line={line}&service=unknown"), at(&[2])),
    ] {
        assert_eq!(addresses(&acme, query).await, wanted, "{query}");
    }
    assert_eq!(addresses(&ana, "assignee=me").await, at(&[1]));
    let counts = acme.get("/conversations/counts").await.expect(200);
    let wanted = json!({
        "mine_unread": 0, "unassigned_unread": 1, "all_unread": 1, "mine": 1, "unassigned": 2, "active": 4, "snoozed": 1, "archived": 1, "closed": 1,
    });
    assert_eq!(counts, wanted);
    // the snooze ends at its time, in lists and counters alike, also before any job has run
    world.database.advance(Duration::from_secs(86_401)).await;
    assert_eq!(addresses(&acme, "state=active").await, at(&[6, 5, 4, 1, 0]));
    assert_eq!(addresses(&acme, "snoozed=true").await, Vec::<String>::new());
    assert_eq!(acme.get("/conversations/counts").await.expect(200)["active"], 5);
    assert_eq!(acme.get("/conversations?assignee=nonsense").await.status, 422);
    assert_eq!(acme.get("/conversations?state=nonsense").await.status, 422);
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn pages_meet_without_gap_or_overlap_also_by_label() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let line = acme.post("/lines", &line_body(&world)).await.expect(201);
    let label = id(&acme.post("/labels", &json!({ "name": "VIP" })).await.expect(201));
    let mut wanted = Vec::new();
    for n in 0..9 {
        let conversation = opened(&acme, line["id"].as_str().unwrap(), &address(n)).await;
        change(&acme, &conversation, json!({ "label_ids": [label] })).await;
        wanted.insert(0, address(n));
    }
    // a note brings an old one to the top, and its label with it
    let oldest = id(&with(&acme, &address(0)).await);
    note(&acme, &oldest, "llamar mañana").await;
    let last = wanted.pop().unwrap();
    wanted.insert(0, last);
    for filter in ["", "&state=active", &format!("&label={label}")] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = acme.get(&format!("/conversations?limit=2{filter}&cursor={cursor}")).await.expect(200);
            let rows = page["items"].as_array().unwrap();
            assert!(rows.len() <= 2);
            found.extend(rows.iter().map(|row| row["address"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(found, wanted, "{filter}");
    }
    world.finish().await;
}

fn line_body(world: &World) -> Value {
    json!({
        "name": "Line", "address": "+15550000001", "base_url": world.gateway_url(), "password": e2e::world::GATEWAY_PASSWORD,
        "method": "private_api", "unlimited": true, "send_timeout_s": 5, "resolve_after_s": 60,
    })
}

#[tokio::test]
async fn a_row_tells_who_it_is_what_was_said_last_and_whether_they_may_be_written_to() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    acme.post("/contacts", &json!({ "first_name": "José", "last_name": "Muñoz", "phone": JOSE })).await.expect(201);
    let row = writes(&world, &acme, JOSE, "hola").await;
    assert_eq!(
        (&row["name"], &row["line_name"], &row["kind"]),
        (&json!("José Muñoz"), &json!("Line"), &json!("direct"))
    );
    assert_eq!(row["contact"]["first_name"], "José");
    assert_eq!(row["last_message"]["preview"], "hola");
    assert_eq!((&row["line_id"], &row["suppression"], &row["unread_count"]), (&json!(line), &Value::Null, &json!(1)));
    note(&acme, &id(&row), "cuidado").await;
    let row = with(&acme, JOSE).await;
    assert_eq!((&row["last_message"]["kind"], &row["last_message"]["preview"]), (&json!("note"), &json!("cuidado")));
    let row = writes(&world, &acme, JOSE, "STOP").await;
    assert_eq!(row["suppression"], "opted_out");
    // begun twice it is one
    assert_eq!(opened(&acme, &line, "(305) 555-0142").await, id(&row));
    let unknown = json!({ "line_id": uuid::Uuid::now_v7(), "address": JOSE });
    assert_eq!(acme.post("/conversations", &unknown).await.code(), "line_not_found");
    assert_eq!(acme.post("/conversations", &json!({ "line_id": line, "address": "12" })).await.status, 422);
    world.finish().await;
}

/// INB-01
#[tokio::test]
async fn a_page_takes_as_many_statements_whatever_its_size_and_few() {
    let statements = crate::statements::of_requests();
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let label = id(&acme.post("/labels", &json!({ "name": "VIP" })).await.expect(201));
    for n in 0..12 {
        let conversation = opened(&acme, &line, &address(n)).await;
        change(&acme, &conversation, json!({ "label_ids": [label] })).await;
        if n % 2 == 0 {
            reply(&acme, &conversation, "hola").await;
        }
    }
    world.settle().await;
    for filter in ["", "state=active", "unread=true", "assignee=none&state=active", &format!("label={label}")] {
        let mut counts = Vec::new();
        for limit in [3, 100] {
            // what the process looks up afresh now and then is not the page's
            let mut fewest = usize::MAX;
            for _ in 0..3 {
                let before = statements.load(Ordering::Relaxed);
                acme.get(&format!("/conversations?limit={limit}&{filter}")).await.expect(200);
                fewest = fewest.min(statements.load(Ordering::Relaxed) - before);
            }
            counts.push(fewest);
        }
        assert_eq!(counts[0], counts[1], "{filter}");
        assert!((3..=8).contains(&counts[0]), "{filter}: {counts:?}");
    }
    world.finish().await;
}
