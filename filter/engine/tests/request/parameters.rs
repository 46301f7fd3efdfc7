//! Parameters by location, style and shape.

use super::Request;
use super::support::{Builder, Param, Shape};
use portcullis_bundle::Bundle;
use portcullis_bundle::layout::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A bundle with `GET /p` and these parameters.
fn bundle(declare: impl FnOnce(&mut Builder) -> Vec<Param>) -> Bundle {
    let mut builder = Builder::new();
    let parameters = declare(&mut builder);
    let path = parameters.iter().any(|parameter| parameter.location == Location::Path);
    builder.operation("GET", if path { "/p/{x}" } else { "/p" }, &parameters, &[], |_| {});
    builder.build()
}

/// Judges `GET /p` with each query.
fn queries(bundle: &Bundle, expected: &[(&str, &str)]) {
    for (query, label) in expected {
        let found = Request::new("GET", format!("/p?{query}")).judge(bundle);
        assert_eq!(found.decision.label(), *label, "{query}: {:?}", found.found);
    }
}

const MALFORMED: &str = "block:parameter-malformed";
const INVALID: &str = "block:parameter-invalid";
const MISSING: &str = "block:parameter-missing";
const REPEATED: &str = "block:parameter-repeated";
const UNDECLARED: &str = "block:parameter-undeclared";

#[test]
fn scalars_in_the_query() {
    let bundle = bundle(|builder| {
        let (number, text) = (builder.integer(1, 100), builder.string(1, 5));
        let flag = builder.schema(TYPE_BOOLEAN, |_| {});
        vec![
            Param::new(Location::Query, "n", number, TYPE_INTEGER).flags(PARAMETER_REQUIRED),
            Param::new(Location::Query, "a b", text, TYPE_STRING),
            Param::new(Location::Query, "f", flag, TYPE_BOOLEAN),
            Param::new(Location::Query, "e", number, TYPE_INTEGER).flags(PARAMETER_EMPTY_ALLOWED),
        ]
    });
    queries(
        &bundle,
        &[
            ("n=7", "allow"),
            ("n=%37", "allow"),
            ("%6e=7&f=true&", "allow"),
            ("n=7&a+b=x+y%20z", "allow"),
            ("n=7&a%20b=%C3%A9", "allow"),
            ("n=7&e", "allow"),
            ("n=7&e=", "allow"),
            ("n=7&e=8", "allow"),
            ("", MISSING),
            ("a+b=x", MISSING),
            ("n=0", INVALID),
            ("n=101", INVALID),
            ("n=1.5", INVALID),
            ("n=x", INVALID),
            ("n=07", INVALID),
            ("n=", INVALID),
            ("n", INVALID),
            ("n=+7", INVALID),
            ("n=7&f=TRUE", INVALID),
            ("n=7&a+b=", INVALID),
            ("n=7&a+b=123456", INVALID),
            ("n=7&e=x", INVALID),
            ("n=7&n=7", REPEATED),
            ("n=7&a+b=%", MALFORMED),
            ("n=7&a+b=%ff", MALFORMED),
            ("n=7&x=1", UNDECLARED),
            ("n=7&=1", UNDECLARED),
            ("N=7&n=7", UNDECLARED),
        ],
    );
}

#[test]
fn undeclared_parameters_by_policy() {
    for (action, label) in [
        (Action::Allow, "allow"),
        (Action::Monitor, "monitor:parameter-undeclared"),
        (Action::Block, UNDECLARED),
    ] {
        let mut builder = Builder::new();
        let set = |operation: &mut Operation| operation.undeclared_query = action.code();
        builder.operation("GET", "/p", &[], &[], set);
        queries(&builder.build(), &[("x=%", label), ("", "allow")]);
    }
}

#[test]
fn too_many_parameters() {
    let bundle = bundle(|builder| {
        let text = builder.string(0, 5);
        vec![Param::new(Location::Query, "a", text, TYPE_STRING).flags(PARAMETER_REQUIRED)]
    });
    let many = "x=1&".repeat(16);
    assert_eq!(Request::new("GET", format!("/p?{many}")).verdict(&bundle), MISSING);
    let judged = Request::new("GET", format!("/p?{many}a=1")).judge(&bundle);
    assert_eq!(judged.found, ["parameters-too-many"]);
}

#[test]
fn arrays_in_the_query() {
    let declare = |style: Style, flags: u8| {
        bundle(move |builder| {
            let item = builder.integer(1, 9);
            let array = builder.array(item, 3);
            let parameter = Param::new(Location::Query, "a", array, TYPE_INTEGER);
            vec![parameter.shape(Shape::Array).style(style).flags(flags)]
        })
    };
    queries(
        &declare(Style::Form, PARAMETER_EXPLODE),
        &[
            ("a=1", "allow"),
            ("a=1&a=2&a=3", "allow"),
            ("a=1&a=2&a=3&a=4", INVALID),
            ("a=1,2", INVALID),
            ("a=1&a=x", INVALID),
            ("a=", INVALID),
            ("a=1&a=%z", MALFORMED),
        ],
    );
    queries(
        &declare(Style::Form, 0),
        &[
            ("a=1,2,3", "allow"),
            ("a=1,2,3,4", INVALID),
            ("a=1&a=2", REPEATED),
            ("a=1%2C2", INVALID),
            ("a=1,,2", INVALID),
        ],
    );
    queries(&declare(Style::SpaceDelimited, 0), &[("a=1%202+3", "allow"), ("a=1,2", INVALID)]);
    queries(&declare(Style::PipeDelimited, 0), &[("a=1|2%7c3", "allow"), ("a=1,2", INVALID)]);
}

#[test]
fn objects_in_the_query() {
    let declare = |style: Style, flags: u8, additional: bool| {
        bundle(move |builder| {
            let (number, text) = (builder.integer(1, 9), builder.string(0, 3));
            let rest = if additional { text } else { SCHEMA_NEVER };
            let object = builder.object(&[("n", number, true), ("t", text, false)], rest);
            let parameter = Param::new(Location::Query, "o", object, TYPE_STRING)
                .shape(Shape::Object)
                .style(style)
                .flags(flags)
                .fields(&[("n", TYPE_INTEGER), ("t", TYPE_STRING)]);
            vec![parameter, Param::new(Location::Query, "other", text, TYPE_STRING)]
        })
    };
    queries(
        &declare(Style::Form, 0, false),
        &[
            ("o=n,1,t,2", "allow"),
            ("o=n,10", INVALID),
            ("o=t,1", INVALID),
            ("o=n", MALFORMED),
            ("o=n,1,n,2", REPEATED),
            ("o=n,1,x,2", INVALID),
        ],
    );
    queries(
        &declare(Style::Form, PARAMETER_EXPLODE, false),
        &[
            ("n=1&t=2&other=3", "allow"),
            ("", "allow"),
            ("other=3", "allow"),
            ("t=2", INVALID),
            ("n=1&n=2", REPEATED),
            ("n=1&x=2", UNDECLARED),
            ("o=1", UNDECLARED),
        ],
    );
    queries(
        &declare(Style::Form, PARAMETER_EXPLODE | PARAMETER_OPEN_OBJECT, true),
        &[
            ("n=1&x=2&other=3", "allow"),
            // The object has no `n`.
            ("x=2", INVALID),
            ("n=1&x=long", INVALID),
            // What another parameter takes is not the object's.
            ("n=1&other=long", INVALID),
            ("other=3", "allow"),
        ],
    );
    queries(
        &declare(Style::DeepObject, PARAMETER_EXPLODE, false),
        &[
            ("o[n]=1&o[t]=2", "allow"),
            ("o%5bn%5d=1", "allow"),
            ("o[n]=10", INVALID),
            ("o[x]=1&o[n]=1", INVALID),
            ("n=1", UNDECLARED),
        ],
    );
}

#[test]
fn content_encoded_parameters() {
    let bundle = bundle(|builder| {
        let number = builder.integer(1, 9);
        let object = builder.object(&[("n", number, true)], SCHEMA_NEVER);
        vec![Param::new(Location::Query, "j", object, TYPE_OBJECT).style(Style::Json)]
    });
    queries(
        &bundle,
        &[
            ("j=%7B%22n%22:1%7D", "allow"),
            ("j={\"n\":1}", "allow"),
            ("j={\"n\":10}", INVALID),
            ("j={\"n\":1", MALFORMED),
            ("j=", MALFORMED),
            ("j={\"n\":1}&j={\"n\":1}", REPEATED),
        ],
    );
}

#[test]
fn text_that_may_be_a_string_or_a_number() {
    let types = TYPE_STRING | TYPE_INTEGER | TYPE_NULL;
    let bundle = bundle(|builder| {
        let (text, number) = (builder.string(3, 5), builder.integer(1, 9));
        let both = builder.schema(TYPE_STRING | TYPE_INTEGER, |_| {});
        builder.sections.schemas[both as usize].string =
            builder.sections.schemas[text as usize].string;
        builder.sections.schemas[both as usize].number =
            builder.sections.schemas[number as usize].number;
        let array = builder.array(both, 2);
        vec![
            Param::new(Location::Query, "b", both, types),
            Param::new(Location::Query, "a", array, types).shape(Shape::Array),
        ]
    });
    queries(
        &bundle,
        &[
            ("b=abc", "allow"),
            ("b=123", "allow"),
            ("b=7", "allow"),
            ("b=12", INVALID),
            ("b=x", INVALID),
            ("a=7,8", "allow"),
            ("a=abc,def", "allow"),
            ("a=abc,7", "allow"),
        ],
    );
}

#[test]
fn paths_and_headers_and_cookies() {
    let bundle = bundle(|builder| {
        let (number, text) = (builder.integer(1, 9), builder.string(1, 4));
        let (array, object) =
            (builder.array(number, 3), builder.object(&[("n", number, true)], SCHEMA_NEVER));
        vec![
            Param::new(Location::Path, "x", array, TYPE_INTEGER).shape(Shape::Array),
            Param::new(Location::Header, "x-one", number, TYPE_INTEGER).flags(PARAMETER_REQUIRED),
            Param::new(Location::Header, "x-list", array, TYPE_INTEGER).shape(Shape::Array),
            Param::new(Location::Header, "x-object", object, TYPE_STRING)
                .shape(Shape::Object)
                .flags(PARAMETER_EXPLODE)
                .fields(&[("n", TYPE_INTEGER)]),
            Param::new(Location::Header, "x-text", text, TYPE_STRING),
            Param::new(Location::Cookie, "session", text, TYPE_STRING),
        ]
    });
    let judge = |path: &str, headers: &[(&str, &[u8])]| {
        let request = Request::new("GET", path).header("x-one", "1");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.verdict(&bundle)
    };
    assert_eq!(judge("/p/1,2,3", &[]), "allow");
    assert_eq!(judge("/p/1,2,3,4", &[]), INVALID);
    assert_eq!(judge("/p/1%2c2", &[]), INVALID);
    assert_eq!(Request::new("GET", "/p/1").verdict(&bundle), MISSING);
    for (name, value, label) in [
        ("x-one", &b"2"[..], REPEATED),
        ("x-list", b"1, 2 ,3", "allow"),
        ("x-list", b"1,2,3,4", INVALID),
        ("x-object", b"n=1", "allow"),
        ("x-object", b"n=10", INVALID),
        ("x-object", b"n", MALFORMED),
        ("x-text", b"a+%4", "allow"),
        ("x-text", b"\xc3\xa9", "allow"),
        ("x-text", b"\xe9", MALFORMED),
        ("x-unknown", b"\xe9\xff", "allow"),
        ("cookie", b"session=abcd; other=\xff", "allow"),
        ("cookie", b"session=\"ab\"", "allow"),
        ("cookie", b"session=%61bcd", "allow"),
        ("cookie", b"session=abcde", INVALID),
        ("cookie", b"session=\xe9", MALFORMED),
        ("cookie", b"session=a; session=b", REPEATED),
    ] {
        assert_eq!(judge("/p/1", &[(name, value)]), label, "{name}: {}", value.escape_ascii());
    }
    assert_eq!(judge("/p/1", &[("x-list", b"1,2"), ("x-list", b"3")]), "allow");
    assert_eq!(judge("/p/1", &[("x-list", b"1,2"), ("x-list", b"3,4")]), INVALID);
    assert_eq!(judge("/p/1", &[("cookie", b"a=1"), ("cookie", b"session=abcde")]), INVALID);
}

#[test]
fn unenforced_parameters_are_looked_for_only() {
    let bundle = bundle(|_| {
        let parameter = |name| {
            Param::new(Location::Query, name, SCHEMA_ANY, TYPE_ALL).flags(PARAMETER_UNENFORCED)
        };
        vec![
            parameter("r").flags(PARAMETER_REQUIRED),
            parameter("d").shape(Shape::Object).style(Style::DeepObject),
        ]
    });
    queries(
        &bundle,
        &[
            ("r=%", "allow"),
            ("r=1&r=2", "allow"),
            ("r&d[a][b]=1&d[]=2", "allow"),
            ("d[a]=1", MISSING),
            ("r&d=1", UNDECLARED),
        ],
    );
}

#[test]
fn findings_name_the_line_of_the_keyword() {
    let bundle = bundle(|builder| {
        let number = builder.integer(1, 9);
        builder.trace(number, Keyword::Maximum, 42);
        vec![Param::new(Location::Query, "n", number, TYPE_INTEGER)]
    });
    let judged = Request::new("GET", "/p?n=10").judge(&bundle);
    assert_eq!(judged.found, ["parameter-invalid at query n (maximum), test.yaml:42"]);
}
