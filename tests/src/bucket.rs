//! A bucket of a third party's S3 (moto), and a wire to it that does what a real one does on a bad day.

use std::{
    fmt,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crm::messaging::media::store::BucketConfig;
use reqwest::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::Port;

/// The name of every test's bucket.
const BUCKET: &str = "paloma-files";
/// A secret that no log and no error may hold.
pub const SECRET: &str = "canary-bucket-secret";

/// What the wire does with a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Weather {
    /// Brings it there and its answer back.
    #[default]
    Fine,
    /// Answers for the service: a status and S3's word for it.
    Says(u16, &'static str),
    /// Reads it and says nothing.
    Silent,
    /// Brings so many bytes of the answer back and hangs up.
    CutAfter(usize),
    /// The same for a file that is put; what is read comes back whole.
    PutCutAfter(usize),
    /// Hangs up in the middle of the request.
    HangsUp,
}

/// A bucket. It goes away with this.
pub struct Bucket {
    child: Child,
    /// Held for its end.
    _folder: tempfile::TempDir,
    /// Moto's, held for its end too.
    _port: Port,
    service: String,
    wire: String,
    weather: Arc<Mutex<Weather>>,
    asked: Arc<AtomicUsize>,
    refused: Refused,
    task: JoinHandle<()>,
}

/// The first lines of requests that the wire has answered itself.
type Refused = Arc<Mutex<Vec<String>>>;

/// Signs a request by the service's own library, and says whether it comes to the same.
const SIGNED_ALIKE: &str = r#"
import sys
from urllib.parse import parse_qsl, urlsplit
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
method, url, key, secret, region = sys.argv[1:]
unsigned, signature = url.split("&X-Amz-Signature=")
said = dict(parse_qsl(urlsplit(unsigned).query))
auth = S3SigV4QueryAuth(Credentials(key, secret), "s3", region, expires=int(said["X-Amz-Expires"]))
request = AWSRequest(method=method, url=unsigned)
request.context["timestamp"] = said["X-Amz-Date"]
ours = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
print("alike" if ours == signature else f"{ours} is not {signature}")
"#;

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.task.abort();
        // told already by `kill_on_drop`; its log goes with the folder
        let _ = self.child.start_kill();
    }
}

/// Where moto is: what `.ci/moto` makes, unless it is told otherwise.
fn moto() -> PathBuf {
    std::env::var_os("PALOMA_MOTO").map_or_else(
        || {
            let us = std::env::current_exe().expect("a test has an executable");
            // target/debug/deps/e2e-…
            us.ancestors().nth(3).expect("it lies in a target folder").join("moto/bin/moto_server")
        },
        PathBuf::from,
    )
}

impl Bucket {
    /// A bucket, or none where moto is not there; then it has been said.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start() -> Option<Self> {
        let program = moto();
        if !program.is_file() {
            crate::leave_out("moto is not installed: ./.ci/moto makes it");
            return None;
        }
        crm::process::install_tls();
        let folder = tempfile::tempdir().expect("a folder");
        let held = Port::hold();
        let port = held.number();
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env_remove("AWS_PROFILE")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("moto starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let wire = format!("http://{}", listener.local_addr().expect("an address"));
        let (weather, asked) = (Arc::<Mutex<Weather>>::default(), Arc::<AtomicUsize>::default());
        let refused = Refused::default();
        let task = tokio::spawn(carry(listener, port, Arc::clone(&weather), Arc::clone(&asked), Arc::clone(&refused)));
        let bucket = Self {
            child,
            _folder: folder,
            _port: held,
            service: format!("http://127.0.0.1:{port}"),
            wire,
            weather,
            asked,
            refused,
            task,
        };
        crate::eventually("there is a bucket", || async {
            reqwest::Client::new()
                .put(format!("{}/{BUCKET}", bucket.service))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        Some(bucket)
    }

    /// The settings by which an installation uses it.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn config(&self) -> BucketConfig {
        BucketConfig {
            bucket: Some(BUCKET.to_owned()),
            endpoint: Some(self.wire.parse().expect("an address")),
            region: "us-east-1".to_owned(),
            key_id: Some("AKIATESTTESTTESTTEST".to_owned()),
            secret: Some(SECRET.into()),
            is_in_path: true,
        }
    }

    /// What the wire does from now on.
    pub fn weather(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// How many requests have come so far.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Whether the service's own library signs the last request that the wire has refused in the same way.
    ///
    /// # Panics
    /// Where there is none, or the library can't be asked.
    pub async fn is_signed_as_by_its_own(&self) -> String {
        let line = self.refused.lock().unwrap_or_else(PoisonError::into_inner).last().expect("a request").clone();
        let mut words = line.split(' ');
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        let config = self.config();
        let url = format!("{}{path}", self.wire);
        let asked = Command::new(moto().with_file_name("python"))
            .args([
                "-c",
                SIGNED_ALIKE,
                method,
                &url,
                config.key_id.as_deref().unwrap_or_default(),
                SECRET,
                &config.region,
            ])
            .output()
            .await
            .expect("moto's Python runs");
        format!("{}{}", String::from_utf8_lossy(&asked.stdout), String::from_utf8_lossy(&asked.stderr))
    }

    /// Asks the service itself about a name: its answer.
    ///
    /// # Panics
    /// Where it does not answer.
    pub async fn ask(&self, method: Method, name: &str) -> reqwest::Response {
        reqwest::Client::new()
            .request(method, format!("{}/{BUCKET}/{name}", self.service))
            // it wants a signature and does not look at it
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/s3/aws4_request, Signature=0",
            )
            .send()
            .await
            .expect("moto answers")
    }

    /// The names that are in it.
    ///
    /// # Panics
    /// Where they can't be listed.
    pub async fn names(&self) -> Vec<String> {
        let answer = self.ask(Method::GET, "?list-type=2").await;
        assert_eq!(answer.status(), StatusCode::OK);
        let text = answer.text().await.expect("a text");
        text.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())).collect()
    }
}

/// Each connection carries one request: moto closes it behind its answer.
async fn carry(
    listener: TcpListener,
    port: u16,
    weather: Arc<Mutex<Weather>>,
    asked: Arc<AtomicUsize>,
    refused: Refused,
) {
    while let Ok((stream, _)) = listener.accept().await {
        asked.fetch_add(1, Ordering::SeqCst);
        let weather = weather.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let refused = Arc::clone(&refused);
        // a connection that breaks is what these are for
        tokio::spawn(async move { drop(one(stream, port, weather, &refused).await) });
    }
}

async fn one(mut client: TcpStream, port: u16, weather: Weather, refused: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let weather = match weather {
        Weather::PutCutAfter(most) => {
            let mut verb = [0; 3];
            let _ = client.peek(&mut verb).await?;
            if &verb == b"PUT" { Weather::CutAfter(most) } else { Weather::Fine }
        }
        weather => weather,
    };
    match weather {
        Weather::Fine => {
            let mut service = TcpStream::connect(("127.0.0.1", port)).await?;
            tokio::io::copy_bidirectional(&mut client, &mut service).await?;
        }
        Weather::CutAfter(most) | Weather::PutCutAfter(most) => {
            let service = TcpStream::connect(("127.0.0.1", port)).await?;
            let (mut from_service, mut to_service) = service.into_split();
            let (mut from_client, mut to_client) = client.into_split();
            let there = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_service).await });
            let mut answer = Vec::new();
            (&mut from_service).take(most as u64).read_to_end(&mut answer).await?;
            to_client.write_all(&answer).await?;
            to_client.shutdown().await?;
            there.abort();
        }
        Weather::Says(status, word) => {
            let line = drain(&mut client).await?;
            refused.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{word}</Code><Message>{SECRET}</Message></Error>");
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            client.write_all((head + &body).as_bytes()).await?;
            client.shutdown().await?;
        }
        Weather::Silent => {
            drain(&mut client).await?;
            tokio::time::timeout(Duration::from_secs(120), client.read(&mut [0; 1])).await.map(drop).unwrap_or(());
        }
        Weather::HangsUp => {
            let mut head = [0; 64];
            let _ = client.read(&mut head).await?;
        }
    }
    Ok(())
}

/// Reads a request to its end. Answers its first line.
async fn drain(client: &mut TcpStream) -> std::io::Result<String> {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 16 << 10];
        let count = client.read(&mut part).await?;
        read.extend_from_slice(&part[..count]);
        let Some(head) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
        let length = text.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if count == 0 || read.len() >= head + 4 + length.unwrap_or(0) {
            let line = read.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Ok(String::from_utf8_lossy(line).into_owned());
        }
    }
}
