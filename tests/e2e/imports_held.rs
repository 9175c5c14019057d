//! A file is looked at, tried and then imported, by one and the same code.

use e2e::{Tenant, World, eventually_some};
use serde_json::{Value, json};

async fn held(tenant: &Tenant, file: impl Into<reqwest::Body>) -> Value {
    tenant.upload("/imports?file_name=contacts.csv&hold=true", file).await.expect(201)
}

fn path(preview: &Value, act: &str) -> String {
    format!("/imports/{}{act}", preview["id"].as_str().unwrap())
}

async fn imported(tenant: &Tenant, preview: &Value, options: &Value) -> Value {
    tenant.post(&path(preview, "/start"), options).await.expect(200);
    eventually_some("the import ends", || async {
        let import = tenant.get(&path(preview, "")).await.expect(200);
        matches!(import["state"].as_str(), Some("completed" | "failed")).then_some(import)
    })
    .await
}

/// CSV-03
#[tokio::test]
async fn csv_03_a_file_of_a_spanish_excel_shows_its_accents_before_it_is_imported() {
    let world = World::new().await;
    let acme = world.tenant_in("acme", "MX").await;
    let file = b"Nombre;Tel\r\nJos\xe9 Mu\xf1oz;+525512345678\r\n".to_vec();
    let preview = held(&acme, file).await;
    assert_eq!((&preview["encoding"], &preview["delimiter"]), (&json!("windows-1252"), &json!(";")), "{preview}");
    assert_eq!(preview["rows"][0]["cells"], json!(["José Muñoz", "+525512345678"]));
    assert_eq!(preview["rows"][0]["fields"]["last_name"], "Muñoz");
    assert_eq!(preview["mapping"], json!({ "Nombre": "full_name", "Tel": "phone" }));
    // as if it were what it is not: the preview says what would come of it
    let wrong = acme.post(&path(&preview, "/preview"), &json!({ "encoding": "macintosh" })).await.expect(200);
    assert_ne!(wrong["rows"][0]["cells"][0], "José Muñoz");
    let import = imported(&acme, &preview, &json!({})).await;
    assert_eq!(import["created_count"], 1, "{import}");
    let made = acme.get("/contacts?text=munoz").await.expect(200);
    assert_eq!(made["items"][0]["first_name"], "José");
    world.finish().await;
}

/// CSV-09
#[tokio::test]
async fn csv_09_two_columns_for_one_field_are_refused_before_the_start() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let preview = held(&acme, "Name,Tel1,Tel2\nAna,+13055560001,+13055560002\n").await;
    let options = json!({ "mapping": { "Tel1": "phone", "Tel2": "phone" } });
    for act in ["/preview", "/dry-run", "/start"] {
        let refused = acme.post(&path(&preview, act), &options).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "column_conflict"), "{act}");
    }
    let nobody = json!({ "mapping": { "Name": "ignore", "Tel1": "ignore", "Tel2": "ignore" } });
    let shown = acme.post(&path(&preview, "/preview"), &nobody).await.expect(200);
    assert_eq!(shown["problem"], "no_address_column");
    assert_eq!(acme.post(&path(&preview, "/start"), &nobody).await.code(), "no_address_column");
    assert_eq!(acme.delete(&path(&preview, "")).await.status, 204);
    assert_eq!(acme.post(&path(&preview, "/start"), &json!({})).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn a_trial_says_what_the_import_will_do_and_leaves_nothing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.post("/contacts", &json!({ "first_name": "Old", "phone": "+13055560001" })).await.expect(201);
    let file = "name,phone,tags\nAna,+13055560001,VIP\nBea,+13055560002,\nBis,305 556 0002,\nBad,abc,\n,,\n";
    let preview = held(&acme, file).await;
    let options = json!({ "mode": "update" });
    let trial = acme.post(&path(&preview, "/dry-run?language=es"), &options).await.expect(200);
    let counts = |import: &Value| {
        ["created", "updated", "skipped", "empty", "invalid", "duplicate", "row"]
            .map(|name| import[format!("{name}_count")].as_i64().unwrap())
    };
    assert_eq!(counts(&trial["import"]), [1, 1, 0, 1, 1, 1, 5], "{trial}");
    assert_eq!((&trial["is_partial"], &trial["errors"].as_array().unwrap().len()), (&json!(false), &3));
    assert_eq!(trial["errors"][0]["reason"], "el mismo teléfono está en una línea anterior");
    // nothing of it is left
    let contacts = acme.get("/contacts").await.expect(200)["items"].clone();
    assert_eq!((contacts.as_array().unwrap().len(), &contacts[0]["first_name"]), (1, &json!("Old")));
    assert_eq!(acme.get("/contact-labels").await.expect(200)["items"], json!([]));
    assert_eq!(acme.get("/imports").await.expect(200)["items"], json!([]));
    let import = imported(&acme, &preview, &options).await;
    assert_eq!(counts(&import), counts(&trial["import"]));
    assert_eq!(acme.post(&path(&preview, "/start"), &options).await.status, 404);
    let other = world.tenant("other").await;
    assert_eq!(other.post(&path(&preview, "/preview"), &json!({})).await.status, 404);
    world.finish().await;
}

/// CSV-06, CSV-13, CSV-14, CSV-15, CSV-18
#[tokio::test]
async fn files_that_spreadsheets_write_are_read_as_they_were_meant() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mangled = acme.import("name,phone\nAna,3.055550142E9\nBea,1.30556E+10\n", "").await;
    assert_eq!(
        (&mangled["created_count"], &mangled["invalid_count"], &mangled["warning_count"]),
        (&json!(1), &json!(1), &json!(1)),
        "{mangled}"
    );
    let errors =
        acme.get(&format!("/imports/{}/errors?warnings=false", mangled["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(errors["items"][0]["code"], "phone_scientific_lossy");
    assert_eq!(acme.get("/contacts?phone=%2B13055550142").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let mac = acme
        .request(reqwest::Method::POST, "/imports?file_name=OLD.CSV&hold=true")
        .header("content-type", "application/octet-stream")
        .body("name,phone\rAna,+13055560001\rBea,+13055560002\r")
        .send()
        .await
        .unwrap();
    assert_eq!(mac.status(), 201);
    let mac: Value = serde_json::from_str(&mac.text().await.unwrap()).unwrap();
    assert_eq!(imported(&acme, &mac, &json!({})).await["created_count"], 2);
    let marked = held(&acme, "sep=;\nname;phone\nAna;+13055560003\n").await;
    assert_eq!((&marked["delimiter"], &marked["header"]), (&json!(";"), &json!(["name", "phone"])));
    let mexican = acme.import("name,phone\nAna,+52 1 55 1234 5678\nAna,+525512345678\n", "").await;
    assert_eq!((&mexican["created_count"], &mexican["duplicate_count"]), (&json!(1), &json!(1)), "{mexican}");
    let spanish = held(&acme, "Celular,Correo electrónico,Apellidos,Nombre(s)\n+13055560004,a@b.co,Ruiz,Ana\n").await;
    assert_eq!(
        spanish["mapping"],
        json!({ "Celular": "phone", "Correo electrónico": "email", "Apellidos": "last_name", "Nombre(s)": "first_name" })
    );
    world.finish().await;
}
