//! Organizations inside an account: which lines are of them, and what of their settings the product heeds.

use e2e::{Tenant, World, eventually};
use serde_json::{Value, json};

use crate::{campaigns_timing::zone_at, settings::organization};

/// A line that nothing is sent by. Answers its id.
async fn line(world: &World, tenant: &Tenant, address: &str, organization: Option<&str>) -> String {
    let body = json!({
        "name": "Line", "address": address, "base_url": world.gateway_url(), "password": e2e::world::GATEWAY_PASSWORD,
        "organization_id": organization,
    });
    let made = tenant.post("/lines", &body).await.expect(201);
    assert_eq!(made["organization_id"], json!(organization));
    made["id"].as_str().unwrap().to_owned()
}

fn names(organizations: &[Value]) -> Vec<&str> {
    organizations.iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_organization_is_made_named_anew_found_by_name_and_removed_with_what_it_set() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    for name in ["Sur", "  Área 2 ", "norte"] {
        organization(&acme, name).await;
    }
    let listed = acme.items("/organizations").await;
    assert_eq!(names(&listed), ["Área 2", "norte", "Sur"]);
    // page by page, by the same order
    let first = acme.get("/organizations?limit=2").await.expect(200);
    let rest = acme.items(&format!("/organizations?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(names(&rest), ["Sur"]);
    let path = format!("/organizations/{}", listed[1]["id"].as_str().unwrap());
    for (name, code) in
        [("AREA 2", "organization_name_taken"), (" ", "name_length"), (&*"x".repeat(201), "name_length")]
    {
        assert_eq!(acme.patch(&path, &json!({ "name": name })).await.code(), code);
        assert_eq!(acme.post("/organizations", &json!({ "name": name })).await.code(), code);
    }
    assert_eq!(acme.patch(&path, &json!({ "name": "Norte" })).await.expect(200)["name"], "Norte");
    acme.patch(&format!("{path}/settings"), &json!({ "set": { "brand.name": "N" } })).await.expect(200);
    assert_eq!(acme.delete(&path).await.status, 204);
    for gone in [acme.get(&path).await, acme.delete(&path).await, acme.get(&format!("{path}/settings")).await] {
        assert_eq!(gone.status, 404);
    }
    let audit = acme.items("/audit/changes").await;
    let told = |subject: &str, action: &str| {
        let is_it = |change: &&Value| change["subject"] == subject && change["action"] == action;
        audit.iter().filter(is_it).count()
    };
    assert_eq!(
        (told("organization", "create"), told("organization", "change"), told("organization", "delete")),
        (3, 1, 1)
    );
    assert_eq!((told("setting", "create"), told("setting", "delete")), (1, 1), "what goes with it is told too");
    // the name is free again, and another account's names are its own
    organization(&acme, "norte").await;
    organization(&world.tenant("other").await, "Sur").await;
    world.finish().await;
}

#[tokio::test]
async fn a_line_is_of_an_organization_of_its_account_and_keeps_it_from_being_removed() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (organization(&acme, "Norte").await, organization(&acme, "Sur").await);
    let foreign = organization(&world.tenant("other").await, "Ajena").await;
    let plain = line(&world, &acme, "+15550000001", None).await;
    let of_north = line(&world, &acme, "+15550000002", Some(&north)).await;
    let found = async |organization: &str| {
        let lines = acme.items(&format!("/lines?organization_id={organization}")).await;
        lines.iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&north).await, std::slice::from_ref(&of_north));
    assert!(found(&foreign).await.is_empty() && found(&south).await.is_empty());
    assert_eq!(acme.items("/lines").await.len(), 2);
    let path = format!("/lines/{plain}");
    let missing = uuid::Uuid::now_v7().to_string();
    for nobody in [&foreign, &missing] {
        let refused = acme.patch(&path, &json!({ "organization_id": nobody })).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "organization_unknown"));
    }
    // what is not said stays; null takes it out
    acme.patch(&path, &json!({ "organization_id": north })).await.expect(200);
    assert_eq!(acme.patch(&path, &json!({ "name": "x" })).await.expect(200)["organization_id"], json!(north));
    assert_eq!(acme.get(&format!("/organizations/{north}")).await.expect(200)["line_count"], 2);
    assert_eq!(acme.delete(&format!("/organizations/{north}")).await.code(), "organization_in_use");
    let null = json!({ "organization_id": null });
    assert_eq!(acme.patch(&path, &null).await.expect(200)["organization_id"], Value::Null);
    let told = acme.items(&format!("/audit/changes?subject=line&subject_id={plain}")).await;
    assert_eq!(told[0]["before"]["organization_id"], json!(north));
    acme.patch(&format!("/lines/{of_north}"), &json!({ "organization_id": south })).await.expect(200);
    assert_eq!(acme.delete(&format!("/organizations/{north}")).await.status, 204);
    // who manages lines need not manage settings, and the other way round
    let role = json!({ "name": "lines", "permissions": ["conversations.view", "admin.channels_manage"] });
    let role = acme.post("/roles", &role).await.expect(201);
    let ana = acme.colleague("Ana", role["id"].as_str().unwrap()).await;
    ana.patch(&path, &json!({ "organization_id": south })).await.expect(200);
    assert_eq!(ana.post("/organizations", &json!({ "name": "x" })).await.code(), "forbidden");
    let role = json!({ "name": "settings", "permissions": ["admin.settings_view", "admin.settings_manage"] });
    let role = acme.post("/roles", &role).await.expect(201);
    let eva = acme.colleague("Eva", role["id"].as_str().unwrap()).await;
    organization(&eva, "Este").await;
    assert_eq!(eva.patch(&path, &null).await.code(), "forbidden");
    world.finish().await;
}

/// A line that is given to an organization while that is removed is either of it, or was not given.
#[tokio::test]
async fn an_organization_is_not_removed_from_under_a_line() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let line = format!("/lines/{}", line(&world, &acme, "+15550000001", None).await);
    for round in 0..5 {
        let id = organization(&acme, &format!("O{round}")).await;
        let (path, give) = (format!("/organizations/{id}"), json!({ "organization_id": id }));
        let (given, removed) = tokio::join!(acme.patch(&line, &give), acme.delete(&path));
        match (given.status.as_u16(), removed.status.as_u16()) {
            (200, 409) => assert_eq!(removed.code(), "organization_in_use"),
            (422, 204) => assert_eq!(given.code(), "organization_unknown"),
            other => panic!("{other:?}: {} {}", given.text, removed.text),
        }
        acme.patch(&line, &json!({ "organization_id": null })).await.expect(200);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_number_is_read_as_the_line_s_organization_writes_it() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let north = organization(&acme, "Norte").await;
    let (home, abroad) = (
        acme.line(&world, json!({ "address": "+15550000001" })).await,
        acme.line(&world, json!({ "address": "+15550000002", "organization_id": north })).await,
    );
    // as both countries write numbers
    let typed = "3125550123";
    let opened = async |line: &str, typed: &str| {
        let body = json!({ "line_id": line, "address": typed });
        let answer = acme.post("/conversations", &body).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        answer.body["address"].as_str().unwrap().to_owned()
    };
    assert_eq!(opened(&abroad, "3125550124").await, "+13125550124", "it inherits while it sets nothing");
    let path = format!("/organizations/{north}/settings");
    acme.patch(&path, &json!({ "set": { "locale.region": "MX" } })).await.expect(200);
    assert_eq!(opened(&home, typed).await, "+13125550123");
    assert_eq!(opened(&abroad, typed).await, "+523125550123");
    let send = |line: &str| {
        let payload = json!({ "line_id": line, "address": typed, "text": "Hola" });
        json!({ "kind": "messaging.send_text", "payload": payload })
    };
    acme.post("/jobs", &json!({ "jobs": [send(&home), send(&abroad)] })).await.expect(200);
    eventually("both are out", || async { world.sends().len() == 2 }).await;
    for address in ["+13125550123", "+523125550123"] {
        assert_eq!(acme.messages(address).await.len(), 1, "{address}");
    }
    let import = acme.import(format!("phone\n{typed}\n"), &format!("&organization_id={north}")).await;
    assert_eq!((&import["created_count"], &import["region"]), (&json!(1), &json!("MX")), "{import}");
    let import = acme.import(format!("phone\n{typed}\n"), &format!("&organization_id={north}&region=US")).await;
    assert_eq!(import["region"], "US", "what is said counts");
    let missing = uuid::Uuid::now_v7();
    let refused = acme.upload(&format!("/imports?organization_id={missing}"), format!("phone\n{typed}\n")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "organization_unknown"));
    world.finish().await;
}

/// D9: where nobody knows where somebody is, they are where the line's organization is.
#[tokio::test]
async fn by_the_clock_of_the_line_s_organization_it_is_night() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.patch("/settings", &json!({ "set": { "locale.time_zone": zone_at(12).await } })).await.expect(200);
    let north = organization(&acme, "Norte").await;
    let path = format!("/organizations/{north}/settings");
    acme.patch(&path, &json!({ "set": { "locale.time_zone": zone_at(23).await } })).await.expect(200);
    let (home, abroad) = (
        acme.line(&world, json!({ "address": "+15550000001" })).await,
        acme.line(&world, json!({ "address": "+15550000002", "organization_id": north })).await,
    );
    // a number of no place, and one whose owner is known to be awake
    acme.post("/contacts", &json!({ "phone": "+18005550100" })).await.expect(201);
    acme.post("/contacts", &json!({ "phone": "+13055560001", "time_zone": zone_at(12).await })).await.expect(201);
    let sent = async |line: &str, count: usize| {
        let campaign = acme.draft(line, "", json!({ "import_id": null, "quiet_hours": true })).await;
        acme.launch(&campaign).await;
        eventually("whoever is awake has it", || async { world.sends().len() == count }).await;
        acme.progress(&campaign).await["waiting"].clone()
    };
    let waiting = sent(&abroad, 1).await;
    assert_eq!((&waiting[0]["reason"], &waiting[0]["count"]), (&json!("quiet_hours"), &json!(1)), "{waiting}");
    assert_eq!(sent(&home, 3).await, json!([]));
    world.finish().await;
}

/// A wrong zone is mended for what still waits: it is read with each message.
#[tokio::test]
async fn a_zone_of_an_organization_that_is_mended_holds_for_a_campaign_under_way() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let north = organization(&acme, "Norte").await;
    let path = format!("/organizations/{north}/settings");
    acme.patch(&path, &json!({ "set": { "locale.time_zone": zone_at(12).await } })).await.expect(200);
    let line = acme.line(&world, json!({ "address": "+15550000002", "organization_id": north })).await;
    for phone in ["+18005550100", "+18005550101"] {
        acme.post("/contacts", &json!({ "phone": phone })).await.expect(201);
    }
    let more = json!({ "import_id": null, "quiet_hours": true, "rate_per_minute": 1 });
    let campaign = acme.draft(&line, "", more).await;
    acme.launch(&campaign).await;
    eventually("one is out", || async { world.sends().len() == 1 }).await;
    acme.patch(&path, &json!({ "set": { "locale.time_zone": zone_at(23).await } })).await.expect(200);
    world.advance(std::time::Duration::from_secs(61)).await;
    eventually("the other waits for the morning", || async {
        acme.progress(&campaign).await["waiting"][0]["reason"] == "quiet_hours"
    })
    .await;
    assert_eq!(world.sends().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn an_account_has_as_many_organizations_as_people_can_choose_from() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    sqlx::query("insert into crm.organizations (tenant_id, id, name) select t.id, gen_random_uuid(), 'O' || n from crm.tenants t, generate_series(1, 199) n")
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
    let body = |name: &str| json!({ "name": name });
    let (one, other) = (body("one"), body("other"));
    let (one, other) = tokio::join!(acme.post("/organizations", &one), acme.post("/organizations", &other));
    let mut both = [one.status.as_u16(), other.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [201, 409], "{} {}", one.text, other.text);
    assert_eq!(acme.post("/organizations", &body("third")).await.code(), "organizations_count");
    world.finish().await;
}

/// Whoever is not to be written to is not, by whichever line: what two countries read as two numbers is asked for with its code.
#[tokio::test]
async fn a_number_that_is_two_is_put_on_the_list_with_its_country_code() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let north = organization(&acme, "Norte").await;
    let put =
        async |address: &str| acme.post("/suppressions", &json!({ "address": address, "reason": "blacklisted" })).await;
    assert_eq!(put("3125550123").await.body["address"], "+13125550123");
    let region = json!({ "set": { "locale.region": "MX" } });
    acme.patch(&format!("/organizations/{north}/settings"), &region).await.expect(200);
    let refused = put("3125550124").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "address_ambiguous"));
    assert_eq!(put("+52 312 555 0124").await.body["address"], "+523125550124");
    assert_eq!(put("ana@example.com").await.body["address"], "ana@example.com");
    world.finish().await;
}
