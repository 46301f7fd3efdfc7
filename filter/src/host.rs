//! The host as the filter sees it: every call takes and gives bytes, and none of them panics.
//!
//! In Envoy the host is [`envoy::Envoy`]; in native tests a fake one.

pub mod envoy;

use std::fmt;

/// How urgent a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// Of use when looking for a fault.
    Debug = 1,
    /// Worth a line in ordinary operation.
    Info = 2,
    /// A request was refused, or would have been.
    Warn = 3,
    /// A configuration was refused.
    Error = 4,
    /// Requests are refused for want of a policy.
    Critical = 5,
}

/// What a metric does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MetricKind {
    /// It only grows.
    Counter = 0,
    /// It is set.
    Gauge = 1,
}

/// A metric that the host has defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric(pub u32);

/// The version of a shared value; writes name the version that they replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cas(pub u32);

impl Cas {
    /// The version of no value: in Envoy, what is written in its place is written only if nothing is there. (Versions are
    /// counted from 1 on by the writes of all values, so that a value in four thousand million has it.)
    pub const NEVER: Cas = Cas(u32::MAX);
}

/// An answer that the filter gives in place of the upstream.
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Envoy's `%RESPONSE_CODE_DETAILS%`.
    pub details: &'a str,
    /// Header fields.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; for gRPC the message.
    pub body: &'a [u8],
}

/// The proxy around the filter. What fails reads as absent: a caller has to do without it anyway.
pub trait Host: Clone + fmt::Debug + 'static {
    /// Writes a log line.
    fn log(&self, level: Level, line: &str);
    /// Nanoseconds since the Unix epoch.
    fn now(&self) -> u64;
    /// Asks for `on_tick` every so many milliseconds.
    fn set_tick_period(&self, milliseconds: u32);
    /// The plugin's configuration; only in `on_configure`.
    fn plugin_configuration(&self) -> Vec<u8>;
    /// The VM's configuration; only in `on_vm_start`.
    fn vm_configuration(&self) -> Vec<u8>;
    /// A property by its path.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
    /// Sets the filter state `wasm.NAME` of the stream.
    fn set_filter_state(&self, name: &str, value: &[u8]);
    /// The request's header fields, serialised as [`crate::headers`] reads them.
    fn request_headers(&self) -> Option<Vec<u8>>;
    /// Removes every request header field of a name.
    fn remove_request_header(&self, name: &[u8]);
    /// Replaces every request header field of a name by one.
    fn set_request_header(&self, name: &str, value: &str);
    /// The answer's header fields, serialised as [`crate::headers`] reads them.
    fn response_headers(&self) -> Option<Vec<u8>>;
    /// Bytes of the answer's body that the host shows now.
    fn response_body(&self, start: usize, len: usize) -> Vec<u8>;
    /// Bytes of the request body that the host shows now.
    fn request_body(&self, start: usize, len: usize) -> Vec<u8>;
    /// Answers the request, in place of the upstream's answer where that is being held.
    fn answer(&self, answer: &Answer<'_>);
    /// Sends a GET through a cluster; the answer comes to the root context, with the token that this gives.
    fn call(&self, cluster: &str, headers: &[(&str, &str)], milliseconds: u64) -> Option<u32>;
    /// The header fields of a call's answer, serialised as [`crate::headers`] reads them.
    fn call_headers(&self) -> Option<Vec<u8>>;
    /// The first bytes of the body of a call's answer.
    fn call_body(&self, len: usize) -> Vec<u8>;
    /// Calls a method of a gRPC service, which Envoy's `GrpcService` names, and gives the call a token. The answer comes by
    /// `on_grpc_call_response`, at the latest after so many milliseconds. `None` where there is no such cluster, or
    /// none of its hosts can be reached.
    fn call_service(
        &self,
        target: &str,
        service: &str,
        method: &str,
        message: &[u8],
        timeout: u32,
    ) -> Option<u32>;
    /// The message of the answer that has just come; only in `on_grpc_call_response`.
    fn service_answer(&self, len: usize) -> Vec<u8>;
    /// Goes on with a request that was paused.
    fn resume_request(&self);
    /// A value shared between the VMs of one `vm_id`, and its version.
    fn shared(&self, key: &str) -> Option<(Vec<u8>, Cas)>;
    /// Replaces a shared value. False where another VM was faster. Without a version it is
    /// written whatever stands there; where nothing does, with any.
    fn set_shared(&self, key: &str, value: &[u8], replaces: Option<Cas>) -> bool;
    /// Defines a metric, or finds the one of that name.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<Metric>;
    /// Adds to a metric.
    fn add_metric(&self, metric: Metric, by: i64);
    /// Sets a gauge.
    fn set_metric(&self, metric: Metric, value: u64);
}
