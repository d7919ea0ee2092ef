use super::*;

#[test]
fn empty_chunks_are_written_like_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut output = Output::new(File::create(&path).unwrap(), 0);
    output.append(&[]).unwrap();
    output.append(&["", "a", "", "bc", ""].map(Bytes::from)).unwrap();
    output.append(&["", ""].map(Bytes::from)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"abc");
}

#[test]
fn bytes_past_the_cached_ones_follow_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut output = Output::new(File::create(&path).unwrap(), 0);
    let mut expected = Vec::new();
    for round in 0..u8::try_from(CACHED_BYTES >> 20).unwrap() + 4 {
        let chunk = Bytes::from(vec![round; (1 << 20) - 1]);
        expected.extend_from_slice(&chunk);
        output.append(&[chunk.slice(..7), chunk.slice(7..)]).unwrap();
    }
    assert!(output.offset > CACHED_BYTES + (1 << 20));
    assert!(std::fs::read(&path).unwrap() == expected);
}

#[test]
fn a_file_that_knows_no_such_write_is_written_through_the_cache() {
    let mut output = Output::new(File::options().write(true).open("/dev/null").unwrap(), CACHED_BYTES);
    output.append(&[Bytes::from_static(b"bytes")]).unwrap();
    assert!(!output.may_skip_cache);
    assert_eq!(output.offset, CACHED_BYTES + 5);
}
