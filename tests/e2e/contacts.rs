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
    assert_eq!(acme.get("/suppressions?reason=opted_out").await.expect(200)["items"], json!([]));
    assert_eq!(acme.delete("/suppressions/%2B13055550142?reason=opted_out").await.status, 404);
    assert_eq!(acme.delete("/suppressions/+13055550142?reason=blacklisted").await.status, 204);
    assert_eq!(acme.get("/suppressions").await.expect(200)["items"], json!([]));
    world.finish().await;
}
