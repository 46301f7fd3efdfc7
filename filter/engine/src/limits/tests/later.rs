//! What is settled after a request was admitted: by its answer, and at its end.

use super::*;

#[test]
fn answers_decide_what_counts() {
    let sections =
        sections(&[Set { statuses: "401 5xx", ..set("a", &[window(2, 2, 100)]) }], Action::Allow);
    let world = World::of(1);
    for status in [200, 403, 404, 302] {
        let mut ticket = Ticket::default();
        assert!(ask_owing(&sections, &world, "x", &mut ticket).is_empty());
        assert!(ticket.awaits_answer());
        ticket.settle(&sections.view(), status, &world);
        ticket.end(&sections.view(), &world);
    }
    // A wrong password, and a client that does not wait for its answer.
    let mut ticket = Ticket::default();
    assert!(ask_owing(&sections, &world, "x", &mut ticket).is_empty());
    ticket.settle(&sections.view(), 401, &world);
    ticket.settle(&sections.view(), 401, &world);
    ticket.end(&sections.view(), &world);
    let mut ticket = Ticket::default();
    assert!(ask_owing(&sections, &world, "x", &mut ticket).is_empty());
    ticket.end(&sections.view(), &world);
    assert!(!ask(&sections, &world, "x").is_empty());
}

/// A client that has fifty requests under way whenever it can has them admitted once, not each time that one unit has
/// drained.
#[test]
fn what_is_under_way_when_answers_count_is_admitted_once() {
    let set = Set { statuses: "401", ..set("a", &[window(2, 2, 100)]) };
    let sections = sections(&[set], Action::Allow);
    let world = World::of(1);
    let (mut admitted, mut waves) = (0, 0);
    while waves < 20 {
        let mut tickets = Vec::new();
        for _ in 0..50 {
            let mut ticket = Ticket::default();
            if ask_owing(&sections, &world, "x", &mut ticket).is_empty() {
                tickets.push(ticket);
            }
        }
        admitted += tickets.len();
        for mut ticket in tickets {
            ticket.settle(&sections.view(), 401, &world);
            ticket.end(&sections.view(), &world);
        }
        world.pass(50 * SECOND);
        waves += 1;
    }
    // The first wave; in twenty times fifty seconds what was counted beyond the limit has not drained.
    assert_eq!(admitted, 50);
    // Half a minute for each: two more waves would be the limit's, if they came one by one.
    world.pass((50 - 2) * 50 * SECOND);
    assert!(ask(&sections, &world, "x").is_empty());
}

#[test]
fn counts_that_answers_displace_are_told_of() {
    let set = Set { statuses: "401", ..set("a", &[window(2, 2, 1000)]) };
    let sections = sections(&[set], Action::Allow);
    let world = World::of(1);
    for caller in 0..40 {
        let mut ticket = Ticket::default();
        assert!(ask_owing(&sections, &world, &format!("c{caller}"), &mut ticket).is_empty());
        ticket.settle(&sections.view(), 401, &world);
    }
    assert_eq!(world.noted(LimitEvent::Evicted), 40 - 32);
    // All that one request displaces is told of, not only that it did.
    let rates = [window(2, 2, 1000), window(3, 3, 2000), window(4, 4, 3000)];
    let sections = self::sections(&[self::set("b", &rates)], Action::Allow);
    let world = World::of(1);
    for caller in 0..11 {
        assert!(ask(&sections, &world, &format!("c{caller}")).is_empty());
    }
    assert_eq!(world.noted(LimitEvent::Evicted), 33 - 32);
    assert!(ask(&sections, &world, "one more").is_empty());
    assert_eq!(world.noted(LimitEvent::Evicted), 36 - 32);
}

#[test]
fn leases_are_given_back_at_the_end() {
    let sections = sections(&[set("a", &[at_once(2, 30)])], Action::Allow);
    let world = World::of(1);
    let mut tickets = [Ticket::default(), Ticket::default(), Ticket::default()];
    assert!(ask_owing(&sections, &world, "x", &mut tickets[0]).is_empty());
    assert!(ask_owing(&sections, &world, "x", &mut tickets[1]).is_empty());
    assert!(!ask_owing(&sections, &world, "x", &mut tickets[2]).is_empty());
    let [first, _, refused] = tickets;
    assert!(refused.is_empty());
    first.end(&sections.view(), &world);
    assert!(ask(&sections, &world, "x").is_empty());
    assert!(!ask(&sections, &world, "x").is_empty());
    // Ends that are never told of are forgotten after two leases at the latest.
    world.pass(61 * SECOND);
    assert!(ask(&sections, &world, "x").is_empty());
}

#[test]
fn who_was_not_counted_gives_no_place_back() {
    let sections = sections(&[set("a", &[at_once(2, 30)])], Action::Allow);
    let world = World::of(1);
    let mut held = Ticket::default();
    assert!(ask_owing(&sections, &world, "x", &mut held).is_empty());
    // Others always write first: it passes, and has no part in the count.
    world.storms.set(8);
    let mut uncounted = Ticket::default();
    assert!(ask_owing(&sections, &world, "x", &mut uncounted).is_empty());
    assert!(uncounted.is_empty());
    uncounted.end(&sections.view(), &world);
    assert!(ask(&sections, &world, "x").is_empty());
    assert!(!ask(&sections, &world, "x").is_empty());
}

/// A request that its first block's counts admit, and the second's refuse after a lost write, gives the first's lease
/// back.
#[test]
fn a_lease_of_a_request_that_is_refused_after_all_is_given_back() {
    struct Late<'a>(&'a World, &'a Sections, Cell<u32>);
    impl Surroundings for Late<'_> {
        fn now(&self) -> u64 {
            self.0.now()
        }
        fn key(&self) -> [u64; 2] {
            self.0.key()
        }
        fn blocks(&self) -> u32 {
            self.0.blocks()
        }
        fn load(&self, block: u32) -> Option<(Vec<u8>, u32)> {
            self.0.load(block)
        }
        fn store(&self, block: u32, bytes: &[u8], version: u32) -> bool {
            self.2.set(self.2.get() + 1);
            if self.2.get() == 2 {
                // The address is used up by another caller in between.
                assert!(ask(self.1, self.0, "other").is_empty());
            }
            self.0.store(block, bytes, version)
        }
        fn property(&self, _: &str) -> Option<Vec<u8>> {
            None
        }
        fn note(&self, event: LimitEvent) {
            self.0.note(event);
        }
    }
    let sets = [
        set("at-once", &[at_once(1, 30)]),
        Set { caller: 1, ..set("address", &[window(1, 1, 100)]) },
    ];
    let sections = sections(&sets, Action::Allow);
    let world = World::of(64);
    let late = Late(&world, &sections, Cell::new(0));
    let headers: [(&[u8], &[u8]); 1] = [(b"x", b"one")];
    let client = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (query, operation, body, enforced) = (&b""[..], None, None, true);
    let request = Request { headers: &headers, query, client, operation, body, enforced };
    let mut ticket = Ticket::default();
    let exceeded = counted(&sections, &request, &mut ticket, &mut Vec::new(), &late);
    assert_eq!(exceeded.iter().map(|it| it.limit).collect::<Vec<_>>(), [1]);
    assert!(!ticket.is_empty() && !ticket.awaits_answer());
    ticket.end(&sections.view(), &world);
    // Its place is free again; the address is still used up.
    let exceeded = ask(&sections, &world, "one");
    assert_eq!(exceeded.iter().map(|it| it.limit).collect::<Vec<_>>(), [1]);
}
