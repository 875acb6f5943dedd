//! The HTTP server: how connections are taken, how long they may be silent, and how they end.

mod body;
mod connections;

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use callboard_core::base::causes::causes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use self::body::Watched;
use self::connections::{Connections, Full, Place};

/// How long the head of a request may take to come, and how long a connection may be without a request.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// What the head of a request may have, in bytes; also what is read and written at a time.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long a client may read nothing of what waits for it, and not answer the system's probes.
const STALL: Duration = Duration::from_secs(30);
/// How often the system asks a silent client whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How long a connection that is to end may take for the request that it is at.
const LEAVE: Duration = Duration::from_secs(2);
/// How long to wait where the system gives no connection, as when it has no open files left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often to look for a connection that may leave, where there are as many as may be.
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// Answers until `hung_up` is set, and then for as long as connections may take to end.
pub(crate) async fn listen(listener: TcpListener, router: Router, limit: usize, mut hung_up: watch::Receiver<bool>) {
    let (connections, mut running) = (Connections::new(limit), JoinSet::new());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = async { drop(hung_up.wait_for(|hung_up| *hung_up).await) } => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(place) = admit(&connections, peer).await {
                    running.spawn(serve(stream, peer, router.clone(), place, hung_up.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(error = %causes(&error), "no connection can be taken at the moment");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        while running.try_join_next().is_some() {}
    }
    drop(listener);
    while running.join_next().await.is_some() {}
}

/// Waits until there is a place; none where its address has its share. Others wait in the system's queue meanwhile.
async fn admit(connections: &Connections, peer: SocketAddr) -> Option<Place> {
    loop {
        match connections.admit(peer.ip()) {
            Ok(place) => return Some(place),
            Err(Full::OfAddress) => return None,
            Err(Full::ForNow) => drop(timeout(ROOM_PAUSE, connections.one_left()).await),
        }
    }
}

/// Answers the requests of one connection.
async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, place: Place, mut hung_up: watch::Receiver<bool>) {
    if let Err(error) = notice_silence(&stream) {
        tracing::debug!(error = %causes(&error), "a connection is gone");
        return;
    }
    let answer = service_fn(|request| answer(request, peer, router.clone(), &place));
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(BUFFER_BYTES);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), answer));
    let ended = tokio::select! {
        // what has come is read first: whose request is there is not sent away
        biased;
        ended = connection.as_mut() => Some(ended),
        () = is_over(&place) => None,
        () = async { drop(hung_up.wait_for(|hung_up| *hung_up).await) } => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(LEAVE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %causes(&error), "a connection has ended");
    }
}

/// Waits until the place is wanted and no request is being answered.
async fn is_over(place: &Place) {
    loop {
        place.is_wanted().await;
        if !place.is_busy() {
            return;
        }
    }
}

/// Has the system end a connection whose client reads nothing of what waits for it, or is gone without a word.
///
/// It knows what the client has read; this process only knows what the system has taken.
fn notice_silence(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_tcp_nodelay(stream, true)?;
    sockopt::set_tcp_user_timeout(stream, u32::try_from(STALL.as_millis()).unwrap_or(u32::MAX))?;
    sockopt::set_tcp_keepidle(stream, PROBE_EVERY)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_EVERY)?;
    sockopt::set_socket_keepalive(stream, true)
}

/// Answers one request. Until its body has come, and once it is answered, the connection waits for its client.
async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    router: Router,
    place: &Place,
) -> Result<Response<Watched<Body>>, std::convert::Infallible> {
    let mut request = request.map(|body| Watched::new(body, place.ours_at_the_end()));
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| Watched::new(body, place.clients_at_the_end())))
}
