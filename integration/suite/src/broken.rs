//! Requests that break what is no keyword of a schema: parameters and bodies that are missing, media types, query names
//! and methods that are not declared, credentials that are not there.
//!
//! Each is a request that passes, changed in that one thing, and must be refused by its finding code, at its place.

use std::collections::HashSet;

use policy_compiler::examples::{Parts, Request, Why, assemble, closed_to_names};
use policy_compiler::ir::{
    Action, Api, Operation, Parameter, ParameterLocation, ParameterValue, SecurityKind, Style,
    Type, Value,
};

use crate::left::Reason;
use crate::run::{Runner, show};

/// What a broken request must be refused for.
struct Expected<'e> {
    /// What was broken, as a name in the table.
    kind: &'static str,
    code: &'static str,
    /// Where in the message; empty: anywhere.
    part: &'static str,
    name: &'e str,
}

impl Runner<'_> {
    /// Breaks a request that passes in each way that its operation lets it be broken.
    pub(crate) fn broken_requests(
        &mut self,
        api: &Api,
        operation: &Operation,
        base: &Parts,
        name: &str,
    ) {
        let Ok(good) = assemble(self.model, api, operation, base) else { return };
        self.without_parameters(api, operation, base, name);
        self.without_body(operation, &good, name);
        self.other_bodies(operation, &good, name);
        self.without_credentials(api, operation, base, name);
        self.other_queries(operation, base, &good, name);
        self.other_targets(operation, &good, name);
    }

    fn expect(&mut self, expected: &Expected<'_>, request: &Request, name: &str) {
        let judged = self.judge.judge(request);
        let fits = |found: &policy_compiler::examples::Found| {
            found.code == expected.code
                && (expected.part.is_empty() || found.part == expected.part)
                && (expected.name.is_empty() || found.name.eq_ignore_ascii_case(expected.name))
        };
        let refused = !judged.passed && judged.findings.iter().any(fits);
        let count = self.outcome.broken.entry(expected.kind).or_default();
        count.0 += usize::from(refused);
        count.1 += 1;
        self.outcome.mutants.0 += usize::from(refused);
        self.outcome.mutants.1 += 1;
        if !refused {
            let said = if judged.passed { "passed" } else { "refused otherwise" };
            let what = judged.findings.first().map(show).unwrap_or_default();
            let kind = format!("{}: {said}", expected.kind);
            let wanted = expected.name;
            self.outcome.survivors.add(kind, || format!("{name} {wanted} [{what}]"));
        }
    }

    /// Whether the report says that a construct is enforced; it is then one that a broken request is about.
    fn is_enforced(
        &mut self,
        origin: policy_compiler::ir::Origin,
        construct: &str,
        says: bool,
    ) -> bool {
        let at = self.model.locate(origin);
        let key = (at.path.to_owned(), at.pointer, construct.to_owned());
        let enforced = self.enforced.contains(&key);
        if enforced && self.seen.insert(key.clone()) && !says {
            let reason = Reason {
                what: "keyword",
                code: Why::Nothing.code(),
                meaning: Why::Nothing.meaning(),
            };
            self.outcome.left.add(reason, || format!("{} {}", key.0, key.1));
        }
        enforced
    }

    fn without_parameters(&mut self, api: &Api, operation: &Operation, base: &Parts, name: &str) {
        for (i, parameter) in operation.parameters.iter().enumerate() {
            let written = parameter.required.value;
            // Without what a variable takes the path is another one.
            if written && parameter.location == ParameterLocation::Path {
                continue;
            }
            let enforced = self.is_enforced(parameter.required.origin, "required", written);
            if !enforced || !written {
                continue;
            }
            let mut without = base.clone();
            without.parameters[i] = None;
            let Ok(request) = assemble(self.model, api, operation, &without) else { continue };
            let Ok(before) = assemble(self.model, api, operation, base) else { continue };
            // A credential of the same name is there all the same.
            if request == before {
                continue;
            }
            // An object whose properties are parameters by themselves is there without any of them.
            if self.may_be_empty(parameter) && self.judge.judge(&request).passed {
                let (code, meaning) = (Why::Nothing.code(), Why::Nothing.meaning());
                self.outcome
                    .left
                    .add(Reason { what: "keyword", code, meaning }, || name.to_owned());
                continue;
            }
            let part = match parameter.location {
                ParameterLocation::Header => "header",
                ParameterLocation::Cookie => "cookie",
                _ => "",
            };
            let expected = Expected {
                kind: "parameter missing",
                code: "parameter-missing",
                part,
                name: &parameter.name,
            };
            self.expect(&expected, &request, name);
        }
    }

    /// Whether a parameter is an object whose properties are parameters by themselves, none of which must be there.
    fn may_be_empty(&mut self, parameter: &Parameter) -> bool {
        let ParameterValue::Schema(schema) = parameter.value else { return false };
        let spread = parameter.explode.value
            && matches!(parameter.style.value, Style::Form | Style::Cookie)
            && matches!(parameter.location, ParameterLocation::Query | ParameterLocation::Cookie);
        let evaluator = &mut self.generator.evaluator;
        spread
            && !evaluator.may_be(schema, Type::String)
            && !evaluator.may_be(schema, Type::Array)
            && evaluator.judge(schema, &Value::Object(Vec::new())).violations.is_empty()
    }

    fn without_body(&mut self, operation: &Operation, good: &Request, name: &str) {
        let Some(body) = &operation.request_body else { return };
        let says = body.required.value;
        let enforced = self.is_enforced(body.required.origin, "required", says);
        if !enforced || !says || good.body.is_none() {
            return;
        }
        let mut request = good.clone();
        request.body = None;
        request.headers.retain(|(name, _)| name != "content-type");
        let expected = Expected { kind: "body missing", code: "body-missing", part: "", name: "" };
        self.expect(&expected, &request, name);
    }

    fn other_bodies(&mut self, operation: &Operation, good: &Request, name: &str) {
        let undeclared = &operation.settings.undeclared;
        match &operation.request_body {
            Some(body) if undeclared.media_types == Action::Block && good.body.is_some() => {
                let any = body.content.iter().any(|media| media.range.kind == "*");
                if any || body.content.is_empty() {
                    return;
                }
                let mut request = good.clone();
                request.headers.retain(|(name, _)| name != "content-type");
                let expected =
                    |kind| Expected { kind, code: "media-type-undeclared", part: "", name: "" };
                self.expect(&expected("no media type"), &request, name);
                let other = ("content-type".to_owned(), "x-portcullis/undeclared".to_owned());
                request.headers.push(other);
                self.expect(&expected("media type undeclared"), &request, name);
            }
            None => {
                let mut request = good.clone();
                request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
                request.body = Some(b"{}".to_vec());
                let expected = Expected {
                    kind: "body undeclared",
                    code: "body-unexpected",
                    part: "",
                    name: "",
                };
                self.expect(&expected, &request, name);
            }
            Some(_) => {}
        }
    }

    fn without_credentials(&mut self, api: &Api, operation: &Operation, base: &Parts, name: &str) {
        let on_request = |requirement: &policy_compiler::ir::SecurityRequirement| {
            requirement.schemes.iter().any(|(name, _)| {
                api.security_scheme(requirement, name)
                    .is_some_and(|scheme| !matches!(scheme.kind, SecurityKind::MutualTls))
            })
        };
        let all = &operation.security;
        if all.is_empty()
            || !all.iter().all(on_request)
            || operation.settings.security != Action::Block
        {
            return;
        }
        let mut anonymous = base.clone();
        anonymous.anonymous = true;
        let Ok(request) = assemble(self.model, api, operation, &anonymous) else { return };
        let Ok(good) = assemble(self.model, api, operation, base) else { return };
        // All credentials are parameters of the operation as well.
        if request == good {
            return;
        }
        let expected =
            Expected { kind: "credential missing", code: "credential-missing", part: "", name: "" };
        self.expect(&expected, &request, name);
    }

    fn other_queries(&mut self, operation: &Operation, base: &Parts, good: &Request, name: &str) {
        let undeclared = operation.settings.undeclared.query_parameters == Action::Block;
        let evaluator = &mut self.generator.evaluator;
        // An object whose properties are pairs by themselves may take any.
        let takes = operation.parameters.iter().any(|parameter| match &parameter.value {
            _ if parameter.location == ParameterLocation::Querystring => true,
            ParameterValue::Schema(schema) if parameter.location == ParameterLocation::Query => {
                parameter.explode.value && !closed_to_names(evaluator, *schema)
            }
            _ => false,
        });
        // One that is closed refuses the name itself.
        let scattered = operation.parameters.iter().any(|parameter| match &parameter.value {
            ParameterValue::Schema(schema) if parameter.location == ParameterLocation::Query => {
                parameter.explode.value && evaluator.may_be(*schema, Type::Object)
            }
            _ => false,
        });
        if undeclared && !takes && !scattered {
            let mut request = good.clone();
            request.path.push(if request.path.contains('?') { '&' } else { '?' });
            request.path.push_str("portcullis-undeclared=1");
            let expected = Expected {
                kind: "query name undeclared",
                code: "parameter-undeclared",
                part: "query",
                name: "",
            };
            self.expect(&expected, &request, name);
        }
        for (i, parameter) in operation.parameters.iter().enumerate() {
            let ParameterValue::Schema(schema) = &parameter.value else { continue };
            let query = parameter.location == ParameterLocation::Query;
            let given = base.parameters.get(i).is_some_and(Option::is_some);
            let evaluator = &mut self.generator.evaluator;
            let one =
                !evaluator.may_be(*schema, Type::Array) && !evaluator.may_be(*schema, Type::Object);
            if !query || !given || !one {
                continue;
            }
            let Some((_, pairs)) = good.path.split_once('?') else { continue };
            let own = |pair: &&str| pair.split('=').next() == Some(parameter.name.as_str());
            let Some(pair) = pairs.split('&').find(own) else { continue };
            let mut request = good.clone();
            request.path = format!("{}&{pair}", good.path);
            let expected = Expected {
                kind: "parameter repeated",
                code: "parameter-repeated",
                part: "query",
                name: &parameter.name,
            };
            self.expect(&expected, &request, name);
        }
    }

    fn other_targets(&mut self, operation: &Operation, good: &Request, name: &str) {
        let undeclared = &operation.settings.undeclared;
        let bare = |method: &str, path: String| Request {
            method: method.to_owned(),
            path,
            authority: good.authority.clone(),
            ..Request::default()
        };
        let length = |operation: &Operation| operation.template.segments.len();
        if undeclared.methods == Action::Block {
            // Templates of as many segments may match the same path.
            let declared: HashSet<&str> = self
                .model
                .operations()
                .filter(|(_, other)| length(other) == length(operation))
                .map(|(_, other)| other.method.name())
                .collect();
            let usual = ["DELETE", "PUT", "PATCH", "POST", "GET"];
            let free = |method: &&str| {
                !declared.contains(method) && (*method != "GET" || !declared.contains("HEAD"))
            };
            let method = usual.into_iter().find(free).unwrap_or("PORTCULLIS");
            let path = good.path.split('?').next().unwrap_or_default().to_owned();
            // The style matrix has a mark that only its operations may have.
            let odd = path.contains(';');
            let expected = Expected {
                kind: "method undeclared",
                code: if odd { "path-ambiguous" } else { "method-undeclared" },
                part: "",
                name: "",
            };
            self.expect(&expected, &bare(method, path), name);
        }
        if undeclared.operations == Action::Block {
            let most = self.model.operations().map(|(_, other)| length(other)).max().unwrap_or(0);
            let bases = self.model.operations().flat_map(|(_, other)| &other.base_paths);
            let base = bases.map(|base| base.value.path.matches('/').count()).max().unwrap_or(0);
            let path = good.path.split('?').next().unwrap_or_default().trim_end_matches('/');
            let path = format!("{path}{}", "/undeclared".repeat(most + base + 1));
            let odd = path.contains(';');
            let expected = Expected {
                kind: "path undeclared",
                code: if odd { "path-ambiguous" } else { "operation-undeclared" },
                part: "",
                name: "",
            };
            self.expect(&expected, &bare(operation.method.name(), path), name);
        }
    }
}
