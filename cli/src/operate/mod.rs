//! Verbs of the platform's operator on a running installation. They reach the database themselves, behind the same wall and the
//! same self-check as the servers; what they do is `jobs`' and `crm`'s, here are only arguments and tables.

mod gates;
mod jobs_verb;
mod lanes;
mod schedules;
mod tenants;

pub use gates::{GatesVerb, gates};
pub use jobs_verb::{JobsVerb, jobs};
pub use lanes::{LanesVerb, lanes};
pub use schedules::{SchedulesVerb, schedules};
pub use tenants::{TenantsVerb, tenants};

use std::fmt::Display;

use anyhow::{Context, Result, bail};
use clap::Args;
use cli::cluster::{self, DATABASE, SUPERUSER};
use db::{Db, PageOf, PlatformTx, Why};
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    #[command(flatten)]
    pub operator: Operator,
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
    /// Why: kept with what is changed where there is a place for it, and logged.
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
        let options = db::Options { url: self.address()?, name: "paloma-cli", connections: 2 };
        Db::connect(options).await.context("connecting to the database (`paloma doctor` looks closer)")
    }

    /// A transaction that sees every tenant.
    pub async fn tx(&self) -> Result<PlatformTx> {
        Ok(self.db().await?.platform(Why::Operator).await?)
    }

    /// Commits an act that found its object, logs it, and says what was done; an error where there was none.
    async fn finish<I: Serialize + Display>(&self, tx: PlatformTx, done: Done<'_, I>) -> Result<()> {
        if !done.found {
            bail!("there is no {} {} that this can be done to", done.thing, done.id);
        }
        tx.commit().await?;
        tracing::info!(act = done.act, thing = done.thing, id = %done.id, reason = done.reason, "operator");
        if self.json {
            return crate::print::json(&done);
        }
        println!("{} {}: {}", done.thing, done.id, done.act);
        Ok(())
    }
}

/// What an operator did.
#[derive(Debug, Serialize)]
struct Done<'a, I> {
    thing: &'static str,
    /// A number, or the name of what has none.
    id: I,
    act: &'a str,
    reason: &'a str,
    #[serde(skip)]
    found: bool,
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
pub async fn migrate(arguments: &MigrateArguments) -> Result<()> {
    let given = arguments.owner_database_url.as_deref();
    let url = address_or_embedded(given, SUPERUSER, "--owner-database-url or PALOMA_OWNER_DATABASE_URL")?;
    db::migrate::run(&url).await.context("migrating the database")?;
    let version = db::migrate::MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0);
    if arguments.json {
        return crate::print::json(&serde_json::json!({ "schema_version": version }));
    }
    println!("the schema is at version {version}");
    Ok(())
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
