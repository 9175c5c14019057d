//! Search: whatever the accents, the case and the spelling of a number; newest first, over everything, in one's own tenant only.

use e2e::{Tenant, World};
use serde_json::{Value, json};

use super::{JOSE, id, opened, reply, writes};

async fn find(tenant: &Tenant, query: &[(&str, &str)]) -> Value {
    let answer = tenant.request(reqwest::Method::GET, "/search").query(query).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{query:?}");
    answer.json().await.unwrap()
}

async fn found(tenant: &Tenant, q: &str) -> Vec<Value> {
    find(tenant, &[("q", q)]).await["items"].as_array().unwrap().clone()
}

async fn kinds(tenant: &Tenant, q: &str) -> Vec<String> {
    found(tenant, q).await.iter().map(|row| row["kind"].as_str().unwrap().to_owned()).collect()
}

/// INB-02
#[tokio::test]
async fn a_person_is_found_by_any_spelling_of_name_and_number() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let line = acme.line(&world, json!({})).await;
    let contact = json!({ "first_name": "José", "last_name": "Muñoz", "company": "Ferretería Ñandú", "phone": JOSE });
    let contact = id(&acme.post("/contacts", &contact).await.expect(201));
    acme.post("/contacts", &json!({ "first_name": "Joséphine", "phone": "+13055550143" })).await.expect(201);
    for q in [
        "munoz",
        "MUÑOZ",
        "jose munoz",
        "muñoz jos",
        "nandu",
        "5550142",
        "+1 305-555-0142",
        "(305) 555 0142",
        "0013055550142",
        "+1 305-555-01",
    ] {
        let rows = found(&acme, q).await;
        assert!(
            rows.iter()
                .any(|row| row["kind"] == "contact" && row["contact_id"] == *contact && row["name"] == "José Muñoz"),
            "{q}: {rows:?}"
        );
    }
    assert_eq!(found(&acme, "jose").await.len(), 2);
    // letters that become signs of a query once they are written plainly
    for odd in ["ʻokina", "ab⑴", "ː", "a\\b"] {
        assert_eq!(found(&acme, odd).await.len(), 0, "{odd}");
    }
    assert_eq!((found(&acme, "unoz").await.len(), found(&acme, "jose smith").await.len()), (0, 0), "words begin so");
    // with a conversation it is that
    let conversation = opened(&acme, &line, JOSE).await;
    let rows = found(&acme, "munoz").await;
    assert_eq!(
        (rows.len(), &rows[0]["kind"], &rows[0]["conversation_id"]),
        (1, &json!("conversation"), &json!(conversation))
    );
    // a number that nobody is known by
    let unknown = opened(&acme, &line, "+13055550199").await;
    let rows = found(&acme, "305-555-0199").await;
    assert_eq!((rows.len(), &rows[0]["conversation_id"]), (1, &json!(unknown)));
    for q in ["munoz", "5550142", "305-555-0199"] {
        assert_eq!(found(&other, q).await, Vec::<Value>::new(), "{q}");
    }
    world.finish().await;
}

#[tokio::test]
async fn what_was_said_is_found_newest_first_and_opens_at_the_message() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    acme.line(&world, json!({})).await;
    acme.post("/contacts", &json!({ "first_name": "José", "phone": JOSE })).await.expect(201);
    let conversation = id(&writes(&world, &acme, JOSE, "¿Tienen cita mañana a las 10? Mi teléfono es el mismo").await);
    reply(&acme, &conversation, "Su CITA está confirmada: https://example.com/cita").await;
    writes(&world, &acme, "+13055550143", "otra Cíta, por favor").await;
    let rows = found(&acme, "cita").await;
    let snippets: Vec<&str> = rows.iter().filter_map(|row| row["snippet"].as_str()).collect();
    assert_eq!(snippets.len(), 3, "{rows:?}");
    assert!(snippets[0].starts_with("otra Cíta") && snippets[2].starts_with("¿Tienen"), "{snippets:?}");
    assert_eq!((&rows[2]["name"], &rows[2]["address"]), (&json!("José"), &json!(JOSE)));
    let around = rows[2]["message_id"].as_str().unwrap();
    let page = acme.get(&format!("/conversations/{conversation}/messages?around={around}")).await.expect(200);
    assert!(page["items"].as_array().unwrap().iter().any(|row| row["id"] == *around));
    for (q, count) in [
        ("telefono", 1),
        ("tele", 1),
        ("tele ", 0),
        ("cita confirmada", 1),
        ("cita nada", 0),
        ("cita from:me", 1),
        ("cita from:them", 2),
        ("cita from:jose", 1),
        ("cita from:+13055550143", 1),
        ("from:\"José\"", 1),
        ("cita from:nadie", 0),
        ("has:link", 1),
        ("cita has:link from:them", 0),
        ("cita before:2020-01-01", 0),
        ("cita after:2020-01-01 before:2100-01-01", 3),
        ("cita after:2100-01-01", 0),
    ] {
        assert_eq!(found(&acme, q).await.len(), count, "{q}");
    }
    assert_eq!(kinds(&acme, "jos").await, ["conversation"]);
    assert_eq!(find(&acme, &[("q", "jose"), ("kind", "message")]).await["items"], json!([]));
    for (q, code) in [
        ("", "query_length"),
        ("¡!", "query_empty"),
        ("has:cake", "operator_unknown"),
        ("before:soon", "day_malformed"),
    ] {
        let answer = acme.request(reqwest::Method::GET, "/search").query(&[("q", q)]).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        assert_eq!((status, &body["code"]), (422, &json!(code)), "{q}");
    }
    for q in ["cita", "has:link", "from:them"] {
        assert_eq!(found(&other, q).await, Vec::<Value>::new(), "{q}");
    }
    let billing = acme.colleague("Bea", "billing").await;
    assert_eq!(billing.get("/search?q=cita").await.status, 403);
    world.settle().await;
    world.finish().await;
}

/// Two hundred thousand messages: `cita` is in a fifth of them, `jirafa` in one of forty thousand, `sorteo` in the oldest quarter alone.
const FILL: &str = "
set session_replication_role = replica;
set app.actor = 'nobody';
insert into crm.conversations (tenant_id, id, line_id, address, last_message_at)
  select t.id, md5('c' || n)::uuid, l.id, '+1305' || (5000000 + n), timestamptz '2026-01-01' from crm.tenants t join crm.lines l on l.tenant_id = t.id, generate_series(0, 99) n;
insert into crm.messages (tenant_id, id, conversation_id, line_id, direction, source, address, body, status, created_at, position)
  select t.id, md5('m' || n)::uuid, md5('c' || n % 100)::uuid, l.id, 'inbound', 'contact', '+13055000000',
         case when n % 5 = 0 then 'Su cita ' else 'Hola ' end || case when n % 40000 = 7 then 'jirafa ' else '' end || case when n < 50000 then 'sorteo ' else '' end || n,
         'received', timestamptz '2026-01-01' + n * interval '1 second', n
    from crm.tenants t join crm.lines l on l.tenant_id = t.id, generate_series(1, 200000) n;
insert into crm.attachments (tenant_id, id, message_id, name, mime, kind, is_voice, state, message_at, transcription, transcript)
  select t.id, md5('f' || n)::uuid, md5('m' || n)::uuid, 'a', 'x', case when n % 40000 = 9 then 'audio' else 'image' end, n % 40000 = 9, 'stored', timestamptz '2026-01-01' + n * interval '1 second',
         case when n % 40000 = 9 then 'done' end, case when n % 40000 = 9 then 'la niña pregunta' end
    from crm.tenants t, generate_series(1, 200000) n where n % 20 = 0 or n % 40000 = 9;
update crm.messages m set transcript = a.transcript from crm.attachments a where a.message_id = m.id and a.transcript is not null;
set session_replication_role = origin;
";

#[tokio::test]
async fn all_history_is_searched_by_what_is_found_and_page_by_page() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    world.drain().await;
    let mut superuser = world.database.superuser().await;
    sqlx::raw_sql(FILL).execute(&mut superuser).await.unwrap();
    sqlx::raw_sql("vacuum analyze").execute(&mut superuser).await.unwrap();
    for (q, wanted) in [
        ("cita", (1..=60).map(|n| 200_000 - (n - 1) * 5).collect::<Vec<_>>()),
        ("jirafa", vec![160_007, 120_007, 80_007, 40_007, 7]),
        ("sorteo", (1..=60).map(|n| 50_000 - n).collect()),
        ("sorteo jirafa", vec![40_007, 7]),
        ("cita sorteo 12345", vec![12_345]),
        ("jirafa from:5000007", vec![]),
        // what was said aloud, and messages by their files
        ("nina pregunta", vec![160_009, 120_009, 80_009, 40_009, 9]),
        ("has:voice", vec![160_009, 120_009, 80_009, 40_009, 9]),
        ("nina has:voice", vec![160_009, 120_009, 80_009, 40_009, 9]),
        ("nina has:image", vec![]),
        ("has:image", (0..60).map(|n| 200_000 - n * 20).collect()),
        ("sorteo has:image", (1..=60).map(|n| 50_000 - n * 20).collect()),
        ("has:image from:+13055000000", (0..60).map(|n| 200_000 - n * 100).collect()),
    ] {
        let (mut numbers, mut cursor) = (Vec::new(), String::new());
        while numbers.len() < 60 {
            let page = find(&acme, &[("q", q), ("limit", "20"), ("cursor", &cursor)]).await;
            let rows = page["items"].as_array().unwrap();
            numbers.extend(rows.iter().map(|row| {
                row["snippet"].as_str().unwrap().split(' ').find_map(|word| word.parse::<i64>().ok()).unwrap()
            }));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(numbers, wanted, "{q}");
    }
    // by pages touched, of which the table and its indexes have some ten thousand
    let tenant = acme.get("/session").await.expect(200)["tenant"]["id"].as_str().unwrap().parse().unwrap();
    for (words, file, most) in [
        ("'cita'", "null", 200),
        ("'jirafa'", "null", 300),
        ("'nina'", "null", 300),
        ("null", "'voice'", 100),
        ("null", "'image'", 300),
        ("'jirafa'", "'image'", 300),
    ] {
        let mut tx = world.app.db.tenant(tenant, db::Actor::Operator).await.unwrap();
        let explain = format!(
            "explain (analyze, buffers, timing off, format json) select * from crm.find_messages({words}, null, null, false, {file}, null, null, null, null, 26)"
        );
        let mut pages = i64::MAX;
        // once for the plans of what is inside
        for _ in 0..2 {
            let plan: sqlx::types::Json<Value> = sqlx::query_scalar(sqlx::AssertSqlSafe(explain.clone()))
                .fetch_one(db::Scope::conn(&mut tx))
                .await
                .unwrap();
            let root = &plan[0]["Plan"];
            pages = ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|kind| root[kind].as_i64()).sum();
        }
        println!("{words} {file}: {pages} pages");
        assert!(pages <= most, "{words} {file} touched {pages} pages");
    }
    world.finish().await;
}
