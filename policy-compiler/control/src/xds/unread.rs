//! What strangers may leave here: messages that have begun and do not end.
//!
//! A message is decoded once it is whole. Until then its bytes are counted for the stream and for the service, and
//! whatever is too slow or too much ends its stream.

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use hyper::body::Frame;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use tokio_stream::Stream;
use tonic::Status;

/// A message must be whole so long after its first byte, and the first one after the stream began.
const WHOLE_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of messages that are not whole, of all streams.
const MOST: usize = 64 << 20;

/// Bytes that wait for the rest of their messages, of all streams.
#[derive(Debug, Default)]
pub struct Unread(AtomicUsize);

/// The same of one stream.
#[derive(Debug)]
struct Own {
    all: Arc<Unread>,
    bytes: usize,
}

impl Own {
    /// Counts so many in place of those before. False where all are too many.
    fn set(&mut self, bytes: usize) -> bool {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
        self.all.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes before a message: a flag, and its length in four (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

/// Where a stream is among its messages.
#[derive(Debug, Default)]
struct Messages {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix and of the message that have come.
    come: usize,
}

impl Messages {
    /// Takes note of bytes that have come. Whether a message ended among them.
    fn take(&mut self, mut data: &[u8]) -> bool {
        let mut ended = false;
        while !data.is_empty() {
            let missing = self.length().saturating_sub(self.come);
            let (own, rest) = data.split_at(missing.min(data.len()));
            for (to, byte) in self.prefix.iter_mut().skip(self.come).zip(own) {
                *to = *byte;
            }
            (self.come, data) = (self.come + own.len(), rest);
            if self.come >= PREFIX && self.come == self.length() {
                (ended, self.come) = (true, 0);
            }
        }
        ended
    }

    /// Bytes of the prefix and of the message, as far as they are known.
    fn length(&self) -> usize {
        let [_, length @ ..] = self.prefix;
        if self.come < PREFIX { PREFIX } else { PREFIX + u32::from_be_bytes(length) as usize }
    }
}

/// A stream's requests as they come.
pub struct Requests {
    body: BodyDataStream,
    own: Own,
    messages: Messages,
    /// Whether the rest of a message is waited for.
    waits: bool,
    until: Pin<Box<Sleep>>,
}

impl Requests {
    /// Of a body.
    pub fn new(body: Body, all: &Arc<Unread>) -> Requests {
        Requests {
            body: body.into_data_stream(),
            own: Own { all: Arc::clone(all), bytes: 0 },
            messages: Messages::default(),
            waits: true,
            until: Box::pin(tokio::time::sleep(WHOLE_WITHIN)),
        }
    }

    /// Counts what of it belongs to a message that is not whole, and begins to wait for that. False where all streams
    /// have too much.
    fn count(&mut self, data: &[u8]) -> bool {
        let ended = self.messages.take(data);
        let waited = std::mem::replace(&mut self.waits, self.messages.come > 0);
        if self.waits && (ended || !waited) {
            self.until.as_mut().reset(Instant::now() + WHOLE_WITHIN);
        }
        self.own.set(self.messages.come)
    }
}

impl hyper::body::Body for Requests {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Pin::new(&mut self.body).poll_next(context) {
            Poll::Ready(Some(Ok(data))) => {
                let told = || Status::resource_exhausted("too many messages are not whole");
                let fits = self.count(&data);
                Poll::Ready(Some(if fits { Ok(Frame::data(data)) } else { Err(told()) }))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(Status::cancelled(error.to_string()))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if self.waits && self.until.as_mut().poll(context).is_ready() {
                    let told = "a message was not whole in time";
                    return Poll::Ready(Some(Err(Status::deadline_exceeded(told))));
                }
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use tokio::sync::mpsc;
    use tokio_stream::StreamExt;
    use tokio_stream::wrappers::ReceiverStream;

    type Sender = mpsc::Sender<Result<Bytes, std::io::Error>>;

    fn requests(all: &Arc<Unread>) -> (Sender, Requests) {
        let (sender, receiver) = mpsc::channel(8);
        let body = Body::from_stream(ReceiverStream::new(receiver).map(|it| it));
        (sender, Requests::new(body, all))
    }

    /// A message of so many bytes in its frame, as far as so many bytes of that.
    fn message(length: u32, come: usize) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(PREFIX + length as usize, 7);
        bytes.truncate(come);
        bytes
    }

    async fn come(sender: &Sender, requests: &mut Requests, bytes: Vec<u8>) -> bool {
        sender.send(Ok(bytes.into())).await.unwrap();
        requests.frame().await.unwrap().is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_end_ends_its_stream() {
        let all = Arc::new(Unread::default());
        let (sender, mut requests) = requests(&all);
        assert!(come(&sender, &mut requests, message(5, 99)).await);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
        // Between messages a stream may be silent for as long as it likes.
        let silent = tokio::time::timeout(WHOLE_WITHIN * 100, requests.frame()).await;
        assert!(silent.is_err());
        // Behind messages that are whole, in one piece with them.
        let begun = [message(0, 99), message(300, 999), message(8, 9)].concat();
        assert!(come(&sender, &mut requests, begun).await);
        assert_eq!(all.0.load(Ordering::Relaxed), 9);
        let began = Instant::now();
        tokio::time::sleep(WHOLE_WITHIN / 2).await;
        // Another piece of it gives it no more time.
        assert!(come(&sender, &mut requests, vec![7; 3]).await);
        assert_eq!(all.0.load(Ordering::Relaxed), 12);
        assert!(requests.frame().await.unwrap().is_err());
        let took = began.elapsed();
        assert!(took >= WHOLE_WITHIN && took < WHOLE_WITHIN * 2, "{took:?}");
        drop(requests);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn messages_end_where_they_say_however_they_are_cut() {
        let bytes = [message(0, 99), message(300, 999), message(1, 99), message(7, 6)].concat();
        for size in [1, 2, 3, 5, 7, 64, 1000] {
            let mut messages = Messages::default();
            let ended = bytes.chunks(size).filter(|it| messages.take(it)).count();
            assert_eq!((messages.come, messages.length()), (6, 12), "{size}");
            assert!(ended == 3 || size > 5 && ended > 0, "{size} {ended}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_says_nothing_ends() {
        let (_sender, mut requests) = requests(&Arc::default());
        assert!(requests.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn all_streams_together_have_a_bound() {
        let all = Arc::new(Unread::default());
        let mut held = Vec::new();
        for _ in 0..4 {
            let (sender, mut requests) = requests(&all);
            let mut piece = vec![0, 0x7F, 0, 0, 0];
            piece.resize(MOST / 4, 0);
            assert!(come(&sender, &mut requests, piece).await);
            held.push((sender, requests));
        }
        let (sender, mut one_more) = requests(&all);
        assert!(!come(&sender, &mut one_more, vec![0]).await);
        held.pop();
        drop(one_more);
        let (sender, mut later) = requests(&all);
        assert!(come(&sender, &mut later, vec![0]).await);
    }
}
