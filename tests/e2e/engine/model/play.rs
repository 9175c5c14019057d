//! Plays a sequence against the database and the model, and asks after each step whether they agree.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use db::{Scope, Why};
use jobs::{Leased, gate::Limits};
use uuid::Uuid;

use super::{
    op::{HANDS, LANES, Op, Outcome},
    reference::{Entry, Gate, Lane, Model, Seen, Span, State},
};
use crate::engine::{
    kinds::WORK,
    world::{EngineWorld, Hand, Owner},
};

const CAP: i32 = 2;
const RATE: f64 = 0.02;
const BURST: f64 = 3.0;
/// Longer than any wait of a step and than a bucket takes to fill.
const LONG: Duration = Duration::from_secs(400);

/// A process as it knows itself.
pub struct Worker {
    pub hand: Hand,
    pub held: Vec<Leased>,
    /// Claims all of whose jobs have ended, to be told at the next settle.
    pub over: Vec<i64>,
    /// It has claimed without hearing the answer: it asks for that before anything else.
    pub has_lost: bool,
}

pub struct Play<'a> {
    pub world: &'a EngineWorld,
    pub owners: [Owner; LANES],
    pub workers: Vec<Worker>,
    pub model: Model,
    /// Leases that are over, with the process that had them.
    pub over: Vec<(Uuid, Leased)>,
    pub capped: i64,
    pub began: DateTime<Utc>,
}

/// Two lanes of either tenant; the second passes a cap, the last a bucket.
pub const fn key(lane: usize) -> &'static str {
    ["plain", "capped", "plain", "bucket"][lane]
}

pub async fn all(world: &EngineWorld, ops: &[Op]) -> Result<()> {
    let mut play = Play::new(world).await;
    for (n, op) in ops.iter().enumerate() {
        let told = || format!("step {n}, {op:?}");
        play.step(op).await.with_context(told)?;
        play.look().await.with_context(told)?;
    }
    play.run_out().await.context("afterwards")
}

impl<'a> Play<'a> {
    async fn new(world: &'a EngineWorld) -> Self {
        let other = world.tenant("other").await;
        let owners = [world.acme, world.acme, other, other];
        let mut lanes = Vec::new();
        let mut capped = 0;
        for (lane, owner) in owners.iter().enumerate() {
            let mut tx = world.tx_of(*owner).await;
            let limits = match lane {
                1 => Some(Limits { rate: None, burst: 1.0, cap: Some(CAP) }),
                3 => Some(Limits { rate: Some(RATE), burst: BURST, cap: None }),
                _ => None,
            };
            let mut gates = Vec::new();
            if let Some(limits) = limits {
                gates.push(jobs::gate::configure(&mut tx, key(lane), limits).await.unwrap());
            }
            jobs::lane::configure(&mut tx, WORK, key(lane), 1, &gates).await.unwrap();
            tx.commit().await.unwrap();
            let gate = match lane {
                1 => Gate::Cap(CAP),
                3 => Gate::Bucket { rate: RATE, burst: BURST, tokens: BURST, at: clock(world).await },
                _ => Gate::None,
            };
            if lane == 1 {
                capped = gates[0];
            }
            lanes.push(Lane { gate, is_paused: false, is_cancelled: false });
        }
        let mut workers = Vec::new();
        for _ in 0..HANDS {
            workers.push(Worker::new(world).await);
        }
        let began = clock(world).await;
        Self { world, owners, workers, model: Model::new(lanes), over: Vec::new(), capped, began }
    }

    /// The step has ended: the database shows what the model says, and the laws hold.
    async fn look(&mut self) -> Result<()> {
        let span = self.span().await;
        let mut tx = self.world.db.platform(Why::Operator).await.unwrap();
        let rows: Vec<Seen> = sqlx::query_as(
            "select l.id, l.state, (l.attempt - case when l.state = 'running' then 1 else 0 end)::smallint as attempt, l.crashes, l.run_at,
                    l.leased_by, l.lease_fence from jobs.live l
             union all select s.id, 'scheduled', s.attempt, s.crashes, s.run_at, null, null from jobs.scheduled s
             union all select e.* from (
               select distinct on (h.id) h.id, h.state, h.attempt, null::smallint, h.run_at, null::uuid, null::bigint
                 from jobs.history h order by h.id, h.finished_at desc) e
              where not exists (select from jobs.jobs j where j.id = e.id)
                and not exists (select from jobs.scheduled s where s.id = e.id)",
        )
        .fetch_all(tx.conn())
        .await
        .unwrap();
        let beyond: Vec<i64> = sqlx::query_scalar(
            "select r.id from jobs.running r join jobs.turns u on u.lane_id = r.lane_id
              where (r.priority, r.run_at, r.id) > (u.passed_priority, u.passed_run_at, u.passed_id)",
        )
        .fetch_all(tx.conn())
        .await
        .unwrap();
        drop(tx);
        self.model.agrees(&rows, span)?;
        ensure!(beyond.is_empty(), "{beyond:?} run beyond the place up to which their lane was leased");
        let violations = jobs::testing::violations(&self.world.db).await.unwrap();
        ensure!(violations.is_empty(), "{violations:?}");
        self.began = clock(self.world).await;
        Ok(())
    }

    /// Whatever happened, what is left in open lanes runs and ends.
    async fn run_out(&mut self) -> Result<()> {
        for lane in 0..LANES {
            self.step(&Op::Resume { lane }).await?;
        }
        for _ in 0..60 {
            self.world.advance(LONG).await;
            for hand in 0..HANDS {
                self.workers[hand].hand.renew(&[]).await;
                self.step(&Op::ClaimAll { hand }).await?;
                self.look().await?;
                self.step(&Op::Settle { hand, from: 0, count: usize::MAX, outcome: Outcome::Completed }).await?;
                self.look().await?;
            }
            let ends = |job: &Entry| match job.state {
                State::Running { .. } => false,
                State::Waiting => self.model.lanes[job.lane].is_cancelled,
                _ => true,
            };
            if self.model.jobs.values().all(ends) {
                return Ok(());
            }
        }
        bail!("these never started: {:?}", self.model.ready(self.began).collect::<Vec<_>>())
    }

    pub async fn span(&self) -> Span {
        (self.began, clock(self.world).await)
    }
}

impl Worker {
    pub async fn new(world: &EngineWorld) -> Self {
        Self { hand: world.hand().await, held: Vec::new(), over: Vec::new(), has_lost: false }
    }
}

async fn clock(world: &EngineWorld) -> DateTime<Utc> {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    sqlx::query_scalar("select app.clock()").fetch_one(tx.conn()).await.unwrap()
}
