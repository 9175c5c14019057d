//! What a cycle says of lanes that it left waiting before gates.

use std::time::Duration;

use jobs::{Enqueue, gate::Limits};

use super::{
    kinds::{Do, WORK},
    world::{EngineWorld, Hand},
};

/// Three jobs in a lane behind a gate of that name, which lets one through for now, if any.
async fn lane(world: &EngineWorld, lane: &str, gate: &str, limits: Limits) {
    let mut tx = world.tx().await;
    let gate = jobs::gate::configure(&mut tx, gate, limits).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, lane, 1, &[gate]).await.unwrap();
    let jobs: Vec<Do> = (0..3).map(|n| Do::nothing(format!("{lane}/{n}"))).collect();
    Enqueue::new().lane(lane).many(&mut tx, &jobs).await.unwrap();
    tx.commit().await.unwrap();
}

/// How many jobs a cycle brought, and what its header counts: tokens, cap, budget, breaker, rest, pause.
async fn cycle(hand: &mut Hand) -> (i64, Option<Vec<i64>>) {
    sqlx::query_as(
        "select sum(cardinality(c.ids))::bigint, max(c.gates) filter (where c.fence is null)
           from jobs.cycle($1, 30, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', (select array_agg(id) from jobs.queues where name = 'work'), '{100}') c",
    )
    .bind(hand.process)
    .fetch_one(hand.conn.conn())
    .await
    .map(|(jobs, refused): (Option<i64>, _)| (jobs.unwrap_or(0), refused))
    .unwrap()
}

#[tokio::test]
async fn each_lane_that_is_left_before_a_gate_is_counted_by_what_kept_it() {
    let world = EngineWorld::new().await;
    let open = Limits { rate: None, burst: 1.0, cap: None };
    let slow = Limits { rate: Some(0.001), burst: 1.0, cap: None };
    lane(&world, "a", "tokens", slow).await;
    lane(&world, "b", "tokens", slow).await;
    lane(&world, "c", "cap", Limits { cap: Some(1), ..open }).await;
    for key in ["budget", "breaker", "rest", "pause"] {
        lane(&world, key, key, open).await;
    }
    lane(&world, "free", "free", open).await;
    // has no more than it is let through, and waits for nothing
    lane(&world, "few", "few", Limits { rate: Some(0.001), burst: 5.0, cap: None }).await;
    world.execute("update jobs.gates set daily = 1 where key = 'budget'").await;
    world.execute("update jobs.gates set breaker = 'open', open_until = app.clock() + interval '1 hour' where key = 'breaker'").await;
    world.execute("update jobs.gates set rests_until = app.clock() + interval '1 hour' where key = 'rest'").await;
    world.execute("update jobs.gates set paused_at = app.clock() where key = 'pause'").await;
    let mut hand = world.hand().await;
    assert_eq!(
        cycle(&mut hand).await,
        (9, Some(vec![2, 1, 1, 1, 1, 1])),
        "one of each that lets one through, and all of those that are free"
    );
    // looked at again, they wait as before
    world.advance(Duration::from_secs(15)).await;
    assert_eq!(cycle(&mut hand).await, (0, Some(vec![2, 1, 1, 1, 1, 1])));
    world.execute("update jobs.gates set paused_at = null where key = 'pause'").await;
    assert_eq!(cycle(&mut hand).await.0, 3);
    world.finish().await;
}
