//! CAM-19: campaigns that do not share the limit of their line.

use std::time::Duration;

use serde_json::json;

use super::{
    fault::shuffled,
    fleet::{Fleet, Plan},
};
use crate::chaos::rounds;

/// Of the line.
const PER_MINUTE: f64 = 60.0;
const BURST: f64 = 5.0;
/// Time passes so much faster that windows of a minute come and go; as many tokens as it brings may be saved up.
const STEP: Duration = Duration::from_secs(5);
/// Longer than some steps, so that no worker that lives is taken for dead by them.
const LEASE: Duration = Duration::from_secs(20);
/// Recipients of each campaign for one round of faults.
const CONTACTS: usize = 45;

/// When tokens were taken, by the database's clock, one row a token: as many as jobs were leased, whatever became of the lease.
const TAKEN: &str = "
select extract(epoch from g.leased_at)::float8, l.key from public.grants g join jobs.lanes l on l.id = g.lane_id cross join lateral unnest(g.job_ids)
 where l.key like 'campaign/%' order by 1";

/// The most that one window lets through, and how long it is, where it is more than the rate and the burst allow.
fn beyond_the_rate(taken: &[f64]) -> Option<String> {
    for (first, from) in taken.iter().enumerate() {
        for (last, to) in taken.iter().enumerate().skip(first) {
            let (granted, window) = ((last - first + 1) as f64, to - from);
            if granted > BURST + PER_MINUTE / 60.0 * window + 1e-3 {
                return Some(format!("{granted} starts in {window} s"));
            }
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cam_19_two_campaigns_of_one_line_share_its_rate_of_60_a_minute() {
    let rounds = rounds(1);
    let line = json!({
        "unlimited": false, "rate_per_minute": PER_MINUTE, "burst": BURST, "cap": 50, "send_timeout_s": 20, "resolve_after_s": 25,
    });
    let plan = Plan { lease: LEASE, line, ..Plan::to(CONTACTS * rounds) };
    let mut fleet = Fleet::start("CAM-19", 20_261_124, plan).await;
    fleet.scene.drafts_another("Otra para {{firstName}}").await;
    fleet.scene.world.sim.configure(|config| config.drop_answers_pct = 2.0);
    fleet.launches().await;
    for _ in 0..rounds {
        for fault in shuffled(&mut fleet.rng) {
            for _ in 0..3 {
                fleet.gets_on(4).await;
                fleet.scene.world.advance(STEP).await;
            }
            fault.strikes(&mut fleet).await;
        }
    }
    while fleet.scene.waiting().await > 0 {
        fleet.scene.world.advance(STEP).await;
        fleet.gets_on(1).await;
    }
    fleet.settles().await;
    let taken: Vec<(f64, String)> =
        sqlx::query_as(TAKEN).fetch_all(&mut fleet.superuser().await).await.expect("what was seen can be read");
    let times: Vec<f64> = taken.iter().map(|(at, _)| *at).collect();
    assert_eq!(beyond_the_rate(&times), None);
    let minute = times.iter().map(|from| times.iter().filter(|at| (0.0..60.0).contains(&(*at - from))).count()).max();
    let minute = minute.expect("tokens were taken");
    assert!(minute as f64 <= PER_MINUTE + BURST, "{minute} in a minute");
    assert!(times[times.len() - 1] - times[0] > 60.0, "there was a minute");
    // neither waited for the other: half-way each had had a good part
    for campaign in fleet.scene.campaigns() {
        let key = format!("campaign/{campaign}");
        let early = taken[..times.len() / 2].iter().filter(|(_, lane)| *lane == key).count();
        assert!(early > times.len() / 8, "{early} of the first {} were of one campaign", times.len() / 2);
    }
    fleet.ends().await;
}

#[test]
fn a_minute_with_one_more_than_the_rate_and_the_burst_is_found() {
    let mut taken = vec![0.0; BURST as usize];
    taken.extend((1..=60).map(f64::from));
    assert_eq!(beyond_the_rate(&taken), None);
    taken.push(60.0);
    assert!(beyond_the_rate(&taken).is_some());
}
