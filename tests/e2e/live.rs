//! The live feed: what happens is told to the sockets of its tenant, in order and without gaps, and to nobody else.

use std::time::Duration;

use e2e::{Tenant, World};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, handshake::client::Request, http::StatusCode},
};

/// The longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(20);

struct Feed(WebSocketStream<MaybeTlsStream<TcpStream>>);

fn request(world: &World, cookie: Option<&str>, origin: &str) -> Request {
    let url = format!("{}/api/v1/live", world.base().replace("http://", "ws://"));
    let mut request = url.into_client_request().expect("a request");
    request.headers_mut().insert("origin", origin.parse().expect("an origin"));
    if let Some(cookie) = cookie {
        request.headers_mut().insert("cookie", cookie.parse().expect("a cookie"));
    }
    request
}

impl Feed {
    /// Opens the feed; answers it with the number of the last event before it.
    async fn open(world: &World, tenant: &Tenant) -> (Self, i64) {
        let request = request(world, Some(tenant.cookie()), world.base());
        let mut feed = Self(connect_async(request).await.expect("a socket").0);
        let hello = feed.next().await.expect("a first frame");
        assert_eq!(hello["kind"], "hello");
        let seq = hello["seq"].as_i64().expect("a number");
        (feed, seq)
    }

    /// The next frame with text; none once the socket is closed.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a frame in time");
            match message {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Frames up to and with the first one that is wanted.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.next().await.expect("the socket stays open"));
            if frames.last().is_some_and(&wanted) {
                return frames;
            }
        }
    }
}

/// D12
#[tokio::test]
async fn an_import_and_a_campaign_are_told_to_their_tenant_in_order_and_to_nobody_else() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let (mut feed, first) = Feed::open(&world, &acme).await;
    let (mut foreign, _) = Feed::open(&world, &other).await;
    let line = acme.line(&world, json!({})).await;
    let import = acme.contacts(20).await;
    let campaign = acme.draft(&line, &import, json!({})).await;
    acme.launch(&campaign).await;
    let completed = |frame: &Value| {
        frame["kind"] == "campaign.progress"
            && frame["data"]["state"] == "completed"
            && frame["data"]["campaign_id"] == *campaign
    };
    let frames = feed.until(completed).await;
    let numbers: Vec<i64> = frames.iter().map(|frame| frame["seq"].as_i64().expect("a number")).collect();
    let expected: Vec<i64> = (first + 1..).take(numbers.len()).collect();
    assert_eq!(numbers, expected, "increasing and without gaps");
    let of = |kind: &str| frames.iter().filter(|frame| frame["kind"] == kind).collect::<Vec<_>>();
    let imported = of("job.progress");
    assert!(imported.iter().any(|frame| frame["data"]["id"] == *import && frame["data"]["done"] == 20), "{imported:?}");
    let told = of("message.status");
    let messages: std::collections::HashSet<&str> = told
        .iter()
        .flat_map(|frame| frame["data"]["items"].as_array().expect("items"))
        .filter_map(|item| item["message_id"].as_str())
        .collect();
    assert_eq!(messages.len(), 20);
    // the first thing that the other tenant hears of is its own
    let _ = other.contacts(1).await;
    let frame = foreign.next().await.expect("a frame");
    assert_eq!((&frame["kind"], &frame["seq"]), (&json!("job.progress"), &json!(1)), "{frame}");
    world.settle().await;
    world.finish().await;
}

/// D20
#[tokio::test]
async fn a_session_that_ends_takes_its_socket_with_it() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let (mut feed, _) = Feed::open(&world, &acme).await;
    let begun = World::machine_ms();
    assert_eq!(acme.delete("/session").await.status, 204);
    assert_eq!(feed.next().await, None);
    assert!(World::machine_ms() - begun < 5_000);
    world.finish().await;
}

#[tokio::test]
async fn strangers_and_foreign_pages_get_no_socket() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    for (cookie, origin, status) in [
        (None, world.base(), StatusCode::UNAUTHORIZED),
        (Some(acme.cookie()), "https://evil.example", StatusCode::FORBIDDEN),
    ] {
        let Err(Error::Http(answer)) = connect_async(request(&world, cookie, origin)).await else {
            panic!("a socket for {origin}");
        };
        assert_eq!(answer.status(), status, "{origin}");
    }
    world.finish().await;
}
