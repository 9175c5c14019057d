//! Recordings as phones take them for voice messages: Opus in a CAF, 24 kHz, mono. Anything else arrives as a plain file.

use std::path::Path;

use super::prepare::{Fault, run, text};

/// Makes one of a file of sound.
pub(super) async fn make(tool: &str, reader: &str, from: &Path, to: &Path) -> Result<(), Fault> {
    let mut arguments =
        vec!["-nostdin", "-loglevel", "error", "-protocol_whitelist", "file", "-f", reader, "-i", text(from)?];
    arguments.extend(["-map_metadata", "-1", "-threads", "1", "-vn", "-ac", "1", "-ar", "24000", "-c:a", "libopus"]);
    arguments.extend(["-b:a", "32k", "-application", "voip", "-f", "caf", "-y", text(to)?]);
    run(tool, &arguments).await?;
    let lost = |_| "not_convertible";
    let mut bytes = tokio::fs::read(to).await.map_err(lost)?;
    at_24_khz(&mut bytes).ok_or("not_convertible")?;
    tokio::fs::write(to, bytes).await.map_err(lost)
}

/// Opus counts in 48 kHz whatever it was made of, and that is what ffmpeg writes. Phones say, and expect, the rate of the recording: half of it,
/// so that every count of samples is half as large. None where the bytes are no such file.
fn at_24_khz(bytes: &mut [u8]) -> Option<()> {
    if !bytes.starts_with(b"caff") {
        return None;
    }
    let (mut at, mut is_described) = (8, false);
    while let Some(head) = bytes.get(at..at + 12) {
        let (kind, length) = (<[u8; 4]>::try_from(&head[..4]).ok()?, i64::from_be_bytes(head[4..].try_into().ok()?));
        let length = usize::try_from(length).ok()?;
        let chunk = bytes.get_mut(at + 12..at + 12 + length)?;
        match &kind {
            b"desc" => {
                if f64::from_be_bytes(chunk.get(..8)?.try_into().ok()?).to_bits() != 48_000_f64.to_bits() {
                    return None;
                }
                chunk[..8].copy_from_slice(&24_000_f64.to_be_bytes());
                halve(chunk.get_mut(20..24)?);
                is_described = true;
            }
            b"pakt" => {
                // the number of packets stays; samples that count, before them and after them
                for range in [8..16, 16..20, 20..24] {
                    halve(chunk.get_mut(range)?);
                }
            }
            _ => {}
        }
        at += 12 + length;
    }
    // cut off in the head of a chunk
    (is_described && at == bytes.len()).then_some(())
}

/// Half of a number in bytes, the first the largest.
fn halve(number: &mut [u8]) {
    let mut carry = 0;
    for byte in number {
        let whole = *byte;
        *byte = (whole >> 1) | carry;
        carry = (whole & 1) << 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&kind[..], &(body.len() as i64).to_be_bytes(), body].concat()
    }

    fn file(rate: f64) -> Vec<u8> {
        let desc =
            [&rate.to_be_bytes()[..], b"opus", &[0; 8], &960_u32.to_be_bytes(), &1_u32.to_be_bytes(), &[0; 4]].concat();
        let pakt = [
            &51_i64.to_be_bytes()[..],
            &48_960_i64.to_be_bytes(),
            &624_i32.to_be_bytes(),
            &2_i32.to_be_bytes(),
            &[7; 5],
        ]
        .concat();
        [b"caff\0\x01\0\0".to_vec(), chunk(b"desc", &desc), chunk(b"data", b"sound"), chunk(b"pakt", &pakt)].concat()
    }

    #[test]
    fn a_recording_is_counted_at_its_own_rate() {
        let mut bytes = file(48_000.0);
        assert_eq!(at_24_khz(&mut bytes), Some(()));
        assert_eq!(bytes[20..28], 24_000_f64.to_be_bytes());
        assert_eq!(bytes[40..44], 480_u32.to_be_bytes());
        let pakt = bytes.len() - 29;
        assert_eq!(bytes[pakt..pakt + 8], 51_i64.to_be_bytes(), "as many packets as before");
        assert_eq!(bytes[pakt + 8..pakt + 16], 24_480_i64.to_be_bytes());
        assert_eq!(bytes[pakt + 16..pakt + 24], [&312_i32.to_be_bytes()[..], &1_i32.to_be_bytes()].concat());
        assert_eq!(bytes[pakt + 24..], [7; 5]);
    }

    #[test]
    fn what_is_no_such_file_is_left_alone() {
        for mut bytes in [b"RIFF".to_vec(), b"caff\0\x01\0\0".to_vec(), file(44_100.0), file(48_000.0)[..70].to_vec()] {
            assert_eq!(at_24_khz(&mut bytes), None);
        }
    }
}
