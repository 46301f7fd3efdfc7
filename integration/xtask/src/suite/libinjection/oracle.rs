//! The C library: PyPI's `libinjection-python`, whose source distribution carries libinjection 3.9.2 and its
//! tables, built and installed into a virtual environment under `target/tools`.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

const PACKAGE: &str = "libinjection-python";
const VERSION: &str = "1.1.6";
const PROGRAM: &str = include_str!("oracle.py");

/// What a value is held to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Sql {
        injects: bool,
        fingerprint: String,
    },
    /// The number of the first context that runs a script.
    Xss(Option<usize>),
}

/// Which of the two detectors is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detector {
    Sql,
    Xss,
}

/// The C library in a process of its own.
pub struct Oracle {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// The interpreter that has the package, installed where it was not.
pub fn install(workspace: &Workspace) -> Result<PathBuf> {
    let home = workspace.tools().join(format!("libinjection-{VERSION}"));
    let python = home.join("bin/python");
    if has_package(&python) {
        return Ok(python);
    }
    let system = process::find("python3").context("python3 is not on PATH")?;
    say(format!("installing {PACKAGE} {VERSION} from PyPI into {}", home.display()));
    process::run(Command::new(system).args(["-m", "venv", "--clear"]).arg(&home))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    process::run(Command::new(&python).args(pip).arg(format!("{PACKAGE}=={VERSION}")))?;
    if !has_package(&python) {
        bail!("{PACKAGE} was installed and cannot be imported");
    }
    Ok(python)
}

fn has_package(python: &PathBuf) -> bool {
    python.is_file()
        && process::output(Command::new(python).args(["-c", "import libinjection"])).is_ok()
}

impl Oracle {
    pub fn start(python: &PathBuf) -> Result<Self> {
        let mut command = Command::new(python);
        command.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the C library cannot be started")?;
        let input = BufWriter::new(child.stdin.take().context("no standard input")?);
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, input, output })
    }

    /// What the library holds of each of the values.
    pub fn judge(&mut self, detector: Detector, values: &[Vec<u8>]) -> Result<Vec<Verdict>> {
        self.input.write_all(if detector == Detector::Sql { b"s" } else { b"x" })?;
        self.input.write_all(&length(values.len())?)?;
        for value in values {
            self.input.write_all(&length(value.len())?)?;
            self.input.write_all(value)?;
        }
        self.input.flush()?;
        values.iter().map(|_| self.verdict(detector)).collect()
    }

    fn verdict(&mut self, detector: Detector) -> Result<Verdict> {
        let verdict = self.byte().context("the C library ended early")?;
        if detector == Detector::Xss {
            return Ok(Verdict::Xss(usize::from(verdict).checked_sub(1)));
        }
        let mut letters = [0; 8];
        self.output.read_exact(&mut letters)?;
        let text = letters.iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte));
        Ok(Verdict::Sql { injects: verdict != 0, fingerprint: text.collect() })
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.output.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// Ends the process.
    pub fn end(self) -> Result<()> {
        let Self { mut child, input, .. } = self;
        drop(input);
        let status = child.wait()?;
        if !status.success() {
            bail!("the C library ended with {status}");
        }
        Ok(())
    }
}

fn length(count: usize) -> Result<[u8; 4]> {
    Ok(u32::try_from(count)?.to_le_bytes())
}
