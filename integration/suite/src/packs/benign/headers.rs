//! Header fields and cookies as browsers, apps, gateways and partners send them.

use super::super::message::{Message, encode};
use super::random::Random;
use super::{kinds, words as w};
use serde_json::json;

/// Adds fields to a message; `many` adds nearly all of them.
pub fn add(random: &mut Random, message: &mut Message, many: bool) {
    message.headers.retain(|(name, _)| name != "user-agent" && name != "accept");
    let mut add = |name: &str, value: String| message.headers.push((name.to_owned(), value));
    add("user-agent", random.pick(w::AGENTS).to_owned());
    add("accept", random.pick(w::ACCEPTS).to_owned());
    let chance = if many { 10 } else { 4 };
    for name in NAMES {
        if random.below(10) < chance {
            add(name, value(random, name));
        }
    }
    if random.below(10) < chance + 2 {
        let cookies: Vec<String> = (0..COOKIES.len())
            .filter(|_| random.below(10) < chance)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|at| cookie(random, COOKIES[at]))
            .collect();
        if !cookies.is_empty() {
            add("cookie", cookies.join("; "));
        }
    }
}

const NAMES: [&str; 27] = [
    "accept-language",
    "accept-encoding",
    "authorization",
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-request-id",
    "x-correlation-id",
    "x-forwarded-for",
    "x-forwarded-proto",
    "forwarded",
    "referer",
    "origin",
    "sec-ch-ua",
    "sec-fetch-site",
    "if-none-match",
    "if-modified-since",
    "cache-control",
    "idempotency-key",
    "digest",
    "signature-input",
    "signature",
    "baggage",
    "priority",
    "x-fapi-customer-ip-address",
    "prefer",
];

fn value(random: &mut Random, name: &str) -> String {
    match name {
        "accept-language" => random.pick(w::LANGUAGES).to_owned(),
        "accept-encoding" => "gzip, deflate, br, zstd".to_owned(),
        "authorization" => credentials(random),
        "traceparent" => {
            format!("00-{:016x}{:016x}-{:016x}-01", random.next(), random.next(), random.next())
        }
        "tracestate" => format!("vendor=00f067aa0ba902b7,dd=s:1;o:rum;t.dm:-{}", random.below(9)),
        "b3" => format!("{:032x}-{:016x}-1-{:016x}", random.next(), random.next(), random.next()),
        "x-b3-traceid" => format!("{:016x}", random.next()),
        "x-forwarded-for" => format!("{}, 10.0.{}.7", kinds::text(random, "ip"), random.below(255)),
        "x-forwarded-proto" => "https".to_owned(),
        "forwarded" => format!(
            "for=\"[2001:db8:cafe::{}]:4711\";proto=https;by=203.0.113.43",
            random.below(99)
        ),
        "referer" => referer(random),
        "origin" => {
            random.pick(&["https://www.bank.example", "capacitor://localhost", "null"]).to_owned()
        }
        "sec-ch-ua" => {
            "\"Chromium\";v=\"128\", \"Not;A=Brand\";v=\"24\", \"Google Chrome\";v=\"128\""
                .to_owned()
        }
        "sec-fetch-site" => "same-origin".to_owned(),
        "if-none-match" => {
            format!("W/\"{:x}-{}\", \"{}\"", random.below(99_999), random.base64(22), random.uuid())
        }
        "if-modified-since" => "Wed, 21 Oct 2026 07:28:00 GMT".to_owned(),
        "cache-control" => {
            random.pick(&["no-cache", "max-age=0", "no-store, must-revalidate"]).to_owned()
        }
        "digest" => format!("SHA-256={}=", random.base64(43)),
        "signature-input" => format!(
            "sig1=(\"@method\" \"@path\" \"digest\");created=17{};keyid=\"key-{}\";alg=\"rsa-pss-sha512\"",
            random.digits(8),
            random.below(9)
        ),
        "signature" => format!("sig1=:{}==:", random.base64(86)),
        "baggage" => {
            format!("userId=alice{},serverNode=DF%2028,isProduction=false", random.below(99))
        }
        "priority" => "u=1, i".to_owned(),
        "x-fapi-customer-ip-address" => kinds::text(random, "ip"),
        "prefer" => "return=representation; respond-async, wait=10".to_owned(),
        _ => random.uuid(),
    }
}

/// A token with claims, a key of an API, or a name and a password.
fn credentials(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("Basic {}=", random.base64(31)),
        1 => format!("ApiKey {}", random.uuid()),
        _ => format!("Bearer eyJhbGciOiJSUzI1NiJ9.{}.{}", random.base64(120), random.base64(86)),
    }
}

fn referer(random: &mut Random) -> String {
    match random.below(4) {
        0 => {
            format!("https://www.bank.example/app/transfers?tab={}&from=home#top", random.below(9))
        }
        1 => format!(
            "https://www.search.example/search?q={}&oq=bank",
            encode(random.pick(w::SEARCHES))
        ),
        2 => format!(
            "https://www.bank.example/?utm_source=news&utm_campaign={}&gclid={}",
            encode(random.pick(w::MEMOS)),
            random.base64(40)
        ),
        _ => "android-app://com.bank.app/".to_owned(),
    }
}

const COOKIES: [&str; 14] = [
    "SID",
    "JSESSIONID",
    "XSRF-TOKEN",
    "theme",
    "lang",
    "_ga",
    "_gid",
    "_fbp",
    "_gcl_au",
    "OptanonConsent",
    "ajs_user_id",
    "mp_mixpanel",
    "cart",
    "_hjSession_1",
];

fn cookie(random: &mut Random, name: &str) -> String {
    let value = match name {
        "SID" => random.base64(32),
        "JSESSIONID" => format!("{:016X}{:016X}.node{}", random.next(), random.next(), random.below(9)),
        "XSRF-TOKEN" => random.uuid(),
        "theme" => "dark".to_owned(),
        "lang" => random.pick(&["de", "en", "fr_FR"]).to_owned(),
        "_ga" | "_gid" => format!("GA1.2.{}.{}", random.digits(9), random.digits(10)),
        "_fbp" => format!("fb.1.17{}.{}", random.digits(11), random.digits(9)),
        "_gcl_au" => format!("1.1.{}.{}", random.digits(9), random.digits(10)),
        "OptanonConsent" => format!(
            "isGpcEnabled=0&datestamp=Sun+Mar+01+2026+10%3A30%3A00+GMT%2B0100+(CET)&version=202401.2.0&consentId={}&interactionCount=1&landingPath=NotLandingPage&groups=C0001%3A1%2CC0002%3A0&geolocation=DE%3BBE",
            random.uuid()
        ),
        "ajs_user_id" => format!("%22{}%22", random.uuid()),
        "mp_mixpanel" => encode(
            &json!({"distinct_id": random.uuid(), "$device_id": random.uuid(), "$initial_referrer": "$direct"}).to_string(),
        ),
        "cart" => encode(&json!([{"sku": random.digits(6), "n": random.below(9)}]).to_string()),
        _ => format!("{}==", random.base64(60)),
    };
    format!("{name}={value}")
}
