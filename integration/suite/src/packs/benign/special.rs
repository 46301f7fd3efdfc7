//! Requests of a kind of their own: tokens, redirects, reports of browsers, XML, logs.

use super::super::message::{Message, encode};
use super::kinds::text;
use super::random::Random;
use serde_json::json;

/// How many there are.
pub const COUNT: usize = 24;

fn form(path: &str, pairs: &[(&str, String)]) -> Message {
    let body: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    Message::sending(path, "application/x-www-form-urlencoded", body.join("&").into_bytes())
}

fn json(path: &str, body: &serde_json::Value) -> Message {
    Message::sending(path, "application/json", body.to_string().into_bytes())
}

fn token(random: &mut Random) -> String {
    format!("eyJhbGciOiJQUzI1NiIsImtpZCI6IjEifQ.{}.{}", random.base64(200), random.base64(86))
}

/// A request of one of the kinds.
pub fn request(random: &mut Random, at: usize) -> Message {
    match at {
        0..=6 => authorization(random, at),
        7..=12 => browser(random, at),
        13..=18 => partner(random, at),
        _ => odd(random, at),
    }
}

/// OAuth 2.0, OpenID Connect, sessions.
fn authorization(random: &mut Random, at: usize) -> Message {
    let owned = str::to_owned;
    match at {
        0 => form(
            "/oauth2/token",
            &[
                ("grant_type", owned("authorization_code")),
                ("code", random.base64(43)),
                ("redirect_uri", owned("https://app.bank.example/callback?env=prod&x=1")),
                ("code_verifier", format!("{}~.-", random.base64(60))),
                ("client_id", random.uuid()),
            ],
        ),
        1 => form(
            "/oauth2/token",
            &[
                ("grant_type", owned("client_credentials")),
                ("scope", owned("payments:write accounts:read openid")),
                (
                    "client_assertion_type",
                    owned("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ),
                ("client_assertion", token(random)),
            ],
        ),
        2 => form(
            "/oauth2/token",
            &[("grant_type", owned("refresh_token")), ("refresh_token", random.base64(120))],
        ),
        3 => form(
            "/oauth2/token",
            &[
                ("grant_type", owned("urn:ietf:params:oauth:grant-type:token-exchange")),
                ("subject_token", token(random)),
                ("subject_token_type", owned("urn:ietf:params:oauth:token-type:access_token")),
            ],
        ),
        4 => Message::getting(format!(
            "/oauth2/authorize?response_type=code%20id_token&client_id={}&redirect_uri=https%3A%2F%2Fapp.bank.example%2Fcb%3Fa%3D1&scope=openid%20profile&state={}&nonce={}&code_challenge={}&code_challenge_method=S256&prompt=login",
            random.uuid(),
            random.base64(22),
            random.base64(22),
            random.base64(43)
        )),
        5 => json(
            "/sessions",
            &json!({ "username": text(random, "email"), "password": random.pick(&["pa$$w0rd'1", "c0rrect-horse;battery", "S3cr3t!\"#%&", "x<y>z|1"]), "deviceId": random.uuid() }),
        ),
        _ => json(
            "/webauthn/assertions",
            &json!({ "id": random.base64(43), "type": "public-key", "response": { "clientDataJSON": random.base64(180), "authenticatorData": random.base64(50), "signature": random.base64(96), "userHandle": null } }),
        ),
    }
}

/// What browsers and apps report.
fn browser(random: &mut Random, at: usize) -> Message {
    match at {
        7 => Message::sending(
            "/csp-report",
            "application/csp-report",
            json!({ "csp-report": { "document-uri": "https://www.bank.example/app", "violated-directive": "script-src-elem", "blocked-uri": "inline", "original-policy": "default-src 'self'; script-src 'self' 'nonce-abc'; img-src * data:; report-uri /csp-report", "line-number": 12 } })
                .to_string()
                .into_bytes(),
        ),
        8 => json(
            "/telemetry",
            &json!([{ "name": "click", "target": "button.pay > span:nth-child(2)", "t": random.below(9_999), "url": text(random, "url") }, { "name": "error", "message": "TypeError: undefined is not an object (evaluating 'a.b')", "stack": "pay@https://www.bank.example/app.js:1:2345\nonClick@[native code]" }]),
        ),
        9 => Message::getting(format!(
            "/pixel.gif?v=1&tid=UA-{}-1&t=pageview&dl={}&dt={}&sr=1920x1080&z={}",
            random.digits(6),
            encode(&text(random, "url")),
            encode(&text(random, "memo")),
            random.digits(9)
        )),
        10 => Message::getting(format!("/assets/app.{:08x}.js?v={}", random.next() as u32, text(random, "version"))),
        11 => Message::getting(format!("/typeahead?term={}&callback=jQuery3600{}_17", encode(&text(random, "search")), random.digits(12))),
        _ => Message::sending("/rum", "text/plain;charset=UTF-8", format!("nav|{}|load=120;fcp=80|{}", text(random, "path"), text(random, "agent")).into_bytes()),
    }
}

/// Files and messages of partners.
fn partner(random: &mut Random, at: usize) -> Message {
    let (iban, amount, date) = (text(random, "iban"), text(random, "amount"), random.date());
    match at {
        13 => Message::sending(
            "/ebics",
            "application/xml",
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\"><CstmrCdtTrfInitn><PmtInf><ReqdExctnDt>{date}</ReqdExctnDt><DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct><Amt Ccy=\"EUR\">{amount}</Amt><RmtInf><Ustrd>Rent &amp; heating, O'Brien</Ustrd></RmtInf></PmtInf></CstmrCdtTrfInitn></Document>").into_bytes(),
        ),
        14 => Message::sending(
            "/soap/accounts",
            "text/xml; charset=utf-8",
            format!("<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Header/><soapenv:Body><GetBalance><iban>{iban}</iban></GetBalance></soapenv:Body></soapenv:Envelope>").into_bytes(),
        ),
        15 => Message::sending("/swift/mt103", "text/plain", format!("{{1:F01BANKDEFFAXXX0000000000}}{{4:\n:20:{}\n:32A:260301EUR{amount}\n:50K:/{iban}\nO'BRIEN & SONS\n:70:/INV/12;3\n-}}", random.digits(9)).into_bytes()),
        16 => Message::sending("/import", "text/csv", format!("date;iban;amount;memo\n{date};{iban};-{amount};\"{}\"\n{date};{iban};+5,00;rent\n", text(random, "company").replace('"', "\"\"")).into_bytes()),
        17 => json("/jws", &json!({ "payload": random.base64(300), "signatures": [{ "protected": "eyJhbGciOiJSUzI1NiJ9", "signature": random.base64(86) }] })),
        _ => json("/iot/readings", &json!({ "sensor": random.uuid(), "values": [1.5, -2, 3e-4], "unit": "°C", "raw": random.base64(80) })),
    }
}

fn odd(random: &mut Random, at: usize) -> Message {
    match at {
        19 => Message::getting("/health".to_owned()),
        20 => Message::getting(format!("/.well-known/openid-configuration?t={}", random.digits(5))),
        21 => Message::getting(format!(
            "/files/{}/{}",
            encode(&text(random, "company")),
            encode(&text(random, "file"))
        )),
        22 => json(
            "/logs",
            &json!({ "lines": [text(random, "log"), text(random, "log")], "source": "gateway" }),
        ),
        _ => json(
            "/embeddings",
            &json!({ "text": text(random, "ticket"), "vector": [0.1, -0.25, 0.5], "model": "text-3" }),
        ),
    }
}
