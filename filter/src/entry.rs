//! The module's entry: the SDK's contexts, each a thin cover of the filter's own.
#![allow(
    unsafe_code,
    reason = "the SDK's `main!` exports a symbol; not every compiler counts that"
)]

use crate::host::envoy::Envoy;
use crate::http::Http;
use crate::root::Root;
use crate::vm::Vm;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use std::rc::Rc;

thread_local! {
    /// A VM runs on one thread and lives through many root contexts.
    static VM: Rc<Vm<Envoy>> = Vm::new(Envoy);
}

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(RootCover(Root::new(VM.with(Rc::clone)))));
}}

struct RootCover(Root<Envoy>);

impl Context for RootCover {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_size: usize, _: usize) {
        self.0.on_call_response(token, body_size);
    }

    fn on_done(&mut self) -> bool {
        self.0.on_done();
        true
    }
}

impl RootContext for RootCover {
    fn on_vm_start(&mut self, _: usize) -> bool {
        self.0.on_vm_start()
    }

    fn on_configure(&mut self, _: usize) -> bool {
        self.0.on_configure()
    }

    fn on_tick(&mut self) {
        self.0.on_tick();
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(HttpCover(self.0.http())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct HttpCover(Http<Envoy>);

impl Context for HttpCover {
    fn on_grpc_call_response(&mut self, token: u32, status: u32, size: usize) {
        self.0.on_service_answer(token, status, size);
    }
}

impl HttpContext for HttpCover {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.0.on_request_headers(end_of_stream)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.0.on_request_body(size, end_of_stream)
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.0.on_request_trailers()
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.0.on_response_headers(end_of_stream)
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.0.on_response_body(size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.0.on_response_trailers()
    }

    fn on_log(&mut self) {
        self.0.on_log();
    }
}
