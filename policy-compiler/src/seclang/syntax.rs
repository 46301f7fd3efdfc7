//! The statements of SecLang, each part with its place.

use super::lexer::Wrong;
use super::names::{ActionName, Collection, CtlName, OperatorName};
use portcullis_bundle::layout::Transformation;
use std::sync::Arc;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// Line, from 1.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
}

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Where it begins.
    pub at: At,
    /// What it says.
    pub body: Body,
}

/// What a directive says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `SecRule`, or `SecAction`, which has neither variables nor operator.
    Rule(Rule),
    /// `SecMarker`: a place that rules are skipped to.
    Marker(String),
    /// `SecDefaultAction`.
    Defaults(Vec<Action>),
    /// `SecRuleRemoveById`, `ByTag`, `ByMsg`.
    Remove(Which),
    /// `SecRuleUpdateTargetById`, `ByTag`, `ByMsg`.
    UpdateTargets {
        /// Of which rules.
        of: Which,
        /// Variables that are added; those with `!` are left out of what is there.
        variables: Vec<Variable>,
        /// What they take the place of.
        replaced: Vec<Variable>,
    },
    /// `SecRuleUpdateActionById`.
    UpdateActions {
        /// The rule.
        id: u32,
        /// Which link of its chain, from 0.
        link: u32,
        /// Actions that take the place of those of their name.
        actions: Vec<Action>,
    },
}

/// A rule, or a link of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which values; none for `SecAction`.
    pub variables: Vec<Variable>,
    /// What is asked of them; none for `SecAction`, which always holds.
    pub operator: Option<Operator>,
    /// What follows.
    pub actions: Vec<Action>,
    /// What in it is refused, if anything: then the whole chain is left out.
    pub refused: Vec<Wrong>,
}

/// Which rules are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By number: from and to, both included.
    Ids(Vec<(u32, u32)>),
    /// By a tag that a regular expression matches.
    Tag(String),
    /// By a message that a regular expression matches.
    Message(String),
}

/// What a variable is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// Its values.
    Values,
    /// `!`: its values are left out.
    Without,
    /// `&`: how many values it has.
    Count,
}

/// Values that a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Where it stands.
    pub at: At,
    /// Values, not these, or how many.
    pub sense: Sense,
    /// The variable.
    pub collection: Collection,
    /// Which of its values.
    pub selector: Selector,
}

/// Which values of a collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// All.
    All,
    /// Those of a name; ASCII case does not count.
    Name(String),
    /// Those whose name a regular expression matches.
    Regex(String),
    /// Those that an XPath expression leads to.
    XPath(String),
}

/// What is asked of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Where it stands.
    pub at: At,
    /// `!`: it holds where the operator does not.
    pub negated: bool,
    /// The operator.
    pub name: OperatorName,
    /// What it is given.
    pub argument: Template,
}

/// A text with macros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it is written.
    Text(String),
    /// `%{NAME}` or `%{NAME.key}`.
    Macro {
        /// The variable.
        collection: Collection,
        /// The key, as it is written.
        key: Option<String>,
    },
}

impl Template {
    /// The text, where it holds no macro.
    pub fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Where it stands.
    pub at: At,
    /// What it does.
    pub kind: ActionKind,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// `id`.
    Id(u32),
    /// `phase`, from 1 to 5.
    Phase(u8),
    /// `chain`: the next rule must hold too.
    Chain,
    /// `capture`: groups go to TX.0 to TX.9.
    Capture,
    /// `multiMatch`: the operator sees what each transformation makes.
    MultiMatch,
    /// `t:`; none where the transformations before it are dropped.
    Transform(Option<Transformation>),
    /// `block`, `deny`, `drop`, `pass`, `proxy`, `redirect`.
    Disruptive(ActionName),
    /// `status`.
    Status(u16),
    /// `msg`.
    Message(Template),
    /// `logdata`.
    LogData(Template),
    /// `tag`.
    Tag(Template),
    /// `severity`, from 0 (emergency) to 7 (debug).
    Severity(u8),
    /// `setvar`.
    SetVar(SetVar),
    /// `skipAfter`.
    SkipAfter(String),
    /// `skip`.
    Skip(u32),
    /// `allow`: later rules are not asked.
    Allow(Allow),
    /// `ctl`.
    Ctl(Ctl),
    /// An action that says nothing about what matches.
    Other {
        /// Which.
        name: ActionName,
        /// What it is given.
        value: String,
    },
}

/// `setvar`: what becomes of a variable of TX, or of what is kept from one transaction to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetVar {
    /// Which collection it is of.
    pub collection: Collection,
    /// Its name, without that of the collection.
    pub name: Template,
    /// What becomes of it.
    pub change: Change,
}

/// What becomes of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It takes a value.
    Set(Template),
    /// A number is added to it.
    Add(Template),
    /// A number is taken from it.
    Subtract(Template),
    /// It goes.
    Remove,
}

/// `ctl`: what changes for the present transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ctl {
    /// `ruleRemoveById`, `ByTag`, `ByMsg`.
    Remove(Which),
    /// `ruleRemoveTargetById`, `ByTag`, `ByMsg`.
    RemoveTarget(Which, Variable),
    /// `ruleEngine`.
    RuleEngine(Engine),
    /// One that says nothing about what matches, as `auditEngine`, or is refused.
    Other(CtlName),
}

/// Which rules `allow` passes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// All that follow.
    All,
    /// Those of the phase.
    Phase,
    /// Those that judge the request.
    Request,
}

/// What rules do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// They refuse.
    On,
    /// They report.
    DetectionOnly,
    /// They do not look.
    Off,
}
