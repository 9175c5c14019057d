//! The verbs that handle the embedded database without the rest: to look whether it works here, to lend it to another program,
//! to begin anew.

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use cli::cluster::{self, Cluster, DATABASE, Options, SUPERUSER};
use cli::print;
use cli::stack::StopSignal;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a borrower of the database may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// What can be done with the embedded database.
#[derive(Debug, Subcommand)]
pub enum ClusterVerb {
    /// Start it, kill it, start it again, stop it, and say how long each took.
    Check(Location),
    /// Print the owner's address of the one that runs.
    Url,
    /// Run a program with the owner's address of a temporary one in PALOMA_OWNER_DATABASE_URL.
    Lend {
        /// The program and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<String>,
    },
}

/// Where the database is to live.
#[derive(Debug, Args)]
pub struct Location {
    /// In this folder, which stays; otherwise in a temporary one.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// How to begin anew.
#[derive(Debug, Args)]
pub struct ResetArguments {
    /// Really delete the data.
    #[arg(long)]
    yes: bool,
}

/// Does what the verb says.
pub async fn obey(verb: ClusterVerb) -> Result<()> {
    match verb {
        ClusterVerb::Check(location) => check(location).await,
        ClusterVerb::Url => {
            let folder = cluster::data_folder()?;
            let url = cluster::running_in(&folder, SUPERUSER, DATABASE);
            print::line(url.with_context(|| format!("no cluster runs in {}", folder.display()))?)
        }
        ClusterVerb::Lend { program } => lend(&program).await,
    }
}

/// Deletes the embedded database.
pub fn reset(arguments: &ResetArguments) -> Result<()> {
    let folder = cluster::data_folder()?;
    if !arguments.yes {
        bail!("this deletes the database in {} for good: say --yes", folder.display());
    }
    cluster::delete(&folder)?;
    let login = folder.join(crate::seed::LOGIN_FILE);
    if login.exists() {
        std::fs::remove_file(login)?;
    }
    print::line(format_args!("deleted the database in {}", folder.display()))
}

async fn check(location: Location) -> Result<()> {
    let options = location.folder.map_or_else(Options::temporary, Options::kept);
    let start = Instant::now();
    let mut cluster = Cluster::start(options).await?;
    let (started, url) = (start.elapsed(), cluster.url(SUPERUSER, DATABASE));
    print::line(format_args!("started in {started:?}: {}\n{url}", cluster.describe()))?;
    let start = Instant::now();
    cluster.kill9()?;
    cluster.restart().await?;
    print::line(format_args!("killed and recovered in {:?}", start.elapsed()))?;
    let start = Instant::now();
    cluster.stop().await?;
    print::line(format_args!("stopped in {:?}", start.elapsed()))
}

async fn lend(program: &[String]) -> Result<()> {
    let [name, arguments @ ..] = program else { bail!("no program given") };
    let stop = StopSignal::listen()?;
    let cluster = Cluster::start(Options::temporary()).await?;
    let mut command = tokio::process::Command::new(name);
    command.args(arguments).env("PALOMA_OWNER_DATABASE_URL", cluster.url(SUPERUSER, DATABASE)).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    // Ctrl-C reaches the program too, as it is in our process group: wait for its own way to end
    let status = tokio::select! {
        status = child.wait() => status?,
        () = stop.requested() => match timeout(GRACE, child.wait()).await {
            Ok(status) => status?,
            Err(_) => bail!("{name} did not end within {GRACE:?}"),
        },
    };
    cluster.stop().await?;
    if status.success() { Ok(()) } else { std::process::exit(status.code().unwrap_or(1)) }
}
