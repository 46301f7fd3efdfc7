//! Transfers of bundles, by HTTP and xDS alike: so many are on their way at once, one of each connection. More would
//! only make each slower, and what else the service answers with them.
//!
//! A place is for readers: whoever stops reading loses it to the next, and reads on without. A transfer is a view of
//! the bundle's bytes, which are in memory once.

use crate::metrics::{Counter, Gauge};
use crate::service::Peer;
use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Transfers at once.
pub const MOST: usize = 64;
/// A request waits so long for its place, which is less than gateways wait for an answer.
pub const WAIT: Duration = Duration::from_secs(6);
/// Bytes that are given to a connection at once.
const PIECE: usize = 64 << 10;
/// The same of other answers: the last piece is the connection's, read or not.
const SMALL_PIECE: usize = 8 << 10;
/// A place is for readers that take so many pieces in so long, 256 KiB a second; and for so long in all, so that strangers
/// who read no faster than that do not keep others waiting for [`WAIT`], unless they are hundreds.
const FAST: usize = 4;
const SECOND: Duration = Duration::from_secs(1);
const HELD_UP: Duration = Duration::from_secs(2);
/// After so long the connection is ended: what it was sent may be an older bundle, which stays in memory for it.
const ENDED: Duration = Duration::from_secs(300);

/// The right to transfer, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

/// The places.
#[derive(Debug)]
pub struct Transfers {
    places: Arc<Semaphore>,
    /// Transfers that wait for one.
    pub waiting: Gauge,
    /// Requests that had none in time.
    pub busy: Counter,
}

impl Default for Transfers {
    fn default() -> Transfers {
        let places = Arc::new(Semaphore::new(MOST));
        Transfers { places, waiting: Gauge::default(), busy: Counter::default() }
    }
}

impl Transfers {
    /// Waits for a place, in the order of those who ask.
    pub async fn place(&self, peer: &Peer) -> Option<Place> {
        let _waiting = Waiting::of(&self.waiting);
        let _own = Arc::clone(&peer.turn).acquire_owned().await.ok()?;
        let _shared = Arc::clone(&self.places).acquire_owned().await.ok()?;
        Some(Place { _own, _shared })
    }

    /// The same for a request, which does not wait for ever: the seconds after which to ask again, where it has none.
    ///
    /// # Errors
    /// None in time.
    pub async fn place_in_time(&self, peer: &Peer) -> Result<Place, u64> {
        if let Ok(Some(place)) = timeout(WAIT, self.place(peer)).await {
            return Ok(place);
        }
        self.busy.add();
        // Not all at the same moment.
        Err(2 + self.busy.get() % 9)
    }

    /// Places that nobody has.
    pub fn free(&self) -> usize {
        self.places.available_permits()
    }
}

/// Counts who waits, however the wait ends.
struct Waiting<'a>(&'a Gauge);

impl Waiting<'_> {
    fn of(gauge: &Gauge) -> Waiting<'_> {
        gauge.change(1);
        Waiting(gauge)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.change(-1);
    }
}

/// An answer's body: a bundle, which the connection takes piece by piece as it is read.
pub fn body(bytes: Bytes, place: Place, peer: &Peer) -> Body {
    let taken = Arc::new(Taken::default());
    tokio::spawn(watch(Arc::clone(&taken), place, Arc::clone(&peer.end)));
    Body::new(Transfer { left: bytes, piece: PIECE, taken })
}

/// The same for an answer that was made for whoever asked. Its turn ends when all of it was taken: whoever does not read has no
/// more of them made.
pub fn answer(bytes: Bytes, turn: OwnedSemaphorePermit, peer: &Peer) -> Body {
    let taken = Arc::new(Taken::default());
    let (all, end) = (Arc::clone(&taken), Arc::clone(&peer.end));
    tokio::spawn(async move {
        if timeout(ENDED, all.all.notified()).await.is_err() {
            end.notify_one();
        }
        drop(turn);
    });
    Body::new(Transfer { left: bytes, piece: SMALL_PIECE, taken })
}

struct Transfer {
    left: Bytes,
    piece: usize,
    taken: Arc<Taken>,
}

/// What the connection has made of a transfer.
#[derive(Default)]
struct Taken {
    pieces: AtomicUsize,
    /// All of it, or as much as it will ever take.
    all: Notify,
}

impl hyper::body::Body for Transfer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let most = self.piece.min(self.left.len());
        let piece = self.left.split_to(most);
        self.taken.pieces.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.taken.all.notify_one();
    }
}

/// Gives the place back when the transfer is done or slow, and ends the connection of one that never is.
async fn watch(taken: Arc<Taken>, place: Place, end: Arc<Notify>) {
    let began = Instant::now();
    let mut before = 0;
    while began.elapsed() < HELD_UP {
        if timeout(SECOND, taken.all.notified()).await.is_ok() {
            return;
        }
        let pieces = taken.pieces.load(Ordering::Relaxed);
        if pieces - before < FAST {
            break;
        }
        before = pieces;
    }
    drop(place);
    if timeout_at(began + ENDED, taken.all.notified()).await.is_err() {
        end.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn peer() -> Peer {
        Peer::new("192.0.2.7:4711".parse().unwrap(), None)
    }

    /// Lets what was spawned see what has happened.
    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    fn bundle() -> Bytes {
        Bytes::from(vec![7; 3 * PIECE + 1])
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_has_its_place_until_all_is_taken() {
        let transfers = Transfers::default();
        let peer = peer();
        let (bundle, place) = (bundle(), transfers.place_in_time(&peer).await.unwrap());
        let mut body = body(bundle.clone(), place, &peer);
        assert_eq!(hyper::body::Body::size_hint(&body).exact(), Some(bundle.len() as u64));
        for _ in 0..3 {
            tokio::time::sleep(SECOND / 4).await;
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!((piece.len(), transfers.free()), (PIECE, MOST - 1));
            // A view, and no copy.
            assert!(bundle.as_ptr_range().contains(&piece.as_ptr()));
        }
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 1);
        assert!(hyper::body::Body::is_end_stream(&body));
        drop(body);
        settle().await;
        assert_eq!(transfers.free(), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_loses_its_place_and_at_last_its_connection() {
        let transfers = Transfers::default();
        let stranger = peer();
        let place = transfers.place_in_time(&stranger).await.unwrap();
        let mut held = body(bundle(), place, &stranger);
        settle().await;
        assert_eq!(transfers.free(), MOST - 1);
        tokio::time::sleep(SECOND + Duration::from_millis(10)).await;
        assert_eq!(transfers.free(), MOST);
        // It reads on without.
        assert!(held.frame().await.unwrap().is_ok());
        let ended = timeout(ENDED - SECOND * 2, stranger.end.notified()).await;
        assert!(ended.is_err(), "too early");
        timeout(SECOND * 2, stranger.end.notified()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_has_its_turn_until_it_was_read() {
        let (turns, peer) = (Arc::new(Semaphore::new(1)), peer());
        for reads in [true, false] {
            let turn = Arc::clone(&turns).try_acquire_owned().unwrap();
            let mut body = answer(bundle(), turn, &peer);
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap().len(),
                SMALL_PIECE
            );
            tokio::time::sleep(ENDED - SECOND).await;
            assert_eq!(turns.available_permits(), 0);
            if reads {
                assert_eq!(
                    body.collect().await.unwrap().to_bytes().len(),
                    3 * PIECE + 1 - SMALL_PIECE
                );
                settle().await;
            } else {
                timeout(SECOND * 2, peer.end.notified()).await.unwrap();
            }
            assert_eq!(turns.available_permits(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_has_its_place_for_so_long_only() {
        let transfers = Transfers::default();
        let slow = peer();
        let place = transfers.place_in_time(&slow).await.unwrap();
        let mut body = body(Bytes::from(vec![7; 100 * PIECE]), place, &slow);
        let began = Instant::now();
        while transfers.free() < MOST {
            body.frame().await.unwrap().unwrap();
            tokio::time::sleep(SECOND / 8).await;
        }
        let held = began.elapsed();
        assert!(held >= HELD_UP && held < HELD_UP + SECOND, "{held:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_one_place_and_all_have_so_many() {
        let transfers = Arc::new(Transfers::default());
        let first = peer();
        let mut places = vec![transfers.place_in_time(&first).await.unwrap()];
        let began = Instant::now();
        assert!(matches!(transfers.place_in_time(&first).await, Err(2..=10)));
        assert_eq!(began.elapsed(), WAIT);
        while places.len() < MOST {
            places.push(transfers.place_in_time(&peer()).await.unwrap());
        }
        assert!(transfers.place_in_time(&peer()).await.is_err());
        assert_eq!((transfers.busy.get(), transfers.waiting.get()), (2, 0));
        let waits = Arc::clone(&transfers);
        let waits = tokio::spawn(async move { waits.place_in_time(&peer()).await.is_ok() });
        settle().await;
        assert_eq!(transfers.waiting.get(), 1);
        places.pop();
        assert!(waits.await.unwrap());
        assert_eq!(transfers.waiting.get(), 0);
    }
}
