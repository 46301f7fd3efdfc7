//! The module as shipped: what it asks of its host.

use std::collections::BTreeSet;

use portcullis_integration::Artefacts;
use wasmparser::{Parser, Payload, TypeRef};

#[test]
fn it_imports_nothing_but_hostcalls() {
    let Some(artefacts) = Artefacts::find() else { return };
    let module = std::fs::read(artefacts.filter).unwrap();
    let mut imports = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&module) {
        if let Payload::ImportSection(section) = payload.unwrap() {
            for import in section.into_imports() {
                let import = import.unwrap();
                assert_eq!(import.module, "env", "{}", import.name);
                assert!(import.name.starts_with("proxy_"), "{}", import.name);
                assert!(matches!(import.ty, TypeRef::Func(_)), "{}", import.name);
                imports.insert(import.name.to_owned());
            }
        }
    }
    assert!(imports.contains("proxy_send_local_response"), "{imports:?}");
}

#[test]
fn it_holds_no_path_of_the_machine_that_built_it() {
    let Some(artefacts) = Artefacts::find() else { return };
    let module = std::fs::read(artefacts.filter).unwrap();
    let root = portcullis_integration::artefacts::root();
    for needle in [root.to_str().unwrap(), "/.cargo/", "/.rustup/"] {
        let found = module.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(!found, "the module holds `{needle}`");
    }
}
