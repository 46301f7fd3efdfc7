//! Limits on callers through an Envoy with two workers: who they count, what a refused client is told, and what stays
//! counted across updates and faults.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer, SigningKey};
use portcullis_integration::http1::{Connection, Request, Response};
use portcullis_integration::{Bootstrap, Envoy, Filter, FilterDiscovery, Upstream};
use serde_json::{Value, json};
use support::certificates::Authority;
use support::{BAD, GOOD, Setup, chunked, finding, trapping};

const LIMIT: Duration = Duration::from_secs(10);
const KEY: &str = "callers: { key: { by: [header.x-key] } }\n";

fn of(key: &str) -> Request {
    Request::get("/ping").header("x-key", key)
}

fn send(envoy: &Envoy, request: &Request) -> Response {
    request.send(envoy.address()).unwrap()
}

fn statuses(envoy: &Envoy, request: &Request, times: usize) -> Vec<u16> {
    (0..times).map(|_| send(envoy, request).status).collect()
}

/// A filter under a policy with these limits.
fn limited(setup: &Setup, epoch: u64, limits: &str) -> Filter {
    setup.filter(
        &setup.compile("enforce", epoch, limits),
        json!({ "log_findings_per_second": 100_000 }),
    )
}

fn start(setup: &Setup, upstream: &Upstream, limits: &str) -> Envoy {
    setup.start_with(upstream, &limited(setup, 1, limits), |it| it.workers(2))
}

fn metric(envoy: &Envoy, name: &str) -> u64 {
    envoy.stat(&format!("wasmcustom.portcullis.limit.{name}")).unwrap()
}

#[test]
fn a_refused_client_is_told_when_to_come_again() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let limits = format!(
        "{KEY}rate_limits:\n  k: {{ caller: key, rates: [ {{ requests: 2, per: hour }}, {{ requests: 9, per: day }} ] }}\n\
         answers: {{ details: finding }}"
    );
    let envoy = start(&setup, &upstream, &limits);
    assert_eq!(statuses(&envoy, &of("secret-of-mine"), 2), [200, 200]);
    let refused = send(&envoy, &of("secret-of-mine"));
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1795..=1800).contains(&wait), "{wait}");
    assert_eq!(
        refused.header("ratelimit-policy").unwrap(),
        r#""k/3600s";q=2;w=3600, "k/86400s";q=9;w=86400"#
    );
    assert_eq!(refused.header("ratelimit").unwrap(), format!(r#""k/3600s";r=0;t={wait}"#));
    assert_eq!(refused.json()["type"], "urn:portcullis:finding:limit-exceeded");
    let line = finding(&envoy, "limit-exceeded");
    assert_eq!((&line["limit"]["name"], &line["limit"]["caller"]), (&json!("k"), &json!("key")));
    assert!(!envoy.log().contains("secret-of-mine"));
    assert_eq!(send(&envoy, &of("another")).status, 200);
}

#[test]
fn a_tag_reaches_the_upstream_and_what_a_client_writes_there_does_not() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let limits = format!(
        "{KEY}rate_limits:\n  t: {{ caller: key, rates: [ {{ requests: 1, per: day }} ], mode: tag }}\n  \
         m: {{ caller: key, rates: [ {{ requests: 1, per: day }} ], mode: monitor }}"
    );
    let envoy = start(&setup, &upstream, &limits);
    let forged = of("a").header("x-portcullis-limit", "forged");
    assert_eq!(statuses(&envoy, &forged, 2), [200, 200]);
    let body = Request::post_json("/pay", GOOD).header("x-key", "a");
    assert_eq!(send(&envoy, &body).status, 200);
    let tags: Vec<_> = upstream.take().iter().map(|it| it.header("x-portcullis-limit")).collect();
    assert_eq!(tags, [None, Some("t".to_owned()), Some("t".to_owned())]);
}

#[test]
fn workers_count_together_to_the_unit() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let limits = format!(
        "{KEY}rate_limits:\n  k: {{ caller: key, rates: [ {{ requests: 200, per: week }}, {{ requests: 200, per: day }} ] }}\n  \
         all: {{ caller: key, quotas: [ {{ requests: 200, per: month }} ], scope: operation }}"
    );
    let envoy = start(&setup, &upstream, &limits);
    let address = envoy.address();
    let admitted: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(move || {
                    let mut connection = Connection::open(address).unwrap();
                    (0..100)
                        .filter(|_| connection.exchange(&of("x")).unwrap().status == 200)
                        .count()
                })
            })
            .collect();
        clients.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert_eq!(admitted, 200);
    let workers = envoy.stats("portcullis.epoch.portcullis.worker.").unwrap();
    assert_eq!(workers.len(), 2, "{workers:?}");
    assert_eq!(metric(&envoy, "uncounted"), 0);
}

#[test]
fn requests_at_once_are_counted_until_they_end() {
    let Some(setup) = Setup::new() else { return };
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let upstream = Upstream::answering(move |_| {
        let started = Instant::now();
        while !gate.load(Ordering::Relaxed) && started.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    })
    .unwrap();
    let limits = format!(
        "{KEY}rate_limits:\n  c: {{ caller: key, concurrent: {{ requests: 2, lease: 60s }} }}"
    );
    let envoy = start(&setup, &upstream, &limits);
    let mut held: Vec<_> = (0..2).map(|_| Connection::open(envoy.address()).unwrap()).collect();
    held.iter_mut().for_each(|connection| connection.send(&of("a")).unwrap());
    envoy
        .wait_until("both upstream", LIMIT, |it| {
            it.stat("cluster.upstream.upstream_rq_active").unwrap() == 2
        })
        .unwrap();
    let refused = send(&envoy, &of("a"));
    assert_eq!((refused.status, refused.header("retry-after").as_deref()), (429, Some("1")));
    assert_eq!(refused.header("ratelimit-policy").unwrap(), r#""c";q=2;qu="concurrent-requests""#);
    // One client goes away, the other gets its answer.
    drop(held.pop());
    let freed = |it: &Envoy| it.stat("cluster.upstream.upstream_rq_active").unwrap() == 1;
    envoy.wait_until("the reset", LIMIT, freed).unwrap();
    open.store(true, Ordering::Relaxed);
    assert_eq!(held[0].receive(b"GET").unwrap().status, 200);
    assert_eq!(statuses(&envoy, &of("a"), 5), [200; 5]);
}

#[test]
fn a_client_that_does_not_wait_for_its_answer_has_failed() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::answering(|received| {
        if received.header("x-slow").is_some() {
            std::thread::sleep(Duration::from_secs(2));
        }
        None
    })
    .unwrap();
    let limits = format!(
        "{KEY}rate_limits:\n  f: {{ caller: key, rates: [ {{ requests: 2, per: day }} ], count: failures }}"
    );
    let envoy = start(&setup, &upstream, &limits);
    for _ in 0..2 {
        let mut gone = Connection::open(envoy.address()).unwrap();
        gone.send(&of("a").header("x-slow", "1")).unwrap();
        let started = |it: &Envoy| it.stat("cluster.upstream.upstream_rq_active").unwrap() == 1;
        envoy.wait_until("the request upstream", LIMIT, started).unwrap();
        drop(gone);
        let ended = |it: &Envoy| it.stat("cluster.upstream.upstream_rq_active").unwrap() == 0;
        envoy.wait_until("the end", LIMIT, ended).unwrap();
    }
    assert_eq!(send(&envoy, &of("a")).status, 429);
    assert_eq!(send(&envoy, &of("b")).status, 200);
}

#[test]
fn updates_change_limits_and_forget_no_counts() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let policy = |requests: u32, size: &str| {
        format!(
            "{KEY}rate_limits:\n  k: {{ caller: key, rates: [ {{ requests: {requests}, per: day }} ] }}\n\
             limit_table: {{ size: {size} }}"
        )
    };
    let mut discovery = FilterDiscovery::new(&limited(&setup, 1, &policy(3, "1MiB"))).unwrap();
    let base = Bootstrap::to(upstream.address()).guard();
    let bootstrap = base.filter_from(discovery.dir(), None).workers(2);
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    assert_eq!(statuses(&envoy, &of("a"), 4), [200, 200, 200, 429]);
    let mut publish = |epoch: u64, text: &str| {
        discovery.publish(&limited(&setup, epoch, text)).unwrap();
        let serves = |it: &Envoy| {
            statuses(it, &of("other"), 4);
            let gauges = it.stats("portcullis.epoch.portcullis.worker.").unwrap();
            gauges.len() == 2 && gauges.iter().all(|(_, serving)| *serving == epoch)
        };
        envoy.wait_until("the new bundle everywhere", LIMIT, serves).unwrap();
    };
    // Two more: of five, three are counted. Then less than was counted already.
    publish(2, &policy(5, "1MiB"));
    assert_eq!(statuses(&envoy, &of("a"), 3), [200, 200, 429]);
    publish(3, &policy(4, "1MiB"));
    assert_eq!(statuses(&envoy, &of("a"), 1), [429]);
    assert_eq!(metric(&envoy, "table-kept"), 0);
    // Another size: the table stays as it is, and says so.
    publish(4, &policy(6, "2MiB"));
    assert_eq!(statuses(&envoy, &of("a"), 3), [200, 429, 429]);
    assert!(metric(&envoy, "table-kept") > 0);
}

#[test]
fn counts_outlive_a_vm() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let limits = format!(
        "{KEY}rate_limits:\n  k: {{ caller: key, rates: [ {{ requests: 2, per: day }} ] }}"
    );
    let mut filter = limited(&setup, 1, &limits);
    filter.module = trapping(&setup, "proxy_on_request_trailers").display().to_string();
    let envoy = setup.start(&upstream, &filter);
    assert_eq!(statuses(&envoy, &of("a"), 3), [200, 200, 429]);
    let dead = chunked(GOOD, &[("x-sum", "7")]).send(envoy.address()).unwrap();
    assert_eq!(dead.status, 503, "the request that met the fault");
    let serves = |it: &Envoy| send(it, &of("b")).status != 503;
    envoy.wait_until("a new VM", LIMIT, serves).unwrap();
    assert_eq!(statuses(&envoy, &of("a"), 3), [429; 3]);
}

/// `jwt_authn` with one key of its own, whose payload goes to the metadata `bank`.
fn jwt_authn(key: &SigningKey) -> Value {
    let x = BASE64URL_NOPAD.encode(key.verifying_key().as_bytes());
    let keys =
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": x }] });
    json!({
        "name": "jwt",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {
                "bank": { "issuer": "bank", "local_jwks": { "inline_string": keys.to_string() }, "payload_in_metadata": "bank" },
            },
            "rules": [{
                "match": { "prefix": "/" },
                "requires": { "requires_any": { "requirements": [{ "provider_name": "bank" }, { "allow_missing": {} }] } },
            }],
        },
    })
}

fn bearer(key: &SigningKey, claims: Value) -> Request {
    let mut claims = claims;
    claims["iss"] = json!("bank");
    let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = [part(json!({ "alg": "EdDSA", "kid": "k" })), part(claims)].join(".");
    let signature = BASE64URL_NOPAD.encode(&key.sign(signed.as_bytes()).to_bytes());
    Request::get("/ping").header("authorization", format!("Bearer {signed}.{signature}"))
}

#[test]
fn claims_that_were_verified_name_callers() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let (key, foreign) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let limits = "callers: { user: { by: [claim.bank./act/sub, claim.bank./tenant, claim.bank./sub] } }\n\
                  rate_limits:\n  u: { caller: user, rates: [ { requests: 2, per: day } ] }";
    let filter = limited(&setup, 1, limits);
    let envoy =
        setup.start_with(&upstream, &filter, |it| it.http_filter(jwt_authn(&key)).workers(2));
    let alice = bearer(&key, json!({ "sub": "alice" }));
    assert_eq!(statuses(&envoy, &alice, 3), [200, 200, 429]);
    // Another token of the same subject; then another subject.
    assert_eq!(send(&envoy, &bearer(&key, json!({ "sub": "alice", "jti": "2" }))).status, 429);
    assert_eq!(send(&envoy, &bearer(&key, json!({ "sub": "bob" }))).status, 200);
    // A claim within a claim goes first.
    let acting = bearer(&key, json!({ "sub": "alice", "act": { "sub": "carol" } }));
    assert_eq!(statuses(&envoy, &acting, 3), [200, 200, 429]);
    // A token that nobody has signed is refused in front of the filter, and counts for nobody.
    assert_eq!(send(&envoy, &bearer(&foreign, json!({ "sub": "bob" }))).status, 401);
    assert_eq!(statuses(&envoy, &bearer(&key, json!({ "sub": "bob" })), 2), [200, 429]);
    // Whatever the claim's type, its bytes name somebody, or nobody: never a fault, and never an open door.
    for odd in [json!(7), json!(true), json!(["a", "b"]), json!({ "a": 1 })] {
        let request = bearer(&key, json!({ "tenant": odd }));
        let seen = statuses(&envoy, &request, 3);
        assert_eq!(seen.last(), Some(&429), "{odd}: {seen:?}");
    }
    // Without a token all are one caller's.
    let unnamed = metric(&envoy, "unnamed");
    assert_eq!(statuses(&envoy, &Request::get("/ping"), 3).last(), Some(&429));
    assert!(metric(&envoy, "unnamed") >= unnamed + 3);
}

/// An Envoy that asks for certificates, and clients' Envoys in front of it that present theirs.
#[test]
fn certificates_name_callers() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let limits = "callers:\n  uri: { by: [certificate.uri_san], missing: refuse }\n  \
                  digest: { by: [certificate.digest], missing: skip }\n\
                  rate_limits:\n  u: { caller: uri, rates: [ { requests: 2, per: day } ] }\n  \
                  d: { caller: digest, rates: [ { requests: 1, per: day } ], operations: [ 'POST /pay' ] }";
    let filter = limited(&setup, 1, limits);
    let authority = Authority::new();
    let gateway = setup.start_with(&upstream, &filter, |it| {
        it.workers(2).with(|config| {
            let mut tls = authority.tls("Downstream", "gateway");
            tls["typed_config"]["require_client_certificate"] = json!(true);
            config["static_resources"]["listeners"][0]["filter_chains"][0]["transport_socket"] =
                tls;
        })
    });
    let client = |name: &str| {
        let bootstrap = Bootstrap::to(gateway.address()).with(|config| {
            config["static_resources"]["clusters"][0]["transport_socket"] =
                authority.tls("Upstream", name);
        });
        Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap()
    };
    let (alice, bob) = (client("alice"), client("bob"));
    let pay = Request::post_json("/pay", GOOD);
    assert_eq!(statuses(&alice, &pay, 2), [200, 429]);
    assert_eq!(statuses(&alice, &Request::get("/ping"), 2), [200, 429]);
    assert_eq!(statuses(&bob, &pay, 2), [200, 429]);
    assert_eq!(statuses(&bob, &Request::get("/ping"), 2), [200, 429]);
    // Without a certificate there is no connection; without TLS nothing names the caller.
    let plain = start(&setup, &upstream, limits);
    assert_eq!(statuses(&plain, &Request::get("/ping"), 1), [403]);
    assert_eq!(finding(&plain, "caller-unnamed")["limit"]["name"], "u");
}

#[test]
fn addresses_come_from_whom_the_policy_trusts_or_it_is_told() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let policy = |hops: &str| {
        format!(
            "callers: {{ client: {{ by: [address] }} }}\n{hops}\
             rate_limits:\n  c: {{ caller: client, rates: [ {{ requests: 2, per: day }} ] }}"
        )
    };
    let from = |forwarded: &str| Request::get("/ping").header("x-forwarded-for", forwarded);
    // At the edge: what clients write in `x-forwarded-for` changes nothing.
    let envoy = start(&setup, &upstream, &policy(""));
    let seen: Vec<u16> =
        (1..=3).map(|n| send(&envoy, &from(&format!("203.0.113.{n}"))).status).collect();
    assert_eq!((seen, metric(&envoy, "address-untrusted")), (vec![200, 200, 429], 0));
    // Behind one proxy that names the client.
    let hops = "limit_table: { trusted_hops: 1 }\n";
    let filter = limited(&setup, 2, &policy(hops));
    let envoy = setup.start_with(&upstream, &filter, |it| {
        it.workers(2).with_manager(|manager| manager["xff_num_trusted_hops"] = json!(1))
    });
    assert_eq!(statuses(&envoy, &from("198.51.100.7, 203.0.113.1"), 3), [200, 200, 429]);
    assert_eq!(send(&envoy, &from("203.0.113.1, 203.0.113.2")).status, 200);
    assert_eq!(metric(&envoy, "address-untrusted"), 0);
    // Networks, of both kinds of address.
    let networks = policy(hops).replace("address", "address/24/64");
    let filter = limited(&setup, 4, &networks);
    let envoy = setup.start_with(&upstream, &filter, |it| {
        it.workers(2).with_manager(|manager| manager["xff_num_trusted_hops"] = json!(1))
    });
    for (addresses, expected) in [
        (["192.0.2.1", "192.0.2.77", "192.0.2.254", "192.0.3.1"], [200, 200, 429, 200]),
        (
            ["2001:db8::1", "2001:db8::ffff:2", "2001:db8::3", "2001:db8:0:1::1"],
            [200, 200, 429, 200],
        ),
    ] {
        let seen = addresses.map(|it| send(&envoy, &from(it)).status);
        assert_eq!(seen, expected, "{addresses:?}");
    }
    assert_eq!(metric(&envoy, "address-untrusted"), 0);
    // An Envoy that believes what clients write: counted by it, and told of.
    let filter = limited(&setup, 3, &policy(""));
    let envoy = setup.start_with(&upstream, &filter, |it| {
        it.workers(2).with_manager(|manager| manager["use_remote_address"] = json!(false))
    });
    assert_eq!(statuses(&envoy, &Request::get("/ping"), 1), [200]);
    assert!(metric(&envoy, "address-untrusted") > 0);
}

#[test]
fn what_the_filter_refuses_for_other_reasons_counts_too() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let limits = format!(
        "{KEY}rate_limits:\n  k: {{ caller: key, rates: [ {{ requests: 2, per: day }} ] }}"
    );
    let envoy = start(&setup, &upstream, &limits);
    let bad = Request::post_json("/pay", BAD).header("x-key", "a");
    assert_eq!(statuses(&envoy, &bad, 3), [400, 400, 429]);
    assert_eq!(upstream.take().len(), 0);
}

#[test]
fn break_glass_suspends_limits_and_says_so() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let limits = format!(
        "{KEY}rate_limits:\n  k: {{ caller: key, rates: [ {{ requests: 1, per: day }} ], mode: enforce }}\n  \
         t: {{ caller: key, rates: [ {{ requests: 1, per: day }} ], mode: tag }}"
    );
    let bundle = setup.compile("enforce", 1, &limits);
    let filter = setup.filter(&bundle, json!({ "force_monitor_until": "2099-01-01T00:00:00Z" }));
    let envoy = setup.start_with(&upstream, &filter, |it| it.workers(2));
    assert_eq!(statuses(&envoy, &of("a"), 3), [200; 3]);
    assert_eq!(finding(&envoy, "limit-exceeded")["verdict"], "monitor");
    assert_eq!(finding(&envoy, "break-glass")["code"], "break-glass");
    assert!(upstream.take().iter().all(|it| it.header("x-portcullis-limit").is_none()));
}
