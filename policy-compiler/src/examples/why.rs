//! The reasons for which a keyword is out of the reach of requests, with the names that tables show.

/// Why no request violates a keyword by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// `type` admits strings, and the value is text.
    TextIsString,
    /// `type` admits what the way of writing makes of any value: an object or list by its style.
    StyleSaysType,
    /// `type` admits objects, and a form is one.
    FormIsObject,
    /// `type` admits what the element is taken for.
    ElementSaysType,
    /// Every value that an `enum` or `const` on the same value lists satisfies it.
    Listed,
    /// Another keyword on the same value refuses whatever it refuses.
    Stricter,
    /// It is about what tells the branch of the union, and every value that does satisfies it.
    TagIsThere,
    /// Another branch of the `anyOf` accepts whatever it refuses.
    OtherBranch,
    /// Every branch of the union asks for the type of the same value alike, so that the union is what refuses.
    EveryBranch,
    /// For every type that the value can have a branch of the union is there, so that the branch is what refuses.
    BranchOfType,
    /// Whatever the branch of a `oneOf` accepts, another one accepts too.
    NeverAlone,
    /// No value satisfies all that the schemas on the way ask for: a closed object that must have another property.
    Unsatisfiable,
    /// An empty list or object cannot be said where the value stands: it is absent.
    EmptyIsAbsent,
    /// A variable of the path is not empty.
    PathNotEmpty,
    /// No value of the types that the value can have is judged by it.
    OtherType,
    /// It refuses nothing.
    Nothing,
}

impl Why {
    /// Its name in tables.
    pub fn code(self) -> &'static str {
        match self {
            Why::TextIsString => "text-is-string",
            Why::StyleSaysType => "style-says-type",
            Why::FormIsObject => "form-is-object",
            Why::ElementSaysType => "element-says-type",
            Why::Listed => "enum-is-stricter",
            Why::Stricter => "other-is-stricter",
            Why::TagIsThere => "tag-is-there",
            Why::OtherBranch => "other-branch",
            Why::EveryBranch => "every-branch",
            Why::BranchOfType => "branch-of-type",
            Why::NeverAlone => "never-alone",
            Why::Unsatisfiable => "unsatisfiable",
            Why::EmptyIsAbsent => "empty-is-absent",
            Why::PathNotEmpty => "path-not-empty",
            Why::OtherType => "other-type",
            Why::Nothing => "refuses-nothing",
        }
    }

    /// Whether the way in which a value is written says its type, so that no writing of it says another one.
    pub fn is_of_writing(self) -> bool {
        matches!(
            self,
            Why::TextIsString | Why::StyleSaysType | Why::FormIsObject | Why::ElementSaysType
        )
    }

    /// What it means, lower case, without a final period.
    pub fn meaning(self) -> &'static str {
        match self {
            Why::TextIsString => "the value is text, and any text is a string",
            Why::StyleSaysType => {
                "the style makes a list or an object of any text, or refuses it as malformed"
            }
            Why::FormIsObject => "a form is an object",
            Why::ElementSaysType => {
                "an element is read as the list or object that the schema asks for"
            }
            Why::Listed => "an enum or const on the same value lists only values that satisfy it",
            Why::Stricter => "another keyword on the same value refuses whatever it refuses",
            Why::TagIsThere => "the discriminator's value, which chooses the branch, satisfies it",
            Why::OtherBranch => "another branch of the anyOf accepts whatever it refuses",
            Why::EveryBranch => {
                "every branch of the union asks for a type alike, so the union is named"
            }
            Why::BranchOfType => {
                "a branch is there for each type that the value can have, and is named"
            }
            Why::NeverAlone => "whatever its branch of the oneOf accepts, another one accepts too",
            Why::Unsatisfiable => {
                "its schemas contradict each other: a closed object has not the property, or not one that must be there"
            }
            Why::EmptyIsAbsent => "an empty list or object cannot be written there, and is absent",
            Why::PathNotEmpty => "a variable of the path is never empty",
            Why::OtherType => "it judges no value of the types that are admitted beside it",
            Why::Nothing => "it refuses nothing",
        }
    }
}
