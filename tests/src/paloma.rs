//! `paloma` as a process, for the operator's verbs: the test's own executable again, which then does what the binary does. So no binary
//! has to be built first, and none of another version can be met.

use std::process::Stdio;

use clap::Parser;
use cli::{
    operate::{self, OperatorVerb},
    print,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::World;

/// What the process is to do, as a JSON list.
const ARGUMENTS: &str = "PALOMA_TEST_ARGUMENTS";
/// Set where the process is to wait for the end of its standard input before it does anything.
const WAITS: &str = "PALOMA_TEST_WAITS";
/// What comes before this on standard output is the test runner's.
const BEGIN: &str = "---- paloma ----";
/// The name of the ignored test that the test binary has for it: `e2e::paloma::be()`.
const ITSELF: &str = "be_paloma";

/// What the process said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Whether it ended without a fault.
    pub is_ok: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Said {
    /// The JSON that it answered.
    ///
    /// # Panics
    /// Where it failed, or answered something else.
    #[must_use]
    pub fn json(&self) -> Value {
        assert!(self.is_ok, "{}{}", self.out, self.err);
        self.document()
    }
    /// The same of one that may have ended with a fault.
    ///
    /// # Panics
    /// Where it answered something else.
    #[must_use]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
    /// Its output in words.
    ///
    /// # Panics
    /// Where it failed.
    #[must_use]
    pub fn text(&self) -> &str {
        assert!(self.is_ok, "{}{}", self.out, self.err);
        &self.out
    }
    /// Asserts that it did what it was asked.
    ///
    /// # Panics
    /// Where it failed.
    pub fn done(&self) {
        assert!(self.is_ok, "{}{}", self.out, self.err);
    }
    /// Why it failed.
    ///
    /// # Panics
    /// Where it did not.
    #[must_use]
    pub fn fault(&self) -> &str {
        assert!(!self.is_ok, "{}", self.out);
        &self.err
    }
}

/// Runs a verb on a world's installation.
pub async fn paloma(world: &World, arguments: &[&str]) -> Said {
    paloma_at(&world.database.url(), arguments).await
}

/// Runs a verb on the installation at that address.
///
/// # Panics
/// Where the process can't be started.
pub async fn paloma_at(database_url: &str, arguments: &[&str]) -> Said {
    let output = itself(database_url, arguments).stdin(Stdio::null()).output().await.expect("a test can run itself");
    let out = String::from_utf8_lossy(&output.stdout);
    let (_, out) = out.split_once(BEGIN).unwrap_or_else(|| panic!("it did not begin: {out}"));
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Said { is_ok: output.status.success(), out: out.trim_start_matches('\n').to_owned(), err }
}

/// Runs a verb on a world's installation as `paloma … | head` does: nobody reads its standard output by the time it writes there.
///
/// # Panics
/// Where the process can't be started or does not begin.
pub async fn paloma_unread(world: &World, arguments: &[&str]) -> Said {
    let mut command = itself(&world.database.url(), arguments);
    command.env(WAITS, "1").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a test can run itself");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    while lines.next_line().await.expect("lines").expect("it begins") != BEGIN {}
    drop(lines);
    drop(child.stdin.take());
    let output = child.wait_with_output().await.expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { is_ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn itself(database_url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has an executable"));
    command
        .args(["--exact", ITSELF, "--ignored", "--nocapture"])
        .env(ARGUMENTS, serde_json::to_string(arguments).expect("words are JSON"))
        .env("PALOMA_DATABASE_URL", database_url)
        .env("PALOMA_SECRET", "5a".repeat(32))
        .kill_on_drop(true);
    command
}

#[derive(Parser)]
#[command(name = "paloma")]
struct Arguments {
    #[command(subcommand)]
    verb: OperatorVerb,
}

/// What the process does. Returns at once in one that was not asked to.
///
/// # Panics
/// Where what it was asked can't be read.
pub fn be() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let arguments: Vec<String> = serde_json::from_str(&arguments).expect("a list of words");
    println!("{BEGIN}");
    if std::env::var_os(WAITS).is_some() {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("standard input ends");
    }
    let arguments = Arguments::parse_from(std::iter::once("paloma".to_owned()).chain(arguments));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let outcome = print::ended(runtime.block_on(operate::obey(arguments.verb)));
    if let Err(error) = &outcome {
        eprintln!("paloma: {error:#}");
    }
    // what the test runner would say of itself does not belong to the answer
    std::process::exit(i32::from(outcome.is_err()));
}
