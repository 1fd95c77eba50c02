//! Mock engines with vLLM's API, one per port. Chunk i of an answer is due i intervals after its request, however late
//! earlier chunks were; each chunk is one write.

use crate::Options;
use crate::epoll::{Epoll, READ, WRITE};
use crate::http::{Body, find, parse_head};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const MODEL: &str = "mock";

/// Prints the ports in one line, and serves until standard input ends.
pub fn run(options: &Options) -> io::Result<()> {
    let listeners: Vec<TcpListener> =
        (0..options.number("engines").max(1)).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut mock = Mock {
        epoll: Epoll::new()?,
        pace: Pace {
            start: Instant::now(),
            interval: Duration::from_micros(options.number("interval_us")),
            steps: options.number("steps") == 1,
        },
        chunks: options.number("chunks").max(2) as usize,
        connections: Vec::new(),
        free: Vec::new(),
        timers: BinaryHeap::new(),
        answers: 0,
        listeners,
        scratch: Vec::new(),
    };
    mock.serve()
}

struct Mock {
    epoll: Epoll,
    pace: Pace,
    chunks: usize,
    listeners: Vec<TcpListener>,
    /// Their epoll tokens follow those of standard input and the listeners.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// When the next chunk of a connection is due, and for which answer.
    timers: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    answers: u64,
    scratch: Vec<u8>,
}

struct Connection {
    socket: TcpStream,
    /// Bytes of an incomplete head.
    input: Vec<u8>,
    request: Option<Request>,
    /// Bytes that the socket has not accepted yet.
    output: Vec<u8>,
    /// Whether epoll watches for the socket to become writable.
    waits: bool,
    answer: Option<Answer>,
}

struct Request {
    first_line: String,
    body: Body,
    content: Vec<u8>,
}

struct Answer {
    number: u64,
    /// The JSON that all chunks have in common.
    prefix: String,
    begun: Instant,
    next: usize,
}

impl Mock {
    fn serve(&mut self) -> io::Result<()> {
        self.epoll.add(0, 0, READ)?;
        let mut ports = Vec::new();
        for (i, listener) in self.listeners.iter().enumerate() {
            listener.set_nonblocking(true)?;
            self.epoll.add(listener.as_raw_fd(), i + 1, READ)?;
            ports.push(listener.local_addr()?.port().to_string());
        }
        println!("{}", ports.join(" "));
        io::stdout().flush()?;
        let first = self.listeners.len() + 1;
        let mut buffer = vec![0; 65_536];
        loop {
            self.stream_due();
            let timeout = match self.timers.peek() {
                Some(Reverse((due, ..))) => due.saturating_duration_since(Instant::now()),
                None => Duration::from_secs(1),
            };
            for (token, events) in self.epoll.wait(timeout)? {
                match token {
                    0 if io::stdin().read(&mut buffer)? == 0 => return Ok(()),
                    0 => {}
                    _ if token < first => self.accept(token - 1)?,
                    _ => self.serve_connection(token - first, events, &mut buffer),
                }
            }
        }
    }

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        while let Ok((socket, _)) = self.listeners[listener].accept() {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.epoll.add(socket.as_raw_fd(), slot + self.listeners.len() + 1, READ)?;
            self.connections[slot] = Some(Connection {
                socket,
                input: Vec::new(),
                request: None,
                output: Vec::new(),
                waits: false,
                answer: None,
            });
        }
        Ok(())
    }

    fn serve_connection(&mut self, slot: usize, events: u32, buffer: &mut [u8]) {
        let Some(connection) = self.connections[slot].as_mut() else { return };
        if events & WRITE != 0 {
            let rest = std::mem::take(&mut connection.output);
            self.write(slot, &rest);
        } else {
            match connection.socket.read(buffer) {
                Ok(0) => self.close(slot),
                Ok(length) => self.receive(slot, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.close(slot),
            }
        }
    }

    fn receive(&mut self, slot: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(connection) = self.connections[slot].as_mut() else { return };
            if connection.request.is_none() {
                connection.input.extend_from_slice(bytes);
                let Some(head) = parse_head(&connection.input) else { return };
                bytes = &bytes[bytes.len() - (connection.input.len() - head.length)..];
                connection.input.clear();
                connection.request =
                    Some(Request { first_line: head.first_line, body: head.body, content: Vec::new() });
            }
            let request = connection.request.as_mut().unwrap();
            match request.body.read(bytes, &mut request.content) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(_) => return self.close(slot),
            }
            if request.body.is_complete() {
                let Request { first_line, content, .. } = connection.request.take().unwrap();
                self.reply(slot, &first_line, &content);
            }
        }
    }

    fn reply(&mut self, slot: usize, first_line: &str, content: &[u8]) {
        let path = first_line.split(' ').nth(1).unwrap_or_default();
        let is_stream = find(content, b"\"stream\":true").or(find(content, b"\"stream\": true")).is_some();
        if path == "/v1/chat/completions" && is_stream {
            return self.begin(slot);
        }
        let message = match path {
            "/v1/chat/completions" => json_response(&whole_answer(self.chunks)),
            "/health" | "/ping" => response("200 OK", "text/plain", ""),
            "/version" => json_response(r#"{"version":"0.32.0"}"#),
            "/v1/models" => json_response(&models()),
            "/load" => json_response(r#"{"server_load":0}"#),
            "/metrics" => response("200 OK", "text/plain; version=0.0.4; charset=utf-8", METRICS),
            "/tokenize" => json_response(&tokens(content)),
            _ => response("404 Not Found", "application/json", r#"{"detail":"Not Found"}"#),
        };
        self.write(slot, message.as_bytes());
    }

    fn begin(&mut self, slot: usize) {
        self.answers += 1;
        let number = self.answers;
        let created = seconds_since_1970();
        let prefix = format!(
            r#"data: {{"id":"chatcmpl-{number:032x}","object":"chat.completion.chunk","created":{created},"model":"{MODEL}","choices":[{{"index":0,"delta":"#
        );
        let Some(connection) = self.connections[slot].as_mut() else { return };
        connection.answer = Some(Answer { number, prefix, begun: Instant::now(), next: 0 });
        self.write_chunk(slot);
    }

    /// Writes all chunks that are due.
    fn stream_due(&mut self) {
        let now = Instant::now();
        while let Some(&Reverse((due, slot, number))) = self.timers.peek() {
            if due > now {
                break;
            }
            self.timers.pop();
            let answer = self.connections[slot].as_ref().and_then(|connection| connection.answer.as_ref());
            if answer.is_some_and(|answer| answer.number == number) {
                self.write_chunk(slot);
            }
        }
    }

    fn write_chunk(&mut self, slot: usize) {
        let Some(connection) = self.connections[slot].as_mut() else { return };
        let Some(answer) = connection.answer.as_mut() else { return };
        let i = answer.next;
        let is_last = i + 1 == self.chunks;
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        if i == 0 {
            bytes.extend_from_slice(STREAM_HEAD);
        }
        let suffix = match i {
            0 => r#"{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}"#.to_string(),
            _ => {
                let reason = if is_last { r#""length","stop_reason":null"# } else { "null" };
                format!(r#"{{"content":" {i}"}},"logprobs":null,"finish_reason":{reason},"token_ids":null}}]}}"#)
            }
        };
        let length = answer.prefix.len() + suffix.len() + 2;
        let _ = write!(bytes, "{length:x}\r\n{}{suffix}\n\n\r\n", answer.prefix);
        if is_last {
            bytes.extend_from_slice(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
            connection.answer = None;
        } else {
            answer.next += 1;
            self.timers.push(Reverse((self.pace.due(answer.begun, answer.next), slot, answer.number)));
        }
        self.write(slot, &bytes);
        self.scratch = bytes;
    }

    fn write(&mut self, slot: usize, bytes: &[u8]) {
        let token = slot + self.listeners.len() + 1;
        let Some(connection) = self.connections[slot].as_mut() else { return };
        let written = match connection.output.is_empty() {
            true => connection.socket.write(bytes),
            false => Ok(0),
        };
        let written = match written {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.close(slot),
        };
        connection.output.extend_from_slice(&bytes[written..]);
        let waits = !connection.output.is_empty();
        if waits != connection.waits {
            connection.waits = waits;
            let interest = if waits { READ | WRITE } else { READ };
            let _ = self.epoll.modify(connection.socket.as_raw_fd(), token, interest);
        }
    }

    /// Dropping the socket also removes it from epoll.
    fn close(&mut self, slot: usize) {
        if self.connections[slot].take().is_some() {
            self.free.push(slot);
        }
    }
}

struct Pace {
    start: Instant,
    interval: Duration,
    /// Whether all answers get their chunks at the same time, as from an engine's steps.
    steps: bool,
}

impl Pace {
    /// When chunk `i` of an answer that began at `begun` is due.
    fn due(&self, begun: Instant, i: usize) -> Instant {
        let offset = begun - self.start;
        let begun = match self.steps {
            true => self.start + self.interval * (offset.as_nanos() / self.interval.as_nanos().max(1)) as u32,
            false => begun,
        };
        begun + self.interval * i as u32
    }
}

const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

const METRICS: &str = r#"# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",cache_dtype="auto",enable_prefix_caching="True",num_gpu_blocks="4096",engine="0"} 1.0
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="mock"} 0.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="mock"} 0.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="mock"} 0.0
"#;

fn response(status: &str, content_type: &str, content: &str) -> String {
    let length = content.len();
    format!(
        "HTTP/1.1 {status}\r\nserver: uvicorn\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{content}"
    )
}

fn json_response(content: &str) -> String {
    response("200 OK", "application/json", content)
}

fn models() -> String {
    let created = seconds_since_1970();
    format!(
        r#"{{"object":"list","data":[{{"id":"{MODEL}","object":"model","created":{created},"owned_by":"vllm","root":null,"parent":null,"max_model_len":8192,"permission":[]}}]}}"#
    )
}

fn whole_answer(chunks: usize) -> String {
    let content: String = (1..chunks).map(|i| format!(" {i}")).collect();
    let created = seconds_since_1970();
    format!(
        r#"{{"id":"chatcmpl-whole","object":"chat.completion","created":{created},"model":"{MODEL}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"logprobs":null,"finish_reason":"length","stop_reason":null}}],"usage":{{"prompt_tokens":1,"completion_tokens":{chunks},"total_tokens":{}}}}}"#,
        chunks + 1
    )
}

/// One token per word of the request; equal words have equal tokens.
fn tokens(content: &[u8]) -> String {
    let hash = |word: &[u8]| word.iter().fold(2_166_136_261u32, |hash, &byte| (hash ^ byte as u32).wrapping_mul(16_777_619));
    let words = content.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let ids: Vec<String> = words.map(|word| (hash(word) % 32_000).to_string()).collect();
    format!(r#"{{"count":{},"max_model_len":8192,"tokens":[{}],"token_strs":null}}"#, ids.len(), ids.join(","))
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
