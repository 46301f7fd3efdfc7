//! Who is calling: the first of a caller's names that a request has, hashed.

use super::{LimitEvent, Picks, Surroundings};
use crate::access::slice;
use crate::params::cookie;
use crate::percent::unit;
use crate::security::query_values;
use core::net::IpAddr;
use portcullis_bundle::layout::{Caller, CallerKind, CallerSource, MissingCaller, View};
use siphasher::sip128::SipHasher24;

/// What a request says of its caller.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub headers: &'a [(&'a [u8], &'a [u8])],
    pub query: &'a [u8],
    pub client: Option<IpAddr>,
    pub body: Option<&'a Picks>,
}

/// Who a request is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// The caller of this hash.
    As(u64),
    /// Nobody: the limit does not hold.
    Nobody,
    /// Nobody, and so it is refused.
    Refused,
}

/// Names a caller. What is hashed is left in `spelled`.
pub(crate) fn name(
    view: &View<'_>,
    caller: &Caller,
    asked: &Asked<'_>,
    around: &dyn Surroundings,
    spelled: &mut Vec<u8>,
) -> Named {
    let sources =
        slice(view.caller_sources, caller.sources.get(), caller.source_count.get().into());
    for source in sources {
        spelled.clear();
        if take(spelled, view, source, asked, around) {
            return Named::As(hash(spelled, around));
        }
    }
    around.note(LimitEvent::Unnamed);
    match MissingCaller::from_code(caller.missing) {
        Some(MissingCaller::Skip) => Named::Nobody,
        Some(MissingCaller::Refuse) => Named::Refused,
        _ => {
            spelled.clear();
            spelled.extend_from_slice(view.bytes(caller.name));
            Named::As(hash(spelled, around))
        }
    }
}

/// A hash by the table's key (SipHash-2-4, with 64 bits); zero is nobody's.
fn hash(spelled: &[u8], around: &dyn Surroundings) -> u64 {
    let [first, second] = around.key();
    siphasher::sip::SipHasher24::new_with_keys(first, second).hash(spelled).max(1)
}

/// SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012).
#[cold]
pub(super) fn sip(key: [u64; 2], bytes: &[u8]) -> [u64; 2] {
    let [first, second] = key;
    let hash = SipHasher24::new_with_keys(first, second).hash(bytes);
    [hash.h1, hash.h2]
}

/// Takes what a source says, behind what names the source. False where it says nothing.
fn take(
    spelled: &mut Vec<u8>,
    view: &View<'_>,
    source: &CallerSource,
    asked: &Asked<'_>,
    around: &dyn Surroundings,
) -> bool {
    let name = view.bytes(source.name);
    spelled.extend_from_slice(view.bytes(source.label));
    spelled.push(0);
    let mut write = |value: Option<&[u8]>| match value {
        Some(value) if !value.is_empty() => {
            spelled.extend_from_slice(value);
            true
        }
        _ => false,
    };
    match CallerKind::from_code(source.kind) {
        Some(CallerKind::Header) => {
            let values = asked.headers.iter().filter(|(known, _)| *known == name);
            write(once(values.map(|(_, value)| value.trim_ascii())))
        }
        // Decoded, since the same value can be sent in many ways.
        Some(CallerKind::Query) => {
            let decoded = once(query_values(asked.query, name)).map(decode);
            write(decoded.as_deref())
        }
        Some(CallerKind::Cookie) => write(once(cookie::values(asked.headers, name))),
        Some(CallerKind::Property) => {
            let path = view.text(source.name);
            write(around.property(path).as_deref())
        }
        Some(CallerKind::Address) => match trusted(view, asked, around) {
            Some(IpAddr::V4(address)) => {
                let bits = u32::from(address) & mask(32, source.v4_bits) as u32;
                write(Some(&bits.to_be_bytes()))
            }
            Some(IpAddr::V6(address)) => {
                let bits = u128::from(address) & mask(128, source.v6_bits);
                write(Some(&bits.to_be_bytes()))
            }
            None => false,
        },
        Some(CallerKind::Body) => write(asked.body.and_then(|body| body.get(name))),
        None => false,
    }
}

/// The client's address. Takes note of one that is not from whom the policy trusts: where Envoy appends the address
/// that a request comes from to `x-forwarded-for` (`use_remote_address`), as it must, the client's stands so many places
/// before the end as there are trusted proxies.
fn trusted(view: &View<'_>, asked: &Asked<'_>, around: &dyn Surroundings) -> Option<IpAddr> {
    let client = asked.client.or_else(|| peer(around)).map(|it| it.to_canonical());
    let hops = view.limit_tables.first().map_or(0, |table| table.trusted_hops);
    let mut fields = asked.headers.iter().filter(|(name, _)| *name == b"x-forwarded-for");
    let last = fields.next_back().map(|(_, value)| *value);
    // Of a peer on its own host Envoy appends another of its addresses.
    if hops == 0 && last.is_some() && client.is_some_and(|client| client.is_loopback()) {
        return client;
    }
    let last = last.unwrap_or_default();
    let named = last.rsplit(|&byte| byte == b',').nth(hops.into());
    let named = named.and_then(|text| core::str::from_utf8(text.trim_ascii()).ok()?.parse().ok());
    if named.map(|it: IpAddr| it.to_canonical()) != client {
        around.note(LimitEvent::AddressUntrusted);
    }
    client
}

/// The client's address, where nothing else has asked for it yet.
fn peer(around: &dyn Surroundings) -> Option<IpAddr> {
    let value = around.property("source\0address")?;
    let text = core::str::from_utf8(&value).ok()?;
    text.parse::<core::net::SocketAddr>().ok().map(|address| address.ip())
}

/// The only value: what is sent twice may be read differently behind the gateway, and names nobody.
pub(super) fn once<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// The first bits of so many.
fn mask(of: u32, bits: u8) -> u128 {
    let rest = of.saturating_sub(bits.into());
    u128::MAX.checked_shl(rest).unwrap_or(0)
}

/// What a text of a query says (application/x-www-form-urlencoded).
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some((byte, len)) = unit(text, at) {
        decoded.push(if byte == b'+' && len == 1 { b' ' } else { byte });
        at += len;
    }
    decoded
}
