//! How many of the offered requests are admitted under two workers, against what the limit allows.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Options, bootstrap, filter, request, start};
use crate::Error;
use crate::report::Figures;

/// Requests a second that a caller may send, and at once.
const RATE: f64 = 200.0;
const BURST: f64 = 20.0;
/// Connections of one caller: they go to both workers.
const CONNECTIONS: u32 = 4;

const LIMITS: &str = "callers: { key: { by: [header.x-key] } }\n\
                      rate_limits: { rate: { caller: key, rates: [{ requests: 200, per: second, burst: 20 }] } }\n";

pub(super) fn run(options: &Options, figures: &mut Figures) -> Result<Value, Error> {
    let envoy = start(options, &bootstrap(2).filter(&filter(options, LIMITS)?))?;
    println!(
        "{:>8}{:>10}{:>10}{:>10}{:>9}  two workers, {RATE} a second",
        "offered", "sent", "admitted", "allowed", "error"
    );
    let mut rows = Vec::new();
    for (name, times) in [("0.5", 0.5), ("1", 1.0), ("2", 2.0), ("10", 10.0)] {
        let row = offer(envoy.address(), &format!("caller-{name}"), times * RATE, options.seconds)?;
        let allowed = row.sent.min(BURST + RATE * row.span);
        let error = 100.0 * (row.admitted - allowed) / allowed;
        println!("{:>7}x{:>10}{:>10}{:>10.0}{error:>8.2}%", name, row.sent, row.admitted, allowed);
        figures.add(&format!("error_percent_{}x", name.replace('.', "_")), error, 2);
        rows.push(json!({ "offered": times, "sent": row.sent, "admitted": row.admitted, "allowed": allowed, "seconds": row.span }));
    }
    let contended = envoy.stat("wasmcustom.portcullis.limit.contended")?;
    let uncounted = envoy.stat("wasmcustom.portcullis.limit.uncounted")?;
    println!("contended {contended}, uncounted {uncounted}");
    figures.add("uncounted", uncounted as f64, 0);
    Ok(json!({ "rows": rows, "contended": contended, "uncounted": uncounted }))
}

struct Row {
    sent: f64,
    admitted: f64,
    /// Seconds from the first request to the last answer.
    span: f64,
}

/// Offers a rate evenly, over several connections at once.
fn offer(to: SocketAddr, key: &str, rate: f64, seconds: u64) -> Result<Row, Error> {
    let request = request(key);
    let gap = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
    let started = Instant::now();
    let results: Vec<Result<(u32, u32, Duration), Error>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let request = &request;
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(to)?;
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
                    let (mut sent, mut admitted) = (0, 0);
                    let mut due = gap / CONNECTIONS * number;
                    while due < Duration::from_secs(seconds) {
                        std::thread::sleep(due.saturating_sub(started.elapsed()));
                        stream.write_all(request)?;
                        sent += 1;
                        admitted += u32::from(is_admitted(&mut stream)?);
                        due += gap;
                    }
                    Ok((sent, admitted, started.elapsed()))
                })
            })
            .collect();
        let failed = || Error::Unexpected("a client failed".to_owned());
        clients.into_iter().map(|it| it.join().unwrap_or_else(|_| Err(failed()))).collect()
    });
    let mut row = Row { sent: 0.0, admitted: 0.0, span: 0.0 };
    for result in results {
        let (sent, admitted, span) = result?;
        row.sent += f64::from(sent);
        row.admitted += f64::from(admitted);
        row.span = row.span.max(span.as_secs_f64());
    }
    Ok(row)
}

/// Reads an answer: its head, and a body of the length that it says.
fn is_admitted(stream: &mut TcpStream) -> Result<bool, Error> {
    let mut buffer = [0; 4096];
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..])?;
        length += read;
        let text = String::from_utf8_lossy(&buffer[..length]);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let field = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let expected: usize = field.and_then(|it| it.parse().ok()).unwrap_or(0);
            if body.len() >= expected {
                return match (head.starts_with("HTTP/1.1 200"), head.starts_with("HTTP/1.1 429")) {
                    (false, false) => Err(Error::Unexpected(format!("an answer: `{head}`"))),
                    (admitted, _) => Ok(admitted),
                };
            }
        }
        if read == 0 || length == buffer.len() {
            return Err(Error::Unexpected("no whole answer".to_owned()));
        }
    }
}
