//! A socket for tests that reads each request whole and then does what the script says, one step a connection.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What to do once the request was read.
pub(crate) enum Script {
    /// Answer with that status and body.
    Answer(u16, &'static str),
    /// Write exactly these bytes, then close.
    Raw(&'static str),
    /// Close without a word.
    Close,
    /// Keep the connection open and say nothing.
    Silence,
}

/// Serves the steps in order and returns the base URL.
pub(crate) async fn serve<const N: usize>(steps: [Script; N]) -> String {
    serve_and_record(steps).await.0
}

/// The same, with the requests as they came.
pub(crate) async fn serve_and_record<const N: usize>(steps: [Script; N]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut silent = Vec::new();
        for step in steps {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            record.lock().unwrap().push(request);
            let answer = match step {
                Script::Answer(status, body) => {
                    let length = body.len();
                    format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
                }
                Script::Raw(bytes) => bytes.to_owned(),
                Script::Close => String::new(),
                Script::Silence => {
                    silent.push(stream);
                    continue;
                }
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    (base, seen)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        request.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some(head) = text.find("\r\n\r\n") else { continue };
        let length = text
            .split("\r\n")
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |value| value.parse::<usize>().unwrap());
        if count == 0 || request.len() >= head + 4 + length {
            return String::from_utf8(request).unwrap();
        }
    }
}
