//! The form of policy.yaml as data: the parser checks against it, and policy.schema.json and the
//! table of POLICY.md are made from it, so that the three cannot drift.

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// Its value where it is absent, for people.
    pub default: &'static str,
    /// What it says, in one sentence without a period.
    pub about: &'static str,
}

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// The number 1, the version of this form.
    Version,
    /// A string that is not empty.
    Text,
    /// `true` or `false`.
    Bool,
    /// Bytes: a number or text such as `64KiB`; with the largest allowed.
    Size(u64),
    /// A whole number from 1; with the largest allowed.
    Count(u64),
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A list; it may be empty unless the flag says that it may not.
    List(&'static Shape, bool),
    /// An object with some fields.
    Object(&'static [Field]),
    /// An object whose keys are names, and whose values have some fields.
    Named(&'static [Field]),
}

const fn field(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    about: &'static str,
) -> Field {
    Field { name, shape, required: false, default, about }
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { name, shape, required: true, default: "", about }
}

const MODE: Shape = Shape::Choice(&["enforce", "monitor"]);
const ACTION: Shape = Shape::Choice(&["block", "monitor", "allow"]);
const UNSUPPORTED: Shape = Shape::Choice(&["error", "not_enforced"]);
const TEXTS: Shape = Shape::List(&Shape::Text, false);
const SOME_TEXTS: Shape = Shape::List(&Shape::Text, true);
const MAX_SIZE: u64 = 1 << 30;

/// What can be set for fewer levels comes first, so that a level's fields are a tail of the table.
const fn from(table: &'static [Field], first: usize) -> Shape {
    Shape::Object(table.split_at(first).1)
}

/// `undeclared`: two for policy and API, then those for operations too.
const UNDECLARED: &[Field] = &[
    field("operations", ACTION, "block", "a path that no template matches"),
    field("methods", ACTION, "block", "a method that the path's template lacks"),
    field("media_types", ACTION, "block", "a body of a media type that the operation lacks"),
    field("query_parameters", ACTION, "block", "a query parameter that the operation lacks"),
];

/// `limits`: two for the policy alone, then those for every level.
const LIMITS: &[Field] = &[
    field("path", Shape::Size(1 << 20), "8KiB", "size of the path with its query"),
    field(
        "parameters",
        Shape::Count(65_536),
        "128",
        "number of query parameters, of fields of a form, of parts of a multipart body",
    ),
    field("body", Shape::Size(MAX_SIZE), "1MiB", "size of a request body"),
    field("depth", Shape::Count(256), "32", "nesting of arrays and objects in a JSON body"),
    field("string", Shape::Size(MAX_SIZE), "256KiB", "size of one string in a JSON body"),
    field("properties", Shape::Count(1 << 20), "1024", "members of one object in a JSON body"),
    field("items", Shape::Count(1 << 30), "65536", "elements of one array in a JSON body"),
];

/// `strictness`: one for the policy alone, two for policy and API, then those for every level.
const STRICTNESS: &[Field] = &[
    field(
        "ambiguous_paths",
        ACTION,
        "block",
        "a path that another reader could read differently: `%2F`, `..`, `//`, `;`, double encoding",
    ),
    field("unresolved_refs", UNSUPPORTED, "error", "a `$ref` in a schema that leads nowhere"),
    field(
        "undefined_schemes",
        Shape::Choice(&["error", "deny"]),
        "error",
        "a security requirement that names a scheme which no document defines; `deny` refuses every \
     request that would need it",
    ),
    field(
        "read_only_in_requests",
        Shape::Choice(&["block", "allow"]),
        "block",
        "a property marked `readOnly` that a client sends",
    ),
    field(
        "formats",
        Shape::Choice(&["assert", "annotate"]),
        "assert",
        "whether a value must have its `format`",
    ),
    field(
        "content",
        Shape::Choice(&["assert", "annotate"]),
        "assert",
        "whether a string must encode what `contentEncoding`, `contentMediaType` and `contentSchema` say",
    ),
    field(
        "one_of",
        Shape::Choice(&["strict", "lenient"]),
        "strict",
        "whether `oneOf` asks for exactly one branch, or takes several as `anyOf` does",
    ),
    field(
        "additional_properties",
        Shape::Choice(&["as_written", "open", "closed"]),
        "as_written",
        "whether `additionalProperties: false` refuses further properties, or lets them pass; `closed` refuses them wherever properties are named",
    ),
    field(
        "unknown_formats",
        Shape::Choice(&["annotate", "error"]),
        "annotate",
        "a `format` that is not known: an annotation, or an error when compiling",
    ),
    field(
        "text_numbers",
        Shape::Choice(&["json", "lenient"]),
        "json",
        "whether text of parameters and forms says a number or boolean in JSON's notation only, or also \
     as `+5`, `007`, `.5`, `TRUE`, `on`, `1`",
    ),
    field(
        "unenforced_bodies",
        Shape::Choice(&["allow", "block"]),
        "allow",
        "a body whose media type is declared but cannot be judged",
    ),
    field(
        "unsupported_patterns",
        UNSUPPORTED,
        "not_enforced",
        "a `pattern` that cannot be compiled, or not within its budget",
    ),
];

const ATTACK_MODE: Shape = Shape::Choice(&["enforce", "monitor", "off"]);
const RULES: Field = field(
    "rules",
    Shape::List(
        &Shape::Object(&[
            field(
                "rule",
                Shape::Text,
                "",
                "the rule by its name; `*` at the end stands for any ending",
            ),
            field("tag", Shape::Text, "", "the rules of a tag, instead of `rule`"),
            field(
                "at",
                Shape::Text,
                "everywhere",
                "on the values of a target, as `body./memo` or `query.q`",
            ),
            required("mode", ATTACK_MODE, "whether they refuse, only report, or do not look"),
        ]),
        false,
    ),
    "none",
    "rules with a mode of their own; of several entries that mean a rule the last counts",
);
const POLICY_RULES: Field = field(
    "rules",
    Shape::List(
        &Shape::Object(&[
            field(
                "rule",
                Shape::Text,
                "",
                "the rule by its name; `*` at the end stands for any ending",
            ),
            field("tag", Shape::Text, "", "the rules of a tag, instead of `rule`"),
            field(
                "at",
                Shape::Text,
                "everywhere",
                "on the values of a target, as `body./memo` or `query.q`",
            ),
            field("mode", ATTACK_MODE, "", "whether they refuse, only report, or do not look"),
            field(
                "crs",
                Shape::Text,
                "",
                "instead of these: a folder of rules in SecLang, relative to the policy, whose `*.conf` are read (CRS.md)",
            ),
            field("setup", Shape::Text, "none", "with `crs`: the set-up that is read before them"),
            field(
                "paranoia",
                Shape::Count(4),
                "the set-up's",
                "with `crs`: the paranoia level, both that detects and that blocks",
            ),
            field(
                "variables",
                TEXTS,
                "none",
                "with `crs`: variables of TX after the set-up, as `arg_length=400`",
            ),
        ]),
        false,
    ),
    "none",
    "rules with a mode of their own, of several entries that mean a rule the last counts; and sets of rules in SecLang",
);
const OWN_ATTACKS: Shape = Shape::Object(&[
    field(
        "mode",
        ATTACK_MODE,
        "as above",
        "whether attack rules refuse, only report, or do not look",
    ),
    RULES,
]);
const RESPONSE_BODY: Shape = Shape::Object(&[
    field(
        "limit",
        Shape::Size(MAX_SIZE),
        "128KiB",
        "bytes of a body that rules see, and that are held back until they have",
    ),
    field(
        "media_types",
        SOME_TEXTS,
        "`[text/*, application/json, application/*+json, application/xml, application/*+xml]`",
        "bodies that are read; what streams (`text/event-stream`, gRPC, upgrades) never is",
    ),
    field(
        "larger",
        ACTION,
        "allow",
        "a body larger than the limit, of which only the beginning is read",
    ),
    field("coded", ACTION, "allow", "a body in a content coding such as gzip, which is not read"),
    field(
        "identity",
        Shape::Bool,
        "false",
        "whether requests go to the upstream with `accept-encoding: identity` where rules look at the body of the answer and may refuse it",
    ),
]);
const ATTACKS: Field = field(
    "attacks",
    Shape::Object(&[
        field(
            "packs",
            TEXTS,
            "`[api-core]`; none where `rules` names a `crs`",
            "packs of attack rules: `api-core`, which is built in, or files relative to the policy (RULES.md)",
        ),
        field(
            "mode",
            ATTACK_MODE,
            "enforce",
            "whether attack rules refuse, only report, or do not look",
        ),
        field("paranoia", Shape::Count(4), "1", "the highest level of rules that count"),
        field(
            "threshold",
            Shape::Object(&[
                field(
                    "inbound",
                    Shape::Count(10_000),
                    "5",
                    "score from which a request is refused",
                ),
                field(
                    "outbound",
                    Shape::Count(10_000),
                    "4",
                    "score from which an answer is refused",
                ),
            ]),
            "",
            "scores of all rules that fired on a message, together",
        ),
        field(
            "budget",
            Shape::Size(MAX_SIZE),
            "16MiB",
            "what matching a message may cost, as bytes read once",
        ),
        field("budget_end", ACTION, "block", "a message that would cost more"),
        field(
            "unreadable_bodies",
            ACTION,
            "block",
            "a body that no document declares and that is not what its media type says, or whose media type readers take differently",
        ),
        field("raw_body", Shape::Size(MAX_SIZE), "128KiB", "bytes of a body that are read as sent"),
        field("response_body", RESPONSE_BODY, "", "how bodies of answers are read"),
        POLICY_RULES,
        field(
            "exceptions",
            Shape::List(
                &Shape::Object(&[
                    field(
                        "rule",
                        Shape::Text,
                        "",
                        "of the rule of this name; `*` at the end stands for any ending; without `rule` and `tag` of every rule",
                    ),
                    field("tag", Shape::Text, "", "of the rules of a tag, instead of `rule`"),
                    field(
                        "operation",
                        Shape::Text,
                        "all",
                        "on requests to an operation, as `POST /payments`",
                    ),
                    field(
                        "at",
                        Shape::Text,
                        "everywhere",
                        "on the values of a target, as `body./memo` or `query.q`",
                    ),
                    required("owner", Shape::Text, "who answers for it"),
                    required("reason", Shape::Text, "why it is acceptable"),
                    required(
                        "expires",
                        Shape::Text,
                        "the day from which the hits count again, as `2027-06-30`",
                    ),
                ]),
                false,
            ),
            "none",
            "hits that do not count",
        ),
    ]),
    "none: no attack rules",
    "attack rules; `attacks: {}` takes `api-core` with every default",
);

const MAPPING: &[Field] = &[
    field("path", Shape::Text, "by its name", "path template at which its requests are recognised"),
    field("hosts", TEXTS, "the API's", "hosts that it is bound to, without port"),
];

const OPERATION: &[Field] = &[
    field("match", Shape::Text, "", "the operation by method and path, as `GET /accounts/{id}`"),
    field(
        "operation_id",
        Shape::Text,
        "",
        "the operation by its `operationId`, instead of `match`",
    ),
    field("mode", MODE, "the API's", "whether findings block or are only reported"),
    field(
        "attacks",
        OWN_ATTACKS,
        "the API's",
        "what attack rules do; needs `attacks` of the policy",
    ),
    field(
        "security",
        ACTION,
        "the API's",
        "a request without the credentials that the document requires, or with malformed ones",
    ),
    field(
        "undeclared",
        from(UNDECLARED, 2),
        "the API's",
        "what happens to what the document does not declare",
    ),
    field("limits", from(LIMITS, 2), "the API's", "upper bounds on requests"),
    field("strictness", from(STRICTNESS, 3), "the API's", "how doubtful things are taken"),
];

const API: &[Field] = &[
    required("name", Shape::Text, "name of the API, unique in the policy"),
    required("documents", SOME_TEXTS, "OpenAPI documents, by paths relative to the policy"),
    field(
        "direction",
        Shape::Choice(&["inbound", "outbound"]),
        "inbound",
        "whether the operations are the documents' `paths`, or the webhooks and callbacks that the API sends",
    ),
    field("hosts", TEXTS, "every host", "hosts that the API is bound to, without port"),
    field(
        "base_paths",
        SOME_TEXTS,
        "those of `servers`",
        "paths that the documents' paths are appended to, instead of those of `servers`",
    ),
    field(
        "webhooks",
        Shape::Named(MAPPING),
        "",
        "where an outbound API's webhooks are recognised, by their names",
    ),
    field(
        "callbacks",
        Shape::Named(MAPPING),
        "",
        "where an outbound API's callbacks are recognised: by name, by expression, or by operation and name as in \
         `createOrder onPaid` or `POST /orders onPaid`",
    ),
    field("mode", MODE, "the policy's", "whether findings block or are only reported"),
    field(
        "attacks",
        OWN_ATTACKS,
        "the policy's",
        "what attack rules do; needs `attacks` of the policy",
    ),
    field(
        "security",
        ACTION,
        "the policy's",
        "a request without the credentials that the document requires, or with malformed ones",
    ),
    field(
        "undeclared",
        from(UNDECLARED, 0),
        "the policy's",
        "what happens to what the documents do not declare",
    ),
    field("limits", from(LIMITS, 2), "the policy's", "upper bounds on requests"),
    field("strictness", from(STRICTNESS, 1), "the policy's", "how doubtful things are taken"),
    field(
        "operations",
        Shape::List(&Shape::Object(OPERATION), false),
        "",
        "what is different for single operations",
    ),
];

const CALLER: &[Field] = &[
    required(
        "by",
        SOME_TEXTS,
        "what names the caller, the first that a request has: `claim.PAYLOAD./POINTER`, `certificate.digest` (`.uri_san`, \
         `.dns_san`, `.subject`), `header.NAME`, `query.NAME`, `cookie.NAME`, `body./POINTER`, `address`, `address/24/64`",
    ),
    field(
        "missing",
        Shape::Choice(&["shared", "skip", "refuse"]),
        "shared",
        "requests that have none of them: counted together, not counted, or refused",
    ),
];

const OWN_COST: Shape = Shape::Object(&[
    required("operation", Shape::Text, "the operation, as `POST /payments`"),
    required("cost", Shape::Count(1_000_000), "what a request to it counts as"),
]);

const ON_FAILURE: Field = field(
    "on_failure",
    Shape::Choice(&["local", "refuse"]),
    "local",
    "a request about which the service gives no answer in time: this gateway's counts hold, or it is refused with 503",
);

const RATE_LIMIT: &[Field] = &[
    required("caller", Shape::Text, "who is counted: one of `callers`"),
    field(
        "rates",
        Shape::List(
            &Shape::Object(&[
                required("requests", Shape::Count(1 << 31), "how many"),
                required(
                    "per",
                    Shape::Text,
                    "in which time: `second`, `minute`, `hour`, `day`, `week`, or a span as `10s`",
                ),
                field(
                    "burst",
                    Shape::Count(1 << 31),
                    "`requests`",
                    "how many at once, after a pause",
                ),
            ]),
            false,
        ),
        "none",
        "rates that all hold; they drain evenly (GCRA)",
    ),
    field(
        "quotas",
        Shape::List(
            &Shape::Object(&[
                required("requests", Shape::Count(1 << 31), "how many"),
                required(
                    "per",
                    Shape::Choice(&["hour", "day", "week", "month"]),
                    "in which period of the calendar",
                ),
                field("offset", Shape::Text, "`+00:00`", "how far the calendar is ahead of UTC"),
            ]),
            false,
        ),
        "none",
        "amounts that begin anew with each period of the calendar",
    ),
    field(
        "concurrent",
        Shape::Object(&[
            required("requests", Shape::Count(1 << 31), "how many"),
            field(
                "lease",
                Shape::Text,
                "60s",
                "after which a request counts as ended whose end was missed: longer than any request takes",
            ),
        ]),
        "none",
        "requests at the same time",
    ),
    field(
        "mode",
        Shape::Choice(&["enforce", "monitor", "tag"]),
        "enforce",
        "whether what goes beyond is refused, only reported, or reported to the upstream too (`x-portcullis-limit`)",
    ),
    field(
        "count",
        Shape::Choice(&["all", "failures", "successes"]),
        "all",
        "which requests count: all when they come, or by their answer those with 4xx and 5xx, or with 2xx",
    ),
    field(
        "statuses",
        SOME_TEXTS,
        "those of `count`",
        "instead of `count`: statuses of answers that count, as `401` or `5xx`",
    ),
    field(
        "cost",
        Shape::Count(1_000_000),
        "1",
        "what a request counts as; with `cost_from` at most",
    ),
    field(
        "cost_from",
        Shape::Text,
        "none",
        "what says what a request counts as: `header.NAME`, `body./POINTER`",
    ),
    field(
        "costs",
        Shape::List(&OWN_COST, false),
        "none",
        "operations that count as more, or as less",
    ),
    field(
        "scope",
        Shape::Choice(&["global", "api", "tag", "operation"]),
        "global",
        "what is counted together: everything that the limit holds for, or each API, tag or operation apart",
    ),
    field(
        "delegate",
        Shape::Object(&[ON_FAILURE]),
        "not delegated",
        "`limit_service` carries the limit for several gateways, and this one's counts stand before it",
    ),
    field("apis", TEXTS, "", "the limit holds for operations of these APIs,"),
    field("tags", TEXTS, "", "and for those with one of these tags,"),
    field(
        "operations",
        TEXTS,
        "",
        "and for these, as `POST /payments`; where none of the three is there, for every request",
    ),
];

/// The fields of policy.yaml.
pub const POLICY: &[Field] = &[
    required("version", Shape::Version, "version of this form: 1"),
    required("name", Shape::Text, "name of the policy, shown by `inspect` and in metrics"),
    field(
        "audience",
        Shape::Text,
        "none",
        "which gateways the bundle is for; a filter can be configured to insist on one",
    ),
    field("mode", MODE, "enforce", "whether findings block or are only reported"),
    ATTACKS,
    field(
        "security",
        ACTION,
        "block",
        "a request without the credentials that the document requires, or with malformed ones",
    ),
    field(
        "answers",
        Shape::Object(&[
            field(
                "style",
                Shape::Choice(&["problem", "minimal"]),
                "problem",
                "`application/problem+json` (RFC 9457), or the status alone",
            ),
            field(
                "details",
                Shape::Choice(&["none", "finding"]),
                "none",
                "whether an answer tells where the request is wrong, and by which keyword",
            ),
        ]),
        "",
        "what a refused client is told",
    ),
    field(
        "undeclared",
        from(UNDECLARED, 0),
        "",
        "what happens to what the documents do not declare",
    ),
    field("limits", from(LIMITS, 0), "", "upper bounds on requests"),
    field("strictness", from(STRICTNESS, 0), "", "how doubtful things are taken"),
    field("callers", Shape::Named(CALLER), "none", "who is counted by limits (LIMITS.md)"),
    field(
        "rate_limits",
        Shape::Named(RATE_LIMIT),
        "none",
        "limits on what callers may do, by names that counts are kept under (LIMITS.md)",
    ),
    field(
        "limit_table",
        Shape::Object(&[
            field(
                "size",
                Shape::Size(64 << 20),
                "4MiB",
                "memory for counts, once in an Envoy; a power of two of blocks of 1KiB",
            ),
            field("uncounted", ACTION, "allow", "a request that could not be counted"),
            field(
                "trusted_hops",
                Shape::Count(16),
                "0",
                "proxies in front of the gateway that name the client's address in `x-forwarded-for`",
            ),
        ]),
        "",
        "where counts are kept",
    ),
    field(
        "limit_service",
        Shape::Object(&[
            required(
                "cluster",
                Shape::Text,
                "Envoy's cluster that the service is reached by, with HTTP/2: Redis behind envoyproxy/ratelimit, or Limitador",
            ),
            required("domain", Shape::Text, "what the service keeps the limits under"),
            field(
                "timeout",
                Shape::Text,
                "20ms",
                "how long a request waits for it, from `1ms` to `1s`",
            ),
            field(
                "callers",
                Shape::Choice(&["hash", "value"]),
                "hash",
                "what it is told of callers: a hash that all gateways with one `caller_key` make alike, or what the request says",
            ),
            ON_FAILURE,
        ]),
        "none",
        "a service that speaks `envoy.service.ratelimit.v3`, for limits that must span gateways (LIMITS.md)",
    ),
    field(
        "preflight",
        Shape::Choice(&["allow", "judge"]),
        "allow",
        "whether CORS preflight requests pass, or are judged as other requests",
    ),
    field(
        "health_probes",
        Shape::List(
            &Shape::Object(&[
                required("path", Shape::Text, "the exact path, without query"),
                field("methods", SOME_TEXTS, "[GET]", "the methods"),
            ]),
            false,
        ),
        "none",
        "requests that pass unchecked, and are reported as such",
    ),
    field(
        "break_glass",
        Shape::Object(&[field(
            "permitted",
            Shape::Bool,
            "false",
            "whether `force_monitor_until` in the filter's configuration takes effect",
        )]),
        "",
        "turning enforcement off for a time, without a new bundle",
    ),
    field(
        "accept_unenforced",
        Shape::List(
            &Shape::Object(&[
                required(
                    "construct",
                    Shape::Text,
                    "a construct's name as in the report; `responses`, `callbacks` (with webhooks), `incoming` \
                     (what an outbound API receives) and `security` stand for all that belongs to them, `*` for \
                     everything",
                ),
                field("pointer", Shape::Text, "anywhere", "only below this JSON pointer"),
                required("reason", Shape::Text, "why it is acceptable"),
            ]),
            false,
        ),
        "none",
        "what `--strict` tolerates although it is not enforced",
    ),
    required(
        "apis",
        Shape::List(&Shape::Object(API), true),
        "the APIs, each from one or more documents",
    ),
];

/// Every field with its path, depth first: `limits.body`, `apis[].operations[].mode`.
pub fn flatten() -> Vec<(String, &'static Field)> {
    let mut rows = Vec::new();
    collect("", POLICY, &mut rows);
    rows
}

// The shape is a constant of small depth.
fn collect(prefix: &str, fields: &'static [Field], rows: &mut Vec<(String, &'static Field)>) {
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        rows.push((path.clone(), field));
        match field.shape {
            Shape::Object(fields) => collect(&format!("{path}."), fields, rows),
            Shape::Named(fields) => collect(&format!("{path}.NAME."), fields, rows),
            Shape::List(Shape::Object(fields), _) => collect(&format!("{path}[]."), fields, rows),
            _ => {}
        }
    }
}
