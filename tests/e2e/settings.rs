//! Settings of an account and of its organizations: which value wins and why, what is kept of a secret, and two who change them at once.

use std::time::Duration;

use e2e::{Answer, Tenant, World};
use serde_json::{Value, json};

use crate::platform::tenant_id;

const CANARY: &str = "canary-sk-12345";

pub(crate) async fn organization(tenant: &Tenant, name: &str) -> String {
    tenant.post("/organizations", &json!({ "name": name })).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// One setting of an answer.
fn of(settings: &Value, key: &str) -> Value {
    let found = settings["items"].as_array().unwrap().iter().find(|setting| setting["key"] == key);
    found.unwrap_or_else(|| panic!("no {key}")).clone()
}

/// What holds, from where, and what would hold without.
async fn held(tenant: &Tenant, path: &str, key: &str) -> (Value, Value, Value) {
    let setting = of(&tenant.get(path).await.expect(200), key);
    let inherited = setting["inherited"].clone();
    let behind = if inherited.is_null() { inherited } else { json!([inherited["value"], inherited["source"]]) };
    (setting["holds"]["value"].clone(), setting["holds"]["source"].clone(), behind)
}

async fn set(tenant: &Tenant, path: &str, key: &str, value: Value) -> Answer {
    tenant.patch(path, &json!({ "set": { key: value } })).await
}

#[tokio::test]
async fn unset_empty_and_null_are_three_things_over_all_layers() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let id = organization(&acme, "Norte").await;
    let (account, own) = ("/settings", &*format!("/organizations/{id}/settings"));
    for key in ["brand.name", "hours.weekly"] {
        let hours = |from: &str| json!([{ "days": [1], "from": from, "until": "18:00" }]);
        let (filled, empty, other) = match key {
            "brand.name" => (json!("Acme"), json!(""), json!("Norte")),
            _ => (hours("09:00"), json!([]), hours("10:00")),
        };
        assert_eq!(held(&acme, own, key).await, (Value::Null, json!("default"), Value::Null));
        for value in [empty.clone(), Value::Null, filled.clone()] {
            set(&acme, account, key, value.clone()).await.expect(200);
            let behind = json!([null, "default"]);
            assert_eq!(held(&acme, account, key).await, (value.clone(), json!("tenant"), behind));
            assert_eq!(held(&acme, own, key).await, (value, json!("tenant"), Value::Null));
        }
        for value in [empty, Value::Null, other] {
            let behind = json!([filled, "tenant"]);
            set(&acme, own, key, value.clone()).await.expect(200);
            assert_eq!(held(&acme, own, key).await, (value, json!("organization"), behind));
            // of no concern to the account
            assert_eq!(held(&acme, account, key).await.0, filled);
        }
        acme.patch(own, &json!({ "unset": [key] })).await.expect(200);
        assert_eq!(held(&acme, own, key).await, (filled, json!("tenant"), Value::Null));
        acme.patch(account, &json!({ "unset": [key] })).await.expect(200);
        assert_eq!(held(&acme, own, key).await, (Value::Null, json!("default"), Value::Null));
    }
    // what is named nowhere stays, and what always has a value comes from where somebody looks last
    set(&acme, own, "brand.color", json!("#A1B2C3")).await.expect(200);
    set(&acme, own, "mail.smtp_port", json!(25)).await.expect(200);
    assert_eq!(held(&acme, own, "brand.color").await.0, "#a1b2c3");
    assert_eq!(held(&acme, own, "mail.smtp_port").await, (json!(25), json!("organization"), json!([587, "default"])));
    assert_eq!(held(&acme, own, "locale.time_zone").await, (json!("America/New_York"), json!("tenant"), Value::Null));
    // a change is whole or none
    let both = json!({ "set": { "brand.color": "#000000", "mail.smtp_port": 0 } });
    let refused = acme.patch(own, &both).await;
    assert_eq!((refused.code(), &refused.body["field"]), ("setting_range", &json!("set.mail.smtp_port")));
    assert_eq!(held(&acme, own, "brand.color").await.0, "#a1b2c3");
    // others see nothing of it
    let other = world.tenant("other").await;
    assert_eq!(held(&other, account, "brand.color").await.1, "default");
    assert_eq!(other.get(own).await.status, 404);
    assert_eq!(set(&other, own, "brand.color", json!("#000000")).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn the_account_s_own_region_and_zone_are_settings_that_it_always_has() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let path = "/settings";
    assert_eq!(held(&acme, path, "locale.region").await, (json!("US"), json!("tenant"), Value::Null));
    let change = json!({ "set": { "locale.region": "mx", "locale.time_zone": "America/Mexico_City" } });
    acme.patch(path, &change).await.expect(200);
    assert_eq!(acme.get("/session").await.expect(200)["tenant"]["time_zone"], "America/Mexico_City");
    let made = acme.post("/contacts", &json!({ "phone": "55 1234 5678" })).await.expect(201);
    assert_eq!(made["phone"], "+525512345678");
    for (change, code) in [
        (json!({ "unset": ["locale.region"] }), "setting_needed"),
        (json!({ "set": { "locale.region": null } }), "setting_not_null"),
        (json!({ "set": { "locale.region": "XX" } }), "region_unknown"),
        (json!({ "set": { "locale.time_zone": "" } }), "time_zone_unknown"),
    ] {
        let refused = acme.patch(path, &change).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{change}");
    }
    let audit = acme.items("/audit/changes?subject=tenant").await;
    assert_eq!(audit[0]["after"], json!({ "region": "MX", "time_zone": "America/Mexico_City" }));
    world.finish().await;
}

#[tokio::test]
async fn of_a_secret_is_only_said_that_there_is_one() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let id = organization(&acme, "Norte").await;
    let (account, own) = ("/settings", &*format!("/organizations/{id}/settings"));
    let key = "ai.api_key";
    let mut said = Vec::new();
    let mut holds = async |path: &str| {
        let answer = acme.get(path).await;
        said.push(answer.text.clone());
        of(&answer.expect(200), key)["holds"].clone()
    };
    assert_eq!(holds(account).await["is_some"], false);
    let answer = set(&acme, account, key, json!(CANARY)).await;
    assert!(!answer.text.contains(CANARY));
    let first = of(&answer.expect(200), key)["holds"].clone();
    assert_eq!((&first["value"], &first["is_some"], &first["source"]), (&Value::Null, &json!(true), &json!("tenant")));
    assert!(first["set_at"].is_string());
    assert_eq!(holds(own).await, first);
    // none on purpose is other than nothing set
    set(&acme, own, key, Value::Null).await.expect(200);
    let none = holds(own).await;
    assert_eq!((&none["is_some"], &none["source"]), (&json!(false), &json!("organization")));
    // another in its place, later
    world.advance(Duration::from_secs(60)).await;
    set(&acme, account, key, json!(format!("{CANARY}-2"))).await.expect(200);
    assert!(holds(account).await["set_at"].as_str() > first["set_at"].as_str());
    acme.patch(own, &json!({ "unset": [key] })).await.expect(200);
    assert_eq!(holds(own).await["source"], "tenant");
    // what surrounds it when it is pasted is none of it
    set(&acme, account, key, json!(format!(" {CANARY}\n"))).await.expect(200);
    let refused = set(&acme, account, key, json!(format!("{CANARY}\nx"))).await;
    assert_eq!(refused.code(), "setting_secret");
    said.push(refused.text);
    let audit = acme.items("/audit/changes?subject=setting").await;
    let newest: Vec<_> = audit.iter().map(|change| (&change["action"], &change["before"], &change["after"])).collect();
    let (sealed, none) = (json!({ "secret": "***" }), json!({ "value": null }));
    assert_eq!(newest[0], (&json!("change"), &sealed, &sealed));
    assert_eq!(newest[1], (&json!("delete"), &none, &Value::Null));
    assert_eq!(audit[1]["subject_id"], format!("{id}/{key}"));
    assert_eq!(audit.last().unwrap()["subject_id"], key);
    said.push(json!(acme.items("/audit/changes").await).to_string());
    assert!(said.iter().all(|text| !text.contains("canary-sk")));
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], Value::Null);
    let rows: Vec<(Option<Value>, Vec<u8>)> =
        sqlx::query_as("select value, secret from crm.settings where secret is not null")
            .fetch_all(&mut world.database.superuser().await)
            .await
            .unwrap();
    assert_eq!(rows.len(), 1);
    let holds = |bytes: &[u8]| bytes.windows(9).any(|window| window == b"canary-sk");
    assert!(rows.iter().all(|(value, secret)| value.is_none() && !holds(secret)));
    // whatever the code would do, the database keeps none open
    let open =
        sqlx::query("update crm.settings set value = to_jsonb('x'::text), secret = null where secret is not null")
            .execute(&mut world.database.superuser().await)
            .await;
    assert!(open.unwrap_err().to_string().contains("settings_sealed"));
    world.finish().await;
}

#[tokio::test]
async fn of_two_who_have_read_the_same_one_is_told_of_the_other() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let id = organization(&acme, "Norte").await;
    for path in ["/settings", &*format!("/organizations/{id}/settings")] {
        for _ in 0..3 {
            let version = acme.get(path).await.expect(200)["version"].clone();
            let body = |name: &str| json!({ "set": { "brand.name": name }, "version": version });
            let (one, two) = (body("one"), body("two"));
            let (one, two) = tokio::join!(acme.patch(path, &one), acme.patch(path, &two));
            let (kept, told) = if one.status == 200 { (&one, &two) } else { (&two, &one) };
            assert_eq!((kept.status.as_u16(), told.status.as_u16(), told.code()), (200, 409, "settings_changed"));
            let name = if one.status == 200 { "one" } else { "two" };
            assert_eq!(held(&acme, path, "brand.name").await.0, name);
        }
        // who asks for nothing of the kind changes what they name, and nothing else
        let (color, port) =
            (json!({ "set": { "brand.color": "#111111" } }), json!({ "set": { "mail.smtp_port": 26 } }));
        let (one, two) = tokio::join!(acme.patch(path, &color), acme.patch(path, &port));
        assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
        assert_eq!(held(&acme, path, "brand.color").await.0, "#111111");
        assert_eq!(held(&acme, path, "mail.smtp_port").await.0, 26);
    }
    // what the platform's operator changes of the account is a change of its settings
    let version = acme.get("/settings").await.expect(200)["version"].clone();
    let change = json!({ "reason": "asked for", "change": { "region": "MX" } });
    world.operator().patch(&format!("/tenants/{}", tenant_id(&acme).await), &change).await.expect(200);
    let late = json!({ "set": { "locale.region": "ES" }, "version": version });
    assert_eq!(acme.patch("/settings", &late).await.code(), "settings_changed");
    world.finish().await;
}

#[tokio::test]
async fn what_is_no_change_is_refused_with_a_reason() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    for (change, code) in [
        (json!({ "set": { "brand.smell": "x" } }), "setting_unknown"),
        (json!({ "unset": ["brand.smell"] }), "setting_unknown"),
        (json!({ "set": { "brand.name": "x" }, "unset": ["brand.name"] }), "setting_twice"),
        (json!({ "brand.name": "x" }), "invalid_body"),
        (json!({ "set": { "ai.enabled": "" } }), "setting_boolean"),
        (json!({ "set": { "locale.language": "tlh" } }), "setting_choice"),
        (json!({ "set": { "brand.logo_url": "http://169.254.169.254/latest" } }), "setting_url"),
        (json!({ "set": { "groups.gateway_url": "ftp://example.com" } }), "setting_url"),
        (json!({ "set": { "mail.smtp_host": "169.254.169.254" } }), "setting_host"),
        (json!({ "set": { "hours.weekly": [{ "days": [1], "from": "18:00", "until": "09:00" }] } }), "setting_hours"),
    ] {
        let refused = acme.patch("/settings", &change).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{change}");
    }
    assert!(acme.items("/audit/changes?subject=setting").await.is_empty());
    // the same value once more is no change either
    for _ in 0..2 {
        set(&acme, "/settings", "brand.name", json!("Acme")).await.expect(200);
    }
    assert_eq!(acme.items("/audit/changes?subject=setting").await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn who_looks_may_not_change_and_what_is_delicate_takes_a_proof() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let id = organization(&acme, "Norte").await;
    let made =
        acme.post("/roles", &json!({ "name": "looks", "permissions": ["admin.settings_view"] })).await.expect(201);
    let ana = acme.colleague("Ana", made["id"].as_str().unwrap()).await;
    let eva = acme.colleague("Eva", "agent").await;
    for path in ["/settings", &*format!("/organizations/{id}/settings")] {
        ana.get(path).await.expect(200);
        assert_eq!(set(&ana, path, "brand.name", json!("x")).await.code(), "forbidden");
        assert_eq!(eva.get(path).await.code(), "forbidden");
    }
    let key = json!({ "name": "x", "permissions": ["admin.settings_manage"] });
    let key = acme.post("/api-keys", &key).await.expect(201)["token"].as_str().unwrap().to_owned();
    world.advance(Duration::from_secs(11 * 60)).await;
    set(&acme, "/settings", "brand.name", json!("Acme")).await.expect(200);
    for change in [
        json!({ "set": { "ai.api_key": CANARY } }),
        json!({ "set": { "ai.base_url": "https://api.example.com" } }),
        json!({ "set": { "mail.smtp_host": "smtp.example.com" } }),
        json!({ "unset": ["groups.gateway_url"] }),
    ] {
        let refused = acme.patch("/settings", &change).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "proof_needed"), "{change}");
    }
    // a key was given that permission by somebody who proved who they were
    let by_key = reqwest::Client::new().patch(format!("{}/api/v1/settings", world.base())).bearer_auth(key);
    acme.send(by_key.json(&json!({ "set": { "ai.api_key": CANARY } }))).await.expect(200);
    acme.post("/session/proof", &json!({ "password": e2e::actors::PASSWORD })).await.expect(204);
    set(&acme, "/settings", "mail.smtp_password", json!(CANARY)).await.expect(200);
    world.finish().await;
}

#[tokio::test]
async fn a_suspended_account_sees_its_settings_and_changes_none() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let id = organization(&acme, "Norte").await;
    let path = format!("/organizations/{id}");
    let suspend = format!("/tenants/{}/suspend", tenant_id(&acme).await);
    world.operator().post(&suspend, &json!({ "reason": "an invoice" })).await.expect(200);
    for path in ["/settings", "/organizations", &*path, &*format!("{path}/settings")] {
        acme.get(path).await.expect(200);
    }
    for refused in [
        set(&acme, "/settings", "brand.name", json!("x")).await,
        set(&acme, &format!("{path}/settings"), "brand.name", json!("x")).await,
        acme.patch(&path, &json!({ "name": "x" })).await,
        acme.post("/organizations", &json!({ "name": "x" })).await,
        acme.delete(&path).await,
    ] {
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "tenant_suspended"));
    }
    world.finish().await;
}
