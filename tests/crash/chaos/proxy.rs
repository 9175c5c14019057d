//! The way to the database server, with everything on it that can break: bytes that vanish while the connection stays open, connections
//! cut, delay, and another server at the other end.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

/// What becomes of connections. They are numbered in the order in which they are opened.
#[derive(Debug, Clone, Default)]
struct Way {
    /// The socket of the server.
    server: PathBuf,
    /// Bytes of connections before this one vanish, both ways, and no end of one is told to the other.
    swallowed_before: u64,
    /// After so many more pieces of the server they begin to.
    swallows_after: Option<u32>,
    /// Connections before this one are cut.
    cut_before: u64,
    /// How long each piece is on its way.
    delay: Duration,
    /// The number of the next.
    next: u64,
}

/// A TCP port of this machine that leads to the server's socket. Dropping it closes the way.
pub struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Opens a way to the server that listens in that folder.
    pub async fn open(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it was bound");
        let (way, _) = watch::channel(Way { server: socket_in(folder), ..Way::default() });
        let accepting = tokio::spawn(accept(listener, way.clone()));
        Self { address, way, accepting }
    }

    /// The address of a database at the other end.
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@{}/{database}?sslmode=disable", self.address)
    }

    /// Where pieces of ours that speak no URL find it.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on the connections that are open are half open: what is said on them is heard by nobody, and they do not end.
    pub fn swallow(&self) {
        self.way.send_modify(|way| way.swallowed_before = way.next);
    }

    /// They are half open once the server has said so many more pieces; an answer is one.
    pub fn swallow_after(&self, pieces: u32) {
        self.way.send_modify(|way| way.swallows_after = Some(pieces));
    }

    /// The same of those that are opened from now on, until it is said of the open ones only.
    pub fn swallow_all_to_come(&self) {
        self.way.send_modify(|way| way.swallowed_before = u64::MAX);
    }

    /// Ends the connections that are open.
    pub fn cut(&self) {
        self.way.send_modify(|way| way.cut_before = way.next);
    }

    /// Every piece takes so long from now on.
    pub fn delay(&self, by: Duration) {
        self.way.send_modify(|way| way.delay = by);
    }

    /// New connections lead to the server that listens in that folder.
    pub fn lead_to(&self, folder: PathBuf) {
        self.way.send_modify(|way| way.server = socket_in(folder));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

fn socket_in(folder: PathBuf) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}

async fn accept(listener: TcpListener, way: watch::Sender<Way>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut number = 0;
        way.send_modify(|way| {
            number = way.next;
            way.next += 1;
        });
        tokio::spawn(carry(client, number, way.clone()));
    }
}

/// Carries one connection until it ends or is cut. Where there is no server the client is hung up on.
async fn carry(mut client: TcpStream, number: u64, way: watch::Sender<Way>) {
    let path = way.borrow().server.clone();
    let Ok(mut server) = UnixStream::connect(path).await else { return };
    let mut cut = way.subscribe();
    let (client_reads, client_writes) = client.split();
    let (server_reads, server_writes) = server.split();
    let both = async {
        tokio::join!(
            pump(client_reads, server_writes, || passes(&way.borrow(), number)),
            pump(server_reads, client_writes, || passes_counted(&way, number)),
        )
    };
    tokio::select! {
        _ = both => {}
        // an error: nobody is left who could cut it
        _ = cut.wait_for(|way| way.cut_before > number) => {}
    }
}

/// How long a piece of that connection is on its way; none: it vanishes.
fn passes(way: &Way, number: u64) -> Option<Duration> {
    (way.swallowed_before <= number).then_some(way.delay)
}

/// The same of a piece of the server.
fn passes_counted(way: &watch::Sender<Way>, number: u64) -> Option<Duration> {
    let passes = passes(&way.borrow(), number);
    way.send_if_modified(|way| {
        let Some(left) = way.swallows_after.filter(|_| passes.is_some()) else { return false };
        way.swallows_after = left.checked_sub(1).filter(|left| *left > 0);
        if way.swallows_after.is_none() {
            way.swallowed_before = way.next;
        }
        true
    });
    passes
}

/// Carries one direction until it ends. An end is told as a piece is.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passes: impl Fn() -> Option<Duration>,
) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let size = from.read(&mut piece).await.unwrap_or(0);
        let delay = passes();
        tokio::time::sleep(delay.unwrap_or_default()).await;
        let carried = match delay {
            None => Ok(()),
            Some(_) if size == 0 => to.shutdown().await,
            Some(_) => to.write_all(&piece[..size]).await,
        };
        // who has hung up already needs not be told
        if size == 0 || carried.is_err() {
            return;
        }
    }
}
