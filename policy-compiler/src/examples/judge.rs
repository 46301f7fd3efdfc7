//! The engine itself, on requests that were made here.

use super::request::Request;
use crate::emit;
use crate::ir::Model;
use crate::lower;
use portcullis_bundle::{Bundle, Identity, OpenError, Trust};
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

/// Compiles a model by itself, without policy file and signature.
///
/// # Errors
/// Where the reader would refuse the bundle.
pub fn compile(model: &Model) -> Result<Bundle, OpenError> {
    let lowered = lower::lower(model);
    let identity = Identity {
        epoch: 1,
        not_before: i64::MIN,
        not_after: i64::MAX,
        audience: String::new(),
        compiler: emit::compiler(),
    };
    let bytes = emit::emit(&lowered.sections, &identity, None)?;
    Bundle::open(bytes, &Trust { keys: Vec::new(), allow_unsigned: true })
}

/// One thing that was found, in the documents' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The finding's code.
    pub code: &'static str,
    /// Where in the message: `body`, `query`, ….
    pub part: &'static str,
    /// The parameter's name, or the JSON pointer into the body.
    pub name: String,
    /// The keyword that refused.
    pub keyword: Option<&'static str>,
    /// File, line and pointer of what says so.
    pub source: Option<(String, u32, String)>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whether it would pass.
    pub passed: bool,
    /// Whether its body was judged by a schema.
    pub enforced: bool,
    /// The method and template of the operation that it was taken for.
    pub operation: Option<(String, String)>,
    /// What was found.
    pub findings: Vec<Found>,
}

/// Judges requests by one bundle.
#[derive(Debug)]
pub struct Judge {
    bundle: Bundle,
    exchange: Exchange,
}

impl Judge {
    /// A judge by a bundle.
    pub fn new(bundle: Bundle) -> Self {
        Judge { bundle, exchange: Exchange::new() }
    }

    /// Judges a request as a gateway would that holds bodies.
    pub fn judge(&mut self, request: &Request) -> Judged {
        let view = self.bundle.view();
        let mut headers: Vec<(&[u8], &[u8])> = vec![
            (b":method", request.method.as_bytes()),
            (b":path", request.path.as_bytes()),
            (b":authority", request.authority.as_bytes()),
        ];
        headers.extend(request.headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())));
        let head = RequestHead {
            method: request.method.as_bytes(),
            path: request.path.as_bytes(),
            authority: request.authority.as_bytes(),
            headers: &headers,
            end_of_stream: request.body.is_none(),
        };
        // No request can say that a client has shown a certificate: here each has.
        let conditions = Conditions { mutual_tls: Some(true), ..Conditions::default() };
        let mut progress = self.exchange.on_headers(&view, &head, conditions);
        if let (Progress::Body { .. }, Some(body)) = (&progress, &request.body) {
            progress = self.exchange.on_body(&view, body);
        }
        if let Progress::Body { .. } = progress {
            progress = self.exchange.on_end(&view);
        }
        let decision = match progress {
            Progress::Decided(decision) => decision,
            Progress::Body { .. } => Decision::allow(None),
        };
        self.exchange.reset();
        let told = decision.describe(&view);
        let findings: Vec<Found> = told
            .findings
            .into_iter()
            .map(|finding| Found {
                code: finding.code.name(),
                part: finding.part,
                name: finding.name,
                keyword: finding.keyword,
                source: finding
                    .source
                    .map(|s| (s.document.to_owned(), s.line, s.pointer.to_owned())),
            })
            .collect();
        Judged {
            passed: decision.verdict != Verdict::Block,
            enforced: !findings.iter().any(|found| found.code == "body-unenforced"),
            operation: told.operation.map(|of| (of.method.to_owned(), of.template.to_owned())),
            findings,
        }
    }
}
