//! Questions and answers, byte by byte, and whatever else may come from the network.

use super::{Quota, Reply, bytes, caller, grpc_service, number, plain};
use portcullis_bundle::layout::{CallerForm, LimitService};
use zerocopy::FromZeros;

/// A `RateLimitResponse` of one status.
fn response(code: u64, limit: Option<(u64, u64)>, reset: Option<(u64, u64)>) -> Vec<u8> {
    let pair = |(first, second): (u64, u64)| {
        let mut message = Vec::new();
        number(&mut message, 1, first);
        number(&mut message, 2, second);
        message
    };
    let mut status = Vec::new();
    number(&mut status, 1, code);
    limit.into_iter().for_each(|it| bytes(&mut status, 2, &pair(it)));
    number(&mut status, 3, 7);
    reset.into_iter().for_each(|it| bytes(&mut status, 4, &pair(it)));
    let mut message = Vec::new();
    number(&mut message, 1, code);
    bytes(&mut message, 2, &status);
    // What a service would have added to the answer.
    bytes(&mut message, 3, b"\x0a\x01x\x12\x01y");
    message
}

#[test]
fn an_answer_says_yes_or_no_and_how_the_limit_stands() {
    assert_eq!(Reply::read(&response(1, None, None)), Some(Reply::default()));
    let no = Reply::read(&response(2, Some((5, 3)), Some((61, 500_000_000)))).unwrap();
    let quota = Some(Quota { amount: 5, window: 3600 });
    assert_eq!(no, Reply { over: true, wait: Some(61_500_000_000), quota });
    // The verdict alone, as Limitador answers.
    let bare = Reply::read(&[8, 2]).unwrap();
    assert_eq!(bare, Reply { over: true, wait: None, quota: None });
    // Months differ; a unit that is not known says nothing.
    let of_unit = |unit| Reply::read(&response(2, Some((5, unit)), None)).unwrap().quota;
    assert_eq!(of_unit(5), Some(Quota { amount: 5, window: 0 }));
    assert_eq!((of_unit(0), of_unit(99)), (None, None));
}

#[test]
fn what_says_neither_yes_nor_no_is_no_answer() {
    for message in
        [&b""[..], b"\x08", b"\x08\x00", b"\x08\x03", b"\xff\xff\xff", b"\x12\x02\x08\x02"]
    {
        assert_eq!(Reply::read(message), None, "{message:?}");
    }
    // Cut anywhere but after the verdict, it is none either.
    let whole = response(2, Some((5, 3)), Some((61, 1)));
    let cut =
        (0..whole.len()).filter(|&at| Reply::read(&whole[..at]).is_some()).collect::<Vec<_>>();
    let ends = [2, whole.len() - 8];
    assert_eq!(cut, ends);
    // Lengths and numbers beyond all bounds.
    for message in [
        &b"\x08\x02\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..],
        b"\x08\x02\x1b",
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ] {
        assert_eq!(Reply::read(message), None, "{message:?}");
    }
    let reset =
        |seconds, nanos| Reply::read(&response(2, None, Some((seconds, nanos)))).unwrap().wait;
    assert_eq!([reset(u64::MAX, 0), reset(1 << 40, 0), reset(1, 1 << 40)], [None; 3]);
}

#[test]
fn callers_are_told_by_hash_unless_values_are_asked_for_and_fit() {
    let mut service = LimitService::new_zeroed();
    let hash = caller(&service, b"header.x-key\0abc", [1, 2]);
    assert!(hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert_ne!(hash, caller(&service, b"header.x-key\0abd", [1, 2]));
    assert_ne!(hash, caller(&service, b"header.x-key\0abc", [1, 3]));
    service.callers = CallerForm::Value.code();
    assert_eq!(caller(&service, b"header.x-key\0abc", [1, 2]), "header.x-key=abc");
    assert_eq!(plain(b"address\0\xc0\x00\x02\x01").unwrap(), "address=192.0.2.1");
    let v6 = [b"address/24/64\0".as_slice(), &[0x20, 1, 0xd, 0xb8], &[0; 12]].concat();
    assert_eq!(plain(&v6).unwrap(), "address/24/64=2001:db8::");
    assert_eq!(plain(b"nobody").unwrap(), "nobody=");
    let long = [b"query.k\0".as_slice(), &[b'a'; 257]].concat();
    for hidden in [&long[..], b"query.k\0\xff", b"query.k\0a\nb"] {
        assert_eq!(caller(&service, hidden, [1, 2]).len(), 32);
    }
}

#[test]
fn a_cluster_is_named_in_bytes_that_are_text() {
    assert_eq!(grpc_service("ratelimit").unwrap(), "\n\u{b}\n\tratelimit");
    assert!(grpc_service(&"c".repeat(120)).is_some() && grpc_service(&"c".repeat(121)).is_none());
}
