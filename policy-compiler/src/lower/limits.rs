//! Writes limits on callers: who is counted, how much is allowed, and which limits hold for each operation.

use super::policy::action;
use super::tables::Tables;
use crate::diag::{Diagnostic, LIMIT_CHOSEN, LIMIT_IDLE, LIMITS_TOO_MANY, Span};
use crate::ir::{
    Api, CallerBy, CostBy, Limit, LimitMode, LimitRate, LimitScope, LimitService, Limiting,
    MissingCaller, Model, OnFailure, Operation, Period,
};
use crate::policy::{hash, is_match, limit_id};
use portcullis_bundle::layout::{
    self, CallerForm, CallerKind, CostKind, Delegation, LimitList, LimitUse, MAX_BLOCKS,
    MAX_CALLERS, MAX_RATES, MAX_USES, NONE, RateKind,
};
use std::collections::HashMap;

/// Bytes of a block of counts.
const BLOCK: u64 = 1 << 10;
/// Minutes that offsets of calendars are written ahead.
const AHEAD: i16 = 720;

/// Writes a model's limits. `places` gives the API and the operation of the model that each of the bundle is.
pub fn write(tables: &mut Tables<'_>, model: &Model, places: &[(usize, usize)]) -> Vec<Diagnostic> {
    let Some(limiting) = &model.limiting else { return Vec::new() };
    write_callers(tables, limiting);
    for limit in &limiting.limits {
        let record = record(tables, limit);
        tables.sections.limits.push(record);
    }
    let mut diagnostics = Vec::new();
    let mut lists: HashMap<Vec<[u32; 3]>, LimitList> = HashMap::new();
    let mut used = vec![false; limiting.limits.len()];
    let operations = places.iter().map(|(api, operation)| {
        let api = &model.apis[*api];
        Some((api, &api.operations[*operation]))
    });
    for of in operations.chain([None]) {
        let mut uses = uses(limiting, of);
        uses.sort_by_key(|[at, ..]| {
            let limit = &limiting.limits[*at as usize];
            (is_late(limiting, limit), limit.caller)
        });
        uses.iter().for_each(|[at, ..]| used[*at as usize] = true);
        // Of what holds for operations too they tell.
        let is_told = of.is_none() && !diagnostics.is_empty();
        if let Some(title) = too_many(limiting, &uses, of.is_some()).filter(|_| !is_told) {
            let last = uses.iter().map(|[limit, ..]| &limiting.limits[*limit as usize]).next_back();
            let line = last.map_or(1, |limit| limit.line);
            let at = of.map_or_else(
                || Span::word(&limiting.file, line, 1),
                |(_, operation)| Span::of(operation.origin, model),
            );
            diagnostics.push(Diagnostic::new(LIMITS_TOO_MANY, title).at(at));
        }
        let late = uses.iter().filter(|[at, ..]| is_late(limiting, &limiting.limits[*at as usize]));
        let early = uses.len() - late.count();
        let list = lists.entry(uses).or_insert_with_key(|uses| {
            let first = tables.sections.limit_uses.len() as u32;
            for [limit, scope, cost] in uses {
                let label = label(&limiting.limits[*limit as usize], of);
                let label = tables.text(&label);
                let (limit, scope, cost) = ((*limit).into(), (*scope).into(), (*cost).into());
                tables.sections.limit_uses.push(LimitUse { limit, scope, label, cost });
            }
            LimitList {
                first: first.into(),
                count: (uses.len() as u16).into(),
                early: (early as u16).into(),
            }
        });
        tables.sections.limit_lists.push(*list);
    }
    let blocks = (limiting.size / BLOCK).clamp(1, MAX_BLOCKS.into()) as u32;
    tables.sections.limit_tables.push(layout::LimitTable {
        blocks: (1u32 << blocks.ilog2()).into(),
        uncounted: action(limiting.uncounted).code(),
        trusted_hops: limiting.trusted_hops,
        reserved: 0.into(),
    });
    if let Some(service) = &limiting.service {
        write_service(tables, service);
    }
    let idle = limiting.limits.iter().zip(used).filter(|(_, used)| !used);
    diagnostics.extend(idle.map(|(limit, _)| {
        let title = format!("the limit `{}` holds for no request", limit.name);
        Diagnostic::new(LIMIT_IDLE, title).at(Span::word(&limiting.file, limit.line, 1))
    }));
    diagnostics.extend(chosen(limiting));
    diagnostics
}

/// The limits that hold for an operation, or for requests of none: limit, scope and cost.
fn uses(limiting: &Limiting, of: Option<(&Api, &Operation)>) -> Vec<[u32; 3]> {
    let numbered = (0u32..).zip(&limiting.limits);
    numbered.filter_map(|(at, limit)| Some([at, scope(limit, of)?, cost(limit, of)])).collect()
}

/// What a limit counts requests of an operation apart by; `None` where it does not hold for it.
fn scope(limit: &Limit, of: Option<(&Api, &Operation)>) -> Option<u32> {
    let Some((api, operation)) = of else { return limit.applies.is_empty().then_some(0) };
    let tag = operation.tags.iter().find(|tag| limit.applies.tags.contains(tag));
    let holds = limit.applies.is_empty()
        || limit.applies.apis.contains(&api.name)
        || tag.is_some()
        || limit.applies.operations.iter().any(|text| is_match(operation, text));
    holds.then(|| match limit.scope {
        LimitScope::Global => 0,
        LimitScope::Api | LimitScope::Tag => hash(&label(limit, of)) & !(1 << 31),
        LimitScope::Operation => NONE,
    })
}

/// What a scope is called; empty where everything is counted together, and where the operation's own id stands for it.
fn label(limit: &Limit, of: Option<(&Api, &Operation)>) -> String {
    let Some((api, operation)) = of else { return String::new() };
    match limit.scope {
        LimitScope::Global | LimitScope::Operation => String::new(),
        LimitScope::Api => format!("api:{}", api.name),
        LimitScope::Tag => {
            let tag = operation.tags.iter().find(|tag| limit.applies.tags.contains(tag));
            format!("tag:{}", tag.or(operation.tags.first()).map_or("", String::as_str))
        }
    }
}

fn write_service(tables: &mut Tables<'_>, service: &LimitService) {
    let callers = if service.tells_values { CallerForm::Value } else { CallerForm::Hash };
    let record = layout::LimitService {
        cluster: tables.text(&service.cluster),
        domain: tables.text(&service.domain),
        timeout: service.timeout.into(),
        callers: callers.code(),
        reserved: 0,
    };
    tables.sections.limit_services.push(record);
}

fn cost(limit: &Limit, of: Option<(&Api, &Operation)>) -> u32 {
    let own = limit.costs.iter().find(|(text, _)| of.is_some_and(|(_, it)| is_match(it, text)));
    own.map_or(limit.cost, |(_, cost)| *cost).max(1)
}

/// Whether a limit waits for the body.
fn is_late(limiting: &Limiting, limit: &Limit) -> bool {
    let caller = &limiting.callers[limit.caller];
    let by_body = |by: &CallerBy| matches!(by, CallerBy::Body(_));
    caller.sources.iter().any(|source| by_body(&source.by))
        || matches!(limit.cost_by, Some(CostBy::Body(_)))
}

/// What is said where more limits hold for an operation, or for requests of none, than are counted at once.
fn too_many(limiting: &Limiting, uses: &[[u32; 3]], is_operation: bool) -> Option<String> {
    let limits = || uses.iter().map(|[at, ..]| &limiting.limits[*at as usize]);
    let rates: usize = limits().map(|limit| limit.rates.len()).sum();
    let mut callers: Vec<usize> = limits().map(|limit| limit.caller).collect();
    callers.sort_unstable();
    callers.dedup();
    let over = |what: &str, found: usize, most: usize| {
        let of = if is_operation { "this operation" } else { "requests of no operation" };
        (found > most).then(|| format!("{found} {what} hold for {of}: at most {most} can"))
    };
    over("limits", uses.len(), MAX_USES)
        .or_else(|| over("rates of limits", rates, MAX_RATES))
        .or_else(|| over("limits on different callers", callers.len(), MAX_CALLERS))
}

/// Warns where every limit counts by what a client may choose, or leave out: a new name is a new budget.
fn chosen(limiting: &Limiting) -> Option<Diagnostic> {
    let by_choice = |limit: &Limit| {
        let caller = &limiting.callers[limit.caller];
        caller.sources.iter().any(|source| source.by.is_chosen())
    };
    let is_left_out = |limit: &Limit| {
        let caller = &limiting.callers[limit.caller];
        caller.missing == MissingCaller::Skip
            && !caller.sources.iter().any(|source| matches!(source.by, CallerBy::Address(..)))
    };
    let holds_all = |limit: &&Limit| {
        limit.mode == LimitMode::Enforce && !by_choice(limit) && !is_left_out(limit)
    };
    if limiting.limits.iter().any(|limit| holds_all(&limit)) {
        return None;
    }
    let first = limiting.limits.iter().find(|limit| by_choice(limit))?;
    let title = format!("`{}` counts callers by what they say of themselves", first.name);
    let at = Span::word(&limiting.file, first.line, 1);
    Some(Diagnostic::new(LIMIT_CHOSEN, title).at(at).help(
        "who makes up a new key for each request is a new caller each time: add a limit by `address`, `claim` or \
         `certificate`, or by `address` on failures",
    ))
}

fn write_callers(tables: &mut Tables<'_>, limiting: &Limiting) {
    for caller in &limiting.callers {
        let first = tables.sections.caller_sources.len() as u32;
        for source in &caller.sources {
            let (kind, name, bits) = match &source.by {
                CallerBy::Header(name) => (CallerKind::Header, name.clone(), (0, 0)),
                CallerBy::Query(name) => (CallerKind::Query, name.clone(), (0, 0)),
                CallerBy::Cookie(name) => (CallerKind::Cookie, name.clone(), (0, 0)),
                CallerBy::Property(steps) => (CallerKind::Property, steps.join("\0"), (0, 0)),
                CallerBy::Address(v4, v6) => (CallerKind::Address, String::new(), (*v4, *v6)),
                CallerBy::Body(pointer) => (CallerKind::Body, pointer.clone(), (0, 0)),
            };
            let record = layout::CallerSource {
                label: tables.text(&source.label),
                name: tables.text(&name),
                kind: kind.code(),
                v4_bits: bits.0,
                v6_bits: bits.1,
                reserved: 0,
            };
            tables.sections.caller_sources.push(record);
        }
        let record = layout::Caller {
            name: tables.text(&caller.name),
            sources: first.into(),
            source_count: (caller.sources.len() as u16).into(),
            missing: match caller.missing {
                MissingCaller::Shared => layout::MissingCaller::Shared,
                MissingCaller::Skip => layout::MissingCaller::Skip,
                MissingCaller::Refuse => layout::MissingCaller::Refuse,
            }
            .code(),
            reserved: 0,
        };
        tables.sections.callers.push(record);
    }
}

fn record(tables: &mut Tables<'_>, limit: &Limit) -> layout::Limit {
    let rates = tables.sections.limit_rates.len() as u32;
    tables.sections.limit_rates.extend(limit.rates.iter().map(rate));
    let (cost_kind, cost_name) = match &limit.cost_by {
        None => (CostKind::Fixed, ""),
        Some(CostBy::Header(name)) => (CostKind::Header, name.as_str()),
        Some(CostBy::Body(pointer)) => (CostKind::Body, pointer.as_str()),
    };
    layout::Limit {
        name: tables.text(&limit.name),
        id: limit_id(&limit.name).into(),
        caller: (limit.caller as u32).into(),
        rates: rates.into(),
        statuses: tables.text(&limit.statuses.join(" ")),
        cost_name: tables.text(cost_name),
        rate_count: limit.rates.len() as u8,
        mode: match limit.mode {
            LimitMode::Enforce => layout::LimitMode::Enforce,
            LimitMode::Monitor => layout::LimitMode::Monitor,
            LimitMode::Tag => layout::LimitMode::Tag,
        }
        .code(),
        cost_kind: cost_kind.code(),
        delegation: match limit.delegated {
            None => Delegation::None,
            Some(OnFailure::Local) => Delegation::Local,
            Some(OnFailure::Refuse) => Delegation::Refuse,
        }
        .code(),
        line: limit.line.into(),
    }
}

fn rate(rate: &LimitRate) -> layout::LimitRate {
    let plain = |kind: RateKind, window: u64, amount: u32, burst: u32| layout::LimitRate {
        window: window.into(),
        amount: amount.into(),
        burst: burst.into(),
        kind: kind.code(),
        period: 0,
        offset: (AHEAD as u16).into(),
    };
    match *rate {
        LimitRate::Window { amount, burst, window } => {
            plain(RateKind::Window, window, amount, burst)
        }
        LimitRate::Concurrency { amount, lease } => {
            plain(RateKind::Concurrency, lease, amount, amount)
        }
        LimitRate::Quota { amount, period, offset } => layout::LimitRate {
            period: match period {
                Period::Hour => layout::Period::Hour,
                Period::Day => layout::Period::Day,
                Period::Week => layout::Period::Week,
                Period::Month => layout::Period::Month,
            }
            .code(),
            offset: ((offset + AHEAD) as u16).into(),
            ..plain(RateKind::Quota, 1, amount, amount)
        },
    }
}
