//! JSON Web Tokens whose header is an attack (RFC 8725; RFC 7515, section 4.1).

use crate::attack::tap::Tap;
use crate::schema::{FaultKind, Limits, Scalar, ScalarKind, Validator};
use crate::security::decode_base64;
use portcullis_bundle::layout::{
    NONE, SCHEMA_ANY, TOKEN_ALG_NONE, TOKEN_OWN_KEY, TOKEN_REMOTE_KEY, TOKEN_UNSAFE_KID,
    TokenCheck, View,
};

/// Bytes of a token's header as sent that are read, at most: a longer one is no header that servers take.
const MAX_HEADER: usize = 8 << 10;

/// Tokens that are read of one text, at most.
const MAX_TOKENS: usize = 8;

/// What headers may take: they are flat but for a key.
const LIMITS: Limits =
    Limits { depth: 8, string: 8 << 10, properties: 64, items: 64, digits: 32, steps: 8 << 10 };

/// What the tokens of a text are like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    /// `TOKEN_*` bits of all headers.
    flags: u8,
    /// Bytes of the longest token.
    longest: usize,
}

impl Tokens {
    /// Whether one of them is what a check looks for.
    pub(super) fn are_attack(self, check: &TokenCheck) -> bool {
        let max = check.max_len.get();
        max != NONE && self.longest > max as usize || self.flags & check.flags != 0
    }

    /// Reads the tokens of a text.
    pub(super) fn of(
        view: &View<'_>,
        text: &[u8],
        validator: &mut Validator,
        buffer: &mut Vec<u8>,
    ) -> Self {
        let mut all = Tokens::default();
        for token in tokens(text).take(MAX_TOKENS) {
            if let Some(flags) = header_flags(view, token, validator, buffer) {
                all.flags |= flags;
                all.longest = all.longest.max(token.len());
            }
        }
        all
    }
}

/// `TOKEN_*` bits of a token's header; `None` where that is none.
fn header_flags(
    view: &View<'_>,
    token: &[u8],
    validator: &mut Validator,
    buffer: &mut Vec<u8>,
) -> Option<u8> {
    let header = token.split(|&byte| byte == b'.').next().unwrap_or_default();
    if header.len() > MAX_HEADER {
        return None;
    }
    let header = header.strip_suffix(b"==").or(header.strip_suffix(b"=")).unwrap_or(header);
    if !decode_base64(header, *b"-_", buffer) || buffer.trim_ascii().first() != Some(&b'{') {
        return None;
    }
    let mut found = Header::default();
    // What stands before a fault has been read.
    let judged = validator.validate(view, SCHEMA_ANY, LIMITS, buffer, &mut Tap::Token(&mut found));
    let twice = judged.is_err_and(|fault| fault.kind == FaultKind::DuplicateName);
    let unsigned = token.splitn(4, |&byte| byte == b'.').skip(2).eq([&b""[..]]);
    Some(found.flags(twice, unsigned))
}

/// The words of a text that may be tokens: they hold a `.`, and begin as base64 of `{`, or of white space, begins.
fn tokens(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_outside = |byte: &u8| !is_of_token(*byte);
    let mut rest = text;
    core::iter::from_fn(move || {
        loop {
            let (before, after) = rest.split_at_checked(rest.iter().position(|&it| it == b'.')?)?;
            // `=` pads a header, or stands before a token: `access_token=ey…`.
            let padded = before.iter().rposition(|&it| it != b'=').unwrap_or(0);
            let header = before.get(..padded)?;
            let begin = header.iter().rposition(|it| is_outside(it) || *it == b'=');
            let begin = begin.map_or(0, |at| at.saturating_add(1));
            let length = after.iter().position(is_outside).unwrap_or(after.len());
            let token = rest.get(begin..before.len().saturating_add(length))?;
            rest = after.get(length.max(1)..)?;
            if matches!(token.first(), Some(b'e' | b'I' | b'C' | b'D')) {
                return Some(token);
            }
        }
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Name {
    Alg,
    Kid,
    Typ,
    #[default]
    Other,
}

/// What kind of token `typ` says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    Token,
    /// Of possession of a key, which it has to bring (RFC 9449; OpenID4VCI, section 8.2.1.1).
    Proof,
    #[default]
    Other,
}

/// Reads the names and values of a header.
#[derive(Debug, Default)]
pub(crate) struct Header {
    flags: u8,
    name: Name,
    kind: Kind,
    has_alg: bool,
    /// It has `jwk`.
    has_key: bool,
    /// It has `jku` or `x5u`.
    names_key: bool,
    /// It has `x5c`.
    has_certificate: bool,
}

impl Header {
    /// Takes the next name or value.
    pub(crate) fn scalar(&mut self, scalar: &Scalar<'_>) {
        let text = scalar.text.trim_ascii();
        if scalar.kind != ScalarKind::Name {
            let is_text = scalar.kind == ScalarKind::String;
            match self.name {
                Name::Alg if !is_text || text.is_empty() || text.eq_ignore_ascii_case(b"none") => {
                    self.flags |= TOKEN_ALG_NONE;
                }
                Name::Kid if is_unsafe(scalar.text) => self.flags |= TOKEN_UNSAFE_KID,
                Name::Typ => self.kind = kind(text),
                _ => {}
            }
            self.name = Name::Other;
            return;
        }
        self.name = match scalar.text {
            b"alg" => Name::Alg,
            b"kid" => Name::Kid,
            b"typ" => Name::Typ,
            _ => Name::Other,
        };
        match scalar.text {
            b"alg" => self.has_alg = true,
            b"jwk" => self.has_key = true,
            b"jku" | b"x5u" => self.names_key = true,
            b"x5c" => self.has_certificate = true,
            _ => {}
        }
    }

    /// `TOKEN_*` bits of the whole: whether a name comes twice and whether the signature is empty is said from outside.
    fn flags(&self, twice: bool, unsigned: bool) -> u8 {
        let is_token = self.kind == Kind::Token;
        let key = self.has_key && self.kind != Kind::Proof || self.names_key;
        let mut flags = self.flags;
        let mut add = |bit, holds| flags |= if holds { bit } else { 0 };
        // A token without `alg` cannot be told from other texts of three parts but by its `typ`.
        let unverified = if self.has_alg { twice || unsigned } else { is_token };
        add(TOKEN_ALG_NONE, unverified);
        add(TOKEN_REMOTE_KEY, key || self.has_certificate);
        add(TOKEN_OWN_KEY, key && is_token);
        flags
    }
}

fn kind(typ: &[u8]) -> Kind {
    let is = |known: &[u8]| typ.eq_ignore_ascii_case(known);
    if is(b"JWT") || is(b"at+jwt") {
        Kind::Token
    } else if is(b"dpop+jwt") || is(b"openid4vci-proof+jwt") {
        Kind::Proof
    } else {
        Kind::Other
    }
}

/// Whether a key's name could mean something to a file system, a database or a shell.
fn is_unsafe(kid: &[u8]) -> bool {
    let holds = |part: &[u8]| kid.windows(part.len()).any(|window| window == part);
    kid.iter().any(|byte| b"'\"`;|&$<>\\\0\n\r".contains(byte))
        || [&b"../"[..], b"--", b"/*", b"://", b"%00", b"{{"].into_iter().any(holds)
        || kid.first() == Some(&b'/')
}
