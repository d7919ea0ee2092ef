use super::*;

#[test]
fn a_name_stays_a_name_in_a_filter() {
    for (name, expected) in [
        ("alice", "(uid=alice)"),
        ("*", "(uid=\\2a)"),
        ("alice)(uid=*", "(uid=alice\\29\\28uid=\\2a)"),
        ("a\\2a", "(uid=a\\5c2a)"),
        ("a\0b", "(uid=a\\00b)"),
        ("{dn}", "(uid={dn})"),
    ] {
        assert_eq!(user_filter("(uid={name})", name), expected);
        assert!(parse_filter(user_filter("(uid={name})", name)).is_ok(), "{name:?}");
    }
}

#[test]
fn a_name_stays_a_name_in_a_distinguished_name() {
    let template = "uid={name},ou=people";
    assert_eq!(user_dn(template, "alice").unwrap(), "uid=alice,ou=people");
    assert_eq!(user_dn(template, "admin,ou=admins").unwrap(), "uid=admin\\2cou\\3dadmins,ou=people");
    assert_eq!(user_dn(template, "a+uid=b").unwrap(), "uid=a\\2buid\\3db,ou=people");
    assert_eq!(user_dn("{name}@example.com", "alice.b").unwrap(), "alice.b@example.com");
    for name in ["alice@evil.example", "EVIL\\alice", "a b", "a,b", ""] {
        assert!(user_dn("{name}@example.com", name).is_none_or(|dn| dn == "@example.com"), "{name}");
    }
}

#[test]
fn what_a_group_filter_is_given_is_no_template() {
    let filter = group_filter("(|(member={dn})(memberUid={name}))", "{dn}", "uid={name},dc=x");
    assert_eq!(filter, "(|(member=uid={name},dc=x)(memberUid={dn}))");
    let filter = group_filter("(member={dn})", "x", "uid=a*b(c),dc=x");
    assert_eq!(filter, "(member=uid=a\\2ab\\28c\\29,dc=x)");
}
