//! Bodies to judge: deterministic, varied in length, script and optional fields, one in ten invalid.

mod bodies;
mod faults;
pub(crate) mod json;
pub(crate) mod random;
pub(crate) mod values;

use bodies::{instrument, payment, transaction_list};
use json::{Json, Shape};
use random::Random;
use values::Script;

/// Every tenth body breaks its schema.
const INVALID_EVERY: usize = 10;

/// One body and whether its schema accepts it.
#[derive(Clone, Debug)]
pub struct Body {
    /// The JSON text; for some invalid bodies it is not JSON.
    pub bytes: Vec<u8>,
    /// What both validators must answer.
    pub valid: bool,
}

/// A named set of bodies for one schema.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The key of its figure.
    pub name: &'static str,
    /// The component schema in `documents/payments.yaml`.
    pub schema: &'static str,
    /// The path whose POST takes these bodies.
    pub path: &'static str,
    /// The bodies, in judging order.
    pub bodies: Vec<Body>,
}

/// Every corpus of the schema benchmark.
pub fn corpora() -> Vec<Corpus> {
    let plain = Shape::default();
    let mixed = Script::Mixed;
    let payments = |name, script, shape, count| {
        corpus(name, "Payment", "/payments", count, shape, |random| payment(random, script))
    };
    let lists = |name, bytes, count| {
        corpus(name, "TransactionList", "/transaction-lists", count, plain, |random| {
            transaction_list(random, bytes)
        })
    };
    let instruments = |name, tag_first| {
        corpus(name, "Instrument", "/instruments", 1000, plain, |random| {
            instrument(random, tag_first)
        })
    };
    vec![
        payments("payments", mixed, plain, 1000),
        lists("list10k", 10_000, 100),
        lists("list1m", 1_000_000, 10),
        instruments("oneof", true),
        instruments("oneof_last", false),
        payments("cyrillic", Script::Cyrillic, plain, 300),
        payments("reversed", mixed, Shape { reversed: true, ..plain }, 300),
        payments("indented", mixed, Shape { indent: Some(12), ..plain }, 300),
        payments("escaped", mixed, Shape { escaped: true, ..plain }, 300),
    ]
}

/// The `count` of 1,000 valid payments whose sizes are nearest to `bytes`.
pub fn payments_near(bytes: usize, count: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(7);
    let mut all: Vec<_> =
        (0..1000).map(|_| payment(&mut random, Script::Mixed).write(Shape::default())).collect();
    all.sort_by_key(|body| body.len().abs_diff(bytes));
    all.truncate(count);
    all
}

fn corpus(
    name: &'static str,
    schema: &'static str,
    path: &'static str,
    count: usize,
    shape: Shape,
    make: impl Fn(&mut Random) -> Json,
) -> Corpus {
    let seed = name.bytes().fold(1u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
    let mut random = Random::new(seed);
    let bodies = (0..count)
        .map(|index| {
            let mut tree = make(&mut random);
            let valid = index % INVALID_EVERY != INVALID_EVERY - 1;
            let bytes = match valid {
                true => tree.write(shape),
                false => faults::write_broken(&mut tree, index / INVALID_EVERY, shape),
            };
            Body { bytes, valid }
        })
        .collect();
    Corpus { name, schema, path, bodies }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_agree_with_the_labels() {
        let document = crate::document::read().expect("the benchmark's own document");
        // The 1 MB lists are made like the 10 KB ones, and too slow to judge in a debug build.
        for corpus in corpora().into_iter().filter(|corpus| corpus.name != "list1m") {
            let validator = jsonschema::options()
                .should_validate_formats(true)
                .build(&document.schema(corpus.schema))
                .expect("a valid schema");
            for (index, body) in corpus.bodies.iter().enumerate() {
                let accepted = serde_json::from_slice(&body.bytes)
                    .is_ok_and(|value: serde_json::Value| validator.is_valid(&value));
                let text = String::from_utf8_lossy(&body.bytes);
                let head: String = text.chars().take(2000).collect();
                assert_eq!(accepted, body.valid, "{} {index}: {head}", corpus.name);
            }
        }
    }

    #[test]
    fn the_sizes_are_those_promised() {
        let mean = |corpus: &Corpus| {
            corpus.bodies.iter().map(|body| body.bytes.len()).sum::<usize>() / corpus.bodies.len()
        };
        for corpus in corpora() {
            let wanted = match corpus.name {
                "payments" => 900..1300,
                "list10k" => 9_000..11_000,
                "list1m" => 900_000..1_048_576,
                "oneof" | "oneof_last" => 300..900,
                _ => continue,
            };
            assert!(wanted.contains(&mean(&corpus)), "{}: {}", corpus.name, mean(&corpus));
        }
    }
}
