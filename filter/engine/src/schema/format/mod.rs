//! The formats that are asserted on strings.

mod base64;
mod date;
mod email;
mod host;
mod ip;
mod uri;
mod uuid;

use portcullis_bundle::layout::Format;

/// Whether a text, valid UTF-8, has a format.
pub(super) fn holds(format: Format, text: &[u8]) -> bool {
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
        Format::Hostname => host::hostname(text),
        Format::Ipv4 => ip::ipv4(text),
        Format::Ipv6 => ip::ipv6(text),
        Format::Byte => base64::base64(text),
        Format::JsonPointer => uri::json_pointer(text),
    }
}
