//! A gateway that polls over a connection that it keeps.

use std::convert::Infallible;
use std::io;
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
        let Err(what) = polled;
        fleet.failed(&format!("poller: {what}"));
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
) -> Result<Infallible, String> {
    let mut stream = TcpStream::connect(to).await.map_err(|it| told("connect", &it))?;
    stream.set_nodelay(true).map_err(|it| told("connect", &it))?;
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
        stream.write_all(request.as_bytes()).await.map_err(|it| told("ask", &it))?;
        let (head, mut left) = head(&mut stream, &mut buffer).await?;
        let field = |name: &str| {
            let value = head.lines().find_map(|line| line.strip_prefix(name));
            value.map(|it| it.trim().to_owned()).ok_or_else(|| format!("no {name}"))
        };
        match head.get(9..12).unwrap_or_default() {
            "304" => {
                fleet.rounds.fetch_add(1, Ordering::Relaxed);
            }
            "200" => {
                let length: usize = parsed(&field("content-length:")?)? as usize;
                while left < length {
                    let most = buffer.len().min(length - left);
                    match stream.read(&mut buffer[..most]).await {
                        Err(error) => return Err(told("body", &error)),
                        Ok(0) => return Err("body: ended".to_owned()),
                        Ok(count) => left += count,
                    }
                }
                *etag = field("etag:")?;
                *epoch = parsed(&field("portcullis-epoch:")?)?;
                fleet.has(number, *epoch);
            }
            "503" => {
                fleet.busy.fetch_add(1, Ordering::Relaxed);
                let length = parsed(&field("content-length:")?)? as usize;
                let rest = buffer.get_mut(..length.saturating_sub(left)).ok_or("a long 503")?;
                stream.read_exact(rest).await.map_err(|it| told("body", &it))?;
                let after = parsed(&field("retry-after:")?)?;
                tokio::time::sleep(Duration::from_secs(after)).await;
                continue;
            }
            status => return Err(format!("status {status}")),
        }
        round += 1;
        // Between three quarters and five of the interval, differently for each gateway and round.
        let part = (number * 7919 + round * 104_729) % 1000;
        tokio::time::sleep(interval.mul_f64(0.75 + 0.0005 * part as f64)).await;
    }
}

/// The head of an answer, and how much of the body came with it.
async fn head(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(String, usize), String> {
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).ok_or("a long head")?;
        let count = stream.read(room).await.map_err(|it| told("head", &it))?;
        if count == 0 {
            return Err("head: ended".to_owned());
        }
        filled += count;
        let read = &buffer[..filled];
        if let Some(end) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            return Ok((head, filled - end - 4));
        }
    }
}

fn parsed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn told(doing: &str, error: &io::Error) -> String {
    format!("{doing}: {}", error.kind())
}
