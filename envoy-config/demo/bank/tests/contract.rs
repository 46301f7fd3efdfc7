//! The bank answers every operation of its documents, and its answers conform to them.

use std::collections::BTreeSet;
use std::path::Path;

use demo_bank::{Request, respond};
use jsonschema::{Draft, Registry, Resource};
use serde_json::{Value, json};

const BASE: &str = "file:///";
const CARD: &str = "/open-banking/v3/cards/7b0c9d5e-3a4f-4a57-8a2a-3f8f1d2b6c01";
const PAYMENT: &str = "/payments/v1/domestic-payments/b5a0c3a4-9d51-4d38-9d3e-3f2f6f0d7a01";

/// Operation id, target, and the pointer of a sample body in the operation's document.
fn samples() -> Vec<(&'static str, String, Option<&'static str>)> {
    let account = |rest: &str| format!("/open-banking/v3/accounts/22289001{rest}");
    let payments = |rest: &str| format!("/payments/v1{rest}");
    let consent = "/domestic-payment-consents/0f4be3c1-5a0b-4d0c-9a51-2a9f4b8f7c10";
    let consent_body = "/components/schemas/ConsentRequest/examples/0";
    let international_body = "/components/schemas/InternationalPaymentRequest/examples/0";
    vec![
        ("createSession", "/open-banking/v3/login".into(), None),
        ("listAccounts", "/open-banking/v3/accounts?type=Current".into(), None),
        ("getAccount", account(""), None),
        ("updateAccount", account(""), Some(EXAMPLE)),
        ("getBalances", account("/balances"), None),
        ("listTransactions", account("/transactions"), None),
        ("getTransaction", account("/transactions/3"), None),
        ("listBeneficiaries", account("/beneficiaries"), None),
        ("createBeneficiary", account("/beneficiaries"), Some(EXAMPLE)),
        ("deleteBeneficiary", account("/beneficiaries/0c5d6a52-70f4-4c1c-8f7e-3f0d4b1f9a10"), None),
        ("listStatements", account("/statements?from=2026-01-01"), None),
        ("getStatement", account("/statements/2026-10"), None),
        ("listCards", "/open-banking/v3/cards".into(), None),
        ("getCardSummary", "/open-banking/v3/cards/summary".into(), None),
        ("getCard", CARD.into(), None),
        ("freezeCard", format!("{CARD}:freeze"), None),
        ("setCardLimits", format!("{CARD}/limits"), Some(EXAMPLE)),
        ("getExchangeRates", "/open-banking/v3/exchange-rates/EUR,JPY".into(), None),
        ("createConsent", payments("/domestic-payment-consents"), Some(consent_body)),
        ("getConsent", payments(consent), None),
        ("revokeConsent", payments(consent), None),
        ("confirmFunds", payments(&format!("{consent}/funds-confirmations")), None),
        ("listDomesticPayments", payments("/domestic-payments"), None),
        ("createDomesticPayment", payments("/domestic-payments"), Some(EXAMPLE)),
        ("getDomesticPayment", PAYMENT.into(), None),
        ("createRefund", format!("{PAYMENT}/refunds"), Some(EXAMPLE)),
        (
            "createInternationalPayment",
            payments("/international-payments"),
            Some(international_body),
        ),
        (
            "getInternationalPayment",
            payments("/international-payments/0f4be3c1-5a0b-4d0c-9a51-2a9f4b8f7c10"),
            None,
        ),
        ("createStandingOrder", payments("/domestic-standing-orders"), Some(EXAMPLE)),
    ]
}

/// The sample is the example of the operation's own request body.
const EXAMPLE: &str = "example";

#[test]
fn every_operation_is_answered_as_declared() {
    let documents: Vec<(&str, Value)> =
        ["accounts.yaml", "payments.yaml", "common.yaml"].map(|name| (name, load(name))).into();
    let resources = documents.iter().map(|(name, document)| {
        (format!("{BASE}{name}"), Resource::from_contents(document.clone()))
    });
    let registry = Registry::new()
        .draft(Draft::Draft202012)
        .extend(resources)
        .and_then(|builder| builder.prepare())
        .expect("documents whose references resolve");

    let samples = samples();
    let mut answered = BTreeSet::new();
    for (name, document) in &documents {
        for (path, method, operation) in operations(document) {
            let id = operation["operationId"].as_str().expect("an operation id");
            let sample = samples.iter().find(|sample| sample.0 == id);
            let (_, target, body) = sample.unwrap_or_else(|| panic!("no sample of `{id}`"));
            let body = match body {
                Some(EXAMPLE) => {
                    operation["requestBody"]["content"]["application/json"]["example"].clone()
                }
                Some(pointer) => document.pointer(pointer).expect("an example").clone(),
                None => Value::Null,
            };
            let body = body.to_string();
            let method_name = method.to_uppercase();
            let request = Request {
                method: &method_name,
                target,
                idempotency_key: "sample-1",
                body: body.as_bytes(),
            };
            let answer = respond(&request);
            let status = answer.status.to_string();
            let response = &operation["responses"][&status];
            assert!(response.is_object(), "{id}: {status} is not declared");
            assert_eq!(answer.body.is_some(), response["content"].is_object(), "{id}");
            if let Some(body) = answer.body {
                let pointer = format!(
                    "{BASE}{name}#/paths/{}/{method}/responses/{status}/content/application~1json/schema",
                    path.replace('~', "~0")
                        .replace('/', "~1")
                        .replace('{', "%7B")
                        .replace('}', "%7D"),
                );
                let validator = jsonschema::options()
                    .with_draft(Draft::Draft202012)
                    .with_registry(&registry)
                    .should_validate_formats(true)
                    .build(&json!({ "$ref": pointer }))
                    .unwrap_or_else(|error| panic!("{id}: {error}"));
                let errors: Vec<String> = validator
                    .iter_errors(&body)
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert!(errors.is_empty(), "{id}: {errors:?} in {body}");
            }
            answered.insert(id.to_owned());
        }
    }
    assert_eq!(answered.len(), samples.len(), "samples of operations that no document declares");
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
    document["paths"].as_object().into_iter().flatten().flat_map(|(path, item)| {
        METHODS
            .into_iter()
            .filter_map(move |method| Some((path.as_str(), method, item.get(method)?)))
    })
}

fn load(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut document =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    as_2020_12(&mut document);
    document
}

/// Rewrites what OpenAPI 3.0 says in its own way: `nullable` and boolean exclusive bounds.
fn as_2020_12(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(as_2020_12),
        Value::Object(object) => {
            object.values_mut().for_each(as_2020_12);
            if object.get("nullable") == Some(&json!(true))
                && let Some(kind) = object.get("type").cloned()
            {
                object.insert("type".into(), json!([kind, "null"]));
            }
            for (exclusive, bound) in
                [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")]
            {
                if object.get(exclusive) == Some(&json!(true))
                    && let Some(limit) = object.remove(bound)
                {
                    object.insert(exclusive.into(), limit);
                }
            }
        }
        _ => {}
    }
}
