//! Talks to the service: one request at a time, each bounded in time and size, tried again where that may help.

mod upload;

use crate::tls::{self, TlsError};
use clap::Args;
use serde_json::Value;
use std::cell::Cell;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use upload::Upload;
use ureq::http::{Method, Request, Response, StatusCode, Uri};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, SendBody};

/// How long a request may take in all, and a connection to be made.
const WITHIN: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer that is read: a bundle, or the status of a large fleet.
const LONGEST: u64 = 16 << 20;
/// How often a request is tried.
const TRIES: u32 = 5;

/// The environment's name of where the service is.
pub const SERVICE: &str = "PORTCULLIS_CONTROL";

/// Where the service is, and who asks.
#[derive(Args, Clone, Debug)]
pub struct Remote {
    /// Where the control service is
    #[arg(long = "to", value_name = "URL", env = SERVICE)]
    to: Option<String>,
    #[command(flatten)]
    proof: Proof,
}

/// How a client proves who it is, and to whom it talks.
#[derive(Args, Clone, Debug, Default)]
pub struct Proof {
    /// The file of a bearer token; else the environment's PORTCULLIS_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Authorities that the server is held to, in PEM, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A client certificate, in PEM, instead of a token
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key: Option<PathBuf>,
}

/// Why a command cannot do what it was asked.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The service refuses.
    #[error("{status}: {detail}")]
    Refused {
        /// The status.
        status: u16,
        /// What the service says.
        detail: String,
    },
    /// The service cannot be reached, or breaks off.
    #[error("{url}: {what}")]
    Away {
        /// Whom was asked.
        url: String,
        /// What happened.
        what: String,
    },
    /// Certificates or keys.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Nothing says where the service is.
    #[error("where is the control service? Give `{0} URL`, or set `{SERVICE}` in the environment")]
    Nowhere(&'static str),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// Reads a file of a command.
///
/// # Errors
/// What the system says.
pub fn read(path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|source| ClientError::File { path: path.to_owned(), source })
}

/// A client of one server.
pub struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
    /// Whether the last request was sent more than once.
    retried: Cell<bool>,
}

/// An answer: its status, its fields and its body.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The entity tag.
    pub etag: Option<String>,
    /// Seconds to wait before asking again.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    fn of(mut response: Response<Body>) -> Result<Answer, ureq::Error> {
        let field = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let etag = field("etag");
        let retry_after = field("retry-after").and_then(|text| text.parse().ok());
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LONGEST).read_to_vec()?;
        Ok(Answer { status, etag, retry_after, body })
    }

    /// The answer as an error, in the words of its problem.
    pub fn refused(&self) -> ClientError {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let told = problem["detail"].as_str().map(str::to_owned);
        let detail = told.unwrap_or_else(|| {
            let status = StatusCode::from_u16(self.status).ok();
            status.and_then(|it| it.canonical_reason()).unwrap_or("refused").to_owned()
        });
        ClientError::Refused { status: self.status, detail }
    }
}

impl Remote {
    /// A client of the service.
    ///
    /// # Errors
    /// Files that cannot be read, an address that is none.
    pub fn client(&self) -> Result<Client, ClientError> {
        let to = self.to.as_deref().ok_or(ClientError::Nowhere("--to"))?;
        self.proof.client(to, WITHIN)
    }
}

impl Proof {
    /// A client of a server, whose answers may take so long.
    ///
    /// # Errors
    /// Files that cannot be read, an address that is none.
    pub fn client(&self, base: &str, within: Duration) -> Result<Client, ClientError> {
        if !base.starts_with("http://") && !base.starts_with("https://") {
            let told = format!("`{base}` does not begin with `http://` or `https://`");
            return Err(ClientError::Other(told));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(within))
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
            .tls_config(self.tls(base)?)
            .build()
            .into();
        let (base, token) = (base.trim_end_matches('/').to_owned(), self.token()?);
        if token.is_some() && in_the_clear(&base) {
            eprintln!(
                "warning: the token goes to `{base}` without TLS: whoever stands between may use it"
            );
        }
        Ok(Client { agent, base, token, retried: Cell::new(false) })
    }

    fn token(&self) -> Result<Option<String>, ClientError> {
        let token = match &self.token_file {
            Some(path) => Some(String::from_utf8_lossy(&read(path)?).trim().to_owned()),
            None => std::env::var("PORTCULLIS_TOKEN").ok(),
        };
        Ok(token.filter(|token| !token.is_empty()))
    }

    fn tls(&self, base: &str) -> Result<TlsConfig, TlsError> {
        let mut builder = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(tls::provider());
        if base.starts_with("https://") {
            let authorities = match &self.ca {
                Some(path) => tls::certificates(path)?,
                None => rustls_native_certs::load_native_certs().certs,
            };
            let authorities = authorities.iter().map(|it| Certificate::from_der(it).to_owned());
            builder = builder.root_certs(RootCerts::from(authorities));
        }
        if let (Some(certificate), Some(key)) = (&self.client_certificate, &self.client_key) {
            let chain: Vec<Certificate<'static>> = tls::certificates(certificate)?
                .iter()
                .map(|it| Certificate::from_der(it).to_owned())
                .collect();
            let failed =
                |error: ureq::Error| TlsError::File { path: key.clone(), what: error.to_string() };
            let pem = std::fs::read(key).map_err(|error| failed(error.into()))?;
            let key = PrivateKey::from_pem(&pem).map_err(failed)?;
            builder = builder.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(builder.build())
    }
}

/// Whether what is sent to a server leaves this machine as it is.
fn in_the_clear(base: &str) -> bool {
    let authority = base.parse::<Uri>().ok();
    let host = authority.as_ref().and_then(Uri::host).unwrap_or_default();
    let local = host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|it: IpAddr| it.is_loopback());
    base.starts_with("http://") && !local
}

impl Client {
    /// Reads JSON.
    ///
    /// # Errors
    /// A refusal, or a service that is away.
    pub fn get(&self, path: &str) -> Result<Value, ClientError> {
        json(&self.tried(Method::GET, path, &[], None)?)
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// A refusal, or a service that is away.
    pub fn get_bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        Ok(self.tried(Method::GET, path, &[], None)?.body)
    }

    /// Asks once, whatever the answer.
    ///
    /// # Errors
    /// A server that is away.
    pub fn get_once(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer, ClientError> {
        self.once(Method::GET, path, fields, None)
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// A refusal, or a service that is away.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        let fields = [("content-type", "application/json")];
        json(&self.tried(Method::PUT, path, &fields, Some(body.to_string().as_bytes()))?)
    }

    /// Deletes.
    ///
    /// # Errors
    /// A refusal, or a service that is away.
    pub fn delete(&self, path: &str) -> Result<Value, ClientError> {
        // Where the first try's answer was lost, it did what was asked, and the second finds nothing to do.
        match self.tried(Method::DELETE, path, &[], None) {
            Err(ClientError::Refused { status: 404, detail }) if self.retried.get() => {
                eprintln!("{detail}: an earlier try did it");
                Ok(Value::Null)
            }
            answer => json(&answer?),
        }
    }

    /// Publishes a bundle, telling how far it is. The same bundle again changes nothing, so that it is tried
    /// again whatever broke.
    ///
    /// # Errors
    /// A refusal, or a service that is away.
    pub fn publish(&self, path: &str, bundle: &[u8]) -> Result<Value, ClientError> {
        let fields = [("content-type", "application/vnd.portcullis.bundle")];
        json(&self.tried(Method::POST, path, &fields, Some(bundle))?)
    }

    /// Asks until there is an answer that stays, or tries are used up.
    fn tried(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ClientError> {
        self.retried.set(false);
        let mut waits = Duration::from_millis(250);
        for tries_left in (0..TRIES).rev() {
            let asked = self.once(method.clone(), path, fields, body);
            let (error, wait) = match asked {
                Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
                Ok(answer) if matches!(answer.status, 408 | 429 | 500 | 502 | 503 | 504) => {
                    let wait = answer.retry_after.map(|it| Duration::from_secs(it.min(30)));
                    (answer.refused(), wait)
                }
                Ok(answer) => return Err(answer.refused()),
                Err(error) => (error, None),
            };
            if tries_left == 0 {
                return Err(error);
            }
            let wait = wait.unwrap_or(waits);
            self.retried.set(true);
            eprintln!("{error}; again in {} ms", wait.as_millis());
            std::thread::sleep(wait);
            waits *= 2;
        }
        Err(ClientError::Other("never tried".to_owned()))
    }

    fn once(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ClientError> {
        let url = format!("{}{path}", self.base);
        let away = |what: String| ClientError::Away { url: url.clone(), what };
        let mut request = Request::builder().method(method).uri(&url);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answered = match body {
            Some(body) => {
                let request = request.header("content-length", body.len().to_string());
                let mut upload = Upload::new(body);
                let request = request.body(SendBody::from_reader(&mut upload));
                self.agent.run(request.map_err(|error| away(error.to_string()))?)
            }
            None => {
                let request = request.body(());
                self.agent.run(request.map_err(|error| away(error.to_string()))?)
            }
        };
        answered.and_then(Answer::of).map_err(|error| away(error.to_string()))
    }
}

fn json(answer: &Answer) -> Result<Value, ClientError> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| ClientError::Other(format!("the answer is not JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_leave_the_machine_without_tls_are_told_of() {
        for clear in ["http://control:18000", "http://192.0.2.7", "http://127.0.0.1.example:1/x"] {
            assert!(in_the_clear(clear), "{clear}");
        }
        for safe in
            ["https://control", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"]
        {
            assert!(!in_the_clear(safe), "{safe}");
        }
    }
}
