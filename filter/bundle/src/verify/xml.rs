//! Checks how XML elements are read.

use super::Check;
use crate::error::OpenError;
use crate::layout::{TYPE_ALL, XmlFieldKind};

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.each("xml_elements", view.xml_elements, |check, element| {
        check.text(&element.name, "name")?;
        check.text(&element.namespace, "namespace")?;
        check.maybe(element.additional.get(), view.xml_elements, "additional")?;
        check.that(element.types <= TYPE_ALL, "types")?;
        let (first, count) = (element.fields.get(), element.field_count.get());
        let fields = check.run(first, count, view.xml_fields, "fields")?;
        let mut last: (u8, &[u8]) = (0, b"");
        for field in fields {
            let key = (field.kind, check.text(&field.name, "a field's name")?);
            check.that(last <= key, "fields do not ascend")?;
            last = key;
        }
        Ok(())
    })?;
    check.each("xml_fields", view.xml_fields, |check, field| {
        check.text(&field.namespace, "namespace")?;
        check.text(&field.property, "property")?;
        check.index(field.element.get(), view.xml_elements, "element")?;
        check.that(XmlFieldKind::from_code(field.kind).is_some(), "kind")
    })
}
