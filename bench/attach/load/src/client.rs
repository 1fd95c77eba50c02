//! Concurrent streams over keep-alive connections; each sends its next request when its answer is complete.

use crate::Options;
use crate::answer::Answer;
use crate::epoll::{Epoll, READ};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Sends requests and prints the results as one JSON object. Options: `ports`, among which connections are distributed;
/// `concurrency`; `seconds`, after which no requests are sent; `requests` per connection, 0 for no limit; `chunks` in
/// an answer; `spread_us`, over which the first requests are spread; `seed` of the prompts.
pub fn run(options: &Options) -> io::Result<()> {
    let begun = Instant::now();
    let requests = options.number("requests");
    let mut client = Client {
        epoll: Epoll::new()?,
        ports: options.list("ports").iter().map(|&port| port as u16).collect(),
        chunks: options.number("chunks") as usize,
        requests: if requests == 0 { u64::MAX } else { requests },
        end: begun + Duration::from_secs(options.number("seconds")),
        words: Words(options.number("seed").wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        connections: Vec::new(),
        starts: BinaryHeap::new(),
        figures: Figures::default(),
    };
    let spread = Duration::from_micros(options.number("spread_us"));
    let concurrency = options.number("concurrency").max(1) as u32;
    for i in 0..concurrency {
        client.connections.push(client.connect(i as usize)?);
        client.starts.push(Reverse((begun + spread * i / concurrency, i as usize)));
    }
    client.work()?;
    println!("{}", client.figures.to_json(begun.elapsed()));
    Ok(())
}

struct Client {
    epoll: Epoll,
    ports: Vec<u16>,
    chunks: usize,
    requests: u64,
    /// No requests are sent after this time.
    end: Instant,
    words: Words,
    connections: Vec<Connection>,
    /// When connections send their next requests.
    starts: BinaryHeap<Reverse<(Instant, usize)>>,
    figures: Figures,
}

struct Connection {
    socket: TcpStream,
    asked: u64,
    running: Option<Running>,
}

struct Running {
    answer: Answer,
    asked_at: Instant,
    last_chunk: Instant,
}

#[derive(Default)]
struct Figures {
    answers: u64,
    chunks: u64,
    lost_chunks: u64,
    errors: u64,
    first_error: Option<String>,
    ttft_us: Vec<u32>,
    gaps_us: Vec<u32>,
}

impl Client {
    fn connect(&self, i: usize) -> io::Result<Connection> {
        let socket = TcpStream::connect(("127.0.0.1", self.ports[i % self.ports.len()]))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        self.epoll.add(socket.as_raw_fd(), i, READ)?;
        Ok(Connection { socket, asked: 0, running: None })
    }

    fn work(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 65_536];
        loop {
            let now = Instant::now();
            while self.starts.peek().is_some_and(|Reverse((at, _))| *at <= now) {
                let Reverse((_, i)) = self.starts.pop().unwrap();
                self.ask(i, now)?;
            }
            let is_running = self.connections.iter().any(|connection| connection.running.is_some());
            if !is_running && self.starts.is_empty() {
                return Ok(());
            }
            if now > self.end + PATIENCE {
                self.give_up();
                return Ok(());
            }
            let timeout = match self.starts.peek() {
                Some(Reverse((at, _))) => *at - now,
                None => Duration::from_secs(1),
            };
            for (i, _) in self.epoll.wait(timeout)? {
                self.receive(i, &mut buffer)?;
            }
        }
    }

    fn ask(&mut self, i: usize, now: Instant) -> io::Result<()> {
        let connection = &mut self.connections[i];
        if now >= self.end || connection.asked >= self.requests {
            return Ok(());
        }
        connection.asked += 1;
        let request = self.words.request();
        let asked_at = Instant::now();
        connection.running = Some(Running { answer: Answer::default(), asked_at, last_chunk: asked_at });
        // Such a short request always fits into an idle socket's buffer.
        match connection.socket.write_all(request.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) => self.fail(i, error.to_string()),
        }
    }

    fn receive(&mut self, i: usize, buffer: &mut [u8]) -> io::Result<()> {
        let connection = &mut self.connections[i];
        let length = match connection.socket.read(buffer) {
            Ok(0) => return self.fail(i, "the connection was closed".to_string()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return self.fail(i, error.to_string()),
        };
        let Some(running) = connection.running.as_mut() else {
            return self.fail(i, "unrequested bytes".to_string());
        };
        let now = Instant::now();
        let Running { answer, asked_at, last_chunk } = running;
        let is_first = answer.chunks == 0;
        let mut got = 0;
        let result = answer.read(&buffer[..length], || got += 1);
        for n in 0..got {
            let figures = &mut self.figures;
            match n {
                0 if is_first => figures.ttft_us.push((now - *asked_at).as_micros() as u32),
                0 => figures.gaps_us.push((now - *last_chunk).as_micros() as u32),
                _ => figures.gaps_us.push(0),
            }
        }
        self.figures.chunks += got;
        if got > 0 {
            *last_chunk = now;
        }
        if let Err(error) = result {
            return self.fail(i, error);
        }
        if !running.answer.is_complete() {
            return Ok(());
        }
        if let Some(fault) = running.answer.fault(self.chunks) {
            return self.fail(i, fault);
        }
        connection.running = None;
        self.figures.answers += 1;
        self.ask(i, now)
    }

    /// Counts the lost chunks of the connection's answer, and starts again with a new connection a little later.
    fn fail(&mut self, i: usize, error: String) -> io::Result<()> {
        if let Some(running) = self.connections[i].running.take() {
            self.figures.lose(self.chunks - running.answer.chunks.min(self.chunks), error);
        }
        let asked = self.connections[i].asked;
        self.connections[i] = Connection { asked, ..self.connect(i)? };
        self.starts.push(Reverse((Instant::now() + Duration::from_millis(20), i)));
        Ok(())
    }

    fn give_up(&mut self) {
        for running in self.connections.iter_mut().filter_map(|connection| connection.running.take()) {
            let lost = self.chunks - running.answer.chunks.min(self.chunks);
            self.figures.lose(lost, format!("no complete answer within {} s", PATIENCE.as_secs()));
        }
    }
}

/// How long to wait for answers after the end of a run.
const PATIENCE: Duration = Duration::from_secs(20);

impl Figures {
    fn lose(&mut self, chunks: usize, error: String) {
        self.errors += 1;
        self.lost_chunks += chunks as u64;
        self.first_error.get_or_insert(error);
    }

    fn to_json(&mut self, wall: Duration) -> String {
        let Self { answers, chunks, lost_chunks, errors, .. } = *self;
        let error = self.first_error.as_deref().map_or("null".to_string(), json_string);
        let (ttft, gaps) = (quantiles(&mut self.ttft_us), quantiles(&mut self.gaps_us));
        let wall = wall.as_secs_f64();
        format!(
            r#"{{"answers":{answers},"chunks":{chunks},"lostChunks":{lost_chunks},"errors":{errors},"firstError":{error},"ttftMs":{ttft},"gapMs":{gaps},"wallSeconds":{wall:.3},"cpuSeconds":{:.3}}}"#,
            cpu_seconds()
        )
    }
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// `text` as JSON, with question marks in place of characters that would need escaping or are not ASCII.
fn json_string(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii() && !c.is_ascii_control() && c != '\\';
    let plain: String = text.chars().map(|c| if is_plain(c) { c } else { '?' }).collect();
    format!("\"{}\"", plain.replace('"', "'"))
}

/// The 50th and 99th percentiles in ms as JSON: the nearest measured values.
fn quantiles(micros: &mut [u32]) -> String {
    micros.sort_unstable();
    let at = |share: f64| {
        let rank = (share * micros.len() as f64).ceil() as usize;
        micros.get(rank.saturating_sub(1)).map_or("null".to_string(), |&value| format!("{:.3}", value as f64 / 1000.0))
    };
    format!(r#"{{"p50":{},"p99":{}}}"#, at(0.5), at(0.99))
}

/// Generates different prompts of 200 words, with a xorshift generator.
struct Words(u64);

impl Words {
    fn request(&mut self) -> String {
        let prompt: Vec<&str> = (0..200).map(|_| VOCABULARY[(self.next() % VOCABULARY.len() as u64) as usize]).collect();
        let body = format!(
            r#"{{"model":"mock","messages":[{{"role":"user","content":"{}"}}],"stream":true,"max_tokens":128,"temperature":0}}"#,
            prompt.join(" ")
        );
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

const VOCABULARY: [&str; 32] = [
    "sea", "light", "stone", "river", "house", "engine", "paper", "window", "summer", "winter", "garden", "letter",
    "market", "bridge", "forest", "island", "copper", "silver", "morning", "evening", "question", "answer", "machine",
    "station", "harbour", "village", "mountain", "picture", "number", "colour", "journey", "silence",
];
