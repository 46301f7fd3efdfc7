//! What holds over any database: each function gets a store with nothing in it.

use super::*;
use crate::current::Target;
use crate::names::Labels;

fn assigned(channel: &str, epoch: i64) -> Assigned {
    let (policy, channel) = ("bank".to_owned(), channel.to_owned());
    Assigned { policy, channel, epoch, identity: "ops".to_owned(), at: 2000 }
}

fn pinned(target: Target, epoch: Option<i64>) -> Pinned {
    let (policy, identity) = ("bank".to_owned(), "ops".to_owned());
    Pinned { policy, target, epoch, reason: "incident".to_owned(), identity, at: 3000 }
}

fn rollout(channel: &str, labels: Option<&str>, hundredths: Option<i64>) -> Rollout {
    Rollout {
        policy: "bank".to_owned(),
        channel: channel.to_owned(),
        labels: labels.map(|it| it.parse().unwrap()),
        hundredths,
        priority: None,
        identity: "ops".to_owned(),
        at: 2000,
    }
}

fn conflict(outcome: Result<Published, StoreError>) -> String {
    match outcome {
        Err(StoreError::Conflict(told)) => told,
        other => panic!("{other:?}"),
    }
}

pub fn epochs_rise_and_keep_their_content(store: &Store) {
    assert_eq!(publish(store, "stable", 7, b"seven"), Ok(Published::New));
    assert_eq!(publish(store, "stable", 7, b"seven"), Ok(Published::Known));
    assert!(conflict(publish(store, "stable", 7, b"other")).contains("other content"));
    assert!(conflict(publish(store, "stable", 6, b"six")).contains("not above 7"));
    assert_eq!(publish(store, "canary", 9, b"nine"), Ok(Published::New));
    assert!(conflict(publish(store, "stable", 8, b"eight")).contains("not above 9"));
    // What is there may go to another channel, but no channel goes back.
    assert_eq!(publish(store, "stable", 9, b"nine"), Ok(Published::Changed));
    assert!(conflict(publish(store, "stable", 7, b"seven")).contains("rollback"));
    let policy = load(store);
    assert_eq!((policy.highest, policy.bundles.len()), (9, 1));
    assert_eq!(policy.bundles[&9].bytes, &b"nine"[..]);
    let gone = block(store.assign(assigned("stable", 8), Audit::default()));
    assert!(matches!(gone, Err(StoreError::NotFound(_))), "{gone:?}");
}

pub fn the_same_content_may_be_signed_anew(store: &Store) {
    publish(store, "stable", 7, b"seven").unwrap();
    let mut anew = publication("stable", 7, b"seven");
    (anew.etag, anew.content) = ("\"anew\"".to_owned(), b"seven, signed by another".to_vec());
    assert_eq!(block(store.publish(anew, Audit::default())), Ok(Published::Changed));
    let policy = load(store);
    assert_eq!(policy.bundles[&7].etag, "\"anew\"");
    assert_eq!(policy.bundles[&7].bytes, &b"seven, signed by another"[..]);
}

pub fn what_is_signed_anew_changes_no_other_channel_and_no_pin(store: &Store) {
    let anew = |channel: &str, epoch, content: &[u8], etag: &str| {
        let it = publication(channel, epoch, content);
        let it = Publication { etag: etag.to_owned(), content: etag.into(), ..it };
        block(store.publish(it, Audit::default()))
    };
    publish(store, "stable", 7, b"seven").unwrap();
    let canary = Publication { hundredths: Some(500), ..publication("canary", 7, b"seven") };
    let canary = Publication { etag: "anew".to_owned(), content: b"anew".to_vec(), ..canary };
    let told = conflict(block(store.publish(canary, Audit::default())));
    assert!(told.contains("`stable` leads to epoch 7"), "{told}");
    let policy = load(store);
    assert_eq!(policy.bundles[&7].bytes, &b"seven"[..]);
    assert!(policy.channels.iter().all(|it| it.name != "canary"));
    // Its own channel alone.
    publish(store, "canary", 8, b"eight").unwrap();
    assert_eq!(anew("canary", 8, b"eight", "1"), Ok(Published::Changed));
    publish(store, "staged", 8, b"eight").unwrap_err();
    block(store.assign(assigned("staged", 8), Audit::default())).unwrap();
    conflict(anew("canary", 8, b"eight", "2"));
    // A canary that `stable` has come to is for nobody any more.
    block(store.assign(assigned("stable", 8), Audit::default())).unwrap();
    assert_eq!(anew("stable", 8, b"eight", "2"), Ok(Published::Changed));
    let labels = Target::Labels("region=eu".parse().unwrap());
    for target in [Target::Channel("stable".to_owned()), labels] {
        let pin = |epoch| block(store.pin(pinned(target.clone(), epoch), Audit::default()));
        pin(Some(8)).unwrap();
        let told = conflict(anew("stable", 8, b"eight", "3"));
        assert!(told.contains("pin"), "{told}");
        pin(None).unwrap();
    }
    assert_eq!(anew("stable", 8, b"eight", "3"), Ok(Published::Changed));
}

pub fn channels_are_rolled_out_and_pinned(store: &Store) {
    publish(store, "stable", 7, b"seven").unwrap();
    publish(store, "canary", 8, b"eight").unwrap();
    let nobody = Labels::default();
    assert_eq!(load(store).choose("bank", "g", &nobody).unwrap().epoch, 7);
    block(store.roll_out(rollout("canary", Some("region=eu"), Some(10_000)), Audit::default()))
        .unwrap();
    let eu: Labels = "region=eu".parse().unwrap();
    assert_eq!(load(store).choose("bank", "g", &nobody).unwrap().epoch, 7);
    assert_eq!(load(store).choose("bank", "g", &eu).unwrap().epoch, 8);
    // What is not given stays.
    block(store.roll_out(rollout("canary", None, Some(0)), Audit::default())).unwrap();
    assert_eq!(load(store).choose("bank", "g", &eu).unwrap().epoch, 7);
    assert!(block(store.roll_out(rollout("stable", None, Some(5)), Audit::default())).is_err());

    block(store.assign(assigned("stable", 8), Audit::default())).unwrap();
    block(store.pin(pinned(Target::Channel("stable".to_owned()), Some(7)), Audit::default()))
        .unwrap();
    assert_eq!(load(store).choose("bank", "g", &nobody).unwrap().epoch, 7);
    assert_eq!(load(store).bundles.len(), 2);
    block(store.pin(pinned(Target::Channel("stable".to_owned()), None), Audit::default())).unwrap();
    assert_eq!(load(store).choose("bank", "g", &nobody).unwrap().epoch, 8);
    let again =
        block(store.pin(pinned(Target::Channel("stable".to_owned()), None), Audit::default()));
    assert!(matches!(again, Err(StoreError::NotFound(_))));
    let missing = block(store.pin(pinned(Target::Labels(eu.clone()), Some(99)), Audit::default()));
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
    // Released, a channel that was held above its own epoch would go back.
    publish(store, "canary", 9, b"nine").unwrap();
    let above = pinned(Target::Channel("stable".to_owned()), Some(9));
    let above = block(store.pin(above, Audit::default()));
    assert!(matches!(above, Err(StoreError::Conflict(_))), "{above:?}");

    let history = block(store.history("bank".to_owned(), 100)).unwrap();
    let actions: Vec<&str> = history.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(
        actions,
        ["publish", "unpin", "pin", "promote", "rollout", "rollout", "publish", "publish"]
    );
    assert!(history.windows(2).all(|pair| pair[0].revision > pair[1].revision));

    // So would gateways with labels, and a channel that has come to nothing but what `stable` is held below.
    let pin =
        |target: &Target, epoch| block(store.pin(pinned(target.clone(), epoch), Audit::default()));
    let labels = Target::Labels(eu.clone());
    assert!(matches!(pin(&labels, Some(9)), Err(StoreError::Conflict(_))));
    let (stable, other) =
        (Target::Channel("stable".to_owned()), Target::Channel("other".to_owned()));
    block(store.roll_out(rollout("other", None, None), Audit::default())).unwrap();
    pin(&stable, Some(7)).unwrap();
    for target in [&labels, &other] {
        assert!(matches!(pin(target, Some(8)), Err(StoreError::Conflict(_))), "{target:?}");
        pin(target, Some(7)).unwrap();
        pin(target, None).unwrap();
    }
    pin(&stable, None).unwrap();
    pin(&labels, Some(8)).unwrap();
    pin(&labels, None).unwrap();
    assert_eq!(load(store).choose("bank", "g", &eu).unwrap().epoch, 8);
}

pub fn what_is_not_there_is_not_pinned_and_a_pin_can_always_be_changed(store: &Store) {
    publish(store, "stable", 7, b"seven").unwrap();
    publish(store, "stable", 8, b"eight").unwrap();
    let pin =
        |target: Target, epoch| block(store.pin(pinned(target, Some(epoch)), Audit::default()));
    let typo = pin(Target::Channel("stabel".to_owned()), 7);
    let Err(StoreError::NotFound(told)) = typo else { panic!("{typo:?}") };
    assert!(told.contains("no channel `stabel`; it has `stable`"), "{told}");
    assert_eq!(load(store).channels.len(), 1);
    let labels = |number: usize| Target::Labels(format!("n={number}").parse().unwrap());
    for number in 0..64 {
        pin(labels(number), 7).unwrap();
    }
    assert!(matches!(pin(labels(64), 7), Err(StoreError::Conflict(_))));
    pin(labels(5), 8).unwrap();
    let pins = load(store).pins;
    let of = |number| pins.iter().find(|pin| pin.target == labels(number)).map(|pin| pin.epoch);
    assert_eq!((pins.len(), of(4), of(5), of(64)), (64, Some(7), Some(8), None));
}

pub fn a_channel_that_is_for_nobody_can_be_removed(store: &Store) {
    let remove = |channel: &str| {
        let (policy, channel) = ("bank".to_owned(), channel.to_owned());
        let removed = Removed { policy, channel, identity: "ops".to_owned(), at: 4000 };
        block(store.remove(removed, Audit::default()))
    };
    let why = |outcome: Result<(), StoreError>| match outcome {
        Err(StoreError::Conflict(told) | StoreError::NotFound(told)) => told,
        other => panic!("{other:?}"),
    };
    let roll_out = |channel: &str, hundredths| {
        let rollout = Rollout {
            policy: "bank".to_owned(),
            channel: channel.to_owned(),
            labels: None,
            hundredths: Some(hundredths),
            priority: None,
            identity: "ops".to_owned(),
            at: 2000,
        };
        block(store.roll_out(rollout, Audit::default()))
    };
    publish(store, "stable", 7, b"seven").unwrap();
    assert!(why(remove("stable")).contains("for every gateway"));
    assert!(why(remove("canry")).contains("no channel `canry`; it has `stable`"));
    // As many as there may be; one goes, another fits.
    for number in 0..15 {
        publish(store, &format!("typo-{number}"), 7, b"seven").unwrap();
    }
    assert!(matches!(publish(store, "canary", 8, b"eight"), Err(StoreError::Conflict(_))));
    assert_eq!(remove("typo-3"), Ok(()));
    publish(store, "canary", 8, b"eight").unwrap();
    // What leads gateways to something newer than they would have without it stays, and what is pinned.
    roll_out("canary", 500).unwrap();
    assert!(why(remove("canary")).contains("roll the channel out to 0 % first"));
    let target = || Target::Channel("canary".to_owned());
    block(store.pin(pinned(target(), Some(8)), Audit::default())).unwrap();
    roll_out("canary", 0).unwrap();
    assert!(why(remove("canary")).contains("release it first"));
    block(store.pin(pinned(target(), None), Audit::default())).unwrap();
    assert_eq!(remove("canary"), Ok(()));
    // What it led to is kept as history is, and its epoch is taken.
    let policy = load(store);
    assert!(policy.channels.iter().all(|it| it.name != "canary"));
    assert_eq!((policy.highest, policy.bundles.len()), (8, 1));
    assert!(block(store.content("bank".to_owned(), 8)).is_ok());
    // Where `stable` has come as far, nobody is led back.
    publish(store, "canary", 9, b"nine").unwrap();
    roll_out("canary", 10_000).unwrap();
    block(store.assign(assigned("stable", 9), Audit::default())).unwrap();
    assert_eq!(remove("canary"), Ok(()));
    let newest = &block(store.history("bank".to_owned(), 1)).unwrap()[0];
    assert_eq!((newest.action.as_str(), newest.target.as_str()), ("remove", "canary"));
    assert_eq!(newest.detail, r#"{"before":9}"#);
}

pub fn a_policy_that_is_for_nobody_can_be_removed(store: &Store) {
    let removed = |policy: &str, since| RemovedPolicy {
        policy: policy.to_owned(),
        heard_of: None,
        since,
        identity: "ops".to_owned(),
        at: 4000,
    };
    let remove = |it| block(store.remove_policy(it, Audit::default()));
    let why = |outcome: Result<(), StoreError>| match outcome {
        Err(StoreError::Conflict(told) | StoreError::NotFound(told)) => told,
        other => panic!("{other:?}"),
    };
    publish(store, "stable", 7, b"seven").unwrap();
    let other = Publication { policy: "shop".to_owned(), ..publication("stable", 3, b"three") };
    block(store.publish(other, Audit::default())).unwrap();
    publish(store, "canary", 8, b"eight").unwrap();
    assert!(why(remove(removed("bnak", 0))).contains("no policy is called `bnak`"));
    assert!(why(remove(removed("bank", 0))).contains("the channel `canary`: remove it first"));
    let (policy, channel) = ("bank".to_owned(), "canary".to_owned());
    let canary = Removed { policy, channel, identity: "ops".to_owned(), at: 4000 };
    block(store.remove(canary, Audit::default())).unwrap();
    let target = || Target::Channel("stable".to_owned());
    block(store.pin(pinned(target(), Some(7)), Audit::default())).unwrap();
    assert!(why(remove(removed("bank", 0))).contains("a pin of channel stable: release it first"));
    block(store.pin(pinned(target(), None), Audit::default())).unwrap();
    // A gateway that another replica has heard of, or this one.
    let (policy, gateway) = ("bank".to_owned(), "gw".to_owned());
    let row = GatewayRow { policy, gateway, last_contact: 5000, ..GatewayRow::default() };
    block(store.keep_gateways(vec![row], 0)).unwrap();
    assert!(why(remove(removed("bank", 5000))).contains("`gw`"));
    let heard = RemovedPolicy { heard_of: Some("gw-2".to_owned()), ..removed("bank", 6000) };
    assert!(why(remove(heard)).contains("`gw-2`"));
    assert_eq!((load(store).highest, load(store).channels.len()), (8, 1), "all of it is there");
    let by_ops = Audit { identity: "ops".to_owned(), ..Audit::default() };
    assert_eq!(block(store.remove_policy(removed("bank", 5001), by_ops)), Ok(()));
    let current = block(store.load(Arc::default())).unwrap().unwrap();
    assert_eq!(current.policies.keys().collect::<Vec<_>>(), ["shop"]);
    assert_eq!(current.first.as_deref(), Some("shop"));
    assert!(block(store.content("bank".to_owned(), 7)).is_err());
    assert!(why(remove(removed("bank", 6000))).contains("no policy"));
    let newest = &block(store.history("bank".to_owned(), 1)).unwrap()[0];
    assert_eq!((&*newest.action, &*newest.target, newest.epoch), ("remove-policy", "", Some(8)));
    let lines = block(store.audit(Some("ops".to_owned()), 10)).unwrap();
    assert_eq!(lines.iter().map(|it| it.status).collect::<Vec<_>>(), [200]);
    // Gateways may have what it had: one of the name that comes later goes on from there.
    for (epoch, content) in [(7, b"seven"), (8, b"other")] {
        assert!(conflict(publish(store, "stable", epoch, content)).contains("not above 8"));
    }
    assert_eq!(publish(store, "stable", 9, b"nine"), Ok(Published::New));
    assert_eq!((load(store).highest, load(store).bundles.len()), (9, 1));
}

pub fn a_publication_and_its_rollout_are_one_change(store: &Store) {
    publish(store, "stable", 7, b"seven").unwrap();
    let to = |channel: &str, epoch, content: &[u8], hundredths| Publication {
        hundredths: Some(hundredths),
        labels: Some("region=eu".parse().unwrap()),
        ..publication(channel, epoch, content)
    };
    block(store.publish(to("canary", 8, b"eight", 10_000), Audit::default())).unwrap();
    // The next release goes to fewer: those beyond do not see it even for a moment.
    let nine = to("canary", 9, b"nine", 0);
    let outcome = block(store.publish(nine.clone(), Audit::default()));
    assert_eq!(outcome, Ok(Published::New));
    let eu: Labels = "region=eu".parse().unwrap();
    assert_eq!(load(store).choose("bank", "g", &eu).unwrap().epoch, 7);
    // The same again with another percentage is a change.
    let more = Publication { hundredths: Some(10_000), ..nine };
    assert_eq!(block(store.publish(more, Audit::default())), Ok(Published::Changed));
    assert_eq!(load(store).choose("bank", "g", &eu).unwrap().epoch, 9);
    // Nothing of it is stored where a part is refused.
    assert!(
        conflict(block(store.publish(to("stable", 10, b"ten", 500), Audit::default())))
            .contains("stable")
    );
    assert_eq!(load(store).highest, 9);
}

pub fn changes_and_their_audit_lines_are_one(store: &Store) {
    let line = || Audit { identity: "ci".to_owned(), detail: "why".to_owned(), ..Audit::default() };
    block(store.publish(publication("stable", 7, b"seven"), line())).unwrap();
    block(store.publish(publication("stable", 7, b"seven"), line())).unwrap();
    block(store.publish(publication("stable", 6, b"six"), line())).unwrap_err();
    let lines = block(store.audit(None, 10)).unwrap();
    assert_eq!(lines.iter().map(|it| it.status).collect::<Vec<_>>(), [200, 201]);
}

pub fn nothing_is_loaded_twice(store: &Store) {
    publish(store, "stable", 7, b"seven").unwrap();
    let first = Arc::new(block(store.load(Arc::default())).unwrap().unwrap());
    assert!(block(store.load(Arc::clone(&first))).unwrap().is_none());
    publish(store, "canary", 8, b"eight").unwrap();
    let second = block(store.load(Arc::clone(&first))).unwrap().unwrap();
    let (before, after) =
        (&first.policies["bank"].bundles[&7], &second.policies["bank"].bundles[&7]);
    assert!(Arc::ptr_eq(before, after));
}

pub fn a_failed_change_leaves_nothing(store: &Store) {
    publish(store, "stable", 7, b"seven").unwrap();
    let before = block(store.load(Arc::default())).unwrap().unwrap();
    for number in 0..20 {
        let outcome = publish(store, &format!("channel-{number}"), 7, b"seven");
        assert_eq!(outcome.is_ok(), number < 15, "{number}: {outcome:?}");
    }
    conflict(publish(store, "new", 7, b"other"));
    conflict(publish(store, "new", 1, b"one"));
    let after = block(store.load(Arc::default())).unwrap().unwrap();
    assert_eq!(after.revision, before.revision + 15);
    assert!(!after.policies["bank"].channels.iter().any(|it| it.name == "new"));
}

pub fn old_bundles_are_forgotten_but_for_what_is_held(store: &Store) {
    publish(store, "stable", 1, b"1").unwrap();
    block(store.pin(pinned(Target::Labels("a=b".parse().unwrap()), Some(1)), Audit::default()))
        .unwrap();
    for epoch in 2..=230_i64 {
        publish(store, "stable", epoch, epoch.to_string().as_bytes()).unwrap();
    }
    let content = |epoch| block(store.content("bank".to_owned(), epoch)).is_ok();
    assert!(content(1) && content(230) && content(31));
    assert!(!content(2) && !content(30));
}

pub fn what_gateways_report_and_people_ask_is_kept(store: &Store) {
    let row = GatewayRow {
        policy: "bank".to_owned(),
        gateway: "gw-1".to_owned(),
        labels: "region=eu".to_owned(),
        source: "http".to_owned(),
        channel: "canary".to_owned(),
        workers: "0=7,1=-".to_owned(),
        accepted: Some(7),
        refused_epoch: Some(8),
        refused_reason: "expired".to_owned(),
        version: "0.1.0".to_owned(),
        replica: "a".to_owned(),
        connected: true,
        last_contact: 50,
    };
    let older = GatewayRow { last_contact: 40, workers: String::new(), ..row.clone() };
    block(store.keep_gateways(vec![row.clone()], 0)).unwrap();
    block(store.keep_gateways(vec![older], 50)).unwrap();
    assert_eq!(block(store.gateways("bank".to_owned())).unwrap(), [row]);
    for (identity, status) in [("ci", 201), ("ops", 409)] {
        let line = Audit { identity: identity.to_owned(), status, at: 5, ..Audit::default() };
        block(store.record(line)).unwrap();
    }
    let all = block(store.audit(None, 10)).unwrap();
    assert_eq!(all.iter().map(|it| (it.id, it.status)).collect::<Vec<_>>(), [(2, 409), (1, 201)]);
    assert_eq!(block(store.audit(Some("ci".to_owned()), 10)).unwrap().len(), 1);
}

pub fn many_gateways_are_kept_at_once(store: &Store) {
    let row = |number: usize, epoch: i64| GatewayRow {
        policy: "bank".to_owned(),
        gateway: format!("gw-{number:03}"),
        accepted: number.is_multiple_of(2).then_some(epoch),
        last_contact: epoch,
        ..GatewayRow::default()
    };
    let rows =
        |numbers: std::ops::Range<usize>, epoch| numbers.map(move |it| row(it, epoch)).collect();
    block(store.keep_gateways(rows(0..250, 7), 0)).unwrap();
    block(store.keep_gateways(rows(50..251, 8), 0)).unwrap();
    let kept = block(store.gateways("bank".to_owned())).unwrap();
    let expected: Vec<GatewayRow> =
        (0..251).map(|it| row(it, if it < 50 { 7 } else { 8 })).collect();
    assert_eq!(kept, expected);
}

pub fn a_bundle_that_was_lost_holds_up_no_other(store: &Store) {
    publish(store, "stable", 7, b"seven").unwrap();
    publish(store, "canary", 8, b"eight").unwrap();
    let lost = "DELETE FROM contents WHERE epoch = 7";
    let lose = |sql: &mut dyn Sql| sql.execute(lost, &[]);
    block(store.run(Turn::Later, move |database| transact(database, Kind::Write, lose))).unwrap();
    let policy = load(store);
    assert_eq!(policy.bundles.keys().collect::<Vec<_>>(), [&8]);
    assert_eq!(policy.highest, 8);
}

pub fn who_writes_much_displaces_nothing_of_others(store: &Store) {
    let of = |policy: &str| Publication {
        policy: policy.to_owned(),
        ..publication("stable", 7, policy.as_bytes())
    };
    let line = |identity: &str, policy: &str, status| Audit {
        identity: identity.to_owned(),
        policy: policy.to_owned(),
        status,
        ..Audit::default()
    };
    block(store.publish(of("shop"), line("shop", "shop", 0))).unwrap();
    block(store.record(line("shop", "bank", 403))).unwrap();
    block(store.publish(of("bank"), line("bank", "bank", 0))).unwrap();
    block(store.publish(of("gone"), line("gone", "gone", 0))).unwrap();
    let gone = RemovedPolicy {
        policy: "gone".to_owned(),
        heard_of: None,
        since: 0,
        identity: "gone".to_owned(),
        at: 0,
    };
    block(store.remove_policy(gone, line("gone", "gone", 0))).unwrap();
    // Far more than is kept of all together: of changes, and of refusals.
    for percentage in 0..400 {
        let more = rollout("canary", None, Some(percentage));
        block(store.roll_out(more, line("bank", "bank", 0))).unwrap();
        block(store.record(line("bank", "shop", 403))).unwrap();
    }
    let history = |policy: &str| block(store.history(policy.to_owned(), 1000)).unwrap();
    assert_eq!(history("shop").iter().map(|it| &*it.action).collect::<Vec<_>>(), ["publish"]);
    let (kept, newest) = (history("bank").len(), history("bank")[0].revision);
    assert!((295..=320).contains(&kept) && newest > 400, "{kept} of {newest}");
    let audit = |identity: &str| block(store.audit(Some(identity.to_owned()), 1000)).unwrap();
    assert_eq!(audit("shop").iter().map(|it| it.status).collect::<Vec<_>>(), [403, 201]);
    // What is no more keeps nothing for good.
    assert_eq!((history("gone").len(), audit("gone").len()), (0, 0));
    let refused = audit("bank").iter().filter(|it| it.status == 403).count();
    let changes = audit("bank").len() - refused;
    assert!((300..=320).contains(&changes) && (40..=70).contains(&refused), "{changes} {refused}");
}
