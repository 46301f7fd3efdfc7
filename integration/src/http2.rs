//! HTTP/2 with prior knowledge (h2c): a client, and an upstream that echoes as it reads.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream, client, server};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::runtime::{Builder, Runtime};

use crate::error::Error;
use crate::http1::{Body, Request, Response};
use crate::upstream::Received;

const TIMEOUT: Duration = Duration::from_secs(15);
/// Long enough that Envoy reads the pieces apart, short enough for many of them.
const BETWEEN_PIECES: Duration = Duration::from_millis(3);

/// One connection of a client; its streams run side by side.
#[derive(Debug)]
pub struct Connection {
    runtime: Runtime,
    sender: client::SendRequest<Bytes>,
}

/// A stream that is open in both directions.
#[derive(Debug)]
pub struct Stream<'c> {
    connection: &'c Connection,
    /// The status of the answer.
    pub status: u16,
    send: SendStream<Bytes>,
    receive: RecvStream,
}

impl Connection {
    /// Connects and shakes hands. Everything ends after 15 s.
    pub fn open(to: SocketAddr) -> Result<Self, Error> {
        let runtime = runtime()?;
        let sender = within(&runtime, async {
            let stream = tokio::net::TcpStream::connect(to).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            let (sender, connection) = client::handshake(stream).await.map_err(failed)?;
            // How the connection ends shows in its streams.
            tokio::spawn(connection);
            sender.ready().await.map_err(failed)
        })?;
        Ok(Self { runtime, sender })
    }

    /// Sends a request and reads its answer. An answer that comes before the body is out wins.
    pub fn exchange(&self, request: &Request) -> Result<Response, Error> {
        let sender = self.sender.clone();
        within(&self.runtime, exchange(sender, request.clone()))
    }

    /// Sends requests at once, each on a stream of its own; the answers in the same order.
    pub fn exchange_all(&self, requests: &[Request]) -> Result<Vec<Response>, Error> {
        within(&self.runtime, async {
            let each = requests.iter().cloned();
            let tasks: Vec<_> =
                each.map(|it| tokio::spawn(exchange(self.sender.clone(), it))).collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.map_err(failed)??);
            }
            Ok(answers)
        })
    }

    /// Sends a head and waits for the answer's, while the body is open; `protocol` makes it an
    /// extended CONNECT (RFC 8441).
    pub fn stream(&self, request: &Request, protocol: Option<&str>) -> Result<Stream<'_>, Error> {
        let (status, send, receive) = within(&self.runtime, async {
            let mut head = head(request)?;
            if let Some(protocol) = protocol {
                head.extensions_mut().insert(Protocol::from(protocol));
            }
            let mut sender = self.sender.clone().ready().await.map_err(failed)?;
            let (answer, send) = sender.send_request(head, false).map_err(failed)?;
            let answer = answer.await.map_err(failed)?;
            Ok((answer.status().as_u16(), send, answer.into_body()))
        })?;
        Ok(Stream { connection: self, status, send, receive })
    }

    /// Sends a head and the first bytes of a body, and resets the stream.
    pub fn abandon(&self, request: &Request, bytes: &'static [u8]) -> Result<(), Error> {
        within(&self.runtime, async {
            let mut sender = self.sender.clone().ready().await.map_err(failed)?;
            let (_answer, mut send) = sender.send_request(head(request)?, false).map_err(failed)?;
            send.send_data(Bytes::from_static(bytes), false).map_err(failed)?;
            tokio::time::sleep(BETWEEN_PIECES * 10).await;
            send.send_reset(Reason::CANCEL);
            tokio::time::sleep(BETWEEN_PIECES).await;
            Ok(())
        })
    }
}

impl Stream<'_> {
    /// Sends bytes and waits for as many.
    pub fn echo(&mut self, bytes: &'static [u8]) -> Result<Vec<u8>, Error> {
        let (send, receive) = (&mut self.send, &mut self.receive);
        within(&self.connection.runtime, async {
            send.send_data(Bytes::from_static(bytes), false).map_err(failed)?;
            let mut echoed = Vec::new();
            while echoed.len() < bytes.len() {
                match receive.data().await {
                    Some(data) => take(receive, data.map_err(failed)?, &mut echoed)?,
                    None => break,
                }
            }
            Ok(echoed)
        })
    }

    /// Ends the sending side and reads to the end: the rest of the body, and a trailer's value.
    pub fn finish(mut self, trailer: &str) -> Result<(Vec<u8>, Option<String>), Error> {
        let (send, receive) = (&mut self.send, &mut self.receive);
        within(&self.connection.runtime, async {
            send.send_data(Bytes::new(), true).map_err(failed)?;
            let mut rest = Vec::new();
            while let Some(data) = receive.data().await {
                take(receive, data.map_err(failed)?, &mut rest)?;
            }
            let trailers = receive.trailers().await.map_err(failed)?.unwrap_or_default();
            let value = trailers.get(trailer).and_then(|value| value.to_str().ok());
            Ok((rest, value.map(str::to_owned)))
        })
    }
}

async fn exchange(sender: client::SendRequest<Bytes>, request: Request) -> Result<Response, Error> {
    let head = head(&request)?;
    let ends = matches!(request.body, Body::None);
    let mut sender = sender.ready().await.map_err(failed)?;
    let (answer, send) = sender.send_request(head, ends).map_err(failed)?;
    // What becomes of the upload shows in the answer.
    let upload = (!ends).then(|| tokio::spawn(upload(send, request)));
    let answer = answer.await.map_err(failed)?;
    let mut response = Response {
        status: answer.status().as_u16(),
        headers: owned(answer.headers()),
        ..Response::default()
    };
    let mut body = answer.into_body();
    while let Some(data) = body.data().await {
        take(&mut body, data.map_err(failed)?, &mut response.body)?;
    }
    if let Some(upload) = upload {
        upload.abort();
    }
    Ok(response)
}

/// Sends a body in its pieces as the peer gives room for them, then the trailers.
async fn upload(mut send: SendStream<Bytes>, request: Request) -> Result<(), h2::Error> {
    let (content, trailers) = match request.body {
        Body::None => return Ok(()),
        Body::Sized(content) => (content, Vec::new()),
        Body::Chunked { content, trailers } => (content, trailers),
    };
    let mut from = 0;
    for to in request.cuts.iter().copied().chain([content.len()]) {
        while from < to {
            send.reserve_capacity(to - from);
            let room = std::future::poll_fn(|context| send.poll_capacity(context)).await;
            let Some(room) = room.transpose()? else { return Ok(()) };
            let piece = Bytes::copy_from_slice(&content[from..to.min(from + room)]);
            from += piece.len();
            send.send_data(piece, false)?;
        }
        if !request.cuts.is_empty() {
            tokio::time::sleep(BETWEEN_PIECES).await;
        }
    }
    if trailers.is_empty() {
        return send.send_data(Bytes::new(), true);
    }
    let mut map = HeaderMap::new();
    for (name, value) in &trailers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            map.append(name, value);
        }
    }
    send.send_trailers(map)
}

fn head(request: &Request) -> Result<http::Request<()>, Error> {
    let method = Method::from_bytes(&request.method).map_err(failed)?;
    let path = String::from_utf8_lossy(&request.path);
    let named = request.headers.iter().find(|(name, _)| name == b"host");
    let authority = named
        .map_or("gateway.example".into(), |(_, value)| String::from_utf8_lossy(value).into_owned());
    let uri = match path.starts_with('/') {
        true => format!("http://{authority}{path}"),
        false => path.into_owned(),
    };
    let uri: Uri = uri.parse().map_err(failed)?;
    let mut head = http::Request::new(());
    *head.method_mut() = method;
    *head.uri_mut() = uri;
    *head.version_mut() = http::Version::HTTP_2;
    let fields = head.headers_mut();
    for (name, value) in request.headers.iter().filter(|(name, _)| name != b"host") {
        let name = HeaderName::from_bytes(name).map_err(failed)?;
        fields.append(name, HeaderValue::from_bytes(value).map_err(failed)?);
    }
    if let Body::Sized(content) = &request.body {
        fields.insert(http::header::CONTENT_LENGTH, HeaderValue::from(content.len()));
    }
    Ok(head)
}

fn take(from: &mut RecvStream, data: Bytes, into: &mut Vec<u8>) -> Result<(), Error> {
    into.extend_from_slice(&data);
    from.flow_control().release_capacity(data.len()).map_err(failed)
}

fn owned(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect()
}

/// An HTTP/2 server that answers each request as a gRPC service would, and sends its messages back
/// one by one as they come. It ends with its handle.
#[derive(Debug)]
pub struct EchoUpstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl EchoUpstream {
    /// Starts on a free port of the loopback.
    pub fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let received = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&received);
        let runtime = runtime()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(serve(stream, Arc::clone(&seen)));
                    }
                });
                let _ = stopped.await;
            });
        });
        Ok(Self { address, received, stop: Some(stop) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads received since the last call.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for EchoUpstream {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

async fn serve(stream: tokio::net::TcpStream, seen: Arc<Mutex<Vec<Received>>>) -> Option<()> {
    let mut connection = server::handshake(stream).await.ok()?;
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request.ok()?;
        let received = Received {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            headers: owned(request.headers()),
            ..Received::default()
        };
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(received);
        tokio::spawn(async move {
            let mut body = request.into_body();
            let answer = http::Response::builder().header("content-type", "application/grpc");
            let mut send = respond.send_response(answer.body(()).ok()?, false).ok()?;
            while let Some(data) = body.data().await {
                let data = data.ok()?;
                body.flow_control().release_capacity(data.len()).ok()?;
                send.send_data(data, false).ok()?;
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            send.send_trailers(trailers).ok()
        });
    }
    Some(())
}

fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread().enable_all().build().map_err(failed)
}

fn within<T>(runtime: &Runtime, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    runtime.block_on(async { tokio::time::timeout(TIMEOUT, work).await.map_err(failed)? })
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Http(format!("HTTP/2: {error}"))
}
