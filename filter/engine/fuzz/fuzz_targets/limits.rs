//! Counts under a clock that jumps, in a table that others write at random: whatever lies in shared data, a request is
//! judged, and a limit ends.
//!
//! The input is a rate or two, then steps: requests of some callers, leaps of the clock, bytes written into the table,
//! lost writes, a table that is gone, answers and ends of requests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bundle::layout::*;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use portcullis_engine::limits::{Asking, BLOCK, LimitEvent, Reply, Surroundings, Ticket};
use std::cell::{Cell, RefCell};
use zerocopy::FromZeros;

const BLOCKS: u32 = 4;
/// Longer than any rate here lasts: a month of 31 days.
const LONGEST: u64 = 32 * 86_400 * 1_000_000_000;

struct World {
    table: RefCell<[(Vec<u8>, u32); BLOCKS as usize]>,
    now: Cell<u64>,
    storms: Cell<u8>,
    absent: Cell<bool>,
}

impl Surroundings for World {
    fn now(&self) -> u64 {
        self.now.get()
    }

    fn key(&self) -> [u64; 2] {
        [3, 5]
    }

    fn blocks(&self) -> u32 {
        BLOCKS
    }

    fn load(&self, block: u32) -> Option<(Vec<u8>, u32)> {
        (!self.absent.get()).then(|| self.table.borrow()[block as usize].clone())
    }

    fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool {
        assert_eq!(bytes.len(), BLOCK);
        if let Some(rest) = self.storms.get().checked_sub(1) {
            self.storms.set(rest);
            return false;
        }
        let known = &mut self.table.borrow_mut()[block as usize];
        let wins = known.1 == version;
        if wins {
            *known = (bytes.to_vec(), version.wrapping_add(1));
        }
        wins
    }

    fn property(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn note(&self, _: LimitEvent) {}

    fn asking(&self) -> Option<Asking> {
        Some(Asking { key: [7, 9], holds: true })
    }
}

/// Bytes of the input, one after the other.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }
}

fn rate(input: &mut Input<'_>) -> Option<LimitRate> {
    let (kinds, numbers) = (input.byte()?, input.word()?);
    let kind = kinds % 3;
    // What is waited for at the longest stays below a month: bursts of 255 windows of an hour.
    let window = numbers % 3_600_000_000_000 + 1;
    Some(LimitRate {
        window: window.into(),
        amount: ((numbers >> 42) as u32 % 1000 + 1).into(),
        burst: ((numbers >> 52) as u32 % 255 + 1).into(),
        kind,
        period: kinds / 3 % 4,
        offset: (u16::from(kinds) * 6).into(),
    })
}

fn sections(rates: Vec<LimitRate>, statuses: bool, uncounted: Action) -> Sections {
    let mut sections = Sections { strings: b"xshared5xx".to_vec(), ..Sections::default() };
    let text = |offset: u32, len: u32| Text { offset: offset.into(), len: len.into() };
    let mut node = Node::new_zeroed();
    (node.wildcard, node.api) = (NONE.into(), NONE.into());
    sections.nodes.push(node);
    let mut policy = Policy::new_zeroed();
    policy.max_path = 100.into();
    policy.undeclared_operations = Action::Allow.code();
    sections.policy.push(policy);
    let mut source = CallerSource::new_zeroed();
    (source.label, source.name) = (text(0, 1), text(0, 1));
    sections.caller_sources.push(source);
    let mut caller = Caller::new_zeroed();
    (caller.name, caller.source_count) = (text(0, 1), 1.into());
    sections.callers.push(caller);
    let mut limit = Limit::new_zeroed();
    (limit.name, limit.id, limit.rate_count) = (text(1, 6), 8.into(), rates.len() as u8);
    limit.delegation = Delegation::Refuse.code();
    if statuses {
        limit.statuses = text(7, 3);
    }
    sections.limits.push(limit);
    sections.limit_rates = rates;
    let mut one = LimitUse::new_zeroed();
    one.cost = 1.into();
    sections.limit_uses.push(one);
    let mut list = LimitList::new_zeroed();
    (list.count, list.early) = (1.into(), 1.into());
    sections.limit_lists.push(list);
    let mut table = LimitTable::new_zeroed();
    (table.blocks, table.uncounted) = (BLOCKS.into(), uncounted.code());
    sections.limit_tables.push(table);
    let mut service = LimitService::new_zeroed();
    (service.cluster, service.domain, service.timeout) = (text(0, 1), text(0, 1), 1.into());
    sections.limit_services.push(service);
    sections
}

fuzz_target!(|bytes: &[u8]| drop(run(&mut Input(bytes))));

fn run(input: &mut Input<'_>) -> Option<()> {
    let shape = input.byte()?;
    let mut rates = vec![rate(input)?];
    if shape & 1 == 1 {
        rates.push(rate(input)?);
    }
    let uncounted = if shape & 2 == 2 { Action::Block } else { Action::Allow };
    let sections = sections(rates, shape & 4 == 4, uncounted);
    let view = sections.view();
    let world = World {
        table: RefCell::new(core::array::from_fn(|_| (vec![0; BLOCK], 1))),
        now: Cell::new(1_700_000_000_000_000_000),
        storms: Cell::new(0),
        absent: Cell::new(false),
    };
    let mut exchange = Exchange::new();
    let mut tickets: Vec<Ticket> = Vec::new();
    while let Some(step) = input.byte() {
        let which = step >> 3;
        match step & 7 {
            0 | 1 => {
                let ticket = request(&mut exchange, &view, &world, which);
                tickets.extend(ticket.filter(|_| tickets.len() < 64));
            }
            2 => world.now.set(world.now.get().wrapping_add(input.word()? >> (which * 2))),
            3 => world.now.set(world.now.get().wrapping_sub(input.word()? >> (which * 2))),
            4 => {
                let at = usize::from(input.byte()?) * 4;
                let word = input.word()?.to_le_bytes();
                let table = &mut world.table.borrow_mut()[usize::from(which) % BLOCKS as usize].0;
                table.iter_mut().skip(at).zip(word).for_each(|(to, byte)| *to = byte);
            }
            5 => {
                let len = usize::from(input.byte()?) * 5;
                let table = &mut world.table.borrow_mut()[usize::from(which) % BLOCKS as usize].0;
                table.resize(len, step);
            }
            6 => {
                world.storms.set(which % 12);
                world.absent.set(which == 31);
            }
            _ => {
                if let Some(mut ticket) = tickets.pop() {
                    ticket.settle(&view, u16::from(which) * 20, &world);
                    ticket.end(&view, &world);
                }
            }
        }
    }
    Some(())
}

/// A request of a caller, and what it owes. One that is beyond a limit is told a time after which it is not.
fn request(
    exchange: &mut Exchange,
    view: &View<'_>,
    world: &World,
    caller: u8,
) -> Option<Ticket> {
    let name = [caller];
    let headers: [(&[u8], &[u8]); 2] = [(b"host", b"a"), (b"x", &name)];
    let head = RequestHead {
        method: b"GET",
        path: b"/",
        authority: b"a",
        headers: &headers,
        end_of_stream: true,
    };
    exchange.reset();
    let progress = exchange.on_headers_in(view, &head, Conditions::default(), world);
    let Progress::Decided(decision) = progress else { panic!("not decided at the end") };
    assert!(decision.limited.iter().all(|it| it.wait <= LONGEST), "{:?}", decision.limited);
    for question in exchange.take_questions() {
        for reply in [None, Reply::read(&[8, 1]), Reply::read(&[8, 2])] {
            let settled = question.settled(view, reply, world.now());
            assert!(settled.is_none_or(|it| it.wait <= LONGEST), "{settled:?}");
        }
    }
    exchange.take_ticket()
}
