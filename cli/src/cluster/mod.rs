//! The embedded database cluster: a PostgreSQL server of our own, started from whatever binaries are at hand, as any user,
//! on a Unix socket only. Refuses to know the schema: roles and migrations are `db`'s.

mod binaries;
mod folder;
mod identity;
mod npm;
mod server;
mod settings;
#[cfg(test)]
mod tests;

pub use binaries::{Binaries, Source};
pub use folder::data_folder;
pub use server::DATA_PREFIX;

use anyhow::{Context, Result};
use folder::Folder;
use server::Server;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// The name of the superuser of every cluster.
pub const SUPERUSER: &str = "postgres";
/// The name of the database that every cluster has.
pub const DATABASE: &str = "paloma";

/// What kind of cluster is wanted.
#[derive(Clone, Debug)]
pub struct Options {
    location: Location,
    durable: bool,
    source: Option<Source>,
    settings: Vec<String>,
}

#[derive(Clone, Debug)]
enum Location {
    Kept(PathBuf),
    Temporary,
}

impl Options {
    /// A durable cluster in a folder that stays, for instance that of [`data_folder`].
    pub fn kept(folder: impl Into<PathBuf>) -> Self {
        Self { location: Location::Kept(folder.into()), durable: true, source: None, settings: Vec::new() }
    }

    /// A cluster for tests, which goes away with the [`Cluster`]; in memory where there is enough of it, and not durable.
    pub fn temporary() -> Self {
        Self { location: Location::Temporary, durable: false, source: None, settings: Vec::new() }
    }

    /// Whether commits reach the disk before they are answered.
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Where the binaries may come from; otherwise the setting PALOMA_PG_SOURCE says.
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// One more setting of the server, as in `set("shared_buffers", "256MB")`; the last one of a name counts.
    pub fn set(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.settings.push(format!("{name}={value}"));
        self
    }
}

/// A running cluster. Dropping it stops the server; so does the end of this process, even by SIGKILL.
#[derive(Debug)]
pub struct Cluster {
    server: Option<Server>,
    socket: PathBuf,
}

impl Cluster {
    /// Starts a cluster and waits until it answers and has the database `paloma`.
    pub async fn start(options: Options) -> Result<Self> {
        let server = tokio::task::spawn_blocking(move || start_server(options)).await??;
        let cluster = Self { socket: server.socket().to_owned(), server: Some(server) };
        cluster.make_database().await.context("making the database")?;
        Ok(cluster)
    }

    /// The address of a database of this cluster for a user of it.
    pub fn url(&self, user: &str, database: &str) -> String {
        address(&self.socket, user, database)
    }

    /// The folder in which the server's socket lies.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The programs that the server is run with.
    pub fn binaries(&self) -> Option<&Binaries> {
        self.server.as_ref().map(Server::binaries)
    }

    /// How the server ended, if it did so unasked. [`Cluster::restart`] brings it back.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.server.as_mut().and_then(Server::ended)
    }

    /// Starts the server again: one that runs is stopped first, one that was killed recovers.
    pub async fn restart(&mut self) -> Result<()> {
        let mut server = self.server.take().context("the cluster has been stopped")?;
        let (server, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = server.start_again();
            (server, outcome)
        })
        .await?;
        self.server = Some(server);
        outcome
    }

    /// Kills the server as a crash would.
    pub fn kill9(&mut self) -> Result<()> {
        self.server.as_mut().context("the cluster has been stopped")?.kill9()
    }

    /// The process id of the server.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(|server| server.pid().as_raw().cast_unsigned())
    }

    /// What runs where and as whom, for a person.
    pub fn describe(&self) -> String {
        self.server.as_ref().map_or_else(String::new, |server| {
            let (binaries, folder) = (server.binaries(), server.folder().display());
            let place = binaries.folder.display();
            format!("PostgreSQL {} from {place}, data in {folder}, running as {}", binaries.major, server.identity())
        })
    }

    /// Stops the server and waits for its end: what is not committed is rolled back.
    pub async fn stop(mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        tokio::task::spawn_blocking(move || server.stop()).await?
    }

    async fn make_database(&self) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url(SUPERUSER, "postgres")).await?;
        let found = sqlx::query("select 1 from pg_catalog.pg_database where datname = 'paloma'");
        if found.fetch_optional(&mut connection).await?.is_none() {
            sqlx::query("create database paloma").execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(())
    }
}

/// The address of the cluster that another process runs in `folder`, if one does.
pub fn running_in(folder: &Path, user: &str, database: &str) -> Option<String> {
    let majors = binaries::majors_in(folder).ok()?;
    majors.iter().find_map(|major| {
        let data = folder.join(format!("{}{major}", server::DATA_PREFIX));
        let file = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = file.lines().map(str::trim).collect();
        let ready = lines.get(7) == Some(&"ready");
        let socket = PathBuf::from(lines.get(4)?);
        (ready && socket.join(".s.PGSQL.5432").exists()).then(|| address(&socket, user, database))
    })
}

/// Deletes all the data of the cluster in `folder`, which must not run.
pub fn delete(folder: &Path) -> Result<()> {
    let folder = Folder::kept(folder)?;
    for major in binaries::majors_in(folder.path())? {
        let data = folder.path().join(format!("{}{major}", server::DATA_PREFIX));
        std::fs::remove_dir_all(&data).with_context(|| format!("deleting {}", data.display()))?;
    }
    Ok(())
}

fn start_server(options: Options) -> Result<Server> {
    let folder = match &options.location {
        Location::Kept(folder) => Folder::kept(folder)?,
        Location::Temporary => Folder::temporary()?,
    };
    let source = options.source.map_or_else(Source::from_env, Ok)?;
    let existing = binaries::majors_in(folder.path())?;
    let binaries = binaries::choose(source, &existing, || Ok(data_folder()?.join("postgres-binaries")))?;
    let mut settings = settings::of(options.durable, settings::memory_mib());
    settings.extend(options.settings);
    Server::start(folder, binaries, options.durable, settings)
}

fn address(socket: &Path, user: &str, database: &str) -> String {
    let host: String = socket.as_os_str().as_encoded_bytes().iter().map(|byte| escaped(*byte)).collect();
    format!("postgres://{user}@localhost/{database}?host={host}")
}

fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}
