//! Reads one streamed answer and checks it against what the mock engines send.

use crate::http::{Body, find, parse_head};

/// A partially received answer.
#[derive(Default)]
pub struct Answer {
    /// Bytes of an incomplete head.
    head: Vec<u8>,
    body: Option<Body>,
    /// Incomplete events.
    events: Vec<u8>,
    pub chunks: usize,
    has_finish_reason: bool,
    is_done: bool,
}

impl Answer {
    /// Processes bytes from the socket and calls `on_chunk` for each chunk. Returns a message if they are invalid.
    pub fn read(&mut self, mut bytes: &[u8], mut on_chunk: impl FnMut()) -> Result<(), String> {
        if self.body.is_none() {
            self.head.extend_from_slice(bytes);
            let Some(head) = parse_head(&self.head) else { return Ok(()) };
            bytes = &bytes[bytes.len() - (self.head.len() - head.length)..];
            if head.first_line.split(' ').nth(1) != Some("200") {
                return Err(format!("{}: {}", head.first_line, String::from_utf8_lossy(bytes)));
            }
            self.body = Some(head.body);
        }
        let body = self.body.as_mut().unwrap();
        if body.read(bytes, &mut self.events)? < bytes.len() {
            return Err("bytes after the answer".to_string());
        }
        let events = std::mem::take(&mut self.events);
        let mut at = 0;
        while let Some(length) = find(&events[at..], b"\n\n") {
            if self.check(&events[at..at + length])? {
                on_chunk();
            }
            at += length + 2;
        }
        self.events = events;
        self.events.drain(..at);
        Ok(())
    }

    /// Whether an event is a chunk. Chunk i has the content ` i`; the first has the role instead.
    fn check(&mut self, event: &[u8]) -> Result<bool, String> {
        if event.starts_with(b":") {
            return Ok(false);
        }
        let wrong = |what: &str| Err(format!("{what}: {}", String::from_utf8_lossy(event)));
        if event == b"data: [DONE]" {
            self.is_done = true;
            return Ok(false);
        }
        if self.is_done {
            return wrong("an event after [DONE]");
        }
        let is_next = match self.chunks {
            0 => find(event, b"\"role\":\"assistant\"").is_some(),
            i => find(event, format!("\"content\":\" {i}\"").as_bytes()).is_some(),
        };
        if !is_next {
            return wrong(&format!("not chunk {}", self.chunks));
        }
        self.chunks += 1;
        self.has_finish_reason = find(event, b"\"finish_reason\":\"").is_some();
        Ok(true)
    }

    pub fn is_complete(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_complete)
    }

    /// What is missing from a complete answer.
    pub fn fault(&self, chunks: usize) -> Option<String> {
        match self {
            _ if self.chunks != chunks => Some(format!("{} of {chunks} chunks", self.chunks)),
            Self { is_done: false, .. } => Some("no [DONE]".to_string()),
            Self { has_finish_reason: false, .. } => Some("no finish_reason in the last chunk".to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

    fn answer(events: &[&str]) -> Result<Answer, String> {
        let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let message = format!("{HEAD}{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
        let mut answer = Answer::default();
        for part in message.as_bytes().chunks(7) {
            answer.read(part, || ())?;
        }
        Ok(answer)
    }

    const FIRST: &str = r#"{"delta":{"role":"assistant","content":""},"finish_reason":null}"#;
    const LAST: &str = r#"{"delta":{"content":" 1"},"finish_reason":"length"}"#;

    #[test]
    fn accepts_an_answer_in_order() {
        let answer = answer(&[FIRST, LAST, "[DONE]"]).unwrap();
        assert!(answer.is_complete());
        assert_eq!(answer.fault(2), None);
    }

    #[test]
    fn reports_what_is_missing() {
        assert_eq!(answer(&[FIRST, "[DONE]"]).unwrap().fault(2).unwrap(), "1 of 2 chunks");
        assert_eq!(answer(&[FIRST, LAST]).unwrap().fault(2).unwrap(), "no [DONE]");
        assert!(answer(&[LAST]).is_err());
        assert!(answer(&[FIRST, LAST, LAST]).is_err());
    }
}
