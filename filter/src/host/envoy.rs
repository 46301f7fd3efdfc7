//! Envoy as the host: the calls of the proxy-wasm ABI 0.2.1 that the filter needs.
//!
//! The SDK's own wrappers panic on a header name that is not UTF-8 and on any status that they do not
//! expect; a panic kills the worker's VM and every request in it. So these calls are declared here, and
//! what the host refuses reads as absent.
#![expect(unsafe_code, reason = "the host is reached through foreign functions")]

use super::{Answer, Cas, Host, Level, Metric, MetricKind};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};
use std::ptr;
use std::time::Duration;

/// `Status::Ok` of the ABI; everything else is a refusal.
const OK: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, data: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

/// The Envoy that runs this VM.
#[derive(Clone, Copy, Debug)]
pub struct Envoy;

/// Runs a call that gives bytes in memory which the host took from the SDK's allocator.
fn bytes(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data: *mut u8 = ptr::null_mut();
    let mut size: usize = 0;
    if call(&raw mut data, &raw mut size) != OK {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the host allocated `data` by the module's exported `malloc`, which is the SDK's: a
    // boxed slice of exactly `size` bytes, all of them written, and hands it over.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

fn buffer(buffer: BufferType, start: usize, len: usize) -> Vec<u8> {
    // SAFETY: `bytes` passes two places that live through the call.
    bytes(|data, size| unsafe { proxy_get_buffer_bytes(buffer as u32, start, len, data, size) })
        .unwrap_or_default()
}

fn header_fields(map: MapType) -> Option<Vec<u8>> {
    // SAFETY: `bytes` passes two places that live through the call.
    bytes(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) })
}

impl Host for Envoy {
    fn log(&self, level: Level, line: &str) {
        // SAFETY: the host reads `line` during the call.
        unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
    }

    fn now(&self) -> u64 {
        let mut time = 0;
        // SAFETY: the host writes one u64.
        unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
        time
    }

    fn set_tick_period(&self, milliseconds: u32) {
        // SAFETY: takes a number.
        unsafe { proxy_set_tick_period_milliseconds(milliseconds) };
    }

    fn plugin_configuration(&self) -> Vec<u8> {
        buffer(BufferType::PluginConfiguration, 0, u32::MAX as usize)
    }

    fn vm_configuration(&self) -> Vec<u8> {
        buffer(BufferType::VmConfiguration, 0, u32::MAX as usize)
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        let path = path.join("\0");
        // SAFETY: the host reads `path` during the call; `bytes` passes two places that live through it.
        bytes(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
    }

    fn set_filter_state(&self, name: &str, value: &[u8]) {
        // SAFETY: the host reads both during the call.
        unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
    }

    fn request_headers(&self) -> Option<Vec<u8>> {
        header_fields(MapType::HttpRequestHeaders)
    }

    fn response_headers(&self) -> Option<Vec<u8>> {
        header_fields(MapType::HttpResponseHeaders)
    }

    fn response_body(&self, start: usize, len: usize) -> Vec<u8> {
        buffer(BufferType::HttpResponseBody, start, len)
    }

    fn set_request_header(&self, name: &str, value: &str) {
        let map = MapType::HttpRequestHeaders as u32;
        let (key, key_size) = (name.as_ptr(), name.len());
        // SAFETY: the host reads both texts during the call.
        unsafe { proxy_replace_header_map_value(map, key, key_size, value.as_ptr(), value.len()) };
    }

    fn remove_request_header(&self, name: &[u8]) {
        let map = MapType::HttpRequestHeaders as u32;
        // SAFETY: the host reads `name` during the call.
        unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) };
    }

    fn request_body(&self, start: usize, len: usize) -> Vec<u8> {
        buffer(BufferType::HttpRequestBody, start, len)
    }

    fn answer(&self, answer: &Answer<'_>) {
        let headers = crate::headers::serialise(answer.headers);
        // No grpc-status of our own: Envoy derives it from the status (403 becomes 7).
        let grpc_status = -1;
        // SAFETY: the host reads all four during the call.
        unsafe {
            proxy_send_local_response(
                u32::from(answer.status),
                answer.details.as_ptr(),
                answer.details.len(),
                answer.body.as_ptr(),
                answer.body.len(),
                headers.as_ptr(),
                headers.len(),
                grpc_status,
            )
        };
    }

    fn call(&self, cluster: &str, headers: &[(&str, &str)], milliseconds: u64) -> Option<u32> {
        // The SDK's own, since its dispatcher fails on the answer to a call that it does not know of.
        let timeout = Duration::from_millis(milliseconds);
        hostcalls::dispatch_http_call(cluster, headers.to_vec(), None, Vec::new(), timeout).ok()
    }

    fn call_headers(&self) -> Option<Vec<u8>> {
        header_fields(MapType::HttpCallResponseHeaders)
    }

    fn call_body(&self, len: usize) -> Vec<u8> {
        buffer(BufferType::HttpCallResponseBody, 0, len)
    }

    fn call_service(
        &self,
        target: &str,
        service: &str,
        method: &str,
        message: &[u8],
        timeout: u32,
    ) -> Option<u32> {
        let timeout = Duration::from_millis(timeout.into());
        // The SDK's own, since its dispatcher must know which stream a call is of. It panics on a status that Envoy never
        // gives here: only success, a faulty target and a failed call are.
        hostcalls::dispatch_grpc_call(target, service, method, vec![], Some(message), timeout).ok()
    }

    fn service_answer(&self, len: usize) -> Vec<u8> {
        buffer(BufferType::GrpcReceiveBuffer, 0, len)
    }

    fn resume_request(&self) {
        // SAFETY: takes a number; 0 is the request.
        unsafe { proxy_continue_stream(0) };
    }

    fn shared(&self, key: &str) -> Option<(Vec<u8>, Cas)> {
        let mut cas = 0;
        // SAFETY: the host reads `key` during the call, and writes to places that live through it.
        let value = bytes(|data, size| unsafe {
            proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
        })?;
        Some((value, Cas(cas)))
    }

    fn set_shared(&self, key: &str, value: &[u8], replaces: Option<Cas>) -> bool {
        let cas = replaces.map_or(0, |cas| cas.0);
        // SAFETY: the host reads `key` and `value` during the call.
        let status = unsafe {
            proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas)
        };
        status == OK
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<Metric> {
        let mut id = 0;
        // SAFETY: the host reads `name` during the call and writes one u32.
        let status =
            unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
        (status == OK).then_some(Metric(id))
    }

    fn add_metric(&self, metric: Metric, by: i64) {
        // SAFETY: takes numbers.
        unsafe { proxy_increment_metric(metric.0, by) };
    }

    fn set_metric(&self, metric: Metric, value: u64) {
        // SAFETY: takes numbers.
        unsafe { proxy_record_metric(metric.0, value) };
    }
}
