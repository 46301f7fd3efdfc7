//! `portcullis tail`: the findings in Envoy's log, as they come.
//!
//! In: a log file that is followed across rotation, or the standard input. Out: a line for each finding that the filters let pass,
//! and a summary. Whatever else the log holds is passed over.

mod follow;
mod show;

use super::files::CliError;
use clap::{Args, ValueEnum};
use follow::{Follow, Lines};
use serde_json::Value;
use show::{Painter, Summary, Told};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How often a file is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// Which log, and which findings of it.
#[derive(Args, Clone, Debug)]
pub struct Tail {
    /// Envoy's log; `-`, the default, is the standard input (`docker logs -f envoy 2>&1 | portcullis tail`)
    #[arg(default_value = "-")]
    log: PathBuf,
    /// Show what the file holds already, too
    #[arg(long)]
    all: bool,
    /// Show what the file holds, and end
    #[arg(long)]
    once: bool,
    /// Only of this operation: its operationId, path template, or method and path template; may be repeated
    #[arg(long, value_name = "OPERATION")]
    operation: Vec<String>,
    /// Only findings of this code, as FINDINGS.md lists them; may be repeated
    #[arg(long, value_name = "CODE")]
    code: Vec<String>,
    /// Only what was refused (`enforce`), or only what would have been (`monitor`)
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Print the objects of the log as they are, one a line
    #[arg(long)]
    json: bool,
    /// Colours: on a terminal by default, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Enforce,
    Monitor,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Shows findings until the input ends, or whoever reads the output goes away.
pub fn run(options: &Tail) -> Result<ExitCode, CliError> {
    let read = |source| CliError::Read { path: options.log.clone(), source };
    let mut screen = Screen::new(options);
    if options.log.as_os_str() == "-" {
        let mut lines = Lines::default();
        let mut input = io::stdin().lock();
        while let Some(bytes) = follow::next(&mut input).map_err(read)? {
            if screen.take(&mut lines, &bytes).is_err() {
                return Ok(ExitCode::SUCCESS);
            }
        }
    } else {
        let from_start = options.all || options.once;
        let mut file = Follow::open(&options.log, from_start).map_err(read)?;
        let mut lines = Lines::default();
        loop {
            let bytes = file.read().map_err(read)?;
            if file.was_replaced() {
                lines = Lines::default();
            }
            if screen.take(&mut lines, &bytes).is_err() {
                return Ok(ExitCode::SUCCESS);
            }
            if bytes.is_empty() {
                if options.once {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
    screen.end();
    Ok(ExitCode::SUCCESS)
}

/// The output: lines, and on a terminal a summary that stays below them.
struct Screen<'a> {
    options: &'a Tail,
    painter: Painter,
    summary: Summary,
    is_terminal: bool,
}

impl<'a> Screen<'a> {
    fn new(options: &'a Tail) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colored = match options.color {
            Color::Auto => is_terminal && !no_color && !options.json,
            Color::Always => true,
            Color::Never => false,
        };
        let is_terminal = is_terminal && !options.json;
        Self { options, painter: Painter { colored }, summary: Summary::default(), is_terminal }
    }

    /// Shows what the whole lines among the bytes tell.
    ///
    /// # Errors
    /// Nobody reads the output any more.
    fn take(&mut self, lines: &mut Lines, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let mut shown = false;
        for line in lines.whole(bytes) {
            let Some(Told { time, text, event }) = show::read(&line) else { continue };
            if !self.options.admits(&event) {
                continue;
            }
            self.summary.count(&event);
            if self.is_terminal && !shown {
                write!(out, "\r\x1b[2K")?;
            }
            shown = true;
            if self.options.json {
                writeln!(out, "{text}")?;
            } else {
                writeln!(out, "{}", self.painter.line(time, &event))?;
            }
        }
        if shown && self.is_terminal {
            write!(out, "{}", self.painter.faint(&self.summary.to_string()))?;
        }
        out.flush()
    }

    /// Leaves the summary behind; apart from the output where that goes to a program.
    fn end(&self) {
        if self.is_terminal {
            println!();
        } else if !self.options.json {
            eprintln!("{}", self.summary);
        }
    }
}

impl Tail {
    /// Whether the filters let an event pass. What is said of configurations and of left-out lines passes unless only some findings
    /// are asked for.
    fn admits(&self, event: &Value) -> bool {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        if text("event") != "finding" {
            let any = self.operation.is_empty() && self.code.is_empty() && self.mode.is_none();
            return any && text("event") != "audit";
        }
        let (method, template) = (text("method"), text("template"));
        let of = |operation: &String| {
            operation == text("operation_id")
                || operation == template
                || operation
                    .split_once(' ')
                    .is_some_and(|(m, t)| m.eq_ignore_ascii_case(method) && t == template)
        };
        let wanted = match self.mode {
            None => true,
            Some(Mode::Enforce) => text("verdict") == "block",
            Some(Mode::Monitor) => text("verdict") == "monitor",
        };
        wanted
            && (self.operation.is_empty() || self.operation.iter().any(of))
            && (self.code.is_empty() || self.code.iter().any(|code| code == text("code")))
    }
}
