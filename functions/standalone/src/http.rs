//! The HTTP server: how it accepts connections, how long they may be silent, and how they end.

mod body;
mod connections;
mod proxies;
mod tls;

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use callboard_api::Transport;
use callboard_core::base::causes::causes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use self::body::Watched;
use self::connections::{Connections, Full, Place};
pub(crate) use self::proxies::{Network, Proxies};
pub(crate) use self::tls::Tls;

/// How long the head of a request may take to arrive, and how long a connection may be idle between requests.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long the handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The largest head of a request, in bytes; also how much is read and written at a time.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long a client may leave waiting data unread, and not answer the system's probes.
const STALL: Duration = Duration::from_secs(30);
/// How often the system probes whether a silent client is still there.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How long a connection that is being closed has to finish its current request.
const LEAVE: Duration = Duration::from_secs(2);
/// How long to wait when the system refuses a connection, for example because no more files can be open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often to look for a connection that can be closed when the limit is reached.
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// How requests come in.
pub(crate) struct Front {
    /// How many connections there may be.
    pub(crate) limit: usize,
    /// The certificate, if connections are encrypted.
    pub(crate) tls: Option<Tls>,
    /// The proxies that tell whose requests they pass on.
    pub(crate) proxies: Proxies,
}

/// What every connection needs.
#[derive(Clone)]
struct Service {
    router: Router,
    proxies: Proxies,
    tls: Option<watch::Receiver<TlsAcceptor>>,
    hung_up: watch::Receiver<bool>,
}

/// Answers requests until `hung_up` is set, and then waits for the connections to end.
pub(crate) async fn listen(listener: TcpListener, router: Router, front: Front, mut hung_up: watch::Receiver<bool>) {
    let connections = Connections::new(front.limit, front.proxies.clone());
    let service = Service {
        router,
        proxies: front.proxies,
        tls: front.tls.as_ref().map(Tls::in_force),
        hung_up: hung_up.clone(),
    };
    let (mut looking, mut running) = (JoinSet::new(), JoinSet::new());
    if let Some(tls) = front.tls {
        looking.spawn(tls.keep_fresh());
    }
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = is_set(&mut hung_up) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(place) = admit(&connections, peer).await {
                    running.spawn(serve(stream, peer, service.clone(), place));
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

/// Waits for a free place. Returns `None` if the client's address has used up its share. Others wait in the system's queue meanwhile.
async fn admit(connections: &Connections, peer: SocketAddr) -> Option<Place> {
    loop {
        match connections.admit(peer.ip()) {
            Ok(place) => return Some(place),
            Err(Full::OfAddress) => return None,
            Err(Full::ForNow) => drop(timeout(ROOM_PAUSE, connections.one_left()).await),
        }
    }
}

/// Serves one connection, after the handshake if it is encrypted.
async fn serve(stream: TcpStream, peer: SocketAddr, mut service: Service, place: Place) {
    if let Err(error) = notice_silence(&stream) {
        tracing::debug!(error = %causes(&error), "a connection is gone");
        return;
    }
    let Some(acceptor) = service.tls.as_ref().map(|tls| tls.borrow().clone()) else {
        return converse(stream, peer, service, place).await;
    };
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE, acceptor.accept(stream)) => shaken,
        () = is_over(&place) => return,
        () = is_set(&mut service.hung_up) => return,
    };
    match shaken {
        Ok(Ok(stream)) => converse(stream, peer, service, place).await,
        Ok(Err(error)) => tracing::debug!(error = %causes(&error), "a handshake has failed"),
        Err(_) => tracing::debug!("a handshake has taken too long"),
    }
}

/// Answers the requests of one connection.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr, mut service: Service, place: Place) {
    let (router, proxies) = (service.router, service.proxies);
    let transport = match service.tls {
        Some(_) => Transport::Encrypted,
        None => Transport::Plain,
    };
    let answer = service_fn(|request| answer(request, (peer, transport), &proxies, router.clone(), &place));
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(BUFFER_BYTES);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), answer));
    let ended = tokio::select! {
        // read what has arrived first, so that a request that has already arrived is not turned away
        biased;
        ended = connection.as_mut() => Some(ended),
        () = is_over(&place) => None,
        () = is_set(&mut service.hung_up) => None,
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

/// Waits until the service is told to hang up.
async fn is_set(hung_up: &mut watch::Receiver<bool>) {
    drop(hung_up.wait_for(|hung_up| *hung_up).await);
}

/// Waits until another connection wants the place and no request is being answered.
async fn is_over(place: &Place) {
    loop {
        place.is_wanted().await;
        if !place.is_busy() {
            return;
        }
    }
}

/// Makes the system end a connection whose client does not read the data waiting for it, or has vanished silently.
///
/// Only the system knows what the client has read; this process just knows what it has handed to the system.
fn notice_silence(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_tcp_nodelay(stream, true)?;
    sockopt::set_tcp_user_timeout(stream, u32::try_from(STALL.as_millis()).unwrap_or(u32::MAX))?;
    sockopt::set_tcp_keepidle(stream, PROBE_EVERY)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_EVERY)?;
    sockopt::set_socket_keepalive(stream, true)
}

/// Answers one request. Until its body has arrived, and again once it is answered, the connection waits for its client.
async fn answer(
    request: Request<Incoming>,
    (peer, transport): (SocketAddr, Transport),
    proxies: &Proxies,
    router: Router,
    place: &Place,
) -> Result<Response<Watched<Body>>, std::convert::Infallible> {
    let mut request = request.map(|body| Watched::new(body, place.ours_at_the_end()));
    let client = proxies.client(peer, request.headers());
    let transport = proxies.transport(peer, request.headers()).unwrap_or(transport);
    request.extensions_mut().insert(ConnectInfo(client));
    request.extensions_mut().insert(transport);
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| Watched::new(body, place.clients_at_the_end())))
}
