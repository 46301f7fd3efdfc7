//! Answers to requests, for rules that look at those.

use policy_compiler::ir::{Sample, TargetName};
use portcullis_bundle::layout::{Target, View};
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, ResponseHead};

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// As `200`.
    pub status: String,
    /// Names in lower case, and values, in order; no pseudo-headers.
    pub headers: Vec<(String, String)>,
    /// As sent; empty where there is none.
    pub body: Vec<u8>,
}

impl Answer {
    fn new(status: &str, headers: &[(String, String)], body: &str) -> Answer {
        let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
        let mut headers: Vec<_> = headers.iter().map(lower).collect();
        if !body.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
            let json = serde_json::from_str::<serde_json::Value>(body).is_ok();
            let kind = if json { "application/json" } else { "text/html" };
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        Answer { status: status.to_owned(), headers, body: body.as_bytes().to_vec() }
    }

    /// A value where a target says; `None` where that is a place in requests.
    pub fn at(target: &TargetName, value: &str) -> Option<Answer> {
        let name = target.name.clone().unwrap_or_else(|| "x-note".to_owned());
        Some(match target.target {
            Target::ResponseStatus => Answer::new(value, &[], ""),
            Target::ResponseHeader => Answer::new("200", &[(name, value.to_owned())], ""),
            Target::ResponseHeaderName => {
                Answer::new("200", &[(value.to_owned(), "1".to_owned())], "")
            }
            Target::ResponseBody | Target::ResponseValue => Answer::new("200", &[], value),
            _ => return None,
        })
    }

    /// The answer of a test that gives parts; `None` where it gives none of an answer.
    pub fn of(sample: &Sample) -> Option<Answer> {
        let part = |name: &str| {
            sample.parts.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
        };
        let (status, body) = (part("response_status"), part("response_body"));
        let given = status.is_some() || body.is_some() || !sample.response_headers.is_empty();
        let (status, body) = (status.unwrap_or("200"), body.unwrap_or_default());
        given.then(|| Answer::new(status, &sample.response_headers, body))
    }

    /// Judges the answer to a request that was let pass; `None` where no rule looks at it.
    ///
    /// # Panics
    /// Where the engine comes to no decision.
    pub fn judge(
        &self,
        exchange: &mut Exchange,
        view: &View<'_>,
        request: &Decision,
    ) -> Option<Decision> {
        let awaited = exchange.awaits(view, Some(request))?;
        let headers: Vec<(&[u8], &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let head = ResponseHead {
            status: self.status.as_bytes(),
            headers: &headers,
            end_of_stream: self.body.is_empty(),
        };
        let conditions = Conditions::default();
        let mut progress = exchange.on_response_headers(view, &awaited, &head, conditions);
        let (one, other) = self.body.split_at(self.body.len() / 2);
        for piece in [one, other] {
            if matches!(progress, Progress::Body { .. }) {
                progress = exchange.on_response_body(view, piece);
            }
        }
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_response_end(view);
        }
        let Progress::Decided(decision) = progress else { panic!("no decision") };
        Some(decision)
    }
}
