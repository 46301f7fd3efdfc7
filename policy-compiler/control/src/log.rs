//! The service's log: a JSON object a line, on standard error. Tokens and bundles never stand in it.

use serde_json::{Value, json};
use std::io::Write;
use std::time::SystemTime;

/// Writes a line.
pub fn line(level: &str, message: &str, fields: Value) {
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let mut object = json!({ "time": time, "level": level, "message": message });
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    // A log that cannot be written must stop nothing.
    let _ = writeln!(std::io::stderr().lock(), "{object}");
}

/// Something to know.
pub fn info(message: &str, fields: Value) {
    line("info", message, fields);
}

/// Something to look at.
pub fn warn(message: &str, fields: Value) {
    line("warn", message, fields);
}
