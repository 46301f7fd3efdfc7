//! Arguments that each make sense, and together a gateway that could serve nothing.

use super::{RenderEnvoy, RenderError, SocketAddress, address};
use portcullis_bundle::Bundle;
use std::net::IpAddr;

/// Refuses what Envoy would load, and then answer no request by.
pub(super) fn check(options: &RenderEnvoy, bundle: &Bundle) -> Result<(), RenderError> {
    let listen = address("--listen", &options.listen)?;
    if leads_to(&address("--upstream", &options.upstream)?, &listen) {
        return Err(RenderError::Argument {
            argument: "--upstream",
            value: options.upstream.clone(),
            what: "is where Envoy itself listens, so that each request would come back to it without end; name the \
                   application, or another `--listen`",
        });
    }
    // One that only polls starts without the bundle.
    let starts_from_it = !options.polling.is_on() || options.polling.with_bundle;
    if starts_from_it { minimum_epoch(options.minimum_epoch, bundle) } else { Ok(()) }
}

/// Refuses a least epoch that the bundle has not reached.
pub(in crate::cli) fn minimum_epoch(
    minimum: Option<u64>,
    bundle: &Bundle,
) -> Result<(), RenderError> {
    match minimum {
        Some(minimum) if minimum > bundle.header().epoch.get() => Err(RenderError::Argument {
            argument: "--minimum-epoch",
            value: minimum.to_string(),
            what: "is above the bundle's epoch: the gateway would refuse the bundle, and every request",
        }),
        _ => Ok(()),
    }
}

/// Whether an address is one that Envoy listens on, as far as its text tells.
fn leads_to(upstream: &SocketAddress<'_>, listen: &SocketAddress<'_>) -> bool {
    let ip = |it: &SocketAddress<'_>| match it.host {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        host => host.parse().ok(),
    };
    let (Some(to), Some(on)) = (ip(upstream), ip(listen)) else { return false };
    // Port 0 is any that is free.
    let here = to == on || (on.is_unspecified() && (to.is_loopback() || to.is_unspecified()));
    upstream.port == listen.port && upstream.port != 0 && here
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bundle, options};
    use super::super::{RenderEnvoy, render};

    fn said(options: &RenderEnvoy) -> Option<String> {
        render(options, bundle(true)).err().map(|it| it.to_string())
    }

    #[test]
    fn a_gateway_that_would_ask_itself_is_not_rendered() {
        let to = |upstream: &str, listen: &str| {
            let (upstream, listen) = (upstream.to_owned(), listen.to_owned());
            said(&RenderEnvoy { upstream, listen, ..options() })
        };
        for (upstream, listen) in [
            ("127.0.0.1:8080", "0.0.0.0:8080"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("[::1]:8080", "[::]:8080"),
            ("10.0.0.1:8080", "10.0.0.1:8080"),
        ] {
            let said = to(upstream, listen).unwrap();
            assert!(said.starts_with(&format!("`--upstream {upstream}`")), "{said}");
        }
        for (upstream, listen) in [
            ("127.0.0.1:9000", "0.0.0.0:8080"),
            ("10.0.0.2:8080", "0.0.0.0:8080"),
            ("bank.internal:8080", "0.0.0.0:8080"),
            ("127.0.0.1:8080", "10.0.0.1:8080"),
        ] {
            assert_eq!(to(upstream, listen), None, "{upstream} {listen}");
        }
    }

    #[test]
    fn a_least_epoch_that_the_bundle_has_not_reached_is_refused() {
        let mut high = RenderEnvoy { minimum_epoch: Some(4), ..options() };
        assert!(said(&high).unwrap().starts_with("`--minimum-epoch 4`"));
        high.polling.poll = Some("/bundle".to_owned());
        high.polling.poll_from = Some("127.0.0.1:18000".to_owned());
        high.polling.poll_interval = Some("30s".to_owned());
        assert_eq!(said(&high), None, "the one that is polled may have it");
        high.polling.with_bundle = true;
        assert!(said(&high).is_some());
    }
}
