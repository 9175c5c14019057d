//! Faults of the database server: backends ended, a restart, an immediate stop, a kill, no connection left, a snapshot held for ever.

use rand::Rng;

use super::{rounds, scene::Scene};

/// Ends some of the backends that serve workers.
async fn end_backends(scene: &mut Scene) {
    let share: f64 = scene.rng.random_range(0.3..1.0);
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'paloma-worker' and random() < $1",
    )
    .bind(share)
    .execute(&mut scene.superuser().await)
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
