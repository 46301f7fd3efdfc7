//! Protocol Buffers' wire format, as much of it as is written here: varints and what carries its length.
//! <https://protobuf.dev/programming-guides/encoding/>

/// A message under way.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message(bytes)
    }
}

impl Message {
    /// A field of a varint type. Zero is the default and not written.
    pub fn number(mut self, field: u32, value: u64) -> Message {
        if value != 0 {
            self.varint(u64::from(field) << 3);
            self.varint(value);
        }
        self
    }

    /// A field of bytes; what is empty is written too, so that a message is there.
    pub fn bytes(mut self, field: u32, value: &[u8]) -> Message {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// A field of text.
    pub fn text(self, field: u32, value: &str) -> Message {
        self.bytes(field, value.as_bytes())
    }

    /// A field of a message.
    pub fn message(self, field: u32, value: Message) -> Message {
        self.bytes(field, &value.0)
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The bytes at a path of field numbers, the first of each; `None` where nothing carries a length there.
pub fn at<'a>(bytes: &'a [u8], path: &[u64]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |mut bytes, wanted| {
        loop {
            let tag = read_varint(&mut bytes)?;
            match tag & 7 {
                0 => drop(read_varint(&mut bytes)?),
                2 => {
                    let len = usize::try_from(read_varint(&mut bytes)?).ok()?;
                    let (value, rest) = bytes.split_at_checked(len)?;
                    if tag >> 3 == *wanted {
                        return Some(value);
                    }
                    bytes = rest;
                }
                _ => return None,
            }
        }
    })
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}
