//! Tokens: what the tokenizer makes, and what folding puts together.

/// What a token is. The value is the letter that it has in a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// No token.
    None = 0,
    /// A keyword without a kind of its own.
    Keyword = b'k',
    /// `UNION` and the like.
    Union = b'U',
    /// `GROUP BY`, `LIMIT`, `HAVING`, `ORDER BY`.
    Group = b'B',
    /// What begins a statement: `SELECT`, `INSERT`, …
    Expression = b'E',
    /// The name of a type.
    SqlType = b't',
    /// The name of a function.
    Function = b'f',
    /// A word without a meaning.
    Bareword = b'n',
    /// A number.
    Number = b'1',
    /// A variable: `@x`.
    Variable = b'v',
    /// A string.
    String = b's',
    /// An operator.
    Operator = b'o',
    /// `AND`, `OR`, `&&`, `||`.
    Logic = b'&',
    /// A comment.
    Comment = b'c',
    /// `COLLATE`.
    Collate = b'A',
    /// `(`
    LeftParenthesis = b'(',
    /// `)`
    RightParenthesis = b')',
    /// `{`
    LeftBrace = b'{',
    /// `}`
    RightBrace = b'}',
    /// `.`
    Dot = b'.',
    /// `,`
    Comma = b',',
    /// `:`
    Colon = b':',
    /// `;`
    Semicolon = b';',
    /// What begins a statement of Transact-SQL.
    Tsql = b'T',
    /// A byte that no grammar has.
    Unknown = b'?',
    /// What databases read differently: always an attack.
    Evil = b'X',
    /// `\`
    Backslash = b'\\',
}

impl Kind {
    /// The kind of a word by its letter in the table of words.
    pub fn of_word(letter: u8) -> Option<Self> {
        Some(match letter {
            b'k' => Self::Keyword,
            b'U' => Self::Union,
            b'B' => Self::Group,
            b'E' => Self::Expression,
            b't' => Self::SqlType,
            b'f' => Self::Function,
            b'n' => Self::Bareword,
            b'1' => Self::Number,
            b'v' => Self::Variable,
            b'o' => Self::Operator,
            b'&' => Self::Logic,
            b'A' => Self::Collate,
            b'T' => Self::Tsql,
            _ => return None,
        })
    }

    /// The letter in a fingerprint.
    pub fn letter(self) -> u8 {
        self as u8
    }
}

/// A token keeps this many bytes of its text; the rest is never looked at.
pub const LONGEST: usize = 31;

/// A piece of the value.
#[derive(Clone, Copy, Debug)]
pub struct Token<'v> {
    /// What it is.
    pub kind: Kind,
    /// At most [`LONGEST`] bytes, without quotes; of merged words, their entry in the table.
    pub text: &'v [u8],
    /// The quote that opened a string, 0 where the value was put between quotes.
    pub open: u8,
    /// The quote that closed a string, 0 where nothing did.
    pub close: u8,
}

impl<'v> Token<'v> {
    /// No token.
    pub const NONE: Self = Self { kind: Kind::None, text: b"", open: 0, close: 0 };

    /// A token without quotes; its text is cut to [`LONGEST`] bytes.
    pub fn new(kind: Kind, text: &'v [u8]) -> Self {
        Self { kind, text: crate::bytes::first(text, LONGEST), open: 0, close: 0 }
    }

    /// Whether the text is this word, whatever the case of its letters.
    pub fn is_word(&self, upper: &[u8]) -> bool {
        self.text.eq_ignore_ascii_case(upper)
    }

    /// Whether the text is one of these words.
    pub fn is_any_word(&self, upper: &[&[u8]]) -> bool {
        upper.iter().any(|word| self.is_word(word))
    }

    /// `+`, `-`, `!`, `~`, `!!` and `NOT`.
    pub fn is_unary(&self) -> bool {
        self.kind == Kind::Operator
            && (matches!(self.text, [b'+' | b'-' | b'!' | b'~'] | b"!!") || self.is_word(b"NOT"))
    }

    /// `*`, `/`, `-`, `+` and `%`.
    pub fn is_arithmetic(&self) -> bool {
        self.kind == Kind::Operator && matches!(self.text, [b'*' | b'/' | b'-' | b'+' | b'%'])
    }
}
