//! Schemas: one [`Schema`] per schema location, children by index, nothing inlined.

use std::ops::{Deref, DerefMut, Index, IndexMut};

use super::{At, Dialect, Number, Origin, Value};

/// Index of a schema in [`Schemas`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(pub u32);

impl SchemaId {
    /// The index as `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The arena of schemas. A `$ref` without effective siblings has no entry of its own: whoever
/// refers to it holds the target's [`SchemaId`]. Cycles are ordinary.
#[derive(Clone, Debug, Default)]
pub struct Schemas(pub Vec<Schema>);

impl Schemas {
    /// Number of schemas.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All schemas with their ids, in order.
    pub fn iter(&self) -> impl Iterator<Item = (SchemaId, &Schema)> {
        self.0.iter().enumerate().map(|(i, s)| (SchemaId(i as u32), s))
    }
}

impl Index<SchemaId> for Schemas {
    type Output = Schema;
    fn index(&self, id: SchemaId) -> &Schema {
        &self.0[id.index()]
    }
}

impl IndexMut<SchemaId> for Schemas {
    fn index_mut(&mut self, id: SchemaId) -> &mut Schema {
        &mut self.0[id.index()]
    }
}

/// One schema location. All keywords apply together, as in JSON Schema.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Where the schema itself stands.
    pub origin: Origin,
    /// By which rules it was read.
    pub dialect: Dialect,
    /// `Some` for the schemas `true` and `false`; every other field is then empty.
    pub boolean: Option<bool>,
    /// A `$ref` that applies together with its siblings (3.1 only).
    pub reference: Option<At<SchemaId>>,
    /// A `$dynamicRef` (3.1 only).
    pub dynamic_reference: Option<At<DynamicReference>>,
    /// `$dynamicAnchor` (3.1 only).
    pub dynamic_anchor: Option<At<String>>,
    /// A `$ref` that leads nowhere, by its text; the policy lets such a document compile. Nothing
    /// is known of the target, so everything is allowed here.
    pub unresolved: Option<At<String>>,
    /// `type`, with `null` already added for an effective 3.0 `nullable`; absent: every type.
    pub types: Option<At<TypeSet>>,
    /// 3.0 `nullable: true` as written, effective or not (without `type` it means nothing).
    pub nullable: Option<At<bool>>,
    /// `enum`; without duplicates, may be empty (nothing is allowed then).
    pub enumeration: Option<At<Vec<Value>>>,
    /// Whether the schema is not written, but follows from Swagger 2.0's `discriminator`; its `enum` is then the names
    /// of the definitions that an object may be of.
    pub inherited: bool,
    /// `const`
    pub constant: Option<At<Value>>,
    /// Keywords that apply to numbers.
    pub number: Group<NumberKeywords>,
    /// Keywords that apply to strings.
    pub string: Group<StringKeywords>,
    /// Keywords that apply to arrays.
    pub array: Group<ArrayKeywords>,
    /// Keywords that apply to objects.
    pub object: Group<ObjectKeywords>,
    /// Keywords that apply other schemas to the same instance.
    pub applied: Group<AppliedKeywords>,
    /// `readOnly`
    pub read_only: Option<At<bool>>,
    /// `writeOnly`
    pub write_only: Option<At<bool>>,
    /// `deprecated`
    pub deprecated: Option<At<bool>>,
    /// `xml`
    pub xml: Option<Box<At<Xml>>>,
    /// `default`; an annotation, of use to parameters.
    pub default: Option<At<Value>>,
    /// Keywords that are known to nobody here, by name; those starting with `x-` are left out.
    pub unknown: Vec<At<String>>,
    /// From where the schema can be reached.
    pub usage: Usage,
}

impl Schema {
    /// The keyword that `enumeration` was written as.
    pub fn enumeration_keyword(&self) -> &'static str {
        if self.inherited { "discriminator" } else { "enum" }
    }

    /// Every schema that this one refers to, in a fixed order; one can occur several times.
    /// Those of a discriminator's mapping are not among them.
    pub fn children(&self) -> Vec<SchemaId> {
        let mut children = Vec::new();
        children.extend(self.reference.map(|r| r.value));
        children.extend(self.dynamic_reference.as_ref().map(|r| r.value.schema));
        children.extend(self.string.content_schema.map(|s| s.value));
        let array = &*self.array;
        for one in [array.items, array.contains, array.unevaluated_items] {
            children.extend(one.map(|s| s.value));
        }
        let object = &*self.object;
        for one in
            [object.additional_properties, object.property_names, object.unevaluated_properties]
        {
            children.extend(one.map(|s| s.value));
        }
        for named in [&object.properties, &object.pattern_properties, &object.dependent_schemas] {
            children.extend(named.iter().flat_map(|n| &n.value).map(|p| p.schema));
        }
        let applied = &*self.applied;
        for one in [applied.not, applied.if_, applied.then, applied.else_] {
            children.extend(one.map(|s| s.value));
        }
        for many in [&array.prefix_items, &applied.all_of, &applied.any_of, &applied.one_of] {
            children.extend(many.iter().flat_map(|m| &m.value));
        }
        children
    }

    /// Calls back with every schema that this one refers to, those of a discriminator's mapping
    /// included, to be replaced.
    pub fn each_child_mut(&mut self, mut each: impl FnMut(&mut SchemaId)) {
        self.reference.iter_mut().for_each(|r| each(&mut r.value));
        self.dynamic_reference.iter_mut().for_each(|r| each(&mut r.value.schema));
        if let Some(string) = self.string.0.as_deref_mut() {
            string.content_schema.iter_mut().for_each(|s| each(&mut s.value));
        }
        if let Some(array) = self.array.0.as_deref_mut() {
            let one = [&mut array.items, &mut array.contains, &mut array.unevaluated_items];
            one.into_iter().flatten().for_each(|s| each(&mut s.value));
            array.prefix_items.iter_mut().flat_map(|m| &mut m.value).for_each(&mut each);
        }
        if let Some(object) = self.object.0.as_deref_mut() {
            let one = [
                &mut object.additional_properties,
                &mut object.property_names,
                &mut object.unevaluated_properties,
            ];
            one.into_iter().flatten().for_each(|s| each(&mut s.value));
            let named = [
                &mut object.properties,
                &mut object.pattern_properties,
                &mut object.dependent_schemas,
            ];
            let named = named.into_iter().flatten().flat_map(|n| &mut n.value);
            named.for_each(|p| each(&mut p.schema));
        }
        if let Some(applied) = self.applied.0.as_deref_mut() {
            let one = [&mut applied.not, &mut applied.if_, &mut applied.then, &mut applied.else_];
            one.into_iter().flatten().for_each(|s| each(&mut s.value));
            let many = [&mut applied.all_of, &mut applied.any_of, &mut applied.one_of];
            many.into_iter().flatten().flat_map(|m| &mut m.value).for_each(&mut each);
            let mapping = applied.discriminator.iter_mut().flat_map(|d| &mut d.value.mapping);
            mapping.for_each(|m| each(&mut m.schema));
        }
    }
}

/// `format`, `minimum` and their like are grouped by the type that they apply to. A group that a
/// schema does not use costs one pointer; reading one that is not there shows an empty group.
#[derive(Clone, Debug)]
pub struct Group<T>(Option<Box<T>>);

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Group<T> {
    /// The group, if any of its keywords was written.
    pub fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// Whether none of its keywords was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// A group type that has a shared empty value.
pub trait Empty: Default + 'static {
    /// The group without any keyword.
    const EMPTY: &'static Self;
}

impl<T: Empty> Deref for Group<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::EMPTY)
    }
}

impl<T: Empty> DerefMut for Group<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

macro_rules! group {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        pub struct $name { $($(#[$doc])* pub $field: Option<$ty>,)* }
        impl Empty for $name {
            const EMPTY: &'static Self = &Self { $($field: None,)* };
        }
    };
}

group! {
    /// Keywords that apply to numbers. Bounds are exact decimals, also beyond 64 bits.
    NumberKeywords {
        /// `minimum`; with 3.0's `exclusiveMinimum: true` it stands in `exclusive_minimum` instead.
        minimum: At<Number>,
        /// `exclusiveMinimum`, in either of its forms.
        exclusive_minimum: At<Number>,
        /// `maximum`; with 3.0's `exclusiveMaximum: true` it stands in `exclusive_maximum` instead.
        maximum: At<Number>,
        /// `exclusiveMaximum`, in either of its forms.
        exclusive_maximum: At<Number>,
        /// 3.0's `exclusiveMinimum: true`, which made an exclusive bound of `minimum`.
        exclusive_minimum_flag: At<bool>,
        /// 3.0's `exclusiveMaximum: true`, which made an exclusive bound of `maximum`.
        exclusive_maximum_flag: At<bool>,
        /// `multipleOf`, above zero.
        multiple_of: At<Number>,
    }
}

group! {
    /// Keywords that apply to strings. Lengths are in code points.
    StringKeywords {
        /// `minLength`
        min_length: At<u64>,
        /// `maxLength`
        max_length: At<u64>,
        /// `pattern`, source text of an ECMA-262 regular expression, not anchored.
        pattern: At<String>,
        /// `format`, of strings and of numbers (`int32`).
        format: At<String>,
        /// `contentEncoding`
        content_encoding: At<String>,
        /// `contentMediaType`
        content_media_type: At<String>,
        /// `contentSchema`
        content_schema: At<SchemaId>,
    }
}

group! {
    /// Keywords that apply to arrays.
    ArrayKeywords {
        /// `items`: every element beyond `prefix_items`.
        items: At<SchemaId>,
        /// `prefixItems`: elements by position.
        prefix_items: At<Vec<SchemaId>>,
        /// `minItems`
        min_items: At<u64>,
        /// The keywords of older drafts: `prefix_items` was written as a list in `items`, and
        /// `items` as `additionalItems`.
        item_list: At<bool>,
        /// `maxItems`
        max_items: At<u64>,
        /// `uniqueItems`
        unique_items: At<bool>,
        /// `contains`
        contains: At<SchemaId>,
        /// `minContains`; 1 where absent.
        min_contains: At<u64>,
        /// `maxContains`
        max_contains: At<u64>,
        /// `unevaluatedItems`
        unevaluated_items: At<SchemaId>,
    }
}

group! {
    /// Keywords that apply to objects.
    ObjectKeywords {
        /// `properties`, in document order.
        properties: At<Vec<Property>>,
        /// `required`, without duplicates; each name with its own place.
        required: At<Vec<At<String>>>,
        /// `additionalProperties`, also its boolean forms (as boolean schemas).
        additional_properties: At<SchemaId>,
        /// `minProperties`
        min_properties: At<u64>,
        /// `maxProperties`
        max_properties: At<u64>,
        /// `patternProperties`: pattern source text and schema; `origin` is that of the pattern.
        pattern_properties: At<Vec<Property>>,
        /// `propertyNames`
        property_names: At<SchemaId>,
        /// `dependentRequired`
        dependent_required: At<Vec<DependentRequired>>,
        /// `dependentSchemas`
        dependent_schemas: At<Vec<Property>>,
        /// The keyword of older drafts, whose entries stand in the two fields before.
        dependencies: At<bool>,
        /// `unevaluatedProperties`
        unevaluated_properties: At<SchemaId>,
    }
}

group! {
    /// Keywords that apply other schemas to the same instance.
    AppliedKeywords {
        /// `allOf`, never empty.
        all_of: At<Vec<SchemaId>>,
        /// `anyOf`, never empty.
        any_of: At<Vec<SchemaId>>,
        /// `oneOf`, never empty.
        one_of: At<Vec<SchemaId>>,
        /// `not`
        not: At<SchemaId>,
        /// `if`
        if_: At<SchemaId>,
        /// `then`
        then: At<SchemaId>,
        /// `else`
        else_: At<SchemaId>,
        /// `discriminator`
        discriminator: At<Discriminator>,
    }
}

/// A named child schema: of `properties`, `patternProperties` or `dependentSchemas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Name of the property, or source text of the pattern.
    pub name: String,
    /// Where the member stands, which is not where its schema stands if that is a `$ref`.
    pub origin: Origin,
    /// Its schema.
    pub schema: SchemaId,
}

/// One member of `dependentRequired`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependentRequired {
    /// The property whose presence asks for others.
    pub name: String,
    /// Where the member stands.
    pub origin: Origin,
    /// Names of the properties that must then be present.
    pub required: Vec<String>,
}

/// `discriminator`, with its mapping resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discriminator {
    /// `propertyName`
    pub property: At<String>,
    /// Values of the property and the schema that each selects: the explicit `mapping` in its
    /// order, then for every branch of `oneOf`/`anyOf` that is a `$ref`, the name of its target.
    pub mapping: Vec<DiscriminatorMapping>,
}

/// One value of a discriminator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscriminatorMapping {
    /// Value of the property.
    pub value: String,
    /// Schema that it selects.
    pub schema: SchemaId,
    /// Index of that schema in the sibling `oneOf`/`anyOf`; `None` when it is not among them.
    pub branch: Option<u32>,
    /// Whether it was written in `mapping`, rather than derived from a branch's name.
    pub explicit: bool,
    /// Where the mapping's entry or the branch stands.
    pub origin: Origin,
}

/// `$dynamicRef`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicReference {
    /// What it resolves to without regard to the dynamic scope.
    pub schema: SchemaId,
    /// The anchor to look for in the dynamic scope; `None` when the initial target is no dynamic
    /// anchor, so that the keyword behaves as `$ref`.
    pub anchor: Option<String>,
}

/// `xml`: how a value stands in an XML body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xml {
    /// `name` of the element or attribute.
    pub name: Option<String>,
    /// `namespace`
    pub namespace: Option<String>,
    /// `nodeType` of 3.2, or what `attribute` and `wrapped` say before it.
    pub node: XmlNode,
}

/// What of an element a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XmlNode {
    /// Nothing was written: a child element, an array none of its own.
    #[default]
    Default,
    /// A child element, an array too (`wrapped`).
    Element,
    /// An attribute.
    Attribute,
    /// The text of the element.
    Text,
    /// No element of its own.
    None,
}

/// The types of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Type {
    /// `null`
    Null = 1,
    /// `boolean`
    Boolean = 2,
    /// `integer`: a number without fraction, so `1.0` too.
    Integer = 4,
    /// `number`, integers included.
    Number = 8,
    /// `string`
    String = 16,
    /// `array`
    Array = 32,
    /// `object`
    Object = 64,
}

impl Type {
    /// All types.
    pub const ALL: [Type; 7] = [
        Type::Null,
        Type::Boolean,
        Type::Integer,
        Type::Number,
        Type::String,
        Type::Array,
        Type::Object,
    ];

    /// The name in a document.
    pub fn name(self) -> &'static str {
        match self {
            Type::Null => "null",
            Type::Boolean => "boolean",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::String => "string",
            Type::Array => "array",
            Type::Object => "object",
        }
    }
}

/// A set of types. `Number` does not set the bit of `Integer`, though it admits integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TypeSet(pub u8);

impl TypeSet {
    /// The set with `kind` added.
    #[must_use]
    pub fn with(self, kind: Type) -> Self {
        Self(self.0 | kind as u8)
    }

    /// Whether `kind` was named (for `Integer`: not whether `Number` admits it).
    pub fn contains(self, kind: Type) -> bool {
        self.0 & kind as u8 != 0
    }

    /// Whether an instance of type `kind` (as [`Value::kind`] tells it) is admitted.
    pub fn admits(self, kind: Type) -> bool {
        self.contains(kind) || (kind == Type::Integer && self.contains(Type::Number))
    }

    /// The types in it, in the order of [`Type::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Type> {
        Type::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

/// From which part of an API a schema can be reached; a schema can have several uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage(pub u8);

impl Usage {
    /// A request body of an operation.
    pub const REQUEST_BODY: Usage = Usage(1);
    /// A parameter of an operation.
    pub const PARAMETER: Usage = Usage(2);
    /// A response of an operation: its body or a header.
    pub const RESPONSE: Usage = Usage(4);
    /// A request of the other direction: a callback or webhook, or what an outbound API's documents have
    /// under `paths`.
    pub const CALLBACK: Usage = Usage(8);

    /// Both uses.
    #[must_use]
    pub fn with(self, other: Usage) -> Usage {
        Usage(self.0 | other.0)
    }

    /// Whether any of `other`'s uses is among these.
    pub fn intersects(self, other: Usage) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cost_nothing_until_written() {
        let mut schema = Schema::default();
        assert!(schema.string.is_empty() && schema.string.min_length.is_none());
        assert!(schema.string.is_empty(), "reading must not create the group");
        schema.string.min_length = Some(At::new(3, Origin::default()));
        assert_eq!(schema.string.get().and_then(|s| s.min_length).map(|m| m.value), Some(3));
        assert!(size_of::<Schema>() < 640, "{}", size_of::<Schema>());
    }

    #[test]
    fn number_admits_integers() {
        let set = TypeSet::default().with(Type::Number).with(Type::Null);
        assert!(set.admits(Type::Integer) && !set.contains(Type::Integer));
        assert_eq!(set.iter().collect::<Vec<_>>(), [Type::Null, Type::Number]);
    }
}
