//! As much of Redis's protocol (RESP2) as counting takes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_millis(500);

/// Adds to a counter that is forgotten after so many seconds, and gives what it says then.
pub fn add(
    redis: SocketAddr,
    key: &str,
    by: u32,
    seconds: u64,
) -> Result<u64, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect_timeout(&redis, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    let count = command(&mut stream, &["INCRBY", key, &by.to_string()])?;
    command(&mut stream, &["EXPIRE", key, &seconds.to_string()])?;
    Ok(count)
}

/// Sends a command whose answer is a number.
fn command(
    stream: &mut BufReader<TcpStream>,
    words: &[&str],
) -> Result<u64, Box<dyn std::error::Error>> {
    let mut text = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| text.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    stream.get_mut().write_all(text.as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let number = line.trim_end().strip_prefix(':').ok_or_else(|| format!("answered {line:?}"))?;
    Ok(number.parse()?)
}
