//! A case sent through Envoy.

use std::path::Path;

use portcullis_cases::{Case, Observed, Request, Verdict};
use serde_json::json;

use crate::bootstrap::{Bootstrap, Filter, VERDICT_HEADER};
use crate::envoy::Envoy;
use crate::error::Error;
use crate::http1::{self, Body};
use crate::upstream::Upstream;

/// An Envoy with the filter, the guard behind it, and an upstream that echoes.
#[derive(Debug)]
pub struct Gateway {
    /// The gateway.
    pub envoy: Envoy,
    /// What is behind it.
    pub upstream: Upstream,
}

impl Gateway {
    /// Starts Envoy on a bundle without a signature.
    pub fn start(envoy: &Path, module: &Path, bundle: &[u8]) -> Result<Self, Error> {
        let upstream = Upstream::start()?;
        let filter = Filter::new(module, plugin_configuration(bundle));
        let bootstrap = Bootstrap::to(upstream.address())
            .guard()
            .filter(&filter)
            .connect_route()
            .upgrades(&["websocket", "CONNECT"]);
        Ok(Self { envoy: Envoy::start(envoy, &bootstrap)?, upstream })
    }

    /// Sends the case and compares. What passed must have reached the upstream byte for byte, and
    /// what was refused must not have.
    pub fn differences(&self, case: &Case) -> Result<Vec<String>, Error> {
        self.upstream.take();
        let response = request(&case.request).send(self.envoy.address())?;
        let observed = observe(&response);
        let mut differences = case.expect.differences(&observed);
        let reached = self.upstream.take();
        let passed = case.expect.verdict != Verdict::Block;
        match reached.as_slice() {
            [] if passed => differences.push("the request did not reach the upstream".to_owned()),
            [received] if passed => {
                if received.path.as_bytes() != case.request.path_bytes()
                    && case.request.method != "CONNECT"
                {
                    differences.push(format!("the upstream saw the path `{}`", received.path));
                }
                if received.body != case.request.content().unwrap_or_default() {
                    differences.push("the upstream saw another body".to_owned());
                }
            }
            [] => {}
            more if passed => differences.push(format!("the upstream saw {} requests", more.len())),
            _ => differences.push("the upstream saw a request that was refused".to_owned()),
        }
        Ok(differences)
    }
}

/// The plugin configuration for a bundle without a signature.
pub fn plugin_configuration(bundle: &[u8]) -> String {
    json!({ "bundle": base64(bundle), "allow_unsigned": true, "hold_headers": true }).to_string()
}

/// The case's request for the wire.
pub fn request(request: &Request) -> http1::Request {
    let body = match request.content() {
        None if request.is_chunked() => Body::Chunked { content: Vec::new(), trailers: Vec::new() },
        None => Body::None,
        Some(content) if request.is_chunked() => Body::Chunked {
            content,
            trailers: request
                .trailers
                .iter()
                .map(|(name, value)| (name.as_bytes().to_vec(), value))
                .collect(),
        },
        Some(content) => Body::Sized(content),
    };
    http1::Request {
        method: request.method.clone().into_bytes(),
        path: request.path_bytes(),
        headers: request
            .sent_headers()
            .into_iter()
            .map(|(name, value)| (name.into_bytes(), value))
            .collect(),
        body,
        cuts: request.cuts.clone(),
    }
}

/// What a response tells: the verdict from the header that the test configuration adds, details from
/// the answer where the policy lets it give them.
pub fn observe(response: &http1::Response) -> Observed {
    let verdict = response.header(VERDICT_HEADER).unwrap_or_default();
    let (name, rest) =
        verdict.split_once(':').map_or((verdict.as_str(), None), |(name, rest)| (name, Some(rest)));
    let verdict = match name {
        "allow" => Some(Verdict::Allow),
        "block" => Some(Verdict::Block),
        "monitor" => Some(Verdict::Monitor),
        "pass" => Some(Verdict::Pass),
        _ => None,
    };
    let code = rest.map(|rest| match (name, rest) {
        ("pass", "probe") => "probe-bypass".to_owned(),
        ("pass", "stream") => "stream-unchecked".to_owned(),
        _ => rest.to_owned(),
    });
    let problem = response.json();
    let text = |name: &str| problem.get(name).and_then(|v| v.as_str()).map(str::to_owned);
    let keyword = text("keyword");
    Observed {
        status: (verdict == Some(Verdict::Block)).then_some(response.status),
        verdict,
        code,
        detailed: false,
        pointer: text("pointer"),
        keyword,
        at: None,
        line: None,
    }
}

/// RFC 4648, section 4.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() { ALPHABET[index as usize] as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_as_in_the_rfc() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, encoded) in pairs {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
