//! The table of faults, each on a gateway of its own under load.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_integration::faults::{self, FAULTS, Fault};
use portcullis_integration::{Artefacts, artefacts};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let Some(artefacts) = Artefacts::find() else { return ExitCode::SUCCESS };
    let trials = FAULTS.iter().map(|fault| {
        let artefacts = artefacts.clone();
        Trial::test(fault.name, move || survives(&artefacts, fault))
    });
    let documented = Trial::test("every_fault_is_documented", every_fault_is_documented);
    libtest_mimic::run(&arguments, trials.chain([documented]).collect()).exit_code()
}

fn every_fault_is_documented() -> Result<(), Failed> {
    let path = artefacts::root().join("envoy-config/DELIVERY.md");
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let table = text.split("| fault |").nth(1).ok_or("no table of faults")?;
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> =
        FAULTS.iter().map(|fault| format!("| `{}` |", fault.name)).collect();
    if rows.len() != FAULTS.len() {
        return Err(format!("{} rows for {} faults", rows.len(), FAULTS.len()).into());
    }
    for ((row, start), fault) in rows.iter().zip(&expected).zip(FAULTS) {
        let counters =
            fault.told_by.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        if !row.starts_with(start.as_str()) || !row.ends_with(&format!("| {counters} |")) {
            return Err(format!("`{row}` is not of `{}`, told by {counters}", fault.name).into());
        }
    }
    Ok(())
}

fn survives(artefacts: &Artefacts, fault: &Fault) -> Result<(), Failed> {
    let Some(outcome) = faults::run(artefacts, fault)? else { return Ok(()) };
    if let Some(failure) = &outcome.failure {
        return Err(failure.into());
    }
    if outcome.sent.answered.len() < 100 {
        return Err(format!("only {} requests were sent", outcome.sent.answered.len()).into());
    }
    Ok(())
}
