//! Webhooks: what happens is told once, signed so that the official library takes it, again and again until it is taken; a receiver that is slow,
//! gone, moved or inside is nobody's trouble but its own (D21, SEC-02, SEC-07).

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, RwLock},
    time::Duration,
};

use clients::Names;
use e2e::{Beyond, Tenant, World, eventually, eventually_some};
use serde_json::{Value, json};
use sim::receiver::{Post, Receiver, Reply};
use standardwebhooks::Webhook as Judge;

const DAY: Duration = Duration::from_secs(86_400);

async fn receiver() -> Receiver {
    Receiver::start_local().await.unwrap()
}

/// A webhook that is told of labels: its id and its secret.
async fn webhook(tenant: &Tenant, url: &str) -> (String, String) {
    let made = tenant.post("/webhooks", &json!({ "url": url, "kinds": ["label.changed"] })).await.expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

/// Makes an event.
async fn happens(tenant: &Tenant, name: &str) -> String {
    let made = tenant.post("/labels", &json!({ "name": name })).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn until_posts(receiver: &Receiver, count: usize) -> Vec<Post> {
    eventually(&format!("{count} posts came"), || async { receiver.posts().len() >= count }).await;
    receiver.posts()
}

/// The only delivery of a webhook, once it is in that state.
async fn until(tenant: &Tenant, webhook: &str, state: &str) -> Value {
    eventually_some(&format!("the delivery is {state}"), || async {
        let items = tenant.items(&format!("/webhooks/{webhook}/deliveries")).await;
        items.into_iter().find(|delivery| delivery["state"] == state)
    })
    .await
}

/// The only delivery, once it has been tried so often and waits.
async fn until_tried(tenant: &Tenant, webhook: &str, count: i64) -> Value {
    eventually_some(&format!("it was tried {count} times"), || async {
        let items = tenant.items(&format!("/webhooks/{webhook}/deliveries")).await;
        items.into_iter().find(|delivery| delivery["attempt_count"] == count)
    })
    .await
}

/// The official library's word on a post, its time included.
fn is_right(post: &Post, secret: &str) -> bool {
    Judge::new(secret).unwrap().verify(&post.body, &post.headers).is_ok()
}

/// The same where the test has moved the clock: the library's own signature is looked for.
fn is_signed(post: &Post, secret: &str) -> bool {
    let timestamp = post.header("webhook-timestamp").parse().unwrap();
    let wanted = Judge::new(secret).unwrap().sign(post.header("webhook-id"), timestamp, &post.body).unwrap();
    post.header("webhook-signature").split(' ').any(|signature| signature == wanted)
}

#[tokio::test]
async fn what_happens_is_told_once_signed_and_to_whom_it_is_for() {
    let world = World::new().await;
    let (acme, other) = (world.tenant("acme").await, world.tenant("other").await);
    let (mine, theirs) = (receiver().await, receiver().await);
    happens(&acme, "before").await;
    world.numbered().await;
    let (id, secret) = webhook(&acme, &mine.url("/hook?a=b")).await;
    webhook(&other, &theirs.url("/")).await;
    let label = happens(&acme, "Urgente").await;
    let post = until_posts(&mine, 1).await.remove(0);
    assert!(is_right(&post, &secret), "the official library refuses {post:?}");
    assert!(!is_right(&post, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"));
    assert_eq!((post.path.as_str(), post.header("content-type")), ("/hook?a=b", "application/json"));
    let body: Value = serde_json::from_slice(&post.body).unwrap();
    assert_eq!((&body["type"], &body["data"]), (&json!("label.changed"), &json!({ "label_id": label })));
    let delivery = until(&acme, &id, "delivered").await;
    assert_eq!((post.header("webhook-id"), &body["seq"]), (delivery["id"].as_str().unwrap(), &delivery["seq"]));
    let path = format!("/webhooks/{id}/deliveries/{}", delivery["id"].as_str().unwrap());
    let detail = acme.get(&path).await.expect(200);
    assert_eq!(detail["body"].as_str().unwrap().as_bytes(), &post.body[..]);
    let attempt = &detail["attempts"][0];
    assert_eq!((&attempt["status"], &attempt["answer"]), (&json!(200), &json!("ok")));
    // another's is nothing, and shown is nothing that signs
    assert_eq!(other.get(&path).await.status, 404);
    assert!(other.items("/webhooks").await.iter().all(|webhook| webhook["id"] != json!(id)));
    let shown = acme.get(&format!("/webhooks/{id}")).await;
    let audit = acme.get("/audit/changes?subject=webhook").await;
    assert_eq!(audit.body["items"][0]["after"]["url"], "***");
    for text in [&shown.text, &audit.text] {
        assert!(!text.contains(&secret[6..]), "{text}");
    }
    world.drain().await;
    assert!(theirs.posts().is_empty() && mine.posts().len() == 1);
    world.finish().await;
}

/// SEC-07
#[tokio::test]
async fn a_receiver_that_fails_is_told_again_under_the_same_id_until_it_takes_it() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let mine = receiver().await;
    mine.next([500, 500, 500, 500, 500].map(|status| Reply::Status(status, "no, password=abcdef0123456789abcdef")));
    let (id, secret) = webhook(&acme, &mine.url("/")).await;
    happens(&acme, "x").await;
    for (count, wait_s) in (1..).zip([5, 60, 300, 1_800, 7_200]) {
        let tried = until_tried(&acme, &id, count).await;
        assert_eq!((&tried["state"], &tried["status"]), (&json!("pending"), &json!(500)));
        assert!(acme.get(&format!("/webhooks/{id}")).await.expect(200)["failing_since"].is_string());
        world.later(Duration::from_secs(wait_s)).await;
    }
    let delivered = until(&acme, &id, "delivered").await;
    assert_eq!(delivered["attempt_count"], 6);
    let posts = mine.posts();
    assert_eq!(posts.len(), 6);
    let one = |name: &str| posts.iter().map(|post| post.header(name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(one("webhook-id").len(), 1);
    assert_eq!(one("webhook-timestamp").len(), 6, "each attempt says its own time");
    assert!(posts.iter().all(|post| is_signed(post, &secret) && post.body == posts[0].body));
    let path = format!("/webhooks/{id}/deliveries/{}", delivered["id"].as_str().unwrap());
    let attempts = acme.get(&path).await.expect(200)["attempts"].clone();
    assert_eq!(attempts[0]["answer"], "no, ***", "what looks like a secret is not kept");
    assert!(acme.get(&format!("/webhooks/{id}")).await.expect(200)["failing_since"].is_null());
    world.finish().await;
}

/// SEC-07
#[tokio::test]
async fn a_slow_receiver_is_timed_out_and_holds_up_nobody_else() {
    let patience = Duration::from_millis(400);
    let beyond = Beyond { allows_private: true, names: Names::System, timeout: patience };
    let mut world = World::with_webhooks(beyond).await;
    world.start_worker().await;
    let acme = world.tenant("acme").await;
    let (slow, quick) = (receiver().await, receiver().await);
    slow.otherwise(Reply::Hold);
    let (id, _) = webhook(&acme, &slow.url("/")).await;
    webhook(&acme, &quick.url("/")).await;
    // more than the workers have slots
    for n in 0..10 {
        happens(&acme, &format!("label {n}")).await;
    }
    until_posts(&quick, 10).await;
    let tried = until_tried(&acme, &id, 1).await;
    assert_eq!((&tried["state"], &tried["status"]), (&json!("pending"), &Value::Null));
    let path = format!("/webhooks/{id}/deliveries/{}", tried["id"].as_str().unwrap());
    let attempt = acme.get(&path).await.expect(200)["attempts"][0].clone();
    assert_eq!(attempt["error"], "timeout");
    assert!(attempt["duration_ms"].as_i64().unwrap() >= 400, "{attempt}");
    world.finish().await;
}

/// SEC-07
#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (first, inside) = (receiver().await, receiver().await);
    first.otherwise(Reply::Redirect(inside.url("/secret")));
    let (id, _) = webhook(&acme, &first.url("/")).await;
    happens(&acme, "x").await;
    let tried = until_tried(&acme, &id, 1).await;
    assert_eq!((&tried["state"], &tried["status"]), (&json!("pending"), &json!(302)));
    assert!(inside.posts().is_empty());
    world.finish().await;
}

/// SEC-07
#[tokio::test]
async fn both_secrets_sign_while_they_overlap_and_the_old_one_not_after() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let mine = receiver().await;
    let (id, old) = webhook(&acme, &mine.url("/")).await;
    let path = format!("/webhooks/{id}/secret");
    let wrong = acme.post(&path, &json!({ "overlap_s": 8 * 86_400 })).await;
    assert_eq!((wrong.status.as_u16(), wrong.code()), (422, "overlap_range"));
    let new = acme.post(&path, &json!({ "overlap_s": 3600 })).await.expect(200)["secret"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    happens(&acme, "in between").await;
    let post = until_posts(&mine, 1).await.remove(0);
    assert!(is_right(&post, &old) && is_right(&post, &new));
    world.later(Duration::from_secs(3601)).await;
    happens(&acme, "after").await;
    let post = until_posts(&mine, 2).await.remove(1);
    assert!(!is_signed(&post, &old) && is_signed(&post, &new));
    assert_eq!(post.header("webhook-signature").split(' ').count(), 1);
    // an hour after the log-in it takes a proof of who asks
    let stale = acme.post(&path, &json!({})).await;
    assert_eq!((stale.status.as_u16(), stale.code()), (403, "proof_needed"));
    let elsewhere = acme.patch(&format!("/webhooks/{id}"), &json!({ "url": mine.url("/b") })).await;
    assert_eq!(elsewhere.code(), "proof_needed");
    world.finish().await;
}

#[tokio::test]
async fn a_worker_that_dies_after_the_call_leaves_it_to_another_under_the_same_id() {
    let mut world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let mine = receiver().await;
    mine.next([Reply::Hold]);
    let doomed = world.worker().await;
    let (id, secret) = webhook(&acme, &mine.url("/")).await;
    happens(&acme, "x").await;
    until_posts(&mine, 1).await;
    doomed.abort();
    world.advance(Duration::from_secs(40)).await;
    world.start_worker().await;
    let delivered = until(&acme, &id, "delivered").await;
    let posts = mine.posts();
    assert_eq!(posts.len(), 2);
    let told = delivered["id"].as_str().unwrap();
    assert!(posts.iter().all(|post| post.header("webhook-id") == told && is_signed(post, &secret)));
    assert_eq!(acme.items(&format!("/webhooks/{id}/deliveries")).await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn an_event_is_one_delivery_however_many_feed_and_wherever_one_dies() {
    let mut world = World::without_workers().await;
    let acme = world.tenant("acme").await;
    let mine = receiver().await;
    let (id, _) = webhook(&acme, &mine.url("/")).await;
    // dies with the deliveries and the jobs written, before it has noted how far it has come
    let dies = "create function public.die() returns trigger language plpgsql as $$ begin raise 'the feeder dies here'; end $$;
                create trigger dies before update on crm.webhook_feeds for each row execute function public.die()";
    let mut superuser = world.database.superuser().await;
    sqlx::raw_sql(dies).execute(&mut superuser).await.unwrap();
    for n in 0..30 {
        happens(&acme, &format!("label {n}")).await;
    }
    world.numbered().await;
    // the api's own feeder may hold it for the moment
    eventually("a feeder dies", || async { crm::webhooks::feed(&world.app.db).await.is_err() }).await;
    assert!(acme.items(&format!("/webhooks/{id}/deliveries")).await.is_empty());
    sqlx::raw_sql("drop trigger dies on crm.webhook_feeds").execute(&mut superuser).await.unwrap();
    let feeders = (0..6).map(|_| crm::webhooks::feed(&world.app.db));
    assert!(futures::future::join_all(feeders).await.iter().all(Result::is_ok));
    let fed = async || acme.items(&format!("/webhooks/{id}/deliveries?limit=200")).await;
    eventually("all of it is fed", || async { fed().await.len() == 30 }).await;
    // a feeder that has forgotten how far it has come, as a restored one might
    sqlx::query("update crm.webhook_feeds set seq = 0").execute(&mut superuser).await.unwrap();
    let caught_up = async || {
        let behind = "select not exists (select from crm.webhook_feeds f join crm.event_counters c on c.tenant_id = f.tenant_id where c.seq > f.seq)";
        sqlx::query_scalar(behind).fetch_one(&mut world.database.superuser().await).await.unwrap()
    };
    eventually("it has come to the end once more", caught_up).await;
    let events: BTreeSet<i64> = fed().await.iter().map(|delivery| delivery["seq"].as_i64().unwrap()).collect();
    assert_eq!((fed().await.len(), events.len()), (30, 30));
    world.start_worker().await;
    until_posts(&mine, 30).await;
    world.drain().await;
    let ids: BTreeSet<String> = mine.posts().iter().map(|post| post.header("webhook-id").to_owned()).collect();
    assert_eq!((mine.posts().len(), ids.len()), (30, 30));
    world.finish().await;
}

/// SEC-02
#[tokio::test]
async fn an_address_inside_is_refused_when_it_is_stored_and_when_a_name_comes_to_mean_it() {
    let public: IpAddr = "93.184.216.34".parse().unwrap();
    let named = [("rebinds.example", public), ("inside.example", "10.0.0.1".parse().unwrap())];
    let names = named.map(|(name, address)| (name.to_owned(), vec![address]));
    let names = Arc::new(RwLock::new(HashMap::from(names)));
    let beyond =
        Beyond { allows_private: false, names: Names::Listed(Arc::clone(&names)), timeout: Duration::from_secs(10) };
    let world = World::with_webhooks(beyond).await;
    let acme = world.tenant("acme").await;
    let mine = receiver().await;
    let port = mine.port();
    let mut refusals = BTreeSet::new();
    for host in [
        "169.254.169.254",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "localhost",
        "inside.example",
        "nowhere.example",
        "user:password@rebinds.example",
    ] {
        let url = format!("https://{host}:{port}/");
        let refused = acme.post("/webhooks", &json!({ "url": url, "kinds": ["label.changed"] })).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "webhook_url_refused"), "{host}");
        refusals.insert(refused.body["detail"].as_str().unwrap().to_owned());
    }
    for url in
        ["http://rebinds.example/", "ftp://rebinds.example/", "rebinds.example", "https:///x", "file:///etc/passwd"]
    {
        let refused = acme.post("/webhooks", &json!({ "url": url, "kinds": ["label.changed"] })).await;
        assert_eq!(refused.code(), "webhook_url_refused", "{url}");
        refusals.insert(refused.body["detail"].as_str().unwrap().to_owned());
    }
    assert_eq!(refusals.len(), 1, "one text for all: {refusals:?}");
    let (id, _) = webhook(&acme, &format!("https://rebinds.example:{port}/")).await;
    let moved = acme.patch(&format!("/webhooks/{id}"), &json!({ "url": "https://10.0.0.1/" })).await;
    assert_eq!(moved.code(), "webhook_url_refused");
    names.write().unwrap().insert("rebinds.example".to_owned(), vec![[127, 0, 0, 1].into()]);
    happens(&acme, "x").await;
    let worker = world.worker().await;
    let tried = until_tried(&acme, &id, 1).await;
    let path = format!("/webhooks/{id}/deliveries/{}", tried["id"].as_str().unwrap());
    assert_eq!(acme.get(&path).await.expect(200)["attempts"][0]["error"], "address_refused");
    assert!(mine.posts().is_empty());
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_for_days_is_switched_off_with_a_notice() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let (mine, told) = (receiver().await, receiver().await);
    mine.otherwise(Reply::Status(500, ""));
    let (id, _) = webhook(&acme, &mine.url("/")).await;
    let kinds = json!({ "url": told.url("/"), "kinds": ["webhook.disabled"] });
    acme.post("/webhooks", &kinds).await.expect(201);
    happens(&acme, "x").await;
    for (count, wait_s) in (1..).zip([5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 72_000]) {
        until_tried(&acme, &id, count).await;
        let webhook = acme.get(&format!("/webhooks/{id}")).await.expect(200);
        assert_eq!(webhook["is_enabled"], true, "not before the days are over: {webhook}");
        world.later(Duration::from_secs(wait_s)).await;
    }
    let failed = until(&acme, &id, "failed").await;
    assert_eq!((&failed["reason"], &failed["attempt_count"]), (&json!("exhausted"), &json!(11)));
    let off = acme.get(&format!("/webhooks/{id}")).await.expect(200);
    assert_eq!((&off["is_enabled"], &off["disabled_reason"]), (&json!(false), &json!("failing")));
    let notice: Value = serde_json::from_slice(&until_posts(&told, 1).await[0].body).unwrap();
    assert_eq!(notice["data"], json!({ "webhook_id": id, "reason": "failing" }));
    let change = &acme.items(&format!("/audit/changes?subject=webhook&subject_id={id}")).await[0];
    assert_eq!(
        (&change["actor"], &change["after"]["disabled_reason"]),
        (&json!("job:webhooks.deliver"), &json!("failing"))
    );
    // what happens meanwhile is not told, now or later
    let posts = mine.posts().len();
    happens(&acme, "unheard").await;
    world.numbered().await;
    let refused = acme.act(&format!("/webhooks/{id}/deliveries/{}/replay", failed["id"].as_str().unwrap())).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "webhook_disabled"));
    let on = acme.patch(&format!("/webhooks/{id}"), &json!({ "is_enabled": true })).await.expect(200);
    assert_eq!((&on["is_enabled"], &on["failing_since"]), (&json!(true), &Value::Null));
    mine.otherwise(Reply::Status(200, "ok"));
    happens(&acme, "heard").await;
    until_posts(&mine, posts + 1).await;
    world.drain().await;
    assert_eq!(mine.posts().len(), posts + 1);
    world.finish().await;
}

#[tokio::test]
async fn one_that_says_it_is_gone_is_switched_off_at_once() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mine = receiver().await;
    mine.otherwise(Reply::Status(410, "gone"));
    let (id, _) = webhook(&acme, &mine.url("/")).await;
    // of a test nothing follows but its own failure
    acme.act(&format!("/webhooks/{id}/ping")).await.expect(200);
    assert_eq!(until(&acme, &id, "failed").await["kind"], "ping");
    assert_eq!(acme.get(&format!("/webhooks/{id}")).await.expect(200)["is_enabled"], true);
    happens(&acme, "x").await;
    eventually("it is off", || async {
        acme.get(&format!("/webhooks/{id}")).await.expect(200)["disabled_reason"] == "gone"
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn what_has_failed_is_told_once_more_when_somebody_asks() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let mine = receiver().await;
    mine.otherwise(Reply::RetryAfter(503, 90));
    let (id, _) = webhook(&acme, &mine.url("/")).await;
    for name in ["a", "b", "c"] {
        happens(&acme, name).await;
    }
    until_posts(&mine, 3).await;
    let path = format!("/webhooks/{id}/deliveries");
    let waiting = eventually_some("all were tried", || async {
        let items = acme.items(&format!("{path}?state=pending")).await;
        (items.iter().filter(|delivery| delivery["attempt_count"] == 1).count() == 3).then_some(items)
    })
    .await;
    // it asked for time: a minute and a half, not five seconds
    world.later(Duration::from_secs(30)).await;
    world.drain().await;
    assert_eq!(mine.posts().len(), 3);
    // one that waits is told now
    mine.next([Reply::Status(200, "")]);
    let first = waiting[0]["id"].as_str().unwrap();
    acme.act(&format!("{path}/{first}/replay")).await.expect(200);
    let delivered = until(&acme, &id, "delivered").await;
    assert_eq!((delivered["id"].as_str(), &delivered["attempt_count"]), (Some(first), &json!(2)));
    // three days on, the others have failed, of themselves or with the webhook
    for _ in 0..12 {
        world.later(DAY / 4).await;
        world.drain().await;
    }
    eventually("the others have failed", || async { acme.items(&format!("{path}?state=failed")).await.len() == 2 })
        .await;
    let acme = Tenant::log_in(world.base(), "owner@acme.example", e2e::actors::PASSWORD).await;
    acme.patch(&format!("/webhooks/{id}"), &json!({ "is_enabled": true })).await.expect(200);
    mine.otherwise(Reply::Status(204, ""));
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    let replayed = acme.post(&format!("/webhooks/{id}/replay"), &since).await.expect(200);
    assert_eq!(replayed, json!({ "count": 2, "is_more": false }));
    eventually("all are told", || async { acme.items(&format!("{path}?state=delivered")).await.len() == 3 }).await;
    let ids: BTreeSet<String> = mine.posts().iter().map(|post| post.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 3, "the ids are those of before");
    let none =
        acme.post(&format!("/webhooks/{id}/replay"), &json!({ "since": "2999-01-01T00:00:00Z" })).await.expect(200);
    assert_eq!(none["count"], 0);
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_is_told_no_more_than_who_chose_its_kinds_may_see() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let admin = acme.colleague("Adán", "admin").await;
    let mine = receiver().await;
    let kinds = |kinds: Value| json!({ "url": mine.url("/"), "kinds": kinds });
    let unknown = acme.post("/webhooks", &kinds(json!(["unread.changed"]))).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (422, "webhook_kind_unknown"), "it is for one user alone");
    assert_eq!(acme.post("/webhooks", &kinds(json!([]))).await.code(), "webhook_kinds_missing");
    // a key that may see less chooses less
    let key = json!({ "name": "x", "permissions": ["admin.webhooks_manage", "campaigns.view"] });
    let key = acme.post("/api-keys", &key).await.expect(201)["token"].as_str().unwrap().to_owned();
    let by_key = async |body: &Value| {
        let request =
            reqwest::Client::new().post(format!("{}/api/v1/webhooks", world.base())).bearer_auth(&key).json(body);
        acme.send(request).await
    };
    assert_eq!(by_key(&kinds(json!(["label.changed"]))).await.code(), "webhook_kinds_beyond_own");
    by_key(&kinds(json!(["campaign.progress"]))).await.expect(201);
    let made = admin.post("/webhooks", &kinds(json!(["label.changed"]))).await.expect(201);
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
    happens(&acme, "seen").await;
    until_posts(&mine, 1).await;
    // nor is it moved to where somebody else would see more, and its log shows no more
    let told = acme.items(&format!("{path}/deliveries")).await[0]["id"].as_str().unwrap().to_owned();
    let client = reqwest::Client::new();
    let moved = client.patch(format!("{}/api/v1{path}", world.base())).json(&json!({ "url": mine.url("/b") }));
    assert_eq!(acme.send(moved.bearer_auth(&key)).await.code(), "webhook_kinds_beyond_own");
    let read = client.get(format!("{}/api/v1{path}/deliveries/{told}", world.base())).bearer_auth(&key);
    let read = acme.send(read).await;
    assert_eq!((read.status.as_u16(), read.code()), (403, "forbidden"));
    // who made it may see less since: so does the webhook
    let user = format!("/users/{}", admin.user_id().await);
    acme.patch(&user, &json!({ "role": "billing" })).await.expect(200);
    assert_eq!(acme.get(&path).await.expect(200)["withheld_kinds"], json!(["label.changed"]));
    happens(&acme, "unseen").await;
    world.numbered().await;
    let fed = async || {
        let behind = "select not exists (select from crm.webhook_feeds f join crm.event_counters c on c.tenant_id = f.tenant_id where c.seq > f.seq)";
        sqlx::query_scalar(behind).fetch_one(&mut world.database.superuser().await).await.unwrap()
    };
    eventually("it was passed over", fed).await;
    // somebody who may see them takes it over
    let taken = acme.patch(&path, &json!({ "kinds": ["label.changed"] })).await.expect(200);
    assert_eq!((&taken["withheld_kinds"], &taken["owner_id"]), (&json!([]), &json!(acme.user_id().await)));
    happens(&acme, "seen again").await;
    until_posts(&mine, 2).await;
    world.drain().await;
    assert_eq!(mine.posts().len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_that_is_deleted_or_switched_off_is_told_nothing_and_its_log_goes_in_time() {
    let mut world = World::new().await;
    let acme = world.tenant("acme").await;
    let mine = receiver().await;
    let (id, secret) = webhook(&acme, &mine.url("/")).await;
    let path = format!("/webhooks/{id}");
    let off = acme.patch(&path, &json!({ "is_enabled": false, "description": "for the shop" })).await.expect(200);
    assert_eq!((&off["disabled_reason"], &off["description"]), (&json!("by_hand"), &json!("for the shop")));
    happens(&acme, "unheard").await;
    world.numbered().await;
    // a test comes through all the same
    let ping = acme.act(&format!("{path}/ping")).await.expect(200);
    let post = until_posts(&mine, 1).await.remove(0);
    let body: Value = serde_json::from_slice(&post.body).unwrap();
    assert_eq!((&body["type"], post.header("webhook-id")), (&json!("ping"), ping["id"].as_str().unwrap()));
    assert!(is_right(&post, &secret));
    acme.patch(&path, &json!({ "is_enabled": true })).await.expect(200);
    happens(&acme, "heard").await;
    until_posts(&mine, 2).await;
    world.drain().await;
    acme.delete(&path).await.expect(204);
    assert_eq!(acme.get(&path).await.status, 404);
    assert_eq!(acme.get(&format!("{path}/deliveries")).await.status, 404);
    happens(&acme, "too late").await;
    world.numbered().await;
    world.drain().await;
    assert_eq!(mine.posts().len(), 2);
    world.later(Duration::from_secs(3 * 3600)).await;
    let left = async || {
        let rows = "select (select count(*) from crm.webhooks) + (select count(*) from crm.webhook_deliveries) + (select count(*) from crm.webhook_attempts)";
        sqlx::query_scalar::<_, i64>(rows).fetch_one(&mut world.database.superuser().await).await.unwrap()
    };
    eventually("nothing is left of it", || async { left().await == 0 }).await;
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_whose_lane_was_cancelled_is_off_and_keeps_no_other_from_being_fed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (mine, other) = (receiver().await, receiver().await);
    let (id, _) = webhook(&acme, &mine.url("/")).await;
    let cancelled = "update jobs.lanes set cancelled_at = app.now() where key = $1";
    let mut superuser = world.database.superuser().await;
    sqlx::query(cancelled).bind(format!("webhook/{id}")).execute(&mut superuser).await.unwrap();
    webhook(&acme, &other.url("/")).await;
    happens(&acme, "x").await;
    until_posts(&other, 1).await;
    let off = acme.get(&format!("/webhooks/{id}")).await.expect(200);
    assert_eq!((&off["is_enabled"], &off["disabled_reason"]), (&json!(false), &json!("by_hand")));
    assert!(mine.posts().is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_delivery_whose_job_an_operator_cancels_has_failed_and_is_told_once_that_one_runs_again() {
    let world = World::new().await;
    let (acme, operator) = (world.tenant("acme").await, world.operator());
    let mine = receiver().await;
    mine.next([Reply::Status(500, "")]);
    let (id, _) = webhook(&acme, &mine.url("/")).await;
    happens(&acme, "x").await;
    until_tried(&acme, &id, 1).await;
    let because = json!({ "reason": "the receiver is being mended" });
    let job = operator.items("/jobs?kind=webhooks.deliver").await[0]["id"].as_i64().unwrap();
    operator.post(&format!("/jobs/{job}/cancel"), &because).await.expect(200);
    assert_eq!(until(&acme, &id, "failed").await["reason"], "job_cancelled");
    operator.post(&format!("/jobs/{job}/retry"), &because).await.expect(200);
    let delivered = until(&acme, &id, "delivered").await;
    assert_eq!((&delivered["attempt_count"], &delivered["reason"]), (&json!(2), &Value::Null));
    assert_eq!(mine.posts()[0].header("webhook-id"), mine.posts()[1].header("webhook-id"));
    world.finish().await;
}

#[tokio::test]
async fn a_line_may_stand_only_where_calls_may_go() {
    let beyond = Beyond { allows_private: false, names: Names::System, timeout: Duration::from_secs(10) };
    let world = World::with_webhooks(beyond).await;
    let acme = world.tenant("acme").await;
    let line = |url: &str| json!({ "name": "x", "address": "+15550000001", "base_url": url, "password": "x" });
    // gateways in the office are let through by a setting of their own, what a cloud keeps for itself never is
    for url in ["http://169.254.169.254/", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "ftp://10.0.0.1/"] {
        assert_eq!(acme.post("/lines", &line(url)).await.code(), "base_url_invalid", "{url}");
    }
    world.finish().await;
}
