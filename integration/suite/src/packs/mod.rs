//! `suite packs`: every rule of `api-core` against its own tests, collections of attacks, hard look-alikes, and
//! generated benign requests, by the engine in process. Each message is also judged by trying every rule in turn,
//! which must come to the same decision.

mod benign;
mod corpus;
mod gateway;
mod message;

use std::path::PathBuf;
use std::process::ExitCode;

pub use benign::{bank_requests, requests};
use gateway::Gateway;
pub use message::Message;
use message::Place;
use policy_compiler::ir::{Rule, Sample};

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Collections: `attacks/*.txt` and `benign/*.txt`, a value a line; `%%` and `#` begin remarks
    #[arg(long)]
    corpus: PathBuf,
    /// Benign requests to generate
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// The level at which look-alikes and benign requests are judged
    #[arg(long, default_value_t = 1)]
    paranoia: u8,
    /// Differences to show of each kind
    #[arg(long, default_value_t = 40)]
    show: usize,
}

/// How many of how many, and which were not.
#[derive(Debug, Default)]
struct Tally {
    good: usize,
    all: usize,
    bad: Vec<String>,
}

impl Tally {
    fn count(&mut self, good: bool, what: impl FnOnce() -> String) {
        self.all += 1;
        self.good += usize::from(good);
        if !good {
            self.bad.push(what());
        }
    }

    fn show(&self, title: &str, limit: usize) {
        if !self.bad.is_empty() {
            println!("{title}: {}", self.bad.len());
            self.bad.iter().take(limit).for_each(|line| println!("  {line}"));
        }
    }
}

/// Runs the suite; the last line is `attacks caught A/B, hard look-alikes alarming F/N, benign requests refused G/M`.
pub fn run(options: &Options) -> ExitCode {
    let gateways: Vec<Gateway> = (1..=4).map(Gateway::at).collect();
    let at = |paranoia: u8| &gateways[usize::from(paranoia.clamp(1, 4)) - 1];
    let rules = gateway::rules();
    let (mut caught, mut alike) = (Tally::default(), Tally::default());
    for rule in &rules {
        own_tests(rule, at(rule.paranoia), &mut caught, &mut alike);
    }
    println!(
        "{} rules; own tests: {} of {} attacks fire their rule, {} of {} look-alikes pass",
        rules.len(),
        caught.good,
        caught.all,
        alike.good,
        alike.all
    );
    let own = caught.good == caught.all && alike.good == alike.all;
    let mut classes = Vec::new();
    for (name, values) in corpus::read(&options.corpus.join("attacks")) {
        let before = (caught.good, caught.all);
        for value in &values {
            for place in Place::ALL.into_iter().filter(|place| place.takes(value)) {
                let verdict = at(options.paranoia).judge(&Message::with(place, value));
                caught.count(verdict.alarms(), || format!("{name} in {place:?}: {value:?}"));
            }
        }
        classes.push((name, caught.good - before.0, caught.all - before.1));
    }
    classes.iter().for_each(|(name, good, all)| println!("  attacks {name}: {good} of {all}"));
    let mut hard = Tally::default();
    for (name, values) in corpus::read(&options.corpus.join("benign")) {
        for value in &values {
            let places = Place::ALL.into_iter().filter(|place| place.takes(value));
            let alarms: Vec<_> = places
                .map(|place| at(options.paranoia).judge(&Message::with(place, value)))
                .filter(gateway::Judged::alarms)
                .collect();
            let names = || alarms.iter().flat_map(|it| it.rules.clone()).collect::<Vec<_>>();
            hard.count(alarms.is_empty(), || format!("{name}: {value:?} {:?}", names()));
        }
    }
    let mut requests = Tally::default();
    let mut generator = benign::Generator::new(1);
    println!("{} shapes of benign requests", generator.shapes());
    for shape in 0..options.requests {
        let message = generator.request(shape);
        let verdict = at(options.paranoia).judge(&message);
        requests.count(!verdict.alarms(), || format!("{:?} {message}", verdict.rules));
    }
    caught.show("attacks missed", options.show);
    alike.show("look-alikes of rules that alarm", options.show);
    hard.show("hard look-alikes that alarm", options.show);
    requests.show("benign requests refused", options.show);
    println!(
        "attacks caught {}/{}, hard look-alikes alarming {}/{}, benign requests refused {}/{}",
        caught.good,
        caught.all,
        hard.all - hard.good,
        hard.all,
        requests.all - requests.good,
        requests.all
    );
    if own { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A rule's own tests, at its own level.
fn own_tests(rule: &Rule, gateway: &Gateway, caught: &mut Tally, alike: &mut Tally) {
    for sample in &rule.tests.attacks {
        let judged = gateway.judge(&of_sample(rule, sample));
        let fired = judged.rules.contains(&rule.id);
        caught.count(fired, || format!("{}: {sample:?} {:?}", rule.id, judged.rules));
    }
    for sample in &rule.tests.passes {
        let judged = gateway.judge(&of_sample(rule, sample));
        alike.count(judged.rules.is_empty(), || {
            format!("{}: {sample:?} {:?}", rule.id, judged.rules)
        });
    }
}

/// The message of a test: a bare value stands where the rule's first target says.
fn of_sample(rule: &Rule, sample: &Sample) -> Message {
    let target = rule.conditions.first().and_then(|it| it.targets.first());
    match (&sample.value, target) {
        (Some(value), Some(target)) => Message::at(target, value),
        _ => Message::of(sample),
    }
}
