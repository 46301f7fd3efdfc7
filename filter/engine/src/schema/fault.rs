//! Why a body is refused, and where.

use portcullis_bundle::layout::{Keyword, NONE, Trace, View};

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The text is not JSON.
    Malformed(Malformation),
    /// An object holds a name twice.
    DuplicateName,
    /// Arrays and objects are nested deeper than allowed.
    TooDeep,
    /// A part is larger than allowed.
    TooLarge(Part),
    /// Judging took more steps than allowed.
    Budget,
    /// The value does not satisfy the schema; [`Fault::keyword`] says in what.
    Invalid,
}

/// In what a text is not JSON (RFC 8259).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformation {
    /// A byte that cannot stand where it does.
    Unexpected,
    /// The text ends within a value, or holds none.
    Truncated,
    /// Something follows the value.
    Trailing,
    /// A byte order mark, which RFC 8259 section 8.1 forbids to send.
    ByteOrderMark,
    /// A control character within a string.
    ControlCharacter,
    /// A string that is not UTF-8.
    NotUtf8,
    /// A backslash with a meaning that JSON does not know.
    Escape,
    /// An escaped surrogate that is not one of a pair.
    LoneSurrogate,
    /// A number with a leading zero, without digits and the like.
    Number,
    /// A document type declaration in XML, which could declare entities.
    DocumentType,
}

/// What is larger than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A string or name, in bytes as sent.
    String,
    /// A number, in digits, or its exponent.
    Number,
    /// An object, in properties.
    Properties,
    /// An array, in items.
    Items,
}

/// The property that a discriminator reads is missing: a `required` that names it says so, too.
pub const TAG_MISSING: u16 = u16::MAX;

/// Why a body is refused. It holds no value of the body and no name that the schema does not declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The keyword that refused; [`Keyword::Schema`] where none did.
    pub keyword: Keyword,
    /// Index into schemas of the schema whose keyword it is, or `NONE`.
    pub schema: u32,
    /// Of `required`: the property that is missing, by its place among the schema's from 1; of `discriminator`:
    /// [`TAG_MISSING`] where its property is; 0 otherwise.
    pub member: u16,
    /// Bytes from the start of the body to what is wrong: a token, or the end of an object or array.
    pub offset: u64,
    /// JSON pointer (RFC 6901) to the value concerned; undeclared names are shown as `*`.
    pub pointer: String,
}

impl Fault {
    /// Where the documents say so: index into origins, or `NONE`.
    pub fn origin(&self, view: &View<'_>) -> u32 {
        trace(view, self).map_or_else(
            || view.schemas.get(self.schema as usize).map_or(NONE, |schema| schema.origin.get()),
            |trace| trace.origin.get(),
        )
    }

    /// The keyword as the documents have it, which may be another than the program checked: a pattern may
    /// have become a length, a constant a type.
    pub fn written_keyword(&self, view: &View<'_>) -> Keyword {
        let exclusive =
            matches!(self.keyword, Keyword::ExclusiveMinimum | Keyword::ExclusiveMaximum);
        match trace(view, self) {
            // In OpenAPI 3.0 it is a flag beside the bound, and the bound is what is traced.
            Some(trace) if exclusive && trace.keyword == self.keyword.code() => self.keyword,
            Some(trace) => keyword_at(view, trace.origin.get())
                .or_else(|| Keyword::from_code(trace.keyword))
                .unwrap_or(self.keyword),
            None => refusing_keyword(view, self.schema).unwrap_or(self.keyword),
        }
    }
}

/// The trace of a fault's keyword, or of the keyword that became this one.
fn trace<'b>(view: &View<'b>, fault: &Fault) -> Option<&'b Trace> {
    let became: &[Keyword] = match fault.keyword {
        Keyword::Type => &[Keyword::ReadOnly, Keyword::WriteOnly, Keyword::Const, Keyword::Enum],
        Keyword::Enum => &[Keyword::Const],
        Keyword::Minimum => &[Keyword::ExclusiveMinimum, Keyword::Format],
        Keyword::ExclusiveMinimum => &[Keyword::Minimum, Keyword::Format],
        Keyword::Maximum => &[Keyword::ExclusiveMaximum, Keyword::Format],
        Keyword::ExclusiveMaximum => &[Keyword::Maximum, Keyword::Format],
        Keyword::MultipleOf => &[Keyword::Format],
        Keyword::MinLength | Keyword::MaxLength => &[Keyword::Pattern],
        Keyword::Contains => &[Keyword::MinContains],
        Keyword::MinContains => &[Keyword::Contains],
        Keyword::If => &[Keyword::Then, Keyword::Else],
        _ => &[],
    };
    let find = |keyword: Keyword, member: u16| {
        let wanted = (fault.schema, keyword.code(), member);
        let key = |trace: &Trace| (trace.schema.get(), trace.keyword, trace.member.get());
        let first = view.traces.partition_point(|trace| key(trace) < wanted);
        view.traces.get(first).filter(|trace| key(trace) == wanted)
    };
    let own = match fault.member {
        0 => None,
        TAG_MISSING => find(Keyword::Required, 0),
        member => find(fault.keyword, member),
    };
    own.or_else(|| {
        core::iter::once(&fault.keyword).chain(became).find_map(|keyword| find(*keyword, 0))
    })
}

/// Of a schema that is `false` in the documents, the keyword whose value it is.
fn refusing_keyword(view: &View<'_>, schema: u32) -> Option<Keyword> {
    let schema = view.schemas.get(schema as usize).filter(|schema| schema.types == 0)?;
    keyword_at(view, schema.origin.get())
}

/// The keyword that a place in the documents is the value of.
fn keyword_at(view: &View<'_>, origin: u32) -> Option<Keyword> {
    let pointer = view.origins.get(origin as usize)?.pointer.get();
    let last = view.text(view.pointers.get(pointer as usize)?.token);
    Keyword::ALL.iter().copied().find(|keyword| keyword.name() == last)
}
