//! Protocol Buffers' wire format, as much of it as is written here: varints and what carries its length.
//! <https://protobuf.dev/programming-guides/encoding/>

/// A message under way.
#[derive(Clone, Debug, Default)]
pub struct Message {
    bytes: Vec<u8>,
    /// Where a value is left out, and how long it is.
    left_out: Option<(usize, usize)>,
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message { bytes, left_out: None }
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
        self.begin(field, value.len());
        self.bytes.extend_from_slice(value);
        self
    }

    /// A field of so many bytes, which are left out: one in all of a message.
    pub fn left_out(mut self, field: u32, length: usize) -> Message {
        self.begin(field, length);
        self.left_out = Some((self.bytes.len(), length));
        self
    }

    /// A field of text.
    pub fn text(self, field: u32, value: &str) -> Message {
        self.bytes(field, value.as_bytes())
    }

    /// A field of a message.
    pub fn message(mut self, field: u32, value: Message) -> Message {
        let left_out = value.left_out.map_or(0, |(_, length)| length);
        self.begin(field, value.bytes.len() + left_out);
        if let Some((at, length)) = value.left_out {
            self.left_out = Some((self.bytes.len() + at, length));
        }
        self.bytes.extend_from_slice(&value.bytes);
        self
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes before and after what is left out.
    pub fn around(mut self) -> [Vec<u8>; 2] {
        let at = self.left_out.map_or(self.bytes.len(), |(at, _)| at);
        let after = self.bytes.split_off(at);
        [self.bytes, after]
    }

    /// What comes before a value that carries its length.
    fn begin(&mut self, field: u32, length: usize) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(length as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
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
