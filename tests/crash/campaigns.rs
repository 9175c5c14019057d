//! A campaign while its workers die, stall, lose the database and are asked to end.

use std::{collections::BTreeSet, time::Duration};

use e2e::eventually;
use nix::sys::signal::Signal;
use serde_json::json;
use sim::bluebubbles::Behaviour;

use crate::{
    process::{OUTBOUND_SLOTS, Process},
    scene::{PAST_EVERYTHING, Scene},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_mid_campaign_lose_nothing_and_send_nothing_twice() {
    let (scene, first) = Scene::launched(400).await;
    scene.world.sim.configure(|config| config.drop_answers_pct = 1.0);
    let mut workers = vec![first, Process::start(&scene.world).await];
    for level in [60, 130, 200, 280] {
        scene.until_sent(level).await;
        workers.remove(0).kill().await;
        workers.push(Process::start(&scene.world).await);
    }
    scene.concludes(workers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cam_01_a_pause_a_kill_and_a_resume_reach_each_address_once() {
    let (scene, worker) = Scene::launched(250).await;
    scene.until_sent(100).await;
    let paused = scene.acme.act(&format!("/campaigns/{}/pause", scene.campaign)).await.expect(200);
    assert_eq!(paused["state"], "paused");
    worker.kill().await;
    scene.until_quiet().await;
    let left = scene.world.sim.summary().total;
    assert!(left < 250, "the pause came too late");
    let worker = Process::start(&scene.world).await;
    scene.world.advance(PAST_EVERYTHING).await;
    scene.rescued(&[worker.pid]).await;
    assert_eq!(scene.world.sim.summary().total, left, "a paused campaign sends nothing");
    let resumed = scene.acme.act(&format!("/campaigns/{}/resume", scene.campaign)).await.expect(200);
    assert_eq!(resumed["state"], "active");
    scene.concludes(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cam_13_jobs_of_a_killed_worker_are_leased_again_after_the_lease() {
    let (scene, worker) = Scene::drafted(60, json!({ "send_timeout_s": 60, "resolve_after_s": 61 })).await;
    let hanging: BTreeSet<String> = (20..20 + OUTBOUND_SLOTS).map(|n| format!("+1305556{n:04}")).collect();
    for address in &hanging {
        scene.world.sim.rule_behaviour(address, Behaviour::HangBefore);
    }
    scene.launch().await;
    // they occupy every slot for good, so this state stays
    eventually("every slot hangs", || async { scene.sending_to().await == hanging }).await;
    worker.kill().await;
    scene.world.sim.clear_rules();
    let worker = Process::start(&scene.world).await;
    eventually("the others are sent", || async { !scene.rows().await.contains_key("pending") }).await;
    let leased = scene.leased_by_the_dead(&[worker.pid]).await;
    assert!(
        leased >= i64::try_from(OUTBOUND_SLOTS).expect("a count"),
        "a lease holds until its time is over: {leased}"
    );
    let rows = scene.concludes(vec![worker]).await;
    assert_eq!(
        rows.get("held"),
        Some(&i64::try_from(hanging.len()).expect("a count")),
        "what never left is not called sent"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cam_15_a_worker_asked_to_end_does_so_and_another_finishes() {
    let (scene, worker) = Scene::launched(200).await;
    scene.until_sent(80).await;
    worker.signal(Signal::SIGTERM);
    let status = worker.ended(Duration::from_secs(20)).await;
    assert!(status.success(), "{status}");
    let rows = scene.rows().await;
    assert!(rows.get("pending").copied().unwrap_or(0) > 0, "{rows:?}");
    assert_eq!(rows.get("sending"), None, "a drained worker leaves no call without its result");
    assert_eq!(scene.acme.progress(&scene.campaign).await["state"], "active");
    assert_eq!(scene.leased_by_the_dead(&[]).await, 0, "a drained worker leaves no lease");
    let worker = Process::start(&scene.world).await;
    let rows = scene.concludes(vec![worker]).await;
    assert_eq!(rows.get("held"), None, "{rows:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_cut_off_from_the_database_lose_nothing_and_send_nothing_twice() {
    let (scene, first) = Scene::launched(300).await;
    let workers = vec![first, Process::start(&scene.world).await];
    for level in [50, 110, 170, 230] {
        scene.until_sent(level).await;
        assert!(scene.world.database.cut("paloma-worker").await > 0, "there were connections to cut");
    }
    scene.concludes(workers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stopped_for_twice_its_lease_comes_back_and_does_no_harm() {
    let (scene, stalled) = Scene::launched(200).await;
    scene.until_sent(60).await;
    stalled.signal(Signal::SIGSTOP);
    scene.until_quiet().await;
    scene.world.advance(PAST_EVERYTHING).await;
    scene.end_idle_transactions().await;
    let other = Process::start(&scene.world).await;
    scene.rescued(&[other.pid]).await;
    scene.until_sent(130).await;
    stalled.signal(Signal::SIGCONT);
    scene.concludes(vec![stalled, other]).await;
}
