//! A bundle that judges whole requests.

use portcullis_bundle::Bundle;
use portcullis_engine::decision::Verdict;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

/// Header fields of a message, at most, the three pseudo-headers included.
const MAX_FIELDS: usize = 64;

/// A bundle, and the buffers that a worker reuses.
#[derive(Debug)]
pub struct Gateway {
    bundle: Bundle,
    exchange: Exchange,
}

impl Gateway {
    /// Takes one byte, whether every attack rule is tried in turn, and a bundle; none where the bundle is refused.
    pub fn open(bytes: &[u8]) -> Option<Self> {
        let (every, bundle) = bytes.split_first()?;
        let mut exchange = Exchange::new();
        exchange.try_every_rule(*every != 0);
        Some(Self { bundle: crate::open(bundle)?, exchange })
    }

    /// Judges a message: the number of its header fields as one byte, for each its name and its value with two bytes
    /// of length before (little-endian), `:method`, `:path` and `:authority` first; the rest is the body.
    /// A message without findings passes.
    pub fn passes(&mut self, message: &[u8]) -> bool {
        self.judge(message).is_some_and(|passes| passes)
    }

    fn judge(&mut self, message: &[u8]) -> Option<bool> {
        let (count, mut rest) = message.split_first()?;
        let mut fields: [(&[u8], &[u8]); MAX_FIELDS] = [(&[], &[]); MAX_FIELDS];
        let fields = fields.get_mut(..usize::from(*count))?;
        for (name, value) in fields.iter_mut() {
            *name = text(&mut rest)?;
            *value = text(&mut rest)?;
        }
        let [(_, method), (_, path), (_, authority), ..] = *fields else { return None };
        let head = RequestHead {
            method,
            path,
            authority,
            headers: fields,
            end_of_stream: rest.is_empty(),
        };
        let view = self.bundle.view();
        self.exchange.reset();
        let mut progress = self.exchange.on_headers(&view, &head, Conditions::default());
        if matches!(progress, Progress::Body { .. }) {
            progress = self.exchange.on_body(&view, rest);
        }
        if matches!(progress, Progress::Body { .. }) {
            progress = self.exchange.on_end(&view);
        }
        let Progress::Decided(decision) = progress else { return None };
        Some(decision.verdict == Verdict::Allow && decision.findings.is_empty())
    }
}

fn text<'m>(rest: &mut &'m [u8]) -> Option<&'m [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (text, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
    *rest = after;
    Some(text)
}
