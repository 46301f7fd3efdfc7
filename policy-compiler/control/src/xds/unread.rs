//! What strangers may leave here: messages that have begun and do not end.
//!
//! A message is decoded once it is whole. Until then its bytes are counted for the stream and for the service, and
//! whatever is too slow or too much ends its stream.

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use hyper::body::Frame;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
pub struct Own {
    all: Arc<Unread>,
    bytes: AtomicUsize,
    begun: AtomicBool,
}

impl Own {
    /// Of a stream that begins.
    pub fn of(all: &Arc<Unread>) -> Arc<Own> {
        let (bytes, begun) = (AtomicUsize::new(0), AtomicBool::new(true));
        Arc::new(Own { all: Arc::clone(all), bytes, begun })
    }

    /// A message was whole.
    pub fn taken(&self) {
        self.begun.store(false, Ordering::Relaxed);
        self.all.0.fetch_sub(self.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.taken();
    }
}

/// A stream's requests as they come.
pub struct Requests {
    body: BodyDataStream,
    own: Arc<Own>,
    until: Pin<Box<Sleep>>,
}

impl Requests {
    /// Of a body.
    pub fn new(body: Body, own: Arc<Own>) -> Requests {
        let until = Box::pin(tokio::time::sleep(WHOLE_WITHIN));
        Requests { body: body.into_data_stream(), own, until }
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
                if !self.own.begun.swap(true, Ordering::Relaxed) {
                    self.until.as_mut().reset(Instant::now() + WHOLE_WITHIN);
                }
                let fits = self.own.add(data.len());
                let told = || Status::resource_exhausted("too many messages are not whole");
                Poll::Ready(Some(if fits { Ok(Frame::data(data)) } else { Err(told()) }))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(Status::cancelled(error.to_string()))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if self.own.begun.load(Ordering::Relaxed)
                    && self.until.as_mut().poll(context).is_ready()
                {
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

    fn requests(all: &Arc<Unread>) -> (Sender, Arc<Own>, Requests) {
        let (sender, receiver) = mpsc::channel(8);
        let body = Body::from_stream(ReceiverStream::new(receiver).map(|it| it));
        let own = Own::of(all);
        (sender, Arc::clone(&own), Requests::new(body, own))
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_end_ends_its_stream() {
        let all = Arc::new(Unread::default());
        let (sender, own, mut requests) = requests(&all);
        sender.send(Ok(Bytes::from_static(b"whole"))).await.unwrap();
        assert!(requests.frame().await.unwrap().is_ok());
        own.taken();
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
        // Between messages a stream may be silent for as long as it likes.
        let silent = tokio::time::timeout(WHOLE_WITHIN * 100, requests.frame()).await;
        assert!(silent.is_err());
        sender.send(Ok(Bytes::from_static(b"half"))).await.unwrap();
        assert!(requests.frame().await.unwrap().is_ok());
        let began = Instant::now();
        tokio::time::sleep(WHOLE_WITHIN / 2).await;
        // Another piece of it gives it no more time.
        sender.send(Ok(Bytes::from_static(b"more"))).await.unwrap();
        assert!(requests.frame().await.unwrap().is_ok());
        assert_eq!(all.0.load(Ordering::Relaxed), 8);
        assert!(requests.frame().await.unwrap().is_err());
        let took = began.elapsed();
        assert!(took >= WHOLE_WITHIN && took < WHOLE_WITHIN * 2, "{took:?}");
        drop((requests, own));
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_says_nothing_ends() {
        let (_sender, _own, mut requests) = requests(&Arc::default());
        assert!(requests.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn all_streams_together_have_a_bound() {
        let all = Arc::new(Unread::default());
        let mut held = Vec::new();
        let piece = Bytes::from(vec![0; MOST / 4]);
        for _ in 0..4 {
            let (sender, own, mut requests) = requests(&all);
            sender.send(Ok(piece.clone())).await.unwrap();
            assert!(requests.frame().await.unwrap().is_ok());
            held.push((sender, own, requests));
        }
        let (sender, _own, mut one_more) = requests(&all);
        sender.send(Ok(Bytes::from_static(b"x"))).await.unwrap();
        assert!(one_more.frame().await.unwrap().is_err());
        held.pop();
        drop(one_more);
        let (sender, _own, mut later) = requests(&all);
        sender.send(Ok(Bytes::from_static(b"x"))).await.unwrap();
        assert!(later.frame().await.unwrap().is_ok());
    }
}
