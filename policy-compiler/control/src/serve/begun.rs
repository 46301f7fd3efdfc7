//! A connection whose first bytes have come: enough of them to tell HTTP/2 from HTTP/1.1.
//!
//! hyper waits for these without an end, and starts its timers only once it knows the version: whoever sends nothing
//! would keep a connection for good.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// What a client of HTTP/2 begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream, with what was read of it already.
#[derive(Debug)]
pub struct Begun<S> {
    head: [u8; PREFACE.len()],
    given: usize,
    read: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> Begun<S> {
    /// Waits for the first bytes.
    ///
    /// # Errors
    /// A connection that ends or breaks before.
    pub async fn of(stream: S) -> io::Result<Begun<S>> {
        let mut begun = Begun { head: [0; PREFACE.len()], given: 0, read: 0, stream };
        loop {
            let more = begun.stream.read(&mut begun.head[begun.read..]).await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            begun.read += more;
            let head = &begun.head[..begun.read];
            if head.len() == PREFACE.len() || !PREFACE.starts_with(head) {
                return Ok(begun);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = &self.head[self.given..self.read];
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..count]);
        self.given += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, duplex};

    #[tokio::test]
    async fn what_was_read_first_is_read_again() {
        for sent in [&b"GET / HTTP/1.1\r\n\r\n and more"[..], &PREFACE[..], b"PRx", b"POST"] {
            let (mut client, server) = duplex(64);
            client.write_all(sent).await.unwrap();
            let mut begun = Begun::of(server).await.unwrap();
            drop(client);
            let mut read = Vec::new();
            begun.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, sent);
        }
    }

    #[tokio::test]
    async fn nothing_and_half_a_preface_are_no_beginning() {
        for sent in [&b""[..], b"P", &PREFACE[..23]] {
            let (mut client, server) = duplex(64);
            client.write_all(sent).await.unwrap();
            let waited = std::time::Duration::from_millis(50);
            assert!(tokio::time::timeout(waited, Begun::of(server)).await.is_err(), "{sent:?}");
            let (client, server) = duplex(64);
            drop(client);
            assert!(Begun::of(server).await.is_err());
        }
    }
}
