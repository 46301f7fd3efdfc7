//! What goes again: channels and policies that are for nobody.

use super::{Running, SEED, bundle};
use serde_json::json;

#[tokio::test]
async fn a_channel_that_was_typed_wrong_goes_again() {
    let it = Running::new("removed");
    it.service.refresh().await.unwrap();
    it.publish("stable", &bundle(7, "seven", &SEED)).await;
    it.publish("canry", &bundle(8, "eight", &SEED)).await;
    let remove = async |channel: &str| {
        it.change("DELETE", &format!("/v1/policies/bank/channels/{channel}"), b"").await
    };
    let pin = json!({ "channel": "canari", "epoch": 7 }).to_string();
    it.change("PUT", "/v1/policies/bank/pins", pin.as_bytes()).await.problem(404, "not-found");
    let reader = format!("Bearer {}", it.reader);
    let path = "/v1/policies/bank/channels/canry";
    it.ask("DELETE", path, &[("authorization", &reader)], b"").await.problem(403, "forbidden");
    remove("stable").await.problem(409, "conflict");
    remove("canary").await.problem(404, "not-found");
    let removed = remove("canry").await;
    assert_eq!(removed.head.status, 200, "{}", removed.text());
    assert_eq!(removed.json(), json!({ "policy": "bank", "channel": "canry" }));
    it.get(&format!("{path}/bundle"), &[]).await.problem(404, "not-found");
    let told = it.read("/v1/policies/bank").await;
    let channels = told["channels"].as_array().unwrap();
    assert_eq!((channels.len(), &told["highest"]), (1, &json!(8)));
    let lines = it.read("/v1/audit").await["audit"].clone();
    let line = |at: usize| (lines[at]["action"].clone(), lines[at]["status"].clone());
    assert_eq!(line(0), (json!("remove"), json!(200)));
    assert_eq!(line(1), (json!("remove"), json!(404)));
    assert_eq!(lines[0]["detail"], "channel canry");
}

#[tokio::test]
async fn a_policy_that_was_typed_wrong_goes_again() {
    let it = Running::new("removed-policy");
    it.service.refresh().await.unwrap();
    let (path, eight) = ("/v1/policies/bnak", bundle(8, "eight", &SEED));
    it.publish("stable", &bundle(7, "seven", &SEED)).await;
    let publish = async |bundle: &[u8]| it.change("POST", &format!("{path}/bundles"), bundle).await;
    assert_eq!(publish(&eight).await.head.status, 201);
    let reader = format!("Bearer {}", it.reader);
    it.ask("DELETE", path, &[("authorization", &reader)], b"").await.problem(403, "forbidden");
    it.ask("DELETE", path, &[], b"").await.problem(401, "unauthenticated");
    it.change("DELETE", "/v1/policies/bnka", b"").await.problem(404, "not-found");
    // A gateway that took it, until that is forgotten: one that is silent may be served still.
    let gateway = [("portcullis-gateway", "gw-1")];
    assert_eq!(it.get(&format!("{path}/bundle"), &gateway).await.body, eight);
    let refused = it.change("DELETE", path, b"").await;
    refused.problem(409, "conflict");
    assert!(refused.text().contains("gw-1"), "{}", refused.text());
    it.service.gateways.change("bnak", "gw-1", |row| row.last_contact -= 86_000);
    it.change("DELETE", path, b"").await.problem(409, "conflict");
    it.service.gateways.change("bnak", "gw-1", |row| row.last_contact -= 401);
    let removed = it.change("DELETE", path, b"").await;
    assert_eq!(removed.head.status, 200, "{}", removed.text());
    assert_eq!(removed.json(), json!({ "policy": "bnak" }));
    // It keeps what it has, and is told that there is nothing.
    it.get(&format!("{path}/bundle"), &gateway).await.problem(404, "not-found");
    it.change("DELETE", path, b"").await.problem(404, "not-found");
    assert_eq!(it.read("/v1/policies").await["policies"], json!(["bank"]));
    assert_eq!(it.read("/v1/policies/bank").await["highest"], 7);
    let history = it.read(&format!("{path}/history")).await["history"].clone();
    assert_eq!((&history[0]["action"], &history[0]["epoch"]), (&json!("remove-policy"), &json!(8)));
    let lines = it.read("/v1/audit").await["audit"].clone();
    let of = |at: usize| ["action", "policy", "status"].map(|name| lines[at][name].clone());
    assert_eq!(of(0), [json!("remove-policy"), json!("bnak"), json!(404)]);
    assert_eq!(of(1), [json!("remove-policy"), json!("bnak"), json!(200)]);
    assert_eq!(of(2), [json!("remove-policy"), json!("bnak"), json!(409)]);
    // No gateway that has it is led back by another of that name.
    publish(&eight).await.problem(409, "conflict");
    assert_eq!(publish(&bundle(9, "nine", &SEED)).await.head.status, 201);
}
