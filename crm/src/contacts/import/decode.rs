//! Bytes of an upload to UTF-8, in pieces of any size, keeping the way back to the byte offset in the upload.
//! A sequence that is wrong in its encoding stays visibly wrong (never valid UTF-8), so that its row can be refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The encodings a file of contacts may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, little end first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, big end first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// What Excel writes on Windows in the Americas and Western Europe.
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// What Excel wrote on a Mac; never detected, only chosen.
    #[serde(rename = "macintosh")]
    MacRoman,
}

impl Encoding {
    /// The name shown to people and stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1252 => "windows-1252",
            Self::MacRoman => "macintosh",
        }
    }

    /// The byte-order mark a file in this encoding may begin with.
    pub(super) fn bom(self) -> &'static [u8] {
        match self {
            Self::Utf8 => b"\xef\xbb\xbf",
            Self::Utf16Le => b"\xff\xfe",
            Self::Utf16Be => b"\xfe\xff",
            Self::Windows1252 | Self::MacRoman => b"",
        }
    }

    fn decoder(self) -> Option<encoding_rs::Decoder> {
        let encoding = match self {
            Self::Utf8 => return None,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
            Self::MacRoman => encoding_rs::MACINTOSH,
        };
        Some(encoding.new_decoder_without_bom_handling())
    }

    /// How many bytes of the upload the decoded bytes came from.
    pub(super) fn raw_len(self, decoded: &[u8]) -> u64 {
        let characters = || decoded.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64;
        match self {
            Self::Utf8 => decoded.len() as u64,
            Self::Windows1252 | Self::MacRoman => characters(),
            // A character above the basic plane is four bytes in both encodings; 0xff marks one wrong unit.
            Self::Utf16Le | Self::Utf16Be => {
                2 * (characters() + decoded.iter().filter(|byte| (0xf0..=0xf4).contains(*byte)).count() as u64)
            }
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is not that of an encoding we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an encoding we read: use utf-8, utf-16le, utf-16be, windows-1252 or macintosh")]
pub struct EncodingError(pub String);

impl FromStr for Encoding {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "utf-16le" | "utf-16" => Ok(Self::Utf16Le),
            "utf-16be" => Ok(Self::Utf16Be),
            "windows-1252" | "cp1252" | "latin1" | "iso-8859-1" => Ok(Self::Windows1252),
            "macintosh" | "macroman" | "mac-roman" | "x-mac-roman" => Ok(Self::MacRoman),
            _ => Err(EncodingError(text.to_owned())),
        }
    }
}

/// Stands in the decoded bytes for a sequence that is wrong in its encoding; no UTF-8 text contains it.
const WRONG: u8 = 0xff;

/// A streaming decoder; give it the upload in pieces and it appends to the caller's buffer.
pub(super) struct Decoder {
    encoding: Encoding,
    inner: Option<encoding_rs::Decoder>,
    /// The first bytes of the upload, held until it is certain whether they are a byte-order mark.
    head: Option<Vec<u8>>,
}

impl Decoder {
    /// `at_start`: the first piece is the beginning of the upload, where a byte-order mark may stand.
    pub(super) fn new(encoding: Encoding, at_start: bool) -> Self {
        let head = (at_start && !encoding.bom().is_empty()).then(Vec::new);
        Self { encoding, inner: encoding.decoder(), head }
    }

    /// Decodes one piece and returns how many bytes of a byte-order mark were dropped.
    pub(super) fn decode(&mut self, raw: &[u8], last: bool, out: &mut Vec<u8>) -> u64 {
        let Some(mut head) = self.head.take() else {
            self.append(raw, last, out);
            return 0;
        };
        head.extend_from_slice(raw);
        let bom = self.encoding.bom();
        if head.len() < bom.len() && !last {
            self.head = Some(head);
            return 0;
        }
        let skipped = if head.starts_with(bom) { bom.len() } else { 0 };
        self.append(&head[skipped..], last, out);
        skipped as u64
    }

    fn append(&mut self, mut raw: &[u8], last: bool, out: &mut Vec<u8>) {
        let Some(decoder) = &mut self.inner else {
            out.extend_from_slice(raw);
            return;
        };
        loop {
            let start = out.len();
            let room = decoder.max_utf8_buffer_length_without_replacement(raw.len()).unwrap_or(raw.len() * 3 + 16);
            out.resize(start + room, 0);
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(raw, &mut out[start..], last);
            out.truncate(start + written);
            raw = &raw[read..];
            match result {
                encoding_rs::DecoderResult::InputEmpty => return,
                encoding_rs::DecoderResult::OutputFull => {}
                encoding_rs::DecoderResult::Malformed(..) => out.push(WRONG),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(encoding: Encoding, raw: &[u8], piece: usize) -> (Vec<u8>, u64) {
        let mut decoder = Decoder::new(encoding, true);
        let mut out = Vec::new();
        let mut bom = 0;
        for piece in raw.chunks(piece.max(1)) {
            bom += decoder.decode(piece, false, &mut out);
        }
        bom += decoder.decode(b"", true, &mut out);
        (out, bom)
    }

    fn utf16le(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn csv_01_a_byte_order_mark_is_dropped_however_the_bytes_arrive() {
        for piece in 1..8 {
            assert_eq!(decode(Encoding::Utf8, b"\xef\xbb\xbfphone", piece), (b"phone".to_vec(), 3));
            assert_eq!(decode(Encoding::Utf16Be, b"\xfe\xff\0a\0b", piece), (b"ab".to_vec(), 2));
        }
        assert_eq!(decode(Encoding::Utf8, b"\xef\xbb", 1), (b"\xef\xbb".to_vec(), 0));
    }

    #[test]
    fn csv_03_windows_and_mac_accents_are_read() {
        assert_eq!(decode(Encoding::Windows1252, b"Jos\xe9 Mu\xf1oz", 3).0, "José Muñoz".as_bytes());
        assert_eq!(decode(Encoding::MacRoman, b"Jos\x8e Mu\x96oz", 3).0, "José Muñoz".as_bytes());
    }

    #[test]
    fn a_wrong_sequence_never_becomes_valid_text() {
        let mut raw = utf16le("a");
        raw.extend([0x00, 0xd8]);
        raw.extend(utf16le("b"));
        let (decoded, _) = decode(Encoding::Utf16Le, &raw, 1);
        assert_eq!(decoded, b"a\xffb");
        assert_eq!(Encoding::Utf16Le.raw_len(&decoded), raw.len() as u64);
        assert!(std::str::from_utf8(&decode(Encoding::Utf8, b"Jos\xe9", 2).0).is_err());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter_and_offsets_lead_back(text in "\\PC{0,50}", piece in 1usize..9) {
            let raw = utf16le(&text);
            let (decoded, bom) = decode(Encoding::Utf16Le, &raw, piece);
            prop_assert_eq!(Encoding::Utf16Le.raw_len(&decoded) + bom, raw.len() as u64);
            if bom == 0 {
                prop_assert_eq!(decoded, text.as_bytes());
            }
        }

        #[test]
        fn every_byte_of_a_one_byte_encoding_is_one_character(raw in prop::collection::vec(any::<u8>(), 0..50)) {
            for encoding in [Encoding::Windows1252, Encoding::MacRoman] {
                let (decoded, _) = decode(encoding, &raw, 7);
                prop_assert_eq!(encoding.raw_len(&decoded), raw.len() as u64);
            }
        }
    }
}
