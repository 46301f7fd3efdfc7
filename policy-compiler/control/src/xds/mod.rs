//! Envoy's discovery protocol: the filter's configuration by ECDS, state of the world, on a stream of its own or over
//! ADS. <https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol>
//!
//! In: what gateways subscribe to, acknowledge and refuse. Out: the resource of the channel that is for each, once, and
//! again with every change. What a gateway holds already is not sent again when it connects anew.

mod proto;
mod subscription;

use crate::identity::Role;
use crate::log;
use crate::service::{Denied, Peer, Service};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use proto::{DiscoveryRequest, DiscoveryResponse};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use subscription::{Reply, Subscription};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

/// The method of a stream of its own.
pub const EXTENSIONS: &str =
    "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs";
/// The method of a stream that carries all kinds of resources (ADS).
pub const AGGREGATED: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// The longest message of a gateway: it holds names, and Envoy's list of extensions.
const LONGEST: usize = 1 << 20;
/// A gateway that does not answer a resource holds up others no longer than this.
const HELD_UP: Duration = Duration::from_millis(10_000 / HASTE);
/// After so long its connection is ended, since what it was sent may still take room here.
const ANSWERED_WITHIN: Duration = Duration::from_millis(60_000 / HASTE);
/// Tests wait no minutes.
const HASTE: u64 = if cfg!(test) { 100 } else { 1 };

/// How seldom an open stream is noted, at most.
const SELDOM: Duration = Duration::from_secs(60);

type Sender = mpsc::Sender<Result<DiscoveryResponse, Status>>;

/// A stream.
pub async fn stream(State(service): State<Arc<Service>>, request: Request) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        return Status::internal("no peer").into_http::<Body>().into_response();
    };
    if let Err(denied) = may(&service, request.headers(), &peer) {
        return denied.into_http::<Body>().into_response();
    }
    let codec = ProstCodec::<DiscoveryResponse, DiscoveryRequest>::default();
    let mut grpc = Grpc::new(codec).max_decoding_message_size(LONGEST);
    grpc.streaming(Discovery { service, peer }, request).await.into_response()
}

fn may(service: &Service, headers: &HeaderMap, peer: &Peer) -> Result<(), Status> {
    let authorization = headers.get(header::AUTHORIZATION).map(|it| it.to_str().unwrap_or(""));
    // Which policy is asked for is known by the first message only: one for all, or one of some, is looked at there.
    match service.identify(authorization, peer, Role::Gateway, None) {
        Ok(_) => Ok(()),
        Err(Denied::Unknown) => Err(Status::unauthenticated("a token or a certificate is needed")),
        Err(Denied::Forbidden) => {
            Err(Status::permission_denied("the identity is for some policies only: use HTTP"))
        }
    }
}

struct Discovery {
    service: Arc<Service>,
    peer: Peer,
}

impl StreamingService<DiscoveryRequest> for Discovery {
    type Response = DiscoveryResponse;
    type ResponseStream = ReceiverStream<Result<DiscoveryResponse, Status>>;
    type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<DiscoveryRequest>>) -> Self::Future {
        let (sender, receiver) = mpsc::channel(1);
        let (service, peer) = (Arc::clone(&self.service), self.peer.clone());
        tokio::spawn(async move {
            service.metrics.streams.change(1);
            let mut subscription = Subscription::default();
            let ended = serve(&service, &mut subscription, request.into_inner(), sender).await;
            subscription.end(&service);
            service.metrics.streams.change(-1);
            if ended == End::Unanswered {
                peer.end.notify_one();
            }
            if let Some(gateway) = subscription.gateway() {
                let peer = peer.address.to_string();
                log::info("xds stream ended", json!({ "gateway": gateway, "peer": peer }));
            }
        });
        std::future::ready(Ok(tonic::Response::new(ReceiverStream::new(receiver))))
    }
}

/// What is on its way: the right to send, until others want it, and since when.
struct Sent {
    permit: Option<OwnedSemaphorePermit>,
    at: Instant,
}

impl Sent {
    /// When to look after it again.
    fn until(&self) -> Instant {
        self.at + if self.permit.is_some() { HELD_UP } else { ANSWERED_WITHIN }
    }
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The gateway is gone, or the service is about to end.
    Gone,
    /// The gateway does not answer.
    Unanswered,
}

async fn serve(
    service: &Arc<Service>,
    subscription: &mut Subscription,
    mut requests: Streaming<DiscoveryRequest>,
    sender: Sender,
) -> End {
    let mut changes = service.watch();
    let mut stopping = service.stopping();
    let mut sent: Option<Sent> = None;
    // A stream that is open is a word of the gateway's, which nobody writes down more often than needed.
    let often = (service.settings.silent_after / 3).clamp(SELDOM / 60, SELDOM);
    let mut alive = tokio::time::interval(often);
    loop {
        let waited = sent.as_ref().map(Sent::until);
        tokio::select! {
            request = requests.message() => {
                let Ok(Some(request)) = request else { return End::Gone };
                if subscription.take(service, request) == Reply::Answered {
                    sent = None;
                }
            }
            changed = changes.changed() => {
                if changed.is_err() { return End::Gone }
            }
            () = tokio::time::sleep_until(waited.unwrap_or_else(Instant::now)), if waited.is_some() => {
                match &mut sent {
                    Some(sent) if sent.permit.is_some() => sent.permit = None,
                    _ => return End::Unanswered,
                }
            }
            _ = alive.tick() => {
                subscription.alive(service);
                continue;
            }
            _ = stopping.wait_for(|stopping| *stopping) => return End::Gone,
        }
        if sent.is_some() {
            continue;
        }
        changes.mark_unchanged();
        let Some(response) = subscription.next(service) else { continue };
        // Others may be sending: then the newest counts when it is this one's turn.
        let permit = tokio::select! {
            permit = Arc::clone(&service.pushing).acquire_owned() => permit,
            _ = stopping.wait_for(|stopping| *stopping) => return End::Gone,
        };
        let Ok(permit) = permit else { return End::Gone };
        if sender.send(Ok(response)).await.is_err() {
            return End::Gone;
        }
        service.metrics.pushes.add();
        sent = Some(Sent { permit: Some(permit), at: Instant::now() });
    }
}
