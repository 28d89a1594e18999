//! Many netlink messages a send: programming ten thousand services costs a few dozen system calls.
//!
//! Messages are written into one buffer that is allocated once. Only the last one of a send asks for an acknowledgement; the
//! kernel reports the others' errors unasked, before it. The time inside the socket calls is added up, so that a caller can tell
//! the kernel's share from its own.

use std::io;
use std::time::{Duration, Instant};

use netlink_sys::{Socket, SocketAddr};

use super::NetError;

/// `NLM_F_REQUEST` (include/uapi/linux/netlink.h).
const REQUEST: u16 = 0x01;
/// `NLM_F_ACK`.
const ACK: u16 = 0x04;
/// `NLM_F_DUMP`.
const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`.
pub const CREATE: u16 = 0x400;
/// `NLM_F_EXCL`.
pub const EXCL: u16 = 0x200;
/// `NLMSG_ERROR`, which also carries acknowledgements.
const MESSAGE_ERROR: u16 = 2;
/// `NLMSG_DONE`.
const MESSAGE_DONE: u16 = 3;
/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;
/// Bytes of a message header.
pub const HEADER: usize = 16;
/// Room for answers: the kernel fills at most 32 KiB of a dump at once.
const ANSWER: usize = 64 * 1024;
/// Bytes that one send carries at most: below the default send buffer (net.core.wmem_default, 212,992).
pub const SEND_LIMIT: usize = 128 * 1024;

/// Messages to be sent together.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    messages: u32,
    last: usize,
}

impl Batch {
    /// An empty batch with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), messages: 0, last: 0 }
    }

    /// Forgets every message and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.messages = 0;
        self.last = 0;
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no message was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The encoded messages.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Starts a request of a message type; returns what [`end`](Self::end) takes.
    pub fn begin(&mut self, kind: u16, flags: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(REQUEST | flags).to_ne_bytes());
        self.bytes.extend_from_slice(&self.messages.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        start
    }

    /// Ends the message that started at `start`.
    pub fn end(&mut self, start: usize) {
        self.write_length(start, |length| u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        self.messages += 1;
        self.last = start;
    }

    /// Appends a whole message that was encoded before, and lets `patch` change it. Its sequence number is set here.
    pub fn copy(&mut self, template: &[u8], patch: impl FnOnce(&mut [u8])) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(template);
        let message = &mut self.bytes[start..];
        message[8..12].copy_from_slice(&self.messages.to_ne_bytes());
        patch(message);
        self.messages += 1;
        self.last = start;
    }

    /// Appends a fixed header, whose length must be a multiple of 4.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends an attribute and its padding.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.write_length(start, attribute_length);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Starts an attribute that holds attributes; returns what [`end_nested`](Self::end_nested) takes.
    pub fn begin_nested(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        start
    }

    /// Ends the nested attribute that started at `start`.
    pub fn end_nested(&mut self, start: usize) {
        self.write_length(start, attribute_length);
    }

    fn write_length<const N: usize>(&mut self, start: usize, encode: impl FnOnce(usize) -> [u8; N]) {
        let length = encode(self.bytes.len() - start);
        self.bytes[start..start + N].copy_from_slice(&length);
    }

    fn ask_for_acknowledgement(&mut self) {
        let at = self.last + 6;
        let flags = u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]) | ACK;
        self.bytes[at..at + 2].copy_from_slice(&flags.to_ne_bytes());
    }
}

fn attribute_length(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes()
}

/// A netlink socket of the namespace that the thread was in when it was opened.
#[derive(Debug)]
pub struct NetlinkSocket {
    socket: Socket,
    answer: Vec<u8>,
    kernel: Duration,
}

impl NetlinkSocket {
    /// Opens a socket of a netlink protocol, e.g. `NETLINK_GENERIC`.
    ///
    /// # Errors
    /// [`NetError::Request`], e.g. `EPROTONOSUPPORT` where the kernel lacks the protocol.
    pub fn open(protocol: isize) -> Result<Self, NetError> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(protocol)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            // Refused messages are not echoed: a thousand errors fit the receive buffer.
            socket.set_cap_ack(true)?;
            Ok(socket)
        };
        let socket = open().map_err(|source| refused("open a netlink socket".into(), source))?;
        Ok(Self { socket, answer: Vec::with_capacity(ANSWER), kernel: Duration::ZERO })
    }

    /// Time spent inside the socket calls since the socket was opened.
    #[must_use]
    pub fn kernel_time(&self) -> Duration {
        self.kernel
    }

    /// Sends the batch, waits until the kernel has done all of it, and empties it. `describe` names a message by its index.
    ///
    /// # Errors
    /// [`NetError::Request`] with the first message that the kernel refused; the messages behind it were carried out.
    pub fn send(&mut self, batch: &mut Batch, describe: impl Fn(usize) -> String) -> Result<(), NetError> {
        if batch.is_empty() {
            return Ok(());
        }
        batch.ask_for_acknowledgement();
        let last = batch.messages - 1;
        let result = self.transmit(batch, &describe).and_then(|()| self.acknowledged(last, &describe));
        batch.clear();
        result
    }

    /// Sends one dump request and hands every answer's payload, behind the message header, to `each`.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn dump(&mut self, batch: &mut Batch, what: &str, mut each: impl FnMut(&[u8])) -> Result<(), NetError> {
        let at = batch.last + 6;
        let flags = u16::from_ne_bytes([batch.bytes[at], batch.bytes[at + 1]]) | DUMP;
        batch.bytes[at..at + 2].copy_from_slice(&flags.to_ne_bytes());
        self.transmit(batch, &|_| what.to_owned())?;
        batch.clear();
        loop {
            self.receive(what)?;
            for message in Messages(&self.answer) {
                match message.kind {
                    MESSAGE_DONE => return Ok(()),
                    MESSAGE_ERROR => message.result().map_err(|source| refused(what.to_owned(), source))?,
                    _ => each(message.payload),
                }
            }
        }
    }

    /// Sends one request and returns its answer's payload, behind the message header.
    ///
    /// # Errors
    /// [`NetError::Request`].
    pub fn query(&mut self, batch: &mut Batch, what: &str) -> Result<Vec<u8>, NetError> {
        self.transmit(batch, &|_| what.to_owned())?;
        batch.clear();
        loop {
            self.receive(what)?;
            for message in Messages(&self.answer) {
                if message.kind != MESSAGE_ERROR {
                    return Ok(message.payload.to_vec());
                }
                message.result().map_err(|source| refused(what.to_owned(), source))?;
            }
        }
    }

    fn transmit(&mut self, batch: &Batch, describe: &impl Fn(usize) -> String) -> Result<(), NetError> {
        let start = Instant::now();
        let sent = self.socket.send(&batch.bytes, 0);
        self.kernel += start.elapsed();
        match sent {
            Ok(bytes) if bytes == batch.bytes.len() => Ok(()),
            Ok(_) => Err(refused(describe(0), io::ErrorKind::WriteZero.into())),
            Err(source) => Err(refused(describe(0), source)),
        }
    }

    fn receive(&mut self, what: &str) -> Result<(), NetError> {
        self.answer.clear();
        let start = Instant::now();
        let received = self.socket.recv(&mut self.answer, 0);
        self.kernel += start.elapsed();
        received.map(drop).map_err(|source| refused(what.to_owned(), source))
    }

    fn acknowledged(&mut self, last: u32, describe: &impl Fn(usize) -> String) -> Result<(), NetError> {
        let mut first_error = None;
        loop {
            self.receive(&describe(last as usize))?;
            for message in Messages(&self.answer) {
                if message.kind != MESSAGE_ERROR {
                    continue;
                }
                if let Err(source) = message.result() {
                    first_error.get_or_insert_with(|| refused(describe(message.sequence as usize), source));
                }
                if message.sequence == last {
                    return first_error.map_or(Ok(()), Err);
                }
            }
        }
    }
}

fn refused(request: String, source: io::Error) -> NetError {
    NetError::Request { request, source }
}

struct Message<'a> {
    kind: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl Message<'_> {
    /// The result that an error message carries: 0 is an acknowledgement.
    fn result(&self) -> io::Result<()> {
        match self.payload.first_chunk().map(|code| i32::from_ne_bytes(*code)) {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(code.wrapping_neg())),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The messages of one datagram.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let header: &[u8; HEADER] = self.0.first_chunk()?;
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let sequence = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        let payload = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, sequence, payload })
    }
}

/// The attributes of a payload: type without flags, and value.
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header: &[u8; 4] = self.0.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & !(NESTED | 1 << 14);
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Batch {
        let mut batch = Batch::with_capacity(64);
        let message = batch.begin(0x1234, CREATE);
        batch.bytes(&[9, 8, 7, 6]);
        let nested = batch.begin_nested(1);
        batch.attribute(2, b"abc");
        batch.end_nested(nested);
        batch.end(message);
        batch
    }

    #[test]
    fn a_message_is_laid_out_as_the_kernel_reads_it() {
        let expected: Vec<u8> = [
            &32u32.to_ne_bytes()[..],
            &0x1234u16.to_ne_bytes(),
            &(CREATE | REQUEST).to_ne_bytes(),
            &0u32.to_ne_bytes(),
            &[0; 4],
            &[9, 8, 7, 6],
            &12u16.to_ne_bytes(),
            &(1u16 | NESTED).to_ne_bytes(),
            &7u16.to_ne_bytes(),
            &2u16.to_ne_bytes(),
            b"abc\0",
        ]
        .concat();
        assert_eq!(example().as_bytes(), expected);
    }

    #[test]
    fn copies_get_their_own_sequence_number_and_only_the_last_asks_for_an_answer() {
        let template = example();
        let mut batch = Batch::with_capacity(0);
        for value in [1, 2, 3] {
            batch.copy(template.as_bytes(), |message| message[16] = value);
        }
        batch.ask_for_acknowledgement();
        let messages: Vec<_> = Messages(batch.as_bytes()).map(|m| (m.sequence, m.payload[0])).collect();
        assert_eq!(messages, [(0, 1), (1, 2), (2, 3)]);
        let flags: Vec<_> = batch.as_bytes().chunks(32).map(|m| u16::from_ne_bytes([m[6], m[7]]) & ACK).collect();
        assert_eq!(flags, [0, 0, ACK]);
    }

    #[test]
    fn attributes_come_back() {
        let batch = example();
        let (kind, nested) = Attributes(&batch.as_bytes()[20..]).next().expect("one attribute");
        assert_eq!(kind, 1);
        assert_eq!(Attributes(nested).collect::<Vec<_>>(), [(2, &b"abc"[..])]);
    }

    #[test]
    fn truncated_answers_end_the_iteration() {
        let batch = example();
        assert_eq!(Messages(&batch.as_bytes()[..31]).count(), 0);
        assert_eq!(Attributes(&batch.as_bytes()[20..27]).count(), 0);
    }
}
