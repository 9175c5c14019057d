//! Gets PostgreSQL from the npm registry, by name and pinned version, where the machine has none. Only unpacks it into a
//! cache folder; whether it is wanted is decided in `binaries`.

use crate::spawn::{Identity, bind, on_spawner};
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde::Deserialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The major version that [`install`] brings.
pub const MAJOR: u32 = 18;
const VERSION: &str = "18.4.0-beta.17";

/// The folder with `postgres` and `initdb` of the package, which is fetched into `cache` unless it is there already.
pub fn install(cache: &Path) -> Result<PathBuf> {
    let platform = platform()?;
    let package = format!("@embedded-postgres/{platform}");
    let home = cache.join(format!("embedded-postgres-{platform}-{VERSION}"));
    let native = Path::new("node_modules").join(&package).join("native");
    fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
    let lock = File::create(cache.join("install.lock"))?;
    lock.lock().context("waiting for another launcher that fetches PostgreSQL")?;
    if !home.join(&native).exists() {
        tracing::info!("fetching PostgreSQL {MAJOR} with npm: {package} {VERSION}");
        let fresh = tempfile::Builder::new().prefix(".fetching-").tempdir_in(cache)?;
        fetch(fresh.path(), &format!("{package}@{VERSION}"))?;
        restore_links(&fresh.path().join(&native))?;
        open_to_all(fresh.path())?;
        fs::rename(fresh.keep(), &home)?; // all or nothing: a broken download is never found later
    }
    Ok(home.join(native).join("bin"))
}

fn platform() -> Result<&'static str> {
    Ok(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-x64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-x64",
        ("macos", "aarch64") => "darwin-arm64",
        (os, arch) => bail!("no PostgreSQL package for {os} on {arch}: install PostgreSQL 15 or newer"),
    })
}

fn fetch(into: &Path, package: &str) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--prefix"]);
    npm.arg(into).arg(package).current_dir(into);
    npm.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    bind(&mut npm, Identity::Same, Signal::SIGKILL);
    let child = on_spawner(move || npm.spawn())
        .context("starting npm, which would fetch PostgreSQL: install PostgreSQL 15 or newer, or Node.js with npm")?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("npm could not fetch {package}: install PostgreSQL 15 or newer instead, or see to npm\n{}", said.trim());
    }
    Ok(())
}

#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// npm packages hold no symlinks: the package lists them in a file, for an install script that we do not run.
fn restore_links(native: &Path) -> Result<()> {
    let list = native.join("pg-symlinks.json");
    let text = fs::read_to_string(&list).with_context(|| format!("reading {}", list.display()))?;
    let package = native.parent().context("the package lies in a folder")?;
    for link in serde_json::from_str::<Vec<Link>>(&text).with_context(|| format!("reading {}", list.display()))? {
        let place = package.join(&link.target);
        let name = link.source.file_name().context("a link of the package names no file")?;
        if place.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(name, &place).with_context(|| format!("linking {}", place.display()))?;
        }
    }
    Ok(())
}

/// As root the server runs as another user, who has to get in whatever our umask says.
fn open_to_all(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let meta = fs::symlink_metadata(path)?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.permissions().mode();
    let runs = if meta.is_dir() || mode & 0o100 != 0 { 0o555 } else { 0o444 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode | runs))?;
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            open_to_all(&entry?.path())?;
        }
    }
    Ok(())
}
