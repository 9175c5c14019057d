//! The folder that a cluster lives in: where it is, whose it is while a launcher runs, and that a temporary one goes away.
//! Knows nothing of PostgreSQL but the length that a socket's path may have.

use super::identity;
use crate::spawn::Identity;
use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const TEMPORARY_PREFIX: &str = "paloma-tmp-";
const LOCK: &str = "cluster.lock";
const SHARED_MEMORY: &str = "/dev/shm";
const SHARED_MEMORY_NEEDED: u64 = 1 << 30;
/// The longest path that a Unix socket may have on Linux.
const LONGEST_SOCKET: usize = 107;
const SOCKET: &str = ".s.PGSQL.5432";

/// Where Paloma keeps its data: PALOMA_DATA_DIR, else /var/lib/paloma for root, else the user's data folder. Root's own home
/// would not do: the database server runs as another user, who cannot enter it.
pub fn data_folder() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("PALOMA_DATA_DIR") {
        return std::path::absolute(&folder).context("reading PALOMA_DATA_DIR");
    }
    if geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/paloma"));
    }
    if let Some(data) = set("XDG_DATA_HOME").filter(|data| data.is_absolute()) {
        return Ok(data.join("paloma"));
    }
    let home = set("HOME").context("neither HOME nor PALOMA_DATA_DIR is set: where should the data go?")?;
    Ok(home.join(".local/share/paloma"))
}

/// A folder that no other launcher uses as long as this value lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    // fields are dropped in this order: the folder goes away while it is still locked
    _temporary: Option<TempDir>,
    _lock: File,
}

impl Folder {
    /// Takes a folder that stays, and makes it first if need be.
    pub fn kept(path: &Path) -> Result<Self> {
        let mode = if geteuid().is_root() { 0o755 } else { 0o700 };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(path)
            .with_context(|| format!("making {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock = lock(&path)?;
        Ok(Self { path, _temporary: None, _lock: lock })
    }

    /// Makes a folder that ends with this value: in memory where there is plenty of it.
    pub fn temporary() -> Result<Self> {
        let parent = if free_bytes(SHARED_MEMORY) >= SHARED_MEMORY_NEEDED {
            PathBuf::from(SHARED_MEMORY)
        } else {
            std::env::temp_dir()
        };
        sweep(&parent);
        let made = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(&parent);
        let temporary = made.with_context(|| format!("making a temporary folder in {}", parent.display()))?;
        if geteuid().is_root() {
            fs::set_permissions(temporary.path(), Permissions::from_mode(0o711))?;
        }
        let path = temporary.path().canonicalize()?;
        let lock = lock(&path)?;
        Ok(Self { path, _temporary: Some(temporary), _lock: lock })
    }

    /// Where it is, with all links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder for the server's socket, open to `identity` only.
    pub fn socket_folder(&self, identity: Identity) -> Result<SocketFolder> {
        let usual = self.path.join("run");
        if fits(&usual) {
            DirBuilder::new().recursive(true).mode(0o700).create(&usual)?;
            fs::set_permissions(&usual, Permissions::from_mode(0o700))?;
            identity::give(&usual, identity)?;
            return Ok(SocketFolder { path: usual, _short: None });
        }
        for parent in [std::env::temp_dir(), PathBuf::from("/tmp")] {
            let short = tempfile::Builder::new().prefix("paloma-").tempdir_in(&parent)?;
            if fits(short.path()) {
                identity::give(short.path(), identity)?;
                return Ok(SocketFolder { path: short.path().to_owned(), _short: Some(short) });
            }
        }
        bail!("no folder with a path short enough for a Unix socket: set TMPDIR or PALOMA_DATA_DIR to a shorter one")
    }
}

/// Where the server's socket lies.
#[derive(Debug)]
pub struct SocketFolder {
    /// The folder of the socket.
    pub path: PathBuf,
    _short: Option<TempDir>,
}

fn fits(folder: &Path) -> bool {
    folder.join(SOCKET).as_os_str().len() <= LONGEST_SOCKET
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
    if let Err(refused) = file.try_lock() {
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        match refused {
            fs::TryLockError::WouldBlock => bail!(
                "another launcher (process {}) uses {}: stop it, or set PALOMA_DATA_DIR to another folder",
                holder.trim(),
                folder.display()
            ),
            fs::TryLockError::Error(error) => return Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// Removes temporary folders whose launchers were killed. One that is younger than a minute may still be about to be locked.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX)
            && entry.metadata().is_ok_and(|meta| {
                let age = meta.modified().ok().and_then(|made| made.elapsed().ok());
                meta.is_dir()
                    && meta.uid() == geteuid().as_raw()
                    && age.is_some_and(|age| age > Duration::from_secs(60))
            });
        if ours && lock(&entry.path()).is_ok_and(|_held| fs::remove_dir_all(entry.path()).is_ok()) {
            tracing::info!("removed {}, which a killed launcher left behind", entry.path().display());
        }
    }
}

fn free_bytes(path: &str) -> u64 {
    nix::sys::statvfs::statvfs(path).map_or(0, |stat| stat.blocks_available() * stat.fragment_size())
}
