//! Attack rules: what is looked for where. One form for every front end.

use super::{Action, Mode};
use portcullis_bundle::layout::{BODY_ALL, Target, Transformation};

/// What the policy says of attack rules, and the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attacks {
    /// Every rule of the packs, in their order.
    pub rules: Vec<Rule>,
    /// Whether rules refuse, for requests of no operation.
    pub mode: AttackMode,
    /// The highest level of rules that count, from 1 to 4.
    pub paranoia: u8,
    /// Score from which a request is refused.
    pub inbound: u16,
    /// Score from which an answer is refused.
    pub outbound: u16,
    /// Steps of matching a message.
    pub budget: u32,
    /// What the end of the budget means.
    pub budget_end: Action,
    /// What bodies mean that no document declares and that cannot be read.
    pub unreadable_bodies: Action,
    /// Bytes of a body that are read as sent.
    pub raw_body: u32,
    /// How bodies of answers are read.
    pub response_body: ResponseBodies,
    /// Rules with a mode of their own, the last that names a rule wins.
    pub tuning: Vec<Tuning>,
    /// Hits that do not count.
    pub exceptions: Vec<Exception>,
    /// What rules take from others for the message that they fire on.
    pub removals: Vec<Removal>,
}

/// A rule that fires, and what does not count then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The rule that fires: an index into the rules.
    pub by: usize,
    /// The rules whose hits do not count: indexes into the rules.
    pub rules: Vec<usize>,
    /// On which values; none for all.
    pub at: Vec<TargetName>,
}

/// How bodies of answers are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseBodies {
    /// Bytes that are read.
    pub limit: u32,
    /// Media types that are read: `application/json`, `text/*`, `application/*+json`.
    pub media_types: Vec<String>,
    /// What larger bodies mean.
    pub larger: Action,
    /// What bodies in a content coding mean.
    pub coded: Action,
    /// The upstream is asked for answers without a content coding.
    pub identity: bool,
}

/// What rules do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttackMode {
    /// They refuse, where the operation's mode does.
    #[default]
    Enforce,
    /// They only report.
    Monitor,
    /// They do not look.
    Off,
}

impl From<AttackMode> for Mode {
    fn from(mode: AttackMode) -> Self {
        match mode {
            AttackMode::Enforce => Mode::Enforce,
            AttackMode::Monitor | AttackMode::Off => Mode::Monitor,
        }
    }
}

/// Which rules are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSelector {
    /// By name; `*` at the end stands for any ending.
    Id(String),
    /// By one of their tags.
    Tag(String),
    /// Every rule.
    All,
}

impl RuleSelector {
    /// Whether a rule is meant.
    pub fn is(&self, rule: &Rule) -> bool {
        match self {
            RuleSelector::Id(id) => match id.strip_suffix('*') {
                Some(start) => rule.id.starts_with(start),
                None => rule.id == *id,
            },
            RuleSelector::Tag(tag) => rule.tags.contains(tag),
            RuleSelector::All => true,
        }
    }
}

/// The mode of some rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Which rules.
    pub rules: RuleSelector,
    /// On which values; none for all.
    pub at: Option<TargetName>,
    /// Their mode.
    pub mode: AttackMode,
}

/// Hits that do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Of which rules.
    pub rules: RuleSelector,
    /// Of which operation, as method and path template; none for all.
    pub operation: Option<String>,
    /// On which values; none for all.
    pub at: Option<TargetName>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Seconds since 1970 from which the hits count again.
    pub expires: i64,
    /// The line of the policy that says so.
    pub line: u32,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// What it is for.
    pub title: String,
    /// What it adds to a message's score.
    pub score: u16,
    /// From 0 (emergency) to 7 (debug).
    pub severity: u8,
    /// From 1 to 4.
    pub paranoia: u8,
    /// Words for tuning and reports.
    pub tags: Vec<String>,
    /// The pack's file.
    pub file: String,
    /// The line of its beginning, from 1.
    pub line: u32,
    /// All must hold.
    pub conditions: Vec<Matcher>,
    /// They must hold for the same value.
    pub same_value: bool,
    /// It serves others, and is not told where it fires.
    pub silent: bool,
    /// Where it cannot be compiled it is left out with a warning.
    pub lenient: bool,
    /// It only reports where nothing says otherwise: it is above the level that refuses.
    pub detects_only: bool,
    /// What it must catch, and what it must not.
    pub tests: Tests,
}

/// What a rule's tests say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// It must fire.
    pub attacks: Vec<Sample>,
    /// No rule of its level must fire.
    pub passes: Vec<Sample>,
}

/// A message of a test, in part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// A value that stands where the rule's first target says.
    pub value: Option<String>,
    /// Parts of a message by name: `method`, `path`, `query`, `json`, `form`, `body`, `content_type`, `status`,
    /// `response_body`.
    pub parts: Vec<(String, String)>,
    /// Header fields and cookies of the request.
    pub headers: Vec<(String, String)>,
    /// Header fields of the answer.
    pub response_headers: Vec<(String, String)>,
}

/// One operator over some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// Which values.
    pub targets: Vec<TargetName>,
    /// Which of them are left out.
    pub except: Vec<TargetName>,
    /// What is done to them first, in order.
    pub transform: Vec<Transformation>,
    /// What is asked of them.
    pub operator: Operator,
    /// It holds where the operator does not.
    pub negated: bool,
    /// The line of the operator, from 1.
    pub line: u32,
    /// It is enough that this holds, or the matcher before it.
    pub or: bool,
    /// The groups of its expression are kept for what follows.
    pub capture: bool,
    /// What must hold too of what this matches.
    pub then: Option<Box<Link>>,
}

/// A matcher of a text that another's match gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The text.
    pub text: Vec<TextPiece>,
    /// What is asked of it; its targets are empty.
    pub matcher: Matcher,
}

/// A part of a text that is put together when a rule is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextPiece {
    /// As it is written.
    Text(String),
    /// A group of the last expression that captures, from 0.
    Capture(u8),
    /// What the matcher before matched, as its transformations made it.
    Matched,
    /// The name of the value.
    Name,
    /// The host that the request is for, as sent.
    Host,
    /// The request's method.
    Method,
    /// The same, in lower case.
    MethodLower,
}

/// Values by place and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName {
    /// The place.
    pub target: Target,
    /// The name; none for every one.
    pub name: Option<String>,
    /// How the name is meant.
    pub naming: Naming,
    /// In bodies of which kinds: `BODY_*` bits.
    pub bodies: u8,
}

impl TargetName {
    /// Values of a place, and of a name as it is written.
    pub fn new(target: Target, name: Option<String>) -> TargetName {
        TargetName { target, name, naming: Naming::Written, bodies: BODY_ALL }
    }
}

/// How a name is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Naming {
    /// As it is written; of values in bodies as a pointer.
    #[default]
    Written,
    /// As an argument's name, in which dots part those of JSON; ASCII case does not count.
    Argument,
    /// As a regular expression over such a name.
    Regex,
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The value is the number.
    Equal,
    /// It is not less.
    AtLeast,
    /// It is more.
    Over,
    /// It is not more.
    AtMost,
    /// It is less.
    Under,
}

/// How two texts compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRelation {
    /// The value is the text.
    Equal,
    /// It begins with it.
    Begins,
    /// It ends with it.
    Ends,
    /// It holds it.
    Contains,
    /// It is a part of it.
    Within,
}

impl TargetName {
    /// Whether the values are of answers, not of requests.
    pub fn is_outbound(&self) -> bool {
        matches!(
            self.target,
            Target::ResponseStatus
                | Target::ResponseHeader
                | Target::ResponseHeaderName
                | Target::ResponseBody
                | Target::ResponseScore
                | Target::ResponseValue
        )
    }
}

/// What is asked of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// A regular expression over bytes matches somewhere.
    Regex(String),
    /// One of the texts occurs; ASCII case does not count.
    AnyOf(Vec<String>),
    /// It has more bytes.
    LongerThan(u32),
    /// It is a whole number over this.
    NumberOver(u32),
    /// It is a whole number under this.
    NumberUnder(u32),
    /// It is this whole number.
    NumberIs(u32),
    /// It is an address in one of the networks, as address and bits, IPv4 as mapped into IPv6.
    Ip(Vec<([u8; 16], u8)>),
    /// A byte is not in the set.
    BytesOutside([u64; 4]),
    /// It is not UTF-8.
    InvalidUtf8,
    /// Its percent-encoding is broken.
    InvalidPercent,
    /// It is injected SQL.
    Sql,
    /// It is injected HTML or script.
    Xss,
    /// It holds the number of a payment card.
    CardNumber {
        /// Only where its digits stand in groups.
        grouped: bool,
    },
    /// It holds a JSON Web Token with such a header; `TOKEN_*` flags and the length.
    Jwt {
        /// `TOKEN_*` bits.
        flags: u8,
        /// Bytes, at most.
        longer_than: Option<u32>,
    },
    /// It is a GraphQL document beyond these bounds.
    GraphQl {
        /// `GRAPHQL_*` bits.
        flags: u8,
        /// Nesting.
        depth: Option<u32>,
        /// Aliases.
        aliases: Option<u32>,
        /// Fields.
        fields: Option<u32>,
        /// Directives.
        directives: Option<u32>,
        /// Requests in an array of JSON.
        batch: Option<u32>,
    },
    /// There are more values of the target.
    CountOver {
        /// Which.
        of: Target,
        /// How many, at most.
        count: u32,
    },
    /// Its number at the beginning, 0 where there is none, compares so.
    Compare(Relation, i32),
    /// How many values the targets have compares so.
    Count(Relation, u32),
    /// It compares so with a text.
    Text(TextRelation, Vec<TextPiece>),
    /// Its number at the beginning compares so with that of a text.
    CompareText(Relation, Vec<TextPiece>),
    /// How often one name comes among the values compares so.
    SameName(Relation, u32),
    /// Always.
    Always,
    /// A name comes twice that is not declared as a list.
    Repeated {
        /// Among which.
        of: Target,
    },
}
