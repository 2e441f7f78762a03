//! Bodies in parts, which bodies share, each deflated once at most. RFC 1951, RFC 1952.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::model::{Error, Result};

/// Some text of a body. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Part(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    plain: Bytes,
    packed: OnceLock<Packed>,
}

#[derive(Debug)]
struct Packed {
    /// Whole blocks, none of them the last one, up to a full byte.
    blocks: Bytes,
    crc: Crc,
}

impl Part {
    pub fn plain(&self) -> &Bytes {
        &self.0.plain
    }

    fn packed(&self) -> Result<&Packed> {
        if let Some(known) = self.0.packed.get() {
            return Ok(known);
        }
        let packed = deflate(&self.0.plain).map_err(Error::internal)?;
        Ok(self.0.packed.get_or_init(|| packed))
    }
}

impl<T: Into<Bytes>> From<T> for Part {
    fn from(plain: T) -> Part {
        Part(Arc::new(Inner {
            plain: plain.into(),
            packed: OnceLock::new(),
        }))
    }
}

/// A flush ends a block and fills its last byte, and later parts refer to nothing before them only because each has an
/// encoder of its own: so parts can be put beside each other.
fn deflate(plain: &[u8]) -> std::io::Result<Packed> {
    let room = Vec::with_capacity(plain.len() / 6 + 64);
    let mut encoder = DeflateEncoder::new(room, Compression::new(5));
    encoder.write_all(plain)?;
    encoder.flush()?;
    let mut crc = Crc::new();
    crc.update(plain);
    Ok(Packed {
        blocks: Bytes::copy_from_slice(encoder.get_ref()),
        crc,
    })
}

/// A body. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Text {
    parts: Arc<[Part]>,
    length: usize,
}

impl Text {
    pub fn parts(&self) -> impl ExactSizeIterator<Item = &Part> {
        self.parts.iter()
    }

    pub fn plain(&self) -> Vec<Bytes> {
        self.parts().map(|part| part.plain().clone()).collect()
    }

    /// One gzip member, with nothing in it that says when it was made: the same text is the same bytes. Only parts that
    /// never were in such an answer are deflated, others get their turn in between.
    ///
    /// # Errors
    /// When the encoder fails, which it does not on memory.
    pub async fn gzip(&self) -> Result<Vec<Bytes>> {
        const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        // A last block with nothing in it.
        const END: [u8; 2] = [3, 0];
        let mut zipped = Vec::with_capacity(self.parts.len() + 2);
        zipped.push(Bytes::from_static(HEADER));
        let mut crc = Crc::new();
        for part in self.parts() {
            if part.0.packed.get().is_none() {
                tokio::task::yield_now().await;
            }
            let packed = part.packed()?;
            zipped.push(packed.blocks.clone());
            crc.combine(&packed.crc);
        }
        let [sum, length] = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()];
        zipped.push([&END[..], &sum, &length].concat().into());
        Ok(zipped)
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl FromIterator<Part> for Text {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Text {
        let parts = parts.into_iter().filter(|part| !part.plain().is_empty());
        let parts: Arc<[Part]> = parts.collect();
        let length = parts.iter().map(|part| part.plain().len()).sum();
        Text { parts, length }
    }
}

impl From<Vec<u8>> for Text {
    fn from(whole: Vec<u8>) -> Text {
        Text::from_iter([Part::from(whole)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[tokio::test]
    async fn parts_are_one_gzip_member() {
        let long = "SUMMARY:of many words, of which some are the same\r\n".repeat(9000);
        for parts in [&[][..], &["", "a"], &["BEGIN\r\n", &long, "", &long, "END"]] {
            let text: Text = parts
                .iter()
                .map(|part| Part::from(part.to_string()))
                .collect();
            assert_eq!(text.len(), parts.concat().len());
            let zipped = text.gzip().await.unwrap().concat();
            let mut read = String::new();
            // Not the decoder of many members: it is one.
            flate2::read::GzDecoder::new(&zipped[..])
                .read_to_string(&mut read)
                .unwrap();
            assert!(read == parts.concat() && plain(&text) == read);
            assert!(text.gzip().await.unwrap().concat() == zipped);
            assert!(zipped.len() < 100 + text.len() / 20);
        }
    }

    fn plain(text: &Text) -> String {
        String::from_utf8(text.plain().concat()).unwrap()
    }
}
