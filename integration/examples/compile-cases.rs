//! Compiles every suite into a directory, for the tests in wasm: `compile-cases COMPILER DIR`.

use std::path::PathBuf;

use portcullis_integration::cases;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(compiler), Some(dir)) = (arguments.next(), arguments.next()) else {
        return Err("usage: compile-cases COMPILER DIR".into());
    };
    for suite in cases::all()? {
        let compiled = suite.compile(&compiler, &dir)?;
        compiled.write_cases()?;
        println!("{}: {} cases", compiled.suite.name, compiled.suite.cases.len());
    }
    Ok(())
}
