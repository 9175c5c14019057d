//! Decides as whom the database server runs: PostgreSQL refuses root. Only looks at users and permissions, changes nothing
//! but the owner of folders that belong to the cluster.

use crate::spawn::Identity;
use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, User, geteuid};
use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

/// The identity under which all of `paths` can be used: ourselves unless we are root.
pub fn choose(paths: &[&Path]) -> Identity {
    if !geteuid().is_root() {
        return Identity::Same;
    }
    // initdb looks its user up by number, so it has to be one with an entry in the passwd file
    let users = ["postgres", "nobody"].into_iter().filter_map(|name| User::from_name(name).ok().flatten());
    let users: Vec<User> = users.filter(|user| !user.uid.is_root()).collect();
    for user in &users {
        if paths.iter().all(|path| reachable(path, user.uid, user.gid)) {
            return Identity::User { uid: user.uid, gid: user.gid };
        }
    }
    let seen_as = users.last().map_or((Uid::from_raw(65534), Gid::from_raw(65534)), |user| (user.uid, user.gid));
    Identity::Namespace { uid: seen_as.0, gid: seen_as.1 }
}

/// Gives `path` and all below it to `identity`, unless it has it already.
pub fn give(path: &Path, identity: Identity) -> Result<()> {
    let (uid, gid) = match identity {
        Identity::User { uid, gid } => (uid, gid),
        Identity::Same | Identity::Namespace { .. } => (geteuid(), nix::unistd::getegid()),
    };
    let owner = fs::symlink_metadata(path).with_context(|| format!("looking at {}", path.display()))?.uid();
    if owner == uid.as_raw() { Ok(()) } else { give_tree(path, uid, gid) }
}

fn give_tree(path: &Path, uid: Uid, gid: Gid) -> Result<()> {
    lchown(path, Some(uid.as_raw()), Some(gid.as_raw()))
        .with_context(|| format!("giving {} to the user of the database server ({uid})", path.display()))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give_tree(&entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}

/// Whether the user may enter every folder on the way to `path`, and `path` itself. Judged by mode bits.
pub fn reachable(path: &Path, uid: Uid, gid: Gid) -> bool {
    let Ok(real) = path.canonicalize() else { return false };
    real.ancestors().all(|step| {
        fs::metadata(step).is_ok_and(|meta| {
            let needed = match () {
                () if meta.uid() == uid.as_raw() => 0o100,
                () if meta.gid() == gid.as_raw() => 0o010,
                () => 0o001,
            };
            meta.mode() & needed != 0
        })
    })
}
