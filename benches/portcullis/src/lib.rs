//! The engine as a wasm module of its own: its schemas alone, or whole requests.

mod gateway;

pub use gateway::Gateway;

use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::schema::{Limits, NoSink, Validator};

#[cfg(target_arch = "wasm32")]
mod exports;

/// A bundle, one of its schemas, and the buffers that a worker reuses.
#[derive(Debug)]
pub struct Engine {
    bundle: Bundle,
    schema: u32,
    validator: Validator,
}

impl Engine {
    /// Takes the index of a schema, four bytes, and the bundle that holds it; none where the
    /// bundle is refused.
    pub fn open(bytes: &[u8]) -> Option<Self> {
        let (schema, bundle) = bytes.split_first_chunk::<4>()?;
        let bundle = open(bundle)?;
        Some(Self { bundle, schema: u32::from_le_bytes(*schema), validator: Validator::new() })
    }

    /// Judges a whole body.
    pub fn accepts(&mut self, body: &[u8]) -> bool {
        let limits = Limits::default();
        let view = self.bundle.view();
        self.validator.validate(&view, self.schema, limits, body, &mut NoSink).is_ok()
    }
}

fn open(bytes: &[u8]) -> Option<Bundle> {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    Bundle::open(bytes.to_vec(), &trust).ok()
}
