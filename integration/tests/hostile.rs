//! The compiler on documents that are meant to break it, a hundredth of the size that `cargo xtask hostile` takes.

use portcullis_integration::{Artefacts, hostile};

#[test]
fn hostile_documents_are_refused_or_compiled() {
    let Some(artefacts) = Artefacts::find() else { return };
    let mut faults = Vec::new();
    for input in hostile::inputs(100) {
        let outcome = hostile::run(&artefacts.compiler, &input).unwrap();
        if let Some(fault) = &outcome.fault {
            faults.push(format!("{}: {fault}: {outcome:?}", outcome.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
