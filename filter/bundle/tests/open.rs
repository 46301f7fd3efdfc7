//! Bundles opened, refused, and attacked.
#![cfg(feature = "writer")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use portcullis_bundle::layout::*;
use portcullis_bundle::*;
use std::ops::ControlFlow;
use zerocopy::FromZeros;

const SEED: [u8; 32] = [7; 32];

/// The least that verifies: a policy, a router's root, the any and the never schema.
fn least() -> Sections {
    let mut node = Node::new_zeroed();
    (node.wildcard, node.api) = (NONE.into(), NONE.into());
    let mut any = Schema::new_zeroed();
    (any.types, any.flags) = (TYPE_ALL, SCHEMA_ACCEPTS_ALL);
    for part in [
        &mut any.string,
        &mut any.number,
        &mut any.array,
        &mut any.object,
        &mut any.literals,
        &mut any.origin,
    ] {
        *part = NONE.into();
    }
    let never = Schema { types: 0, flags: 0, ..any };
    Sections {
        policy: vec![Policy::new_zeroed()],
        strings: b"accounts".to_vec(),
        nodes: vec![node],
        schemas: vec![any, never],
        ..Sections::default()
    }
}

/// An operation that asks for one credential.
fn secure(sections: &mut Sections, set: impl FnOnce(&mut Security)) {
    sections.apis.push(Api::new_zeroed());
    sections.operations.push(Operation::new_zeroed());
    let schema = NONE.into();
    let scheme = SecurityScheme { schema, origin: NONE.into(), ..SecurityScheme::new_zeroed() };
    sections.security_schemes.push(scheme);
    let (schemes, origin) = (1.into(), NONE.into());
    sections.security_requirements.push(SecurityRequirement { schemes, origin });
    sections.operations[0].origin = NONE.into();
    sections.operations[0].body_origin = NONE.into();
    let mut security = Security::new_zeroed();
    security.scheme_count = 1.into();
    security.requirement_count = 1.into();
    set(&mut security);
    sections.securities.push(security);
}

fn public_key() -> [u8; 32] {
    *ed25519_dalek::SigningKey::from_bytes(&SEED).verifying_key().as_bytes()
}

fn trust() -> Trust {
    Trust { keys: vec![public_key()], allow_unsigned: false }
}

fn signed() -> Vec<u8> {
    let identity = Identity { epoch: 3, audience: "gateways".into(), ..Identity::default() };
    let mut bytes = write(&least(), &identity).unwrap();
    sign(&mut bytes, &SEED).unwrap();
    bytes
}

/// Opens in steps of so many units, and gives how many those were.
fn open_in_steps(
    bytes: Vec<u8>,
    trust: &Trust,
    units: usize,
) -> Result<(Bundle, usize), OpenError> {
    let mut opening = Opening::begin(bytes, trust)?;
    for steps in 1..1_000_000 {
        match opening.go_on(units)? {
            ControlFlow::Continue(further) => opening = further,
            ControlFlow::Break(bundle) => return Ok((bundle, steps)),
        }
    }
    panic!("it does not end");
}

/// Why a bundle is refused, in one step as in many.
fn refusal(bytes: Vec<u8>, trust: &Trust) -> OpenError {
    let refused = Bundle::open(bytes.clone(), trust).unwrap_err();
    for units in [0, 1, 7, 100] {
        assert_eq!(open_in_steps(bytes.clone(), trust, units).unwrap_err(), refused, "{units}");
    }
    refused
}

#[test]
fn a_signed_bundle_opens_and_reads_back() {
    let bundle = Bundle::open(signed(), &trust()).unwrap();
    assert_eq!(bundle.view().schemas.len(), 2);
    assert_eq!(bundle.view().strings, b"accounts");
    assert_eq!(bundle.header().epoch.get(), 3);
    assert_eq!(bundle.audience(), "gateways");
    assert!(bundle.is_signed());
}

/// A step does no more than it is asked to, hashing or checking, whatever the bundle's size.
#[test]
fn steps_are_as_many_as_the_work_asks_for() {
    let mut sections = least();
    sections.documents = vec![Document::new_zeroed(); 10_000];
    sections.origins = vec![Origin { pointer: NONE.into(), ..Origin::new_zeroed() }; 10_000];
    let bytes = write(&sections, &Identity::default()).unwrap();
    let trust = Trust { allow_unsigned: true, ..Trust::default() };
    let work = 20_000 + bytes.len() / 8;
    for units in [4096, 10_000, 100_000] {
        let (bundle, steps) = open_in_steps(bytes.clone(), &trust, units).unwrap();
        assert_eq!(bundle.view().origins.len(), 10_000);
        let expected = work.div_ceil(units);
        assert!((expected..=expected + 4).contains(&steps), "{steps} of {expected} by {units}");
    }
}

/// Text is judged piece by piece: characters that lie across two pieces are neither refused nor let pass broken.
#[test]
fn text_is_utf8_across_pieces() {
    let trust = Trust { allow_unsigned: true, ..Trust::default() };
    let of =
        |strings: Vec<u8>| write(&Sections { strings, ..least() }, &Identity::default()).unwrap();
    for piece in [1 << 14, 2 << 14] {
        for before in piece - 4..piece + 1 {
            for tail in [0, 5, 1 << 14] {
                let whole = [vec![b'a'; before], "𝄞é€".into(), vec![b'z'; tail]].concat();
                let bundle = Bundle::open(of(whole.clone()), &trust).unwrap();
                assert_eq!(bundle.view().strings, whole);
                for broken in before..before + 9 {
                    let mut strings = whole.clone();
                    strings.remove(broken);
                    let sound = std::str::from_utf8(&strings).is_ok();
                    assert_eq!(
                        Bundle::open(of(strings), &trust).is_ok(),
                        sound,
                        "{before} {broken}"
                    );
                }
            }
        }
    }
    for strings in ["\u{80}".as_bytes()[1..].to_vec(), vec![0x80; 1 << 15]] {
        refusal(of(strings), &trust);
    }
}

#[test]
fn an_unsigned_bundle_opens_only_where_allowed() {
    let bytes = write(&least(), &Identity::default()).unwrap();
    assert_eq!(refusal(bytes.clone(), &trust()), OpenError::Unsigned);
    let lenient = Trust { allow_unsigned: true, ..trust() };
    assert!(!Bundle::open(bytes, &lenient).unwrap().is_signed());
}

#[test]
fn a_signature_made_elsewhere_can_be_attached() {
    use ed25519_dalek::Signer;
    let mut bytes = write(&least(), &Identity::default()).unwrap();
    let message = set_key(&mut bytes, &public_key()).unwrap();
    let signature = ed25519_dalek::SigningKey::from_bytes(&SEED).sign(&message);
    attach_signature(&mut bytes, &signature.to_bytes()).unwrap();
    assert!(Bundle::open(bytes, &trust()).is_ok());
}

#[test]
fn another_key_is_not_trusted() {
    let mut bytes = signed();
    sign(&mut bytes, &[8; 32]).unwrap();
    assert!(matches!(refusal(bytes, &trust()), OpenError::UnknownKey { .. }));
}

#[test]
fn every_changed_byte_is_noticed() {
    let good = signed();
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 0x10;
        refusal(bytes, &trust());
    }
}

#[test]
fn every_truncation_is_noticed() {
    let good = signed();
    for len in 0..good.len() {
        assert!(Bundle::open(good[..len].to_vec(), &trust()).is_err(), "{len} bytes");
    }
    let mut longer = good;
    longer.push(0);
    assert!(matches!(refusal(longer, &trust()), OpenError::Length { .. }));
}

#[test]
fn a_newer_format_is_refused_by_both_numbers() {
    let mut bytes = signed();
    bytes[8] = 9;
    let message = refusal(bytes, &trust()).to_string();
    assert!(message.contains("format 9") && message.contains("takes 1"), "{message}");
}

#[test]
fn activation_looks_at_time_epoch_and_audience() {
    let identity = Identity {
        epoch: 5,
        not_before: 100,
        not_after: 200,
        audience: "a".into(),
        ..Identity::default()
    };
    let bytes = write(&least(), &identity).unwrap();
    let bundle = Bundle::open(bytes, &Trust { allow_unsigned: true, ..Trust::default() }).unwrap();
    assert_eq!(bundle.check_activation(100, 5, Some("a")), Ok(()));
    assert_eq!(bundle.check_activation(200, 0, None), Ok(()));
    assert!(matches!(bundle.check_activation(99, 5, None), Err(ActivationError::NotYet { .. })));
    assert!(matches!(bundle.check_activation(201, 5, None), Err(ActivationError::Expired { .. })));
    assert!(matches!(bundle.check_activation(150, 6, None), Err(ActivationError::Epoch { .. })));
    assert!(matches!(
        bundle.check_activation(150, 5, Some("b")),
        Err(ActivationError::Audience { .. })
    ));
    let bytes = write(&least(), &Identity { audience: String::new(), ..identity }).unwrap();
    let nobody = Bundle::open(bytes, &Trust { allow_unsigned: true, ..Trust::default() }).unwrap();
    let refused = nobody.check_activation(150, 5, Some("b")).unwrap_err().to_string();
    assert_eq!(refused, "the bundle is meant for no audience, this gateway is `b`");
}

/// Adds a limit of so many windows, then concurrencies, then windows.
fn limit(sections: &mut Sections, windows: usize, concurrencies: usize, after: usize) {
    let offset = (sections.strings.len() as u32).into();
    sections.strings.extend(b"limit");
    let name = Text { offset, len: 5.into() };
    let rate = |kind: RateKind| LimitRate {
        window: 1.into(),
        amount: 1.into(),
        burst: 1.into(),
        kind: kind.code(),
        ..LimitRate::new_zeroed()
    };
    let kinds = [(RateKind::Window, windows), (RateKind::Concurrency, concurrencies)];
    for (kind, count) in kinds.into_iter().chain([(RateKind::Window, after)]) {
        sections.limit_rates.extend(std::iter::repeat_n(rate(kind), count));
    }
    let rate_count = sections.limit_rates.len() as u8;
    sections.caller_sources.push(CallerSource { label: name, name, ..CallerSource::new_zeroed() });
    sections.callers.push(Caller { name, source_count: 1.into(), ..Caller::new_zeroed() });
    sections.limits.push(Limit { name, id: 8.into(), rate_count, ..Limit::new_zeroed() });
}

/// Records that do not hold are refused by name, each broken by hand.
#[test]
fn records_that_do_not_hold_are_named() {
    type Break = fn(&mut Sections);
    let broken: [(&str, Break); 20] = [
        ("securities", |s| secure(s, |security| security.requirement_count = 0.into())),
        ("securities", |s| secure(s, |security| security.scheme_count = 2.into())),
        ("securities", |s| secure(s, |security| security.action = 9)),
        ("securities", |s| secure(s, |security| security.operation = 1.into())),
        ("securities", |s| {
            secure(s, |_| {});
            s.securities.push(s.securities[0]);
        }),
        ("securities", |s| {
            secure(s, |_| {});
            s.security_requirements[0].schemes = 2.into();
        }),
        ("limits", |s| limit(s, 0, 1, 1)),
        ("limits", |s| limit(s, 8, 0, 0)),
        ("limits", |s| limit(s, 6, 2, 0)),
        ("policy", |s| s.policy[0].root = 9.into()),
        ("policy", |s| s.policy.clear()),
        ("nodes", |s| s.nodes[0].wildcard = 0.into()),
        ("schemas", |s| s.schemas[1].types = 255),
        ("schemas", |s| {
            s.schemas.truncate(1);
        }),
        ("schemas", |s| {
            s.lists.push(Index { value: 1.into() });
            s.compositions.push(Composition {
                branch_count: 1.into(),
                kind: CompositionKind::AllOf.code(),
                ..Composition::new_zeroed()
            });
            s.schemas[1].composition_count = 1.into();
        }),
        ("string_checks", |s| {
            let format = Format::IdnHostname.code();
            s.string_checks.push(StringCheck { format, ..StringCheck::new_zeroed() });
        }),
        ("idn", |s| s.idn.push(IdnRange { entry: (5 << IDN_SHIFT).into() })),
        ("idn", |s| {
            s.idn.push(IdnRange { entry: 0.into() });
            s.idn.push(IdnRange { entry: IDN_VALID.into() });
        }),
        ("strings", |s| s.strings[0] = 0xFF),
        ("documents", |s| {
            let name = Text { offset: 7.into(), len: 2.into() };
            s.documents.push(Document { name, ..Document::new_zeroed() });
        }),
    ];
    let mut sound = least();
    secure(&mut sound, |_| {});
    limit(&mut sound, 7, 1, 0);
    let bytes = write(&sound, &Identity::default()).unwrap();
    assert!(Bundle::open(bytes, &Trust { allow_unsigned: true, ..Trust::default() }).is_ok());
    for (section, break_it) in broken {
        let mut sections = least();
        break_it(&mut sections);
        let bytes = write(&sections, &Identity::default()).unwrap();
        let error = refusal(bytes, &Trust { allow_unsigned: true, ..Trust::default() });
        match error {
            OpenError::Record { section: found, .. } => assert_eq!(found, section, "{error}"),
            other => panic!("{section}: {other}"),
        }
    }
}

/// Bytes changed behind sound hashes: whatever they say, opening ends with a bundle or an error.
#[test]
fn hostile_records_behind_a_sound_preamble_never_panic() {
    let mut state = 1u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let lenient = Trust { allow_unsigned: true, ..Trust::default() };
    for _ in 0..2000 {
        let mut sections = least();
        let bytes: Vec<u8> = (0..random() % 400).map(|_| random() as u8).collect();
        let words = |n: usize| -> Vec<Index> {
            bytes
                .chunks_exact(4)
                .take(n)
                .map(|c| Index { value: u32::from(c[0] % 4).into() })
                .collect()
        };
        sections.lists = words(16);
        sections.slots = words(8);
        let take = |skip: usize| bytes.get(skip..).unwrap_or_default();
        use zerocopy::FromBytes;
        if let Ok((schema, _)) = Schema::read_from_prefix(take(3)) {
            sections.schemas.push(schema);
        }
        if let Ok((composition, _)) = Composition::read_from_prefix(take(50)) {
            sections.compositions.push(composition);
        }
        if let Ok((object, _)) = ObjectCheck::read_from_prefix(take(80)) {
            sections.object_checks.push(object);
        }
        if let Ok((node, _)) = Node::read_from_prefix(take(10)) {
            sections.nodes.push(node);
        }
        let bytes = write(&sections, &Identity::default()).unwrap();
        let whole = Bundle::open(bytes.clone(), &lenient).map(|it| it.as_bytes().to_vec());
        let in_steps = open_in_steps(bytes, &lenient, 3).map(|(it, _)| it.as_bytes().to_vec());
        assert_eq!(whole, in_steps);
    }
}
