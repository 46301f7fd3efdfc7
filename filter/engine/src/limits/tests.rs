//! Limits against a table in memory whose writes can be made to fail, under workers that take turns.

use super::{
    BLOCK, Exceeded, LimitEvent, Owed, Parts, Question, Reply, Request, Surroundings, Ticket, Why,
    judge,
};
use core::net::{IpAddr, Ipv4Addr};
use portcullis_bundle::layout::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

mod addresses;
#[cfg(not(target_arch = "wasm32"))]
mod eviction;
mod later;

const SECOND: u64 = 1_000_000_000;

/// A table, a clock, and what was noted.
#[derive(Default)]
struct World {
    blocks: u32,
    table: RefCell<BTreeMap<u32, (Vec<u8>, u32)>>,
    now: Cell<u64>,
    /// Writes that fail before the next one succeeds.
    storms: Cell<u32>,
    absent: Cell<bool>,
    events: RefCell<Vec<LimitEvent>>,
    property: RefCell<Option<Vec<u8>>>,
}

impl World {
    fn of(blocks: u32) -> World {
        let world = World { blocks, ..World::default() };
        world.now.set(1_700_000_000 * SECOND);
        world
    }

    fn pass(&self, nanos: u64) {
        self.now.set(self.now.get() + nanos);
    }

    fn noted(&self, event: LimitEvent) -> usize {
        self.events.borrow().iter().filter(|it| **it == event).count()
    }
}

impl Surroundings for World {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn key(&self) -> [u64; 2] {
        [3, 5]
    }

    fn blocks(&self) -> u32 {
        self.blocks
    }

    fn load(&self, block: u32) -> Option<(Vec<u8>, u32)> {
        assert!(block < self.blocks);
        if self.absent.get() {
            return None;
        }
        let table = self.table.borrow();
        Some(table.get(&block).cloned().unwrap_or_else(|| (vec![0; BLOCK], 1)))
    }

    fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool {
        assert_eq!(bytes.len(), BLOCK);
        if let Some(rest) = self.storms.get().checked_sub(1) {
            self.storms.set(rest);
            return false;
        }
        let mut table = self.table.borrow_mut();
        if table.get(&block).is_some_and(|(_, known)| *known != version) {
            return false;
        }
        table.insert(block, (bytes.to_vec(), version + 1));
        true
    }

    fn property(&self, _: &str) -> Option<Vec<u8>> {
        self.property.borrow().clone()
    }

    fn note(&self, event: LimitEvent) {
        self.events.borrow_mut().push(event);
    }
}

/// One limit as a test sets it.
#[derive(Clone)]
struct Set {
    name: &'static str,
    caller: u32,
    rates: Vec<LimitRate>,
    mode: LimitMode,
    statuses: &'static str,
}

fn set(name: &'static str, rates: &[LimitRate]) -> Set {
    Set { name, caller: 0, rates: rates.to_vec(), mode: LimitMode::Enforce, statuses: "" }
}

fn window(amount: u32, burst: u32, seconds: u64) -> LimitRate {
    LimitRate {
        window: (seconds * SECOND).into(),
        amount: amount.into(),
        burst: burst.into(),
        kind: RateKind::Window.code(),
        period: 0,
        offset: 720.into(),
    }
}

fn at_once(amount: u32, seconds: u64) -> LimitRate {
    LimitRate { kind: RateKind::Concurrency.code(), ..window(amount, amount, seconds) }
}

/// Limits that hold for every request: caller 0 goes by the header `x`, caller 1 by address, caller 2 by a claim.
fn sections(sets: &[Set], uncounted: Action) -> Sections {
    let mut sections = Sections::default();
    let text = |sections: &mut Sections, text: &str| {
        let offset = (sections.strings.len() as u32).into();
        sections.strings.extend(text.bytes());
        Text { offset, len: (text.len() as u32).into() }
    };
    let kinds =
        [("x", CallerKind::Header), ("address", CallerKind::Address), ("p", CallerKind::Property)];
    for (at, (name, kind)) in kinds.into_iter().enumerate() {
        let name = text(&mut sections, name);
        let kind = kind.code();
        sections.caller_sources.push(CallerSource {
            label: name,
            name,
            kind,
            v4_bits: 32,
            v6_bits: 64,
            reserved: 0,
        });
        sections.callers.push(Caller {
            name,
            sources: (at as u32).into(),
            source_count: 1.into(),
            missing: MissingCaller::Shared.code(),
            reserved: 0,
        });
    }
    for (at, set) in sets.iter().enumerate() {
        let id =
            set.name.bytes().fold(7u32, |hash, byte| hash.wrapping_mul(31) + u32::from(byte)) & !7;
        let limit = Limit {
            name: text(&mut sections, set.name),
            id: id.into(),
            caller: set.caller.into(),
            rates: (sections.limit_rates.len() as u32).into(),
            statuses: text(&mut sections, set.statuses),
            cost_name: Text { offset: 0.into(), len: 0.into() },
            rate_count: set.rates.len() as u8,
            mode: set.mode.code(),
            cost_kind: CostKind::Fixed.code(),
            delegation: Delegation::None.code(),
            line: 1.into(),
        };
        sections.limits.push(limit);
        sections.limit_rates.extend(&set.rates);
        sections.limit_uses.push(LimitUse {
            limit: (at as u32).into(),
            scope: 0.into(),
            label: Text { offset: 0.into(), len: 0.into() },
            cost: 1.into(),
        });
    }
    let count = (sets.len() as u16).into();
    sections.limit_lists.push(LimitList { first: 0.into(), count, early: count });
    sections.limit_tables.push(LimitTable {
        blocks: 1.into(),
        uncounted: uncounted.code(),
        trusted_hops: 0,
        reserved: 0.into(),
    });
    sections
}

/// A request of a caller. What is owed is given up.
fn ask(sections: &Sections, world: &World, caller: &str) -> Vec<Exceeded> {
    ask_owing(sections, world, caller, &mut Ticket::default())
}

fn ask_owing(
    sections: &Sections,
    world: &World,
    caller: &str,
    ticket: &mut Ticket,
) -> Vec<Exceeded> {
    let headers: [(&[u8], &[u8]); 1] = [(b"x", caller.as_bytes())];
    let request = Request {
        headers: &headers,
        query: b"",
        client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        operation: None,
        body: None,
        enforced: true,
    };
    counted(sections, &request, ticket, &mut Vec::new(), world)
}

fn counted(
    sections: &Sections,
    request: &Request<'_>,
    ticket: &mut Ticket,
    questions: &mut Vec<Question>,
    world: &dyn Surroundings,
) -> Vec<Exceeded> {
    let all = &mut Parts::default();
    judge(&sections.view(), request, Owed { all, ticket, questions }, world)
}

#[test]
fn a_caller_gets_its_burst_then_its_rate() {
    let sections = sections(&[set("a", &[window(10, 5, 1)])], Action::Allow);
    let world = World::of(64);
    assert_eq!((0..20).filter(|_| ask(&sections, &world, "one").is_empty()).count(), 5);
    assert!(ask(&sections, &world, "two").is_empty());
    // Ten seconds of four times the rate.
    let mut admitted = 0;
    for _ in 0..400 {
        world.pass(SECOND / 40);
        admitted += u32::from(ask(&sections, &world, "one").is_empty());
    }
    assert_eq!(admitted, 100);
    assert_eq!(world.table.borrow().len(), 2);
}

#[test]
fn every_limit_and_rate_holds_and_what_is_refused_counts_for_none() {
    let sets = [
        set("short", &[window(2, 2, 1), window(5, 5, 100)]),
        Set { caller: 1, ..set("address", &[window(4, 4, 100)]) },
    ];
    let sections = sections(&sets, Action::Allow);
    let world = World::of(64);
    let exceeded = |caller: &str| {
        ask(&sections, &world, caller).iter().map(|it| (it.limit, it.rate)).collect::<Vec<_>>()
    };
    assert_eq!([exceeded("one"), exceeded("one")], [[], []]);
    // Refused by the first limit: the address is not charged.
    assert_eq!([exceeded("one"), exceeded("one")], [[(0, 0)], [(0, 0)]]);
    assert_eq!([exceeded("two"), exceeded("two")], [[], []]);
    assert_eq!(exceeded("three"), [(1, 0)]);
}

#[test]
fn a_limit_that_is_watched_does_not_stop_the_others() {
    let sets = [
        Set { mode: LimitMode::Monitor, ..set("watched", &[window(1, 1, 100)]) },
        set("held", &[window(3, 3, 100)]),
    ];
    let sections = sections(&sets, Action::Allow);
    let world = World::of(1);
    let beyond = |_| ask(&sections, &world, "one").iter().map(|it| it.limit).collect::<Vec<_>>();
    assert_eq!((0..4).map(beyond).collect::<Vec<_>>(), [vec![], vec![0], vec![0], vec![0, 1]]);
}

#[test]
fn writes_that_others_win_are_tried_again_and_then_given_up() {
    let open = sections(&[set("a", &[window(2, 2, 100)])], Action::Allow);
    let world = World::of(1);
    world.storms.set(7);
    assert!(ask(&open, &world, "one").is_empty());
    assert_eq!((world.noted(LimitEvent::Contended), world.noted(LimitEvent::Uncounted)), (7, 0));
    world.storms.set(8);
    assert!(ask(&open, &world, "one").is_empty());
    assert_eq!(world.noted(LimitEvent::Uncounted), 1);
    // It was not counted: one of two is left.
    assert!(ask(&open, &world, "one").is_empty());
    assert!(!ask(&open, &world, "one").is_empty());
    let closed = sections(&[set("a", &[window(2, 2, 100)])], Action::Block);
    world.storms.set(8);
    assert_eq!(ask(&closed, &world, "two")[0].why, Why::Uncounted);
    assert!(ask(&closed, &world, "two").is_empty());
}

#[test]
fn a_table_that_is_not_there_refuses_only_where_the_policy_says_so() {
    let world = World::of(1);
    world.absent.set(true);
    assert!(ask(&sections(&[set("a", &[window(1, 1, 1)])], Action::Allow), &world, "x").is_empty());
    let closed = sections(&[set("a", &[window(1, 1, 1)])], Action::Block);
    assert_eq!(ask(&closed, &world, "x")[0].why, Why::Uncounted);
    assert_eq!(world.noted(LimitEvent::Uncounted), 2);
    // A host without a table judges no limits.
    assert!(ask(&closed, &World::of(0), "x").is_empty());
}

#[test]
fn a_long_name_is_not_kept_for_the_next_request() {
    let sections = sections(&[set("a", &[window(9, 9, 1)])], Action::Allow);
    let value = vec![b'k'; 60_000];
    let headers: [(&[u8], &[u8]); 1] = [(b"x", &value)];
    let (query, client, operation, body, enforced) = (&b""[..], None, None, None, true);
    let request = Request { headers: &headers, query, client, operation, body, enforced };
    let all = &mut Parts::default();
    let (ticket, questions) = (&mut Ticket::default(), &mut Vec::new());
    let owed = Owed { all, ticket, questions };
    assert!(judge(&sections.view(), &request, owed, &World::of(1)).is_empty());
    assert!(all.spelled.len() > 60_000);
    all.forget();
    assert!(all.spelled.is_empty() && all.spelled.capacity() <= super::SPELLED);
}

#[test]
fn bytes_of_another_length_read_as_nothing_counted() {
    let sections = sections(&[set("a", &[window(1, 1, 100)])], Action::Allow);
    let world = World::of(1);
    for bytes in [vec![], vec![0xFF; 3], vec![0xFF; BLOCK + 1]] {
        world.table.borrow_mut().insert(0, (bytes, 1));
        assert!(ask(&sections, &world, "x").is_empty());
        assert!(!ask(&sections, &world, "x").is_empty());
    }
    // Any bytes of the right length are taken as counts.
    world.table.borrow_mut().insert(0, (vec![0xFF; BLOCK], 1));
    assert!(ask(&sections, &world, "x").is_empty());
}

/// A flood of new names, each with one request, and callers that keep at their limits.
#[test]
fn heavy_callers_survive_floods() {
    let sections = sections(&[set("a", &[window(5, 5, 1)])], Action::Allow);
    let world = World::of(4);
    let mut admitted = [0u32; 8];
    for step in 0..20_000u32 {
        world.pass(SECOND / 2000);
        assert!(ask(&sections, &world, &format!("flood-{step}")).is_empty());
        let heavy = (step % 8) as usize;
        admitted[heavy] += u32::from(ask(&sections, &world, &format!("heavy-{heavy}")).is_empty());
    }
    // Ten seconds at 250 a second each, of 5 allowed: 5 at once and 50 in time. Of the flood 400 counts would be alive.
    for admitted in admitted {
        assert!((54..=55).contains(&admitted), "{admitted}");
    }
    assert_eq!(world.table.borrow().len(), 4);
    assert!(world.noted(LimitEvent::Evicted) > 0);
}

#[test]
fn a_new_policy_finds_what_the_old_one_counted() {
    let old = sections(
        &[set("other", &[window(9, 9, 100)]), set("a", &[window(3, 3, 100)])],
        Action::Allow,
    );
    let new = sections(
        &[set("a", &[window(10, 5, 100)]), set("new", &[window(9, 9, 100)])],
        Action::Allow,
    );
    let world = World::of(8);
    assert_eq!((0..9).filter(|_| ask(&old, &world, "x").is_empty()).count(), 3);
    assert_eq!((0..9).filter(|_| ask(&new, &world, "x").is_empty()).count(), 2);
}

#[test]
fn properties_and_addresses_name_callers() {
    let sets = [Set { caller: 2, ..set("claim", &[window(1, 1, 100)]) }];
    let sections = sections(&sets, Action::Allow);
    let world = World::of(8);
    *world.property.borrow_mut() = Some(b"alice".to_vec());
    assert!(ask(&sections, &world, "x").is_empty() && !ask(&sections, &world, "y").is_empty());
    *world.property.borrow_mut() = Some(b"bob".to_vec());
    assert!(ask(&sections, &world, "x").is_empty());
    // Nobody's claim, and an empty one, are one caller's.
    *world.property.borrow_mut() = None;
    assert!(ask(&sections, &world, "x").is_empty());
    *world.property.borrow_mut() = Some(Vec::new());
    assert!(!ask(&sections, &world, "x").is_empty());
    assert_eq!(world.noted(LimitEvent::Unnamed), 2);
}

/// Two workers whose reads and writes are mixed at random lose no update: `admitted` is exactly the limit.
#[test]
fn workers_that_take_turns_admit_exactly_the_limit() {
    struct Turns<'a>(&'a World, Cell<u64>);
    impl Surroundings for Turns<'_> {
        fn now(&self) -> u64 {
            self.0.now()
        }
        fn key(&self) -> [u64; 2] {
            self.0.key()
        }
        fn blocks(&self) -> u32 {
            self.0.blocks()
        }
        fn load(&self, block: u32) -> Option<(Vec<u8>, u32)> {
            self.0.load(block)
        }
        fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool {
            // Before every third write another worker's request comes between.
            self.1.set(self.1.get() + 1);
            if self.1.get().is_multiple_of(3) {
                let sections = sections(&[set("a", &[window(1, 100, 100_000)])], Action::Allow);
                let admitted = ask(&sections, self.0, "x").is_empty();
                ADMITTED.with(|it| it.set(it.get() + u32::from(admitted)));
            }
            self.0.store(block, bytes, version)
        }
        fn property(&self, _: &str) -> Option<Vec<u8>> {
            None
        }
        fn note(&self, event: LimitEvent) {
            self.0.note(event);
        }
    }
    thread_local!(static ADMITTED: Cell<u32> = const { Cell::new(0) });
    let sections = sections(&[set("a", &[window(1, 100, 100_000)])], Action::Allow);
    let world = World::of(1);
    let turns = Turns(&world, Cell::new(0));
    for _ in 0..200 {
        let headers: [(&[u8], &[u8]); 1] = [(b"x", b"x")];
        let request = Request {
            headers: &headers,
            query: b"",
            client: None,
            operation: None,
            body: None,
            enforced: true,
        };
        let exceeded =
            counted(&sections, &request, &mut Ticket::default(), &mut Vec::new(), &turns);
        ADMITTED.with(|it| it.set(it.get() + u32::from(exceeded.is_empty())));
    }
    assert_eq!(ADMITTED.with(Cell::get), 100);
    assert!(world.noted(LimitEvent::Contended) > 20);
}

#[test]
fn a_limit_that_refuses_what_is_uncounted_is_not_hidden_by_one_that_watches() {
    let watches = Set { mode: LimitMode::Monitor, ..set("watches", &[window(1, 5, 1)]) };
    let refuses = set("refuses", &[window(1, 5, 1)]);
    for sets in [[watches.clone(), refuses.clone()], [refuses, watches]] {
        let world = World::of(1);
        world.storms.set(8);
        let exceeded = ask(&sections(&sets, Action::Block), &world, "one");
        let told: Vec<_> = exceeded.iter().map(|it| (it.mode, it.why)).collect();
        assert_eq!(told, [(LimitMode::Enforce, Why::Uncounted)]);
    }
}

#[test]
fn what_is_counted_at_once_is_no_rate_that_was_counted_before() {
    let world = World::of(1);
    let before = sections(&[set("limit", &[window(100, 100, 60), at_once(3, 60)])], Action::Allow);
    for _ in 0..37 {
        let mut ticket = Ticket::default();
        assert_eq!(ask_owing(&before, &world, "one", &mut ticket), []);
        ticket.end(&before.view(), &world);
    }
    let mut held = Ticket::default();
    assert_eq!(ask_owing(&before, &world, "one", &mut held), []);
    // The rate in front of it is taken away: what is under way still counts, and nothing else.
    let after = sections(&[set("limit", &[at_once(3, 60)])], Action::Allow);
    let mut admitted = 0;
    while ask(&after, &world, "one").is_empty() {
        admitted += 1;
    }
    assert_eq!(admitted, 2);
    // And put in front of it again.
    assert_eq!(ask(&before, &world, "one")[0].rate, 1);
}

/// A world in which a service may be asked.
struct Asking<'a>(&'a World, bool);

impl Surroundings for Asking<'_> {
    fn now(&self) -> u64 {
        self.0.now()
    }
    fn key(&self) -> [u64; 2] {
        self.0.key()
    }
    fn blocks(&self) -> u32 {
        self.0.blocks()
    }
    fn load(&self, block: u32) -> Option<(Vec<u8>, u32)> {
        self.0.load(block)
    }
    fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool {
        self.0.store(block, bytes, version)
    }
    fn property(&self, path: &str) -> Option<Vec<u8>> {
        self.0.property(path)
    }
    fn note(&self, event: LimitEvent) {
        self.0.note(event);
    }
    fn asking(&self) -> Option<super::Asking> {
        Some(super::Asking { key: [7, 9], holds: self.1 })
    }
}

fn questions(sections: &Sections, world: &Asking<'_>, enforced: bool) -> (usize, Vec<Question>) {
    let headers: [(&[u8], &[u8]); 1] = [(b"x", b"one")];
    let (query, client, operation, body) = (&b""[..], None, None, None);
    let request = Request { headers: &headers, query, client, operation, body, enforced };
    let mut asked = Vec::new();
    let ticket = &mut Ticket::default();
    let exceeded = counted(sections, &request, ticket, &mut asked, world);
    (exceeded.len(), asked)
}

#[test]
fn a_service_is_asked_about_what_the_table_has_admitted() {
    let sets = [
        set("own", &[window(9, 9, 1)]),
        set("shared", &[window(2, 2, 60), at_once(5, 60), window(9, 9, 3600)]),
        Set { mode: LimitMode::Monitor, ..set("watched", &[window(1, 1, 60)]) },
    ];
    let mut sections = sections(&sets, Action::Allow);
    sections.limits[1].delegation = Delegation::Refuse.code();
    sections.limits[2].delegation = Delegation::Local.code();
    let offset = (sections.strings.len() as u32).into();
    sections.strings.extend(b"bank");
    let domain = Text { offset, len: 4.into() };
    let callers = CallerForm::Value.code();
    let (timeout, reserved) = (20.into(), 0);
    sections.limit_services.push(LimitService {
        cluster: domain,
        domain,
        timeout,
        callers,
        reserved,
    });
    let world = World::of(4);
    let (exceeded, asked) = questions(&sections, &Asking(&world, true), true);
    // One for each rate that a service can carry; who only watches is not waited for.
    assert_eq!(
        (exceeded, asked.iter().map(|it| it.waits).collect::<Vec<_>>()),
        (0, vec![true, true, false])
    );
    let entries = b"\n\x0f\n\x05limit\x12\x06shared\n\r\n\x06window\x12\x0360s\n\x0f\n\x06caller\x12\x05x=one";
    let expected = [b"\n\x04bank\x12\x31", &entries[..], b"\x18\x01"].concat();
    assert_eq!(asked[0].message, expected, "{}", asked[0].message.escape_ascii());
    // The watched limit is used up here: it is found, and not asked about.
    let (exceeded, asked) = questions(&sections, &Asking(&world, true), true);
    assert_eq!((exceeded, asked.len()), (1, 2));
    let view = sections.view();
    let (yes, no) = (Reply::read(&[8, 1]), Reply::read(&[8, 2]));
    assert_eq!(asked[0].settled(&view, yes, world.now()), None);
    let refused = asked[0].settled(&view, no, world.now()).unwrap();
    assert_eq!(
        (refused.limit, refused.rate, refused.wait, refused.why),
        (1, 0, 30 * SECOND, Why::Rate)
    );
    let unanswered = asked[1].settled(&view, None, world.now()).unwrap();
    assert_eq!((unanswered.rate, unanswered.why), (2, Why::Uncounted));
    // Refused here: nothing is asked.
    let (exceeded, asked) = questions(&sections, &Asking(&world, true), true);
    assert!(exceeded >= 1 && asked.is_empty());
    // Nobody waits where nothing is refused, or nothing can be held.
    let world = World::of(4);
    for (holds, enforced) in [(true, false), (false, true)] {
        let (_, asked) = questions(&sections, &Asking(&world, holds), enforced);
        assert!(!asked.is_empty() && asked.iter().all(|it| !it.waits));
    }
    // Without a way to ask, the table alone decides.
    assert!(ask(&sections, &World::of(4), "one").is_empty());
}
