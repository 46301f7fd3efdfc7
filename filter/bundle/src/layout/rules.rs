//! The attack rules: what is looked for where, and what is known beforehand about where it can be.
//!
//! A rule holds one or more matchers: one operator over some values after some transformations. Sets of matchers
//! are bit sets of [`Attacks::set_words`] words each. A value meets the matchers of its target's set, less those
//! that its schema makes impossible and those that are off for the operation.

use super::Text;
use super::policy::BodyLimits;
use super::record::{codes, record};
use zerocopy::little_endian::{I64, U16, U32, U64};

codes! {
    /// Which values a matcher looks at.
    pub enum Target {
        /// The path, or the variables of a declared one.
        Path = 0,
        /// A value of the query.
        Query = 1,
        /// A name of the query that is not declared.
        QueryName = 2,
        /// The query as sent.
        QueryRaw = 3,
        /// The value of a header field, other than cookie and pseudo-headers.
        Header = 4,
        /// The name of a header field.
        HeaderName = 5,
        /// The value of a cookie.
        Cookie = 6,
        /// The name of a cookie that is not declared.
        CookieName = 7,
        /// A value in the body.
        Body = 8,
        /// A name in the body that is not declared.
        BodyName = 9,
        /// The body as sent, up to a limit.
        BodyRaw = 10,
        /// The name of an uploaded file.
        File = 11,
        /// The method.
        Method = 12,
        /// The request as a whole, for operators that count.
        Request = 13,
        /// The status of the answer.
        ResponseStatus = 14,
        /// The value of a header field of the answer.
        ResponseHeader = 15,
        /// The body of the answer, up to a limit.
        ResponseBody = 16,
        /// The name of a header field of the answer.
        ResponseHeaderName = 17,
        /// A string or number of the answer's JSON body; another body as a whole.
        ResponseValue = 18,
        /// The path with its query, as sent.
        Uri = 19,
        /// The whole path, percent-decoded once.
        Filename = 20,
        /// What of it comes after the last `/`.
        Basename = 21,
        /// Method, path with query, and version, with spaces between.
        RequestLine = 22,
        /// The version: `HTTP/1.1`.
        Protocol = 23,
        /// The value of a header field that `Header` leaves out: `cookie`, `host`.
        HeaderRest = 24,
        /// The name of such a field.
        HeaderRestName = 25,
        /// The value of a cookie as sent.
        CookieRaw = 26,
        /// The name of a cookie, declared or not.
        CookieRawName = 27,
        /// A name of the query, declared or not.
        QueryArgument = 28,
        /// A name of a value in the body, declared or not: of JSON that of each member on the way, with dots between.
        BodyArgument = 29,
        /// A body as sent that is a form, a text or of no known kind.
        BodyPlain = 30,
        /// How the body is read: `URLENCODED`, `MULTIPART`, `JSON`, `XML`, or nothing.
        BodyReader = 31,
        /// How many bytes the body has, in decimal.
        BodyLength = 32,
        /// The name of a field that a file is uploaded in.
        FileField = 33,
        /// A header field of a part of a multipart body, as `name: value`.
        PartHeader = 34,
        /// How many bytes names and values of all arguments have, in decimal.
        ArgumentsSize = 35,
        /// How many bytes all files have, in decimal.
        FilesSize = 36,
        /// What the form of a body departs in, by name, each `1` or `0`: `reqbody_error`, `multipart_strict_error` and others.
        BodyState = 37,
        /// The address that the connection is from.
        Client = 38,
        /// The request's score, in decimal: as `blocking` that of rules which may refuse, as `detection` that of all.
        Score = 39,
        /// The answer's score.
        ResponseScore = 40,
    }
}

/// [`Selector::bodies`]: values of JSON.
pub const BODY_JSON: u8 = 1;
/// [`Selector::bodies`]: fields of forms and multipart bodies.
pub const BODY_FIELD: u8 = 2;
/// [`Selector::bodies`]: texts and attributes of XML.
pub const BODY_XML: u8 = 4;
/// [`Selector::bodies`]: a text as a whole.
pub const BODY_TEXT: u8 = 8;
/// [`Selector::bodies`]: bodies of every kind.
pub const BODY_ALL: u8 = 15;

codes! {
    /// How a selector's name is meant.
    pub enum Naming {
        /// As it is written; of values in bodies as a pointer, in which `*` stands for any one name.
        Written = 0,
        /// As an argument's name; ASCII case does not count.
        Argument = 1,
        /// As an automaton over such a name.
        Regex = 2,
    }
}

codes! {
    /// How a value is compared.
    pub enum Relation {
        /// It is the same.
        Equal = 0,
        /// The number is not less.
        AtLeast = 1,
        /// The number is more.
        Over = 2,
        /// The number is not more.
        AtMost = 3,
        /// The number is less.
        Under = 4,
        /// The text begins with the other.
        Begins = 5,
        /// The text ends with the other.
        Ends = 6,
        /// The text holds the other.
        Contains = 7,
        /// The text is a part of the other.
        Within = 8,
    }
}

codes! {
    /// What a piece of a text is.
    pub enum PieceKind {
        /// As it is written.
        Text = 0,
        /// A group of the last expression that captures.
        Capture = 1,
        /// What the matcher before matched.
        Matched = 2,
        /// The name of the value.
        Name = 3,
        /// The host that the request is for.
        Host = 4,
        /// The method.
        Method = 5,
        /// The method in lower case.
        MethodLower = 6,
    }
}

codes! {
    /// What an instruction of a capturing expression does.
    pub enum CaptureCode {
        /// Takes a byte from `first` to `last`, and goes on at `next`.
        Byte = 0,
        /// Goes on at `next`, and, where that comes to nothing, at `other`.
        Split = 1,
        /// Keeps the place in slot `other`, and goes on at `next`.
        Save = 2,
        /// Goes on at `next` where an assertion holds: `first` is 0 at the beginning, 1 at the end, 2 at the edge of
        /// a word, 3 elsewhere, 4 at the beginning of a line, 5 at its end.
        Assert = 3,
        /// Has matched.
        Match = 4,
        /// Comes to nothing.
        Fail = 5,
    }
}

/// How many targets there are; the first sets of matcher_sets are theirs, in this order.
pub const TARGETS: u32 = 41;

/// The set after those of the targets: the matchers that neither a literal nor a kind of byte proposes.
pub const UNPROPOSED: u32 = TARGETS;

/// The first of 64 sets, by bit of byte_kinds: the matchers without literals that are tried where a text holds such a byte.
pub const FIRST_KIND: u32 = TARGETS + 1;

/// The set after those of the kinds: the matchers that are tried on a value where all others of their rule hold of it.
pub const LAST: u32 = FIRST_KIND + 64;

/// The set after that: the matchers that have literals.
pub const PROPOSED: u32 = LAST + 1;

/// The set after that: the matchers that can match a plain text, one without any of `Attacks::marks`.
pub const PLAIN: u32 = PROPOSED + 1;

/// The set after that: those of them that a plain text need not hold a literal for.
pub const PLAIN_KEYED: u32 = PLAIN + 1;

/// The set after that: those of them that have literals for plain texts.
pub const PLAIN_PROPOSED: u32 = PLAIN_KEYED + 1;

/// The set after that: the matchers that look at every value of a JSON body.
pub const ALL_VALUES: u32 = PLAIN_PROPOSED + 1;

/// The first of as many sets as there are targets: the matchers that mean every value of the target, whatever its name.
pub const WHOLE_TARGET: u32 = ALL_VALUES + 1;

/// Sets that every bundle with rules holds.
pub const FIXED_SETS: u32 = WHOLE_TARGET + TARGETS;

/// Bytes of the bit map of pairs, and of that of hashed grams of three bytes; gram_filter begins with both.
pub const GRAM_MAP: usize = 8192;

/// Bytes of the bit map of three classes of bytes: for texts with marks, then for plain ones; both end gram_filter.
pub const CLASS_MAP: usize = 4096;

codes! {
    /// What a matcher asks of a value.
    pub enum Operator {
        /// An automaton matches somewhere: `argument` is an index into automata, whose accepting states absorb.
        Automaton = 0,
        /// One of its literals occurs.
        AnyOf = 1,
        /// The value has more bytes than `argument`.
        LongerThan = 2,
        /// The value is a whole number over `argument`.
        NumberOver = 3,
        /// The value is a whole number under `argument`.
        NumberUnder = 4,
        /// The value is the whole number `argument`.
        NumberIs = 5,
        /// The value is an address in one of the networks from `argument` on.
        Ip = 6,
        /// A byte is in none of the ranges: `argument` is an index into byte_sets.
        BytesOutside = 7,
        /// The value is not UTF-8.
        InvalidUtf8 = 8,
        /// A `%` is not followed by two hexadecimal digits.
        InvalidPercent = 9,
        /// Injected SQL, by the method of libinjection.
        Sql = 10,
        /// Injected HTML or script, by the method of libinjection.
        Xss = 11,
        /// A JSON Web Token with a header that is an attack: `argument` is an index into token_checks.
        Jwt = 12,
        /// A GraphQL document beyond its bounds: `argument` is an index into graphql_checks.
        GraphQl = 13,
        /// More values than `argument` of the target that the selector names.
        CountOver = 14,
        /// A name comes twice that is not declared as a list, among those of the target that the selector names.
        Repeated = 15,
        /// The number that the value begins with compares by the relation with `argument`, two's complement.
        Compare = 24,
        /// How many values the targets have compares so; asked at the end of the message.
        Count = 25,
        /// The value compares by the relation with a text of `argument_count` pieces from `argument` on.
        Text = 26,
        /// The number that the value begins with compares with that of such a text.
        CompareText = 27,
        /// How often one name comes among the values compares with `argument`; asked at the end of the message.
        SameName = 28,
        /// Always.
        Always = 29,
        /// It holds the number of a payment card: `argument` is 1 where only grouped digits count.
        CardNumber = 16,
        /// A nondeterministic automaton accepts: `argument` is an index into nfas.
        Nfa = 17,
    }
}

record! {
    /// What holds for attack rules as a whole. At most one record; without one there are no rules.
    pub struct Attacks {
        /// Score from which a request is refused.
        threshold_inbound: U16,
        /// Score from which an answer is refused.
        threshold_outbound: U16,
        /// Steps of matching per message, at most; one is about a byte read once.
        budget: U32,
        /// Bytes of a body that body.raw rules see.
        raw_body: U32,
        /// Bytes of an answer's body that rules see.
        response_body: U32,
        /// Media types of bodies of answers that rules see, a space between them; `*` at the end or before a `+` stands
        /// for any name.
        response_types: Text,
        /// An [`super::Action`] code: bodies of answers with more bytes.
        response_larger: u8,
        /// An [`super::Action`] code: bodies of answers in a content coding.
        response_coded: u8,
        /// 1 where the upstream is asked for answers without a content coding.
        response_identity: u8,
        /// 1 where a rule looks at a request and its answer.
        response_joins: u8,
        /// A [`super::Mode`] code.
        mode: u8,
        /// An [`super::Action`] code: what the end of the budget means.
        budget_end: u8,
        /// An [`super::Action`] code: bodies that no document declares and that cannot be read as what they say they are.
        unreadable_bodies: u8,
        /// Bits of byte_kinds: a text without any such byte is changed by no step.
        triggers: U64,
        /// Bits of byte_kinds: those whose sets are not empty.
        key_kinds: U64,
        /// A bit of byte_kinds: the marks. A text without them is plain: fewer matchers and literals count there.
        marks: U64,
        /// Words of 64 bits in a set of matchers.
        set_words: u8,
        /// The logarithm to base 2 of how many buckets of literals there are.
        bucket_bits: u8,
        /// The media type by which bodies are read that no document declares: index into media_types.
        media_type: U32,
        /// Limits on such bodies.
        limits: BodyLimits,
        /// The matchers that are asked before all others, of the head: a set.
        early: U16,
        /// 1 where a selector or a target asks for the names of arguments.
        names_arguments: u8,
        /// 1 where a selector means values of the body by a name, which no schema need declare.
        names_values: u8,
        /// The matchers that requests of no operation meet: a set.
        enabled: U16,
        /// Those whose rules only report: a set.
        monitored: U16,
    }
}

record! {
    /// An attack rule.
    pub struct Rule {
        /// Its name, which exceptions and logs use.
        id: Text,
        /// What it is for, in one line.
        title: Text,
        /// Words for tuning and reports, a space between them.
        tags: Text,
        /// The pack's file.
        file: Text,
        /// The line of its beginning, from 1.
        line: U32,
        /// First of its matchers.
        matchers: U32,
        /// How many matchers it has.
        matcher_count: U16,
        /// What it adds to the message's score.
        score: U16,
        /// From 1 to 4.
        paranoia: u8,
        /// `RULE_*` bits.
        flags: u8,
        /// How many conditions: of each an alternative must hold.
        conditions: u8,
        /// From 0 (emergency) to 7 (debug), as syslog has them (RFC 5424, section 6.2.1).
        severity: u8,
    }
}

/// [`Rule::flags`]: all matchers must hold for the same value.
pub const RULE_SAME_VALUE: u8 = 1;
/// [`Rule::flags`]: it serves others, and is not told where it fires.
pub const RULE_SILENT: u8 = 4;
/// [`Rule::flags`]: it looks at answers.
pub const RULE_OUTBOUND: u8 = 2;

record! {
    /// One operator of a rule.
    pub struct Matcher {
        /// Index into rules.
        rule: U32,
        /// By operator.
        argument: U32,
        /// How many, where the argument is the first of several.
        argument_count: U32,
        /// First of its selectors.
        selectors: U32,
        /// Bits of byte_kinds: the text must hold a byte of each kind named here.
        needs: U64,
        /// How many selectors name values that it looks at; none for all of its targets.
        selector_count: U16,
        /// How many selectors after them name values that it leaves alone.
        except_count: U16,
        /// The last transformation: index into steps.
        step: U16,
        /// An [`Operator`] code.
        operator: u8,
        /// `MATCHER_*` bits.
        flags: u8,
        /// What must hold too of what it matches: index into links; `NONE` for nothing.
        then: U32,
        /// Its expression with groups, where these are asked for: index into captures; `NONE` for none.
        captures: U32,
        /// Which of the rule's conditions it is an alternative of; 255 where it follows on another.
        condition: u8,
        /// A [`Relation`] code.
        relation: u8,
        /// Zero; reserved.
        reserved: U16,
    }
}

/// [`Matcher::condition`]: it follows on another matcher.
pub const FOLLOWS: u8 = 255;

record! {
    /// A matcher that is asked of what another's match gives.
    pub struct Link {
        /// Index into matchers.
        matcher: U32,
        /// The text that it is asked of: first of its pieces.
        pieces: U32,
        /// How many pieces.
        piece_count: U16,
        /// Zero; reserved.
        reserved: U16,
    }
}

record! {
    /// A part of a text that is put together.
    pub struct Piece {
        /// What is written.
        text: Text,
        /// A [`PieceKind`] code.
        kind: u8,
        /// Which group.
        group: u8,
        /// Zero; reserved.
        reserved: U16,
    }
}

record! {
    /// A regular expression whose groups are asked for.
    pub struct Capture {
        /// Its first instruction, where it begins.
        first: U32,
        /// How many instructions.
        count: U32,
    }
}

record! {
    /// An instruction of such an expression. `next` and `other` count from its first.
    pub struct CaptureStep {
        /// Where it goes on.
        next: U32,
        /// Where else, or a slot.
        other: U32,
        /// A [`CaptureCode`] code.
        code: u8,
        /// The lowest byte, or an assertion.
        first: u8,
        /// The highest byte.
        last: u8,
        /// Zero; reserved.
        reserved: u8,
    }
}

record! {
    /// Hits that do not count in messages that a rule fires on.
    pub struct Removal {
        /// The rule: index into rules.
        rule: U32,
        /// The hits of which matchers: a set.
        matchers: U16,
        /// How many selectors say which values; none for all.
        selector_count: U16,
        /// First of them.
        selectors: U32,
        /// 1 where the rule is judged before all others, by the head alone.
        early: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}

/// [`Matcher::flags`]: it holds where the operator does not.
pub const MATCHER_NEGATED: u8 = 1;

/// [`Matcher::flags`]: it, or what follows on it, compares a text with something of the request, so that what it says of
/// the text may be another thing in the next request.
pub const MATCHER_OF_REQUEST: u8 = 2;

/// [`Matcher::flags`]: it asks the same as the matcher before it, but after other transformations: of a text that both
/// have, one of them is enough.
pub const MATCHER_AGAIN: u8 = 4;

record! {
    /// Values by target and name.
    pub struct Selector {
        /// The name; of body values a JSON pointer, in which `*` stands for any one name; empty for every name.
        name: Text,
        /// The automaton of the name, where it is an expression: index into automata; 0 elsewhere.
        automaton: U32,
        /// A [`Target`] code.
        target: u8,
        /// A [`Naming`] code.
        naming: u8,
        /// Values in bodies of which kinds: `BODY_*` bits.
        bodies: u8,
        /// Zero; reserved.
        reserved: u8,
    }
}

record! {
    /// A transformation after another. The first stands for the value as it is; those that follow on a step come
    /// right after it.
    pub struct Step {
        /// Bits of byte_kinds: a text without any such byte stays as it is.
        triggers: U64,
        /// The same bits, of this step and all that follow on it.
        all_triggers: U64,
        /// Bits of byte_kinds: nothing in `plain_reach` matches what becomes of a plain text without any such byte.
        plain_needs: U64,
        /// The step before: a lower index into steps.
        parent: U16,
        /// The matchers of this step and of all that follow on it: a set.
        reach: U16,
        /// Those of them that can match what becomes of a plain text.
        plain_reach: U16,
        /// Bytes: nothing in `reach` matches what becomes of a shorter text.
        shortest: U16,
        /// The first step that does not follow on this one: a higher index into steps, or their count.
        next: U16,
        /// A [`super::Transformation`] code.
        transformation: u8,
        /// Zero; reserved.
        reserved: u8,
    }
}

record! {
    /// By byte: the kinds of byte that it is of.
    pub struct ByteKinds {
        /// A bit for each kind.
        kinds: U64,
    }
}

/// [`Literal::beside`]: the byte stands before the gram.
pub const BESIDE_BEFORE: u16 = 0x100;

/// [`Literal::beside`]: the byte stands after the gram.
pub const BESIDE_AFTER: u16 = 0x200;

record! {
    /// A text that rules look for, ASCII letters in lower case. Those of one bucket together.
    pub struct Literal {
        /// First in literal_bytes.
        bytes: U32,
        /// The three bytes at `at` (two, and zero), the first lowest.
        gram: U32,
        /// First in literal_uses.
        uses: U32,
        /// How many matchers use it.
        use_count: U16,
        /// Bytes, 2 or more.
        len: U16,
        /// Where its gram begins.
        at: U16,
        /// Its byte after the gram with [`BESIDE_AFTER`]; where it ends with that, the one before with
        /// [`BESIDE_BEFORE`]; zero where it is the gram.
        beside: U16,
    }
}

record! {
    /// Which matchers an operation's requests meet, by operation.
    pub struct OperationRules {
        /// Those that are not off: a set.
        enabled: U16,
        /// Those whose rules only report: a set.
        monitored: U16,
        /// A [`super::Mode`] code.
        mode: u8,
        /// 1 where no rule looks at the operation, else 0.
        off: u8,
        /// Zero; reserved.
        reserved: U16,
    }
}

codes! {
    /// What narrows the rules that a value can meet, and what the index of a [`Narrowing`] means.
    pub enum NarrowingKind {
        /// It is a number in JSON's notation; 0.
        Number = 1,
        /// It is a number in a notation of forms; 0.
        TextNumber = 2,
        /// It says true, false or null in a text; 0.
        Word = 3,
        /// It has a format: a [`super::Format`] code.
        Format = 4,
        /// It matches a pattern: index into automata.
        Pattern = 5,
        /// It is of the characters of a class: index into char_classes.
        Class = 6,
        /// It is one of some texts: index into literal_sets.
        Literals = 7,
        /// It has no more code points than this.
        Length = 8,
        /// It is a list whose items have a schema: index into schemas.
        Items = 9,
    }
}

record! {
    /// The matchers that what narrows a value leaves.
    pub struct Narrowing {
        /// By kind.
        index: U32,
        /// The matchers that it leaves: a set.
        matchers: U16,
        /// A [`NarrowingKind`] code.
        kind: u8,
        /// Zero; reserved.
        reserved: u8,
    }
}

record! {
    /// Hits that do not count.
    pub struct Exception {
        /// Seconds since 1970 from which they count again; the largest number for never.
        expires: I64,
        /// Which values.
        selector: Selector,
        /// Which operation: index into operations; `NONE` for all.
        operation: U32,
        /// Of which matchers: a set.
        matchers: U16,
        /// 1 where `selector` says which values; 0 for all.
        selects: u8,
        /// Zero; reserved.
        reserved: u8,
        /// Who answers for it.
        owner: Text,
        /// Why.
        reason: Text,
    }
}

record! {
    /// What hits on some values do, instead of what the operation's sets say. Of several that mean a hit the last counts.
    pub struct FieldMode {
        /// Which values.
        selector: Selector,
        /// Which operation: index into operations; `NONE` for requests to none, and for all where there are no
        /// operation_rules.
        operation: U32,
        /// Of which matchers: a set.
        matchers: U16,
        /// 1 where `selector` says which values; 0 for all.
        selects: u8,
        /// A [`HitMode`] code.
        mode: u8,
    }
}

codes! {
    /// What a hit does.
    pub enum HitMode {
        /// It may refuse.
        Enforce = 0,
        /// It is only reported.
        Monitor = 1,
        /// It does not count.
        Off = 2,
    }
}

record! {
    /// A network of addresses; those of IPv4 as mapped into IPv6 (RFC 4291, section 2.5.5.2).
    pub struct Network {
        /// The address in network order.
        address: [u8; 16],
        /// How many bits of it count.
        bits: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}

record! {
    /// A set of bytes.
    pub struct ByteSet {
        /// Bit `b % 64` of word `b / 64`.
        words: [U64; 4],
    }
}

record! {
    /// What is an attack in the header of a JSON Web Token.
    pub struct TokenCheck {
        /// Bytes of the token, at most; `NONE` for any number.
        max_len: U32,
        /// `TOKEN_*` bits.
        flags: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}

/// [`TokenCheck::flags`]: `alg` is `none` in any case, no text, empty, or twice; the signature is empty; or a token
/// whose `typ` is `JWT` has no `alg`.
pub const TOKEN_ALG_NONE: u8 = 1;
/// [`TokenCheck::flags`]: the header brings its own key: `jku`, `x5u`, `x5c`, or, but in a proof of possession, `jwk`.
pub const TOKEN_REMOTE_KEY: u8 = 2;
/// [`TokenCheck::flags`]: `kid` holds what a path, a query or a shell could act on.
pub const TOKEN_UNSAFE_KID: u8 = 4;
/// [`TokenCheck::flags`]: the header of a token whose `typ` is `JWT` has `jku`, `x5u` or `jwk`.
pub const TOKEN_OWN_KEY: u8 = 8;

record! {
    /// The bounds of a GraphQL document; `NONE` for no bound.
    pub struct GraphQlCheck {
        /// Nesting of selection sets.
        depth: U32,
        /// Aliases.
        aliases: U32,
        /// Fields.
        fields: U32,
        /// Directives.
        directives: U32,
        /// Requests in an array of JSON.
        batch: U32,
        /// `GRAPHQL_*` bits.
        flags: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}

/// [`GraphQlCheck::flags`]: introspection (`__schema`, `__type`) is an attack.
pub const GRAPHQL_INTROSPECTION: u8 = 1;
/// [`GraphQlCheck::flags`]: so is what is no GraphQL document.
pub const GRAPHQL_MALFORMED: u8 = 2;
