//! A stream's state over a service that serves from memory.

use super::*;
use crate::gateways::{self, state};
use crate::identity::{Credentials, new_token};
use crate::scratch::Folder;
use crate::service::{Peer, Settings};
use crate::store::{Audit, Place, Publication, Rollout, Store};
use crate::xds::proto::{DiscoveryResponse, Refusal};
use crate::xds::{Asking, End, Incoming, PIECES, Sender, run, serve, stream, trailers};
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use portcullis_bundle::Trust;
use portcullis_ecds::Filter;
use prost::Message;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tonic::Status;

async fn service(name: &str) -> (Folder, Service) {
    let folder = Folder::new(&format!("xds-{name}"));
    let settings = Settings {
        trust: Trust::default(),
        filters: vec![(Filter::new("/filter.wasm"), None)],
        gateways_identified: false,
        credentials: None,
        silent_after: Duration::from_secs(300),
        forget_after: Duration::from_secs(86_400),
        replica: "a".to_owned(),
    };
    let store = Store::open(&Place::Sqlite(folder.join("control.db"))).unwrap();
    let service = Service::new(store, settings, Credentials::default());
    service.refresh().await.unwrap();
    (folder, service)
}

fn publication(channel: &str, epoch: i64) -> Publication {
    let content = format!("bundle {epoch}").into_bytes();
    Publication {
        policy: "bank".to_owned(),
        channel: channel.to_owned(),
        labels: None,
        hundredths: None,
        epoch,
        name: String::new(),
        content_hash: epoch.to_string(),
        etag: epoch.to_string(),
        key_id: String::new(),
        audience: String::new(),
        not_before: None,
        not_after: None,
        content,
        identity: String::new(),
        at: 0,
    }
}

async fn publish(service: &Service, channel: &str, epoch: i64) {
    let publication = publication(channel, epoch);
    service.store.publish(publication, Audit::default()).await.unwrap();
    service.refresh().await.unwrap();
}

fn text(text: &str) -> prost_types::Value {
    prost_types::Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn object(members: &[(&str, prost_types::Value)]) -> prost_types::Struct {
    let fields = members.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    prost_types::Struct { fields: fields.collect::<BTreeMap<_, _>>() }
}

fn first() -> DiscoveryRequest {
    let labels = object(&[("region", text("eu")), ("bad=", text("x"))]);
    let labels = prost_types::Value { kind: Some(Kind::StructValue(labels)) };
    let portcullis = object(&[("labels", labels)]);
    let portcullis = prost_types::Value { kind: Some(Kind::StructValue(portcullis)) };
    let metadata = Some(object(&[("portcullis", portcullis)]));
    let node = Node { id: "gw-1".to_owned(), metadata, ..Node::default() };
    DiscoveryRequest {
        node: Some(node),
        resource_names: vec!["portcullis".to_owned()],
        type_url: TYPE_URL.to_owned(),
        ..DiscoveryRequest::default()
    }
}

fn answer(response: &Push, refusal: Option<&str>) -> DiscoveryRequest {
    let error_detail = refusal.map(|it| Refusal { code: 3, message: it.to_owned() });
    DiscoveryRequest {
        response_nonce: response.nonce.clone(),
        version_info: response.version.clone(),
        error_detail,
        node: None,
        ..first()
    }
}

/// The message of a gRPC frame in pieces.
fn read(pieces: &[Bytes]) -> DiscoveryResponse {
    let frame = pieces.concat();
    let length = u32::from_be_bytes(*frame[1..].first_chunk().unwrap()) as usize;
    assert_eq!((frame[0], frame.len()), (0, length + 5));
    DiscoveryResponse::decode(&frame[5..]).unwrap()
}

#[tokio::test]
async fn a_change_is_sent_once_and_its_answer_is_kept() {
    let (_folder, service) = service("sends").await;
    let mut stream = Subscription::default();
    assert_eq!(stream.next(&service), None);
    assert_eq!(stream.take(&service, first()), Reply::Other);
    assert_eq!(stream.next(&service), None, "nothing is published");
    publish(&service, "stable", 7).await;
    let seven = stream.next(&service).unwrap();
    assert_eq!((seven.nonce.as_str(), seven.resources.len()), ("1", 1));
    // What is sent in pieces is one message, and the bundle in it is the one in memory.
    let read = read(&seven.pieces());
    assert_eq!((&read.version_info, &read.nonce), (&seven.version, &seven.nonce));
    assert_eq!((&*read.type_url, &*read.resources[0].type_url), (TYPE_URL, TYPE_URL));
    let whole = portcullis_ecds::resource(
        &Filter::new("/filter.wasm"),
        portcullis_ecds::Configuration::Bundle(b"bundle 7"),
    );
    assert_eq!(read.resources[0].value, whole);
    let bundle = service.current().policies["bank"].bundles[&7].bytes.clone();
    assert!(seven.pieces().iter().any(|it| it.as_ptr() == bundle.as_ptr()));
    assert_eq!(stream.next(&service), None);
    assert_eq!(stream.take(&service, answer(&seven, None)), Reply::Accepted);
    let row = service.gateways.known("bank", "gw-1").unwrap();
    assert_eq!((row.accepted, row.connected, &*row.labels), (Some(7), true, "region=eu"));

    publish(&service, "stable", 8).await;
    let eight = stream.next(&service).unwrap();
    // What answers an older response is no answer.
    assert_eq!(stream.take(&service, answer(&seven, None)), Reply::Other);
    assert_eq!(stream.take(&service, answer(&eight, Some("bad\nbundle"))), Reply::Refused);
    let row = service.gateways.known("bank", "gw-1").unwrap();
    assert_eq!(
        (row.accepted, row.refused_epoch, &*row.refused_reason),
        (Some(7), Some(8), "bad bundle")
    );
    assert_eq!(stream.next(&service), None, "a refused one is not sent again at once");
    // Another attempt is another resource: Envoy would not look at one that equals the last.
    stream.try_again();
    let again = stream.next(&service).unwrap();
    assert!(again.version != eight.version && again.resources != eight.resources);
    assert!(again.pieces().iter().any(|it| it == &b"bundle 8"[..]));
    assert_eq!(stream.next(&service), None);
    // Who connects anew with it has what it should have.
    let mut anew = Subscription::default();
    anew.take(&service, DiscoveryRequest { version_info: again.version.clone(), ..first() });
    assert_eq!(anew.next(&service), None);
    // Releases before 1.40 remember all that they refused.
    stream.try_again();
    let third = stream.next(&service).unwrap();
    assert!(third.version != again.version && third.resources != again.resources);
    publish(&service, "stable", 9).await;
    assert_eq!(stream.next(&service).unwrap().nonce, "5");
    stream.end(&service);
    assert!(!service.gateways.known("bank", "gw-1").unwrap().connected);
}

#[tokio::test]
async fn who_connects_anew_is_sent_only_what_is_new() {
    let (_folder, service) = service("anew").await;
    publish(&service, "stable", 7).await;
    let mut stream = Subscription::default();
    stream.take(&service, first());
    let seven = stream.next(&service).unwrap();
    let again = || DiscoveryRequest { version_info: seven.version.clone(), ..first() };
    let mut anew = Subscription::default();
    anew.take(&service, again());
    assert_eq!(anew.next(&service), None);
    assert_eq!(service.metrics.accepted.get(), 0, "nothing was sent");
    assert_eq!(service.gateways.known("bank", "gw-1").unwrap().accepted, Some(7));
    publish(&service, "stable", 8).await;
    let mut later = Subscription::default();
    later.take(&service, again());
    assert!(later.next(&service).is_some());
}

#[tokio::test]
async fn who_has_no_name_is_served_and_not_recorded() {
    let (_folder, service) = service("nameless").await;
    publish(&service, "stable", 7).await;
    let canary = Publication { hundredths: Some(9_999), ..publication("canary", 8) };
    service.store.publish(canary, Audit::default()).await.unwrap();
    service.refresh().await.unwrap();
    let mut stream = Subscription::default();
    stream.take(&service, DiscoveryRequest { node: Some(Node::default()), ..first() });
    assert_eq!(stream.gateway(), Some(""));
    // It is within no percentage but all, as by HTTP.
    let seven = stream.next(&service).unwrap();
    assert!(seven.pieces().iter().any(|it| it == &b"bundle 7"[..]));
    assert_eq!(stream.take(&service, answer(&seven, Some("no"))), Reply::Refused);
    stream.try_again();
    let again = stream.next(&service).unwrap();
    assert_eq!(stream.take(&service, answer(&again, None)), Reply::Accepted);
    stream.alive(&service);
    stream.end(&service);
    assert!(service.gateways.merged("bank", Vec::new()).is_empty());
    assert!(service.gateways.take_changed(10).is_empty());
}

#[tokio::test]
async fn a_subscription_that_changes_is_no_answer() {
    let (_folder, service) = service("changes").await;
    publish(&service, "stable", 7).await;
    let mut stream = Subscription::default();
    stream.take(&service, first());
    let seven = stream.next(&service).unwrap();
    let more = |version: &str, nonce: &str| DiscoveryRequest {
        resource_names: vec!["portcullis".to_owned(), "other".to_owned()],
        response_nonce: nonce.to_owned(),
        version_info: version.to_owned(),
        node: None,
        ..first()
    };
    // Before the answer, and without one.
    assert_eq!(stream.take(&service, more("", &seven.nonce)), Reply::Other);
    assert_eq!(stream.take(&service, answer(&seven, None)), Reply::Accepted);
    assert_eq!(stream.take(&service, answer(&seven, Some("late"))), Reply::Other);
    publish(&service, "stable", 8).await;
    let eight = stream.next(&service).unwrap();
    assert_eq!(stream.take(&service, answer(&eight, Some("no"))), Reply::Refused);
    // After a refusal, with the version that the gateway has: it has not accepted what it refused.
    assert_eq!(stream.take(&service, more(&seven.version, &eight.nonce)), Reply::Other);
    assert_eq!(stream.take(&service, more(&eight.version, &eight.nonce)), Reply::Other);
    let row = service.gateways.known("bank", "gw-1").unwrap();
    assert_eq!((row.accepted, row.refused_epoch), (Some(7), Some(8)));
    // What comes with it is another resource than the one that was refused.
    let again = stream.next(&service).unwrap();
    assert!(again.resources.iter().all(|it| !eight.resources.contains(it)));
    // Nor is what is sent after a refusal of what was subscribed to before.
    assert_eq!(stream.take(&service, answer(&again, Some("no"))), Reply::Refused);
    let third = stream.next(&service).unwrap();
    assert!(third.resources.iter().all(|it| !again.resources.contains(it)));
    let old = DiscoveryRequest { version_info: seven.version, ..answer(&third, None) };
    assert_eq!(stream.take(&service, old), Reply::Other);
    assert_eq!(service.gateways.known("bank", "gw-1").unwrap().accepted, Some(7));
    assert_eq!(stream.take(&service, answer(&third, None)), Reply::Accepted);
    assert_eq!(service.gateways.known("bank", "gw-1").unwrap().accepted, Some(8));
}

#[tokio::test]
async fn other_types_and_filters_are_left_alone() {
    let (_folder, service) = service("others").await;
    publish(&service, "stable", 7).await;
    let mut stream = Subscription::default();
    let clusters = "type.googleapis.com/envoy.config.cluster.v3.Cluster".to_owned();
    stream.take(&service, DiscoveryRequest { type_url: clusters, ..first() });
    assert_eq!(stream.next(&service), None);
    let unknown = vec!["somebody-else".to_owned(), "x".repeat(1000)];
    let nobody = DiscoveryRequest { resource_names: unknown, node: None, ..first() };
    stream.take(&service, nobody);
    assert_eq!(stream.next(&service), None);
    // Who is there was said once, in the message that asked for clusters.
    stream.take(&service, DiscoveryRequest { node: None, ..first() });
    assert!(stream.next(&service).is_some());
}

/// Envoy would say yes to what it has tried before, and the filter would keep what it has.
#[tokio::test]
async fn who_has_a_newer_epoch_is_sent_none_below() {
    let (_folder, service) = service("below").await;
    publish(&service, "stable", 7).await;
    let newer = Publication { hundredths: Some(10_000), ..publication("canary", 8) };
    service.store.publish(newer, Audit::default()).await.unwrap();
    service.refresh().await.unwrap();
    let mut stream = Subscription::default();
    stream.take(&service, first());
    let eight = stream.next(&service).unwrap();
    assert!(eight.pieces().iter().any(|it| it == &b"bundle 8"[..]));
    stream.take(&service, answer(&eight, None));
    let to_none = Rollout {
        policy: "bank".to_owned(),
        channel: "canary".to_owned(),
        labels: None,
        hundredths: Some(0),
        priority: None,
        identity: String::new(),
        at: 0,
    };
    service.store.roll_out(to_none, Audit::default()).await.unwrap();
    service.refresh().await.unwrap();
    assert!(stream.wants(&service));
    assert_eq!(stream.next(&service), None);
    assert!(!stream.wants(&service), "told once");
    let row = service.gateways.known("bank", "gw-1").unwrap();
    let current = service.current();
    assert_eq!(
        state(&current.policies["bank"], "bank", &row, 0),
        (gateways::State::Refusing, Some(7), "stable")
    );
    assert_eq!(row.refused_reason, "it has epoch 8, and takes none below");
    // So it is where it comes back with what it has; one that was started anew has nothing.
    let mut anew = Subscription::default();
    anew.take(&service, DiscoveryRequest { version_info: eight.version.clone(), ..first() });
    assert_eq!(anew.next(&service), None);
    let mut started = Subscription::default();
    started.take(&service, first());
    assert!(started.next(&service).unwrap().pieces().iter().any(|it| it == &b"bundle 7"[..]));
    publish(&service, "stable", 9).await;
    let nine = stream.next(&service).unwrap();
    assert!(nine.pieces().iter().any(|it| it == &b"bundle 9"[..]));
    stream.take(&service, answer(&nine, None));
    let row = service.gateways.known("bank", "gw-1").unwrap();
    assert_eq!(
        state(&service.current().policies["bank"], "bank", &row, 0).0,
        gateways::State::Current
    );
}

/// Envoy would say yes to it without a look, and the gateway would be called current.
#[tokio::test]
async fn what_was_refused_is_not_sent_alike_over_another_stream() {
    let (_folder, service) = service("refused").await;
    publish(&service, "stable", 7).await;
    let mut stream = Subscription::new(u32::MAX);
    stream.take(&service, first());
    let seven = stream.next(&service).unwrap();
    stream.take(&service, answer(&seven, None));
    let newer = Publication { hundredths: Some(10_000), ..publication("canary", 8) };
    service.store.publish(newer, Audit::default()).await.unwrap();
    service.refresh().await.unwrap();
    let eight = stream.next(&service).unwrap();
    stream.take(&service, answer(&eight, Some("not yet")));
    stream.end(&service);
    // It comes back with what it has, before anything is sent again.
    let anew = |attempt| {
        let mut anew = Subscription::new(attempt);
        let version_info = seven.version.clone();
        anew.take(&service, DiscoveryRequest { version_info, ..first() });
        anew
    };
    let again = anew(5).next(&service).unwrap();
    assert!(again.version != eight.version && again.resources[0] != eight.resources[0]);
    // The same where it should have what it has at first, and the other one later.
    let to = |hundredths| Rollout {
        policy: "bank".to_owned(),
        channel: "canary".to_owned(),
        labels: None,
        hundredths: Some(hundredths),
        priority: None,
        identity: String::new(),
        at: 0,
    };
    service.store.roll_out(to(0), Audit::default()).await.unwrap();
    service.refresh().await.unwrap();
    let mut anew = anew(5);
    assert_eq!(anew.next(&service), None);
    service.store.roll_out(to(10_000), Audit::default()).await.unwrap();
    service.refresh().await.unwrap();
    let again = anew.next(&service).unwrap();
    assert!(again.version != eight.version && again.resources[0] != eight.resources[0]);
}

#[tokio::test]
async fn no_two_streams_begin_alike() {
    let (_folder, service) = service("begin").await;
    publish(&service, "stable", 7).await;
    let service = Arc::new(service);
    let mut versions = BTreeSet::new();
    for _ in 0..8 {
        let mut wire = wire();
        let sender = wire.sender.clone();
        tokio::spawn(run(Arc::clone(&service), wire.asking, wire.requests, sender));
        let mut pieces = Vec::new();
        while pieces.len() < 6 {
            pieces.push(wire.receiver.recv().await.unwrap().unwrap().into_data().unwrap());
        }
        versions.insert(read(&pieces).version_info);
    }
    assert_eq!(versions.len(), 8);
}

#[tokio::test]
async fn numbers_that_a_gateway_makes_up_change_nothing() {
    let (_folder, service) = service("attempts").await;
    publish(&service, "stable", 7).await;
    let mut stream = Subscription::default();
    stream.take(&service, first());
    let version = stream.next(&service).unwrap().version;
    let hash = version.strip_suffix(".7.0").unwrap();
    for number in 1..100 {
        let mut stranger = Subscription::default();
        let version_info = format!("{hash}.7.{number}");
        stranger.take(&service, DiscoveryRequest { version_info, ..first() });
        // It has it already, as far as anybody can tell.
        assert!(!stranger.wants(&service));
        let mut other = Subscription::default();
        let version_info = format!("x.y.{number}");
        other.take(&service, DiscoveryRequest { version_info, ..first() });
        assert_eq!(other.next(&service).unwrap().version, version);
    }
}

#[tokio::test]
async fn another_policy_takes_nothing_from_who_named_none() {
    let (_folder, service) = service("first").await;
    publish(&service, "stable", 7).await;
    let mut stream = Subscription::default();
    stream.take(&service, first());
    assert!(stream.next(&service).is_some());
    let other = Publication { policy: "aaa".to_owned(), ..publication("stable", 9) };
    service.store.publish(other, Audit::default()).await.unwrap();
    service.refresh().await.unwrap();
    assert_eq!(stream.next(&service), None);
    publish(&service, "stable", 8).await;
    assert!(stream.next(&service).unwrap().pieces().iter().any(|it| it == &b"bundle 8"[..]));
}

/// A connection's messages, and what it is sent.
struct Wire {
    requests: Incoming,
    sender: Sender,
    receiver: mpsc::Receiver<Result<Frame<Bytes>, Infallible>>,
    asking: Asking,
}

/// One message, and then nothing for good.
fn wire() -> Wire {
    let message = first().encode_to_vec();
    let mut frame = vec![0];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    let frames = [Ok::<_, Status>(Frame::data(Bytes::from(frame)))];
    let frames = tokio_stream::iter(frames).chain(tokio_stream::pending());
    let requests = Incoming::new(Body::new(StreamBody::new(frames)), &Arc::default(), None);
    let (sender, receiver) = mpsc::channel(PIECES);
    let peer = Peer::new("192.0.2.7:1".parse().unwrap(), None);
    Wire { requests, sender, receiver, asking: Asking { peer, authorization: None } }
}

#[tokio::test]
async fn a_service_that_has_nothing_yet_takes_no_stream() {
    let (_folder, service) = service("not-ready").await;
    let service = Arc::new(service);
    let answer = || async {
        let mut request = axum::extract::Request::new(Body::empty());
        request.extensions_mut().insert(Peer::new("192.0.2.7:1".parse().unwrap(), None));
        let response = stream(State(Arc::clone(&service)), request).await;
        response.headers().get("grpc-status").cloned()
    };
    assert_eq!(answer().await, None);
    service.stop();
    assert_eq!(answer().await.unwrap(), "14");
}

#[tokio::test]
async fn who_reads_nothing_is_let_go() {
    let (_folder, service) = service("unread").await;
    publish(&service, "stable", 7).await;
    let service = Arc::new(service);
    let (wire, mut stream, started) = (wire(), Subscription::default(), Instant::now());
    let free = service.transfers.free();
    let served = serve(&service, &mut stream, wire.requests, &wire.sender, &wire.asking);
    let watched = async {
        tokio::time::sleep(Duration::from_millis(15)).await;
        assert_eq!(service.transfers.free(), free - 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(service.transfers.free(), free, "others may send");
    };
    let (ended, ()) = tokio::join!(served, watched);
    assert_eq!(ended, End::Unanswered);
    assert!(started.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn who_reads_holds_up_nobody_and_gets_the_newest() {
    let (_folder, service) = service("reads").await;
    publish(&service, "stable", 7).await;
    let service = Arc::new(service);
    let (mut wire, mut stream) = (wire(), Subscription::default());
    let free = service.transfers.free();
    // While others send, a newer one is published: it alone is sent.
    let mut others = Vec::new();
    while service.transfers.free() > 0 {
        let peer = Peer::new("192.0.2.8:1".parse().unwrap(), None);
        others.push(service.transfers.place(&peer).await.unwrap());
    }
    let served = serve(&service, &mut stream, wire.requests, &wire.sender, &wire.asking);
    let watched = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        publish(&service, "stable", 8).await;
        assert!(wire.receiver.try_recv().is_err());
        drop(others);
        let mut pieces = Vec::new();
        while pieces.len() < 6 {
            let piece = wire.receiver.recv().await.unwrap().unwrap();
            pieces.push(piece.into_data().unwrap());
        }
        assert!(pieces.iter().any(|it| it == &b"bundle 8"[..]), "{pieces:?}");
        // All of it was taken: long before there is an answer, others may send.
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(service.transfers.free(), free);
        drop(wire.receiver);
    };
    let (ended, ()) = tokio::join!(served, watched);
    assert_eq!(ended, End::Gone);
}

#[tokio::test]
async fn who_is_not_known_any_more_is_let_go() {
    let (folder, mut service) = service("revoked").await;
    let (token, hash) = new_token().unwrap();
    let path = folder.join("credentials");
    std::fs::write(&path, format!("gw gateway token:{hash}\n")).unwrap();
    service.settings.credentials = Some(path.clone());
    service.settings.gateways_identified = true;
    service.reread_credentials().await;
    let service = Arc::new(service);
    let (mut wire, mut stream) = (wire(), Subscription::default());
    wire.asking.authorization = Some(format!("Bearer {token}"));
    assert!(wire.asking.may(&service).is_ok());
    let served = serve(&service, &mut stream, wire.requests, &wire.sender, &wire.asking);
    let revoked = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::fs::write(&path, "").unwrap();
        // A shorter file counts once it has stayed as it is from one look to the next.
        service.reread_credentials().await;
        service.reread_credentials().await;
    };
    let (ended, ()) = tokio::join!(served, revoked);
    assert_eq!(ended, End::Denied);
    assert_eq!(trailers(ended)["grpc-status"], "16");
}
