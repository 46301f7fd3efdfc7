//! Where ModSecurity decides otherwise, and why.

use super::differential::Difference;
use super::message::Message;
use portcullis_bundle::layout::Target;

/// A difference that is meant.
struct Explained {
    accounts: fn(&Message, &Difference) -> bool,
    why: &'static str,
}

const EXPLAINED: &[Explained] = &[
    Explained {
        accounts: |message, it| it.theirs && it.reads_uri && message.uri.contains('%'),
        why: "ModSecurity 3 decodes REQUEST_URI; its manual, version 2 and Coraza have it as sent",
    },
    Explained {
        accounts: |message, it| !it.theirs && message.uri.contains('#'),
        why: "ModSecurity 3 leaves fragments out of the target's parts",
    },
    Explained {
        accounts: |message, _| is_of(message, "multipart/") && has_line_end_in_part(message),
        why: "ModSecurity 3 drops line ends within the values of multipart bodies",
    },
    Explained {
        accounts: |message, it| it.has_line_anchor && has_line_end(message),
        why: "ModSecurity 3 has `$` hold before a last line end too (no PCRE_DOLLAR_ENDONLY, as version 2 has)",
    },
    Explained {
        accounts: |_, it| it.theirs && it.follows_several,
        why: "after `multiMatch` ModSecurity 3 asks a chain's next link with the groups of another text (its own tests fail so)",
    },
    Explained {
        accounts: |message, it| {
            it.theirs
                && (it.rule == 942_100 && says(message, &[".e(", ".e%28"])
                    || matches!(it.rule, 941_100 | 941_101) && says(message, &["onzoo"]))
        },
        why: "ModSecurity 3.0.15 holds a later libinjection than the one followed here: `1.e(`, `onzoo`",
    },
    Explained {
        accounts: |_, it| it.theirs && it.weighs() && it.others_agree,
        why: "ModSecurity adds a rule's points for each value that it matches; here a rule scores once",
    },
    Explained {
        accounts: |message, it| !it.theirs && it.looks_at(Target::Body) && is_of(message, "xml"),
        why: "`XML:/*` looks at attributes too, and at each text by itself; ModSecurity at all texts as one",
    },
    Explained {
        accounts: |message, it| {
            it.transforms_utf8 && (!is_utf8(message) || says(message, &["\0", "%00", "\\u0000"]))
        },
        why: "`utf8toUnicode` of broken characters and bytes 0, as `suite transformations` says",
    },
    Explained {
        accounts: |message, _| is_of(message, "json") && says(message, &["\\u0000"]),
        why: "ModSecurity 3 ends a JSON name at a byte 0",
    },
    Explained {
        accounts: |_, it| !it.theirs && it.has_phrases,
        why: "ModSecurity 3 misses a phrase that begins within another (`.env` in `secrets.env`, beside `secrets.json`)",
    },
    Explained {
        accounts: |message, it| it.theirs && it.rule == 920_430 && !message.uri.starts_with('/'),
        why: "a target that is no path is refused by servers before rules see it",
    },
];

/// What a rule that weighs points says of a difference that is explained by itself.
const FOLLOWS: &str = "the points differ, since another rule that does is explained";

/// Why a rule fires for one alone, if that is known; `explained` says of which side another rule of the same message
/// fires alone, and is explained.
pub fn why(
    message: &Message,
    difference: &Difference,
    explained: impl Fn(bool) -> bool,
) -> Option<&'static str> {
    if difference.weighs() && explained(difference.theirs) {
        return Some(FOLLOWS);
    }
    EXPLAINED.iter().find(|it| (it.accounts)(message, difference)).map(|it| it.why)
}

/// Whether a line ends within the content of a part, or within a part that has no empty line before its content.
fn has_line_end_in_part(message: &Message) -> bool {
    let sent = String::from_utf8_lossy(message.header("content-type").unwrap_or_default());
    let boundary = sent.split_once("boundary=").map_or("", |(_, boundary)| boundary);
    let boundary = boundary.trim_matches('"').split(';').next().unwrap_or_default();
    let body = String::from_utf8_lossy(&message.body);
    body.split(&format!("--{boundary}")).any(|part| {
        let part = part.strip_prefix("\r\n").unwrap_or(part);
        let content = part.split_once("\r\n\r\n").map_or(part, |(_, content)| content);
        content.strip_suffix("\r\n").unwrap_or(content).contains(['\r', '\n'])
    })
}

/// Whether a message's media type holds a text.
fn is_of(message: &Message, kind: &str) -> bool {
    let sent = message.header("content-type").unwrap_or_default().to_ascii_lowercase();
    sent.windows(kind.len()).any(|part| part == kind.as_bytes())
}

/// Whether target or body say one of some texts in lower case.
fn says(message: &Message, texts: &[&str]) -> bool {
    let fields = message.headers.iter().map(|(_, value)| value.as_slice());
    fields.chain([message.uri.as_bytes(), message.body.as_slice()]).any(|part| {
        let part = part.to_ascii_lowercase();
        texts.iter().any(|text| part.windows(text.len()).any(|at| at == text.as_bytes()))
    })
}

fn has_line_end(message: &Message) -> bool {
    says(message, &["\n", "\r", "%0a", "%0d", "\\n", "\\r", "u000a", "u000d"])
}

fn is_utf8(message: &Message) -> bool {
    let fields = message.headers.iter().map(|(_, value)| value.as_slice());
    let parts = fields.chain([message.uri.as_bytes(), message.body.as_slice()]);
    parts.into_iter().all(|part| std::str::from_utf8(part).is_ok())
        && !says(message, &["%8", "%9", "%a", "%b", "%c", "%d", "%e", "%f"])
}
