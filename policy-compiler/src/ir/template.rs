//! Path templates.

/// A path template taken apart, without the base path.
///
/// `/users/{id}.json` has the segments `users` and (`{id}`, `.json`). A path that ends in `/` has
/// an empty last segment; `/` alone is one empty segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Template {
    /// As written, the part from the first `?` or `#` on left out.
    pub text: String,
    /// The segments between slashes.
    pub segments: Vec<Segment>,
}

/// One segment: parts in order; two variables never stand side by side, literals are not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Segment(pub Vec<Part>);

/// A part of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text that must stand there, as written (not percent-decoded).
    Literal(String),
    /// A path parameter's value: at least one character.
    Variable(String),
}

impl Template {
    /// Names of the variables in order; a name that is repeated occurs again.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().flat_map(|segment| &segment.0).filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The template with variables' names replaced by `{}`: equal for templates that match the
    /// same paths.
    pub fn shape(&self) -> String {
        let mut shape = String::new();
        for segment in &self.segments {
            shape.push('/');
            for part in &segment.0 {
                match part {
                    Part::Literal(text) => shape.push_str(text),
                    Part::Variable(_) => shape.push_str("{}"),
                }
            }
        }
        shape
    }
}

impl Segment {
    /// The text, where the segment has no variable.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The variable's name, where the segment is nothing but one variable.
    pub fn as_variable(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Variable(name)] => Some(name),
            _ => None,
        }
    }
}
