//! A registry for what a real one can't be made to do: it answers as a test says, and remembers what it was asked.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::lock;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub uri: String,
    pub authorization: Option<String>,
    pub content_type: Option<String>,
    pub body: String,
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Says(u16, &'static str),
    /// Takes the request and never answers.
    Nothing,
}

/// Serves until the test process ends.
pub struct Fake {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Answers every request with what `answer` makes of it.
    pub fn start(answer: impl Fn(&Asked) -> Answer + Clone + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let remembered = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let (answer, remembered) = (answer.clone(), Arc::clone(&remembered));
            async move {
                let asked = read(request).await;
                lock(&remembered).push(asked.clone());
                respond(answer(&asked)).await
            }
        });
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                listener.set_nonblocking(true).expect("a socket that tokio takes");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket that tokio takes");
                axum::serve(listener, router).await.expect("serve");
            });
        });
        Fake { url, asked }
    }

    /// All that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }
}

async fn read(request: Request) -> Asked {
    let (request, body) = request.into_parts();
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    let (uri, authorization, content_type) = (request.uri.to_string(), header("authorization"), header("content-type"));
    let body = axum::body::to_bytes(body, 1024 * 1024).await.expect("a body");
    Asked { uri, authorization, content_type, body: String::from_utf8(body.to_vec()).expect("text") }
}

async fn respond(answer: Answer) -> Response {
    match answer {
        Answer::Says(status, body) => (StatusCode::from_u16(status).expect("a status"), body).into_response(),
        Answer::Nothing => std::future::pending().await,
    }
}
