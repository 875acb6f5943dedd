//! A server that answers with exactly the bytes that a test wants.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server sends: the bytes, and whether it then closes the connection.
#[derive(Clone)]
pub(crate) struct Answer(pub(crate) String, pub(crate) bool);

/// A server on 127.0.0.1.
pub(crate) struct Server {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server; `answer` is asked with the path of each request.
    pub(crate) async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let (seen, answer) = (Arc::clone(&heads), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&answer)));
            }
        });
        Ok(Self { port, heads })
    }

    /// Returns the URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the first lines and headers of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        lock(&self.heads).clone()
    }
}

async fn serve<F: Fn(&str) -> Answer>(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, answer: Arc<F>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let Answer(bytes, close) = answer(head.split_whitespace().nth(1).unwrap_or_default());
    lock(&seen).push(head);
    let _sent = stream.write_all(bytes.as_bytes()).await;
    if !close {
        std::future::pending::<()>().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
