//! A gateway that polls over a connection that it keeps.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fleet::Fleet;

/// Polls for good. A connection that breaks is made anew.
pub async fn run(fleet: Arc<Fleet>, number: usize, to: SocketAddr, interval: Duration) {
    let (mut etag, mut epoch) = (String::new(), 0);
    loop {
        let polled = poll(&fleet, number, to, interval, &mut etag, &mut epoch).await;
        if polled.is_none() {
            fleet.errors.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(interval / 4).await;
    }
}

async fn poll(
    fleet: &Fleet,
    number: usize,
    to: SocketAddr,
    interval: Duration,
    etag: &mut String,
    epoch: &mut u64,
) -> Option<()> {
    let mut stream = TcpStream::connect(to).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let mut buffer = vec![0; 16 << 10];
    let mut round = 0;
    loop {
        let known = match etag.is_empty() {
            true => String::new(),
            false => format!("if-none-match: {etag}\r\n"),
        };
        let request = format!(
            "GET /v1/policies/bench/bundle HTTP/1.1\r\nhost: control\r\nportcullis-gateway: poller-{number}\r\n\
             portcullis-labels: region=eu,tier=test\r\nportcullis-workers: 0={epoch},1={epoch}\r\n\
             portcullis-version: 0.1.0\r\n{known}\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let (head, mut left) = head(&mut stream, &mut buffer).await?;
        let field = |name: &str| {
            head.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        match head.get(9..12)? {
            "304" => {
                fleet.rounds.fetch_add(1, Ordering::Relaxed);
            }
            "200" => {
                let length: usize = field("content-length:")?.parse().ok()?;
                while left < length {
                    let most = buffer.len().min(length - left);
                    match stream.read(&mut buffer[..most]).await.ok()? {
                        0 => return None,
                        count => left += count,
                    }
                }
                *etag = field("etag:")?;
                *epoch = field("portcullis-epoch:")?.parse().ok()?;
                fleet.has(number, *epoch);
            }
            _ => return None,
        }
        round += 1;
        // Between three quarters and five of the interval, differently for each gateway and round.
        let part = (number * 7919 + round * 104_729) % 1000;
        tokio::time::sleep(interval.mul_f64(0.75 + 0.0005 * part as f64)).await;
    }
}

/// The head of an answer, and how much of the body came with it.
async fn head(stream: &mut TcpStream, buffer: &mut [u8]) -> Option<(String, usize)> {
    let mut filled = 0;
    loop {
        let count = stream.read(buffer.get_mut(filled..)?).await.ok()?;
        if count == 0 {
            return None;
        }
        filled += count;
        let read = buffer.get(..filled)?;
        if let Some(end) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            return Some((head, filled - end - 4));
        }
    }
}
