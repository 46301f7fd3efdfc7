//! `portcullis serve`: its flags.

use super::{StartError, listen};
use crate::command::public_key;
use crate::identity::Credentials;
use crate::names;
use crate::service::Settings;
use crate::store::Place;
use crate::tls;
use clap::Args;
use portcullis_bundle::Trust;
use portcullis_ecds::Filter;
use std::path::PathBuf;
use std::time::Duration;

/// The service, and whom it trusts.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Where to listen, for HTTP and for xDS
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:18000",
        env = "PORTCULLIS_LISTEN"
    )]
    pub listen: String,
    /// Where to listen for monitors, without TLS: `/metrics` is served here alone then, `/healthz` and `/readyz` here too
    #[arg(long, value_name = "HOST:PORT", env = "PORTCULLIS_METRICS_LISTEN")]
    pub metrics_listen: Option<String>,
    /// The SQLite file that holds everything; made where there is none
    #[arg(long, value_name = "FILE", default_value = "portcullis.db", env = "PORTCULLIS_DATABASE")]
    database: PathBuf,
    /// A PostgreSQL server instead, for several replicas; the connection string may hold a password: prefer the
    /// environment to the command line
    #[arg(long, value_name = "URL", env = "PORTCULLIS_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
    /// Authorities that PostgreSQL's certificate is held to, in PEM, instead of the system's
    #[arg(long, value_name = "FILE", requires = "postgres")]
    postgres_ca: Option<PathBuf>,
    /// A public key whose bundles are taken, in hexadecimal; may be repeated
    #[arg(long = "trusted-key", value_name = "HEX", value_parser = public_key, required_unless_present = "allow_unsigned")]
    trusted_keys: Vec<[u8; 32]>,
    /// Take bundles without a signature too: for development
    #[arg(long)]
    allow_unsigned: bool,
    /// Who may publish and read: a line an identity, `NAME ROLE token:HASH|san:NAME [POLICIES]`; read again when it
    /// changes
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_CREDENTIALS")]
    credentials: Option<PathBuf>,
    /// Gateways need an identity too
    #[arg(long, requires = "credentials")]
    identify_gateways: bool,
    /// The certificate to serve TLS with, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", requires = "private_key")]
    pub certificate: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    private_key: Option<PathBuf>,
    /// Authorities of client certificates, in PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    client_ca: Option<PathBuf>,
    /// Serve tokens without TLS to others than this machine: something in front of the service must speak it
    #[arg(long)]
    plain: bool,
    /// The wasm filter, as Envoy is going to find it: for xDS
    #[arg(long, value_name = "PATH", default_value = "/etc/portcullis/portcullis_filter.wasm")]
    wasm: String,
    /// A filter that xDS serves, and the policy that it gets; without one the gateway's label `policy` says which, and
    /// without that it is the one that was published first; may be repeated
    #[arg(long = "filter", value_name = "NAME[=POLICY]", default_value = "portcullis", value_parser = filter)]
    filters: Vec<(String, Option<String>)>,
    /// After so long without a word a gateway counts as silent
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    silent_after: u64,
    /// After so long without a word a gateway is forgotten
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    forget_after: u64,
    /// Look for what other replicas have published so often
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 250, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    refresh: u64,
    /// Connections at once, at most
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub connections: usize,
    /// What this replica is called in reports, instead of its host's name
    #[arg(long, value_name = "NAME", value_parser = names::name)]
    replica: Option<String>,
    /// Write the address that is listened on to this file, once it is; in a second line that for monitors
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
}

impl Serve {
    /// Where the service's memory is.
    pub(super) fn place(&self) -> Result<Place, StartError> {
        Ok(match &self.postgres {
            None => Place::Sqlite(self.database.clone()),
            Some(url) => {
                Place::Postgres { url: url.clone(), authorities: self.postgres_ca.clone() }
            }
        })
    }

    pub(super) fn refresh(&self) -> Duration {
        Duration::from_millis(self.refresh)
    }

    pub(super) fn settings(&self) -> Result<Settings, StartError> {
        let filters = self.filters.iter().map(|(name, policy)| {
            (Filter { name: name.clone(), wasm: self.wasm.clone() }, policy.clone())
        });
        Ok(Settings {
            trust: Trust { keys: self.trusted_keys.clone(), allow_unsigned: self.allow_unsigned },
            filters: filters.collect(),
            gateways_identified: self.identify_gateways,
            credentials: self.credentials.clone(),
            silent_after: Duration::from_secs(self.silent_after.min(366 * 86_400)),
            forget_after: Duration::from_secs(self.forget_after.clamp(60, 366 * 86_400)),
            replica: self.replica.clone().unwrap_or_else(host_name),
        })
    }

    pub(super) fn read_credentials(&self) -> Result<Credentials, StartError> {
        let Some(path) = &self.credentials else { return Ok(Credentials::default()) };
        let failed = |what: String| StartError(format!("`{}`: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Credentials::parse(&text).map_err(failed)
    }

    pub(super) fn tls(&self) -> Result<Option<listen::Tls>, StartError> {
        let (Some(certificate), Some(key)) = (self.certificate.clone(), self.private_key.clone())
        else {
            return Ok(None);
        };
        let authorities = self.client_ca.clone();
        let mut files = vec![certificate.clone(), key.clone()];
        files.extend(authorities.clone());
        let read = move || {
            tls::server(&certificate, &key, authorities.as_deref())
                .map_err(|error| error.to_string())
        };
        listen::Tls::new(files, read).map(Some).map_err(StartError)
    }

    /// Refuses what would send tokens over a network as they are.
    pub(super) fn check(&self) -> Result<(), StartError> {
        let host = self.listen.rsplit_once(':').map_or("", |(host, _)| host);
        let local = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|it: std::net::IpAddr| it.is_loopback());
        if self.certificate.is_none() && !local && !self.plain && self.credentials.is_some() {
            return Err(StartError(
                "tokens would travel without TLS: give `--certificate` and `--private-key`, or say `--plain` where \
                 something in front speaks TLS"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

/// What this machine or container is called; shells and systemd do not export it.
fn host_name() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    names::name(told.trim()).unwrap_or_else(|_| "portcullis".to_owned())
}

fn filter(text: &str) -> Result<(String, Option<String>), String> {
    let (name, policy) = match text.split_once('=') {
        Some((name, policy)) => (name, Some(names::name(policy)?)),
        None => (text, None),
    };
    Ok((names::name(name)?, policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_called_as_its_host() {
        let told = std::process::Command::new("uname").arg("-n").output().unwrap().stdout;
        let told = String::from_utf8(told).unwrap();
        let expected = names::name(told.trim()).unwrap_or_else(|_| "portcullis".to_owned());
        assert_eq!(host_name(), expected);
    }
}
