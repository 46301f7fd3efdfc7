use super::{Around, Table};
use crate::host::Host;
use crate::metrics::Metrics;
use crate::testing::{FakeHost, Meanwhile};
use portcullis_bundle::layout::MAX_BLOCKS;
use portcullis_engine::limits::{BLOCK, LimitEvent, Surroundings};

#[test]
fn a_table_is_made_once_and_whole_and_keeps_its_size() {
    let host = FakeHost::new();
    let (first, fits) = Table::prepare(&host, "p", 64, b"seed");
    assert!(fits);
    let keys = host.process.shared.borrow().len();
    assert_eq!(keys, 65);
    // Another VM, later, under another bundle.
    host.pass_seconds(60);
    let (second, fits) = Table::prepare(&host.sibling(), "p", 64, b"other");
    assert_eq!((second.key, fits), (first.key, true));
    let (third, fits) = Table::prepare(&host, "p", 128, b"seed");
    assert_eq!((third.blocks, third.key, fits), (64, first.key, false));
    assert_eq!(host.process.shared.borrow().len(), keys);
    // Another plugin has its own; nothing of the callers' is in its key.
    let (other, _) = Table::prepare(&host, "q", 64, b"seed");
    assert_ne!(other.key, first.key);
}

#[test]
fn two_that_make_the_table_at_once_count_by_one_key() {
    for first in [
        "portcullis.limits.p.head",
        "portcullis.limits.p.\u{10000}",
        "portcullis.limits.p.\u{1003f}",
    ] {
        let host = FakeHost::new();
        let other = host.sibling();
        let made = std::rc::Rc::new(std::cell::RefCell::new(None));
        let theirs = std::rc::Rc::clone(&made);
        let happens = Box::new(move || {
            other.process.clock.set(other.now() + 1);
            *theirs.borrow_mut() = Some(Table::prepare(&other, "p", 64, b"other").0);
        });
        *host.process.meanwhile.borrow_mut() = Some(Meanwhile(first, happens));
        let (own, fits) = Table::prepare(&host, "p", 64, b"seed");
        let theirs = made.take().unwrap();
        assert!(fits);
        assert_eq!((own.key, own.blocks), (theirs.key, theirs.blocks), "{first}");
    }
}

#[test]
fn a_table_is_never_made_over_another() {
    // Another VM makes it between a look that finds nothing and each of the writes that follow; its callers are counted in it
    // at once. Blocks and head are values that this one writes after the other's.
    for first in [
        "portcullis.limits.p.\u{10000}",
        "portcullis.limits.p.\u{10009}",
        "portcullis.limits.p.\u{1003f}",
    ] {
        let host = FakeHost::new();
        let other = host.sibling();
        let happens = Box::new(move || {
            other.process.clock.set(other.now() + 1);
            let (table, _) = Table::prepare(&other, "p", 64, b"other");
            let metrics = Metrics::define(other.clone());
            let (host, asking) = (&other, None);
            let around = Around { host, table: Some(&table), metrics: &metrics, asking };
            for block in 0..64 {
                let version = around.load(block).unwrap().1;
                assert!(around.store(block, &[7; BLOCK], version));
            }
        });
        *host.process.meanwhile.borrow_mut() = Some(Meanwhile(first, happens));
        let (table, _) = Table::prepare(&host, "p", 64, b"seed");
        let metrics = Metrics::define(host.clone());
        let around = Around { host: &host, table: Some(&table), metrics: &metrics, asking: None };
        for block in 0..64 {
            assert_eq!(around.load(block).unwrap().0, [7; BLOCK], "{first} {block}");
        }
    }
}

#[test]
fn without_shared_data_nothing_is_counted_and_that_is_told() {
    let host = FakeHost::new();
    host.process.is_forgetful.set(true);
    let (table, _) = Table::prepare(&host, "p", 4, b"seed");
    host.process.is_forgetful.set(false);
    let metrics = Metrics::define(host.clone());
    let around = Around { host: &host, table: Some(&table), metrics: &metrics, asking: None };
    // Blocks that cannot be read: the engine notes `limit.uncounted`, and does as the policy says.
    assert_eq!((around.blocks(), around.load(0)), (4, None));
}

#[test]
fn blocks_are_found_by_all_and_replaced_by_version() {
    let host = FakeHost::new();
    let (table, _) = Table::prepare(&host, "p", 32, b"");
    let metrics = Metrics::define(host.clone());
    let around = Around { host: &host, table: Some(&table), metrics: &metrics, asking: None };
    let mut name = super::Name::new("x".to_owned());
    let names: std::collections::BTreeSet<_> =
        (0..MAX_BLOCKS).map(|block| name.of(block).to_owned()).collect();
    assert_eq!(names.len(), MAX_BLOCKS as usize);
    let (bytes, version) = around.load(31).unwrap();
    assert_eq!(bytes, [0; BLOCK]);
    assert!(around.store(31, &[1; BLOCK], version));
    assert!(!around.store(31, &[2; BLOCK], version));
    assert_eq!(around.load(31).unwrap().0, [1; BLOCK]);
    around.note(LimitEvent::Evicted);
    assert_eq!(host.metric("portcullis.limit.evicted"), Some(1));
    let nothing = Around { table: None, ..around };
    assert_eq!((nothing.blocks(), nothing.load(0)), (0, None));
}

#[test]
fn what_is_no_table_is_made_anew() {
    let host = FakeHost::new();
    host.set_shared("portcullis.limits.p.head", b"short", None);
    let (table, fits) = Table::prepare(&host, "p", 2, b"");
    assert!(fits && table.blocks == 2);
}
