//! Steady load with known answers, from threads of its own, on kept and on new connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::http1::{Connection, Request};

/// How the load is spread.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Clients that keep their connection.
    pub kept: usize,
    /// Clients that open one for each request.
    pub fresh: usize,
    /// Between two requests of one client.
    pub pause: Duration,
}

impl Default for Shape {
    fn default() -> Self {
        Self { kept: 3, fresh: 1, pause: Duration::from_millis(4) }
    }
}

/// What the clients saw.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// When each answered request began, and how long it took.
    pub answered: Vec<(Instant, Duration)>,
    /// Requests answered otherwise than they must, or not at all.
    pub lost: usize,
    /// The first few of those.
    pub losses: Vec<String>,
}

impl Sent {
    /// The latency that this share of the requests did not exceed.
    pub fn latency(&self, share: f64) -> Duration {
        let mut all: Vec<Duration> = self.answered.iter().map(|(_, latency)| *latency).collect();
        all.sort_unstable();
        let last = all.len().saturating_sub(1);
        all.get((share * last as f64).round() as usize).copied().unwrap_or_default()
    }

    /// Adds what others saw.
    pub fn add(&mut self, other: Sent) {
        self.answered.extend(other.answered);
        self.lost += other.lost;
        self.losses.extend(other.losses);
        self.losses.truncate(5);
    }
}

/// Load that runs until it is stopped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Sent>>,
}

impl Load {
    /// Starts to send the requests in turn, each with the status that it must get.
    pub fn start(to: SocketAddr, requests: &[(Request, u16)], shape: Shape) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..shape.kept + shape.fresh).map(|client| {
            let (stop, requests) = (Arc::clone(&stop), requests.to_vec());
            thread::spawn(move || send(to, &requests, client < shape.kept, shape.pause, &stop))
        });
        Self { clients: clients.collect(), stop }
    }

    /// Ends it, and tells what was seen.
    pub fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Sent::default();
        for client in self.clients {
            let panicked =
                || Sent { lost: 1, losses: vec!["a client panicked".into()], ..Sent::default() };
            all.add(client.join().unwrap_or_else(|_| panicked()));
        }
        all
    }
}

fn send(
    to: SocketAddr,
    requests: &[(Request, u16)],
    keeps: bool,
    pause: Duration,
    stop: &AtomicBool,
) -> Sent {
    let (mut sent, mut kept) = (Sent::default(), None);
    for (request, expected) in requests.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let started = Instant::now();
        let loss = match exchange(to, &mut kept, request) {
            Ok(status) if status == *expected => {
                sent.answered.push((started, started.elapsed()));
                None
            }
            Ok(status) => Some(format!("{status} instead of {expected}")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(loss) = loss {
            kept = None;
            sent.lost += 1;
            sent.losses.push(loss);
            sent.losses.truncate(5);
        }
        if !keeps {
            kept = None;
        }
        thread::sleep(pause);
    }
    sent
}

fn exchange(
    to: SocketAddr,
    kept: &mut Option<Connection>,
    request: &Request,
) -> Result<u16, Error> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(to)?,
    };
    let answer = connection.exchange(request)?;
    // Envoy may close behind an answer that came before the end of the body, and says so.
    if answer.header("connection").is_none_or(|value| value != "close") {
        *kept = Some(connection);
    }
    Ok(answer.status)
}
