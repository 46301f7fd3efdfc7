//! Whose address a request has, and which addresses are one caller.

use super::*;

#[test]
fn an_address_that_is_not_from_whom_is_trusted_is_told_of() {
    let sets = [Set { caller: 1, ..set("a", &[window(9, 9, 1)]) }];
    let mut sections = sections(&sets, Action::Allow);
    let world = World::of(1);
    let mut told = |hops: u8, forwarded: &str| {
        sections.limit_tables[0].trusted_hops = hops;
        let headers: [(&[u8], &[u8]); 1] = [(b"x-forwarded-for", forwarded.as_bytes())];
        let client = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        let request = Request {
            headers: &headers,
            query: b"",
            client,
            operation: None,
            body: None,
            enforced: true,
        };
        let before = world.noted(LimitEvent::AddressUntrusted);
        counted(&sections, &request, &mut Ticket::default(), &mut Vec::new(), &world);
        world.noted(LimitEvent::AddressUntrusted) > before
    };
    assert!(!told(0, "203.0.113.9, 192.0.2.1") && !told(0, "192.0.2.1"));
    // Taken from what the client wrote.
    assert!(told(0, "192.0.2.1, 198.51.100.7") && told(0, ""));
    assert!(!told(1, "192.0.2.1, 198.51.100.7") && told(1, "192.0.2.1"));
}

#[test]
fn addresses_of_one_network_are_one_caller() {
    let are_one = |(v4_bits, v6_bits), one: &str, other: &str| {
        let mut sections =
            sections(&[Set { caller: 1, ..set("a", &[window(1, 1, 100)]) }], Action::Allow);
        let source = &mut sections.caller_sources[1];
        (source.v4_bits, source.v6_bits) = (v4_bits, v6_bits);
        let world = World::of(64);
        let is_admitted = |address: &str| {
            let headers: [(&[u8], &[u8]); 1] = [(b"x-forwarded-for", address.as_bytes())];
            let client = Some(address.parse().unwrap());
            let request = Request {
                headers: &headers,
                query: b"",
                client,
                operation: None,
                body: None,
                enforced: true,
            };
            let (ticket, asked) = (&mut Ticket::default(), &mut Vec::new());
            counted(&sections, &request, ticket, asked, &world).is_empty()
        };
        assert!(is_admitted(one));
        !is_admitted(other)
    };
    let (single, network, all) = ((32, 128), (24, 64), (0, 0));
    for (bits, one, other, expected) in [
        (single, "192.0.2.1", "192.0.2.1", true),
        (single, "192.0.2.1", "192.0.2.2", false),
        (network, "192.0.2.1", "192.0.2.254", true),
        (network, "192.0.2.1", "192.0.3.1", false),
        (network, "192.0.2.1", "::ffff:192.0.2.254", true),
        (network, "192.0.2.1", "::ffff:192.0.3.1", false),
        (network, "2001:db8::1", "2001:db8::ffff:1", true),
        (network, "2001:db8::1", "2001:db8:0:1::1", false),
        (single, "2001:db8::1", "2001:db8::2", false),
        (single, "2001:db8::1", "2001:0db8:0::0001", true),
        ((25, 48), "192.0.2.1", "192.0.2.128", false),
        ((25, 48), "192.0.2.129", "192.0.2.254", true),
        ((25, 48), "2001:db8::1", "2001:db8:0:1::1", true),
        (all, "192.0.2.1", "203.0.113.9", true),
        (all, "2001:db8::1", "2001:db8:ffff::1", true),
        (all, "192.0.2.1", "2001:db8::1", false),
    ] {
        assert_eq!(are_one(bits, one, other), expected, "{one} and {other}, {bits:?}");
    }
}
