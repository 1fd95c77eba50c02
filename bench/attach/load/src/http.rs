//! The parts of HTTP/1.1 that both ends need: heads, and bodies with a length or in chunks.

pub struct Head {
    pub first_line: String,
    /// Bytes of the head, including the empty line.
    pub length: usize,
    pub body: Body,
}

/// Parses the head at the start of `input`, once it is complete. Without a length or chunks, there is no body.
pub fn parse_head(input: &[u8]) -> Option<Head> {
    let length = find(input, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&input[..length]);
    let mut lines = text.split("\r\n");
    let first_line = lines.next().unwrap_or_default().to_string();
    let mut body = Body { state: State::Length(0) };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            body.state = State::Length(value.parse().unwrap_or(0));
        } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            body.state = State::Size(0);
            break;
        }
    }
    Some(Head { first_line, length, body })
}

pub fn find(input: &[u8], pattern: &[u8]) -> Option<usize> {
    input.windows(pattern.len()).position(|window| window == pattern)
}

/// A body that is still being read.
pub struct Body {
    state: State,
}

enum State {
    /// Remaining bytes of a body with a length.
    Length(usize),
    /// In a chunk's size line, with the value of the digits so far.
    Size(usize),
    /// In the size line, after the digits.
    SizeEnd(usize),
    /// Remaining bytes of a chunk.
    Chunk(usize),
    /// In the line break after a chunk.
    ChunkEnd,
    /// In the lines after the last chunk; whether the current line is empty so far.
    Trailer(bool),
    End,
}

impl Body {
    /// Reads from `input` and appends the body's bytes to `out`. Returns how many input bytes were consumed.
    pub fn read(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, String> {
        let mut at = 0;
        while at < input.len() && !self.is_complete() {
            let byte = input[at];
            self.state = match self.state {
                State::Length(left) | State::Chunk(left) => {
                    let taken = left.min(input.len() - at);
                    out.extend_from_slice(&input[at..at + taken]);
                    at += taken;
                    match self.state {
                        State::Length(_) => State::Length(left - taken),
                        _ if left == taken => State::ChunkEnd,
                        _ => State::Chunk(left - taken),
                    }
                }
                State::Size(size) => {
                    at += 1;
                    match (byte as char).to_digit(16) {
                        Some(digit) => State::Size(size * 16 + digit as usize),
                        None if byte == b'\r' || byte == b';' => State::SizeEnd(size),
                        None => return Err(format!("byte {byte} in a chunk's size")),
                    }
                }
                State::SizeEnd(size) => {
                    at += 1;
                    match (byte, size) {
                        (b'\n', 0) => State::Trailer(true),
                        (b'\n', _) => State::Chunk(size),
                        _ => State::SizeEnd(size),
                    }
                }
                State::ChunkEnd => {
                    at += 1;
                    if byte == b'\n' { State::Size(0) } else { State::ChunkEnd }
                }
                State::Trailer(empty) => {
                    at += 1;
                    match byte {
                        b'\n' if empty => State::End,
                        b'\n' => State::Trailer(true),
                        b'\r' => State::Trailer(empty),
                        _ => State::Trailer(false),
                    }
                }
                State::End => State::End,
            };
        }
        Ok(at)
    }

    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::End | State::Length(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(message: &[u8], step: usize) -> (String, bool) {
        let mut head = parse_head(message).unwrap();
        let mut out = Vec::new();
        for part in message[head.length..].chunks(step) {
            head.body.read(part, &mut out).unwrap();
        }
        (String::from_utf8(out).unwrap(), head.body.is_complete())
    }

    #[test]
    fn reads_chunks_however_they_are_cut() {
        let message = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nb;x=y\r\n, worldwide\r\n0\r\na: b\r\n\r\n";
        for step in 1..message.len() {
            assert_eq!(body_of(message, step), ("hello, worldwide".to_string(), true));
        }
    }

    #[test]
    fn reads_a_body_with_a_length() {
        let message = b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello";
        assert_eq!(body_of(message, 2), ("hello".to_string(), true));
        assert!(!body_of(&message[..message.len() - 1], 2).1);
    }
}
