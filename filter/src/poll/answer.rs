//! What a store's answer means, by its header fields and the length of its body.

use crate::headers::Fields;

/// Bytes of an entity tag that is kept; a longer one is not sent back.
pub const MOST_ETAG: usize = 128;

/// Why a fetch brought no bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Failure {
    /// No answer, or one that broke off: connection, time, or Envoy's own limit.
    Unreachable,
    /// A status that is not 200 or 304. Envoy's own answers for a store that is gone are 503 and 504.
    Status,
    /// 404: nothing is published.
    NotFound,
    /// A redirect, which is not followed.
    Redirect,
    /// A body beyond `max_bytes`.
    TooLarge,
    /// A body of another length than `content-length` says.
    Length,
    /// A bundle that may not serve here or now.
    Refused,
    /// Verification took so long that another worker fetches by now.
    Superseded,
    /// No word from who fetches: its VM failed.
    Abandoned,
}

impl Failure {
    /// Every failure with its name in metrics and logs, by code.
    pub const ALL: [(Failure, &'static str); 9] = [
        (Failure::Unreachable, "unreachable"),
        (Failure::Status, "status"),
        (Failure::NotFound, "not-found"),
        (Failure::Redirect, "redirect"),
        (Failure::TooLarge, "too-large"),
        (Failure::Length, "length"),
        (Failure::Refused, "refused"),
        (Failure::Superseded, "superseded"),
        (Failure::Abandoned, "abandoned"),
    ];

    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        Self::ALL.get(usize::from(self as u8)).map_or("", |(_, name)| name)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 304: what was fetched last is what there is.
    Unchanged,
    /// 200, with the entity tag where there is one to keep.
    Body(Option<Vec<u8>>),
    /// Nothing of use: why, the status, and the milliseconds that the store asks to wait.
    Failed(Failure, u16, Option<u64>),
}

/// Judges an answer. `fields` is `None` where none came.
pub fn judge(fields: Option<&Fields<'_>>, body: usize, max_bytes: u32) -> Answer {
    let Some(fields) = fields.filter(|fields| !fields.as_slice().is_empty()) else {
        return Answer::Failed(Failure::Unreachable, 0, None);
    };
    let value = |name: &[u8]| {
        fields.as_slice().iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    };
    let status = value(b":status").and_then(number).and_then(|it| u16::try_from(it).ok());
    let status = status.unwrap_or(0);
    let failed = |failure| Answer::Failed(failure, status, None);
    match status {
        200 if u32::try_from(body).is_ok_and(|body| body <= max_bytes) => {
            let said = value(b"content-length").and_then(number);
            if said.is_some_and(|said| usize::try_from(said) != Ok(body)) {
                return failed(Failure::Length);
            }
            let is_sent = |etag: &&[u8]| {
                etag.len() <= MOST_ETAG && etag.iter().all(|it| it.is_ascii_graphic())
            };
            Answer::Body(value(b"etag").filter(is_sent).map(<[u8]>::to_vec))
        }
        200 => failed(Failure::TooLarge),
        304 => Answer::Unchanged,
        404 => failed(Failure::NotFound),
        300..400 => failed(Failure::Redirect),
        // RFC 9110, section 10.2.3: seconds, or a date, which is not read.
        _ => {
            let asked = value(b"retry-after").and_then(number);
            Answer::Failed(Failure::Status, status, asked.map(|it| it.saturating_mul(1000)))
        }
    }
}

fn number(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Answer, Failure, judge};
    use crate::headers::{Fields, serialise};

    fn judged(fields: &[(&str, &str)], body: usize) -> Answer {
        let bytes = serialise(fields);
        judge(Fields::parse(&bytes).as_ref(), body, 100)
    }

    #[test]
    fn places_are_the_codes() {
        assert!(Failure::ALL.iter().enumerate().all(|(at, (failure, _))| *failure as usize == at));
    }

    #[test]
    fn every_kind_of_answer_is_told_apart() {
        let failed = |failure, status| Answer::Failed(failure, status, None);
        let etag = Answer::Body(Some(b"\"a\"".to_vec()));
        for (fields, body, expected) in [
            (&[(":status", "200"), ("etag", "\"a\""), ("content-length", "7")][..], 7, etag),
            (&[(":status", "200")], 100, Answer::Body(None)),
            (&[(":status", "200"), ("etag", "\"a b\"")], 1, Answer::Body(None)),
            (&[(":status", "200")], 101, failed(Failure::TooLarge, 200)),
            (&[(":status", "200"), ("content-length", "9")], 7, failed(Failure::Length, 200)),
            (&[(":status", "304")], 0, Answer::Unchanged),
            (&[(":status", "404")], 3, failed(Failure::NotFound, 404)),
            (&[(":status", "302"), ("location", "/x")], 3, failed(Failure::Redirect, 302)),
            (&[(":status", "500")], 3, failed(Failure::Status, 500)),
            (&[(":status", "206")], 3, failed(Failure::Status, 206)),
            (&[(":status", "two")], 3, failed(Failure::Status, 0)),
            (&[], 0, failed(Failure::Unreachable, 0)),
        ] {
            assert_eq!(judged(fields, body), expected, "{fields:?}");
        }
        let asked = judged(&[(":status", "503"), ("retry-after", "7")], 0);
        assert_eq!(asked, Answer::Failed(Failure::Status, 503, Some(7000)));
        let date = judged(&[(":status", "503"), ("retry-after", "Fri, 31 Dec 2027")], 0);
        assert_eq!(date, Answer::Failed(Failure::Status, 503, None));
        assert_eq!(judge(None, 0, 100), failed(Failure::Unreachable, 0));
    }
}
