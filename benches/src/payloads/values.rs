//! Field values as a payment system sees them.

use super::json::Json;
use super::random::Random;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const HEX: &str = "0123456789abcdef";

const LATIN: [&str; 24] = [
    "Invoice",
    "rent",
    "March",
    "salary",
    "Smith",
    "Holdings",
    "payment",
    "of",
    "the",
    "order",
    "consulting",
    "services",
    "Q4",
    "and",
    "refund",
    "Bakery",
    "GmbH",
    "Ltd",
    "&",
    "Sons",
    "subscription",
    "No.",
    "transfer",
    "GBP/EUR",
];
const ACCENTED: [&str; 10] =
    ["Société", "Générale", "Müller", "straße", "Łódź", "façade", "naïve", "Çelik", "Ørsted", "€"];
const CYRILLIC: [&str; 12] = [
    "Оплата",
    "по",
    "счёту",
    "за",
    "консультационные",
    "услуги",
    "Договор",
    "поставки",
    "от",
    "марта",
    "Общество",
    "Иванов",
];

/// Which script free text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// English with, in one text out of eight, accented words or an emoji.
    Mixed,
    /// Cyrillic throughout: two bytes a letter.
    Cyrillic,
}

/// Words up to `limit` characters.
pub fn words(random: &mut Random, script: Script, limit: usize) -> String {
    let mut text = String::new();
    let unicode = script == Script::Mixed && random.chance(12);
    let target = random.between(4.min(limit as u64), limit as u64) as usize;
    loop {
        let word = match script {
            Script::Cyrillic => random.pick(&CYRILLIC),
            Script::Mixed if unicode && random.chance(40) => random.pick(&ACCENTED),
            Script::Mixed => random.pick(&LATIN),
        };
        if text.chars().count() + word.chars().count() + 1 > target {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    match text.is_empty() {
        true => "n/a".chars().take(limit).collect(),
        false => text,
    }
}

/// An RFC 3339 date-time, with or without fraction and offset.
pub fn date_time(random: &mut Random) -> Json {
    let fraction = match random.next() % 3 {
        0 => format!(".{:03}", random.next() % 1000),
        _ => String::new(),
    };
    let offset = random.pick(&["Z", "Z", "+00:00", "+01:00", "-05:30"]);
    let (hour, minute, second) = (random.next() % 24, random.next() % 60, random.next() % 60);
    Json::Text(format!("{}T{hour:02}:{minute:02}:{second:02}{fraction}{offset}", day(random)))
}

/// An RFC 3339 full-date.
pub fn date(random: &mut Random) -> Json {
    Json::Text(day(random))
}

/// A lower-case UUID.
pub fn uuid(random: &mut Random) -> Json {
    let hex = random.string(HEX, 32);
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Json::Text(parts.join("-"))
}

/// An IBAN by shape (the check digits are not computed).
pub fn iban(random: &mut Random) -> Json {
    let country = random.pick(&["GB", "DE", "FR", "NO", "MT"]);
    let length = random.between(11, 27);
    Json::Text(format!("{country}{}{}", random.string(DIGITS, 2), random.string(ALNUM, length)))
}

/// A BIC of 8 or 11 characters.
pub fn bic(random: &mut Random) -> Json {
    let branch = if random.chance(40) { random.string(ALNUM, 3) } else { String::new() };
    let country = random.pick(&["GB", "DE", "FR", "US", "NL"]);
    Json::Text(format!("{}{country}{}{branch}", random.string(UPPER, 4), random.string(ALNUM, 2)))
}

/// An ISO 20022 message identification.
pub fn message_id(random: &mut Random) -> Json {
    let length = random.between(8, 30);
    Json::Text(random.string("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", length))
}

/// An amount with its currency.
pub fn amount(random: &mut Random) -> Json {
    let whole = random.next() % 10u64.pow(random.between(1, 9) as u32);
    let value = format!("{whole}.{:02}", random.next() % 100);
    Json::object([("amount", Some(Json::Text(value))), ("currency", Some(currency(random)))])
}

/// A currency code.
pub fn currency(random: &mut Random) -> Json {
    Json::text(random.pick(&["GBP", "EUR", "USD", "SEK", "CHF"]))
}

/// One of `choices` as a string.
pub fn choice(random: &mut Random, choices: &[&str]) -> Json {
    Json::text(random.pick(choices))
}

/// A name and postal address; about half of the optional fields.
pub fn party(random: &mut Random, script: Script) -> Json {
    let lines = (0..random.between(1, 3)).map(|_| Json::Text(words(random, script, 40))).collect();
    let number = random.between(1, 400);
    let postcode = random.string(ALNUM, 6);
    let mailbox = random.string("abcdefghijklmnopqrstuvwxyz.0123456789", 9).replace('.', "x");
    let lei = format!("{}{}", random.string(ALNUM, 18), random.string(DIGITS, 2));
    let mut maybe = |percent, value: Json| random.chance(percent).then_some(value);
    let (email, lei) =
        (maybe(40, Json::Text(format!("{mailbox}@mail.example.com"))), maybe(30, Json::Text(lei)));
    let (number, postcode) =
        (maybe(70, Json::text(number.to_string())), maybe(80, Json::Text(postcode)));
    let lines = maybe(35, Json::List(lines));
    let address = Json::object([
        ("streetName", random.chance(75).then(|| Json::Text(words(random, script, 30)))),
        ("buildingNumber", number),
        ("postCode", postcode),
        ("townName", Some(Json::Text(words(random, script, 20)))),
        ("country", Some(choice(random, &["GB", "DE", "FR", "US"]))),
        ("addressLine", lines),
    ]);
    Json::object([
        ("name", Some(Json::Text(words(random, script, 50)))),
        ("postalAddress", Some(address)),
        ("email", email),
        ("lei", lei),
    ])
}

/// An account.
pub fn account(random: &mut Random, script: Script) -> Json {
    let name = match random.next() % 4 {
        0 => Some(Json::raw("null")),
        1 => Some(Json::Text(words(random, script, 40))),
        _ => None,
    };
    Json::object([
        ("iban", Some(iban(random))),
        ("currency", random.chance(60).then(|| currency(random))),
        ("name", name),
    ])
}

/// A financial institution.
pub fn agent(random: &mut Random, script: Script) -> Json {
    let name = random.chance(40).then(|| Json::Text(words(random, script, 40)));
    Json::object([("bicfi", Some(bic(random))), ("name", name)])
}

fn day(random: &mut Random) -> String {
    let (year, month, day) =
        (random.between(1999, 2031), random.between(1, 12), random.between(1, 28));
    format!("{year}-{month:02}-{day:02}")
}
