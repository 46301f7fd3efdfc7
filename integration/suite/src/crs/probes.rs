//! Requests made of the payloads of others: put elsewhere, written otherwise, changed in a few bytes.

use super::message::Message;
use crate::differential::Random;

/// A request with one payload, made of those of some messages.
pub fn probe(bases: &[Message], seed: u64, index: u64) -> Message {
    let mut random = Random::new(seed, index);
    let base = &bases[random.below(bases.len())];
    if base.answer().is_some() {
        return base.clone();
    }
    let payloads = payloads(base);
    let mut payload = match payloads.is_empty() {
        true => b"x".to_vec(),
        false => payloads[random.below(payloads.len())].clone(),
    };
    change(&mut payload, &mut random);
    place(&payload, &mut random)
}

/// What stands in the places of a message that clients fill.
fn payloads(base: &Message) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let (path, query) = base.uri.split_once('?').unwrap_or((&base.uri, ""));
    if path.len() > 6 {
        out.push(decoded(path.as_bytes()));
    }
    let kind = base.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let is_form = kind.starts_with(b"application/x-www-form-urlencoded");
    let form: &[u8] = if is_form { &base.body } else { b"" };
    for pair in [query.as_bytes(), form].into_iter().flat_map(|text| text.split(|it| *it == b'&')) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        out.extend(halves.next().map(decoded));
        out.extend(halves.next().map(decoded));
    }
    if !is_form && !base.body.is_empty() {
        out.push(base.body.clone());
        out.extend(
            base.body.split(|byte| *byte == b'"').map(<[u8]>::to_vec).filter(|text| text.len() > 4),
        );
    }
    const USUAL: [&str; 6] =
        ["host", "accept", "connection", "content-length", "content-type", "user-agent"];
    for (name, value) in &base.headers {
        if !USUAL.contains(&name.as_str()) || name == "user-agent" && !value.starts_with(b"OWASP") {
            out.push(value.clone());
        }
        if name == "cookie" {
            out.extend(value.split(|byte| matches!(byte, b';' | b'=')).map(<[u8]>::to_vec));
        }
    }
    out.retain(|text| text.len() > 1 && text.len() < 4096);
    out
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}

/// Changes a payload, or leaves it.
fn change(payload: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..[0, 0, 1, 1, 2, 4][random.below(6)] {
        let at = random.below(payload.len());
        match random.below(12) {
            0 => drop(payload.remove(at)),
            1 => payload.insert(at, payload[random.below(payload.len())]),
            2 => payload.insert(at, b" \t\n\r\x0b\x0c\0\xa0"[random.below(8)]),
            3 => payload.insert(at, b"'\"`;()[]{}<>|&$\\/^*=+-#%@!?.:,~_"[random.below(32)]),
            4 => payload.insert_text(
                at,
                [&b"/**/"[..], b"-- ", b"%00", b"\\x41", b"&lt;", b"%u0027"][random.below(6)],
            ),
            5 => payload[at] ^= 0x20,
            6 => payload.make_ascii_uppercase(),
            7 => payload.truncate(at.max(2)),
            8 => drop(payload.drain(..at.min(payload.len() - 1))),
            9 => payload.insert(at, 0x80 + random.below(128) as u8),
            10 => payload.extend_from_within(..),
            _ => payload.insert(at, b'0' + random.below(75) as u8),
        }
        if payload.is_empty() {
            payload.push(b'x');
        }
    }
    payload.truncate(2048);
}

trait InsertText {
    fn insert_text(&mut self, at: usize, text: &[u8]);
}

impl InsertText for Vec<u8> {
    fn insert_text(&mut self, at: usize, text: &[u8]) {
        drop(self.splice(at..at, text.iter().copied()));
    }
}

/// Percent-encodes: what must be, or also others.
fn encoded(text: &[u8], random: &mut Random) -> Vec<u8> {
    let more = [0, 0, 2, 100][random.below(4)];
    let mut out = Vec::new();
    for byte in text {
        let safe = byte.is_ascii_alphanumeric() || b"-_.~()!*',:@/$".contains(byte);
        match byte {
            b' ' if random.below(2) == 0 => out.push(b'+'),
            _ if safe && (more == 0 || random.below(100) >= more) => out.push(*byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

fn escaped(text: &[u8], random: &mut Random) -> String {
    let text = String::from_utf8_lossy(text);
    let written = serde_json::to_string(&*text).unwrap_or_default();
    match random.below(4) {
        0 => {
            text.chars().fold(String::from("\""), |out, letter| match letter as u32 {
                code @ 0..0x10000 => format!("{out}\\u{code:04x}"),
                _ => format!("{out}{letter}"),
            }) + "\""
        }
        _ => written,
    }
}

/// A field's value: no line ends, no bytes 0.
fn field(text: &[u8]) -> Vec<u8> {
    let kept = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0));
    let kept: Vec<u8> = kept.collect();
    kept.trim_ascii().to_vec()
}

/// A request that holds a payload.
fn place(payload: &[u8], random: &mut Random) -> Message {
    let mut message = Message {
        method: "GET".to_owned(),
        uri: "/get".to_owned(),
        version: "HTTP/1.1".to_owned(),
        headers: vec![
            ("host".to_owned(), b"localhost".to_vec()),
            ("user-agent".to_owned(), b"probe".to_vec()),
            ("accept".to_owned(), b"*/*".to_vec()),
        ],
        body: Vec::new(),
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let post = |message: &mut Message, kind: &str, body: Vec<u8>| {
        message.method = "POST".to_owned();
        message.headers.push(("content-type".to_owned(), kind.as_bytes().to_vec()));
        message.headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
        message.body = body;
    };
    match random.below(19) {
        0..3 => message.uri = format!("/get?q={}", text(encoded(payload, random))),
        3 => message.uri = format!("/get?{}=1", text(encoded(payload, random))),
        4 => message.uri = format!("/get?a=1&b={}&b=2", text(encoded(payload, random))),
        5 => message.uri = format!("/{}", text(encoded(payload, random)).replace('+', "%20")),
        6 => {
            let twice = encoded(&encoded(payload, random), random);
            message.uri = format!("/get?q={}", text(twice));
        }
        7 => message.headers[1].1 = field(payload),
        8 => message.headers.push(("referer".to_owned(), field(payload))),
        9 => message.headers.push(("x-probe".to_owned(), field(payload))),
        10 => {
            let value = [&b"a=1; b="[..], &field(payload)].concat();
            message.headers.push(("cookie".to_owned(), value));
        }
        11..13 => {
            let body = [&b"a=1&b="[..], &encoded(payload, random)].concat();
            post(&mut message, "application/x-www-form-urlencoded", body);
        }
        13 => {
            let body = [&encoded(payload, random)[..], b"=1"].concat();
            post(&mut message, "application/x-www-form-urlencoded; charset=utf-8", body);
        }
        14 => {
            let body = format!("{{\"a\":1,\"b\":{{\"c\":[{}]}}}}", escaped(payload, random));
            post(&mut message, "application/json", body.into_bytes());
        }
        15 => {
            let body = format!("{{{}:true}}", escaped(payload, random));
            post(&mut message, "application/json", body.into_bytes());
        }
        16 => {
            let body = [
                b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n",
                payload,
                b"\r\n--b--\r\n",
            ];
            post(&mut message, "multipart/form-data; boundary=b", body.concat());
        }
        17 => {
            let name = field(payload);
            let name: Vec<u8> = name.into_iter().filter(|it| !matches!(it, b'"' | b'\\')).collect();
            let body = [
                b"--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"",
                &name[..],
                b"\"\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n",
            ];
            post(&mut message, "multipart/form-data; boundary=b", body.concat());
        }
        _ => {
            let text = String::from_utf8_lossy(&field(payload)).into_owned();
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let text: String = text.chars().filter(|it| *it >= ' ' && *it != '\u{7f}').collect();
            let body = format!("<?xml version=\"1.0\"?><a b=\"{text}\"><c>{text}</c></a>");
            post(&mut message, "application/xml", body.into_bytes());
        }
    }
    message
}
