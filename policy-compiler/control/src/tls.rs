//! TLS by rustls and ring: certificates from PEM files, authorities from a file or the system.

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// What is wrong with certificates or keys.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of that kind.
    #[error("`{}`: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// rustls does not take what was read.
    #[error("{0}")]
    Refused(String),
}

/// The certificates of a PEM file.
///
/// # Errors
/// A file that cannot be read or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |what: String| TlsError::File { path: path.to_owned(), what };
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?.collect();
    let found = found.map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("holds no certificate".to_owned())) } else { Ok(found) }
}

/// The first private key of a PEM file.
///
/// # Errors
/// A file that cannot be read or holds none.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| TlsError::File { path: path.to_owned(), what: error.to_string() })
}

/// How a server proves who it is, and whom it lets prove the same.
///
/// # Errors
/// Files that cannot be read, a key that does not fit.
pub fn server(
    certificate: &Path,
    key: &Path,
    client_authorities: Option<&Path>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?;
    let builder = match client_authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(roots(Some(path))?);
            // Who has a token needs no certificate: what is asked of whom is decided by request.
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                .allow_unauthenticated()
                .build()
                .map_err(|error| TlsError::Refused(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(certificates(certificate)?, private_key(key)?).map_err(refused)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if client_authorities.is_some() {
        // A session that is resumed brings its certificate along, and nobody looks again whether that has expired.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// How a client holds a server to authorities, and proves who it is.
///
/// # Errors
/// Files that cannot be read, a system without authorities.
pub fn client(
    authorities: Option<&Path>,
    identity: Option<(&Path, &Path)>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(roots(authorities)?);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(refused),
    }
}

/// The names of a certificate's subject: URIs first, then DNS names (RFC 5280, section 4.2.1.6).
pub fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    let uris = certificate.valid_uri_names().map(str::to_owned);
    uris.chain(certificate.valid_dns_names().map(str::to_owned)).take(32).collect()
}

/// The cryptography of every connection.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The authorities of a file, or the system's. A system without any is no error: plain connections need none.
fn roots(path: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match path {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(refused)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

fn refused(error: rustls::Error) -> TlsError {
    TlsError::Refused(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Folder;
    use rustls::{ClientConnection, HandshakeKind, ServerConnection};

    /// A handshake, and all that the server says after it.
    fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> HandshakeKind {
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        while client.wants_write() || server.wants_write() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            server.read_tls(&mut &bytes[..]).unwrap();
            server.process_new_packets().unwrap();
            bytes.clear();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            client.read_tls(&mut &bytes[..]).unwrap();
            client.process_new_packets().unwrap();
        }
        server.handshake_kind().unwrap()
    }

    #[test]
    fn client_certificates_are_looked_at_at_each_connection() {
        let folder = Folder::new("tls");
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        for (authorities, second) in
            [(None, HandshakeKind::Resumed), (Some(&*certificate), HandshakeKind::Full)]
        {
            let server = Arc::new(server(&certificate, &key, authorities).unwrap());
            assert_eq!(server.session_storage.can_cache(), authorities.is_none());
            let identity = authorities.map(|_| (&*certificate, &*key));
            let client = Arc::new(client(Some(&certificate), identity).unwrap());
            assert_eq!(handshake(&client, &server), HandshakeKind::Full);
            assert_eq!(handshake(&client, &server), second);
        }
    }
}
