//! CAM-03: something ticks and picks a running campaign up again.

use std::time::Duration;

use crm::{App, campaigns::ExpandAudience, messaging::sweep::SweepLines};
use db::{Actor, Db, Scope};
use e2e::{Tenant, eventually};
use jobs::{
    Enqueue,
    schedule::{Overlap, Schedule},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    fault::shuffled,
    fleet::{Fleet, Plan},
};
use crate::chaos::rounds;

const CONTACTS: usize = 3_000;
const TICK: Duration = Duration::from_secs(1);

/// What picks the campaign up each second: the sweep of its line by a schedule, a second launch, and the job of its first one.
struct Ticks {
    stop: CancellationToken,
    sweeping: JoinHandle<()>,
    launching: JoinHandle<usize>,
}

impl Ticks {
    fn begin(fleet: &Fleet) -> Self {
        let stop = CancellationToken::new();
        let db = fleet.scene.world.app.db.clone();
        let (sweeps, until) = (db.clone(), stop.clone());
        let sweeping = tokio::spawn(async move {
            let sweep = Schedule::new::<App, _>("field.sweep", "* * * * * *", chrono_tz::UTC, SweepLines {});
            jobs::schedule::run(&sweeps, &[sweep.overlap(Overlap::Queue)], until).await.expect("it was declared");
        });
        let (acme, campaign, until) = (fleet.scene.acme.clone(), fleet.scene.campaign.clone(), stop.clone());
        let launching = tokio::spawn(async move {
            let (mut tick, mut refused) = (tokio::time::interval(TICK), 0);
            while until.run_until_cancelled(tick.tick()).await.is_some() {
                refused += usize::from(launch_is_refused(&acme, &campaign).await);
                // while the server is away nothing is made, which is as well
                let _ = expand(&db, &campaign).await;
            }
            refused
        });
        Self { stop, sweeping, launching }
    }

    /// Answers how many launches were refused because the campaign had been launched.
    async fn end(self) -> usize {
        self.stop.cancel();
        self.sweeping.await.expect("sweeping does not panic");
        self.launching.await.expect("no launch succeeds")
    }
}

/// Whether the second launch was told that it is one; the server may be away instead.
async fn launch_is_refused(acme: &Tenant, campaign: &str) -> bool {
    let answer = acme.act(&format!("/campaigns/{campaign}/launch")).await;
    assert!(!answer.status.is_success(), "it was launched again: {}", answer.text);
    answer.status.as_u16() == 409
}

/// The job of a launch, made once more.
async fn expand(db: &Db, campaign: &str) -> anyhow::Result<()> {
    let mut platform = db.platform(db::Why::Operator).await?;
    let tenant: Uuid = sqlx::query_scalar("select tenant_id from crm.campaigns where id = $1::uuid")
        .bind(campaign)
        .fetch_one(platform.conn())
        .await?;
    drop(platform);
    let mut tx = db.tenant(tenant, Actor::Operator).await?;
    let again = ExpandAudience { campaign_id: campaign.parse::<Uuid>()?.into() };
    Enqueue::<App, ExpandAudience>::new().one(&mut tx, &again).await?;
    tx.commit().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cam_03_a_campaign_picked_up_again_each_second_reaches_each_of_3000_once() {
    let mut fleet = Fleet::start("CAM-03", 20_261_121, Plan { slots: 12, ..Plan::to(CONTACTS) }).await;
    fleet.scene.world.sim.configure(|config| {
        (config.drop_answers_pct, config.webhook_drop_pct, config.webhook_duplicate_pct) = (1.0, 5.0, 5.0);
    });
    fleet.launches().await;
    let ticks = Ticks::begin(&fleet);
    let rounds = rounds(1);
    // work goes on while faults strike, and the last one is to find some
    let between = CONTACTS / 2 / (rounds * 5);
    for _ in 0..rounds {
        for fault in shuffled(&mut fleet.rng) {
            fleet.gets_on(between as u64).await;
            fault.strikes(&mut fleet).await;
        }
    }
    eventually("the last call is over", || fleet.scene.is_over()).await;
    let refused = ticks.end().await;
    assert!(refused > 0, "nobody tried to launch it again");
    let again: i64 = sqlx::query_scalar(
        "select count(*) from jobs.history h join jobs.kinds k on k.id = h.kind where k.name = 'campaigns.expand' and h.state = 'completed'",
    )
    .fetch_one(&mut fleet.superuser().await)
    .await
    .expect("the history can be read");
    assert!(again > 1, "the job of the launch was made once only");
    let rows = fleet.settles().await;
    let progress = fleet.scene.acme.progress(&fleet.scene.campaign).await;
    assert_eq!((&progress["selected"], &progress["eligible"]), (&CONTACTS.into(), &CONTACTS.into()), "{progress}");
    let sent = CONTACTS as i64 - rows.get("held").copied().unwrap_or(0);
    assert_eq!(fleet.scene.world.sim.summary().total, sent.unsigned_abs(), "{rows:?}");
    fleet.ends().await;
}
