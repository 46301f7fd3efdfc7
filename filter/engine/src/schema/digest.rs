//! Digests of values, equal for equal values (JSON Schema 2020-12 core, section 4.2.2), for `uniqueItems`.
//!
//! 64 bits: values that differ collide by chance once in 2⁶⁴ pairs, and a client that makes its own values
//! collide has only its own request refused. Equal values never pass.

use super::check::Value;
use super::number::Number;

/// The digest of a scalar.
pub(super) fn scalar(value: &Value<'_>) -> u64 {
    match value {
        Value::Null => 0x6E75_6C6C,
        Value::Boolean(true) => 0x7472_7565,
        Value::Boolean(false) => 0x6661_6C73,
        Value::Number(number) => self::number(number),
        Value::String(text, _) => pair(3, self::text(text)),
    }
}

/// The digest of an array or object from what was gathered of its parts.
pub(super) fn container(object: bool, count: u32, gathered: u64) -> u64 {
    let kind = if object { 5 } else { 4 };
    pair(kind | u64::from(count) << 8, gathered)
}

/// A digest of two, in this order.
pub(super) fn pair(left: u64, right: u64) -> u64 {
    let mixed = (left ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(31);
    let mixed = (mixed ^ right).wrapping_mul(0xE703_7ED1_A0B4_28DB);
    (mixed ^ mixed >> 32).wrapping_mul(0xA076_1D64_78BD_642F) ^ mixed >> 29
}

/// The digest of bytes.
pub(super) fn text(text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let digest = words.iter().fold(text.len() as u64, |digest, word| {
        let mixed = (digest ^ u64::from_le_bytes(*word)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^ mixed >> 32
    });
    pair(digest, rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

fn number(number: &Number<'_>) -> u64 {
    let Some(exact) = number.exact() else { return 2 };
    let sign = if exact.is_negative() { 1 } else { 0 };
    let digits = exact.digits().fold(sign, |digest, digit| pair(digest, u64::from(digit)));
    pair(digits, exact.exponent() as u64)
}
