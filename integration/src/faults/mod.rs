//! Every fault of delivery that a gateway survives, as a table: what goes wrong, and which counter says so.
//!
//! A fault comes while a gateway of two workers serves epoch 5 under steady load. It is survived where a
//! counter of its own grows, every worker serves on by what it served, and the next good release is taken. What
//! requests were lost meanwhile is counted. DELIVERY.md in envoy-config lists the table; a test compares the two.

mod pushed;
pub mod service;
pub mod stage;

use std::fs;
use std::time::{Duration, SystemTime};

use crate::artefacts::Artefacts;
use crate::error::Error;
use crate::load::Sent;
use crate::releases::Releases;
use crate::store::Behaviour;
use service::{
    From, Needs, behind_the_clock, both_killed, database_locked, disk_full, hangs,
    killed_after_publication, killed_amid_publication, postgres_gone, postgres_hangs,
    two_publishers,
};
use stage::{EPOCH, MAX_BYTES, Stage, Way};

/// What goes wrong, and what must come of it.
pub struct Fault {
    /// The name in tests and in DELIVERY.md.
    pub name: &'static str,
    /// Which counters tell, one of them at least: the ends of their names.
    pub told_by: &'static [&'static str],
    /// What happens.
    pub course: Course,
    /// How many requests may be answered 503 meanwhile.
    pub may_lose: usize,
    /// Resources of the policy beside the usual ones: how large the bundles are.
    pub resources: usize,
}

/// What happens.
pub enum Course {
    /// Something bad is published or done; the last good policy serves on until a good release comes.
    Kept(Way, fn(&Stage) -> Result<(), Error>),
    /// Something that takes its own course, and waits for the counters itself; the epoch that serves at its end.
    Own(Way, fn(&mut Stage, &[&str]) -> Result<u64, Error>),
    /// The same with the control service.
    Service(From, Needs, service::Course),
}

/// What came of a fault.
#[derive(Debug)]
pub struct Outcome {
    /// What the load saw.
    pub sent: Sent,
    /// Why it was not survived: lost requests are a reason, but for those that a trap takes with it.
    pub failure: Option<String>,
}

/// A VM that traps takes with it what is under way in it: Envoy answers 503, whatever the filter's policy. So many times
/// at most, with four clients and one or two traps on workers.
const UNDER_WAY: usize = 8;
/// A VM that traps within the back-off of its last load, 0.1 s, is made anew when that has passed: until then Envoy answers 503 to
/// all that comes to its worker, and four clients without pause ask often.
const WITHIN_BACKOFF: usize = 1000;
/// Updates in a row, and how often that is tried until some of them meet.
const IN_A_ROW: u64 = 4;
const ROUNDS: usize = 5;
/// Resources that make a bundle of nearly 8 MiB.
pub const LARGEST: usize = 4850;

impl Fault {
    /// The same of a fault that makes workers trap.
    const fn trapping(self) -> Fault {
        Fault { may_lose: UNDER_WAY, ..self }
    }

    /// The same of a fault that makes workers trap as soon as they have a new configuration.
    const fn trapping_anew(self) -> Fault {
        Fault { may_lose: WITHIN_BACKOFF, ..self }
    }

    /// The same with bundles of a megabyte or two, which workers verify in slices between requests.
    const fn large(self) -> Fault {
        Fault { resources: 800, ..self }
    }

    /// The same with bundles as large as they may be.
    const fn largest(self) -> Fault {
        Fault { resources: LARGEST, ..self }
    }

    /// What is wrong with what the load saw.
    fn wrong(&self, sent: &Sent) -> Option<String> {
        let is_under_way = sent.losses.iter().all(|it| it.starts_with("503 "));
        let is_well = sent.lost == 0 || sent.lost <= self.may_lose && is_under_way;
        (!is_well).then(|| format!("{} requests lost: {:?}", sent.lost, sent.losses))
    }
}

const fn kept(
    name: &'static str,
    way: Way,
    told_by: &'static [&'static str],
    setup: fn(&Stage) -> Result<(), Error>,
) -> Fault {
    Fault { name, told_by, course: Course::Kept(way, setup), may_lose: 0, resources: 0 }
}

const fn own(
    name: &'static str,
    way: Way,
    told_by: &'static [&'static str],
    course: fn(&mut Stage, &[&str]) -> Result<u64, Error>,
) -> Fault {
    Fault { name, told_by, course: Course::Own(way, course), may_lose: 0, resources: 0 }
}

const fn of_service(
    name: &'static str,
    (from, needs): (From, Needs),
    told_by: &'static [&'static str],
    course: service::Course,
) -> Fault {
    Fault { name, told_by, course: Course::Service(from, needs, course), may_lose: 0, resources: 0 }
}

const UNREACHABLE: &[&str] = &["poll.failed.unreachable", "poll.failed.status"];
const CONFIG_FAIL: &[&str] = &["portcullis.config_fail", "portcullis.update_rejected"];
const UPDATE_FAILURE: &[&str] = &["portcullis.update_failure"];
const REFUSED: &[&str] = &["portcullis_control_publications_total{result=\"refused\"}"];
const STORE_ERRORS: &[&str] = &["portcullis_control_store_errors_total"];

const ACTIVATED: &[&str] = &["portcullis.configuration.activated"];

const BY_XDS: (From, Needs) = (From::Push, Needs::Sqlite);

/// Every fault.
pub const FAULTS: &[Fault] = &[
    kept("corrupt", Way::Poll, &["refused.bundle-corrupt"], |stage| {
        stage.publish(&corrupt(stage)?)
    }),
    kept("truncated", Way::Poll, &["refused.bundle-corrupt"], |stage| {
        stage.publish(&truncated(stage)?)
    }),
    kept("not-a-bundle", Way::Poll, &["refused.bundle-corrupt"], |stage| {
        stage.publish(b"<!doctype html>")
    }),
    kept("oversized", Way::Poll, &["poll.failed.too-large"], |stage| {
        stage.publish(&vec![b'x'; MAX_BYTES + 1])
    }),
    kept("expired", Way::Poll, &["refused.expired"], |stage| stage.publish(&expired(stage)?)),
    kept("not-yet-valid", Way::Poll, &["refused.not-yet-valid"], |stage| {
        stage.publish(&not_yet_valid(stage)?)
    }),
    kept("wrongly-signed", Way::Poll, &["refused.bundle-untrusted"], |stage| {
        stage.publish(&stage.releases.signed(6, 1, &[])?)
    }),
    kept("other-audience", Way::Poll, &["refused.audience"], |stage| {
        stage.publish(&stage.releases.release_with(6, &["--audience", "another"])?)
    }),
    kept("older-epoch", Way::Poll, &["refused.epoch-lower"], |stage| {
        stage.publish(&stage.releases.release(EPOCH - 1)?)
    }),
    kept("equal-epoch", Way::Poll, &["refused.epoch-reused"], |stage| {
        stage.publish(&stage.releases.other(EPOCH)?)
    }),
    kept("format", Way::Poll, &["refused.bundle-format"], |stage| {
        stage.publish(&of_format(stage)?)
    }),
    kept("store-down", Way::Poll, UNREACHABLE, |stage| does(stage, Behaviour::Down)),
    kept("store-slow", Way::Poll, UNREACHABLE, |stage| {
        does(stage, Behaviour::Late(Duration::from_secs(3)))
    }),
    kept("store-trickles", Way::Poll, UNREACHABLE, |stage| does(stage, Behaviour::Trickles)),
    kept("length-too-long", Way::Poll, UNREACHABLE, |stage| does(stage, Behaviour::SaysMore)),
    kept("length-too-short", Way::Poll, &["refused.bundle-corrupt"], |stage| {
        does(stage, Behaviour::SaysLess)
    }),
    kept("cut", Way::Poll, &["refused.bundle-corrupt"], |stage| does(stage, Behaviour::Cuts)),
    kept("status-500", Way::Poll, &["poll.failed.status"], |stage| {
        does(stage, Behaviour::Status(500, String::new()))
    }),
    kept("status-404", Way::Poll, &["poll.failed.not-found"], |stage| {
        does(stage, Behaviour::Status(404, String::new()))
    }),
    kept("redirect", Way::Poll, &["poll.failed.redirect"], |stage| {
        does(stage, Behaviour::Status(302, "location: /elsewhere\r\n".to_owned()))
    }),
    kept("endless-body", Way::Poll, UNREACHABLE, |stage| does(stage, Behaviour::Endless)),
    own("store-restarts", Way::Poll, UNREACHABLE, |stage, told_by| {
        let before = stage.count(told_by)?;
        stage.store.publish(&stage.releases.release(7)?);
        stage.behave(Behaviour::Restarts(Duration::from_secs(1)));
        stage.await_more(told_by, before)?;
        Ok(7)
    }),
    own("clock-skew", Way::Poll, &["refused.not-yet-valid"], |stage, told_by| {
        let before = stage.count(told_by)?;
        let soon = time(SystemTime::now() + Duration::from_secs(4));
        stage.publish(&stage.releases.release_with(7, &["--not-before", &soon])?)?;
        stage.await_more(told_by, before)?;
        Ok(7)
    }),
    own("killed-beside-source", Way::Poll, UNREACHABLE, |stage, told_by| {
        stage.publish(&stage.releases.release(6)?)?;
        stage.await_epoch(6)?;
        stage.kill();
        stage.behave(Behaviour::Down);
        stage.boot()?;
        stage.await_more(told_by, 0)?;
        // What stands beside the source is what the disk has.
        Ok(EPOCH)
    }),
    own("trap-during-update", Way::Poll, &["vm_reload_success"], |stage, told_by| {
        // Every VM that receives an answer traps: first the main thread's, once, and then workers.
        stage.trap_in(Some("proxy_on_http_call_response"))?;
        stage.kill();
        stage.boot()?;
        stage.await_epoch(EPOCH)?;
        stage.publish(&stage.releases.release(6)?)?;
        stage.await_more(told_by, 1)?;
        stage.await_epoch(EPOCH)?;
        stage.trap_in(None)?;
        stage.kill();
        stage.boot()?;
        Ok(6)
    })
    .trapping(),
    kept("file-corrupt", Way::File, &["refused.bundle-corrupt"], |stage| {
        stage.publish(&corrupt(stage)?)
    }),
    kept("file-truncated-bundle", Way::File, &["refused.bundle-corrupt"], |stage| {
        stage.publish(&truncated(stage)?)
    }),
    kept("file-expired", Way::File, &["refused.expired"], |stage| stage.publish(&expired(stage)?)),
    kept("file-not-yet-valid", Way::File, &["refused.not-yet-valid"], |stage| {
        stage.publish(&not_yet_valid(stage)?)
    }),
    kept("file-wrongly-signed", Way::File, &["refused.bundle-untrusted"], |stage| {
        stage.publish(&stage.releases.signed(6, 1, &[])?)
    }),
    kept("file-older-epoch", Way::File, &["refused.epoch-lower"], |stage| {
        stage.publish(&stage.releases.release(EPOCH - 1)?)
    }),
    kept("file-equal-epoch", Way::File, &["refused.epoch-reused"], |stage| {
        stage.publish(&stage.releases.other(EPOCH)?)
    }),
    kept("file-format", Way::File, &["refused.bundle-format"], |stage| {
        stage.publish(&of_format(stage)?)
    }),
    kept("file-no-protobuf", Way::File, CONFIG_FAIL, |stage| {
        stage.publish_file(b"this is no protobuf")
    }),
    kept("file-cut", Way::File, CONFIG_FAIL, |stage| {
        let whole = fs::read(stage.file()).map_err(Error::io("read the .pb"))?;
        stage.publish_file(&whole[..whole.len() / 2])
    }),
    kept("file-empty", Way::File, CONFIG_FAIL, |stage| stage.publish_file(b"")),
    kept("file-removed", Way::File, UPDATE_FAILURE, |stage| {
        fs::remove_file(stage.file()).map_err(Error::io("remove the .pb"))?;
        // Envoy notices only renames, such as Kubernetes' swap to a folder without the file.
        let stray = stage.gateway().join("stray");
        fs::write(&stray, "").map_err(Error::io("write a stray file"))?;
        fs::rename(&stray, stage.file().with_extension("stray")).map_err(Error::io("rename it"))
    }),
    own("file-put-back", Way::File, &["portcullis.configuration.kept"], |stage, told_by| {
        stage.trap_in(Some("proxy_on_request_trailers"))?;
        stage.kill();
        stage.render(&stage.releases.release(EPOCH)?, 0)?;
        stage.allow_trailers()?;
        stage.boot()?;
        stage.await_epoch(EPOCH)?;
        let first = fs::read(stage.file()).map_err(Error::io("read the .pb"))?;
        stage.publish(&stage.releases.release(6)?)?;
        stage.await_epoch(6)?;
        // Envoy has tried it before, and takes it for the newest one now.
        let before = stage.count(told_by)?;
        stage.publish_file(&first)?;
        stage.await_more(told_by, before)?;
        // What serves is kept within some milliseconds of an update.
        std::thread::sleep(Duration::from_millis(200));
        stage.send_trailers()?;
        stage.await_more(&["vm_reload_success"], 0)?;
        // Long enough for requests to come to the VM that was made anew.
        std::thread::sleep(Duration::from_millis(700));
        Ok(6)
    })
    .trapping(),
    kept("large-corrupt", Way::Poll, &["refused.bundle-corrupt"], |stage| {
        stage.publish(&corrupt_at_the_end(stage)?)
    })
    .large(),
    kept("large-unsound", Way::Poll, &["refused.bundle-corrupt"], |stage| {
        stage.publish(&stage.releases.unsound(6)?)
    })
    .large(),
    kept("large-older-epoch", Way::Poll, &["refused.epoch-lower"], |stage| {
        stage.publish(&stage.releases.release(EPOCH - 1)?)
    })
    .large(),
    kept("file-large-corrupt", Way::File, &["refused.bundle-corrupt"], |stage| {
        stage.publish(&corrupt_at_the_end(stage)?)
    })
    .large(),
    own("file-large-in-a-row", Way::File, &["portcullis.configuration.accepted"], large_in_a_row)
        .largest(),
    own("file-trap-in-tick", Way::File, &["vm_reload_success"], |stage, told_by| {
        // A tick comes once a second where there is nothing to verify.
        stage.trap_at("proxy_on_tick", 25)?;
        stage.kill();
        stage.render(&stage.releases.release(EPOCH)?, 0)?;
        stage.boot()?;
        stage.await_epoch(EPOCH)?;
        // Each VM traps amid the slices; what is made anew has all to verify before it serves.
        let before = stage.count(told_by)?;
        stage.publish(&stage.releases.release(6)?)?;
        stage.await_more(told_by, before)?;
        stage.await_workers(6)?;
        stage.trap_in(None)?;
        stage.kill();
        stage.publish(&stage.releases.release(6)?)?;
        stage.boot()?;
        Ok(6)
    })
    .trapping_anew()
    .largest(),
    own("file-killed", Way::File, &["portcullis.configuration.accepted"], |stage, told_by| {
        stage.publish(&stage.releases.release(6)?)?;
        stage.await_epoch(6)?;
        stage.kill();
        stage.boot()?;
        stage.await_more(told_by, 0)?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(6)
    }),
    of_service("service-database-locked", (From::Push, Needs::Sqlite), REFUSED, database_locked),
    of_service("service-disk-full", (From::Push, Needs::FullDisk), REFUSED, disk_full),
    of_service(
        "service-killed-publishing",
        (From::Push, Needs::Sqlite),
        UPDATE_FAILURE,
        killed_amid_publication,
    ),
    of_service(
        "service-killed-pushing",
        (From::Push, Needs::Sqlite),
        UPDATE_FAILURE,
        killed_after_publication,
    ),
    of_service("service-hangs", (From::Poll, Needs::Sqlite), UNREACHABLE, hangs),
    of_service("service-two-publishers", (From::Push, Needs::Sqlite), REFUSED, two_publishers),
    of_service(
        "service-clock-skew",
        (From::Push, Needs::Sqlite),
        &["refused.not-yet-valid"],
        behind_the_clock,
    ),
    of_service("xds-corrupt", BY_XDS, &["refused.bundle-corrupt"], pushed::corrupt),
    of_service("xds-truncated", BY_XDS, &["refused.bundle-corrupt"], pushed::truncated),
    of_service("xds-format", BY_XDS, &["refused.bundle-format"], pushed::of_format),
    of_service("xds-wrongly-signed", BY_XDS, &["refused.bundle-untrusted"], pushed::wrongly_signed),
    of_service("xds-other-audience", BY_XDS, &["refused.audience"], pushed::other_audience),
    of_service("xds-expired", BY_XDS, &["refused.expired"], pushed::expired),
    of_service("xds-older-epoch", BY_XDS, &["refused.epoch-lower"], pushed::older_epoch),
    of_service("xds-largest-corrupt", BY_XDS, &["refused.bundle-corrupt"], pushed::largest_corrupt)
        .largest(),
    of_service("service-postgres-gone", (From::Push, Needs::Postgres), STORE_ERRORS, postgres_gone),
    of_service(
        "service-postgres-hangs",
        (From::Push, Needs::Postgres),
        STORE_ERRORS,
        postgres_hangs,
    ),
    of_service(
        "service-and-gateway-killed",
        (From::Sync, Needs::Sqlite),
        &["portcullis.configuration.accepted"],
        both_killed,
    ),
];

/// Brings a fault on a gateway of its own. None where this machine lacks what the fault needs; that is printed.
pub fn run(artefacts: &Artefacts, fault: &Fault) -> Result<Option<Outcome>, Error> {
    let outcome = match fault.course {
        Course::Kept(way, _) | Course::Own(way, _) => {
            let releases = Releases::new(artefacts, fault.resources)?;
            let mut stage = Stage::of(artefacts, way, releases)?;
            let failure = survive(&mut stage, fault).err().map(|error| error.to_string());
            Some(Outcome { failure, sent: stage.finish() })
        }
        Course::Service(from, needs, course) => {
            let releases = Releases::new(artefacts, fault.resources)?;
            service::run(artefacts, (from, needs), releases, fault.told_by, course)?
        }
    };
    Ok(outcome.map(|Outcome { failure, sent }| {
        let failure = failure.or_else(|| fault.wrong(&sent));
        Outcome { failure, sent }
    }))
}

fn survive(stage: &mut Stage, fault: &Fault) -> Result<(), Error> {
    let last = match fault.course {
        Course::Kept(_, setup) => {
            let before = stage.count(fault.told_by)?;
            setup(stage)?;
            stage.await_more(fault.told_by, before)?;
            // Long enough for a second attempt.
            std::thread::sleep(Duration::from_millis(700));
            let served = stage.epochs()?;
            if served.iter().any(|epoch| *epoch != EPOCH) {
                return Err(Error::Case(format!("the workers serve {served:?}")));
            }
            EPOCH
        }
        Course::Own(_, course) => {
            let epoch = course(stage, fault.told_by)?;
            stage.await_epoch(epoch)?;
            epoch
        }
        Course::Service(..) => return Err(Error::Case("no fault of a stage".to_owned())),
    };
    let next = last + 10;
    stage.publish(&stage.releases.release(next)?)?;
    stage.await_epoch(next)
}

/// Each comes as soon as the one before is accepted, while workers verify that.
fn large_in_a_row(stage: &mut Stage, told_by: &[&str]) -> Result<u64, Error> {
    // One that comes alone is activated by every VM: the trial's, the main thread's and each worker's.
    let activated = stage.count(ACTIVATED)?;
    stage.publish(&stage.releases.release(6)?)?;
    stage.await_epoch(6)?;
    let each = stage.settled(ACTIVATED)? - activated;
    // Whether workers are still at it when the next one comes is a matter of speed: again, until they are.
    let mut last = 6;
    for _ in 0..ROUNDS {
        let releases = (last + 1..=last + IN_A_ROW).map(|epoch| stage.releases.release(epoch));
        let releases = releases.collect::<Result<Vec<_>, _>>()?;
        let (accepted, activated) = (stage.count(told_by)?, stage.count(ACTIVATED)?);
        for (before, release) in (accepted..).zip(&releases) {
            stage.publish(release)?;
            stage.await_more(told_by, before)?;
        }
        last += IN_A_ROW;
        stage.await_epoch(last)?;
        let activated = stage.settled(ACTIVATED)? - activated;
        // The main thread may have left all but the last one; what is missing besides, workers left.
        if activated < IN_A_ROW * (each - 1) + 1 {
            return Ok(last);
        }
    }
    Err(Error::Case("no worker left an update for the next one".to_owned()))
}

fn does(stage: &Stage, behaviour: Behaviour) -> Result<(), Error> {
    // There is something new that a good store would send.
    stage.store.publish(&stage.releases.release(6)?);
    stage.behave(behaviour);
    Ok(())
}

fn corrupt(stage: &Stage) -> Result<Vec<u8>, Error> {
    let mut bundle = stage.releases.release(6)?;
    let middle = bundle.len() / 2;
    bundle[middle] ^= 0x40;
    Ok(bundle)
}

/// Wrong near its end: all of it is hashed before that shows, and no record is looked at.
fn corrupt_at_the_end(stage: &Stage) -> Result<Vec<u8>, Error> {
    let mut bundle = stage.releases.release(6)?;
    // Before the signature, which is looked at first.
    let last = bundle.len() - 1000;
    bundle[last] ^= 1;
    Ok(bundle)
}

fn truncated(stage: &Stage) -> Result<Vec<u8>, Error> {
    let mut bundle = stage.releases.release(6)?;
    bundle.truncate(bundle.len() * 2 / 3);
    Ok(bundle)
}

fn expired(stage: &Stage) -> Result<Vec<u8>, Error> {
    let passed = time(SystemTime::now() - Duration::from_secs(60));
    stage.releases.release_with(6, &["--not-after", &passed])
}

fn not_yet_valid(stage: &Stage) -> Result<Vec<u8>, Error> {
    let later = time(SystemTime::now() + Duration::from_secs(3600));
    stage.releases.release_with(6, &["--not-before", &later])
}

/// A bundle that says that it is of format 99.
fn of_format(stage: &Stage) -> Result<Vec<u8>, Error> {
    let mut bundle = stage.releases.release(6)?;
    bundle[8] = 99;
    Ok(bundle)
}

/// RFC 3339, to the second.
fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}
