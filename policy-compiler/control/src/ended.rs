//! The end of what runs until it is told to end. The first process of a container has no default action for a signal:
//! without this it would be waited for, and then killed.

use std::panic::resume_unwind;
use std::thread;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Does some work on a thread, and waits until it is done, or for SIGTERM or SIGINT. `None`: a signal came first, and the
/// work goes on for as long as the process does.
pub fn until_told<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Without signals the work is done all the same.
    let Ok(runtime) = runtime else { return Some(work()) };
    let (done, waits) = oneshot::channel();
    let worker = thread::spawn(move || drop(done.send(work())));
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = waits => Some(outcome.ok()),
            () = by_signal() => None,
        }
    });
    match outcome {
        None => None,
        Some(Some(outcome)) => Some(outcome),
        // Nothing was sent: it panicked.
        Some(None) => worker.join().err().and_then(|panic| resume_unwind(panic)),
    }
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn by_signal() {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        },
        // Without signals there is no end but a kill.
        _ => std::future::pending().await,
    }
}
