//! Accepts connections: HTTP/1.1 and HTTP/2, with or without TLS, as many as are allowed.

use super::begun::Begun;
use crate::log;
use crate::service::{Peer, Service};
use axum::Router;
use axum::body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

/// How long TLS may take to be agreed on, the first bytes to come after it, and a request's head. The last is how long an idle connection
/// of HTTP/1.1 is kept, too.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Certificates that were wrong are read again no sooner.
const AGAIN: Duration = Duration::from_secs(1);
const HEAD: Duration = Duration::from_secs(75);
/// A client that reads nothing for so long is cut off.
const STALLED: Duration = Duration::from_secs(30);
/// HTTP/2: streams of a connection, and how a peer that is gone is noticed.
const STREAMS: u32 = 64;
const PING: Duration = Duration::from_secs(20);

/// Certificate and key, read again when their files change.
pub struct Tls {
    files: Vec<PathBuf>,
    read: Box<dyn Fn() -> Result<ServerConfig, String> + Send + Sync>,
    current: Mutex<Read>,
}

struct Read {
    config: Arc<ServerConfig>,
    /// When the files that it is of were changed.
    times: Vec<Option<SystemTime>>,
    /// When newer ones were wrong.
    wrong: Option<Instant>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<ServerConfig, String> + Send + Sync + 'static,
    ) -> Result<Tls, String> {
        let config = Arc::new(read()?);
        let times = times(&files);
        Ok(Tls {
            files,
            read: Box::new(read),
            current: Mutex::new(Read { config, times, wrong: None }),
        })
    }

    /// What holds now. Files that are wrong change nothing.
    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let times = times(&self.files);
        if times != current.times && current.wrong.is_none_or(|last| last.elapsed() > AGAIN) {
            match (self.read)() {
                Ok(config) => *current = Read { config: Arc::new(config), times, wrong: None },
                Err(why) => {
                    log::warn("certificates are wrong: the older ones hold", json!({ "why": why }));
                    // They may be wrong for a moment only: half replaced, or for want of a file descriptor.
                    current.wrong = Some(Instant::now());
                }
            }
        }
        Arc::clone(&current.config)
    }
}

fn times(files: &[PathBuf]) -> Vec<Option<SystemTime>> {
    files.iter().map(|file| std::fs::metadata(file).and_then(|it| it.modified()).ok()).collect()
}

/// Accepts until the service stops, to be answered by the router; gives what ends the connections that are open.
pub async fn accept(
    service: Arc<Service>,
    // One for all connections: a fleet has thousands.
    router: Router,
    listener: TcpListener,
    tls: Option<Tls>,
    most: usize,
) -> GracefulShutdown {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(most));
    let tls = tls.map(Arc::new);
    let mut stopping = service.stopping();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return graceful,
        };
        let Ok((stream, address)) = accepted else {
            // Out of file descriptors, most likely: others must end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            service.metrics.turned_away.add();
            continue;
        };
        let (service, tls, watcher) = (Arc::clone(&service), tls.clone(), graceful.watcher());
        let router = router.clone();
        tokio::spawn(async move {
            service.metrics.connections.change(1);
            let connection = Connection { router, address, watcher };
            connection.serve(stream, tls).await;
            service.metrics.connections.change(-1);
            drop(slot);
        });
    }
}

struct Connection {
    router: Router,
    address: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Arc<Tls>>) {
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(STALLED));
        let stream = Box::pin(stream);
        let Some(tls) = tls else {
            let peer = Peer::new(self.address, None);
            return self.answer(stream, peer).await;
        };
        let accepted = TlsAcceptor::from(tls.config()).accept(stream);
        let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, accepted).await else { return };
        let certificate = stream.get_ref().1.peer_certificates().and_then(|them| them.first());
        let peer = Peer::new(self.address, certificate);
        self.answer(stream, peer).await;
    }

    async fn answer(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
    ) {
        let end = Arc::clone(&peer.end);
        let begun = tokio::time::timeout(HANDSHAKE, Begun::of(stream));
        let Ok(Ok(stream)) = begun.await else { return };
        let with_peer = move |request: hyper::Request<_>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer.clone());
            request
        };
        let router = tower::ServiceExt::map_request(self.router, with_peer);
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 << 10);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(64 << 10)
            .keep_alive_interval(Some(PING))
            .keep_alive_timeout(PING);
        let connection =
            builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        // What a client does to its connection is nothing to log.
        tokio::select! {
            _ = self.watcher.watch(connection.into_owned()) => {}
            () = end.notified() => {}
        }
    }
}
