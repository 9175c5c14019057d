//! Verbs of the platform's operator on a running installation. They reach the database themselves, behind the same wall and the
//! same self-check as the servers; what they do is `jobs`' and `crm`'s, here are only arguments and tables.

mod audit;
mod batches;
mod doctor;
mod gates;
mod jobs_verb;
mod lanes;
mod queues;
mod schedules;
mod tenants;
mod workers;

use audit::AuditArguments;
use batches::BatchesVerb;
use doctor::DoctorArguments;
use gates::GatesVerb;
use jobs_verb::JobsVerb;
use lanes::LanesVerb;
use queues::QueuesVerb;
use schedules::SchedulesVerb;
use tenants::TenantsVerb;
use workers::WorkersVerb;

use std::fmt::Display;

use crate::cluster::{self, DATABASE, SUPERUSER};
use crate::print;
use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand};
use db::{Actor, Db, PageOf, PlatformTx, Why};
use jobs::admin::{By, Refused};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What an operator can ask for.
#[derive(Debug, Subcommand)]
pub enum OperatorVerb {
    /// Bring a database to the schema of this version.
    Migrate(MigrateArguments),
    /// Look whether an installation is well: role, wall, migrations, clocks, workers, schedules.
    Doctor(DoctorArguments),
    /// The customers of the installation.
    Tenants(On<TenantsVerb>),
    /// Jobs: look, ask why one does not run, run again, cancel.
    Jobs(On<JobsVerb>),
    /// Queues: how much waits and runs.
    Queues(On<QueuesVerb>),
    /// Lanes: look, pause, resume, cancel.
    Lanes(On<LanesVerb>),
    /// Gates: look, set limits, pause, resume, close a breaker.
    Gates(On<GatesVerb>),
    /// Batches: how far they are, pause, resume, cancel, run failures again.
    Batches(On<BatchesVerb>),
    /// Workers: the processes of the fleet.
    Workers(On<WorkersVerb>),
    /// Schedules: look, and see the next times.
    Schedules(On<SchedulesVerb>),
    /// What was done to the queue, by whom and why.
    Audit(AuditArguments),
}

/// Does what the verb says.
pub async fn obey(verb: OperatorVerb) -> Result<()> {
    match verb {
        OperatorVerb::Migrate(arguments) => migrate(&arguments).await,
        OperatorVerb::Doctor(arguments) => doctor::doctor(&arguments).await,
        OperatorVerb::Tenants(on) => tenants::tenants(on).await,
        OperatorVerb::Jobs(on) => jobs_verb::jobs(on).await,
        OperatorVerb::Queues(on) => queues::queues(on).await,
        OperatorVerb::Lanes(on) => lanes::lanes(on).await,
        OperatorVerb::Gates(on) => gates::gates(on).await,
        OperatorVerb::Batches(on) => batches::batches(on).await,
        OperatorVerb::Workers(on) => workers::workers(on).await,
        OperatorVerb::Schedules(on) => schedules::schedules(on).await,
        OperatorVerb::Audit(arguments) => audit::audit(&arguments).await,
    }
}

/// Which installation, and for whom the answer is.
#[derive(Debug, Args)]
pub struct Operator {
    /// The database, as the role paloma; otherwise the embedded one of `paloma run`.
    #[arg(long, env = "PALOMA_DATABASE_URL", hide_env_values = true, global = true)]
    database_url: Option<String>,
    /// Answer with one line of JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// A verb with the installation it is for.
#[derive(Debug, Args)]
pub struct On<V: clap::Subcommand> {
    /// Which installation.
    #[command(flatten)]
    pub operator: Operator,
    /// What is to be done.
    #[command(subcommand)]
    pub verb: V,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub struct Paging {
    /// Rows, 1 to 200.
    #[arg(long, default_value_t = 50)]
    limit: i64,
    /// From where: as the page before said.
    #[arg(long)]
    cursor: Option<String>,
}

/// Something to be changed, and why.
#[derive(Debug, Args)]
pub struct Act {
    /// Its id, as the list shows it.
    pub id: i64,
    /// Why, in 1 to 500 characters: kept in the audit.
    #[arg(long)]
    pub reason: String,
}

impl Operator {
    /// The address of the database for the role of the servers.
    pub fn address(&self) -> Result<String> {
        address_or_embedded(self.database_url.as_deref(), "paloma", "--database-url or PALOMA_DATABASE_URL")
    }

    /// The database, refused where it is unsafe to use.
    pub async fn db(&self) -> Result<Db> {
        let options = db::Options { url: self.address()?, name: "paloma-cli", connections: 2, direct_url: None };
        Db::connect(options).await.context("connecting to the database (`paloma doctor` looks closer)")
    }

    /// A transaction that sees every tenant.
    pub async fn tx(&self) -> Result<PlatformTx> {
        Ok(self.db().await?.platform(Why::Operator).await?)
    }

    /// Commits an act, logs it, and says what was done.
    async fn finish(&self, tx: PlatformTx, thing: &str, act: &Act, word: &str) -> Result<()> {
        self.commit(tx, Done { thing, id: act.id, act: word, reason: &act.reason }).await
    }

    async fn commit<I: Serialize + Display>(&self, tx: PlatformTx, done: Done<'_, I>) -> Result<()> {
        tx.commit().await?;
        tracing::info!(act = done.act, thing = done.thing, id = %done.id, reason = done.reason, "operator");
        if self.json {
            return print::json(&done);
        }
        print::line(format_args!("{} {}: {}", done.thing, done.id, done.act))
    }
}

impl Act {
    /// Who does it, and why.
    fn by(&self) -> Result<By> {
        Ok(By::new(Actor::Operator, &self.reason)?)
    }
    /// A refusal in words that name the thing.
    fn told(&self, thing: &str, done: Result<(), Refused>) -> Result<()> {
        done.map_err(|refused| match refused {
            Refused::NotFound => anyhow!("there is no {thing} {}", self.id),
            refused => anyhow!(refused).context(format!("{thing} {}", self.id)),
        })
    }
}

/// What an operator did.
#[derive(Debug, Serialize)]
struct Done<'a, I> {
    thing: &'a str,
    /// A number, or the name of what has none.
    id: I,
    act: &'a str,
    reason: &'a str,
}

/// A count that stops at ten thousand.
fn counted(count: i64) -> String {
    if count > 10_000 { "> 10000".to_owned() } else { count.to_string() }
}

impl Paging {
    /// As the lists want it.
    pub fn of<K: DeserializeOwned>(&self) -> Result<PageOf<K>> {
        Ok(PageOf::parse(Some(self.limit), self.cursor.as_deref())?)
    }
}

/// `paloma migrate`: which database.
#[derive(Debug, Args)]
pub struct MigrateArguments {
    /// The database, for a login that may create roles and tables; otherwise the embedded one of `paloma run`.
    #[arg(long, env = "PALOMA_OWNER_DATABASE_URL", hide_env_values = true)]
    owner_database_url: Option<String>,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Brings the database to the schema of this version.
async fn migrate(arguments: &MigrateArguments) -> Result<()> {
    let url = owner_address(arguments.owner_database_url.as_deref())?;
    let version = db::migrate::run(&url).await.context("migrating the database")?;
    if arguments.json {
        return print::json(&serde_json::json!({ "schema_version": version }));
    }
    print::line(format_args!("the schema is at version {version}"))
}

/// The address of the database for its owner, as it was given, or of the embedded one.
pub fn owner_address(given: Option<&str>) -> Result<String> {
    address_or_embedded(given, SUPERUSER, "--owner-database-url or PALOMA_OWNER_DATABASE_URL")
}

fn address_or_embedded(given: Option<&str>, user: &str, settings: &str) -> Result<String> {
    if let Some(url) = given.filter(|url| !url.is_empty()) {
        return Ok(url.to_owned());
    }
    let folder = cluster::data_folder()?;
    cluster::running_in(&folder, user, DATABASE).with_context(|| {
        format!("which database? Give {settings}, or start `paloma run`: no database runs in {}", folder.display())
    })
}
