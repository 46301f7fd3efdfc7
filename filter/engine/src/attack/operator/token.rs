//! JSON Web Tokens whose header is an attack (RFC 8725; RFC 7515, section 4.1).

use crate::attack::tap::Tap;
use crate::schema::{Limits, Scalar, ScalarKind, Validator};
use crate::security::decode_base64;
use portcullis_bundle::layout::{
    NONE, SCHEMA_ANY, TOKEN_ALG_NONE, TOKEN_REMOTE_KEY, TOKEN_UNSAFE_KID, TokenCheck, View,
};

/// Bytes of a token's header as sent that are read, at most: a longer one is no header that servers take.
const MAX_HEADER: usize = 8 << 10;

/// Tokens that are read of one text, at most.
const MAX_TOKENS: usize = 8;

/// What headers may take: they are flat but for a key.
const LIMITS: Limits =
    Limits { depth: 8, string: 8 << 10, properties: 64, items: 64, digits: 32, steps: 8 << 10 };

/// Whether a text holds a token whose header is an attack.
pub(super) fn is_attack(
    view: &View<'_>,
    check: &TokenCheck,
    text: &[u8],
    validator: &mut Validator,
    buffer: &mut Vec<u8>,
) -> bool {
    let headers = text.split(|byte| !is_of_token(*byte)).filter_map(|token| {
        // Before `{` white space may stand: that is what the first bytes of a header can be.
        let begins = matches!(token.first(), Some(b'e' | b'I' | b'C' | b'D'));
        let dot = token.iter().position(|byte| begins && *byte == b'.')?;
        Some((token.get(..dot)?, token))
    });
    headers.take(MAX_TOKENS).any(|(header, token)| {
        if header.is_empty() || header.len() > MAX_HEADER {
            return false;
        }
        let header = header.strip_suffix(b"==").or(header.strip_suffix(b"=")).unwrap_or(header);
        if !decode_base64(header, *b"-_", buffer) || buffer.trim_ascii().first() != Some(&b'{') {
            return false;
        }
        if check.max_len.get() != NONE && token.len() > check.max_len.get() as usize {
            return true;
        }
        let mut found = Header { flags: 0, name: Name::Other };
        // What stands before a fault has been read.
        let _ = validator.validate(view, SCHEMA_ANY, LIMITS, buffer, &mut Tap::Token(&mut found));
        found.flags & check.flags != 0
    })
}

/// Whether a byte may be one of a token.
fn is_of_token(byte: u8) -> bool {
    OF_TOKEN.get(usize::from(byte)) == Some(&true)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const OF_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        table[byte] = letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'.' | b'=');
        byte += 1;
    }
    table
};

/// The name that a value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Alg,
    Kid,
    Other,
}

/// Reads the names and values of a header.
#[derive(Debug)]
pub(crate) struct Header {
    flags: u8,
    name: Name,
}

impl Header {
    /// Takes the next name or value.
    pub(crate) fn scalar(&mut self, scalar: &Scalar<'_>) {
        if scalar.kind != ScalarKind::Name {
            self.flags |= match self.name {
                Name::Alg if scalar.text.eq_ignore_ascii_case(b"none") => TOKEN_ALG_NONE,
                Name::Kid if is_unsafe(scalar.text) => TOKEN_UNSAFE_KID,
                _ => 0,
            };
            self.name = Name::Other;
            return;
        }
        self.name = match scalar.text {
            b"alg" => Name::Alg,
            b"kid" => Name::Kid,
            b"jku" | b"x5u" | b"jwk" | b"x5c" => {
                self.flags |= TOKEN_REMOTE_KEY;
                Name::Other
            }
            _ => Name::Other,
        };
    }
}

/// Whether a key's name could mean something to a file system, a database or a shell.
fn is_unsafe(kid: &[u8]) -> bool {
    let holds = |part: &[u8]| kid.windows(part.len()).any(|window| window == part);
    kid.iter().any(|byte| b"'\"`;|&$<>\\\0\n\r".contains(byte))
        || [&b"../"[..], b"--", b"/*", b"://"].into_iter().any(holds)
        || kid.first() == Some(&b'/')
}
