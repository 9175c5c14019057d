//! Imports through HTTP: what files people have, what becomes of their rows, and what is said about those that were refused.

use e2e::{Answer, Tenant, World, eventually_some};
use reqwest::{Method, multipart};
use serde_json::{Value, json};

async fn contacts(tenant: &Tenant, import: &Value) -> Vec<Value> {
    let path = format!("/contacts?limit=200&import_id={}", import["id"].as_str().expect("an id"));
    tenant.get(&path).await.expect(200)["items"].as_array().expect("a list").clone()
}

async fn errors(tenant: &Tenant, import: &Value) -> Vec<Value> {
    let path = format!("/imports/{}/errors?limit=200", import["id"].as_str().expect("an id"));
    tenant.get(&path).await.expect(200)["items"].as_array().expect("a list").clone()
}

async fn error_file(tenant: &Tenant, import: &Value, language: &str) -> String {
    let path = format!("/imports/{}/error-file?language={language}", import["id"].as_str().expect("an id"));
    let answer = tenant.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}

fn assert_adds_up(import: &Value) {
    let count = |name: &str| import[format!("{name}_count")].as_i64().expect("a count");
    let parts = ["created", "updated", "skipped", "empty", "invalid", "duplicate"].map(count);
    assert_eq!(count("row"), parts.iter().sum::<i64>(), "{import}");
}

/// Nothing is left of an upload that was refused.
async fn assert_nothing_left(world: &World, tenant: &Tenant) {
    assert_eq!(tenant.get("/imports").await.expect(200)["items"], json!([]));
    let chunks: i64 = sqlx::query_scalar("select count(*) from crm.upload_chunks")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .expect("a count");
    assert_eq!(chunks, 0);
}

#[tokio::test]
async fn csv_01_a_byte_order_mark_is_not_part_of_the_first_header() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let import = acme.import("\u{feff}phone_number,name\r\n+13055550142,Ana\r\n", "").await;
    assert_eq!(import["created_count"], 1, "{import}");
    let made = contacts(&acme, &import).await;
    assert_eq!((&made[0]["phone"], &made[0]["first_name"]), (&json!("+13055550142"), &json!("Ana")));
    world.finish().await;
}

#[tokio::test]
async fn csv_02_a_semicolon_file_of_a_spanish_tenant_is_read() {
    let world = World::new().await;
    let acme = world.tenant_in("acme", "ES").await;
    let import = acme.import("Nombre;Teléfono\nJosé;612 34 56 78\n", "").await;
    assert_eq!(import["delimiter"], ";");
    let made = contacts(&acme, &import).await;
    assert_eq!((&made[0]["phone"], &made[0]["first_name"]), (&json!("+34612345678"), &json!("José")));
    world.finish().await;
}

#[tokio::test]
async fn csv_04_the_first_row_of_a_phone_wins_and_a_second_run_updates() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let file = |city: &str| {
        let rows: String = (0..25).map(|n| format!("P{n},+1305555014{},{city}\n", n % 3)).collect();
        format!("name,phone,city\n{rows}")
    };
    let first = acme.import(file("Miami"), "").await;
    assert_eq!((&first["created_count"], &first["duplicate_count"]), (&json!(3), &json!(22)), "{first}");
    let told = errors(&acme, &first).await;
    assert_eq!(told.len(), 22);
    for error in &told {
        assert_eq!(error["code"], "duplicate_in_file");
        // data rows 0, 1, 2 stand in lines 2, 3, 4
        let winner = 2 + (error["line_number"].as_i64().unwrap() - 2) % 3;
        assert_eq!(error["detail"], winner.to_string());
    }
    let second = acme.import(file("Tampa"), "&mode=update").await;
    let counts =
        [&second["updated_count"], &second["duplicate_count"], &second["invalid_count"], &second["created_count"]];
    assert_eq!(counts, [&json!(3), &json!(22), &json!(0), &json!(0)], "{second}");
    let kept = contacts(&acme, &first).await;
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|contact| contact["city"] == "Tampa"));
    let third = acme.import(file("Lima"), "&mode=skip").await;
    assert_eq!((&third["skipped_count"], &third["duplicate_count"]), (&json!(3), &json!(22)), "{third}");
    assert!(contacts(&acme, &first).await.iter().all(|contact| contact["city"] == "Tampa"));
    world.finish().await;
}

#[tokio::test]
async fn csv_05_a_line_break_in_quotes_is_part_of_the_value() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let import = acme.import("name,phone,address\n\"Ana\",\"+13055550142\",\"Calle 1\nPiso 2\"\n", "").await;
    assert_eq!((&import["done"], &import["total"]), (&json!(1), &json!(1)), "{import}");
    assert_eq!(contacts(&acme, &import).await[0]["address"], "Calle 1\nPiso 2");
    world.finish().await;
}

#[tokio::test]
async fn csv_07_and_12_every_row_is_counted_as_what_it_is() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let import = acme.import("name,phone\nAna,+13055550142\n,\n,abc\nBea,305 555 0142\n", "").await;
    let counts =
        ["row", "created", "empty", "invalid", "duplicate"].map(|name| import[format!("{name}_count")].clone());
    assert_eq!(counts, [json!(4), json!(1), json!(1), json!(1), json!(1)], "{import}");
    assert_adds_up(&import);
    let nameless = acme.import("name,phone\nOnly A Name,\n", "").await;
    assert_eq!(nameless["created_count"], 0);
    assert_eq!(errors(&acme, &nameless).await[0]["code"], "no_address");
    assert!(contacts(&acme, &nameless).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn csv_08_no_row_is_capped_and_the_error_file_has_every_refused_line() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mut file = String::from("name,phone\n");
    for n in 0..12_000 {
        let phone = if n % 10 == 3 { format!("x{n}") } else { format!("+1305{:07}", 2_200_000 + n) };
        file.push_str(&format!("N{n},{phone}\n"));
    }
    let import = acme.import(file, "").await;
    assert_eq!((&import["created_count"], &import["invalid_count"]), (&json!(10_800), &json!(1_200)), "{import}");
    let text = error_file(&acme, &import, "es").await;
    assert_eq!(text.lines().count(), 1_201);
    assert!(text.starts_with("\u{feff}import_line,import_code,import_reason,name,phone"));
    assert!(text.contains("5,phone_letters,el teléfono contiene letras (x3),N3,x3"), "{}", &text[..400]);
    assert!(error_file(&acme, &import, "en").await.contains("the phone contains letters"));
    let mended = text.replace(",x3\r\n", ",+13055559999\r\n");
    let again = acme.import(mended, "").await;
    assert_eq!((&again["created_count"], &again["row_count"]), (&json!(1), &json!(1_200)), "{again}");
    world.finish().await;
}

#[tokio::test]
async fn csv_10_prefixes_of_going_abroad_are_understood() {
    let world = World::new().await;
    for (slug, region, typed, expected) in [
        ("es", "ES", "00 34 612 34 56 78", "+34612345678"),
        ("us", "US", "011 52 55 1234 5678", "+525512345678"),
        ("de", "DE", "0041 44 364 35 33", "+41443643533"),
    ] {
        let tenant = world.tenant_in(slug, region).await;
        let import = tenant.import(format!("phone\n{typed}\n"), "").await;
        assert_eq!(contacts(&tenant, &import).await[0]["phone"], expected);
    }
    world.finish().await;
}

#[tokio::test]
async fn csv_11_without_a_worker_it_says_since_when_it_waits_and_starts_by_itself() {
    let mut world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let made = acme.upload("/imports", "phone\n+13055550142\n").await.expect(201);
    assert_eq!(made["state"], "queued");
    assert!(made["waiting_since"].is_string());
    world.start_worker().await;
    world.drain().await;
    let import = acme.get(&format!("/imports/{}", made["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&import["state"], &import["waiting_since"]), (&json!("completed"), &Value::Null));
    world.finish().await;
}

#[tokio::test]
async fn csv_17_workers_that_die_half_way_leave_every_row_exactly_once() {
    const ROWS: usize = 30_000;
    let mut world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let rows: String = (0..ROWS).map(|n| format!("N{n},+1305{:07}\n", 2_200_000 + n)).collect();
    let made = acme.upload("/imports", format!("name,phone\n{rows}")).await.expect(201);
    let path = format!("/imports/{}", made["id"].as_str().unwrap());
    let mut before = 0;
    for _ in 0..3 {
        let worker = world.worker().await;
        before = eventually_some("rows come in", || async {
            let rows = acme.get(&path).await.expect(200)["row_count"].as_i64().unwrap();
            assert!(rows >= before, "progress went back");
            (rows > before).then_some(rows)
        })
        .await;
        worker.abort();
        world.advance(std::time::Duration::from_secs(300)).await;
    }
    world.start_worker().await;
    let import = eventually_some("the import ends", || async {
        let import = acme.get(&path).await.expect(200);
        (import["state"] == "completed").then_some(import)
    })
    .await;
    assert_eq!((&import["created_count"], &import["row_count"]), (&json!(ROWS), &json!(ROWS)), "{import}");
    let stored: (i64, i64) = sqlx::query_as("select count(*), count(distinct phone) from crm.contacts")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(stored, (ROWS as i64, ROWS as i64));
    // ids are in the order of the file
    let first = contacts(&acme, &import).await;
    assert_eq!((&first[0]["first_name"], &first[199]["first_name"]), (&json!("N0"), &json!("N199")));
    world.finish().await;
}

#[tokio::test]
async fn an_import_whose_job_is_given_up_ends_and_says_so() {
    let mut world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let made = acme.upload("/imports", "name,phone\nAna,+13055550142\n").await.expect(201);
    let mut connection = world.database.superuser().await;
    let cancelled: String = sqlx::query_scalar(
        "select jobs.cancel(j.id, 'by an operator') from jobs.jobs j join jobs.kinds k on k.id = j.kind where k.name = 'contacts.run_import'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(cancelled, "cancelled");
    world.start_worker().await;
    let path = format!("/imports/{}", made["id"].as_str().unwrap());
    let import = eventually_some("the import ends", || async {
        let import = acme.get(&path).await.expect(200);
        (import["state"] == "failed").then_some(import)
    })
    .await;
    assert_eq!(import["failure_code"], "job_given_up", "{import}");
    let chunks: i64 =
        sqlx::query_scalar("select count(*) from crm.upload_chunks").fetch_one(&mut connection).await.unwrap();
    assert_eq!(chunks, 0);
    world.finish_with(&["contacts.run_import"]).await;
}

#[tokio::test]
async fn csv_19_ragged_rows_are_refused_and_shift_nothing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let import = acme
        .import("name,phone,city\nAna,+13055550142\nBea,+13055550143,Miami,extra\nCid,+13055550144,Tampa,\n", "")
        .await;
    assert_eq!((&import["created_count"], &import["invalid_count"]), (&json!(1), &json!(2)), "{import}");
    assert!(errors(&acme, &import).await.iter().all(|error| error["code"] == "column_count"));
    assert_eq!(contacts(&acme, &import).await[0]["city"], "Tampa");
    world.finish().await;
}

#[tokio::test]
async fn sec_04_formulas_are_neutralised_in_the_error_file() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let import = acme.import("name,phone\n\"=1+1,2\",abc\n@SUM(A1),abc\n+1,abc\n-1,abc\n\"\t=1\",abc\n", "").await;
    assert_eq!(import["invalid_count"], 5, "{import}");
    let text = error_file(&acme, &import, "en").await;
    for cell in [",\"'=1+1,2\",", ",'@SUM(A1),", ",'+1,", ",'-1,", "'\t=1"] {
        assert!(text.contains(cell), "{cell} is missing in {text}");
    }
    world.finish().await;
}

#[tokio::test]
async fn bad_files_are_refused_with_a_reason_and_leave_nothing() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let refused = |answer: Answer, code: &str| {
        assert_eq!((answer.status.as_u16(), answer.code()), (422, code), "{}", answer.text);
    };
    refused(acme.upload("/imports", "").await, "empty_file");
    refused(acme.upload("/imports", "  \n\n ").await, "empty_file");
    refused(acme.upload("/imports", &b"PK\x03\x04rest of a workbook"[..]).await, "not_csv");
    refused(acme.upload("/imports", "{\"phone\": \"+13055550142\"}").await, "not_csv");
    let wrong = acme.upload("/imports?phone_column=Movil", "name,phone\nAna,+13055550142\n").await;
    assert!(wrong.text.contains("name") && wrong.text.contains("phone"));
    refused(wrong, "column_unknown");
    let mapping = "/imports?mapping=%7B%22Tel1%22:%22phone%22,%22Tel2%22:%22phone%22%7D";
    refused(acme.upload(mapping, "Tel1,Tel2\n+13055550142,+13055550143\n").await, "column_conflict");
    refused(acme.upload("/imports", "color,size\nred,9\n").await, "no_address_column");
    refused(acme.upload("/imports?encoding=klingon", "phone\n+13055550142\n").await, "encoding_unknown");
    assert_nothing_left(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn a_nul_byte_and_an_endless_line_are_rows_that_are_refused() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mut file = b"name,phone\nA\0na,+13055550142\nBea,+13055550143\n".to_vec();
    file.resize(file.len() + (5 << 20), b'x');
    file.extend_from_slice(b",+13055550144\nCid,+13055550145\n");
    let import = acme.import(file, "").await;
    assert_eq!((&import["created_count"], &import["invalid_count"]), (&json!(2), &json!(2)), "{import}");
    let told = errors(&acme, &import).await;
    assert_eq!((&told[0]["line_number"], &told[0]["code"]), (&json!(2), &json!("nul_byte")));
    assert_eq!((&told[1]["line_number"], &told[1]["code"]), (&json!(4), &json!("row_too_long")));
    world.finish().await;
}

/// The most memory that this process has had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[tokio::test]
async fn a_line_of_200_mib_is_one_refused_row_and_memory_stays_flat() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let warm = acme.import("name,phone\nAna,+13055550141\n", "").await;
    assert_eq!(warm["created_count"], 1);
    let before = peak_mib();
    let piece = bytes::Bytes::from(vec![b'x'; 1 << 20]);
    let pieces = std::iter::once(bytes::Bytes::from_static(b"name,phone\n"))
        .chain(std::iter::repeat_n(piece, 200))
        .chain(std::iter::once(bytes::Bytes::from_static(b",+13055550142\nBea,+13055550143\n")));
    let body = reqwest::Body::wrap_stream(futures::stream::iter(pieces.map(Ok::<_, std::io::Error>)));
    let import = acme.import(body, "").await;
    assert_eq!((&import["created_count"], &import["invalid_count"]), (&json!(1), &json!(1)), "{import}");
    assert_eq!(errors(&acme, &import).await[0]["code"], "row_too_long");
    let growth = peak_mib() - before;
    assert!(growth < 64, "{growth} MiB");
    world.finish().await;
}

#[tokio::test]
async fn a_first_line_without_an_end_is_refused_after_the_first_megabytes() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let answer = acme.upload("/imports", vec![b'x'; 8 << 20]).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "header_unreadable"), "{}", answer.text);
    assert_nothing_left(&world, &acme).await;
    world.finish().await;
}

#[tokio::test]
async fn a_form_carries_its_options_on_either_side_of_the_file() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let options =
        json!({ "mapping": { "Who": "first_name", "Where": "attribute:place" }, "phone_column": "Number" }).to_string();
    let file = || multipart::Part::text("Who,Number,Where\nAna,+13055550142,Miami\n").file_name("people.csv");
    for form in [
        multipart::Form::new().text("options", options.clone()).part("file", file()),
        multipart::Form::new().part("file", file()).text("options", options.clone()),
    ] {
        let answer = acme.request(Method::POST, "/imports").multipart(form).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let made: Value = answer.json().await.unwrap();
        assert_eq!(made["file_name"], "people.csv");
        world.drain().await;
        let contact = contacts(&acme, &made).await.remove(0);
        assert_eq!((&contact["first_name"], &contact["attributes"]), (&json!("Ana"), &json!({ "place": "Miami" })));
    }
    let empty = acme
        .request(Method::POST, "/imports")
        .multipart(multipart::Form::new().text("options", "{}"))
        .send()
        .await
        .unwrap();
    assert_eq!(empty.json::<Value>().await.unwrap()["code"], "file_missing");
    world.finish().await;
}

#[tokio::test]
async fn a_repeated_upload_under_one_key_is_one_import() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let send = || async {
        let request =
            acme.request(Method::POST, "/imports").header("idempotency-key", "k1").body("phone\n+13055550142\n");
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let (first, second) = (send().await, send().await);
    assert_eq!(first["id"], second["id"]);
    assert_eq!(acme.get("/imports").await.expect(200)["items"].as_array().unwrap().len(), 1);
    world.drain().await;
    world.finish().await;
}

#[tokio::test]
async fn another_tenant_finds_nothing_of_an_import() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let import = acme.import("name,phone\nAna,abc\n", "").await;
    let id = import["id"].as_str().unwrap();
    let missing = other.get(&format!("/imports/{}", uuid::Uuid::now_v7())).await;
    for path in [format!("/imports/{id}"), format!("/imports/{id}/errors"), format!("/imports/{id}/error-file")] {
        let answer = other.get(&path).await;
        assert_eq!((answer.status, &answer.text), (missing.status, &missing.text), "{path}");
    }
    world.finish().await;
}
