//! Values by kind: what a field of a bank's request holds.

use super::random::Random;
use super::words as w;
use serde_json::{Value, json};

/// A value of a kind that `resources.txt` names; an unknown kind is a word.
pub fn value(random: &mut Random, kind: &str) -> Value {
    match kind {
        "flag" => json!(random.below(2) == 0),
        "number" => json!(random.below(5000)),
        "rate" => json!((random.below(20_000) as f64 - 5_000.0) / 1_000.0),
        "score" => json!(random.below(1_000)),
        _ => Value::String(text(random, kind)),
    }
}

/// A text of a kind.
pub fn text(random: &mut Random, kind: &str) -> String {
    let listed = match kind {
        "name" => w::NAMES,
        "company" => w::COMPANIES,
        "memo" => w::MEMOS,
        "street" => w::STREETS,
        "city" => w::CITIES,
        "search" => w::SEARCHES,
        "sentence" => w::SENTENCES,
        "chat" => w::CHATS,
        "markdown" => w::MARKDOWN,
        "html" => w::HTML,
        "filter" => w::FILTERS,
        "log" => w::LOGS,
        "file" => w::FILES,
        "template" => w::TEMPLATES,
        "agent" => w::AGENTS,
        "currency" => &["EUR", "USD", "GBP", "CHF", "JPY", "SEK"],
        "country" => &["DE", "FR", "GB", "NL", "AT", "ES", "US", "JP"],
        "language" => &["de", "en-GB", "fr_FR", "pt-BR", "zh-Hans-CN"],
        "zone" => &["Europe/Berlin", "America/New_York", "UTC+02:00", "Asia/Ho_Chi_Minh"],
        "mime" => {
            &["application/pdf", "image/png", "text/csv; charset=utf-8", "application/vnd.ms-excel"]
        }
        "job" => &[
            "R&D engineer",
            "Nurse",
            "self-employed",
            "Select & Recruit Lead",
            "CEO/CFO",
            "chef d'orchestre",
        ],
        "product" => &[
            "Giro Plus",
            "Visa Gold (metal)",
            "All-in-1",
            "Save & Invest",
            "Car+Home",
            "Union Card",
        ],
        "folder" => &[
            "/Letters/2026",
            "My files/Tax & co",
            "C:\\Users\\anna\\Documents",
            "inbox/../archive",
        ],
        "path" => &["/v1/accounts/17", "/settings/limits", "/users/me#profile", "/etc"],
        "emoji" => &["🏖️", "🚗", "🎂🎉", "🏠"],
        "cron" => &["0 6 * * 1-5", "*/15 * * * *", "@daily", "0 0 1 1,4,7,10 *"],
        _ => &[],
    };
    if let [_, ..] = listed {
        return random.pick(listed).to_owned();
    }
    made(random, kind)
}

/// A text that is made of digits and letters.
fn made(random: &mut Random, kind: &str) -> String {
    match kind {
        "iban" => {
            format!("{}{}", random.pick(&["DE", "FR", "GB", "NL", "AT", "ES"]), random.digits(20))
        }
        "bic" => format!("{}DE{}XXX", random.letters(4), random.letters(2)),
        "uuid" => random.uuid(),
        "date" => random.date(),
        "time" => format!(
            "{}T{:02}:{:02}:00.{}Z",
            random.date(),
            random.below(24),
            random.below(60),
            random.digits(3)
        ),
        "amount" => format!("{}.{}", 1 + random.below(9_999), random.digits(2)),
        "digits" => random.digits(5),
        "code" => format!("{}{}", random.letters(4), random.digits(4)),
        "reference" => format!("{}-{}/{}", random.letters(3), random.digits(6), random.below(99)),
        "version" => format!(
            "{}.{}.{}-rc.{}",
            random.below(9),
            random.below(20),
            random.below(40),
            random.below(4)
        ),
        "hex" => format!("{:016x}{:016x}", random.next(), random.next()),
        "base64" => random.base64(64),
        "email" => format!(
            "{}+{}@mail.example.co.uk",
            random.pick(&["a.b", "o'neil", "anna_k", "x-y"]),
            random.digits(3)
        ),
        "phone" => format!("+49 (0)30 {}-{}", random.digits(5), random.digits(2)),
        "url" => format!(
            "https://www.example.com/~user/{}?a=1&b={}&next=%2Fhome#top",
            random.digits(3),
            random.letters(3)
        ),
        "ip" => format!("81.{}.{}.{}", random.below(255), random.below(255), random.below(255)),
        "ticket" => ticket(random),
        _ => random.pick(w::WORDS).to_owned(),
    }
}

/// What a customer writes to support.
fn ticket(random: &mut Random) -> String {
    let mut lines = vec!["Hello,".to_owned(), String::new()];
    for _ in 0..1 + random.below(4) {
        let kind = ["sentence", "sentence", "memo", "log", "chat", "markdown"][random.below(6)];
        let mark = ["", "- ", "> ", ""][random.below(4)];
        lines.push(format!("{mark}{}", text(random, kind)));
    }
    lines.push(format!("\nBest, {}", random.pick(w::NAMES)));
    lines.join("\n")
}
