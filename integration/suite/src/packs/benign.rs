//! Benign requests to a bank: shapes and values at random, the same for the same seed.

use super::message::{Message, encode};
use serde_json::{Value, json};

/// Makes requests.
pub struct Generator {
    state: u64,
}

const NAMES: [&str; 16] = [
    "O'Brien",
    "Müller",
    "Anne-Marie Dupont",
    "D'Angelo",
    "Jürgen Groß",
    "李小龙",
    "Nguyễn Văn A",
    "Smith & Sons",
    "Null",
    "Jean-Luc Picard",
    "Select Foods Ltd.",
    "Union Carbide",
    "Table Mountain Tours",
    "Örebro kommun",
    "Drop Shipping GmbH",
    "Иван Петров",
];
const MEMOS: [&str; 20] = [
    "Rent for March",
    "Invoice 2026-114 (50%)",
    "thanks for the pizza :)",
    "Gift from Mom & Dad <3",
    "Q3 - Q4 balance",
    "select your union representative",
    "Salary 11/2026",
    "loan #4711; 2nd rate",
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
];
const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "BankApp/7.2.1 (Android 15; Pixel 9; de_DE)",
    "okhttp/4.12.0",
    "python-requests/2.32.3",
    "PostmanRuntime/7.41.0",
    "Java/17.0.9",
    "axios/1.7.7",
];

impl Generator {
    pub fn new(seed: u64) -> Self {
        Generator { state: seed }
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    fn iban(&mut self) -> String {
        let country = self.pick(&["DE", "FR", "GB", "NL", "AT", "ES"]);
        format!("{country}{}", self.digits(20))
    }

    fn uuid(&mut self) -> String {
        let hex = format!("{:016x}{:016x}", self.next(), self.next());
        format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        )
    }

    fn date(&mut self) -> String {
        format!("2026-{:02}-{:02}", 1 + self.below(12), 1 + self.below(28))
    }

    fn base64(&mut self, len: usize) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..len).map(|_| char::from(alphabet[self.below(64)])).collect()
    }

    fn amount(&mut self) -> String {
        format!("{}.{}", 1 + self.below(9999), self.digits(2))
    }

    /// The next request.
    pub fn request(&mut self) -> Message {
        let mut message = match self.below(9) {
            0 => self.payment(),
            1 => self.search(),
            2 => self.statement(),
            3 => self.form(),
            4 => self.customer(),
            5 => self.ticket(),
            6 => self.batch(),
            7 => self.login(),
            _ => self.address(),
        };
        let agent = self.pick(&AGENTS);
        message.headers.retain(|(name, _)| name != "user-agent");
        message.headers.push(("user-agent".to_owned(), agent.to_owned()));
        if self.below(2) == 0 {
            let token =
                format!("Bearer eyJhbGciOiJSUzI1NiJ9.{}.{}", self.base64(120), self.base64(86));
            message.headers.push(("authorization".to_owned(), token));
        }
        if self.below(2) == 0 {
            let cookie = format!(
                "SID={}; theme=dark; _ga=GA1.2.{}.{}",
                self.base64(32),
                self.digits(9),
                self.digits(10)
            );
            message.headers.push(("cookie".to_owned(), cookie));
        }
        if self.below(3) == 0 {
            let referer = format!(
                "https://www.bank.example/app/transfers?tab={}&from=home#top",
                self.below(9)
            );
            message.headers.push(("referer".to_owned(), referer));
        }
        message
    }

    fn json(&mut self, path: &str, body: &Value) -> Message {
        Message::sending(path, "application/json", body.to_string().into_bytes())
    }

    fn payment(&mut self) -> Message {
        let body = json!({
            "paymentId": self.uuid(), "debtor": { "name": self.pick(&NAMES), "iban": self.iban() },
            "creditor": { "name": self.pick(&NAMES), "iban": self.iban(), "bic": "DEUTDEFF500" },
            "amount": { "value": self.amount(), "currency": self.pick(&["EUR", "USD", "GBP"]) },
            "memo": self.pick(&MEMOS), "executionDate": self.date(), "urgent": self.below(2) == 0,
        });
        self.json("/payments", &body)
    }

    fn search(&mut self) -> Message {
        let (text, from, to) = (self.pick(&MEMOS), self.date(), self.date());
        let (min, page) = (self.amount(), self.below(40));
        Message::getting(format!(
            "/transactions?q={}&from={from}&to={to}&min={min}&page={page}&sort=-date&fields=id,amount,memo",
            encode(text)
        ))
    }

    fn statement(&mut self) -> Message {
        let (iban, format) = (self.iban(), self.pick(&["pdf", "csv", "camt.053"]));
        Message::getting(format!("/accounts/{iban}/statements/{}.{format}", self.date()))
    }

    fn form(&mut self) -> Message {
        let (name, memo, amount) = (self.pick(&NAMES), self.pick(&MEMOS), self.amount());
        let body = format!("name={}&memo={}&amount={amount}&agree=on", encode(name), encode(memo));
        Message::sending("/transfers", "application/x-www-form-urlencoded", body.into_bytes())
    }

    fn customer(&mut self) -> Message {
        let body = json!({
            "name": self.pick(&NAMES), "email": format!("a.b+{}@mail.example.co.uk", self.digits(3)),
            "phone": format!("+49 (0)30 {}-{}", self.digits(5), self.digits(2)),
            "birthDate": self.date(), "website": format!("https://www.example.com/~user/{}?a=1&b=2", self.digits(3)),
            "notes": [self.pick(&MEMOS), self.pick(&MEMOS)], "score": self.below(1000),
        });
        self.json("/customers", &body)
    }

    fn ticket(&mut self) -> Message {
        let body = json!({
            "subject": format!("Question about {}", self.pick(&MEMOS)),
            "text": format!("Hello,\n\nmy card ending {} was declined on {} at 10:30. Could you check?\n\n- {}\n- {}\n\nBest, {}",
                self.digits(4), self.date(), self.pick(&MEMOS), self.pick(&MEMOS), self.pick(&NAMES)),
            "attachment": self.base64(400),
        });
        self.json("/tickets", &body)
    }

    fn batch(&mut self) -> Message {
        let count = 1 + self.below(20);
        let items: Vec<Value> = (0..count)
            .map(|_| json!({ "id": self.uuid(), "iban": self.iban(), "amount": self.amount(), "memo": self.pick(&MEMOS) }))
            .collect();
        self.json("/batches", &json!({ "items": items }))
    }

    fn login(&mut self) -> Message {
        let body = json!({ "username": format!("user{}", self.digits(4)), "deviceId": self.uuid(), "proof": self.base64(64) });
        self.json("/sessions", &body)
    }

    fn address(&mut self) -> Message {
        let body = json!({
            "street": format!("{} {}", self.pick(&["Rue de l'Église", "Hauptstraße", "St. John's Rd.", "Av. 9 de Julio"]), 1 + self.below(200)),
            "unit": format!("Apt #{} - c/o {}", self.below(99), self.pick(&NAMES)),
            "zip": self.digits(5), "city": self.pick(&["Köln", "Saint-Étienne", "L'Aquila", "São Paulo"]),
        });
        self.json("/addresses", &body)
    }
}
