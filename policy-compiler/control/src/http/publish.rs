//! What changes what is served. Every such request of somebody who is known stands in the audit log.

use super::{Asked, Problem, whole};
use crate::current::{STABLE, Target, etag};
use crate::identity::Role;
use crate::names::{self, Labels};
use crate::service::{Peer, Service, now};
use crate::store::{Assigned, Pinned, Publication, Published, Removed, RemovedPolicy, Rollout};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http_body_util::{BodyExt, Limited};
use portcullis_bundle::{Bundle, Trust};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

/// The largest bundle that is taken: what every way to a gateway carries.
pub const LARGEST: usize = 8 << 20;
/// Epochs end here: more than anybody publishes, and an easy way off from what cannot be followed.
pub const HIGHEST: i64 = i64::MAX / 2;
/// Seconds that a bundle may be published ahead of its time: as much as clocks differ.
const AHEAD: i64 = 300;
/// The largest body of any other request.
const LARGEST_JSON: usize = 16 << 10;

type Done = Result<(StatusCode, Value), Problem>;

/// Where a publication goes, and which gateways the channel is for from then on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct To {
    channel: Option<String>,
    labels: Option<String>,
    percentage: Option<f64>,
}

/// What was received of a publication.
struct Received {
    channel: String,
    labels: Option<Labels>,
    hundredths: Option<i64>,
    content: Vec<u8>,
}

/// Takes a bundle: verifies it as a gateway would, stores it, and lets the channel lead to it.
pub async fn publish(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(policy): Path<String>,
    Query(to): Query<To>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked =
        Asked::of(&service, &headers, &peer, Role::Publisher, Some(&policy), "publish").await?;
    let channel = to.channel.clone().unwrap_or_else(|| STABLE.to_owned());
    let turn = service.turn_to_publish(&asked.identity.name).await;
    let received = match &turn {
        Some(_) => receive(to, &channel, &headers, body).await,
        None => {
            let told = "others are publishing: try again";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", told)
                .with_header(header::RETRY_AFTER, HeaderValue::from(2)))
        }
    };
    let done = whole(async move {
        let done = match received {
            Ok(received) => take(&service, &asked, received).await,
            Err(problem) => Err(problem),
        };
        drop(turn);
        match &done {
            Ok(_) => service.metrics.published.add(),
            Err(_) => service.metrics.refused.add(),
        }
        let epoch = done.as_ref().ok().and_then(|(_, told)| told["epoch"].as_i64());
        asked.audited(&service, &detail(&channel, epoch), done).await
    });
    answer(done.await)
}

fn detail(channel: &str, epoch: Option<i64>) -> String {
    // One that is no name must not push the reason out of the line.
    let channel = names::bounded(channel, names::NAME);
    match epoch {
        Some(epoch) => format!("channel {channel}, epoch {epoch}"),
        None => format!("channel {channel}"),
    }
}

async fn receive(
    to: To,
    channel: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Problem> {
    let channel = channel_name(channel)?;
    let labels = to.labels.map(|it| it.parse()).transpose().map_err(wrong)?;
    let hundredths = to.percentage.map(hundredths).transpose()?;
    let content = collect(headers, body, LARGEST).await?;
    Ok(Received { channel, labels, hundredths, content })
}

async fn take(service: &Service, asked: &Asked, received: Received) -> Done {
    let Received { channel, labels, hundredths, content } = received;
    let trust = service.settings.trust.clone();
    let (policy, identity) = (asked.policy.clone(), asked.identity.name.clone());
    let verified = tokio::task::spawn_blocking(move || verify(content, &trust, now()));
    let (bundle, etag) = verified.await.unwrap_or_else(|_| {
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bundle", "the bundle cannot be read"))
    })?;
    let view = bundle.view();
    let name = view.policy.first().map_or("", |policy| view.text(policy.name));
    let header = bundle.header();
    let (not_before, not_after) = (header.not_before.get(), header.not_after.get());
    // Another must be able to follow: a rollback, at the least.
    let epoch = i64::try_from(header.epoch.get()).ok().filter(|epoch| *epoch < HIGHEST);
    let epoch = epoch.ok_or_else(|| {
        let told = format!("the epoch is above {HIGHEST}: too few could follow it");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "epoch", told)
    })?;
    let publication = Publication {
        policy,
        channel: channel.clone(),
        labels,
        hundredths,
        epoch,
        name: names::bounded(name, 200),
        content_hash: bundle.content_hash(),
        etag: etag.clone(),
        key_id: if bundle.is_signed() { bundle.key_id() } else { String::new() },
        audience: bundle.audience().to_owned(),
        not_before: (not_before != i64::MIN).then_some(not_before),
        not_after: (not_after != i64::MAX).then_some(not_after),
        content: bundle.as_bytes().to_vec(),
        identity,
        at: now(),
    };
    let mut told = json!({
        "policy": publication.policy, "channel": channel, "epoch": epoch, "etag": etag,
        "content_hash": publication.content_hash, "key_id": publication.key_id,
        "not_after": publication.not_after,
    });
    drop(bundle);
    let line = asked.line(StatusCode::OK, &detail(&channel, Some(epoch)));
    let _turn = asked.turn(service).await?;
    let published = service.store.publish(publication, line).await?;
    shown(service).await;
    let (status, result) = match published {
        Published::New => (StatusCode::CREATED, "new"),
        Published::Known => (StatusCode::OK, "known"),
        Published::Changed => (StatusCode::OK, "changed"),
    };
    told["result"] = json!(result);
    Ok((status, told))
}

/// Opens a bundle as a gateway would now.
fn verify(content: Vec<u8>, trust: &Trust, now: i64) -> Result<(Bundle, String), Problem> {
    let refused =
        |code, detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
    let etag = etag(&content);
    let bundle =
        Bundle::open(content, trust).map_err(|error| refused("bundle", error.to_string()))?;
    // A gateway that waits serves on, but one that starts meanwhile would have nothing to serve.
    let not_before = bundle.header().not_before.get();
    if not_before > now.saturating_add(AHEAD) {
        let told = format!(
            "`not_before` is {} seconds ahead, and {AHEAD} may be: publish it when its time has come",
            not_before.saturating_sub(now)
        );
        return Err(refused("not-yet-valid", told));
    }
    let at = now.max(not_before);
    bundle.check_activation(at, 0, None).map_err(|error| refused("expired", error.to_string()))?;
    Ok((bundle, etag))
}

/// What to lead a channel to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Epoch {
    epoch: i64,
}

/// Lets a channel lead to a bundle that was published: canary's to stable.
pub async fn assign(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path((policy, channel)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked =
        Asked::of(&service, &headers, &peer, Role::Publisher, Some(&policy), "promote").await?;
    let read = read_json(&headers, body).await;
    let done = whole(async move {
        let done = async {
            let (channel, Epoch { epoch }) = (channel_name(&channel)?, read?);
            let (policy, identity) = (policy, asked.identity.name.clone());
            let told = json!({ "policy": policy, "channel": channel, "epoch": epoch });
            let line = asked.line(StatusCode::OK, &detail(&channel, Some(epoch)));
            let assigned = Assigned { policy, channel, epoch, identity, at: now() };
            let _turn = asked.turn(&service).await?;
            service.store.assign(assigned, line).await?;
            shown(&service).await;
            Ok((StatusCode::OK, told))
        };
        let done = done.await;
        let epoch = done.as_ref().ok().and_then(|(_, told)| told["epoch"].as_i64());
        asked.audited(&service, &detail(&channel, epoch), done).await
    });
    answer(done.await)
}

/// Which gateways a channel is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gateways {
    labels: Option<String>,
    percentage: Option<f64>,
    priority: Option<i64>,
}

/// Says which gateways a channel is for; makes it where there is none.
pub async fn roll_out(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path((policy, channel)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked =
        Asked::of(&service, &headers, &peer, Role::Publisher, Some(&policy), "rollout").await?;
    let read: Result<Gateways, Problem> = read_json(&headers, body).await;
    let done = whole(async move {
        let done = async {
            let (name, asked_for) = (channel_name(&channel)?, read?);
            let labels: Option<Labels> =
                asked_for.labels.map(|it| it.parse()).transpose().map_err(wrong)?;
            let rollout = Rollout {
                policy: policy.clone(),
                channel: name.clone(),
                labels,
                hundredths: asked_for.percentage.map(hundredths).transpose()?,
                priority: asked_for.priority.map(|it| it.clamp(-1000, 1000)),
                identity: asked.identity.name.clone(),
                at: now(),
            };
            let line = asked.line(StatusCode::OK, &detail(&name, None));
            let _turn = asked.turn(&service).await?;
            service.store.roll_out(rollout, line).await?;
            shown(&service).await;
            Ok((StatusCode::OK, json!({ "policy": policy, "channel": name })))
        };
        let done = done.await;
        asked.audited(&service, &detail(&channel, None), done).await
    });
    answer(done.await)
}

/// Removes a channel that is for nobody: one whose name was typed wrong.
pub async fn remove(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path((policy, channel)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked =
        Asked::of(&service, &headers, &peer, Role::Publisher, Some(&policy), "remove").await?;
    let done = whole(async move {
        let done = async {
            let (channel, identity) = (channel_name(&channel)?, asked.identity.name.clone());
            let told = json!({ "policy": policy, "channel": channel });
            let line = asked.line(StatusCode::OK, &detail(&channel, None));
            let removed = Removed { policy, channel, identity, at: now() };
            let _turn = asked.turn(&service).await?;
            service.store.remove(removed, line).await?;
            shown(&service).await;
            Ok((StatusCode::OK, told))
        };
        let done = done.await;
        asked.audited(&service, &detail(&channel, None), done).await
    });
    answer(done.await)
}

/// Removes a policy that is for nobody: one whose name was typed wrong.
pub async fn remove_policy(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(policy): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked =
        Asked::of(&service, &headers, &peer, Role::Publisher, Some(&policy), "remove-policy")
            .await?;
    let done = whole(async move {
        let done = async {
            let (told, since) = (json!({ "policy": policy }), service.forgotten_before());
            let line = asked.line(StatusCode::OK, "the policy");
            let removed = RemovedPolicy {
                heard_of: service.gateways.heard_of(&policy, since),
                policy,
                since,
                identity: asked.identity.name.clone(),
                at: now(),
            };
            let _turn = asked.turn(&service).await?;
            service.store.remove_policy(removed, line).await?;
            shown(&service).await;
            Ok((StatusCode::OK, told))
        };
        let done = done.await;
        asked.audited(&service, "the policy", done).await
    });
    answer(done.await)
}

/// A percentage, in hundredths.
fn hundredths(percentage: f64) -> Result<i64, Problem> {
    if !(0.0..=100.0).contains(&percentage) {
        return Err(wrong("a percentage is between 0 and 100".to_owned()));
    }
    Ok((percentage * 100.0).round() as i64)
}

/// What to hold, and at what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    channel: Option<String>,
    labels: Option<String>,
    epoch: i64,
    #[serde(default)]
    reason: String,
}

/// Holds a channel, or gateways by label, at an epoch.
pub async fn pin(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(policy): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let asked = Asked::of(&service, &headers, &peer, Role::Publisher, Some(&policy), "pin").await?;
    let read: Result<Hold, Problem> = read_json(&headers, body).await;
    let done = whole(async move {
        let hold = read.and_then(|hold| {
            let reason = names::bounded(&hold.reason, 300);
            Ok((target(hold.channel, hold.labels)?, Some(hold.epoch), reason))
        });
        change_pin(&service, &asked, hold).await
    });
    answer(done.await)
}

/// What to release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    channel: Option<String>,
    labels: Option<String>,
}

/// Releases what is held.
pub async fn unpin(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(policy): Path<String>,
    Query(release): Query<Release>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked =
        Asked::of(&service, &headers, &peer, Role::Publisher, Some(&policy), "unpin").await?;
    let done = whole(async move {
        let release = target(release.channel, release.labels);
        let release = release.map(|target| (target, None, String::new()));
        change_pin(&service, &asked, release).await
    });
    answer(done.await)
}

/// Holds or releases: the target, the epoch that it is held at, and why.
async fn change_pin(
    service: &Service,
    asked: &Asked,
    change: Result<(Target, Option<i64>, String), Problem>,
) -> Done {
    let detail = match &change {
        Ok((target, Some(epoch), _)) => format!("{}, epoch {epoch}", target.key()),
        Ok((target, None, _)) => target.key(),
        Err(_) => String::new(),
    };
    let done = async {
        let (target, epoch, reason) = change?;
        let told = json!({ "policy": asked.policy, "target": target.key(), "epoch": epoch });
        let (policy, identity) = (asked.policy.clone(), asked.identity.name.clone());
        let line = asked.line(StatusCode::OK, &detail);
        let pinned = Pinned { policy, target, epoch, reason, identity, at: now() };
        let _turn = asked.turn(service).await?;
        service.store.pin(pinned, line).await?;
        shown(service).await;
        Ok((StatusCode::OK, told))
    };
    let done = done.await;
    asked.audited(service, &detail, done).await
}

fn target(channel: Option<String>, labels: Option<String>) -> Result<Target, Problem> {
    match (channel, labels) {
        (Some(channel), None) => Ok(Target::Channel(channel_name(&channel)?)),
        (None, Some(labels)) => {
            let labels: Labels = labels.parse().map_err(wrong)?;
            if labels.is_empty() {
                return Err(wrong("a pin by label needs a label".to_owned()));
            }
            Ok(Target::Labels(labels))
        }
        _ => Err(wrong("a pin is for a `channel` or for `labels`".to_owned())),
    }
}

/// Serves what was stored at once. Where that fails, the refresh that comes every moment does it.
async fn shown(service: &Service) {
    if service.refresh().await.is_err() {
        service.metrics.store_errors.add();
    }
}

fn answer(done: Done) -> Result<Response, Problem> {
    done.map(|(status, told)| (status, Json(told)).into_response())
}

fn channel_name(channel: &str) -> Result<String, Problem> {
    names::name(channel).map_err(|what| wrong(format!("`channel` is {what}")))
}

fn wrong(what: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "request", what)
}

async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Problem> {
    let bytes = collect(headers, body, LARGEST_JSON).await?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
}

/// A body of that many bytes at most. One that declares more is refused before it is read.
async fn collect(headers: &HeaderMap, body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        let told = format!("the body is larger than {most} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", told)
    };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if declared.and_then(|it| it.parse::<usize>().ok()).is_some_and(|it| it > most) {
        return Err(too_large());
    }
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(_) => {
            let told = "the body ended before all of it was there";
            Err(Problem::new(StatusCode::BAD_REQUEST, "body", told))
        }
    }
}
