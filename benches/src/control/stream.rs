//! A gateway that holds an xDS stream, reads what it is sent, and acknowledges it.

use std::convert::Infallible;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client;
use http::Request;
use prost::Message;
use tokio::net::TcpStream;

use super::fleet::Fleet;

const PATH: &str =
    "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs";
const TYPE_URL: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/// What is said of `envoy.service.discovery.v3.DiscoveryRequest`.
#[derive(Clone, PartialEq, Message)]
struct Asked {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(message, optional, tag = "2")]
    node: Option<Node>,
    #[prost(string, repeated, tag = "3")]
    resource_names: Vec<String>,
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    response_nonce: String,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, tag = "1")]
    id: String,
}

/// What is read of a response: not the resources, which are dropped as they come.
#[derive(Clone, PartialEq, Message)]
struct Sent {
    #[prost(string, tag = "1")]
    version_info: String,
    #[prost(string, tag = "5")]
    nonce: String,
}

/// Holds a stream for good. One that ends is opened anew.
pub async fn run(fleet: Arc<Fleet>, number: usize, to: SocketAddr) {
    let mut version = String::new();
    loop {
        let Err(what) = hold(&fleet, number, to, &mut version).await;
        fleet.failed(&format!("stream: {what}"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn hold(
    fleet: &Fleet,
    number: usize,
    to: SocketAddr,
    version: &mut String,
) -> Result<Infallible, String> {
    let stream = TcpStream::connect(to).await.map_err(|it| told("connect", it))?;
    stream.set_nodelay(true).map_err(|it| told("connect", it))?;
    let mut builder = client::Builder::new();
    builder.initial_window_size(16 << 20).initial_connection_window_size(24 << 20);
    let (send, connection) =
        builder.handshake::<_, Bytes>(stream).await.map_err(|it| told("handshake", it))?;
    let connection = tokio::spawn(connection);
    let held = exchange(fleet, number, send, version).await;
    connection.abort();
    held
}

async fn exchange(
    fleet: &Fleet,
    number: usize,
    send: client::SendRequest<Bytes>,
    version: &mut String,
) -> Result<Infallible, String> {
    let request = Request::post(format!("http://control{PATH}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .map_err(|it| told("ask", it))?;
    let mut send = send.ready().await.map_err(|it| told("ask", it))?;
    let (response, mut requests) =
        send.send_request(request, false).map_err(|it| told("ask", it))?;
    let mut asked = Asked {
        version_info: version.clone(),
        node: Some(Node { id: format!("stream-{number}") }),
        resource_names: vec!["portcullis".to_owned()],
        type_url: TYPE_URL.to_owned(),
        response_nonce: String::new(),
    };
    requests.send_data(framed(&asked), false).map_err(|it| told("ask", it))?;
    let mut body = response.await.map_err(|it| told("head", it))?.into_body();
    // Of a message: its length, once it is known, how much has come, and its first bytes.
    let (mut head, mut come) = (BytesMut::new(), 0);
    while let Some(data) = body.data().await {
        let data = data.map_err(|it| told("read", it))?;
        let released = body.flow_control().release_capacity(data.len());
        released.map_err(|it| told("read", it))?;
        come += data.len();
        if head.len() < 256 {
            head.extend_from_slice(&data[..data.len().min(256)]);
        }
        let Some(length) = head.get(1..5).and_then(|it| it.first_chunk().copied()) else {
            continue;
        };
        if come < u32::from_be_bytes(length) as usize + 5 {
            continue;
        }
        // Version and nonce come before the resources; what is cut off behind them is not read.
        let sent = first_fields(&head[5..]).ok_or("no response")?;
        *version = sent.version_info.clone();
        fleet.was_sent(number);
        (asked.version_info, asked.response_nonce, asked.node) =
            (sent.version_info, sent.nonce, None);
        requests.send_data(framed(&asked), false).map_err(|it| told("acknowledge", it))?;
        (head, come) = (BytesMut::new(), 0);
    }
    Err("ended".to_owned())
}

fn told(doing: &str, error: impl Display) -> String {
    format!("{doing}: {error}")
}

/// The fields of a response that stand before its first resource.
fn first_fields(bytes: &[u8]) -> Option<Sent> {
    let mut end = 0;
    // Field 2 is a resource; each of the others is shorter than 128 bytes.
    while bytes.get(end).is_some_and(|key| *key != 0x12) {
        end += 2 + usize::from(*bytes.get(end + 1)?);
    }
    Sent::decode(bytes.get(..end)?).ok()
}

fn framed(asked: &Asked) -> Bytes {
    let message = asked.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(message);
    frame.into()
}
