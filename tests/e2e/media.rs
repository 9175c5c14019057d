//! Files of messages: late, large, purged and forged ones; made to show everywhere; served under addresses that hold for a while; sent once.

use std::time::Duration;

use bytes::Bytes;
use e2e::{Tenant, World, eventually, eventually_some};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sim::bluebubbles::{Attached, Behaviour, Inbound};

pub(crate) const ANA: &str = "+13055550142";

/// None where a file can't be made.
async fn ground() -> Option<(World, Tenant, String)> {
    if std::process::Command::new("ffmpeg").arg("-version").output().is_err() {
        e2e::leave_out("ffmpeg is not installed (Debian's package of that name)");
        return None;
    }
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    Some((world, acme, line))
}

pub(crate) fn file(name: &str, mime: &str, bytes: impl Into<Bytes>) -> Attached {
    let bytes = bytes.into();
    Attached { name: name.to_owned(), mime: mime.to_owned(), bytes, converted: None, is_voice: false, is_late: false }
}

/// Something that ffmpeg makes: the arguments without the output.
pub(crate) fn made(arguments: &[&str], name: &str) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let made = std::process::Command::new("ffmpeg").args(["-v", "error"]).args(arguments).arg(&path).status().unwrap();
    assert!(made.success(), "{name}");
    std::fs::read(path).unwrap().into()
}

pub(crate) const PICTURE: [&str; 6] = ["-f", "lavfi", "-i", "testsrc=size=640x360:rate=1", "-frames:v", "1"];
pub(crate) const SOUND: [&str; 4] = ["-f", "lavfi", "-i", "sine=frequency=440:duration=1"];

pub(crate) async fn media_of(tenant: &Tenant) -> Vec<Value> {
    let Some(message) = tenant.messages(ANA).await.into_iter().next() else { return Vec::new() };
    let path = format!("/messages/{}/media", message["id"].as_str().unwrap());
    tenant.get(&path).await.expect(200).as_array().unwrap().clone()
}

/// The one file of the last message, once it is as asked.
pub(crate) async fn until(tenant: &Tenant, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually_some(what, || async {
        let mut media = media_of(tenant).await;
        assert!(media.len() <= 1, "{media:?}");
        media.pop().filter(&is_so)
    })
    .await
}

pub(crate) async fn fetch(world: &World, path: &str) -> reqwest::Response {
    reqwest::Client::new().get(format!("{}{path}", world.base())).send().await.unwrap()
}

pub(crate) fn heading(answer: &reqwest::Response, name: header::HeaderName) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// BB-04
#[tokio::test]
async fn a_file_that_comes_later_joins_its_message() {
    let Some((world, acme, _)) = ground().await else { return };
    let guid = world.sim.inbound(&Inbound::new(ANA, "")).unwrap().remove(0);
    world.settle().await;
    assert_eq!(acme.messages(ANA).await.len(), 1);
    let picture = made(&PICTURE, "a.png");
    world.sim.attach(&guid, &file("foto.png", "image/png", picture.clone())).unwrap();
    // nothing tells of it
    world.advance(Duration::from_secs(3)).await;
    let media = until(&acme, "the picture is there", |media| media["thumbnail_url"].is_string()).await;
    let shown = [&media["kind"], &media["mime"], &media["name"], &media["state"], &media["width"], &media["height"]];
    let (image, png, name, stored) = (json!("image"), json!("image/png"), json!("foto.png"), json!("stored"));
    assert_eq!(shown, [&image, &png, &name, &stored, &json!(640), &json!(360)]);
    assert_eq!(fetch(&world, media["url"].as_str().unwrap()).await.bytes().await.unwrap(), picture);
    let small = fetch(&world, media["thumbnail_url"].as_str().unwrap()).await;
    assert_eq!(heading(&small, header::CONTENT_TYPE), "image/jpeg");
    for _ in 0..2 {
        assert!(world.sim.replay(&guid));
    }
    world.settle().await;
    assert_eq!((acme.messages(ANA).await.len(), media_of(&acme).await.len()), (1, 1));
    assert_eq!(acme.messages(ANA).await[0]["media"], json!(media_of(&acme).await), "the thread shows it");
    world.numbered().await;
    let told: i64 = sqlx::query_scalar("select count(*) from crm.events where kind = 'message.new'")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(told, 1, "one bubble, one notification");
    world.finish().await;
}

/// The Mac knows the file and has not downloaded it; later it has. One that never comes says why.
#[tokio::test]
async fn a_file_that_the_mac_does_not_have_yet_is_asked_for_again() {
    let Some((world, acme, _)) = ground().await else { return };
    let late = Attached { is_late: true, ..file("a.jpg", "image/jpeg", made(&PICTURE, "a.jpg")) };
    let guid = world.sim.inbound(&Inbound { silent: true, ..Inbound::new(ANA, "mira") }).unwrap().remove(0);
    let attachment = world.sim.attach(&guid, &late).unwrap();
    assert!(world.sim.replay(&guid));
    world.settle().await;
    assert_eq!(media_of(&acme).await[0]["state"], "pending");
    assert!(world.sim.file_arrives(&attachment));
    world.advance(Duration::from_secs(60)).await;
    until(&acme, "it is there", |media| media["state"] == "stored").await;
    let lost = world.sim.inbound_file(&Inbound::new(ANA, "y ésta"), &late).unwrap();
    assert!(!lost.is_empty());
    for _ in 0..14 {
        world.settle().await;
        world.advance(Duration::from_secs(2000)).await;
    }
    let media = until(&acme, "it is given up", |media| media["state"] == "failed").await;
    assert_eq!((&media["reason"], &media["url"]), (&json!("not_on_gateway"), &Value::Null));
    world.finish().await;
}

#[tokio::test]
async fn a_download_that_is_cut_or_refused_is_made_again_and_kept_once() {
    let Some((world, acme, _)) = ground().await else { return };
    let sound = made(&SOUND, "a.mp3");
    world.sim.fail_next_of(2, Behaviour::Proxy502, sim::bluebubbles::Scope::Read);
    world.sim.inbound_file(&Inbound::new(ANA, "escucha"), &file("a.mp3", "audio/mpeg", sound.clone())).unwrap();
    world.settle().await;
    world.advance(Duration::from_secs(60)).await;
    world.settle().await;
    world.advance(Duration::from_secs(60)).await;
    let media = until(&acme, "it is there", |media| media["state"] == "stored").await;
    assert_eq!((&media["kind"], &media["byte_count"]), (&json!("audio"), &json!(sound.len())));
    world.finish().await;
}

/// MED-01
#[tokio::test]
async fn what_some_browsers_do_not_play_is_made_to_play_and_the_original_stays() {
    let Some((world, acme, _)) = ground().await else { return };
    let arguments = |more: &[&'static str]| SOUND.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    let video =
        ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=10:duration=1", "-c:v", "libx264", "-pix_fmt", "yuv420p"];
    let cases = [
        (
            "nota.caf",
            "audio/x-caf",
            made(&arguments(&["-c:a", "libopus", "-ar", "24000", "-ac", "1"]), "a.caf"),
            "audio/mp4",
            true,
        ),
        ("nota.ogg", "audio/ogg", made(&arguments(&["-c:a", "libopus"]), "a.ogg"), "audio/mp4", true),
        ("clip.mov", "video/quicktime", made(&video, "a.mov"), "video/mp4", true),
    ];
    for (name, mime, bytes, playable, has_length) in cases {
        world.sim.inbound_file(&Inbound::new(ANA, name), &file(name, "application/x-lies", bytes.clone())).unwrap();
        let media = until(&acme, name, |media| media["name"] == name && media["playable_url"].is_string()).await;
        assert_eq!(media["mime"], mime, "{name}");
        assert_eq!(media["duration_ms"].as_i64().is_some_and(|ms| (900..1200).contains(&ms)), has_length, "{media}");
        let played = fetch(&world, media["playable_url"].as_str().unwrap()).await;
        assert_eq!(heading(&played, header::CONTENT_TYPE), playable);
        assert!(heading(&played, header::CONTENT_DISPOSITION).starts_with("inline"));
        assert_eq!(&played.bytes().await.unwrap()[4..8], b"ftyp", "{name}");
        assert_eq!(fetch(&world, media["url"].as_str().unwrap()).await.bytes().await.unwrap(), bytes);
    }
    // what our tool does not read the Mac converts
    let heic = Bytes::from_static(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic and so on");
    let converted = Some(("image/jpeg".to_owned(), made(&PICTURE, "a.jpg")));
    world
        .sim
        .inbound_file(
            &Inbound::new(ANA, "foto"),
            &Attached { converted, ..file("IMG_1.HEIC", "image/heic", heic.clone()) },
        )
        .unwrap();
    let media =
        until(&acme, "the picture", |media| media["name"] == "IMG_1.HEIC" && media["thumbnail_url"].is_string()).await;
    assert_eq!(media["mime"], "image/heic");
    let shown = fetch(&world, media["playable_url"].as_str().unwrap()).await;
    assert_eq!(heading(&shown, header::CONTENT_TYPE), "image/jpeg");
    assert_eq!(fetch(&world, media["url"].as_str().unwrap()).await.bytes().await.unwrap(), heic);
    world.finish().await;
}

/// Nobody here has a model: sound says so at once, and nothing waits for one. (`crash::voice` has workers with a model.)
#[tokio::test]
async fn a_voice_message_that_nobody_can_transcribe_says_so() {
    let Some((world, acme, _)) = ground().await else { return };
    let arguments: Vec<&str> = SOUND.iter().copied().chain(["-c:a", "libopus", "-ar", "24000", "-ac", "1"]).collect();
    let memo = Attached { is_voice: true, ..file("Audio Message.caf", "audio/x-caf", made(&arguments, "a.caf")) };
    world.sim.inbound_file(&Inbound::new(ANA, ""), &memo).unwrap();
    let media = until(&acme, "it is there", |media| media["playable_url"].is_string()).await;
    assert_eq!(media["transcript"], json!({ "state": "none", "text": null, "language": null, "reason": "no_model" }));
    world
        .sim
        .inbound_file(&Inbound::new("+13055550143", ""), &file("a.png", "image/png", made(&PICTURE, "a.png")))
        .unwrap();
    world.advance(Duration::from_secs(600)).await;
    world.settle().await;
    assert_eq!(media_of(&acme).await[0]["transcript"]["reason"], "no_model");
    for (q, count) in [
        ("has:voice", 1),
        ("has:voz from:them", 1),
        ("has:audio", 1),
        ("has:image", 1),
        ("has:video", 0),
        ("has:file", 0),
    ] {
        let rows = acme
            .request(Method::GET, "/search")
            .query(&[("q", q)])
            .send()
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap();
        assert_eq!(rows["items"].as_array().unwrap().len(), count, "{q}");
    }
    world.finish().await;
}

/// A file that is broken stays, and says that it can't be shown.
#[tokio::test]
async fn what_can_not_be_converted_says_so_and_can_be_saved() {
    let Some((world, acme, _)) = ground().await else { return };
    let broken = Bytes::from_static(b"caff\0\x01 and nothing else");
    world.sim.inbound_file(&Inbound::new(ANA, "nota"), &file("a.caf", "audio/x-caf", broken.clone())).unwrap();
    let media = until(&acme, "it has failed", |media| media["reason"] == "not_convertible").await;
    assert_eq!((&media["state"], &media["playable_url"]), (&json!("stored"), &Value::Null));
    assert_eq!(fetch(&world, media["url"].as_str().unwrap()).await.bytes().await.unwrap(), broken);
    world.finish().await;
}

/// SEC-01
#[tokio::test]
async fn what_could_run_is_only_saved_whatever_it_is_called() {
    let Some((world, acme, _)) = ground().await else { return };
    let svg = Bytes::from_static(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>");
    let cases = [
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("../../../etc/passwd", "text/html"),
        ("a\"\r\nX-Evil: 1.html", "text/html"),
    ];
    for (name, mime) in cases {
        world.sim.inbound_file(&Inbound::new(ANA, name), &file(name, mime, svg.clone())).unwrap();
        let text = name.trim();
        let media = eventually_some("the file is there", || async {
            let message = acme.messages(ANA).await.into_iter().find(|message| message["body"] == text)?;
            let path = format!("/messages/{}/media", message["id"].as_str()?);
            let media = acme.get(&path).await.expect(200)[0].clone();
            (media["state"] == "stored").then_some(media)
        })
        .await;
        assert_eq!((&media["kind"], &media["thumbnail_url"]), (&json!("file"), &Value::Null), "{media}");
        assert!(!media["name"].as_str().unwrap().contains('/'));
        let answer = fetch(&world, media["url"].as_str().unwrap()).await;
        assert_eq!(heading(&answer, header::CONTENT_TYPE), "application/octet-stream");
        assert!(heading(&answer, header::CONTENT_DISPOSITION).starts_with("attachment;"));
        assert_eq!(heading(&answer, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(heading(&answer, header::CONTENT_SECURITY_POLICY), "default-src 'none'; sandbox");
        assert!(answer.headers().get("x-evil").is_none());
    }
    world.finish().await;
}

#[tokio::test]
async fn an_address_holds_for_its_file_and_its_time_and_answers_like_a_missing_one_otherwise() {
    let Some((world, acme, _)) = ground().await else { return };
    let bytes = made(
        &["-f", "lavfi", "-i", "testsrc=size=320x240:rate=10:duration=1", "-c:v", "libx264", "-pix_fmt", "yuv420p"],
        "a.mp4",
    );
    world.sim.inbound_file(&Inbound::new(ANA, "video"), &file("a.mp4", "video/mp4", bytes.clone())).unwrap();
    let media = until(&acme, "it is there", |media| media["url"].is_string()).await;
    let url = media["url"].as_str().unwrap();
    let ranged = |range: &'static str| {
        reqwest::Client::new()
            .request(Method::GET, format!("{}{url}", world.base()))
            .header(header::RANGE, range)
            .send()
    };
    let part = ranged("bytes=2-5").await.unwrap();
    assert_eq!(
        (part.status(), heading(&part, header::CONTENT_RANGE)),
        (StatusCode::PARTIAL_CONTENT, format!("bytes 2-5/{}", bytes.len()))
    );
    assert_eq!(part.bytes().await.unwrap(), bytes.slice(2..6));
    assert_eq!(ranged("bytes=99999999-").await.unwrap().status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let missing = fetch(&world, &url.replace(media["id"].as_str().unwrap(), &uuid::Uuid::new_v4().to_string())).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    let missing = missing.text().await.unwrap();
    let other = world.tenant("other").await;
    let tenant = url.split("tenant=").nth(1).unwrap().split('&').next().unwrap();
    let theirs: uuid::Uuid = sqlx::query_scalar("select id from crm.tenants where slug = 'other'")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    let forged = [
        url.replace("form=original", "form=playable"),
        url.replace("form=original", "form=../../x"),
        url.replace(tenant, &theirs.simple().to_string()),
        url.replace("signature=", "signature=00"),
        url.replace("expires=", "expires=9"),
    ];
    for forged in forged {
        let answer = fetch(&world, &forged).await;
        assert_eq!(
            (answer.status(), answer.text().await.unwrap()),
            (StatusCode::NOT_FOUND, missing.clone()),
            "{forged}"
        );
    }
    let message = acme.messages(ANA).await.remove(0);
    let path = format!("/messages/{}/media", message["id"].as_str().unwrap());
    other.get(&path).await.expect(404);
    world.advance(Duration::from_secs(2000)).await;
    assert_eq!(fetch(&world, url).await.status(), StatusCode::NOT_FOUND, "it has expired");
    world.finish().await;
}

pub(crate) async fn upload(tenant: &Tenant, name: &str, bytes: Bytes) -> e2e::Answer {
    upload_as(tenant, name, bytes, "file").await
}

pub(crate) async fn upload_as(tenant: &Tenant, name: &str, bytes: Bytes, kind: &str) -> e2e::Answer {
    let part = reqwest::multipart::Part::stream(bytes).file_name(name.to_owned());
    let form = reqwest::multipart::Form::new().part("file", part);
    tenant.send(tenant.request(Method::POST, "/media").query(&[("kind", kind)]).multipart(form)).await
}

pub(crate) async fn send(tenant: &Tenant, line: &str, text: &str, media: &[&Value]) -> Value {
    let payload = json!({ "line_id": line, "address": ANA, "text": text, "media_ids": media });
    tenant.post("/jobs", &json!({ "jobs": [{ "kind": "messaging.send_text", "payload": payload }] })).await.expect(200)
        ["jobs"][0]
        .clone()
}

#[tokio::test]
async fn files_and_a_text_go_out_as_one_message_once() {
    let Some((world, acme, line)) = ground().await else { return };
    let (picture, paper) = (made(&PICTURE, "a.png"), Bytes::from_static(b"%PDF-1.4 and so on"));
    let first = upload(&acme, "C:\\fotos\\foto.png", picture.clone()).await.expect(201);
    let second = upload(&acme, "precio.pdf", paper.clone()).await.expect(201);
    assert_eq!(
        (&first["name"], &first["kind"], &second["kind"]),
        (&json!("foto.png"), &json!("image"), &json!("file"))
    );
    world.sim.fail_next(1, Behaviour::DropAfter);
    send(&acme, &line, "mira", &[&first["id"], &second["id"]]).await;
    eventually("it is out", || async { world.sim.sent().len() == 1 }).await;
    world.settle().await;
    world.advance(Duration::from_secs(70)).await;
    eventually("it is known to be", || async { acme.messages(ANA).await[0]["status"] == "delivered" }).await;
    world.settle().await;
    let sent = world.sim.sent();
    assert_eq!((sent.len(), &*sent[0].text), (1, "mira"));
    assert_eq!(world.sim.files_of(&sent[0].guid), [("foto.png".to_owned(), picture), ("precio.pdf".to_owned(), paper)]);
    assert_eq!(
        (acme.messages(ANA).await.len(), media_of(&acme).await.len()),
        (1, 2),
        "what the gateway tells of them is known"
    );
    // a file is sent by one message, and by its own tenant
    assert_eq!(send(&acme, &line, "otra vez", &[&first["id"]]).await["code"], "media_not_found");
    let other = world.tenant("other").await;
    let theirs = upload(&other, "x.pdf", Bytes::from_static(b"%PDF-")).await.expect(201);
    assert_eq!(send(&acme, &line, "ajeno", &[&theirs["id"]]).await["code"], "media_not_found");
    world.finish().await;
}

/// BB-10
#[tokio::test]
async fn a_recording_goes_out_as_what_phones_take_for_a_voice_message() {
    let Some((world, acme, line)) = ground().await else { return };
    let arguments = |more: &[&'static str]| SOUND.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    let cases = [
        ("grabación.webm", made(&arguments(&["-c:a", "libopus"]), "a.webm"), "audio/mp4"),
        ("saludo.mp3", made(&arguments(&[]), "a.mp3"), "audio/mpeg"),
        ("safari.mp4", made(&arguments(&["-c:a", "aac"]), "a.mp4"), "audio/mp4"),
    ];
    for (n, (name, bytes, playable)) in cases.into_iter().enumerate() {
        let voice = upload_as(&acme, name, bytes, "voice").await.expect(201);
        let shown = [&voice["kind"], &voice["name"], &voice["is_voice"]];
        assert_eq!(shown, [&json!("audio"), &json!("Audio Message.caf"), &json!(true)], "{name}");
        send(&acme, &line, "", &[&voice["id"]]).await;
        eventually("it is out", || async { world.sim.sent().len() == n + 1 }).await;
        let sent = world.sim.sent().pop().unwrap();
        let (called, bytes) = world.sim.files_of(&sent.guid).remove(0);
        assert_eq!((&*called, world.sim.is_voice(&sent.guid)), ("Audio Message.caf", true), "{name}");
        assert_eq!(probed(&bytes), json!({ "codec_name": "opus", "channels": 1, "format_name": "caf" }), "{name}");
        // what it says of itself: the rate of the recording, and 20 ms a packet
        assert_eq!(
            (&bytes[20..28], &bytes[40..44]),
            (&24_000_f64.to_be_bytes()[..], &480_u32.to_be_bytes()[..]),
            "{name}"
        );
        world.settle().await;
        let media = media_of(&acme).await.remove(0);
        let played = fetch(&world, media["playable_url"].as_str().unwrap_or_else(|| panic!("{media}"))).await;
        assert_eq!(heading(&played, header::CONTENT_TYPE), playable, "every browser plays it");
        assert!(media["duration_ms"].as_i64().is_some_and(|ms| (900..1300).contains(&ms)), "{media}");
    }
    world.finish().await;
}

/// What a third party says of a file.
fn probed(bytes: &Bytes) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, bytes).unwrap();
    let asked = ["-v", "error", "-show_entries", "stream=codec_name,channels:format=format_name", "-of", "json"];
    let said = std::process::Command::new("ffprobe").args(asked).arg(&path).output().unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let stream = &said["streams"][0];
    json!({ "codec_name": stream["codec_name"], "channels": stream["channels"], "format_name": said["format"]["format_name"] })
}

/// It waits for the job that makes it a voice message; what can be made none of is told, and nothing goes out.
#[tokio::test]
async fn a_recording_that_is_none_is_refused_or_fails_with_its_message() {
    let Some((world, acme, line)) = ground().await else { return };
    let picture = made(&PICTURE, "a.png");
    assert_eq!(upload_as(&acme, "a.png", picture, "voice").await.expect(422)["code"], "voice_not_audio");
    let broken = Bytes::from_static(b"ID3\x04 and nothing else");
    let voice = upload_as(&acme, "a.mp3", broken, "voice").await.expect(201);
    send(&acme, &line, "", &[&voice["id"]]).await;
    eventually("it says why", || async {
        acme.messages(ANA)
            .await
            .first()
            .is_some_and(|row| row["reason"] == "voice_not_convertible" && row["status"] == "failed")
    })
    .await;
    assert_eq!(world.sim.sent().len(), 0);
    world.finish().await;
}

#[tokio::test]
async fn one_file_goes_by_script_and_its_lost_answer_is_found_by_its_name() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({ "method": "apple_script" })).await;
    let sound = upload(&acme, "saludo.mp3", made(&SOUND, "a.mp3")).await.expect(201);
    world.sim.configure(|config| config.webhook_drop_pct = 100.0);
    world.sim.fail_next(1, Behaviour::DropAfter);
    send(&acme, &line, "", &[&sound["id"]]).await;
    eventually("nobody knows", || async {
        acme.messages(ANA).await.first().is_some_and(|row| row["status"] == "unknown")
    })
    .await;
    world.advance(Duration::from_secs(70)).await;
    eventually("it is found", || async { acme.messages(ANA).await[0]["status"] != "unknown" }).await;
    assert_ne!(acme.messages(ANA).await[0]["reason"], "held");
    assert_eq!(world.sim.sent().len(), 1);
    // the script can't send what the helper can
    let picture = upload(&acme, "a.png", made(&PICTURE, "a.png")).await.expect(201);
    send(&acme, &line, "con texto", &[&picture["id"]]).await;
    eventually("it says why", || async { acme.messages(ANA).await[0]["reason"] == "needs_private_api" }).await;
    assert_eq!(world.sim.sent().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn an_empty_upload_is_refused_and_leaves_nothing() {
    let Some((world, acme, _)) = ground().await else { return };
    assert_eq!(upload(&acme, "a.txt", Bytes::new()).await.expect(422)["code"], "file_empty");
    let form = reqwest::multipart::Form::new().text("file", "no file");
    assert_eq!(
        acme.send(acme.request(Method::POST, "/media").multipart(form)).await.expect(422)["code"],
        "file_missing"
    );
    let rows: i64 = sqlx::query_scalar("select count(*) from crm.attachments")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(rows, 0);
    // what nobody sends is not kept
    upload(&acme, "sobra.pdf", Bytes::from_static(b"%PDF-")).await.expect(201);
    world.advance(Duration::from_secs(100_000)).await;
    eventually("it is gone", || async {
        let kept: i64 = sqlx::query_scalar("select count(*) from crm.attachments")
            .fetch_one(&mut world.database.superuser().await)
            .await
            .unwrap();
        kept == 0
    })
    .await;
    world.finish().await;
}
