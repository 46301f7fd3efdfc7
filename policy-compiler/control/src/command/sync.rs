//! `portcullis sync`: keeps a file up to date, so that a gateway starts from disk when the service is away.
//!
//! In: a URL that knows entity tags. Out: a bundle file, or a file for Envoy's `path_config_source`, replaced at once by
//! what verifies, and never by anything else.

mod kept;
mod monitor;

use super::change::encoded;
use super::{ClientError, labels, public_key};
use crate::client::{Answer, Client, Proof, SERVICE};
use crate::ended::until_told;
use crate::http::LARGEST;
use crate::names;
use crate::service::now;
use clap::Args;
use kept::{Given, Held, Kept};
use monitor::{Fault, Monitor};
use portcullis_bundle::{ActivationError, Bundle, Trust};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The longest wait between two questions, whatever failed or was asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Where bundles come from, where they go, and whose are taken.
#[derive(Args, Clone, Debug)]
pub struct Sync {
    /// Where the control service is, or with `--path` any store that speaks HTTP
    #[arg(long, value_name = "URL", env = SERVICE)]
    from: Option<String>,
    /// The policy
    #[arg(long, value_name = "NAME", value_parser = names::name, required_unless_present = "path")]
    policy: Option<String>,
    /// One channel, instead of the one that is for the gateway
    #[arg(long, value_name = "NAME", value_parser = names::name, requires = "policy")]
    channel: Option<String>,
    /// The bundle's path in a store that is no control service
    #[arg(long, value_name = "PATH", conflicts_with = "policy")]
    path: Option<String>,
    /// The file to keep: ending in `.pb`, for Envoy's ECDS; else the bundle
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A public key whose bundles are taken, in hexadecimal; may be repeated
    #[arg(long = "trusted-key", value_name = "HEX", value_parser = public_key, required_unless_present = "allow_unsigned")]
    trusted_keys: Vec<[u8; 32]>,
    /// Take bundles without a signature too: for development
    #[arg(long)]
    allow_unsigned: bool,
    /// The gateway's audience
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// The least epoch that is taken
    #[arg(long, value_name = "N", default_value_t = 0)]
    minimum_epoch: u64,
    /// The gateway's id, for the channel that is for it and for its status
    #[arg(long, value_name = "ID")]
    gateway: Option<String>,
    /// The gateway's labels
    #[arg(long, value_name = "K=V,K=V", value_parser = labels, requires = "gateway")]
    labels: Option<String>,
    /// The wasm filter, as Envoy is going to find it: for `.pb`; else as in the file that is there, or
    /// `/etc/portcullis/portcullis_filter.wasm`
    #[arg(long, value_name = "PATH")]
    wasm: Option<String>,
    /// The filter's name among Envoy's HTTP filters: for `.pb`; else as in the file that is there, or `portcullis`
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    filter: Option<String>,
    /// Ask so often
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Give an answer up after so long, body included
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Ask once, and tell whether it worked
    #[arg(long)]
    once: bool,
    /// Tell a monitor how it stands, in Prometheus' text format, in this file: for node_exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    #[command(flatten)]
    proof: Proof,
}

/// What is kept between two questions.
struct Synced<'a> {
    options: &'a Sync,
    client: Client,
    path: String,
    kept: Kept,
    /// Of what the file holds, or of what was refused for good.
    etag: Option<String>,
    /// Why what `etag` names was refused, where it was.
    of_etag: Option<(u64, String)>,
    /// What was written last, or was there already as it should: whoever takes the file away takes no gateway back.
    taken: Option<Held>,
    /// What is published, and why it is refused, where it is.
    refused: Option<(u64, String)>,
    /// What kept the file from being replaced, the last time.
    fault: Option<Fault>,
    /// Whether what is published was refused when it was seen last.
    refusing: bool,
    monitor: Option<Monitor>,
    /// Whether the last question was answered, be it by what was refused.
    answered: bool,
    /// What was wrong the last time.
    told: Option<String>,
}

pub(super) fn run(options: &Sync) -> Result<(), ClientError> {
    let writing = Arc::new(Mutex::new(()));
    let (options, whole) = (options.clone(), Arc::clone(&writing));
    if let Some(outcome) = until_told(move || keep(&options, writing)) {
        return outcome;
    }
    // What is being written is finished, and nothing is begun any more.
    std::mem::forget(whole.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(())
}

fn keep(options: &Sync, writing: Arc<Mutex<()>>) -> Result<(), ClientError> {
    let mut synced = Synced::new(options, Arc::clone(&writing))?;
    let interval = Duration::from_secs(options.interval);
    let mut failures = 0_u32;
    loop {
        let (outcome, wait) = synced.ask();
        synced.show(&writing);
        let (told, now_told) =
            (synced.told.take(), outcome.as_ref().err().map(ToString::to_string));
        match &outcome {
            Ok(Some(epoch)) => println!("wrote {}: epoch {epoch}", options.output.display()),
            Ok(None) => {}
            // Once is enough: the file that is there holds on.
            Err(error) if told != now_told => eprintln!("error: {error}"),
            Err(_) => {}
        }
        synced.told = now_told;
        if options.once {
            return match outcome {
                Ok(_) => Ok(()),
                Err(_) => Err(ClientError::Other(format!(
                    "`{}` was not replaced",
                    options.output.display()
                ))),
            };
        }
        if synced.answered && failures > 0 {
            println!("answered again");
        }
        // What was refused came from a store that answers: the next, better one is not to be waited for.
        let away = outcome.is_err() && !synced.answered;
        failures = if away { failures.saturating_add(1) } else { 0 };
        let backed_off = interval.saturating_mul(1 << failures.min(6));
        std::thread::sleep(jittered(backed_off.max(wait).min(LONGEST_WAIT.max(interval))));
    }
}

impl<'a> Synced<'a> {
    fn new(options: &'a Sync, writing: Arc<Mutex<()>>) -> Result<Synced<'a>, ClientError> {
        let path = match (&options.path, &options.policy, &options.channel) {
            (Some(path), _, _) => format!("/{}", path.trim_start_matches('/')),
            (None, Some(policy), Some(channel)) => {
                format!("/v1/policies/{policy}/channels/{channel}/bundle")
            }
            (None, policy, _) => {
                format!("/v1/policies/{}/bundle", policy.as_deref().unwrap_or_default())
            }
        };
        let from = options.from.as_deref().ok_or(ClientError::Nowhere("--from"))?;
        let client = options.proof.client(from, Duration::from_secs(options.timeout))?;
        let given = Given { wasm: options.wasm.clone(), filter: options.filter.clone() };
        Ok(Synced {
            options,
            client,
            path,
            kept: Kept::new(&options.output, given, writing),
            etag: None,
            of_etag: None,
            taken: None,
            refused: None,
            fault: None,
            refusing: false,
            monitor: options.metrics.as_deref().map(|path| Monitor::new(path, &options.output)),
            answered: false,
            told: None,
        })
    }

    fn trust(&self) -> Trust {
        let keys = self.options.trusted_keys.clone();
        Trust { keys, allow_unsigned: self.options.allow_unsigned }
    }

    /// Asks once. Gives the epoch where the file was replaced, and how long the server asks to be left alone.
    fn ask(&mut self) -> (Result<Option<u64>, ClientError>, Duration) {
        self.answered = false;
        self.fault = None;
        if self.kept.look() {
            // Whatever was answered before was of another file.
            (self.etag, self.of_etag) = (None, None);
        }
        let answer = match self.fetch() {
            Ok(answer) => answer,
            Err(error) => {
                self.fault = Some(Fault::Failed("unreachable"));
                return (Err(error), Duration::ZERO);
            }
        };
        let wait = Duration::from_secs(answer.retry_after.unwrap_or(0));
        self.answered = matches!(answer.status, 200 | 304 | 404);
        let taken = match answer.status {
            200 => self.take(answer),
            304 => {
                // What had to wait for its time may be withdrawn.
                self.refused.clone_from(&self.of_etag);
                Ok(None)
            }
            404 => {
                self.fault = Some(Fault::Failed("missing"));
                Err(ClientError::Other("nothing is published for this gateway".to_owned()))
            }
            _ => {
                self.fault = Some(Fault::Failed("status"));
                Err(answer.refused())
            }
        };
        (taken, wait)
    }

    /// Tells the monitor how it stands.
    fn show(&mut self, writing: &Mutex<()>) {
        let Some(monitor) = &mut self.monitor else { return };
        match self.fault {
            Some(Fault::Refused(_)) => self.refusing = true,
            Some(Fault::Failed(_)) => {}
            // Unchanged may mean that what was refused is published still.
            None => self.refusing = self.refused.is_some(),
        }
        monitor.count(self.fault, self.refusing, now());
        let epoch = self.kept.held().map(|held| held.epoch);
        let _whole = writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = monitor.write(epoch, self.refusing, now()) {
            // It grows old, which its readers see.
            eprintln!("error: {error}");
        }
    }

    fn fetch(&self) -> Result<Answer, ClientError> {
        let mut fields = Vec::new();
        if let Some(etag) = &self.etag {
            fields.push(("if-none-match", etag.clone()));
        }
        if let Some(gateway) = &self.options.gateway {
            fields.push(("portcullis-gateway", encoded(gateway)));
            let version = concat!("sync-", env!("CARGO_PKG_VERSION")).to_owned();
            fields.push(("portcullis-version", version));
            if let Some(labels) = &self.options.labels {
                let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
                let pairs =
                    pairs.map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
                fields.push(("portcullis-labels", pairs.collect::<Vec<_>>().join(",")));
            }
            if let Some(held) = self.kept.held() {
                fields.push(("portcullis-synced", held.epoch.to_string()));
            }
            if let Some((epoch, why)) = &self.refused {
                fields.push(("portcullis-refused", format!("{epoch};{why}")));
            }
        }
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.client.get_once(&self.path, &fields)
    }

    /// Verifies, and replaces the file.
    fn take(&mut self, answer: Answer) -> Result<Option<u64>, ClientError> {
        if answer.body.len() > LARGEST {
            self.fault = Some(Fault::Refused("bundle-corrupt"));
            let told = format!("{} bytes, more than {LARGEST}", answer.body.len());
            return Err(ClientError::Other(told));
        }
        let bundle = Bundle::open(answer.body, &self.trust()).map_err(|error| {
            // The transfer may be what was wrong: it is fetched again, with patience.
            self.answered = false;
            self.fault = Some(Fault::from(&error));
            ClientError::Other(error.to_string())
        })?;
        // What was signed and is refused is not fetched again until it changes, unless time may make it good.
        let new = Held::of(&bundle);
        let known = || self.taken.iter().chain(self.kept.held());
        let least = known().map(|it| it.epoch).fold(self.options.minimum_epoch, u64::max);
        let sound = bundle.check_activation(now(), least, self.options.audience.as_deref());
        let waits = matches!(sound, Err(ActivationError::NotYet { .. }));
        if !waits {
            self.etag = answer.etag;
        }
        // Where both are of this epoch, what was taken counts: the file is somebody else's then.
        let same = known().find(|it| it.epoch == new.epoch);
        let sound = match sound {
            Ok(()) if same.is_some_and(|it| *it != new) => {
                self.fault = Some(Fault::Refused("content"));
                Err(format!("epoch {} is here already with other content", new.epoch))
            }
            Ok(()) => Ok(()),
            Err(error) => {
                self.fault = Some(Fault::from(&error));
                Err(error.to_string())
            }
        };
        self.refused = sound.as_ref().err().map(|why| (new.epoch, names::bounded(why, 200)));
        if !waits {
            self.of_etag.clone_from(&self.refused);
        }
        sound.map_err(ClientError::Other)?;
        let changed = self.kept.write(&bundle).map_err(|source| {
            // It is good, and the disk is not: it must be fetched again.
            self.etag = None;
            self.fault = Some(Fault::Failed("file"));
            ClientError::File { path: self.options.output.clone(), source }
        })?;
        let epoch = new.epoch;
        self.taken = Some(new);
        Ok(changed.then_some(epoch))
    }
}

/// Between three quarters of a time and five: a fleet that was started at once does not stay in step.
fn jittered(wait: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    wait.mul_f64(0.75 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}
