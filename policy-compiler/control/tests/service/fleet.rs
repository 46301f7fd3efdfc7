//! What is told of a fleet, however large.

use super::{Running, SEED, bundle};
use portcullis_control::store::GatewayRow;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A fleet that strangers made up, each as large as may be.
fn made_up(it: &Running, count: usize) {
    let pairs = |of: std::ops::Range<usize>, pair: &dyn Fn(usize) -> String| {
        of.map(pair).collect::<Vec<_>>().join(",")
    };
    for number in 0..count {
        let mut row = it.service.row("bank", &format!("{number:05}{}", "\"".repeat(123)), "http");
        row.labels = pairs(0..16, &|label| format!("{label:063}={}", "\"".repeat(63)));
        row.workers = pairs(0..64, &|worker| format!("{worker}={}", i64::MIN + number as i64));
        row.refused_epoch = Some([7, 6][number % 2]);
        (row.refused_reason, row.version) = ("\"".repeat(300), "\"".repeat(64));
        it.service.gateways.report(row);
    }
}

#[tokio::test]
async fn a_fleet_that_strangers_made_up_is_told_in_pages() {
    let it = Running::new("pages");
    it.service.refresh().await.unwrap();
    it.publish("stable", &bundle(7, "seven", &SEED)).await;
    made_up(&it, 2200);
    let path = "/v1/policies/bank/status";
    let report = [("portcullis-gateway", "real"), ("portcullis-workers", "0=7")];
    it.get("/v1/policies/bank/bundle", &report).await;
    let (mut seen, mut after, mut left) = (Vec::new(), String::new(), 2201);
    while left > 0 {
        let bearer = format!("Bearer {}", it.reader);
        let page = it.get(&format!("{path}?{after}"), &[("authorization", &bearer)]).await;
        // The client reads 16 MiB.
        assert!(page.body.len() < 10 << 20, "{}", page.body.len());
        let page = page.json();
        // Each tells how all stand.
        assert_eq!(
            page["summary"],
            json!({ "gateways": 2201, "current": 1, "behind": 1100, "refusing": 1100, "silent": 0 })
        );
        let gateways = page["gateways"].as_array().unwrap();
        seen.extend(gateways.iter().map(|it| it["gateway"].as_str().unwrap().to_owned()));
        left -= gateways.len();
        assert_eq!(page["left"], left);
        assert_eq!(page["next"].is_null(), left == 0);
        let next = page["next"].as_str().unwrap_or_default();
        after = format!("after={}", next.replace('"', "%22"));
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]) && seen.len() == 2201);
    // Among them all, who is asked after.
    let found = it.read(&format!("{path}?state=current&limit=5")).await;
    assert_eq!((&found["gateways"][0]["gateway"], &found["left"]), (&json!("real"), &json!(0)));
    let found = it.read(&format!("{path}?state=refusing,silent&limit=5")).await;
    assert_eq!((found["gateways"].as_array().unwrap().len(), &found["left"]), (5, &json!(1095)));
    let bearer = format!("Bearer {}", it.reader);
    for wrong in ["state=gone", "state=", "limit=x", "limit=-1"] {
        let answer = it.get(&format!("{path}?{wrong}"), &[("authorization", &bearer)]).await;
        answer.problem(422, "request");
        if wrong.starts_with("state") {
            let told = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(told.ends_with("is none of current, behind, refusing, silent"), "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_fleet_is_looked_at_after_the_other() {
    let it = Running::new("looks");
    let looking = Arc::new(AtomicUsize::new(0));
    let looks: Vec<_> = (0..8)
        .map(|_| {
            let (service, looking) = (Arc::clone(&it.service), Arc::clone(&looking));
            tokio::spawn(async move {
                let look = move |_: &str, _: &[Arc<GatewayRow>], _| {
                    let before = looking.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(10));
                    looking.fetch_sub(1, Ordering::SeqCst);
                    before
                };
                service.look("bank", look).await
            })
        })
        .collect();
    for look in looks {
        assert_eq!(look.await.unwrap(), Some(0));
    }
}
