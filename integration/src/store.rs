//! A store of bundles that can misbehave in every way that a gateway must survive.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;

/// What the store does with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers 200 with the bundle, or 304 where its entity tag is known.
    #[default]
    Serve,
    /// Does not listen.
    Down,
    /// Answers with a status, further header lines, and no body.
    Status(u16, String),
    /// Serves after so long.
    Late(Duration),
    /// Says a longer body than it sends, and closes.
    SaysMore,
    /// Says a shorter body than it sends.
    SaysLess,
    /// Closes in the middle of the body, whose length it does not say.
    Cuts,
    /// Closes in the middle of the body, and then does not listen for so long.
    Restarts(Duration),
    /// Sends a body that never ends.
    Endless,
    /// Sends the body a byte at a time, for longer than anyone waits.
    Trickles,
}

#[derive(Debug, Default)]
struct State {
    behaviour: Behaviour,
    bundle: Vec<u8>,
    version: u64,
    down_until: Option<Instant>,
    requests: Vec<Asked>,
}

/// A request that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Method, path and version.
    pub line: String,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status that was answered.
    pub status: u16,
}

impl Asked {
    /// The first field of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A running store. It ends with its handle.
#[derive(Debug)]
pub struct Store {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stopped: Arc<AtomicBool>,
}

impl Store {
    /// Starts on a free port of the loopback, with a bundle.
    pub fn start(bundle: &[u8]) -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::io("bind the store"))?;
        let address = listener.local_addr().map_err(Error::io("bind the store"))?;
        let state = State { bundle: bundle.to_vec(), version: 1, ..State::default() };
        let store = Self {
            address,
            state: Arc::new(Mutex::new(state)),
            stopped: Arc::new(AtomicBool::new(false)),
        };
        let (state, stopped) = (Arc::clone(&store.state), Arc::clone(&store.stopped));
        thread::spawn(move || listen(listener, address, &state, &stopped));
        Ok(store)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the bundle, and serves it.
    pub fn publish(&self, bundle: &[u8]) {
        let mut state = lock(&self.state);
        state.bundle = bundle.to_vec();
        state.version += 1;
        state.behaviour = Behaviour::Serve;
    }

    /// Behaves so from now on. A bundle may be there that a faulty store tries to send.
    pub fn behave(&self, behaviour: Behaviour) {
        let mut state = lock(&self.state);
        state.behaviour = behaviour;
        state.version += 1;
    }

    /// Everything asked since the last call.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.state).requests)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_down(state: &Mutex<State>) -> bool {
    let state = lock(state);
    state.behaviour == Behaviour::Down
        || state.down_until.is_some_and(|until| Instant::now() < until)
}

fn listen(first: TcpListener, address: SocketAddr, state: &Arc<Mutex<State>>, stop: &AtomicBool) {
    let mut listener = Some(first);
    while !stop.load(Ordering::Relaxed) {
        if is_down(state) {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).ok();
        }
        let accepted = listener.as_ref().and_then(|listener| {
            listener.set_nonblocking(true).ok()?;
            listener.accept().ok()
        });
        let Some((stream, _)) = accepted else {
            thread::sleep(Duration::from_millis(2));
            continue;
        };
        let state = Arc::clone(state);
        thread::spawn(move || serve(stream, &state));
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut pending = Vec::new();
    loop {
        let mut asked = read_head(&mut stream, &mut pending)?;
        let (behaviour, bundle, etag) = {
            let state = lock(state);
            (state.behaviour.clone(), state.bundle.clone(), format!("\"v{}\"", state.version))
        };
        let knows = asked.header("if-none-match") == Some(&etag);
        asked.status = match &behaviour {
            Behaviour::Status(status, _) => *status,
            Behaviour::Serve if knows => 304,
            _ => 200,
        };
        {
            let mut state = lock(state);
            // A long run that never asks must not fill the memory.
            if state.requests.len() < 10_000 {
                state.requests.push(asked.clone());
            }
        }
        let head = |length: usize| {
            format!(
                "HTTP/1.1 200 OK\r\netag: {etag}\r\ncontent-type: application/vnd.portcullis.bundle\r\n\
                 content-length: {length}\r\n\r\n"
            )
        };
        let unsized_head = format!("HTTP/1.1 200 OK\r\netag: {etag}\r\nconnection: close\r\n\r\n");
        let half = bundle.get(..bundle.len() / 2).unwrap_or_default();
        match behaviour {
            Behaviour::Down => return None,
            Behaviour::Status(status, more) => {
                let text = format!("HTTP/1.1 {status} x\r\n{more}content-length: 0\r\n\r\n");
                stream.write_all(text.as_bytes()).ok()?;
            }
            Behaviour::Serve if knows => {
                let text = format!("HTTP/1.1 304 Not Modified\r\netag: {etag}\r\n\r\n");
                stream.write_all(text.as_bytes()).ok()?;
            }
            Behaviour::Serve => send(&mut stream, &[head(bundle.len()).as_bytes(), &bundle])?,
            Behaviour::Late(delay) => {
                thread::sleep(delay);
                send(&mut stream, &[head(bundle.len()).as_bytes(), &bundle])?;
            }
            Behaviour::SaysMore => {
                send(&mut stream, &[head(bundle.len() + 1000).as_bytes(), &bundle])?;
                return None;
            }
            Behaviour::SaysLess => {
                send(&mut stream, &[head(bundle.len() / 2).as_bytes(), &bundle])?;
                return None;
            }
            Behaviour::Cuts => {
                send(&mut stream, &[unsized_head.as_bytes(), half])?;
                return None;
            }
            Behaviour::Restarts(pause) => {
                send(&mut stream, &[head(bundle.len()).as_bytes(), half])?;
                let mut state = lock(state);
                state.down_until = Some(Instant::now() + pause);
                state.behaviour = Behaviour::Serve;
                return None;
            }
            Behaviour::Endless => {
                stream.write_all(unsized_head.as_bytes()).ok()?;
                loop {
                    stream.write_all(&[b'x'; 65_536]).ok()?;
                }
            }
            Behaviour::Trickles => {
                stream.write_all(head(bundle.len()).as_bytes()).ok()?;
                for byte in bundle.iter().take(600) {
                    stream.write_all(&[*byte]).ok()?;
                    thread::sleep(Duration::from_millis(100));
                }
                return None;
            }
        }
    }
}

fn send(stream: &mut TcpStream, parts: &[&[u8]]) -> Option<()> {
    parts.iter().try_for_each(|part| stream.write_all(part)).ok()
}

fn read_head(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(at) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        pending.extend_from_slice(&buffer[..read]);
    };
    let head: Vec<u8> = pending.drain(..end).collect();
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut lines = text.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(Asked { line, headers: headers.collect(), status: 0 })
}
