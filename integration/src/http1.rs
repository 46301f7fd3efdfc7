//! An HTTP/1.1 client that sends what it is told, hostile or not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::Error;

const TIMEOUT: Duration = Duration::from_secs(15);
/// Long enough that Envoy reads the pieces apart, short enough for many of them.
const BETWEEN_PIECES: Duration = Duration::from_millis(3);

/// A request, byte for byte.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method.
    pub method: Vec<u8>,
    /// The target, as sent.
    pub path: Vec<u8>,
    /// Header fields in order. `host`, and the body's framing, are added where missing.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body.
    pub body: Body,
    /// Where to cut the body: byte offsets; the pieces are written one by one.
    pub cuts: Vec<usize>,
}

/// A body and its framing.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// None, and no framing.
    #[default]
    None,
    /// With a content-length.
    Sized(Vec<u8>),
    /// Chunked, a chunk per piece, with trailers.
    Chunked {
        /// The whole content.
        content: Vec<u8>,
        /// Trailer fields.
        trailers: Vec<(Vec<u8>, Vec<u8>)>,
    },
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Statuses of the interim answers before it.
    pub interim: Vec<u16>,
    /// Header fields in order; names as received.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), ..Self::default() }
    }

    /// A GET.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A POST of JSON with a content-length.
    pub fn post_json(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path)
            .header("content-type", "application/json")
            .body(Body::Sized(body.as_ref().to_vec()))
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Cuts the body at these offsets.
    #[must_use]
    pub fn cut(mut self, cuts: &[usize]) -> Self {
        self.cuts = cuts.to_vec();
        self
    }

    /// Sends it on a connection of its own.
    pub fn send(&self, to: SocketAddr) -> Result<Response, Error> {
        Connection::open(to)?.exchange(self)
    }

    /// The request line and header fields, with the empty line.
    pub fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.method);
        out.push(b' ');
        out.extend_from_slice(&self.path);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            field(&mut out, name, value);
        }
        let has =
            |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        if !has("host") {
            field(&mut out, b"host", b"gateway.example");
        }
        match &self.body {
            Body::Sized(content) if !has("content-length") => {
                field(&mut out, b"content-length", content.len().to_string().as_bytes());
            }
            Body::Chunked { .. } if !has("transfer-encoding") => {
                field(&mut out, b"transfer-encoding", b"chunked");
            }
            _ => {}
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// The body as written, piece by piece.
    fn pieces(&self) -> Vec<Vec<u8>> {
        match &self.body {
            Body::None => Vec::new(),
            Body::Sized(content) => cut(content, &self.cuts).map(<[u8]>::to_vec).collect(),
            Body::Chunked { content, trailers } => {
                let mut pieces: Vec<Vec<u8>> = cut(content, &self.cuts)
                    .filter(|piece| !piece.is_empty())
                    .map(|piece| {
                        let size = format!("{:x}\r\n", piece.len());
                        [size.as_bytes(), piece, b"\r\n"].concat()
                    })
                    .collect();
                let mut end = b"0\r\n".to_vec();
                for (name, value) in trailers {
                    field(&mut end, name, value);
                }
                end.extend_from_slice(b"\r\n");
                pieces.push(end);
                pieces
            }
        }
    }
}

impl Response {
    /// The first field of that name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A connection, kept alive between exchanges.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    pending: Vec<u8>,
}

impl Connection {
    /// Connects. Reads and writes end after 15 s.
    pub fn open(to: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect_timeout(&to, TIMEOUT)
            .map_err(Error::io(format!("connect to {to}")))?;
        let set = || {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))
        };
        set().map_err(Error::io("set socket options"))?;
        Ok(Self { stream, pending: Vec::new() })
    }

    /// Makes reads end after another time.
    pub fn set_patience(&mut self, limit: Duration) -> Result<(), Error> {
        self.stream.set_read_timeout(Some(limit)).map_err(Error::io("set socket options"))
    }

    /// Sends a request and reads its answer. An answer that comes before the body is out wins.
    pub fn exchange(&mut self, request: &Request) -> Result<Response, Error> {
        let sent = self.send(request);
        match self.receive(&request.method) {
            Ok(response) => Ok(response),
            Err(error) => sent.and(Err(error)),
        }
    }

    /// Sends a request only.
    pub fn send(&mut self, request: &Request) -> Result<(), Error> {
        let pieces = request.pieces();
        let mut first = request.head();
        let mut pieces = pieces.iter();
        // One write for what belongs together, unless the body is to arrive in pieces.
        if request.cuts.is_empty() {
            for piece in pieces.by_ref() {
                first.extend_from_slice(piece);
            }
        }
        self.write(&first)?;
        for piece in pieces {
            std::thread::sleep(BETWEEN_PIECES);
            self.write(piece)?;
        }
        Ok(())
    }

    /// Writes any bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes).map_err(Error::io("send"))
    }

    /// Reads the final answer to a request of that method.
    pub fn receive(&mut self, method: &[u8]) -> Result<Response, Error> {
        let mut interim = Vec::new();
        loop {
            let mut response = self.receive_head()?;
            if (100..200).contains(&response.status) && response.status != 101 {
                interim.push(response.status);
                continue;
            }
            response.interim = interim;
            let bodiless = method == b"HEAD" || matches!(response.status, 101 | 204 | 304);
            if !(bodiless || method == b"CONNECT" && response.status == 200) {
                response.body = self.receive_body(&response)?;
            }
            return Ok(response);
        }
    }

    /// Reads the head of the next answer, interim or final.
    pub fn receive_head(&mut self) -> Result<Response, Error> {
        let end = loop {
            if let Some(at) = find(&self.pending, b"\r\n\r\n") {
                break at + 4;
            }
            if self.fill()? == 0 {
                let seen = String::from_utf8_lossy(&self.pending).into_owned();
                return Err(Error::Http(format!("connection closed after `{seen}`")));
            }
        };
        let head: Vec<u8> = self.pending.drain(..end).collect();
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut parsed = httparse::Response::new(&mut fields);
        parsed.parse(&head).map_err(|error| Error::Http(error.to_string()))?;
        Ok(Response {
            status: parsed.code.unwrap_or(0),
            headers: parsed.headers.iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect(),
            ..Response::default()
        })
    }

    /// Reads exactly so many bytes, as from an upgraded connection.
    pub fn read_exact(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        while self.pending.len() < count {
            if self.fill()? == 0 {
                return Err(Error::Http("connection closed".to_owned()));
            }
        }
        Ok(self.pending.drain(..count).collect())
    }

    /// Whether the peer closes, or resets, within the limit, with nothing more to read.
    pub fn closes_within(&mut self, limit: Duration) -> bool {
        let _ = self.stream.set_read_timeout(Some(limit));
        let closed = match self.fill() {
            Ok(read) => read == 0,
            Err(Error::Io { source, .. }) => source.kind() == io::ErrorKind::ConnectionReset,
            Err(_) => false,
        };
        let _ = self.stream.set_read_timeout(Some(TIMEOUT));
        closed
    }

    fn receive_body(&mut self, response: &Response) -> Result<Vec<u8>, Error> {
        if response.header("transfer-encoding").is_some_and(|v| v.contains("chunked")) {
            return self.receive_chunked();
        }
        if let Some(length) = response.header("content-length") {
            let length =
                length.parse().map_err(|_| Error::Http("bad content-length".to_owned()))?;
            return self.read_exact(length);
        }
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.pending))
    }

    fn receive_chunked(&mut self) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            let line = self.receive_line()?;
            let digits = line.split(|b| *b == b';').next().unwrap_or_default();
            let size = usize::from_str_radix(String::from_utf8_lossy(digits).trim(), 16)
                .map_err(|_| Error::Http("bad chunk size".to_owned()))?;
            if size == 0 {
                while !self.receive_line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.read_exact(size)?);
            self.receive_line()?;
        }
    }

    fn receive_line(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(at) = find(&self.pending, b"\r\n") {
                let mut line: Vec<u8> = self.pending.drain(..at + 2).collect();
                line.truncate(at);
                return Ok(line);
            }
            if self.fill()? == 0 {
                return Err(Error::Http("connection closed within a chunk".to_owned()));
            }
        }
    }

    fn fill(&mut self) -> Result<usize, Error> {
        let mut buffer = [0; 16 * 1024];
        // A signal ends a read that has a time-out, whatever its handler says.
        let read = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(Error::io("receive"))?,
            }
        };
        self.pending.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn cut<'a>(content: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let bounded = move |at: usize| at.min(content.len());
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(content.len()));
    starts.zip(ends).map(move |(from, to)| content.get(bounded(from)..bounded(to)).unwrap_or(&[]))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_lose_nothing() {
        for cuts in [&[][..], &[0], &[1, 1, 4], &[2, 99]] {
            let whole: Vec<u8> = cut(b"abcdef", cuts).flatten().copied().collect();
            assert_eq!(whole, b"abcdef", "{cuts:?}");
        }
    }

    #[test]
    fn chunked_bodies_end_with_their_trailers() {
        let request = Request::new("POST", "/").cut(&[1]).body(Body::Chunked {
            content: b"abc".to_vec(),
            trailers: vec![(b"x".to_vec(), b"y".to_vec())],
        });
        let body = request.pieces().concat();
        assert_eq!(body, b"1\r\na\r\n2\r\nbc\r\n0\r\nx: y\r\n\r\n");
    }
}
