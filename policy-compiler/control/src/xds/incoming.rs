//! What a gateway says, message by message.
//!
//! The room that a message takes is given back with it: a gateway's first one tells of all that Envoy was built with, and
//! its stream stays for months.

use super::LONGEST;
use super::proto::DiscoveryRequest;
use super::unread::PREFIX;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use prost::Message;
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

/// A body that brings messages in pieces.
pub trait Pieces: Body<Data = Bytes, Error = Status> + Unpin {}

impl<B: Body<Data = Bytes, Error = Status> + Unpin> Pieces for B {}

/// A stream's messages, from a body that brings them in pieces.
pub struct Incoming<B> {
    body: B,
    /// What has come and was not looked at.
    piece: Bytes,
    /// A message that is not whole, behind its prefix.
    begun: Vec<u8>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl<B: Pieces> Incoming<B> {
    /// Of a body, with the right to a stream.
    pub fn new(body: B, slot: Option<OwnedSemaphorePermit>) -> Incoming<B> {
        Incoming { body, piece: Bytes::new(), begun: Vec::new(), _slot: slot }
    }

    /// The next message; none where there are no more. What it had taken is not lost when it is dropped while it waits.
    ///
    /// # Errors
    /// What is no message, or does not become whole.
    pub async fn next(&mut self) -> Result<Option<DiscoveryRequest>, Status> {
        loop {
            if let Some(message) = self.whole()? {
                let read = DiscoveryRequest::decode(message.get(PREFIX..).unwrap_or_default());
                return read.map(Some).map_err(|error| Status::invalid_argument(error.to_string()));
            }
            match self.body.frame().await.transpose()? {
                Some(frame) => self.piece = frame.into_data().unwrap_or_default(),
                None if self.begun.is_empty() => return Ok(None),
                None => return Err(Status::invalid_argument("the last message is not whole")),
            }
        }
    }

    /// Takes of what has come as much as belongs to a message: that one, where it is whole.
    fn whole(&mut self) -> Result<Option<Vec<u8>>, Status> {
        loop {
            let missing = self.missing()?;
            if missing == 0 {
                return Ok(Some(std::mem::take(&mut self.begun)));
            }
            if self.piece.is_empty() {
                return Ok(None);
            }
            let part = self.piece.split_to(missing.min(self.piece.len()));
            self.begun.extend_from_slice(&part);
        }
    }

    /// Bytes until the prefix is whole, and then until the message is.
    fn missing(&self) -> Result<usize, Status> {
        let Some([flag, length @ ..]) = self.begun.first_chunk::<PREFIX>() else {
            return Ok(PREFIX - self.begun.len());
        };
        let length = u32::from_be_bytes(*length) as usize;
        if *flag != 0 {
            return Err(Status::unimplemented("messages must not be compressed"));
        }
        if length > LONGEST {
            let told = format!("a message of {length} bytes is longer than {LONGEST}");
            return Err(Status::out_of_range(told));
        }
        Ok(PREFIX + length - self.begun.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag], &length[..], message].concat()
    }

    fn request(version: &str) -> DiscoveryRequest {
        DiscoveryRequest { version_info: version.to_owned(), ..DiscoveryRequest::default() }
    }

    /// The bytes in pieces of a size, and whether more may come.
    fn incoming(bytes: &[u8], size: usize) -> Incoming<impl Pieces> {
        let pieces: Vec<_> =
            bytes.chunks(size).map(|it| Ok(Frame::data(Bytes::copy_from_slice(it)))).collect();
        Incoming::new(StreamBody::new(tokio_stream::iter(pieces)), None)
    }

    #[tokio::test]
    async fn messages_are_read_however_they_are_cut_and_leave_nothing() {
        let long = "v".repeat(200_000);
        let versions = ["a", "", &long, "b"];
        let sent: Vec<u8> =
            versions.iter().flat_map(|it| framed(0, &request(it).encode_to_vec())).collect();
        for size in [1, 3, 5, 7, 16_384, sent.len()] {
            let mut incoming = incoming(&sent, size);
            for version in versions {
                assert_eq!(incoming.next().await.unwrap(), Some(request(version)), "{size}");
                assert_eq!(incoming.begun.capacity(), 0);
            }
            assert_eq!(incoming.next().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        let much = [&[0][..], &(LONGEST as u32 + 1).to_be_bytes()].concat();
        let mut cut = framed(0, &request("a").encode_to_vec());
        cut.pop();
        for (wrong, told) in [
            (framed(1, b"x"), "compressed"),
            (framed(0, b"\xff\xff"), "varint"),
            (much, "262145 bytes"),
            (cut, "not whole"),
            (vec![0; 4], "not whole"),
        ] {
            let error = incoming(&wrong, 2).next().await.unwrap_err();
            assert!(error.message().contains(told), "{error}");
        }
    }
}
