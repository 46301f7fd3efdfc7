//! Keeps FORMAT.md in step with the layout: its tables are written from the source.
//!
//! `UPDATE_FORMAT=1 cargo test -p portcullis-bundle --test format` writes them anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use portcullis_bundle::layout::*;
use std::fmt::Write;

const BEGIN: &str = "<!-- written from the source: begin -->\n";
const END: &str = "<!-- written from the source: end -->\n";

fn record<R: RecordLayout>(out: &mut String) {
    writeln!(out, "### {} ({} bytes)\n\n{}\n", R::NAME, R::SIZE, prose(R::DOC)).unwrap();
    out.push_str("| at | field | type | meaning |\n|---|---|---|---|\n");
    for field in R::FIELDS {
        let (name, ty, doc) = (field.name, field.ty, prose(field.doc));
        writeln!(out, "| {} | `{name}` | {ty} | {doc} |", field.offset).unwrap();
    }
    out.push('\n');
}

fn codes<C: CodeLayout>(out: &mut String) {
    writeln!(out, "### {} (codes)\n\n{}\n", C::NAME, prose(C::DOC)).unwrap();
    out.push_str("| code | name | meaning |\n|---|---|---|\n");
    for (code, name, doc) in C::CODES {
        writeln!(out, "| {code} | `{name}` | {} |", prose(doc)).unwrap();
    }
    out.push('\n');
}

/// Turns a doc comment into a table cell: links to source items become code.
fn prose(doc: &str) -> String {
    let doc = doc.trim().replace("[`", "`").replace("`]", "`");
    let doc = doc.replace("super::", "").replace("crate::layout::", "").replace("crate::", "");
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The numbered constants of a source file, `NAME = value` with their sentence.
fn constants(source: &str, out: &mut String) {
    let mut doc = Vec::new();
    for line in source.lines() {
        if let Some(text) = line.trim_start().strip_prefix("/// ") {
            doc.push(text);
        } else if let Some(rest) = line.strip_prefix("pub const ") {
            let (name, rest) = rest.split_once(':').unwrap();
            if let Some((_, value)) = rest.split_once(" = ") {
                let value = value.trim_end_matches(';');
                writeln!(out, "| `{name}` | {value} | {} |", prose(&doc.join(" "))).unwrap();
            }
            doc.clear();
        } else {
            doc.clear();
        }
    }
}

fn tables() -> String {
    let mut out = String::from(
        "## Sections\n\n| id | section | records | bytes each | version |\n|---|---|---|---|---|\n",
    );
    for id in SectionId::ALL {
        let (number, name, record) = (*id as u16, id.name(), id.record());
        let (len, version) = (id.record_len(), id.version());
        writeln!(out, "| {number} | `{name}` | {record} | {len} | {version} |").unwrap();
    }
    out.push_str("\n## Constants and flag bits\n\n| name | value | meaning |\n|---|---|---|\n");
    for source in [
        include_str!("../src/layout/mod.rs"),
        include_str!("../src/layout/header.rs"),
        include_str!("../src/layout/route.rs"),
        include_str!("../src/layout/security.rs"),
        include_str!("../src/layout/schema.rs"),
        include_str!("../src/layout/xml.rs"),
        include_str!("../src/layout/rules.rs"),
        include_str!("../src/layout/attack.rs"),
        include_str!("../src/layout/nfa.rs"),
        include_str!("../src/layout/limits.rs"),
    ] {
        constants(source, &mut out);
    }
    out.push_str("\n## Records: the frame\n\n");
    let out = &mut out;
    record::<Header>(out);
    record::<SectionEntry>(out);
    record::<Text>(out);
    record::<Index>(out);
    out.push_str("## Records: policy and documents\n\n");
    record::<Policy>(out);
    record::<BodyLimits>(out);
    record::<Document>(out);
    record::<Origin>(out);
    record::<Pointer>(out);
    record::<Probe>(out);
    record::<Api>(out);
    out.push_str("## Records: router and operations\n\n");
    record::<Host>(out);
    record::<Node>(out);
    record::<Edge>(out);
    record::<Partial>(out);
    record::<Operation>(out);
    record::<Parameter>(out);
    record::<TextValue>(out);
    record::<TextField>(out);
    record::<MediaType>(out);
    record::<BodyPart>(out);
    out.push_str("## Records: security\n\n");
    record::<SecurityScheme>(out);
    record::<SecurityRequirement>(out);
    record::<Security>(out);
    out.push_str("## Records: the schema program\n\n");
    record::<Schema>(out);
    record::<StringCheck>(out);
    record::<Stencil>(out);
    record::<NumberCheck>(out);
    record::<ArrayCheck>(out);
    record::<ObjectCheck>(out);
    record::<Property>(out);
    record::<LiteralSet>(out);
    record::<LiteralString>(out);
    record::<Decimal>(out);
    record::<Composition>(out);
    record::<Tag>(out);
    record::<TypeSwitch>(out);
    record::<PatternProperty>(out);
    record::<Dependent>(out);
    record::<Unevaluated>(out);
    record::<Evaluator>(out);
    record::<Condition>(out);
    codes::<ConditionKind>(out);
    record::<Automaton>(out);
    record::<ByteClassMap>(out);
    record::<CharClass>(out);
    record::<CharRange>(out);
    record::<Trace>(out);
    record::<XmlElement>(out);
    record::<XmlField>(out);
    record::<IdnRange>(out);
    record::<StringContent>(out);
    out.push_str("## Records: attack rules\n\n");
    record::<Attacks>(out);
    record::<Rule>(out);
    record::<Matcher>(out);
    record::<Selector>(out);
    record::<Link>(out);
    record::<Piece>(out);
    record::<Capture>(out);
    record::<CaptureStep>(out);
    record::<Removal>(out);
    record::<Step>(out);
    record::<ByteKinds>(out);
    record::<Literal>(out);
    record::<OperationRules>(out);
    record::<Narrowing>(out);
    record::<Exception>(out);
    record::<FieldMode>(out);
    record::<Network>(out);
    record::<ByteSet>(out);
    record::<TokenCheck>(out);
    record::<GraphQlCheck>(out);
    record::<Nfa>(out);
    record::<NfaState>(out);
    out.push_str("## Records: limits\n\n");
    record::<Caller>(out);
    record::<CallerSource>(out);
    record::<Limit>(out);
    record::<LimitRate>(out);
    record::<LimitList>(out);
    record::<LimitUse>(out);
    record::<LimitTable>(out);
    record::<LimitService>(out);
    out.push_str("## Codes\n\n");
    codes::<NarrowingKind>(out);
    codes::<HitMode>(out);
    codes::<Mode>(out);
    codes::<Action>(out);
    codes::<AnswerStyle>(out);
    codes::<AnswerDetails>(out);
    codes::<Location>(out);
    codes::<Style>(out);
    codes::<BodyKind>(out);
    codes::<Content>(out);
    codes::<SchemeKind>(out);
    codes::<Format>(out);
    codes::<ContentEncoding>(out);
    codes::<CompositionKind>(out);
    codes::<Keyword>(out);
    codes::<XmlFieldKind>(out);
    codes::<Target>(out);
    codes::<Operator>(out);
    codes::<Naming>(out);
    codes::<Relation>(out);
    codes::<PieceKind>(out);
    codes::<CaptureCode>(out);
    codes::<Transformation>(out);
    codes::<NfaOp>(out);
    codes::<NfaLook>(out);
    codes::<CallerKind>(out);
    codes::<MissingCaller>(out);
    codes::<LimitMode>(out);
    codes::<RateKind>(out);
    codes::<Period>(out);
    codes::<CostKind>(out);
    codes::<Delegation>(out);
    codes::<CallerForm>(out);
    out.trim_end().to_owned() + "\n"
}

#[test]
fn the_format_document_says_what_the_layout_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/FORMAT.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("FORMAT.md has its begin marker");
    let (found, after) = rest.split_once(END).expect("FORMAT.md has its end marker");
    let wanted = tables();
    if std::env::var_os("UPDATE_FORMAT").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        assert!(found == wanted, "FORMAT.md is out of step: run with UPDATE_FORMAT=1");
    }
}

/// Every record type that a section holds has its table in the document.
#[test]
fn every_section_is_documented() {
    let tables = tables();
    for id in SectionId::ALL {
        let record = id.record();
        let raw = record == "u8" || record.ends_with("U16") || record.ends_with("U64");
        assert!(raw || tables.contains(&format!("### {record} (")), "{record}");
    }
}
