//! The service's log: a JSON object a line, on standard error. Tokens and bundles never stand in it.
//!
//! Lines are written by a thread of their own: whoever reads standard error may stop reading, and nothing waits for them.
//! What finds no room is left out and counted, and so is what strangers bring about again and again.

use crate::metrics::Counter;
use serde_json::{Value, json};
use std::io::{Write, stderr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// Lines that wait to be written: some 2 MiB at most.
const WAITING: usize = 4096;
/// Lines a second that strangers may bring about: 4.3 million a day, of less than a kilobyte each.
const STRANGERS: u64 = 50;
/// How often the end looks whether all was written.
const LOOK: Duration = Duration::from_millis(5);

static LOG: OnceLock<Log> = OnceLock::new();

fn log() -> &'static Log {
    LOG.get_or_init(|| Log::to(stderr()))
}

/// Writes a line.
pub fn line(level: &str, message: &str, fields: Value) {
    log().line(level, message, fields);
}

/// Something to know.
pub fn info(message: &str, fields: Value) {
    line("info", message, fields);
}

/// Something to look at.
pub fn warn(message: &str, fields: Value) {
    line("warn", message, fields);
}

/// Something that whoever connects may bring about as often as they like.
pub fn of_strangers(level: &str, message: &str, fields: Value) {
    let log = log();
    if log.strangers.takes(log.began.elapsed().as_secs()) {
        log.line(level, message, fields);
    } else {
        log.counts.dropped.add();
    }
}

/// Lines that were left out.
pub fn dropped() -> u64 {
    log().counts.dropped.get()
}

/// Waits until all lines are written, or as long as is given. Blocks: for the end of the process.
pub fn flush(within: Duration) {
    log().flush(within);
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    dropped: Counter,
}

/// What strangers have brought about in a second.
#[derive(Default)]
struct Strangers {
    second: AtomicU64,
    lines: AtomicU64,
}

impl Strangers {
    /// Whether there is room for another line.
    fn takes(&self, second: u64) -> bool {
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        self.lines.fetch_add(1, Ordering::Relaxed) < STRANGERS
    }
}

/// Where lines go.
struct Log {
    lines: SyncSender<String>,
    counts: Arc<Counts>,
    began: Instant,
    strangers: Strangers,
}

impl Log {
    fn to(writer: impl Write + Send + 'static) -> Log {
        let (lines, waiting) = sync_channel(WAITING);
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        let thread = std::thread::Builder::new().name("log".to_owned());
        // Without a thread there is no log: the lines are counted as left out.
        let _ = thread.spawn(move || write(&waiting, &shared, writer));
        Log { lines, counts, began: Instant::now(), strangers: Strangers::default() }
    }

    fn line(&self, level: &str, message: &str, fields: Value) {
        let line = worded(level, message, fields);
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        if self.lines.try_send(line).is_err() {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.dropped.add();
        }
    }

    fn flush(&self, within: Duration) {
        let until = Instant::now() + within;
        while self.counts.waiting.load(Ordering::Acquire) > 0 && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
    }
}

fn worded(level: &str, message: &str, fields: Value) -> String {
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let mut object = json!({ "time": time, "level": level, "message": message });
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object.to_string()
}

/// Writes what comes, and says once there is room again how many lines are missing.
fn write(lines: &Receiver<String>, counts: &Counts, mut writer: impl Write) {
    let mut told = 0;
    for mut line in lines {
        let dropped = counts.dropped.get();
        if dropped > told {
            let fields = json!({ "lines": dropped - told });
            line = format!("{}\n{line}", worded("warn", "lines of the log were left out", fields));
            told = dropped;
        }
        line.push('\n');
        // A log that cannot be written must stop nothing.
        let _ = writer.write_all(line.as_bytes());
        counts.waiting.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, mpsc};

    /// Takes nothing before it is let.
    struct Stalled {
        let_go: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.let_go.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn strangers_have_so_many_lines_a_second() {
        let strangers = Strangers::default();
        for second in [0, 1, 7] {
            let taken = (0..STRANGERS * 3).filter(|_| strangers.takes(second)).count();
            assert_eq!(taken as u64, STRANGERS, "{second}");
        }
    }

    #[test]
    fn a_reader_that_stops_reading_holds_up_nobody() {
        let (go, let_go) = mpsc::channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let log = Log::to(Stalled { let_go, written: Arc::clone(&written) });
        // One is in the writer's hands at most.
        for number in 0..WAITING + 10 {
            log.line("info", "told", json!({ "number": number }));
        }
        let dropped = log.counts.dropped.get();
        assert!((9..=10).contains(&dropped), "{dropped}");
        let began = Instant::now();
        log.flush(Duration::from_millis(50));
        assert!(began.elapsed() < Duration::from_secs(5));
        // Read again: nothing else is missing, and what is stands there.
        drop(go);
        log.flush(Duration::from_secs(60));
        log.line("info", "after", json!({}));
        log.flush(Duration::from_secs(60));
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let count = |message: &str| written.matches(&format!("\"message\":\"{message}\"")).count();
        assert_eq!(count("told") as u64, WAITING as u64 + 10 - dropped);
        assert_eq!((count("after"), count("lines of the log were left out")), (1, 1));
        assert!(written.contains(&format!("\"lines\":{dropped}")));
        assert!(written.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    }
}
