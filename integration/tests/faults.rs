//! The table of faults, each on a gateway of its own under load.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_integration::Artefacts;
use portcullis_integration::faults::{self, FAULTS, Fault};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let Some(artefacts) = Artefacts::find() else { return ExitCode::SUCCESS };
    let trials = FAULTS.iter().map(|fault| {
        let artefacts = artefacts.clone();
        Trial::test(fault.name, move || survives(&artefacts, fault))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn survives(artefacts: &Artefacts, fault: &Fault) -> Result<(), Failed> {
    let outcome = faults::run(artefacts, fault)?;
    if let Some(failure) = &outcome.failure {
        return Err(failure.into());
    }
    if outcome.sent.lost > 0 {
        return Err(
            format!("{} requests lost: {:?}", outcome.sent.lost, outcome.sent.losses).into()
        );
    }
    if outcome.sent.answered.len() < 100 {
        return Err(format!("only {} requests were sent", outcome.sent.answered.len()).into());
    }
    Ok(())
}
