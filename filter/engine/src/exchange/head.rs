//! Judging the head of a request: path, operation, method, credentials, parameters.

use super::fields::Fields;
use super::scan::Parts;
use super::{Conditions, Exchange, Outcome, RequestHead, policy_missing};
use crate::access::slice;
use crate::finding::{Finding, FindingCode, Position};
use crate::limits::Surroundings;
use crate::params::Call;
use crate::route::{PathFaults, Route, path_faults, query_faults};
use crate::security::{self, Ask};
use portcullis_bundle::layout::{
    Action, Location, Mode, Operation, Parameter, Policy, Style, View,
};

impl Exchange {
    pub(super) fn judge_head(
        &mut self,
        view: &View<'_>,
        head: &RequestHead<'_>,
        conditions: Conditions,
        around: &dyn Surroundings,
    ) -> Outcome {
        let Some(policy) = view.policy.first() else {
            return Outcome::Decided(policy_missing());
        };
        let suspended = conditions.force_monitor && policy.break_glass == 1;
        self.findings.begin(mode(policy.mode), suspended);
        self.request.mode = mode(policy.mode);
        if head.path.is_empty() {
            return self.judge_pathless(view, policy, head);
        }
        if head.path.len() > policy.max_path.get() as usize {
            self.findings.refuse(Finding::new(FindingCode::PathTooLong, Position::Path));
            return self.conclude(view, None);
        }
        let (path, query) = split_query(head.path);
        if is_probe(view, head.method, path) {
            self.findings.note(FindingCode::ProbeBypass, Position::Message);
            return self.conclude(view, None);
        }
        let fields = Fields::read(head.headers);
        // An extended CONNECT (RFC 8441) is what GET with an upgrade is in HTTP/1.1.
        let method = if head.method == b"CONNECT" { b"GET" } else { head.method };
        let route = self.router.route(view, head.authority, path);
        let operation = route.operation(view, method);
        let operation_mode = mode_of(view, policy, &route, operation);
        let matrix =
            operation.is_some_and(|(_, operation)| self.takes_semicolons(view, operation, path));
        self.judge_path(policy, path, query, operation_mode, matrix);
        self.request.mode = operation_mode;

        let preflight = method == b"OPTIONS"
            && fields.has_origin
            && fields.has_requested_method
            && head.end_of_stream;
        match action(policy.preflight) {
            Action::Allow if preflight => {
                self.findings.note(FindingCode::Preflight, Position::Message);
                return self.conclude(view, None);
            }
            // What would be found if preflight requests were nothing special.
            Action::Monitor if preflight => self.findings.set_mode(Mode::Monitor),
            _ => {}
        }
        let found = operation.map(|(index, _)| index);
        if self.judge_limits(view, head, query, found, conditions.client, around) {
            return self.conclude(view, found);
        }
        let Some((index, operation)) = operation else {
            let allow = self.judge_undeclared(view, policy, &route);
            if fields.is_tunnel() {
                self.findings.note(FindingCode::StreamUnchecked, Position::Message);
            }
            let parts = Parts { head, path, query, operation: None };
            self.scan_head(view, policy, &parts, conditions);
            if self.findings.is_refused() || fields.is_tunnel() {
                return self.conclude_allowing(view, None, allow);
            }
            return self.scan_stray_body(view, &fields, head.end_of_stream, conditions);
        };
        let keys = security::judge(
            &Ask { view, operation: index, headers: head.headers, query, conditions },
            &mut self.scratch,
            &mut self.validator,
            &mut self.findings,
        );
        self.parameters.judge(
            &Call {
                view,
                operation,
                path,
                query,
                captures: &self.router.captures,
                headers: head.headers,
                keys,
                max_parameters: policy.max_parameters.get(),
            },
            &mut self.validator,
            &mut self.findings,
        );
        let parts = Parts { head, path, query, operation: Some((index, operation)) };
        self.scan_head(view, policy, &parts, conditions);
        self.judge_body_head(view, (index, operation), &fields, head.end_of_stream, conditions)
    }

    /// A request without a path: CONNECT asks for a tunnel to an authority, which no document can
    /// declare; nothing else may come without one.
    fn judge_pathless(
        &mut self,
        view: &View<'_>,
        policy: &Policy,
        head: &RequestHead<'_>,
    ) -> Outcome {
        if head.method == b"CONNECT" {
            let finding = Finding::new(FindingCode::OperationUndeclared, Position::Message);
            self.findings.act(action(policy.undeclared_operations), finding);
            self.findings.note(FindingCode::StreamUnchecked, Position::Message);
        } else {
            self.findings.refuse(Finding::new(FindingCode::PathMalformed, Position::Path));
        }
        self.conclude(view, None)
    }

    /// Whether every semicolon of the path stands in a variable of the style matrix.
    fn takes_semicolons(&self, view: &View<'_>, operation: &Operation, path: &[u8]) -> bool {
        let (first, count) = (operation.parameters.get(), operation.parameter_count.get());
        let declared = slice(view.parameters, first, count);
        let matrix = |parameter: &&Parameter| {
            parameter.location == Location::Path.code() && parameter.style == Style::Matrix.code()
        };
        if !declared.iter().any(|parameter| matrix(&parameter)) {
            return false;
        }
        let count = |text: &[u8]| text.iter().filter(|&&byte| byte == b';').count();
        // Alternatives may take the same variable.
        let captures = self.router.captures.iter().enumerate().filter(|(index, _)| {
            let is = |parameter: &Parameter| usize::from(parameter.capture) == *index;
            declared.iter().filter(matrix).any(is)
        });
        captures.map(|(_, span)| count(span.of(path))).sum::<usize>() == count(path)
    }

    /// What is wrong with the path as such. Which operation a path names is not certain if it can
    /// be read in two ways: the finding refuses where either the policy or the operation enforces.
    fn judge_path(
        &mut self,
        policy: &Policy,
        path: &[u8],
        query: &[u8],
        operation_mode: Mode,
        matrix: bool,
    ) {
        let PathFaults { mut ambiguous, mut malformed, semicolon } =
            path_faults(path, &mut self.scratch);
        ambiguous |= semicolon && !matrix;
        let in_query = query_faults(query);
        ambiguous |= in_query.ambiguous;
        malformed |= in_query.malformed;
        if operation_mode == Mode::Enforce {
            self.findings.set_mode(operation_mode);
        }
        if malformed {
            self.findings.refuse(Finding::new(FindingCode::PathMalformed, Position::Path));
        }
        if ambiguous {
            let finding = Finding::new(FindingCode::PathAmbiguous, Position::Path);
            self.findings.act(action(policy.ambiguous_paths), finding);
        }
        self.findings.set_mode(operation_mode);
    }

    /// No template matches, or none of its operations has the method: gives the value of `Allow`.
    fn judge_undeclared(
        &mut self,
        view: &View<'_>,
        policy: &Policy,
        route: &Route,
    ) -> Option<String> {
        // A path that was refused for its form is not looked up by it.
        if self.findings.is_refused() {
            return None;
        }
        let api = route.api.and_then(|api| view.apis.get(api as usize));
        if !route.is_declared() {
            let undeclared =
                api.map_or(policy.undeclared_operations, |api| api.undeclared_operations);
            let finding = Finding::new(FindingCode::OperationUndeclared, Position::Path);
            self.findings.act(action(undeclared), finding);
            return None;
        }
        let declared = api.map_or(policy.undeclared_methods, |api| api.undeclared_methods);
        let origin = route.operations(view).first().map(|first| first.origin.get());
        let mut finding = Finding::new(FindingCode::MethodUndeclared, Position::Message);
        finding = origin.map_or(finding.clone(), |origin| finding.at(origin));
        self.findings.act(action(declared), finding);
        Some(allow_list(view, policy, route))
    }

    /// The decision on what was found so far.
    pub(super) fn conclude(&mut self, view: &View<'_>, operation: Option<u32>) -> Outcome {
        self.conclude_allowing(view, operation, None)
    }

    /// The same, with what a refusal of the method says is allowed.
    fn conclude_allowing(
        &mut self,
        view: &View<'_>,
        operation: Option<u32>,
        allow: Option<String>,
    ) -> Outcome {
        let allow = allow.filter(|_| self.findings.is_refused());
        self.report_attacks(view);
        let mut decision = self.findings.conclude(operation, allow);
        decision.limited = core::mem::take(&mut self.limited);
        Outcome::Decided(decision)
    }
}

/// The mode for a request: of its operation, else of its API, else of the policy.
fn mode_of(
    view: &View<'_>,
    policy: &Policy,
    route: &Route,
    operation: Option<(u32, &Operation)>,
) -> Mode {
    let api = || route.api.and_then(|api| view.apis.get(api as usize)).map(|api| api.mode);
    mode(operation.map(|(_, operation)| operation.mode).or_else(api).unwrap_or(policy.mode))
}

/// A path is cut from its query at the first `?`.
fn split_query(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().position(|&byte| byte == b'?') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (path, b""),
    }
}

fn is_probe(view: &View<'_>, method: &[u8], path: &[u8]) -> bool {
    view.probes.iter().any(|probe| {
        view.bytes(probe.path) == path
            && view.bytes(probe.methods).split(|&byte| byte == b' ').any(|known| known == method)
    })
}

/// The value of `Allow` (RFC 9110, section 10.2.1): what the template's operations take, HEAD
/// where GET is taken, and OPTIONS where preflight requests pass.
fn allow_list(view: &View<'_>, policy: &Policy, route: &Route) -> String {
    let mut methods: Vec<&str> =
        route.operations(view).iter().map(|operation| view.text(operation.method)).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    if action(policy.preflight) == Action::Allow {
        methods.push("OPTIONS");
    }
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}

/// The mode that a code stands for; the stricter one for a code that has no meaning.
pub(super) fn mode(code: u8) -> Mode {
    Mode::from_code(code).unwrap_or(Mode::Enforce)
}

/// The action that a code stands for; the strictest for a code that has no meaning.
pub(crate) fn action(code: u8) -> Action {
    Action::from_code(code).unwrap_or(Action::Block)
}
