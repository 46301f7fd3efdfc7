//! Limits on what callers may do.

use super::Action;

/// Limits, whom they count, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limiting {
    /// The policy's file.
    pub file: String,
    /// Who can be counted.
    pub callers: Vec<Caller>,
    /// The limits, in the policy's order.
    pub limits: Vec<Limit>,
    /// Bytes of the table of counts.
    pub size: u64,
    /// What becomes of requests that could not be counted.
    pub uncounted: Action,
    /// Proxies in front of the gateway that name the client's address.
    pub trusted_hops: u8,
    /// The service that limits can be delegated to.
    pub service: Option<LimitService>,
}

/// A service that carries limits for several gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitService {
    /// Envoy's cluster that it is reached by.
    pub cluster: String,
    /// What it keeps the limits under.
    pub domain: String,
    /// Milliseconds after which it has not answered.
    pub timeout: u16,
    /// Whether it is told callers' own values, instead of hashes.
    pub tells_values: bool,
    /// What becomes of requests about which it gives no answer.
    pub on_failure: OnFailure,
    /// Line in the policy.
    pub line: u32,
}

/// What becomes of a request about which a service gives no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// What this gateway has counted holds.
    #[default]
    Local,
    /// It is refused.
    Refuse,
}

/// Who is counted: the first of some ways to name a caller that a request has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its name in the policy.
    pub name: String,
    /// The ways.
    pub sources: Vec<CallerSource>,
    /// What becomes of a request that has none of them.
    pub missing: MissingCaller,
}

/// A way to name a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerSource {
    /// As the policy writes it.
    pub label: String,
    /// What it means.
    pub by: CallerBy,
}

/// What of a request, or of its connection, names a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerBy {
    /// A header field, in lower case.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
    /// A property of the proxy, by its steps.
    Property(Vec<String>),
    /// The client's address: bits that count of IPv4 and IPv6.
    Address(u8, u8),
    /// A value of a JSON body, by its pointer.
    Body(String),
}

impl CallerBy {
    /// Whether a client can say what it likes there, and be another caller with every request.
    pub fn is_chosen(&self) -> bool {
        !matches!(self, CallerBy::Property(_) | CallerBy::Address(..))
    }
}

/// What becomes of a request that nothing names the caller of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingCaller {
    /// All such requests are one caller's.
    #[default]
    Shared,
    /// The limit does not hold for it.
    Skip,
    /// It is refused.
    Refuse,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name, by which its counts are found again.
    pub name: String,
    /// Index into the callers.
    pub caller: usize,
    /// What it allows; at least one.
    pub rates: Vec<LimitRate>,
    /// What it does with what goes beyond.
    pub mode: LimitMode,
    /// Statuses of answers that count, as `401` or `5xx`; empty: every request counts when it comes.
    pub statuses: Vec<String>,
    /// What a request counts as.
    pub cost: u32,
    /// What gives the cost instead, up to that one.
    pub cost_by: Option<CostBy>,
    /// Operations with a cost of their own, by method and path.
    pub costs: Vec<(String, u32)>,
    /// What is counted together.
    pub scope: LimitScope,
    /// The operations that it holds for; all where these are empty.
    pub applies: Applies,
    /// Whether a service carries it too, and what happens without its answer.
    pub delegated: Option<OnFailure>,
    /// Line in the policy.
    pub line: u32,
}

/// What a limit holds for: whatever one of these names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applies {
    /// APIs by name.
    pub apis: Vec<String>,
    /// Operations with a tag.
    pub tags: Vec<String>,
    /// Operations by method and path.
    pub operations: Vec<String>,
}

impl Applies {
    /// Whether it names nothing, and so means everything.
    pub fn is_empty(&self) -> bool {
        self.apis.is_empty() && self.tags.is_empty() && self.operations.is_empty()
    }
}

/// What gives the cost of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CostBy {
    /// A header field, in lower case.
    Header(String),
    /// A value of a JSON body, by its pointer.
    Body(String),
}

/// How much a limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitRate {
    /// So many in so many nanoseconds, and so many at once.
    Window {
        /// Units of cost.
        amount: u32,
        /// Units of cost.
        burst: u32,
        /// Nanoseconds.
        window: u64,
    },
    /// So many in each period of a calendar that is so many minutes ahead of UTC.
    Quota {
        /// Units of cost.
        amount: u32,
        /// The period.
        period: Period,
        /// Minutes.
        offset: i16,
    },
    /// So many requests that have not ended; after so many nanoseconds one counts as ended.
    Concurrency {
        /// Requests.
        amount: u32,
        /// Nanoseconds.
        lease: u64,
    },
}

/// Periods of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Period {
    Hour,
    Day,
    Week,
    Month,
}

/// What a limit does with what goes beyond it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitMode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is only reported.
    Monitor,
    /// It is reported, also to the upstream.
    Tag,
}

/// What a limit counts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitScope {
    /// Everything.
    #[default]
    Global,
    /// The requests to one API.
    Api,
    /// The requests to operations of one tag.
    Tag,
    /// The requests to one operation.
    Operation,
}
