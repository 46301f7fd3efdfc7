//! The dashboard and the alert rules ask for metrics that a gateway shows, with the labels that it gives them.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portcullis_integration::http1::Request;
use portcullis_integration::{Bootstrap, Envoy, FilterDiscovery, Upstream, artefacts};
use serde_json::Value;
use support::{BAD, GOOD, Setup};

const LIMIT: Duration = Duration::from_secs(20);

type Labels = BTreeMap<String, String>;

fn shipped(name: &str) -> String {
    let path = artefacts::root().join("envoy-config/observability").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Every `expr` of a document.
fn expressions(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if let (true, Some(text)) = (name == "expr", member.as_str()) {
                    into.push(text.to_owned());
                }
                expressions(member, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, into)),
        _ => {}
    }
}

/// A selector of PromQL: the metric, and its matchers as (label, operator, value).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Selector {
    metric: String,
    matchers: Vec<(String, String, String)>,
}

/// The selectors of our metrics and Envoy's in an expression.
fn selectors(expression: &str) -> Vec<Selector> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for start in
        ["portcullis_", "envoy_"].iter().flat_map(|prefix| expression.match_indices(prefix))
    {
        let (before, rest) = expression.split_at(start.0);
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        let (metric, after) = rest.split_at(end);
        // Labels have such names too: they stand in parentheses after `by`.
        let of_labels = before.rfind('(').is_some_and(|at| before[..at].trim_end().ends_with("by"));
        if before.ends_with(word)
            || (of_labels && !before.ends_with("rate(") && !after.starts_with('{'))
        {
            continue;
        }
        let inner = after.strip_prefix('{').and_then(|it| it.split_once('}')).map_or("", |it| it.0);
        let matchers = inner.split(',').filter(|it| !it.is_empty()).map(|matcher| {
            let at = matcher.find(['=', '!']).unwrap();
            let value = matcher.find('"').unwrap();
            let text = matcher[value + 1..].trim_end_matches('"');
            (matcher[..at].to_owned(), matcher[at..value].to_owned(), text.to_owned())
        });
        found.push(Selector { metric: metric.to_owned(), matchers: matchers.collect() });
    }
    found
}

/// The series of a page of `/stats/prometheus`.
fn series(page: &str) -> BTreeMap<String, Vec<Labels>> {
    let mut all: BTreeMap<String, Vec<Labels>> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let end = line.find(['{', ' ']).unwrap();
        let labels = line[end..].strip_prefix('{').and_then(|it| it.rsplit_once('}'));
        let labels = labels.map_or("", |it| it.0).split("\",").filter_map(|pair| {
            let (name, value) = pair.split_once("=\"")?;
            Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
        });
        all.entry(line[..end].to_owned()).or_default().push(labels.collect());
    }
    all
}

/// What is wrong with a selector: no such metric, or none with such labels. Prometheus itself adds `job` and `instance`.
fn fault(selector: &Selector, series: &BTreeMap<String, Vec<Labels>>) -> Option<String> {
    let Some(there) = series.get(&selector.metric) else {
        return Some(format!("no metric {}", selector.metric));
    };
    let own = selector.matchers.iter().filter(|it| it.0 != "job" && it.0 != "instance");
    let holds = |labels: &Labels| {
        own.clone().all(|(name, operator, value)| {
            let Some(found) = labels.get(name) else { return false };
            match operator.as_str() {
                "=" => found == value,
                "=~" if value.ends_with(".*") => found.starts_with(value.trim_end_matches(".*")),
                // A dot stands for the dash that Istio's names have not.
                "=~" => {
                    found.len() == value.len()
                        && found.chars().zip(value.chars()).all(|(f, v)| f == v || v == '.')
                }
                _ => panic!("no rule for {operator}"),
            }
        })
    };
    (!there.iter().any(holds)).then(|| format!("no series of {selector:?}"))
}

#[test]
fn selectors_are_read() {
    let text =
        r#"sum by (envoy_code) (rate(portcullis_a{code="x",job=~"$job"}[5m])) / max(portcullis_b)"#;
    let found = selectors(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].metric, "portcullis_a");
    assert_eq!(found[0].matchers[0], ("code".to_owned(), "=".to_owned(), "x".to_owned()));
    let there = series("# TYPE portcullis_a counter\nportcullis_a{code=\"x\"} 1\n");
    assert_eq!(fault(&found[0], &there), None);
    assert!(fault(&found[1], &there).is_some());
    let other = series("portcullis_a{code=\"y\"} 1\n");
    assert!(fault(&found[0], &other).is_some());
}

#[test]
fn everything_that_is_asked_for_is_there() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let bundle = setup.compile("enforce", 3, "").display().to_string();
    let (wasm, to) = (setup.artefacts.filter.display().to_string(), upstream.address().to_string());
    let arguments = ["render", "envoy", "--bundle", &bundle, "--wasm", &wasm, "--upstream", &to];
    let more = [
        "--trusted-key",
        &setup.public_key,
        "--out",
        "gateway",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ];
    setup.portcullis(&[&arguments[..], &more].concat());
    let config = std::fs::read_to_string(setup.dir.join("gateway/envoy.yaml")).unwrap();
    // Where the filter polls it has a metric more.
    let source = "hold_headers: true\n      source: { cluster: upstream, path: /policy }";
    let polling = config.replacen("hold_headers: true", source, 1);
    let envoy = Envoy::start_text(&setup.artefacts.envoy, &polling, 1).unwrap();
    let status = |body| Request::post_json("/pay", body).send(envoy.address()).unwrap().status;
    let limit = Duration::from_secs(15);
    envoy.wait_until("the policy", limit, |_| status(GOOD) == 200).unwrap();
    assert_eq!(status(BAD), 400);
    // Histograms and gauges of workers are merged at intervals.
    let merged = |envoy: &Envoy| {
        let page = envoy.admin_page("/stats/prometheus").unwrap();
        page.contains("envoy_http_downstream_rq_time_bucket")
            && page.contains("portcullis_epoch_worker")
            && page.contains("portcullis_poll_age_seconds")
    };
    envoy.wait_until("the metrics of a request", limit, merged).unwrap();
    let series = series(&envoy.admin_page("/stats/prometheus").unwrap());

    let mut asked = Vec::new();
    expressions(&serde_json::from_str(&shipped("dashboard.json")).unwrap(), &mut asked);
    let of_dashboard = asked.len();
    expressions(&serde_saphyr::from_str(&shipped("alerts.yaml")).unwrap(), &mut asked);
    assert!(of_dashboard > 20 && asked.len() - of_dashboard >= 15, "{}", asked.len());
    let all: BTreeSet<Selector> = asked.iter().flat_map(|text| selectors(text)).collect();
    // Those of the control service stand in its page, which is held to the code.
    let page = include_str!("../../policy-compiler/CONTROL.md");
    let (of_control, of_gateway): (Vec<&Selector>, Vec<&Selector>) =
        all.iter().partition(|it| it.metric.starts_with("portcullis_control_"));
    assert!(of_control.len() > 10, "{of_control:?}");
    for it in of_control {
        assert!(page.contains(&format!("| `{}` |", it.metric)), "{it:?}");
    }
    // What Envoy has over xDS alone is looked for where the control service is tested.
    let by_file = of_gateway.iter().filter(|it| !it.metric.ends_with("_connected_state"));
    let faults: Vec<String> = by_file.filter_map(|it| fault(it, &series)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    // And every metric of the filter is on the dashboard or has a rule.
    let named: BTreeSet<&str> = all.iter().map(|it| it.metric.as_str()).collect();
    let own = series.keys().filter(|name| name.starts_with("portcullis_"));
    let unseen: Vec<&String> = own.filter(|name| !named.contains(name.as_str())).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

/// What somebody on call reads has a section for every alert, and none for others; its commands run.
#[test]
fn every_alert_is_in_the_runbook() {
    let page = shipped("RUNBOOK.md");
    let names = |text: &str, prefix: &str| -> BTreeSet<String> {
        text.lines().filter_map(|it| Some(it.trim().strip_prefix(prefix)?.to_owned())).collect()
    };
    let rules = shipped("alerts.yaml") + &shipped("control-alerts.yaml");
    assert_eq!(names(&page, "### "), names(&rules, "- alert: "));
    let reasons = include_str!("../../filter/OBSERVABILITY.md");
    let (_, reasons) = reasons.split_once("`portcullis.configuration.refused.REASON` |").unwrap();
    let reasons = reasons.lines().next().unwrap().split('`').skip(1).step_by(2);
    let (_, told) = page.split_once("## Reasons").unwrap();
    for reason in reasons {
        assert!(told.contains(&format!("`{reason}`")), "{reason}");
    }

    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 3, ""), serde_json::json!({}));
    let bootstrap = Bootstrap::to(upstream.address()).filter(&filter).workers(1);
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    let serves = |_: &Envoy| {
        Request::post_json("/pay", GOOD).send(envoy.address()).is_ok_and(|it| it.status == 200)
    };
    envoy.wait_until("the policy", LIMIT, serves).unwrap();
    std::fs::write(setup.dir.join("envoy.log"), envoy.log()).unwrap();
    let (_, block) = page.split_once("```sh runbook\n").unwrap();
    let compiler = setup.artefacts.compiler.parent().unwrap().display().to_string();
    let output = std::process::Command::new("sh")
        .args(["-e", "-c", block.split("```").next().unwrap()])
        .current_dir(&setup.dir)
        .env("PATH", format!("{compiler}:{}", std::env::var("PATH").unwrap()))
        .env("ADMIN", envoy.admin().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for told in ["portcullis.epoch.", "configuration accepted"] {
        assert!(said.contains(told), "{told}: {said}");
    }
}

/// Istio leaves out what its gateway is not told to keep.
#[test]
fn istio_keeps_what_alerts_ask_of_envoy() {
    let path = artefacts::root().join("envoy-config/istio/gateway.yaml");
    let gateway = std::fs::read_to_string(path).unwrap();
    let (_, kept) = gateway.split_once("inclusionPrefixes: [").unwrap();
    let kept: Vec<String> = kept.split(']').next().unwrap().split(", ").map(named).collect();
    let mut asked = Vec::new();
    expressions(&serde_saphyr::from_str(&shipped("alerts.yaml")).unwrap(), &mut asked);
    let asked: BTreeSet<Selector> = asked.iter().flat_map(|text| selectors(text)).collect();
    assert!(asked.len() > 15, "{asked:?}");
    for Selector { metric, .. } in asked {
        assert!(kept.iter().any(|prefix| metric.starts_with(prefix)), "{metric}: {kept:?}");
    }
}

/// How the names of Envoy's metrics with a prefix begin in Prometheus.
fn named(prefix: &str) -> String {
    match prefix.strip_prefix("wasmcustom.") {
        Some(own) => own.replace('.', "_"),
        None => format!("envoy_{}", prefix.replace('.', "_")),
    }
}

/// Envoy never takes a metric away, and rules must not tell of a policy that is gone.
#[test]
fn a_filter_that_is_taken_out_clears_its_gauges() {
    let Some(setup) = Setup::new() else { return };
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.compile("enforce", 3, ""), serde_json::json!({}));
    let mut discovery = FilterDiscovery::new(&filter).unwrap();
    let bootstrap = Bootstrap::to(upstream.address()).filter_from(discovery.dir(), None).workers(1);
    let envoy = Envoy::start(&setup.artefacts.envoy, &bootstrap).unwrap();
    let gauge = |envoy: &Envoy, plugin: &str| {
        envoy.stat(&format!("wasmcustom.portcullis.epoch.{plugin}.worker.0")).unwrap_or(0)
    };
    let serves = |envoy: &Envoy| {
        Request::get("/ping").send(envoy.address()).is_ok_and(|it| it.status == 200)
    };
    envoy.wait_until("it serves", LIMIT, serves).unwrap();
    assert_eq!(gauge(&envoy, "portcullis"), 3);
    // Another filter in its place.
    let mut other = filter.typed_config();
    for name in ["name", "root_id"] {
        other["config"][name] = "successor".into();
    }
    discovery.publish_typed(&other).unwrap();
    let replaced = |envoy: &Envoy| {
        serves(envoy) && (gauge(envoy, "portcullis"), gauge(envoy, "successor")) == (0, 3)
    };
    envoy.wait_until("the gauges of the successor alone", LIMIT, replaced).unwrap();
}
