//! Whether messages flow: outages, webhooks that somebody removed, gateways that are away; who types and who has read.

use std::time::Duration;

use crm::messaging::typing;
use db::Actor;
use e2e::{Tenant, World, early_in_the_minute, eventually, eventually_some};
use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

const ANA: &str = "+13055550142";

async fn ground(more: Value) -> (World, Tenant, String) {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, more).await;
    (world, acme, line)
}

async fn line_is(tenant: &Tenant, line: &str, health: &str) -> Value {
    eventually_some(&format!("the line is {health}"), || async {
        let line = tenant.get(&format!("/lines/{line}")).await.expect(200);
        (line["health"] == health).then_some(line)
    })
    .await
}

/// What was told of lines, as health and missed.
async fn told(world: &World) -> Vec<(String, i64)> {
    world.numbered().await;
    sqlx::query_as(
        "select data ->> 'health', (data ->> 'missed')::bigint from crm.events where kind = 'line.health' order by seq",
    )
    .fetch_all(&mut world.database.superuser().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn what_came_in_an_hour_without_us_is_read_back_in_order_and_once_and_tells_of_the_gap() {
    let (world, acme, line) = ground(json!({})).await;
    world.sim.inbound(&Inbound::new(ANA, "antes")).unwrap();
    world.settle().await;
    world.advance(Duration::from_secs(61)).await;
    line_is(&acme, &line, "ok").await;
    world.sim.set_offline(true);
    for n in 0..500 {
        world.sim.inbound(&Inbound { silent: true, ..Inbound::new(ANA, &format!("mensaje {n:03}")) }).unwrap();
        // a Mac keeps time in milliseconds, and no two of these are of one
        world.sim.configure(|config| config.clock_offset_ms += 7_000);
    }
    world.sim.configure(|config| config.clock_offset_ms -= 3_500_000);
    world.advance(Duration::from_secs(3600)).await;
    line_is(&acme, &line, "unreachable").await;
    world.sim.set_offline(false);
    for _ in 0..2 {
        world.advance(Duration::from_secs(130)).await;
        world.settle().await;
    }
    eventually("they are there", || async {
        let count: i64 =
            sqlx::query_scalar("select count(*) from crm.messages where direction = 'inbound' and status = 'received'")
                .fetch_one(&mut world.database.superuser().await)
                .await
                .unwrap();
        count == 501
    })
    .await;
    let bodies: Vec<String> =
        sqlx::query_scalar("select body from crm.messages where body like 'mensaje%' order by created_at, id")
            .fetch_all(&mut world.database.superuser().await)
            .await
            .unwrap();
    assert!(bodies.is_sorted() && bodies.len() == 500, "in the order in which they were written");
    // each is told of, and in order
    world.numbered().await;
    let events: i64 = sqlx::query_scalar("select count(*) from crm.events where kind = 'message.new'")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    assert_eq!(events, 501);
    world.advance(Duration::from_secs(61)).await;
    let shown = line_is(&acme, &line, "ok").await;
    assert_eq!(shown["missed_count"], 500, "{shown}");
    let told = told(&world).await;
    assert!(told.contains(&("unreachable".to_owned(), 0)) && told.contains(&("gap".to_owned(), 500)), "{told:?}");
    assert_eq!(told.last(), Some(&("ok".to_owned(), 0)));
    world.finish().await;
}

/// The check of the webhooks may come before the sweep: it must not be what keeps a line that is away from being looked at.
#[tokio::test]
async fn a_line_whose_webhook_could_not_be_checked_is_swept_all_the_same() {
    let (world, acme, line) = ground(json!({})).await;
    world.advance(Duration::from_secs(61)).await;
    line_is(&acme, &line, "ok").await;
    // once in ten minutes the check of the webhooks comes with the sweep
    world.drain().await;
    world.sim.set_offline(true);
    let fire = json!({ "reason": "the Mac was moved" });
    world.operator().post("/schedules/messaging.check_hooks/fire", &fire).await.expect(200);
    eventually("the check has failed", || async {
        acme.get(&format!("/lines/{line}")).await.expect(200)["hook_state"] == "failed"
    })
    .await;
    world.advance(Duration::from_secs(61)).await;
    let shown = line_is(&acme, &line, "unreachable").await;
    assert!(shown["health_reason"].is_string(), "{shown}");
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_that_somebody_removed_is_registered_again_and_nothing_is_lost() {
    // a schedule that mends it before the time is moved leaves nothing to see
    early_in_the_minute().await;
    let (world, acme, line) = ground(json!({})).await;
    world.advance(Duration::from_secs(61)).await;
    line_is(&acme, &line, "ok").await;
    // once in ten minutes the check of the webhooks comes with the sweep
    world.drain().await;
    world.sim.forget_webhooks();
    world.sim.inbound(&Inbound::new(ANA, "¿hay alguien?")).unwrap();
    assert!(acme.messages(ANA).await.is_empty());
    world.advance(Duration::from_secs(601)).await;
    eventually("it is registered again", || async { world.sim.webhooks().len() == 1 }).await;
    eventually("the message is there", || async { acme.messages(ANA).await.len() == 1 }).await;
    world.sim.inbound(&Inbound::new(ANA, "¿hola?")).unwrap();
    world.settle().await;
    assert_eq!(acme.messages(ANA).await.len(), 2);
    let shown = acme.get(&format!("/lines/{line}")).await.expect(200);
    assert!(shown["last_event_at"].is_string() && shown["missed_count"] == 1, "{shown}");
    world.finish().await;
}

/// RT-07
#[tokio::test]
async fn who_types_is_told_with_an_end_and_kept_nowhere() {
    let (world, acme, _) = ground(json!({})).await;
    world.sim.inbound(&Inbound::new(ANA, "hola")).unwrap();
    world.settle().await;
    let conversation = acme.items("/conversations").await[0]["id"].clone();
    let mut listener = world.app.db.listen(&[crm::events::WHISPERS]).await.unwrap();
    for display in [true, false] {
        world.sim.emit("typing-indicator", &json!({ "display": display, "guid": format!("any;-;{ANA}") }));
        let notice = tokio::time::timeout(Duration::from_secs(20), listener.recv()).await.unwrap().unwrap();
        let said: Value = serde_json::from_str(notice.payload()).unwrap();
        assert_eq!((&said["kind"], &said["data"]["conversation_id"]), (&json!("typing"), &conversation));
        assert_eq!(said["data"]["is_typing"], display);
        let time = |value: &Value| chrono::DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
        assert_eq!((time(&said["data"]["expires_at"]) - time(&said["at"])).num_seconds(), 15);
    }
    world.settle().await;
    world.numbered().await;
    let kept: i64 = sqlx::query_scalar(
        "select (select count(*) from crm.hook_events) + (select count(*) from crm.events where kind = 'typing')",
    )
    .fetch_one(&mut world.database.superuser().await)
    .await
    .unwrap();
    assert_eq!(kept, 0);
    world.finish().await;
}

/// What an agent's screen causes; the route for it is the inbox's.
#[tokio::test]
async fn an_agent_who_types_or_reads_is_shown_where_the_line_says_so() {
    let (world, acme, line) = ground(json!({})).await;
    world.sim.inbound(&Inbound::new(ANA, "hola")).unwrap();
    world.settle().await;
    let id: uuid::Uuid = acme.items("/conversations").await[0]["id"].as_str().unwrap().parse().unwrap();
    let tenant: uuid::Uuid = sqlx::query_scalar("select id from crm.tenants where slug = 'acme'")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
    let calls = |act: &str| {
        let end = format!("/{act}");
        world.sim.calls().iter().filter(|call| call.path.ends_with(&end)).count()
    };
    let acts = || async {
        let mut tx = world.app.db.tenant(tenant, Actor::Job("test")).await.unwrap();
        for _ in 0..3 {
            typing::show(&mut tx, id).await.unwrap();
            typing::mark_read(&mut tx, id).await.unwrap();
        }
        tx.commit().await.unwrap();
        world.drain().await;
        world.advance(Duration::from_secs(2)).await;
        world.drain().await;
    };
    acts().await;
    eventually("typing is shown", || async { calls("typing") == 1 }).await;
    assert_eq!(calls("read"), 0, "this line does not say who has read");
    acme.patch(&format!("/lines/{line}"), &json!({ "sends_read_receipts": true, "sends_typing": false }))
        .await
        .expect(200);
    world.advance(Duration::from_secs(20)).await;
    acts().await;
    eventually("it is marked as read", || async { calls("read") == 1 }).await;
    assert_eq!(calls("typing"), 1, "often asked for, seldom said");
    // the helper is away: nobody is worse off
    world.sim.configure(|config| config.helper_connected = false);
    world.advance(Duration::from_secs(20)).await;
    acts().await;
    world.finish().await;
}
