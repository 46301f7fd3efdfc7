//! Runs the service: options, listener, what happens every moment, and the end.

mod begun;
mod listen;
mod options;

pub use options::Serve;

use crate::ended::by_signal;
use crate::http;
use crate::log;
use crate::service::Service;
use crate::store::Store;
use serde_json::json;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

/// Connections that wait to be accepted; Linux takes `net.core.somaxconn` where that is less.
const QUEUE: u32 = 8192;
/// Reports of gateways are written so often.
const FLUSH: Duration = Duration::from_secs(2);
/// Gateways are counted, and those that are gone forgotten, every so many times: it takes a look at all of them.
const COUNTED: u32 = 5;
/// Connections of monitors at once, at most: theirs are not what gateways take.
const MONITORS: usize = 64;
/// Connections are accepted after so long, though nothing be loaded yet: who asks whether the service lives is answered.
const LOADING: Duration = Duration::from_secs(5);
/// Files that are read again are looked at so often.
const REREAD: Duration = Duration::from_millis(250);
/// Requests under way may take this long after the service was asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// The last lines of the log may take this long: nobody may be reading it.
const LOGGED: Duration = Duration::from_secs(2);

/// Why the service does not start.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl<E: std::error::Error> From<&E> for StartError {
    fn from(error: &E) -> StartError {
        StartError(error.to_string())
    }
}

/// Runs until the process is asked to end (SIGTERM or SIGINT).
///
/// # Errors
/// What keeps it from starting.
pub fn run(options: &Serve) -> Result<(), StartError> {
    let settings = options.settings()?;
    let credentials = options.read_credentials()?;
    let tls = options.tls()?;
    options.check()?;
    let store = Store::open(&options.place()?).map_err(|error| StartError::from(&error))?;
    let service = Arc::new(Service::new(store, settings, credentials));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::from(&error))?;
    let ended = runtime.block_on(serve(options, service, tls));
    log::flush(LOGGED);
    ended
}

async fn serve(
    options: &Serve,
    service: Arc<Service>,
    tls: Option<listen::Tls>,
) -> Result<(), StartError> {
    let bound = async |address: &str| {
        bind(address).await.map_err(|error| StartError(format!("`{address}`: {error}")))
    };
    let listener = bound(&options.listen).await?;
    let monitors = match &options.metrics_listen {
        Some(address) => Some(bound(address).await?),
        None => None,
    };
    // PostgreSQL may come later, and much may be there to read; gateways are told to wait meanwhile.
    let (tried, first) = oneshot::channel();
    tokio::spawn(every_moment(Arc::clone(&service), options.refresh(), tried));
    let _ = tokio::time::timeout(LOADING, first).await;
    announce(options, &listener, monitors.as_ref(), &service)?;
    tokio::spawn(flushing(Arc::clone(&service)));
    tokio::spawn(rereading(Arc::clone(&service)));
    let router = http::router(Arc::clone(&service), monitors.is_none());
    let ended = listen::accept(Arc::clone(&service), router, listener, tls, options.connections);
    if let Some(listener) = monitors {
        let router = http::monitored(Arc::clone(&service));
        tokio::spawn(listen::accept(Arc::clone(&service), router, listener, None, MONITORS));
    }
    let stop = async {
        by_signal().await;
        log::info("ending", json!({}));
        service.stop();
    };
    let ((), connections) = tokio::join!(stop, ended);
    if tokio::time::timeout(GRACE, connections.shutdown()).await.is_err() {
        log::warn("connections are cut", json!({}));
    }
    // A database that hangs keeps nobody from ending.
    if tokio::time::timeout(GRACE, service.flush()).await.is_err() {
        log::warn("what gateways reported last is lost", json!({}));
    }
    Ok(())
}

/// Listens as [`TcpListener::bind`] does, with a longer queue: a fleet connects all at once when the service comes back, and
/// Linux resets some of what it could not queue.
async fn bind(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::from(io::ErrorKind::InvalidInput);
    for address in tokio::net::lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(QUEUE)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn announce(
    options: &Serve,
    listener: &TcpListener,
    monitors: Option<&TcpListener>,
    service: &Service,
) -> Result<(), StartError> {
    let address = |of: &TcpListener| of.local_addr().map_err(|error| StartError::from(&error));
    let (address, monitors) = (address(listener)?, monitors.map(address).transpose()?);
    let current = service.current();
    let (policies, revision) = (current.policies.len(), current.revision);
    let fields = json!({
        "address": address.to_string(), "metrics": monitors.map(|it| it.to_string()),
        "policies": policies, "revision": revision,
        "tls": options.certificate.is_some(), "version": env!("CARGO_PKG_VERSION"),
    });
    log::info("serving", fields);
    if let Some(path) = &options.address_file {
        let beside = path.with_extension("tmp");
        let lines: String =
            [Some(address), monitors].iter().flatten().map(|it| format!("{it}\n")).collect();
        std::fs::write(&beside, lines)
            .and_then(|()| std::fs::rename(&beside, path))
            .map_err(|error| StartError(format!("`{}`: {error}", path.display())))?;
    }
    Ok(())
}

/// Loads what is there, which is told once it was tried, and then what is published here and elsewhere.
async fn every_moment(service: Arc<Service>, refresh: Duration, tried: oneshot::Sender<()>) {
    let (mut away, mut tried) = (false, Some(tried));
    loop {
        let loaded = service.load().await;
        match &loaded {
            Err(error) => {
                service.metrics.store_errors.add();
                if !away {
                    log::warn("the database is away", json!({ "why": error.to_string() }));
                }
            }
            Ok(()) if away => log::info("the database is back", json!({})),
            Ok(()) => {}
        }
        away = loaded.is_err();
        if let Some(tried) = tried.take() {
            let _ = tried.send(());
        }
        tokio::time::sleep(refresh).await;
    }
}

/// Reads credentials that have changed, whatever the database does.
async fn rereading(service: Arc<Service>) {
    loop {
        tokio::time::sleep(REREAD).await;
        service.reread_credentials().await;
    }
}

async fn flushing(service: Arc<Service>) {
    for round in 0_u32.. {
        tokio::time::sleep(FLUSH).await;
        service.flush().await;
        if !round.is_multiple_of(COUNTED) {
            continue;
        }
        service.gateways.forget(service.forgotten_before());
        service.count_fleets().await;
    }
}
