//! Limits on what callers may do, counted in a table that all workers share.
//!
//! In: the limits that hold for an operation, what names its caller, and the [`Surroundings`]: table, clock and
//! properties. Out: which limits are exceeded, and a [`Ticket`] for what is only known at the answer or the end.
//! Counts of one caller lie in one block, read once and written once a request, by compare-and-swap. LIMITS.md derives
//! what is lost where.

mod calendar;
mod caller;
mod picks;
mod rate;
mod service;
mod table;
mod ticket;

pub(crate) use picks::Picks;
pub use service::{Asking, Question, Quota, Reply, finding, grpc_service, window_name};
pub use table::BLOCK;
pub use ticket::Ticket;

use crate::access::slice;
use caller::{Asked, Named, name};
use core::net::IpAddr;
use portcullis_bundle::layout::{
    Action, Caller, CostKind, Delegation, Limit, LimitList, LimitMode, LimitUse, MAX_CALLERS, NONE,
    RateKind, View,
};
use rate::{Count, Meter};
use service::Delegated;
use table::{Key, bit, block_of, find, put, sound};

/// How often a block is tried to be written; each loss means that another worker won.
const TRIES: usize = 8;
/// Bytes of a caller's name for which room is kept from request to request.
const SPELLED: usize = 256;

/// What lies around the engine: the table of counts, the clock, and what the proxy knows.
pub trait Surroundings {
    /// Nanoseconds since 1970.
    fn now(&self) -> u64;
    /// The key by which callers are hashed: secret, and the same for all who share the table.
    fn key(&self) -> [u64; 2];
    /// Blocks of the table: a power of two, or 0 where there is none.
    fn blocks(&self) -> u32;
    /// A block's bytes and its version.
    fn load(&self, block: u32) -> Option<(Vec<u8>, u32)>;
    /// Replaces a block. False where its version is another one by now.
    fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool;
    /// A property of the proxy, by its path with U+0000 between the steps.
    fn property(&self, path: &str) -> Option<Vec<u8>>;
    /// Takes note of what is worth a metric.
    fn note(&self, event: LimitEvent);
    /// How the service is asked that carries delegated limits; `None` where it cannot be.
    fn asking(&self) -> Option<Asking> {
        None
    }
}

/// What happens to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitEvent {
    /// Another worker has written a block in between: it was tried again.
    Contended,
    /// A request could not be counted: the table was not there, or others always won.
    Uncounted,
    /// A count was given up for another one.
    Evicted,
    /// A request names no caller in any of the ways that the policy lists.
    Unnamed,
    /// What Envoy says is the client's address does not come from whom the policy trusts.
    AddressUntrusted,
}

/// No table, no clock: limits are not judged.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl Surroundings for Nowhere {
    fn now(&self) -> u64 {
        0
    }

    fn key(&self) -> [u64; 2] {
        [0; 2]
    }

    fn blocks(&self) -> u32 {
        0
    }

    fn load(&self, _: u32) -> Option<(Vec<u8>, u32)> {
        None
    }

    fn store(&self, _: u32, _: &[u8], _: u32) -> bool {
        false
    }

    fn property(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn note(&self, _: LimitEvent) {}
}

/// A limit that a request goes beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Index into the bundle's limits.
    pub limit: u32,
    /// Which of its rates, from 0.
    pub rate: u32,
    /// Nanoseconds until the same request would be taken, if no other came.
    pub wait: u64,
    /// What the limit does with it.
    pub mode: LimitMode,
    /// Why.
    pub why: Why,
    /// The limit as a service has it, where one has refused and says so.
    pub told: Option<Quota>,
}

/// Why a request is beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A rate is used up.
    Rate,
    /// Nothing names its caller, and the policy wants that.
    Unnamed,
    /// It could not be counted, and the policy wants that.
    Uncounted,
}

/// A request, and when in its course its limits are judged.
pub(crate) struct Request<'a> {
    pub headers: &'a [(&'a [u8], &'a [u8])],
    pub query: &'a [u8],
    pub client: Option<IpAddr>,
    /// Index of the operation, where there is one.
    pub operation: Option<u32>,
    /// Values of the body; `None` where it has not come, and the head decides.
    pub body: Option<&'a Picks>,
    /// Whether limits refuse here.
    pub enforced: bool,
}

/// One count that a request has a part in. Small, since there is one for each rate of each request.
#[derive(Clone, Copy, Debug)]
struct Part {
    limit_at: u32,
    mode: LimitMode,
    kind: RateKind,
    /// Which of the limit's rates, from 0.
    rate_at: u32,
    /// Index into the bundle's rates.
    rate: u32,
    key: Key,
    /// At most what the rate takes at once.
    cost: f64,
    /// Whether its limit counts by answers.
    by_answers: bool,
    block: u32,
    /// The count as of now, and the cell that it lies in.
    count: Count,
    cell: Option<u8>,
    /// Whether the table has been charged for it.
    is_charged: bool,
}

/// A block in hand.
#[derive(Debug)]
struct Block {
    at: u32,
    bytes: Vec<u8>,
    version: u32,
}

/// What a request has a part in. Kept from request to request, so that none has to find memory for it: at most as many
/// parts as there are rates for an operation, and as many blocks as callers.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    parts: Vec<Part>,
    blocks: Vec<Block>,
    /// What names the caller last looked at.
    spelled: Vec<u8>,
}

impl Parts {
    /// Forgets what names the caller, and the room that a long name took.
    pub(crate) fn forget(&mut self) {
        self.spelled.clear();
        self.spelled.shrink_to(SPELLED);
    }
}

/// The limits that hold for a request's operation.
pub(crate) fn list_of<'b>(view: &View<'b>, operation: Option<u32>) -> Option<&'b LimitList> {
    match operation {
        Some(at) => view.limit_lists.get(at as usize).filter(|_| view.limit_lists.len() > 1),
        None => view.limit_lists.last(),
    }
}

/// Where the outcome of judging is noted, besides what is exceeded.
pub(crate) struct Owed<'a> {
    /// Memory to judge in; what it holds is of no use before or after.
    pub all: &'a mut Parts,
    pub ticket: &'a mut Ticket,
    pub questions: &'a mut Vec<Question>,
}

/// Judges the limits of a request that its head decides, or with a body the others. What is exceeded comes back; where
/// none of it refuses, the request is counted, and a service is to be asked about what is delegated to it.
pub(crate) fn judge(
    view: &View<'_>,
    request: &Request<'_>,
    owed: Owed<'_>,
    around: &dyn Surroundings,
) -> Vec<Exceeded> {
    let Some(list) = list_of(view, request.operation) else { return Vec::new() };
    let (early, count) = (u32::from(list.early.get()), u32::from(list.count.get()));
    let (skip, take) =
        if request.body.is_some() { (early, count - early.min(count)) } else { (0, early) };
    let uses = slice(view.limit_uses, list.first.get().saturating_add(skip), take);
    let table = around.blocks();
    if uses.is_empty() || table == 0 {
        return Vec::new();
    }
    let Owed { all: Parts { parts, blocks, spelled }, ticket, questions } = owed;
    parts.clear();
    blocks.clear();
    let mut judging = Judging {
        view,
        request,
        around,
        now: around.now(),
        table,
        parts,
        blocks,
        spelled,
        delegated: Vec::new(),
        exceeded: Vec::new(),
        is_readable: true,
        is_owing: false,
    };
    judging.gather(uses);
    judging.settle(ticket, questions);
    judging.exceeded
}

/// A request while it is judged.
struct Judging<'a, 'b> {
    view: &'a View<'b>,
    request: &'a Request<'a>,
    around: &'a dyn Surroundings,
    now: u64,
    /// Blocks of the table.
    table: u32,
    parts: &'a mut Vec<Part>,
    blocks: &'a mut Vec<Block>,
    spelled: &'a mut Vec<u8>,
    delegated: Vec<Delegated<'b>>,
    exceeded: Vec<Exceeded>,
    /// Whether all blocks could be read.
    is_readable: bool,
    /// Whether something of it is settled later: a lease, or by the answer.
    is_owing: bool,
}

impl<'b> Judging<'_, 'b> {
    /// Lists the counts that the request has a part in, and what it is beyond. Reads the blocks that they lie in.
    fn gather(&mut self, uses: &'b [LimitUse]) {
        let view = self.view;
        let own = self.request.operation.and_then(|at| view.operations.get(at as usize));
        let own = own.map_or(0, |operation| operation.id.get() as u32);
        let mut last: Option<(u32, Named, usize)> = None;
        for one in uses {
            let limit_at = one.limit.get();
            let Some(limit) = view.limits.get(limit_at as usize) else { continue };
            let caller_at = limit.caller.get();
            let (named, block) = match last {
                Some((known, named, block)) if known == caller_at => (named, block),
                _ => {
                    let Some(caller) = view.callers.get(caller_at as usize) else { continue };
                    self.name(caller)
                }
            };
            last = Some((caller_at, named, block));
            let caller = match named {
                Named::As(hash) => hash,
                Named::Nobody => continue,
                Named::Refused => {
                    let (rate, wait, mode, why) = (0, 0, mode(limit), Why::Unnamed);
                    let one = Exceeded { limit: limit_at, rate, wait, mode, why, told: None };
                    self.exceeded.push(one);
                    continue;
                }
            };
            let scope = if one.scope.get() == NONE { own } else { one.scope.get() };
            let cost = cost(view, limit, one.cost.get(), self.request);
            if limit.delegation != Delegation::None.code() {
                self.delegate(one, limit, cost);
            }
            self.limit((limit_at, limit), block, (caller, scope), cost);
        }
    }

    /// Who the request is counted as, and which of the blocks in hand his counts lie in.
    fn name(&mut self, caller: &Caller) -> (Named, usize) {
        let Request { headers, query, client, body, .. } = *self.request;
        let asked = Asked { headers, query, client, body };
        let named = name(self.view, caller, &asked, self.around, self.spelled);
        let Named::As(hash) = named else { return (named, 0) };
        let at = block_of(hash, self.table);
        let end = self.blocks.len();
        let block = self.blocks.iter().position(|known| known.at == at).unwrap_or(end);
        if block == end && end < MAX_CALLERS {
            let read = self.around.load(at);
            self.is_readable &= read.is_some();
            let (bytes, version) = read.unwrap_or_default();
            self.blocks.push(Block { at, bytes: sound(bytes), version });
        }
        (named, block)
    }

    /// Lists the counts of one limit.
    fn limit(
        &mut self,
        (limit_at, limit): (u32, &Limit),
        block: usize,
        (caller, scope): (u64, u32),
        cost: f64,
    ) {
        let Some(block) = self.blocks.get(block) else { return };
        let mode = mode(limit);
        let by_answers = limit.statuses.len.get() > 0;
        let rates = slice(self.view.limit_rates, limit.rates.get(), limit.rate_count.into());
        for (rate_at, rate) in (0u32..).zip(rates) {
            let meter = Meter::of(rate, by_answers);
            let concurrent = meter.kind == RateKind::Concurrency;
            let key = Key { caller, rate: table::rate_of(limit, rate_at, meter.kind), scope };
            self.is_owing |= by_answers || concurrent;
            let (count, cell) = find(&block.bytes, key, meter.kind);
            let part = Part {
                limit_at,
                mode,
                kind: meter.kind,
                rate_at,
                rate: limit.rates.get().saturating_add(rate_at),
                key,
                cost: meter.charge(if concurrent { 1.0 } else { cost }),
                by_answers,
                block: block.at,
                count: meter.drained(count, self.now),
                cell,
                is_charged: false,
            };
            if !meter.takes(part.count, part.cost) {
                part.exceed(&meter, self.now, &mut self.exceeded);
            }
            self.parts.push(part);
        }
    }

    /// Takes note of a limit that a service carries too, for the caller just named.
    #[cold]
    fn delegate(&mut self, one: &LimitUse, limit: &'b Limit, cost: f64) {
        let asking = self.around.asking().zip(self.view.limit_services.first());
        let Some((asking, service)) = asking else { return };
        let caller = service::caller(service, self.spelled, asking.key);
        let scope = scope_name(self.view, one, self.request.operation);
        self.delegated.push(Delegated { limit_at: one.limit.get(), limit, scope, caller, cost });
    }

    /// Counts the request, unless a limit refuses it, and notes what is to be done for it later.
    fn settle(&mut self, ticket: &mut Ticket, questions: &mut Vec<Question>) {
        if self.is_readable {
            for at in 0..self.blocks.len() {
                if self.refuses() {
                    break;
                }
                self.charge(at);
            }
        } else {
            self.uncounted(None);
        }
        // Their bytes are of no more use.
        self.blocks.clear();
        if self.is_owing {
            ticket.take_leases(self.parts);
        }
        if self.refuses() {
            return;
        }
        if self.is_owing && self.is_readable {
            ticket.take_pending(self.parts, &self.exceeded);
        }
        if !self.delegated.is_empty() {
            self.ask(questions);
        }
    }

    fn refuses(&self) -> bool {
        self.request.enforced && self.exceeded.iter().any(|it| it.mode == LimitMode::Enforce)
    }

    /// Charges a block's counts, all but those of limits that are exceeded and let it pass.
    fn charge(&mut self, at: usize) {
        let Some(block) = self.blocks.get_mut(at) else { return };
        for _ in 0..TRIES {
            let (mut writes, mut evicted) = (false, 0u32);
            let own = self.parts.iter().filter(|it| it.block == block.at);
            let mut held = own.fold(0, |held, part| held | bit(part.cell));
            for part in self.parts.iter_mut().filter(|it| it.block == block.at && it.is_due()) {
                if self.exceeded.iter().any(|it| it.limit == part.limit_at) {
                    continue;
                }
                let count = Count { level: part.count.level + part.cost, ..part.count };
                let (bytes, kind) = (&mut block.bytes, part.kind);
                let key = (part.key, kind);
                let lost = put(bytes, self.view, key, count, self.now, part.cell, &mut held);
                evicted = evicted.saturating_add(lost.into());
                (writes, part.is_charged) = (true, true);
            }
            if !writes {
                return;
            }
            if self.around.store(block.at, &block.bytes, block.version) {
                (0..evicted).for_each(|_| self.around.note(LimitEvent::Evicted));
                return;
            }
            if !again(self.view, block, self.parts, self.now, &mut self.exceeded, self.around) {
                break;
            }
            let enforced = self.request.enforced;
            if enforced && self.exceeded.iter().any(|it| it.mode == LimitMode::Enforce) {
                return;
            }
        }
        let at = block.at;
        self.uncounted(Some(at));
    }

    /// A request that could not be counted, by a block or at all: it passes, or is refused, as the policy says. Of the
    /// limits that it could not be counted for, one that refuses stands for all.
    #[cold]
    fn uncounted(&mut self, block: Option<u32>) {
        self.around.note(LimitEvent::Uncounted);
        let table = self.view.limit_tables.first();
        let parts = self.parts.iter().filter(|part| block.is_none_or(|block| part.block == block));
        let first = parts.min_by_key(|part| part.mode != LimitMode::Enforce);
        if table.is_some_and(|it| it.uncounted == Action::Block.code())
            && let Some(part) = first
        {
            let (limit, rate, mode) = (part.limit_at, part.rate_at, part.mode);
            let why = Why::Uncounted;
            self.exceeded.push(Exceeded { limit, rate, wait: 0, mode, why, told: None });
        }
    }

    /// The questions about limits that the table has found nothing beyond.
    #[cold]
    fn ask(&self, questions: &mut Vec<Question>) {
        let Self { view, request, around, exceeded, .. } = self;
        let (Some(asking), Some(service)) = (around.asking(), view.limit_services.first()) else {
            return;
        };
        let is_within = |limit_at| exceeded.iter().all(|it| it.limit != limit_at);
        for one in self.delegated.iter().filter(|one| is_within(one.limit_at)) {
            let waits = request.enforced && asking.holds && mode(one.limit) != LimitMode::Monitor;
            one.ask(view, service, request.operation, waits, questions);
        }
    }
}

impl Part {
    /// Whether it is charged when the request comes, and not by its answer.
    fn is_due(&self) -> bool {
        !self.by_answers || self.kind == RateKind::Concurrency
    }

    /// Adds it to what is exceeded.
    #[cold]
    fn exceed(&self, meter: &Meter<'_>, now: u64, exceeded: &mut Vec<Exceeded>) {
        let wait = meter.wait(self.count, self.cost, now);
        let (limit, rate, mode) = (self.limit_at, self.rate_at, self.mode);
        exceeded.push(Exceeded { limit, rate, wait, mode, why: Why::Rate, told: None });
    }
}

/// Reads a block again that another worker has written: what it has counted in between may leave no room. False where the
/// block is gone.
#[cold]
fn again(
    view: &View<'_>,
    block: &mut Block,
    parts: &mut [Part],
    now: u64,
    exceeded: &mut Vec<Exceeded>,
    around: &dyn Surroundings,
) -> bool {
    around.note(LimitEvent::Contended);
    let own = |part: &&mut Part| part.block == block.at;
    parts.iter_mut().filter(own).for_each(|part| part.is_charged = false);
    let Some((bytes, version)) = around.load(block.at) else { return false };
    (block.bytes, block.version) = (sound(bytes), version);
    let is_own = |it: &Exceeded| {
        parts.iter().any(|part| part.block == block.at && part.limit_at == it.limit)
    };
    exceeded.retain(|it| it.why != Why::Rate || !is_own(it));
    for part in parts.iter_mut().filter(|part| part.block == block.at) {
        let Some(rate) = view.limit_rates.get(part.rate as usize) else { continue };
        let meter = Meter::of(rate, part.by_answers);
        let (count, cell) = find(&block.bytes, part.key, part.kind);
        (part.count, part.cell) = (meter.drained(count, now), cell);
        if !meter.takes(part.count, part.cost) {
            part.exceed(&meter, now, exceeded);
        }
    }
    true
}

/// What is counted apart, in words: `api:payments`, `POST /payments`.
#[cold]
fn scope_name(view: &View<'_>, one: &LimitUse, operation: Option<u32>) -> String {
    let operation = operation.and_then(|at| view.operations.get(at as usize));
    match operation {
        Some(it) if one.scope.get() == NONE => {
            [view.text(it.method), " ", view.text(it.template)].concat()
        }
        _ => view.text(one.label).to_owned(),
    }
}

/// What a request costs by a limit.
fn cost(view: &View<'_>, limit: &Limit, most: u32, request: &Request<'_>) -> f64 {
    let name = view.bytes(limit.cost_name);
    let text = match CostKind::from_code(limit.cost_kind) {
        Some(CostKind::Header) => {
            let values = request.headers.iter().filter(|(known, _)| *known == name);
            caller::once(values.map(|(_, value)| *value))
        }
        Some(CostKind::Body) => request.body.and_then(|body| body.get(name)),
        _ => None,
    };
    let most = f64::from(most.max(1));
    match (CostKind::from_code(limit.cost_kind), text) {
        (Some(CostKind::Fixed) | None, _) => most,
        // What is no number, or said twice, costs the most.
        (_, text) => text.and_then(number).map_or(most, |cost| cost.clamp(1.0, most)),
    }
}

/// A decimal number that is not negative, rounded up: `12` or `12.50`.
fn number(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let (whole, rest) = text.split_at_checked(point)?;
    let rest = rest.get(1..).unwrap_or_default();
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if whole.is_empty() || !digits(whole) || !digits(rest) {
        return None;
    }
    let up = u32::from(rest.iter().any(|&byte| byte != b'0'));
    let digit = |sum: u32, byte: &u8| sum.saturating_mul(10).saturating_add((byte & 0xF).into());
    Some(whole.iter().fold(0, digit).saturating_add(up).into())
}

fn mode(limit: &Limit) -> LimitMode {
    LimitMode::from_code(limit.mode).unwrap_or(LimitMode::Enforce)
}

#[cfg(test)]
mod tests;
