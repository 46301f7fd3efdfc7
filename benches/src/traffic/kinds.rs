//! The kinds of fields that a bank's API has: what the contract says of each, and values for it.

use serde_json::{Value, json};

use crate::payloads::json::Json;
use crate::payloads::random::Random;
use crate::payloads::values;

/// A kind of field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Uuid,
    Iban,
    Bic,
    Amount,
    Number,
    Integer,
    Flag,
    Currency,
    Country,
    Status,
    Date,
    DateTime,
    Reference,
    Mandate,
    Postcode,
    Phone,
    Email,
    Url,
    Digest,
    Name,
    Street,
    City,
    Memo,
    Prose,
}

use Kind::*;

/// What stands alone, in a path or a query.
pub const IDENTIFIERS: [Kind; 5] = [Uuid, Iban, Reference, Mandate, Integer];
/// What a query filters by.
pub const FILTERS: [Kind; 10] =
    [Date, DateTime, Status, Currency, Integer, Amount, Flag, Name, Memo, Digest];
/// What bodies hold, each as often as bodies have it.
pub const FIELDS: [Kind; 48] = [
    Uuid, Iban, Iban, Bic, Bic, Amount, Amount, Amount, Amount, Amount, Number, Number, Integer,
    Integer, Integer, Integer, Flag, Flag, Flag, Flag, Currency, Currency, Currency, Currency,
    Country, Country, Status, Status, Status, Status, Date, Date, Date, DateTime, DateTime,
    Reference, Mandate, Postcode, Postcode, Phone, Email, Url, Name, Name, Street, City, Memo,
    Prose,
];

const NAMES: [&str; 20] = [
    "Siobhán O'Brien",
    "Jürgen Groß",
    "Anne-Marie Dupont",
    "D'Angelo & Figli S.r.l.",
    "李小龙",
    "Nguyễn Văn A",
    "Smith & Sons (Holdings) Ltd.",
    "Select Foods GmbH & Co. KG",
    "Null, Peter",
    "Union Carbide",
    "Table Mountain Tours",
    "Örebro kommun",
    "Drop Shipping B.V.",
    "Иван Петров",
    "J. R. \"Bob\" Dobbs",
    "van der Berg-Ørsted",
    "AT&T Inc.",
    "Yahoo! Japan",
    "Toys \"R\" Us",
    "Jean-Luc Picard",
];
const STREETS: [&str; 10] = [
    "Rue de l'Église",
    "Hauptstraße",
    "St. John's Rd.",
    "Av. 9 de Julio",
    "Via dell'Orso",
    "Calle Mayor, 3º B",
    "Karl-Marx-Allee",
    "O'Connell Street",
    "1st & Main St.",
    "ul. Świętokrzyska",
];
const CITIES: [&str; 8] = [
    "Köln",
    "Saint-Étienne",
    "L'Aquila",
    "São Paulo",
    "Kraków",
    "'s-Hertogenbosch",
    "Stoke-on-Trent",
    "Los Angeles",
];
const MEMOS: [&str; 24] = [
    "Rent for March",
    "Invoice 2026-114 (50%)",
    "thanks for the pizza :)",
    "Gift from Mom & Dad <3",
    "Q3 - Q4 balance; 2nd rate",
    "select your union representative",
    "Salary 11/2026",
    "either/or: see e-mail",
    "C++ course, 3 x 49.90 EUR",
    "café \"Zum goldenen Hirsch\"",
    "deposit = 2 * rent",
    "Happy Birthday!!! 🎂",
    "from Anna to Bob and Carol",
    "50 USD (fifty)",
    "refund, order no. A-1=B",
    "it's where we met",
    "100% off?",
    "update: delivered, insert coin",
    "Rückzahlung für das Essen",
    "/INV/4711/ROC/2026-11 ",
    "RF18 5390 0754 7034",
    "#4711 -- final",
    "lunch @ Luigi's",
    "tickets 2x [row 4]",
];
const SENTENCES: [&str; 10] = [
    "Hello, my card was declined at 10:30 and I don't know why.",
    "Please update my address; the old one is no longer valid.",
    "The app says \"error 0x80\" when I select a new account from the list.",
    "Could you send the statement (PDF) to my tax adviser?",
    "I'd like to join the pension plan, and drop the insurance.",
    "See https://www.bank.example/help?topic=cards&lang=en for what I tried.",
    "Amount due: 1,204.50 EUR, or 1.204,50 in German notation.",
    "We've executed the order at 99.5% -- where can I see the fees?",
    "The payment to O'Neill's Bakery is 5 < 10 days late.",
    "Best regards,\nJürgen",
];

impl Kind {
    /// Names that fields of this kind have.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Uuid => {
                &["paymentId", "requestId", "correlationId", "consentId", "deviceId", "resourceId"]
            }
            Iban => &["iban", "debtorIban", "creditorIban", "accountId", "settlementAccount"],
            Bic => &["bic", "bicfi", "agent", "intermediaryBic"],
            Amount => &["amount", "instructedAmount", "balance", "fee", "limit", "premium"],
            Number => &["rate", "exchangeRate", "score", "share", "latitude"],
            Integer => &["count", "page", "limit", "term", "installments", "version", "priority"],
            Flag => &["urgent", "batchBooking", "confirmed", "taxable", "includePending"],
            Currency => &["currency", "unitCurrency", "quoteCurrency"],
            Country => &["country", "countryOfBirth", "taxResidence", "nationality"],
            Status => &["status", "type", "channel", "category", "product"],
            Date => {
                &["executionDate", "valueDate", "from", "to", "birthDate", "maturity", "validUntil"]
            }
            DateTime => &["createdAt", "updatedAt", "requestedAt", "acceptedAt"],
            Reference => &["reference", "endToEndId", "messageId", "orderNumber", "claimNumber"],
            Mandate => &["mandateId", "policyNumber", "contractNumber", "customerNumber"],
            Postcode => &["postcode", "zip"],
            Phone => &["phone", "mobile", "fax"],
            Email => &["email", "contactEmail"],
            Url => &["callbackUrl", "website", "redirectUri", "logo"],
            Digest => &["signature", "checksum", "proof", "fingerprint"],
            Name => &["name", "holder", "debtorName", "creditorName", "company", "q"],
            Street => &["street", "addressLine"],
            City => &["city", "townName", "placeOfBirth"],
            Memo => &["memo", "purpose", "remittanceInformation", "title", "subject", "search"],
            Prose => &["description", "message", "comment", "note"],
        }
    }

    /// What the contract says.
    pub fn schema(self) -> Value {
        let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
        match self {
            Uuid => json!({ "type": "string", "format": "uuid" }),
            Iban => text("^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$"),
            Bic => text("^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$"),
            Amount => text("^-?[0-9]{1,13}\\.[0-9]{2}$"),
            Number => json!({ "type": "number", "minimum": -1e6, "maximum": 1e6 }),
            Integer => json!({ "type": "integer", "minimum": 0, "maximum": 1_000_000 }),
            Flag => json!({ "type": "boolean" }),
            Currency => text("^[A-Z]{3}$"),
            Country => text("^[A-Z]{2}$"),
            Status => json!({ "type": "string", "enum": STATES }),
            Date => json!({ "type": "string", "format": "date" }),
            DateTime => json!({ "type": "string", "format": "date-time" }),
            Reference => text("^[A-Z0-9-]{1,35}$"),
            Mandate => text("^[A-Za-z0-9]{4,20}$"),
            Postcode => json!({ "type": "string", "pattern": "^[A-Za-z0-9 -]{3,10}$" }),
            Phone => text("^\\+?[0-9 ()/-]{5,24}$"),
            Email => json!({ "type": "string", "format": "email", "maxLength": 254 }),
            Url => json!({ "type": "string", "format": "uri", "maxLength": 2048 }),
            Digest => text("^[A-Za-z0-9_-]{43,86}$"),
            Name => json!({ "type": "string", "minLength": 1, "maxLength": 70 }),
            Street => json!({ "type": "string", "maxLength": 70 }),
            City => json!({ "type": "string", "maxLength": 35 }),
            Memo => json!({ "type": "string", "maxLength": 140 }),
            Prose => json!({ "type": "string", "maxLength": 2000 }),
        }
    }

    /// A value that the contract allows.
    pub fn value(self, random: &mut Random) -> Json {
        match self {
            Uuid => values::uuid(random),
            Iban => values::iban(random),
            Bic => values::bic(random),
            Amount => {
                Json::text(format!("{}.{:02}", random.between(1, 99_999), random.next() % 100))
            }
            Number => {
                Json::raw(format!("{}.{}", random.between(0, 300), random.between(1, 99_999)))
            }
            Integer => Json::raw(random.between(0, 500)),
            Flag => Json::raw(random.chance(50)),
            Currency => values::currency(random),
            Country => values::choice(random, &["GB", "DE", "FR", "US", "NL", "PL"]),
            Status => values::choice(random, &STATES),
            Date => values::date(random),
            DateTime => values::date_time(random),
            Reference => values::message_id(random),
            Mandate => Json::text(random.string(LETTERS_AND_DIGITS, 12)),
            Postcode => Json::text(random.string("0123456789", 5)),
            Phone => Json::text(format!(
                "+49 (0)30 {}-{}",
                random.between(10_000, 99_999),
                random.between(10, 99)
            )),
            Email => Json::text(format!(
                "{}.x+{}@mail.example.co.uk",
                random.pick(&["anna", "o.brien", "j_doe"]),
                random.between(1, 999)
            )),
            Url => Json::text(format!(
                "https://www.shop.example/~{}/return?order={}&lang=en#done",
                random.pick(&["anna", "bob"]),
                random.between(1, 9_999)
            )),
            Digest => {
                let length = random.between(43, 86);
                Json::text(random.string(LETTERS_AND_DIGITS, length))
            }
            Name => Json::text(random.pick(&NAMES)),
            Street => Json::text(format!("{} {}", random.pick(&STREETS), random.between(1, 300))),
            City => Json::text(random.pick(&CITIES)),
            Memo => Json::text(random.pick(&MEMOS)),
            Prose => {
                let count = random.between(1, 2);
                let chosen: Vec<_> = (0..count).map(|_| random.pick(&SENTENCES)).collect();
                Json::text(chosen.join(" "))
            }
        }
    }
}

const STATES: [&str; 8] =
    ["pending", "booked", "rejected", "STANDARD", "SEPA", "instant", "savings", "in-branch"];
const LETTERS_AND_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
