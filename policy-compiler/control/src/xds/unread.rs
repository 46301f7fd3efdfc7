//! What strangers may leave here: messages that have begun and do not end.
//!
//! A message is decoded once it is whole. Until then its bytes are counted. Where all of them together are too much, the
//! one that began first ends its stream: gateways send theirs at once, so that whoever leaves many unfinished is in
//! nobody's way but their own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Bytes of messages that are not whole, of all streams.
pub(super) const MOST: usize = 64 << 20;

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

    /// Messages, and their bytes.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (usize, usize) {
        let all = self.lock();
        (all.messages.len(), all.bytes)
    }
}

/// A message that has begun. It counts until it is dropped, or has to go.
#[derive(Debug)]
pub(super) struct Begun {
    all: Arc<Unread>,
    number: u64,
    gone: oneshot::Receiver<Infallible>,
}

impl Begun {
    /// The last that began.
    pub(super) fn new(unread: &Arc<Unread>) -> Begun {
        let (go, gone) = oneshot::channel();
        let mut all = unread.lock();
        all.begun += 1;
        let number = all.begun;
        all.messages.insert(number, (0, go));
        Begun { all: Arc::clone(unread), number, gone }
    }

    /// Counts so many bytes of it, and ends those that began first while all are too many.
    pub(super) fn set(&self, bytes: usize) {
        let mut all = self.all.lock();
        let Some((before, _)) = all.messages.get_mut(&self.number) else { return };
        let before = std::mem::replace(before, bytes);
        all.bytes = all.bytes - before + bytes;
        while all.bytes > MOST
            && let Some((_, (first, _))) = all.messages.pop_first()
        {
            all.bytes -= first;
        }
    }

    /// Waits until it has to go.
    pub(super) async fn gone(&mut self) {
        let _ = (&mut self.gone).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some((bytes, _)) = all.messages.remove(&self.number) {
            all.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_that_is_too_much_alone_ends_itself() {
        let all = Arc::default();
        let mut message = Begun::new(&all);
        message.set(MOST);
        assert_eq!(all.counted(), (1, MOST));
        message.set(MOST + 1);
        message.gone().await;
        assert_eq!(all.counted(), (0, 0));
        message.set(9);
        drop(message);
        assert_eq!(all.counted(), (0, 0));
    }
}
