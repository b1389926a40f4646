//! OpenSSH's private key files, in the one form that `ssh-key` does not read. Pure.
//!
//! A number is written without its leading zeros, so one in 256 private keys of NIST P-256 has fewer than 32 bytes.
//! OpenSSH reads it; `ssh-key` (0.7.0-rc.11, `private/ecdsa.rs`, `MIN_SIZE`) takes it for a broken one. The format is that of
//! OpenSSH's `PROTOCOL.key`.

const MAGIC: &[u8] = b"openssh-key-v1\0";
/// The size of a block of the cipher `none`, to whose multiple the private part is padded.
const BLOCK: usize = 8;

/// The same key with all bytes of its private number. `None` for every other file: one with a passphrase, of another kind of
/// key, or whose number is complete.
pub fn with_full_scalar(file: &[u8]) -> Option<Vec<u8>> {
    let mut rest = file.strip_prefix(MAGIC)?;
    let cipher = string(&mut rest)?;
    let (_kdf, _options) = (string(&mut rest)?, string(&mut rest)?);
    rest = rest.get(4..)?;
    let _public = string(&mut rest)?;
    let head = file.get(..file.len() - rest.len())?;
    let private = string(&mut rest)?;
    let mut left = private.get(8..)?;
    let kind = string(&mut left)?;
    let _curve = string(&mut left)?;
    // A byte for the form, and two coordinates of the number's size.
    let size = string(&mut left)?.len().checked_sub(1)? / 2;
    let fields = private.get(..private.len() - left.len())?;
    let scalar = string(&mut left)?;
    let comment = string(&mut left)?;
    if cipher != b"none" || !kind.starts_with(b"ecdsa-sha2-") || scalar.len() >= size {
        return None;
    }
    let full = [vec![0; size - scalar.len()], scalar.to_vec()].concat();
    let mut private = [fields, &prefixed(&full)?, &prefixed(comment)?].concat();
    let padding = (1..).take(private.len().next_multiple_of(BLOCK) - private.len());
    private.extend(padding);
    Some([head, &prefixed(&private)?].concat())
}

/// Takes a string with its length before it.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (text, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(text)
}

fn prefixed(text: &[u8]) -> Option<Vec<u8>> {
    Some([&u32::try_from(text.len()).ok()?.to_be_bytes()[..], text].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this private number.
    fn file(cipher: &str, kind: &str, scalar: &[u8]) -> Vec<u8> {
        let text = |text: &[u8]| prefixed(text).unwrap();
        let mut private = [&[7; 8][..], &text(kind.as_bytes()), &text(b"nistp256"), &text(&[4; 65])].concat();
        private = [&private[..], &text(scalar), &text(b"me")].concat();
        let padding = (1..).take(private.len().next_multiple_of(BLOCK) - private.len());
        private.extend(padding);
        let head =
            [MAGIC, &text(cipher.as_bytes()), &text(b"none"), &text(b""), &[0, 0, 0, 1], &text(b"public")].concat();
        [head, text(&private)].concat()
    }

    #[test]
    fn short_numbers_get_their_zeros_back() {
        let full = |length: usize| [vec![0; 32 - length], vec![9; length]].concat();
        for length in [1, 24, 30, 31] {
            let short = file("none", "ecdsa-sha2-nistp256", &vec![9; length]);
            let expected = file("none", "ecdsa-sha2-nistp256", &full(length));
            assert_eq!(with_full_scalar(&short), Some(expected), "{length}");
        }
    }

    #[test]
    fn every_other_file_is_left_alone() {
        for (cipher, kind, length) in [
            ("none", "ecdsa-sha2-nistp256", 32),
            ("none", "ecdsa-sha2-nistp256", 33),
            ("aes256-ctr", "ecdsa-sha2-nistp256", 31),
            ("none", "ssh-ed25519", 31),
        ] {
            assert_eq!(with_full_scalar(&file(cipher, kind, &vec![9; length])), None, "{cipher} {kind} {length}");
        }
        let whole = file("none", "ecdsa-sha2-nistp256", &[9; 31]);
        for end in 0..whole.len() {
            assert_eq!(with_full_scalar(&whole[..end]), None, "cut at {end}");
        }
    }
}
