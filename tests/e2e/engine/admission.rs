//! Admission: a tenant with as much queued as it may is refused, others and what must go on are not.

use std::time::Duration;

use db::Why;
use jobs::{
    Enqueue, EnqueueError, Enqueued,
    admission::{self, Quota, Usage},
};

use super::{
    kinds::Do,
    operators::by,
    world::{End, EngineWorld, Owner},
};

const ROOMY: i64 = 1 << 40;

async fn set(world: &EngineWorld, tenant: i32, most_jobs: i64, most_bytes: i64) {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let quota = Some(Quota { most_jobs, most_bytes });
    jobs::admin::set_quota(&mut tx, tenant, quota, &by("a test")).await.unwrap();
    tx.commit().await.unwrap();
}
async fn sample(world: &EngineWorld) {
    world.advance(Duration::from_secs(2)).await;
    world.execute("select jobs.sample_usage(2000)").await;
}
async fn enqueue(world: &EngineWorld, owner: Owner, count: usize) -> Result<Vec<Enqueued>, EnqueueError> {
    let jobs: Vec<Do> = (0..count).map(|n| Do::nothing(n.to_string())).collect();
    let mut tx = world.tx_of(owner).await;
    let enqueued = Enqueue::new().many(&mut tx, &jobs).await?;
    tx.commit().await.unwrap();
    Ok(enqueued)
}
fn is_refused(result: &Result<Vec<Enqueued>, EnqueueError>) -> bool {
    matches!(result, Err(EnqueueError::QuotaExceeded { retry_after }) if *retry_after > Duration::from_secs(1))
}

#[tokio::test]
async fn over_its_quota_a_tenant_is_refused_until_jobs_have_ended_and_others_are_not() {
    let world = EngineWorld::new().await;
    let other = world.tenant("other").await;
    set(&world, world.acme.number, 10, ROOMY).await;
    enqueue(&world, world.acme, 8).await.unwrap();
    let mut tx = world.tx().await;
    Enqueue::new().wait(Duration::from_secs(3600)).one(&mut tx, &Do::nothing("later")).await.unwrap();
    tx.commit().await.unwrap();
    sample(&world).await;
    assert_eq!(admission::usage(&mut world.tx().await).await.unwrap().map(|usage| usage.jobs), Some(9));
    enqueue(&world, world.acme, 1).await.unwrap();
    let refused = enqueue(&world, world.acme, 2).await;
    assert!(is_refused(&refused), "{refused:?}");
    enqueue(&world, other, 50).await.unwrap();
    // what must go on is not refused
    let mut tx = world.tx().await;
    Enqueue::new().exempt().many(&mut tx, &[Do::nothing("a"), Do::nothing("b")]).await.unwrap();
    drop(tx);
    let mut hand = world.hand().await;
    let mut ended = 0;
    while ended < 59 {
        let leased = hand.claim_some(60).await;
        ended += hand.settle(&leased, End::Completed).await;
    }
    sample(&world).await;
    assert_eq!(admission::usage(&mut world.tx().await).await.unwrap(), None);
    enqueue(&world, world.acme, 12).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn bytes_count_too_and_an_operator_s_word_for_one_tenant_goes_before_what_holds_for_all() {
    let world = EngineWorld::new().await;
    let other = world.tenant("other").await;
    set(&world, 0, ROOMY, 1_000).await;
    set(&world, other.number, ROOMY, ROOMY).await;
    enqueue(&world, world.acme, 40).await.unwrap();
    enqueue(&world, other, 40).await.unwrap();
    sample(&world).await;
    assert!(is_refused(&enqueue(&world, world.acme, 1).await));
    enqueue(&world, other, 1).await.unwrap();
    set(&world, world.acme.number, ROOMY, ROOMY).await;
    enqueue(&world, world.acme, 1).await.unwrap();
    sample(&world).await;
    enqueue(&world, world.acme, 1).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_sample_of_part_of_the_pages_is_near_the_truth() {
    let world = EngineWorld::new().await;
    set(&world, world.acme.number, 10_000, ROOMY).await;
    for _ in 0..4 {
        enqueue(&world, world.acme, 5_000).await.unwrap();
    }
    world.advance(Duration::from_secs(2)).await;
    world.execute("select jobs.sample_usage(100)").await;
    let Usage { jobs, .. } = admission::usage(&mut world.tx().await).await.unwrap().unwrap();
    assert!((12_000..28_000).contains(&jobs), "{jobs}");
    world.finish().await;
}
