//! Runs the demo bank, on a port of the loopback unless told otherwise.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::IpAddr;

use clap::Parser;
use tokio::net::TcpListener;

/// The small open-banking service that the Portcullis demo protects.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let never: Infallible = runtime.block_on(async {
        let listener = TcpListener::bind((options.host, options.port)).await?;
        // One line, flushed, for whoever started the process and waits for the port.
        let mut out = io::stdout();
        writeln!(out, "listening on {}", listener.local_addr()?)?;
        out.flush()?;
        demo_bank::server::serve(listener).await
    })?;
    match never {}
}
