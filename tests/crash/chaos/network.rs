//! Faults of the network between workers and the server: connections that are cut, slow, or open with nobody at the other end.

use std::time::Duration;

use db::{Db, Why};
use e2e::Database;
use tokio::time::timeout;

use super::{proxy::Proxy, rounds, scene::Scene};

/// More than the pool takes for its questions.
const LEFT_AFTER: Duration = Duration::from_secs(4);

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
    db.close();
    database.drop().await;
}

/// After each of the answers that follow a commit or a rollback.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_goes_silent_while_it_is_given_back_does_not_keep_its_place() {
    let database = Database::new().await;
    let (way, db) = reached(&database, 1).await;
    for (answers, commits) in [(1, true), (2, true), (1, false), (2, false)] {
        let tx = db.platform(Why::Operator).await.expect("a transaction");
        way.swallow_after(answers);
        if commits {
            tx.commit().await.expect("its answer is the first");
        } else {
            drop(tx);
        }
        // one that has begun when it goes silent is left by who waits for it, as a worker's watch does
        let next = async { while !matches!(timeout(LEFT_AFTER, db.platform(Why::Operator)).await, Ok(Ok(_))) {} };
        timeout(Duration::from_secs(20), next).await.expect("a place is free again");
    }
    db.close();
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_notices_that_nobody_is_left_to_hear() {
    let database = Database::new().await;
    let (way, db) = reached(&database, 1).await;
    let mut listener = db.listen(&["anything"]).await.expect("a listener");
    way.swallow();
    let heard = timeout(Duration::from_secs(20), listener.recv()).await.expect("it does not wait for ever");
    assert!(matches!(heard, Err(db::Error::NoAnswer(_))), "{heard:?}");
    db.close();
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
