//! Many contacts at once, and many contacts in all.

#![expect(clippy::disallowed_methods, reason = "transactions of a superuser, beside the scopes")]

use e2e::{Tenant, World, eventually_some};
use serde_json::{Value, json};
use sqlx::Connection;

async fn ended(tenant: &Tenant, bulk: &Value) -> Value {
    let path = format!("/contacts/bulk/{}", bulk["id"].as_str().unwrap());
    eventually_some("the change of many ends", || async {
        let bulk = tenant.get(&path).await.expect(200);
        (!matches!(bulk["state"].as_str(), Some("queued" | "running"))).then_some(bulk)
    })
    .await
}

async fn count(tenant: &Tenant, query: &str) -> usize {
    tenant.get(&format!("/contacts?limit=200{query}")).await.expect(200)["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn thousands_are_labelled_and_unlabelled_by_a_job() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.contacts(2_500).await;
    let label =
        acme.post("/contact-labels", &json!({ "name": "VIP" })).await.expect(201)["id"].as_str().unwrap().to_owned();
    let body = json!({ "label_id": label, "filter": { "has_phone": true } });
    let done = ended(&acme, &acme.post("/contacts/bulk/label", &body).await.expect(201)).await;
    assert_eq!(
        (&done["state"], &done["total_count"], &done["done_count"]),
        (&json!("completed"), &json!(2500), &json!(2500))
    );
    assert_eq!(done["changed_count"], 2500);
    let body = json!({ "label_id": label, "filter": { "text": "Name 7" }, "remove": true });
    let done = ended(&acme, &acme.post("/contacts/bulk/label", &body).await.expect(201)).await;
    // Name 7, 70 to 79, 700 to 799
    assert_eq!(done["changed_count"], 111, "{done}");
    assert_eq!(count(&acme, &format!("&label_id={label}&text=Name+70")).await, 0);
    let late = acme.act(&format!("/contacts/bulk/{}/cancel", done["id"].as_str().unwrap())).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "bulk_ended"));
    world.finish().await;
}

/// CSV-20
#[tokio::test]
async fn a_confirmed_household_member_is_removed_by_no_change_of_many_and_by_no_import() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.import("first_name,phone,household\nAna,+13055560001,Leo; Eva\nBea,+13055560002,\n", "").await;
    let ana = acme.get("/contacts?text=ana").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/contacts/{ana}/household");
    let members = acme.get(&path).await.expect(200)["items"].clone();
    assert_eq!((&members[0]["name"], &members[1]["name"]), (&json!("Leo"), &json!("Eva")));
    let leo = format!("{path}/{}", members[0]["id"].as_str().unwrap());
    acme.patch(&leo, &json!({ "is_confirmed": true })).await.expect(200);
    // an import that leaves him out, and one that renames him
    for household in ["Max", "Leonardo"] {
        let file = format!("first_name,phone,household\nAna,+13055560001,{household}\n");
        let import = acme.import(file, "&mode=update").await;
        assert_eq!((&import["updated_count"], &import["warning_count"]), (&json!(1), &json!(1)), "{import}");
        let told = acme.get(&format!("/imports/{}/errors", import["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(
            (&told["items"][0]["code"], &told["items"][0]["is_warning"]),
            (&json!("household_kept"), &json!(true))
        );
        let members = acme.get(&path).await.expect(200)["items"].clone();
        let names: Vec<&str> =
            members.as_array().unwrap().iter().map(|member| member["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Leo", household]);
    }
    let done = ended(&acme, &acme.post("/contacts/bulk/delete", &json!({ "filter": {} })).await.expect(201)).await;
    assert_eq!(
        (&done["changed_count"], &done["kept_count"], &done["done_count"]),
        (&json!(1), &json!(1), &json!(2)),
        "{done}"
    );
    assert_eq!(count(&acme, "").await, 1);
    assert_eq!(acme.delete(&leo).await.status, 204);
    let done =
        ended(&acme, &acme.post("/contacts/bulk/delete", &json!({ "filter": { "ids": [ana] } })).await.expect(201))
            .await;
    assert_eq!((&done["changed_count"], &done["kept_count"]), (&json!(1), &json!(0)));
    world.finish().await;
}

/// SEC-04
#[tokio::test]
async fn an_export_runs_no_formula_and_comes_back_as_it_was() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    for (n, name) in ["=1+1", "+cmd", "-2", "@SUM(A1)", "=a,\"b\"", "José"].iter().enumerate() {
        let body = json!({ "first_name": name, "phone": format!("+1305556000{n}"), "attributes": { "plan": "=2" } });
        acme.post("/contacts", &body).await.expect(201);
    }
    let label =
        acme.post("/contact-labels", &json!({ "name": "R&D" })).await.expect(201)["id"].as_str().unwrap().to_owned();
    let bulk = acme.post("/contacts/bulk/label", &json!({ "label_id": label, "filter": {} })).await.expect(201);
    ended(&acme, &bulk).await;
    let before = acme.get("/contacts").await.expect(200);
    let bulk = ended(&acme, &acme.post("/contacts/bulk/export", &json!({ "filter": {} })).await.expect(201)).await;
    assert_eq!((&bulk["state"], &bulk["changed_count"]), (&json!("completed"), &json!(6)), "{bulk}");
    let file = acme.get(&format!("/contacts/bulk/{}/file", bulk["id"].as_str().unwrap())).await;
    assert_eq!(file.status, 200, "{}", file.text);
    assert_eq!(file.text.lines().count(), 7);
    for line in file.text.lines().skip(1) {
        let first = line.trim_start_matches('"').chars().next().unwrap();
        assert!(first == '\'' || line.starts_with("José"), "{line}");
        assert!(!line.contains(",=") && !line.contains(",+") && !line.contains(",@"), "{line}");
    }
    let import = acme.import(file.text, "&mode=update").await;
    assert_eq!((&import["updated_count"], &import["row_count"]), (&json!(6), &json!(6)), "{import}");
    let after = acme.get("/contacts").await.expect(200);
    let plain = |page: &Value| {
        let mut items = page["items"].clone();
        items.as_array_mut().unwrap().iter_mut().for_each(|item| item["updated_at"] = Value::Null);
        items
    };
    assert_eq!(plain(&after), plain(&before));
    let other = world.tenant("other").await;
    assert_eq!(other.get(&format!("/contacts/bulk/{}/file", bulk["id"].as_str().unwrap())).await.status, 404);
    world.finish().await;
}

/// CSV-16
#[tokio::test]
async fn labels_of_a_file_are_one_each_whatever_their_letters() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let file = "first_name,phone,Etiquetas\nAna,+13055560001,R&D; O'Neil\nBea,+13055560002,r&d|ONeil\n";
    acme.import(file, "").await;
    acme.import(file, "&mode=update").await;
    let labels = acme.get("/contact-labels").await.expect(200)["items"].clone();
    let names: Vec<&str> = labels.as_array().unwrap().iter().map(|label| label["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let research = labels
        .as_array()
        .unwrap()
        .iter()
        .find(|label| label["name"].as_str().unwrap().to_lowercase() == "r&d")
        .unwrap();
    assert_eq!(count(&acme, &format!("&label_id={}", research["id"].as_str().unwrap())).await, 2);
    world.finish().await;
}

/// The type-ahead touches pages by what it answers, and not by how many contacts there are.
#[tokio::test]
async fn the_type_ahead_reads_little_among_many_contacts() {
    const FILL: &str = "insert into crm.contacts (tenant_id, id, first_name, last_name, phone)
        select (select id from crm.tenants), gen_random_uuid(), (array['María', 'Mario', 'José', 'Ana', 'Luis'])[1 + n % 5] || case when n = 77 then ' Zulema' else '' end,
               'Apellido' || n, '+1305' || lpad(n::text, 7, '0') from generate_series(1, 60000) n";
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let mut root = world.database.superuser().await;
    let mut tx = root.begin().await.unwrap();
    sqlx::raw_sql("set local app.actor = 'nobody'").execute(&mut *tx).await.unwrap();
    sqlx::query(FILL).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::raw_sql("vacuum analyze crm.contacts").execute(&mut root).await.unwrap();
    // of the Marías, whose numbers are those that five divides: 5000, 50000 and 50005
    for (typed, expected) in
        [("m", 10), ("mar", 10), ("Zul", 1), ("maria apellido5000", 3), ("3050012345", 1), ("nobody", 0)]
    {
        let found = acme.get(&format!("/contacts/suggest?q={}", typed.replace(' ', "+"))).await.expect(200);
        assert_eq!(found["items"].as_array().unwrap().len(), expected, "{typed}");
    }
    for (words, digits) in [
        ("{m}", None),
        ("{mar}", None),
        ("{zul}", None),
        ("{nobody}", None),
        ("{maria,apellido5000}", None),
        ("{x}", Some("30500123")),
    ] {
        let mut tx = root.begin().await.unwrap();
        sqlx::raw_sql("select set_config('app.tenant_id', (select id::text from crm.tenants), true); set local role paloma_tenant")
            .execute(&mut *tx)
            .await
            .unwrap();
        let plan: Value = sqlx::query_scalar(
            "explain (analyze, buffers, format json) select s.id from crm.suggest_contacts($1::text::text[], $2, null, 10) s",
        )
        .bind(words)
        .bind(digits)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        let plan = &plan[0]["Plan"];
        let pages = plan["Shared Hit Blocks"].as_i64().unwrap() + plan["Shared Read Blocks"].as_i64().unwrap();
        assert!(pages < 2_500, "{words} {digits:?}: {pages} pages");
    }
    drop(root);
    world.finish().await;
}
