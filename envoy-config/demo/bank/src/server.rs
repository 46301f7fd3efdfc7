//! HTTP/1.1 around [`respond`](crate::respond).

use std::convert::Infallible;
use std::io;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::answer::Answer;
use crate::route;

const LARGEST_BODY: usize = 16 << 20;
/// Shows in an answer that the request reached the bank.
const MARK: &str = "x-demo-bank";

/// Serves connections for as long as the runtime lives; a broken connection ends alone.
pub async fn serve(listener: TcpListener) -> io::Result<Infallible> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service =
                service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            // An error here is the peer's doing (a reset, bytes that are not HTTP) and concerns nobody else.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: hyper::Request<Incoming>) -> hyper::Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return respond(&head.headers, Answer::problem(413, "too large"));
    };
    let body = body.to_bytes();
    let idempotency_key = text(&head.headers, "x-idempotency-key");
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let request =
        route::Request { method: head.method.as_str(), target, idempotency_key, body: &body };
    respond(&head.headers, route::respond(&request))
}

fn respond(request_headers: &HeaderMap, answer: Answer) -> hyper::Response<Full<Bytes>> {
    let body = answer.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let mut response = hyper::Response::new(Full::new(body));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(MARK, HeaderValue::from_static("reached"));
    if !answer.media_type.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media_type));
    }
    if let Some(id) = request_headers.get("x-fapi-interaction-id") {
        headers.insert("x-fapi-interaction-id", id.clone());
    }
    if request_headers.contains_key("access-control-request-method") {
        headers.insert(
            "access-control-allow-origin",
            HeaderValue::from_static("https://app.bank.example"),
        );
        headers.insert(
            "access-control-allow-methods",
            HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"),
        );
    }
    response
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn answers_over_a_socket() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || runtime.block_on(serve(listener)));

        let mut stream = TcpStream::connect(address).expect("a connection");
        let request = "POST /payments/v1/domestic-standing-orders HTTP/1.1\r\nhost: bank\r\nconnection: close\r\n\
                       x-fapi-interaction-id: 7\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(request.as_bytes()).expect("a request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("an answer");
        assert!(response.starts_with("HTTP/1.1 201 Created\r\n"), "{response}");
        for part in ["x-demo-bank: reached", "x-fapi-interaction-id: 7", "\"Status\":\"Active\""] {
            assert!(response.contains(part), "{part} in {response}");
        }
    }
}
