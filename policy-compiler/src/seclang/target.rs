//! Variables as targets of the rule language.

use super::names::Collection;
use super::syntax::{Selector, Variable};
use crate::ir::{Naming, TargetName};
use portcullis_bundle::layout::{BODY_ALL, BODY_FIELD, BODY_JSON, BODY_XML, Target};

/// The targets of a variable in a phase.
///
/// # Errors
/// Why it has none.
pub fn of(variable: &Variable, phase: u8) -> Result<Vec<TargetName>, String> {
    use Collection as C;
    let arguments = BODY_JSON | BODY_FIELD;
    // Before phase 2 there is no body, and there are no arguments but those of the query.
    let late = phase >= 2;
    if !late && is_of_body(variable.collection) {
        return Err(format!("there is no `{}` in phase 1", variable.collection.name()));
    }
    let places: &[(Target, u8)] = match variable.collection {
        C::Args if late => &[(Target::Query, BODY_ALL), (Target::Body, arguments)],
        C::Args | C::ArgsGet => &[(Target::Query, BODY_ALL)],
        C::ArgsPost => &[(Target::Body, arguments)],
        C::ArgsNames if late => {
            &[(Target::QueryArgument, BODY_ALL), (Target::BodyArgument, BODY_ALL)]
        }
        C::ArgsNames | C::ArgsGetNames => &[(Target::QueryArgument, BODY_ALL)],
        C::ArgsPostNames => &[(Target::BodyArgument, BODY_ALL)],
        C::RequestCookies => &[(Target::CookieRaw, BODY_ALL)],
        C::RequestCookiesNames => &[(Target::CookieRawName, BODY_ALL)],
        C::RequestHeaders => &[(Target::Header, BODY_ALL), (Target::HeaderRest, BODY_ALL)],
        C::RequestHeadersNames => {
            &[(Target::HeaderName, BODY_ALL), (Target::HeaderRestName, BODY_ALL)]
        }
        C::RequestUri | C::RequestUriRaw => &[(Target::Uri, BODY_ALL)],
        C::RequestFilename => &[(Target::Filename, BODY_ALL)],
        C::RequestBasename => &[(Target::Basename, BODY_ALL)],
        C::RequestLine => &[(Target::RequestLine, BODY_ALL)],
        C::RequestProtocol => &[(Target::Protocol, BODY_ALL)],
        C::RequestMethod => &[(Target::Method, BODY_ALL)],
        C::QueryString => &[(Target::QueryRaw, BODY_ALL)],
        C::RequestBody => &[(Target::BodyPlain, BODY_ALL)],
        C::RequestBodyLength => &[(Target::BodyLength, BODY_ALL)],
        C::ReqbodyProcessor => &[(Target::BodyReader, BODY_ALL)],
        C::ArgsCombinedSize => &[(Target::ArgumentsSize, BODY_ALL)],
        C::FilesCombinedSize => &[(Target::FilesSize, BODY_ALL)],
        C::Files => &[(Target::File, BODY_ALL)],
        C::FilesNames => &[(Target::FileField, BODY_ALL)],
        C::MultipartPartHeaders => &[(Target::PartHeader, BODY_ALL)],
        C::MultipartFilename => &[(Target::File, BODY_ALL)],
        C::MultipartName => &[(Target::FileField, BODY_ALL)],
        C::RemoteAddr => &[(Target::Client, BODY_ALL)],
        C::ResponseHeadersNames => &[(Target::ResponseHeaderName, BODY_ALL)],
        C::ResponseContentType => return Ok(vec![named(Target::ResponseHeader, "content-type")]),
        C::ResponseContentLength => {
            return Ok(vec![named(Target::ResponseHeader, "content-length")]);
        }
        C::ReqbodyError
        | C::ReqbodyProcessorError
        | C::UrlencodedError
        | C::MultipartBoundaryQuoted
        | C::MultipartBoundaryWhitespace
        | C::MultipartCrlfLfLines
        | C::MultipartDataAfter
        | C::MultipartDataBefore
        | C::MultipartHeaderFolding
        | C::MultipartInvalidHeaderFolding
        | C::MultipartInvalidPart
        | C::MultipartInvalidQuoting
        | C::MultipartLfLine
        | C::MultipartMissingSemicolon
        | C::MultipartStrictError
        | C::MultipartUnmatchedBoundary => {
            return Ok(vec![named(Target::BodyState, variable.collection.name())]);
        }
        C::Xml => match &variable.selector {
            Selector::XPath(path) if matches!(path.as_str(), "/*" | "//@*") => {
                return Ok(vec![TargetName {
                    bodies: BODY_XML,
                    ..TargetName::new(Target::Body, None)
                }]);
            }
            _ => return Err("of XML only `/*` and `//@*` are looked at".to_owned()),
        },
        C::ResponseBody => &[(Target::ResponseBody, BODY_ALL)],
        C::ResponseHeaders => &[(Target::ResponseHeader, BODY_ALL)],
        C::ResponseStatus => &[(Target::ResponseStatus, BODY_ALL)],
        other => return Err(format!("`{}` is no value of a message", other.name())),
    };
    let (name, naming) = match &variable.selector {
        Selector::All => (None, Naming::Argument),
        Selector::Name(name) => (Some(name.to_ascii_lowercase()), Naming::Argument),
        Selector::Regex(pattern) => (Some(super::pattern::rewrite(pattern)), Naming::Regex),
        Selector::XPath(_) => return Err("a path of XML stands after `XML:`".to_owned()),
    };
    if name.is_some() && !places.iter().all(|(target, _)| is_named(*target)) {
        return Err(format!("the values of `{}` have no names", variable.collection.name()));
    }
    let target = |(target, bodies): &(Target, u8)| TargetName {
        target: *target,
        name: name.clone(),
        naming,
        bodies: *bodies,
    };
    Ok(places.iter().map(target).collect())
}

/// Whether a variable is of the request's body alone.
fn is_of_body(collection: Collection) -> bool {
    use Collection as C;
    matches!(
        collection,
        C::ArgsPost
            | C::ArgsPostNames
            | C::RequestBody
            | C::RequestBodyLength
            | C::Files
            | C::FilesNames
            | C::FilesCombinedSize
            | C::MultipartPartHeaders
            | C::MultipartFilename
            | C::MultipartName
            | C::Xml
    )
}

/// A value of one name.
pub fn named(target: Target, name: &str) -> TargetName {
    let name = Some(name.to_ascii_lowercase());
    TargetName { naming: Naming::Argument, ..TargetName::new(target, name) }
}

/// Whether values of a target have names of their own within their collection.
pub fn is_named(target: Target) -> bool {
    matches!(
        target,
        Target::Query
            | Target::Body
            | Target::QueryArgument
            | Target::BodyArgument
            | Target::CookieRaw
            | Target::CookieRawName
            | Target::Header
            | Target::HeaderRest
            | Target::HeaderName
            | Target::HeaderRestName
            | Target::File
            | Target::FileField
            | Target::PartHeader
            | Target::ResponseHeader
            | Target::ResponseHeaderName
    )
}
