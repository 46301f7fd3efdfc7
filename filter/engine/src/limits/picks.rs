//! The values of a JSON body that limits ask for, taken in the pass that judges it.

use crate::access::slice;
use crate::limits::list_of;
use crate::schema::{Place, Scalar, ScalarKind};
use portcullis_bundle::layout::{CallerKind, CostKind, View};

/// Bytes of a value that is kept; a longer one reads as absent.
const LONGEST: usize = 4 << 10;

/// Places that are asked for, and what stands there.
#[derive(Debug, Default)]
pub(crate) struct Picks {
    wanted: Vec<Pick>,
}

#[derive(Debug)]
struct Pick {
    /// JSON pointer.
    pointer: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Picks {
    /// Asks for what the limits of an operation look at; empties the rest.
    pub(crate) fn begin(&mut self, view: &View<'_>, operation: Option<u32>) {
        self.wanted.clear();
        let Some(list) = list_of(view, operation) else { return };
        let (early, count) = (u32::from(list.early.get()), u32::from(list.count.get()));
        let late = count.saturating_sub(early);
        for one in slice(view.limit_uses, list.first.get().saturating_add(early), late) {
            let Some(limit) = view.limits.get(one.limit.get() as usize) else { continue };
            if limit.cost_kind == CostKind::Body.code() {
                self.ask(view.bytes(limit.cost_name));
            }
            let Some(caller) = view.callers.get(limit.caller.get() as usize) else { continue };
            let sources = caller.source_count.get().into();
            for source in slice(view.caller_sources, caller.sources.get(), sources) {
                if source.kind == CallerKind::Body.code() {
                    self.ask(view.bytes(source.name));
                }
            }
        }
    }

    /// Asks for nothing.
    pub(crate) fn clear(&mut self) {
        self.wanted.clear();
    }

    fn ask(&mut self, pointer: &[u8]) {
        if self.wanted.iter().all(|known| known.pointer != pointer) {
            self.wanted.push(Pick { pointer: pointer.to_vec(), value: None });
        }
    }

    /// Whether anything is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Takes a scalar, if it stands where one is asked for.
    pub(crate) fn take(&mut self, scalar: &Scalar<'_>, place: &Place<'_>) {
        if matches!(scalar.kind, ScalarKind::Name | ScalarKind::Null) || scalar.text.len() > LONGEST
        {
            return;
        }
        if self.wanted.iter().any(|pick| pick.value.is_none()) {
            let is_number = scalar.kind == ScalarKind::Number;
            let plain = is_number.then(|| plain(scalar.text));
            if let Some(text) = plain.as_ref().map_or(Some(scalar.text), Option::as_deref) {
                self.put(place.pointer().as_bytes(), text);
            }
        }
    }

    /// Takes a field of a form, which may be a number as well as a text.
    pub(crate) fn field(&mut self, pointer: &[u8], text: &[u8]) {
        if self.wanted.iter().any(|pick| pick.value.is_none()) && text.len() <= LONGEST {
            let plain = plain(text);
            self.put(pointer, plain.as_deref().unwrap_or(text));
        }
    }

    /// Takes what stands at a pointer.
    fn put(&mut self, pointer: &[u8], text: &[u8]) {
        let asked = self.wanted.iter_mut().find(|pick| pick.pointer == pointer);
        if let Some(pick) = asked.filter(|pick| pick.value.is_none() && text.len() <= LONGEST) {
            pick.value = Some(text.to_vec());
        }
    }

    /// What stands at a pointer.
    pub(crate) fn get(&self, pointer: &[u8]) -> Option<&[u8]> {
        self.wanted.iter().find(|pick| pick.pointer == pointer)?.value.as_deref()
    }
}

/// A JSON number as all its spellings read: `1.20e1`, `12.0` and `12` are `12`. `None` where the text is none, or would be
/// too long.
fn plain(text: &[u8]) -> Option<Vec<u8>> {
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
    let (mantissa, power) = text.split_at_checked(end)?;
    let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let (whole, fraction) = mantissa.split_at_checked(point)?;
    let digits: Vec<u8> = whole.iter().chain(fraction.iter().skip(1)).copied().collect();
    let is_whole = matches!(whole, [b'0'] | [b'1'..=b'9', ..]) && fraction.len() != 1;
    if !is_whole || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    let last = digits.iter().rposition(|&digit| digit != b'0').map_or(zeros, |at| at + 1);
    let digits = digits.get(zeros..last)?;
    // Where the point stands among the digits.
    let point = (whole.len() as i64 - zeros as i64).saturating_add(exponent(power)?);
    if digits.is_empty() {
        return Some(b"0".to_vec());
    }
    if point.unsigned_abs() > LONGEST as u64 {
        return None;
    }
    let before = usize::try_from(-point).unwrap_or(0);
    let after = usize::try_from(point).unwrap_or(0).saturating_sub(digits.len());
    let mut plain = Vec::with_capacity(digits.len() + before + after + 3);
    plain.extend(negative.then_some(b'-'));
    let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0).min(digits.len()));
    plain.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    plain.extend(core::iter::repeat_n(b'0', after));
    if !fraction.is_empty() {
        plain.push(b'.');
        plain.extend(core::iter::repeat_n(b'0', before));
        plain.extend_from_slice(fraction);
    }
    (plain.len() <= LONGEST).then_some(plain)
}

/// What `e+12` says; nothing is no power of ten.
fn exponent(text: &[u8]) -> Option<i64> {
    let Some((_, text)) = text.split_first() else { return Some(0) };
    let (sign, digits) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        _ => (1, text),
    };
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let add = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add((digit & 0xF).into());
    // Far beyond what is kept, and far from what overflows.
    is_number.then(|| sign * digits.iter().fold(0, add).min(1 << 40))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, plain};

    #[test]
    fn a_number_reads_as_one_however_it_is_spelled() {
        let one = |text: &str| plain(text.as_bytes()).map(|it| String::from_utf8(it).unwrap());
        for text in ["12345", "12345.0", "12345.000", "1.2345e4", "1234500e-2", "0.00012345E+8"] {
            assert_eq!(one(text).as_deref(), Some("12345"), "{text}");
        }
        for text in ["0", "-0", "0.0", "-0e9", "0e-999999999999999999999999"] {
            assert_eq!(one(text).as_deref(), Some("0"), "{text}");
        }
        let rest = [
            ("-1.50", "-1.5"),
            ("1e3", "1000"),
            ("100", "100"),
            ("1200e-4", "0.12"),
            ("5e-3", "0.005"),
            ("-12.05e1", "-120.5"),
        ];
        for (text, plain) in rest {
            assert_eq!(one(text).as_deref(), Some(plain), "{text}");
        }
        // Texts, and numbers of more digits than are kept.
        let texts = ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x1", "1 ", "alice", "1e4096"];
        for text in texts.into_iter().chain(["1e-5000", "9e99999999999999999999"]) {
            assert_eq!(one(text), None, "{text}");
        }
        assert_eq!(one("1e4095").map(|it| it.len()), Some(LONGEST));
    }
}
