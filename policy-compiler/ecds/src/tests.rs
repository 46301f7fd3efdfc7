//! Holds what is written to the configuration in YAML that is shipped and run by every test with Envoy.

use super::*;
use serde_json::Value;

const YAML: &str = include_str!("../../../envoy-config/filter/portcullis.yaml");

/// The fields of a message, each with its number; numbers as eight bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = if tag & 7 == 0 {
            varint(&mut bytes).to_le_bytes().to_vec()
        } else {
            assert_eq!(tag & 7, 2);
            let len = varint(&mut bytes) as usize;
            let (value, rest) = bytes.split_at(len);
            bytes = rest;
            value.to_vec()
        };
        found.push((tag >> 3, value));
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    unreachable!()
}

/// What stands at a path of field numbers.
fn at(bytes: &[u8], path: &[u64]) -> Vec<u8> {
    path.iter().fold(bytes.to_vec(), |bytes, number| {
        let mut found = fields(&bytes).into_iter().filter(|(field, _)| field == number);
        found.next().unwrap_or_else(|| panic!("no field {number} of {path:?}")).1
    })
}

fn number(value: u64) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(leaves).sum(),
        _ => 1,
    }
}

#[test]
fn says_what_the_shipped_yaml_says() {
    let yaml: Value = serde_saphyr::from_str(YAML).unwrap();
    let shipped = &yaml["resources"][0];
    let wasm = shipped.pointer("/typed_config/config/vm_config/code/local/filename").unwrap();
    let written = resource(&Filter::new(wasm.as_str().unwrap()), Configuration::Bundle(b"bundle"));

    // Where each leaf of the YAML stands in the binary.
    let (any, config) = (&[2][..], [2, 2, 1]);
    let text = |pointer: &str, path: &[u64]| {
        let expected = shipped.pointer(pointer).unwrap().as_str().unwrap();
        assert_eq!(String::from_utf8(at(&written, path)).unwrap(), expected, "{pointer}");
    };
    let under = |rest: &[u64]| [&config[..], rest].concat();
    text("/name", &[1]);
    text("/typed_config/@type", &[any, &[1]].concat());
    text("/typed_config/config/name", &under(&[1]));
    text("/typed_config/config/root_id", &under(&[2]));
    text("/typed_config/config/vm_config/runtime", &under(&[3, 2]));
    text("/typed_config/config/vm_config/vm_id", &under(&[3, 1]));
    text("/typed_config/config/vm_config/code/local/filename", &under(&[3, 3, 1, 1]));
    text("/typed_config/config/configuration/@type", &under(&[4, 1]));
    assert_eq!(at(&written, &under(&[4, 2, 1])), b"bundle");
    assert_eq!(shipped["typed_config"]["config"]["failure_policy"], "FAIL_RELOAD");
    assert_eq!(at(&written, &under(&[7])), number(FAIL_RELOAD));
    let interval = "/typed_config/config/reload_config/backoff/base_interval";
    assert_eq!(shipped.pointer(interval).unwrap(), "0.1s");
    assert_eq!(at(&written, &under(&[8, 1, 1, 2])), number(RELOAD_AFTER));
    assert_eq!(shipped["typed_config"]["config"]["allow_on_headers_stop_iteration"], true);
    assert_eq!(at(&written, &under(&[9, 1])), number(1));
    // The twelve above, the resource's own type and the configuration's value: the YAML says no more.
    assert_eq!(leaves(shipped), 13);
}

#[test]
fn another_attempt_is_another_root_and_the_same_filter() {
    let filter = Filter::new("/f.wasm");
    let of =
        |number| around(&filter, Configuration::Bundle(b"bundle"), number).join(&b"bundle"[..]);
    assert_eq!(of(0), resource(&filter, Configuration::Bundle(b"bundle")));
    for (number, root) in
        [(0, "portcullis"), (1, "portcullis#1"), (u32::MAX, "portcullis#4294967295")]
    {
        assert_eq!(at(&of(number), &[2, 2, 1, 1]), b"portcullis");
        assert_eq!(at(&of(number), &[2, 2, 1, 2]), root.as_bytes());
    }
}

#[test]
fn a_file_is_a_response_with_one_resource() {
    let filter = Filter { name: "payments".to_owned(), wasm: "/f.wasm".to_owned() };
    let inner = resource(&filter, Configuration::Json("{}"));
    let file = file("v1", inner.clone());
    assert_eq!(at(&file, &[1]), b"v1");
    assert_eq!(at(&file, &[4]), TYPE_URL.as_bytes());
    assert_eq!(at(&file, &[2, 1]), TYPE_URL.as_bytes());
    assert_eq!(at(&file, &[2, 2]), inner);
    assert_eq!(at(&inner, &[1]), b"payments");
    assert_eq!(at(&inner, &[2, 2, 1, 4, 1]), STRING.as_bytes());
    assert_eq!(at(&inner, &[2, 2, 1, 4, 2, 1]), b"{}");
}

#[test]
fn what_is_written_is_read_back() {
    let filter = Filter::new("/f.wasm");
    for configuration in [Configuration::Bundle(&[0xFF; 300]), Configuration::Json("{\"a\":1}")] {
        let file = file("v1", resource(&filter, configuration));
        let expected = Read {
            version: "v1".to_owned(),
            filter: "portcullis".to_owned(),
            wasm: "/f.wasm".to_owned(),
            configuration,
        };
        assert_eq!(read(&file), Some(expected));
        for len in 0..200 {
            assert_eq!(read(&file[..len]), None, "{len}");
        }
    }
    assert_eq!(read(b"PORTCLIS and more"), None);
}
