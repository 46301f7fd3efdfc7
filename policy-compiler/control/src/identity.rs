//! Who asks: tokens and certificates, and what they may do.
//!
//! In: the credentials file, an `Authorization` field, the names of a client's certificate. Out: an identity with a
//! role. The file holds hashes only; tokens are random, so that a plain hash is enough, and are compared in constant
//! time.

use crate::names;
use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use std::fmt;

/// Entries of the credentials file at most.
const ENTRIES: usize = 10_000;
/// What tokens begin with, so that scanners of secrets know them.
const PREFIX: &str = "portcullis_";
/// The longest token that is looked at.
const LONGEST: usize = 256;

/// What an identity may do; each may do what the one before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Fetch bundles.
    Gateway,
    /// Read status, history and audit log.
    Reader,
    /// Publish, promote, roll out and pin.
    Publisher,
}

impl Role {
    /// Its name in the credentials file.
    pub fn name(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Reader => "reader",
            Role::Publisher => "publisher",
        }
    }

    /// The role of that name.
    ///
    /// # Errors
    /// The names that there are.
    pub fn of_name(name: &str) -> Result<Role, String> {
        [Role::Gateway, Role::Reader, Role::Publisher]
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| "roles are `gateway`, `reader` and `publisher`".to_owned())
    }
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name in the credentials file.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// For which policies; all where empty.
    pub policies: Vec<String>,
}

impl Identity {
    /// Whether they may do what needs a role, on a policy.
    pub fn may(&self, role: Role, policy: Option<&str>) -> bool {
        let covers = |policy: &str| self.policies.iter().any(|it| it == policy);
        self.role >= role && (self.policies.is_empty() || policy.is_some_and(covers))
    }
}

/// How somebody proves who they are.
#[derive(Clone, PartialEq, Eq)]
enum Proof {
    /// A bearer token with this BLAKE3 hash.
    Token(blake3::Hash),
    /// A certificate for this name.
    Name(String),
}

/// The credentials file. `Debug` shows no hash.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(Vec<(Identity, Proof)>);

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credentials({})", self.0.len())
    }
}

impl Credentials {
    /// Reads the file: a line an identity, `NAME ROLE token:HASH|san:NAME [POLICY,POLICY]`; `#` begins a comment.
    ///
    /// # Errors
    /// The first line that is wrong, by its number and without what stands in it.
    pub fn parse(text: &str) -> Result<Credentials, String> {
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let entry = entry(&words).map_err(|what| format!("line {}: {what}", number + 1))?;
            if entries.len() >= ENTRIES {
                return Err(format!("line {}: more than {ENTRIES} entries", number + 1));
            }
            entries.push(entry);
        }
        Ok(Credentials(entries))
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who has this token. Takes the same time whichever entry fits.
    pub fn by_token(&self, token: &str) -> Option<&Identity> {
        let hash = hash(token)?;
        let mut found = None;
        for (identity, proof) in &self.0 {
            // `blake3::Hash` compares in constant time.
            if matches!(proof, Proof::Token(known) if *known == hash) {
                found = Some(identity);
            }
        }
        found
    }

    /// Who has a certificate for one of these names.
    pub fn by_names(&self, names: &[String]) -> Option<&Identity> {
        names.iter().find_map(|name| {
            let known = |proof: &Proof| matches!(proof, Proof::Name(known) if known == name);
            self.0.iter().find(|(_, proof)| known(proof)).map(|(identity, _)| identity)
        })
    }
}

fn entry(words: &[&str]) -> Result<(Identity, Proof), String> {
    let (name, role, proof, policies) = match words {
        [name, role, proof] => (name, role, proof, ""),
        [name, role, proof, policies] => (name, role, proof, *policies),
        _ => return Err("not `NAME ROLE token:HASH|san:NAME [POLICIES]`".to_owned()),
    };
    let named = words.len() > 3;
    let policies: Result<Vec<String>, String> =
        policies.split(',').filter(|it| !it.is_empty()).map(names::name).collect();
    // A list that names none, of a template perhaps, must not be read as all.
    if named && policies.as_ref().is_ok_and(Vec::is_empty) {
        return Err("a list of policies names none".to_owned());
    }
    let proof = match proof.split_once(':') {
        Some(("token", hex)) => {
            let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
            let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
            Proof::Token(blake3::Hash::from(
                bytes.ok_or("a token's hash has 64 hexadecimal digits")?,
            ))
        }
        Some(("san", name)) if !name.is_empty() => Proof::Name(name.to_owned()),
        _ => return Err("a proof begins with `token:` or `san:`".to_owned()),
    };
    let identity =
        Identity { name: names::name(name)?, role: Role::of_name(role)?, policies: policies? };
    Ok((identity, proof))
}

fn hash(token: &str) -> Option<blake3::Hash> {
    let known = token.starts_with(PREFIX) && token.len() <= LONGEST;
    known.then(|| blake3::hash(token.as_bytes()))
}

/// A new token of 256 random bits, and the hash that the credentials file holds of it.
///
/// # Errors
/// A system without randomness.
pub fn new_token() -> Result<(String, String), getrandom::Error> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let token = format!("{PREFIX}{}", BASE32_NOPAD.encode(&random).to_ascii_lowercase());
    let hash = blake3::hash(token.as_bytes()).to_hex().to_string();
    Ok((token, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_names_tell_who_asks() {
        let (token, hash) = new_token().unwrap();
        let text = format!(
            "# who may what\nci publisher token:{hash} bank,shop\n\nfleet gateway san:spiffe://bank/gw # mTLS\n"
        );
        let credentials = Credentials::parse(&text).unwrap();
        let ci = credentials.by_token(&token).unwrap();
        assert_eq!((&*ci.name, ci.role), ("ci", Role::Publisher));
        assert!(ci.may(Role::Publisher, Some("bank")) && ci.may(Role::Reader, Some("shop")));
        assert!(!ci.may(Role::Publisher, Some("other")) && !ci.may(Role::Reader, None));
        let fleet = credentials.by_names(&["x".to_owned(), "spiffe://bank/gw".to_owned()]);
        assert_eq!(fleet.unwrap().name, "fleet");
        assert!(!fleet.unwrap().may(Role::Reader, Some("bank")));
        assert!(fleet.unwrap().may(Role::Gateway, Some("bank")));
        for wrong in ["", &token[..20], &format!("{token}x"), &hash, &"portcullis_a".repeat(100)] {
            assert_eq!(credentials.by_token(wrong), None);
        }
        assert!(!format!("{credentials:?}").contains(&hash));
    }

    #[test]
    fn lines_that_are_wrong_are_told_by_number() {
        let hash = "ab".repeat(32);
        for (wrong, expected) in [
            ("a publisher", "line 1: not"),
            ("\na admin san:x", "line 2: roles"),
            ("a reader token:12", "line 1: a token's hash"),
            ("a reader password:12", "line 1: a proof"),
            ("a/b reader san:x", "line 1: not a name"),
            (&format!("a reader token:{hash} b,c d"), "line 1: not"),
            (&format!("a reader token:{hash} ,"), "line 1: a list of policies names none"),
        ] {
            let error = Credentials::parse(wrong).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
