//! `portcullis promote`, `rollout`, `remove-channel`, `pin` and `unpin`.

use super::wait::{self, Waiting};
use super::{ClientError, labels, percentage};
use crate::client::Remote;
use crate::names;
use clap::Args;
use serde_json::{Value, json};

/// What a channel has, to another.
#[derive(Args, Clone, Debug)]
pub struct Promote {
    #[command(flatten)]
    remote: Remote,
    /// The policy
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: String,
    /// The channel whose bundle it is
    #[arg(long, value_name = "NAME", default_value = "canary", value_parser = names::name)]
    from: String,
    /// The channel that gets it
    #[arg(long, value_name = "NAME", default_value = "stable", value_parser = names::name)]
    channel: String,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn promote(options: &Promote) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let (policy, from) = (&options.policy, &options.from);
    let told = client.get(&format!("/v1/policies/{policy}"))?;
    let channels = told["channels"].as_array().map_or(&[][..], Vec::as_slice);
    let found = channels.iter().find(|channel| channel["channel"] == **from);
    // What gateways of the channel run, not what waits behind a pin.
    let epoch = found.and_then(|channel| channel["serves"].as_i64());
    let epoch = epoch.ok_or_else(|| ClientError::Other(format!("`{from}` serves nothing")))?;
    let path = format!("/v1/policies/{policy}/channels/{}/epoch", options.channel);
    client.put(&path, &json!({ "epoch": epoch }))?;
    println!("promoted epoch {epoch} of `{policy}` from `{from}` to `{}`", options.channel);
    wait::run(&client, &options.waiting, policy, &options.channel, epoch)
}

/// Which gateways a channel is for. What is not given stays as it is.
#[derive(Args, Clone, Debug)]
pub struct RollOut {
    #[command(flatten)]
    remote: Remote,
    /// The policy
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: String,
    /// The channel
    #[arg(long, value_name = "NAME", default_value = "canary", value_parser = names::name)]
    channel: String,
    /// So many of its gateways: growing only adds some
    #[arg(long, value_name = "PERCENT", value_parser = percentage)]
    percentage: Option<f64>,
    /// Gateways with these labels; all where empty
    #[arg(long, value_name = "K=V,K=V", value_parser = labels)]
    labels: Option<String>,
    /// Where several channels are for a gateway, the highest counts
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i64>,
}

pub(super) fn roll_out(options: &RollOut) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let body = json!({
        "percentage": options.percentage, "labels": options.labels, "priority": options.priority,
    });
    client.put(&format!("/v1/policies/{}/channels/{}", options.policy, options.channel), &body)?;
    let told = client.get(&format!("/v1/policies/{}", options.policy))?;
    let channels = told["channels"].as_array().map_or(&[][..], Vec::as_slice);
    let channel = channels.iter().find(|it| it["channel"] == *options.channel);
    let (percentage, labels) = channel.map_or((&Value::Null, ""), |channel| {
        (&channel["percentage"], channel["labels"].as_str().unwrap_or_default())
    });
    let whom = if labels.is_empty() { "all gateways" } else { labels };
    println!("`{}` of `{}`: {percentage} % of {whom}", options.channel, options.policy);
    Ok(())
}

/// Which channel goes.
#[derive(Args, Clone, Debug)]
pub struct RemoveChannel {
    #[command(flatten)]
    remote: Remote,
    /// The policy
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: String,
    /// The channel
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    channel: String,
}

pub(super) fn remove_channel(options: &RemoveChannel) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let (policy, channel) = (&options.policy, &options.channel);
    client.delete(&format!("/v1/policies/{policy}/channels/{channel}"))?;
    println!("removed `{channel}` of `{policy}`");
    Ok(())
}

/// Which policy goes.
#[derive(Args, Clone, Debug)]
pub struct RemovePolicy {
    #[command(flatten)]
    remote: Remote,
    /// The policy
    #[arg(value_name = "NAME", value_parser = names::name)]
    policy: String,
}

pub(super) fn remove_policy(options: &RemovePolicy) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    client.delete(&format!("/v1/policies/{}", options.policy))?;
    println!("removed `{}`", options.policy);
    Ok(())
}

/// What is held.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false, id = "target")]
pub struct Target {
    /// All gateways of a channel
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    channel: Option<String>,
    /// Gateways with these labels, whatever their channel
    #[arg(long, value_name = "K=V,K=V", value_parser = labels)]
    labels: Option<String>,
}

/// What to hold, and at what.
#[derive(Args, Clone, Debug)]
pub struct Pin {
    #[command(flatten)]
    remote: Remote,
    /// The policy
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: String,
    #[command(flatten)]
    target: Target,
    /// The epoch, which was published
    #[arg(long, value_name = "N")]
    epoch: i64,
    /// Why, for those who find it pinned
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) fn pin(options: &Pin) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let body = json!({
        "channel": options.target.channel, "labels": options.target.labels,
        "epoch": options.epoch, "reason": options.reason,
    });
    let told = client.put(&format!("/v1/policies/{}/pins", options.policy), &body)?;
    let target = told["target"].as_str().unwrap_or_default();
    println!("pinned {target} of `{}` at epoch {}", options.policy, options.epoch);
    println!("note: gateways that run a higher epoch keep it: they take no lower one");
    Ok(())
}

/// What to release.
#[derive(Args, Clone, Debug)]
pub struct Unpin {
    #[command(flatten)]
    remote: Remote,
    /// The policy
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: String,
    #[command(flatten)]
    target: Target,
}

pub(super) fn unpin(options: &Unpin) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let query = match (&options.target.channel, &options.target.labels) {
        (Some(channel), _) => format!("channel={channel}"),
        (None, labels) => format!("labels={}", encoded(labels.as_deref().unwrap_or_default())),
    };
    let told = client.delete(&format!("/v1/policies/{}/pins?{query}", options.policy))?;
    let target = told["target"].as_str().unwrap_or(&query);
    println!("released {target} of `{}`", options.policy);
    Ok(())
}

/// Percent-encodes all but what RFC 3986 reserves nothing for.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
