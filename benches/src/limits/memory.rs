//! Resident memory before and after requests of very many distinct callers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Options, bootstrap, filter, request, start};
use crate::Error;
use crate::report::Figures;

/// Connections of each of two clients: as many requests are under way at once.
const CONNECTIONS: u64 = 32;
/// Callers after which buffers and caches have their size.
const WARM_UP: u64 = 200_000;

const LIMITS: &str = "callers: { key: { by: [header.x-key] } }\n\
                      rate_limits: { daily: { caller: key, rates: [{ requests: 1000, per: day }] } }\n";

pub(super) fn run(options: &Options, figures: &mut Figures) -> Result<Value, Error> {
    let envoy = start(options, &bootstrap(2).filter(&filter(options, LIMITS)?))?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    flood(envoy.address(), 0, WARM_UP)?;
    let before = envoy.usage()?.resident;
    let mut samples = vec![mib(before)];
    let mut done = 0;
    while done < options.callers {
        let count = (options.callers - done).min(1_000_000);
        flood(envoy.address(), WARM_UP + done, count)?;
        done += count;
        samples.push(mib(envoy.usage()?.resident));
    }
    let after = envoy.usage()?.resident;
    let evicted = envoy.stat("wasmcustom.portcullis.limit.evicted")?;
    if evicted == 0 && options.callers > 200_000 {
        return Err(Error::Unexpected("no count was given up: was anything counted?".to_owned()));
    }
    println!(
        "resident memory: {:.1} MiB, after {done} more callers {:.1} MiB; {evicted} counts given up",
        mib(before),
        mib(after)
    );
    figures.add("before_mib", mib(before), 1);
    figures.add("after_mib", mib(after), 1);
    figures.add("growth_mib", mib(after) - mib(before), 1);
    Ok(json!({ "callers": done, "resident_mib": samples, "evicted": evicted }))
}

/// Sends a request of each of so many callers, over two clients' connections.
fn flood(to: SocketAddr, first: u64, count: u64) -> Result<(), Error> {
    std::thread::scope(|scope| {
        let halves = [(first, count / 2), (first + count / 2, count - count / 2)];
        let clients = halves.map(|(first, count)| scope.spawn(move || send(to, first, count)));
        let failed = || Error::Unexpected("a client failed".to_owned());
        clients.into_iter().try_for_each(|it| it.join().unwrap_or_else(|_| Err(failed())))
    })
}

fn send(to: SocketAddr, first: u64, count: u64) -> Result<(), Error> {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        streams.push(stream);
    }
    let mut sent = 0;
    while sent < count {
        let now = CONNECTIONS.min(count - sent) as usize;
        for (at, stream) in (sent..).zip(streams.iter_mut().take(now)) {
            stream.write_all(&request(&format!("caller-{}", first + at)))?;
        }
        for stream in streams.iter_mut().take(now) {
            read_answer(stream)?;
        }
        sent += now as u64;
    }
    Ok(())
}

/// Reads an answer, which has no body.
fn read_answer(stream: &mut TcpStream) -> Result<(), Error> {
    let mut buffer = [0; 4096];
    let mut length = 0;
    while !buffer[..length].ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut buffer[length..])?;
        if read == 0 {
            return Err(Error::Unexpected("the connection was closed".to_owned()));
        }
        length += read;
    }
    match buffer.starts_with(b"HTTP/1.1 200") {
        true => Ok(()),
        false => Err(Error::Unexpected("a caller was refused".to_owned())),
    }
}
