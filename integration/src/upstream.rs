//! A service behind Envoy that remembers what reached it, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::Error;

/// A request as the upstream received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The target.
    pub path: String,
    /// Header fields in order; names lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Received {
    /// The first field of that name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

/// An answer that is not the usual one.
type Own = dyn Fn(&Received) -> Option<Vec<Vec<u8>>> + Send + Sync;

/// An HTTP/1.1 server that answers 200 with the request's body, and 101 to upgrades, after which it
/// echoes bytes. It ends with its handle.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stopped: Arc<AtomicBool>,
}

impl Upstream {
    /// Starts on a free port of the loopback.
    pub fn start() -> Result<Self, Error> {
        Self::answering(|_| None)
    }

    /// The same, with an answer of its own, as it goes over the wire, for what the function picks.
    pub fn answering(
        own: impl Fn(&Received) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::answering_in_pieces(move |received| own(received).map(|whole| vec![whole]))
    }

    /// The same, with an answer in pieces that arrive apart.
    pub fn answering_in_pieces(
        own: impl Fn(&Received) -> Option<Vec<Vec<u8>>> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let own: Arc<Own> = Arc::new(own);
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::io("bind the upstream"))?;
        let address = listener.local_addr().map_err(Error::io("bind the upstream"))?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let upstream =
            Self { address, received: Arc::clone(&received), stopped: Arc::clone(&stopped) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (received, own) = (Arc::clone(&received), Arc::clone(&own));
                // A connection that fails is Envoy's to report.
                thread::spawn(move || serve(stream, &received, &*own));
            }
        });
        Ok(upstream)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything received since the last call.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(200));
    }
}

fn serve(mut stream: TcpStream, received: &Mutex<Vec<Received>>, own: &Own) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut pending = Vec::new();
    loop {
        let (mut request, framing) = read_head(&mut stream, &mut pending)?;
        let upgrade = request.header("upgrade").is_some() || request.method == "CONNECT";
        if upgrade {
            remember(received, request.clone());
            let answer: &[u8] = if request.method == "CONNECT" {
                b"HTTP/1.1 200 OK\r\n\r\n"
            } else {
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
            };
            stream.write_all(answer).ok()?;
            return echo(&mut stream, pending);
        }
        if request.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        match framing {
            Framing::Length(length) => {
                request.body = read_exact(&mut stream, &mut pending, length)?;
            }
            Framing::Chunked => read_chunked(&mut stream, &mut pending, &mut request)?,
        }
        if let Some(answer) = own(&request) {
            remember(received, request);
            for piece in &answer {
                stream.write_all(piece).ok()?;
                thread::sleep(Duration::from_millis(if answer.len() > 1 { 3 } else { 0 }));
            }
            continue;
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
            request.body.len()
        );
        let mut answer = head.into_bytes();
        if request.method != "HEAD" {
            answer.extend_from_slice(&request.body);
        }
        remember(received, request);
        stream.write_all(&answer).ok()?;
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

fn remember(received: &Mutex<Vec<Received>>, request: Received) {
    let mut all = received.lock().unwrap_or_else(PoisonError::into_inner);
    // A load test that never asks must not fill the memory.
    if all.len() < 10_000 {
        all.push(request);
    }
}

fn echo(stream: &mut TcpStream, pending: Vec<u8>) -> Option<()> {
    stream.write_all(&pending).ok()?;
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        stream.write_all(&buffer[..read]).ok()?;
    }
}

fn read_head(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<(Received, Framing)> {
    let end = loop {
        if let Some(at) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        fill(stream, pending)?;
    };
    let head: Vec<u8> = pending.drain(..end).collect();
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut parsed = httparse::Request::new(&mut fields);
    parsed.parse(&head).ok()?;
    let request = Received {
        method: parsed.method?.to_owned(),
        path: parsed.path?.to_owned(),
        headers: owned(parsed.headers),
        ..Received::default()
    };
    let chunked = request.header("transfer-encoding").is_some_and(|v| v.contains("chunked"));
    let length = request.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    Some((request, if chunked { Framing::Chunked } else { Framing::Length(length) }))
}

fn read_chunked(stream: &mut TcpStream, pending: &mut Vec<u8>, into: &mut Received) -> Option<()> {
    loop {
        let line = read_line(stream, pending)?;
        let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).ok()?;
        if size == 0 {
            break;
        }
        into.body.extend(read_exact(stream, pending, size)?);
        read_line(stream, pending)?;
    }
    let mut trailers = Vec::new();
    loop {
        let line = read_line(stream, pending)?;
        trailers.extend_from_slice(&line);
        trailers.extend_from_slice(b"\r\n");
        if line.is_empty() {
            break;
        }
    }
    let mut fields = [httparse::EMPTY_HEADER; 64];
    if let Ok(httparse::Status::Complete((_, fields))) =
        httparse::parse_headers(&trailers, &mut fields)
    {
        into.trailers = owned(fields);
    }
    Some(())
}

fn owned(fields: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    fields.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect()
}

fn read_line(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = pending.windows(2).position(|w| w == b"\r\n") {
            let mut line: Vec<u8> = pending.drain(..at + 2).collect();
            line.truncate(at);
            return Some(line);
        }
        fill(stream, pending)?;
    }
}

fn read_exact(stream: &mut TcpStream, pending: &mut Vec<u8>, count: usize) -> Option<Vec<u8>> {
    while pending.len() < count {
        fill(stream, pending)?;
    }
    Some(pending.drain(..count).collect())
}

fn fill(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 16 * 1024];
    let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
    pending.extend_from_slice(&buffer[..read]);
    Some(())
}
