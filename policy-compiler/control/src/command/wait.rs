//! `--wait`: until the gateways of a channel report an epoch.

use super::ClientError;
use crate::client::Client;
use clap::Args;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How often the service is asked.
const EVERY: Duration = Duration::from_millis(300);

/// Whether to wait.
#[derive(Args, Clone, Debug)]
pub struct Waiting {
    /// Wait until the channel's gateways run it; silent ones are not waited for
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
    wait_for: u64,
}

/// Counts of a channel's gateways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    run: u64,
    refuse: u64,
    all: u64,
}

/// Waits, if that is asked for, and tells of every change.
pub(super) fn run(
    client: &Client,
    waiting: &Waiting,
    policy: &str,
    channel: &str,
    epoch: i64,
) -> Result<(), ClientError> {
    if !waiting.wait {
        return Ok(());
    }
    let (started, limit) = (Instant::now(), Duration::from_secs(waiting.wait_for));
    let mut told = None;
    loop {
        let asked = Instant::now();
        let status = client.get(&format!("/v1/policies/{policy}/status?summary=true"))?;
        // Of a large fleet even the numbers cost the service something.
        let pause = EVERY.max(asked.elapsed() * 4);
        if let Some(held) = held_at(&status, channel, epoch) {
            println!("`{channel}` serves epoch {held}: it is pinned, or others have published");
            return Ok(());
        }
        let count = count(&status, channel, epoch);
        if told != Some(count) {
            println!("{} of {} gateways of `{channel}` run epoch {epoch}", count.run, count.all);
            told = Some(count);
        }
        if count.refuse > 0 {
            return Err(ClientError::Other(format!(
                "{} gateways refuse epoch {epoch}: {}",
                count.refuse,
                reason(&status, channel)
            )));
        }
        if count.run == count.all && count.all > 0 {
            return Ok(());
        }
        if started.elapsed() > limit {
            if count.all == 0 {
                let told = format!("no gateway of `{channel}` was heard of for {limit:?}");
                return Err(ClientError::Other(told));
            }
            let left = count.all - count.run;
            return Err(ClientError::Other(format!(
                "{left} gateways do not run epoch {epoch} after {} s",
                limit.as_secs()
            )));
        }
        std::thread::sleep(pause);
    }
}

/// What is told of a channel.
fn of<'a>(status: &'a Value, channel: &str) -> Option<&'a Value> {
    status["channels"].as_array()?.iter().find(|it| it["channel"] == channel)
}

/// The epoch that the channel serves instead.
fn held_at(status: &Value, channel: &str, epoch: i64) -> Option<i64> {
    let found = of(status, channel)?;
    let serves = found["serves"].as_i64()?;
    // A lower one that nobody pinned is what was served before: it is about to change.
    (serves > epoch || serves < epoch && found["pinned"] == true).then_some(serves)
}

/// Those that are not silent, once the channel serves the epoch.
fn count(status: &Value, channel: &str, epoch: i64) -> Count {
    let Some(found) = of(status, channel).filter(|it| it["serves"] == epoch) else {
        return Count::default();
    };
    let number = |state: &str| found["gateways"][state].as_u64().unwrap_or(0);
    let (run, refuse) = (number("current"), number("refusing"));
    Count { run, refuse, all: run + refuse + number("behind") }
}

fn reason<'a>(status: &'a Value, channel: &str) -> &'a str {
    let told = of(status, channel).and_then(|it| it["gateways"]["refusal"].as_str());
    told.filter(|it| !it.is_empty()).unwrap_or("no reason told")
}
