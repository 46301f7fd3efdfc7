//! Sessions, accounts and cards: the operations of `accounts.yaml`.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::route::Request;

const ACCOUNTS: [(&str, &str, &str, &str); 3] = [
    ("22289001", "Current", "NL91ABNA0417164300", "alice"),
    ("22289002", "Savings", "NL02ABNA0123456789", "alice"),
    ("33300117", "Current", "DE89370400440532013000", "bob"),
];
const CARDS: [(&str, &str, &str); 2] = [
    ("7b0c9d5e-3a4f-4a57-8a2a-3f8f1d2b6c01", "541333******0011", "Active"),
    ("7b0c9d5e-3a4f-4a57-8a2a-3f8f1d2b6c02", "541333******0022", "Frozen"),
];
const RATES: [(&str, f64); 6] = [
    ("CHF", 0.9312),
    ("EUR", 1.0),
    ("GBP", 0.8421),
    ("JPY", 163.25),
    ("SEK", 11.21),
    ("USD", 1.0845),
];

/// Answers a request whose path, behind the base path, is `segments`.
pub(crate) fn respond(method: &str, segments: &[&str], request: &Request<'_>) -> Option<Answer> {
    Some(match (method, segments) {
        ("POST", ["login"]) => login(),
        ("GET", ["accounts"]) => {
            let accounts: Vec<Value> =
                ACCOUNTS.iter().filter(|a| a.3 == "alice").map(account).collect();
            Answer::ok(json!({ "Accounts": accounts, "Links": links("/accounts") }))
        }
        // Whose session is it? Nobody asks: see the crate's documentation.
        ("GET", ["accounts", id]) => Answer::ok(account(find(id)?)),
        ("PATCH", ["accounts", id]) => Answer::ok(merge(account(find(id)?), request.json())),
        ("GET", ["accounts", id, "balances"]) => balances(find(id)?.0),
        ("GET", ["accounts", id, "transactions"]) => transactions(find(id)?.0),
        ("GET", ["accounts", id, "transactions", number]) => {
            Answer::ok(transaction(find(id)?.0, number.parse().ok()?))
        }
        ("GET", ["accounts", id, "beneficiaries"]) => {
            find(id)?;
            Answer::ok(json!({ "Beneficiaries": [beneficiary()] }))
        }
        ("POST", ["accounts", id, "beneficiaries"]) => {
            find(id)?;
            let new = json!({ "BeneficiaryId": request.new_id(), "Verified": false });
            Answer::created(merge(new, request.json()))
        }
        ("DELETE", ["accounts", id, "beneficiaries", _]) => {
            find(id)?;
            Answer::gone()
        }
        ("GET", ["accounts", id, "statements"]) => {
            find(id)?;
            Answer::ok(json!({ "Statements": [statement("2026-09"), statement("2026-10")] }))
        }
        ("GET", ["accounts", id, "statements", month]) => {
            find(id)?;
            Answer::ok(statement(month))
        }
        ("GET", ["cards"]) => {
            Answer::ok(json!({ "Cards": CARDS.iter().map(card).collect::<Vec<_>>() }))
        }
        ("GET", ["cards", "summary"]) => Answer::ok(json!({ "Active": 1, "Frozen": 1 })),
        ("PUT", ["cards", _, "limits"]) => Answer::ok(request.json()),
        ("POST", ["cards", action]) => {
            let mut card = card(find_card(action.strip_suffix(":freeze")?)?);
            card["Status"] = json!("Frozen");
            Answer::ok(card)
        }
        ("GET", ["cards", id]) => Answer::ok(card(find_card(id)?)),
        ("GET", ["exchange-rates", currencies]) => rates(currencies),
        _ => return None,
    })
}

fn login() -> Answer {
    Answer::created(
        json!({ "SessionId": "demo-session-alice", "ExpiresAt": "2026-12-31T23:59:59Z" }),
    )
}

fn find(id: &str) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
    ACCOUNTS.iter().find(|account| account.0 == id)
}

fn account(&(id, kind, iban, owner): &(&str, &str, &str, &str)) -> Value {
    json!({
        "AccountId": id,
        "Type": kind,
        "Currency": "EUR",
        "Iban": iban,
        "Overdraft": amount("500.00"),
        "OpenedOn": "2019-03-14",
        "Nickname": format!("{owner} {}", kind.to_lowercase()),
        "Preferences": { "PaperStatements": false },
    })
}

/// Copies every property of `patch` over `target`, without asking which may be set: mass assignment.
fn merge(mut target: Value, patch: Value) -> Value {
    if let (Value::Object(target), Value::Object(patch)) = (&mut target, patch) {
        target.extend(patch);
    }
    target
}

fn balances(id: &str) -> Answer {
    let balance = |kind, value| {
        json!({
            "Type": kind,
            "CreditDebit": "Credit",
            "Amount": amount(value),
            "DateTime": "2026-11-20T06:00:00Z",
        })
    };
    let all = [balance("ClosingBooked", "1230.00"), balance("InterimAvailable", "1187.45")];
    Answer::ok(json!({ "AccountId": id, "Balances": all }))
}

fn transactions(id: &str) -> Answer {
    let all: Vec<Value> = (1..=5).map(|number| transaction(id, number)).collect();
    Answer::ok(
        json!({ "Transactions": all, "Links": links(&format!("/accounts/{id}/transactions")) }),
    )
}

fn transaction(id: &str, number: u64) -> Value {
    let cents = number.wrapping_mul(1737) % 100_000;
    json!({
        "TransactionId": number,
        "AccountId": id,
        "Amount": amount(&format!("{}.{:02}", cents / 100, cents % 100)),
        "CreditDebit": if number.is_multiple_of(4) { "Credit" } else { "Debit" },
        "Status": "Booked",
        "BookingDateTime": format!("2026-11-{:02}T09:30:00Z", 20 - number % 20),
        "Information": "Groceries",
        "MerchantCategory": 5411,
    })
}

fn beneficiary() -> Value {
    json!({
        "BeneficiaryId": "0c5d6a52-70f4-4c1c-8f7e-3f0d4b1f9a10",
        "Name": "Zoë van der Meer",
        "Iban": "NL91ABNA0417164300",
        "Bic": "ABNANL2A",
        "Reference": null,
        "Verified": true,
    })
}

fn statement(month: &str) -> Value {
    json!({
        "Month": month,
        "Opening": amount("1000.00"),
        "Closing": amount("1230.00"),
        "Digest": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    })
}

fn find_card(id: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    CARDS.iter().find(|card| card.0 == id)
}

fn card(&(id, pan, status): &(&str, &str, &str)) -> Value {
    json!({ "CardId": id, "MaskedPan": pan, "Status": status, "Expires": "08/29" })
}

fn rates(currencies: &str) -> Answer {
    let known = |code: &str| RATES.iter().find(|rate| rate.0 == code);
    let rates: serde_json::Map<String, Value> = currencies
        .split(',')
        .filter_map(known)
        .map(|&(code, rate)| (code.to_owned(), json!(rate)))
        .collect();
    Answer::ok(json!({ "Base": "EUR", "Rates": rates }))
}

fn amount(value: &str) -> Value {
    json!({ "Amount": value, "Currency": "EUR" })
}

fn links(path: &str) -> Value {
    json!({ "Self": format!("https://api.bank.example/open-banking/v3{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(method: &str, path: &str, body: &str) -> Answer {
        let segments: Vec<&str> = path.split('/').collect();
        let request =
            Request { method, target: "", idempotency_key: "key-0001", body: body.as_bytes() };
        respond(method, &segments, &request).unwrap_or_else(|| Answer::problem(404, "nothing here"))
    }

    #[test]
    fn has_the_mass_assignment_flaw() {
        let answer = send(
            "PATCH",
            "accounts/22289001",
            r#"{"Overdraft":{"Amount":"9999999.00","Currency":"EUR"}}"#,
        );
        assert_eq!(answer.body.expect("a body")["Overdraft"]["Amount"], "9999999.00");
        let answer = send(
            "POST",
            "accounts/22289001/beneficiaries",
            r#"{"Name":"Mallory","Verified":true}"#,
        );
        assert_eq!(answer.body.expect("a body")["Verified"], true);
    }

    #[test]
    fn has_the_object_level_flaw() {
        // alice's list does not hold bob's account, and yet anyone may read it.
        let list = send("GET", "accounts", "").body.expect("a body").to_string();
        assert!(!list.contains("33300117"));
        assert_eq!(send("GET", "accounts/33300117", "").status, 200);
    }

    #[test]
    fn unknown_things_are_not_found() {
        assert_eq!(send("GET", "accounts/1", "").status, 404);
        assert_eq!(send("GET", "accounts/22289001/transactions/x", "").status, 404);
        assert_eq!(send("POST", "cards/7b0c9d5e-3a4f-4a57-8a2a-3f8f1d2b6c01:melt", "").status, 404);
    }

    #[test]
    fn transactions_differ() {
        assert_ne!(transaction("22289001", 1), transaction("22289001", 2));
        transaction("22289001", u64::MAX);
    }
}
