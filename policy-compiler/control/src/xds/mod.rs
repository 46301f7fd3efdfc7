//! Envoy's discovery protocol: the filter's configuration by ECDS, state of the world, on a stream of its own or over
//! ADS. <https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol>
//!
//! In: what gateways subscribe to, acknowledge and refuse. Out: the resource of the channel that is for each, once, and
//! again with every change. What a gateway holds already is not sent again when it connects anew.

mod incoming;
mod proto;
mod subscription;
mod unread;

use crate::identity::Role;
use crate::log;
use crate::service::{Denied, Peer, Service, now};
use crate::transfers::Place;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use incoming::Incoming;
use proto::Push;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use subscription::{Reply, Subscription};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
pub use unread::Unread;

/// The method of a stream of its own.
pub const EXTENSIONS: &str =
    "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs";
/// The method of a stream that carries all kinds of resources (ADS).
pub const AGGREGATED: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// The longest message of a gateway: it holds names, and Envoy's list of extensions, which takes 60 to 100 KiB.
const LONGEST: usize = 256 << 10;
/// Pieces of the longest response: sixteen filters, the frame's head, the trailers.
const PIECES: usize = 80;
/// A gateway that does not read what it is sent holds up others no longer than this; one that has answered before is
/// trusted to read more slowly.
const HELD_UP: Duration = Duration::from_millis(10_000 / HASTE);
const HELD_UP_AT_FIRST: Duration = Duration::from_millis(3_000 / HASTE);
/// After so long its connection is ended, since what it was sent may still take room here.
const ANSWERED_WITHIN: Duration = Duration::from_millis(60_000 / HASTE);
/// What was refused is sent again after so long, and then after twice as long each time.
const AGAIN: Duration = Duration::from_millis(5_000 / HASTE);
const AGAIN_AT_MOST: Duration = Duration::from_secs(900);
/// Tests wait no minutes.
const HASTE: u64 = if cfg!(test) { 100 } else { 1 };

/// How seldom an open stream is noted, at most.
const SELDOM: Duration = Duration::from_secs(60);

type Sender = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;

/// Who asks: known at the start of a stream, and to be known for as long as it lasts.
struct Asking {
    peer: Peer,
    authorization: Option<String>,
}

impl Asking {
    fn of(headers: &HeaderMap, peer: Peer) -> Asking {
        let authorization = headers.get(header::AUTHORIZATION);
        let authorization = authorization.map(|it| it.to_str().unwrap_or("").to_owned());
        Asking { peer, authorization }
    }

    fn may(&self, service: &Service) -> Result<(), Status> {
        // Which policy is asked for is known by the first message only: who may fetch some only is not let in.
        match service.identify(self.authorization.as_deref(), &self.peer, Role::Gateway, None) {
            Ok(_) => Ok(()),
            Err(Denied::Unknown) => {
                Err(Status::unauthenticated("a token or a certificate is needed"))
            }
            Err(Denied::Forbidden(_)) => {
                Err(Status::permission_denied("the identity is for some policies only: use HTTP"))
            }
        }
    }
}

/// A stream.
pub async fn stream(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Some(peer) = head.extensions.get::<Peer>().cloned() else {
        return Status::internal("no peer").into_http::<Body>().into_response();
    };
    let peer_streams = Arc::clone(&peer.streams);
    let asking = Asking::of(&head.headers, peer);
    if let Err(denied) = asking.may(&service) {
        return denied.into_http::<Body>().into_response();
    }
    // Envoy tries again, and comes to another replica maybe.
    if !service.is_ready() {
        return Status::unavailable("not ready").into_http::<Body>().into_response();
    }
    let Ok(slot) = Arc::clone(&peer_streams).try_acquire_owned() else {
        let told = "the connection has as many streams as it may";
        return Status::resource_exhausted(told).into_http::<Body>().into_response();
    };
    let requests = Incoming::new(body, &service.unread, Some(slot));
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::spawn(run(service, asking, requests, sender));
    let mut response = Response::new(Body::new(StreamBody::new(ReceiverStream::new(receiver))));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, grpc);
    response
}

async fn run(service: Arc<Service>, asking: Asking, requests: Incoming, sender: Sender) {
    service.metrics.streams.change(1);
    // Envoy says yes to what equals what it refused last, over whatever stream, of whatever replica: no two begin alike.
    let attempt = getrandom::u32().unwrap_or_else(|_| now() as u32);
    let mut subscription = Subscription::new(attempt);
    let ended = serve(&service, &mut subscription, requests, &sender, &asking).await;
    subscription.end(&service);
    service.metrics.streams.change(-1);
    if ended == End::Unanswered {
        asking.peer.end.notify_one();
    }
    // Whoever does not read has no room for it, and needs none.
    let _ = sender.try_send(Ok(Frame::trailers(trailers(ended))));
    if let Some(gateway) = subscription.gateway() {
        let peer = asking.peer.address.to_string();
        let why = ended.name();
        let fields = json!({ "gateway": gateway, "peer": peer, "why": why });
        log::of_strangers("info", "xds stream ended", fields);
    }
}

/// How a stream ends, as gRPC says it.
fn trailers(ended: End) -> HeaderMap {
    let code = match ended {
        End::Gone => Code::Ok,
        // Envoy's log has it: a node too large is nothing that could be seen here.
        End::Wrong(code) => code,
        End::Stopping | End::Unanswered => Code::Unavailable,
        End::Denied => Code::Unauthenticated,
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code as i32));
    trailers
}

/// What is on its way: the right to send, until others want it, and since when.
struct Sent {
    turn: Option<Place>,
    at: Instant,
    held_up: Duration,
}

impl Sent {
    /// When to look after it again.
    fn until(&self) -> Instant {
        self.at + if self.turn.is_some() { self.held_up } else { ANSWERED_WITHIN }
    }
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The gateway is gone.
    Gone,
    /// What it says is no message, or comes too slowly.
    Wrong(Code),
    /// The service is about to end.
    Stopping,
    /// The gateway does not answer.
    Unanswered,
    /// Its identity is not known any more.
    Denied,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::Gone => "gone",
            End::Wrong(_) => "wrong message",
            End::Stopping => "stopping",
            End::Unanswered => "unanswered",
            End::Denied => "denied",
        }
    }
}

async fn serve(
    service: &Arc<Service>,
    subscription: &mut Subscription,
    mut requests: Incoming,
    sender: &Sender,
    asking: &Asking,
) -> End {
    let (mut changes, mut stopping) = (service.watch(), service.stopping());
    let mut known = service.known();
    // What was taken back since the stream was asked for counts, too.
    known.mark_changed();
    let mut sent: Option<Sent> = None;
    let mut waiting = None;
    let (mut again, mut patience) = (None, AGAIN);
    // A stream that is open is a word of the gateway's, which nobody writes down more often than needed.
    let often = (service.settings.silent_after / 3).clamp(SELDOM / 60, SELDOM);
    let mut alive = tokio::time::interval(often);
    loop {
        changes.mark_unchanged();
        if sent.is_none() && waiting.is_none() && subscription.wants(service) {
            waiting = Some(Box::pin(service.transfers.place(&asking.peer)));
        }
        let until = sent.as_ref().map(Sent::until);
        let unread = sent.as_ref().is_some_and(|sent| sent.turn.is_some());
        tokio::select! {
            request = requests.next() => {
                let request = match request {
                    Ok(Some(request)) => request,
                    Ok(None) => return End::Gone,
                    Err(why) if why.code() == Code::Cancelled => return End::Gone,
                    Err(why) => return End::Wrong(why.code()),
                };
                let is_known = subscription.gateway().is_some();
                let reply = subscription.take(service, request);
                if !is_known && subscription.gateway() == Some("") {
                    let fields = json!({ "peer": asking.peer.address.to_string() });
                    log::of_strangers("warn", "a gateway without a node id is not recorded", fields);
                }
                match reply {
                    Reply::Accepted => (sent, again, patience) = (None, None, AGAIN),
                    Reply::Refused => {
                        (sent, again) = (None, Some(Instant::now() + patience));
                        patience = (patience * 2).min(AGAIN_AT_MOST);
                    }
                    Reply::Other => {}
                }
            }
            changed = changes.changed() => {
                if changed.is_err() { return End::Stopping }
            }
            turn = async { waiting.as_mut()?.await }, if waiting.is_some() => {
                waiting = None;
                // What is newest now counts, not what was when it began to wait.
                let Some(push) = subscription.next(service) else { continue };
                if send(sender, &push).is_err() { return End::Gone }
                service.metrics.pushes.add();
                let held_up = if subscription.has_answered() { HELD_UP } else { HELD_UP_AT_FIRST };
                (sent, again) = (Some(Sent { turn, at: Instant::now(), held_up }), None);
            }
            // All room is free again: the connection has taken all of it, and others may send.
            taken = sender.reserve_many(PIECES), if unread => {
                if taken.is_err() { return End::Gone }
                if let Some(sent) = &mut sent { sent.turn = None }
            }
            () = until_some(until), if until.is_some() => {
                match &mut sent {
                    Some(sent) if sent.turn.is_some() => sent.turn = None,
                    _ => return End::Unanswered,
                }
            }
            () = until_some(again), if again.is_some() => {
                again = None;
                subscription.try_again();
            }
            _ = alive.tick() => subscription.alive(service),
            // A token that was revoked ends what it began.
            _ = known.changed() => {
                if asking.may(service).is_err() { return End::Denied }
            }
            () = sender.closed() => return End::Gone,
            _ = stopping.wait_for(|stopping| *stopping) => return End::Stopping,
        }
    }
}

async fn until_some(at: Option<Instant>) {
    tokio::time::sleep_until(at.unwrap_or_else(Instant::now)).await;
}

/// Hands a response to the connection, which takes its pieces as the gateway reads them.
fn send(sender: &Sender, push: &Push) -> Result<(), ()> {
    for piece in push.pieces() {
        // There is room: what was sent before is answered, and so it was taken.
        sender.try_send(Ok(Frame::data(piece))).map_err(drop)?;
    }
    Ok(())
}
