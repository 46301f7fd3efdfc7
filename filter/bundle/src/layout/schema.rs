//! The schema program: one record per schema, parts by index.
//!
//! A value is judged by one [`Schema`]: its type against `types`, then the part for its type,
//! then `literals`, then the compositions, all of which apply to the same value. Schema 0 is
//! always the any schema (accepts everything), schema 1 the never schema (refuses everything).

use super::Text;
use super::record::{codes, record};
use zerocopy::little_endian::{I32, I64, U16, U32, U64};

/// The schema that accepts every value.
pub const SCHEMA_ANY: u32 = 0;
/// The schema that refuses every value.
pub const SCHEMA_NEVER: u32 = 1;

/// [`Schema::types`]: `null`.
pub const TYPE_NULL: u8 = 1;
/// [`Schema::types`]: `boolean`.
pub const TYPE_BOOLEAN: u8 = 2;
/// [`Schema::types`]: numbers with no fraction.
pub const TYPE_INTEGER: u8 = 4;
/// [`Schema::types`]: numbers with a fraction. JSON Schema's `number` is both bits.
pub const TYPE_FRACTION: u8 = 8;
/// [`Schema::types`]: `string`.
pub const TYPE_STRING: u8 = 16;
/// [`Schema::types`]: `array`.
pub const TYPE_ARRAY: u8 = 32;
/// [`Schema::types`]: `object`.
pub const TYPE_OBJECT: u8 = 64;
/// [`Schema::types`]: any type.
pub const TYPE_ALL: u8 = 127;

/// [`Schema::flags`]: nothing below is checked: every value passes (JSON strictness still holds).
pub const SCHEMA_ACCEPTS_ALL: u8 = 1;
/// [`Schema::flags`]: `1.0` is not an integer (draft 4).
pub const SCHEMA_INTEGER_LEXICAL: u8 = 2;
/// [`Schema::flags`]: the value is a secret or personal; never shown even where values may be.
pub const SCHEMA_SENSITIVE: u8 = 4;

record! {
    /// What a value must satisfy.
    pub struct Schema {
        /// `TYPE_*` bits.
        types: u8,
        /// `SCHEMA_*` bits.
        flags: u8,
        /// How many compositions.
        composition_count: U16,
        /// First of the compositions that apply to the same value.
        compositions: U32,
        /// Index into string_checks, or `NONE`.
        string: U32,
        /// Index into number_checks, or `NONE`.
        number: U32,
        /// Index into array_checks, or `NONE`.
        array: U32,
        /// Index into object_checks, or `NONE`.
        object: U32,
        /// Index into literal_sets, or `NONE`.
        literals: U32,
        /// Where the schema stands: index into origins, or `NONE`.
        origin: U32,
    }
}

codes! {
    /// Formats that are asserted on strings.
    pub enum Format {
        None = 0, Date = 1, DateTime = 2, Time = 3, Duration = 4, Uuid = 5, Email = 6, Uri = 7, UriReference = 8,
        Hostname = 9, Ipv4 = 10, Ipv6 = 11, Byte = 12, JsonPointer = 13,
        IdnEmail = 14, IdnHostname = 15, Iri = 16, IriReference = 17, UriTemplate = 18, RelativeJsonPointer = 19,
        Regex = 20, Base64Url = 21, DateTimeLocal = 22, TimeLocal = 23, HttpDate = 24, Char = 25, MediaRange = 26,
        Decimal = 27, Decimal128 = 28, Int64 = 29, Uint64 = 30, SfString = 31, SfToken = 32, SfBinary = 33,
        SfBoolean = 34,
    }
}

codes! {
    /// How bytes are encoded in a string.
    pub enum ContentEncoding {
        /// As UTF-8 text, unencoded.
        None = 0,
        /// RFC 4648, section 4.
        Base64 = 1,
        /// RFC 4648, section 5; padding may be left out.
        Base64Url = 2,
        /// RFC 4648, section 6.
        Base32 = 3,
        /// RFC 4648, section 7.
        Base32Hex = 4,
        /// RFC 4648, section 8.
        Base16 = 5,
        /// RFC 2045, section 6.7.
        QuotedPrintable = 6,
        /// RFC 2045, section 2.7.
        SevenBit = 7,
        /// RFC 2045, section 2.8.
        EightBit = 8,
    }
}

record! {
    /// JSON within a string.
    pub struct StringContent {
        /// The schema that the JSON must satisfy.
        schema: U32,
        /// A [`ContentEncoding`] code: how the string encodes it.
        encoding: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}

impl Format {
    /// Whether the format is judged by the section `idn`.
    pub const fn needs_idn(self) -> bool {
        matches!(self, Format::Hostname | Format::IdnHostname | Format::IdnEmail)
    }
}

/// [`IdnRange::entry`]: valid in a label (PVALID), or valid where its context allows (RFC 5892, section 1).
pub const IDN_VALID: u32 = 1;
/// [`IdnRange::entry`]: a combining mark (general category M).
pub const IDN_MARK: u32 = 2;
/// [`IdnRange::entry`]: a virama (canonical combining class 9).
pub const IDN_VIRAMA: u32 = 4;
/// [`IdnRange::entry`]: the script's bits.
pub const IDN_SCRIPT: u32 = 24;
/// [`IDN_SCRIPT`]: Greek.
pub const IDN_GREEK: u32 = 8;
/// [`IDN_SCRIPT`]: Hebrew.
pub const IDN_HEBREW: u32 = 16;
/// [`IDN_SCRIPT`]: Hiragana, Katakana or Han.
pub const IDN_KANA_OR_HAN: u32 = 24;
/// [`IdnRange::entry`]: joins to what follows (Joining_Type L or D).
pub const IDN_JOINS_NEXT: u32 = 32;
/// [`IdnRange::entry`]: joins to what stands before (Joining_Type R or D).
pub const IDN_JOINS_LAST: u32 = 64;
/// [`IdnRange::entry`]: joins through (Joining_Type T).
pub const IDN_JOINS_THROUGH: u32 = 128;
/// [`IdnRange::entry`]: the direction's bits; 0 for what no label may hold (RFC 5893, section 2).
pub const IDN_BIDI: u32 = 1792;
/// [`IDN_BIDI`]: L.
pub const IDN_BIDI_L: u32 = 256;
/// [`IDN_BIDI`]: R or AL.
pub const IDN_BIDI_R: u32 = 512;
/// [`IDN_BIDI`]: AN.
pub const IDN_BIDI_AN: u32 = 768;
/// [`IDN_BIDI`]: EN.
pub const IDN_BIDI_EN: u32 = 1024;
/// [`IDN_BIDI`]: NSM.
pub const IDN_BIDI_NSM: u32 = 1280;
/// [`IDN_BIDI`]: ES, CS, ET, ON or BN.
pub const IDN_BIDI_NEUTRAL: u32 = 1536;
/// [`IdnRange::entry`]: bits of the code point above those of its properties.
pub const IDN_SHIFT: u32 = 11;

record! {
    /// What code points are in internationalised host names, from one up to that of the next range.
    pub struct IdnRange {
        /// The first code point, shifted left by `IDN_SHIFT`, and `IDN_*` bits. The first range begins at U+0000.
        entry: U32,
    }
}

record! {
    /// Checks on a string. All of them apply.
    pub struct StringCheck {
        /// Code points, at least.
        min_length: U32,
        /// Code points, at most; `NONE` for no bound.
        max_length: U32,
        /// First in lists: indexes into automata, each of which must match.
        patterns: U32,
        /// First in lists: indexes into char_classes, each of which must hold every character.
        classes: U32,
        /// How many patterns.
        pattern_count: U16,
        /// How many classes.
        class_count: U16,
        /// A [`Format`] code.
        format: u8,
        /// A [`ContentEncoding`] code: the string must be what the encoding makes of some bytes.
        encoding: u8,
        /// Zero; reserved.
        reserved: [u8; 2],
        /// Index into stencils, or `NONE`. What fits the stencil passes every check of this record; what does
        /// not must go through them.
        stencil: U32,
    }
}

/// Bytes of a text that a stencil can judge, at most.
pub const STENCIL_LEN: usize = 48;

record! {
    /// A set of bytes for each place of a short ASCII text. With `bits(b) = low[b % 16] & high[b / 16]`, a text
    /// of n bytes fits if bit n of `lengths` is set and `bits(text[i]) & wanted[i]` is not 0 for any i below n.
    pub struct Stencil {
        /// By the lower half of a byte.
        low: [u8; 16],
        /// By the upper half of a byte; zeros from 8 on.
        high: [u8; 16],
        /// By place; zeros from the greatest length on.
        wanted: [u8; 48],
        /// Bit n: a text of n bytes may fit. At most [`STENCIL_LEN`].
        lengths: U64,
    }
}

/// [`NumberCheck::flags`]: `minimum` stands in `min`.
pub const NUMBER_MIN: u16 = 1;
/// [`NumberCheck::flags`]: the minimum is exclusive.
pub const NUMBER_MIN_EXCLUSIVE: u16 = 2;
/// [`NumberCheck::flags`]: `maximum` stands in `max`.
pub const NUMBER_MAX: u16 = 4;
/// [`NumberCheck::flags`]: the maximum is exclusive.
pub const NUMBER_MAX_EXCLUSIVE: u16 = 8;
/// [`NumberCheck::flags`]: `integer_min` and `integer_max` say all that the bounds say of integers
/// that fit 64 bits.
pub const NUMBER_INTEGER_BOUNDS: u16 = 16;

/// Digits of a multiple, at most.
pub const MAX_MULTIPLE_DIGITS: usize = 256;

record! {
    /// Checks on a number. All of them apply.
    pub struct NumberCheck {
        /// The least 64-bit integer that the bounds allow.
        integer_min: I64,
        /// The greatest 64-bit integer that the bounds allow.
        integer_max: I64,
        /// Index into decimals.
        min: U32,
        /// Index into decimals.
        max: U32,
        /// First in lists: indexes into decimals, of each of which the number is a multiple.
        multiples: U32,
        /// How many multiples.
        multiple_count: U16,
        /// `NUMBER_*` bits.
        flags: U16,
        /// The sole multiple, where it is an integer of 64 bits; else 0.
        integer_multiple: U64,
    }
}

record! {
    /// Checks on an array.
    pub struct ArrayCheck {
        /// First in lists: schemas of the first items.
        prefix: U32,
        /// How many of the first items have a schema of their own.
        prefix_count: U32,
        /// The schema of all further items.
        items: U32,
        /// Items, at least.
        min_items: U32,
        /// Items, at most; `NONE` for no bound.
        max_items: U32,
        /// Schema of the items that are counted, or `NONE`.
        contains: U32,
        /// Counted items, at least.
        min_contains: U32,
        /// Counted items, at most; `NONE` for no bound.
        max_contains: U32,
        /// Bit 0: `uniqueItems`.
        flags: U32,
        /// Index into unevaluated, or `NONE`.
        unevaluated: U32,
    }
}

/// [`ArrayCheck::flags`]: no two items are equal.
pub const ARRAY_UNIQUE: u32 = 1;

record! {
    /// Checks on an object.
    pub struct ObjectCheck {
        /// First of the properties.
        properties: U32,
        /// How many properties. A required name that is not declared stands here too.
        property_count: U32,
        /// Bits of the required ones among the first 64 properties.
        required: U64,
        /// How many properties are required in all.
        required_count: U32,
        /// First in slots: a hash table of `slot_mask + 1` slots holding indexes of properties
        /// relative to `properties`, or `NONE`. A name is looked for from `name_hash & slot_mask` on.
        slots: U32,
        /// The table's length less one; the length is a power of two greater than the number of properties.
        slot_mask: U32,
        /// Properties, at least.
        min_properties: U32,
        /// Properties, at most; `NONE` for no bound.
        max_properties: U32,
        /// The schema of properties that are neither declared nor matched by a pattern.
        additional: U32,
        /// First of the pattern properties.
        pattern_properties: U32,
        /// How many pattern properties.
        pattern_property_count: U32,
        /// The schema of property names, or `NONE`.
        names: U32,
        /// First of the dependents.
        dependents: U32,
        /// How many dependents.
        dependent_count: U32,
        /// Index into unevaluated, or `NONE`.
        unevaluated: U32,
    }
}

record! {
    /// A declared property of an object, in the document's order.
    pub struct Property {
        /// The name between quotes as a body holds it, then zeros; all zeros where `key_mask` is 0.
        key: [u8; 32],
        /// Bit `i` set for each byte `i` of the quoted name. 0 where a body must not be compared with the key:
        /// the name is longer than 30 bytes, needs an escape, is not ASCII, or is implied.
        key_mask: U32,
        /// The name.
        name: Text,
        /// [`crate::name_hash`] of the name.
        hash: U32,
        /// Index into schemas.
        schema: U32,
        /// `PROPERTY_*` bits.
        flags: U32,
    }
}

/// [`Property::flags`]: the property is required.
pub const PROPERTY_REQUIRED: u32 = 1;
/// [`Property::flags`]: the name stands here only because it is required; it counts as undeclared.
pub const PROPERTY_IMPLIED: u32 = 4;

record! {
    /// The values of `enum` or `const`. A value that equals none of them is refused.
    pub struct LiteralSet {
        /// `LITERAL_*` bits.
        scalars: U32,
        /// First in slots: a hash table as in [`ObjectCheck::slots`], over literal strings.
        slots: U32,
        /// The table's length less one.
        slot_mask: U32,
        /// First of the literal strings.
        strings: U32,
        /// How many literal strings.
        string_count: U32,
        /// First of the decimals.
        numbers: U32,
        /// How many decimals.
        number_count: U32,
    }
}

/// [`LiteralSet::scalars`]: `null`.
pub const LITERAL_NULL: u32 = 1;
/// [`LiteralSet::scalars`]: `true`.
pub const LITERAL_TRUE: u32 = 2;
/// [`LiteralSet::scalars`]: `false`.
pub const LITERAL_FALSE: u32 = 4;

record! {
    /// A string of a literal set.
    pub struct LiteralString {
        /// The string, unescaped.
        text: Text,
        /// [`crate::name_hash`] of the string.
        hash: U32,
    }
}

record! {
    /// An exact number: `digits × 10^exponent`, negative or not. Digits are ASCII without leading or
    /// trailing zeros; zero has no digits, exponent 0 and is not negative.
    pub struct Decimal {
        /// ASCII digits.
        digits: Text,
        /// Power of ten.
        exponent: I32,
        /// 1 where negative.
        negative: U32,
    }
}

codes! {
    /// How the branches of a composition combine. Every branch is judged on the same value.
    pub enum CompositionKind {
        /// Every branch must accept.
        AllOf = 0,
        /// One branch or more must accept.
        AnyOf = 1,
        /// Exactly one branch must accept.
        OneOf = 2,
        /// The one branch must refuse.
        Not = 3,
        /// Three branches: if the first accepts the second must, else the third.
        If = 4,
        /// The branch whose tag equals the string property `tag` must accept; objects only, others pass.
        /// A missing or unknown tag is refused. The compiler emits it only where it decides as the keyword would.
        Tagged = 5,
        /// `branches` is an index into type_switches: the branch of the value's type must accept.
        TypeSwitch = 6,
        /// `branches` is an index into contents: what the string encodes must be JSON that its schema accepts.
        /// Strings only, others pass. Within such JSON, every string passes.
        Content = 7,
    }
}

record! {
    /// Schemas that apply to the same value.
    pub struct Composition {
        /// The name of the property that chooses, for [`CompositionKind::Tagged`], or that the hints are about; else
        /// empty.
        tag: Text,
        /// First in lists (indexes into schemas); in tags for `Tagged`; in type_switches for `TypeSwitch`; in
        /// contents for `Content`.
        branches: U32,
        /// How many branches; at most [`MAX_BRANCHES`].
        branch_count: U16,
        /// A [`CompositionKind`] code.
        kind: u8,
        /// A [`Keyword`] code: what to name when the composition refuses.
        keyword: u8,
        /// First in tags, for `AnyOf` and `OneOf`: which branch a value of the string property `tag` speaks for, or
        /// the any schema where several may be meant. It decides nothing but what is named where no branch accepts.
        hints: U32,
        /// How many hints.
        hint_count: U16,
        /// Zero.
        reserved: [u8; 2],
    }
}

/// Branches of a composition, at most.
pub const MAX_BRANCHES: u16 = 512;

record! {
    /// A branch of a tagged composition.
    pub struct Tag {
        /// The value of the tag, unescaped. Ascending by bytes within a composition.
        value: Text,
        /// Index into schemas.
        schema: U32,
    }
}

record! {
    /// The schema for each type of value; the never schema where a type is refused.
    pub struct TypeSwitch {
        /// For `null`.
        null: U32,
        /// For `true` and `false`.
        boolean: U32,
        /// For numbers.
        number: U32,
        /// For strings.
        string: U32,
        /// For arrays.
        array: U32,
        /// For objects.
        object: U32,
    }
}

record! {
    /// Properties whose names match a pattern. They apply to names that are not declared: the schema of a declared
    /// property says what the patterns that it matches say.
    pub struct PatternProperty {
        /// Index into automata.
        automaton: U32,
        /// Index into schemas.
        schema: U32,
    }
}

record! {
    /// What the presence of a property requires.
    pub struct Dependent {
        /// The property, relative to the object's properties.
        property: U32,
        /// Relative index of a property that must be there too, or `NONE`.
        required: U32,
        /// A schema that the whole object must satisfy, or `NONE`.
        schema: U32,
    }
}

record! {
    /// `unevaluatedProperties` or `unevaluatedItems`: a schema of the members that nothing else of the
    /// schema evaluates. Which those are is known when the value ends, from how its branches fared.
    pub struct Unevaluated {
        /// Index into schemas: what such a member must satisfy.
        schema: U32,
        /// First of the evaluators.
        evaluators: U32,
        /// How many evaluators; at most [`MAX_EVALUATORS`].
        evaluator_count: U32,
        /// First of the conditions of all of them.
        conditions: U32,
        /// How many conditions.
        condition_count: U32,
    }
}

/// Evaluators of one schema, at most.
pub const MAX_EVALUATORS: u32 = 128;

record! {
    /// What evaluates members where all of its conditions hold.
    pub struct Evaluator {
        /// Index into object_checks: its declared properties and patterns are evaluated. Or `NONE`.
        names: U32,
        /// The first so many items are evaluated.
        prefix: U32,
        /// Items that satisfy this schema are evaluated: index into schemas, or `NONE`.
        contains: U32,
        /// First of the conditions, among those of the unevaluated record.
        conditions: U32,
        /// How many conditions.
        condition_count: U32,
        /// `EVALUATOR_*` bits.
        flags: U32,
    }
}

/// [`Evaluator::flags`]: every member is evaluated.
pub const EVALUATOR_ALL: u32 = 1;

codes! {
    /// When an evaluator counts.
    pub enum ConditionKind {
        /// The schema accepts the value.
        Accepts = 0,
        /// The schema refuses the value.
        Refuses = 1,
        /// The property is there.
        Present = 2,
    }
}

record! {
    /// A condition of an evaluator.
    pub struct Condition {
        /// Index into schemas; for [`ConditionKind::Present`] a property, relative to the object's.
        of: U32,
        /// A [`ConditionKind`] code.
        kind: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}

record! {
    /// A table automaton over the bytes of a UTF-8 string. States are numbered in steps of `stride`:
    /// `next = transitions[table + state + class_of(byte)]`. State 0 refuses whatever follows.
    pub struct Automaton {
        /// First in transitions.
        table: U32,
        /// How many transitions: states × stride; at most 65,536.
        table_len: U32,
        /// Index into byte_classes.
        classes: U32,
        /// How many byte classes.
        stride: U16,
        /// The state before the first byte.
        start: U16,
        /// At the end of the string, states from here on accept.
        accept: U16,
        /// States from here on accept whatever follows (`accept` or more).
        accept_always: U16,
    }
}

record! {
    /// The class of each byte, less than the stride of every automaton that uses it.
    pub struct ByteClassMap {
        /// By byte.
        class: [u8; 256],
    }
}

record! {
    /// A set of characters.
    pub struct CharClass {
        /// Bit `c % 8` of byte `c / 8`: character c up to U+007F is in the set.
        ascii: [u8; 16],
        /// First of the ranges above U+007F.
        ranges: U32,
        /// How many ranges.
        range_count: U32,
    }
}

record! {
    /// Characters from first to last. Ascending and apart within a class.
    pub struct CharRange {
        /// The first code point.
        first: U32,
        /// The last code point.
        last: U32,
    }
}

codes! {
    /// What a finding in a value names. Codes are stable.
    pub enum Keyword {
        Schema = 0, Type = 1, Enum = 2, Const = 3,
        Minimum = 10, ExclusiveMinimum = 11, Maximum = 12, ExclusiveMaximum = 13, MultipleOf = 14,
        MinLength = 20, MaxLength = 21, Pattern = 22, Format = 23, ContentEncoding = 24, ContentMediaType = 25,
        ContentSchema = 26,
        Properties = 30, Required = 31, AdditionalProperties = 32, MinProperties = 33, MaxProperties = 34,
        PatternProperties = 35, PropertyNames = 36, DependentRequired = 37, DependentSchemas = 38, UnevaluatedProperties = 39,
        Items = 40, PrefixItems = 41, MinItems = 42, MaxItems = 43, UniqueItems = 44, Contains = 45, MinContains = 46,
        MaxContains = 47, UnevaluatedItems = 48,
        AllOf = 50, AnyOf = 51, OneOf = 52, Not = 53, If = 54, Then = 55, Else = 56, Discriminator = 57,
        ReadOnly = 60, WriteOnly = 61, Xml = 62,
    }
}

record! {
    /// Where a keyword of a schema stands in the documents. A schema that several locations were
    /// merged into has a trace for each keyword of each; the first of a keyword is the one to name.
    pub struct Trace {
        /// Index into schemas.
        schema: U32,
        /// Index into origins.
        origin: U32,
        /// A [`Keyword`] code.
        keyword: u8,
        /// Zero; reserved.
        reserved: u8,
        /// Of `required`: the property that this list asks for, by its place among the schema's from 1, where that
        /// is not the list that the others of the schema stand in; 0 of every other trace.
        member: U16,
    }
}
