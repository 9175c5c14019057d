//! Fairness: by tenant, then by lane, and a person's reply before bulk. Judged by order, not by the clock.

use jobs::Enqueue;

use super::{
    kinds::Do,
    world::{End, EngineWorld},
};

fn jobs(name: &str, count: usize) -> Vec<Do> {
    (0..count).map(|n| Do::nothing(format!("{name}/{n}"))).collect()
}

#[tokio::test]
async fn one_job_of_a_small_tenant_does_not_wait_behind_twenty_thousand() {
    let world = EngineWorld::new().await;
    let small = world.tenant("small").await;
    for chunk in jobs("bulk", 20_000).chunks(5_000) {
        world.enqueue_many(Enqueue::new().lane("campaign/1"), chunk).await;
    }
    let mut hand = world.hand().await;
    for _ in 0..5 {
        let leased = hand.claim_some(100).await;
        hand.settle(&leased, End::Completed).await;
    }
    let mut tx = world.tx_of(small).await;
    Enqueue::new().one(&mut tx, &Do::nothing("small")).await.unwrap();
    tx.commit().await.unwrap();
    let mut before = 0;
    loop {
        let leased = hand.claim_some(20).await;
        if leased.iter().any(|job| job.tenant_number == small.number) {
            break;
        }
        before += leased.len();
        assert!(before <= 20, "{before} of the other tenant's jobs went first");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_tenant_with_five_lanes_gets_no_more_than_one_with_one() {
    let world = EngineWorld::new().await;
    let single = world.tenant("single").await;
    for lane in 0..5 {
        world.enqueue_many(Enqueue::new().lane(format!("campaign/{lane}")), &jobs("five", 400)).await;
    }
    let mut tx = world.tx_of(single).await;
    Enqueue::new().lane("campaign/x").many(&mut tx, &jobs("one", 1_000)).await.unwrap();
    tx.commit().await.unwrap();
    let mut hand = world.hand().await;
    let (mut theirs, mut all) = (0, 0);
    while all < 1_000 {
        let leased = hand.claim_some(20).await;
        theirs += leased.iter().filter(|job| job.tenant_number == single.number).count();
        all += leased.len();
        hand.settle(&leased, End::Completed).await;
    }
    let share = theirs as f64 / all as f64;
    assert!((0.42..=0.58).contains(&share), "the tenant with one lane got {share}");
    world.finish().await;
}

#[tokio::test]
async fn a_person_s_reply_goes_before_every_campaign() {
    let world = EngineWorld::new().await;
    for lane in 0..3 {
        world.enqueue_many(Enqueue::new().lane(format!("campaign/{lane}")), &jobs("bulk", 500)).await;
    }
    let mut hand = world.hand().await;
    hand.claim_some(50).await;
    let replies = world.enqueue_many(Enqueue::new().lane("line/1/direct").class(0), &jobs("reply", 7)).await;
    let next = hand.claim_some(7).await;
    let mut ids: Vec<i64> = next.iter().map(|job| job.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, replies.iter().map(|one| one.job_id()).collect::<Vec<_>>());
    world.finish().await;
}

#[tokio::test]
async fn inside_a_lane_jobs_start_in_the_order_they_came() {
    let world = EngineWorld::new().await;
    let ids: Vec<i64> =
        world.enqueue_many(Enqueue::new(), &jobs("x", 100)).await.iter().map(|one| one.job_id()).collect();
    let mut hand = world.hand().await;
    let mut order = Vec::new();
    while order.len() < 100 {
        let mut ids: Vec<i64> = hand.claim_some(9).await.iter().map(|job| job.id).collect();
        ids.sort_unstable();
        order.extend(ids);
    }
    assert_eq!(order, ids);
    world.finish().await;
}
