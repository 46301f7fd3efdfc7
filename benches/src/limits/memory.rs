//! Resident memory before and after requests of very many distinct callers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Options, bootstrap, filter, start};
use crate::Error;
use crate::report::Figures;

/// Connections of each of two clients: as many requests are under way at once, one on each, since Envoy takes requests that
/// do not wait for answers for a flood.
const CONNECTIONS: usize = 32;
/// Callers that a request names, each counted by a limit of its own.
const CALLERS: u64 = 4;
/// Callers after which buffers and caches have their size.
const WARM_UP: u64 = 200_000;

/// As many limits as a request names callers.
fn limits() -> String {
    let each = |line: fn(u64) -> String| (0..CALLERS).map(line).collect::<String>();
    let callers = each(|at| format!("  key-{at}: {{ by: [header.x-key-{at}] }}\n"));
    let limits = each(|at| {
        format!("  daily-{at}: {{ caller: key-{at}, rates: [{{ requests: 1000, per: day }}] }}\n")
    });
    format!("callers:\n{callers}rate_limits:\n{limits}")
}

pub(super) fn run(options: &Options, figures: &mut Figures) -> Result<Value, Error> {
    let envoy = start(options, &bootstrap(2).filter(&filter(options, &limits())?))?;
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

/// Sends requests of so many callers, over two clients' connections.
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
    let mut next = first;
    let mut request = Vec::new();
    while next < first + count {
        for stream in &mut streams {
            request.clear();
            write_request(&mut request, next)?;
            next += CALLERS;
            stream.write_all(&request)?;
        }
        streams.iter_mut().try_for_each(read_answer)?;
    }
    Ok(())
}

/// A request that names callers whom no other names.
fn write_request(request: &mut Vec<u8>, first: u64) -> Result<(), Error> {
    request.extend_from_slice(b"GET /ping HTTP/1.1\r\nhost: bench.example\r\n");
    for at in 0..CALLERS {
        write!(request, "x-key-{at}: caller-{}\r\n", first + at)?;
    }
    request.extend_from_slice(b"\r\n");
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
