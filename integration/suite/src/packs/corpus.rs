//! Collections of values: a value a line, by file.

use std::path::Path;

/// A line as a value: `json:` begins one with escapes.
fn value(line: &str) -> String {
    let escaped = line.strip_prefix("json:").and_then(|text| serde_json::from_str(text).ok());
    escaped.unwrap_or_else(|| line.to_owned())
}

/// The values of every file of a folder, by the file's name; none where the folder is not there.
pub fn read(folder: &Path) -> Vec<(String, Vec<String>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "txt"));
    paths.sort();
    let file = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).ok()?;
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("%%"));
        let name = path.file_stem()?.to_string_lossy().into_owned();
        Some((name, lines.map(value).collect()))
    };
    paths.iter().filter_map(file).collect()
}
