//! `--wait`: until the gateways of a channel report an epoch.

use super::ClientError;
use crate::client::Client;
use crate::gateways::State;
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
    let (mut told, mut epoch) = (None, epoch);
    loop {
        let asked = Instant::now();
        let status = client.get(&format!("/v1/policies/{policy}/status?summary=true"))?;
        // Of a large fleet even the numbers cost the service something.
        let pause = EVERY.max(asked.elapsed() * 4);
        let awaited = awaited(&status, channel, epoch)?;
        if awaited != epoch {
            println!("`{channel}` serves epoch {awaited}: others have published");
            epoch = awaited;
        }
        let count = count(&status, channel, epoch);
        if told != Some(count) {
            println!("{} of {} gateways of `{channel}` run epoch {epoch}", count.run, count.all);
            told = Some(count);
        }
        if count.refuse > 0 {
            return Err(ClientError::Other(format!(
                "{} of {} gateways refuse epoch {epoch}: {}; {}",
                count.refuse,
                count.all,
                reason(&status, channel),
                named(policy, State::Refusing)
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
                "{left} of {} gateways do not run epoch {epoch} after {} s; {}",
                count.all,
                limit.as_secs(),
                named(policy, State::Behind)
            )));
        }
        std::thread::sleep(pause);
    }
}

/// How to learn which gateways these are.
fn named(policy: &str, state: State) -> String {
    format!("`portcullis status --policy {policy} --state {state}` names them")
}

/// What is told of a channel.
fn of<'a>(status: &'a Value, channel: &str) -> Option<&'a Value> {
    status["channels"].as_array()?.iter().find(|it| it["channel"] == channel)
}

/// The epoch to wait for: a newer one, where the channel leads to that by now. Held at a lower one it is in vain.
fn awaited(status: &Value, channel: &str, epoch: i64) -> Result<i64, ClientError> {
    let found = of(status, channel);
    let serves = found.and_then(|it| it["serves"].as_i64()).unwrap_or(epoch);
    // A lower one that nobody pinned is what was served before: it is about to change.
    if serves < epoch && found.is_some_and(|it| it["pinned"] == true) {
        return Err(ClientError::Other(format!(
            "`{channel}` serves epoch {serves}: it is pinned, and no gateway of it gets epoch {epoch} before `unpin`"
        )));
    }
    Ok(serves.max(epoch))
}

/// Those that are not silent, once the channel serves the epoch.
fn count(status: &Value, channel: &str, epoch: i64) -> Count {
    let Some(found) = of(status, channel).filter(|it| it["serves"] == epoch) else {
        return Count::default();
    };
    let number = |state: State| found["gateways"][state.name()].as_u64().unwrap_or(0);
    let (run, refuse) = (number(State::Current), number(State::Refusing));
    Count { run, refuse, all: run + refuse + number(State::Behind) }
}

fn reason<'a>(status: &'a Value, channel: &str) -> &'a str {
    let told = of(status, channel).and_then(|it| it["gateways"]["refusal"].as_str());
    told.filter(|it| !it.is_empty()).unwrap_or("no reason told")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_pinned_lower_is_an_error_and_what_is_newer_is_awaited() {
        let status = |serves: i64, pinned: bool| {
            let channel = json!({ "channel": "stable", "serves": serves, "pinned": pinned });
            json!({ "channels": [channel] })
        };
        assert_eq!(awaited(&status(2, false), "stable", 3).unwrap(), 3);
        assert_eq!(awaited(&status(3, true), "stable", 3).unwrap(), 3);
        assert_eq!(awaited(&status(4, false), "stable", 3).unwrap(), 4);
        assert_eq!(awaited(&json!({}), "stable", 3).unwrap(), 3);
        let told = awaited(&status(2, true), "stable", 3).unwrap_err().to_string();
        assert!(told.contains("pinned"), "{told}");
    }
}
