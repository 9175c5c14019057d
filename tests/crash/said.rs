//! What real processes say, kept to be read.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
};

use e2e::World;
use tokio::process::{Child, Command};

use crate::process::programs;

/// All that our crates have to say.
const DEBUG: &str =
    "info,api=debug,crm=debug,jobs=debug,clients=debug,db=debug,worker=debug,scheduler=debug,paloma=debug,sqlx=warn";
/// Processes whose words are kept.
pub struct Said {
    folder: tempfile::TempDir,
    running: Vec<Child>,
}

impl Said {
    /// None yet.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), running: Vec::new() }
    }

    /// Starts a program with these settings besides the usual.
    pub fn start(&mut self, world: &World, program: &str, settings: &[(&str, &str)]) {
        let path: PathBuf = self.folder.path().join(program);
        let words = File::create(path).expect("a file");
        let child = Command::new(programs().join(program))
            .env("PALOMA_DATABASE_URL", world.database.url())
            .env("PALOMA_SECRET", "5a".repeat(32))
            .env("PALOMA_ALLOW_PRIVATE_GATEWAYS", "true")
            .env("RUST_LOG", DEBUG)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(words.try_clone().expect("a second handle"))
            .stderr(words)
            .kill_on_drop(true)
            .spawn()
            .expect("`make crash` builds the programs first");
        self.running.push(child);
    }

    /// All that it has said so far.
    pub fn of(&self, program: &str) -> String {
        std::fs::read_to_string(Path::new(self.folder.path()).join(program)).expect("what it said")
    }

    /// Ends them.
    pub async fn stop(&mut self) {
        for child in &mut self.running {
            child.kill().await.expect("it is there");
        }
    }
}
