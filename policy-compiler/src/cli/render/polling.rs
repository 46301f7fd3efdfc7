//! A gateway whose filter fetches its policy: the cluster, and what the filter is told of it.

use super::{RenderError, Template, address, quote};
use clap::Args;
use data_encoding::BASE64;
use portcullis_bundle::Bundle;
use portcullis_bundle::source::{INTERVAL, is_path, is_sent};
use serde_json::{Map, Value, json};

/// `envoy-config/envoy-polling.yaml`, whose cluster and labels are put in.
pub(super) const TEMPLATE: &str = include_str!("../../../../envoy-config/envoy-polling.yaml");

// Where values go in the template.
const STORE: &str = "{ address: 127.0.0.1, port_value: 18000 }";
const LABELS: &str = "      # By these the control service knows which channel is for this gateway.
      labels: { env: prod }
";
const MINIMUM: &str =
    "      # The least epoch that is taken after a restart, when nothing is remembered. As text: epochs are large.
      minimum_epoch: '1'
";
const SETTINGS: &str = r#"value: |
                            {
                              "source": {
                                "cluster": "policies",
                                "path": "/v1/policies/bank/bundle",
                                "interval": "30s",
                                "timeout": "10s",
                                "max_bytes": 8388608
                              }
                            }
"#;

/// Where the filter polls, if it does.
#[derive(Args, Clone, Debug, Default)]
pub struct Polling {
    /// Let the filter fetch newer bundles by this path, from `portcullis serve` or any HTTP store with entity tags
    #[arg(long, value_name = "PATH", conflicts_with_all = ["is_static", "is_text"])]
    pub poll: Option<String>,
    /// The store that is polled
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:18000", requires = "poll")]
    pub poll_from: Option<String>,
    /// Between two fetches: a whole number of `ms`, `s`, `m` or `h`
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "poll")]
    pub poll_interval: Option<String>,
    /// By what the control service knows the gateway; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", requires = "poll")]
    pub labels: Vec<String>,
    /// Put the bundle beside the source, so that the gateway starts without the store
    #[arg(long, requires = "poll")]
    pub with_bundle: bool,
}

impl Polling {
    pub(super) fn is_on(&self) -> bool {
        self.poll.is_some()
    }

    /// The template with the source put in.
    pub(super) fn rendered(
        &self,
        template: Template,
        bundle: &Bundle,
        forced: Option<&str>,
    ) -> Result<Template, RenderError> {
        let path = self.poll.as_deref().unwrap_or_default();
        if !is_sent(path) || !is_path(path) {
            return Err(wrong(
                "--poll",
                path,
                "is not a path of visible ASCII that begins with `/`",
            ));
        }
        let interval = self.poll_interval.as_deref().unwrap_or("30s");
        if INTERVAL.read(interval).is_none() {
            let what = "is no time from `200ms` to `24h`: a whole number of `ms`, `s`, `m` or `h`";
            return Err(wrong("--poll-interval", interval, what));
        }
        let mut settings = json!({
            "source": { "cluster": "policies", "path": path, "interval": interval },
        });
        if self.with_bundle {
            settings["bundle"] = json!(BASE64.encode(bundle.as_bytes()));
        }
        if let Some(until) = forced {
            settings["force_monitor_until"] = json!(until);
        }
        let store = self.poll_from.as_deref().unwrap_or("127.0.0.1:18000");
        Ok(template
            .set(MINIMUM, "")
            .set(LABELS, &self.labels()?)
            .set(STORE, &address("--poll-from", store)?.flow())
            .set(SETTINGS, &format!("value: {}\n", quote(&settings.to_string()))))
    }

    /// The node's `labels`.
    fn labels(&self) -> Result<String, RenderError> {
        let mut labels = Map::new();
        for label in &self.labels {
            let (name, value) = label
                .split_once('=')
                .filter(|(name, _)| !name.is_empty() && !label.contains(char::is_control))
                .ok_or_else(|| {
                    wrong("--label", label, "is not a name and a value, as `env=prod`")
                })?;
            labels.insert(name.to_owned(), json!(value));
        }
        // JSON is YAML's flow style.
        let labels = (!labels.is_empty()).then_some(Value::Object(labels));
        Ok(labels.map_or_else(String::new, |it| format!("      labels: {it}\n")))
    }

    /// What to know before running it.
    pub(super) fn notes(&self) -> Vec<String> {
        let start = if self.with_bundle {
            "the gateway starts from the bundle in the configuration where the store is gone: render again now and then, since \
             what was polled is forgotten when Envoy ends"
        } else {
            "until a bundle is fetched every request is refused with 503: `--with-bundle` lets the gateway start without the store"
        };
        let tls = "the store is reached in the clear: over a network, give the cluster `policies` a `transport_socket` with TLS";
        vec![start.to_owned(), tls.to_owned()]
    }
}

fn wrong(argument: &'static str, value: &str, what: &'static str) -> RenderError {
    RenderError::Argument { argument, value: value.to_owned(), what }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bundle, options, text};
    use super::super::{RenderEnvoy, RenderError, render};
    use super::Polling;

    fn polling() -> Polling {
        Polling {
            poll: Some("/v1/policies/it's/bundle".to_owned()),
            poll_from: Some("control.internal:18443".to_owned()),
            poll_interval: Some("5s".to_owned()),
            labels: vec!["env=prod".to_owned(), "zone=a=b".to_owned()],
            with_bundle: false,
        }
    }

    fn rendered(polling: Polling) -> Result<String, RenderError> {
        let options = RenderEnvoy { polling, minimum_epoch: Some(3), ..options() };
        let rendered = render(&options, bundle(true))?;
        assert_eq!(rendered.files.len(), 1);
        Ok(text(&rendered, "envoy.yaml").to_owned())
    }

    #[test]
    fn a_source_and_its_cluster_stand_in_the_file() {
        let bootstrap = rendered(polling()).unwrap();
        for expected in [
            "address: 'control.internal', port_value: 18443",
            r#"value: '{"source":{"cluster":"policies","interval":"5s","path":"/v1/policies/it''s/bundle"}}'"#,
            r#"labels: {"env":"prod","zone":"a=b"}"#,
            "minimum_epoch: '3'",
            "address: 'bank.internal', port_value: 9443",
        ] {
            assert!(bootstrap.contains(expected), "{expected}\n{bootstrap}");
        }
        assert_eq!(bootstrap.matches("minimum_epoch").count(), 1);
        assert!(!bootstrap.contains("/etc/portcullis") && !bootstrap.contains("UE9SVENMSV"));
        let beside =
            rendered(Polling { with_bundle: true, labels: Vec::new(), ..polling() }).unwrap();
        assert!(
            beside.contains(r#""bundle":"UE9SVENMSV"#) && !beside.contains("labels"),
            "{beside}"
        );
    }

    #[test]
    fn what_the_filter_would_refuse_is_not_rendered() {
        for (polling, argument) in [
            (Polling { poll: Some("bundle".to_owned()), ..polling() }, "--poll"),
            (Polling { poll: Some("/a b".to_owned()), ..polling() }, "--poll"),
            (Polling { poll_interval: Some("199ms".to_owned()), ..polling() }, "--poll-interval"),
            (Polling { poll_interval: Some("1d".to_owned()), ..polling() }, "--poll-interval"),
            (Polling { poll_from: Some("18000".to_owned()), ..polling() }, "--poll-from"),
            (Polling { labels: vec!["env".to_owned()], ..polling() }, "--label"),
        ] {
            let refused = rendered(polling).unwrap_err();
            assert!(
                matches!(refused, RenderError::Argument { argument: of, .. } if of == argument)
            );
        }
    }
}
