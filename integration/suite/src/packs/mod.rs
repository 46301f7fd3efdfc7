//! `suite packs`: every rule of `api-core` against its own tests, collections of attacks, hard look-alikes, and
//! generated benign requests, by the engine in process. Each message is also judged by trying every rule in turn,
//! which must come to the same decision.

mod answer;
mod benign;
mod corpus;
mod gateway;
mod message;
mod mutants;
mod table;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::ExitCode;

pub use benign::{bank_requests, requests};
use gateway::Gateway;
pub use message::Message;
use message::Place;
use policy_compiler::ir::{Rule, Sample, TargetName};
use portcullis_bundle::layout::Target;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Collections: `attacks/*.txt` and `benign/*.txt`, a value a line; `%%` begins a remark
    #[arg(long)]
    corpus: PathBuf,
    /// Benign requests to generate
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// The level at which look-alikes and benign requests are judged
    #[arg(long, default_value_t = 1)]
    paranoia: u8,
    /// Rules that are judged in place of `api-core`
    #[arg(long)]
    pack: Vec<PathBuf>,
    /// Attacks and look-alikes of these collections only
    #[arg(long)]
    only: Vec<String>,
    /// Show misses of the half that is held out, too
    #[arg(long)]
    held: bool,
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

/// Everything that is judged.
struct Suite<'s> {
    options: &'s Options,
    /// By level, from 1; made when asked for.
    gateways: [OnceCell<Gateway>; 4],
    packs: Vec<(String, String)>,
    rules: Vec<Rule>,
}

/// Runs the suite; the last line is `attacks caught A/B, hard look-alikes alarming F/N, benign requests refused G/M`.
pub fn run(options: &Options) -> ExitCode {
    let file = |path: &PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, std::fs::read_to_string(path).ok()?))
    };
    let packs: Option<Vec<_>> = options.pack.iter().map(file).collect();
    let Some(packs) = packs else {
        eprintln!("a pack cannot be read");
        return ExitCode::FAILURE;
    };
    Suite { options, gateways: Default::default(), rules: gateway::rules(&packs), packs }.run()
}

impl Suite<'_> {
    fn at(&self, paranoia: u8) -> &Gateway {
        let paranoia = paranoia.clamp(1, 4);
        self.gateways[usize::from(paranoia) - 1].get_or_init(|| Gateway::at(paranoia, &self.packs))
    }

    fn alarms(&self, message: &Message) -> gateway::Judged {
        self.at(self.options.paranoia).judge(message)
    }

    /// The collections of a folder that are asked for.
    fn collections(&self, folder: &str) -> Vec<corpus::Collection> {
        let mut all = corpus::read(&self.options.corpus.join(folder));
        let only = &self.options.only;
        all.retain(|it| only.is_empty() || only.contains(&it.name));
        all
    }

    /// The rules whose own tests are run: none where collections are asked for.
    fn tested(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|_| self.options.only.is_empty())
    }

    fn run(&self) -> ExitCode {
        let options = self.options;
        let (mut caught, mut alike) = (Tally::default(), Tally::default());
        for rule in self.tested() {
            own_tests(rule, self.at(rule.paranoia), &mut caught, &mut alike);
        }
        let own = caught.good == caught.all && alike.good == alike.all;
        println!(
            "{} rules; own tests: {} of {} attacks fire their rule, {} of {} look-alikes pass",
            self.rules.len(),
            caught.good,
            caught.all,
            alike.good,
            alike.all
        );
        self.mutants();
        self.attacks(&mut caught);
        let hard = self.look_alikes();
        let requests = self.requests();
        let answers = self.answers();
        caught.show("attacks missed", options.show);
        alike.show("look-alikes of rules that alarm", options.show);
        hard.show("hard look-alikes that alarm", options.show);
        requests.show("benign requests refused", options.show);
        answers.show("benign answers refused", options.show);
        println!("benign answers refused {} of {}", answers.all - answers.good, answers.all);
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

    /// Variants of the rules' own attacks: what the judge makes sure of is that both ways of matching agree.
    fn mutants(&self) {
        let (mut judged, mut alarming) = (0, 0);
        for rule in self.tested() {
            let Some(target) = rule.conditions.first().and_then(|it| it.targets.first()) else {
                continue;
            };
            for value in rule.tests.attacks.iter().filter_map(|it| it.value.as_ref()) {
                for variant in mutants::of(value) {
                    judged += 1;
                    let judgement = self.at(rule.paranoia).judge(&Message::at(target, &variant));
                    alarming += usize::from(judgement.alarms());
                }
            }
        }
        println!("{judged} variants of the rules' attacks, judged both ways; {alarming} alarm");
    }

    fn attacks(&self, caught: &mut Tally) {
        let mut rows = Vec::new();
        for collection in self.collections("attacks") {
            let mut row = table::Row::new(&collection.name);
            for item in &collection.items {
                let mut missed = Vec::new();
                for (place, message) in item.messages() {
                    let alarms = self.alarms(&message).alarms();
                    row.add(item.held, place, alarms);
                    caught.all += 1;
                    caught.good += usize::from(alarms);
                    if !alarms {
                        missed.push(place.map_or("whole", Place::name));
                    }
                }
                if !missed.is_empty() && (!item.held || self.options.held) {
                    let places = missed.join(" ");
                    caught.bad.push(format!("{} [{places}] {:?}", collection.name, item.value));
                }
            }
            rows.push(row);
        }
        table::print(&rows);
    }

    fn look_alikes(&self) -> Tally {
        let mut hard = Tally::default();
        for collection in self.collections("benign") {
            let (mut halves, name) = ([table::Count::default(); 2], &collection.name);
            for item in &collection.items {
                let mut rules = Vec::new();
                let mut alarms = false;
                for (_, message) in item.messages() {
                    let judged = self.alarms(&message);
                    alarms |= judged.alarms();
                    judged.alarms().then(|| rules.extend(judged.rules));
                }
                rules.sort();
                rules.dedup();
                halves[usize::from(item.held)].add(!alarms);
                hard.all += 1;
                hard.good += usize::from(!alarms);
                if alarms && (!item.held || self.options.held) {
                    hard.bad.push(format!("{name}: {:?} {rules:?}", item.value));
                }
            }
            let [tuned, held] = halves;
            println!(
                "look-alikes {name}: alarming {} of {}, held out {} of {}",
                tuned.all - tuned.good,
                tuned.all,
                held.all - held.good,
                held.all
            );
        }
        hard
    }

    fn requests(&self) -> Tally {
        let mut requests = Tally::default();
        let mut generator = benign::Generator::new(1);
        println!("{} shapes of benign requests", generator.shapes());
        for shape in 0..self.options.requests {
            let message = generator.request(shape);
            let verdict = self.alarms(&message);
            requests.count(!verdict.alarms(), || format!("{:?} {message}", verdict.rules));
        }
        requests
    }

    /// Answers that hold hard look-alikes, as a text and in JSON, or what benign requests sent as JSON.
    fn answers(&self) -> Tally {
        let mut bodies: Vec<String> = Vec::new();
        for collection in self.collections("benign") {
            for item in collection.items {
                bodies.push(serde_json::json!({ "note": &item.value }).to_string());
                bodies.push(item.value);
            }
        }
        let mut generator = benign::Generator::new(2);
        let sent = (0..self.options.requests).map(|shape| generator.request(shape).body);
        let json = |body: &Vec<u8>| matches!(body.first(), Some(b'{' | b'['));
        bodies.extend(sent.filter(json).filter_map(|body| String::from_utf8(body).ok()));
        let mut answers = Tally::default();
        let target = TargetName::new(Target::ResponseBody, None);
        for body in bodies {
            let judged = self.alarms(&Message::at(&target, &body));
            answers.count(!judged.alarms(), || format!("{:?} {body}", judged.rules));
        }
        answers
    }
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
