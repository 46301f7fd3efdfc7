//! What a service is asked that carries limits for several gateways, and what it answers: the messages of
//! `envoy.service.ratelimit.v3`, of which a question has one descriptor, for one rate.
//!
//! In: a limit that the table of counts has admitted a request to, and bytes from the network. Out: a [`Question`], and
//! what its answer comes to. The answer is read in one pass, and nothing in it but the verdict, the limit and the time
//! is looked at: header fields, bodies and metadata that a service would add change no traffic.
//!
//! What is asked goes over the network, so that nothing here need be fast: it is marked as cold to be small.

use super::caller::sip;
use super::rate::{Count, Meter};
use super::{Exceeded, Why, mode};
use crate::finding::{Finding, FindingCode, Position};
use core::net::IpAddr;
use portcullis_bundle::layout::{
    CallerForm, Delegation, Limit, LimitMode, LimitRate, LimitService, Period, RateKind, View,
};
use std::string::{String, ToString};

/// Bytes of a caller's own value that are sent; a longer one goes as its hash.
const LONGEST: usize = 256;
const SECOND: u64 = 1_000_000_000;

/// How a service may be asked.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// The key that callers are hashed by: the same for all gateways that share counts.
    pub key: [u64; 2],
    /// Whether a request can be held until the answer has come.
    pub holds: bool,
}

/// What a service is asked about one rate of a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// A `RateLimitRequest`.
    pub message: Vec<u8>,
    /// Whether the request is held until the answer has come: it may be refused, or tagged.
    pub waits: bool,
    /// Index of the operation, where there is one.
    pub operation: Option<u32>,
    limit: u32,
    rate: u32,
    cost: f64,
}

/// A limit as the service has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What is allowed.
    pub amount: u32,
    /// Seconds of its window; 0 where these differ, as of months.
    pub window: u32,
}

/// What a service answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    over: bool,
    /// Nanoseconds until it begins anew.
    wait: Option<u64>,
    quota: Option<Quota>,
}

/// A limit that a service is asked about, and who is counted.
pub(super) struct Delegated<'b> {
    pub limit_at: u32,
    pub limit: &'b Limit,
    pub scope: String,
    pub caller: String,
    pub cost: f64,
}

impl Delegated<'_> {
    /// The questions, one for each rate that a service can carry.
    #[cold]
    pub(super) fn ask(
        &self,
        view: &View<'_>,
        service: &LimitService,
        operation: Option<u32>,
        waits: bool,
        to: &mut Vec<Question>,
    ) {
        let rates = crate::access::slice(
            view.limit_rates,
            self.limit.rates.get(),
            self.limit.rate_count.into(),
        );
        for (place, rate) in (0u32..).zip(rates) {
            if rate.kind == RateKind::Concurrency.code() {
                continue;
            }
            let mut descriptor = Vec::with_capacity(128);
            entry(&mut descriptor, "limit", view.text(self.limit.name));
            entry(&mut descriptor, "window", &window_name(rate));
            if !self.scope.is_empty() {
                entry(&mut descriptor, "scope", &self.scope);
            }
            entry(&mut descriptor, "caller", &self.caller);
            let mut message = Vec::with_capacity(192);
            bytes(&mut message, 1, view.bytes(service.domain));
            bytes(&mut message, 2, &descriptor);
            // What costs more than there can be counts as all that there can be.
            number(&mut message, 3, self.cost.min(Meter::of(rate, false).capacity) as u64);
            let (limit, cost) = (self.limit_at, self.cost);
            to.push(Question { message, waits, operation, limit, rate: place, cost });
        }
    }
}

impl Question {
    /// What an answer comes to; `None` where the request is within the limit, or where none has come and what the table
    /// says holds.
    #[cold]
    pub fn settled(&self, view: &View<'_>, reply: Option<Reply>, now: u64) -> Option<Exceeded> {
        let limit = view.limits.get(self.limit as usize)?;
        let mode = if self.waits { mode(limit) } else { LimitMode::Monitor };
        let (limit_at, rate) = (self.limit, self.rate);
        let Some(reply) = reply else {
            let refuses = limit.delegation == Delegation::Refuse.code();
            let (why, told) = (Why::Uncounted, None);
            return refuses.then_some(Exceeded { limit: limit_at, rate, wait: 0, mode, why, told });
        };
        if !reply.over {
            return None;
        }
        let wait = reply.wait.or_else(|| {
            let at = limit.rates.get().saturating_add(rate);
            let meter = Meter::of(view.limit_rates.get(at as usize)?, false);
            let full = Count { level: meter.capacity, before: 0.0, at: now };
            Some(meter.wait(full, self.cost, now))
        });
        let (wait, told) = (wait.unwrap_or(SECOND), reply.quota);
        Some(Exceeded { limit: limit_at, rate, wait, mode, why: Why::Rate, told })
    }
}

/// The finding that stands for a limit that is exceeded.
pub fn finding(exceeded: &Exceeded) -> Finding {
    let code = match exceeded.why {
        Why::Rate => FindingCode::LimitExceeded,
        Why::Unnamed => FindingCode::CallerUnnamed,
        Why::Uncounted => FindingCode::LimitUncounted,
    };
    Finding { limit: Some(exceeded.limit), ..Finding::new(code, Position::Message) }
}

/// A rate among those of its limit: `60s`, `day`, `concurrent`.
#[cold]
pub fn window_name(rate: &LimitRate) -> String {
    let window = rate.window.get();
    match RateKind::from_code(rate.kind) {
        Some(RateKind::Concurrency) => "concurrent".to_string(),
        Some(RateKind::Quota) => match Period::from_code(rate.period) {
            Some(Period::Hour) => "hour",
            Some(Period::Week) => "week",
            Some(Period::Month) => "month",
            _ => "day",
        }
        .to_string(),
        _ if window.is_multiple_of(SECOND) => (window / SECOND).to_string() + "s",
        _ => (window / 1_000_000).to_string() + "ms",
    }
}

/// How the service is told who is counted. What names the caller is the label of the way that names it, U+0000, and the
/// value, or a name alone for all whom nothing names.
#[cold]
pub(super) fn caller(service: &LimitService, named: &[u8], key: [u64; 2]) -> String {
    let plain = (service.callers == CallerForm::Value.code()).then(|| plain(named)).flatten();
    plain.unwrap_or_else(|| {
        let [first, second] = sip(key, named);
        let hash = u128::from(first) << 64 | u128::from(second);
        let digit = |at: u32| char::from_digit((hash >> (at * 4)) as u32 & 0xF, 16);
        (0..32).rev().filter_map(digit).collect()
    })
}

/// `header.x-key=abc`, where that is short and visible.
#[cold]
fn plain(named: &[u8]) -> Option<String> {
    let end = named.iter().position(|&byte| byte == 0);
    let (label, value) = named.split_at(end.unwrap_or(named.len()));
    let label = core::str::from_utf8(label).ok()?;
    let value = value.get(1..).unwrap_or_default();
    let is_address = label == "address" || label.starts_with("address/");
    let value = match (is_address, value.len()) {
        (true, 4) => IpAddr::from(*value.first_chunk::<4>()?).to_string(),
        (true, 16) => IpAddr::from(*value.first_chunk::<16>()?).to_string(),
        _ => core::str::from_utf8(value).ok()?.to_string(),
    };
    let is_visible = |c: char| !c.is_control();
    (value.len() <= LONGEST && value.chars().all(is_visible)).then(|| [label, "=", &value].concat())
}

#[cold]
fn entry(to: &mut Vec<u8>, key: &str, value: &str) {
    let mut entry = Vec::with_capacity(key.len() + value.len() + 8);
    bytes(&mut entry, 1, key.as_bytes());
    bytes(&mut entry, 2, value.as_bytes());
    bytes(to, 1, &entry);
}

/// A field of length and bytes.
#[cold]
fn bytes(to: &mut Vec<u8>, field: u8, value: &[u8]) {
    to.push(field << 3 | 2);
    varint(to, value.len() as u64);
    to.extend_from_slice(value);
}

/// A field that is a number.
fn number(to: &mut Vec<u8>, field: u8, value: u64) {
    to.push(field << 3);
    varint(to, value);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value > 0x7F {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Envoy's `GrpcService` for one of its clusters, as bytes that are text too: the name has 120 bytes at most.
#[cold]
pub fn grpc_service(cluster: &str) -> Option<String> {
    let cluster = cluster.as_bytes().get(..cluster.len().min(121)).filter(|it| it.len() <= 120)?;
    let (mut envoy, mut service) = (Vec::new(), Vec::new());
    bytes(&mut envoy, 1, cluster);
    bytes(&mut service, 1, &envoy);
    String::from_utf8(service).ok()
}

impl Reply {
    /// Reads a `RateLimitResponse`. `None` where the bytes are none, or say neither yes nor no.
    #[cold]
    pub fn read(message: &[u8]) -> Option<Reply> {
        let mut reply = Reply::default();
        let (mut code, mut statuses) = (0, 0);
        let mut rest = message;
        while let Some(field) = Field::next(&mut rest)? {
            match field {
                Field { number: 1, value: Value::Number(value) } => code = value,
                // One descriptor, one status.
                Field { number: 2, value: Value::Bytes(status) } if statuses == 0 => {
                    statuses = 1;
                    reply.read_status(status)?;
                }
                _ => {}
            }
        }
        reply.over = code == 2;
        matches!(code, 1 | 2).then_some(reply)
    }

    #[cold]
    fn read_status(&mut self, mut rest: &[u8]) -> Option<()> {
        while let Some(field) = Field::next(&mut rest)? {
            match field {
                Field { number: 2, value: Value::Bytes(limit) } => self.quota = quota(limit)?,
                Field { number: 4, value: Value::Bytes(time) } => self.wait = duration(time)?,
                _ => {}
            }
        }
        Some(())
    }
}

/// A `RateLimitResponse.RateLimit`; within, `None` where it allows nothing or has no unit.
#[cold]
fn quota(mut rest: &[u8]) -> Option<Option<Quota>> {
    let (mut amount, mut unit) = (0, 0);
    while let Some(field) = Field::next(&mut rest)? {
        match field {
            Field { number: 1, value: Value::Number(value) } => amount = value,
            Field { number: 2, value: Value::Number(value) } => unit = value,
            _ => {}
        }
    }
    let window = match unit {
        1 => 1,
        2 => 60,
        3 => 3600,
        4 => 86_400,
        7 => 604_800,
        // Months and years differ.
        5 | 6 => 0,
        _ => return Some(None),
    };
    Some(u32::try_from(amount).ok().map(|amount| Quota { amount, window }))
}

/// A `google.protobuf.Duration` in nanoseconds; within, `None` where it is negative or longer than a year and a day.
#[cold]
fn duration(mut rest: &[u8]) -> Option<Option<u64>> {
    let (mut seconds, mut nanos) = (0, 0);
    while let Some(field) = Field::next(&mut rest)? {
        match field {
            Field { number: 1, value: Value::Number(value) } => seconds = value,
            Field { number: 2, value: Value::Number(value) } => nanos = value,
            _ => {}
        }
    }
    let sound = seconds <= 367 * 86_400 && nanos < SECOND;
    Some(sound.then(|| seconds * SECOND + nanos))
}

/// A field of a message.
struct Field<'a> {
    number: u64,
    value: Value<'a>,
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed width, which nothing here asks for.
    Fixed,
}

impl<'a> Field<'a> {
    /// The next field; within, `None` at the end. `None` where the bytes are no field.
    #[cold]
    fn next(rest: &mut &'a [u8]) -> Option<Option<Field<'a>>> {
        if rest.is_empty() {
            return Some(None);
        }
        let key = read_varint(rest)?;
        let value = match key & 7 {
            0 => Value::Number(read_varint(rest)?),
            1 => {
                cut(rest, 8)?;
                Value::Fixed
            }
            2 => {
                let len = read_varint(rest)?;
                Value::Bytes(cut(rest, usize::try_from(len).ok()?)?)
            }
            5 => {
                cut(rest, 4)?;
                Value::Fixed
            }
            _ => return None,
        };
        Some(Some(Field { number: key >> 3, value }))
    }
}

fn cut<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (cut, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(cut)
}

fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for at in 0..10 {
        let byte = *cut(rest, 1)?.first()?;
        value |= u64::from(byte & 0x7F) << (at * 7);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
