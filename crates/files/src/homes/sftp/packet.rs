//! The few packets of SFTP version 3 that reading and measuring take (draft-ietf-secsh-filexfer-02), as a client writes
//! and reads them. Pure: what a server sends is only trusted as far as it has the form of the draft.

/// Bytes of a packet at most. OpenSSH sends no longer ones (`SFTP_MAX_MSG_LENGTH`).
pub(super) const MOST: u32 = 256 << 10;
/// Bytes of content in one answer that every server gives (section 3 of the draft).
pub(super) const CONTENT: u32 = 32 << 10;

/// What is asked of a server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    /// Opens a file to read it.
    Open(&'a [u8]),
    Close(&'a [u8]),
    Read {
        handle: &'a [u8],
        start: u64,
        length: u32,
    },
    Lstat(&'a [u8]),
    Fstat(&'a [u8]),
    OpenDir(&'a [u8]),
    ReadDir(&'a [u8]),
    RealPath(&'a [u8]),
    ReadLink(&'a [u8]),
    /// Opens a file to write it, empty.
    Create(&'a [u8]),
    Write {
        handle: &'a [u8],
        start: u64,
        bytes: &'a [u8],
    },
    Remove(&'a [u8]),
    MakeFolder(&'a [u8]),
    RemoveFolder(&'a [u8]),
}

impl Request<'_> {
    /// The packet, with its length.
    pub(super) fn encode(&self, id: u32) -> Vec<u8> {
        let (kind, text) = match self {
            Self::Open(path) => (3, path),
            Self::Close(handle) => (4, handle),
            Self::Read { handle, .. } => (5, handle),
            Self::Lstat(path) => (7, path),
            Self::Fstat(handle) => (8, handle),
            Self::OpenDir(path) => (11, path),
            Self::ReadDir(handle) => (12, handle),
            Self::RealPath(path) => (16, path),
            Self::ReadLink(path) => (19, path),
            Self::Create(path) => (3, path),
            Self::Write { handle, .. } => (6, handle),
            Self::Remove(path) => (13, path),
            Self::MakeFolder(path) => (14, path),
            Self::RemoveFolder(path) => (15, path),
        };
        let mut body = vec![kind];
        body.extend(id.to_be_bytes());
        body.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        body.extend_from_slice(text);
        match self {
            // SSH_FXF_READ, and no attributes.
            Self::Open(_) => body.extend([0, 0, 0, 1, 0, 0, 0, 0]),
            Self::Read { start, length, .. } => {
                body.extend(start.to_be_bytes());
                body.extend(length.to_be_bytes());
            }
            // SSH_FXF_WRITE, SSH_FXF_CREAT and SSH_FXF_TRUNC, and no attributes.
            Self::Create(_) => body.extend([0, 0, 0, 0x1a, 0, 0, 0, 0]),
            Self::Write { start, bytes, .. } => {
                body.extend(start.to_be_bytes());
                body.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
                body.extend_from_slice(bytes);
            }
            Self::MakeFolder(_) => body.extend([0; 4]),
            _ => {}
        }
        framed(&body)
    }
}

/// SSH_FXP_INIT, version 3.
pub(super) fn hello() -> Vec<u8> {
    framed(&[1, 0, 0, 0, 3])
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), body].concat()
}

/// What `stat` says, as far as the server says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    /// User and group.
    pub(super) owner: Option<(u32, u32)>,
    pub(super) mode: Option<u32>,
    /// Of the last access and the last modification: seconds since 1970, never before.
    pub(super) times: Option<(u32, u32)>,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Status { code: u32, message: String },
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<(Vec<u8>, Attributes)>),
    Attributes(Attributes),
}

/// Reads the version of a server's answer to [`hello`].
pub(super) fn version(body: &[u8]) -> Option<u32> {
    let mut rest = Rest(body);
    (rest.byte()? == 2).then(|| rest.number()).flatten()
}

/// Reads an answer, without its length, and the number of its request; `None` if it does not have the form of one.
pub(super) fn answer(body: &[u8]) -> Option<(u32, Answer)> {
    let mut rest = Rest(body);
    let (kind, id) = (rest.byte()?, rest.number()?);
    let answer = match kind {
        101 => {
            let code = rest.number()?;
            // Old servers leave the words out.
            let message = rest.text().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
            Answer::Status { code, message }
        }
        102 => Answer::Handle(rest.text()?.to_vec()),
        103 => Answer::Data(rest.text()?.to_vec()),
        104 => {
            let count = rest.number()?;
            let mut names = Vec::new();
            for _ in 0..count {
                let name = rest.text()?.to_vec();
                // A line as of `ls -l`, whose form differs between servers.
                rest.text()?;
                names.push((name, rest.attributes()?));
            }
            Answer::Names(names)
        }
        105 => Answer::Attributes(rest.attributes()?),
        _ => return None,
    };
    Some((id, answer))
}

/// What has not been read of a packet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn attributes(&mut self) -> Option<Attributes> {
        let flags = self.number()?;
        let mut found = Attributes::default();
        if flags & 1 != 0 {
            found.size = Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?));
        }
        if flags & 2 != 0 {
            found.owner = Some((self.number()?, self.number()?));
        }
        if flags & 4 != 0 {
            found.mode = Some(self.number()?);
        }
        if flags & 8 != 0 {
            found.times = Some((self.number()?, self.number()?));
        }
        if flags & 0x8000_0000 != 0 {
            for _ in 0..self.number()? {
                self.text()?;
                self.text()?;
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_are_those_of_the_draft() {
        assert_eq!(hello(), [0, 0, 0, 5, 1, 0, 0, 0, 3]);
        assert_eq!(version(&[2, 0, 0, 0, 3, 9, 9]), Some(3));
        let open = [0, 0, 0, 19, 3, 0, 0, 0, 7, 0, 0, 0, 2, b'/', 0xe4, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(Request::Open(b"/\xe4").encode(7), open);
        let read = Request::Read { handle: b"h", start: 1 << 40, length: 3 }.encode(8);
        assert_eq!(read, [0, 0, 0, 22, 5, 0, 0, 0, 8, 0, 0, 0, 1, b'h', 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
        let names = [
            &[104, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0xe4, 0, 0, 0, 2, b'l', b's', 0x80, 0, 0, 15][..],
            &[0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0x81, 0xa4, 0, 0, 0, 3, 0, 0, 0, 4],
            &[0, 0, 0, 1, 0, 0, 0, 1, b'x', 0, 0, 0, 0],
        ]
        .concat();
        let attributes = Attributes { size: Some(5), owner: Some((1, 2)), mode: Some(0o100_644), times: Some((3, 4)) };
        assert_eq!(answer(&names), Some((9, Answer::Names(vec![(vec![0xe4], attributes)]))));
        let status = Answer::Status { code: 1, message: String::new() };
        assert_eq!(answer(&[101, 0, 0, 0, 1, 0, 0, 0, 1]), Some((1, status)));
        // A count that the packet does not have.
        assert_eq!(answer(&[104, 0, 0, 0, 9, 255, 255, 255, 255]), None);
        assert_eq!(answer(&[103, 0, 0, 0, 9, 0, 0, 0, 9, 1]), None);
    }

    proptest! {
        #[test]
        fn no_answer_does_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (answer(&bytes), version(&bytes));
        }
    }
}
