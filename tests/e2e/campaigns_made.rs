//! Campaigns before they are launched: whom they would reach, and what those would read.

use std::time::Duration;

use e2e::{Tenant, World, eventually};
use reqwest::Method;
use serde_json::{Value, json};

async fn contact(tenant: &Tenant, body: Value) -> String {
    tenant.post("/contacts", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// CAM-14, CAM-17
#[tokio::test]
async fn an_audience_by_label_adds_up_before_the_launch_and_does_not_drift_after_it() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let label = acme.post("/contact-labels", &json!({ "name": "VIP" })).await.expect(201)["id"].clone();
    let label = label.as_str().unwrap();
    let mut ids = Vec::new();
    for body in [
        json!({ "first_name": "Ana", "phone": "+13055560001" }),
        json!({ "first_name": "Anita", "phone": "+13055560001" }),
        json!({ "first_name": "Bea", "phone": "+13055560002" }),
        json!({ "first_name": "Eva", "email": "eva@example.com" }),
        json!({ "first_name": "Leo", "phone": "+13055560003" }),
        json!({ "first_name": "Max", "phone": "+13055560004" }),
    ] {
        ids.push(contact(&acme, body).await);
    }
    let labelled = |id: &String| format!("/contacts/{id}/labels/{label}");
    for id in &ids[..5] {
        acme.put(&labelled(id), &json!({})).await.expect(200);
    }
    acme.post("/suppressions", &json!({ "address": "+13055560002", "reason": "blacklisted" })).await.expect(201);
    let filter = json!({ "label_ids": [label] });
    let counted = acme.post("/campaigns/audience", &json!({ "filter": filter })).await.expect(200);
    let skipped = json!({ "blacklisted": 1, "duplicate_address": 1, "no_phone": 1 });
    assert_eq!(counted, json!({ "selected": 5, "eligible": 2, "skipped": skipped }));
    assert_eq!(acme.post("/campaigns/audience", &json!({})).await.expect(200)["selected"], 6);
    assert_eq!(acme.post("/campaigns/audience", &json!({ "filter": {} })).await.expect(200)["selected"], 6);
    let other = world.tenant("other").await;
    let foreign = other.post("/campaigns/audience", &json!({ "filter": filter })).await.expect(200);
    assert_eq!(foreign["selected"], 0, "another tenant's label finds nobody");
    // slow, so that both changes come while it is being sent
    let body = json!({
        "name": "c", "line_id": line, "body": "Hola {{firstName|amigo}}", "audience": filter, "quiet_hours": false,
        "pace": { "count": 60, "per": "hour" },
    });
    let campaign = acme.post("/campaigns", &body).await.expect(201);
    assert_eq!((&campaign["rate_per_minute"], &campaign["audience"]["label_ids"]), (&json!(1.0), &json!([label])));
    let campaign = campaign["id"].as_str().unwrap().to_owned();
    assert_eq!(acme.launch(&campaign).await["audience"], counted);
    eventually("the audience is frozen", || async { acme.progress(&campaign).await["is_frozen"] == true }).await;
    acme.delete(&labelled(&ids[4])).await.expect(200);
    acme.put(&labelled(&ids[5]), &json!({})).await.expect(200);
    let path = format!("/campaigns/{campaign}");
    acme.act(&format!("{path}/pause")).await.expect(200);
    let frozen = acme.patch(&path, &json!({ "audience": {} })).await;
    assert_eq!((frozen.status.as_u16(), frozen.code()), (409, "campaign_frozen"));
    acme.patch(&path, &json!({ "pace": { "count": 6000, "per": "minute" } })).await.expect(200);
    acme.act(&format!("{path}/resume")).await.expect(200);
    let progress = acme.until(&campaign, "completed").await;
    assert_eq!((&progress["selected"], &progress["eligible"], &progress["skipped"]), (&json!(5), &json!(2), &skipped));
    let mut sent: Vec<String> = world.sim.sent().iter().map(|sent| sent.address.to_string()).collect();
    sent.sort();
    assert_eq!(sent, ["+13055560001", "+13055560003"]);
    world.finish().await;
}

#[tokio::test]
async fn an_audience_is_an_import_or_a_filter_and_may_be_chosen_anew_before_the_launch() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let ana = contact(&acme, json!({ "first_name": "Ana", "phone": "+13055560001" })).await;
    let missing = uuid::Uuid::now_v7();
    let body = |more: Value| {
        let mut body = json!({ "name": format!("c {}", uuid::Uuid::now_v7()), "line_id": line, "body": "Hola" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let twice = acme.post("/campaigns", &body(json!({ "audience": {}, "import_id": missing }))).await;
    assert_eq!((twice.status.as_u16(), twice.code()), (422, "audience_twice"));
    assert_eq!(acme.post("/campaigns/audience", &json!({ "import_id": missing })).await.status, 404);
    let strange = acme.post("/campaigns/audience", &json!({ "filter": { "colour": "red" } })).await;
    assert_eq!(strange.status, 422, "{}", strange.text);
    let paced = json!({ "pace": { "count": 10, "per": "day" }, "rate_per_minute": 5 });
    assert_eq!(acme.post("/campaigns", &body(paced)).await.code(), "pace_twice");
    assert_eq!(
        acme.post("/campaigns", &body(json!({ "pace": { "count": 0, "per": "day" } }))).await.code(),
        "rate_range"
    );

    let made = acme.post("/campaigns", &body(json!({ "pace": { "count": 780, "per": "day" } }))).await.expect(201);
    // the quiet hours leave thirteen hours of a day, and hold unless somebody says otherwise
    assert_eq!((&made["quiet_hours"], &made["rate_per_minute"]), (&json!(true), &json!(1.0)));
    let path = format!("/campaigns/{}", made["id"].as_str().unwrap());
    let changed = acme.patch(&path, &json!({ "audience": { "ids": [ana] }, "quiet_hours": false })).await.expect(200);
    assert_eq!((&changed["audience"]["ids"], &changed["quiet_hours"]), (&json!([ana]), &json!(false)));
    assert_eq!(changed["rate_per_minute"], 780.0 / 1440.0, "a day's pace is spread over the day anew");
    assert_eq!(acme.get(&format!("{path}/audience")).await.expect(200)["selected"], 1);
    // what can not be changed is refused, and not left out without a word
    assert_eq!(acme.patch(&path, &json!({ "on_unknown": "resend_once" })).await.status.as_u16(), 422);
    let all = acme.patch(&path, &json!({ "audience": null, "pace": null })).await.expect(200);
    assert_eq!((&all["audience"], &all["rate_per_minute"], &all["pace"]), (&Value::Null, &Value::Null, &Value::Null));
    world.finish().await;
}

/// CAM-08, CAM-12
#[tokio::test]
async fn a_preview_shows_what_a_contact_will_read_and_what_it_costs() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let known = json!({ "first_name": "Ana", "phone": "+13055560001", "attributes": { "plan": "oro" } });
    let ana = contact(&acme, known).await;
    let nobody = contact(&acme, json!({ "phone": "+13055560002" })).await;
    let shown = |body: &str, contact: Option<&String>| {
        let (acme, body) = (acme.clone(), json!({ "body": body, "contact_id": contact }));
        async move { acme.post("/campaigns/preview", &body).await }
    };
    for (contact, body, text) in [
        (Some(&ana), "Hola {{firstName|amigo}}, {{plan}}", "Hola Ana, oro"),
        (Some(&nobody), "Hola {{firstName|amigo}},", "Hola amigo,"),
        (Some(&nobody), "Hola {{firstName}}, gracias", "Hola, gracias"),
        (None, "Hola {{firstName|amigo}}, {{plan|nada}}", "Hola amigo, nada"),
    ] {
        assert_eq!(shown(body, contact).await.expect(200)["text"], text);
    }
    for (body, code) in [
        ("{{fistName}}", "template_unknown_variable"),
        ("Hola {{firstName", "template_unclosed"),
        ("  ", "template_empty"),
    ] {
        let refused = shown(body, Some(&ana)).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code));
    }
    for (body, segments) in [
        (
            "Hola, tu cita es mañana a las 3. ¿Confirmas? ¡Gracias!",
            json!({ "encoding": "gsm7", "length": 54, "segment_count": 1, "left": 106, "culprits": [] }),
        ),
        (
            "Hola José, tu cita está confirmada. ¡Te esperamos mañana!",
            json!({ "encoding": "ucs2", "length": 57, "segment_count": 1, "left": 13, "culprits": ["á"] }),
        ),
        (
            "a".repeat(161).as_str(),
            json!({ "encoding": "gsm7", "length": 161, "segment_count": 2, "left": 145, "culprits": [] }),
        ),
    ] {
        assert_eq!(shown(body, None).await.expect(200)["segments"], segments);
    }
    let other = world.tenant("other").await;
    assert_eq!(other.post("/campaigns/preview", &json!({ "body": "a", "contact_id": ana })).await.status, 404);
    world.finish().await;
}

#[tokio::test]
async fn a_test_goes_to_one_address_once_and_to_nobody_who_said_stop() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let ana = contact(&acme, json!({ "first_name": "Ana", "phone": "+13055560001" })).await;
    let body =
        json!({ "line_id": line, "body": "Hola {{firstName|amigo}}", "address": "(305) 556-0009", "contact_id": ana });
    let send = |body: Value, key: &str| {
        let request = acme.request(Method::POST, "/campaigns/test").header("idempotency-key", key).json(&body);
        let acme = acme.clone();
        async move { acme.send(request).await }
    };
    let sent = send(body.clone(), "k1").await.expect(201);
    assert_eq!(sent["text"], "Hola Ana");
    assert_eq!(send(body.clone(), "k1").await.expect(201), sent, "one key, one message");
    world.settle().await;
    let out: Vec<(String, String)> =
        world.sim.sent().iter().map(|sent| (sent.address.to_string(), sent.text.to_string())).collect();
    assert_eq!(out, [("+13055560009".to_owned(), "Hola Ana".to_owned())]);
    eventually("its receipt is in", || async {
        let message = acme.messages("+13055560009").await[0].clone();
        assert_eq!(message["id"], sent["message_id"]);
        message["status"] == "delivered"
    })
    .await;
    assert_eq!(acme.items("/campaigns").await.len(), 0, "no campaign counts it");
    for (address, reason, code) in
        [("+13055560010", "opted_out", "recipient_opted_out"), ("+13055560011", "blacklisted", "recipient_blacklisted")]
    {
        acme.post("/suppressions", &json!({ "address": address, "reason": reason })).await.expect(201);
        let mut to = body.clone();
        to["address"] = json!(address);
        let refused = send(to, address).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (409, code));
    }
    for (field, value, status) in [
        ("address", json!("ana@example.com"), 422),
        ("address", json!("nope"), 422),
        ("line_id", json!(ana), 422),
        ("contact_id", json!(line), 404),
        ("body", json!("{{x}}"), 422),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        assert_eq!(send(wrong, field).await.status.as_u16(), status, "{field}");
    }
    world.drain().await;
    assert_eq!(world.sim.sent().len(), 1);
    world.finish().await;
}

/// SEC-04
#[tokio::test]
async fn a_report_tells_of_each_recipient_and_runs_no_formula() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    for (nth, name) in ["=HYPERLINK(\"http://x\")", "+1+1", "-2+3,4", "@SUM(A1)", "\tTAB", "Ana"].iter().enumerate() {
        contact(&acme, json!({ "first_name": name, "phone": format!("+1305556000{nth}") })).await;
    }
    contact(&acme, json!({ "first_name": "Eva", "email": "eva@example.com" })).await;
    world.sim.rule_behaviour("+13055560002", sim::bluebubbles::Behaviour::BadRequest);
    let campaign = acme.draft(&line, "", json!({ "import_id": null, "body": "Hola" })).await;
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    // one answers, one has had enough
    world.sim.inbound(&sim::bluebubbles::Inbound::new("+13055560005", "gracias")).unwrap();
    world.sim.inbound(&sim::bluebubbles::Inbound::new("+13055560004", "BAJA")).unwrap();
    world.settle().await;
    eventually("all receipts are in", || async { acme.progress(&campaign).await["counts"]["delivered"] == 5 }).await;
    let path = format!("/campaigns/{campaign}");
    let file = acme.get(&format!("{path}/report-file")).await;
    assert_eq!((file.status.as_u16(), file.text.lines().count()), (200, 8), "{}", file.text);
    let mut reader = csv_rows(&file.text);
    let header = reader.remove(0);
    assert_eq!(header[3], "address");
    for row in &reader {
        for cell in row {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?} would be run");
        }
    }
    assert!(reader.iter().any(|row| row[2] == "'=HYPERLINK(\"http://x\")" && row[3] == "'+13055560000"), "{reader:?}");
    let failed = acme.get(&format!("{path}/report-file?state=failed")).await.text;
    assert_eq!((failed.lines().count(), failed.contains("bad_request")), (2, true), "{failed}");

    for (query, addresses) in [
        ("state=failed", json!(["+13055560002"])),
        ("reason=bad_request", json!(["+13055560002"])),
        ("state=failed&reason=no_phone", json!([])),
        ("state=skipped", json!([null])),
        ("reason=no_phone", json!([null])),
    ] {
        let rows = acme.items(&format!("{path}/recipients?{query}")).await;
        let found: Vec<Value> = rows.iter().map(|row| row["address"].clone()).collect();
        assert_eq!(json!(found), addresses, "{query}");
    }
    let first = acme.get(&format!("{path}/recipients?state=delivered&limit=2")).await.expect(200);
    let next = first["next_cursor"].as_str().unwrap();
    let rest = acme.items(&format!("{path}/recipients?state=delivered&limit=20&cursor={next}")).await;
    assert_eq!(rest.len(), 3, "{rest:?}");
    let spans = acme.items(&format!("{path}/rate?span_s=3600")).await;
    assert_eq!(spans.iter().map(|span| span["count"].as_i64().unwrap()).sum::<i64>(), 5, "{spans:?}");
    let funnel = acme.get(&format!("{path}/funnel")).await.expect(200);
    let expected = json!({
        "selected": 7, "eligible": 6, "sent": 5, "delivered": 5, "read": 0, "replied": 2, "opted_out": 1, "failed": 1,
    });
    assert_eq!(funnel, expected);
    let other = world.tenant("other").await;
    for part in ["report-file", "rate", "funnel", "recipients", "progress"] {
        assert_eq!(other.get(&format!("{path}/{part}")).await.status, 404, "{part}");
    }
    world.finish().await;
}

/// The rows of a CSV file, read by another's reader.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Lets the time of a pace of one in twelve seconds pass, until so many are out.
async fn send_until(world: &World, campaign: &str, count: u64) {
    loop {
        // what runs would be taken for lost where the time jumps
        world.drain_lane(&format!("campaign/{campaign}")).await;
        let before = world.sim.summary().total;
        if before >= count {
            return;
        }
        world.advance(Duration::from_secs(12)).await;
        eventually("the next is out", || async { world.sim.summary().total > before }).await;
    }
}

/// CAM-10
#[tokio::test]
async fn a_slow_pace_blocks_no_pause_and_ends_with_everybody() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(345).await;
    let campaign = acme.draft(&line, &import, json!({ "pace": { "count": 300, "per": "hour" } })).await;
    acme.launch(&campaign).await;
    eventually("the audience is frozen", || async { acme.progress(&campaign).await["is_frozen"] == true }).await;
    let out = || world.sim.summary().total;
    send_until(&world, &campaign, 186).await;
    let asked = World::machine_ms();
    acme.act(&format!("/campaigns/{campaign}/pause")).await.expect(200);
    assert!(World::machine_ms() - asked < 1_000, "the pause waited for the pace");
    world.drain_lane(&format!("campaign/{campaign}")).await;
    let paused = out();
    world.advance(Duration::from_secs(600)).await;
    world.drain_lane(&format!("campaign/{campaign}")).await;
    assert_eq!(out(), paused);
    assert_eq!(acme.progress(&campaign).await["state"], "paused", "not finished before its end");
    acme.act(&format!("/campaigns/{campaign}/resume")).await.expect(200);
    send_until(&world, &campaign, 345).await;
    acme.until(&campaign, "completed").await;
    let summary = world.sim.summary();
    assert_eq!((summary.total, summary.distinct_addresses, summary.duplicates), (345, 345, 0));
    world.finish().await;
}
