//! The gateway keeps what it is given, also while it is away.

use std::net::TcpStream;

use berth_engines::Rgw;

#[test]
fn objects_outlive_a_stopped_gateway() {
    let rgw = Rgw::shared();
    let (one, other) = (rgw.bucket(), rgw.bucket());
    assert_ne!(one, other);
    let content: Vec<u8> =
        (0..3_000_000_u32).map(|number| number.to_le_bytes()[number as usize % 3]).collect();
    rgw.put(&one, "some/key", &content);
    assert!(rgw.get(&one, "some/key") == content, "the object came back changed");
    rgw.stop();
    assert!(TcpStream::connect(rgw.address()).is_err(), "the gateway still listens");
    rgw.start();
    assert!(rgw.get(&one, "some/key") == content, "the object changed while the gateway was away");
}
