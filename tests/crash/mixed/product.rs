//! The product by its front door: the api, workers and schedulers of two versions behind one gateway, with campaigns of both.

use std::time::Duration;

use e2e::{
    Database, Tenant,
    actors::PASSWORD,
    eventually, eventually_some,
    world::{GATEWAY_PASSWORD, OPERATOR},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sim::bluebubbles::{Config, Server};

use super::programs::Programs;
use crate::process::{Process, free_address};

/// Recipients of each campaign.
const RECIPIENTS: u64 = 240;
/// From the request until the message has left.
const ROW_DELAY_MS: u64 = 40;
/// Sends running at once for the fleet, and for each worker: both together could do more than the line may.
const CAP: u64 = 6;
const SLOTS: &str = "4";
/// Sends that each version has to have made at least.
const FAIR: u64 = 60;
const ENDS_WITHIN: Duration = Duration::from_secs(25);

/// One installation, on which programs of any version run.
struct Site {
    database: Database,
    gateway: Server,
    /// The api that gateways reach.
    address: String,
}

/// A worker that tells what it has done.
struct Worker {
    process: Process,
    metrics: String,
}

impl Site {
    /// One without a schema.
    async fn bare() -> Self {
        crm::process::install_tls();
        let config = Config { password: Some(GATEWAY_PASSWORD.to_owned()), ..Config::default() };
        let gateway = Server::start_local(config).await.expect("a simulated gateway");
        gateway.sim().configure(|config| config.row_delay_ms = ROW_DELAY_MS);
        Self { database: Database::bare().await, gateway, address: free_address() }
    }

    fn start(&self, of: &Programs, program: &str, more: &[(&str, &str)]) -> Process {
        let (database, secret, base) = (self.database.url(), "5a".repeat(32), format!("http://{}", self.address));
        let settings = [
            ("PALOMA_DATABASE_URL", &database[..]),
            ("PALOMA_SECRET", &secret),
            ("PALOMA_PUBLIC_URL", &base),
            ("PALOMA_ALLOW_PRIVATE_GATEWAYS", "true"),
        ];
        of.start(program, &[&settings, more].concat())
    }

    async fn api(&self, of: &Programs, address: &str) -> Process {
        let api = self.start(of, "paloma-api", &[("PALOMA_LISTEN", address), ("PALOMA_OPERATOR_TOKEN", OPERATOR)]);
        let ready = format!("http://{address}/readyz");
        eventually("the api is ready", || async {
            reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        api
    }

    fn worker(&self, of: &Programs) -> Worker {
        let metrics = free_address();
        let more = [("PALOMA_METRICS_LISTEN", &metrics[..]), ("PALOMA_OUTBOUND_SLOTS", SLOTS)];
        Worker { process: self.start(of, "paloma-worker", &more), metrics }
    }

    fn scheduler(&self, of: &Programs) -> Process {
        self.start(of, "paloma-scheduler", &[])
    }

    async fn until_sent(&self, count: u64) {
        eventually(&format!("{count} messages left"), || async { self.gateway.sim().summary().total >= count }).await;
    }
}

impl Worker {
    /// Messages of campaigns that it has sent so far.
    async fn sent(&self) -> u64 {
        let url = format!("http://{}/metrics", self.metrics);
        let text = eventually_some("it tells its metrics", || async {
            reqwest::get(&url).await.ok()?.error_for_status().ok()?.text().await.ok()
        })
        .await;
        let is_send = |line: &&str| {
            line.starts_with("paloma_jobs_settled_total{kind=\"campaigns.send\"") && line.contains("\"completed\"")
        };
        text.lines().filter(is_send).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Asks it to end; answers what it had sent by then.
    async fn end(self) -> u64 {
        let sent = self.sent().await;
        end(self.process).await;
        sent
    }
}

async fn end(process: Process) {
    process.signal(Signal::SIGTERM);
    let status = process.ended(ENDS_WITHIN).await;
    assert!(status.success(), "{status}");
}

/// A campaign to contacts that it imports first, `+1305556…` from that number on.
async fn launched(tenant: &Tenant, line: &str, from: u64) -> String {
    let rows: String = (from..from + RECIPIENTS).map(|n| format!("Name {n},+1305556{n:04}\n")).collect();
    let import = tenant.import(format!("first_name,phone\n{rows}"), "").await;
    assert_eq!(import["created_count"], RECIPIENTS, "{import}");
    let campaign = tenant.draft(line, import["id"].as_str().expect("an id"), json!({})).await;
    tenant.launch(&campaign).await;
    campaign
}

/// Enqueues one message with a key; answers what became of it and the job.
async fn keyed(tenant: &Tenant, line: &str, key: &str) -> (Value, Value) {
    let payload = json!({ "line_id": line, "address": "+13055569999", "text": key });
    let row = json!({ "kind": "messaging.send_text", "payload": payload, "unique_key": key });
    let answer = tenant.post("/jobs", &json!({ "jobs": [row] })).await.expect(200)["jobs"][0].clone();
    (answer["result"].clone(), answer["id"].clone())
}

/// What was enqueued by one of them is a duplicate for the other.
async fn assert_keys_hold_between(one: &Tenant, other: &Tenant, line: &str, key: &str) {
    let (made, found) = (keyed(one, line, key).await, keyed(other, line, key).await);
    assert_eq!((made.0, found.0), (json!("enqueued"), json!("duplicate")));
    assert_eq!(made.1, found.1, "the same job");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_serve_one_product_through_the_roll_and_back() {
    let Some(last) = Programs::of_the_last_version() else { return };
    let this = Programs::of_this_version();
    let site = Site::bare().await;
    let (owner_url, base) = (site.database.url_of("postgres"), format!("http://{}", site.address));

    // the last version, with a campaign under way
    last.migrate(&owner_url).await;
    let api_of_last = site.api(&last, &site.address).await;
    let (worker_of_last, scheduler_of_last) = (site.worker(&last), site.scheduler(&last));
    let by_last = Tenant::found(&base, "acme", "US").await;
    let limits = json!({ "unlimited": false, "rate_per_minute": 6000, "burst": 10, "cap": CAP });
    let line = by_last.line_on(&site.gateway.url(), limits).await;
    let first = launched(&by_last, &line, 0).await;
    site.until_sent(60).await;

    // expand while it works, and this version beside it
    this.migrate(&owner_url).await;
    let address = free_address();
    let api_of_this = site.api(&this, &address).await;
    let (worker_of_this, scheduler_of_this) = (site.worker(&this), site.scheduler(&this));
    let by_this = Tenant::log_in(&format!("http://{address}"), "owner@acme.example", PASSWORD).await;
    let second = launched(&by_this, &line, 5000).await;
    assert_keys_hold_between(&by_last, &by_this, &line, "one").await;
    assert_keys_hold_between(&by_this, &by_last, &line, "another").await;
    site.until_sent(RECIPIENTS + 30).await;

    // the roll
    let mut sent_by_last = worker_of_last.end().await;
    end(scheduler_of_last).await;
    site.until_sent(RECIPIENTS + 90).await;

    // and back: the last version starts on the schema of this one, and ends the work alone
    let (worker_of_last, scheduler_of_last) = (site.worker(&last), site.scheduler(&last));
    let sent_by_this = worker_of_this.end().await;
    end(scheduler_of_this).await;
    for campaign in [&first, &second] {
        by_last.until(campaign, "completed").await;
    }
    site.gateway.sim().settled().await;
    let db = site.database.connect("two versions", 2).await;
    jobs::testing::drained(&db, Duration::from_secs(30)).await;
    for campaign in [&first, &second] {
        let (told, also) = (by_last.progress(campaign).await, by_this.progress(campaign).await);
        assert_eq!((&told["state"], &told["counts"]), (&also["state"], &also["counts"]), "both say the same");
        let count = |state: &str| told["counts"][state].as_u64().unwrap_or(0);
        assert_eq!(count("sent") + count("delivered"), RECIPIENTS, "{told}");
    }
    sent_by_last += worker_of_last.end().await;
    println!("the last version sent {sent_by_last}, this one {sent_by_this}");
    assert!(sent_by_last >= FAIR && sent_by_this >= FAIR, "{sent_by_last} and {sent_by_this}");

    let summary = site.gateway.sim().summary();
    assert_eq!((summary.total, summary.duplicates), (2 * RECIPIENTS + 2, 0), "{summary:?}");
    assert!(summary.max_in_flight <= CAP, "{summary:?}");
    let violations = jobs::testing::violations(&db).await.expect("the laws can be checked");
    assert!(violations.is_empty(), "{violations:?}");
    let failures: i64 = sqlx::query_scalar("select count(*) from jobs.failures")
        .fetch_one(&mut site.database.superuser().await)
        .await
        .expect("failures can be counted");
    assert_eq!(failures, 0, "no job was given up");
    for process in [api_of_this, api_of_last, scheduler_of_last] {
        end(process).await;
    }
    db.close();
    site.gateway.stop().await;
    site.database.drop().await;
}
