//! Finds the PostgreSQL binaries that a cluster is to run with: those of the setting, of PATH, of the distribution's folders,
//! else of the npm registry. Runs nothing but `postgres --version`.

use super::npm;
use crate::spawn::{Identity, bind, on_spawner};
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest major version that the schema works with.
pub const OLDEST_MAJOR: u32 = 15;

/// Where PostgreSQL may come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// From this machine, else from the npm registry.
    #[default]
    Auto,
    /// From this machine only.
    System,
    /// From the npm registry only.
    Npm,
}

impl Source {
    /// What the setting `PALOMA_PG_SOURCE` says.
    pub fn from_env() -> Result<Self> {
        match std::env::var("PALOMA_PG_SOURCE").unwrap_or_default().as_str() {
            "" | "auto" => Ok(Self::Auto),
            "system" => Ok(Self::System),
            "npm" => Ok(Self::Npm),
            other => bail!("PALOMA_PG_SOURCE is {other:?}: it may be auto, system or npm"),
        }
    }
}

/// A folder with `postgres` and `initdb` in it.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The folder.
    pub folder: PathBuf,
    /// The major version of the server.
    pub major: u32,
}

/// The binaries to use: of a major version in `existing`, where data of that version is there already. A folder named by the
/// setting `PALOMA_PG_BIN_DIR` is used or refused, never passed over. `cache` says where downloads are kept.
pub fn choose(source: Source, existing: &[u32], cache: impl FnOnce() -> Result<PathBuf>) -> Result<Binaries> {
    let fits = |found: &Binaries| existing.is_empty() || existing.contains(&found.major);
    if let Some(folder) = std::env::var_os("PALOMA_PG_BIN_DIR").filter(|folder| !folder.is_empty()) {
        let folder = PathBuf::from(folder);
        let Some(named) = inspect(&folder) else {
            bail!("PALOMA_PG_BIN_DIR is {}, which holds no working postgres and initdb", folder.display())
        };
        if named.major < OLDEST_MAJOR {
            bail!("{} holds PostgreSQL {}: {OLDEST_MAJOR} or newer is needed", folder.display(), named.major);
        }
        return if fits(&named) { Ok(named) } else { Err(other_major(existing, &[named])) };
    }
    let mut found = Vec::new();
    if source != Source::Npm {
        found = candidates().iter().filter_map(|folder| inspect(folder)).collect();
        found.retain(|one| one.major >= OLDEST_MAJOR);
        if let Some(best) = found.iter().find(|one| fits(one)) {
            return Ok(best.clone());
        }
    }
    if source == Source::System && found.is_empty() {
        bail!(
            "no PostgreSQL {OLDEST_MAJOR} or newer on this machine: install it, or set PALOMA_PG_BIN_DIR to its binaries"
        );
    }
    if source != Source::System && (existing.is_empty() || existing.contains(&npm::MAJOR)) {
        return Ok(Binaries { folder: npm::install(&cache()?)?, major: npm::MAJOR });
    }
    if source == Source::Npm {
        found.push(Binaries { folder: PathBuf::from("the npm registry"), major: npm::MAJOR });
    }
    Err(other_major(existing, &found))
}

fn other_major(existing: &[u32], found: &[Binaries]) -> anyhow::Error {
    let held = existing.iter().map(u32::to_string).collect::<Vec<_>>().join(" and ");
    let found: Vec<String> = found.iter().map(|one| format!("{} ({})", one.major, one.folder.display())).collect();
    let found = if found.is_empty() { "no other".to_owned() } else { found.join(", ") };
    anyhow::anyhow!(
        "the data folder holds a cluster of PostgreSQL {held}, which only that version can open; found: {found}. Install \
         PostgreSQL {held}, or set PALOMA_PG_BIN_DIR to its binaries, or start afresh with another PALOMA_DATA_DIR"
    )
}

/// The binaries in `folder`, if they are there and run.
fn inspect(folder: &Path) -> Option<Binaries> {
    let server = folder.join("postgres");
    if !server.is_file() || !folder.join("initdb").is_file() {
        return None;
    }
    let mut command = Command::new(server);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    bind(&mut command, Identity::Same, Signal::SIGKILL);
    let output = on_spawner(move || command.spawn()).ok()?.wait_with_output().ok()?;
    let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { folder: folder.to_owned(), major })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-1)`, `… 18beta1`
fn major_of(version_line: &str) -> Option<u32> {
    let version = version_line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The folders of PATH in its order, then those of distributions, newest version first.
fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    let mut versioned = Vec::new();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),          // Debian, Ubuntu
        ("/usr", "pgsql-"),                   // the PostgreSQL project's packages for Red Hat
        ("/usr/libexec", "postgresql"),       // Alpine
        ("/usr/lib64", "postgresql-"),        // Gentoo
        ("/opt/homebrew/opt", "postgresql@"), // Homebrew
        ("/usr/local/opt", "postgresql@"),    // Homebrew on older machines
    ] {
        versioned.extend(versions_in(Path::new(parent), prefix));
    }
    versioned.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    folders.extend(versioned.into_iter().map(|(_, folder)| folder));
    folders.push(PathBuf::from("/usr/local/pgsql/bin"));
    folders
}

fn versions_in(parent: &Path, prefix: &str) -> Vec<(u32, PathBuf)> {
    let version = |name: &OsStr| name.to_str()?.strip_prefix(prefix)?.parse().ok();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let versions = entries.filter_map(|entry| Some((version(&entry.file_name())?, entry.path())));
    versions.map(|(major, home)| (major, if home.join("bin").is_dir() { home.join("bin") } else { home })).collect()
}

/// The major versions of the clusters that `folder` holds.
pub fn majors_in(folder: &Path) -> Result<Vec<u32>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let data =
        entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(super::server::DATA_PREFIX));
    let versions = data.filter_map(|entry| fs::read_to_string(entry.path().join("PG_VERSION")).ok());
    Ok(versions.filter_map(|version| version.trim().parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_the_server_says() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_of("gibberish"), None);
    }

    #[test]
    fn data_of_another_major_version_is_explained() {
        let found = Binaries { folder: "/usr/lib/postgresql/16/bin".into(), major: 16 };
        let said = other_major(&[15], &[found]).to_string();
        assert!(said.contains("PostgreSQL 15") && said.contains("16 (/usr/lib/postgresql/16/bin)"), "{said}");
        assert!(said.contains("PALOMA_DATA_DIR"), "{said}");
    }
}
