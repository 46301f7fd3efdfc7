//! What strings encode: `contentEncoding`, and JSON within a string (JSON Schema 2020-12 validation, section 8).
//!
//! An encoding is checked where the string is. JSON within a string is judged by a second machine, which has
//! the first one's limits and takes its steps from the same budget; strings within that JSON are not decoded
//! again, so there is one level and no recursion beyond it. Buffers are kept from one string to the next.

use super::core::{Core, Stop};
use super::fault::FaultKind;
use super::format::{base16, base32, base64, mime};
use super::frame::Frame;
use super::machine::run;
use super::sink::NoSink;
use portcullis_bundle::layout::{ContentEncoding, Keyword, NONE, StringContent, View};

/// Decoded bytes that cost a step.
const BYTES_PER_STEP: usize = 16;

/// The machine for JSON within strings.
#[derive(Debug, Default)]
pub(super) struct Nested {
    core: Core,
    frames: Vec<Frame>,
    scratch: Vec<u8>,
    decoded: Vec<u8>,
}

impl Nested {
    /// Bytes of the greatest buffer.
    pub fn capacity(&self) -> usize {
        self.scratch.capacity().max(self.decoded.capacity())
    }
}

/// Whether a text is what an encoding makes of some bytes.
pub(super) fn is_encoded(encoding: ContentEncoding, text: &[u8]) -> bool {
    match encoding {
        ContentEncoding::None => true,
        ContentEncoding::Base64 => base64::base64(text),
        ContentEncoding::Base64Url => base64::base64url(text),
        ContentEncoding::Base32 => base32::base32(text),
        ContentEncoding::Base32Hex => base32::base32hex(text),
        ContentEncoding::Base16 => base16::base16(text),
        ContentEncoding::QuotedPrintable => mime::quoted_printable(text),
        ContentEncoding::SevenBit => mime::seven_bit(text),
        ContentEncoding::EightBit => mime::eight_bit(text),
    }
}

/// Appends what an encoded text stands for.
fn decode(encoding: ContentEncoding, text: &[u8], out: &mut Vec<u8>) {
    match encoding {
        ContentEncoding::None | ContentEncoding::SevenBit | ContentEncoding::EightBit => {
            out.extend_from_slice(text);
        }
        ContentEncoding::Base64 | ContentEncoding::Base64Url => base64::decode(text, out),
        ContentEncoding::Base32 => base32::decode(text, out),
        ContentEncoding::Base32Hex => base32::decode_hex(text, out),
        ContentEncoding::Base16 => base16::decode(text, out),
        ContentEncoding::QuotedPrintable => mime::decode_quoted_printable(text, out),
    }
}

impl Core {
    /// Judges the JSON that a string encodes; gives the keyword that refuses.
    ///
    /// # Errors
    /// Where the budget is spent.
    #[inline(never)]
    pub fn content(
        &mut self,
        view: &View<'_>,
        content: u32,
        text: &[u8],
    ) -> Result<Option<Keyword>, Stop> {
        let Some(of) = view.contents.get(content as usize) else { return Ok(None) };
        if self.nested {
            return Ok(None);
        }
        let encoding = ContentEncoding::from_code(of.encoding).unwrap_or(ContentEncoding::None);
        self.step(1 + text.len() / BYTES_PER_STEP)?;
        if !is_encoded(encoding, text) {
            return Ok(Some(Keyword::ContentEncoding));
        }
        let mut nested = self.content.take().unwrap_or_default();
        let kind = self.run_nested(view, of, encoding, text, &mut nested);
        self.content = Some(nested);
        match kind {
            None => Ok(None),
            Some(FaultKind::Budget) => Err(Stop::Here(FaultKind::Budget)),
            Some(FaultKind::Invalid) => Ok(Some(Keyword::ContentSchema)),
            Some(_) => Ok(Some(Keyword::ContentMediaType)),
        }
    }

    fn run_nested(
        &mut self,
        view: &View<'_>,
        of: &StringContent,
        encoding: ContentEncoding,
        text: &[u8],
        nested: &mut Nested,
    ) -> Option<FaultKind> {
        let Nested { core, frames, scratch, decoded } = nested;
        decoded.clear();
        let json = if encoding == ContentEncoding::None {
            text
        } else {
            decode(encoding, text, decoded);
            decoded.as_slice()
        };
        core.begin(of.schema.get(), self.limits);
        core.nested = true;
        core.steps = self.steps;
        frames.resize(self.limits.depth as usize + 1, Frame::default());
        if let Some(root) = frames.first_mut() {
            *root = Frame { part: NONE, member: NONE, ..Frame::default() };
        }
        let judged = run(core, frames, scratch, view, json, true, &mut NoSink);
        self.steps = core.steps;
        judged.err().map(|fault| fault.kind)
    }
}
