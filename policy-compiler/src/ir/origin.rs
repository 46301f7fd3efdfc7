//! Where things stand in the user's files.

/// Index of a file in [`Model::documents`](super::Model::documents).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(pub u32);

impl DocumentId {
    /// The index as `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The place of a construct: file, line, column and JSON pointer.
///
/// For a member of an object, line and column are those of its key, and the pointer that of its
/// value: `minLength: 3` is shown where `minLength` stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file.
    pub document: DocumentId,
    /// Line, from 1.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
    /// The JSON pointer, kept in [`Pointers`].
    pub pointer: PointerId,
}

/// A value and the keyword it was written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At<T> {
    /// What was written.
    pub value: T,
    /// Where the keyword stands; for a default, where the construct that lacks it stands.
    pub origin: Origin,
}

impl<T> At<T> {
    /// `value`, written at `origin`.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// Index into [`Pointers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PointerId(pub u32);

/// JSON pointers, each stored as its parent and its last token. Entry 0 is the empty pointer.
///
/// A pointer does not say which document it belongs to; [`Origin`] does.
#[derive(Clone, Debug)]
pub struct Pointers {
    entries: Vec<(PointerId, Box<str>)>,
}

impl Default for Pointers {
    fn default() -> Self {
        Self { entries: vec![(PointerId(0), "".into())] }
    }
}

impl Pointers {
    /// The pointer of the whole document.
    pub const ROOT: PointerId = PointerId(0);

    /// Adds the pointer of member `token` (unescaped) of `parent`. Does not look for an equal one.
    pub fn push(&mut self, parent: PointerId, token: &str) -> PointerId {
        let id = PointerId(u32::try_from(self.entries.len()).unwrap_or(0));
        self.entries.push((parent, token.into()));
        id
    }

    /// The tokens of a pointer from the root, unescaped.
    pub fn tokens(&self, id: PointerId) -> Vec<&str> {
        let mut tokens = Vec::new();
        let mut at = id;
        while at != Self::ROOT {
            let Some((parent, token)) = self.entries.get(at.0 as usize) else { break };
            tokens.push(&**token);
            at = *parent;
        }
        tokens.reverse();
        tokens
    }

    /// The pointer without its last token; `None` for the root.
    pub fn parent(&self, id: PointerId) -> Option<PointerId> {
        let parent = self.entries.get(id.0 as usize).map(|(parent, _)| *parent);
        parent.filter(|_| id != Self::ROOT)
    }

    /// The last token, escaped as RFC 6901 section 3 says; empty for the root.
    pub fn token(&self, id: PointerId) -> String {
        let token = self.entries.get(id.0 as usize).filter(|_| id != Self::ROOT);
        token.map_or_else(String::new, |(_, token)| token.replace('~', "~0").replace('/', "~1"))
    }

    /// The pointer as text, escaped as RFC 6901 section 3 says.
    pub fn render(&self, id: PointerId) -> String {
        let mut text = String::new();
        for token in self.tokens(id) {
            text.push('/');
            for c in token.chars() {
                match c {
                    '~' => text.push_str("~0"),
                    '/' => text.push_str("~1"),
                    c => text.push(c),
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_escape_and_nest() {
        let mut p = Pointers::default();
        let paths = p.push(Pointers::ROOT, "paths");
        let pets = p.push(paths, "/pets/~{id}");
        assert_eq!(p.render(pets), "/paths/~1pets~1~0{id}");
        assert_eq!(p.render(Pointers::ROOT), "");
        let empty = p.push(Pointers::ROOT, "");
        assert_eq!(p.render(empty), "/");
    }
}
