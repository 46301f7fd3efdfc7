//! The engine without a proxy: requests judged against a table in memory. What callgrind looks at.

use std::cell::RefCell;
use std::hint::black_box;

use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::Verdict;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use portcullis_engine::limits::{BLOCK, LimitEvent, Surroundings};

use super::cost::POLICIES;
use super::{Memory, policy};
use crate::{Error, bundle};

/// Callers in turn.
const CALLERS: u32 = 64;
const BLOCKS: u32 = 4096;

/// The head of [`super::request`] as Envoy shows it to a filter.
pub(super) fn headers(caller: u32) -> Vec<(&'static str, String)> {
    [
        (":authority", "bench.example".to_owned()),
        (":path", "/ping".to_owned()),
        (":method", "GET".to_owned()),
        (":scheme", "http".to_owned()),
        ("x-key", format!("caller-{caller}")),
        ("x-tenant", format!("of-caller-{caller}")),
        ("x-forwarded-for", "203.0.113.7".to_owned()),
        ("x-forwarded-proto", "http".to_owned()),
        ("x-request-id", "b8d4e2f0-0000-4000-8000-000000000001".to_owned()),
    ]
    .to_vec()
}

/// A table, and a clock that goes on.
struct Around {
    blocks: RefCell<Vec<(Vec<u8>, u32)>>,
    now: u64,
}

impl Surroundings for Around {
    fn now(&self) -> u64 {
        self.now
    }

    fn key(&self) -> [u64; 2] {
        [1, 2]
    }

    fn blocks(&self) -> u32 {
        BLOCKS
    }

    fn load(&self, block: u32) -> Option<(Vec<u8>, u32)> {
        self.blocks.borrow().get(block as usize).cloned()
    }

    fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool {
        let mut blocks = self.blocks.borrow_mut();
        let Some((known, own)) = blocks.get_mut(block as usize) else { return false };
        known.copy_from_slice(bytes);
        *own = version + 1;
        true
    }

    fn property(&self, path: &str) -> Option<Vec<u8>> {
        (path == "source\0address").then(|| b"203.0.113.7:40000".to_vec())
    }

    fn note(&self, _: LimitEvent) {}
}

/// Judges so many requests under a variant's policy, all of which must pass.
pub fn run(variant: &str, requests: u32) -> Result<(), Error> {
    let known = POLICIES.iter().find(|(name, _)| *name == variant);
    let (_, members) = known.ok_or_else(|| Error::Unexpected(format!("no variant `{variant}`")))?;
    let bytes = bundle::of_policy(&Memory(policy(&members())), "policy.yaml")?;
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(bytes, &trust).map_err(|error| Error::Bundle(error.to_string()))?;
    let view = bundle.view();
    let blocks = vec![(vec![0; BLOCK], 1); BLOCKS as usize];
    let mut around = Around { blocks: RefCell::new(blocks), now: 1_800_000_000_000_000_000 };
    let heads: Vec<_> = (0..CALLERS).map(headers).collect();
    let heads: Vec<Vec<(&[u8], &[u8])>> = heads
        .iter()
        .map(|head| head.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect())
        .collect();
    let mut exchange = Exchange::new();
    for headers in heads.iter().cycle().take(requests as usize) {
        around.now += 1_000_000;
        let head = RequestHead {
            method: b"GET",
            path: b"/ping",
            authority: b"bench.example",
            headers,
            end_of_stream: true,
        };
        exchange.reset();
        let conditions = Conditions::default();
        let mut progress = exchange.on_headers_in(&view, black_box(&head), conditions, &around);
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_end_in(&view, &around);
        }
        match progress {
            Progress::Decided(decision) if decision.verdict == Verdict::Allow => {}
            _ => return Err(Error::Unexpected("a request was refused".to_owned())),
        }
    }
    Ok(())
}
