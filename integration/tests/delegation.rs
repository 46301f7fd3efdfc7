//! Limits that a service carries for several gateways: a process of its own that counts in Redis, which does what it should, and
//! which hangs, errs, answers late, answers nonsense, or is not there.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use portcullis_integration::http1::{Connection, Request, Response};
use portcullis_integration::{Envoy, Upstream};
use serde_json::{Value, json};
use support::service::{Redis, Service, free_port};
use support::{GOOD, Setup, chunked, finding};

const LIMIT: Duration = Duration::from_secs(20);
/// Longer than a busy machine takes for an answer.
const PATIENT: &str = "limit_service: { cluster: ratelimit, domain: bank, timeout: 1s }";
const SHORT: &str = "limit_service: { cluster: ratelimit, domain: bank, timeout: 100ms }";
const CALLERS: &str =
    "callers: { key: { by: [header.x-key] }, account: { by: [body./note], missing: skip } }";

fn of(key: &str) -> Request {
    Request::get("/ping").header("x-key", key)
}

fn send(envoy: &Envoy, request: &Request) -> Response {
    request.send(envoy.address()).unwrap()
}

fn statuses(envoy: &Envoy, request: &Request, times: usize) -> Vec<u16> {
    (0..times).map(|_| send(envoy, request).status).collect()
}

fn metric(envoy: &Envoy, name: &str) -> u64 {
    envoy.stat(&format!("wasmcustom.portcullis.limit.{name}")).unwrap()
}

/// One limit that is delegated, with a local bound so wide that only the service refuses.
fn wide(more: &str) -> String {
    format!(
        "{CALLERS}\nrate_limits:\n  shared: {{ caller: key, rates: [ {{ requests: 1000, per: day }} ], delegate: {{}}{more} }}"
    )
}

/// One limit that is delegated, of three a day here.
fn narrow(delegate: &str) -> String {
    format!(
        "{CALLERS}\nrate_limits:\n  shared: {{ caller: key, rates: [ {{ requests: 3, per: day }} ], delegate: {delegate} }}"
    )
}

/// A gateway under a policy, and its filter's further configuration.
fn gateway(
    setup: &Setup,
    upstream: &Upstream,
    service: SocketAddr,
    (mode, policy): (&str, &str),
    more: Value,
) -> Envoy {
    let mut settings = json!({ "log_findings_per_second": 100_000 });
    if let (Value::Object(all), Value::Object(more)) = (&mut settings, more) {
        all.extend(more);
    }
    let filter = setup.filter(&setup.compile(mode, 1, policy), settings);
    setup.start_with(upstream, &filter, |it| it.http2_cluster("ratelimit", service).workers(2))
}

#[test]
fn two_gateways_share_one_limit() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "right", &["shared/86400s=5/day"]);
    let policy = format!("{PATIENT}\n{}", wide(""));
    let start = || gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
    let (first, second) = (start(), start());
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(send(&first, &of("secret-of-mine")).status);
        seen.push(send(&second, &of("secret-of-mine")).status);
    }
    assert_eq!(seen, [200, 200, 200, 200, 200, 429, 429, 429]);
    let refused = send(&first, &of("secret-of-mine"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait}");
    // What the service says of the limit, not what the policy does.
    assert_eq!(refused.header("ratelimit-policy").unwrap(), r#""shared";q=5;w=86400"#);
    assert_eq!(refused.header("ratelimit").unwrap(), format!(r#""shared";r=0;t={wait}"#));
    assert_eq!(finding(&first, "limit-exceeded")["limit"]["name"], "shared");
    assert_eq!(statuses(&second, &of("another"), 1), [200]);
    assert_eq!((metric(&first, "service-asked"), metric(&first, "service-refused")), (5, 2));
    assert_eq!((metric(&first, "service-failed"), metric(&second, "service-failed")), (0, 0));
    // Both tell the same of a caller, and neither its key.
    let keys = redis.keys();
    assert_eq!(keys.matches("bank_limit_shared_window_86400s_caller_").count(), 2, "{keys}");
    assert!(!keys.contains("secret-of-mine"), "{keys}");
}

#[test]
fn gateways_with_other_keys_tell_other_callers_and_values_where_the_policy_says_so() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "right", &["shared/86400s=1/day"]);
    let policy = format!("{PATIENT}\n{}", wide(", scope: operation"));
    let with = |key: &str| {
        let more = json!({ "caller_key": key });
        gateway(&setup, &upstream, service.address, ("enforce", &policy), more)
    };
    let (first, second) = (with("sixteen letters 1"), with("sixteen letters 2"));
    assert_eq!(statuses(&first, &of("a"), 2), [200, 429]);
    assert_eq!(statuses(&second, &of("a"), 2), [200, 429]);
    assert!(redis.keys().contains("_scope_GET /ping_caller_"), "{}", redis.keys());
    let told = policy.replace("domain: bank", "domain: told, callers: value");
    let third = gateway(&setup, &upstream, service.address, ("enforce", &told), json!({}));
    assert_eq!(statuses(&third, &of("plain text"), 2), [200, 429]);
    let keys = redis.keys();
    assert!(
        keys.contains(
            "told_limit_shared_window_86400s_scope_GET /ping_caller_header.x-key=plain text_"
        ),
        "{keys}"
    );
}

#[test]
fn what_this_gateway_has_counted_is_refused_without_asking() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "right", &["shared/86400s=1000/day"]);
    let policy = format!("{PATIENT}\n{}", narrow("{}"));
    let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
    assert_eq!(statuses(&envoy, &of("a"), 6), [200, 200, 200, 429, 429, 429]);
    assert_eq!((metric(&envoy, "service-asked"), metric(&envoy, "service-refused")), (3, 0));
}

#[test]
fn bodies_wait_with_their_heads_and_pass_as_they_came() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    // Each answer takes longer than the body does.
    let rules = ["shared/86400s=3/day", "accounts/86400s=1/day"];
    let service = Service::start(redis.address, "late=150", &rules);
    let policy = format!(
        "{PATIENT}\n{}\n  accounts: {{ caller: account, rates: [ {{ requests: 1000, per: day }} ], delegate: {{}} }}",
        wide("")
    );
    let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
    let note = format!(r#"{{"amount": 3, "note": "{}"}}"#, "n".repeat(40_000));
    let mut large = Request::post_json("/pay", &note).header("x-key", "a");
    large = large.cut(&[10, 1000, 20_000]);
    assert_eq!(statuses(&envoy, &large, 1), [200]);
    assert_eq!(upstream.take()[0].body, note.as_bytes());
    let trailing = chunked(GOOD, &[("x-sum", "7")]).header("x-key", "a");
    assert_eq!(statuses(&envoy, &trailing, 1), [200]);
    let received = upstream.take();
    assert_eq!((&received[0].body[..], received[0].trailers.len()), (GOOD.as_bytes(), 1));
    // Of a limit on a value of the body, when the body has been read.
    let account = |key: &str| {
        Request::post_json("/pay", r#"{"amount": 3, "note": "alice"}"#).header("x-key", key)
    };
    assert_eq!(
        [send(&envoy, &account("b")).status, send(&envoy, &account("c")).status],
        [200, 429]
    );
    // Refused by the head, whatever comes behind it; and by the schema, without waiting for the service.
    assert_eq!(statuses(&envoy, &large, 2), [200, 429]);
    let bad = Request::post_json("/pay", support::BAD).header("x-key", "d");
    assert_eq!(send(&envoy, &bad).status, 400);
    assert_eq!(upstream.take().len(), 2);
}

#[test]
fn a_service_that_gives_no_answer_leaves_the_table_to_decide() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let policy = format!("{SHORT}\n{}", narrow("{}"));
    for behaviour in ["hang", "fail", "late=2000", "garbage", "unknown", "empty"] {
        let service = Service::start(redis.address, behaviour, &["shared/86400s=0/day"]);
        let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
        for _ in 0..3 {
            let started = Instant::now();
            assert_eq!(send(&envoy, &of("a")).status, 200, "{behaviour}");
            assert!(started.elapsed() < Duration::from_secs(5), "{behaviour}");
        }
        // The table's own verdict stands.
        assert_eq!(statuses(&envoy, &of("a"), 1), [429], "{behaviour}");
        assert_eq!(metric(&envoy, "service-failed"), 3, "{behaviour}");
        assert_eq!(metric(&envoy, "service-refused"), 0, "{behaviour}");
    }
}

#[test]
fn a_service_that_gives_no_answer_refuses_where_the_policy_says_so() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let policy = format!("{SHORT}\n{}", narrow("{ on_failure: refuse }"));
    for behaviour in ["hang", "fail"] {
        let service = Service::start(redis.address, behaviour, &[]);
        let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
        let refused = send(&envoy, &of("a"));
        assert_eq!((refused.status, refused.header("retry-after").as_deref()), (503, Some("1")));
        assert_eq!(refused.json()["type"], "urn:portcullis:finding:limit-uncounted");
        let body = Request::post_json("/pay", GOOD).header("x-key", "b");
        assert_eq!(send(&envoy, &body).status, 503);
        assert_eq!(upstream.take().len(), 0);
    }
}

#[test]
fn a_service_that_goes_on_hanging_is_not_waited_for_by_every_request() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "hang", &[]);
    let policy = format!("{SHORT}\n{}", wide(""));
    let filter = setup.filter(&setup.compile("enforce", 1, &policy), json!({}));
    let envoy =
        setup.start_with(&upstream, &filter, |it| it.http2_cluster("ratelimit", service.address));
    let started = Instant::now();
    assert_eq!(statuses(&envoy, &of("a"), 60), [200; 60]);
    // Eight wait, and then one a second.
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    let (failed, skipped) = (metric(&envoy, "service-failed"), metric(&envoy, "service-skipped"));
    assert!(failed >= 8 && skipped >= 40 && failed + skipped == 60, "{failed} {skipped}");
}

#[test]
fn the_cluster_that_is_rendered_reaches_the_service() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "right", &["shared/86400s=2/day"]);
    let bundle = setup.compile("enforce", 1, &format!("{PATIENT}\n{}", wide("")));
    let (bundle, wasm) =
        (bundle.display().to_string(), setup.artefacts.filter.display().to_string());
    let (to, service) = (upstream.address().to_string(), service.address.to_string());
    let mut arguments = vec!["render", "envoy", "--bundle", &bundle, "--wasm", &wasm, "--static"];
    arguments.extend(["--out", "gateway", "--trusted-key", &setup.public_key, "--upstream", &to]);
    arguments.extend(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    arguments.extend(["--limit-service", &service]);
    setup.portcullis(&arguments);
    let config = setup.dir.join("gateway/envoy.yaml");
    Envoy::validate(&setup.artefacts.envoy, &config).unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let envoy = Envoy::start_text(&setup.artefacts.envoy, &text, 1).unwrap();
    assert_eq!(statuses(&envoy, &of("a"), 3), [200, 200, 429]);
    assert_eq!((metric(&envoy, "service-refused"), metric(&envoy, "service-failed")), (1, 0));
}

#[test]
fn a_service_that_is_down_at_start_is_asked_once_it_is_there() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let address = free_port();
    let policy = format!("{SHORT}\n{}", wide(""));
    let envoy = gateway(&setup, &upstream, address, ("enforce", &policy), json!({}));
    assert_eq!(statuses(&envoy, &of("a"), 3), [200; 3]);
    assert_eq!(metric(&envoy, "service-failed"), 3);
    let _service = Service::start_at(address, redis.address, "right", &["shared/86400s=2/day"]);
    envoy
        .wait_until("the service's verdict", LIMIT, |it| send(it, &of("a")).status == 429)
        .unwrap();
    // A policy that names a cluster which Envoy has not.
    let nowhere = policy.replace("cluster: ratelimit", "cluster: nowhere");
    let envoy = gateway(&setup, &upstream, address, ("enforce", &nowhere), json!({}));
    assert_eq!(statuses(&envoy, &of("a"), 3), [200; 3]);
    assert_eq!(metric(&envoy, "service-failed"), 3);
}

#[test]
fn without_redis_the_table_decides_until_it_is_back() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "right", &["shared/86400s=2/day"]);
    let policy = format!("{PATIENT}\n{}", wide(""));
    let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
    assert_eq!(statuses(&envoy, &of("a"), 3), [200, 200, 429]);
    let address = redis.address;
    drop(redis);
    assert_eq!(statuses(&envoy, &of("a"), 3), [200; 3]);
    assert_eq!(metric(&envoy, "service-failed"), 3);
    let _redis = Redis::start_at(address).unwrap();
    envoy
        .wait_until("the service's verdict", LIMIT, |it| send(it, &of("b")).status == 429)
        .unwrap();
}

#[test]
fn a_service_that_says_no_and_nothing_more_is_believed() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "bare", &["shared/86400s=1/day"]);
    let policy = format!("{PATIENT}\n{}", wide(""));
    let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
    assert_eq!(statuses(&envoy, &of("a"), 1), [200]);
    let refused = send(&envoy, &of("a"));
    // A thousand a day: one in 86.4 seconds.
    assert_eq!((refused.status, refused.header("retry-after").as_deref()), (429, Some("87")));
    assert_eq!(refused.header("ratelimit-policy").unwrap(), r#""shared";q=1000;w=86400"#);
}

#[test]
fn monitor_asks_and_reports_and_never_waits() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::answering(|_| {
        std::thread::sleep(Duration::from_millis(400));
        None
    })
    .unwrap();
    let service = Service::start(redis.address, "right", &["shared/86400s=1/day"]);
    let policy = format!("{PATIENT}\n{}", wide(""));
    let envoy = gateway(&setup, &upstream, service.address, ("monitor", &policy), json!({}));
    assert_eq!(statuses(&envoy, &of("a"), 3), [200; 3]);
    assert_eq!(finding(&envoy, "limit-exceeded")["verdict"], "monitor");
    assert_eq!((metric(&envoy, "service-asked"), metric(&envoy, "service-refused")), (3, 2));
    // Where headers cannot be held, enforcement only reports.
    let unheld = json!({ "hold_headers": false });
    let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), unheld);
    assert_eq!(statuses(&envoy, &of("a"), 2), [200; 2]);
    assert_eq!(metric(&envoy, "service-refused"), 2);
    // A service that hangs holds up nothing.
    let prompt = Upstream::start().unwrap();
    let hanging = Service::start(redis.address, "hang", &[]);
    let envoy = gateway(&setup, &prompt, hanging.address, ("monitor", &policy), json!({}));
    let started = Instant::now();
    assert_eq!(statuses(&envoy, &of("a"), 1), [200]);
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[test]
fn a_tag_waits_for_the_service_and_reaches_the_upstream() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "right", &["shared/86400s=1/day"]);
    let policy = format!("{PATIENT}\n{}", wide(", mode: tag"));
    let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
    let body = Request::post_json("/pay", GOOD).header("x-key", "a");
    assert_eq!([send(&envoy, &of("a")).status, send(&envoy, &body).status], [200, 200]);
    let tags: Vec<_> = upstream.take().iter().map(|it| it.header("x-portcullis-limit")).collect();
    assert_eq!(tags, [None, Some("shared".to_owned())]);
}

#[test]
fn clients_that_go_away_while_they_wait_leave_nothing_behind() {
    let (Some(setup), Some(redis)) = (Setup::new(), Redis::start()) else { return };
    let upstream = Upstream::start().unwrap();
    let service = Service::start(redis.address, "late=300", &["shared/86400s=100/day"]);
    let policy = format!("{PATIENT}\n{}", wide(""));
    let envoy = gateway(&setup, &upstream, service.address, ("enforce", &policy), json!({}));
    for _ in 0..5 {
        let mut gone = Connection::open(envoy.address()).unwrap();
        gone.send(&of("a")).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let ended = |it: &Envoy| it.stat("wasmcustom.portcullis.verdict.undecided").unwrap() == 5;
    envoy.wait_until("the resets", LIMIT, ended).unwrap();
    assert_eq!(upstream.take().len(), 0);
    // The questions are the plugin's, not the requests': each has its answer and ends by it, so that neither Envoy nor the
    // filter's SDK has to remember one that nobody waits for.
    let asked = |name: &str| envoy.stat(&["cluster.ratelimit.", name].concat()).unwrap_or(0);
    envoy.wait_until("the answers", LIMIT, |_| asked("upstream_rq_completed") == 5).unwrap();
    assert_eq!((asked("upstream_rq_tx_reset"), asked("upstream_rq_active")), (0, 0));
    assert_eq!(statuses(&envoy, &of("a"), 1), [200]);
}
