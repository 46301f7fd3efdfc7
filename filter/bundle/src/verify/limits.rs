//! Checks limits, and the callers that they count.

use super::Check;
use crate::error::OpenError;
use crate::layout::{
    Action, Caller, CallerForm, CallerKind, CallerSource, CostKind, Delegation, Limit, LimitList,
    LimitMode, LimitRate, LimitService, MAX_BLOCKS, MAX_CALLERS, MAX_LIMITS, MAX_RATES,
    MAX_SERVICE_TIMEOUT, MAX_USES, MissingCaller, Period, RateKind,
};

/// Minutes from the calendar furthest behind UTC to that furthest ahead.
const OFFSETS: u16 = 720 + 840;

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.each("caller_sources", view.caller_sources, source)?;
    check.each("callers", view.callers, caller)?;
    check.each("limit_rates", view.limit_rates, rate)?;
    check.each("limits", view.limits, limit)?;
    check.each("limit_uses", view.limit_uses, |check, it| {
        check.index(it.limit.get(), view.limits, "limit")?;
        check.text(&it.label, "label")?;
        check.that(it.cost.get() > 0, "cost")
    })?;
    check.each("limit_lists", view.limit_lists, list)?;
    check.each("limit_tables", view.limit_tables, |check, table| {
        let blocks = table.blocks.get();
        check.that(blocks.is_power_of_two() && blocks <= MAX_BLOCKS, "blocks")?;
        check.that(Action::from_code(table.uncounted).is_some(), "uncounted")
    })?;
    check.each("limit_services", view.limit_services, service)?;
    let lists = view.limit_lists.len();
    check.once("limit_lists", |check| {
        check.that(lists == 0 || lists == view.operations.len() + 1, "not one list an operation")
    })?;
    check.once("limit_tables", |check| {
        check.that(view.limit_tables.len() == usize::from(lists > 0), "not one table")
    })?;
    check.once("limits", |check| {
        check.that(view.limits.len() <= MAX_LIMITS, "more than 64 limits")?;
        let mut ids: Vec<u32> = view.limits.iter().map(|limit| limit.id.get()).collect();
        ids.sort_unstable();
        ids.dedup();
        check.that(ids.len() == view.limits.len(), "two limits have one id")
    })?;
    check.once("limit_services", |check| {
        let is_delegated = |limit: &Limit| limit.delegation != Delegation::None.code();
        let delegated = view.limits.iter().any(is_delegated);
        check.that(view.limit_services.len() == usize::from(delegated), "not one service")
    })
}

fn source(check: &Check<'_, '_>, source: &CallerSource) -> Result<(), OpenError> {
    check.text(&source.label, "label")?;
    check.text(&source.name, "name")?;
    check.that(CallerKind::from_code(source.kind).is_some(), "kind")?;
    check.that(source.v4_bits <= 32 && source.v6_bits <= 128, "bits of an address")
}

fn caller(check: &Check<'_, '_>, caller: &Caller) -> Result<(), OpenError> {
    check.text(&caller.name, "name")?;
    let (first, count) = (caller.sources.get(), caller.source_count.get().into());
    check.run(first, count, check.view.caller_sources, "sources")?;
    check.that(MissingCaller::from_code(caller.missing).is_some(), "missing")
}

fn rate(check: &Check<'_, '_>, rate: &LimitRate) -> Result<(), OpenError> {
    check.that(RateKind::from_code(rate.kind).is_some(), "kind")?;
    check.that(Period::from_code(rate.period).is_some(), "period")?;
    check.that(rate.amount.get() > 0 && rate.burst.get() > 0, "nothing is allowed")?;
    check.that(rate.window.get() > 0, "no window")?;
    check.that(rate.offset.get() <= OFFSETS, "offset")
}

fn limit(check: &Check<'_, '_>, limit: &Limit) -> Result<(), OpenError> {
    let view = check.view;
    let name = check.text(&limit.name, "name")?;
    // It becomes a part of header fields.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    check
        .that(!name.is_empty() && name.iter().copied().all(plain), "the name is not plain ASCII")?;
    check.text(&limit.statuses, "statuses")?;
    check.text(&limit.cost_name, "cost_name")?;
    check.that(limit.id.get().is_multiple_of(8), "the id is not a multiple of 8")?;
    check.index(limit.caller.get(), view.callers, "caller")?;
    check.that((1..=8).contains(&limit.rate_count), "rate_count")?;
    let rates = check.run(limit.rates.get(), limit.rate_count.into(), view.limit_rates, "rates")?;
    // What is counted at once has the last place of the table's eight: no other rate comes to stand there.
    let concurrent = rates.iter().position(|rate| rate.kind == RateKind::Concurrency.code());
    let others = concurrent.unwrap_or(rates.len());
    check.that(concurrent.is_none_or(|at| at + 1 == rates.len()), "a rate after a concurrency")?;
    check.that(others <= 7, "more than 7 rates")?;
    check.that(LimitMode::from_code(limit.mode).is_some(), "mode")?;
    check.that(CostKind::from_code(limit.cost_kind).is_some(), "cost_kind")?;
    check.that(Delegation::from_code(limit.delegation).is_some(), "delegation")
}

fn service(check: &Check<'_, '_>, service: &LimitService) -> Result<(), OpenError> {
    let cluster = check.text(&service.cluster, "cluster")?;
    let domain = check.text(&service.domain, "domain")?;
    check.that(!cluster.is_empty() && !domain.is_empty(), "no cluster or domain")?;
    check.that((1..=MAX_SERVICE_TIMEOUT).contains(&service.timeout.get()), "timeout")?;
    check.that(CallerForm::from_code(service.callers).is_some(), "callers")
}

fn list(check: &Check<'_, '_>, list: &LimitList) -> Result<(), OpenError> {
    let view = check.view;
    let (first, count) = (list.first.get(), list.count.get().into());
    let uses = check.run(first, count, view.limit_uses, "uses")?;
    check.that(uses.len() <= MAX_USES && list.early <= list.count, "uses")?;
    let limits = || uses.iter().filter_map(|it| view.limits.get(it.limit.get() as usize));
    let rates: usize = limits().map(|limit| usize::from(limit.rate_count)).sum();
    check.that(rates <= MAX_RATES, "more rates than a block of counts has room for")?;
    let mut callers: Vec<u32> = limits().map(|limit| limit.caller.get()).collect();
    callers.sort_unstable();
    callers.dedup();
    check.that(callers.len() <= MAX_CALLERS, "more callers than are counted at once")
}
