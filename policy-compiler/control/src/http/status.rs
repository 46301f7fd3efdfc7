//! What people and programs want to know: which gateway runs what, who changed what.

use super::{Asked, Problem};
use crate::current::Policy;
use crate::gateways::{runs, workers};
use crate::identity::Role;
use crate::metrics::Fleet;
use crate::names::Labels;
use crate::service::{Peer, Service, now};
use crate::store::{GatewayRow, StoreError};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lines of history or audit in one answer, at most.
const LINES: i64 = 1000;

/// The names of all policies.
pub async fn policies(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Asked::of(&service, &headers, &peer, Role::Reader, None, "read")?;
    let current = service.current();
    let names: Vec<&String> = current.policies.keys().collect();
    Ok(Json(json!({ "policies": names, "revision": current.revision })).into_response())
}

/// Channels and pins of a policy.
pub async fn policy(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Asked::of(&service, &headers, &peer, Role::Reader, Some(&name), "read")?;
    let current = service.current();
    Ok(Json(describe(&name, known(&current.policies, &name)?)).into_response())
}

/// Which gateway and worker runs which epoch.
pub async fn status(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Asked::of(&service, &headers, &peer, Role::Reader, Some(&name), "read")?;
    let current = service.current();
    let policy = known(&current.policies, &name)?;
    // What other replicas have heard is in the database; without it, what this one has.
    let stored = service.store.gateways(name.clone()).await;
    let complete = stored.is_ok();
    let rows = service.gateways.merged(&name, stored.unwrap_or_default());
    let silent_before = now() - service.settings.silent_after.as_secs() as i64;
    let mut fleet = Fleet::default();
    let mut gateways = Vec::with_capacity(rows.len());
    for row in &rows {
        let state = state(policy, &name, row, silent_before);
        count(&mut fleet, state.0);
        gateways.push(gateway(row, state));
    }
    let mut told = describe(&name, policy);
    told["gateways"] = Value::Array(gateways);
    told["summary"] = json!({
        "gateways": rows.len(), "current": fleet.current, "behind": fleet.behind,
        "refusing": fleet.refusing, "silent": fleet.silent,
    });
    told["complete"] = json!(complete);
    Ok(Json(told).into_response())
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
    Asked::of(&service, &headers, &peer, Role::Reader, Some(&name), "read")?;
    let found = service.store.history(name.clone(), lines.limit()).await?;
    let told = found.into_iter().map(|it| {
        let detail: Value = serde_json::from_str(&it.detail).unwrap_or_default();
        json!({
            "revision": it.revision, "at": it.at, "identity": it.identity, "action": it.action,
            "target": it.target, "epoch": it.epoch, "detail": detail,
        })
    });
    let told: Vec<Value> = told.collect();
    Ok(Json(json!({ "policy": name, "history": told })).into_response())
}

/// Who asked for what.
pub async fn audit(
    State(service): State<Arc<Service>>,
    Extension(peer): Extension<Peer>,
    Query(lines): Query<Lines>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Asked::of(&service, &headers, &peer, Role::Reader, None, "read")?;
    let found = service.store.audit(lines.identity.clone(), lines.limit()).await?;
    let told = found.into_iter().map(|it| {
        json!({
            "id": it.id, "at": it.at, "identity": it.identity, "role": it.role, "peer": it.peer,
            "action": it.action, "policy": it.policy, "status": it.status, "detail": it.detail,
        })
    });
    let told: Vec<Value> = told.collect();
    Ok(Json(json!({ "audit": told })).into_response())
}

/// For Prometheus. Open: it names policies and channels, and counts.
pub async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let current = service.current();
    let silent_before = now() - service.settings.silent_after.as_secs() as i64;
    let mut fleets = Vec::with_capacity(current.policies.len());
    for (name, policy) in &current.policies {
        // Of this replica alone: Prometheus adds up.
        let mut fleet = Fleet::default();
        for row in service.gateways.merged(name, Vec::new()) {
            count(&mut fleet, state(policy, name, &row, silent_before).0);
        }
        fleets.push((name.clone(), fleet));
    }
    let (up, ready) = (service.store.is_up(), service.is_ready());
    let page = service.metrics.page(&current, up, ready, &fleets);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response()
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

/// How a gateway stands, the epoch that it should run, and the channel that is for it.
fn state<'a>(
    policy: &'a Policy,
    name: &str,
    row: &GatewayRow,
    silent_before: i64,
) -> (&'static str, Option<i64>, &'a str) {
    let labels: Labels = row.labels.parse().unwrap_or_default();
    let choice = if row.channel.is_empty() {
        policy.choose(name, &row.gateway, &labels)
    } else {
        policy.of_channel(&row.channel)
    };
    let Some(choice) = choice else {
        return ("current", None, "");
    };
    // Also one whose stream a replica held that is no more.
    let state = if row.last_contact < silent_before {
        "silent"
    } else if runs(row, choice.epoch) {
        "current"
    } else if row.refused_epoch == Some(choice.epoch) {
        "refusing"
    } else {
        "behind"
    };
    (state, Some(choice.epoch), choice.channel)
}

fn count(fleet: &mut Fleet, state: &str) {
    *match state {
        "current" => &mut fleet.current,
        "refusing" => &mut fleet.refusing,
        "silent" => &mut fleet.silent,
        _ => &mut fleet.behind,
    } += 1;
}

fn gateway(row: &GatewayRow, (state, epoch, channel): (&str, Option<i64>, &str)) -> Value {
    let workers: serde_json::Map<String, Value> = workers(&row.workers)
        .into_iter()
        .map(|(worker, epoch)| (worker.to_string(), json!(epoch)))
        .collect();
    let refused =
        row.refused_epoch.map(|epoch| json!({ "epoch": epoch, "reason": row.refused_reason }));
    json!({
        "gateway": row.gateway, "labels": row.labels, "source": row.source, "state": state,
        "out_of_date": state != "current", "channel": channel, "epoch": epoch, "workers": workers,
        "accepted": row.accepted, "refused": refused, "version": row.version,
        "connected": row.connected, "last_contact": row.last_contact, "replica": row.replica,
    })
}
