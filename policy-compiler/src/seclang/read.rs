//! The small grammars within a directive: variables, operators, actions, macros.

use super::lexer::{Word, Wrong};
use super::names::{ActionName, Collection, CtlName, OperatorName, Support};
use super::syntax::{
    Action, ActionKind, Allow, At, Change, Ctl, Engine, Operator, Piece, Selector, Sense, SetVar,
    Template, Variable, Which,
};
use crate::diag::did_you_mean;
use portcullis_bundle::layout::Transformation;

/// Variables, actions or ranges of one directive, at most.
const MAX_PARTS: usize = 4096;

/// Letters of a word, with how far each is from its beginning.
struct Cursor<'w> {
    word: &'w Word,
    offset: usize,
}

impl<'w> Cursor<'w> {
    fn new(word: &'w Word) -> Self {
        Cursor { word, offset: 0 }
    }

    fn rest(&self) -> &'w str {
        self.word.text.get(self.offset..).unwrap_or_default()
    }

    fn at(&self) -> At {
        self.word.at(self.offset)
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.offset += text.len();
        }
        found
    }

    fn skip_spaces(&mut self) {
        self.offset += self.rest().len() - self.rest().trim_start().len();
    }

    /// What comes before the first letter that ends it.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'w str {
        let rest = self.rest();
        let text = rest.split(ends).next().unwrap_or_default();
        self.offset += text.len();
        text
    }

    /// A text up to `end`, in which a backslash takes the meaning of `end`; `end` is passed over.
    fn quoted(&mut self, end: char) -> Option<String> {
        let mut text = String::new();
        let mut escaped = false;
        for (offset, letter) in self.rest().char_indices() {
            if letter == end && !escaped {
                self.offset += offset + end.len_utf8();
                return Some(text);
            }
            if letter == end {
                text.pop();
            }
            escaped = letter == '\\' && !escaped;
            text.push(letter);
        }
        None
    }
}

fn unknown<'a>(at: At, what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Wrong {
    let mut wrong = Wrong::new(at, format!("`{name}` is no {what}"));
    wrong.help = did_you_mean(name, known);
    wrong
}

fn refused(at: At, what: &str, name: &str, support: Support) -> Option<Wrong> {
    match support {
        Support::Refused(why) => {
            Some(Wrong::new(at, format!("the {what} `{name}` is refused: {why}")))
        }
        Support::Full | Support::Partly(_) | Support::NoEffect(_) => None,
    }
}

/// What a word says, and what of it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<T> {
    /// What it says.
    pub value: T,
    /// Words of the language in it that are refused.
    pub refused: Vec<Wrong>,
}

/// Reads the variables of a rule.
pub fn variables(word: &Word) -> Result<Read<Vec<Variable>>, Wrong> {
    let mut cursor = Cursor::new(word);
    let mut read = Read { value: Vec::new(), refused: Vec::new() };
    loop {
        cursor.skip_spaces();
        let at = cursor.at();
        let sense = match () {
            () if cursor.take("!") => Sense::Without,
            () if cursor.take("&") => Sense::Count,
            () => Sense::Values,
        };
        let name = cursor.until(|letter| !letter.is_ascii_alphanumeric() && letter != '_');
        let Some(collection) = Collection::read(name) else {
            let names = Collection::ALL.iter().map(|it| it.name());
            return Err(unknown(at, "variable", name, names));
        };
        read.refused.extend(refused(at, "variable", collection.name(), collection.support()));
        let selector = match (cursor.take(":"), collection) {
            (false, _) => Selector::All,
            (true, Collection::Xml) => {
                Selector::XPath(cursor.until(|letter| matches!(letter, '|' | ',')).to_owned())
            }
            (true, _) => selector(&mut cursor)?,
        };
        read.value.push(Variable { at, sense, collection, selector });
        cursor.skip_spaces();
        if cursor.rest().is_empty() {
            return Ok(read);
        }
        if !cursor.take("|") && !cursor.take(",") {
            return Err(Wrong::new(cursor.at(), "variables are parted by `|`"));
        }
        if read.value.len() >= MAX_PARTS {
            return Err(Wrong::new(at, format!("a rule has at most {MAX_PARTS} variables")));
        }
    }
}

fn selector(cursor: &mut Cursor<'_>) -> Result<Selector, Wrong> {
    let at = cursor.at();
    let quoted = cursor.take("'");
    if cursor.take("/") {
        let Some(pattern) = cursor.quoted('/') else {
            return Err(Wrong::new(at, "a regular expression begins with `/` and has no other"));
        };
        if quoted && !cursor.take("'") {
            return Err(Wrong::new(cursor.at(), "a selector begins with `'` and has no other"));
        }
        return Ok(Selector::Regex(pattern));
    }
    let name = match quoted {
        true => cursor.quoted('\''),
        false => Some(cursor.until(|letter| matches!(letter, '|' | ',')).trim().to_owned()),
    };
    match name {
        None => Err(Wrong::new(at, "a selector begins with `'` and has no other")),
        Some(name) if name.is_empty() => {
            Err(Wrong::new(at, "a name or `/expression/` follows `:`"))
        }
        Some(name) => Ok(Selector::Name(name)),
    }
}

/// Reads the operator of a rule.
pub fn operator(word: &Word) -> Result<Read<Operator>, Wrong> {
    let mut cursor = Cursor::new(word);
    cursor.skip_spaces();
    let negated = cursor.take("!");
    cursor.skip_spaces();
    let at = cursor.at();
    let mut read_refused = Vec::new();
    let name = if cursor.take("@") {
        let name = cursor.until(char::is_whitespace);
        let Some(operator) = OperatorName::read(name) else {
            return Err(unknown(
                at,
                "operator",
                name,
                OperatorName::ALL.iter().map(|it| it.name()),
            ));
        };
        read_refused.extend(refused(at, "operator", operator.name(), operator.support()));
        cursor.take(" ");
        operator
    } else {
        OperatorName::Rx
    };
    let pattern = matches!(name, OperatorName::Rx | OperatorName::RxGlobal);
    let text = if pattern { cursor.rest() } else { cursor.rest().trim() };
    // In an expression `%{` can be what it says.
    let argument = match template(text, at) {
        Ok(template) => template,
        Err(_) if pattern => Template(vec![Piece::Text(text.to_owned())]),
        Err(wrong) => return Err(wrong),
    };
    Ok(Read { value: Operator { at, negated, name, argument }, refused: read_refused })
}

/// Reads a text with macros.
pub fn template(text: &str, at: At) -> Result<Template, Wrong> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%{") {
        let Some((named, following)) = after.split_once('}') else {
            return Err(Wrong::new(at, "a macro begins with `%{` and has no `}`"));
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let (name, key) = match named.split_once(['.', ':']) {
            Some((name, key)) => (name, Some(key.to_owned())),
            None => (named, None),
        };
        let Some(collection) = Collection::read(name) else {
            let names = Collection::ALL.iter().map(|it| it.name());
            return Err(unknown(at, "variable", name, names));
        };
        pieces.push(Piece::Macro { collection, key });
        rest = following;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(Template(pieces))
}

/// Reads the actions of a rule.
pub fn actions(word: &Word) -> Result<Read<Vec<Action>>, Wrong> {
    let mut cursor = Cursor::new(word);
    let mut read = Read { value: Vec::new(), refused: Vec::new() };
    loop {
        cursor.skip_spaces();
        while cursor.take(",") {
            cursor.skip_spaces();
        }
        if cursor.rest().is_empty() {
            return Ok(read);
        }
        let at = cursor.at();
        let written = cursor.until(|letter| matches!(letter, ':' | ',') || letter.is_whitespace());
        let Some(name) = ActionName::read(written) else {
            return Err(unknown(at, "action", written, ActionName::ALL.iter().map(|it| it.name())));
        };
        cursor.skip_spaces();
        let mut value = None;
        if cursor.take(":") {
            cursor.skip_spaces();
            value = Some(if cursor.take("'") {
                cursor.quoted('\'').ok_or_else(|| {
                    Wrong::new(
                        at,
                        format!("the value of `{written}` begins with `'` and has no other"),
                    )
                })?
            } else {
                cursor.until(|letter| letter == ',').trim().to_owned()
            });
        }
        cursor.skip_spaces();
        if !cursor.rest().is_empty() && !cursor.rest().starts_with(',') {
            return Err(Wrong::new(cursor.at(), "actions are parted by `,`"));
        }
        read.refused.extend(refused(at, "action", name.name(), name.support()));
        let kind = action(name, value.as_deref(), at)?;
        let value = value.unwrap_or_default();
        if name == ActionName::T && is_refused_transformation(&value) {
            let title = format!("the transformation `{value}` is refused: not yet");
            read.refused.push(Wrong::new(at, title));
        }
        if let ActionKind::Ctl(ctl) = &kind {
            read.refused.extend(refused_ctl(at, ctl));
        }
        read.value.push(Action { at, kind });
        if read.value.len() > MAX_PARTS {
            return Err(Wrong::new(at, format!("a rule has at most {MAX_PARTS} actions")));
        }
    }
}

fn action(name: ActionName, value: Option<&str>, at: At) -> Result<ActionKind, Wrong> {
    use ActionName as A;
    let needed = || {
        value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Wrong::new(at, format!("`{}` needs a value", name.name())))
    };
    let number = |most: u32| {
        let value = needed()?;
        value
            .parse::<u32>()
            .ok()
            .filter(|number| *number <= most)
            .ok_or_else(|| Wrong::new(at, format!("`{value}` is no number from 0 to {most}")))
    };
    Ok(match name {
        A::Id => ActionKind::Id(number(u32::MAX)?),
        A::Phase => ActionKind::Phase(phase(needed()?, at)?),
        A::Chain => ActionKind::Chain,
        A::Capture => ActionKind::Capture,
        A::MultiMatch => ActionKind::MultiMatch,
        A::T => ActionKind::Transform(transformation(needed()?, at)?),
        A::Allow => ActionKind::Allow(match value {
            None | Some("") => Allow::All,
            Some("phase") => Allow::Phase,
            Some("request") => Allow::Request,
            Some(value) => {
                return Err(Wrong::new(
                    at,
                    format!("`{value}` is nothing that `allow` passes over"),
                )
                .help("it is `allow`, `allow:phase` or `allow:request`"));
            }
        }),
        A::Block | A::Deny | A::Drop | A::Pass | A::Proxy | A::Redirect => {
            ActionKind::Disruptive(name)
        }
        A::Status => ActionKind::Status(number(999)? as u16),
        A::Msg => ActionKind::Message(template(needed()?, at)?),
        A::LogData => ActionKind::LogData(template(needed()?, at)?),
        A::Tag => ActionKind::Tag(template(needed()?, at)?),
        A::Severity => ActionKind::Severity(severity(needed()?, at)?),
        A::SetVar => ActionKind::SetVar(set_var(needed()?, at)?),
        A::SkipAfter => ActionKind::SkipAfter(needed()?.to_owned()),
        A::Skip => ActionKind::Skip(number(u32::MAX)?),
        A::Ctl => ActionKind::Ctl(ctl(needed()?, at)?),
        other => ActionKind::Other { name: other, value: value.unwrap_or_default().to_owned() },
    })
}

fn phase(text: &str, at: At) -> Result<u8, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "request" => Ok(2),
        "response" => Ok(4),
        "logging" => Ok(5),
        other => other.parse().ok().filter(|phase| (1..=5).contains(phase)).ok_or_else(|| {
            Wrong::new(at, format!("`{text}` is no phase"))
                .help("phases are 1 to 5, `request`, `response` and `logging`")
        }),
    }
}

fn severity(text: &str, at: At) -> Result<u8, Wrong> {
    const NAMES: [&str; 8] =
        ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];
    let named = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| at as u8);
    let found = named.or_else(|| text.parse().ok()).filter(|severity| *severity < 8);
    found.ok_or_else(|| unknown(at, "severity", text, NAMES))
}

/// Transformations that there are and that are refused.
pub(super) const REFUSED_TRANSFORMATIONS: [&str; 7] = [
    "md5",
    "replaceNulls",
    "parityEven7bit",
    "parityOdd7bit",
    "parityZero7bit",
    "urlEncode",
    "base64Encode",
];

fn is_refused_transformation(text: &str) -> bool {
    REFUSED_TRANSFORMATIONS.iter().any(|name| name.eq_ignore_ascii_case(text))
}

fn transformation(text: &str, at: At) -> Result<Option<Transformation>, Wrong> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    if let Some(found) = Transformation::from_seclang_name(text) {
        return Ok(Some(found));
    }
    // The rule is left out.
    if is_refused_transformation(text) {
        return Ok(None);
    }
    let names = Transformation::ALL.iter().filter_map(|it| it.seclang_name());
    Err(unknown(at, "transformation", text, names))
}

fn set_var(text: &str, at: At) -> Result<SetVar, Wrong> {
    let (removed, text) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    // A name can hold macros, which hold no `=`.
    let (named, value) = match text.split_once('=') {
        Some((named, value)) => (named, Some(value)),
        None => (text, None),
    };
    let (collection, name) = named.split_once(['.', ':']).unwrap_or(("", named));
    let known = Collection::read(collection).filter(|it| it.is_set_by_rules());
    let Some(collection) = known else {
        let title = format!("`setvar` sets no variable of `{collection}`");
        return Err(
            Wrong::new(at, title).help("rules set those of `tx`, `ip`, `global` and others")
        );
    };
    let change = match value {
        _ if removed => Change::Remove,
        // `setvar:tx.x` sets it to 1.
        None => Change::Set(Template(vec![Piece::Text("1".to_owned())])),
        Some(value) => {
            let value = value.trim();
            match (value.strip_prefix('+'), value.strip_prefix('-')) {
                (Some(value), _) => Change::Add(template(value, at)?),
                (_, Some(value)) => Change::Subtract(template(value, at)?),
                _ => Change::Set(template(value, at)?),
            }
        }
    };
    Ok(SetVar { collection, name: template(name.trim(), at)?, change })
}

fn ctl(text: &str, at: At) -> Result<Ctl, Wrong> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let (name, value) = (name.trim(), value.trim());
    Ok(match name.to_ascii_lowercase().as_str() {
        "ruleremovebyid" => Ctl::Remove(Which::Ids(vec![range(value, at)?])),
        "ruleremovebytag" => Ctl::Remove(Which::Tag(value.to_owned())),
        "ruleremovebymsg" => Ctl::Remove(Which::Message(value.to_owned())),
        "ruleremovetargetbyid" => {
            let (which, target) = removed_target(value, at)?;
            Ctl::RemoveTarget(Which::Ids(vec![range(which, at)?]), target)
        }
        "ruleremovetargetbytag" => {
            let (which, target) = removed_target(value, at)?;
            Ctl::RemoveTarget(Which::Tag(which.to_owned()), target)
        }
        "ruleremovetargetbymsg" => {
            let (which, target) = removed_target(value, at)?;
            Ctl::RemoveTarget(Which::Message(which.to_owned()), target)
        }
        "ruleengine" => Ctl::RuleEngine(match value.to_ascii_lowercase().as_str() {
            "on" => Engine::On,
            "detectiononly" => Engine::DetectionOnly,
            "off" => Engine::Off,
            _ => return Err(Wrong::new(at, format!("`{value}` is no state of `ruleEngine`"))),
        }),
        _ => match CtlName::read(name) {
            // What is refused otherwise is the default.
            Some(CtlName::ParseXmlIntoArgs) if value.eq_ignore_ascii_case("off") => {
                Ctl::Other(CtlName::AuditEngine)
            }
            Some(known) => Ctl::Other(known),
            None => {
                return Err(unknown(at, "`ctl`", name, CtlName::ALL.iter().map(|it| it.name())));
            }
        },
    })
}

/// What of a `ctl` is refused.
fn refused_ctl(at: At, ctl: &Ctl) -> Option<Wrong> {
    match ctl {
        Ctl::Other(name) => refused(at, "`ctl`", name.name(), name.support()),
        Ctl::RuleEngine(Engine::DetectionOnly) => {
            let title = "`ctl:ruleEngine=DetectionOnly` is refused: the policy says which rules only report";
            Some(Wrong::new(at, title))
        }
        _ => None,
    }
}

fn removed_target(value: &str, at: At) -> Result<(&str, Variable), Wrong> {
    let Some((which, target)) = value.split_once(';') else {
        return Err(Wrong::new(at, "which rules and which variable are parted by `;`"));
    };
    let word = Word::placed(target, at);
    match variables(&word)?.value.as_slice() {
        [one] if one.sense == Sense::Values => Ok((which.trim(), one.clone())),
        _ => Err(Wrong::new(at, "one variable follows `;`")),
    }
}

/// Reads a number, or two with `-` between them.
pub fn range(text: &str, at: At) -> Result<(u32, u32), Wrong> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        _ => {
            Err(Wrong::new(at, format!("`{text}` is neither a rule's number nor a range of them")))
        }
    }
}
