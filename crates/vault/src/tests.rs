use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use crate::{Config, Error, Key, KeyError, Vault, parse_keys};

fn vault() -> Vault {
    Vault::new(&[Key::generate().unwrap()], &[]).unwrap()
}

fn text(key: &Key) -> String {
    STANDARD.encode(key.material())
}

#[test]
fn what_is_sealed_opens_in_its_place_only() {
    let vault = vault();
    let sealed = vault.seal("secret/ldap", b"hunter2").unwrap();
    assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
    assert_eq!(vault.open("secret/ldap", &sealed).unwrap().as_slice(), b"hunter2");
    assert_eq!(vault.open("secret/other", &sealed), Err(Error::Damaged));
    assert_ne!(vault.seal("secret/ldap", b"hunter2").unwrap(), sealed, "each time another nonce");
    assert_eq!(vault.open("x", &vault.seal("x", b"").unwrap()).unwrap().as_slice(), b"");
}

#[test]
fn any_changed_byte_is_noticed() {
    let vault = vault();
    let sealed = vault.seal("secret/ldap", b"hunter2").unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(vault.open("secret/ldap", &changed).is_err(), "byte {at}");
        assert!(vault.open("secret/ldap", &sealed[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(vault.open("secret/ldap", &[9; 60]), Err(Error::UnknownForm));
}

#[test]
fn old_keys_open_and_the_first_seals() {
    let (old, new) = (Key::generate().unwrap(), Key::generate().unwrap());
    let before = Vault::new(std::slice::from_ref(&old), &[]).unwrap();
    let sealed = before.seal("a", b"x").unwrap();
    let after = Vault::new(&[new.clone(), old.clone()], &[]).unwrap();
    assert_eq!(after.open("a", &sealed).unwrap().as_slice(), b"x");
    assert!(before.is_current(&sealed) && !after.is_current(&sealed));
    let again = after.seal("a", b"x").unwrap();
    assert!(after.is_current(&again));
    assert_eq!(before.open("a", &again), Err(Error::UnknownKey(new.id())));
    assert_eq!(after.key_ids(), [new.id(), old.id()]);
}

#[test]
fn keys_of_the_catalog_seal_only_where_none_is_configured() {
    let (own, first, second) = (Key::generate().unwrap(), Key::generate().unwrap(), Key::generate().unwrap());
    let made = Vault::new(&[], std::slice::from_ref(&first)).unwrap();
    assert!(!made.is_configured());
    let clone = made.clone();
    clone.learn(&[second.clone(), first.clone()]).unwrap();
    assert_eq!(made.current(), Ok(second.id()), "clones share what is learnt");
    let configured = Vault::new(std::slice::from_ref(&own), &[second, first]).unwrap();
    assert_eq!(configured.current(), Ok(own.id()));
    assert_eq!(configured.open("a", &made.seal("a", b"x").unwrap()).unwrap().as_slice(), b"x");
    assert_eq!(Vault::new(&[], &[]).unwrap_err(), Error::NoKey);
}

#[test]
fn weak_keys_are_refused_and_never_repeated() {
    let zeros = STANDARD.encode([0; 32]);
    let key = text(&Key::generate().unwrap());
    for (given, expected) in [
        ("", "holds no key"),
        ("\n# only a comment\n", "holds no key"),
        (",\n ,", "holds no key"),
        ("hunter2", "key 1: is no key of 32 bytes"),
        (&key[..40], "key 1: is no key of 32 bytes"),
        (&STANDARD.encode([7; 16]), "key 1: is no key of 32 bytes"),
        (&STANDARD.encode([7; 33]), "key 1: is no key of 32 bytes"),
        (&zeros, "key 1: is not random"),
        (&"ab".repeat(32), "key 1: is not random"),
        (&format!("{key}\nhunter2"), "key 2: is no key of 32 bytes"),
    ] {
        let error = parse_keys(given, "a file").unwrap_err().to_string();
        assert!(error.contains(expected) && error.starts_with("a file"), "{given:?}: {error}");
        assert!(given.is_empty() || !error.contains("hunter2") && !error.contains(&key), "{error}");
    }
}

#[test]
fn keys_are_read_in_every_usual_form() {
    let key = Key::generate().unwrap();
    let base64 = text(&key);
    for form in [
        base64.clone(),
        base64.trim_end_matches('=').to_owned(),
        base64.replace('+', "-").replace('/', "_"),
        hex::encode(key.material()),
        hex::encode(key.material()).to_uppercase(),
        format!("  {base64}\r\n"),
        format!("# made in May\n\n{base64}\n"),
    ] {
        let keys = parse_keys(&form, "a file").unwrap();
        assert_eq!(keys.iter().map(Key::id).collect::<Vec<_>>(), [key.id()], "{form:?}");
    }
    let two = parse_keys(&format!("{base64},{}", text(&Key::generate().unwrap())), "a file").unwrap();
    assert_eq!((two.len(), two[0].id()), (2, key.id()));
    assert_eq!(key.id().to_string().len(), 16);
}

#[test]
fn debug_output_holds_no_key() {
    let key = Key::generate().unwrap();
    let vault = Vault::new(std::slice::from_ref(&key), &[]).unwrap();
    let printed = format!("{key:?} {vault:?}");
    assert!(printed.contains(&key.id().to_string()));
    assert!(!printed.contains(&text(&key)) && !printed.contains(&hex::encode(key.material())), "{printed}");
}

#[tokio::test]
async fn keys_come_from_one_place() {
    let key = text(&Key::generate().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, &key).unwrap();
    let in_file = Config { key_file: Some(file), ..Config::default() };
    let command = |program: &str| Config {
        key_command: vec!["sh".into(), "-c".into(), program.replace("KEY", &key)],
        ..Config::default()
    };
    assert!(Config::default().load(None).await.unwrap().is_none());
    for (config, variable) in
        [(&in_file, None), (&command("echo KEY"), None), (&Config::default(), Some(key.as_str()))]
    {
        assert_eq!(text(&config.load(variable).await.unwrap().unwrap()[0]), key);
    }
    let both = Config { key_command: vec!["true".into()], ..in_file.clone() };
    for (config, variable, expected) in [
        (&both, None, "keys come from secrets.key_file and secrets.key_command"),
        (&in_file, Some(key.as_str()), "keys come from secrets.key_file and BERTH_SECRETS_KEY"),
        (
            &command("echo KEY"),
            Some(key.as_str()),
            "keys come from secrets.key_command and BERTH_SECRETS_KEY",
        ),
        (&Config::default(), Some(""), "BERTH_SECRETS_KEY holds no key"),
        (&command("echo KEY; exit 3"), None, "ended with exit status: 3"),
        (&command("true"), None, "what secrets.key_command prints holds no key"),
        (&Config { key_command: vec!["/nonexistent".into()], ..Config::default() }, None, "can't be run"),
        (
            &Config { key_file: Some(PathBuf::from("/nonexistent")), ..Config::default() },
            None,
            "can't be read",
        ),
    ] {
        let error: KeyError = config.load(variable).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains(expected) && !error.contains(&key), "{error}");
    }
}

proptest! {
    #[test]
    fn whatever_is_sealed_comes_back(secret in proptest::collection::vec(any::<u8>(), 0..300), context in ".{0,20}") {
        let vault = vault();
        let sealed = vault.seal(&context, &secret).unwrap();
        let opened = vault.open(&context, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), secret.as_slice());
    }

    #[test]
    fn rubbish_never_opens(sealed in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(vault().open("a", &sealed).is_err());
    }
}
