use super::Traces;

fn problems(endpoint: &str) -> String {
    let traces = Traces { endpoint: Some(endpoint.to_owned()), ..Traces::default() };
    traces.problems().collect()
}

#[test]
fn endpoints_are_addresses_without_secrets() {
    for (endpoint, advice) in [
        ("", "use an address"),
        ("localhost:4318", "use an address"),
        ("collector", "use an address"),
        ("grpc://collector:4317", "use an address"),
        ("http://", "use an address"),
        ("http://:4318", "use an address"),
        ("http://collector:port", "use an address"),
        ("http://collector:4318?token=x", "use an address"),
        ("https://collector", "https is not supported"),
        ("http://collector:4318/?token=x", "leave out what follows"),
        ("http://collector:4318/v1/traces", "leave out /v1/traces"),
    ] {
        let said = problems(endpoint);
        assert!(said.contains(&format!("{endpoint:?}: {advice}")), "{endpoint}: {said}");
    }
    let said = problems("http://me:secret@collector:4318");
    assert!(said.contains("OTEL_EXPORTER_OTLP_HEADERS") && !said.contains("secret"), "{said}");
}

#[test]
fn endpoints_need_the_feature() {
    for endpoint in ["http://127.0.0.1:4318", "http://collector/otlp/", "http://[::1]", "http://[::1]:4318"] {
        let said = problems(endpoint);
        assert_eq!(said.contains("--features otlp"), cfg!(not(feature = "otlp")), "{said}");
    }
    assert_eq!(Traces::default().problems().count(), 0);
}

#[test]
fn ratios_lie_between_none_and_all() {
    let count = |sample_ratio| Traces { sample_ratio, ..Traces::default() }.problems().count();
    assert_eq!([0.0, 0.1, 1.0].map(count), [0; 3]);
    assert_eq!([-0.1, 1.1, f64::NAN, f64::INFINITY].map(count), [1; 4]);
    assert_eq!(Traces { service_name: " ".to_owned(), ..Traces::default() }.problems().count(), 1);
}
