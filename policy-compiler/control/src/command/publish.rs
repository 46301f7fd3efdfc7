//! `portcullis publish`.

use super::wait::{self, Waiting};
use super::{ClientError, labels, percentage};
use crate::client::{Client, Remote, read};
use crate::names;
use clap::Args;
use portcullis_bundle::{Bundle, Trust};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The bundle, and where it goes.
#[derive(Args, Clone, Debug)]
pub struct Publish {
    /// The bundle
    bundle: PathBuf,
    #[command(flatten)]
    remote: Remote,
    /// The policy that it is a new version of; without it, the policy's name in the bundle
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: Option<String>,
    /// The channel
    #[arg(long, value_name = "NAME", default_value = "stable", value_parser = names::name)]
    channel: String,
    /// Let the channel be for so many of its gateways
    #[arg(long, value_name = "PERCENT", value_parser = percentage)]
    percentage: Option<f64>,
    /// Let the channel be for gateways with these labels
    #[arg(long, value_name = "K=V,K=V", value_parser = labels)]
    labels: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run(options: &Publish) -> Result<(), ClientError> {
    let bytes = read(&options.bundle)?;
    // What no gateway could read needs no service to say so. Whose signature counts, the service says.
    let anyone = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(bytes, &anyone)
        .map_err(|error| ClientError::Other(format!("`{}`: {error}", options.bundle.display())))?;
    let policy = match &options.policy {
        Some(policy) => policy.clone(),
        None => name_of(&bundle)?,
    };
    let client = options.remote.client()?;
    let told = send(&client, &policy, &options.channel, bundle.as_bytes())?;
    if options.percentage.is_some() || options.labels.is_some() {
        let body = json!({ "percentage": options.percentage, "labels": options.labels });
        client.put(&format!("/v1/policies/{policy}/channels/{}", options.channel), &body)?;
    }
    wait::run(&client, &options.waiting, &policy, &options.channel, epoch(&told))
}

/// Publishes bytes, and tells what became of them.
pub(super) fn send(
    client: &Client,
    policy: &str,
    channel: &str,
    bytes: &[u8],
) -> Result<Value, ClientError> {
    let told =
        client.publish(&format!("/v1/policies/{policy}/bundles?channel={channel}"), bytes)?;
    let how = match told["result"].as_str() {
        Some("known") => " (it was there already)",
        _ => "",
    };
    println!("published epoch {} of `{policy}` to `{channel}`{how}", epoch(&told));
    Ok(told)
}

pub(super) fn epoch(told: &Value) -> i64 {
    told["epoch"].as_i64().unwrap_or_default()
}

fn name_of(bundle: &Bundle) -> Result<String, ClientError> {
    let view = bundle.view();
    let name = view.policy.first().map_or("", |policy| view.text(policy.name));
    names::name(name).map_err(|what| {
        ClientError::Other(format!("the policy's name in the bundle is {what}: give `--policy`"))
    })
}
