//! The cheapest upstream: it answers every request with an empty 200.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::Error;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A listening upstream; it serves until the process ends.
#[derive(Debug)]
pub struct Upstream(SocketAddr);

impl Upstream {
    /// Starts on a free port of the loopback.
    pub fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection ends with Envoy.
                thread::spawn(move || serve(stream));
            }
        });
        Ok(Self(address))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0
    }
}

fn serve(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut pending: Vec<u8> = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        while let Some(length) = request_length(&pending) {
            pending.drain(..length);
            stream.write_all(ANSWER).ok()?;
        }
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        pending.extend_from_slice(&buffer[..read]);
    }
}

/// The length of the first request with its body, once all of it is there.
fn request_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let body = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(Some(0), |value| value.trim().parse::<usize>().ok())?;
    (bytes.len() >= head + body).then_some(head + body)
}

#[cfg(test)]
mod tests {
    use super::request_length;

    #[test]
    fn a_request_is_whole_with_its_body() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET";
        assert_eq!(request_length(request), Some(request.len() - 3));
        assert_eq!(request_length(&request[..request.len() - 4]), None);
        assert_eq!(request_length(b"GET / HTTP/1.1\r\n\r\n"), Some(18));
        assert_eq!(request_length(b"GET / HTTP/1.1\r\n"), None);
    }
}
