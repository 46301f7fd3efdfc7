//! Certificates of a test: an authority of its own, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
};
use serde_json::{Value, json};

/// An authority. Its keys live as long as the test.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate and its key, in PEM, for a URI and an address.
    pub fn issue(&self, uri: &str, address: std::net::IpAddr) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = named(uri);
        let uri = SanType::URI(uri.to_owned().try_into().unwrap());
        // The name that the shipped configuration holds the control service to.
        let name = SanType::DnsName("control.bank.example".try_into().unwrap());
        params.subject_alt_names = vec![uri, SanType::IpAddress(address), name];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// The transport socket of one who presents a certificate for a name, and takes those of the authority:
    /// `direction` is `Downstream` or `Upstream`.
    pub fn tls(&self, direction: &str, name: &str) -> Value {
        let key = KeyPair::generate().unwrap();
        let mut params = named(name);
        let uri = format!("spiffe://bank.example/{name}");
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        json!({
            "name": "tls",
            "typed_config": {
                "@type": format!("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{direction}TlsContext"),
                "common_tls_context": {
                    "tls_certificates": [{
                        "certificate_chain": { "inline_string": certificate },
                        "private_key": { "inline_string": key.serialize_pem() },
                    }],
                    "validation_context": { "trusted_ca": { "inline_string": self.pem } },
                },
            },
        })
    }
}

/// What a certificate says of its subject.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
