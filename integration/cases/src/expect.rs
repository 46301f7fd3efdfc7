//! What must come of a request, and what came of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The verdict, as in the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Passed, nothing found.
    Allow,
    /// Refused.
    Block,
    /// Passed, would have been refused.
    Monitor,
    /// Passed unjudged.
    Pass,
}

/// What must come of a request. What is left out may be anything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The status that the client sees. Where the request passes it is the upstream's, and only
    /// checked where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The verdict.
    pub verdict: Verdict,
    /// The code of the finding that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The place in the body: a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The keyword that refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyword: Option<String>,
    /// The place in the documents that the finding names: `FILE#POINTER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The line of that place, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The name of the attack rule that fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The name of the limit that the caller is beyond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

/// What came of a request, as far as a runner can see it: a field that a runner cannot see is none
/// and is not compared, except for the verdict and the code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The status that the client saw.
    pub status: Option<u16>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The code of the finding that decided.
    pub code: Option<String>,
    /// Whether the runner could see the next two.
    pub detailed: bool,
    /// The place in the body.
    pub pointer: Option<String>,
    /// The keyword that refused.
    pub keyword: Option<String>,
    /// Whether the runner could see the next two.
    pub traced: bool,
    /// `FILE#POINTER`.
    pub at: Option<String>,
    /// The line of that place.
    pub line: Option<u32>,
    /// The name of the attack rule that fired.
    pub rule: Option<String>,
    /// The name of the limit that the caller is beyond.
    pub limit: Option<String>,
}

impl Observed {
    /// Verdict and code from the verdict string of the access log.
    pub fn of_verdict(text: &str) -> Self {
        let (name, rest) = text.split_once(':').unzip();
        let name = name.unwrap_or(text);
        let verdict = match name {
            "allow" => Some(Verdict::Allow),
            "block" => Some(Verdict::Block),
            "monitor" => Some(Verdict::Monitor),
            "pass" => Some(Verdict::Pass),
            _ => None,
        };
        let code = rest.map(|rest| match (name, rest) {
            ("pass", "probe") => "probe-bypass",
            ("pass", "stream") => "stream-unchecked",
            (_, code) => code,
        });
        Self { verdict, code: code.map(str::to_owned), ..Self::default() }
    }
}

impl Expect {
    /// Every difference to what was expected, in words; empty where there is none.
    pub fn differences(&self, observed: &Observed) -> Vec<String> {
        let mut found = Vec::new();
        let mut differ = |what: &str, expected: &dyn fmt::Debug, got: &dyn fmt::Debug| {
            found.push(format!("{what}: expected {expected:?}, got {got:?}"));
        };
        if observed.verdict != Some(self.verdict) {
            differ("verdict", &self.verdict, &observed.verdict);
        }
        // An allowed request has no finding, or a note that not every runner can see.
        let allowed = self.verdict == Verdict::Allow;
        let seen = observed.detailed || !allowed || observed.code.is_some();
        if seen && (self.code.is_some() || allowed) && self.code != observed.code {
            differ("code", &self.code, &observed.code);
        }
        if let (Some(expected), Some(got)) = (self.status, observed.status)
            && expected != got
        {
            differ("status", &expected, &got);
        }
        if observed.detailed && self.pointer.is_some() && self.pointer != observed.pointer {
            differ("pointer", &self.pointer, &observed.pointer);
        }
        if observed.detailed && self.keyword.is_some() && self.keyword != observed.keyword {
            differ("keyword", &self.keyword, &observed.keyword);
        }
        if let Some(at) = &self.at
            && observed.traced
            && !observed.at.as_ref().is_some_and(|got| names_same_place(got, at))
        {
            differ("at", at, &observed.at);
        }
        if observed.traced && self.rule.is_some() && self.rule != observed.rule {
            differ("rule", &self.rule, &observed.rule);
        }
        if observed.traced && self.limit.is_some() && self.limit != observed.limit {
            differ("limit", &self.limit, &observed.limit);
        }
        if observed.traced && self.line.is_some() && self.line != observed.line {
            differ("line", &self.line, &observed.line);
        }
        found
    }
}

/// Documents are named by their path as the compiler was given it; cases name the file alone.
fn names_same_place(got: &str, expected: &str) -> bool {
    got == expected || got.strip_suffix(expected).is_some_and(|before| before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked() -> Observed {
        Observed {
            status: Some(400),
            verdict: Some(Verdict::Block),
            code: Some("body-invalid".to_owned()),
            detailed: true,
            pointer: Some("/a".to_owned()),
            keyword: Some("type".to_owned()),
            traced: true,
            at: Some("dir/api.yaml#/x".to_owned()),
            line: Some(7),
            rule: Some("r".to_owned()),
            limit: Some("l".to_owned()),
        }
    }

    #[test]
    fn each_field_can_differ() {
        let text = r#"{"status":400,"verdict":"block","code":"body-invalid","pointer":"/a","keyword":"type","at":"api.yaml#/x","line":7,"rule":"r","limit":"l"}"#;
        let expect: Expect = serde_json::from_str(text).unwrap();
        assert_eq!(expect.differences(&blocked()), Vec::<String>::new());
        let changes: [fn(&mut Observed); 9] = [
            |o| o.status = Some(200),
            |o| o.verdict = Some(Verdict::Allow),
            |o| o.code = None,
            |o| o.pointer = Some("/b".to_owned()),
            |o| o.keyword = None,
            |o| o.at = Some("other-api.yaml#/x".to_owned()),
            |o| o.line = Some(8),
            |o| o.rule = None,
            |o| o.limit = None,
        ];
        for change in changes {
            let mut observed = blocked();
            change(&mut observed);
            assert_eq!(expect.differences(&observed).len(), 1, "{observed:?}");
        }
    }

    #[test]
    fn an_allowed_request_has_no_finding() {
        let expect: Expect = serde_json::from_str(r#"{"verdict":"allow"}"#).unwrap();
        let observed = Observed { verdict: Some(Verdict::Allow), ..blocked() };
        assert_eq!(expect.differences(&observed).len(), 1);
    }
}
