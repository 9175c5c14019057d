//! `/_sim`: the controls over HTTP, JSON in and out, without a password. Works while the simulated server is down.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::config::{Behaviour, Rule, Scope};
use super::envelope::{self, Reply};
use super::handle::{Attached, Inbound, Sim};
use super::routes::Asked;
use super::state::State;

const PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 100_000;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FailNext {
    count: u32,
    mode: Behaviour,
    on: Scope,
}

impl Default for FailNext {
    fn default() -> Self {
        Self { count: 1, mode: Behaviour::DropAfter, on: Scope::Send }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Reset {
    keep_webhooks: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refuse {
    for_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewChat {
    address: String,
    #[serde(default = "imessage")]
    service: String,
}

fn imessage() -> String {
    "iMessage".into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    guid: String,
    #[serde(default = "one")]
    count: u32,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Emit {
    r#type: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct React {
    guid: String,
    from: Option<String>,
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    guid: String,
    /// None: it is taken back.
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetError {
    guid: String,
    error: i32,
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reply> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(envelope::control_error)
}

/// `after` and `limit` of a log page.
fn page(call: &Asked) -> Result<(u64, usize), Reply> {
    let number = |name: &str, default: u64| match call.param(name) {
        None => Ok(default),
        Some(text) => text.parse::<u64>().map_err(|_| envelope::control_error(format!("{name} must be a number"))),
    };
    Ok((number("after", 0)?, number("limit", PAGE as u64)?.min(LARGEST_PAGE as u64) as usize))
}

/// Answers a control request.
pub(crate) async fn answer(state: &Arc<State>, call: &mut Asked, bytes: &[u8]) -> Reply {
    let sim = Sim(state.clone());
    let path = std::mem::take(&mut call.path);
    let name = path.trim_start_matches("/_sim").trim_start_matches('/');
    if (&call.method, name) == (&Method::GET, "settled") {
        let limit = call.param("for_ms").and_then(|text| text.parse().ok()).unwrap_or(30_000);
        let settled = tokio::time::timeout(Duration::from_millis(limit), sim.settled()).await.is_ok();
        return envelope::control(200, json!({"settled": settled, "posts": sim.posts()}));
    }
    let reply = match call.method {
        Method::GET => look(&sim, call, name),
        _ => act(&sim, call, name, bytes),
    };
    match reply {
        Ok(reply) | Err(reply) => reply,
    }
}

fn unknown(call: &Asked, name: &str) -> Reply {
    envelope::control(404, json!({"error": format!("there is no control {} {name}", call.method)}))
}

fn look(sim: &Sim, call: &Asked, name: &str) -> Result<Reply, Reply> {
    Ok(match name {
        "config" => envelope::control(200, sim.config()),
        "rules" => envelope::control(200, sim.rules()),
        "sent" => {
            let (after, limit) = page(call)?;
            envelope::control(200, sim.sent_page(after, limit))
        }
        "sent/summary" => envelope::control(200, sim.summary()),
        "calls" => {
            let (after, limit) = page(call)?;
            envelope::control(200, sim.calls_page(after, limit, call.param("path")))
        }
        "refused" => envelope::control(200, json!({"refused": sim.refused()})),
        "unexpected" => envelope::control(200, sim.unexpected()),
        "posts" => envelope::control(200, sim.posts()),
        "webhooks" => envelope::control(200, sim.webhooks()),
        _ => unknown(call, name),
    })
}

fn act(sim: &Sim, call: &Asked, name: &str, bytes: &[u8]) -> Result<Reply, Reply> {
    let done = || envelope::control(200, json!({"ok": true}));
    let found = |found: bool| if found { done() } else { envelope::control(404, json!({"error": "no such message"})) };
    Ok(match (call.method.as_str(), name) {
        ("POST", "reset") => {
            sim.reset(read::<Reset>(bytes)?.keep_webhooks);
            done()
        }
        ("PATCH" | "POST", "config") => {
            let config = sim.patch_config(&read::<Value>(bytes)?).map_err(envelope::control_error)?;
            envelope::control(200, config)
        }
        ("POST", "fail_next") => {
            let FailNext { count, mode, on } = read(bytes)?;
            sim.fail_next_of(count, mode, on);
            done()
        }
        ("POST", "rules") => {
            sim.rule(read_rule(bytes)?);
            done()
        }
        ("DELETE", "rules") => {
            sim.clear_rules();
            done()
        }
        ("POST", "refuse") => {
            refuse_soon(sim.clone(), read::<Refuse>(bytes)?.for_ms);
            done()
        }
        ("POST", "chats") => {
            let NewChat { address, service } = read(bytes)?;
            let guid = sim.add_chat(&address, &service).map_err(envelope::control_error)?;
            envelope::control(200, json!({"guid": guid}))
        }
        ("POST", "inbound") => {
            let guids = sim.inbound(&read::<Inbound>(bytes)?).map_err(envelope::control_error)?;
            envelope::control(200, json!({"guids": guids}))
        }
        // the file is the body: its name, its type and who sends it stand in the query
        ("POST", "file") => {
            let param = |name: &str| call.param(name).unwrap_or_default();
            let file = Attached {
                name: param("name").to_owned(),
                mime: param("mime").to_owned(),
                bytes: Bytes::copy_from_slice(bytes),
                converted: None,
                is_voice: call.param("is_voice") == Some("true"),
                is_late: false,
            };
            let inbound = Inbound::new(param("address"), param("text"));
            let guid = sim.inbound_file(&inbound, &file).map_err(envelope::control_error)?;
            envelope::control(200, json!({"guids": [guid]}))
        }
        ("POST", "replay") => {
            let Replay { guid, count } = read(bytes)?;
            let mut all = true;
            for _ in 0..count {
                all &= sim.replay(&guid);
            }
            found(all)
        }
        ("POST", "emit") => {
            let Emit { r#type, data } = read(bytes)?;
            sim.emit(&r#type, &data);
            done()
        }
        ("POST", "react") => {
            let React { guid, from, kind } = read(bytes)?;
            found(sim.react(&guid, from.as_deref(), &kind))
        }
        ("POST", "edit") => {
            let Edit { guid, text } = read(bytes)?;
            found(text.map_or_else(|| sim.unsend(&guid), |text| sim.edit(&guid, &text)))
        }
        ("POST", "error") => {
            let SetError { guid, error } = read(bytes)?;
            found(sim.set_error(&guid, error))
        }
        _ => unknown(call, name),
    })
}

fn read_rule(bytes: &[u8]) -> Result<Rule, Reply> {
    let rule: Rule = read(bytes)?;
    if rule.address.is_empty() { Err(envelope::control_error("a rule needs an address")) } else { Ok(rule) }
}

/// Refusing closes every connection, also the one that asked for it; its answer gets a head start.
fn refuse_soon(sim: Sim, for_ms: u64) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        sim.refuse_connections(Duration::from_millis(for_ms));
    });
}
