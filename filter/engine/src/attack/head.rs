//! The values of a request's head: path, query, cookies, header fields, method.

use super::{Name, Scan, Scanner, Subject};
use crate::access::slice;
use crate::exchange::{RequestHead, kind_by_type};
use crate::finding::Position;
use crate::params::{beyond_pairs, cookies, cut_pairs};
use crate::percent::{Plus, decode_leniently};
use crate::route::Span;
use portcullis_bundle::layout::{
    BodyKind, Location, Matcher, Operation, Operator, PARAMETER_EXPLODE, PARAMETER_UNENFORCED,
    Parameter, SCHEMA_ANY, TYPE_ARRAY, Target,
};

/// A head, and how it was routed.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a, 'h> {
    pub request: &'a RequestHead<'h>,
    pub path: &'a [u8],
    pub query: &'a [u8],
    /// What the path's variables take, where an operation was found.
    pub captures: &'a [Span],
    pub operation: Option<&'a Operation>,
    /// Pairs of a query that are read, at most.
    pub max_parameters: u32,
    /// `HTTP/1.1`; empty where it is not known.
    pub protocol: &'static str,
    /// The address that the connection is from.
    pub client: Option<core::net::IpAddr>,
}

impl Scanner {
    /// Scans the values of a head.
    pub(crate) fn head(&mut self, scan: &Scan<'_, '_>, head: &Head<'_, '_>) {
        let facts = &mut self.follow.facts;
        facts.host.clear();
        facts.host.extend_from_slice(head.request.authority);
        facts.method.clear();
        facts.method.extend_from_slice(head.request.method);
        facts.method_lower.clone_from(&facts.method);
        facts.method_lower.make_ascii_lowercase();
        if scan.has_early() {
            self.asks_early(true);
            self.values(scan, head);
            self.counts(scan);
            self.hits.forget_counts();
            self.asks_early(false);
        }
        self.values(scan, head);
    }

    fn values(&mut self, scan: &Scan<'_, '_>, head: &Head<'_, '_>) {
        let mut buffer = core::mem::take(&mut self.decoded);
        self.line(scan, head, &mut buffer);
        self.path(scan, head, &mut buffer);
        self.query(scan, head, &mut buffer);
        self.cookies(scan, head, &mut buffer);
        self.header_fields(scan, head);
        let subject = Subject::new(Target::Method, Name::None, &Position::Message);
        self.value(scan, subject, SCHEMA_ANY, head.request.method);
        self.whole(scan, head);
        self.decoded = buffer;
    }

    /// The parts of the request line, and how the body will be read.
    fn line(&mut self, scan: &Scan<'_, '_>, head: &Head<'_, '_>, buffer: &mut Vec<u8>) {
        let request = head.request;
        let mut part = |target, position, text: &[u8]| {
            if self.looks_at(scan, target) {
                self.value(scan, Subject::new(target, Name::None, &position), SCHEMA_ANY, text);
            }
        };
        part(Target::Uri, Position::Path, request.path);
        part(Target::Protocol, Position::Message, head.protocol.as_bytes());
        let version = if head.protocol.is_empty() { "HTTP/1.1" } else { head.protocol };
        buffer.clear();
        for (at, piece) in [request.method, request.path, version.as_bytes()].iter().enumerate() {
            if at > 0 {
                buffer.push(b' ');
            }
            buffer.extend_from_slice(piece);
        }
        part(Target::RequestLine, Position::Path, buffer);
        decode(head.path, Plus::Literal, buffer);
        part(Target::Filename, Position::Path, buffer);
        let base = buffer.iter().rposition(|&byte| matches!(byte, b'/' | b'\\'));
        let base = base.and_then(|at| buffer.get(at.saturating_add(1)..));
        part(Target::Basename, Position::Path, base.unwrap_or(buffer));
        part(Target::BodyReader, Position::Header("content-type"), reader(request).as_bytes());
        if let Some(client) = head.client.filter(|_| self.looks_at(scan, Target::Client)) {
            let subject = Subject::new(Target::Client, Name::None, &Position::Message);
            self.value(scan, subject, SCHEMA_ANY, client.to_string().as_bytes());
        }
    }

    /// The variables of a declared path; the whole of another.
    fn path(&mut self, scan: &Scan<'_, '_>, head: &Head<'_, '_>, buffer: &mut Vec<u8>) {
        if head.operation.is_none() {
            decode(head.path, Plus::Literal, buffer);
            let subject = Subject::new(Target::Path, Name::None, &Position::Path);
            self.value(scan, subject, SCHEMA_ANY, buffer);
            // Any segment may be a variable to whoever takes the path: what stands around it is not its value.
            let segments = || head.path.split(|byte| *byte == b'/').filter(|it| !it.is_empty());
            if segments().nth(1).is_some() {
                for segment in segments() {
                    decode(segment, Plus::Literal, buffer);
                    self.value(scan, subject, SCHEMA_ANY, buffer);
                }
            }
            return;
        }
        for (index, span) in head.captures.iter().enumerate() {
            let is = |it: &Parameter| usize::from(it.capture) == index;
            let declared = declared(scan, head, Location::Path, is);
            decode(span.of(head.path), Plus::Literal, buffer);
            self.parameter(scan, (Target::Path, b"", Position::Path), declared, buffer);
        }
    }

    fn query(&mut self, scan: &Scan<'_, '_>, head: &Head<'_, '_>, buffer: &mut Vec<u8>) {
        // A rule that allows one form of query refuses a request without any.
        let subject = Subject::new(Target::QueryRaw, Name::None, &Position::UndeclaredParameter);
        if self.looks_at(scan, Target::QueryRaw) {
            self.value(scan, subject, SCHEMA_ANY, head.query);
        }
        if head.query.is_empty() {
            return;
        }
        let mut name = Vec::new();
        for (raw, value) in cut_pairs(head.query, head.max_parameters) {
            decode(raw, Plus::Space, &mut name);
            let is = |it: &Parameter| scan.view.bytes(it.name) == name.as_slice();
            let declared = declared(scan, head, Location::Query, is);
            decode(value, Plus::Space, buffer);
            let place = (Target::Query, name.as_slice(), Position::UndeclaredParameter);
            self.parameter(scan, place, declared, buffer);
            let subject = Subject::new(
                Target::QueryArgument,
                Name::Text(&name),
                &Position::UndeclaredParameter,
            );
            self.value(scan, subject, SCHEMA_ANY, &name);
            if !self.early {
                self.add_argument(&subject, buffer);
            }
            if declared.is_none() {
                let subject = Subject::new(
                    Target::QueryName,
                    Name::Text(&name),
                    &Position::UndeclaredParameter,
                );
                self.value(scan, subject, SCHEMA_ANY, &name);
            }
        }
        // An operation refuses more pairs than are read. Where there is none, nothing passes unread.
        let rest = beyond_pairs(head.query, head.max_parameters);
        if !rest.is_empty() {
            decode(rest, Plus::Space, buffer);
            let subject = Subject::new(Target::Query, Name::None, &Position::UndeclaredParameter);
            self.value(scan, subject, SCHEMA_ANY, buffer);
        }
    }

    fn cookies(&mut self, scan: &Scan<'_, '_>, head: &Head<'_, '_>, buffer: &mut Vec<u8>) {
        let position = Position::Header("cookie");
        for (name, value) in raw_cookies(head.request) {
            for (target, text) in [(Target::CookieRaw, value), (Target::CookieRawName, name)] {
                let subject = Subject::new(target, Name::Text(name), &position);
                self.value(scan, subject, SCHEMA_ANY, text);
            }
        }
        for (name, value) in cookies(head.request.headers) {
            let is = |it: &Parameter| scan.view.bytes(it.name) == name;
            let declared = declared(scan, head, Location::Cookie, is);
            decode(value, Plus::Literal, buffer);
            self.parameter(scan, (Target::Cookie, name, position.clone()), declared, buffer);
            if declared.is_none() {
                let subject = Subject::new(Target::CookieName, Name::Text(name), &position);
                self.value(scan, subject, SCHEMA_ANY, name);
            }
        }
    }

    fn header_fields(&mut self, scan: &Scan<'_, '_>, head: &Head<'_, '_>) {
        let mut rest = |name: &'static [u8], value: &[u8]| {
            let position = Position::Header(known(name));
            for (target, text) in [(Target::HeaderRest, value), (Target::HeaderRestName, name)] {
                let subject = Subject::new(target, Name::Text(name), &position);
                self.value(scan, subject, SCHEMA_ANY, text);
            }
        };
        let is_host = |name: &[u8]| name == b"host";
        if !head.request.headers.iter().any(|(name, _)| is_host(name))
            && head.request.headers.iter().any(|(name, _)| *name == b":authority")
        {
            rest(b"host", head.request.authority);
        }
        for (_, value) in head.request.headers.iter().filter(|(name, _)| *name == b"cookie") {
            rest(b"cookie", value);
        }
        for &(name, value) in head.request.headers {
            if name.starts_with(b":") || name == b"cookie" {
                continue;
            }
            let position = Position::Header(known(name));
            let is = |it: &Parameter| scan.view.bytes(it.name) == name;
            let declared = declared(scan, head, Location::Header, is);
            self.parameter(scan, (Target::Header, name, position.clone()), declared, value);
            let subject = Subject::new(Target::HeaderName, Name::Text(name), &position);
            self.value(scan, subject, SCHEMA_ANY, name);
        }
    }

    /// A value of a declared parameter, or of none.
    fn parameter(
        &mut self,
        scan: &Scan<'_, '_>,
        (target, name, position): (Target, &[u8], Position),
        declared: Option<(u32, &Parameter)>,
        value: &[u8],
    ) {
        let Some((index, parameter)) = declared else {
            return self.value(
                scan,
                Subject::new(target, Name::Text(name), &position),
                SCHEMA_ANY,
                value,
            );
        };
        let location = Location::from_code(parameter.location).unwrap_or(Location::Query);
        let position = Position::Parameter { location, parameter: index };
        let name = Name::Text(scan.view.bytes(parameter.name));
        let enforced = scan.validated && parameter.flags & PARAMETER_UNENFORCED == 0;
        let narrowed = scan.view.parameter_rules.get(index as usize).filter(|_| enforced);
        let subject = Subject::new(target, name, &position);
        self.narrowed(scan, subject, narrowed.map(|set| set.get()), value);
    }

    /// What operators ask that look at the request as a whole.
    fn whole(&mut self, scan: &Scan<'_, '_>, head: &Head<'_, '_>) {
        if !self.looks_at(scan, Target::Request) {
            return;
        }
        let subject = Subject::new(Target::Request, Name::None, &Position::Message);
        let first = usize::from(Target::Request.code()).saturating_mul(scan.words);
        for word in 0..scan.words {
            let members = self.active.get(first + word).copied().unwrap_or(0);
            for at in super::sets::members(members, word) {
                let Some(matcher) = scan.view.matchers.get(at as usize) else { continue };
                if counts(scan, head, matcher) {
                    self.hits.take(&scan.weighing(), at, &subject);
                }
            }
        }
        self.hits.end_value(&scan.weighing(), &subject);
    }
}

/// What stands between the semicolons of cookie fields, cut at the first `=`; what has none is a name.
fn raw_cookies<'h>(request: &RequestHead<'h>) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
    let fields = request.headers.iter().filter(|(name, _)| *name == b"cookie");
    let pairs = fields.flat_map(|(_, value)| value.split(|&byte| byte == b';'));
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).map(|pair| {
        let cut = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        let (name, rest) = pair.split_at_checked(cut).unwrap_or((pair, &[]));
        (name, rest.get(1..).unwrap_or_default())
    })
}

/// How a body of the request is read.
fn reader(request: &RequestHead<'_>) -> &'static str {
    let sent = request.headers.iter().find(|(name, _)| *name == b"content-type");
    match kind_by_type(sent.map(|(_, value)| crate::media::parse_leniently(value))) {
        BodyKind::Form => "URLENCODED",
        BodyKind::Multipart => "MULTIPART",
        BodyKind::Json => "JSON",
        BodyKind::Xml => "XML",
        _ => "",
    }
}

/// Whether an operator that counts holds of a head.
fn counts(scan: &Scan<'_, '_>, head: &Head<'_, '_>, matcher: &Matcher) -> bool {
    let selector = scan.view.selectors.get(matcher.selectors.get() as usize);
    let target = selector.and_then(|selector| Target::from_code(selector.target));
    let mut names: Vec<&[u8]> = match target {
        Some(Target::Query) => {
            cut_pairs(head.query, head.max_parameters).map(|(name, _)| name).collect()
        }
        Some(Target::Cookie) => cookies(head.request.headers).map(|(name, _)| name).collect(),
        Some(Target::Header) => {
            let names = head.request.headers.iter().map(|(name, _)| *name);
            names.filter(|name| !name.starts_with(b":")).collect()
        }
        _ => return false,
    };
    match Operator::from_code(matcher.operator) {
        Some(Operator::CountOver) => names.len() > matcher.argument.get() as usize,
        Some(Operator::Repeated) => {
            names.sort_unstable();
            names.windows(2).any(|pair| match pair {
                [one, other] => one == other && !is_list(scan, head, target, one),
                _ => false,
            })
        }
        _ => false,
    }
}

/// Whether a name may come several times: it is declared as a list, or is a field that lists are sent in.
fn is_list(scan: &Scan<'_, '_>, head: &Head<'_, '_>, target: Option<Target>, name: &[u8]) -> bool {
    let location = match target {
        Some(Target::Query) => Location::Query,
        Some(Target::Cookie) => Location::Cookie,
        // A header that comes twice is one list (RFC 9110, section 5.3), but for those that hold one value.
        _ => return !SINGLE.contains(&name),
    };
    let is = |it: &Parameter| {
        scan.view.bytes(it.name) == name
            && it.flags & PARAMETER_EXPLODE != 0
            && scan
                .view
                .text_values
                .get(it.value.get() as usize)
                .is_some_and(|value| value.types & TYPE_ARRAY != 0)
    };
    // `a[]=1&a[]=2` and `a[b]=1` are lists and objects by their form.
    name.contains(&b'[') || declared(scan, head, location, is).is_some()
}

/// Header fields that hold one value.
const SINGLE: [&[u8]; 8] = [
    b"authorization",
    b"content-length",
    b"content-type",
    b"host",
    b"origin",
    b"referer",
    b"transfer-encoding",
    b"user-agent",
];

/// The first parameter of the operation, with its index, that is sent in a place and is meant.
fn declared<'a>(
    scan: &Scan<'a, '_>,
    head: &Head<'_, '_>,
    location: Location,
    is: impl Fn(&Parameter) -> bool,
) -> Option<(u32, &'a Parameter)> {
    let operation = head.operation?;
    let (first, count) = (operation.parameters.get(), operation.parameter_count.get());
    let parameters = slice(scan.view.parameters, first, count);
    let mut own = parameters.iter().zip(first..);
    own.find(|(it, _)| it.location == location.code() && is(it)).map(|(it, index)| (index, it))
}

/// Decodes escapes; broken ones stay as they are.
fn decode(raw: &[u8], plus: Plus, out: &mut Vec<u8>) {
    out.clear();
    decode_leniently(raw, plus, out);
}

/// The name of a header field where it is well-known; `*` where it is the client's own.
pub(super) fn known(name: &[u8]) -> &'static str {
    const KNOWN: [&str; 31] = [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-length",
        "content-type",
        "etag",
        "forwarded",
        "host",
        "if-none-match",
        "location",
        "origin",
        "range",
        "referer",
        "server",
        "set-cookie",
        "te",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "www-authenticate",
        "x-api-version",
        "x-aspnet-version",
        "x-debug-token",
        "x-forwarded-for",
        "x-powered-by",
        "x-request-id",
    ];
    KNOWN.into_iter().find(|known| known.as_bytes() == name).unwrap_or("*")
}
