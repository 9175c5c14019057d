//! CAM-13: what a dead worker had leased is never freed.

use e2e::eventually;
use serde_json::json;

use super::{
    fault::Fault,
    fleet::{Fleet, Plan, WORKERS},
};
use crate::chaos::rounds;

/// Leased by the worker at its death, at least.
const LEASED: usize = 10;

/// The gateway takes calls and lets nothing out, so every slot of every worker has a call under way, and that state stays.
async fn every_slot_is_taken(fleet: &Fleet) {
    fleet.scene.world.sim.configure(|config| config.hold_sends = true);
    eventually("every slot has its call under way", || async {
        let (calls, marks) = (fleet.scene.world.sim.summary().in_flight, fleet.scene.sending_to().await.len());
        (calls, marks) == ((WORKERS * LEASED) as u64, WORKERS * LEASED)
    })
    .await;
}

/// Of the dead: how many sends were taken from each, and how often the same worker has looked for dead ones after the lease and before that.
/// Once is right: somebody else was at it in the same moment.
const MISSED: &str = "
select d.pid, count(distinct r.job_id), max(coalesce(m.looks, 0))
  from public.rescues r
  join public.departures d on (d.process, d.xact) = (r.process, r.xact)
  join jobs.history h on h.id = r.job_id join jobs.kinds k on k.id = h.kind and k.name = 'campaigns.send'
  left join lateral (
    select count(*) as looks from public.looks l where l.at > d.lease_until and l.at < r.at group by l.session order by 1 desc limit 1) m on true
 where d.pid = any($1) group by 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cam_13_ten_jobs_of_a_killed_worker_are_leased_again_at_the_first_look_after_the_lease() {
    let rounds = rounds(2);
    let plan = Plan {
        slots: LEASED,
        // no call is given up while the gateway lets nothing out
        line: json!({ "send_timeout_s": 120, "resolve_after_s": 30 }),
        ..Plan::to(100 + 120 * rounds)
    };
    let mut fleet = Fleet::start("CAM-13", 20_261_122, plan).await;
    // of half of what the dead have begun the webhooks do not tell either
    fleet.scene.world.sim.configure(|config| config.webhook_drop_pct = 50.0);
    fleet.launches().await;
    let mut dead = Vec::new();
    for round in 0..rounds {
        fleet.gets_on(40).await;
        every_slot_is_taken(&fleet).await;
        let victim = fleet.any_worker();
        let pid = fleet.kill(victim).await;
        let fault = if round % 2 == 0 { Fault::EndBackends } else { Fault::RestartServer };
        fault.strikes(&mut fleet).await;
        fleet.forgets(pid).await;
        // what the dead have begun leaves when others are at it already
        fleet.scene.world.sim.configure(|config| config.hold_sends = false);
        dead.push(pid);
    }
    let rows = fleet.settles().await;
    assert_eq!(rows.get("held"), None, "each call of the dead was under way and has left: {rows:?}");
    let missed: Vec<(i32, i64, i64)> =
        sqlx::query_as(MISSED).bind(&dead).fetch_all(&mut fleet.superuser().await).await.expect("what was seen");
    assert_eq!(missed.len(), dead.len(), "{missed:?}");
    for (pid, jobs, looks) in missed {
        assert!(jobs >= LEASED as i64, "{jobs} jobs of the worker {pid} were taken from it");
        assert!(looks <= 1, "a worker looked {looks} times before the jobs of {pid} were taken");
    }
    fleet.ends().await;
}
