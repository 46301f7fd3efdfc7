//! What the header of a JWT must satisfy, as if a document said it.

use super::{
    Branches, Composition, Literals, Lowering, Node, NodeId, ObjectPart, PropertyPart, StringPart,
};
use portcullis_bundle::layout::{CompositionKind, Keyword, TYPE_OBJECT, TYPE_STRING};

impl Lowering<'_> {
    /// The node of a JOSE header that names an algorithm which proves something: an object with the
    /// string `alg` (RFC 7515, section 4.1.1), which is not `none` (RFC 7518, section 3.6) in whatever
    /// case, since libraries differ in whether they regard it.
    pub fn jwt_header(&mut self) -> NodeId {
        if let Some(known) = self.jwt_header {
            return known;
        }
        let spellings = (0..16u32).map(|upper| {
            let cased = "none".chars().enumerate();
            cased
                .map(|(at, c)| if upper >> at & 1 == 1 { c.to_ascii_uppercase() } else { c })
                .collect()
        });
        let mut strings: Vec<String> = spellings.collect();
        strings.sort_unstable();
        let literals = Some(Literals { strings, ..Literals::default() });
        let none = self.push(Node { types: TYPE_STRING, literals, ..Node::default() });
        let branches = Branches::Plain(CompositionKind::Not, vec![none]);
        let algorithm = self.push(Node {
            types: TYPE_STRING,
            string: Some(StringPart { min_length: 1, ..StringPart::default() }),
            compositions: vec![Composition::new(Keyword::Not, branches)],
            ..Node::default()
        });
        let property = PropertyPart {
            name: "alg".to_owned(),
            node: algorithm,
            required: true,
            required_by: None,
            implied: false,
        };
        let object = ObjectPart { properties: vec![property], ..ObjectPart::open() };
        let header = Node { types: TYPE_OBJECT, object: Some(object), ..Node::default() };
        let header = self.push(header);
        self.jwt_header = Some(header);
        header
    }
}
