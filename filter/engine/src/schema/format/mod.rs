//! The formats that are asserted on strings: those of JSON Schema (2020-12 validation, section 7.3) and
//! those of OpenAPI's format registry that say something of text.
//!
//! In: a text, valid UTF-8. Out: whether it has the format. Nothing is allocated, and the work is linear in
//! the text, with fixed bounds where a grammar nests.

pub(super) mod base16;
pub(super) mod base32;
pub(super) mod base64;
mod class;
pub(super) mod date;
mod decimal;
mod email;
mod host;
mod http_date;
mod idna;
mod ip;
mod local;
mod media_range;
pub(super) mod mime;
mod pointer;
mod punycode;
mod regex;
mod sf;
mod uri;
mod uri_template;
mod uuid;

use super::string::code_points;
use portcullis_bundle::layout::{Format, View};

/// Whether a text, valid UTF-8, has a format.
pub(super) fn holds(view: &View<'_>, format: Format, text: &[u8]) -> bool {
    match format {
        Format::None => true,
        Format::Date => date::date(text),
        Format::DateTime => date::date_time(text),
        Format::Time => date::time(text),
        Format::Duration => date::duration(text),
        Format::Uuid => uuid::uuid(text),
        Format::Email => email::email(text),
        Format::Uri => uri::uri(text),
        Format::UriReference => uri::uri_reference(text),
        Format::Hostname => host::hostname(view.idn, text),
        Format::Ipv4 => ip::ipv4(text),
        Format::Ipv6 => ip::ipv6(text),
        Format::Byte => base64::base64(text),
        Format::JsonPointer => pointer::json_pointer(text),
        Format::IdnEmail => email::idn_email(view.idn, text),
        Format::IdnHostname => host::idn_hostname(view.idn, text),
        Format::Iri => uri::iri(text),
        Format::IriReference => uri::iri_reference(text),
        Format::UriTemplate => uri_template::uri_template(text),
        Format::RelativeJsonPointer => pointer::relative(text),
        Format::Regex => regex::regex(text),
        Format::Base64Url => base64::base64url(text),
        Format::DateTimeLocal => local::date_time(text),
        Format::TimeLocal => local::time(text),
        Format::HttpDate => http_date::http_date(text),
        // The registry: a single character, taken as a code point.
        Format::Char => code_points(text) == 1,
        Format::MediaRange => media_range::media_range(text),
        Format::Decimal => decimal::decimal(text),
        Format::Decimal128 => decimal::decimal128(text),
        Format::Int64 => decimal::int64(text),
        Format::Uint64 => decimal::uint64(text),
        Format::SfString => sf::string(text),
        Format::SfToken => sf::token(text),
        Format::SfBinary => sf::binary(text),
        Format::SfBoolean => matches!(text, b"?0" | b"?1"),
    }
}
