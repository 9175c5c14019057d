//! Voice messages written down by a real worker with a real model, from speech that a machine speaks: in both languages, late, killed in the
//! middle, and where nothing can come of it. Left out where the worker, a model or the speaker is missing; `make whisper` makes the first two.

#![expect(clippy::unwrap_used, reason = "a test fails by its panic")]

use std::{path::PathBuf, process::Command, time::Duration};

use bytes::Bytes;
use e2e::{Tenant, World, eventually, in_time};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sim::bluebubbles::{Attached, Inbound};

use crate::process::{Process, programs, spawn};

const ANA: &str = "+13055550142";
/// Times thirty seconds: how long a model may take for a short message on a machine that does other things too.
const ROUNDS: usize = 10;
/// A model that makes few mistakes and knows many languages.
const BASE: &str = "base.bin";
/// One that is quick, of English alone.
const TINY: &str = "tiny.en.bin";
const ENGLISH: &str = "Hello coach, I would like to book a tennis lesson for next Tuesday at three in the afternoon. Please call me back at the office.";
const SPANISH: &str = "Hola, buenos días. Quiero una cita para el martes por la mañana. Mi número de teléfono es el mismo. Muchas gracias, hasta luego.";
/// How many of the words may be heard wrongly. With this model and this speaker it was at most one of eight in either language, by several
/// speeds of speech; a person would understand what is meant.
const MOST_WRONG: f64 = 0.2;

fn kit() -> PathBuf {
    programs().parent().expect("target/debug").join("whisper")
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// None where something is missing.
async fn ground() -> Option<(World, Tenant)> {
    for name in ["paloma-worker", BASE, TINY] {
        if !kit().join(name).exists() {
            e2e::leave_out(&format!("there is no {name} in target/whisper (`make whisper`)"));
            return None;
        }
    }
    // ffmpeg knows no --version and says so
    if !is_there("espeak-ng") || !is_there("ffmpeg") {
        e2e::leave_out("espeak-ng or ffmpeg is not installed (Debian's packages of these names)");
        return None;
    }
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    Some((world, acme))
}

/// A worker that does nothing but transcribe.
async fn listener(world: &World, model: &str) -> Process {
    let (model, folder) = (kit().join(model), world.app.config.media_folder.clone());
    let settings = [
        ("PALOMA_WHISPER_MODEL", model.to_str().unwrap()),
        ("PALOMA_MEDIA_FOLDER", folder.to_str().unwrap()),
        ("PALOMA_LEASE_S", "3"),
        ("PALOMA_GRACE_S", "1"),
        ("PALOMA_OUTBOUND_SLOTS", "0"),
        ("PALOMA_INBOUND_SLOTS", "0"),
        ("PALOMA_DEFAULT_SLOTS", "0"),
        ("PALOMA_IMPORT_SLOTS", "0"),
        ("PALOMA_MEDIA_SLOTS", "0"),
    ];
    let program = kit().join("paloma-worker");
    Process::registered(world, spawn(world, program.to_str().unwrap(), &settings)).await
}

/// What a file of sound is, made by ffmpeg of that input.
fn sound(input: &[&str], name: &str, codec: &[&str]) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let made = Command::new("ffmpeg").args(["-v", "error"]).args(input).args(codec).arg(&path).status().unwrap();
    assert!(made.success(), "{name}");
    std::fs::read(path).unwrap().into()
}

/// As an iPhone records a voice message.
const MEMO: [&str; 6] = ["-c:a", "libopus", "-ar", "24000", "-ac", "1"];

/// A text, spoken by a machine.
fn spoken(text: &str, voice: &str, words_a_minute: &str) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    let wave = folder.path().join("a.wav");
    let speaker = ["-v", voice, "-s", words_a_minute, "-w"];
    assert!(Command::new("espeak-ng").args(speaker).arg(&wave).arg(text).status().unwrap().success());
    sound(&["-i", wave.to_str().unwrap()], "a.caf", &MEMO)
}

fn memo(bytes: Bytes) -> Attached {
    let (name, mime) = ("Audio Message.caf".to_owned(), "audio/x-caf".to_owned());
    Attached { name, mime, bytes, converted: None, is_voice: true, is_late: false }
}

/// Messages with their files, newest first.
async fn transcripts(tenant: &Tenant) -> Vec<Value> {
    let messages = tenant.messages(ANA).await;
    messages
        .iter()
        .flat_map(|message| message["media"].as_array().unwrap())
        .map(|file| file["transcript"].clone())
        .collect()
}

/// The one transcript, once it is no longer to come.
async fn heard(tenant: &Tenant) -> Value {
    for _ in 0..ROUNDS {
        let is_settled =
            || async { transcripts(tenant).await.iter().any(|said| said["state"] != "pending" && !said.is_null()) };
        if in_time(is_settled).await {
            break;
        }
    }
    let mut said = transcripts(tenant).await;
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

async fn found(tenant: &Tenant, q: &str) -> Vec<Value> {
    let answer = tenant.request(reqwest::Method::GET, "/search").query(&[("q", q)]).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{q}");
    let body: Value = answer.json().await.unwrap();
    body["items"].as_array().unwrap().clone()
}

/// How many of a text's words were heard wrongly, left out or added, as a share of them.
fn error_rate(said: &str, heard: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let text = text.to_lowercase();
        // as a person would take them for the same
        let text = text.replace('3', "three").replace(" p.m", " in the afternoon");
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (n, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], n + 1);
        for (m, other) in heard.iter().enumerate() {
            let changed = diagonal + usize::from(word != other);
            diagonal = row[m + 1];
            row[m + 1] = changed.min(row[m] + 1).min(diagonal + 1);
        }
    }
    row[heard.len()] as f64 / said.len() as f64
}

#[test]
fn an_error_rate_counts_words() {
    assert!(error_rate("a b c d", "A, b c d.").abs() < f64::EPSILON);
    for (heard, wrong) in [("a x c d", 1.0), ("a c d", 1.0), ("a b b c d", 1.0), ("", 4.0), ("x y", 4.0)] {
        assert!((error_rate("a b c d", heard) - wrong / 4.0).abs() < f64::EPSILON, "{heard}");
    }
}

#[tokio::test]
async fn what_is_said_in_either_language_is_written_down_and_found() {
    for (text, voice, speed, language, word) in
        [(ENGLISH, "en-us", "130", "en", "lesson"), (SPANISH, "es", "150", "es", "telefono")]
    {
        let Some((world, acme)) = ground().await else { return };
        let listener = listener(&world, BASE).await;
        world.sim.inbound_file(&Inbound::new(ANA, ""), &memo(spoken(text, voice, speed))).unwrap();
        let said = heard(&acme).await;
        let heard = said["text"].as_str().unwrap_or_else(|| panic!("{said}"));
        let rate = error_rate(text, heard);
        println!("{language}: {rate:.2} wrong in: {heard}");
        assert_eq!(
            (&said["state"], &said["language"], &said["reason"]),
            (&json!("done"), &json!(language), &Value::Null)
        );
        assert!(rate <= MOST_WRONG, "{rate:.2} of the words are wrong: {heard}");
        let rows = found(&acme, word).await;
        assert_eq!((rows.len(), &rows[0]["kind"]), (1, &json!("message")), "{word} in {heard}");
        for (q, count) in [("has:voice", 1), ("has:audio", 1), ("has:image", 0), ("jirafa", 0)] {
            assert_eq!(found(&acme, q).await.len(), count, "{q}");
        }
        assert_eq!(found(&acme, &format!("{word} has:voice from:them")).await.len(), 1);
        world.numbered().await;
        let told: i64 = sqlx::query_scalar("select count(*) from crm.events where kind = 'message.changed'")
            .fetch_one(&mut world.database.superuser().await)
            .await
            .unwrap();
        assert!(told > 0, "open threads show it");
        let other = world.tenant("other").await;
        assert_eq!(found(&other, word).await, Vec::<Value>::new());
        listener.kill().await;
        world.finish().await;
    }
}

async fn is_running(world: &World) -> bool {
    sqlx::query_scalar(
        "select exists (select from jobs.running r join jobs.kinds k on k.id = r.kind where k.name = 'messaging.transcribe')",
    )
    .fetch_one(&mut world.database.superuser().await)
    .await
    .unwrap()
}

/// Long enough to be in the middle of.
fn long() -> Attached {
    memo(spoken(&[ENGLISH; 6].join(" "), "en-us", "130"))
}

#[tokio::test]
async fn a_worker_that_is_killed_in_the_middle_leaves_it_to_the_next() {
    let Some((world, acme)) = ground().await else { return };
    let first = listener(&world, TINY).await;
    let guid = world.sim.inbound_file(&Inbound::new(ANA, ""), &long()).unwrap();
    eventually("it is being written down", || is_running(&world)).await;
    first.kill().await;
    // told again meanwhile, and it stays one
    assert!(world.sim.replay(&guid));
    let second = listener(&world, TINY).await;
    let said = heard(&acme).await;
    assert_eq!(said["state"], "done", "{said}");
    assert!(said["text"].as_str().unwrap().to_lowercase().contains("tuesday"), "{said}");
    assert_eq!(found(&acme, "tuesday").await.len(), 1);
    second.kill().await;
    world.finish().await;
}

#[tokio::test]
async fn a_worker_that_is_asked_to_end_does_and_another_begins_anew() {
    let Some((world, acme)) = ground().await else { return };
    let first = listener(&world, TINY).await;
    world.sim.inbound_file(&Inbound::new(ANA, ""), &long()).unwrap();
    eventually("it is being written down", || is_running(&world)).await;
    first.signal(Signal::SIGTERM);
    let status = first.ended(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}");
    assert_eq!(transcripts(&acme).await[0]["state"], "pending");
    let second = listener(&world, TINY).await;
    assert_eq!(heard(&acme).await["state"], "done");
    second.kill().await;
    world.finish().await;
}

#[tokio::test]
async fn a_message_that_goes_away_meanwhile_takes_what_it_said_along() {
    let Some((world, acme)) = ground().await else { return };
    let listener = listener(&world, TINY).await;
    world.sim.inbound_file(&Inbound::new(ANA, ""), &long()).unwrap();
    eventually("it is being written down", || is_running(&world)).await;
    // or a sweep reads it back, and it is written down once more
    world.sim.set_offline(true);
    let mut superuser = world.database.superuser().await;
    let gone = sqlx::query("delete from crm.messages").execute(&mut superuser).await.unwrap().rows_affected();
    assert_eq!(gone, 1);
    for _ in 0..ROUNDS {
        if in_time(|| async { !is_running(&world).await }).await {
            break;
        }
    }
    world.drain().await;
    assert_eq!(found(&acme, "tuesday").await, Vec::<Value>::new());
    listener.kill().await;
    world.finish().await;
}

/// Lets the time of the schedule come, and then the work be done: no lease outlives a leap of the clock.
async fn caught_up(world: &World, tenant: &Tenant) {
    let none_is = |word: &'static str, key: &'static str| async move {
        in_time(|| async { transcripts(tenant).await.iter().all(|said| said[key] != word) }).await
    };
    for _ in 0..ROUNDS {
        world.advance(Duration::from_secs(300)).await;
        if none_is("no_model", "reason").await {
            break;
        }
    }
    for _ in 0..ROUNDS {
        if none_is("pending", "state").await {
            break;
        }
    }
}

/// It says why, and is caught up with once somebody can.
#[tokio::test]
async fn what_came_while_nobody_could_is_written_down_later_or_says_why_not() {
    let Some((world, acme)) = ground().await else { return };
    world.sim.inbound_file(&Inbound::new(ANA, ""), &memo(spoken(ENGLISH, "en-us", "130"))).unwrap();
    let said = heard(&acme).await;
    assert_eq!((&said["state"], &said["reason"]), (&json!("none"), &json!("no_model")));
    let silence = ["-f", "lavfi", "-i", "anullsrc=r=24000:cl=mono", "-t", "4"];
    let endless = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000:duration=602"];
    let cases = [
        ("no_speech", sound(&silence, "a.caf", &MEMO)),
        ("too_long", sound(&endless, "a.mp3", &["-b:a", "8k"])),
        ("unreadable", Bytes::from_static(b"caff\0\x01 and nothing else")),
    ];
    for (_, bytes) in &cases {
        world.sim.inbound_file(&Inbound::new(ANA, ""), &memo(bytes.clone())).unwrap();
    }
    world.settle().await;
    let listener = listener(&world, TINY).await;
    caught_up(&world, &acme).await;
    let said = transcripts(&acme).await;
    let mut reasons: Vec<&str> = said.iter().map(|said| said["reason"].as_str().unwrap_or("done")).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["done", "no_speech", "too_long", "unreadable"], "{said:?}");
    // a file that is gone
    listener.kill().await;
    let mut superuser = world.database.superuser().await;
    sqlx::query("update crm.attachments set transcription = 'none', transcript = null, transcript_reason = 'no_model' where transcription = 'done'")
        .execute(&mut superuser)
        .await
        .unwrap();
    std::fs::remove_dir_all(&world.app.config.media_folder).unwrap();
    let listener = self::listener(&world, TINY).await;
    caught_up(&world, &acme).await;
    let reasons: Vec<Value> = transcripts(&acme).await.iter().map(|said| said["reason"].clone()).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == json!("unreadable")).count(), 2, "{reasons:?}");
    listener.kill().await;
    world.finish().await;
}
