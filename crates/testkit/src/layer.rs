//! Layers: real tar archives, so that a client could unpack them.

use bytes::Bytes;

const BLOCK_BYTES: usize = 512;

/// Packs one file into a tar archive (ustar).
pub fn tar(name: &str, content: &[u8]) -> Bytes {
    let mut header = [0; BLOCK_BYTES];
    let mut field =
        |offset: usize, text: &str| header[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    field(0, name);
    field(100, "0000644");
    field(108, "0000000");
    field(116, "0000000");
    field(124, &format!("{:011o}", content.len()));
    field(136, "00000000000");
    // The sum is taken with blanks in its own place.
    field(148, "        ");
    field(156, "0");
    field(257, "ustar");
    field(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK_BYTES) + 2 * BLOCK_BYTES, 0);
    archive.into()
}
