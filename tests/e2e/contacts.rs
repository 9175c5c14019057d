//! Contacts and the list of addresses nobody may write to, through HTTP.

use e2e::World;
use serde_json::{Value, json};

#[tokio::test]
async fn a_contact_is_made_read_changed_and_removed() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let body = json!({ "first_name": " Ana ", "phone": "(305) 555-0142 x9", "email": "ANA@Example.com", "attributes": { "plan": "gold" } });
    let made = acme.post("/contacts", &body).await.expect(201);
    assert_eq!(made["phone"], "+13055550142");
    assert_eq!((&made["phone_extension"], &made["first_name"]), (&json!("9"), &json!("Ana")));
    assert_eq!((&made["email"], &made["attributes"]["plan"]), (&json!("ana@example.com"), &json!("gold")));
    let path = format!("/contacts/{}", made["id"].as_str().unwrap());
    let change = json!({ "first_name": null, "city": "Miami", "attributes": { "plan": null, "since": "2020" } });
    let changed = acme.patch(&path, &change).await.expect(200);
    assert_eq!((&changed["first_name"], &changed["city"]), (&Value::Null, &json!("Miami")));
    assert_eq!((&changed["attributes"], &changed["phone"]), (&json!({ "since": "2020" }), &json!("+13055550142")));
    assert_eq!(acme.get(&path).await.expect(200), changed);
    assert_eq!(acme.delete(&path).await.status, 204);
    assert_eq!(acme.get(&path).await.status, 404);
    assert_eq!(acme.delete(&path).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn what_cannot_be_a_contact_is_refused_with_its_code() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    for (body, code) in [
        (json!({ "first_name": "Ana" }), "no_address"),
        (json!({ "phone": "abc" }), "phone_letters"),
        (json!({ "phone": "12" }), "phone_invalid"),
        (json!({ "phone": "1.30556E+10" }), "phone_scientific_lossy"),
        (json!({ "email": "nobody" }), "email_invalid"),
        (json!({ "email": "a@b.co", "time_zone": "Mars/Base" }), "time_zone_unknown"),
        (json!({ "email": "a@b.co", "city": "x".repeat(1001) }), "value_too_long"),
        (json!({ "email": "a@b.co", "city": "a\u{0}b" }), "nul_character"),
    ] {
        let answer = acme.post("/contacts", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, code), "{body} {}", answer.text);
    }
    world.finish().await;
}

#[tokio::test]
async fn contacts_are_listed_in_pages_and_found_by_phone() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    for n in 0..5 {
        let _ = acme.post("/contacts", &json!({ "phone": format!("+1305555014{n}") })).await.expect(201);
    }
    let first = acme.get("/contacts?limit=3").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = acme.get(&format!("/contacts?limit=3&cursor={cursor}")).await.expect(200);
    let phones: Vec<&Value> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|contact| &contact["phone"])
        .collect();
    assert_eq!(phones.len(), 5);
    assert!(phones.is_sorted_by_key(|phone| phone.as_str()));
    let found = acme.get("/contacts?phone=305-555-0143").await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn another_tenants_contact_is_not_found() {
    let world = World::without_workers().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let made = acme.post("/contacts", &json!({ "phone": "+13055550142" })).await.expect(201);
    let path = format!("/contacts/{}", made["id"].as_str().unwrap());
    assert_eq!(other.get(&path).await.status, 404);
    assert_eq!(other.patch(&path, &json!({ "city": "x" })).await.status, 404);
    assert_eq!(other.delete(&path).await.status, 404);
    assert_eq!(acme.get(&path).await.status, 200);
    world.finish().await;
}

#[tokio::test]
async fn an_address_goes_on_the_list_once_and_off_again_however_it_is_written() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let add = |address: &'static str| {
        let acme = acme.clone();
        async move { acme.post("/suppressions", &json!({ "address": address, "reason": "blacklisted" })).await }
    };
    let first = add("305 555 0142").await.expect(201);
    assert_eq!((&first["address"], &first["source"]), (&json!("+13055550142"), &json!("api")));
    assert_eq!(add("+1 (305) 555-0142").await.expect(201), first);
    assert_eq!(add("nonsense").await.code(), "phone_letters");
    let listed = acme.get("/suppressions?reason=blacklisted").await.expect(200);
    assert_eq!(listed["items"], json!([first]));
    add("+13055550143").await.expect(201);
    let of_one = acme.get("/suppressions?address=(305)%20555-0142").await.expect(200);
    assert_eq!(of_one["items"], json!([first]));
    assert_eq!(acme.get("/suppressions?address=%2B13055550144").await.expect(200)["items"], json!([]));
    assert_eq!(acme.get("/suppressions?address=nonsense").await.code(), "phone_letters");
    assert_eq!(acme.delete("/suppressions/+13055550143").await.status, 204);
    assert_eq!(acme.get("/suppressions?reason=opted_out").await.expect(200)["items"], json!([]));
    assert_eq!(acme.delete("/suppressions/%2B13055550142?reason=opted_out").await.status, 404);
    assert_eq!(acme.delete("/suppressions/+13055550142?reason=blacklisted").await.status, 204);
    assert_eq!(acme.get("/suppressions").await.expect(200)["items"], json!([]));
    world.finish().await;
}

/// The ids of a page, in its order.
fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn made(tenant: &e2e::Tenant, body: Value) -> String {
    tenant.post("/contacts", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn contacts_are_found_by_what_people_type_whatever_the_case_the_accents_and_the_spelling() {
    let world = World::without_workers().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let jose = made(
        &acme,
        json!({ "first_name": "José María", "last_name": "Muñoz", "phone": "305 555 0142", "email": "jm@example.com" }),
    )
    .await;
    let ana = made(&acme, json!({ "first_name": "Ana", "company": "Óptica Sol", "phone": "305 555 0199" })).await;
    let mail = made(&acme, json!({ "email": "zoe_100@example.com" })).await;
    made(&other, json!({ "first_name": "José", "phone": "305 555 0142" })).await;
    for (typed, expected) in [
        ("jose", vec![&jose]),
        ("MUNOZ", vec![&jose]),
        ("mar mu", vec![&jose]),
        ("optica", vec![&ana]),
        ("(305) 555-0142", vec![&jose]),
        ("+1 305 555 01", vec![&jose, &ana]),
        ("0199", vec![&ana]),
        ("zoe_1", vec![&mail]),
        ("JM@ex", vec![&jose]),
        ("ose", vec![]),
        ("ana muñoz", vec![]),
        ("%", vec![&jose, &ana, &mail]),
    ] {
        let query = |name: &str| {
            let mut url = reqwest::Url::parse("http://x/").unwrap();
            url.query_pairs_mut().append_pair(name, typed);
            url.query().unwrap().to_owned()
        };
        let listed = acme.get(&format!("/contacts?{}", query("text"))).await.expect(200);
        assert_eq!(ids(&listed), expected, "list {typed}");
        let suggested = acme.get(&format!("/contacts/suggest?{}", query("q"))).await.expect(200);
        let mut found = ids(&suggested);
        found.sort_unstable();
        // nothing to look for means all in a list, and nobody in a suggestion
        let expected = if typed == "%" { Vec::new() } else { expected };
        assert_eq!(found, expected, "suggest {typed}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_list_is_narrowed_by_label_phone_consent_and_time() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = made(&acme, json!({ "first_name": "Ana", "phone": "305 555 0142" })).await;
    let bea = made(&acme, json!({ "first_name": "Bea", "email": "bea@example.com" })).await;
    acme.post("/suppressions", &json!({ "address": "bea@example.com", "reason": "blacklisted" })).await.expect(201);
    let label =
        acme.post("/contact-labels", &json!({ "name": "VIP" })).await.expect(201)["id"].as_str().unwrap().to_owned();
    let labelled = acme.put(&format!("/contacts/{ana}/labels/{label}"), &json!({})).await.expect(200);
    assert_eq!(labelled["label_ids"], json!([label]));
    acme.put(&format!("/contacts/{ana}/labels/{label}"), &json!({})).await.expect(200);
    for (query, expected) in [
        (format!("label_id={label}"), vec![&ana]),
        ("has_phone=true".to_owned(), vec![&ana]),
        ("has_phone=false".to_owned(), vec![&bea]),
        ("suppression=any".to_owned(), vec![&bea]),
        ("suppression=blacklisted".to_owned(), vec![&bea]),
        ("suppression=opted_out".to_owned(), vec![]),
        ("suppression=none".to_owned(), vec![&ana]),
        ("created_before=2020-01-01T00:00:00Z".to_owned(), vec![]),
        ("created_from=2020-01-01T00:00:00Z".to_owned(), vec![&ana, &bea]),
        (format!("label_id={label}&text=bea"), vec![]),
    ] {
        let listed = acme.get(&format!("/contacts?{query}")).await.expect(200);
        assert_eq!(ids(&listed), expected, "{query}");
    }
    assert_eq!(acme.delete(&format!("/contacts/{ana}/labels/{label}")).await.expect(200)["label_ids"], json!([]));
    world.finish().await;
}

#[tokio::test]
async fn a_label_is_one_whatever_its_case_and_accents() {
    let world = World::without_workers().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let made = acme.post("/contact-labels", &json!({ "name": "  Café   Sol " })).await.expect(201);
    assert_eq!(made["name"], "Café Sol");
    assert_eq!(acme.post("/contact-labels", &json!({ "name": "CAFE SOL" })).await.code(), "label_name_taken");
    assert_eq!(acme.post("/contact-labels", &json!({ "name": "a;b" })).await.code(), "label_name_separator");
    assert_eq!(acme.post("/contact-labels", &json!({ "name": " " })).await.code(), "name_length");
    acme.post("/contact-labels", &json!({ "name": "Abc" })).await.expect(201);
    let path = format!("/contact-labels/{}", made["id"].as_str().unwrap());
    assert_eq!(other.patch(&path, &json!({ "name": "x" })).await.status, 404);
    assert_eq!(acme.patch(&path, &json!({ "name": "ABC" })).await.code(), "label_name_taken");
    assert_eq!(acme.patch(&path, &json!({ "name": "café sol" })).await.expect(200)["name"], "café sol");
    let first = acme.get("/contact-labels?limit=1").await.expect(200);
    assert_eq!(first["items"][0]["name"], "Abc");
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(
        acme.get(&format!("/contact-labels?limit=1&cursor={cursor}")).await.expect(200)["items"][0]["name"],
        "café sol"
    );
    assert_eq!(acme.delete(&path).await.status, 204);
    assert_eq!(acme.delete(&path).await.status, 404);
    world.finish().await;
}

/// INB-03
#[tokio::test]
async fn a_merge_loses_nothing_and_one_with_itself_is_refused() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let line = acme.line(&world, json!({})).await;
    let kept =
        made(&acme, json!({ "first_name": "Ana", "phone": "305 556 0001", "attributes": { "plan": "gold" } })).await;
    let gone =
        made(&acme, json!({ "last_name": "Ruiz", "phone": "305 556 0002", "email": "a@b.co", "attributes": { "plan": "free", "since": "2020" } })).await;
    let label =
        acme.post("/contact-labels", &json!({ "name": "VIP" })).await.expect(201)["id"].as_str().unwrap().to_owned();
    acme.put(&format!("/contacts/{gone}/labels/{label}"), &json!({})).await.expect(200);
    acme.post(&format!("/contacts/{gone}/household"), &json!({ "name": "Leo", "is_confirmed": true }))
        .await
        .expect(201);
    acme.post(&format!("/contacts/{kept}/household"), &json!({ "name": "LEO" })).await.expect(201);
    let campaign = json!({ "name": "c", "line_id": line, "body": "Hola", "quiet_hours": false });
    let campaign = acme.post("/campaigns", &campaign).await.expect(201)["id"].as_str().unwrap().to_owned();
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    let itself = acme.post(&format!("/contacts/{kept}/merge"), &json!({ "merged_id": kept })).await;
    assert_eq!((itself.status.as_u16(), itself.code()), (422, "merge_with_itself"));
    assert_eq!(acme.get(&format!("/contacts/{kept}")).await.status, 200);
    assert_eq!(other.post(&format!("/contacts/{kept}/merge"), &json!({ "merged_id": gone })).await.status, 404);
    let merged = acme.post(&format!("/contacts/{kept}/merge"), &json!({ "merged_id": gone })).await.expect(200);
    assert_eq!((&merged["first_name"], &merged["last_name"]), (&json!("Ana"), &json!("Ruiz")));
    assert_eq!((&merged["phone"], &merged["second_phone"]), (&json!("+13055560001"), &json!("+13055560002")));
    assert_eq!(
        (&merged["attributes"], &merged["label_ids"]),
        (&json!({ "plan": "gold", "since": "2020" }), &json!([label]))
    );
    let household = acme.get(&format!("/contacts/{kept}/household")).await.expect(200);
    assert_eq!(household["items"].as_array().unwrap().len(), 1);
    assert_eq!(household["items"][0]["is_confirmed"], true);
    assert_eq!(acme.get(&format!("/contacts/{gone}")).await.status, 404);
    let history = acme.get(&format!("/contacts/{kept}/merges")).await.expect(200);
    assert_eq!(
        (&history["items"][0]["merged_id"], &history["items"][0]["merged"]["phone"]),
        (&json!(gone), &json!("+13055560002"))
    );
    let owners: Vec<String> = sqlx::query_scalar("select contact_id::text from crm.conversations")
        .fetch_all(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(owners, [kept.clone(), kept]);
    world.finish().await;
}
