//! What gateways report, in memory: written to the database now and then, so that a fleet's polls cost it little.

use crate::current::Policy;
use crate::names::{GATEWAY, Labels, bounded};
use crate::store::GatewayRow;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

/// Gateways at most; anybody who may fetch can make some up.
pub const MOST: usize = 20_000;
/// Workers of a gateway that are told apart: as many as the filter numbers.
const WORKERS: usize = 64;
/// Bytes of a reason or of a version.
const REASON: usize = 300;
const VERSION: usize = 64;

/// Reports by policy and gateway.
#[derive(Debug, Default)]
pub struct Gateways {
    rows: Mutex<Rows>,
    /// Who was taken last, to be written: the next ones come first the next time.
    taken: Mutex<(String, String)>,
}

type Rows = BTreeMap<(String, String), Seen>;

#[derive(Debug)]
struct Seen {
    /// Shared with whoever looks at the fleet: no report waits until a large one is copied.
    row: Arc<GatewayRow>,
    changed: bool,
}

impl Gateways {
    /// Takes a report.
    pub fn report(&self, mut row: GatewayRow) {
        row.gateway = bounded(&row.gateway, GATEWAY);
        row.refused_reason = bounded(&row.refused_reason, REASON);
        row.version = bounded(&row.version, VERSION);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (row.policy.clone(), row.gateway.clone());
        if rows.len() >= MOST && !rows.contains_key(&key) {
            make_room(&mut rows);
        }
        rows.insert(key, Seen { row: Arc::new(row), changed: true });
    }

    /// Changes what is known of a gateway, if anything is.
    pub fn change(&self, policy: &str, gateway: &str, change: impl FnOnce(&mut GatewayRow)) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = rows.get_mut(&(policy.to_owned(), bounded(gateway, GATEWAY))) {
            change(Arc::make_mut(&mut seen.row));
            seen.changed = true;
        }
    }

    /// What is known of a gateway.
    pub fn known(&self, policy: &str, gateway: &str) -> Option<GatewayRow> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = rows.get(&(policy.to_owned(), bounded(gateway, GATEWAY)));
        seen.map(|seen| GatewayRow::clone(&seen.row))
    }

    /// What has changed since it was taken last, at most so many. Each call goes on where the last one ended, so that in a
    /// fleet that never rests all have their turn.
    pub fn take_changed(&self, most: usize) -> Vec<GatewayRow> {
        let mut last = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (Bound::Excluded(&*last), Bound::Unbounded);
        let mut taken = take(rows.range_mut::<(String, String), _>(after), most);
        if taken.len() < most {
            let before = (Bound::Unbounded, Bound::Included(&*last));
            let more = take(rows.range_mut::<(String, String), _>(before), most - taken.len());
            taken.extend(more);
        }
        if let Some(row) = taken.last() {
            *last = (row.policy.clone(), row.gateway.clone());
        }
        taken
    }

    /// Marks what could not be written as changed again.
    pub fn put_back(&self, written: &[GatewayRow]) {
        for row in written {
            self.change(&row.policy, &row.gateway, |_| {});
        }
    }

    /// Forgets who was not heard of since.
    pub fn forget(&self, before: i64) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.retain(|_, seen| seen.row.last_contact >= before);
    }

    /// All of a policy by id, over what other replicas have heard: the later report counts.
    pub fn merged(&self, policy: &str, stored: Vec<GatewayRow>) -> Vec<Arc<GatewayRow>> {
        let mut all: BTreeMap<String, Arc<GatewayRow>> =
            stored.into_iter().map(|row| (row.gateway.clone(), Arc::new(row))).collect();
        for row in self.of(policy) {
            let later = all.get(&row.gateway).is_none_or(|it| it.last_contact <= row.last_contact);
            if later {
                all.insert(row.gateway.clone(), row);
            }
        }
        all.into_values().collect()
    }

    /// A gateway of a policy that this replica has heard of since.
    pub fn heard_of(&self, policy: &str, since: i64) -> Option<String> {
        let row = self.of(policy).into_iter().find(|row| row.last_contact >= since)?;
        Some(row.gateway.clone())
    }

    /// What this replica has heard of a policy.
    fn of(&self, policy: &str) -> Vec<Arc<GatewayRow>> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let own = rows.range((policy.to_owned(), String::new())..);
        let own = own.take_while(|((of, _), _)| of == policy);
        own.map(|(_, seen)| Arc::clone(&seen.row)).collect()
    }
}

fn take<'a>(
    rows: impl Iterator<Item = (&'a (String, String), &'a mut Seen)>,
    most: usize,
) -> Vec<GatewayRow> {
    let changed = rows.map(|(_, seen)| seen).filter(|seen| seen.changed).take(most);
    changed
        .map(|seen| {
            seen.changed = false;
            GatewayRow::clone(&seen.row)
        })
        .collect()
}

/// Forgets the tenth that was not heard of for longest, so that this is rarely done.
fn make_room(rows: &mut Rows) {
    let mut times: Vec<i64> = rows.values().map(|seen| seen.row.last_contact).collect();
    times.sort_unstable();
    let until = times.get(MOST / 10).copied().unwrap_or(i64::MAX);
    let mut left = MOST / 10;
    rows.retain(|_, seen| {
        let goes = left > 0 && seen.row.last_contact <= until;
        left -= usize::from(goes);
        !goes
    });
}

/// What each worker serves: `0=7,1=-`. What is not so written is left out.
pub fn workers(text: &str) -> BTreeMap<usize, Option<i64>> {
    pairs(text).collect()
}

fn pairs(text: &str) -> impl Iterator<Item = (usize, Option<i64>)> {
    let pairs = text.split(',').take(WORKERS).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter_map(|(worker, epoch)| {
        let worker = worker.parse().ok().filter(|worker| *worker < WORKERS)?;
        Some((worker, if epoch == "-" { None } else { Some(epoch.parse().ok()?) }))
    })
}

/// As [`workers`] reads it.
pub fn workers_text(workers: &BTreeMap<usize, Option<i64>>) -> String {
    let pair = |(worker, epoch): (&usize, &Option<i64>)| match epoch {
        Some(epoch) => format!("{worker}={epoch}"),
        None => format!("{worker}=-"),
    };
    workers.iter().map(pair).collect::<Vec<_>>().join(",")
}

/// Whether a gateway runs an epoch, as far as it has told: every worker, or what it accepted by xDS.
pub fn runs(row: &GatewayRow, epoch: i64) -> bool {
    let mut workers = pairs(&row.workers).peekable();
    if workers.peek().is_none() {
        return row.accepted == Some(epoch);
    }
    workers.all(|(_, serves)| serves == Some(epoch))
}

/// How a gateway stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// All its workers run what they should.
    Current,
    /// Some do not, yet.
    Behind,
    /// It refused the bundle that it should run.
    Refusing,
    /// Nothing was heard of it for long.
    Silent,
}

impl State {
    /// All there are.
    pub const ALL: [State; 4] = [State::Current, State::Behind, State::Refusing, State::Silent];

    /// What it is called, wherever it is told or asked for.
    pub const fn name(self) -> &'static str {
        match self {
            State::Current => "current",
            State::Behind => "behind",
            State::Refusing => "refusing",
            State::Silent => "silent",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<State, String> {
        let named = State::ALL.into_iter().find(|state| state.name() == text);
        named.ok_or_else(|| {
            format!("`{}` is none of {}", bounded(text, 30), State::ALL.map(State::name).join(", "))
        })
    }
}

impl ValueEnum for State {
    fn value_variants<'a>() -> &'a [State] {
        &State::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// How a gateway stands, the epoch that it should run, and the channel that is for it.
pub fn state<'a>(
    policy: &'a Policy,
    name: &str,
    row: &GatewayRow,
    silent_before: i64,
) -> (State, Option<i64>, &'a str) {
    let labels: Labels = row.labels.parse().unwrap_or_default();
    let choice = if row.channel.is_empty() {
        policy.choose(name, &row.gateway, &labels)
    } else {
        policy.of_channel(&row.channel)
    };
    let Some(choice) = choice else {
        // Nothing is for it: a channel that is not there, or one without a bundle.
        let is_silent = row.last_contact < silent_before;
        let state = if is_silent { State::Silent } else { State::Behind };
        return (state, None, "");
    };
    // Also one whose stream a replica held that is no more.
    let state = if row.last_contact < silent_before {
        State::Silent
    } else if runs(row, choice.epoch) {
        State::Current
    } else if row.refused_epoch == Some(choice.epoch) {
        State::Refusing
    } else {
        State::Behind
    };
    (state, Some(choice.epoch), choice.channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(gateway: &str, at: i64) -> GatewayRow {
        let (policy, gateway) = ("p".to_owned(), gateway.to_owned());
        GatewayRow { policy, gateway, last_contact: at, ..GatewayRow::default() }
    }

    #[test]
    fn states_there_and_back() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.to_string());
            assert!(state.name().to_uppercase().parse::<State>().is_err());
        }
        let told = "`gone` is none of current, behind, refusing, silent";
        assert_eq!("gone".parse::<State>(), Err(told.to_owned()));
        let long = "x".repeat(5000).parse::<State>().unwrap_err();
        assert!(long.len() < 100, "{long}");
    }

    #[test]
    fn workers_there_and_back() {
        let read = workers("0=7,1=-,x=2,3,2=9999999999999999999999,4=-1");
        assert_eq!(workers_text(&read), "0=7,1=-,4=-1");
        assert!(workers(&"0=1,".repeat(1000)).len() == 1);
    }

    #[test]
    fn no_gateway_has_more_workers_than_the_filter_numbers() {
        let many: Vec<String> = (0..500).map(|worker| format!("{}=7", 499 - worker)).collect();
        let (last, first) = (workers(&many.join(",")), workers("64=7,4294967295=7,63=7"));
        assert_eq!((last.len(), first.keys().collect::<Vec<_>>()), (0, vec![&63]));
        let most = (0..500).map(|worker| format!("{worker}={}", i64::MIN)).collect::<Vec<_>>();
        let most = most.join(",");
        assert!(workers_text(&workers(&most)).len() < 2048);
    }

    #[test]
    fn a_gateway_runs_what_all_its_workers_serve() {
        let with = |workers: &str, accepted| GatewayRow {
            workers: workers.to_owned(),
            accepted,
            ..GatewayRow::default()
        };
        assert!(runs(&with("0=7,1=7", None), 7));
        assert!(!runs(&with("0=7,1=6", None), 7));
        assert!(!runs(&with("0=7,1=-", Some(7)), 7));
        assert!(runs(&with("", Some(7)), 7));
        assert!(!runs(&with("", None), 7));
    }

    #[test]
    fn made_up_gateways_take_no_more_room() {
        let gateways = Gateways::default();
        for number in 0..MOST as i64 + 5_000 {
            gateways.report(row(&format!("g{number}"), number));
        }
        let all = gateways.merged("p", Vec::new());
        assert!(all.len() <= MOST);
        assert!(gateways.known("p", &format!("g{}", MOST + 4_999)).is_some());
        assert!(gateways.known("p", "g0").is_none());
    }

    #[test]
    fn whoever_reports_often_takes_nobodys_turn() {
        let gateways = Gateways::default();
        let mut written = Vec::new();
        for _ in 0..3 {
            for name in ["a", "b", "c", "d"] {
                gateways.report(row(name, 1));
            }
            written.extend(gateways.take_changed(2).into_iter().map(|row| row.gateway));
        }
        assert_eq!(written, ["a", "b", "c", "d", "a", "b"]);
    }

    #[test]
    fn who_is_long_gone_is_forgotten() {
        let gateways = Gateways::default();
        gateways.report(row("old", 9));
        gateways.report(row("new", 10));
        gateways.forget(10);
        assert!(gateways.known("p", "old").is_none() && gateways.known("p", "new").is_some());
        assert_eq!(gateways.heard_of("p", 10).as_deref(), Some("new"));
        assert_eq!(gateways.heard_of("p", 11).or(gateways.heard_of("o", 0)), None);
    }

    #[test]
    fn the_later_report_counts() {
        let gateways = Gateways::default();
        gateways.report(row("a", 10));
        gateways.report(row("b", 10));
        let merged = gateways.merged("p", vec![row("a", 20), row("b", 5), row("c", 1)]);
        let times: Vec<i64> = merged.iter().map(|row| row.last_contact).collect();
        assert_eq!(times, [20, 10, 1]);
        assert_eq!(gateways.take_changed(10).len(), 2);
        assert!(gateways.take_changed(10).is_empty());
        gateways.put_back(&[row("a", 0)]);
        assert_eq!(gateways.take_changed(10).len(), 1);
    }
}
