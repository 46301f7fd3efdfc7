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
    Action, CostKind, Delegation, Limit, LimitList, LimitMode, LimitUse, MAX_CALLERS, NONE,
    RateKind, View,
};
use rate::{Count, Meter};
use service::Delegated;
use table::{Key, block_of, find, put, sound};

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

/// One count that a request has a part in.
#[derive(Clone, Copy, Debug)]
struct Part {
    limit_at: u32,
    mode: LimitMode,
    /// Which of the limit's rates, from 0.
    rate_at: u32,
    /// Index into the bundle's rates.
    rate: u32,
    meter: Meter,
    key: Key,
    cost: f64,
    /// Whether it is charged when the request comes, and not by its answer.
    now: bool,
    block: u32,
    /// The count as of now, and the cell that it lies in.
    count: Count,
    cell: Option<usize>,
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
    let Owed { all: Parts { parts, blocks, spelled }, ticket, questions } = owed;
    let mut exceeded = Vec::new();
    let Some(list) = list_of(view, request.operation) else { return exceeded };
    let (early, count) = (u32::from(list.early.get()), u32::from(list.count.get()));
    let (skip, take) =
        if request.body.is_some() { (early, count - early.min(count)) } else { (0, early) };
    let uses = slice(view.limit_uses, list.first.get().saturating_add(skip), take);
    if uses.is_empty() || around.blocks() == 0 {
        return exceeded;
    }
    let now = around.now();
    parts.clear();
    blocks.clear();
    let mut gathering = Gathering { parts, blocks, spelled, delegated: Vec::new() };
    gathering.gather(view, request, uses, around, &mut exceeded);
    let Gathering { parts, blocks, delegated, .. } = gathering;
    let mut counted = true;
    for block in &mut *blocks {
        match around.load(block.at) {
            Some((bytes, version)) => (block.bytes, block.version) = (sound(bytes), version),
            None => counted = false,
        }
        beyond(block, parts, now, &mut exceeded);
    }
    if !counted {
        uncounted(view, parts.iter(), around, &mut exceeded);
    }
    for block in blocks.iter_mut().filter(|_| counted) {
        if refuses(request, &exceeded) {
            break;
        }
        charge(view, request, block, parts, now, around, &mut exceeded);
    }
    // Their bytes are of no more use.
    blocks.clear();
    ticket.take_leases(parts, now);
    if refuses(request, &exceeded) {
        return exceeded;
    }
    if counted {
        ticket.take_pending(parts, &exceeded);
    }
    if !delegated.is_empty() {
        ask(view, request, &delegated, &exceeded, around, questions);
    }
    exceeded
}

/// The questions about limits that the table has found nothing beyond.
#[cold]
fn ask(
    view: &View<'_>,
    request: &Request<'_>,
    delegated: &[Delegated<'_>],
    exceeded: &[Exceeded],
    around: &dyn Surroundings,
    questions: &mut Vec<Question>,
) {
    let (Some(asking), Some(service)) = (around.asking(), view.limit_services.first()) else {
        return;
    };
    for one in delegated.iter().filter(|one| exceeded.iter().all(|it| it.limit != one.limit_at)) {
        let waits = request.enforced && asking.holds && mode(one.limit) != LimitMode::Monitor;
        one.ask(view, service, request.operation, waits, questions);
    }
}

fn refuses(request: &Request<'_>, exceeded: &[Exceeded]) -> bool {
    request.enforced && exceeded.iter().any(|it| it.mode == LimitMode::Enforce)
}

/// What is being listed.
struct Gathering<'a, 'b> {
    parts: &'a mut Vec<Part>,
    blocks: &'a mut Vec<Block>,
    spelled: &'a mut Vec<u8>,
    delegated: Vec<Delegated<'b>>,
}

impl<'b> Gathering<'_, 'b> {
    /// Lists the counts that a request has a part in, and the blocks that they lie in.
    fn gather(
        &mut self,
        view: &View<'b>,
        request: &Request<'_>,
        uses: &'b [LimitUse],
        around: &dyn Surroundings,
        exceeded: &mut Vec<Exceeded>,
    ) {
        let Request { headers, query, client, body, .. } = *request;
        let asked = Asked { headers, query, client, body };
        let own = request.operation.and_then(|at| view.operations.get(at as usize));
        let own = own.map_or(0, |operation| operation.id.get() as u32);
        let mut last: Option<(u32, Named)> = None;
        for one in uses {
            let limit_at = one.limit.get();
            let Some(limit) = view.limits.get(limit_at as usize) else { continue };
            let Some(caller) = view.callers.get(limit.caller.get() as usize) else { continue };
            let named = match last {
                Some((known, named)) if known == limit.caller.get() => named,
                _ => name(view, caller, &asked, around, self.spelled),
            };
            last = Some((limit.caller.get(), named));
            let mode = mode(limit);
            let caller = match named {
                Named::As(hash) => hash,
                Named::Nobody => continue,
                Named::Refused => {
                    let (rate, wait, why) = (0, 0, Why::Unnamed);
                    exceeded.push(Exceeded { limit: limit_at, rate, wait, mode, why, told: None });
                    continue;
                }
            };
            let scope = if one.scope.get() == NONE { own } else { one.scope.get() };
            let cost = cost(view, limit, one.cost.get(), request);
            if limit.delegation != Delegation::None.code() {
                self.delegate(view, request, (one, limit), around, cost);
            }
            let block = self.block(caller, around);
            let rates = slice(view.limit_rates, limit.rates.get(), limit.rate_count.into());
            for (rate_at, rate) in (0u32..).zip(rates) {
                let meter = Meter::of(rate, limit.statuses.len.get() > 0);
                let concurrent = meter.kind == RateKind::Concurrency;
                let key = Key { caller, rate: table::rate_of(limit, rate_at, meter.kind), scope };
                self.parts.push(Part {
                    limit_at,
                    mode,
                    rate_at,
                    rate: limit.rates.get().saturating_add(rate_at),
                    meter,
                    key,
                    cost: if concurrent { 1.0 } else { cost },
                    now: limit.statuses.len.get() == 0 || concurrent,
                    block,
                    count: Count::default(),
                    cell: None,
                    is_charged: false,
                });
            }
        }
    }

    /// The block of a caller, which is to be read.
    fn block(&mut self, caller: u64, around: &dyn Surroundings) -> u32 {
        let at = block_of(caller, around.blocks());
        if self.blocks.len() < MAX_CALLERS && self.blocks.iter().all(|known| known.at != at) {
            self.blocks.push(Block { at, bytes: Vec::new(), version: 0 });
        }
        at
    }

    /// Takes note of a limit that a service carries too, for the caller just named.
    #[cold]
    fn delegate(
        &mut self,
        view: &View<'b>,
        request: &Request<'_>,
        (one, limit): (&LimitUse, &'b Limit),
        around: &dyn Surroundings,
        cost: f64,
    ) {
        let asking = around.asking().zip(view.limit_services.first());
        let Some((asking, service)) = asking else { return };
        let caller = service::caller(service, self.spelled, asking.key);
        let scope = scope_name(view, one, request.operation);
        self.delegated.push(Delegated { limit_at: one.limit.get(), limit, scope, caller, cost });
    }
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

/// Finds a block's counts, and adds those that do not take their cost.
fn beyond(block: &Block, parts: &mut [Part], now: u64, exceeded: &mut Vec<Exceeded>) {
    for part in parts.iter_mut().filter(|part| part.block == block.at) {
        let (count, cell) = find(&block.bytes, part.key, part.meter.kind);
        (part.count, part.cell) = (part.meter.drained(count, now), cell);
        if !part.meter.takes(part.count, part.cost) {
            let wait = part.meter.wait(part.count, part.cost, now);
            let (limit, rate, mode) = (part.limit_at, part.rate_at, part.mode);
            exceeded.push(Exceeded { limit, rate, wait, mode, why: Why::Rate, told: None });
        }
    }
}

/// Charges a block's counts, all but those of limits that are exceeded and let it pass.
fn charge(
    view: &View<'_>,
    request: &Request<'_>,
    block: &mut Block,
    parts: &mut [Part],
    now: u64,
    around: &dyn Surroundings,
    exceeded: &mut Vec<Exceeded>,
) {
    let at = block.at;
    for _ in 0..TRIES {
        let (mut writes, mut evicted) = (false, 0u32);
        for part in parts.iter_mut().filter(|part| part.block == at && part.now) {
            if exceeded.iter().any(|it| it.limit == part.limit_at) {
                continue;
            }
            let count = part.meter.charged(part.count, part.cost);
            let lost =
                put(&mut block.bytes, view, part.key, part.meter.kind, count, now, part.cell);
            evicted = evicted.saturating_add(lost.into());
            (writes, part.is_charged) = (true, true);
        }
        if !writes {
            return;
        }
        if around.store(at, &block.bytes, block.version) {
            (0..evicted).for_each(|_| around.note(LimitEvent::Evicted));
            return;
        }
        parts.iter_mut().filter(|part| part.block == at).for_each(|part| part.is_charged = false);
        around.note(LimitEvent::Contended);
        let Some((bytes, version)) = around.load(at) else { break };
        (block.bytes, block.version) = (sound(bytes), version);
        // What others have counted in between may leave no room.
        let is_own =
            |it: &Exceeded| parts.iter().any(|part| part.block == at && part.limit_at == it.limit);
        exceeded.retain(|it| it.why != Why::Rate || !is_own(it));
        beyond(block, parts, now, exceeded);
        if refuses(request, exceeded) {
            return;
        }
    }
    uncounted(view, parts.iter().filter(|part| part.block == at), around, exceeded);
}

/// A request that could not be counted: it passes, or is refused, as the policy says. Of the limits that it could not be
/// counted for, one that refuses stands for all.
#[cold]
fn uncounted<'p>(
    view: &View<'_>,
    parts: impl Iterator<Item = &'p Part>,
    around: &dyn Surroundings,
    exceeded: &mut Vec<Exceeded>,
) {
    around.note(LimitEvent::Uncounted);
    let refuses = view.limit_tables.first().is_some_and(|it| it.uncounted == Action::Block.code());
    let first = parts.min_by_key(|part| part.mode != LimitMode::Enforce);
    if let (true, Some(part)) = (refuses, first) {
        let (limit, rate, mode) = (part.limit_at, part.rate_at, part.mode);
        let why = Why::Uncounted;
        exceeded.push(Exceeded { limit, rate, wait: 0, mode, why, told: None });
    }
}

#[cfg(test)]
mod tests;
