//! Files in a bucket of a third party's S3: kept, served, made of and sent as from a folder, and what happens when the bucket refuses, is away, cuts its
//! answers or has lost a file. (`media` tells the same stories with a folder, and once more with a bucket where `PALOMA_TEST_BUCKET` is set.)

use std::time::Duration;

use bytes::Bytes;
use crm::messaging::media::{
    Asked, BlobKey, Form,
    store::{self, BucketConfig},
};
use e2e::paloma::paloma;
use e2e::{Bucket, Tenant, Weather, World, bucket::SECRET, eventually, eventually_some};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

use crate::media::{ANA, PICTURE, SOUND, fetch, file, heading, made, media_of, send, until, upload, upload_as};

async fn ground() -> Option<(World, Tenant, String)> {
    if std::process::Command::new("ffmpeg").arg("-version").output().is_err() {
        e2e::leave_out("ffmpeg is not installed (Debian's package of that name)");
        return None;
    }
    let world = World::with_bucket(Bucket::start().await?).await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    Some((world, acme, line))
}

fn folder() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("paloma-test-{}", uuid::Uuid::new_v4().simple()))
}

/// Files of the folder that only serves for work.
fn left_here(world: &World) -> usize {
    let drafts = std::fs::read_dir(&world.app.config.media_folder).into_iter().flatten().flatten();
    drafts.flat_map(|tenant| std::fs::read_dir(tenant.path().join("drafts")).into_iter().flatten()).count()
}

/// SEC-01
#[tokio::test]
async fn a_file_is_kept_under_its_tenant_and_served_as_from_a_folder() {
    let Some((world, acme, _)) = ground().await else { return };
    let picture = made(&PICTURE, "a.png");
    world.sim.inbound_file(&Inbound::new(ANA, "foto"), &file("foto.png", "text/html", picture.clone())).unwrap();
    let media = until(&acme, "the picture is there", |media| media["thumbnail_url"].is_string()).await;
    let (id, url) = (media["id"].as_str().unwrap().replace('-', ""), media["url"].as_str().unwrap());
    let tenant = url.split("tenant=").nth(1).unwrap().split('&').next().unwrap();
    let name = |form: &str| format!("{tenant}/{}/{id}.{form}", &id[30..]);
    assert_eq!(world.bucket().names().await, [name("original"), name("thumbnail")], "the wall is part of each name");
    // whoever opens it at the service itself can only save it, as what its bytes are
    let there = world.bucket().ask(Method::HEAD, &name("original")).await;
    assert_eq!(heading(&there, header::CONTENT_TYPE), "image/png");
    assert_eq!(heading(&there, header::CONTENT_DISPOSITION), "attachment");
    let whole = fetch(&world, url).await;
    assert_eq!(heading(&whole, header::CONTENT_SECURITY_POLICY), "default-src 'none'; sandbox");
    assert_eq!(heading(&whole, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(heading(&whole, header::CONTENT_LENGTH), picture.len().to_string());
    assert_eq!(whole.bytes().await.unwrap(), picture);
    let ranged = |range: &'static str| {
        let request = reqwest::Client::new().get(format!("{}{url}", world.base()));
        async move { request.header(header::RANGE, range).send().await.unwrap() }
    };
    for (range, from, to) in [("bytes=2-5", 2, 6), ("bytes=-7", picture.len() - 7, picture.len())] {
        let part = ranged(range).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let said = format!("bytes {from}-{}/{}", to - 1, picture.len());
        assert_eq!(heading(&part, header::CONTENT_RANGE), said);
        assert_eq!(part.bytes().await.unwrap(), picture.slice(from..to), "{range}");
    }
    // as players begin
    let all = ranged("bytes=0-").await;
    assert_eq!(all.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(all.bytes().await.unwrap(), picture);
    assert_eq!(ranged("bytes=99999999-").await.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(left_here(&world), 0, "nothing stays on this machine");
    // what nobody sends goes away in its time, and only that
    let svg = Bytes::from_static(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>");
    let unsent = upload(&acme, "a.svg", svg).await.expect(201);
    let answer = fetch(&world, unsent["url"].as_str().unwrap()).await;
    assert_eq!(heading(&answer, header::CONTENT_TYPE), "application/octet-stream");
    assert!(heading(&answer, header::CONTENT_DISPOSITION).starts_with("attachment;"));
    assert_eq!(world.bucket().names().await.len(), 3);
    world.advance(Duration::from_secs(100_000)).await;
    eventually("it is gone", || async { world.bucket().names().await.len() == 2 }).await;
    world.finish().await;
}

#[tokio::test]
async fn a_recording_is_made_a_voice_message_and_goes_out_from_the_bucket() {
    let Some((world, acme, line)) = ground().await else { return };
    let voice = upload_as(&acme, "saludo.mp3", made(&SOUND, "a.mp3"), "voice").await.expect(201);
    send(&acme, &line, "", &[&voice["id"]]).await;
    eventually("it is out", || async { world.sim.sent().len() == 1 }).await;
    let sent = world.sim.sent().pop().unwrap();
    let (called, bytes) = world.sim.files_of(&sent.guid).remove(0);
    assert_eq!((&*called, &bytes[..4], world.sim.is_voice(&sent.guid)), ("Audio Message.caf", &b"caff"[..], true));
    world.settle().await;
    assert_eq!(left_here(&world), 0);
    world.finish().await;
}

/// Away or refusing: whoever waits is told, what can wait waits without a lost attempt, and goes out once.
#[tokio::test]
async fn while_the_bucket_does_not_answer_files_wait_and_none_is_lost() {
    let Some((world, acme, line)) = ground().await else { return };
    let paper = Bytes::from_static(b"%PDF-1.4 and so on");
    let mut kept = Value::Null;
    for (n, weather) in [Weather::HangsUp, Weather::Says(403, "AccessDenied")].into_iter().enumerate() {
        // made anew, since an address of it is good for a quarter of an hour
        kept = upload(&acme, "precio.pdf", paper.clone()).await.expect(201);
        world.bucket().weather(weather.clone());
        assert_eq!(upload(&acme, "otro.pdf", paper.clone()).await.expect(503)["code"], "unavailable", "{weather:?}");
        let answer = fetch(&world, kept["url"].as_str().unwrap()).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{weather:?}");
        let from = format!("+1305555015{n}");
        let picture = file("a.png", "image/png", made(&PICTURE, "a.png"));
        let fetched = || world.sim.calls().iter().filter(|call| call.path.ends_with("/download")).count();
        let before = fetched();
        world.sim.inbound_file(&Inbound::new(&from, "foto"), &picture).unwrap();
        let waiting = || async {
            let message = acme.messages(&from).await.into_iter().next()?;
            let path = format!("/messages/{}/media", message["id"].as_str()?);
            acme.get(&path).await.expect(200).as_array()?.first().cloned()
        };
        // far more often than a job has attempts
        for _ in 0..15 {
            world.settle().await;
            world.advance(Duration::from_secs(61)).await;
        }
        world.settle().await;
        assert_eq!(waiting().await.unwrap()["state"], "pending", "{weather:?}");
        assert_eq!(fetched(), before, "the Mac hands nothing over for nothing: {weather:?}");
        world.bucket().weather(Weather::Fine);
        world.advance(Duration::from_secs(61)).await;
        eventually_some("it is there", || async {
            waiting().await.filter(|media: &Value| media["state"] == "stored" && media["thumbnail_url"].is_string())
        })
        .await;
    }
    world.bucket().weather(Weather::Says(403, "AccessDenied"));
    send(&acme, &line, "mira", &[&kept["id"]]).await;
    world.settle().await;
    let message = acme.messages(ANA).await.remove(0);
    assert_eq!((&message["status"], world.sim.sent().len()), (&json!("queued"), 0));
    world.bucket().weather(Weather::Fine);
    world.advance(Duration::from_secs(61)).await;
    eventually("it is out", || async { world.sim.sent().len() == 1 }).await;
    world.settle().await;
    let sent = world.sim.sent();
    assert_eq!((sent.len(), world.sim.files_of(&sent[0].guid)), (1, vec![("precio.pdf".to_owned(), paper)]));
    // what was refused half way is known, and is swept away with what nobody sends: each time one, and the first that was kept
    let unsent = async || {
        let query = "select count(*) from crm.attachments where message_id is null";
        let mut superuser = world.database.superuser().await;
        sqlx::query_scalar::<_, i64>(query).fetch_one(&mut superuser).await.unwrap()
    };
    assert_eq!(unsent().await, 3);
    world.advance(Duration::from_secs(100_000)).await;
    eventually("it is swept away", || async { unsent().await == 0 }).await;
    world.finish().await;
}

/// An answer that breaks off: of a read it makes no file, and of a write it leaves one, written once more under the same name.
#[tokio::test]
async fn an_answer_that_is_cut_makes_neither_half_a_file_nor_two() {
    let Some((world, acme, _)) = ground().await else { return };
    world.bucket().weather(Weather::PutCutAfter(20));
    let picture = made(&PICTURE, "a.png");
    world.sim.inbound_file(&Inbound::new(ANA, "foto"), &file("a.png", "image/png", picture.clone())).unwrap();
    let asked = world.bucket().asked();
    eventually("it has been written, and nobody said so", || async { world.bucket().asked() > asked }).await;
    world.settle().await;
    assert_eq!((&media_of(&acme).await[0]["state"], world.bucket().names().await.len()), (&json!("pending"), 1));
    world.bucket().weather(Weather::Fine);
    world.advance(Duration::from_secs(61)).await;
    let media = until(&acme, "it is there", |media| media["thumbnail_url"].is_string()).await;
    assert_eq!(world.bucket().names().await.len(), 2, "the original once, and its small picture");
    world.bucket().weather(Weather::CutAfter(1200));
    let answer = fetch(&world, media["url"].as_str().unwrap()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.bytes().await.is_err(), "a part of a file does not pass for all of it");
    world.bucket().weather(Weather::Fine);
    assert_eq!(fetch(&world, media["url"].as_str().unwrap()).await.bytes().await.unwrap(), picture);
    world.finish().await;
}

#[tokio::test]
async fn a_file_that_was_deleted_at_the_service_is_told_and_not_sent() {
    let Some((world, acme, line)) = ground().await else { return };
    let kept = upload(&acme, "precio.pdf", Bytes::from_static(b"%PDF-1.4 and so on")).await.expect(201);
    let name = world.bucket().names().await.remove(0);
    assert!(world.bucket().ask(Method::DELETE, &name).await.status().is_success());
    assert_eq!(fetch(&world, kept["url"].as_str().unwrap()).await.status(), StatusCode::NOT_FOUND);
    send(&acme, &line, "mira", &[&kept["id"]]).await;
    eventually("it says why", || async {
        acme.messages(ANA).await.first().is_some_and(|row| row["status"] == "failed" && row["reason"] == "file_lost")
    })
    .await;
    assert_eq!(world.sim.sent().len(), 0);
    world.finish().await;
}

/// Moto does not look into signatures; the library that AWS gives to its own clients does.
#[tokio::test]
async fn a_request_is_signed_as_the_services_own_library_signs_it() {
    let Some(bucket) = Bucket::start().await else { return };
    let folder = folder();
    let blobs = bucket.config().store(&folder).unwrap();
    bucket.weather(Weather::Says(403, "AccessDenied"));
    store::check(&blobs).await.unwrap_err();
    assert_eq!(bucket.is_signed_as_by_its_own().await, "alike\n", "a write");
    let key = BlobKey { tenant_id: uuid::Uuid::new_v4(), id: uuid::Uuid::new_v4(), form: Form::Playable };
    blobs.open(key, Asked::From(7)).await.unwrap_err();
    assert_eq!(bucket.is_signed_as_by_its_own().await, "alike\n", "a read");
    blobs.remove(key.tenant_id, key.id).await.unwrap_err();
    assert_eq!(bucket.is_signed_as_by_its_own().await, "alike\n", "a removal");
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn doctor_tries_the_bucket() {
    let Some((world, ..)) = ground().await else { return };
    let config = world.bucket().config();
    let (endpoint, key_id) = (config.endpoint.unwrap().to_string(), config.key_id.unwrap());
    for (name, is_ok) in [(config.bucket.unwrap(), true), ("nobodys-files".to_owned(), false)] {
        let settings =
            ["--s3-bucket", &name, "--s3-endpoint", &endpoint, "--s3-key-id", &key_id, "--s3-secret", SECRET];
        let said = paloma(&world, &[&["doctor", "--json"], &settings[..]].concat()).await.document();
        let files = said["checks"].as_array().unwrap().iter().find(|check| check["check"] == "files").unwrap();
        assert_eq!(files["is_ok"], is_ok, "{files}");
        assert_eq!(files["detail"].as_str().unwrap().contains("PALOMA_S3_BUCKET"), !is_ok, "{files}");
    }
    world.finish().await;
}

/// What is wrong with the settings is told at the start, in words that name the setting; a service that is away for the moment stops nobody.
#[tokio::test]
async fn nothing_starts_on_a_bucket_that_refuses_and_all_does_on_one_that_is_away() {
    let Some(bucket) = Bucket::start().await else { return };
    let folder = folder();
    let started = |config: BucketConfig| {
        let folder = folder.clone();
        async move {
            match config.store(&folder) {
                Ok(blobs) => store::check(&blobs).await,
                Err(error) => Err(error),
            }
        }
    };
    started(bucket.config()).await.unwrap();
    assert_eq!(bucket.names().await, [""; 0], "nothing of the check stays");
    let elsewhere = BucketConfig { bucket: Some("nobodys-files".to_owned()), ..bucket.config() };
    let unsettled = BucketConfig { endpoint: None, secret: None, ..bucket.config() };
    let nameless = BucketConfig { bucket: None, ..bucket.config() };
    for (config, setting) in [
        (elsewhere, "PALOMA_S3_BUCKET"),
        (unsettled, "PALOMA_S3_ENDPOINT, PALOMA_S3_SECRET missing"),
        (nameless, "PALOMA_S3_BUCKET is missing"),
    ] {
        let error = format!("{:?}", started(config).await.unwrap_err());
        assert!(error.contains(setting) && !error.contains(SECRET), "{error}");
    }
    for (status, word, setting) in [
        (403, "InvalidAccessKeyId", "PALOMA_S3_KEY_ID"),
        (403, "SignatureDoesNotMatch", "PALOMA_S3_SECRET"),
        (301, "PermanentRedirect", "PALOMA_S3_REGION"),
        (403, "AccessDenied", "the key may not"),
    ] {
        bucket.weather(Weather::Says(status, word));
        let error = format!("{:?}", started(bucket.config()).await.unwrap_err());
        assert!(error.contains(setting) && !error.contains(SECRET), "{error}");
    }
    for away in [Weather::Says(503, "SlowDown"), Weather::HangsUp] {
        bucket.weather(away);
        started(bucket.config()).await.unwrap();
    }
    let _ = std::fs::remove_dir_all(folder);
}
