//! One PostgreSQL server process on one data folder: initialise, start, recover, stop. Blocking; knows nothing of databases,
//! users or what is stored in them.

use super::binaries::Binaries;
use super::folder::{Folder, SocketFolder};
use super::identity;
use crate::spawn::{Identity, bind, on_spawner};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Data folders are named by major version, because a server of another one cannot open them.
pub const DATA_PREFIX: &str = "postgres-";
const INITIALISING_PREFIX: &str = "initialising-";
const LONGEST_LOG: u64 = 16 << 20;
const TICK: Duration = Duration::from_millis(5);
/// Replaying the log after a crash takes a while, and is not to be cut short.
const READY_WITHIN: Duration = Duration::from_secs(300);
const FAST_STOP_WITHIN: Duration = Duration::from_secs(15);
const OLD_SERVER_GONE_WITHIN: Duration = Duration::from_secs(30);

/// A running server and all that is needed to start it again.
#[derive(Debug)]
pub struct Server {
    child: Child,
    binaries: Binaries,
    identity: Identity,
    data: PathBuf,
    socket: SocketFolder,
    log: PathBuf,
    settings: Vec<String>,
    folder: Folder, // last: the lock is given back after the server has gone
}

impl Server {
    /// Starts a server in `folder`, on new data if there are none. `settings` are of the form `name=value`; without
    /// `durable` a crash of the machine may cost all the data.
    pub fn start(folder: Folder, binaries: Binaries, durable: bool, settings: Vec<String>) -> Result<Self> {
        let identity = identity::choose(&[folder.path(), &binaries.folder.join("postgres")]);
        let data = folder.path().join(format!("{DATA_PREFIX}{}", binaries.major));
        clear_unfinished(folder.path())?;
        if !data.join("PG_VERSION").exists() {
            initialise(&binaries, identity, folder.path(), &data, durable)?;
        }
        identity::give(&data, identity)?;
        let socket = folder.socket_folder(identity)?;
        let log = folder.path().join("postgres.log");
        let child =
            launch(&Launch { binaries: &binaries, identity, data: &data, socket: &socket.path, log: &log }, &settings)?;
        Ok(Self { child, binaries, identity, data, socket, log, settings, folder })
    }

    /// Starts the server again, after it has ended or been killed.
    pub fn start_again(&mut self) -> Result<()> {
        self.stop()?;
        let (binaries, data, socket, log) = (&self.binaries, &self.data, &self.socket.path, &self.log);
        self.child = launch(&Launch { binaries, identity: self.identity, data, socket, log }, &self.settings)?;
        Ok(())
    }

    /// How the server ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Stops the server: open transactions are rolled back and a checkpoint is written; one that hangs is cut off.
    pub fn stop(&mut self) -> Result<()> {
        for (signal, patience) in [(Signal::SIGINT, FAST_STOP_WITHIN), (Signal::SIGQUIT, Duration::from_secs(5))] {
            if self.ended().is_some() {
                return Ok(());
            }
            kill(self.pid(), signal).context("stopping the database server")?;
            if self.ends_within(patience)? {
                return Ok(());
            }
        }
        self.kill9()
    }

    /// Kills the server on the spot, as a crash would.
    pub fn kill9(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The process id of the server.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// The folder of the server's socket.
    pub fn socket(&self) -> &Path {
        &self.socket.path
    }

    /// The folder that holds everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binaries in use.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// As whom the server runs.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    fn ends_within(&mut self, patience: Duration) -> Result<bool> {
        let until = Instant::now() + patience;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > until {
                return Ok(false);
            }
            sleep(TICK);
        }
        Ok(true)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!("the database server could not be stopped: {error:#}");
        }
    }
}

struct Launch<'a> {
    binaries: &'a Binaries,
    identity: Identity,
    data: &'a Path,
    socket: &'a Path,
    log: &'a Path,
}

fn clear_unfinished(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(INITIALISING_PREFIX) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Makes the data folder under another name and renames it when all is well, so that a half-made one is never started.
fn initialise(binaries: &Binaries, identity: Identity, folder: &Path, data: &Path, durable: bool) -> Result<()> {
    let fresh = folder.join(format!("{INITIALISING_PREFIX}{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&fresh)?;
    identity::give(&fresh, identity)?;
    let mut initdb = bare(&binaries.folder.join("initdb"));
    initdb.arg("-D").arg(&fresh).args(["-U", "postgres", "--auth=trust", "--encoding=UTF8"]);
    initdb.arg(if cfg!(target_os = "macos") { "--locale=en_US.UTF-8" } else { "--locale=C.UTF-8" });
    if !durable {
        initdb.arg("--no-sync");
    }
    initdb.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    bind(&mut initdb, identity, Signal::SIGKILL);
    let child = on_spawner(move || initdb.spawn()).with_context(|| cannot_run("initdb", binaries, identity))?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("initialising the database cluster in {}: {}\n{}", data.display(), output.status, said.trim());
    }
    fs::rename(&fresh, data)?;
    Ok(())
}

fn launch(with: &Launch, settings: &[String]) -> Result<Child> {
    clear_stale(with.data, with.socket)?;
    let log = open_log(with.log)?;
    let mut postgres = bare(&with.binaries.folder.join("postgres"));
    postgres.arg("-D").arg(with.data);
    postgres.arg("-c").arg(format!("unix_socket_directories={}", with.socket.display()));
    for setting in settings {
        postgres.arg("-c").arg(setting);
    }
    postgres.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    bind(&mut postgres, with.identity, Signal::SIGINT);
    let spawned = on_spawner(move || postgres.spawn());
    let mut child = spawned.with_context(|| cannot_run("postgres", with.binaries, with.identity))?;
    match wait_until_ready(&mut child, with.data) {
        Ok(()) => Ok(child),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error.context(format!("see {}; it ends with\n{}", with.log.display(), last_lines(with.log))))
        }
    }
}

/// The environment is cleared: settings of a PostgreSQL client (PGHOST …), or our own secrets, are none of its business.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", if cfg!(target_os = "macos") { "en_US.UTF-8" } else { "C.UTF-8" });
    for kept in ["PATH", "LD_LIBRARY_PATH"] {
        command.envs(std::env::var_os(kept).map(|value| (kept, value)));
    }
    command.current_dir("/"); // ours may be one that the server's user cannot enter
    command
}

fn cannot_run(program: &str, binaries: &Binaries, identity: Identity) -> String {
    let place = binaries.folder.join(program);
    match identity {
        Identity::Namespace { .. } => format!(
            "starting {} in a user namespace, which this machine may forbid: put it and the data folder where the user \
             postgres or nobody can go (PALOMA_PG_BIN_DIR, PALOMA_DATA_DIR)",
            place.display()
        ),
        Identity::Same | Identity::User { .. } => format!("starting {}", place.display()),
    }
}

/// We hold the folder's lock, so a pid file is either stale or of a server whose launcher was killed. The server itself would
/// take a zombie, or another process of our user that got the same number, for a live one, and refuse to start.
fn clear_stale(data: &Path, socket: &Path) -> Result<()> {
    let until = Instant::now() + OLD_SERVER_GONE_WITHIN;
    let mut told = false;
    loop {
        let running = processes_in(data);
        if running.is_empty() {
            break;
        }
        if let Some(server) = pid_in_file(data).filter(|pid| !told && running.contains(pid)) {
            told = kill(server, Signal::SIGINT).is_ok();
        }
        if Instant::now() > until {
            bail!("a server still runs in {} (processes {running:?}): stop it first", data.display());
        }
        sleep(TICK);
    }
    let locks = [data.join("postmaster.pid"), socket.join(".s.PGSQL.5432"), socket.join(".s.PGSQL.5432.lock")];
    for file in locks.iter().filter(|file| file.symlink_metadata().is_ok()) {
        fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
    }
    Ok(())
}

/// Every process of a server has the data folder as its working directory, until it is a zombie. Where there is no /proc, none
/// is found.
fn processes_in(data: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let inside = numbered.filter(|(_, process)| fs::read_link(process.join("cwd")).is_ok_and(|place| place == data));
    inside.map(|(pid, _)| Pid::from_raw(pid)).collect()
}

fn pid_in_file(data: &Path) -> Option<Pid> {
    let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    file.lines().next()?.trim().parse().ok().map(Pid::from_raw)
}

/// The eighth line of the pid file says what the server is doing; the first, whether it is ours.
fn wait_until_ready(child: &mut Child, data: &Path) -> Result<()> {
    let until = Instant::now() + READY_WITHIN;
    let ours = child.id().to_string();
    loop {
        if let Some(status) = child.try_wait()? {
            bail!("the database server ended while starting ({status})");
        }
        let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = file.lines().map(str::trim).collect();
        if lines.first() == Some(&ours.as_str()) && lines.get(7) == Some(&"ready") {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("the database server was not ready within {} s", READY_WITHIN.as_secs());
        }
        sleep(TICK);
    }
}

fn open_log(path: &Path) -> Result<File> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() > LONGEST_LOG) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("opening {}", path.display()))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
