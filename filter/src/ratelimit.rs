//! The header fields of an answer to a caller that a limit refuses: `Retry-After` (RFC 9110, section 10.2.3), and
//! `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-10 has them.

use portcullis_bundle::layout::{LimitMode, LimitRate, Period, RateKind, View};
use portcullis_engine::decision::Decision;
use portcullis_engine::limits::{Quota, Why, window_name};

const SECOND: u64 = 1_000_000_000;

/// The fields, where a limit refuses.
pub fn fields(view: &View<'_>, decision: &Decision) -> Vec<(&'static str, String)> {
    let refusing = || decision.limited.iter().filter(|it| it.mode == LimitMode::Enforce);
    let tells = matches!(decision.status, 429 | 503);
    let Some(wait) = refusing().map(|it| it.wait).max().filter(|_| tells) else {
        return Vec::new();
    };
    let mut fields = vec![("retry-after", seconds(wait))];
    let (mut policies, mut states) = (Vec::new(), Vec::new());
    // What could not be counted says nothing of what is left.
    for one in refusing().filter(|it| it.why == Why::Rate) {
        for (at, rate) in rates(view, one.limit) {
            let name = item(view, one.limit, rate);
            // What a service says of the limit goes before what the policy says.
            let (amount, terms) = match one.told.filter(|_| at == one.rate) {
                Some(Quota { amount, window: 0 }) => (amount, String::new()),
                Some(Quota { amount, window }) => (amount, [";w=", &window.to_string()].concat()),
                None => (rate.amount.get(), terms(rate)),
            };
            let policy = [&name, ";q=", &amount.to_string(), &terms].concat();
            if !policies.contains(&policy) {
                policies.push(policy);
            }
            if at == one.rate {
                states.push([&name, ";r=0;t=", &seconds(one.wait)].concat());
            }
        }
    }
    if !states.is_empty() {
        fields.push(("ratelimit-policy", policies.join(", ")));
        fields.push(("ratelimit", states.join(", ")));
    }
    fields
}

fn rates<'b>(view: &View<'b>, limit: u32) -> impl Iterator<Item = (u32, &'b LimitRate)> {
    let limit = usize::try_from(limit).ok().and_then(|at| view.limits.get(at));
    let (first, count) = limit.map_or((0, 0), |it| (it.rates.get(), it.rate_count));
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    let own = view.limit_rates.get(first..).unwrap_or_default();
    (0u32..).zip(own.iter().take(count.into()))
}

/// What a rate is called: its limit's name, and its window where the limit has several.
fn item(view: &View<'_>, limit: u32, rate: &LimitRate) -> String {
    let several = rates(view, limit).count() > 1;
    let limit = usize::try_from(limit).ok().and_then(|at| view.limits.get(at));
    let name = limit.map_or("", |limit| view.text(limit.name));
    let window = if several { ["/", &window_name(rate)].concat() } else { String::new() };
    ["\"", name, &window, "\""].concat()
}

/// What an item says besides its quota.
fn terms(rate: &LimitRate) -> String {
    match RateKind::from_code(rate.kind) {
        Some(RateKind::Concurrency) => ";qu=\"concurrent-requests\"".to_owned(),
        Some(RateKind::Quota) => match Period::from_code(rate.period) {
            Some(Period::Hour) => ";w=3600".to_owned(),
            Some(Period::Week) => ";w=604800".to_owned(),
            // Months differ.
            Some(Period::Month) => String::new(),
            _ => ";w=86400".to_owned(),
        },
        _ => [";w=", &seconds(rate.window.get())].concat(),
    }
}

/// Whole seconds, rounded up, at least one: a client that waits so long is taken.
fn seconds(nanos: u64) -> String {
    nanos.div_ceil(SECOND).max(1).to_string()
}
