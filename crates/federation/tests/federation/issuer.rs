//! An issuer of our own, which says what a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use berth_catalog::Clock;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use rcgen::KeyPair;
use serde_json::{Map, Value, json};

/// A key that signs.
pub(crate) struct Key {
    pub(crate) id: String,
    signing: EncodingKey,
}

impl Key {
    pub(crate) fn new(id: &str) -> Self {
        let pair = KeyPair::generate().unwrap();
        Self { id: id.to_owned(), signing: EncodingKey::from_ec_der(pair.serialized_der()) }
    }

    pub(crate) fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.signing, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).unwrap()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }

    /// Signs under a header that a test made up.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.signing, Algorithm::ES256).unwrap();
        format!("{message}.{signature}")
    }
}

pub(crate) fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// What an issuer serves.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) state: Arc<Served>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
pub(crate) struct Served {
    pub(crate) discovery: Mutex<Value>,
    pub(crate) keys: Mutex<Value>,
    /// How often the keys were asked for.
    pub(crate) asked: AtomicU64,
}

impl Issuer {
    /// Starts an issuer with the public halves of `keys`.
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let state = Arc::new(Served::default());
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(served_keys))
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = serve(listener, router);
        *state.discovery.lock() = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let issuer = Self { url, state, task: tokio::spawn(served) };
        issuer.show(&keys.iter().map(|key| key.public()).collect::<Vec<_>>());
        issuer
    }

    /// Shows other keys.
    pub(crate) fn show(&self, keys: &[Value]) {
        *self.state.keys.lock() = json!({ "keys": keys });
    }

    /// The claims that every token needs, and more.
    pub(crate) fn claims(&self, more: Value) -> Value {
        let now = Clock::system().now().as_second();
        let mut claims = json!({
            "iss": self.url, "aud": "registry.test", "sub": "somebody", "iat": now, "nbf": now, "exp": now + 300,
        });
        let Value::Object(more) = more else { panic!("claims are an object") };
        let all: &mut Map<String, Value> = claims.as_object_mut().unwrap();
        for (claim, value) in more {
            if value.is_null() {
                all.remove(&claim);
            } else {
                all.insert(claim, value);
            }
        }
        claims
    }

    /// Stops to answer.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

async fn serve(listener: tokio::net::TcpListener, router: Router) {
    axum::serve(listener, router).await.unwrap();
}

async fn discovery(State(served): State<Arc<Served>>) -> Json<Value> {
    Json(served.discovery.lock().clone())
}

async fn served_keys(State(served): State<Arc<Served>>) -> Json<Value> {
    served.asked.fetch_add(1, Ordering::Relaxed);
    Json(served.keys.lock().clone())
}
