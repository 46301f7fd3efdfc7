//! What strangers may leave here: messages that have begun and do not end.
//!
//! A message is decoded once it is whole. Until then its bytes are counted, and one that is too slow ends its stream. Where
//! all of them together are too much, the one that began first ends its own: gateways send theirs at once, so that
//! whoever leaves many unfinished is in nobody's way but their own.

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use hyper::body::Frame;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};
use tokio_stream::Stream;
use tonic::Status;

/// A message must be whole so long after its first byte, and the first one after the stream began.
const WHOLE_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of messages that are not whole, of all streams.
const MOST: usize = 64 << 20;

/// Messages that are not whole, of all streams.
#[derive(Debug, Default)]
pub struct Unread(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// In the order in which they began: bytes that have come, and what ends the stream once it is dropped.
    messages: BTreeMap<u64, (usize, oneshot::Sender<Infallible>)>,
    bytes: usize,
    /// Messages that have begun so far.
    begun: u64,
}

impl Unread {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn begin(&mut self, end: oneshot::Sender<Infallible>) -> u64 {
        self.begun += 1;
        self.messages.insert(self.begun, (0, end));
        self.begun
    }

    /// Counts so many bytes of a message, and ends those that began first while all are too many.
    fn set(&mut self, message: u64, bytes: usize) {
        let Some((before, _)) = self.messages.get_mut(&message) else { return };
        self.bytes = self.bytes - *before + bytes;
        *before = bytes;
        while self.bytes > MOST
            && let Some((_, (first, _))) = self.messages.pop_first()
        {
            self.bytes -= first;
        }
    }

    fn end(&mut self, message: u64) {
        if let Some((bytes, _)) = self.messages.remove(&message) {
            self.bytes -= bytes;
        }
    }
}

/// The message of one stream that is not whole.
#[derive(Debug)]
struct Own {
    all: Arc<Unread>,
    message: Option<(u64, oneshot::Receiver<Infallible>)>,
}

impl Own {
    /// Counts so many bytes of the message: of another one than before, where that has ended.
    fn set(&mut self, ended: bool, bytes: usize) {
        let mut all = self.all.lock();
        if (ended || bytes == 0)
            && let Some((message, _)) = self.message.take()
        {
            all.end(message);
        }
        if bytes > 0 {
            let begin = || {
                let (end, ended) = oneshot::channel();
                (all.begin(end), ended)
            };
            let (message, _) = self.message.get_or_insert_with(begin);
            all.set(*message, bytes);
        }
    }

    /// Whether the message had to go, or wakes up once it has.
    fn is_ended(&mut self, context: &mut Context<'_>) -> bool {
        let ended = self.message.as_mut().map(|(_, ended)| Pin::new(ended).poll(context));
        ended.is_some_and(|it| it.is_ready())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.set(true, 0);
    }
}

/// Bytes before a message: a flag, and its length in four (gRPC over HTTP/2, "Length-Prefixed-Message").
pub const PREFIX: usize = 5;

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
            own: Own { all: Arc::clone(all), message: None },
            messages: Messages::default(),
            waits: true,
            until: Box::pin(tokio::time::sleep(WHOLE_WITHIN)),
        }
    }

    /// Counts what of it belongs to a message that is not whole, and begins to wait for that.
    fn count(&mut self, data: &[u8]) {
        let ended = self.messages.take(data);
        let waited = std::mem::replace(&mut self.waits, self.messages.come > 0);
        if self.waits && (ended || !waited) {
            self.until.as_mut().reset(Instant::now() + WHOLE_WITHIN);
        }
        self.own.set(ended, self.messages.come);
    }
}

impl hyper::body::Body for Requests {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(data))) = &polled {
            self.count(data);
        }
        if self.own.is_ended(context) {
            let told = "too many messages are not whole, of which this one began first";
            return Poll::Ready(Some(Err(Status::resource_exhausted(told))));
        }
        match polled {
            Poll::Ready(Some(Ok(data))) => Poll::Ready(Some(Ok(Frame::data(data)))),
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
        bytes.resize(come.min(PREFIX + length as usize), 7);
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
        assert_eq!(all.lock().bytes, 0);
        // Between messages a stream may be silent for as long as it likes.
        let silent = tokio::time::timeout(WHOLE_WITHIN * 100, requests.frame()).await;
        assert!(silent.is_err());
        // Behind messages that are whole, in one piece with them.
        let begun = [message(0, 99), message(300, 999), message(8, 9)].concat();
        assert!(come(&sender, &mut requests, begun).await);
        assert_eq!(all.lock().bytes, 9);
        let began = Instant::now();
        tokio::time::sleep(WHOLE_WITHIN / 2).await;
        // Another piece of it gives it no more time.
        assert!(come(&sender, &mut requests, vec![7; 3]).await);
        assert_eq!(all.lock().bytes, 12);
        assert!(requests.frame().await.unwrap().is_err());
        let took = began.elapsed();
        assert!(took >= WHOLE_WITHIN && took < WHOLE_WITHIN * 2, "{took:?}");
        drop(requests);
        assert_eq!(all.lock().bytes, 0);
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
    async fn of_all_streams_together_the_message_that_began_first_goes() {
        const PIECES: usize = 256;
        let all = Arc::new(Unread::default());
        let whole = MOST / PIECES;
        let begun = |come| message(u32::try_from(MOST).unwrap(), come);
        // A stranger's few connections, which leave as much unfinished as there may be.
        let mut held = Vec::new();
        for _ in 0..PIECES {
            let (sender, mut requests) = requests(&all);
            assert!(come(&sender, &mut requests, begun(whole)).await);
            held.push((sender, requests));
        }
        assert_eq!(all.lock().bytes, MOST);
        // Gateways come, and send theirs piece by piece: it is the stranger's that end, whoever makes it too many.
        for at in 0..8 {
            let (sender, mut gateway) = requests(&all);
            for piece in message(100, 999).chunks(21) {
                assert!(come(&sender, &mut gateway, piece.to_vec()).await);
            }
            let (sender, mut more) = requests(&all);
            assert!(come(&sender, &mut more, begun(whole)).await);
            let (_, first) = &mut held[at];
            assert!(first.frame().await.unwrap().is_err());
            held.push((sender, more));
        }
        // One that waits for nothing but the rest of its message is told, too.
        let ((_sender, mut first), last) = (held.remove(8), held.pop().unwrap());
        let waits = tokio::spawn(async move { first.frame().await.unwrap().is_err() });
        tokio::task::yield_now().await;
        drop(last);
        let (sender, mut more) = requests(&all);
        assert!(come(&sender, &mut more, begun(2 * whole)).await);
        assert!(waits.await.unwrap());
        drop((held, more));
        let left = all.lock();
        assert_eq!((left.bytes, left.messages.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_message_that_is_too_much_alone_ends_itself() {
        let all = Arc::new(Unread::default());
        let (sender, mut requests) = requests(&all);
        let length = u32::try_from(MOST + 9).unwrap();
        assert!(!come(&sender, &mut requests, message(length, MOST + 1)).await);
        assert_eq!(all.lock().bytes, 0);
    }
}
