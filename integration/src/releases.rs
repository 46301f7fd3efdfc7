//! A policy released again and again: compiled and signed for each epoch, by one of two keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use portcullis_bundle::layout::{SIGNATURE_LEN, SectionId};
use portcullis_bundle::{Bundle, OpenError, Trust, sign};

use crate::artefacts::Artefacts;
use crate::envoy::fresh_dir;
use crate::error::Error;
use crate::http1::Request;

/// For whom the releases are meant.
pub const AUDIENCE: &str = "gate";

const POLICY: &str = "version: 1\nname: released\naudience: gate\nmode: enforce\napis: [ { name: a, documents: [api.yaml] } ]\n";

/// A limit: what stands last in a bundle is of it.
const LIMIT: &str = "callers: { peer: { by: [address] } }\nrate_limits: { all: { caller: peer, rates: [ { requests: 9, per: second } ] } }\n";

/// A policy with two keys.
#[derive(Debug)]
pub struct Releases {
    compiler: PathBuf,
    dir: PathBuf,
    /// The public keys in hexadecimal: the usual one, and its successor.
    pub keys: [String; 2],
}

impl Releases {
    /// Writes the policy with so many resources beside those that are asked for, and makes the keys.
    pub fn new(artefacts: &Artefacts, resources: usize) -> Result<Self, Error> {
        let dir = fresh_dir()?;
        let write = |name: &str, text: &str| {
            fs::write(dir.join(name), text).map_err(Error::io(format!("write {name}")))
        };
        write("policy.yaml", POLICY)?;
        write("api.yaml", &document(resources))?;
        let mut releases = Self { compiler: artefacts.compiler.clone(), dir, keys: <_>::default() };
        for at in [0, 1] {
            let said = releases.run(&["keygen", "-o", &format!("{at}.key")])?;
            let key = said.lines().find_map(|line| line.strip_prefix("public key:"));
            releases.keys[at] = key.unwrap_or_default().trim().to_owned();
        }
        Ok(releases)
    }

    /// A release of that epoch.
    pub fn release(&self, epoch: u64) -> Result<Vec<u8>, Error> {
        self.release_with(epoch, &[])
    }

    /// A release of that epoch, with further arguments of `portcullis compile`.
    pub fn release_with(&self, epoch: u64, more: &[&str]) -> Result<Vec<u8>, Error> {
        self.signed(epoch, 0, more)
    }

    /// The same, signed by one of the keys.
    pub fn signed(&self, epoch: u64, key: usize, more: &[&str]) -> Result<Vec<u8>, Error> {
        let (epoch, key) = (epoch.to_string(), format!("{key}.key"));
        let mut arguments = vec!["compile", "-p", "policy.yaml", "-o", "out.bundle"];
        arguments.extend(["-e", &epoch, "-k", &key]);
        arguments.extend(more);
        self.run(&arguments)?;
        fs::read(self.dir.join("out.bundle")).map_err(Error::io("read the bundle"))
    }

    /// Another policy under an epoch: one that monitors.
    pub fn other(&self, epoch: u64) -> Result<Vec<u8>, Error> {
        self.of(epoch, &POLICY.replace("enforce", "monitor"))
    }

    /// Other content under an epoch, with the same answers: the API has another name.
    pub fn twin(&self, epoch: u64) -> Result<Vec<u8>, Error> {
        self.of(epoch, &POLICY.replace("name: a,", "name: b,"))
    }

    /// A release whose hash and signature are right and whose records hold, but for the one that is verified last. The
    /// compiler makes and signs none.
    pub fn unsound(&self, epoch: u64) -> Result<Vec<u8>, Error> {
        const LAST: SectionId = SectionId::LimitTables;
        let wrong = |what: &str| Error::Case(format!("make an unsound bundle: {what}"));
        let mut bundle = self.of(epoch, &[POLICY, LIMIT].concat())?;
        spoil(&mut bundle, LAST).ok_or_else(|| wrong("no such section"))?;
        let key = fs::read_to_string(self.dir.join("0.key")).map_err(Error::io("read the key"))?;
        let seed = HEXLOWER.decode(key.trim().as_bytes()).ok().and_then(|it| it.try_into().ok());
        sign(&mut bundle, &seed.ok_or_else(|| wrong("no key"))?)
            .map_err(|error| wrong(&error.to_string()))?;
        let public =
            HEXLOWER.decode(self.keys[0].as_bytes()).ok().and_then(|it| it.try_into().ok());
        let trust = Trust { keys: public.into_iter().collect(), allow_unsigned: false };
        match Bundle::open(bundle.clone(), &trust) {
            Err(OpenError::Record { section, .. }) if section == LAST.name() => Ok(bundle),
            other => Err(wrong(&format!("{:?}", other.err()))),
        }
    }

    fn of(&self, epoch: u64, text: &str) -> Result<Vec<u8>, Error> {
        fs::write(self.dir.join("other.yaml"), text).map_err(Error::io("write other.yaml"))?;
        self.release_with(epoch, &["-p", "other.yaml"])
    }

    /// Where the policy and the last bundle lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs the compiler there.
    pub fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        // The last `-p` counts, as users expect of a command line.
        let first = arguments.iter().position(|it| *it == "-p");
        let last = arguments.iter().rposition(|it| *it == "-p");
        let mut arguments = arguments.to_vec();
        if let (Some(first), Some(last)) = (first, last)
            && first != last
        {
            arguments.drain(first..first + 2);
        }
        let output = Command::new(&self.compiler)
            .current_dir(&self.dir)
            .args(&arguments)
            .output()
            .map_err(Error::io(self.compiler.display().to_string()))?;
        if !output.status.success() {
            return Err(Error::Case(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Overwrites a section, and makes the content hash fit. FORMAT.md: the header says its length in two bytes at 10 and the number
/// of sections at 12, and ends with the hash; the section table follows.
fn spoil(bundle: &mut [u8], section: SectionId) -> Option<()> {
    let number = |bytes: &[u8], at: usize| -> Option<usize> {
        Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?) as usize)
    };
    let header = number(bundle, 8)? >> 16;
    let (table, count) = (bundle.get(header..)?, number(bundle, 12)?);
    let mut entries = table.chunks(16).take(count);
    let entry = entries.find(|it| it.starts_with(&(section as u16).to_le_bytes()))?;
    let (start, len) = (number(entry, 8)?, number(entry, 12)?);
    bundle.get_mut(start..start.checked_add(len)?)?.fill(0xFF);
    let end = bundle.len().checked_sub(SIGNATURE_LEN)?;
    let hash = blake3::hash(bundle.get(header..end)?);
    bundle.get_mut(header.checked_sub(32)?..header)?.copy_from_slice(hash.as_bytes());
    Some(())
}

/// Requests that the policy lets pass and refuses, with the status of each.
pub fn requests() -> Vec<(Request, u16)> {
    vec![
        (Request::get("/users/42"), 200),
        (Request::post_json("/users/42", "{\"n\":12345}"), 200),
        (Request::get("/users/abc"), 400),
        (Request::post_json("/users/42", "{\"n\":\"x\"}"), 400),
        (Request::get("/nowhere"), 404),
    ]
}

/// The policy's document, with so many resources beside those that are asked for.
pub fn document(resources: usize) -> String {
    let mut text = String::from(
        "openapi: 3.1.0\ninfo: { title: released, version: '1' }\npaths:\n  /users/{id}:\n    \
         parameters: [ { name: id, in: path, required: true, schema: { type: integer } } ]\n    \
         get: { responses: { '200': { description: ok } } }\n    post:\n      requestBody:\n        \
         required: true\n        content:\n          application/json:\n            \
         schema: { type: object, additionalProperties: false, properties: { n: { type: integer } } }\n      \
         responses: { '200': { description: ok } }\n",
    );
    for resource in 0..resources {
        let values: Vec<String> =
            (0..24).map(|value| format!("state-{resource}-{value}-of-this-resource")).collect();
        text.push_str(&format!(
            "  /resources-{resource}/{{id}}:\n    get:\n      operationId: read{resource}\n      \
             parameters:\n        - {{ name: id, in: path, required: true, schema: {{ type: integer }} }}\n        \
             - {{ name: state{resource}, in: query, schema: {{ type: string, enum: [{}] }} }}\n      \
             responses: {{ '200': {{ description: ok }} }}\n",
            values.join(", ")
        ));
    }
    text
}
