//! The one Postgres cluster of a test run. The first test process that needs it starts a holder, which runs the cluster and ends
//! with the run; the others find its address in a file. Knows nothing of what tests do with it.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{sys::signal::kill, unistd::Pid};
use tokio::sync::OnceCell;

/// Set: use this cluster, `postgres://{user}@localhost/{database}?host=…`, instead of one of the run's own.
const BORROWED: &str = "PALOMA_TEST_CLUSTER";
/// Tells the holder which process it ends with and where to write the address.
const HOLD_FOR: &str = "PALOMA_TEST_HOLD_FOR";
const HOLD_IN: &str = "PALOMA_TEST_HOLD_IN";
const STARTS_WITHIN: Duration = Duration::from_secs(120);
/// The name of the ignored test that each test binary has for the holder: `e2e::cluster::hold()`.
const HOLDER: &str = "hold_the_cluster";

/// Addresses into the cluster of this run.
#[derive(Debug, Clone)]
pub struct Cluster {
    pattern: String,
    /// The migrated database that clones are made of.
    pub template: String,
}

impl Cluster {
    /// The address of a database for a role.
    #[must_use]
    pub fn url(&self, user: &str, database: &str) -> String {
        self.pattern.replace("{user}", user).replace("{database}", database)
    }

    /// A cluster that a test runs by itself, with the template in it.
    ///
    /// # Panics
    /// Where the template can't be made.
    pub async fn of(own: &cli::cluster::Cluster) -> Self {
        Self::with_template(pattern(own)).await
    }

    async fn with_template(pattern: String) -> Self {
        let cluster = Self { pattern, template: template_name() };
        let (any, own) = (cluster.url("postgres", "postgres"), cluster.url("postgres", &cluster.template));
        db::testing::make_template(&any, &own, &cluster.template).await.expect("the template database");
        cluster
    }
}

fn pattern(cluster: &cli::cluster::Cluster) -> String {
    cluster.url("USER", "DATABASE").replace("USER", "{user}").replace("DATABASE", "{database}")
}

/// The cluster of this run, started now if nobody has yet.
///
/// # Panics
/// Where it can't be started: no test can run then.
pub async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER
        .get_or_init(|| async {
            let pattern = match std::env::var(BORROWED) {
                Ok(pattern) => pattern,
                Err(_) => {
                    tokio::task::spawn_blocking(shared).await.expect("starting it does not panic").expect("a cluster")
                }
            };
            Cluster::with_template(pattern).await
        })
        .await
}

/// A template made by another text of the migrations has another name.
fn template_name() -> String {
    let mut hash = DefaultHasher::new();
    for migration in db::migrate::MIGRATOR.iter() {
        (migration.version, &migration.checksum[..]).hash(&mut hash);
    }
    format!("paloma_template_{:016x}", hash.finish())
}

/// The address of the run's cluster, from the holder's file; starts the holder where there is none.
fn shared() -> Result<String> {
    // nextest runs a process a test, and all of a run share the cluster; otherwise the processes of a run don't know of each other
    let (run, lives_as_long_as) = match std::env::var("NEXTEST_RUN_ID") {
        Ok(run) => (run, std::os::unix::process::parent_id()),
        Err(_) => (format!("pid-{}", std::process::id()), std::process::id()),
    };
    let folder = std::env::temp_dir().join(format!("paloma-tests-{}-{run}", nix::unistd::geteuid()));
    fs::create_dir_all(&folder)?;
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    lock.lock()?;
    if let Ok(pattern) = fs::read_to_string(folder.join("address")) {
        return Ok(pattern);
    }
    let mut holder = Command::new(std::env::current_exe()?);
    holder.args(["--exact", HOLDER, "--ignored"]).env(HOLD_FOR, lives_as_long_as.to_string()).env(HOLD_IN, &folder);
    holder.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // what ends a test must not end the others' cluster
    std::os::unix::process::CommandExt::process_group(&mut holder, 0);
    let mut holder = holder.spawn().context("starting the holder of the cluster")?;
    let until = Instant::now() + STARTS_WITHIN;
    loop {
        if let Ok(pattern) = fs::read_to_string(folder.join("address")) {
            return Ok(pattern);
        }
        if let Some(status) = holder.try_wait()? {
            let said = fs::read_to_string(folder.join("error")).unwrap_or_default();
            bail!("the holder of the cluster ended ({status}): {said}");
        }
        if Instant::now() > until {
            bail!("no cluster within {STARTS_WITHIN:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the holder does: runs the cluster until the run is over. Returns at once in a process that is not the holder.
///
/// # Panics
/// When the cluster can't be started; the one who started the holder reports it.
pub fn hold() {
    let (Ok(run), Ok(folder)) = (std::env::var(HOLD_FOR), std::env::var(HOLD_IN)) else { return };
    let folder = PathBuf::from(folder);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Err(error) = runtime.block_on(run_cluster(&run, &folder)) {
        let _ = fs::write(folder.join("error"), format!("{error:#}"));
        panic!("{error:#}");
    }
    let _ = fs::remove_dir_all(&folder);
}

async fn run_cluster(run: &str, folder: &std::path::Path) -> Result<()> {
    let run = Pid::from_raw(run.parse()?);
    // one connection pool and a few engine connections for each test that runs at the moment
    let cluster =
        cli::cluster::Cluster::start(cli::cluster::Options::temporary().set("max_connections", "400")).await?;
    // whole or not at all: others read it as soon as it is there
    fs::write(folder.join("address.new"), pattern(&cluster))?;
    fs::rename(folder.join("address.new"), folder.join("address"))?;
    while kill(run, None).is_ok() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    cluster.stop().await?;
    Ok(())
}
