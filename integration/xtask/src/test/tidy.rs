//! What no compiler checks: links between documents, sizes of files, who may depend on whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use crate::process;
use crate::test::counts::Counts;
use crate::workspace::{self, Workspace};

const LONGEST_FILE: usize = 800;

/// Which of our packages each may depend on, development dependencies apart. The evaluator never
/// depends on the compiler; both depend on the format.
const MAY_DEPEND_ON: [(&str, &[&str]); 4] = [
    ("portcullis-bundle", &[]),
    ("portcullis-injection", &[]),
    ("portcullis-engine", &["portcullis-bundle", "portcullis-injection"]),
    ("portcullis-filter", &["portcullis-bundle", "portcullis-engine"]),
];

pub fn run(workspace: &Workspace) -> Result<Counts> {
    let files = tracked_files(workspace)?;
    let mut counts = Counts::default();
    for (what, faults) in [
        ("links", broken_links(workspace, &files)),
        ("file sizes", long_files(workspace, &files)),
        ("dependencies", forbidden_dependencies(workspace)?),
        ("lints", crates_without_lints(workspace, &files)),
        ("left-overs", left_overs(workspace, &files)),
    ] {
        for fault in &faults {
            println!("{what}: {fault}");
        }
        counts.add(if faults.is_empty() { Counts::success() } else { Counts::failure() });
    }
    Ok(counts)
}

fn tracked_files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(&workspace.root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    Ok(process::output(&mut git)?.lines().map(PathBuf::from).collect())
}

fn read(workspace: &Workspace, file: &Path) -> String {
    std::fs::read_to_string(workspace.root.join(file)).unwrap_or_default()
}

fn with_extension<'a>(
    files: &'a [PathBuf],
    extension: &'a str,
) -> impl Iterator<Item = &'a PathBuf> {
    files.iter().filter(move |file| file.extension().is_some_and(|e| e == extension))
}

/// Links of Markdown files to files of the repository, and to headings in them, that are not there.
fn broken_links(workspace: &Workspace, files: &[PathBuf]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in with_extension(files, "md") {
        let text = read(workspace, file);
        let dir = workspace.root.join(file.parent().unwrap_or(Path::new("")));
        for target in link_targets(&text) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            if path.contains(':') {
                continue;
            }
            let to = if path.is_empty() { workspace.root.join(file) } else { dir.join(path) };
            let is_page = to.extension().is_some_and(|it| it == "md");
            let lacks = || !has_heading(&std::fs::read_to_string(&to).unwrap_or_default(), heading);
            if !to.exists() || (is_page && !heading.is_empty() && lacks()) {
                faults.push(format!("{} links to `{target}`, which is not there", file.display()));
            }
        }
    }
    faults
}

/// Whether a page has a heading whose anchor, as GitHub makes it, is this: lower case, hyphens for spaces, no other punctuation.
fn has_heading(markdown: &str, anchor: &str) -> bool {
    markdown.lines().filter(|line| line.starts_with('#')).any(|line| {
        let text = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        let kept = text.chars().filter(|it| it.is_alphanumeric() || "-_".contains(*it));
        kept.eq(anchor.chars())
    })
}

fn link_targets(markdown: &str) -> impl Iterator<Item = &str> {
    markdown.match_indices("](").filter_map(|(at, _)| {
        let rest = markdown.get(at + 2..)?;
        let target = rest.get(..rest.find(')')?)?;
        (!target.contains(char::is_whitespace)).then_some(target)
    })
}

fn long_files(workspace: &Workspace, files: &[PathBuf]) -> Vec<String> {
    with_extension(files, "rs")
        .map(|file| (file, read(workspace, file).lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(file, lines)| format!("{} has {lines} lines: split it", file.display()))
        .collect()
}

fn forbidden_dependencies(workspace: &Workspace) -> Result<Vec<String>> {
    let metadata = workspace::metadata(workspace)?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let ours: BTreeMap<&str, &Value> =
        packages.iter().filter_map(|p| Some((p["name"].as_str()?, p))).collect();
    let mut faults = Vec::new();
    for (name, allowed) in MAY_DEPEND_ON {
        let dependencies = ours.get(name).and_then(|p| p["dependencies"].as_array());
        for dependency in dependencies.into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"] == "dev";
            if ours.contains_key(on) && !for_tests && !allowed.contains(&on) {
                faults.push(format!("`{name}` depends on `{on}`"));
            }
        }
    }
    Ok(faults)
}

fn crates_without_lints(workspace: &Workspace, files: &[PathBuf]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.file_name().is_some_and(|name| name == "Cargo.toml"))
        .filter(|file| file.components().count() > 1)
        // Fuzz targets are workspaces of their own.
        .filter(|file| !file.parent().is_some_and(|dir| dir.ends_with("fuzz")))
        .filter(|file| !read(workspace, file).contains("[lints]\nworkspace = true"))
        .map(|file| format!("{} does not take the workspace's lints", file.display()))
        .collect()
}

/// Marks that something was to be done, or merged, and was not.
fn left_overs(workspace: &Workspace, files: &[PathBuf]) -> Vec<String> {
    // Put together here, so that this file is none of its own findings.
    let marks = [["FIX", "ME"].concat(), ["TO", "DO"].concat(), ["<<<<", "<<< "].concat()];
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("Cargo.lock")) {
        for (number, line) in read(workspace, file).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                faults.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found() {
        let text = "see [a](b/c.md#d), [e](https://f.example) and `x[0](y z)`";
        assert_eq!(link_targets(text).collect::<Vec<_>>(), ["b/c.md#d", "https://f.example"]);
    }

    #[test]
    fn a_broken_link_is_a_fault() {
        let dir = std::env::temp_dir().join(format!("portcullis-tidy-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let text =
            "# What `a` is\n[b](b.md) [self](a.md) [here](#what-a-is) [gone](a.md#what-b-is)";
        std::fs::write(dir.join("a.md"), text).unwrap();
        let workspace = Workspace { root: dir.clone(), target: dir.clone() };
        let faults = broken_links(&workspace, &[PathBuf::from("a.md")]);
        assert_eq!(faults.len(), 2, "{faults:?}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
