//! Values that were scanned before and that nothing hit.
//!
//! Names, and the fields by which clients describe themselves, are the same in request after request. What scanning
//! one of them came to depends on the value, on which matchers look at it, and on nothing else, unless a matcher was
//! met that asks for more, such as the place in the body: such values are not kept. Matchers that count have counted it,
//! and count it again. A value is compared whole, and costs the steps that it cost when
//! it was scanned, so that remembering changes no verdict. What may be a secret is never kept: neither the values of
//! bodies, queries, paths and cookies nor those of fields that are not listed here.

use super::steps::Steps;
use super::subject::{Name, Subject};
use portcullis_bundle::{
    layout::{NONE, Target},
    name_hash,
};
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes of a value that is kept, at most.
const MAX_LEN: usize = 160;

/// Places for values that have a hash in common, and how many of them there are, a power of two: about 180 KB.
const WAYS: usize = 4;
const PLACES: usize = 256;

/// Matchers that count one value, at most; a value that more count is not kept.
const MAX_COUNTS: usize = 4;

/// The matchers that count a value; `NONE` fills the rest.
pub(super) type Counts = [u32; MAX_COUNTS];

/// Header fields whose values are alike from request to request, and no secrets.
const FIELDS: [&[u8]; 26] = [
    b"accept",
    b"accept-charset",
    b"accept-encoding",
    b"accept-language",
    b"cache-control",
    b"connection",
    b"content-encoding",
    b"content-language",
    b"content-type",
    b"dnt",
    b"expect",
    b"host",
    b"origin",
    b"pragma",
    b"priority",
    b"sec-ch-ua",
    b"sec-ch-ua-mobile",
    b"sec-ch-ua-platform",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
    b"te",
    b"upgrade-insecure-requests",
    b"user-agent",
    b"x-forwarded-proto",
    b"x-requested-with",
];

/// What the outcome of scanning a value depends on beside its bytes: which matchers look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lens {
    pub target: u8,
    /// Which of [`FIELDS`] it is the value of; 0 for names.
    pub field: u8,
    pub early: bool,
    /// The set of its schema; none where it has none.
    pub narrowed: Option<u16>,
    /// The set of its operation.
    pub enabled: u32,
}

#[derive(Debug)]
struct Known {
    lens: Lens,
    len: u16,
    steps: u32,
    counts: Counts,
    bytes: [u8; MAX_LEN],
}

/// Values whose hashes lead to the same place.
#[derive(Debug, Default)]
struct Place {
    known: [Option<Known>; WAYS],
    /// Which of them the next one takes the room of.
    next: usize,
}

/// The values that were kept of one bundle.
#[derive(Debug, Default)]
struct Store {
    identity: u64,
    places: Vec<Place>,
}

/// The values that one worker has met, shared by its exchanges: cloning shares.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo(Rc<RefCell<Store>>);

impl Memo {
    /// Which field a value is of, 0 for a name; `None` where it is not one that may be kept.
    pub(super) fn takes(subject: &Subject<'_>, value: &[u8]) -> Option<u8> {
        if value.len() > MAX_LEN {
            return None;
        }
        match (subject.target, subject.name) {
            (_, Name::None) if value.is_empty() => Some(0),
            (
                Target::HeaderName
                | Target::HeaderRestName
                | Target::BodyName
                | Target::BodyArgument
                | Target::QueryName
                | Target::QueryArgument
                | Target::CookieName
                | Target::CookieRawName,
                _,
            ) => Some(0),
            (Target::Header, Name::Text(name)) => {
                FIELDS.binary_search(&name).ok().and_then(|at| u8::try_from(at).ok())
            }
            _ => None,
        }
    }

    /// The steps that a value cost which nothing hit, and the matchers that count it; `None` where that is not known.
    pub(super) fn recall(&self, identity: u64, lens: Lens, value: &[u8]) -> Option<(u64, Counts)> {
        let store = self.0.try_borrow().ok()?;
        if store.identity != identity {
            return None;
        }
        let mut own = store.places.get(place(lens, value))?.known.iter().flatten();
        let known = own.find(|known| known.is(lens, value))?;
        Some((known.steps.into(), known.counts))
    }

    /// Keeps a value that nothing hit, the steps that it cost, and the matchers that have counted it.
    pub(super) fn keep(
        &self,
        identity: u64,
        lens: Lens,
        value: &[u8],
        (steps, counted): (u64, &[u32]),
    ) {
        let (Ok(mut store), Ok(steps)) = (self.0.try_borrow_mut(), u32::try_from(steps)) else {
            return;
        };
        let mut counts = [NONE; MAX_COUNTS];
        let Some(own) = counts.get_mut(..counted.len()) else { return };
        own.copy_from_slice(counted);
        let mut bytes = [0; MAX_LEN];
        let (Some(own), Ok(len)) = (bytes.get_mut(..value.len()), u16::try_from(value.len()))
        else {
            return;
        };
        own.copy_from_slice(value);
        if store.identity != identity {
            store.identity = identity;
            store.places.clear();
        }
        store.places.resize_with(PLACES, Place::default);
        let Some(place) = store.places.get_mut(place(lens, value)) else { return };
        if let Some(known) = place.known.get_mut(place.next) {
            *known = Some(Known { lens, len, steps, counts, bytes });
        }
        place.next = place.next.wrapping_add(1) % WAYS;
    }
}

impl Known {
    fn is(&self, lens: Lens, value: &[u8]) -> bool {
        self.lens == lens && self.bytes.get(..self.len.into()) == Some(value)
    }
}

/// The place of a value. Names of clients differ in the middle, which the hash of names does not read.
fn place(lens: Lens, value: &[u8]) -> usize {
    let middle = value.get(value.len() / 3..value.len() - value.len() / 3).unwrap_or_default();
    let hash = name_hash(value) ^ name_hash(middle).rotate_left(7);
    let own = u32::from(lens.field) << 8 | u32::from(lens.target) << 1 | u32::from(lens.early);
    let hash = (hash ^ own.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B) >> 16;
    hash as usize & (PLACES - 1)
}

/// The steps spent between two readings.
pub(super) fn spent(before: Steps, after: Steps) -> u64 {
    before.left().saturating_sub(after.left())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Position;

    const NO_COUNTS: Counts = [NONE; MAX_COUNTS];

    #[test]
    fn values_are_known_by_every_byte_and_by_who_looks() {
        let (memo, lens) = (Memo::default(), Lens { enabled: 3, ..Lens::default() });
        assert_eq!(memo.recall(1, lens, b"accept"), None);
        memo.keep(1, lens, b"accept", (17, &[]));
        assert_eq!(memo.recall(1, lens, b"accept"), Some((17, NO_COUNTS)));
        assert_eq!(memo.recall(1, lens, b"accepT"), None);
        assert_eq!(memo.recall(1, Lens { narrowed: Some(0), ..lens }, b"accept"), None);
        assert_eq!(memo.recall(1, Lens { enabled: 4, ..lens }, b"accept"), None);
        assert_eq!(memo.recall(2, lens, b"accept"), None, "another bundle");
        memo.keep(2, lens, b"host", (4, &[]));
        assert_eq!(
            memo.recall(2, lens, b"accept"),
            None,
            "what was known of the one before is lost"
        );
    }

    #[test]
    fn who_counts_a_value_is_kept_with_it() {
        let (memo, lens) = (Memo::default(), Lens::default());
        memo.keep(1, lens, b"host", (4, &[7, 9]));
        assert_eq!(memo.recall(1, lens, b"host"), Some((4, [7, 9, NONE, NONE])));
        memo.keep(1, lens, b"accept", (4, &[1, 2, 3, 4, 5]));
        assert_eq!(memo.recall(1, lens, b"accept"), None, "too many");
    }

    #[test]
    fn the_fields_are_in_order_and_hold_no_secret() {
        assert!(FIELDS.is_sorted());
        for secret in ["authorization", "cookie", "x-api-key", "proxy-authorization"] {
            let position = Position::Message;
            let subject = Subject::new(Target::Header, Name::Text(secret.as_bytes()), &position);
            assert_eq!(Memo::takes(&subject, b"x"), None, "{secret}");
        }
        let position = Position::Message;
        let subject = Subject::new(Target::Body, Name::None, &position);
        assert_eq!((Memo::takes(&subject, b"x"), Memo::takes(&subject, b"")), (None, Some(0)));
        let subject = Subject::new(Target::HeaderName, Name::None, &position);
        assert_eq!(Memo::takes(&subject, &[b'x'; MAX_LEN]), Some(0));
        assert_eq!(Memo::takes(&subject, &[b'x'; MAX_LEN + 1]), None);
    }

    #[test]
    fn many_values_leave_the_latest() {
        let memo = Memo::default();
        for number in 0..10_000u32 {
            memo.keep(1, Lens::default(), number.to_string().as_bytes(), (1, &[]));
            let known = memo.recall(1, Lens::default(), number.to_string().as_bytes());
            assert_eq!(known, Some((1, NO_COUNTS)));
        }
    }
}
