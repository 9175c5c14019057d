//! Ports of this machine for programs that are told theirs.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// A port that the system gives to nobody else while this lives: it is bound and not listened on, and the program that is told of it may
/// bind it as well. One that was let go again could be another's before that program begins to listen.
#[derive(Debug)]
pub struct Port(TcpSocket);

impl Port {
    /// Takes one.
    ///
    /// # Panics
    /// Where none is free.
    #[must_use]
    pub fn hold() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        // without it nobody could bind the port beside us; servers set the same
        socket.set_reuseaddr(true).expect("a socket takes it");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        Self(socket)
    }

    /// Its address.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("it is bound")
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.address().port()
    }
}
