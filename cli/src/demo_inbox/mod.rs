//! A few conversations for the demo tenant of `paloma run`, made as they come about: people write to the simulated gateway, which posts its
//! webhooks, and the owner answers through the API. Knows paths and JSON only.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{
    Method, RequestBuilder,
    header::{COOKIE, ORIGIN},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::stack::loopback_client;

/// What takes longer than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOKED_AT_EVERY: Duration = Duration::from_millis(50);

const ANA: &str = "+13055550161";
const JOHN: &str = "+13055550162";
const CARMEN: &str = "+13055550163";
const MARK: &str = "+13055550164";
const LUCIA: &str = "+13055550165";
const DIEGO: &str = "+13055550166";
const FAMILY: &str = "Familia Ortega";
const PHOTO: &[u8] = include_bytes!("terraza.jpg");

/// Where the conversations are made, and as whom.
#[derive(Debug)]
pub struct Place<'a> {
    /// The API's address.
    pub api: &'a str,
    /// The session of whoever answers.
    pub cookie: &'a str,
    /// The simulated gateway's address.
    pub sim: &'a str,
}

/// Fills an inbox that has no conversation yet. Answers how many there are then.
pub async fn fill(place: &Place<'_>) -> Result<usize> {
    let world = World { place, http: loopback_client(PATIENCE)? };
    let there = world.conversations().await?;
    if !there.is_empty() {
        return Ok(there.len());
    }
    world.listening().await?;
    for (first, last, phone) in [
        ("Ana", "Torres", ANA),
        ("John", "Miller", JOHN),
        ("Carmen", "Vidal", CARMEN),
        ("Mark", "Evans", MARK),
        ("Lucía", "Ortega", LUCIA),
        ("Diego", "Ortega", DIEGO),
    ] {
        world.post("contacts", &json!({ "first_name": first, "last_name": last, "phone": phone })).await?;
    }
    let saved = json!({ "shortcut": "horario", "body": "Hola {{firstName|amigo}}, abrimos de martes a domingo, de 13 a 24 h." });
    world.post("canned-replies", &saved).await?;
    world.lost_reply().await?;
    world.family().await?;
    world.photo().await?;
    world.booking().await?;
    world.unread().await?;
    Ok(world.conversations().await?.len())
}

struct World<'a> {
    place: &'a Place<'a>,
    http: reqwest::Client,
}

impl World<'_> {
    /// An answer that the gateway refuses: it says why, and offers SMS.
    async fn lost_reply(&self) -> Result<()> {
        self.writes(&json!({ "address": MARK, "text": "Could you send me the invoice for Saturday?" })).await?;
        let mark = self.with(MARK, 1).await?;
        let rule = json!({ "address": MARK, "behaviour": "bad_request", "times": 1 });
        self.sim("rules", &rule).await?;
        let reply = self.says(&mark, "Sure, it is on its way.", "message").await?;
        self.until(&mark, "the reply has failed", |said| {
            said.iter().any(|one| one["id"] == reply["id"] && one["status"] == "failed")
        })
        .await?;
        self.read(&mark).await
    }

    /// A group, in which one reacts to what another one has written.
    async fn family(&self) -> Result<()> {
        let group = |from: &str, text: &str| json!({ "address": from, "text": text, "group": [LUCIA, DIEGO], "group_name": FAMILY });
        let asked =
            self.writes(&group(LUCIA, "Somos ocho para el cumpleaños de la abuela, ¿cabemos en la terraza?")).await?;
        self.writes(&group(DIEGO, "Y una tarta sin gluten, por favor 🎂")).await?;
        self.sim("react", &json!({ "guid": asked, "from": DIEGO, "kind": "love" })).await?;
        let family = self.with(FAMILY, 2).await?;
        self.until(&family, "the reaction is there", |said| said.iter().any(|one| one["reactions"][0].is_object()))
            .await?;
        self.read(&family).await
    }

    /// A picture; somebody has taken it on and has noted what to do.
    async fn photo(&self) -> Result<()> {
        let (name, text) = ("terraza.jpg", "Así quedó la terraza con las mesas nuevas 🌅");
        let query = [("address", CARMEN), ("name", name), ("mime", "image/jpeg"), ("text", text)];
        let request = self.http.post(format!("{}/_sim/file", self.place.sim)).query(&query).body(PHOTO);
        fine(request).await.context("sending a photo")?;
        let carmen = self.with(CARMEN, 1).await?;
        let me = self.ask(Method::GET, "session", None).await?["user"]["id"].clone();
        let change = json!({ "assignee_id": me, "is_pinned": true });
        self.ask(Method::PATCH, &format!("conversations/{carmen}"), Some(&change)).await?;
        self.says(&carmen, "Ofrecerle el toldo cuando pase por aquí.", "note").await?;
        self.read(&carmen).await
    }

    /// A question that was answered.
    async fn booking(&self) -> Result<()> {
        self.writes(&json!({ "address": ANA, "text": "Hola, ¿tenéis mesa para cuatro el sábado por la noche?" }))
            .await?;
        let ana = self.with(ANA, 1).await?;
        let reply = self.says(&ana, "¡Hola, Ana! Sí, a las 21:00. ¿Te va bien?", "message").await?;
        self.until(&ana, "the reply is out", |said| {
            said.iter().any(|one| one["id"] == reply["id"] && one["sent_at"].is_string())
        })
        .await?;
        self.writes(&json!({ "address": ANA, "text": "Perfecto, gracias 🙌" })).await?;
        self.with(ANA, 3).await?;
        self.read(&ana).await
    }

    /// What nobody has looked at yet.
    async fn unread(&self) -> Result<()> {
        for text in ["Hi! I got your quote, thanks.", "Is the deductible included in the monthly price?"] {
            self.writes(&json!({ "address": JOHN, "text": text })).await?;
        }
        self.with(JOHN, 2).await.map(drop)
    }

    /// The gateway tells us what happens there.
    async fn listening(&self) -> Result<()> {
        self.wait("the webhook is registered", async || {
            let lines = self.ask(Method::GET, "lines", None).await?;
            Ok((lines["items"][0]["hook_state"] == "registered").then_some(()))
        })
        .await
    }

    /// Somebody writes. Answers the gateway's id of the message.
    async fn writes(&self, inbound: &Value) -> Result<Value> {
        Ok(self.sim("inbound", inbound).await?["guids"][0].clone())
    }

    /// The conversation with that address or of that name, once so much was said in it.
    async fn with(&self, whom: &str, said: usize) -> Result<String> {
        let id = self
            .wait(whom, async || {
                let all = self.conversations().await?;
                let found = all.iter().find(|one| one["address"] == whom || one["name"] == whom);
                Ok(found.and_then(|one| one["id"].as_str()).map(str::to_owned))
            })
            .await?;
        self.until(&id, whom, |there| there.len() >= said).await?;
        Ok(id)
    }

    async fn until(&self, id: &str, what: &str, holds: impl Fn(&[Value]) -> bool) -> Result<()> {
        self.wait(what, async || Ok(holds(&self.said(id).await?).then_some(()))).await
    }

    async fn wait<T>(&self, what: &str, mut find: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = find().await? {
                return Ok(found);
            }
            if begun.elapsed() > PATIENCE {
                bail!("waited in vain: {what}");
            }
            sleep(LOOKED_AT_EVERY).await;
        }
    }

    async fn conversations(&self) -> Result<Vec<Value>> {
        items(&self.ask(Method::GET, "conversations?limit=50", None).await?)
    }

    async fn said(&self, id: &str) -> Result<Vec<Value>> {
        items(&self.ask(Method::GET, &format!("conversations/{id}/messages?limit=50"), None).await?)
    }

    async fn says(&self, id: &str, body: &str, kind: &str) -> Result<Value> {
        self.post(&format!("conversations/{id}/messages"), &json!({ "body": body, "kind": kind })).await
    }

    async fn read(&self, id: &str) -> Result<()> {
        let position = self.said(id).await?.iter().filter_map(|one| one["position"].as_i64()).max();
        let read = json!({ "position": position.unwrap_or_default() });
        self.ask(Method::PUT, &format!("conversations/{id}/read"), Some(&read)).await.map(drop)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let Place { api, cookie, .. } = self.place;
        let request = self.http.request(method, format!("{api}/api/v1/{path}"));
        let request = request.header(COOKIE, *cookie).header(ORIGIN, *api);
        let request = if let Some(body) = body { request.json(body) } else { request };
        fine(request).await.with_context(|| format!("asking {path}"))
    }

    async fn sim(&self, control: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}/_sim/{control}", self.place.sim)).json(body);
        fine(request).await.with_context(|| format!("telling the simulator: {control}"))
    }
}

fn items(page: &Value) -> Result<Vec<Value>> {
    page["items"].as_array().cloned().context("a page has items")
}

async fn fine(request: RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    Ok(serde_json::from_str(&text).unwrap_or_default())
}
