//! Transforms hostile values: every transformation alone, and pairs of them one after the other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_engine::attack::transform::{Transform, Transformation};

fuzz_target!(|input: &[u8]| {
    let Some((&second, value)) = input.split_first() else { return };
    let all = Transformation::ALL;
    let second = all[usize::from(second) % all.len()];
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    for first in all {
        once.clear();
        first.apply(value, &mut once);
        assert!(once.len() <= first.bound(value.len()), "{}", first.name());
        if !value.iter().any(|byte| first.triggers().contains(*byte)) && !value.is_empty() {
            assert_eq!(once, value, "{}", first.name());
        }
        twice.clear();
        second.apply(&once, &mut twice);
        assert!(twice.len() <= second.bound(once.len()), "{}", second.name());
    }
});
