//! Filter configuration by file (ECDS): written beside and renamed over, as Envoy wants it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::bootstrap::Filter;
use crate::envoy::fresh_dir;
use crate::error::Error;

/// A watched directory with the configuration of the filter `portcullis`.
#[derive(Debug)]
pub struct FilterDiscovery {
    dir: PathBuf,
    version: u64,
}

impl FilterDiscovery {
    /// A new directory with a first configuration.
    pub fn new(filter: &Filter) -> Result<Self, Error> {
        let mut discovery = Self { dir: fresh_dir()?, version: 0 };
        discovery.publish(filter)?;
        Ok(discovery)
    }

    /// An empty directory: Envoy does not start on it unless a file is written first.
    pub fn empty() -> Result<Self, Error> {
        Ok(Self { dir: fresh_dir()?, version: 0 })
    }

    /// The watched directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Replaces the configuration.
    pub fn publish(&mut self, filter: &Filter) -> Result<(), Error> {
        self.publish_typed(&filter.typed_config())
    }

    /// Replaces the configuration by any `typed_config`.
    pub fn publish_typed(&mut self, typed_config: &Value) -> Result<(), Error> {
        self.version += 1;
        let resource = json!({
            "version_info": self.version.to_string(),
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": "portcullis",
                "typed_config": typed_config,
            }],
        });
        self.publish_text(&resource.to_string())
    }

    /// Replaces the file in binary, which [`crate::Bootstrap::filter_from_binary`] watches.
    pub fn publish_binary(&self, bytes: &[u8]) -> Result<(), Error> {
        let beside = self.dir.with_extension("new");
        fs::write(&beside, bytes).map_err(Error::io("write the filter's configuration"))?;
        fs::rename(&beside, self.dir.join("portcullis.pb"))
            .map_err(Error::io("rename the filter's configuration"))
    }

    /// Replaces the file by any text, valid or not.
    pub fn publish_text(&self, text: &str) -> Result<(), Error> {
        // Beside the watched directory, so that making it is no event in it.
        let beside = self.dir.with_extension("new");
        fs::write(&beside, text).map_err(Error::io("write the filter's configuration"))?;
        fs::rename(&beside, self.dir.join("portcullis.yaml"))
            .map_err(Error::io("rename the filter's configuration"))
    }
}
