//! What is secret, and what people write and by which number, stands in no log, no trace, no job, no audit and no error, whatever goes wrong.
//! Each is a word that is nowhere else, looked for where it may not be while real processes say all that they have to say.

use std::time::Duration;

use e2e::{
    Tenant, World,
    actors::PASSWORD,
    eventually, eventually_some,
    world::{GATEWAY_PASSWORD, OPERATOR},
};
use reqwest::{Client, Method, header};
use serde_json::json;
use sim::bluebubbles::{Behaviour, Inbound};

use crate::{collector::Collector, process::free_address, said::Said};

/// The numbers of whoever is written to and of whoever writes.
const PHONES: [&str; 2] = ["+13055557731", "+13055557732"];
/// What is written to them, and what they write.
const BODIES: [&str; 4] = ["canary-outbound-body", "canary-inbound-body", "canary-note-body", "canary-draft-body"];
/// How the sends of the campaign and of the replies go wrong, one after another.
const FAULTS: [Behaviour; 9] = [
    Behaviour::DropBefore,
    Behaviour::WaiterTimeout,
    Behaviour::ErrorRow,
    Behaviour::ChatMissing,
    Behaviour::ScriptFailure,
    Behaviour::RowNotFound,
    Behaviour::Proxy502,
    Behaviour::Proxy403,
    Behaviour::BadRequest,
];

/// What the api answered to whoever asked for what can't be had.
async fn refusals(base: &str, acme: &Tenant, hook: &str) -> Vec<String> {
    let client = Client::new();
    let mut texts = Vec::new();
    let mut keep = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_client_error(), "{}", answer.status());
        texts.push(answer.text().await.expect("a whole answer"));
    };
    let wrong = json!({ "email": "owner@acme.example", "password": "canary-wrong-password" });
    keep(client.post(format!("{base}/api/v1/session")).json(&wrong)).await;
    keep(client.post(format!("{base}/api/v1/session")).body(r#"{"password":"canary-wrong-password"#)).await;
    keep(client.get(format!("{base}/api/v1/contacts")).bearer_auth("canary-wrong-key")).await;
    keep(client.get(format!("{base}/api/v1/contacts")).header(header::COOKIE, "paloma_session=canary-wrong-session"))
        .await;
    keep(client.get(format!("{base}/api/v1/invitations/canary-wrong-invitation"))).await;
    keep(client.post(hook.replace(&hook[hook.len() - 8..], "00000000")).body("{}")).await;
    let line = json!({ "name": "x", "address": "+15550000009", "base_url": "http://u:canary-in-url@127.0.0.1", "password": "canary-line-password", "method": "none" });
    keep(acme.request(Method::POST, "/lines").json(&line)).await;
    texts
}

/// Sends to the two numbers while the gateway fails in each way it can, and has them write.
async fn trouble(world: &World, acme: &Tenant, line: &str) {
    let import =
        acme.import(format!("first_name,phone\nUno,{}\nDos,{}\nTres,nonsense\n", PHONES[0], PHONES[1]), "").await;
    let import = import["id"].as_str().expect("an id").to_owned();
    let campaign = acme.draft(line, &import, json!({ "body": BODIES[0], "on_unknown": "resend_once" })).await;
    world.sim.fail_next(2, Behaviour::WaiterTimeoutUnsent);
    acme.launch(&campaign).await;
    let conversation = json!({ "line_id": line, "address": PHONES[0] });
    let id = acme.post("/conversations", &conversation).await.expect(201)["id"].as_str().expect("an id").to_owned();
    let path = format!("/conversations/{id}");
    acme.put(&format!("{path}/draft"), &json!({ "kind": "message", "body": BODIES[3] })).await.expect(200);
    acme.post(&format!("{path}/messages"), &json!({ "kind": "note", "body": BODIES[2] })).await.expect(201);
    for fault in FAULTS {
        world.sim.fail_next(1, fault);
        acme.post(&format!("{path}/messages"), &json!({ "kind": "message", "body": BODIES[0] })).await.expect(201);
        world.sim.inbound(&Inbound::new(PHONES[1], BODIES[1])).expect("somebody writes");
    }
    eventually("some were tried", || async { world.sends().len() > 3 }).await;
    for _ in 0..3 {
        // what waits for its next try has it
        world.advance(Duration::from_secs(60)).await;
    }
    // an event that can't be read is kept with its fault
    world.sim.emit("new-message", &json!({ "text": BODIES[1], "handle": { "address": PHONES[1] } }));
    // the gateway's password is changed on the Mac, and it goes away
    world.sim.configure(|config| config.password = Some("canary-new-password".to_owned()));
    acme.post(&format!("{path}/messages"), &json!({ "kind": "message", "body": BODIES[0] })).await.expect(201);
    world.advance(Duration::from_secs(120)).await;
    world.sim.configure(|config| config.offline = true);
    acme.post(&format!("{path}/messages"), &json!({ "kind": "message", "body": BODIES[0] })).await.expect(201);
    world.advance(Duration::from_secs(120)).await;
    world.sim.configure(|config| {
        config.offline = false;
        config.password = Some(GATEWAY_PASSWORD.to_owned());
    });
}

/// SEC-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_and_nothing_that_people_write_is_told_where_it_may_not_be() {
    let world = World::without_workers().await;
    let collector = Collector::start().await;
    let address = free_address();
    let base = format!("http://{address}");
    let settings = [
        ("PALOMA_PUBLIC_URL", &base[..]),
        ("PALOMA_LISTEN", &address),
        ("PALOMA_OPERATOR_TOKEN", OPERATOR),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let mut said = Said::new();
    for program in ["paloma-api", "paloma-worker", "paloma-scheduler"] {
        said.start(&world, program, &settings);
    }
    eventually_some("the api is ready", || async {
        reqwest::get(format!("{base}/readyz")).await.ok()?.error_for_status().ok()
    })
    .await;
    let acme = Tenant::found(&base, "acme", "US").await;
    let invited =
        acme.post("/users", &json!({ "name": "Ana", "email": "ana@example.com", "role": "agent" })).await.expect(201);
    let invitation =
        invited["invitation_url"].as_str().expect("a link").rsplit('/').next().expect("a token").to_owned();
    acme.post(&format!("/invitations/{invitation}"), &json!({ "password": PASSWORD })).await.expect(200);
    let ana = Tenant::log_in(&base, "ana@example.com", PASSWORD).await;
    let made = acme.post("/api-keys", &json!({ "name": "x", "permissions": ["contacts.view"] })).await.expect(201);
    let key = made["token"].as_str().expect("a token").to_owned();
    for path in ["/contacts", "/campaigns"] {
        Client::new().get(format!("{base}/api/v1{path}")).bearer_auth(&key).send().await.expect("an answer");
    }
    let line = acme.line(&world, json!({ "send_timeout_s": 2 })).await;
    let hook = world.sim.webhooks().first().expect("it is registered").url.to_string();
    let refused = refusals(&base, &acme, &hook).await;
    trouble(&world, &acme, &line).await;
    eventually("what came in is told", || async { acme.messages(PHONES[1]).await.len() > 5 }).await;

    let session = |tenant: &Tenant| tenant.cookie().split_once('=').expect("a cookie").1.to_owned();
    let hook_token = hook.rsplit('/').next().expect("a token").to_owned();
    let key_secret = key.rsplit('_').next().expect("a secret").to_owned();
    let secrets: Vec<String> = [session(&acme), session(&ana), invitation, hook_token, key_secret]
        .into_iter()
        .chain([GATEWAY_PASSWORD, PASSWORD, OPERATOR, &"5a".repeat(32)].map(str::to_owned))
        .chain(["canary-wrong", "canary-in-url", "canary-line-password", "canary-new-password"].map(str::to_owned))
        .collect();
    let personal = PHONES.into_iter().chain(PHONES.map(|phone| &phone[2..])).chain(BODIES).map(str::to_owned);
    let all: Vec<String> = secrets.iter().cloned().chain(personal).collect();

    // the spans of what was done last are sent
    eventually("the collector has heard of the worker", || async {
        collector.find("paloma-worker", "client.call", |_| true).is_some()
    })
    .await;
    let spans = collector.text();
    for word in &all {
        for program in ["paloma-api", "paloma-worker", "paloma-scheduler"] {
            let text = said.of(program);
            assert!(text.contains("INFO"), "{program} said nothing: {text}");
            let line = text.lines().find(|line| line.contains(word.as_str()));
            assert_eq!(line, None, "{program} tells of {word}");
        }
        assert!(!spans.contains(word.as_str()), "a trace tells of {word}");
        let error = refused.iter().find(|text| text.contains(word.as_str()));
        assert_eq!(error, None, "an error tells of {word}");
        let tables = world.database.tables_with(word).await;
        let told: Vec<&String> = tables
            .iter()
            .filter(|table| secrets.contains(word) || table.starts_with("jobs.") || table.contains("audit"))
            .collect();
        assert!(told.is_empty(), "{told:?} tell of {word}");
    }
    // that this looks where things are: the bodies stand where they belong, and calls that failed were told of
    assert!(world.database.tables_with(BODIES[1]).await.iter().any(|table| table == "crm.messages"));
    assert!(said.of("paloma-worker").contains("call failed"), "nothing went wrong:\n{}", said.of("paloma-worker"));
    said.stop().await;
    world
        .finish_with(&[
            "campaigns.send",
            "messaging.send",
            "messaging.sweep",
            "messaging.register_hook",
            "messaging.mark_read",
        ])
        .await;
}
