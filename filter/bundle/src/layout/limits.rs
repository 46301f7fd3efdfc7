//! Limits on what callers may do: who a caller is, how much it may, and where counts are kept.
//!
//! Counts lie in a table of blocks that the workers of one Envoy share. A count is found by the hash of what names
//! the caller, the limit's id and a scope, none of which depends on where a record stands in the bundle.

use super::Text;
use super::record::{codes, record};
use zerocopy::little_endian::{U16, U32, U64};

codes! {
    /// What of a request, or of its connection, names a caller.
    pub enum CallerKind {
        /// A header field that is sent once.
        Header = 0,
        /// A query parameter that is sent once.
        Query = 1,
        /// A cookie that is sent once.
        Cookie = 2,
        /// A property of the proxy: a claim that `jwt_authn` verified, or a part of the client's certificate.
        Property = 3,
        /// The address that the connection is from, or its network.
        Address = 4,
        /// A value of a JSON body.
        Body = 5,
    }
}

codes! {
    /// What a request is counted as that nothing names the caller of.
    pub enum MissingCaller {
        /// All such requests are one caller's.
        Shared = 0,
        /// The limit does not hold for it.
        Skip = 1,
        /// It is refused.
        Refuse = 2,
    }
}

codes! {
    /// What a limit does with what goes beyond it.
    pub enum LimitMode {
        /// It is refused, if the mode is enforce.
        Enforce = 0,
        /// It passes with a finding.
        Monitor = 1,
        /// It passes with a finding, and tells the upstream by a header field.
        Tag = 2,
    }
}

codes! {
    /// How a rate bounds what it counts.
    pub enum RateKind {
        /// A level that drains at an even rate (GCRA).
        Window = 0,
        /// A count that begins anew with each period of the calendar.
        Quota = 1,
        /// Requests that have not ended.
        Concurrency = 2,
    }
}

codes! {
    /// Periods of the calendar.
    pub enum Period {
        Hour = 0,
        Day = 1,
        /// From Monday on.
        Week = 2,
        Month = 3,
    }
}

codes! {
    /// What a request counts as.
    pub enum CostKind {
        /// The same for every request.
        Fixed = 0,
        /// The number that a header field says.
        Header = 1,
        /// The number at a place of a JSON body.
        Body = 2,
    }
}

codes! {
    /// Whether a service carries a limit too, and what becomes of a request about which it gives no answer.
    pub enum Delegation {
        /// The table of counts alone carries it.
        None = 0,
        /// What the table says holds.
        Local = 1,
        /// It is refused.
        Refuse = 2,
    }
}

codes! {
    /// How a service is told who is counted.
    pub enum CallerForm {
        /// By a hash under a key that gateways share.
        Hash = 0,
        /// By what the request says.
        Value = 1,
    }
}

record! {
    /// One way to name a caller.
    pub struct CallerSource {
        /// As the policy writes it. Callers named in different ways differ, whatever their values.
        label: Text,
        /// The header field in lower case, the parameter, the cookie, or the JSON pointer; of a property its path, with
        /// U+0000 between the steps.
        name: Text,
        /// A [`CallerKind`] code.
        kind: u8,
        /// Of an address in IPv4, bits that count: at most 32.
        v4_bits: u8,
        /// Of an address in IPv6, bits that count: at most 128.
        v6_bits: u8,
        /// Zero; reserved.
        reserved: u8,
    }
}

record! {
    /// Who is counted: the first of some ways to name a caller that a request has.
    pub struct Caller {
        /// Its name in the policy.
        name: Text,
        /// First of the ways, in the policy's order.
        sources: U32,
        /// How many ways.
        source_count: U16,
        /// A [`MissingCaller`] code.
        missing: u8,
        /// Zero; reserved.
        reserved: u8,
    }
}

record! {
    /// A limit.
    pub struct Limit {
        /// Its name in the policy.
        name: Text,
        /// Stands for the name in the table of counts: derived from it alone, a multiple of 8, of no other limit.
        id: U32,
        /// Who is counted: index into callers.
        caller: U32,
        /// First of its rates.
        rates: U32,
        /// Statuses of answers that count, as `401 5xx`, a space between them; empty where the request counts.
        statuses: Text,
        /// What gives the cost: the header field in lower case, or the JSON pointer.
        cost_name: Text,
        /// How many rates: up to 7, and as the last one a concurrency; at least one.
        rate_count: u8,
        /// A [`LimitMode`] code.
        mode: u8,
        /// A [`CostKind`] code.
        cost_kind: u8,
        /// A [`Delegation`] code.
        delegation: u8,
        /// Its line in the policy, from 1.
        line: U32,
    }
}

record! {
    /// How much a limit allows. All of its rates hold.
    pub struct LimitRate {
        /// Nanoseconds in which the amount is allowed; of a concurrency, after which a request counts as ended.
        window: U64,
        /// What is allowed, at least 1.
        amount: U32,
        /// What is allowed at once, at least 1.
        burst: U32,
        /// A [`RateKind`] code.
        kind: u8,
        /// A [`Period`] code.
        period: u8,
        /// Minutes that the calendar is ahead of UTC, and 720 more.
        offset: U16,
    }
}

record! {
    /// A limit that holds for an operation.
    pub struct LimitUse {
        /// Index into limits.
        limit: U32,
        /// What it counts apart from other scopes; `NONE`: what has the operation's own id.
        scope: U32,
        /// What the scope is called, as `api:payments`; empty where it counts everything together.
        label: Text,
        /// What a request counts as, or at most where something gives the cost; at least 1.
        cost: U32,
    }
}

record! {
    /// The limits that hold for an operation.
    pub struct LimitList {
        /// First of the uses: those that the head decides first, then those of one caller together.
        first: U32,
        /// How many uses, at most 16.
        count: U16,
        /// How many of them the head decides.
        early: U16,
    }
}

record! {
    /// The table of counts.
    pub struct LimitTable {
        /// Blocks of 32 counts: a power of two.
        blocks: U32,
        /// An [`super::Action`] code: requests that could not be counted.
        uncounted: u8,
        /// Proxies in front of the gateway that name the client's address.
        trusted_hops: u8,
        /// Zero; reserved.
        reserved: U16,
    }
}

record! {
    /// The service that carries delegated limits, by `envoy.service.ratelimit.v3`.
    pub struct LimitService {
        /// Envoy's cluster that it is reached by.
        cluster: Text,
        /// What it keeps the limits under.
        domain: Text,
        /// Milliseconds after which it has not answered, from 1 to 1000.
        timeout: U16,
        /// A [`CallerForm`] code.
        callers: u8,
        /// Zero; reserved.
        reserved: u8,
    }
}

/// Limits of a bundle, at most.
pub const MAX_LIMITS: usize = 64;
/// Limits that hold for one operation, at most.
pub const MAX_USES: usize = 16;
/// Rates of the limits that hold for one operation, at most.
pub const MAX_RATES: usize = 24;
/// Callers of the limits that hold for one operation, at most.
pub const MAX_CALLERS: usize = 4;
/// Blocks of the table of counts, at most.
pub const MAX_BLOCKS: u32 = 65536;
/// Milliseconds that a service is waited for, at most.
pub const MAX_SERVICE_TIMEOUT: u16 = 1000;
