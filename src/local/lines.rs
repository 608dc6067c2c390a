//! Cutting a byte stream into lines. Pure.

use bytes::{Bytes, BytesMut};

/// Something read from the local client.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its newline.
    Whole(Bytes),
    /// A line over the limit, of which nothing was kept.
    TooLong,
}

/// Cuts what is read into lines; bytes that are no whole line yet are kept, however they were cut.
#[derive(Debug)]
pub struct Lines {
    partial: BytesMut,
    limit: usize,
    skipping: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Lines { partial: BytesMut::new(), limit, skipping: false }
    }

    /// Takes in what was read and gives the lines it completes to `sink`.
    pub fn push(&mut self, mut read: &[u8], mut sink: impl FnMut(Line)) {
        while let Some(end) = memchr::memchr(b'\n', read) {
            let (line, rest) = (&read[..end], &read[end + 1..]);
            read = rest;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.partial.len() + line.len() > self.limit {
                self.partial = BytesMut::new();
                sink(Line::TooLong);
            } else if self.partial.is_empty() {
                sink(Line::Whole(Bytes::copy_from_slice(line)));
            } else {
                self.partial.extend_from_slice(line);
                sink(Line::Whole(std::mem::take(&mut self.partial).freeze()));
            }
        }
        if self.skipping {
            return;
        }
        if self.partial.len() + read.len() > self.limit {
            self.partial = BytesMut::new();
            self.skipping = true;
            return sink(Line::TooLong);
        }
        self.partial.extend_from_slice(read);
    }

    /// The last line, where the stream ended without a newline.
    pub fn finish(&mut self) -> Option<Line> {
        let last = std::mem::take(&mut self.partial).freeze();
        (!last.is_empty()).then_some(Line::Whole(last))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(limit: usize, pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::new(limit);
        let mut out = Vec::new();
        for piece in pieces {
            lines.push(piece, |line| out.push(line));
        }
        out.extend(lines.finish());
        out
    }

    fn whole(text: &'static str) -> Line {
        Line::Whole(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn lines_come_out_however_the_reads_were_cut() {
        assert_eq!(
            cut(99, &[b"a\nb", b"c\n", b"\n", b"d"]),
            [whole("a"), whole("bc"), whole(""), whole("d")]
        );
    }

    #[test]
    fn a_line_over_the_limit_is_reported_once_and_costs_no_other() {
        for pieces in [&[&b"12345\nok\n"[..]][..], &[b"123", b"45", b"67", b"8\nok\n"]] {
            assert_eq!(cut(4, pieces), [Line::TooLong, whole("ok")], "{pieces:?}");
        }
    }

    proptest! {
        #[test]
        fn no_cut_changes_the_lines(text in "[a-c\n]{0,60}", at in 0usize..60) {
            let bytes = text.as_bytes();
            let at = at.min(bytes.len());
            prop_assert_eq!(cut(99, &[bytes]), cut(99, &[&bytes[..at], &bytes[at..]]));
        }
    }
}
