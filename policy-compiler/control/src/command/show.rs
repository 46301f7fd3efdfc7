//! `portcullis status`, `history` and `audit`.

use super::ClientError;
use super::change::encoded;
use crate::client::{Client, Remote};
use crate::gateways::State;
use crate::names;
use clap::Args;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

/// Gateways of one answer: as many as the service gives.
const PAGE: usize = 1000;
/// Which gateways are told first: those that somebody should look at.
const FIRST: [State; 4] = [State::Refusing, State::Behind, State::Silent, State::Current];

/// Of which policy.
#[derive(Args, Clone, Debug)]
pub struct Status {
    #[command(flatten)]
    remote: Remote,
    /// The policy; all without it
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: Option<String>,
    /// So many gateways of each policy, those first that are not current
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// All gateways
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Only gateways that stand so; may be repeated
    #[arg(long, value_name = "STATE,STATE", value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn status(options: &Status) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let most = if options.all { usize::MAX } else { options.limit };
    let mut all = Vec::new();
    for policy in policies(&client, options.policy.as_deref())? {
        all.push(fetch(
            |query| client.get(&format!("/v1/policies/{policy}/status?{query}")),
            most,
            &options.state,
        )?);
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&all).unwrap_or_default());
        return Ok(());
    }
    for (at, status) in all.iter().enumerate() {
        if at > 0 {
            println!();
        }
        print!("{}", table(status));
        if !options.state.is_empty() {
            let states = options.state.iter().map(State::to_string).collect::<Vec<_>>();
            println!("note: only those that are {} are listed", states.join(" or "));
        }
    }
    Ok(())
}

/// The status of a policy with so many gateways, of some states where these are named, those first that are not current,
/// page by page: whoever has made some up hides neither the numbers nor who refuses.
fn fetch(
    ask: impl Fn(&str) -> Result<Value, ClientError>,
    most: usize,
    states: &[State],
) -> Result<Value, ClientError> {
    let mut status = ask("summary=true")?;
    let (mut gateways, mut known) = (Vec::new(), 0);
    for state in FIRST.into_iter().filter(|it| states.is_empty() || states.contains(it)) {
        let number = status["summary"][state.name()].as_u64().unwrap_or(0);
        known += number;
        let mut more = number > 0;
        let mut after = String::new();
        while more && gateways.len() < most {
            let limit = (most - gateways.len()).min(PAGE);
            let mut page = ask(&format!("state={state}&limit={limit}{after}"))?;
            if let Value::Array(found) = page["gateways"].take() {
                gateways.extend(found);
            }
            more = page["next"].is_string();
            after = format!("&after={}", encoded(page["next"].as_str().unwrap_or_default()));
        }
    }
    let shown = u64::try_from(gateways.len()).unwrap_or(u64::MAX);
    status["left"] = known.saturating_sub(shown).into();
    status["gateways"] = gateways.into();
    Ok(status)
}

fn policies(client: &Client, policy: Option<&str>) -> Result<Vec<String>, ClientError> {
    if let Some(policy) = policy {
        return Ok(vec![policy.to_owned()]);
    }
    let told = client.get("/v1/policies")?;
    Ok(list(&told, "policies").iter().filter_map(|it| Some(it.as_str()?.to_owned())).collect())
}

/// The status of a policy, for people.
fn table(status: &Value) -> String {
    let mut rows = vec![row(["channel", "serves", "published", "for", "held"])];
    for channel in list(status, "channels") {
        let labels = text(&channel["labels"]);
        let whom = match (text(&channel["channel"]).as_str(), labels.as_str()) {
            ("stable", _) => "all others".to_owned(),
            (_, "") => format!("{} %", channel["percentage"]),
            _ => format!("{} % of {labels}", channel["percentage"]),
        };
        let held = if channel["pinned"] == true { "pinned" } else { "" };
        rows.push(vec![
            text(&channel["channel"]),
            text(&channel["serves"]),
            text(&channel["published"]),
            whom,
            held.to_owned(),
        ]);
    }
    let mut page = format!("policy {}\n\n{}", text(&status["policy"]), columns(&rows));
    for pin in list(status, "pins") {
        let (target, epoch, who) = (text(&pin["target"]), &pin["epoch"], text(&pin["identity"]));
        page += &format!("pinned: {target} at epoch {epoch} by {who}: {}\n", text(&pin["reason"]));
    }
    let mut rows = vec![row([
        "gateway",
        "state",
        "channel",
        "epoch",
        "runs",
        "by",
        "last contact",
        "refused",
    ])];
    for gateway in list(status, "gateways") {
        let refused = &gateway["refused"];
        let refused = match refused["epoch"].as_i64() {
            Some(epoch) => format!("{epoch}: {}", text(&refused["reason"])),
            None => String::new(),
        };
        rows.push(vec![
            text(&gateway["gateway"]),
            text(&gateway["state"]),
            text(&gateway["channel"]),
            text(&gateway["epoch"]),
            runs(gateway),
            text(&gateway["source"]),
            time(&gateway["last_contact"]),
            refused,
        ]);
    }
    let summary = &status["summary"];
    let states = State::ALL.map(|state| format!("{} {state}", summary[state.name()])).join(", ");
    page += &format!("\n{}{} gateways: {states}\n", columns(&rows), summary["gateways"]);
    if let Some(left) = status["left"].as_u64().filter(|left| *left > 0) {
        page += &format!("note: {left} of them are not shown: `--limit`, `--all`\n");
    }
    if status["complete"] == false {
        page += "note: the database is away; what other replicas have heard is missing\n";
    }
    page
}

/// `0-3: 7` where all workers agree; what was accepted where none has told.
fn runs(gateway: &Value) -> String {
    let workers = gateway["workers"].as_object();
    let Some(workers) = workers.filter(|workers| !workers.is_empty()) else {
        return text(&gateway["accepted"]);
    };
    let mut epochs: Vec<String> = workers.values().map(text).collect();
    epochs.dedup();
    match epochs.as_slice() {
        [epoch] => format!("{epoch} ({} workers)", workers.len()),
        _ => {
            let each = workers.iter().map(|(worker, epoch)| format!("{worker}: {}", text(epoch)));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}

/// How many lines.
#[derive(Args, Clone, Debug)]
pub struct History {
    #[command(flatten)]
    remote: Remote,
    /// The policy
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    policy: String,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn history(options: &History) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let path = format!("/v1/policies/{}/history?limit={}", options.policy, options.limit);
    let told = client.get(&path)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&told).unwrap_or_default());
        return Ok(());
    }
    let mut rows = vec![row(["time", "who", "what", "of", "epoch"])];
    for line in list(&told, "history") {
        let of = [&line["identity"], &line["action"], &line["target"], &line["epoch"]];
        rows.push([vec![time(&line["at"])], of.map(text).to_vec()].concat());
    }
    print!("{}", columns(&rows));
    Ok(())
}

/// Whose lines.
#[derive(Args, Clone, Debug)]
pub struct AuditLog {
    #[command(flatten)]
    remote: Remote,
    /// Of one identity only
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    identity: Option<String>,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn audit(options: &AuditLog) -> Result<(), ClientError> {
    let client = options.remote.client()?;
    let mut path = format!("/v1/audit?limit={}", options.limit);
    if let Some(identity) = &options.identity {
        path += &format!("&identity={identity}");
    }
    let told = client.get(&path)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&told).unwrap_or_default());
        return Ok(());
    }
    let mut rows = vec![row(["time", "who", "from", "what", "policy", "status", "detail"])];
    for line in list(&told, "audit") {
        let of = ["identity", "peer", "action", "policy", "status", "detail"];
        let of = of.map(|name| text(&line[name]));
        rows.push([vec![time(&line["at"])], of.to_vec()].concat());
    }
    print!("{}", columns(&rows));
    Ok(())
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[][..], Vec::as_slice)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// What the service sends may come from gateways: nothing that steers a terminal is printed.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().filter(|it| !it.is_control()).collect(),
        other => other.to_string(),
    }
}

fn time(value: &Value) -> String {
    let seconds = value.as_u64().unwrap_or(0).min(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  "));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_tells_who_runs_what() {
        let status = json!({
            "policy": "bank", "complete": true,
            "channels": [
                { "channel": "canary", "serves": 8, "published": 8, "labels": "region=eu",
                  "percentage": 5.0, "pinned": false },
                { "channel": "stable", "serves": 6, "published": 7, "labels": "", "percentage": 100.0,
                  "pinned": true },
            ],
            "pins": [{ "target": "channel stable", "epoch": 6, "identity": "ops", "reason": "incident" }],
            "gateways": [
                { "gateway": "a", "state": "current", "channel": "stable", "epoch": 6, "workers": { "0": 6, "1": 6 },
                  "accepted": null, "source": "http", "last_contact": 0, "refused": null },
                { "gateway": "b\u{1b}[2J", "state": "refusing", "channel": "canary", "epoch": 8,
                  "workers": { "0": 8, "1": null }, "source": "http", "last_contact": 0,
                  "refused": { "epoch": 8, "reason": "expired" } },
            ],
            "summary": { "gateways": 2, "current": 1, "behind": 0, "refusing": 1, "silent": 0 },
        });
        let table = table(&status);
        for expected in [
            "canary   8       8          5.0 % of region=eu",
            "stable   6       7          all others          pinned",
            "pinned: channel stable at epoch 6 by ops: incident",
            "6 (2 workers)",
            "0: 8, 1: -",
            "8: expired",
            "2 gateways: 1 current, 0 behind, 1 refusing, 0 silent",
        ] {
            assert!(table.contains(expected), "{expected} in\n{table}");
        }
        assert!(!table.contains('\u{1b}'));
    }

    #[test]
    fn who_is_not_current_comes_first_page_by_page() {
        // 2,500 that are behind, one that refuses, 3 that are current.
        let ask = |query: &str| {
            let value = |name: &str| {
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.clone().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
            };
            let Some(state) = value("state") else {
                let summary = json!({ "gateways": 2504, "current": 3, "behind": 2500,
                                      "refusing": 1, "silent": 0 });
                return Ok(json!({ "policy": "bank", "summary": summary }));
            };
            let of = match &*state {
                "current" => 3,
                "behind" => 2500,
                "refusing" => 1,
                _ => panic!("nobody is {state}"),
            };
            let from = value("after").map_or(0, |after| after.parse::<usize>().unwrap() + 1);
            let to = (from + value("limit").unwrap().parse::<usize>().unwrap().min(PAGE)).min(of);
            let gateways: Vec<Value> =
                (from..to).map(|it| json!({ "gateway": it.to_string(), "state": state })).collect();
            let next = (to < of).then(|| (to - 1).to_string());
            Ok(json!({ "gateways": gateways, "next": next }))
        };
        for (most, left) in [(0, 2504), (50, 2454), (1500, 1004), (2502, 2), (usize::MAX, 0)] {
            let status = fetch(ask, most, &[]).unwrap();
            let states: Vec<String> =
                list(&status, "gateways").iter().map(|it| text(&it["state"])).collect();
            let mut all = vec!["refusing"];
            all.extend([["behind"; 2500].as_slice(), &["current"; 3]].concat());
            assert_eq!(states, all[..2504 - left], "{most}");
            assert_eq!(status["left"], left);
            let told = table(&status);
            assert_eq!(told.contains(&format!("note: {left} of them are not shown")), left > 0);
            assert!(told.contains("2504 gateways: 3 current, 2500 behind, 1 refusing, 0 silent"));
        }
        // Of some states: nobody else is asked for, listed or left.
        for (states, most, shown, left) in [
            (
                &[State::Current, State::Refusing][..],
                50,
                vec!["refusing", "current", "current", "current"],
                0,
            ),
            (&[State::Current], 2, vec!["current", "current"], 1),
            (&[State::Silent], 50, vec![], 0),
        ] {
            let status = fetch(ask, most, states).unwrap();
            let listed = list(&status, "gateways").iter().map(|it| text(&it["state"]));
            assert_eq!(
                (listed.collect::<Vec<_>>(), status["left"].as_u64()),
                (shown.into_iter().map(str::to_owned).collect(), Some(left))
            );
            assert_eq!(status["summary"]["gateways"], 2504);
        }
    }
}
