//! A rate-limit service for tests: a process of its own that speaks `envoy.service.ratelimit.v3` as envoyproxy/ratelimit does, in
//! fixed windows, and keeps its counts in Redis. It reads and writes the messages by prost, not by what the filter has.
//!
//! `rate-limit-service --redis HOST:PORT [--listen HOST:PORT] [--behaviour NAME] RULE…`, where a rule is
//! `LIMIT/WINDOW=AMOUNT/UNIT`. Prints the address that it listens on.

mod messages;
mod redis;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::{self, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use messages::{Code, DescriptorStatus, RateLimit, RateLimitRequest, RateLimitResponse};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

/// gRPC's status for what may work later.
const UNAVAILABLE: &str = "14";

/// What the service does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Right,
    /// It never answers.
    Hang,
    /// It answers with an error.
    Fail,
    /// It answers after so long.
    Late(Duration),
    /// It answers with bytes that are no message.
    Garbage,
    /// It says neither yes nor no.
    Unknown,
    /// It answers without a message.
    Empty,
    /// It says no, and nothing more, as Limitador does.
    Bare,
}

/// A limit, as `LIMIT/WINDOW=AMOUNT/UNIT`.
#[derive(Debug)]
struct Rule {
    limit: String,
    window: String,
    amount: u32,
    unit: &'static Unit,
}

/// A unit of `RateLimitResponse.RateLimit`.
#[derive(Debug)]
struct Unit {
    name: &'static str,
    code: i32,
    seconds: u64,
}

const UNITS: [Unit; 4] = [
    Unit { name: "second", code: 1, seconds: 1 },
    Unit { name: "minute", code: 2, seconds: 60 },
    Unit { name: "hour", code: 3, seconds: 3600 },
    Unit { name: "day", code: 4, seconds: 86_400 },
];

#[derive(Debug)]
struct Service {
    redis: SocketAddr,
    behaviour: Behaviour,
    rules: Vec<Rule>,
}

fn main() -> Result<(), Failure> {
    let mut listen = "127.0.0.1:0".to_owned();
    let (mut redis, mut behaviour, mut rules) = (None, Behaviour::Right, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} what?"));
        match argument.as_str() {
            "--listen" => listen = value()?,
            "--redis" => redis = Some(value()?.parse()?),
            "--behaviour" => behaviour = read_behaviour(&value()?)?,
            rule => rules.push(read_rule(rule).ok_or_else(|| format!("{rule}: no rule"))?),
        }
    }
    let service = Service { redis: redis.ok_or("--redis is missing")?, behaviour, rules };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(Rc::new(service), listen))
}

fn read_behaviour(text: &str) -> Result<Behaviour, Failure> {
    Ok(match text {
        "right" => Behaviour::Right,
        "hang" => Behaviour::Hang,
        "fail" => Behaviour::Fail,
        "garbage" => Behaviour::Garbage,
        "unknown" => Behaviour::Unknown,
        "empty" => Behaviour::Empty,
        "bare" => Behaviour::Bare,
        other => {
            let milliseconds = other.strip_prefix("late=").ok_or("no such behaviour")?;
            Behaviour::Late(Duration::from_millis(milliseconds.parse()?))
        }
    })
}

fn read_rule(text: &str) -> Option<Rule> {
    let (name, terms) = text.split_once('=')?;
    let (limit, window) = name.split_once('/')?;
    let (amount, unit) = terms.split_once('/')?;
    let unit = UNITS.iter().find(|known| known.name == unit)?;
    let own = |text: &str| text.to_owned();
    Some(Rule { limit: own(limit), window: own(window), amount: amount.parse().ok()?, unit })
}

async fn serve(service: Rc<Service>, listen: String) -> Result<(), Failure> {
    let listener = TcpListener::bind(listen).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = Rc::clone(&service);
        tokio::task::spawn_local(async move {
            // A connection that fails is the client's to report.
            let _ = connection(service, stream).await;
        });
    }
}

async fn connection(service: Rc<Service>, stream: TcpStream) -> Result<(), Failure> {
    let mut connection = server::handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        let service = Rc::clone(&service);
        tokio::task::spawn_local(async move {
            if let Err(error) = call(&service, request, respond).await {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

async fn call(
    service: &Service,
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Failure> {
    let path = request.uri().path().to_owned();
    if path != "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit" {
        return Err(format!("{path} is no method").into());
    }
    let mut body = request.into_body();
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    // A message of gRPC: not compressed, its length, itself.
    let message = bytes.get(5..).ok_or("no message")?;
    let asked = RateLimitRequest::decode(message)?;
    match service.behaviour {
        Behaviour::Hang => std::future::pending::<()>().await,
        Behaviour::Late(after) => tokio::time::sleep(after).await,
        _ => {}
    }
    let answer = match service.behaviour {
        Behaviour::Fail => Err(UNAVAILABLE),
        Behaviour::Garbage => Ok(b"\xFF\xFF\xFFthis is no message".to_vec()),
        Behaviour::Empty => Ok(Vec::new()),
        Behaviour::Unknown => Ok(RateLimitResponse::default().encode_to_vec()),
        _ => answer(service, &asked).map(|it| it.encode_to_vec()).map_err(|error| {
            eprintln!("redis: {error}");
            UNAVAILABLE
        }),
    };
    let head =
        Response::builder().status(StatusCode::OK).header("content-type", "application/grpc");
    let mut send = respond.send_response(head.body(())?, false)?;
    let mut trailers = HeaderMap::new();
    match answer {
        Ok(message) => {
            let mut framed = BytesMut::with_capacity(message.len() + 5);
            framed.put_u8(0);
            framed.put_u32(u32::try_from(message.len())?);
            framed.put_slice(&message);
            send.send_data(framed.freeze(), false)?;
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        Err(status) => {
            trailers.insert("grpc-status", HeaderValue::from_static(status));
        }
    }
    send.send_trailers(trailers)?;
    Ok(())
}

/// Counts each descriptor that a rule is for, and says how it stands.
fn answer(service: &Service, asked: &RateLimitRequest) -> Result<RateLimitResponse, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let hits = asked.hits_addend.max(1);
    let mut response = RateLimitResponse { overall_code: Code::Ok as i32, statuses: Vec::new() };
    for descriptor in &asked.descriptors {
        let entry = |key: &str| {
            let found = descriptor.entries.iter().find(|entry| entry.key == key);
            found.map_or("", |entry| entry.value.as_str())
        };
        let holds = |rule: &&Rule| rule.limit == entry("limit") && rule.window == entry("window");
        let Some(rule) = service.rules.iter().find(holds) else {
            response
                .statuses
                .push(DescriptorStatus { code: Code::Ok as i32, ..Default::default() });
            continue;
        };
        let window = now.as_secs() / rule.unit.seconds;
        let entries = descriptor.entries.iter().map(|it| format!("{}_{}", it.key, it.value));
        let name: Vec<String> = entries.collect();
        let key = format!("{}_{}_{window}", asked.domain, name.join("_"));
        let count = redis::add(service.redis, &key, hits, rule.unit.seconds)?;
        let is_over = count > u64::from(rule.amount);
        let code = if is_over { Code::OverLimit } else { Code::Ok } as i32;
        if is_over {
            response.overall_code = code;
        }
        let ends = Duration::from_secs((window + 1) * rule.unit.seconds);
        let left = ends.saturating_sub(now);
        response.statuses.push(DescriptorStatus {
            code,
            current_limit: Some(RateLimit { requests_per_unit: rule.amount, unit: rule.unit.code }),
            limit_remaining: rule.amount.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX)),
            duration_until_reset: Some(messages::Span {
                seconds: i64::try_from(left.as_secs())?,
                nanos: i32::try_from(left.subsec_nanos())?,
            }),
        });
    }
    if service.behaviour == Behaviour::Bare {
        response.statuses.clear();
    }
    Ok(response)
}
