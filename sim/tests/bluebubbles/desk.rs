//! One simulator, one webhook receiver and one HTTP client, with the words the tests speak.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sim::bluebubbles::{Config, Server, Sim};
use tokio::net::TcpListener;

pub struct Desk {
    pub server: Server,
    pub sim: Sim,
    pub client: reqwest::Client,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Desk {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        // A second test in the same process finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = Config { password: Some("p@ss w&rd".into()), ..Config::default() };
        change(&mut config);
        let server = Server::start_local(config).await.unwrap();
        let sim = server.sim();
        let (receiver, events) = receiver().await;
        sim.register_webhook(&format!("{receiver}/hook/secret"), &["*"]);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { server, sim, client, events }
    }

    /// Waits until it holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Sim) -> bool) {
        let holds = async {
            while !holds(&self.sim) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), holds).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    pub fn url(&self, path: &str) -> reqwest::Url {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1{path}", self.server.url())).unwrap();
        url.query_pairs_mut().append_pair("password", "p@ss w&rd");
        url
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.try_post(path, body).await.unwrap()).await
    }

    pub async fn try_post(&self, path: &str, body: Value) -> reqwest::Result<reqwest::Response> {
        self.client.post(self.url(path)).json(&body).send().await
    }

    /// Sends a text over the Private API.
    pub async fn text(&self, address: &str, text: &str, temp_guid: &str) -> (u16, Value) {
        answer(self.try_text(address, text, temp_guid).await.unwrap()).await
    }

    pub async fn try_text(&self, address: &str, text: &str, temp_guid: &str) -> reqwest::Result<reqwest::Response> {
        self.try_post("/message/text", body(address, text, temp_guid, "private-api")).await
    }

    pub async fn script_text(&self, address: &str, text: &str, temp_guid: &str) -> (u16, Value) {
        self.post("/message/text", body(address, text, temp_guid, "apple-script")).await
    }

    /// A control request.
    pub async fn control(&self, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/_sim/{path}", self.server.url());
        answer(self.client.post(url).json(&body).send().await.unwrap()).await
    }

    pub async fn look(&self, path: &str) -> Value {
        let url = format!("{}/_sim/{path}", self.server.url());
        answer(self.client.get(url).send().await.unwrap()).await.1
    }

    /// Every event posted so far.
    pub async fn events(&self) -> Vec<Value> {
        self.sim.settled().await;
        self.events.lock().unwrap().clone()
    }

    /// The data of every event of this type so far.
    pub async fn events_of(&self, event: &str) -> Vec<Value> {
        self.events().await.iter().filter(|e| e["type"] == event).map(|e| e["data"].clone()).collect()
    }
}

pub fn body(address: &str, text: &str, temp_guid: &str, method: &str) -> Value {
    let chat_guid = format!("iMessage;-;{address}");
    json!({"chatGuid": chat_guid, "tempGuid": temp_guid, "message": text, "method": method})
}

pub async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn receiver() -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = seen.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let seen = seen.clone();
                async move {
                    assert_eq!(request.uri().path(), "/hook/secret");
                    let body = request.into_body().collect().await?.to_bytes();
                    seen.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::new())))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, events)
}
