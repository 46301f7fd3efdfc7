//! What fuzzing starts from: the case suite, in the form that each target takes.
//!
//! Without it a fuzzer would have to guess a whole bundle before anything but the first checks is reached.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use portcullis_integration::{cases, hostile};

use crate::build;
use crate::workspace::Workspace;

/// Where a bundle's header says how long it is, and how many sections there are (FORMAT.md).
const HEADER_LEN: usize = 10;
const SECTION_COUNT: usize = 12;
const SIGNATURE: usize = 64;

/// Writes the seeds of a target, if the suite has any for it, and returns their directory.
pub fn write(workspace: &Workspace, target: &str) -> Result<Option<PathBuf>> {
    const SEEDED: [&str; 11] = [
        "open", "bundle", "request", "schema", "xml", "document", "lowering", "attack", "rules",
        "answers", "captures",
    ];
    if !SEEDED.contains(&target) {
        return Ok(None);
    }
    let dir = workspace.target.join("fuzz/seeds").join(target);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    match target {
        "xml" => return xml(&dir).map(|()| Some(dir)),
        "document" => return documents(&dir).map(|()| Some(dir)),
        "lowering" | "captures" => return choices(&dir).map(|()| Some(dir)),
        "attack" | "rules" | "answers" => {
            return rules(workspace, target, &dir).map(|()| Some(dir));
        }
        _ => {}
    }
    let compiler = build::compiler(workspace, "dev")?;
    let compiled = workspace.target.join("fuzz/compiled");
    for suite in cases::all()? {
        let suite = suite.compile(&compiler, &compiled)?;
        let name = &suite.suite.name;
        match target {
            "open" | "bundle" => {
                std::fs::write(dir.join(name), content(&suite.bytes()?).context("no bundle")?)?;
            }
            _ => cases_of(target, &suite.suite, &dir)?,
        }
    }
    Ok(Some(dir))
}

/// Documents of every construct that XML has, by the names of the target's schema.
fn xml(dir: &Path) -> Result<()> {
    let texts = [
        "<r id='1'><n>2</n><l>3</l><l> 4 </l><w><item>5</item></w><o><n>6</n><x>7</x></o><y>8</y></r>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><p:r xmlns:p=\"urn:x\" p:id=\"1\">ab</p:r>\n",
        "<r>&lt;&#65;&#x42;<![CDATA[]]<&]]></r>",
        "<!DOCTYPE r [<!ENTITY x 'y'>]><r>&x;</r>",
        "<r xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='true' xml:lang='en'/>",
    ];
    for (number, text) in texts.iter().enumerate() {
        std::fs::write(dir.join(number.to_string()), text)?;
    }
    Ok(())
}

/// The documents of the case suite, and hostile ones at a small size, behind the byte that chooses how they are read.
fn documents(dir: &Path) -> Result<()> {
    for suite in cases::all()? {
        let beside = suite.policy.parent().context("a policy without a folder")?;
        for entry in std::fs::read_dir(beside)? {
            let path = entry?.path();
            if path.is_file() && path != suite.policy {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let content = [b"\x02", std::fs::read(&path)?.as_slice()].concat();
                std::fs::write(dir.join(format!("{}-{name}", suite.name)), content)?;
            }
        }
    }
    for (number, input) in hostile::inputs(20_000).iter().enumerate() {
        if let [(name, content)] = input.files.as_slice() {
            let choice = u8::from(name.ends_with(".json"));
            std::fs::write(
                dir.join(format!("hostile-{number}")),
                [&[choice], &content[..]].concat(),
            )?;
        }
    }
    Ok(())
}

/// The rules that are built in, each as a pack of its own beside its text; requests that carry their lines, and answers.
fn rules(workspace: &Workspace, target: &str, dir: &Path) -> Result<()> {
    let folder = workspace.root.join("policy-compiler/packs/api-core");
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path)?;
        let own = text.split("\n  - id:").skip(1);
        for (number, rule) in own.enumerate() {
            let file = dir.join(format!("{name}-{number}"));
            if target == "rules" {
                let pack = format!("pack: fuzz\nabout: fuzz\nrules:\n  - id:{rule}\0{rule}");
                std::fs::write(file, pack)?;
                continue;
            }
            if target == "answers" {
                let answer = format!("500\ncontent-type: text/html\nserver: a\n\n{rule}");
                std::fs::write(file, answer)?;
                continue;
            }
            let words: Vec<&str> = rule.lines().map(str::trim).collect();
            let json = format!("{{\"a\": {:?}, \"b\": [{:?}]}}", rule, words.last());
            let query = words.join("&b=").replace(' ', "+");
            let request = format!(
                "POST /a?a={query}\nuser-agent: {}\ncookie: c={}\ncontent-type: application/json\n\n{json}",
                words.last().unwrap_or(&""),
                words.first().unwrap_or(&"")
            );
            std::fs::write(file, request)?;
        }
    }
    Ok(())
}

/// Choices at random; the same each time.
fn choices(dir: &Path) -> Result<()> {
    let mut state = 7_u64;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    for number in 0..400 {
        let bytes: Vec<u8> = (0..64 + number).map(|_| byte()).collect();
        std::fs::write(dir.join(number.to_string()), bytes)?;
    }
    Ok(())
}

/// A bundle as `framed` takes it: the number of sections, their table, and the sections.
fn content(bundle: &[u8]) -> Option<Vec<u8>> {
    let header = u16::from_le_bytes(bundle.get(HEADER_LEN..)?.first_chunk().copied()?);
    let count = *bundle.get(SECTION_COUNT)?;
    let content = bundle.get(usize::from(header)..bundle.len().checked_sub(SIGNATURE)?)?;
    Some([&[count], content].concat())
}

fn cases_of(target: &str, suite: &cases::Suite, dir: &Path) -> Result<()> {
    for (number, case) in suite.cases.iter().enumerate() {
        let file = dir.join(format!("{}-{number}", suite.name));
        let request = cases::wire_request(&case.request);
        let body = case.request.content();
        if target == "schema" {
            // The program and the cut, then the body.
            if let Some(body) = body {
                std::fs::write(file, [&[number as u8, 3], body.as_slice()].concat())?;
            }
            continue;
        }
        let head: Vec<u8> = request.head().into_iter().filter(|byte| *byte != b'\r').collect();
        let head = head.strip_suffix(b"\n").unwrap_or(&head);
        let body = body.map(|body| [b"\n", body.as_slice()].concat()).unwrap_or_default();
        std::fs::write(file, [head, &body].concat())?;
    }
    Ok(())
}
