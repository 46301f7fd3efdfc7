//! Bundles to gateways, and to whoever rolls back. Answered from memory, except for epochs that nothing leads to.

use super::{Asked, Problem};
use crate::current::{Choice, Policy, etag};
use crate::gateways::{workers, workers_text};
use crate::identity::Role;
use crate::names::{self, Labels, percent_decoded};
use crate::service::{Peer, Service};
use crate::transfers::{self, Place};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::sync::Arc;

/// The media type of bundles.
const BUNDLE: &str = "application/vnd.portcullis.bundle";

type Service_ = State<Arc<Service>>;

/// The bundle of the channel that is for the gateway.
pub async fn for_gateway(
    State(service): Service_,
    Extension(peer): Extension<Peer>,
    Path(policy): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Asked::of(&service, &headers, &peer, Role::Gateway, Some(&policy), "fetch").await?;
    let gateway = Gateway::of(&headers);
    gateway.report(&service, &policy, "");
    let asked = Fetch { peer: &peer, method: &method, headers: &headers, policy: &policy };
    answer(&service, asked, |of| of.choose(&policy, &gateway.id, &gateway.labels)).await
}

/// The bundle of one channel, whoever asks.
pub async fn of_channel(
    State(service): Service_,
    Extension(peer): Extension<Peer>,
    Path((policy, channel)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Asked::of(&service, &headers, &peer, Role::Gateway, Some(&policy), "fetch").await?;
    Gateway::of(&headers).report(&service, &policy, &channel);
    let asked = Fetch { peer: &peer, method: &method, headers: &headers, policy: &policy };
    answer(&service, asked, |of| of.of_channel(&channel)).await
}

/// The bundle of an epoch: what `portcullis rollback` signs anew.
pub async fn by_epoch(
    State(service): Service_,
    Extension(peer): Extension<Peer>,
    Path((policy, epoch)): Path<(String, i64)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::of(&service, &headers, &peer, Role::Reader, Some(&policy), "fetch").await?;
    let served = |service: &Service| {
        let current = service.current();
        current.policies.get(&policy).and_then(|it| it.bundles.get(&epoch)).cloned()
    };
    // Whatever sends no bundle takes nobody's place.
    let (tag, length) = match served(&service) {
        Some(stored) => (stored.etag.clone(), stored.bytes.len()),
        None => {
            let _turn = asked.turn(&service).await?;
            service.store.described(policy.clone(), epoch).await?
        }
    };
    if knows(&headers, &tag) {
        return Ok(described(StatusCode::NOT_MODIFIED.into_response(), &tag, epoch, None));
    }
    if method == Method::HEAD {
        return Ok(described(sent(length, Body::empty()), &tag, epoch, None));
    }
    // Before what the database has is read into memory. It may have been signed anew meanwhile.
    let place = place(&service, &peer).await?;
    let (tag, bytes) = match served(&service) {
        Some(stored) => (stored.etag.clone(), stored.bytes.clone()),
        None => {
            let _turn = asked.turn(&service).await?;
            let bytes = Bytes::from(service.store.content(policy, epoch).await?);
            (etag(&bytes), bytes)
        }
    };
    let response = sent(bytes.len(), transfers::body(bytes, place, &peer));
    Ok(described(response, &tag, epoch, None))
}

/// A request for a bundle.
struct Fetch<'a> {
    peer: &'a Peer,
    method: &'a Method,
    headers: &'a HeaderMap,
    policy: &'a str,
}

/// Answers with what is chosen: at once where no bundle is sent, else when it has its turn.
async fn answer(
    service: &Service,
    asked: Fetch<'_>,
    choose: impl Fn(&Policy) -> Option<Choice<'_>>,
) -> Result<Response, Problem> {
    let mut turn = None;
    loop {
        // After the wait, what is newest then.
        let current = service.current();
        let found = current.policies.get(asked.policy).and_then(|of| {
            let choice = choose(of)?;
            Some((of.bundles.get(&choice.epoch)?, choice))
        });
        let Some((stored, choice)) = found else { return Err(nothing(service)) };
        let (length, channel) = (stored.bytes.len(), Some(choice.channel));
        let response = if knows(asked.headers, &stored.etag) {
            service.metrics.unchanged.add();
            StatusCode::NOT_MODIFIED.into_response()
        } else if asked.method == Method::HEAD {
            sent(length, Body::empty())
        } else if let Some(place) = turn.take() {
            service.metrics.fetched.add();
            sent(length, transfers::body(stored.bytes.clone(), place, asked.peer))
        } else {
            turn = Some(place(service, asked.peer).await?);
            continue;
        };
        return Ok(described(response, &stored.etag, choice.epoch, channel));
    }
}

fn nothing(service: &Service) -> Problem {
    service.metrics.missing.add();
    if service.is_ready() {
        let told = "nothing is published for this gateway";
        return Problem::new(StatusCode::NOT_FOUND, "not-found", told);
    }
    let told = "what is stored could not be loaded yet";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", told)
        .with_header(header::RETRY_AFTER, HeaderValue::from(2))
}

async fn place(service: &Service, peer: &Peer) -> Result<Place, Problem> {
    service.transfers.place_in_time(peer).await.map_err(|after| {
        let told = "as many bundles are on their way as may be: ask again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", told)
            .with_header(header::RETRY_AFTER, HeaderValue::from(after))
    })
}

fn sent(length: usize, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BUNDLE));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn described(mut response: Response, etag: &str, epoch: i64, channel: Option<&str>) -> Response {
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("portcullis-epoch", HeaderValue::from(epoch));
    if let Some(channel) = channel.and_then(|channel| HeaderValue::from_str(channel).ok()) {
        headers.insert("portcullis-channel", channel);
    }
    response
}

/// Whether whoever asks has a bundle already.
fn knows(request: &HeaderMap, etag: &str) -> bool {
    request.get_all(header::IF_NONE_MATCH).iter().take(8).any(|it| matches(it, etag))
}

/// Whether `If-None-Match` names the tag: weak comparison (RFC 9110, section 13.1.2).
fn matches(field: &HeaderValue, etag: &str) -> bool {
    let Ok(text) = field.to_str() else { return false };
    let mut tags = text.split(',').take(64).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// What a gateway says of itself.
struct Gateway {
    id: String,
    labels: Labels,
    workers: Option<String>,
    refused: Option<(i64, String)>,
    synced: Option<i64>,
    version: String,
}

impl Gateway {
    fn of(headers: &HeaderMap) -> Gateway {
        let text = |name: &str| {
            let text = headers.get(name).and_then(|value| value.to_str().ok());
            text.map(|text| names::bounded(text, 4096))
        };
        let decoded = |name: &str| percent_decoded(&text(name).unwrap_or_default());
        let refused = text("portcullis-refused").and_then(|text| {
            let (epoch, reason) = text.split_once(';').unwrap_or((&text, ""));
            Some((epoch.trim().parse().ok()?, reason.trim().to_owned()))
        });
        Gateway {
            id: names::bounded(&decoded("portcullis-gateway"), names::GATEWAY),
            labels: labels(&text("portcullis-labels").unwrap_or_default()),
            workers: text("portcullis-workers").map(|text| workers_text(&workers(&text))),
            refused,
            synced: text("portcullis-synced").and_then(|text| text.trim().parse().ok()),
            version: text("portcullis-version").unwrap_or_default(),
        }
    }

    /// Keeps it, if the gateway has a name.
    fn report(&self, service: &Service, policy: &str, channel: &str) {
        if self.id.is_empty() || !service.current().policies.contains_key(policy) {
            return;
        }
        let mut row = service.row(policy, &self.id, "http");
        row.labels = self.labels.to_string();
        row.version = self.version.clone();
        row.connected = false;
        row.channel = names::bounded(channel, names::NAME);
        row.accepted = self.synced;
        if self.synced.is_some() {
            row.source = "sync".to_owned();
        }
        if let Some(workers) = &self.workers {
            row.workers = workers.clone();
        }
        let (epoch, reason) = self.refused.clone().unzip();
        row.refused_epoch = epoch;
        row.refused_reason = reason.unwrap_or_default();
        service.gateways.report(row);
    }
}

/// Labels as the field carries them: pairs are split before they are decoded. One that is wrong is left out.
fn labels(text: &str) -> Labels {
    let mut labels = Labels::default();
    for pair in text.split(',').take(names::LABELS) {
        if let Some((key, value)) = pair.trim().split_once('=') {
            // A label that no selector can name selects nothing.
            let _ = labels.add(&percent_decoded(key), &percent_decoded(value));
        }
    }
    labels
}
