//! What a file is, by its first bytes. What is not recognised is bytes, whatever its name says.

/// How many bytes it takes.
pub const HEAD: usize = 64;

/// A type of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sniffed {
    /// Its name.
    pub mime: &'static str,
    /// image, video, audio or file.
    pub kind: &'static str,
    /// Whether some browsers do not show or play it.
    pub is_odd: bool,
    /// The reader by which alone a tool may open it, so that no file can pass for a list of other files.
    pub reader: Option<&'static str>,
}

const fn of(mime: &'static str, kind: &'static str, is_odd: bool, reader: Option<&'static str>) -> Sniffed {
    Sniffed { mime, kind, is_odd, reader }
}

const BYTES: Sniffed = of("application/octet-stream", "file", false, None);

/// Recognises a file.
pub fn sniff(head: &[u8]) -> Sniffed {
    match head {
        [0xff, 0xd8, 0xff, ..] => of("image/jpeg", "image", false, Some("jpeg_pipe")),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => of("image/png", "image", false, Some("png_pipe")),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => of("image/gif", "image", false, Some("gif")),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => of("image/tiff", "image", true, Some("tiff_pipe")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            of("image/webp", "image", false, Some("webp_pipe"))
        }
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => {
            of("audio/wav", "audio", false, Some("wav"))
        }
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => isobmff(brand.get(..4).unwrap_or_default()),
        [b'c', b'a', b'f', b'f', ..] => of("audio/x-caf", "audio", true, Some("caf")),
        [b'O', b'g', b'g', b'S', ..] => of("audio/ogg", "audio", true, Some("ogg")),
        [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2, ..] => of("audio/mpeg", "audio", false, Some("mp3")),
        [b'f', b'L', b'a', b'C', ..] => of("audio/flac", "audio", false, Some("flac")),
        [b'#', b'!', b'A', b'M', b'R', ..] => of("audio/amr", "audio", true, Some("amr")),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => of("video/webm", "video", true, Some("matroska")),
        [b'%', b'P', b'D', b'F', b'-', ..] => of("application/pdf", "file", false, None),
        [b'P', b'K', 3, 4, ..] => of("application/zip", "file", false, None),
        _ => BYTES,
    }
}

fn isobmff(brand: &[u8]) -> Sniffed {
    match brand {
        b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1" => of("image/heic", "image", true, None),
        b"avif" | b"avis" => of("image/avif", "image", true, None),
        b"M4A " | b"M4B " => of("audio/mp4", "audio", false, Some("mov")),
        b"qt  " => of("video/quicktime", "video", true, Some("mov")),
        [b'3', b'g', ..] => of("video/3gpp", "video", true, Some("mov")),
        _ => of("video/mp4", "video", false, Some("mov")),
    }
}

/// A recording of somebody's voice, as browsers and phones make them: none of what has no sound. A browser's has the type of a video, and no
/// picture in it.
pub fn recording(sniffed: Sniffed) -> Option<Sniffed> {
    match sniffed.mime {
        "video/webm" => Some(of("audio/webm", "audio", true, sniffed.reader)),
        // Safari's, whose brand says no more than MPEG-4
        "video/mp4" => Some(of("audio/mp4", "audio", true, sniffed.reader)),
        _ => Some(sniffed).filter(|sniffed| sniffed.kind == "audio"),
    }
}

/// Whether a browser may show it where it stands: pictures, sound and video of types that hold no script.
pub fn is_harmless(mime: &str) -> bool {
    const HARMLESS: [&str; 18] = [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "image/heic",
        "image/avif",
        "image/tiff",
        "audio/mpeg",
        "audio/mp4",
        "audio/ogg",
        "audio/wav",
        "audio/flac",
        "audio/x-caf",
        "audio/amr",
        "video/mp4",
        "video/webm",
        "video/quicktime",
        "video/3gpp",
    ];
    HARMLESS.contains(&mime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_bytes_are() {
        let cases: [(&[u8], &str); 7] = [
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"\0\0\0\x18ftypheic", "image/heic"),
            (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
            (b"\0\0\0\x20ftypisom", "video/mp4"),
            (b"caff\0\x01", "audio/x-caf"),
            (b"%PDF-1.7", "application/pdf"),
        ];
        for (head, mime) in cases {
            assert_eq!(sniff(head).mime, mime);
        }
    }

    #[test]
    fn a_recording_is_sound_whatever_the_browser_calls_it() {
        let recorded = |head: &[u8]| recording(sniff(head)).map(|sniffed| (sniffed.mime, sniffed.kind));
        assert_eq!(recorded(b"\x1a\x45\xdf\xa3"), Some(("audio/webm", "audio")));
        assert_eq!(recorded(b"\0\0\0\x20ftypisom"), Some(("audio/mp4", "audio")));
        assert_eq!(recorded(b"ID3\x04"), Some(("audio/mpeg", "audio")));
        assert_eq!((recorded(b"%PDF-1.7"), recorded(b"\xff\xd8\xff\xe0")), (None, None));
    }

    #[test]
    fn what_could_run_is_bytes() {
        for head in [&b"<svg onload=alert(1)>"[..], b"<!DOCTYPE html>", b"#EXTM3U\nfile:///etc/passwd", b"", b"RIFF"] {
            assert_eq!(sniff(head), BYTES);
        }
        for mime in
            ["image/svg+xml", "text/html", "application/pdf", "application/xhtml+xml", "application/octet-stream"]
        {
            assert!(!is_harmless(mime), "{mime}");
        }
    }
}
