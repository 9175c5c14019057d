//! The programs of a version.

use std::{path::PathBuf, process::Stdio};

use tokio::process::Command;

use crate::{
    chaos::worker::itself,
    process::{Process, programs},
};

/// The commit of the last version.
const BASELINE: &str = include_str!("baseline");

/// The programs of one version.
pub struct Programs {
    folder: PathBuf,
    /// The executable of these tests, which plays the processes of the chaos tests.
    pub tests: PathBuf,
}

impl Programs {
    /// Those that are built with this test.
    pub fn of_this_version() -> Self {
        Self { folder: programs(), tests: itself() }
    }

    /// Those of the last version, built by `.ci/baseline`; none where they are not.
    pub fn of_the_last_version() -> Option<Self> {
        let commit = BASELINE.trim();
        let folder = programs().parent().expect("target/debug").join("baseline").join(commit);
        if !folder.is_dir() {
            e2e::leave_out(&format!(
                "the programs of the last version are not built: `make baseline` does it where the history reaches back to {commit}"
            ));
            return None;
        }
        Some(Self { tests: folder.join("crash"), folder })
    }

    /// Brings a database to the schema of this version, as its operator does.
    pub async fn migrate(&self, owner_url: &str) {
        let mut paloma = Command::new(self.folder.join("paloma"));
        paloma.args(["migrate", "--owner-database-url", owner_url]).stdin(Stdio::null()).kill_on_drop(true);
        let said = paloma.output().await.expect("`make crash` builds it first");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }

    /// Starts a server program.
    pub fn start(&self, program: &str, settings: &[(&str, &str)]) -> Process {
        let mut server = Command::new(self.folder.join(program));
        server.envs(settings.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
        Process::of(server.spawn().expect("`make crash` builds it first"))
    }
}
