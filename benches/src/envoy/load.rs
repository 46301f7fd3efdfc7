//! A closed loop of requests over a few keep-alive connections, a bounded number of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::requests::Requests;
use crate::Error;

/// Where to send requests, and over how many connections.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The listener.
    pub to: SocketAddr,
    /// Connections: as many requests are under way at once.
    pub connections: usize,
}

impl Load {
    /// Sends `count` requests in turn and checks that each is answered with 200.
    pub fn run(&self, requests: &Requests, count: u32) -> Result<(), Error> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            let stream = TcpStream::connect(self.to)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            connections.push(stream);
        }
        let mut sent = 0;
        while sent < count as usize {
            for (at, connection) in connections.iter_mut().enumerate() {
                connection.write_all(requests.get(sent + at))?;
            }
            for connection in &mut connections {
                read_answer(connection)?;
            }
            sent += connections.len();
        }
        Ok(())
    }
}

fn read_answer(connection: &mut TcpStream) -> Result<(), Error> {
    let mut buffer = [0; 4096];
    let mut length = 0;
    loop {
        let read = connection.read(&mut buffer[length..])?;
        length += read;
        let text = &buffer[..length];
        if read == 0 || length == buffer.len() {
            let text = String::from_utf8_lossy(text);
            return Err(Error::Unexpected(format!("no whole answer: `{text}`")));
        }
        // The upstream's answers have no body.
        if text.ends_with(b"\r\n\r\n") {
            return match text.starts_with(b"HTTP/1.1 200 ") {
                true => Ok(()),
                false => {
                    let line = String::from_utf8_lossy(text).lines().next().map(str::to_owned);
                    Err(Error::Unexpected(format!("not 200: {}", line.unwrap_or_default())))
                }
            };
        }
    }
}
