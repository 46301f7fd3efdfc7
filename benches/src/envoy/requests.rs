//! The requests of the load: 64 different ones of each kind, as a gateway sees them.

use portcullis_integration::http1::Request;

use crate::payloads;

const VARIANTS: usize = 64;

/// Requests, byte for byte, sent in turn.
#[derive(Clone, Debug)]
pub struct Requests(Vec<Vec<u8>>);

impl Requests {
    /// Requests as they are sent.
    pub fn of(requests: Vec<Vec<u8>>) -> Self {
        Self(requests)
    }

    /// GETs with a path parameter, four query parameters and a required header.
    pub fn gets() -> Self {
        let get = |index: usize| {
            let path = format!(
                "/accounts/GB29NWBK{:014}/transactions?fromBookingDate=2026-01-{:02}\
                 &toBookingDate=2026-03-{:02}&status={}&limit={}",
                index * 7919,
                index % 28 + 1,
                index % 27 + 2,
                ["booked", "pending", "both"][index % 3],
                index + 1,
            );
            with_usual_headers(Request::get(&path), index).head()
        };
        Self((0..VARIANTS).map(get).collect())
    }

    /// POSTs of payments of about 1 KB.
    pub fn posts() -> Self {
        let bodies = payloads::payments_near(1024, VARIANTS);
        let post = |(index, body): (usize, Vec<u8>)| {
            let request = Request::post_json("/payments", &body);
            let mut bytes = with_usual_headers(request, index).head();
            bytes.extend_from_slice(&body);
            bytes
        };
        Self(bodies.into_iter().enumerate().map(post).collect())
    }

    /// The request to send as number `index`.
    pub fn get(&self, index: usize) -> &[u8] {
        &self.0[index % self.0.len()]
    }

    /// Bytes of a request on average.
    pub fn mean_bytes(&self) -> usize {
        self.0.iter().map(Vec::len).sum::<usize>() / self.0.len()
    }
}

/// Requests that the document forbids, and what is wrong with them.
pub fn bad() -> [(&'static str, Request); 3] {
    let limit = "/accounts/GB29NWBK00000000000001/transactions?limit=1000";
    [
        ("an undeclared path", Request::get("/nothing-here")),
        ("a limit beyond its maximum", with_usual_headers(Request::get(limit), 0)),
        ("a payment without its fields", Request::post_json("/payments", "{\"messageId\":\"A\"}")),
    ]
}

fn with_usual_headers(request: Request, index: usize) -> Request {
    request
        .header("host", "api.bank.example")
        .header("user-agent", "bank-app/7.2 (bench)")
        .header("accept", "application/json")
        .header("authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2ln")
        .header("x-interaction-id", format!("93bac548-d2de-4546-b106-{:012x}", index * 104_729))
}
