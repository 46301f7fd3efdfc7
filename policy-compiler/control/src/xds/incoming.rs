//! What a gateway says, message by message.
//!
//! The room that a message takes is given back with it: a gateway's first one tells of all that Envoy was built with, and
//! its stream stays for months. What is not whole [is counted](super::unread), and one that is too slow ends its stream.

use super::proto::DiscoveryRequest;
use super::unread::{Begun, Unread};
use super::{LONGEST, until_some};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tonic::Status;

/// Bytes before a message: a flag, and its length in four (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;
/// A message must be whole so long after its first byte, and the first one after the stream began.
const WHOLE_WITHIN: Duration = Duration::from_secs(10);

/// A stream's messages.
pub struct Incoming {
    body: Body,
    /// What has come and was not looked at.
    piece: Bytes,
    /// A message that is not whole, behind its prefix.
    begun: Vec<u8>,
    /// The same among those of all streams.
    counted: Option<Begun>,
    /// When it must be whole.
    until: Option<Instant>,
    unread: Arc<Unread>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Incoming {
    /// Of a body, with the right to a stream.
    pub fn new(body: Body, unread: &Arc<Unread>, slot: Option<OwnedSemaphorePermit>) -> Incoming {
        Incoming {
            body,
            piece: Bytes::new(),
            begun: Vec::new(),
            counted: None,
            until: Some(Instant::now() + WHOLE_WITHIN),
            unread: Arc::clone(unread),
            _slot: slot,
        }
    }

    /// The next message; none where there are no more. What it had taken is not lost when it is dropped while it waits.
    ///
    /// # Errors
    /// What is no message, or does not become whole: then the stream has ended.
    pub async fn next(&mut self) -> Result<Option<DiscoveryRequest>, Status> {
        loop {
            if let Some(message) = self.whole()? {
                (self.counted, self.until) = (None, None);
                let read = DiscoveryRequest::decode(message.get(PREFIX..).unwrap_or_default());
                return read.map(Some).map_err(|error| Status::invalid_argument(error.to_string()));
            }
            self.count();
            match self.more().await? {
                Some(piece) => self.piece = piece,
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

    /// Counts what has come of a message that is not whole.
    fn count(&mut self) {
        if !self.begun.is_empty() {
            self.until.get_or_insert_with(|| Instant::now() + WHOLE_WITHIN);
            let counted = self.counted.get_or_insert_with(|| Begun::new(&self.unread));
            counted.set(self.begun.len());
        }
    }

    /// What comes next; none where the stream ends.
    async fn more(&mut self) -> Result<Option<Bytes>, Status> {
        let gone = async {
            self.counted.as_mut()?.gone().await;
            Some(())
        };
        tokio::select! {
            biased;
            Some(()) = gone => {
                let told = "too many messages are not whole, of which this one began first";
                Err(Status::resource_exhausted(told))
            }
            frame = self.body.frame() => match frame.transpose() {
                Ok(frame) => Ok(frame.map(|it| it.into_data().unwrap_or_default())),
                Err(error) => Err(Status::cancelled(error.to_string())),
            },
            () = until_some(self.until), if self.until.is_some() => {
                Err(Status::deadline_exceeded("a message was not whole in time"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::unread::MOST;
    use super::*;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use std::convert::Infallible;
    use tokio::sync::mpsc;
    use tokio_stream::StreamExt;
    use tokio_stream::wrappers::ReceiverStream;

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag], &length[..], message].concat()
    }

    fn request(version: &str) -> DiscoveryRequest {
        DiscoveryRequest { version_info: version.to_owned(), ..DiscoveryRequest::default() }
    }

    /// The bytes in pieces of a size.
    fn incoming(bytes: &[u8], size: usize) -> Incoming {
        let pieces = bytes.chunks(size).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        let frames = pieces.into_iter().map(|it| Ok::<_, Infallible>(Frame::data(it)));
        let body = Body::new(StreamBody::new(tokio_stream::iter(frames)));
        Incoming::new(body, &Arc::default(), None)
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
                assert_eq!(incoming.unread.counted(), (0, 0));
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

    type Sender = mpsc::Sender<Result<Bytes, std::io::Error>>;
    type Next = Result<Option<DiscoveryRequest>, Status>;

    fn stream(all: &Arc<Unread>) -> (Sender, Incoming) {
        let (sender, receiver) = mpsc::channel(8);
        let body = Body::from_stream(ReceiverStream::new(receiver).map(|it| it));
        (sender, Incoming::new(body, all, None))
    }

    /// A message of so many bytes in its frame, as far as so many bytes of that. Nobody knows its fields.
    fn message(length: usize, come: usize) -> Vec<u8> {
        let odd: &[u8] = if length % 2 == 1 { &[0x78, 0x80, 0] } else { &[] };
        let mut bytes = framed(0, &[odd, &[0x78, 0].repeat((length - odd.len()) / 2)].concat());
        bytes.truncate(come);
        bytes
    }

    /// What is next, if anything is.
    async fn soon(incoming: &mut Incoming) -> Option<Next> {
        tokio::time::timeout(Duration::from_millis(1), incoming.next()).await.ok()
    }

    async fn come(sender: &Sender, incoming: &mut Incoming, bytes: Vec<u8>) -> Option<Next> {
        sender.send(Ok(bytes.into())).await.unwrap();
        soon(incoming).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_end_ends_its_stream() {
        let all = Arc::default();
        let (sender, mut incoming) = stream(&all);
        assert!(come(&sender, &mut incoming, message(5, 99)).await.unwrap().is_ok());
        assert_eq!(all.counted(), (0, 0));
        // Between messages a stream may be silent for as long as it likes.
        let silent = tokio::time::timeout(WHOLE_WITHIN * 100, incoming.next()).await;
        assert!(silent.is_err());
        // Behind messages that are whole, in one piece with them.
        let begun = [message(0, 99), message(300, 999), message(8, 9)].concat();
        assert!(come(&sender, &mut incoming, begun).await.unwrap().is_ok());
        assert!(soon(&mut incoming).await.unwrap().is_ok());
        assert!(soon(&mut incoming).await.is_none());
        assert_eq!(all.counted(), (1, 9));
        let began = Instant::now();
        tokio::time::sleep(WHOLE_WITHIN / 2).await;
        // Another piece of it gives it no more time.
        assert!(come(&sender, &mut incoming, vec![0; 3]).await.is_none());
        assert_eq!(all.counted(), (1, 12));
        let ended = incoming.next().await.unwrap_err();
        assert_eq!(ended.code(), tonic::Code::DeadlineExceeded);
        let took = began.elapsed() + Duration::from_millis(2);
        assert!(took >= WHOLE_WITHIN && took < WHOLE_WITHIN * 2, "{took:?}");
        drop(incoming);
        assert_eq!(all.counted(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn messages_end_where_they_say_however_they_are_cut() {
        let bytes = [message(0, 99), message(300, 999), message(2, 99), message(7, 6)].concat();
        for size in [1, 2, 3, 5, 7, 64, 1000] {
            let all = Arc::default();
            let (sender, mut incoming) = stream(&all);
            let mut ended = 0;
            for piece in bytes.chunks(size) {
                let mut next = come(&sender, &mut incoming, piece.to_vec()).await;
                while let Some(message) = next {
                    assert!(message.unwrap().is_some());
                    ended += 1;
                    next = soon(&mut incoming).await;
                }
            }
            assert_eq!((ended, all.counted(), incoming.missing().unwrap()), (3, (1, 6), 6));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_says_nothing_ends() {
        let (_sender, mut incoming) = stream(&Arc::default());
        assert!(incoming.next().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn of_all_streams_together_the_message_that_began_first_goes() {
        const STREAMS: usize = MOST / LONGEST;
        let all = Arc::default();
        let begun = || message(LONGEST, LONGEST);
        // A stranger's few connections, which leave as much unfinished as there may be.
        let mut held = Vec::new();
        for _ in 0..STREAMS {
            let (sender, mut incoming) = stream(&all);
            assert!(come(&sender, &mut incoming, begun()).await.is_none());
            held.push((sender, incoming));
        }
        assert_eq!(all.counted(), (STREAMS, MOST));
        // Gateways come, and send theirs piece by piece: it is the stranger's that end, whoever makes it too many.
        for at in 0..8 {
            let (sender, mut gateway) = stream(&all);
            let mut read = None;
            for piece in message(100, 999).chunks(21) {
                assert!(read.is_none());
                read = come(&sender, &mut gateway, piece.to_vec()).await;
            }
            assert!(read.unwrap().unwrap().is_some());
            let (sender, mut more) = stream(&all);
            assert!(come(&sender, &mut more, begun()).await.is_none());
            let (_, first) = &mut held[at];
            let ended = first.next().await.unwrap_err();
            assert_eq!(ended.code(), tonic::Code::ResourceExhausted);
            held.push((sender, more));
        }
        // One that waits for nothing but the rest of its message is told, too.
        let ((_sender, mut first), last) = (held.remove(8), held.pop().unwrap());
        let waits = tokio::spawn(async move { first.next().await.is_err() });
        tokio::task::yield_now().await;
        drop(last);
        for _ in 0..2 {
            let (sender, mut more) = stream(&all);
            assert!(come(&sender, &mut more, begun()).await.is_none());
            held.push((sender, more));
        }
        assert!(waits.await.unwrap());
        drop(held);
        assert_eq!(all.counted(), (0, 0));
    }
}
