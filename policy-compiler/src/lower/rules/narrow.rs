//! What a schema says of the texts of its values, one statement after another.
//!
//! In: the records of a bundle, being made or read. Out: for a schema, a parameter or a field of a form the ways in
//! which a value can be of it, and of each way what holds of the value's text. The rules of a value are narrowed by
//! these when a bundle is made; `inspect` tells by them why a rule cannot match.

use portcullis_bundle::layout::{
    ArrayCheck, FIELD_EXPLODE, FIELD_UNSAID, Format, Index, LITERAL_FALSE, LITERAL_NULL,
    LITERAL_TRUE, LiteralSet, Location, NONE, NarrowingKind as Kind, PARAMETER_EMPTY_ALLOWED,
    PARAMETER_EXPLODE, Parameter, SCHEMA_ANY, Schema, Sections, StringCheck, Style, TEXT_LENIENT,
    TYPE_ARRAY, TYPE_BOOLEAN, TYPE_FRACTION, TYPE_INTEGER, TYPE_NULL, TYPE_OBJECT, TYPE_STRING,
    TextField, TextValue, View,
};

/// Strings of an `enum` that are judged one by one; beyond, it counts as any text.
pub const MAX_VALUES: u32 = 4096;

/// Code points that a length may narrow to; beyond, it counts as any text.
const MAX_LENGTH: u32 = 1 << 16;

/// What holds of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Narrow {
    /// What kind of statement.
    pub kind: Kind,
    /// By kind.
    pub index: u32,
}

impl Narrow {
    fn new(kind: Kind, index: u32) -> Self {
        Narrow { kind, index }
    }
}

/// The ways in which a text can be of a schema; of each, what holds of it, where nothing is said of any text.
pub type Ways = Vec<Vec<Narrow>>;

/// The records that are read.
#[derive(Clone, Copy)]
pub struct Records<'r> {
    schemas: &'r [Schema],
    strings: &'r [StringCheck],
    arrays: &'r [ArrayCheck],
    lists: &'r [Index],
    literals: &'r [LiteralSet],
    texts: &'r [TextValue],
}

impl<'r> From<&'r Sections> for Records<'r> {
    fn from(of: &'r Sections) -> Self {
        Records {
            schemas: &of.schemas,
            strings: &of.string_checks,
            arrays: &of.array_checks,
            lists: &of.lists,
            literals: &of.literal_sets,
            texts: &of.text_values,
        }
    }
}

impl<'r> From<&View<'r>> for Records<'r> {
    fn from(of: &View<'r>) -> Self {
        Records {
            schemas: of.schemas,
            strings: of.string_checks,
            arrays: of.array_checks,
            lists: of.lists,
            literals: of.literal_sets,
            texts: of.text_values,
        }
    }
}

/// Any text.
pub fn any() -> Ways {
    vec![Vec::new()]
}

impl<'r> Records<'r> {
    /// The ways to be of a schema in JSON. Truth, null, arrays and objects have no text.
    pub fn of_schema(&self, schema: u32) -> Ways {
        let Some(of) = self.schemas.get(schema as usize).filter(|_| schema != SCHEMA_ANY) else {
            return any();
        };
        let mut ways = Vec::new();
        let types = self.types_of(of);
        if types & (TYPE_INTEGER | TYPE_FRACTION) != 0 {
            ways.push(vec![Narrow::new(Kind::Number, 0)]);
        }
        if types & TYPE_STRING != 0 {
            ways.push(self.of_string(of));
        }
        ways
    }

    /// The types of a schema's values: an `enum` of scalars leaves those of its values.
    fn types_of(&self, of: &Schema) -> u8 {
        let Some(set) = self.literals.get(of.literals.get() as usize) else { return of.types };
        let scalars = set.scalars.get();
        let kinds = [
            (TYPE_STRING, set.string_count.get() > 0),
            (TYPE_INTEGER | TYPE_FRACTION, set.number_count.get() > 0),
            (TYPE_NULL, scalars & LITERAL_NULL != 0),
            (TYPE_BOOLEAN, scalars & (LITERAL_TRUE | LITERAL_FALSE) != 0),
        ];
        of.types & kinds.iter().filter(|(_, there)| *there).fold(0, |all, (kind, _)| all | kind)
    }

    /// The ways to be the text of a parameter, as rules see it.
    pub fn of_parameter(&self, parameter: &Parameter) -> Ways {
        let (schema, value) = (parameter.schema.get(), parameter.value.get());
        let lists = match Style::from_code(parameter.style) {
            Some(Style::Form) if parameter.flags & PARAMETER_EXPLODE != 0 => Lists::Repeated,
            Some(Style::Form | Style::Simple | Style::SpaceDelimited | Style::PipeDelimited) => {
                Lists::Joined
            }
            // What is read as sent is looked at decoded.
            Some(Style::Cookie) if self.types(schema) & (TYPE_STRING | TYPE_ARRAY) == 0 => {
                Lists::Unknown
            }
            // Matrix and label put letters before the value; others can say anything.
            _ => return any(),
        };
        let mut ways = self.of_text(schema, value, lists);
        if parameter.location == Location::Header.code() && self.types(schema) & TYPE_STRING != 0 {
            // Several fields are judged as one list and looked at one by one.
            ways = vec![vec![Narrow::new(Kind::Items, schema)]];
        }
        if parameter.flags & PARAMETER_EMPTY_ALLOWED != 0 {
            ways.push(vec![Narrow::new(Kind::Word, 0)]);
        }
        ways
    }

    /// The ways to be the text of a field of a form, whose property has a schema.
    pub fn of_field(&self, schema: u32, field: &TextField) -> Ways {
        let repeats = field.style == Style::Form.code() && field.flags & FIELD_EXPLODE != 0;
        let lists = match field.flags & FIELD_UNSAID {
            0 if repeats => Lists::Repeated,
            0 if field.style == Style::Form.code() => Lists::Joined,
            // Lists may come as JSON.
            _ => Lists::Unknown,
        };
        self.of_text(schema, field.value.get(), lists)
    }

    /// The ways to be the text of a schema's value that a text value says how to read.
    fn of_text(&self, schema: u32, value: u32, lists: Lists) -> Ways {
        let (Some(of), Some(text)) =
            (self.schemas.get(schema as usize), self.texts.get(value as usize))
        else {
            return any();
        };
        if schema == SCHEMA_ANY {
            return any();
        }
        // What the text is read as says what its schema has judged; scalars alone are judged as they are.
        let types = self.types_of(of);
        let read = if types & (TYPE_ARRAY | TYPE_OBJECT) == 0 { types } else { types | text.types };
        if read & TYPE_OBJECT != 0 {
            return any();
        }
        let mut ways = self.of_scalar(of, text);
        if read & TYPE_ARRAY != 0 {
            let (Some(items), Some(item)) =
                (self.items(of), self.texts.get(text.items.get() as usize))
            else {
                return any();
            };
            let Some(of) = self.schemas.get(items as usize) else { return any() };
            if (item.types | of.types) & (TYPE_ARRAY | TYPE_OBJECT) != 0 {
                return any();
            }
            match lists {
                Lists::Unknown => return any(),
                Lists::Joined => ways.push(vec![Narrow::new(Kind::Items, items)]),
                Lists::Repeated => ways.extend(self.of_scalar(of, item)),
            }
            // A list without items may be an empty text.
            ways.push(vec![Narrow::new(Kind::Word, 0)]);
        }
        ways
    }

    fn of_scalar(&self, of: &Schema, text: &TextValue) -> Ways {
        let (mut ways, types) = (Vec::new(), self.types_of(of));
        if types & TYPE_STRING != 0 {
            ways.push(self.of_string(of));
        }
        if types & (TYPE_INTEGER | TYPE_FRACTION) != 0 {
            let lenient = text.flags & TEXT_LENIENT != 0;
            ways.push(vec![Narrow::new(if lenient { Kind::TextNumber } else { Kind::Number }, 0)]);
        }
        if types & (TYPE_BOOLEAN | TYPE_NULL) != 0 {
            ways.push(vec![Narrow::new(Kind::Word, 0)]);
        }
        ways
    }

    /// What holds of the strings of a schema.
    fn of_string(&self, of: &Schema) -> Vec<Narrow> {
        let mut found = Vec::new();
        let set = self.literals.get(of.literals.get() as usize);
        if set.is_some_and(|set| set.string_count.get() <= MAX_VALUES) {
            found.push(Narrow::new(Kind::Literals, of.literals.get()));
        }
        let Some(check) = self.strings.get(of.string.get() as usize) else { return found };
        let format = Format::from_code(check.format).filter(|format| has_language(*format));
        found.extend(format.map(|format| Narrow::new(Kind::Format, format.code().into())));
        let list = |first: u32, count: u16| {
            let indexes = self.lists.iter().skip(first as usize).take(count.into());
            indexes.map(|index| index.value.get())
        };
        let patterns = list(check.patterns.get(), check.pattern_count.get());
        found.extend(patterns.map(|at| Narrow::new(Kind::Pattern, at)));
        let classes = list(check.classes.get(), check.class_count.get());
        found.extend(classes.map(|at| Narrow::new(Kind::Class, at)));
        let length = check.max_length.get();
        if length != NONE && length <= MAX_LENGTH {
            found.push(Narrow::new(Kind::Length, length));
        }
        found
    }

    /// The one schema of all items of an array.
    fn items(&self, of: &Schema) -> Option<u32> {
        let array = self.arrays.get(of.array.get() as usize)?;
        let items = array.items.get();
        (array.prefix_count.get() == 0 && items != SCHEMA_ANY).then_some(items)
    }

    fn types(&self, schema: u32) -> u8 {
        self.schemas.get(schema as usize).map_or(u8::MAX, |of| self.types_of(of))
    }
}

/// How the items of a list are sent.
#[derive(Clone, Copy)]
enum Lists {
    /// Each by itself, under the same name.
    Repeated,
    /// With `,`, a space or `|` between them.
    Joined,
    /// In a way that is not known beforehand.
    Unknown,
}

/// Whether a format says enough of its texts to narrow rules.
pub fn has_language(format: Format) -> bool {
    matches!(
        format,
        Format::Date
            | Format::Time
            | Format::TimeLocal
            | Format::DateTime
            | Format::DateTimeLocal
            | Format::Duration
            | Format::Uuid
            | Format::Ipv4
            | Format::Ipv6
            | Format::Int64
            | Format::Uint64
            | Format::Decimal
            | Format::Decimal128
            | Format::Byte
            | Format::Base64Url
            | Format::Hostname
    )
}
