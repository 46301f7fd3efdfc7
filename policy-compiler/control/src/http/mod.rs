//! What is served over HTTP: bundles to gateways, publishing and status to people.
//!
//! Errors are `application/problem+json` (RFC 9457).

mod bundles;
mod problem;
pub(crate) mod publish;
mod status;

pub use problem::Problem;
pub use publish::LARGEST;

use crate::identity::{Identity, Role};
use crate::names;
use crate::service::{Denied, Peer, Service, now};
use crate::store::Audit;
use crate::xds;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How long an answer may take, an upload included. Streams of xDS have no such end.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What monitors ask, by no identity.
pub fn monitored(service: Arc<Service>) -> Router {
    bounded(probes().merge(metrics())).with_state(service)
}

/// Everything that the service answers, but for metrics where an address of their own is for them.
pub fn router(service: Arc<Service>, has_metrics: bool) -> Router {
    let plain = if has_metrics { probes().merge(metrics()) } else { probes() };
    let plain = plain
        .route("/v1/policies", get(status::policies))
        .route("/v1/policies/{policy}", get(status::policy).delete(publish::remove_policy))
        .route("/v1/policies/{policy}/bundle", get(bundles::for_gateway))
        .route("/v1/policies/{policy}/bundles", post(publish::publish))
        .route("/v1/policies/{policy}/bundles/{epoch}", get(bundles::by_epoch))
        .route(
            "/v1/policies/{policy}/channels/{channel}",
            put(publish::roll_out).delete(publish::remove),
        )
        .route("/v1/policies/{policy}/channels/{channel}/bundle", get(bundles::of_channel))
        .route("/v1/policies/{policy}/channels/{channel}/epoch", put(publish::assign))
        .route("/v1/policies/{policy}/pins", put(publish::pin).delete(publish::unpin))
        .route("/v1/policies/{policy}/status", get(status::status))
        .route("/v1/policies/{policy}/history", get(status::history))
        .route("/v1/audit", get(status::audit));
    let streams = Router::new()
        .route(xds::EXTENSIONS, post(xds::stream))
        .route(xds::AGGREGATED, post(xds::stream));
    streams.merge(bounded(plain)).with_state(service)
}

fn probes() -> Router<Arc<Service>> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

fn metrics() -> Router<Arc<Service>> {
    Router::new().route("/metrics", get(status::metrics))
}

/// Answers in time, and in the words of a problem what is no request for these.
fn bounded(routes: Router<Arc<Service>>) -> Router<Arc<Service>> {
    routes
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "this resource has other methods",
            )
        })
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "path", "there is nothing here"))
        .layer(from_fn(worded))
        .layer(from_fn(timely))
}

async fn timely(request: Request, next: Next) -> Response {
    tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await.unwrap_or_else(|_| {
        let told = "the request took longer than 60 s";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", told).into_response()
    })
}

/// Paths and queries that cannot be read are problems like all others.
async fn worded(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if response.status() != StatusCode::BAD_REQUEST
        || kind.is_some_and(|it| !it.starts_with(b"text/plain"))
    {
        return response;
    }
    let told = "the path or the query cannot be read";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "request", told).into_response()
}

async fn ready(State(service): State<Arc<Service>>) -> Response {
    let store = if service.store.is_up() { "up" } else { "away" };
    let status = if service.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let ready = if service.is_ready() { "ready" } else { "not ready" };
    (status, format!("{ready}; store {store}\n")).into_response()
}

/// Whoever asks for something, and what they ask.
struct Asked {
    identity: Identity,
    peer: Peer,
    action: String,
    policy: String,
}

impl Asked {
    /// Finds out who asks, and whether they may. That somebody who is known may not change or read something stands in
    /// the audit log; what a gateway may not fetch is only counted, since gateways ask again every few seconds.
    async fn of(
        service: &Service,
        headers: &HeaderMap,
        peer: &Peer,
        role: Role,
        policy: Option<&str>,
        action: &str,
    ) -> Result<Asked, Problem> {
        if policy.is_some_and(|policy| !names::is_name(policy)) {
            return Err(Problem::new(StatusCode::NOT_FOUND, "policy", "no policy has such a name"));
        }
        let authorization = headers.get(header::AUTHORIZATION).map(|it| it.to_str().unwrap_or(""));
        let asked = |identity| Asked {
            identity,
            peer: peer.clone(),
            action: action.to_owned(),
            policy: policy.unwrap_or_default().to_owned(),
        };
        match service.identify(authorization, peer, role, policy) {
            Ok(identity) => Ok(asked(identity)),
            Err(Denied::Unknown) => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "this needs a bearer token or a client certificate that the service knows",
            )
            .with_header(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"portcullis\""),
            )),
            Err(Denied::Forbidden(identity)) => {
                let told = format!("this needs the role `{}` for the policy", role.name());
                let problem = Problem::new(StatusCode::FORBIDDEN, "forbidden", told);
                // A gateway's token changes nothing, and lies on every gateway: its refusals are counted alone.
                if identity.role > Role::Gateway {
                    service.audit(asked(identity).line(problem.status, &problem.detail)).await;
                }
                Err(problem)
            }
        }
    }

    /// Waits for the identity's turn at the database, which it has until what is given is dropped.
    async fn turn(&self, service: &Service) -> Result<OwnedSemaphorePermit, Problem> {
        service.turn(&self.identity.name).await.ok_or_else(|| {
            let told = format!("`{}` asks too much at once: ask again", self.identity.name);
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", told)
                .with_header(header::RETRY_AFTER, HeaderValue::from(2))
        })
    }

    /// A line of the audit log.
    fn line(&self, status: StatusCode, detail: &str) -> Audit {
        Audit {
            id: 0,
            at: now(),
            identity: self.identity.name.clone(),
            role: self.identity.role.name().to_owned(),
            peer: self.peer.address.ip().to_string(),
            action: self.action.clone(),
            policy: self.policy.clone(),
            status: i64::from(status.as_u16()),
            detail: names::bounded(detail, 500),
        }
    }

    /// Writes what became of a change, and passes it on: what was done stands in the audit log already.
    async fn audited<T>(
        &self,
        service: &Service,
        detail: &str,
        done: Result<(StatusCode, T), Problem>,
    ) -> Result<(StatusCode, T), Problem> {
        match &done {
            Ok((status, _)) => service.log(&self.line(*status, detail)),
            Err(problem) => {
                let detail = format!("{detail}: {}", problem.detail);
                service.audit(self.line(problem.status, &detail)).await;
            }
        }
        done
    }
}

/// Runs what must not stop halfway, whatever becomes of whoever asked for it.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(failed()))
}

fn failed() -> Problem {
    let told = "the service failed: its log may say more";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", told)
}
