//! The live feed: what happens is told to the sockets of its tenant, in order and without gaps, and to nobody else.

use std::{sync::atomic::Ordering, time::Duration};

use e2e::{Tenant, World, eventually};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, handshake::client::Request, http::StatusCode},
};

/// The longest wait for a frame.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Feed(WebSocketStream<MaybeTlsStream<TcpStream>>);

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
    pub async fn open(world: &World, tenant: &Tenant) -> (Self, i64) {
        Self::open_since(world, tenant, None).await
    }

    /// The same for a client that has seen events up to that one.
    pub async fn open_since(world: &World, tenant: &Tenant, last_seq: Option<i64>) -> (Self, i64) {
        let (feed, hello) = Self::greeted(world, tenant, last_seq).await;
        let seq = hello["seq"].as_i64().expect("a number");
        (feed, seq)
    }

    /// The same, with the whole first frame.
    async fn greeted(world: &World, tenant: &Tenant, last_seq: Option<i64>) -> (Self, Value) {
        let mut request = request(world, Some(tenant.cookie()), world.base());
        if let Some(seq) = last_seq {
            *request.uri_mut() = format!("{}?last_seq={seq}", request.uri()).parse().expect("an address");
        }
        let mut feed = Self(connect_async(request).await.expect("a socket").0);
        let hello = feed.next().await.expect("a first frame");
        assert_eq!(hello["kind"], "hello");
        (feed, hello)
    }

    /// The next frame with text; none once the socket is closed.
    pub async fn next(&mut self) -> Option<Value> {
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
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
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

/// Where nobody can be looked at, nobody is told anything: whoever was revoked meanwhile would hear it.
#[tokio::test]
async fn what_comes_while_nobody_can_be_looked_at_waits_until_somebody_was() {
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let (mut anas, _) = Feed::open(&world, &ana).await;
    let (mut own, _) = Feed::open(&world, &acme).await;
    let mut held = world.database.superuser().await;
    sqlx::raw_sql("begin; lock table crm.sessions in access exclusive mode").execute(&mut held).await.unwrap();
    let begun = World::machine_ms();
    let revoke = "delete from crm.sessions s using crm.users u where u.id = s.user_id and u.name = 'Ana'";
    assert_eq!(sqlx::query(revoke).execute(&mut held).await.unwrap().rows_affected(), 1);
    eventually("the last look is too old", || async { World::machine_ms() - begun > 5_500 }).await;
    let mut superuser = world.database.superuser().await;
    let insert = "insert into crm.event_outbox (tenant_id, kind, data) select id, 'label.changed', '{}' from crm.tenants where slug = 'acme'";
    sqlx::query(insert).execute(&mut superuser).await.unwrap();
    eventually("it is numbered", || async {
        let numbered = "select exists (select from crm.events where kind = 'label.changed')";
        sqlx::query_scalar(numbered).fetch_one(&mut world.database.superuser().await).await.unwrap()
    })
    .await;
    sqlx::raw_sql("commit").execute(&mut held).await.unwrap();
    assert_eq!(own.next().await.expect("a frame")["kind"], "label.changed");
    assert_eq!(anas.next().await, None);
    world.finish().await;
}

/// Whether they still may is asked once for all of them, and a session that ends takes its own sockets and no others.
#[tokio::test]
async fn the_sockets_of_a_process_are_looked_at_together() {
    let looks = crate::statements::looks();
    let world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let ana = acme.colleague("Ana", "agent").await;
    let other = world.tenant("other").await;
    let begun = World::machine_ms();
    let before = looks.load(Ordering::Relaxed);
    let (mut anas, mut others) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        anas.push(Feed::open(&world, &ana).await.0);
        others.push(Feed::open(&world, &acme).await.0);
        others.push(Feed::open(&world, &other).await.0);
    }
    let ended = World::machine_ms();
    assert_eq!(ana.delete("/session").await.status, 204);
    for feed in &mut anas {
        assert_eq!(feed.next().await, None);
    }
    assert!(World::machine_ms() - ended < 5_000);
    let (looked, took) = (looks.load(Ordering::Relaxed) - before, World::machine_ms() - begun);
    // one at once, and then one each two and a half seconds
    let most = usize::try_from(took / 2_500).unwrap() + 2;
    assert!((1..=most).contains(&looked), "{looked} looks in {took} ms");
    for tenant in [&acme, &other] {
        tenant.post("/labels", &json!({ "name": "VIP" })).await.expect(201);
    }
    for feed in &mut others {
        assert_eq!(feed.next().await.expect("a frame")["kind"], "label.changed");
    }
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

/// RT-01, D12
#[tokio::test]
async fn who_comes_back_is_told_what_was_missed_and_nothing_twice() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let (mut feed, first) = Feed::open(&world, &acme).await;
    let body = json!({ "line_id": line, "address": "+13055550142" });
    let conversation = acme.post("/conversations", &body).await.expect(201);
    let path = format!("/conversations/{}", conversation["id"].as_str().unwrap());
    acme.patch(&path, &json!({ "is_pinned": true })).await.expect(200);
    let frames = feed.until(|frame| frame["kind"] == "conversation.updated").await;
    let seen = frames.last().unwrap()["seq"].as_i64().unwrap();
    drop(feed);
    for n in 0..5 {
        world.sim.inbound(&sim::bluebubbles::Inbound::new("+13055550142", &format!("message {n}"))).unwrap();
    }
    world.settle().await;
    acme.patch(&path, &json!({ "assignee_id": acme.user_id().await })).await.expect(200);
    acme.patch(&path, &json!({ "assignee_id": null })).await.expect(200);
    let (mut feed, hello) = Feed::greeted(&world, &acme, Some(seen)).await;
    assert_eq!(hello["is_resumed"], true, "all of it follows");
    let (mut missed, mut updates) = (Vec::new(), 0);
    while updates < 2 {
        let frame = feed.next().await.expect("a frame");
        updates += usize::from(frame["kind"] == "conversation.updated");
        missed.push(frame);
    }
    let numbers: Vec<i64> = missed.iter().map(|frame| frame["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (seen + 1..).take(numbers.len()).collect::<Vec<_>>(), "without gaps, each once");
    assert_eq!(missed.iter().filter(|frame| frame["kind"] == "message.new").count(), 5);
    // what it reads now is what it would have without having been away
    let row = acme.get(&path).await.expect(200);
    assert_eq!((&row["unread_count"], &row["assignee_id"]), (&json!(5), &Value::Null));
    // and it goes on from there
    acme.patch(&path, &json!({ "is_pinned": false })).await.expect(200);
    let next = feed.next().await.expect("a frame");
    assert_eq!(next["seq"], json!(numbers.last().unwrap() + 1));
    assert!(first < seen);
    world.finish().await;
}

/// RT-06
#[tokio::test]
async fn what_is_too_old_asks_for_everything_anew_and_what_never_was_is_refused() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let label = |name: &str| {
        let (acme, body) = (acme.clone(), json!({ "name": name }));
        async move { acme.post("/labels", &body).await.expect(201) }
    };
    for name in ["a", "b", "c"] {
        label(name).await;
    }
    world.numbered().await;
    assert_eq!(Feed::greeted(&world, &acme, None).await.1["is_resumed"], false);
    let (mut feed, hello) = Feed::greeted(&world, &acme, Some(3)).await;
    assert_eq!(hello, json!({ "kind": "hello", "seq": 3, "is_resumed": true }));
    label("d").await;
    assert_eq!(feed.next().await.expect("a frame")["seq"], 4, "nothing was missed");
    sqlx::raw_sql("delete from crm.events where seq <= 2")
        .execute(&mut world.database.superuser().await)
        .await
        .unwrap();
    let (mut feed, hello) = Feed::greeted(&world, &acme, Some(1)).await;
    assert_eq!(hello["is_resumed"], false);
    assert_eq!(feed.next().await.expect("a frame"), json!({ "kind": "resync_required", "seq": 4 }));
    label("e").await;
    assert_eq!(feed.next().await.expect("a frame")["seq"], 5, "it stays open");
    let (mut feed, _) = Feed::open_since(&world, &acme, Some(2)).await;
    assert_eq!(feed.next().await.expect("a frame")["seq"], 3, "the last that can be told");
    sqlx::raw_sql("delete from crm.events").execute(&mut world.database.superuser().await).await.unwrap();
    let (mut feed, _) = Feed::open_since(&world, &acme, Some(2)).await;
    assert_eq!(feed.next().await.expect("a frame")["kind"], "resync_required");
    for never in [6, 1_000_000, -1] {
        let (mut feed, _) = Feed::open_since(&world, &acme, Some(never)).await;
        assert_eq!(feed.next().await, None, "{never}");
    }
    world.finish().await;
}

/// RT-05
#[tokio::test]
async fn rights_that_are_taken_away_end_the_events_and_the_socket_stays() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let ana = acme.colleague("Ana", "agent").await;
    let id = ana.user_id().await;
    let (mut feed, seq) = Feed::open(&world, &ana).await;
    let begun = World::machine_ms();
    acme.patch(&format!("/users/{id}"), &json!({ "role": "billing" })).await.expect(200);
    let body = json!({ "line_id": line, "address": "+13055550142" });
    let conversation = acme.post("/conversations", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    // told on until the row is looked at again, and then no more
    let updates = |n: u32| {
        let (acme, conversation) = (acme.clone(), conversation.clone());
        async move {
            acme.patch(&format!("/conversations/{conversation}"), &json!({ "is_pinned": n.is_multiple_of(2) }))
                .await
                .expect(200)
        }
    };
    let mut n = 0;
    loop {
        n += 1;
        updates(n).await;
        if tokio::time::timeout(Duration::from_millis(700), feed.next()).await.is_err() {
            break;
        }
        assert!(World::machine_ms() - begun < 5_000, "still told after {} ms", World::machine_ms() - begun);
    }
    // nor does a new socket get what it may not see, now or of before
    let (mut again, _) = Feed::open_since(&world, &ana, Some(seq)).await;
    updates(n + 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(700), again.next()).await.is_err());
    world.finish().await;
}

/// A client that does not read is closed, and costs the others nothing.
#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (slow, _) = Feed::open(&world, &acme).await;
    let (mut quick, _) = Feed::open(&world, &acme).await;
    // more than its socket's buffers and its channel hold
    let text = "x".repeat(6_000);
    let insert = "insert into crm.event_outbox (tenant_id, kind, data) select t.id, 'label.changed', jsonb_build_object('text', $1::text, 'n', n) from crm.tenants t, generate_series(1, 6000) n";
    sqlx::query(insert).bind(&text).execute(&mut world.database.superuser().await).await.unwrap();
    let frames = quick.until(|frame| frame["data"]["n"] == 6_000).await;
    assert_eq!(frames.len(), 6_000);
    let mut slow = slow;
    let mut told = 0;
    while slow.next().await.is_some() {
        told += 1;
    }
    assert!(told < 6_000, "all {told} were kept for it");
    world.finish().await;
}
