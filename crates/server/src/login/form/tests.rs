use super::*;

#[test]
fn fields_are_decoded() {
    let form = Form::parse("name=Alice+B&password=%E6%9D%8E%26%2B&empty=&csrf=x");
    assert_eq!(form.get("name"), Some("Alice B"));
    assert_eq!(form.get("password"), Some("李&+"));
    assert_eq!(form.get("empty"), Some(""));
    assert_eq!(form.get("other"), None);
}

#[test]
fn a_form_is_of_who_was_shown_it() {
    let form = Form::parse(&format!("csrf={}", token("mine")));
    assert!(form.is_of("mine"));
    assert!(!form.is_of("another's"));
    assert!(!Form::parse("").is_of("mine"));
}
