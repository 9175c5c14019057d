//! The steps: each is done to the database as the engine does it, and told to the model.

use std::time::Duration;

use anyhow::{Result, ensure};
use db::Scope;
use jobs::{Enqueue, Leased};
use uuid::Uuid;

use super::{
    op::{HANDS, Op, Outcome},
    play::{Play, Worker, key},
    reference::Gate,
};
use crate::engine::{
    kinds::{Do, WORK},
    world::{Hand, LEASE},
};

impl Play<'_> {
    pub async fn step(&mut self, op: &Op) -> Result<()> {
        match *op {
            Op::Enqueue { lane, priority, count, wait_s } => self.enqueue(lane, priority, count, wait_s).await,
            Op::Claim { hand, most } => {
                self.asks(hand).await?;
                self.claim(hand, most).await?;
            }
            Op::ClaimAll { hand } => self.claim_all(hand).await?,
            Op::LoseAnswer { hand, most } => {
                self.asks(hand).await?;
                let held = self.workers[hand].held.len();
                self.claim(hand, most).await?;
                let worker = &mut self.workers[hand];
                let lost = worker.held.split_off(held);
                worker.has_lost = true;
                self.over.extend(lost.into_iter().map(|job| (worker.hand.process, job)));
            }
            Op::Settle { hand, from, count, outcome } => self.settle(hand, from, count, outcome).await?,
            Op::Complete { hand, from, commits } => self.complete(hand, from, commits).await?,
            Op::Repeat { which, outcome } => self.repeat(which, outcome).await?,
            Op::Die { hand } => self.die(hand).await,
            Op::Advance { seconds } => self.world.advance(Duration::from_secs(seconds)).await,
            Op::Pause { lane } | Op::Resume { lane } | Op::CancelLane { lane } => self.switch(op, lane).await,
            Op::Sweep => {
                let hand = &mut self.workers[0].hand;
                hand.run("select jobs.sweep_cancelled(1000)::bigint where $1::uuid is not null").await;
                self.model.swept();
            }
            Op::Cancel { which } => {
                let Some(id) = self.one_of(which, |_| true) else { return Ok(()) };
                let conn = self.workers[0].hand.conn.conn();
                let said: String =
                    sqlx::query_scalar("select jobs.cancel($1, 'not wanted')").bind(id).fetch_one(conn).await.unwrap();
                let wanted = self.model.cancelled(id);
                ensure!(said == wanted, "the cancel of {id} said {said} for {wanted}");
            }
            Op::Retry { which } => {
                let kept = self.one_of(which, |id| self.model.jobs[id].is_kept);
                let Some(id) = kept.or_else(|| self.one_of(which, |_| true)) else { return Ok(()) };
                let conn = self.workers[0].hand.conn.conn();
                let said: String = sqlx::query_scalar("select jobs.retry($1)").bind(id).fetch_one(conn).await.unwrap();
                let wanted = self.model.retried(id);
                ensure!(said == wanted, "the retry of {id} said {said} for {wanted}");
            }
        }
        Ok(())
    }

    fn one_of(&self, which: usize, are: impl Fn(&i64) -> bool) -> Option<i64> {
        let ids: Vec<i64> = self.model.jobs.keys().copied().filter(are).collect();
        (!ids.is_empty()).then(|| ids[which % ids.len()])
    }

    async fn enqueue(&mut self, lane: usize, priority: i16, count: usize, wait_s: u64) {
        if self.model.lanes[lane].is_cancelled {
            return;
        }
        let mut tx = self.world.tx_of(self.owners[lane]).await;
        let mut occasion = Enqueue::new().lane(key(lane)).priority(priority);
        if wait_s > 0 {
            occasion = occasion.wait(Duration::from_secs(wait_s));
        }
        let jobs: Vec<Do> = (0..count).map(|n| Do::nothing(n.to_string())).collect();
        for enqueued in occasion.many(&mut tx, &jobs).await.unwrap() {
            self.model.enqueued(enqueued.job_id(), lane, priority, wait_s as f64, self.began);
        }
        tx.commit().await.unwrap();
    }

    async fn claim(&mut self, hand: usize, most: i32) -> Result<usize> {
        let worker = &mut self.workers[hand];
        let leased = worker.hand.claim(most).await;
        let (process, count) = (worker.hand.process, leased.len());
        worker.held.extend(leased.iter().cloned());
        let span = self.span().await;
        self.model.claimed(process, most, &leased, span)?;
        Ok(count)
    }

    /// Until it is told to rest; then nothing stands that might have started.
    async fn claim_all(&mut self, hand: usize) -> Result<()> {
        const NEXT: &str = "select (jobs.next_wake(q.id) * 1000)::bigint from jobs.queues q where q.name = 'work' and $1::uuid is not null";
        self.asks(hand).await?;
        let mut left = 100;
        while self.workers[hand].hand.run(NEXT).await <= 10 {
            left -= 1;
            ensure!(left > 0, "claims are asked for without end");
            self.claim(hand, 5).await?;
        }
        let is_free = |lane: usize| matches!(self.model.lanes[lane].gate, Gate::None);
        let forgotten = self.model.ready(self.began).find(|(_, job)| is_free(job.lane));
        ensure!(forgotten.is_none(), "all rest, and nobody starts {forgotten:?}");
        Ok(())
    }

    /// A process that has lost an answer asks what it holds before it does anything else.
    async fn asks(&mut self, hand: usize) -> Result<()> {
        let worker = &mut self.workers[hand];
        if std::mem::take(&mut worker.has_lost) {
            let known: Vec<i64> = worker.held.iter().map(|job| job.fence).collect();
            let running = worker.held.iter().filter(|job| job.gates == [self.capped]).count();
            sqlx::query("select jobs.release_unknown($1, $2, 0, $3, $4)")
                .bind(worker.hand.process)
                .bind(&known)
                .bind(vec![self.capped])
                .bind(vec![i32::try_from(running).unwrap()])
                .execute(worker.hand.conn.conn())
                .await
                .unwrap();
            // claims that are over are not known either: they have nothing left
            self.model.given_back(worker.hand.process, &known);
        }
        Ok(())
    }

    async fn settle(&mut self, hand: usize, from: usize, count: usize, outcome: Outcome) -> Result<()> {
        self.asks(hand).await?;
        let jobs = self.let_go(hand, from, count);
        let capped: Vec<i64> = vec![self.capped];
        let worker = &mut self.workers[hand];
        let running = worker.held.iter().filter(|job| job.gates == capped).count();
        let over = std::mem::take(&mut worker.over);
        let process = worker.hand.process;
        let ended = end(&mut worker.hand, process, &jobs, outcome, (&capped, &[running as i32]), &over).await;
        ensure!(ended as usize == jobs.len(), "{ended} of {} leases were ended", jobs.len());
        for job in jobs {
            self.model.settled(job.id, outcome);
            self.over.push((process, job));
        }
        Ok(())
    }

    /// The hand holds these no more.
    fn let_go(&mut self, hand: usize, from: usize, count: usize) -> Vec<Leased> {
        let worker = &mut self.workers[hand];
        let count = count.min(worker.held.len());
        if count == 0 {
            return Vec::new();
        }
        let from = from % worker.held.len();
        worker.held.rotate_left(from);
        let jobs: Vec<Leased> = worker.held.drain(..count).collect();
        let is_over = |fence: &i64| worker.held.iter().all(|job| job.fence != *fence);
        let mut fences: Vec<i64> = jobs.iter().map(|job| job.fence).filter(is_over).collect();
        fences.dedup();
        worker.over.extend(fences);
        jobs
    }

    async fn complete(&mut self, hand: usize, from: usize, commits: bool) -> Result<()> {
        self.asks(hand).await?;
        let held = &self.workers[hand].held;
        if held.is_empty() {
            return Ok(());
        }
        let job = held[from % held.len()].clone();
        let mut tx = self.world.tx_of(self.owners[self.model.jobs[&job.id].lane]).await;
        ensure!(self.workers[hand].hand.complete(&mut tx, &job).await, "the lease of {} is lost", job.id);
        if !commits {
            return Ok(());
        }
        tx.commit().await.unwrap();
        let jobs = self.let_go(hand, from, 1);
        self.model.settled(job.id, Outcome::Completed);
        self.over.extend(jobs.into_iter().map(|job| (self.workers[hand].hand.process, job)));
        Ok(())
    }

    /// Who has had a lease ends nothing by it.
    async fn repeat(&mut self, which: usize, outcome: Outcome) -> Result<()> {
        if self.over.is_empty() {
            return Ok(());
        }
        // the process that has lost an answer may still hold what it does not know of: that it asks first is part of the promise
        for hand in 0..HANDS {
            self.asks(hand).await?;
        }
        let (process, job) = self.over[which % self.over.len()].clone();
        let mut tx = self.world.tx_of(self.owners[self.model.jobs[&job.id].lane]).await;
        let completes: bool = sqlx::query_scalar("select jobs.complete($1, $2, $3) or jobs.hold($1, $2, $3)")
            .bind(job.id)
            .bind(job.fence)
            .bind(process)
            .fetch_one(tx.conn())
            .await
            .unwrap();
        ensure!(!completes, "a lease of {} that is over completes it", job.id);
        drop(tx);
        let ended = end(&mut self.workers[0].hand, process, &[job], outcome, (&[], &[]), &[]).await;
        ensure!(ended == 0, "a lease that is over was ended again");
        Ok(())
    }

    async fn die(&mut self, hand: usize) {
        let dead = std::mem::replace(&mut self.workers[hand], Worker::new(self.world).await);
        let process = dead.hand.process;
        drop(dead.hand);
        self.over.extend(dead.held.into_iter().map(|job| (process, job)));
        self.world.advance(LEASE + Duration::from_secs(1)).await;
        for worker in &mut self.workers {
            worker.hand.renew(&[]).await;
        }
        self.workers[hand].hand.run("select jobs.rescue(30, 2)::bigint where $1::uuid is not null").await;
        self.model.died(process);
    }

    async fn switch(&mut self, op: &Op, lane: usize) {
        let mut tx = self.world.tx_of(self.owners[lane]).await;
        let state = &mut self.model.lanes[lane];
        match op {
            Op::Pause { .. } => {
                jobs::lane::pause(&mut tx, WORK, key(lane)).await.unwrap();
                state.is_paused = true;
            }
            Op::Resume { .. } => {
                jobs::lane::resume(&mut tx, WORK, key(lane)).await.unwrap();
                state.is_paused = false;
            }
            _ => {
                jobs::lane::cancel(&mut tx, WORK, key(lane)).await.unwrap();
                state.is_cancelled = true;
            }
        }
        tx.commit().await.unwrap();
    }
}

/// A cycle that claims nothing: ends leases, tells the slots of capped gates and which claims are over. Answers how many leases it ended.
async fn end(
    hand: &mut Hand,
    process: Uuid,
    jobs: &[Leased],
    outcome: Outcome,
    (gates, running): (&[i64], &[i32]),
    over: &[i64],
) -> i32 {
    sqlx::query_scalar(
        "select c.settled from jobs.cycle($1, 30, $2, $3, $4, $5, $6, $7, $8, $9, '{}', '{}') c where c.fence is null",
    )
    .bind(process)
    .bind(jobs.iter().map(|job| job.id).collect::<Vec<_>>())
    .bind(jobs.iter().map(|job| job.fence).collect::<Vec<_>>())
    .bind(vec![outcome.code(); jobs.len()])
    .bind(vec![outcome.delay(); jobs.len()])
    .bind(vec![None::<String>; jobs.len()])
    .bind(gates)
    .bind(running)
    .bind(over)
    .fetch_one(hand.conn.conn())
    .await
    .unwrap()
}
