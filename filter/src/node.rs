//! What the bootstrap's node metadata says under `portcullis`: trust that does not travel with the bundle.

use crate::config::Document;
use crate::host::Host;

/// Reads the node's metadata.
pub fn read(host: &impl Host) -> Document<'static> {
    let _ = host.property(&["xds", "node", "metadata", "portcullis"]);
    Document::default()
}
