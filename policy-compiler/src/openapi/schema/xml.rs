//! `xml`: how a value stands in an XML body (OpenAPI 3.1.1 section 4.8.26, 3.2.0 section 4.26).

use crate::diag;
use crate::ir::{At, Xml, XmlNode};
use crate::source::Place;

use super::super::context::Context;

/// Reads the object.
pub(super) fn read<'a>(cx: &mut Context<'a>, place: Place<'a>) -> Option<Box<At<Xml>>> {
    if !cx.is_object(place, "`xml`") {
        return None;
    }
    let text = |cx: &mut Context<'a>, name| cx.string(place, name).map(|at| at.value);
    let flag = |cx: &mut Context<'a>, name| cx.boolean(place, name).is_some_and(|at| at.value);
    let node = match cx.string(place, "nodeType") {
        Some(kind) => match kind.value.as_str() {
            "element" => XmlNode::Element,
            "attribute" => XmlNode::Attribute,
            "text" | "cdata" => XmlNode::Text,
            "none" => XmlNode::None,
            other => {
                let title = format!("`{other}` is no node type of XML");
                let help = "they are `element`, `attribute`, `text`, `cdata` and `none`";
                let at = place.get("nodeType").unwrap_or(place);
                cx.report_with(diag::UNKNOWN_TYPE, at, title, help);
                XmlNode::Default
            }
        },
        None if flag(cx, "attribute") => XmlNode::Attribute,
        None if flag(cx, "wrapped") => XmlNode::Element,
        None => XmlNode::Default,
    };
    let xml = Xml { name: text(cx, "name"), namespace: text(cx, "namespace"), node };
    Some(Box::new(cx.at(xml, place)))
}
