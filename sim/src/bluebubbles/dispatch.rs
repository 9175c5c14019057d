//! Posts events to webhooks: one queue, a fixed number of dispatchers with a keep-alive connection each, one attempt per
//! post. Refuses to retry, to order and to look at the answer, as the real server does.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

use super::state::lock;

/// Above this many waiting posts, sends wait before they answer, so memory stays bounded.
const QUEUE_LIMIT: usize = 16_384;
/// The real server waits for ever; a dispatcher of a fixed pool must not.
const POST_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a webhook goes.
#[derive(Debug)]
pub(crate) struct Target {
    authority: Arc<str>,
    path: String,
    is_tls: bool,
}

impl Target {
    pub fn parse(url: &str) -> Option<Self> {
        let url = url::Url::parse(url).ok()?;
        let port = url.port_or_known_default()?;
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Some(Self { authority: format!("{}:{port}", url.host_str()?).into(), path, is_tls: url.scheme() == "https" })
    }
}

/// How posting went so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PostCounts {
    /// Posts that got an answer, whatever it said.
    pub answered: u64,
    /// Of these, answers other than 2xx.
    pub answered_not_ok: u64,
    /// Posts that failed; they are not tried again.
    pub failed: u64,
    /// Posts dropped on purpose.
    pub dropped: u64,
    /// Posts and receipts still to come.
    pub pending: usize,
}

struct Post {
    target: Arc<Target>,
    body: Bytes,
    _pending: Pending,
}

pub(crate) struct Queue {
    posts: Mutex<VecDeque<Post>>,
    ready: Semaphore,
    room: Notify,
    pending: AtomicUsize,
    idle: Notify,
    answered: AtomicU64,
    answered_not_ok: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            posts: Mutex::default(),
            ready: Semaphore::new(0),
            room: Notify::new(),
            pending: AtomicUsize::new(0),
            idle: Notify::new(),
            answered: AtomicU64::new(0),
            answered_not_ok: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }
}

/// Work that `settled` waits for.
pub(crate) struct Pending(Arc<Queue>);

impl Pending {
    pub fn new(queue: &Arc<Queue>) -> Self {
        queue.pending.fetch_add(1, Ordering::AcqRel);
        Self(queue.clone())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.0.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Queue {
    /// Queues a post, after a delay if there is one.
    pub fn post(self: &Arc<Self>, target: Arc<Target>, body: Bytes, delay_ms: u64) {
        let post = Post { target, body, _pending: Pending::new(self) };
        if delay_ms == 0 {
            return self.push(post);
        }
        let queue = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            queue.push(post);
        });
    }

    fn push(&self, post: Post) {
        lock(&self.posts).push_back(post);
        self.ready.add_permits(1);
    }

    pub fn note_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits while the queue is over its limit.
    pub async fn room(&self) {
        loop {
            let freed = self.room.notified();
            if lock(&self.posts).len() <= QUEUE_LIMIT {
                return;
            }
            freed.await;
        }
    }

    /// Waits until nothing is queued, being posted or still to be emitted.
    pub async fn settled(&self) {
        loop {
            let idle = self.idle.notified();
            if self.pending.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }

    pub fn counts(&self) -> PostCounts {
        PostCounts {
            answered: self.answered.load(Ordering::Relaxed),
            answered_not_ok: self.answered_not_ok.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            pending: self.pending.load(Ordering::Acquire),
        }
    }

    async fn next(&self) -> Option<Post> {
        self.ready.acquire().await.ok()?.forget();
        let mut posts = lock(&self.posts);
        let post = posts.pop_front();
        if posts.len() == QUEUE_LIMIT {
            self.room.notify_waiters();
        }
        post
    }

    /// One dispatcher; runs until the queue is closed or the task is aborted.
    pub async fn dispatch(self: Arc<Self>) {
        let mut connections = Connections::default();
        while let Some(post) = self.next().await {
            let outcome = tokio::time::timeout(POST_TIMEOUT, connections.post(&post)).await;
            match outcome {
                Ok(Ok(status)) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    if !status.is_success() {
                        self.answered_not_ok.fetch_add(1, Ordering::Relaxed);
                        tracing::debug!(%status, path = post.target.path, "webhook refused");
                    }
                }
                Ok(Err(error)) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%error, "webhook lost");
                }
                // The connection went with the attempt.
                Err(_) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

#[derive(Default)]
struct Connections(HashMap<Arc<str>, SendRequest<Full<Bytes>>>);

impl Connections {
    async fn post(&mut self, post: &Post) -> anyhow::Result<hyper::StatusCode> {
        anyhow::ensure!(!post.target.is_tls, "this simulator posts to http URLs only");
        if let Some(mut sender) = self.0.remove(&post.target.authority)
            && sender.ready().await.is_ok()
        {
            match sender.send_request(post.request()?).await {
                Ok(answer) => return self.finish(post, sender, answer).await,
                // The receiver closed an idle connection under us: no attempt was made yet. The real server opens a
                // connection per post and never meets this.
                Err(error) if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let stream = TcpStream::connect(&*post.target.authority).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let answer = sender.send_request(post.request()?).await?;
        self.finish(post, sender, answer).await
    }

    async fn finish(
        &mut self,
        post: &Post,
        sender: SendRequest<Full<Bytes>>,
        answer: hyper::Response<hyper::body::Incoming>,
    ) -> anyhow::Result<hyper::StatusCode> {
        let (head, mut body) = answer.into_parts();
        // The body is read to its end or the connection cannot be used again.
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return Ok(head.status);
            }
        }
        self.0.insert(post.target.authority.clone(), sender);
        Ok(head.status)
    }
}

impl Post {
    fn request(&self) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        Request::post(self.target.path.as_str())
            .header(HOST, &*self.target.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(self.body.clone()))
    }
}
