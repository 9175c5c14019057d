//! CAM-15: a shutdown marks a campaign as finished with recipients unsent.

use super::{
    fault::{end_backends, shuffled},
    fleet::{Fleet, Plan, WORKERS},
};
use crate::{chaos::rounds, scene::PAST_EVERYTHING};

const CONTACTS: usize = 400;
/// A gateway so slow that there is work for as long as faults strike.
const SLOW_MS: u64 = 2_000;

/// Calls that were marked under a lease that nobody holds any more.
const FORGOTTEN: &str = "select count(*) from crm.recipients r
 where r.state = 'sending' and not exists (select from jobs.leases l where l.fence = r.sending_fence)";

/// All workers are asked to end while their connections are. What the dead one held is left to be rescued; of the others nothing is.
async fn stands_still_in_order(fleet: &mut Fleet, dead: i32) {
    fleet.all_end(end_backends).await;
    let rows = fleet.scene.rows().await;
    assert!(rows.get("pending").copied().unwrap_or(0) > 0, "{rows:?}");
    assert_eq!(fleet.scene.leased_by_the_dead(&[dead]).await, 0, "a drained worker leaves no lease");
    let forgotten: i64 =
        sqlx::query_scalar(FORGOTTEN).fetch_one(&mut fleet.superuser().await).await.expect("recipients can be read");
    assert_eq!(forgotten, 0, "a drained worker leaves no call without its result");
    // nobody works, the server is started anew and time goes by
    let begun = fleet.scene.world.sends().len();
    fleet.ground.restart().await;
    fleet.scene.world.advance(PAST_EVERYTHING).await;
    let progress = fleet.scene.acme.progress(&fleet.scene.campaign).await;
    assert_eq!((&progress["state"], &progress["counts"]["pending"]), (&"active".into(), &rows["pending"].into()));
    assert_eq!(fleet.scene.world.sends().len(), begun);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cam_15_a_campaign_whose_workers_are_all_asked_to_end_goes_on_and_is_completed_once_with_nobody_left() {
    let rounds = rounds(1);
    let contacts = CONTACTS * rounds;
    let mut fleet = Fleet::start("CAM-15", 20_261_123, Plan { slots: 3, ..Plan::to(contacts) }).await;
    fleet.scene.world.sim.configure(|config| config.drop_answers_pct = 2.0);
    fleet.launches().await;
    let of = |percent: usize| (contacts * percent / 100) as u64;
    fleet.scene.until_sent(of(20)).await;
    end_backends(&mut fleet).await;
    fleet.scene.until_sent(of(40)).await;
    let victim = fleet.any_worker();
    let dead = fleet.kill(victim).await;
    stands_still_in_order(&mut fleet, dead).await;
    for _ in 0..WORKERS {
        fleet.add_worker().await;
    }
    // and while it goes on, more of it
    let ordinary = fleet.scene.world.sim.config().row_delay_ms;
    fleet.scene.world.sim.configure(|config| config.row_delay_ms = SLOW_MS);
    for _ in 0..rounds {
        for fault in shuffled(&mut fleet.rng) {
            fleet.gets_on(5).await;
            fault.strikes(&mut fleet).await;
        }
    }
    fleet.scene.world.sim.configure(|config| config.row_delay_ms = ordinary);
    fleet.settles().await;
    fleet.ends().await;
}
