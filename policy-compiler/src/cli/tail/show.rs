//! Log lines for people.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A line of the filter's.
pub struct Told<'a> {
    /// The time that Envoy wrote before the object.
    pub time: &'a str,
    /// The object as it is written.
    pub text: &'a str,
    /// The same, read.
    pub event: Value,
}

/// What a line of the filter's tells; nothing of any other line, whatever a client has put into it.
pub fn read(line: &str) -> Option<Told<'_>> {
    let start = line.find("{\"portcullis\":")?;
    is_of_filters(line.get(..start)?).then_some(())?;
    let object = line.get(start..)?;
    let mut values = serde_json::Deserializer::from_str(object).into_iter::<Value>();
    let event = values.next()?.ok()?;
    let text = object.get(..values.byte_offset())?;
    let time = time(line.get(..start).unwrap_or_default());
    // An access log has a member of that name too, as text.
    (event["portcullis"].is_number() && event["event"].is_string()).then_some(Told {
        time,
        text,
        event,
    })
}

/// Whether what precedes an object is nothing, or what Envoy's logger writes before what a wasm filter logs: also as Istio sets it, and
/// behind what `docker-compose logs` and `kubectl logs` add. A quotation mark is of an access log, where texts of clients follow.
fn is_of_filters(prefix: &str) -> bool {
    let is_loggers = prefix.contains("[wasm]") || prefix.contains("envoy wasm ");
    prefix.is_empty()
        || (is_loggers
            && prefix.contains("wasm log")
            && prefix.ends_with(": ")
            && !prefix.contains('"'))
}

/// `18:23:55` of `[2026-11-27 18:23:55.574][7][warning][wasm] …`, wherever it stands in what precedes the object.
fn time(prefix: &str) -> &str {
    let clock = prefix.split('[').find_map(|part| {
        let (day, rest) = part.split_once(' ')?;
        let clock = rest.get(..8)?;
        let digits = |text: &str, mark| text.split(mark).all(|it| it.parse::<u16>().is_ok());
        (digits(day, '-') && digits(clock, ':')).then_some(clock)
    });
    clock.unwrap_or_default()
}

/// Text for a terminal or for a file.
pub struct Painter {
    /// Whether colours are wanted.
    pub colored: bool,
}

impl Painter {
    /// One line: time, verdict, status, code, operation, place, reason, origin.
    pub fn line(&self, time: &str, event: &Value) -> String {
        let text =
            |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match text("/event") {
            "finding" => {
                let verdict = text("/verdict");
                let status =
                    event["status"].as_u64().map_or_else(|| "-".to_owned(), |it| it.to_string());
                let operation = [text("/method"), text("/template")].join(" ");
                let place = place(event);
                let told = [
                    format!("{status:<3}"),
                    format!("{:<24}", text("/code")),
                    format!("{:<36}", if operation.len() > 1 { &operation } else { "-" }),
                    format!("{:<28}", place),
                    reason(event),
                ];
                let verdict = self.paint(verdict_color(verdict), &format!("{verdict:<7}"));
                format!("{time:<8}  {verdict}  {}", clean(&told.join("  ")))
            }
            "configuration" => {
                let outcome = text("/outcome");
                let epoch =
                    event["epoch"].as_u64().map_or_else(String::new, |it| format!("epoch {it}"));
                let told = [text("/plugin"), text("/reason"), &epoch, text("/detail")];
                let told: Vec<&str> = told.into_iter().filter(|it| !it.is_empty()).collect();
                let color = if outcome == "accepted" { GREEN } else { RED };
                let outcome = self.paint(color, &format!("configuration {outcome}"));
                format!("{time:<8}  {outcome}: {}", clean(&told.join(", ")))
            }
            "suppressed" => {
                let count = event["suppressed"].as_u64().unwrap_or(0);
                let told = self.faint(&format!("{count} findings left out, to keep to the rate"));
                format!("{time:<8}  {told}")
            }
            other => clean(&format!("{time:<8}  {other}")),
        }
    }

    /// What matters less.
    pub fn faint(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(&self, color: &str, text: &str) -> String {
        let text: String = text.chars().map(shown).collect();
        if self.colored { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

fn verdict_color(verdict: &str) -> &'static str {
    match verdict {
        "block" => RED,
        "monitor" => YELLOW,
        _ => "2",
    }
}

/// Where in the message it is.
fn place(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let of_answer = if text("direction") == "outbound" { "answer " } else { "" };
    let within = match (text("name"), event["pointer"].as_str()) {
        ("", None) => String::new(),
        ("", Some(pointer)) => pointer.to_owned(),
        (name, _) => format!(".{name}"),
    };
    format!("{of_answer}{}{within}", text("in"))
}

/// The rule, limit or keyword, and the line that it follows from.
fn reason(event: &Value) -> String {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let what = [text("/rule/id"), text("/limit/name"), text("/keyword")];
    let what = what.into_iter().find(|it| !it.is_empty()).unwrap_or_default();
    let origin = match (text("/origin/document"), event.pointer("/origin/line")) {
        ("", _) | (_, None) => String::new(),
        (document, Some(line)) => format!("{document}:{line}"),
    };
    [what, &origin].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("  ")
}

/// Text without the blanks at its end, and without what would command a terminal.
fn clean(text: &str) -> String {
    text.trim_end().chars().map(shown).collect()
}

fn shown(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}

/// What was shown so far.
#[derive(Debug, Default)]
pub struct Summary {
    verdicts: BTreeMap<&'static str, u64>,
    codes: BTreeMap<String, u64>,
    suppressed: u64,
    refused: u64,
}

/// Codes that the summary tells apart; beyond, they are counted by verdict only.
const MOST_CODES: usize = 1000;

impl Summary {
    /// Counts an event.
    pub fn count(&mut self, event: &Value) {
        match event["event"].as_str().unwrap_or_default() {
            "finding" => {
                let name = match event["verdict"].as_str().unwrap_or_default() {
                    "block" => "refused",
                    "monitor" => "would be refused",
                    _ => "noted",
                };
                *self.verdicts.entry(name).or_default() += 1;
                let code = event["code"].as_str().unwrap_or_default();
                if self.codes.len() < MOST_CODES || self.codes.contains_key(code) {
                    *self.codes.entry(code.to_owned()).or_default() += 1;
                }
            }
            "suppressed" => self.suppressed += event["suppressed"].as_u64().unwrap_or(0),
            "configuration" if !as_wanted(&event["outcome"]) => self.refused += 1,
            _ => {}
        }
    }
}

/// Every VM denies for a moment where Envoy starts before the first policy comes: `policy-missing` tells where it lasts.
fn as_wanted(outcome: &Value) -> bool {
    ["accepted", "denying", "fetch-recovered"].iter().any(|it| outcome == it)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.verdicts.values().sum();
        write!(f, "{total} finding{}", if total == 1 { "" } else { "s" })?;
        for (name, count) in &self.verdicts {
            write!(f, " · {count} {name}")?;
        }
        let mut codes: Vec<(&String, &u64)> = self.codes.iter().collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (at, (code, count)) in codes.iter().take(3).enumerate() {
            write!(f, "{} {} {count}", if at == 0 { " · most:" } else { "," }, clean(code))?;
        }
        if self.suppressed > 0 {
            write!(f, " · {} left out", self.suppressed)?;
        }
        if self.refused > 0 {
            let plural = if self.refused == 1 { "" } else { "s" };
            write!(f, " · {} configuration{plural} not as wanted", self.refused)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Painter, Summary, read};

    const FINDING: &str = r#"[2026-11-27 18:23:55.574][7][warning][wasm] [source/x.cc:1] wasm log: {"portcullis":1,"event":"finding","verdict":"block","status":400,"code":"body-invalid","method":"POST","template":"/pay","in":"body","pointer":"/amount","keyword":"minimum","origin":{"document":"api.yaml","line":17,"column":1,"pointer":"/x"}}"#;

    #[test]
    fn a_finding_is_told_in_columns() {
        let told = read(FINDING).unwrap();
        assert!(FINDING.ends_with(told.text));
        let line = Painter { colored: false }.line(told.time, &told.event);
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "18:23:55",
                "block",
                "400",
                "body-invalid",
                "POST",
                "/pay",
                "body/amount",
                "minimum",
                "api.yaml:17"
            ]
        );
        let colored = Painter { colored: true }.line(told.time, &told.event);
        assert!(colored.contains("\x1b[31mblock"), "{colored:?}");
    }

    #[test]
    fn other_lines_are_passed_over() {
        for line in [
            "",
            "[2026-11-27 18:23:55.574][7][info][main] starting",
            r#"{"portcullis":"block:body-invalid","flags":"-"}"#,
            r#"{"portcullis":1,"event":"#,
            r#"{"portcullis":1}"#,
            r#"{"a":{"portcullis":{}}}"#,
            "\u{fffd}{{{{",
        ] {
            assert!(read(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_terminal_is_not_commanded_by_the_log() {
        let line =
            r#"{"portcullis":1,"event":"finding","verdict":"block","code":"a\u001b[2Jb\r\n"}"#;
        let told = read(line).unwrap();
        for colored in [false, true] {
            let shown = Painter { colored }.line(told.time, &told.event);
            assert!(!shown.contains("\x1b[2J") && !shown.contains(['\r', '\n']), "{shown:?}");
        }
        // Nor is anything painted by it.
        for line in [
            r#"{"portcullis":1,"event":"finding","verdict":"\u001b[31mb","code":"\u001b[32mc"}"#,
            r#"{"portcullis":1,"event":"configuration","outcome":"\u001b[31mo","detail":"\u001b[2md"}"#,
            r#"{"portcullis":1,"event":"\u001b[31me"}"#,
        ] {
            let told = read(line).unwrap();
            let plain = Painter { colored: false }.line(told.time, &told.event);
            assert!(!plain.contains('\x1b'), "{plain:?}");
        }
    }

    #[test]
    fn what_a_client_put_into_an_access_log_is_no_finding() {
        let object = FINDING.split_once("log: ").unwrap().1;
        for prefix in [
            "",
            "[2026-11-27 18:23:55.574][7][warning][wasm] [source/x.cc:1] wasm log portcullis portcullis portcullis: ",
            "gateway_1  | [2026-11-27 18:23:55.574][7][warning][wasm] [source/x.cc:1] wasm log: ",
            "2026-11-27T18:23:55.574012Z\twarning\tenvoy wasm external/x/context.cc:1\twasm log portcullis: ",
        ] {
            assert!(read(&[prefix, object].concat()).is_some(), "{prefix}");
        }
        for prefix in [
            r#"[2026-11-27T18:23:55.574Z] "GET / HTTP/1.1" 200 - 0 0 1 - "-" ""#,
            r#"[2026-11-27T18:23:55.574Z] "GET / HTTP/1.1" 200 - 0 0 1 - "-" "[7][warning][wasm] wasm log: "#,
            "agent: ",
            "[2026-11-27 18:23:55.574][7][warning][http] said: ",
            "[2026-11-27 18:23:55.574][7][warning][wasm] wasm log: said ",
        ] {
            assert!(read(&[prefix, object].concat()).is_none(), "{prefix}");
        }
    }

    #[test]
    fn the_summary_counts() {
        let mut summary = Summary::default();
        for line in [
            FINDING,
            FINDING,
            r#"{"portcullis":1,"event":"finding","verdict":"monitor","code":"path-undeclared"}"#,
            r#"{"portcullis":1,"event":"suppressed","suppressed":7}"#,
            r#"{"portcullis":1,"event":"configuration","outcome":"refused"}"#,
            r#"{"portcullis":1,"event":"configuration","outcome":"denying"}"#,
        ] {
            summary.count(&read(line).unwrap().event);
        }
        assert_eq!(
            summary.to_string(),
            "3 findings · 2 refused · 1 would be refused · most: body-invalid 2, path-undeclared 1 · 7 left out · 1 \
             configuration not as wanted"
        );
    }
}
