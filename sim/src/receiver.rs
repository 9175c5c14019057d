//! A receiver of webhooks, as a customer has one: it keeps what it was posted, to the byte, and answers as it is told. It checks nothing, so that a
//! test's judge sees what really came.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// What was posted.
#[derive(Debug, Clone)]
pub struct Post {
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, to the byte.
    pub body: Bytes,
}

impl Post {
    /// What a header says; nothing where it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// How a post is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// With a status and a text.
    Status(u16, &'static str),
    /// With a status, and the wish to be left alone for so many seconds.
    RetryAfter(u16, u64),
    /// From another place.
    Redirect(String),
    /// Not before [`Receiver::release`].
    Hold,
}

struct State {
    posts: Mutex<Vec<Post>>,
    script: Mutex<VecDeque<Reply>>,
    otherwise: Mutex<Reply>,
    released: watch::Sender<bool>,
}

/// A running receiver. Dropping it stops it.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    accept: JoinHandle<()>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Listens on a free loopback port and takes everything with 200.
    pub async fn start_local() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            posts: Mutex::default(),
            script: Mutex::default(),
            otherwise: Mutex::new(Reply::Status(200, "ok")),
            released: watch::Sender::new(false),
        });
        let accept = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, accept })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// An address of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next posts like this, one after the other.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        locked(&self.state.script).extend(replies);
    }

    /// Answers all others like this.
    pub fn otherwise(&self, reply: Reply) {
        *locked(&self.state.otherwise) = reply;
    }

    /// Answers what is held.
    pub fn release(&self) {
        self.state.released.send_replace(true);
    }

    /// What was posted so far.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        locked(&self.state.posts).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // a connection that can't be taken is the other side's to make again
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let serve = service_fn(move |request| answer(Arc::clone(&state), request));
            // the other side may be gone
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await;
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    locked(&state.posts).push(Post { path, headers: parts.headers, body });
    let next = locked(&state.script).pop_front();
    let reply = next.unwrap_or_else(|| locked(&state.otherwise).clone());
    let response = match reply {
        Reply::Status(status, text) => Response::builder().status(status).body(text),
        Reply::RetryAfter(status, seconds) => {
            Response::builder().status(status).header("retry-after", seconds).body("")
        }
        Reply::Redirect(to) => Response::builder().status(302).header("location", to).body(""),
        Reply::Hold => {
            // an error means that the receiver is gone
            let _ = state.released.subscribe().wait_for(|released| *released).await;
            Response::builder().status(200).body("late")
        }
    };
    Ok(response.unwrap_or_default().map(|text| Full::new(Bytes::from_static(text.as_bytes()))))
}
