//! Punycode: RFC 3492, sections 5 and 6, for labels of host names.

/// Code points of a label, at most: its octets in encoded form, where each code point takes one at least.
pub(super) const MOST: usize = 63;

/// The code points of a label.
#[derive(Clone, Copy)]
pub(super) struct Label {
    chars: [u32; MOST],
    len: usize,
}

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 0x80;

impl Label {
    /// No code point.
    pub fn new() -> Self {
        Label { chars: [0; MOST], len: 0 }
    }

    /// Adds a code point; `None` where there is no room.
    pub fn push(&mut self, scalar: u32) -> Option<()> {
        *self.chars.get_mut(self.len)? = scalar;
        self.len += 1;
        Some(())
    }

    /// The code points.
    pub fn chars(&self) -> &[u32] {
        self.chars.get(..self.len).unwrap_or_default()
    }

    fn insert(&mut self, at: usize, scalar: u32) -> Option<()> {
        self.push(scalar)?;
        self.chars.get_mut(at..self.len)?.rotate_right(1);
        Some(())
    }
}

/// What a text without its prefix encodes (section 6.2); `None` where it is no Punycode or too long.
pub(super) fn decode(text: &[u32]) -> Option<Label> {
    let mut label = Label::new();
    let delimiter = text.iter().rposition(|&c| c == u32::from(b'-'));
    let mut digits = text.iter();
    if let Some(end) = delimiter {
        for &c in text.get(..end)? {
            label.push(lower(c))?;
        }
        digits = text.get(end.checked_add(1)?..)?.iter();
    }
    let (mut n, mut i, mut bias) = (INITIAL_N, 0_u32, INITIAL_BIAS);
    while !digits.as_slice().is_empty() {
        let before = i;
        let (mut weight, mut k) = (1_u32, BASE);
        loop {
            let digit = digit(*digits.next()?)?;
            i = i.checked_add(digit.checked_mul(weight)?)?;
            let threshold = threshold(k, bias);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            k = k.checked_add(BASE)?;
        }
        let points = label.len as u32 + 1;
        bias = adapt(i - before, points, before == 0);
        n = n.checked_add(i / points)?;
        i %= points;
        char::from_u32(n)?;
        label.insert(i as usize, n)?;
        i += 1;
    }
    Some(label)
}

/// Calls back with the bytes that encode code points, without a prefix (section 6.3). `None` where a
/// difference grows out of bounds.
pub(super) fn encode(chars: &[u32], mut each: impl FnMut(u8)) -> Option<()> {
    let basic = chars.iter().filter(|&&c| c < INITIAL_N);
    let basics = basic.clone().count() as u32;
    basic.for_each(|&c| each(c as u8));
    if basics > 0 {
        each(b'-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (INITIAL_N, 0_u32, INITIAL_BIAS, basics);
    while (handled as usize) < chars.len() {
        let next = chars.iter().copied().filter(|&c| c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for &c in chars {
            if c < n {
                delta = delta.checked_add(1)?;
            } else if c == n {
                let (mut q, mut k) = (delta, BASE);
                loop {
                    let threshold = threshold(k, bias);
                    if q < threshold {
                        break;
                    }
                    each(letter(threshold + (q - threshold) % (BASE - threshold)));
                    q = (q - threshold) / (BASE - threshold);
                    k += BASE;
                }
                each(letter(q));
                bias = adapt(delta, handled + 1, handled == basics);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(())
}

/// Upper-case ASCII letters to lower case.
pub(super) fn lower(c: u32) -> u32 {
    if (u32::from(b'A')..=u32::from(b'Z')).contains(&c) { c | 0x20 } else { c }
}

fn threshold(k: u32, bias: u32) -> u32 {
    k.saturating_sub(bias).clamp(T_MIN, T_MAX)
}

fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let delta = if first { delta / DAMP } else { delta / 2 };
    let mut delta = delta + delta / points.max(1);
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

fn digit(c: u32) -> Option<u32> {
    match u8::try_from(lower(c)).ok()? {
        letter @ b'a'..=b'z' => Some(u32::from(letter - b'a')),
        digit @ b'0'..=b'9' => Some(u32::from(digit - b'0') + 26),
        _ => None,
    }
}

fn letter(digit: u32) -> u8 {
    let digit = digit as u8;
    if digit < 26 { digit + b'a' } else { digit - 26 + b'0' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        let text: Vec<u32> = text.bytes().map(u32::from).collect();
        decode(&text)?.chars().iter().map(|&c| char::from_u32(c)).collect()
    }

    fn encoded(text: &str) -> String {
        let chars: Vec<u32> = text.chars().map(u32::from).collect();
        let mut out = String::new();
        encode(&chars, |byte| out.push(char::from(byte))).unwrap();
        out
    }

    #[test]
    fn both_ways() {
        // RFC 3492, section 7.1, and others.
        for (text, code) in [
            ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("Pročprostěnemluvíčesky", "Proprostnemluvesky-uyb24dma41a"),
            ("3年B組金八先生", "3B-ww4c5e180e575a65lsy2b"),
            ("bücher", "bcher-kva"),
            ("ü", "tda"),
            ("실례", "9n2bp8q"),
        ] {
            assert_eq!(encoded(text), code, "{text}");
            assert_eq!(decoded(code).as_deref(), Some(text.to_ascii_lowercase().as_str()));
        }
        assert_eq!(decoded("BCHER-KVA").as_deref(), Some("bücher"));
        for code in ["x", "bcher-kv", "99999999", "a-é", "a-b_", &"9".repeat(63), &"a".repeat(64)]
        {
            assert_eq!(decoded(code), None, "{code}");
        }
        assert_eq!(decoded("-").as_deref(), Some(""));
        assert_eq!(decoded(&"a".repeat(63)).map(|text| text.chars().count()), Some(63));
    }
}
