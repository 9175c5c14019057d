//! Starts child processes in such a way that none outlives its launcher, and as somebody else than root where a program
//! insists on it. The only file of the crate with `unsafe` in it; it knows nothing of what the children are.
#![expect(unsafe_code, reason = "a child drops its user and asks for its parent-death signal between fork and exec")]

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Pid, Uid};
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel, sync_channel};

/// Who a child runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// As ourselves.
    Same,
    /// We are root: give it up for this user. Needs no more than a plain container grants.
    User {
        /// The user.
        uid: Uid,
        /// The only group that is kept.
        gid: Gid,
    },
    /// We are root: the child sees itself as this user inside a user namespace, while its access to files stays root's.
    /// For files that lie where no other user may go.
    Namespace {
        /// The user that the child believes to be.
        uid: Uid,
        /// The group that the child believes to be in.
        gid: Gid,
    },
}

impl fmt::Display for Identity {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => write!(to, "this user"),
            Self::User { uid, .. } => write!(to, "user {uid}"),
            Self::Namespace { uid, .. } => write!(to, "user {uid} of a namespace"),
        }
    }
}

/// Makes `command` run as `identity`, in a process group of its own (so that Ctrl-C reaches the launcher alone), and get
/// `on_death` when the launcher ends for whatever reason. Start it inside [`on_spawner`] only.
pub fn bind(command: &mut Command, identity: Identity, on_death: Signal) {
    let launcher = nix::unistd::getpid();
    let maps = NamespaceMaps::of(identity);
    command.process_group(0);
    // SAFETY: between fork and exec only system calls are made, on memory that was prepared before the fork.
    unsafe {
        command.pre_exec(move || {
            assume(identity, &maps)?;
            die_with(launcher, on_death) // last: a change of credentials clears the signal
        });
    }
}

/// Runs `start` on a thread that lives as long as the process: Linux sends the parent-death signal when the *thread* that
/// forked ends, so a child started on a worker thread of a runtime would die with it.
pub fn on_spawner<T: Send + 'static>(start: impl FnOnce() -> T + Send + 'static) -> T {
    type Start = Box<dyn FnOnce() + Send>;
    static SPAWNER: OnceLock<Sender<Start>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, starts) = channel::<Start>();
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || starts.into_iter().for_each(|start| start()))
            .expect("a thread can be started while the process is still small");
        sender
    });
    let (reply, answer) = sync_channel(1);
    let start: Start = Box::new(move || {
        let _ = reply.send(start());
    });
    spawner.send(start).expect("the spawner lives as long as its sender, which is static");
    answer.recv().expect("the spawner answers every start")
}

struct NamespaceMaps {
    uid: String,
    gid: String,
}

impl NamespaceMaps {
    fn of(identity: Identity) -> Self {
        match identity {
            Identity::Same | Identity::User { .. } => Self { uid: String::new(), gid: String::new() },
            Identity::Namespace { uid, gid } => Self {
                uid: format!("{uid} {} 1\n", nix::unistd::geteuid()),
                gid: format!("{gid} {} 1\n", nix::unistd::getegid()),
            },
        }
    }
}

#[cfg(target_os = "linux")]
fn assume(identity: Identity, maps: &NamespaceMaps) -> io::Result<()> {
    use nix::sched::{CloneFlags, unshare};
    match identity {
        Identity::Same => {}
        Identity::User { uid, gid } => {
            // Command::uid() and gid() would keep root's supplementary groups
            nix::unistd::setgroups(&[])?;
            nix::unistd::setgid(gid)?;
            nix::unistd::setuid(uid)?;
        }
        Identity::Namespace { .. } => {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            write_once(c"/proc/self/setgroups", "deny")?; // the kernel takes no gid_map before this
            write_once(c"/proc/self/uid_map", &maps.uid)?;
            write_once(c"/proc/self/gid_map", &maps.gid)?;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn assume(identity: Identity, _maps: &NamespaceMaps) -> io::Result<()> {
    match identity {
        Identity::Same => Ok(()),
        Identity::User { uid, gid } => {
            nix::unistd::setgid(gid)?;
            Ok(nix::unistd::setuid(uid)?)
        }
        Identity::Namespace { .. } => Err(io::Error::from(io::ErrorKind::Unsupported)),
    }
}

#[cfg(target_os = "linux")]
fn die_with(launcher: Pid, signal: Signal) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(signal)?;
    // the launcher may have ended between the fork and the line above: then nobody would send the signal any more
    if nix::unistd::getppid() == launcher { Ok(()) } else { Err(nix::errno::Errno::ESRCH.into()) }
}

#[cfg(not(target_os = "linux"))]
fn die_with(_launcher: Pid, _signal: Signal) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn write_once(path: &CStr, text: &str) -> io::Result<()> {
    use nix::fcntl::{OFlag, open};
    let file = open(path, OFlag::O_WRONLY, nix::sys::stat::Mode::empty())?;
    let written = nix::unistd::write(&file, text.as_bytes())?;
    if written == text.len() { Ok(()) } else { Err(nix::errno::Errno::EIO.into()) }
}
