//! Gates: rate, cap and pause, one truth for the fleet.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use db::{Scope, Why};
use jobs::{Enqueue, gate::Limits};

use super::{
    kinds::{Act, Do, WORK, registry},
    world::EngineWorld,
};

async fn lane_behind(world: &EngineWorld, lane: &str, limits: Limits) -> i64 {
    let mut tx = world.tx().await;
    let gate = jobs::gate::configure(&mut tx, "line", limits).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, lane, 1, &[gate]).await.unwrap();
    tx.commit().await.unwrap();
    gate
}

async fn fill(world: &EngineWorld, lane: &str, count: usize, act: Act) {
    let jobs: Vec<Do> = (0..count).map(|n| Do::new(format!("{lane}/{n}"), act.clone())).collect();
    world.enqueue_many(Enqueue::new().lane(lane), &jobs).await;
}

async fn lease_times(world: &EngineWorld) -> Vec<f64> {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let times: Vec<DateTime<Utc>> =
        sqlx::query_scalar("select leased_at from jobs.running order by leased_at").fetch_all(tx.conn()).await.unwrap();
    times.iter().map(|time| (*time - times[0]).as_seconds_f64()).collect()
}

#[tokio::test]
async fn eight_claimers_on_one_bucket_take_what_it_gives_and_never_more() {
    const RATE: f64 = 200.0;
    // what comes in a second: a machine that stands still for less loses nothing of the rate
    const BURST: f64 = 200.0;
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: Some(RATE), burst: BURST, cap: None }).await;
    lane_behind(&world, "b", Limits { rate: Some(RATE), burst: BURST, cap: None }).await;
    fill(&world, "a", 1_500, Act::Nothing).await;
    fill(&world, "b", 1_500, Act::Nothing).await;
    let until = Instant::now() + Duration::from_millis(2_500);
    let mut claimers = Vec::new();
    for _ in 0..8 {
        let mut hand = world.hand().await;
        claimers.push(tokio::spawn(async move {
            while Instant::now() < until {
                if hand.claim(200).await.is_empty() {
                    // what the engine does with the answer of an empty claim
                    let mut next = tokio::time::interval(Duration::from_millis(4));
                    next.tick().await;
                    next.tick().await;
                }
            }
        }));
    }
    for claimer in claimers {
        claimer.await.unwrap();
    }
    let times = lease_times(&world).await;
    for (i, from) in times.iter().enumerate() {
        for (j, to) in times.iter().enumerate().skip(i) {
            let granted = (j - i + 1) as f64;
            assert!(granted <= BURST + RATE * (to - from) + 1e-6, "{granted} in {} s", to - from);
        }
    }
    let window = times.last().unwrap();
    let used = (times.len() as f64 - BURST) / (RATE * window);
    assert!(used >= 0.97, "only {used} of the rate was used in {window} s");
    world.finish().await;
}

#[tokio::test]
async fn tokens_collect_up_to_the_burst_and_no_further() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: Some(0.01), burst: 7.0, cap: None }).await;
    fill(&world, "a", 100, Act::Nothing).await;
    let mut hand = world.hand().await;
    assert_eq!(hand.claim_some(50).await.len(), 7);
    assert!(hand.claim(50).await.is_empty());
    world.advance(Duration::from_secs(300)).await;
    assert_eq!(hand.claim_some(50).await.len(), 3, "three hundred seconds of a hundredth");
    world.advance(Duration::from_secs(86_400)).await;
    assert_eq!(hand.claim_some(50).await.len(), 7);
    world.finish().await;
}

#[tokio::test]
async fn a_clock_that_goes_back_grants_nothing_twice() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: Some(1.0), burst: 5.0, cap: None }).await;
    fill(&world, "a", 100, Act::Nothing).await;
    let mut hand = world.hand().await;
    world.execute("update app.test_clock set shift = '10 minutes'").await;
    assert_eq!(hand.claim_some(50).await.len(), 5);
    world.execute("update app.test_clock set shift = '0'").await;
    world.execute("update jobs.gate_waits set due_at = app.clock()").await;
    assert!(hand.claim(50).await.len() <= 1);
    world.finish().await;
}

#[tokio::test]
async fn a_cap_holds_over_two_workers() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: Some(3) }).await;
    fill(&world, "a", 12, Act::Wait).await;
    let (one, two) = (world.worker().await, world.worker().await);
    e2e::eventually("three run", || async { world.runs().len() == 3 }).await;
    // other work goes on beside it, and by the time it has ended both workers have looked again
    for n in 0..20 {
        let id = world.work(Do::nothing(format!("beside {n}"))).await;
        world.reaches(id, "completed").await;
    }
    assert_eq!(world.runs().iter().filter(|run| run.name.starts_with("a/")).count(), 3);
    world.open_latch();
    world.drained().await;
    assert_eq!(world.runs().len(), 12 + 20);
    one.stop().await;
    two.stop().await;
    assert_eq!(world.number("select coalesce(sum(running), 0)::bigint from jobs.gate_slots").await, 0);
    world.finish().await;
}

#[tokio::test]
async fn a_cap_of_one_runs_one_after_the_other_to_the_end() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: Some(1) }).await;
    fill(&world, "a", 40, Act::Effect).await;
    let (one, two) = (world.worker().await, world.worker().await);
    world.drained().await;
    assert_eq!(world.effects().await, 40);
    one.stop().await;
    two.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn one_gate_before_many_lanes_is_shared_and_not_multiplied() {
    let world = EngineWorld::new().await;
    for lane in ["a", "b", "c", "d"] {
        lane_behind(&world, lane, Limits { rate: None, burst: 1.0, cap: Some(5) }).await;
        fill(&world, lane, 10, Act::Nothing).await;
    }
    let mut hand = world.hand().await;
    assert_eq!(hand.claim_some(100).await.len(), 5);
    assert!(hand.claim(100).await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_lane_with_two_gates_obeys_both() {
    let world = EngineWorld::new().await;
    let mut tx = world.tx().await;
    let line =
        jobs::gate::configure(&mut tx, "line", Limits { rate: Some(0.001), burst: 8.0, cap: None }).await.unwrap();
    let campaign =
        jobs::gate::configure(&mut tx, "campaign", Limits { rate: None, burst: 1.0, cap: Some(3) }).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "both", 1, &[campaign, line]).await.unwrap();
    jobs::lane::configure(&mut tx, WORK, "one", 1, &[line]).await.unwrap();
    tx.commit().await.unwrap();
    fill(&world, "both", 20, Act::Nothing).await;
    fill(&world, "one", 20, Act::Nothing).await;
    let mut hand = world.hand().await;
    let leased = hand.claim_some(100).await;
    let both = leased.iter().filter(|job| job.gates == [campaign]).count();
    assert_eq!((leased.len(), both), (8, 3), "eight tokens of the line, three places of the campaign");
    world.finish().await;
}

#[tokio::test]
async fn a_paused_gate_lets_nothing_through_until_it_is_resumed() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: Some(9) }).await;
    fill(&world, "a", 3, Act::Nothing).await;
    world.execute("update jobs.gates set paused_at = app.now()").await;
    let mut hand = world.hand().await;
    for _ in 0..5 {
        assert!(hand.claim(10).await.is_empty());
        world.advance(Duration::from_secs(2)).await;
    }
    world.execute("update jobs.gates set paused_at = null").await;
    world.advance(Duration::from_secs(2)).await;
    assert_eq!(hand.claim_some(10).await.len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn a_slow_lane_does_not_hold_up_a_free_one() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "slow", Limits { rate: Some(0.001), burst: 1.0, cap: None }).await;
    fill(&world, "slow", 500, Act::Nothing).await;
    fill(&world, "free", 500, Act::Nothing).await;
    let worker = world.worker_with(registry(), world.settings(8)).await;
    e2e::eventually("all of the free lane ran", || async {
        world.runs().iter().filter(|run| run.name.starts_with("free/")).count() == 500
    })
    .await;
    assert!(world.runs().iter().filter(|run| run.name.starts_with("slow/")).count() <= 1);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_tenant_that_names_another_s_lane_or_gate_gets_nothing_through_and_takes_nothing_away() {
    let world = EngineWorld::new().await;
    let eve = world.tenant("eve").await;
    lane_behind(&world, "a", Limits { rate: Some(0.001), burst: 1.0, cap: None }).await;
    fill(&world, "a", 1, Act::Nothing).await;
    // what no function of ours writes, and the tenant's own role may
    let mut tx = world.tx_of(eve).await;
    let own = jobs::lane::configure(&mut tx, WORK, "own", 1, &[]).await.unwrap();
    Enqueue::new().lane("own").one(&mut tx, &Do::nothing("behind another's gate")).await.unwrap();
    let into_another_s = Enqueue::new().lane("own").one(&mut tx, &Do::nothing("into another's lane")).await.unwrap();
    tx.commit().await.unwrap();
    let mut superuser = world.database.superuser().await;
    sqlx::query("update jobs.lanes set gates = array(select id from jobs.gates) where id = $1")
        .bind(own)
        .execute(&mut superuser)
        .await
        .unwrap();
    sqlx::query("update jobs.jobs set lane_id = (select id from jobs.lanes where key = 'a') where id = $1")
        .bind(into_another_s.job_id())
        .execute(&mut superuser)
        .await
        .unwrap();
    let mut hand = world.hand().await;
    let leased = hand.claim_some(10).await;
    let tenants: Vec<i32> = leased.iter().map(|job| job.tenant_number).collect();
    assert_eq!(tenants, [world.acme.number], "the token was acme's to use");
    world.advance(Duration::from_secs(3)).await;
    assert!(hand.claim(10).await.is_empty());
    world.finish().await;
}

/// Starts by lane while four claimers take what the gates of their lanes give.
async fn shares(world: &EngineWorld, lanes: [&str; 2], for_ms: u64) -> [i64; 2] {
    let until = Instant::now() + Duration::from_millis(for_ms);
    let mut claimers = Vec::new();
    for _ in 0..4 {
        let mut hand = world.hand().await;
        claimers.push(tokio::spawn(async move {
            while Instant::now() < until {
                if hand.claim(50).await.is_empty() {
                    let mut next = tokio::time::interval(Duration::from_millis(3));
                    next.tick().await;
                    next.tick().await;
                }
            }
        }));
    }
    for claimer in claimers {
        claimer.await.unwrap();
    }
    let mut started = [0; 2];
    for (count, lane) in started.iter_mut().zip(lanes) {
        *count = held(world, lane).await;
    }
    started
}

#[tokio::test]
async fn lanes_that_share_one_rate_get_even_shares_of_it_whoever_claims() {
    let world = EngineWorld::new().await;
    for lane in ["a", "b"] {
        // one token a turn: with a burst, turns are as even, and how many tokens each of them finds is chance
        lane_behind(&world, lane, Limits { rate: Some(100.0), burst: 1.0, cap: None }).await;
        fill(&world, lane, 400, Act::Nothing).await;
    }
    let [a, b] = shares(&world, ["a", "b"], 1_500).await;
    assert!((a - b).abs() <= 4, "{a} and {b}");
    // enough to tell; how much of a rate is used on a machine that is busy is what `paloma bench queue --workload limits` is for
    assert!(a + b >= 40, "{a} and {b}");
    world.finish().await;
}

#[tokio::test]
async fn a_lane_of_twice_the_weight_gets_twice_as_much_of_a_scarce_rate_and_of_free_slots() {
    let world = EngineWorld::new().await;
    for lane in ["a", "b"] {
        lane_behind(&world, lane, Limits { rate: Some(100.0), burst: 1.0, cap: None }).await;
        fill(&world, lane, 400, Act::Nothing).await;
        fill(&world, &format!("free/{lane}"), 2_000, Act::Nothing).await;
    }
    world.execute("update jobs.lanes set weight = 2 where key in ('a', 'free/a')").await;
    let mut hand = world.hand().await;
    world.execute("update jobs.lanes set paused_at = app.now() where key in ('a', 'b')").await;
    // many slots, and one slot
    for (most, rounds) in [(300, 4), (1, 90)] {
        let before = [held(&world, "free/a").await, held(&world, "free/b").await];
        for _ in 0..rounds {
            hand.claim_some(most).await;
        }
        let (a, b) = (held(&world, "free/a").await - before[0], held(&world, "free/b").await - before[1]);
        let share = a as f64 / (a + b) as f64;
        assert!((0.6..=0.73).contains(&share), "{a} and {b} with {most} slots");
    }
    world.execute("update jobs.lanes set paused_at = app.now() where key like 'free/%'").await;
    world.execute("with l as (update jobs.lanes set paused_at = null where key in ('a', 'b') returning *) insert into jobs.wakes (tenant_number, queue, lane_id) select tenant_number, queue, id from l").await;
    let [a, b] = shares(&world, ["a", "b"], 1_500).await;
    let share = a as f64 / (a + b) as f64;
    assert!((0.6..=0.73).contains(&share), "{a} and {b} of the rate");
    world.finish().await;
}

async fn held(world: &EngineWorld, lane: &str) -> i64 {
    sqlx::query_scalar("select count(*) from jobs.running r join jobs.lanes l on l.id = r.lane_id where l.key = $1")
        .bind(lane)
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_budget_of_the_hour_and_one_of_the_day_end_with_the_clock_of_their_zone() {
    let world = EngineWorld::new().await;
    let gate = lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: None }).await;
    fill(&world, "a", 100, Act::Nothing).await;
    // half past ten at night in a zone that is half an hour off the full hours of UTC
    world
        .execute("update app.test_clock set shift = timestamptz '2026-03-01 22:30:00+05:30' - clock_timestamp()")
        .await;
    world.execute("update jobs.gates set hourly = 4, daily = 7, time_zone = 'Asia/Kolkata'").await;
    let mut hand = world.hand().await;
    assert_eq!(hand.claim_some(50).await.len(), 4);
    assert!(hand.claim(50).await.is_empty());
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let told = jobs::admin::find_gate(&mut tx, gate).await.unwrap().unwrap();
    drop(tx);
    assert_eq!(told.spent_until.unwrap().to_rfc3339(), "2026-03-01T17:30:00+00:00");
    world.advance(Duration::from_secs(31 * 60)).await;
    assert_eq!(hand.claim_some(50).await.len(), 3, "the day has three left");
    assert!(hand.claim(50).await.is_empty());
    world.advance(Duration::from_secs(58 * 60)).await;
    assert!(hand.claim(50).await.is_empty(), "a minute before midnight");
    world.advance(Duration::from_secs(2 * 60)).await;
    assert_eq!(hand.claim_some(50).await.len(), 4);
    world.finish().await;
}

#[tokio::test]
async fn a_rate_that_gives_a_token_in_a_million_years_stops_nobody_else() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "slow", Limits { rate: Some(1e-15), burst: 1.0, cap: None }).await;
    fill(&world, "slow", 3, Act::Nothing).await;
    let mut hand = world.hand().await;
    assert_eq!(hand.claim_some(10).await.len(), 1, "the burst");
    fill(&world, "free", 2, Act::Nothing).await;
    assert_eq!(hand.claim_some(10).await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_cap_that_was_taken_away_and_set_again_counts_what_runs_now() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: Some(1) }).await;
    fill(&world, "a", 1, Act::Wait).await;
    let worker = world.worker().await;
    e2e::eventually("it runs", || async { world.runs().len() == 1 }).await;
    lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: None }).await;
    world.open_latch();
    world.drained().await;
    lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: Some(1) }).await;
    fill(&world, "a", 2, Act::Nothing).await;
    world.drained().await;
    assert_eq!(world.runs().len(), 3);
    worker.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_lane_that_waited_long_takes_its_turn_and_not_all_it_missed() {
    let world = EngineWorld::new().await;
    let (busy, late) = (world.acme, world.tenant("late").await);
    let mut tx = world.tx_of(late).await;
    let closed = jobs::gate::configure(&mut tx, "line", Limits { rate: Some(0.001), burst: 1.0, cap: None }).await;
    jobs::lane::configure(&mut tx, WORK, "late", 1, &[closed.unwrap()]).await.unwrap();
    let mine: Vec<Do> = (0..400).map(|n| Do::nothing(format!("late/{n}"))).collect();
    Enqueue::new().lane("late").many(&mut tx, &mine).await.unwrap();
    tx.commit().await.unwrap();
    fill(&world, "busy", 3_000, Act::Nothing).await;
    let mut hand = world.hand().await;
    for _ in 0..100 {
        hand.claim_some(20).await;
    }
    let mut tx = world.tx_of(late).await;
    jobs::gate::configure(&mut tx, "line", Limits { rate: None, burst: 1.0, cap: None }).await.unwrap();
    tx.commit().await.unwrap();
    let mut theirs = 0;
    for _ in 0..20 {
        theirs += hand.claim_some(10).await.iter().filter(|job| job.tenant_number == busy.number).count();
    }
    assert!((70..=130).contains(&theirs), "{theirs} of 200");
    world.finish().await;
}

#[tokio::test]
async fn a_lane_whose_gate_is_not_there_waits_before_nothing() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: None }).await;
    fill(&world, "a", 2, Act::Nothing).await;
    world.execute("update jobs.lanes set gates = '{4711}'").await;
    let mut hand = world.hand().await;
    assert!(hand.claim(10).await.is_empty());
    assert_eq!(world.number("select count(*) from jobs.gate_waits").await, 0);
    world.execute("update jobs.lanes set gates = '{}'").await;
    world.advance(Duration::from_secs(2)).await;
    assert_eq!(hand.claim_some(10).await.len(), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_gate_before_which_nobody_waits_is_not_looked_at_for_ever() {
    let world = EngineWorld::new().await;
    lane_behind(&world, "a", Limits { rate: None, burst: 1.0, cap: None }).await;
    world
        .execute("insert into jobs.gate_waits (queue, gate_id, due_at) select l.queue, l.gates[1], app.clock() from jobs.lanes l")
        .await;
    let mut hand = world.hand().await;
    assert!(hand.claim(10).await.is_empty());
    assert_eq!(world.number("select count(*) from jobs.gate_waits").await, 0);
    world.finish().await;
}
