//! What processes print: passed on line by line, with the last lines and the first JSON object kept for those who wait for them.

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::watch;
use tokio::task::JoinSet;

const LAST_LINES: usize = 12;
const LONGEST_LINE: u64 = 64 << 10;

/// Where the lines of processes go.
#[derive(Clone, Debug)]
pub enum Output {
    /// To our standard error, each after the name of its process.
    Prefixed,
    /// Into files `NAME.log` of this folder.
    Files(PathBuf),
}

/// The output of one process over all its runs.
#[derive(Clone, Debug)]
pub struct Printed {
    shared: Arc<Shared>,
    announced: watch::Receiver<Option<Value>>,
}

#[derive(Debug)]
struct Shared {
    sink: Sink,
    last: Mutex<VecDeque<String>>,
    announce: watch::Sender<Option<Value>>,
}

#[derive(Debug)]
enum Sink {
    Prefix(String),
    File(File),
}

impl Printed {
    pub(super) fn new(name: &str, output: &Output) -> Result<Self> {
        let sink = match output {
            Output::Prefixed => Sink::Prefix(format!("{name:<10}| ")),
            Output::Files(folder) => {
                let path = folder.join(format!("{name}.log"));
                fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
                let file = OpenOptions::new().create(true).append(true).open(&path);
                Sink::File(file.with_context(|| format!("opening {}", path.display()))?)
            }
        };
        let (announce, announced) = watch::channel(None);
        Ok(Self { shared: Arc::new(Shared { sink, last: Mutex::default(), announce }), announced })
    }

    /// The first line on standard output of the present run that is a JSON object, once it is there.
    pub async fn announcement(&self) -> Result<Value> {
        let mut announced = self.announced.clone();
        let value = announced.wait_for(Option::is_some).await?;
        value.clone().ok_or_else(|| anyhow!("nothing was announced"))
    }

    /// The last few lines, to be shown when something went wrong.
    pub fn last_lines(&self) -> String {
        let last = self.shared.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Passes on what a new run of the process prints, until the tasks in the answer end.
    pub(super) fn follow(&self, stdout: Option<ChildStdout>, stderr: Option<ChildStderr>) -> JoinSet<()> {
        self.shared.announce.send_replace(None);
        let mut passing = JoinSet::new();
        if let Some(stdout) = stdout {
            passing.spawn(pass_on(stdout, self.shared.clone(), true));
        }
        if let Some(stderr) = stderr {
            passing.spawn(pass_on(stderr, self.shared.clone(), false));
        }
        passing
    }
}

async fn pass_on(stream: impl AsyncRead + Unpin, shared: Arc<Shared>, mut may_announce: bool) {
    let mut reader = BufReader::new(stream);
    while let Some(line) = next_line(&mut reader).await {
        if may_announce && let Ok(value @ Value::Object(_)) = serde_json::from_str(&line) {
            shared.announce.send_replace(Some(value));
            may_announce = false;
        }
        shared.take(line);
    }
}

/// A line of bounded length: a process that prints without end must not fill our memory.
async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    let read = reader.take(LONGEST_LINE).read_until(b'\n', &mut line).await.ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}

impl Shared {
    fn take(&self, line: String) {
        // an output that is closed or full must not end us
        let _ = match &self.sink {
            Sink::Prefix(prefix) => std::io::stderr().write_all(format!("{prefix}{line}\n").as_bytes()),
            Sink::File(file) => (&mut &*file).write_all(format!("{line}\n").as_bytes()),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
}
