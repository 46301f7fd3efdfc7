//! A stream's state over a service that serves from memory.

use super::*;
use crate::identity::Credentials;
use crate::scratch::Folder;
use crate::service::Settings;
use crate::store::{Place, Publication, Store};
use crate::xds::proto::Refusal;
use crate::xds::{End, serve};
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use portcullis_bundle::Trust;
use portcullis_ecds::Filter;
use prost::Message;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tonic::codec::Codec;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

async fn service(name: &str) -> (Folder, Service) {
    let folder = Folder::new(&format!("xds-{name}"));
    let settings = Settings {
        trust: Trust::default(),
        filters: vec![(Filter::new("/filter.wasm"), None)],
        gateways_identified: false,
        credentials: None,
        silent_after: Duration::from_secs(300),
        replica: "a".to_owned(),
    };
    let store = Store::open(&Place::Sqlite(folder.join("control.db"))).unwrap();
    let service = Service::new(store, settings, Credentials::default());
    service.refresh().await.unwrap();
    (folder, service)
}

async fn publish(service: &Service, channel: &str, epoch: i64) {
    let content = format!("bundle {epoch}").into_bytes();
    let publication = Publication {
        policy: "bank".to_owned(),
        channel: channel.to_owned(),
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
    };
    service.store.publish(publication).await.unwrap();
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

fn answer(response: &DiscoveryResponse, refusal: Option<&str>) -> DiscoveryRequest {
    let error_detail = refusal.map(|it| Refusal { code: 3, message: it.to_owned() });
    DiscoveryRequest {
        response_nonce: response.nonce.clone(),
        version_info: response.version_info.clone(),
        error_detail,
        node: None,
        ..first()
    }
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
    assert!(seven.resources[0].value.windows(8).any(|it| it == b"bundle 7"));
    assert_eq!(stream.next(&service), None);
    assert_eq!(stream.take(&service, answer(&seven, None)), Reply::Answered);
    let row = service.gateways.known("bank", "gw-1").unwrap();
    assert_eq!((row.accepted, row.connected, &*row.labels), (Some(7), true, "region=eu"));

    publish(&service, "stable", 8).await;
    let eight = stream.next(&service).unwrap();
    // What answers an older response is no answer.
    assert_eq!(stream.take(&service, answer(&seven, None)), Reply::Other);
    assert_eq!(stream.take(&service, answer(&eight, Some("bad\nbundle"))), Reply::Answered);
    let row = service.gateways.known("bank", "gw-1").unwrap();
    assert_eq!(
        (row.accepted, row.refused_epoch, &*row.refused_reason),
        (Some(7), Some(8), "bad bundle")
    );
    assert_eq!(stream.next(&service), None, "a refused one is not sent again");
    publish(&service, "stable", 9).await;
    assert_eq!(stream.next(&service).unwrap().nonce, "3");
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
    let again = || DiscoveryRequest { version_info: seven.version_info.clone(), ..first() };
    let mut anew = Subscription::default();
    anew.take(&service, again());
    assert_eq!(anew.next(&service), None);
    assert_eq!(service.gateways.known("bank", "gw-1").unwrap().accepted, Some(7));
    publish(&service, "stable", 8).await;
    let mut later = Subscription::default();
    later.take(&service, again());
    assert!(later.next(&service).is_some());
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
    stream.take(&service, DiscoveryRequest { resource_names: unknown, ..first() });
    assert_eq!(stream.next(&service), None);
    stream.take(&service, first());
    assert!(stream.next(&service).is_some());
}

#[tokio::test]
async fn who_answers_nothing_is_let_go() {
    let (_folder, service) = service("unanswered").await;
    publish(&service, "stable", 7).await;
    let service = Arc::new(service);
    let message = first().encode_to_vec();
    let mut frame = vec![0];
    frame.extend((message.len() as u32).to_be_bytes());
    frame.extend(message);
    let frames = [Ok::<_, Status>(Frame::data(Bytes::from(frame)))];
    // The one message, and then nothing for good.
    let frames = tokio_stream::iter(frames).chain(tokio_stream::pending());
    let decoder = ProstCodec::<DiscoveryResponse, DiscoveryRequest>::default().decoder();
    let requests = Streaming::new_request(decoder, StreamBody::new(frames), None, None);
    let (sender, mut receiver) = mpsc::channel(1);
    let (mut stream, started) = (Subscription::default(), Instant::now());
    let free = service.pushing.available_permits();
    let served = serve(&service, &mut stream, requests, sender);
    let watched = async {
        let sent = receiver.recv().await.unwrap().unwrap();
        assert!(sent.resources[0].value.len() > 8);
        assert_eq!(service.pushing.available_permits(), free - 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(service.pushing.available_permits(), free, "others may send again");
    };
    let (ended, ()) = tokio::join!(served, watched);
    assert_eq!(ended, End::Unanswered);
    assert!(started.elapsed() >= Duration::from_millis(600));
}
