//! An identity provider: gives tokens to clients that know the secret, and says by which key they are to be judged.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rcgen::{KeyPair, SigningKey};
use serde_json::{Value, json};

use super::lock;

/// The claim that says for whom a token is.
pub const AUDIENCE: &str = "kafka";
const ISSUER: &str = "https://provider.test";

/// Serves until the test process ends.
pub struct Provider {
    url: String,
    inner: Arc<Inner>,
}

struct Inner {
    key: KeyPair,
    /// Client and secret.
    client: (String, String),
    lifetime_s: AtomicU64,
    granted: AtomicUsize,
    forms: Mutex<Vec<String>>,
}

impl Provider {
    /// Knows one client.
    pub fn start(client: &str, secret: &str) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let inner = Arc::new(Inner {
            key: KeyPair::generate().expect("a key"),
            client: (client.to_owned(), secret.to_owned()),
            lifetime_s: AtomicU64::new(600),
            granted: AtomicUsize::new(0),
            forms: Mutex::default(),
        });
        let router = Router::new().route("/token", post(token)).route("/keys", get(keys)).with_state(Arc::clone(&inner));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                listener.set_nonblocking(true).expect("a socket that tokio takes");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket that tokio takes");
                axum::serve(listener, router).await.expect("serve");
            });
        });
        Provider { url, inner }
    }

    /// Where clients get tokens.
    pub fn token_url(&self) -> String {
        format!("{}/token", self.url)
    }

    /// Where brokers get the keys.
    pub fn keys_url(&self) -> String {
        format!("{}/keys", self.url)
    }

    /// How a broker's listener `name` is told to judge tokens.
    pub fn properties(&self, name: &str) -> Vec<String> {
        let handler = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler";
        let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
        vec![
            format!("listener.name.{name}.sasl.enabled.mechanisms=OAUTHBEARER"),
            format!("listener.name.{name}.oauthbearer.sasl.server.callback.handler.class={handler}"),
            format!("listener.name.{name}.oauthbearer.sasl.jaas.config={module}"),
            format!("listener.name.{name}.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={}", self.keys_url()),
            format!("listener.name.{name}.oauthbearer.sasl.oauthbearer.expected.audience={AUDIENCE}"),
            format!("listener.name.{name}.oauthbearer.sasl.oauthbearer.expected.issuer={ISSUER}"),
        ]
    }

    /// How long later tokens are good for.
    pub fn set_lifetime(&self, seconds: u64) {
        self.inner.lifetime_s.store(seconds, Ordering::Relaxed);
    }

    /// How many tokens were given.
    pub fn granted(&self) -> usize {
        self.inner.granted.load(Ordering::Relaxed)
    }

    /// What clients sent.
    pub fn forms(&self) -> Vec<String> {
        lock(&self.inner.forms).clone()
    }
}

async fn token(State(inner): State<Arc<Inner>>, headers: HeaderMap, form: String) -> (StatusCode, String) {
    let (client, secret) = &inner.client;
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{client}:{secret}")));
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    lock(&inner.forms).push(form);
    if authorization != Some(&expected) {
        return (StatusCode::UNAUTHORIZED, json!({ "error": "invalid_client" }).to_string());
    }
    inner.granted.fetch_add(1, Ordering::Relaxed);
    let lifetime = inner.lifetime_s.load(Ordering::Relaxed);
    let text = jwt(&inner.key, client, lifetime);
    (StatusCode::OK, json!({ "access_token": text, "token_type": "Bearer", "expires_in": lifetime }).to_string())
}

async fn keys(State(inner): State<Arc<Inner>>) -> String {
    // An uncompressed point: a mark, then both coordinates.
    let point = inner.key.public_key_raw();
    let coordinate = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let key = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "one",
        "x": coordinate(&point[1..33]), "y": coordinate(&point[33..65]),
    });
    json!({ "keys": [key] }).to_string()
}

fn jwt(key: &KeyPair, subject: &str, lifetime_s: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({ "alg": "ES256", "typ": "JWT", "kid": "one" }));
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "scope": "events", "jti": format!("{:x}", fastrand::u64(..)),
        "iat": now, "exp": now + lifetime_s,
    });
    let signed = format!("{header}.{}", part(claims));
    let signature = plain(&key.sign(signed.as_bytes()).expect("a signature"));
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The two numbers of a signature, side by side, from their DER.
fn plain(der: &[u8]) -> Vec<u8> {
    let mut numbers = Vec::new();
    // A sequence of two integers, each with its length in one byte.
    let mut rest = &der[2..];
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let (number, after) = rest[2..].split_at(length);
        // A zero stands before a number that would look negative; leading zeros of its own are left out.
        let number = &number[number.len().saturating_sub(32)..];
        numbers.extend(std::iter::repeat_n(0, 32 - number.len()));
        numbers.extend(number);
        rest = after;
    }
    numbers
}
