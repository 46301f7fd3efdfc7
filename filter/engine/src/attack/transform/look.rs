//! What a look at each two bytes of a text tells of all transformations at once.

/// Bits of what was seen.
const COMPRESSED: u8 = 1;
const COMMAND: u8 = 2;
const COMMENT: u8 = 4;
const PATH: u8 = 8;
const EDGE: u8 = 16;

/// What some transformations would change in a text. They leave it as it is where they would change nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look(u8);

impl Look {
    /// Looks at a text.
    pub fn at(text: &[u8]) -> Look {
        let (mut seen, mut before) = (0u32, 0u32);
        for &byte in text {
            let own = SIGNS.get(usize::from(byte)).copied().unwrap_or(0);
            seen |= own | before & own >> 8;
            before = own >> 16;
        }
        let is_space = |byte: Option<&u8>| byte.is_some_and(|byte| super::is_space(*byte));
        let edge = is_space(text.first()) || is_space(text.last());
        let dot = text.first() == Some(&b'.');
        let [seen, ..] = seen.to_le_bytes();
        Look(seen | if edge { EDGE } else { 0 } | if dot { PATH } else { 0 })
    }

    /// Whether `compress_whitespace` leaves the text as it is.
    pub(super) fn is_compressed(self) -> bool {
        self.0 & COMPRESSED == 0
    }

    /// Whether `trim` does.
    pub(super) fn is_trimmed(self) -> bool {
        self.0 & EDGE == 0
    }

    /// Whether `replace_comments` does.
    pub(super) fn has_no_comment(self) -> bool {
        self.0 & COMMENT == 0
    }

    /// Whether `normalize_path` and `normalize_path_win` do.
    pub(super) fn is_normal_path(self) -> bool {
        self.0 & PATH == 0
    }

    /// Whether `cmd_line_cased` does.
    pub(super) fn is_command(self) -> bool {
        self.0 & COMMAND == 0
    }
}

/// By byte: what it says by itself, then, a byte higher each, what it says as the second of two, and as the first: a
/// bit that both have is seen.
const SIGNS: [u32; 256] = signs();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn signs() -> [u32; 256] {
    let mut signs = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (alone, second, first) = of(byte as u8);
        signs[byte] = alone as u32 | (second as u32) << 8 | (first as u32) << 16;
        byte += 1;
    }
    signs
}

/// What a byte says by itself, as the second of two, and as the first.
const fn of(byte: u8) -> (u8, u8, u8) {
    match byte {
        b' ' => (0, COMPRESSED | COMMAND, COMPRESSED | COMMAND),
        b'\t' | b'\r' | b'\n' => (COMPRESSED | COMMAND, 0, 0),
        0x0B | 0x0C => (COMPRESSED, 0, 0),
        b'"' | b'\'' | b'^' | b',' | b';' => (COMMAND, 0, 0),
        b'\\' => (COMMAND | PATH, 0, 0),
        b'/' => (0, COMMAND | PATH, COMMENT | PATH),
        b'(' => (0, COMMAND, 0),
        b'*' => (0, COMMENT, 0),
        b'.' => (0, PATH, 0),
        _ => (0, 0, 0),
    }
}
