//! The codes of diagnostics. A code is never used again for something else; DIAGNOSTICS.md lists
//! them, and a test keeps the two together.

use super::Severity;

/// A stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// `PC` and four digits.
    pub id: &'static str,
    /// How bad it is by default.
    pub severity: Severity,
    /// What it is about, as in DIAGNOSTICS.md.
    pub summary: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal $severity:ident $summary:literal;)*) => {
        $(#[doc = $summary] pub const $name: Code =
            Code { id: $id, severity: Severity::$severity, summary: $summary };)*
        /// Every code, by number.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

// PC00 reading · PC01 structure · PC02 references · PC03 paths, operations, parameters, bodies ·
// PC04 schemas · PC05 policy · PC06 checks · PC07 lowering · PC08 attack rules · PC09 limits
codes! {
    UNREADABLE_FILE = "PC0001" Error "a file cannot be read";
    NOT_UTF8 = "PC0002" Error "a file is not UTF-8 text";
    YAML_SYNTAX = "PC0003" Error "a file is not valid YAML";
    JSON_SYNTAX = "PC0004" Error "a file is not valid JSON";
    DUPLICATE_KEY = "PC0005" Error "an object names a member twice";
    TOO_DEEP = "PC0006" Error "a file nests deeper than is read";
    TOO_LARGE = "PC0007" Error "a file, or all of them, or what aliases expand to, is too large";
    YAML_KEY = "PC0008" Error "a key is not a scalar";
    YAML_DOCUMENTS = "PC0009" Error "a file holds more than one YAML document, or none";
    LONE_SURROGATE = "PC0010" Warning "a JSON string holds half of a surrogate pair";
    YAML_TAG = "PC0011" Warning "a YAML tag has no meaning here";

    NOT_OPENAPI = "PC0101" Error "a file is not an OpenAPI document";
    UNSUPPORTED_VERSION = "PC0102" Error "the OpenAPI version is not supported";
    WRONG_TYPE = "PC0103" Error "a field has the wrong type";
    MISSING_FIELD = "PC0104" Error "a required field is missing";
    UNKNOWN_FIELD = "PC0105" Warning "a field is unknown";
    BAD_VALUE = "PC0106" Error "a field has a value that is not allowed";
    NO_OPERATIONS = "PC0107" Warning "a document declares no operations";
    BAD_SERVER = "PC0108" Error "a server's URL cannot be understood";
    SERVER_VARIABLE = "PC0109" Error "a server's variable is not declared, or has no default";

    UNRESOLVED_REF = "PC0201" Error "a reference leads nowhere";
    REMOTE_REF = "PC0202" Error "a reference leads to a URL, which is never fetched";
    CIRCULAR_REF = "PC0203" Error "references lead in a circle";
    BAD_REF = "PC0204" Error "a reference is not a valid URI reference";
    REF_SIBLINGS = "PC0205" Warning "keywords beside `$ref` are ignored in OpenAPI 3.0";
    DISCRIMINATOR_MAPPING = "PC0206" Warning "a discriminator's mapping leads nowhere";
    DISCRIMINATOR_VALUES = "PC0207" Warning "the values of a discriminator are not known";

    DUPLICATE_OPERATION = "PC0301" Error "two operations match the same method and paths";
    DUPLICATE_OPERATION_ID = "PC0302" Error "two operations have the same `operationId`";
    BAD_TEMPLATE = "PC0303" Error "a path template cannot be understood";
    UNDECLARED_VARIABLE = "PC0304" Warning "a path variable has no parameter";
    UNUSED_PATH_PARAMETER = "PC0305" Warning "a path parameter is not in the template";
    IGNORED_HEADER = "PC0306" Note "a header parameter that OpenAPI ignores";
    PATH_SUFFIX = "PC0307" Warning "a path holds a query or a fragment";
    DUPLICATE_PARAMETER = "PC0308" Error "a parameter is declared twice";
    COLON_SEGMENT = "PC0309" Warning "a path segment looks like a variable of another notation";
    UNEXPECTED_BODY = "PC0310" Warning "a method that has no body declares one";
    BAD_MEDIA_TYPE = "PC0311" Warning "a key of `content` is not a media type";
    BAD_STATUS = "PC0312" Warning "a response key is not a status";
    BAD_STYLE = "PC0313" Error "a parameter's style does not fit its location";
    PATH_NOT_REQUIRED = "PC0314" Warning "a path parameter is not marked as required";
    DUPLICATE_MEDIA_TYPE = "PC0315" Warning "two keys of `content` are the same media type";
    WIDE_VARIABLE = "PC0316" Warning "a path variable is meant to span several segments";
    UNMAPPED = "PC0317" Warning "no path can be made from the name of a webhook or callback";
    SIDE_BY_SIDE = "PC0318" Warning "path variables stand side by side";

    NULLABLE_IN_3_1 = "PC0401" Warning "`nullable` means nothing in OpenAPI 3.1";
    NULLABLE_WITHOUT_TYPE = "PC0402" Warning "`nullable` without `type` means nothing";
    BAD_BOUND = "PC0403" Warning "a bound is not a number, so it is not enforced";
    EMPTY_ENUM = "PC0404" Warning "an empty `enum` allows nothing";
    DUPLICATE_ENUM = "PC0405" Warning "an `enum` lists a value twice";
    UNKNOWN_KEYWORD = "PC0406" Warning "a schema keyword is unknown";
    UNKNOWN_TYPE = "PC0407" Error "a type is unknown";
    EXCLUSIVE_BOUND = "PC0408" Warning "an exclusive bound has the form of another OpenAPI version";
    MISPLACED_KEYWORD = "PC0409" Warning "a keyword belongs to another OpenAPI version";
    REQUIRED_BOOLEAN = "PC0410" Warning "`required` is a boolean, which means nothing in a schema";
    UNKNOWN_DIALECT = "PC0411" Warning "a schema asks for a dialect that is not known";
    EMPTY_COMPOSITION = "PC0412" Warning "an empty `allOf`, `anyOf` or `oneOf` means nothing";
    ENUM_TEXT = "PC0413" Warning "a number or boolean in an `enum` of strings is read as text";
    DYNAMIC_SCOPES = "PC0414" Warning "`$dynamicRef` needs more scopes than are followed";

    POLICY_FIELD = "PC0501" Error "a policy field is unknown";
    POLICY_VALUE = "PC0502" Error "a policy field has a value that is not allowed";
    POLICY_TYPE = "PC0503" Error "a policy field has the wrong type";
    POLICY_MISSING = "PC0504" Error "a policy field is missing";
    POLICY_VERSION = "PC0505" Error "the policy's version is not supported";
    POLICY_NO_MATCH = "PC0506" Error "an operation of the policy is in no document";
    POLICY_DUPLICATE = "PC0507" Error "the policy says something twice";
    POLICY_SIZE = "PC0508" Error "a size cannot be understood";

    CROSSING_TEMPLATES = "PC0601" Note "two templates match some of the same paths";
    UNDEFINED_SCHEME = "PC0602" Error "a security requirement names an undefined scheme";
    NULL_NOT_IN_ENUM = "PC0604" Warning "a nullable schema's `enum` lacks `null`";
    EMPTY_RANGE = "PC0605" Warning "bounds contradict each other, so that nothing is allowed";
    ENUM_TYPE = "PC0608" Warning "an `enum` value is not of the schema's type";
    CLOSED_COMPOSITION = "PC0609" Warning "`additionalProperties: false` in a branch refuses the other branches' properties";
    OVERLAPPING_APIS = "PC0610" Error "two APIs declare the same method, host and path";
    FORBIDDEN_REQUIRED = "PC0611" Warning "an object requires a property that it forbids";
    LONG_MULTIPLE = "PC0612" Warning "a `multipleOf` has more digits than the engine divides by";
    BASE64_OCTETS = "PC0613" Warning "`format: byte` asks for base64 text in a body of octets";

    PATTERN_UNSUPPORTED = "PC0701" Error "a pattern cannot be enforced";
    BUNDLE_TOO_LARGE = "PC0702" Error "the bundle is larger than any reader takes";
    BUNDLE_UNSOUND = "PC0703" Error "the bundle does not pass its own verification";
    TOO_MANY_SCHEMES = "PC0704" Error "an operation names more security schemes than can be told apart";
    FORMAT_UNKNOWN = "PC0705" Error "a format is not known, and the policy asks for an error";
    TOO_MANY_BRANCHES = "PC0706" Error "a schema has more alternatives than an engine follows at once";
    SELF_COMPOSITION = "PC0707" Error "what a schema accepts depends on itself";
    PATTERN_LEFT_OUT = "PC0708" Warning "a pattern is not enforced";
    UNEVALUATED_LEFT_OUT = "PC0709" Warning "`unevaluatedProperties` or `unevaluatedItems` is not enforced";
    XML_LEFT_OUT = "PC0710" Warning "an XML body has more kinds of elements than are told apart";
    TEXT_LEFT_OUT = "PC0711" Warning "a form or parameter has more kinds of parts than are told apart";

    RULE_PACK = "PC0801" Error "a pack of attack rules is not known";
    RULE_FIELD = "PC0802" Error "a pack has an unknown field";
    RULE_MISSING = "PC0803" Error "a rule lacks something";
    RULE_VALUE = "PC0804" Error "a rule has a value that is not allowed";
    RULE_TARGET = "PC0805" Error "a rule's target is unknown";
    RULE_TRANSFORMATION = "PC0806" Error "a rule's transformation is unknown";
    RULE_OPERATOR = "PC0807" Error "a rule's operator is unknown";
    RULE_DUPLICATE = "PC0808" Error "two rules have one name";
    RULE_PATTERN = "PC0809" Error "a rule's regular expression cannot be compiled";
    RULE_NO_MATCH = "PC0810" Error "the policy names a rule or tag that no pack has";
    RULES_TOO_MANY = "PC0811" Error "there are more rules than a bundle holds";
    EXCEPTION_EXPIRED = "PC0813" Warning "an exception from attack rules has expired";
    EXCEPTION_IDLE = "PC0814" Warning "an exception from attack rules meets nothing";
    SECLANG_SYNTAX = "PC0820" Error "a directive of SecLang is malformed";
    SECLANG_UNKNOWN = "PC0821" Error "a directive of SecLang is unknown";
    SECLANG_REFUSED = "PC0822" Error "a directive of SecLang is refused";
    SECLANG_LIMIT = "PC0823" Error "rules in SecLang go beyond a bound";
    SECLANG_LEFT_OUT = "PC0824" Warning "a rule in SecLang cannot be enforced, and is left out";
    SECLANG_NOT_KEPT = "PC0825" Warning "rules in SecLang would keep something from one request to the next";

    LIMITS_TOO_MANY = "PC0901" Error "more limits hold for an operation than are counted at once";
    LIMIT_CHOSEN = "PC0902" Warning "nothing limits callers who choose a new name for each request";
    LIMIT_IDLE = "PC0903" Warning "a limit holds for no request";
    LIMIT_UNDECLARED = "PC0904" Warning "a limit looks for a value that no schema declares";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise() {
        for pair in CODES.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} before {}", pair[0].id, pair[1].id);
        }
    }

    #[test]
    fn the_page_lists_every_code() {
        let page = include_str!("../../DIAGNOSTICS.md");
        let listed: Vec<&str> = page.lines().filter(|l| l.starts_with("| PC")).collect();
        let expected: Vec<String> = CODES
            .iter()
            .map(|c| format!("| {} | {} | {} |", c.id, c.severity.name(), c.summary))
            .collect();
        assert_eq!(listed, expected);
    }
}
