//! Consents, payments and standing orders: the operations of `payments.yaml`.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::route::Request;

/// Answers a request whose path, behind the base path, is `segments`.
pub(crate) fn respond(method: &str, segments: &[&str], request: &Request<'_>) -> Option<Answer> {
    Some(match (method, segments) {
        ("POST", ["domestic-payment-consents"]) => {
            Answer::created(consent(&request.new_id(), "AwaitingAuthorisation"))
        }
        ("GET", ["domestic-payment-consents", id]) => Answer::ok(consent(id, "Authorised")),
        ("DELETE", ["domestic-payment-consents", _]) => Answer::gone(),
        ("POST", ["domestic-payment-consents", _, "funds-confirmations"]) => confirm_funds(request),
        ("GET", ["domestic-payments"]) => {
            let id = "b5a0c3a4-9d51-4d38-9d3e-3f2f6f0d7a01";
            Answer::ok(
                json!({ "Payments": [payment(id, default_amount(), "AcceptedSettlementCompleted")] }),
            )
        }
        ("POST", ["domestic-payments"]) => {
            let instructed = request.json()["Data"]["Initiation"]["InstructedAmount"].take();
            Answer::created(payment(&request.new_id(), instructed, "AcceptedSettlementInProcess"))
        }
        ("POST", ["international-payments"]) => {
            let instructed = request.json()["InstructedAmount"].take();
            let mut payment = payment(&request.new_id(), instructed, "Pending");
            payment["Charges"] =
                json!([{ "Type": "Transfer", "Amount": { "Amount": "7.50", "Currency": "EUR" } }]);
            Answer::created(payment)
        }
        ("GET", ["domestic-payments" | "international-payments", id]) => {
            Answer::ok(payment(id, default_amount(), "AcceptedSettlementCompleted"))
        }
        ("POST", ["domestic-payments", _, "refunds"]) => Answer::created(json!({
            "RefundId": request.new_id(),
            "Amount": or_default(request.json()["Amount"].take()),
            "Status": "Pending",
        })),
        ("POST", ["domestic-standing-orders"]) => {
            Answer::created(json!({ "StandingOrderId": request.new_id(), "Status": "Active" }))
        }
        _ => return None,
    })
}

fn consent(id: &str, status: &str) -> Value {
    json!({ "ConsentId": id, "Status": status, "CreatedAt": "2026-11-23T09:00:00Z" })
}

fn payment(id: &str, instructed: Value, status: &str) -> Value {
    json!({
        "PaymentId": id,
        "Status": status,
        "CreatedAt": "2026-11-23T09:00:00Z",
        "InstructedAmount": or_default(instructed),
    })
}

/// There is enough for anything below 10,000.
fn confirm_funds(request: &Request<'_>) -> Answer {
    let wanted = request.json()["Amount"]["Amount"]
        .as_str()
        .and_then(|text| text.split('.').next()?.parse().ok());
    let available = wanted.is_some_and(|euros: u64| euros < 10_000);
    Answer::ok(json!({ "FundsAvailable": available, "At": "2026-11-23T09:00:00Z" }))
}

fn or_default(amount: Value) -> Value {
    if amount.is_null() { default_amount() } else { amount }
}

fn default_amount() -> Value {
    json!({ "Amount": "165.88", "Currency": "GBP" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(method: &str, path: &str, body: &str) -> Value {
        let segments: Vec<&str> = path.split('/').collect();
        let request =
            Request { method, target: "", idempotency_key: "key-0001", body: body.as_bytes() };
        respond(method, &segments, &request).expect("an answer").body.expect("a body")
    }

    #[test]
    fn funds_are_finite() {
        let path = "domestic-payment-consents/x/funds-confirmations";
        let ask =
            |amount: &str| send("POST", path, &format!(r#"{{"Amount":{{"Amount":"{amount}"}}}}"#));
        assert_eq!(ask("9999.99")["FundsAvailable"], true);
        assert_eq!(ask("10000.00")["FundsAvailable"], false);
    }

    #[test]
    fn payment_repeats_the_amount() {
        let body =
            r#"{"Data":{"Initiation":{"InstructedAmount":{"Amount":"1.00","Currency":"EUR"}}}}"#;
        assert_eq!(send("POST", "domestic-payments", body)["InstructedAmount"]["Amount"], "1.00");
        assert_eq!(
            send("POST", "domestic-payments", "no json")["InstructedAmount"],
            default_amount()
        );
    }
}
