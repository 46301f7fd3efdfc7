//! The case suite, natively and through Envoy, a test for each case and way.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_cases::{Case, Verdict, judge};
use portcullis_integration::cases::{self, Compiled, Gateway};
use portcullis_integration::{Artefacts, Error, artefacts};

#[path = "support/lines.rs"]
mod lines;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let Some(artefacts) = Artefacts::find() else {
        return libtest_mimic::run(&arguments, Vec::new()).exit_code();
    };
    match trials(&artefacts) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn trials(artefacts: &Artefacts) -> Result<Vec<Trial>, Error> {
    let dir = artefacts::target().join("cases/compiled");
    let mut trials = Vec::new();
    for suite in cases::all()? {
        let name = suite.name.clone();
        match suite.compile(&artefacts.compiler, &dir) {
            Ok(compiled) => add(&mut trials, artefacts, Arc::new(compiled)),
            Err(error) => {
                let error = error.to_string();
                trials.push(Trial::test(format!("{name}::compiles"), move || Err(error.into())));
            }
        }
    }
    Ok(trials)
}

fn add(trials: &mut Vec<Trial>, artefacts: &Artefacts, compiled: Arc<Compiled>) {
    // One Envoy for a suite, started by the first case that runs; one case at a time through it.
    let known = lines::Known::beside(&compiled.suite.policy);
    let gateway = Arc::new(Lazy { artefacts: artefacts.clone(), known, started: OnceLock::new() });
    for case in compiled.suite.cases.clone() {
        let name = format!("{}::{}", compiled.suite.name, case.name);
        let (suite, same) = (Arc::clone(&compiled), case.clone());
        trials.push(Trial::test(format!("native::{name}"), move || natively(&suite, &same)));
        let (suite, gateway) = (Arc::clone(&compiled), Arc::clone(&gateway));
        trials.push(Trial::test(format!("envoy::{name}"), move || gateway.run(&suite, &case)));
    }
}

fn natively(suite: &Compiled, case: &Case) -> Result<(), Failed> {
    let bundle = judge::open(&suite.bytes()?);
    verdict(&judge::differences(&bundle, case))
}

struct Lazy {
    artefacts: Artefacts,
    known: lines::Known,
    started: OnceLock<Result<Mutex<(Gateway, u64)>, String>>,
}

impl Lazy {
    fn run(&self, suite: &Compiled, case: &Case) -> Result<(), Failed> {
        let gateway = self.started.get_or_init(|| {
            let start = || {
                Gateway::start(
                    &self.artefacts.envoy,
                    &self.artefacts.filter,
                    &suite.bytes()?,
                    suite.suite.workers,
                )
            };
            start().map(|it| Mutex::new((it, 0))).map_err(|error| error.to_string())
        });
        let mut gateway = gateway.as_ref()?.lock().map_err(|_| "an earlier case panicked")?;
        let (gateway, read) = &mut *gateway;
        let (answer, mut differences) = gateway.visit(case)?;
        // What was logged since the last case, and what the client was told.
        let (fresh, end) = gateway.envoy.log_from(*read)?;
        *read = end;
        if case.response.is_some() {
            let observed = cases::observe_answer(lines::parsed(&fresh));
            differences.extend(case.expect.differences(&observed));
        }
        differences.extend(lines::faults(&fresh));
        differences.extend(self.known.leaks(case, "the log", &lines::of(&fresh).join("\n")));
        if case.expect.verdict == Verdict::Block {
            let told = format!("{:?} {}", answer.headers, answer.text());
            differences.extend(self.known.leaks(case, "the answer", &told));
        }
        verdict(&differences)
    }
}

fn verdict(differences: &[String]) -> Result<(), Failed> {
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n").into()) }
}
