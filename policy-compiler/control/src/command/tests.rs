//! Holds CONTROL.md to commands, metrics, tables and error codes.

use super::*;
use crate::current::Current;
use crate::gateways::State;
use crate::metrics::Metrics;
use crate::transfers::Transfers;
use clap::{Args, Command as Clap, FromArgMatches};

const PAGE: &str = include_str!("../../../CONTROL.md");

fn commands() -> Clap {
    let command = Command::augment_subcommands(Clap::new("portcullis"));
    // What cannot be parsed cannot be documented either.
    assert!(
        Command::from_arg_matches(&command.clone().get_matches_from([
            "portcullis",
            "token",
            "--name",
            "a",
            "--role",
            "reader"
        ]))
        .is_ok()
    );
    let _ = Serve::augment_args(Clap::new("serve"));
    command
}

#[test]
fn the_page_names_every_command_and_flag() {
    let mut count = 0;
    for command in commands().get_subcommands() {
        let name = command.get_name();
        assert!(PAGE.contains(&format!("### {name}\n")), "CONTROL.md has no section `{name}`");
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            if flag != "help" {
                assert!(
                    PAGE.contains(&format!("`--{flag}`")),
                    "{name}: `--{flag}` is not in CONTROL.md"
                );
                count += 1;
            }
        }
    }
    assert!(count > 80, "{count}");
}

#[test]
fn who_does_not_say_where_the_service_is_learns_how() {
    let told = |arguments: &[&str]| {
        let arguments = [&["portcullis"], arguments].concat();
        let matches = commands().get_matches_from(arguments);
        let outcome = match Command::from_arg_matches(&matches).unwrap() {
            Command::Status(options) => show::status(&options),
            Command::RemoveChannel(options) => change::remove_channel(&options),
            Command::RemovePolicy(options) => change::remove_policy(&options),
            Command::Sync(options) => sync::run(&options),
            other => panic!("{other:?}"),
        };
        outcome.unwrap_err().to_string()
    };
    let of = ["--policy", "bank"];
    let sync = ["sync", "--once", "--allow-unsigned", "-o", "/nowhere/a.bundle"];
    for (arguments, flag) in [
        (vec!["status"], "`--to URL`"),
        ([&["remove-channel", "--channel", "a"][..], &of].concat(), "`--to URL`"),
        (vec!["remove-policy", "bank"], "`--to URL`"),
        ([&sync[..], &of].concat(), "`--from URL`"),
    ] {
        let told = told(&arguments);
        assert!(told.contains(flag) && told.contains("`PORTCULLIS_CONTROL`"), "{told}");
    }
}

#[test]
fn gateways_are_asked_for_by_their_states() {
    let parsed = |arguments: &[&str]| {
        commands().try_get_matches_from([&["portcullis", "status"], arguments].concat())
    };
    let both = ["--state", "refusing,behind", "--state", "silent"];
    assert!(parsed(&both).is_ok() && parsed(&["--state", "current", "--all"]).is_ok());
    for wrong in ["gone", "Behind", "behind,", ""] {
        let told = parsed(&["--state", wrong]).unwrap_err().to_string();
        for state in State::ALL {
            assert!(told.contains(state.name()), "{wrong}: {told}");
        }
    }
    // And so the service is asked, in the words of the page.
    for state in State::ALL {
        assert!(PAGE.contains(&format!("`{state}`")), "{state}");
    }
}

#[test]
fn the_page_names_every_metric() {
    let page = Metrics::default().page(&Current::default(), &Transfers::default(), true, true, &[]);
    let names: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.len() > 10);
    for name in &names {
        assert!(PAGE.contains(&format!("| `{name}` |")), "{name}");
    }
    let listed = PAGE.lines().filter(|line| line.starts_with("| `portcullis_control_")).count();
    assert_eq!(listed, names.len());
    // And the alert rules ask for no other.
    let rules = include_str!("../../../../envoy-config/observability/control-alerts.yaml");
    let asked = rules.split("portcullis_control_").skip(1);
    let asked = asked.map(|it| it.split(|c: char| c != '_' && !c.is_ascii_lowercase()).next());
    let asked: Vec<String> =
        asked.map(|it| ["portcullis_control_", it.unwrap()].concat()).collect();
    assert!(asked.len() >= 8, "{asked:?}");
    for name in &asked {
        assert!(names.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn the_page_names_every_table_and_code() {
    let schema = include_str!("../store/schema.rs");
    let tables = schema.split("CREATE TABLE ").skip(1);
    let tables =
        tables.map(|it| it.trim_start_matches("IF NOT EXISTS ").split(' ').next().unwrap());
    let tables: Vec<&str> = tables.collect();
    assert_eq!(tables.len(), 9);
    for table in tables {
        assert!(PAGE.contains(&format!("| `{table}` |")), "{table}");
    }
    let sources = [
        include_str!("../http/mod.rs"),
        include_str!("../http/publish.rs"),
        include_str!("../http/bundles.rs"),
        include_str!("../http/status.rs"),
        include_str!("../http/problem.rs"),
    ];
    let mut codes = 0;
    for source in sources {
        // The code is the first text after the status.
        for part in source.split("Problem::new(").skip(1) {
            let after = part.split("StatusCode::").nth(1).unwrap_or_default();
            let code = after.split('"').nth(1).unwrap_or_default();
            if part.trim_start().starts_with("StatusCode::") {
                assert!(PAGE.contains(&format!("`{code}`")), "{code}");
                codes += 1;
            }
        }
    }
    assert!(codes > 12, "{codes}");
}
