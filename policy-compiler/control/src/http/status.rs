//! What people and programs want to know: which gateway runs what, who changed what.

use super::{Asked, Problem};
use crate::current::{Current, Policy};
use crate::gateways::{self, state, workers};
use crate::identity::Role;
use crate::metrics::Fleet;
use crate::names;
use crate::service::{Peer, Service};
use crate::store::{GatewayRow, StoreError};
use crate::transfers;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Gateways in one answer, at most: some megabytes, where strangers have made them up.
const GATEWAYS: usize = 1000;

/// Lines of history or audit in one answer, at most.
const LINES: i64 = 1000;
/// How long an answer waits for what is newest: a database that hangs has no end of its own.
const NEWEST: Duration = Duration::from_secs(3);

/// The names of all policies.
pub async fn policies(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::of(&service, &headers, &peer, Role::Reader, None, "read").await?;
    let turn = asked.turn(&service).await?;
    let current = newest(&service).await;
    let names: Vec<&String> = current.policies.keys().collect();
    Ok(answer(&asked, turn, json!({ "policies": names, "revision": current.revision })))
}

/// Channels and pins of a policy.
pub async fn policy(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::of(&service, &headers, &peer, Role::Reader, Some(&name), "read").await?;
    let turn = asked.turn(&service).await?;
    let current = newest(&service).await;
    Ok(answer(&asked, turn, describe(&name, known(&current.policies, &name)?)))
}

/// How much of the status.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Numbers by channel, and no gateways.
    #[serde(default)]
    summary: bool,
    /// Gateways at most.
    limit: Option<usize>,
    /// Those behind this one, by id.
    after: Option<String>,
    /// Those that stand so: `behind,refusing`.
    state: Option<String>,
    /// The same.
    #[serde(skip)]
    states: Vec<gateways::State>,
}

impl Extent {
    fn check(mut self) -> Result<Extent, Problem> {
        let states = self.state.iter().flat_map(|states| states.split(','));
        let states: Result<Vec<gateways::State>, String> = states.map(str::parse).collect();
        let wrong = |told| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "request", told);
        self.states = states.map_err(wrong)?;
        Ok(self)
    }

    fn holds(&self, row: &GatewayRow, state: gateways::State) -> bool {
        !self.summary
            && self.after.as_ref().is_none_or(|after| row.gateway > *after)
            && (self.states.is_empty() || self.states.contains(&state))
    }
}

/// Which gateway and worker runs which epoch.
pub async fn status(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    Query(extent): Query<Extent>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::of(&service, &headers, &peer, Role::Reader, Some(&name), "read").await?;
    let extent = extent.check()?;
    let turn = asked.turn(&service).await?;
    let current = newest(&service).await;
    known(&current.policies, &name)?;
    let silent_before = service.silent_before();
    let told = service.look(&name, move |name, rows, complete| {
        let mut told = page(name, known(&current.policies, name)?, &extent, rows, silent_before);
        told["complete"] = json!(complete);
        Ok(told.to_string())
    });
    let told = told.await.unwrap_or_else(|| Err(super::failed()))?;
    Ok(answer(&asked, turn, told))
}

/// Numbers of all gateways, and some of these.
fn page(
    name: &str,
    policy: &Policy,
    extent: &Extent,
    rows: &[Arc<GatewayRow>],
    silent_before: i64,
) -> Value {
    let limit = extent.limit.unwrap_or(GATEWAYS).clamp(1, GATEWAYS);
    let mut fleet = Fleet::default();
    let mut channels = vec![(Fleet::default(), None); policy.channels.len()];
    let (mut gateways, mut left, mut last) = (Vec::new(), 0, None);
    for row in rows {
        let state = state(policy, name, row, silent_before);
        fleet.count(state.0);
        count(policy, &mut channels, row, state);
        if !extent.holds(row, state.0) {
            continue;
        }
        if gateways.len() < limit {
            last = Some(&row.gateway);
            gateways.push(gateway(row, state));
        } else {
            left += 1;
        }
    }
    let mut told = describe(name, policy);
    for (at, (fleet, refusal)) in channels.into_iter().enumerate() {
        told["channels"][at]["gateways"] = numbers(&fleet);
        told["channels"][at]["gateways"]["refusal"] = json!(refusal);
    }
    if !extent.summary {
        told["gateways"] = Value::Array(gateways);
        told["left"] = json!(left);
        told["next"] = json!(last.filter(|_| left > 0));
    }
    told["summary"] = numbers(&fleet);
    told["summary"]["gateways"] = json!(rows.len());
    told
}

fn numbers(fleet: &Fleet) -> Value {
    fleet.numbers().into_iter().map(|(state, number)| (state.name(), number)).collect()
}

/// Counts a gateway among those of its channel, with the reason of the first that refuses. One that a pin holds by its
/// labels does not follow its channel.
fn count(
    policy: &Policy,
    channels: &mut [(Fleet, Option<String>)],
    row: &GatewayRow,
    (state, epoch, channel): (gateways::State, Option<i64>, &str),
) {
    let Some(at) = policy.channels.iter().position(|it| it.name == channel) else { return };
    if policy.of_channel(channel).map(|choice| choice.epoch) != epoch {
        return;
    }
    let Some((fleet, refusal)) = channels.get_mut(at) else { return };
    fleet.count(state);
    if state == gateways::State::Refusing {
        refusal.get_or_insert_with(|| row.refused_reason.clone());
    }
}

/// How many lines, and whose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    limit: Option<i64>,
    identity: Option<String>,
}

impl Lines {
    fn limit(&self) -> i64 {
        self.limit.unwrap_or(100).clamp(1, LINES)
    }
}

/// What was published, promoted, rolled out and pinned.
pub async fn history(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    Query(lines): Query<Lines>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::of(&service, &headers, &peer, Role::Reader, Some(&name), "read").await?;
    let turn = asked.turn(&service).await?;
    let found = service.store.history(name.clone(), lines.limit()).await?;
    let told = found.into_iter().map(|it| {
        let detail: Value = serde_json::from_str(&it.detail).unwrap_or_default();
        json!({
            "revision": it.revision, "at": it.at, "identity": it.identity, "action": it.action,
            "target": it.target, "epoch": it.epoch, "detail": detail,
        })
    });
    let told: Vec<Value> = told.collect();
    Ok(answer(&asked, turn, json!({ "policy": name, "history": told })))
}

/// Who asked for what.
pub async fn audit(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Query(lines): Query<Lines>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::of(&service, &headers, &peer, Role::Reader, None, "read").await?;
    let turn = asked.turn(&service).await?;
    if lines.identity.as_ref().is_some_and(|name| !names::is_name(name)) {
        let told = "no identity has such a name";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "request", told));
    }
    let found = service.store.audit(lines.identity.clone(), lines.limit()).await?;
    let told = found.into_iter().map(|it| {
        json!({
            "id": it.id, "at": it.at, "identity": it.identity, "role": it.role, "peer": it.peer,
            "action": it.action, "policy": it.policy, "status": it.status, "detail": it.detail,
        })
    });
    let told: Vec<Value> = told.collect();
    Ok(answer(&asked, turn, json!({ "audit": told })))
}

/// For Prometheus. Open: it names policies and channels, and counts.
pub async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let current = service.current();
    let fleets = service.fleets.lock().await.clone();
    let (up, ready) = (service.store.is_up(), service.is_ready());
    let page = service.metrics.page(&current, &service.transfers, up, ready, &fleets);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response()
}

/// An answer to somebody whose turn it is until they have read it.
fn answer(asked: &Asked, turn: OwnedSemaphorePermit, told: impl ToString) -> Response {
    let body = transfers::answer(Bytes::from(told.to_string()), turn, &asked.peer);
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// What is served now, with what was published to any replica a moment ago, as long as the database answers.
async fn newest(service: &Service) -> Arc<Current> {
    // Where it does not, what this replica has is all there is to tell.
    if service.store.is_up() {
        let _ = tokio::time::timeout(NEWEST, service.refresh()).await;
    }
    service.current()
}

fn known<'a>(
    policies: &'a std::collections::BTreeMap<String, Policy>,
    name: &str,
) -> Result<&'a Policy, Problem> {
    policies.get(name).ok_or_else(|| {
        let told = StoreError::NotFound(format!("no policy is called `{name}`")).to_string();
        Problem::new(StatusCode::NOT_FOUND, "not-found", told)
    })
}

fn describe(name: &str, policy: &Policy) -> Value {
    let channels = policy.channels.iter().map(|channel| {
        let choice = policy.of_channel(&channel.name);
        json!({
            "channel": channel.name, "published": channel.epoch,
            "serves": choice.as_ref().map(|choice| choice.epoch),
            "pinned": choice.is_some_and(|choice| choice.pinned),
            "labels": channel.labels.to_string(), "percentage": channel.hundredths as f64 / 100.0,
            "priority": channel.priority,
        })
    });
    let channels: Vec<Value> = channels.collect();
    let pins = policy.pins.iter().map(|pin| {
        json!({
            "target": pin.target.key(), "epoch": pin.epoch, "reason": pin.reason,
            "identity": pin.identity, "at": pin.at,
        })
    });
    let pins: Vec<Value> = pins.collect();
    json!({ "policy": name, "highest": policy.highest, "channels": channels, "pins": pins })
}

fn gateway(
    row: &GatewayRow,
    (state, epoch, channel): (gateways::State, Option<i64>, &str),
) -> Value {
    let workers: serde_json::Map<String, Value> = workers(&row.workers)
        .into_iter()
        .map(|(worker, epoch)| (worker.to_string(), json!(epoch)))
        .collect();
    let refused =
        row.refused_epoch.map(|epoch| json!({ "epoch": epoch, "reason": row.refused_reason }));
    json!({
        "gateway": row.gateway, "labels": row.labels, "source": row.source, "state": state,
        "out_of_date": state != gateways::State::Current, "channel": channel, "epoch": epoch, "workers": workers,
        "accepted": row.accepted, "refused": refused, "version": row.version,
        "connected": row.connected, "last_contact": row.last_contact, "replica": row.replica,
    })
}
