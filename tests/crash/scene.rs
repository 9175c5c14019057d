//! A campaign, or several of one line, in the middle of which something happens, and what must hold when it is over.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use e2e::{Tenant, World, eventually, eventually_some};
use serde_json::{Value, json};

use crate::process::Process;

/// From the request until the message has left, so that calls are in flight whenever something happens.
const ROW_DELAY_MS: u64 = 40;
/// Past a lease of 30 s, and past the 60 s after which an unknown outcome of the line is looked up.
pub const PAST_EVERYTHING: Duration = Duration::from_secs(61);
/// More rounds than any unknown outcome needs: rescued, looked up, told.
const ROUNDS: usize = 6;

/// A campaign in a world of its own.
pub struct Scene {
    pub world: World,
    pub acme: Tenant,
    pub campaign: String,
    /// Campaigns of the same line to the same people, beside it.
    pub others: Vec<String>,
    pub line: String,
    pub import: String,
    /// Of each campaign.
    pub recipients: usize,
}

impl Scene {
    /// Launches a campaign to so many recipients; one worker runs.
    pub async fn launched(recipients: usize) -> (Self, Process) {
        let (scene, worker) = Self::drafted(recipients, json!({})).await;
        scene.launch().await;
        (scene, worker)
    }

    /// The same before the launch, with fields of the line.
    pub async fn drafted(recipients: usize, line: Value) -> (Self, Process) {
        let world = World::without_workers().await;
        let worker = Process::start(&world).await;
        (Self::drafted_in(world, recipients, line).await, worker)
    }

    /// The same in a world that is there already.
    pub async fn drafted_in(world: World, recipients: usize, line: Value) -> Self {
        let acme = world.tenant("acme").await;
        let line = acme.line(&world, line).await;
        let import = acme.contacts(recipients).await;
        let campaign = acme.draft(&line, &import, json!({})).await;
        world.sim.configure(|config| config.row_delay_ms = ROW_DELAY_MS);
        Self { world, acme, campaign, others: Vec::new(), line, import, recipients }
    }

    /// Drafts one more campaign of the same line to the same people.
    pub async fn drafts_another(&mut self, body: &str) {
        let other = self.acme.draft(&self.line, &self.import, json!({ "body": body })).await;
        self.others.push(other);
    }

    /// Launches all there are.
    pub async fn launch(&self) {
        for campaign in self.campaigns() {
            self.acme.launch(campaign).await;
        }
    }

    /// All campaigns.
    pub fn campaigns(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.campaign).chain(&self.others)
    }

    /// Recipients of all campaigns together.
    pub fn all_recipients(&self) -> usize {
        self.recipients * self.campaigns().count()
    }

    /// Waits until so many messages have left the gateway.
    pub async fn until_sent(&self, count: u64) {
        eventually(&format!("{count} messages left"), || async { self.world.sim.summary().total >= count }).await;
    }

    /// Waits until the gateway has no send in flight.
    pub async fn until_quiet(&self) {
        eventually("no call is in flight", || async { self.world.sim.summary().in_flight == 0 }).await;
    }

    /// Addresses whose call is marked and has no result.
    pub async fn sending_to(&self) -> BTreeSet<String> {
        let rows: Vec<String> =
            sqlx::query_scalar("select address from crm.recipients where campaign_id = $1::uuid and state = 'sending'")
                .bind(&self.campaign)
                .fetch_all(&mut self.world.database.superuser().await)
                .await
                .expect("recipients can be read");
        rows.into_iter().collect()
    }

    /// Recipients of all campaigns whose call has not begun.
    pub async fn waiting(&self) -> i64 {
        sqlx::query_scalar("select count(*) from crm.recipients where state = 'pending'")
            .fetch_one(&mut self.world.database.superuser().await)
            .await
            .expect("recipients can be read")
    }

    /// Whether nobody is being called and nobody waits to be. The gateway is asked first, which costs the server nothing.
    pub async fn is_over(&self) -> bool {
        self.world.sim.summary().in_flight == 0 && self.waiting().await == 0
    }

    /// Recipients by state, as the rows say.
    pub async fn rows(&self) -> BTreeMap<String, i64> {
        self.rows_of(&self.campaign).await
    }

    async fn rows_of(&self, campaign: &str) -> BTreeMap<String, i64> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select state, count(*) from crm.recipients where campaign_id = $1::uuid group by state")
                .bind(campaign)
                .fetch_all(&mut self.world.database.superuser().await)
                .await
                .expect("recipients can be read");
        rows.into_iter().collect()
    }

    /// Jobs leased by processes that are not among the living.
    pub async fn leased_by_the_dead(&self, living: &[i32]) -> i64 {
        sqlx::query_scalar(
            "select count(*) from jobs.running j left join jobs.processes p on p.id = j.leased_by where p.pid is null or p.pid <> all($1)",
        )
        .bind(living)
        .fetch_one(&mut self.world.database.superuser().await)
        .await
        .expect("jobs can be read")
    }

    /// Jobs that are due, or run in a living process.
    async fn busy(&self, living: &[i32]) -> i64 {
        sqlx::query_scalar(
            "select (select count(*) from jobs.live j left join jobs.processes p on p.id = j.leased_by
                      where case when j.leased_by is null then j.run_at <= app.clock() else p.pid = any($1) end)
                  + (select count(*) from jobs.scheduled where run_at <= app.clock())",
        )
        .bind(living)
        .fetch_one(&mut self.world.database.superuser().await)
        .await
        .expect("jobs can be read")
    }

    /// Waits until the living have nothing to do but what time brings. On connections that have gone silent a mark and then its result may each wait
    /// for the whole limit of a group commit, 20 s, before they are made anew.
    pub async fn idle(&self, living: &[i32]) {
        for _ in 0..3 {
            if e2e::in_time(|| async { self.busy(living).await == 0 }).await {
                return;
            }
        }
        panic!("the living are not idle");
    }

    /// Lets time pass until each campaign is completed, with the living idle each time it does.
    pub async fn completed(&self, living: &[i32]) {
        for _ in 0..ROUNDS {
            self.idle(living).await;
            if self.are_completed().await {
                return;
            }
            self.world.advance(PAST_EVERYTHING).await;
            self.rescued(living).await;
        }
        panic!("not completed: {:?} {}", self.rows().await, self.acme.progress(&self.campaign).await);
    }

    async fn are_completed(&self) -> bool {
        for campaign in self.campaigns() {
            if self.acme.progress(campaign).await["state"] != "completed" {
                return false;
            }
        }
        true
    }

    /// Waits until nothing is held by the dead.
    pub async fn rescued(&self, living: &[i32]) {
        eventually("what the dead held is free", || async { self.leased_by_the_dead(living).await == 0 }).await;
    }

    /// What the server does with a transaction that its process leaves open for `idle_in_transaction_session_timeout`: by the server's own
    /// clock, which no test moves.
    pub async fn end_idle_transactions(&self) {
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
              where datname = $1 and application_name = 'paloma-worker' and state like 'idle in transaction%'",
        )
        .bind(&self.world.database.name)
        .execute(&mut self.world.database.superuser().await)
        .await
        .expect("connections can be ended");
    }

    /// Every promise of a campaign: each recipient has an end that can be explained and at most one message, the counters are the rows,
    /// no job is left, the queue's laws hold. Answers the recipients by state.
    pub async fn concludes(self, living: Vec<Process>) -> BTreeMap<String, i64> {
        let pids: Vec<i32> = living.iter().map(|process| process.pid).collect();
        let rows = self.settles(&pids).await;
        for process in living {
            process.kill().await;
        }
        self.world.finish().await;
        rows
    }

    /// The same but for the end of the world. The recipients are those of all campaigns.
    pub async fn settles(&self, living: &[i32]) -> BTreeMap<String, i64> {
        self.completed(living).await;
        self.world.sim.settled().await;
        self.world.advance(PAST_EVERYTHING).await;
        self.rescued(living).await;
        self.idle(living).await;
        let mut all = BTreeMap::new();
        for campaign in self.campaigns() {
            let rows = self.rows_of(campaign).await;
            let ended = |state: &String| matches!(state.as_str(), "sent" | "delivered" | "held");
            assert!(rows.keys().all(ended), "{rows:?}");
            assert_eq!(rows.values().sum::<i64>(), i64::try_from(self.recipients).expect("a count"), "{rows:?}");
            self.assert_counters_are(campaign, &rows).await;
            for (state, count) in rows {
                *all.entry(state).or_default() += count;
            }
        }
        self.assert_held_with_reason().await;
        self.assert_sent_once(&all);
        self.assert_no_job_left().await;
        all
    }

    async fn assert_held_with_reason(&self) {
        let unexplained: i64 =
            sqlx::query_scalar("select count(*) from crm.recipients where state = 'held' and reason is null")
                .fetch_one(&mut self.world.database.superuser().await)
                .await
                .expect("recipients can be read");
        assert_eq!(unexplained, 0);
    }

    async fn assert_counters_are(&self, campaign: &str, rows: &BTreeMap<String, i64>) {
        let progress = self.acme.progress(campaign).await;
        let counts: BTreeMap<String, i64> = serde_json::from_value(progress["counts"].clone()).expect("counts");
        let counts: BTreeMap<String, i64> = counts.into_iter().filter(|(_, count)| *count != 0).collect();
        assert_eq!(&counts, rows);
    }

    /// What is called sent has left, and what has left did so once.
    fn assert_sent_once(&self, rows: &BTreeMap<String, i64>) {
        self.assert_called_once();
        let summary = self.world.sim.summary();
        let mut left: HashMap<Arc<str>, usize> = HashMap::new();
        for sent in self.world.sim.sent() {
            *left.entry(sent.address).or_default() += 1;
        }
        let campaigns = self.campaigns().count();
        assert!(left.values().all(|count| *count <= campaigns), "{left:?}");
        let held = rows.get("held").copied().unwrap_or(0);
        let sent = i64::try_from(self.all_recipients()).expect("a count") - held;
        // a held one may have left without proof, never the other way round
        assert!(i64::try_from(summary.total).expect("a count") >= sent, "{rows:?} {summary:?}");
    }

    /// Nothing has left twice, and no call was made twice.
    pub fn assert_called_once(&self) {
        let summary = self.world.sim.summary();
        assert_eq!(summary.duplicates, 0, "{summary:?}");
        let mut seen = HashSet::new();
        for call in self.world.sim.calls() {
            if let (Some(guid), Some(_)) = (call.temp_guid, call.address) {
                assert!(seen.insert(guid.clone()), "{guid} was called twice");
            }
        }
    }

    async fn assert_no_job_left(&self) {
        let left = eventually_some("what follows a campaign is over", || async {
            let left: Vec<String> = sqlx::query_scalar(
                "select k.name from (select kind from jobs.jobs union all select kind from jobs.scheduled) j
                   join jobs.kinds k on k.id = j.kind where k.name like 'campaigns.%'",
            )
            .fetch_all(&mut self.world.database.superuser().await)
            .await
            .expect("jobs can be read");
            left.is_empty().then_some(left)
        });
        left.await;
    }
}
