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
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How often a file is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// Which log, and which findings of it.
#[derive(Args, Clone, Debug)]
pub struct Tail {
    /// Envoy's log, a file or a pipe; `-`, the default, is the standard input (`docker logs -f envoy 2>&1 | portcullis tail`)
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
    let is_stdin = options.log.as_os_str() == "-";
    let ended = if is_stdin {
        read_stream(&mut io::stdin().lock(), &mut screen)
    } else if std::fs::metadata(&options.log).map_err(read)?.is_file() {
        follow_file(options, &mut screen)
    } else {
        // A pipe has no end to begin at.
        let mut pipe = File::open(&options.log).map_err(read)?;
        read_stream(&mut pipe, &mut screen)
    };
    if ended.map_err(read)?.is_break() {
        return Ok(ExitCode::SUCCESS);
    }
    screen.end();
    Ok(ExitCode::SUCCESS)
}

/// Breaks where nobody reads the output any more.
type Ended = io::Result<ControlFlow<()>>;

fn read_stream(input: &mut impl Read, screen: &mut Screen<'_>) -> Ended {
    let mut lines = Lines::default();
    while let Some(bytes) = follow::next(input)? {
        if screen.take(&lines.whole(&bytes)).is_err() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(screen.take_last(lines))
}

fn follow_file(options: &Tail, screen: &mut Screen<'_>) -> Ended {
    let mut file = Follow::open(&options.log, options.all || options.once)?;
    let mut lines = Lines::default();
    loop {
        let bytes = file.read()?;
        if file.was_replaced() {
            lines = Lines::default();
        }
        if screen.take(&lines.whole(&bytes)).is_err() {
            return Ok(ControlFlow::Break(()));
        }
        if bytes.is_empty() {
            if options.once {
                return Ok(screen.take_last(lines));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The output: lines, and on a terminal a summary that stays below them.
struct Screen<'a> {
    options: &'a Tail,
    painter: Painter,
    summary: Summary,
    is_terminal: bool,
    /// The summary stands in the row above the cursor, which is where it must be whenever a signal ends the command.
    is_summed: bool,
}

/// Takes the summary away again.
const ROW_ABOVE: &str = "\x1b[A\x1b[2K";
/// Around a summary: one that a narrow terminal broke into rows could not be taken away.
const UNBROKEN: (&str, &str) = ("\x1b[?7l", "\x1b[?7h");

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
        let painter = Painter { colored };
        Self { options, painter, summary: Summary::default(), is_terminal, is_summed: false }
    }

    /// Shows what lines tell.
    ///
    /// # Errors
    /// Nobody reads the output any more.
    fn take(&mut self, lines: &[String]) -> io::Result<()> {
        self.write(&mut io::stdout().lock(), lines)
    }

    fn write(&mut self, out: &mut impl Write, lines: &[String]) -> io::Result<()> {
        let mut shown = false;
        for line in lines {
            let Some(Told { time, text, event }) = show::read(line) else { continue };
            if !self.options.admits(&event) {
                continue;
            }
            self.summary.count(&event);
            if std::mem::take(&mut self.is_summed) {
                write!(out, "{ROW_ABOVE}")?;
            }
            shown = true;
            if self.options.json {
                writeln!(out, "{text}")?;
            } else {
                writeln!(out, "{}", self.painter.line(time, &event))?;
            }
        }
        if shown && self.is_terminal {
            let summary = self.painter.faint(&self.summary.to_string());
            writeln!(out, "{}{summary}{}", UNBROKEN.0, UNBROKEN.1)?;
            self.is_summed = true;
        }
        out.flush()
    }

    /// Shows what a last line tells that nothing has ended.
    fn take_last(&mut self, lines: Lines) -> ControlFlow<()> {
        let rest: Vec<String> = lines.rest().into_iter().collect();
        match self.take(&rest) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Leaves the summary behind; apart from the output where that goes to a program.
    fn end(&self) {
        if self.is_terminal && !self.is_summed {
            println!("{}", self.painter.faint(&self.summary.to_string()));
        } else if !self.is_terminal && !self.options.json {
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

#[cfg(test)]
mod tests {
    use super::{Screen, Tail};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        tail: Tail,
    }

    const FINDING: &str = r#"{"portcullis":1,"event":"finding","verdict":"block","code":"a"}"#;

    #[test]
    fn a_summary_is_one_row_and_leaves_the_cursor_below() {
        let Line { tail } = Line::parse_from(["tail"]);
        let mut screen = Screen::new(&tail);
        screen.is_terminal = true;
        let mut show = |lines: &[&str]| {
            let mut out = Vec::new();
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            screen.write(&mut out, &lines).unwrap();
            String::from_utf8(out).unwrap()
        };
        let first = show(&[FINDING]);
        let (finding, summary) = first.split_once('\n').unwrap();
        assert!(finding.contains("block") && !finding.contains('\x1b'), "{finding:?}");
        assert_eq!(summary, "\x1b[?7l1 finding · 1 refused · most: a 1\x1b[?7h\n");
        assert_eq!(show(&["another's line"]), "");
        // Taken away once, however many lines come.
        let next = show(&[FINDING, FINDING]);
        assert!(next.starts_with("\x1b[A\x1b[2K"), "{next:?}");
        assert_eq!(next.matches("\x1b[A").count(), 1);
    }
}
