//! Faults of the network between workers and the server: connections that are cut, slow, or open with nobody at the other end.

use std::time::Duration;

use db::{Db, Why};
use e2e::Database;

use super::{proxy::Proxy, rounds, scene::Scene};

/// A database reached by a way that can be broken, with so many connections.
async fn reached(database: &Database, connections: u32) -> (Proxy, Db) {
    let way = Proxy::open(database.socket()).await;
    let url = way.url("paloma", &database.name);
    let db = Db::connect(db::Options { url, direct_url: None, name: "chaos tests", connections }).await;
    (way, db.expect("a database behind its wall"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_connections_do_not_keep_their_place_in_the_pool() {
    let database = Database::new().await;
    let (way, db) = reached(&database, 2).await;
    let held = [db.platform(Why::Operator).await, db.platform(Why::Operator).await];
    way.swallow();
    drop(held);
    let next = db.platform(Why::Operator).await.expect("a place is free again");
    drop(next);
    db.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_notices_that_nobody_is_left_to_hear() {
    let database = Database::new().await;
    let (way, db) = reached(&database, 1).await;
    let mut listener = db.listen(&["anything"]).await.expect("a listener");
    way.swallow();
    let heard =
        tokio::time::timeout(Duration::from_secs(20), listener.recv()).await.expect("it does not wait for ever");
    assert!(matches!(heard, Err(db::Error::NoAnswer(_))), "{heard:?}");
    db.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_half_open_also_when_a_worker_is_asked_to_end() {
    let mut scene = Scene::start("half-open sockets", 20_261_106).await;
    for _ in 0..rounds(1) {
        scene.gets_on(60).await;
        scene.way.swallow();
        scene.each_worker_gets_on().await;
        scene.way.swallow_all_to_come();
        let victim = scene.any_worker();
        let status = scene.workers.swap_remove(victim).end().await;
        assert!(status.success(), "{status}");
        scene.way.swallow();
        let heir = scene.worker();
        scene.workers.push(heir);
        scene.each_worker_gets_on().await;
    }
    scene.concludes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_slow_and_then_cut() {
    let scene = Scene::start("slow and cut connections", 20_261_107).await;
    for _ in 0..rounds(2) {
        scene.way.delay(Duration::from_millis(15));
        scene.gets_on(40).await;
        scene.way.cut();
        scene.way.delay(Duration::ZERO);
        scene.gets_on(40).await;
    }
    scene.concludes().await;
}
