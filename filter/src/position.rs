//! Where a finding stands, as logs and answers say it. Names are the documents' own, never the client's.

use portcullis_bundle::layout::{Location, View};
use portcullis_engine::describe::credential_place;
use portcullis_engine::finding::Position;
use serde::Serialize;

/// A place in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place<'a> {
    /// `path`, `query`, `header`, `cookie` or `body`.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    part: Option<&'a str>,
    /// The name of a declared parameter or well-known header.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// JSON pointer into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    /// Bytes from the start of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
}

impl<'a> Place<'a> {
    /// The place that a position stands for.
    pub fn of(view: &View<'a>, position: &'a Position) -> Place<'a> {
        let part = |part| Place { part: Some(part), ..Place::default() };
        match position {
            Position::Message => Place::default(),
            Position::Path => part(Location::Path.name()),
            Position::Credential(scheme) => match credential_place(view, *scheme) {
                Some((part, name)) => {
                    Place { part: Some(part), name: Some(name), ..Place::default() }
                }
                None => Place::default(),
            },
            Position::UndeclaredParameter => part(Location::Query.name()),
            Position::Header(name) => Place { name: Some(name), ..part(Location::Header.name()) },
            Position::Parameter { location, parameter } => {
                let declared =
                    usize::try_from(*parameter).ok().and_then(|at| view.parameters.get(at));
                Place { name: declared.map(|it| view.text(it.name)), ..part(location.name()) }
            }
            Position::Body { pointer, offset } => {
                Place { pointer: Some(pointer), offset: Some(*offset), ..part("body") }
            }
        }
    }
}
