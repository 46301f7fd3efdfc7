//! A body on its way, which tells how far it is: a bar in a terminal, lines elsewhere.

use std::io::{IsTerminal, Read, Write};

/// Shorter bodies are on their way before anybody has read a line.
const WORTH_TELLING: usize = 1 << 20;
/// Cells of the bar.
const CELLS: usize = 30;

/// Bytes that are read and counted.
pub struct Upload<'a> {
    left: &'a [u8],
    total: usize,
    told: usize,
    bar: bool,
}

impl<'a> Upload<'a> {
    /// A body.
    pub fn new(body: &'a [u8]) -> Upload<'a> {
        Upload { left: body, total: body.len(), told: 0, bar: std::io::stderr().is_terminal() }
    }

    fn tell(&mut self) {
        let done = self.total - self.left.len();
        // A line each quarter, a bar each hundredth.
        let steps = if self.bar { 100 } else { 4 };
        let step = done * steps / self.total.max(1);
        if self.total < WORTH_TELLING || step == self.told {
            return;
        }
        self.told = step;
        let line = progress(done, self.total, self.bar);
        // What cannot be told must stop nothing.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

fn progress(done: usize, total: usize, bar: bool) -> String {
    let percent = done * 100 / total.max(1);
    if !bar {
        return format!("sent {percent} % of {total} bytes\n");
    }
    let full = done * CELLS / total.max(1);
    let end = if done == total { "\n" } else { "" };
    format!("\r[{}{}] {percent:>3} %{end}", "#".repeat(full), " ".repeat(CELLS - full))
}

impl Read for Upload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let taken = self.left.read(buffer)?;
        self.tell();
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_bar_or_lines() {
        assert_eq!(progress(50, 200, false), "sent 25 % of 200 bytes\n");
        let bar = progress(200, 200, true);
        assert!(bar.starts_with("\r[##") && bar.ends_with("] 100 %\n"), "{bar:?}");
        assert!(progress(0, 200, true).contains("[   "));
    }

    #[test]
    fn all_is_read() {
        let body = vec![7; 3 << 20];
        let mut read = Vec::new();
        Upload::new(&body).read_to_end(&mut read).unwrap();
        assert_eq!(read, body);
    }
}
