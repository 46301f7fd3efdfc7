//! Values for the XSS detector: tags, attributes and addresses, whole and broken, in all disguises.

use portcullis_injection::xss::names;

use super::random::Random;

const WHITE: [&str; 12] = [" ", " ", " ", "\t", "\n", "\x0b", "\x0c", "\r", "/", "\0", "  ", ""];
const HARMLESS_TAGS: [&str; 12] =
    ["a", "b", "img", "div", "p", "svg", "svgx", "xslt", "form", "x", "video", "scriptx"];
const HARMLESS_ATTRIBUTES: [&str; 14] = [
    "id",
    "class",
    "on",
    "onx",
    "alt",
    "title",
    "x",
    "xmlns:a",
    "xlink",
    "xml",
    "data-x",
    "on\0click",
    "onclic",
    "=",
];
const SCHEMES: [&str; 12] = [
    "javascript:",
    "java",
    "jav\nascript:",
    "jav\tascript",
    "vbscript:x",
    "data:,x",
    "DATA",
    "view-source:x",
    "view-sourc",
    "http://x/",
    "/path",
    "jav",
];

/// A value of markup or of what breaks out of it.
pub fn value(random: &mut Random) -> Vec<u8> {
    let mut value = Vec::new();
    if random.one_in(2) {
        let breakout = random
            .pick(&["'", "\"", "`", ">", "'>", "\">", "`>", " ", "x'", "x\" ", "'/", "</a>", "x="]);
        value.extend(breakout.as_bytes());
    }
    for _ in 0..1 + random.below(3) {
        match random.below(8) {
            0..=3 => tag(random, &mut value),
            4 | 5 => attribute(random, &mut value),
            6 => declaration(random, &mut value),
            _ => text(random, &mut value),
        }
    }
    value
}

fn tag(random: &mut Random, out: &mut Vec<u8>) {
    out.extend(
        random.pick(&["<", "<", "<", "<", "</", "<\0", "< ", "<<", "<%", "<?", "<//"]).bytes(),
    );
    if random.one_in(2) {
        {
            let name = random.pick(&names::TAGS);
            word(random, out, name);
        }
    } else {
        {
            let name = random.pick(&HARMLESS_TAGS).as_bytes();
            word(random, out, name);
        }
    }
    for _ in 0..random.below(3) {
        attribute(random, out);
    }
    out.extend(random.pick(&[">", ">", "/>", " >", "", "/", "\0>", "`"]).bytes());
}

fn attribute(random: &mut Random, out: &mut Vec<u8>) {
    out.extend(random.pick(&WHITE).bytes());
    match random.below(4) {
        0 => {
            let name = random.pick(&names::EVENTS);
            word(random, out, name);
        }
        1 | 2 => {
            let name = random.pick(&names::ATTRIBUTES).0;
            word(random, out, name);
        }
        _ => {
            let name = random.pick(&HARMLESS_ATTRIBUTES).as_bytes();
            word(random, out, name);
        }
    }
    if random.one_in(8) {
        return;
    }
    out.extend(random.pick(&["=", "=", "=", " =", "= ", "\0=\0", "\t=\n", "=="]).bytes());
    let quote = random.pick(&["", "'", "\"", "`", "\u{ff}"]);
    out.extend(quote.bytes());
    match random.below(4) {
        0 => text(random, out),
        1 => {
            let name = random.pick(&names::EVENTS);
            word(random, out, name);
        }
        _ => address(random, out),
    }
    if !random.one_in(6) {
        out.extend(quote.bytes());
    }
}

/// A name, its case mixed, at times with NUL or one byte more or less.
fn word(random: &mut Random, out: &mut Vec<u8>, name: &[u8]) {
    let case = random.below(3);
    for byte in name {
        out.push(match case {
            0 => *byte,
            1 => byte.to_ascii_lowercase(),
            _ => byte ^ if byte.is_ascii_alphabetic() && random.one_in(2) { 0x20 } else { 0 },
        });
        if random.one_in(60) {
            out.push(0);
        }
    }
    match random.below(20) {
        0 => drop(out.pop()),
        1 => out.push(random.byte()),
        _ => {}
    }
}

/// An address, its letters at times as character references.
fn address(random: &mut Random, out: &mut Vec<u8>) {
    for _ in 0..random.below(3) {
        let front = [
            "", " ", "\t", "\u{a0}", "\0", "&#32;", "&#x09", "&#0;", "\x7f", "&#160;", "&#10;",
            "\u{3000}",
        ];
        out.extend(random.pick(&front).bytes());
    }
    let how = random.below(6);
    for byte in random.pick(&SCHEMES).bytes() {
        let encoded = how > 2 && random.one_in(3);
        if !encoded {
            out.push(byte);
            continue;
        }
        let code = u32::from(byte)
            + if random.one_in(12) { 0x100 * random.below(0x1100) as u32 } else { 0 };
        let zeros = "0".repeat(random.below(3) * random.below(4));
        let end = random.pick(&[";", ";", "", " ", "x"]);
        let reference = match random.below(4) {
            0 => format!("&#{zeros}{code}{end}"),
            1 => format!("&#x{zeros}{code:x}{end}"),
            2 => format!("&#X{zeros}{code:X}{end}"),
            _ => format!("&{end}#{code}"),
        };
        out.extend(reference.bytes());
    }
    text(random, out);
}

fn declaration(random: &mut Random, out: &mut Vec<u8>) {
    let pieces = [
        "<!doctype html>",
        "<!DOCTYPE",
        "<!doctyp",
        "<!--",
        "-->",
        "--!>",
        "-!>",
        "--\0>",
        "-\0->",
        "<!-->",
        "<![CDATA[",
        "]]>",
        "]>",
        "<!ENTITY x>",
        "<!entit",
        "<?xml x?>",
        "<?xm>",
        "<?import x>",
        "<!IMPORT>",
        "<!--[if IE]>",
        "<![if x]>",
        "<!--[i-->",
        "<% x %>",
        "<%",
        "%>",
        "% >",
        "`",
        "<!--`-->",
        "<!x`>",
        "</ `>",
        "-",
        "--",
        "x",
        ">",
    ];
    for _ in 0..1 + random.below(5) {
        out.extend(random.pick(&pieces).bytes());
    }
}

fn text(random: &mut Random, out: &mut Vec<u8>) {
    let pieces = [
        "",
        "x",
        "alert(1)",
        "hello world",
        "a=b",
        "1 < 2",
        "a>b",
        "&amp;",
        "caf\u{e9}",
        "`",
        "'",
        "\"",
    ];
    out.extend(random.pick(&pieces).bytes());
}
