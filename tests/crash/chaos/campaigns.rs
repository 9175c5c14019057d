//! A campaign of the product under the faults of the way to the database: the binaries as they are shipped, and all their SQL.

use serde_json::json;

use e2e::{Database, World};

use super::{LEASE, pooler::Pooler, proxy::Proxy};
use crate::{process::Process, scene::Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_on_half_open_connections_loses_nothing_and_sends_nothing_twice() {
    let world = World::without_workers().await;
    let way = Proxy::open(world.database.socket()).await;
    let url = way.url("paloma", &world.database.name);
    let workers = vec![Process::start_by(&world, &url, LEASE).await, Process::start_by(&world, &url, LEASE).await];
    let scene = Scene::drafted_in(world, 200, json!({})).await;
    scene.launch().await;
    scene.until_sent(60).await;
    way.swallow();
    scene.until_sent(120).await;
    scene.concludes(workers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_behind_a_pooler_reaches_each_address_once() {
    let database = Database::new().await;
    let way = Proxy::open(database.socket()).await;
    let Some(pooler) = Pooler::start(way.port()).await else {
        println!("skipped: pgbouncer is not installed (Debian's package of that name)");
        return;
    };
    let url = pooler.url(&database.name);
    let mut world = World::behind_a_pooler(database, url).await;
    world.start_worker().await;
    let scene = Scene::drafted_in(world, 150, json!({})).await;
    scene.launch().await;
    scene.until_sent(150).await;
    scene.acme.until(&scene.campaign, "completed").await;
    scene.world.settle().await;
    let summary = scene.world.sim.summary();
    assert_eq!((summary.total, summary.distinct_addresses, summary.duplicates), (150, 150, 0), "{summary:?}");
    scene.world.finish().await;
}
