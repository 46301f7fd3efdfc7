//! `cargo xtask suite transformations`: every transformation of values against ModSecurity's own.
//!
//! ModSecurity comes as the Python package `libmodsecurity`, installed from PyPI into a virtual environment under
//! target/tools. Where ours differs on purpose is said in [`EXPLAINED`]; any other difference fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Result, bail};
use portcullis_engine::attack::transform::{Transform, Transformation};

use super::modsecurity;
use crate::process::{self, say};
use crate::workspace::Workspace;

mod models;

const ORACLE: &str = include_str!("transformations.py");

#[derive(clap::Args)]
pub struct Options {
    /// Values for each transformation
    #[arg(long, default_value_t = 20_000)]
    values: usize,
    /// What the values are derived from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only the transformation of this name
    #[arg(long)]
    only: Option<String>,
}

/// A difference that is meant: whether it accounts for what ModSecurity made of a value, and why it is there.
struct Explained {
    of: Transformation,
    /// From the value, our result and theirs.
    accounts: fn(&[u8], &[u8], &[u8]) -> bool,
    why: &'static str,
}

const EXPLAINED: &[Explained] = &[
    Explained {
        of: Transformation::HtmlEntityDecode,
        accounts: |value, _, theirs| theirs == models::html_entity_decode(value),
        why: "letters and digits after a named reference without a semicolon are dropped; browsers keep them",
    },
    Explained {
        of: Transformation::RemoveComments,
        accounts: |value, _, theirs| theirs == models::remove_comments(value),
        why: "what follows a comment is taken as text, so the second of two comments side by side stays",
    },
    Explained {
        of: Transformation::Base64DecodeExt,
        accounts: |value, _, theirs| theirs.is_empty() && models::has_early_padding(value),
        why: "nothing comes of a value with `=` second in a group; forgiving decoders pass it over",
    },
    Explained {
        of: Transformation::Utf8ToUnicode,
        accounts: |value, _, theirs| theirs == models::utf8_to_unicode(value),
        why: "bytes 0 and the first bytes of broken characters are dropped, those of overlong ones come twice",
    },
    Explained {
        of: Transformation::NormalizePath,
        accounts: |value, _, _| models::has_unsure_dots(value, b"/"),
        why: "a segment that only ends in `..` goes; once a relative path was empty, `..` after a name stays, or all goes",
    },
    Explained {
        of: Transformation::NormalizePathWin,
        accounts: |value, _, _| models::has_late_backslash(value),
        why: "a `\\` after a segment that goes is not read as `/`",
    },
    Explained {
        of: Transformation::NormalizePathWin,
        accounts: |value, _, _| models::has_unsure_dots(value, b"/\\"),
        why: "a segment that only ends in `..` goes; once a relative path was empty, `..` after a name stays, or all goes",
    },
];

/// Runs the comparison; the last line is `agreed A/B`.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let python = modsecurity::python(workspace)?;
    let work = workspace.target.join("transformations");
    std::fs::create_dir_all(&work)?;
    let (script, questions, answers) =
        (work.join("oracle.py"), work.join("questions"), work.join("answers"));
    std::fs::write(&script, ORACLE)?;
    let chosen: Vec<_> = Transformation::ALL
        .iter()
        .copied()
        .filter(|it| options.only.as_ref().is_none_or(|only| only == it.name()))
        .filter_map(|it| Some((it, it.seclang_name()?)))
        .collect();
    if chosen.is_empty() {
        bail!("no such transformation, or none of SecLang's");
    }
    let mut random = Random(options.seed);
    let values: Vec<(Transformation, Vec<u8>)> = chosen
        .iter()
        .flat_map(|(it, _)| (0..options.values).map(|_| *it))
        .map(|it| (it, value(it, &mut random)))
        .collect();
    let mut text = String::new();
    for (it, value) in &values {
        let name = it.seclang_name().unwrap_or_default();
        writeln!(text, "{name} {}", hex(value))?;
    }
    std::fs::write(&questions, text)?;
    say(format!("asking ModSecurity about {} values", values.len()));
    process::run(Command::new(python).arg(script).arg(&questions).arg(&answers))?;
    let answers = std::fs::read_to_string(&answers)?;
    if answers.lines().count() != values.len() {
        bail!("{} answers to {} questions", answers.lines().count(), values.len());
    }
    compare(&values, &answers)
}

fn compare(values: &[(Transformation, Vec<u8>)], answers: &str) -> Result<()> {
    let mut agreed: BTreeMap<Transformation, (usize, usize)> = BTreeMap::new();
    let mut explained: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut unexplained = 0;
    let mut ours = Vec::new();
    for ((it, value), theirs) in values.iter().zip(answers.lines()) {
        ours.clear();
        it.apply(value, &mut ours);
        let theirs = unhex(theirs);
        let tally = agreed.entry(*it).or_default();
        tally.1 += 1;
        if ours == theirs {
            tally.0 += 1;
        } else if let Some(known) = explanation(*it, value, &ours, &theirs) {
            *explained.entry((it.name(), known.why)).or_default() += 1;
        } else {
            unexplained += 1;
            if unexplained <= 20 {
                let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
                let (ours, theirs) = (shown(&ours), shown(&theirs));
                println!(
                    "{}: \"{}\": ours \"{ours}\", theirs \"{theirs}\"",
                    it.name(),
                    shown(value)
                );
            }
        }
    }
    for (it, (agreed, total)) in &agreed {
        println!("{:<24} {agreed}/{total}", it.name());
    }
    for ((name, why), count) in &explained {
        println!("explained: {name}: {count}: {why}");
    }
    let (agreed, total) = agreed.values().fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
    println!("explained {}, unexplained {unexplained}", explained.values().sum::<usize>());
    println!("agreed {agreed}/{total}");
    if unexplained > 0 {
        // The line above is the last one; the exit status says the rest.
        std::process::exit(1);
    }
    Ok(())
}

fn explanation(
    it: Transformation,
    value: &[u8],
    ours: &[u8],
    theirs: &[u8],
) -> Option<&'static Explained> {
    EXPLAINED.iter().find(|known| known.of == it && (known.accounts)(value, ours, theirs))
}

/// What the transformations make something of, and what stands beside it.
fn pieces(it: Transformation) -> &'static [&'static [u8]] {
    match it {
        Transformation::UrlDecode | Transformation::UrlDecodeUni => &[
            b"%", b"%4", b"%41", b"%u", b"%U0041", b"%u0041", b"%uff1c", b"%uFF5e", b"%uff5f",
            b"%uff00", b"%fF", b"+", b"g", b"4", b"%25",
        ],
        Transformation::HtmlEntityDecode => &[
            b"&",
            b"&#",
            b"&#x",
            b"&#X",
            b";",
            b"41",
            b"65",
            b"&lt",
            b"&GT;",
            b"&quot;",
            b"&amp;",
            b"&nbsp",
            b"&copy;",
            b"&lpar;",
            b"&#xfFfFfFfFfFfFfFfFf",
            b"&#9223372036854775807",
            b"&#9223372036854775808",
            b"x",
            b"0",
            b"g",
        ],
        Transformation::JsDecode | Transformation::CssDecode | Transformation::EscapeSeqDecode => {
            &[
                b"\\",
                b"\\x",
                b"\\u",
                b"\\x41",
                b"\\u0041",
                b"\\uFf1c",
                b"\\101",
                b"\\400",
                b"\\7",
                b"\\8",
                b"\\n",
                b"\\a",
                b"\\v",
                b"\\?",
                b"\\'",
                b"4",
                b"41",
                b"f",
                b"ff1",
                b"\\ff1c",
                b"\\00ff1c",
                b"0",
                b"\n",
                b" ",
                b"\r",
                b"g",
                b"\\e",
            ]
        }
        Transformation::ReplaceComments
        | Transformation::RemoveComments
        | Transformation::RemoveCommentsChar => &[
            b"/*", b"*/", b"--", b"-", b"<!--", b"-->", b"#", b"/", b"*", b"<", b"!", b">", b"a",
            b" ", b"/**/",
        ],
        Transformation::NormalizePath | Transformation::NormalizePathWin => &[
            b"/", b"../", b"a/", b"./", b"b/", b"c", b"/..", b"/.", b"/a", b"\\", b"..", b".",
            b"...", b"/b/",
        ],
        Transformation::CmdLine => &[
            b"\\", b"\"", b"'", b"^", b" ", b",", b";", b"\t", b"\r", b"\n", b"/", b"(", b"A",
            b"z", b"\x0B",
        ],
        Transformation::Base64Decode | Transformation::Base64DecodeExt => &[
            b"QUJD",
            b"QUJDREVG",
            b"QUJD",
            b"QUI=",
            b"QQ==",
            b"=",
            b"\n",
            b"\r\n",
            b" ",
            b"Q",
            b"U",
            b".",
            b"-",
            b"_",
            b"+/",
        ],
        Transformation::HexDecode | Transformation::SqlHexDecode => {
            &[b"0x", b"0X", b"41", b"4", b"0", b"x", b"g", b"ff", b"F", b"0x41"]
        }
        Transformation::Utf8ToUnicode => &[
            b"\xC3\xA9",
            b"\xE2\x82\xAC",
            b"\xF0\x9F\x98\x80",
            b"\xC0\xAF",
            b"\xE0\x80\xAF",
            b"\xED\xA0\x80",
            b"\xC3",
            b"\x80",
            b"\xC2\xA0",
            b"\xEF\xBC\x9C",
            b"script",
            b"\xE2\x82",
            b"a",
            b"\xF4\x8F\xBF\xBF",
            b"\xFF",
            b"%u0041",
        ],
        _ => &[
            b" ",
            b"\t",
            b"\n",
            b"\x0B",
            b"\0",
            b"\xA0",
            b"\xC2\xA0",
            b"A",
            b"z",
            b"\xC3\x89",
            b"\x1C",
            b"\x85",
        ],
    }
}

/// A value: pieces in any order, then some changed bytes; or any bytes at all.
fn value(it: Transformation, random: &mut Random) -> Vec<u8> {
    if random.below(10) == 0 {
        let len = random.below(40);
        return (0..len).map(|_| random.below(256) as u8).collect();
    }
    let pieces = pieces(it);
    let mut value = Vec::new();
    for _ in 0..random.below(12) {
        match random.below(8) {
            0 => value.push(b' ' + random.below(95) as u8),
            _ => value.extend_from_slice(pieces[random.below(pieces.len())]),
        }
    }
    for _ in 0..random.below(3) {
        if value.is_empty() {
            break;
        }
        let at = random.below(value.len());
        match random.below(4) {
            0 => value[at] = random.below(256) as u8,
            1 => drop(value.remove(at)),
            2 => value.insert(at, value[random.below(value.len())]),
            _ => value.truncate(at),
        }
    }
    value
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) % limit as u64) as usize
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    Transformation::HexEncode.apply(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn unhex(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Transformation::HexDecode.apply(text.as_bytes(), &mut out);
    out
}
