//! Who changed what: written whatever way it was changed, without a secret, and never changed or removed without a trace.

use e2e::{Tenant, World, actors::PASSWORD, eventually};
use reqwest::Method;
use serde_json::{Value, json};

async fn changes(tenant: &Tenant, of: &str) -> Vec<Value> {
    tenant.items(&format!("/audit/changes{of}")).await
}

#[tokio::test]
async fn a_change_is_written_with_who_made_it_what_it_was_and_no_secret() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let (me, id) = (acme.user_id().await, ana.user_id().await);
    let line = acme.line(&world, json!({ "password": e2e::world::GATEWAY_PASSWORD })).await;
    acme.patch(&format!("/users/{id}"), &json!({ "role": "supervisor" })).await.expect(200);
    let key = json!({ "name": "export", "permissions": ["contacts.view"] });
    let key = acme.post("/api-keys", &key).await.expect(201);
    let rule = json!({ "region": null, "days": [1], "from": "10:00", "until": "19:00" });
    acme.put("/quiet-hours", &json!({ "items": [rule] })).await.expect(200);

    let of_ana = changes(&acme, &format!("?subject=user&subject_id={id}")).await;
    let newest = &of_ana[0];
    assert_eq!((&newest["action"], &newest["actor"]), (&json!("change"), &json!(format!("user:{me}"))));
    assert_eq!((&newest["before"], &newest["after"]), (&json!({ "role": "agent" }), &json!({ "role": "supervisor" })));
    // she was invited, and set her password herself
    assert_eq!(of_ana[1]["after"], json!({ "password_hash": "***" }));
    assert_eq!(of_ana[1]["actor"], format!("user:{id}"));
    assert_eq!((&of_ana[2]["action"], &of_ana[2]["after"]["email"]), (&json!("create"), &of_ana[2]["after"]["email"]));
    let made = &changes(&acme, &format!("?subject=line&subject_id={line}")).await[0];
    assert_eq!((&made["action"], &made["after"]["password"]), (&json!("create"), &json!("***")));
    let made = &changes(&acme, "?subject=api_key").await[0];
    assert_eq!((&made["subject_id"], &made["after"]["secret_hash"]), (&key["id"], &json!("***")));
    assert_eq!(changes(&acme, "?subject=tenant").await[0]["after"]["quiet_hours"][0]["from"], "10:00");
    assert_eq!(changes(&acme, "?subject=session").await[0]["after"]["user_id"], json!(id));
    let all = serde_json::to_string(&changes(&acme, "?limit=200").await).unwrap();
    let token = key["token"].as_str().unwrap();
    for secret in [e2e::world::GATEWAY_PASSWORD, PASSWORD, token, &token[12..], "argon2"] {
        assert!(!all.contains(secret), "{secret} stands in the audit");
    }
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], Value::Null);
    // what is not changed, or happens by itself, is no change
    let count = changes(&acme, "?limit=200").await.len();
    acme.patch(&format!("/users/{id}"), &json!({ "role": "supervisor" })).await.expect(200);
    assert_eq!(changes(&acme, "?limit=200").await.len(), count);
    assert_eq!(ana.get("/audit/changes").await.status, 403);
    let other = world.tenant("other").await;
    assert!(changes(&other, "?limit=200").await.iter().all(|change| change["subject_id"] != json!(id)));
    world.finish().await;
}

#[tokio::test]
async fn a_log_in_that_was_refused_is_written_for_whom_it_was_tried() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let wrong = json!({ "email": "owner@acme.example", "password": "not the password" });
    assert_eq!(acme.post("/session", &wrong).await.code(), "bad_credentials");
    let refused = async || changes(&acme, "?subject=log_in").await;
    eventually("it is written", || async { refused().await.len() == 1 }).await;
    let refused = refused().await.remove(0);
    assert_eq!((&refused["action"], &refused["after"]["by"]), (&json!("refuse"), &json!("password")));
    assert_eq!((&refused["subject_id"], &refused["after"]["ip"]), (&json!(acme.user_id().await), &json!("127.0.0.1")));
    world.finish().await;
}

#[tokio::test]
async fn a_row_that_is_changed_or_taken_out_is_found_and_two_at_once_make_one_chain() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let key = |n: usize| json!({ "name": format!("key {n}"), "permissions": ["contacts.view"] });
    futures::future::join_all((0..12).map(|n| {
        let acme = acme.clone();
        async move { acme.post("/api-keys", &key(n)).await.expect(201) }
    }))
    .await;
    let verify = async || acme.get("/audit/verification").await.expect(200);
    let whole = verify().await;
    assert_eq!(whole["broken_at"], Value::Null);
    let count = whole["count"].as_i64().unwrap();
    assert!(count >= 13);
    // not even whoever owns the database does it unseen
    let mut superuser = world.database.superuser().await;
    let mut run = async |sql: &'static str| sqlx::raw_sql(sql).execute(&mut superuser).await.unwrap();
    run("update crm.audit set actor = 'nobody' where seq = 5").await;
    assert_eq!(verify().await["broken_at"], 5);
    run("delete from crm.audit where seq = 3").await;
    assert_eq!(verify().await["broken_at"], 4);
    world.finish().await;
}

#[tokio::test]
async fn the_chain_is_taken_along_as_a_file_and_can_be_followed_in_it() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let key = json!({ "name": "=1+1, \"x\"", "permissions": ["contacts.view"] });
    acme.post("/api-keys", &key).await.expect(201);
    let file = async |query: &str| {
        let request = acme.request(Method::GET, &format!("/audit/changes-file{query}"));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
        answer.text().await.unwrap()
    };
    let all = file("").await;
    let mut reader = csv::Reader::from_reader(all.trim_start_matches('\u{feff}').as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let listed = changes(&acme, "?limit=200").await;
    assert_eq!(rows.len(), listed.len());
    let seqs: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(seqs, (1..=rows.len()).map(|seq| seq.to_string()).collect::<Vec<_>>(), "the oldest first");
    assert!(rows.iter().all(|row| row[9].len() == 64), "{rows:?}");
    let made = rows.iter().find(|row| &row[5] == "api_key").unwrap();
    let after: Value = serde_json::from_str(&made[8]).unwrap();
    assert_eq!((&after["name"], &after["secret_hash"]), (&key["name"], &json!("***")));
    let of_keys = file("?subject=api_key").await;
    assert_eq!(of_keys.lines().count(), 2, "{of_keys}");
    let agent = acme.colleague("Ana", "agent").await;
    assert_eq!(agent.get("/audit/changes-file").await.status, 403);
    world.finish().await;
}

#[tokio::test]
async fn what_people_do_to_their_work_is_written_and_what_jobs_do_for_them_is_not() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(3).await;
    let campaign = acme.draft(&line, &import, json!({ "body": "hola {{firstName}}" })).await;
    acme.patch(&format!("/campaigns/{campaign}"), &json!({ "body": "buenas" })).await.expect(200);
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    let ana = json!({ "first_name": "Ana", "phone": "+13055550190" });
    let ana = acme.post("/contacts", &ana).await.expect(201)["id"].as_str().unwrap().to_owned();
    acme.patch(&format!("/contacts/{ana}"), &json!({ "last_name": "Paz" })).await.expect(200);
    acme.post("/suppressions", &json!({ "address": "+13055550190", "reason": "blacklisted" })).await.expect(201);
    acme.delete(&format!("/contacts/{ana}")).await.expect(204);
    world.drain().await;

    let actions = async |of: &str| {
        let all = changes(&acme, &format!("?subject={of}&limit=50")).await;
        all.iter().map(|change| change["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // made, its text changed, launched; that it is completed is the doing of a job
    assert_eq!(actions("campaign").await, ["change", "change", "create"]);
    let edit = &changes(&acme, "?subject=campaign").await[1];
    assert_eq!(edit["after"], json!({ "body": "***" }), "what people are written is not told here");
    assert_eq!(actions("import").await, ["create"], "and of its contacts nothing");
    let of_ana = changes(&acme, &format!("?subject=contact&subject_id={ana}")).await;
    assert_eq!(actions("contact").await, ["delete", "change", "create"], "{of_ana:?}");
    assert_eq!(
        (&of_ana[1]["before"], &of_ana[1]["after"]),
        (&json!({ "last_name": null }), &json!({ "last_name": "***" }))
    );
    let suppressed = &changes(&acme, "?subject=suppression").await[0];
    assert_eq!(
        (&suppressed["subject_id"], &suppressed["after"]["reason"]),
        (&json!("********0190"), &json!("blacklisted"))
    );
    let all = serde_json::to_string(&changes(&acme, "?limit=200").await).unwrap();
    for word in ["Ana", "Paz", "3055550190"] {
        assert!(!all.contains(word), "{word} stands in the audit");
    }
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], Value::Null);
    world.finish().await;
}

#[tokio::test]
async fn two_who_change_two_contacts_in_turn_do_not_stand_in_each_others_way() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for n in 0..2 {
        let made = json!({ "first_name": "x", "phone": format!("+1305555019{n}") });
        ids.push(acme.post("/contacts", &made).await.expect(201)["id"].as_str().unwrap().to_owned());
    }
    let rename = |id: String, name: String| {
        let acme = acme.clone();
        async move { acme.patch(&format!("/contacts/{id}"), &json!({ "first_name": name })).await.status }
    };
    let all = (0..40).map(|n| rename(ids[n % 2].clone(), format!("name {n}")));
    let statuses = futures::future::join_all(all).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(changes(&acme, "?subject=contact&limit=100").await.len(), 42);
    assert_eq!(acme.get("/audit/verification").await.expect(200)["broken_at"], Value::Null);
    world.finish().await;
}
