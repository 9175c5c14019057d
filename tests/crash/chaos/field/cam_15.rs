//! CAM-15: a shutdown marks a campaign as finished with recipients unsent.

use e2e::eventually;

use super::{
    fault::{end_backends, shuffled},
    fleet::{Fleet, Plan, WORKERS},
};
use crate::{chaos::rounds, scene::PAST_EVERYTHING};

const CONTACTS: usize = 400;
/// A gateway so slow that there is work for as long as faults strike.
const SLOW_MS: u64 = 2_000;

fn answers_after(fleet: &Fleet, row_delay_ms: u64) {
    fleet.scene.world.sim.configure(|config| config.row_delay_ms = row_delay_ms);
}

/// Looks at where the campaign stands, each of which would complete it if nobody waited.
async fn looks(fleet: &Fleet) -> i64 {
    sqlx::query_scalar(
        "select count(*) from jobs.history h join jobs.kinds k on k.id = h.kind where k.name = 'campaigns.progress' and h.state = 'completed'",
    )
    .fetch_one(&mut fleet.superuser().await)
    .await
    .expect("the history can be read")
}

/// All workers are asked to end while their connections are: nothing is left of them but recipients who wait.
async fn all_end_in_order(fleet: &mut Fleet) {
    fleet.all_end(end_backends).await;
    assert_eq!(fleet.scene.leased_by_the_dead(&[]).await, 0, "a drained worker leaves no lease");
    let rows = fleet.scene.rows().await;
    assert_eq!(rows.get("sending"), None, "a drained worker leaves no call without its result: {rows:?}");
    assert!(rows.get("pending").copied().unwrap_or(0) > 0, "{rows:?}");
}

/// The server is started anew, time goes by, and the one worker there is makes no calls but looks whether the campaign is over.
async fn nobody_calls(fleet: &mut Fleet) {
    let (begun, looked) = (fleet.scene.world.sends().len(), looks(fleet).await);
    fleet.ground.restart().await;
    fleet.scene.world.advance(PAST_EVERYTHING).await;
    fleet.add_worker_without_calls().await;
    eventually("somebody looks whether it is over", || async { looks(fleet).await > looked }).await;
    assert_eq!(fleet.scene.acme.progress(&fleet.scene.campaign).await["state"], "active");
    assert_eq!(fleet.scene.world.sends().len(), begun);
    fleet.all_end(async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cam_15_a_campaign_whose_workers_are_all_asked_to_end_goes_on_and_is_completed_once_with_nobody_left() {
    let rounds = rounds(1);
    let contacts = CONTACTS * rounds;
    let mut fleet = Fleet::start("CAM-15", 20_261_123, Plan { slots: 3, ..Plan::to(contacts) }).await;
    let ordinary = fleet.scene.world.sim.config().row_delay_ms;
    fleet.scene.world.sim.configure(|config| config.drop_answers_pct = 2.0);
    fleet.launches().await;
    let of = |percent: usize| (contacts * percent / 100) as u64;
    fleet.scene.until_sent(of(20)).await;
    answers_after(&fleet, SLOW_MS);
    let victim = fleet.any_worker();
    let dead = fleet.kill(victim).await;
    fleet.forgets(dead).await;
    answers_after(&fleet, ordinary);
    fleet.scene.until_sent(of(40)).await;
    all_end_in_order(&mut fleet).await;
    nobody_calls(&mut fleet).await;
    for _ in 0..WORKERS {
        fleet.add_worker().await;
    }
    // and while it goes on, more of it
    answers_after(&fleet, SLOW_MS);
    for _ in 0..rounds {
        for fault in shuffled(&mut fleet.rng) {
            fleet.gets_on(5).await;
            fault.strikes(&mut fleet).await;
        }
    }
    answers_after(&fleet, ordinary);
    fleet.settles().await;
    fleet.ends().await;
}
