//! Faults of the database server: backends ended, a restart, an immediate stop, a kill, no connection left, a snapshot held for ever.

use std::time::{Duration, Instant};

use cli::cluster::DATABASE;
use nix::sys::signal::Signal;
use rand::{Rng, rngs::StdRng};
use sqlx::{Connection, PgConnection};

use super::{
    ground::{Ground, options},
    rounds,
    scene::Scene,
};

/// Ends some of the backends that serve workers.
pub async fn end_backends(scene: &mut Scene) {
    let mut superuser = scene.superuser().await;
    end_some_backends(&mut superuser, &mut scene.rng).await;
}

/// The same by that connection, as those dice fall.
pub async fn end_some_backends(superuser: &mut PgConnection, rng: &mut StdRng) {
    let (share, seed): (f64, f64) = (rng.random_range(0.3..1.0), rng.random_range(-1.0..1.0));
    sqlx::query("select setseed($1)").bind(seed).execute(&mut *superuser).await.expect("a seed");
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'paloma-worker' and random() < $1",
    )
    .bind(share)
    .execute(superuser)
    .await
    .expect("backends are ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_are_ended() {
    let mut scene = Scene::start("backend termination", 20_261_104).await;
    for _ in 0..rounds(6) {
        scene.gets_on(20).await;
        end_backends(&mut scene).await;
    }
    scene.concludes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_restarted_stopped_at_once_and_killed() {
    let mut scene = Scene::start("Postgres restart, immediate stop, kill", 20_261_105).await;
    for _ in 0..rounds(1) {
        scene.gets_on(50).await;
        scene.ground.restart().await;
        scene.gets_on(50).await;
        scene.ground.stop_at_once_and_start().await;
        scene.gets_on(50).await;
        scene.ground.kill_and_start().await;
        scene.gets_on(50).await;
    }
    scene.concludes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_asked_to_end_while_the_server_is_away() {
    let mut scene = Scene::start("shutdown without the server", 20_261_115).await;
    for _ in 0..rounds(1) {
        scene.gets_on(50).await;
        let victim = scene.any_worker();
        let victim = scene.workers.swap_remove(victim);
        scene.ground.cluster.kill9().expect("it runs");
        victim.signal(Signal::SIGTERM);
        scene.ground.restart().await;
        let status = victim.ended().await;
        assert!(status.success(), "{status}");
        let heir = scene.worker();
        scene.workers.push(heir);
        scene.each_worker_gets_on().await;
    }
    scene.concludes().await;
}

/// Takes every connection that the server has for its workers, until none of them has one.
async fn crowd_out(scene: &Scene) -> Vec<PgConnection> {
    let (mut crowd, mut superuser) = (Vec::new(), scene.superuser().await);
    loop {
        let left: i64 = sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'paloma-worker'",
        )
        .fetch_one(&mut superuser)
        .await
        .expect("a superuser's place is kept");
        if left == 0 && !crowd.is_empty() {
            return crowd;
        }
        while let Ok(one) = PgConnection::connect(&scene.home.url("paloma", DATABASE)).await {
            crowd.push(one);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_is_left() {
    let ground = Ground::start_with(options().set("max_connections", "70")).await;
    let scene = Scene::on(ground, "pool exhaustion", 20_261_108).await;
    for _ in 0..rounds(1) {
        scene.gets_on(50).await;
        let crowd = crowd_out(&scene).await;
        scene.lasts(Duration::from_secs(2)).await;
        drop(crowd);
        scene.each_worker_gets_on().await;
    }
    scene.concludes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_held_for_ever() {
    let scene = Scene::start("a pinned snapshot", 20_261_109).await;
    let mut holder = scene.superuser().await;
    sqlx::raw_sql("begin isolation level repeatable read; select count(*) from jobs.jobs")
        .execute(&mut holder)
        .await
        .expect("a snapshot");
    let mut took = Vec::new();
    for _ in 0..rounds(3) {
        let since = Instant::now();
        scene.gets_on(250).await;
        took.push(since.elapsed());
    }
    // rows that are dead and can't be taken away make each claim dearer, but not by much
    let (first, last) = (took[0], took[took.len() - 1]);
    assert!(last < first * 5 + Duration::from_secs(5), "{took:?}");
    sqlx::raw_sql("commit").execute(&mut holder).await.expect("it is let go");
    scene.concludes().await;
}
