//! Valid bodies: payments, transaction lists, tagged instruments.

use super::json::{Json, Shape};
use super::random::Random;
use super::values::{
    Script, account, agent, amount, choice, date, date_time, iban, message_id, party, uuid, words,
};

/// A `Payment` of about 1 KB.
pub fn payment(random: &mut Random, script: Script) -> Json {
    let unstructured = (0..random.between(1, 2)).map(|_| Json::Text(words(random, script, 100)));
    let unstructured = unstructured.collect();
    let reference =
        format!("RF{:02}{}", random.next() % 100, random.string("0123456789ABCDEF", 16));
    let remittance = Json::object([
        ("unstructured", Some(Json::List(unstructured))),
        ("reference", random.chance(40).then_some(Json::Text(reference))),
    ]);
    let rate = format!("{}.{:04}", random.next() % 3, random.between(1, 9999));
    let supplementary = (0..random.between(1, 3))
        .map(|index| (format!("note{index}"), Json::Text(words(random, script, 30))))
        .collect();
    let optional = |random: &mut Random, percent| random.chance(percent);
    Json::object([
        ("messageId", Some(message_id(random))),
        ("creationDateTime", Some(date_time(random))),
        ("paymentInformationId", optional(random, 60).then(|| message_id(random))),
        ("paymentMethod", Some(choice(random, &["CHK", "TRF", "TRA"]))),
        ("batchBooking", optional(random, 50).then(|| Json::raw(random.chance(50)))),
        ("priority", optional(random, 30).then(|| Json::raw(random.next() % 10))),
        ("serviceLevel", optional(random, 70).then(|| choice(random, &["SEPA", "URGP", "G001"]))),
        ("requestedExecutionDate", Some(date(random))),
        ("debtor", Some(party(random, script))),
        ("debtorAccount", Some(account(random, script))),
        ("debtorAgent", Some(agent(random, script))),
        ("endToEndId", Some(uuid(random))),
        ("instructedAmount", Some(amount(random))),
        ("exchangeRate", optional(random, 20).then_some(Json::Raw(rate))),
        ("chargeBearer", optional(random, 70).then(|| choice(random, &["DEBT", "CRED", "SLEV"]))),
        ("creditor", Some(party(random, script))),
        ("creditorAccount", Some(account(random, script))),
        ("creditorAgent", optional(random, 70).then(|| agent(random, script))),
        ("purpose", optional(random, 50).then(|| choice(random, &["SALA", "SUPP", "TAXS"]))),
        ("remittanceInformation", Some(remittance)),
        ("supplementary", optional(random, 25).then_some(Json::Object(supplementary))),
    ])
}

/// A `TransactionList` that ends at the first transaction past `bytes`.
pub fn transaction_list(random: &mut Random, bytes: usize) -> Json {
    let mut items = Vec::new();
    let mut length = 120;
    while length < bytes {
        let item = transaction(random, items.len());
        length += item.write(Shape::default()).len() + 1;
        items.push(item);
    }
    Json::object([
        ("data", Some(Json::object([("transaction", Some(Json::List(items)))]))),
        ("links", Some(Json::object([("self", Some(Json::text("https://bank.example/api/t")))]))),
        ("meta", Some(Json::object([("totalPages", Some(Json::raw(random.next() % 50)))]))),
    ])
}

/// An `Instrument` of one of four kinds, its tag first or last.
pub fn instrument(random: &mut Random, tag_first: bool) -> Json {
    let script = Script::Mixed;
    let kind = random.pick(&["card", "account", "mandate", "wallet"]);
    let mut members = vec![
        ("id", Some(uuid(random))),
        ("created", Some(date_time(random))),
        ("holder", Some(party(random, script))),
    ];
    let token = format!("tok_{}", random.string("abcdefXYZ0123456789", 24));
    let optional = random.chance(60);
    members.extend(match kind {
        "card" => [
            ("token", Some(Json::Text(token))),
            ("expiryMonth", Some(Json::raw(random.between(1, 12)))),
            ("expiryYear", Some(Json::raw(random.between(2026, 2035)))),
            ("scheme", optional.then(|| choice(random, &["visa", "mastercard", "amex"]))),
        ],
        "account" => [
            ("account", Some(account(random, script))),
            ("agent", Some(agent(random, script))),
            ("limit", optional.then(|| amount(random))),
            ("", None),
        ],
        "mandate" => [
            ("mandateId", Some(message_id(random))),
            ("signedOn", Some(date(random))),
            ("account", Some(Json::object([("iban", Some(iban(random)))]))),
            ("sequence", optional.then(|| choice(random, &["FRST", "RCUR", "OOFF", "FNAL"]))),
        ],
        _ => [
            ("provider", Some(choice(random, &["apple", "google", "paypal"]))),
            ("device", Some(Json::Text(random.string("0123456789abcdef", 32)))),
            ("nickname", optional.then(|| Json::raw("null"))),
            ("", None),
        ],
    });
    let at = if tag_first { 0 } else { members.len() };
    members.insert(at, ("kind", Some(Json::text(kind))));
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(present.collect())
}

fn transaction(random: &mut Random, index: usize) -> Json {
    let script = Script::Mixed;
    let side = |random: &mut Random| choice(random, &["Credit", "Debit"]);
    let balance = Json::object([
        ("creditDebitIndicator", Some(side(random))),
        ("type", Some(choice(random, &["InterimBooked", "ClosingAvailable", "Expected"]))),
        ("amount", Some(amount(random))),
    ]);
    let merchant = Json::object([
        ("merchantName", Some(Json::Text(words(random, script, 40)))),
        ("merchantCategoryCode", Some(Json::Text(random.string("0123456789", 4)))),
    ]);
    Json::object([
        ("accountId", Some(Json::Text(random.string("0123456789", 14)))),
        ("transactionId", Some(uuid(random))),
        ("transactionReference", random.chance(60).then(|| Json::Text(words(random, script, 40)))),
        ("creditDebitIndicator", Some(side(random))),
        ("status", Some(choice(random, &["Booked", "Pending"]))),
        ("bookingDateTime", Some(date_time(random))),
        ("valueDateTime", random.chance(50).then(|| date_time(random))),
        ("transactionInformation", Some(Json::Text(words(random, script, 90)))),
        ("amount", Some(amount(random))),
        ("sequence", random.chance(40).then(|| Json::raw(index))),
        ("balance", random.chance(70).then_some(balance)),
        ("merchantDetails", random.chance(40).then_some(merchant)),
    ])
}
