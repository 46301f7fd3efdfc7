use super::parse::parse;
use super::tree::Tree;
use crate::schema::{FaultKind, Limits, Malformation, Part};
use proptest::prelude::*;

fn read(text: &str) -> Result<Tree, (FaultKind, usize)> {
    let limits = Limits { depth: 8, string: 64, items: 32, ..Limits::default() };
    let mut tree = Tree::default();
    parse(text.as_bytes(), &limits, &mut tree).map(|()| tree)
}

fn malformed(text: &str) -> Malformation {
    match read(text) {
        Err((FaultKind::Malformed(what), at)) if at <= text.len() => what,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn well_formed_documents() {
    for text in [
        "<a/>",
        "\u{FEFF}<a></a>",
        "<?xml version=\"1.0\"?><a/>",
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n<!-- c --><a b='1' c=\"2\"/>\n<!-- d -->",
        "<a>x &lt; y &amp;&#65; <![CDATA[<b>&amp;]] >]]></a>",
        "<p:a xmlns:p='urn:x' p:b='1' b='2'><p:c/></p:a>",
        "<a xmlns='urn:x'><b xmlns=''/></a>",
        "<a xml:lang='en'/>",
        "<a b = '1'\n/>",
        "<é>ü</é>",
        "<a>]] ></a>",
    ] {
        assert!(read(text).is_ok(), "{text}: {:?}", read(text).err());
    }
}

#[test]
fn what_is_not_well_formed() {
    use Malformation::{ControlCharacter, DocumentType, Trailing, Truncated, Unexpected};
    for (text, what) in [
        ("", Unexpected),
        ("a", Unexpected),
        ("<a", Truncated),
        ("<a>", Truncated),
        ("<a><b></a>", Unexpected),
        ("<a></b>", Unexpected),
        ("<a/><b/>", Trailing),
        ("<a/>x", Trailing),
        ("<a>&nbsp;</a>", Unexpected),
        ("<a>&</a>", Unexpected),
        ("<a>]]></a>", Unexpected),
        ("<a b/>", Unexpected),
        ("<a b=1/>", Unexpected),
        ("<a b='<'/>", Unexpected),
        ("<a b='1'c='2'/>", Unexpected),
        ("<a><!-- -- --></a>", Unexpected),
        ("<a><?php x?></a>", Unexpected),
        ("<?pi x?><a/>", Unexpected),
        ("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", DocumentType),
        ("<a><!ENTITY x 'y'></a>", DocumentType),
        ("<a>\u{1}</a>", ControlCharacter),
        ("<a>\u{FFFE}</a>", ControlCharacter),
        ("<?xml version='1.1'?><a/>", Unexpected),
        ("<?xml version='1.0' encoding='UTF-16'?><a/>", Unexpected),
        ("<?xml encoding='UTF-8'?><a/>", Unexpected),
        (" <?xml version='1.0'?><a/>", Unexpected),
        ("<p:a/>", Unexpected),
        ("<a p:b='1'/>", Unexpected),
        ("<a xmlns:p=''/>", Unexpected),
        ("<a xmlns:xml='urn:x'/>", Unexpected),
        ("<a xmlns:xmlns='urn:x'/>", Unexpected),
        ("<a:b:c xmlns:a='u'/>", Unexpected),
        ("<1/>", Unexpected),
        ("< a/>", Unexpected),
    ] {
        assert_eq!(malformed(text), what, "{text}");
    }
}

#[test]
fn attributes_are_there_once() {
    for text in ["<a b='1' b='2'/>", "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>"] {
        assert!(matches!(read(text), Err((FaultKind::DuplicateName, _))), "{text}");
    }
    assert!(read("<a xmlns:p='u' xmlns:p='v'/>").is_err());
}

#[test]
fn limits_hold() {
    let deep = format!("{}{}", "<a>".repeat(9), "</a>".repeat(9));
    assert_eq!(read(&deep).err().map(|e| e.0), Some(FaultKind::TooDeep));
    let wide = format!("<a>{}</a>", "<b/>".repeat(32));
    assert_eq!(read(&wide).err().map(|e| e.0), Some(FaultKind::TooLarge(Part::Items)));
    let long = format!("<a>{}</a>", "x".repeat(65));
    assert_eq!(read(&long).err().map(|e| e.0), Some(FaultKind::TooLarge(Part::String)));
    let pieces = format!("<a>{}</a>", "xxxxxxxxxx<!-- -->".repeat(7));
    assert_eq!(read(&pieces).err().map(|e| e.0), Some(FaultKind::TooLarge(Part::String)));
}

#[test]
fn texts_are_decoded() {
    let tree = read("<a b='x&#10;\ty&quot;'> 1 &lt;<!-- c --><![CDATA[&]]>\r\n</a>").unwrap();
    let root = tree.elements[0];
    assert_eq!(root.text.of(&tree.texts), b" 1 <&\n");
    assert_eq!(tree.attributes_of(&root)[0].value.of(&tree.texts), b"x\n y\"");
}

#[test]
fn mixed_content_is_noticed() {
    let mixed = |text: &str| read(text).unwrap().elements[0].mixed;
    assert!(!mixed("<a> <b>x</b> \n<c/> </a>"));
    assert!(mixed("<a>x<b/></a>"));
    assert!(mixed("<a><b/>x</a>"));
    assert!(mixed("<a><b/><c>1</c><![CDATA[x]]><d/></a>"));
}

proptest! {
    #[test]
    fn nothing_panics(text in "[<>/a-c:='\"&;#x!\\[\\]\\-? \\n]{0,64}") {
        let _ = read(&text);
    }

    #[test]
    fn text_reads_back(text in "[ -~é€\\n]{0,12}") {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let tree = read(&format!("<a>{escaped}</a>")).unwrap();
        prop_assert_eq!(tree.elements[0].text.of(&tree.texts), text.as_bytes());
    }
}
