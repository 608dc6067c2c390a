//! Answers HTTP on this machine: the sandbox's, and those of the address that a sign-in page leads
//! back to.
//!
//! Both come as one type of service, because hyper's server is compiled once for each type.

use std::{convert::Infallible, pin::Pin};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::{body::Incoming, server::conn::http1::Builder, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What is answered.
pub type Answer = Response<BoxBody<Bytes, Infallible>>;

type Answering = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

/// Serves one connection until either side ends it.
pub async fn serve<F>(
    builder: &Builder,
    stream: TcpStream,
    answer: impl Fn(Request<Incoming>) -> F + Send + 'static,
) where
    F: Future<Output = Result<Answer, Infallible>> + Send + 'static,
{
    let boxed: Box<dyn Fn(Request<Incoming>) -> Answering + Send> =
        Box::new(move |request| Box::pin(answer(request)));
    // It ends with an error whenever the other side goes away in the middle: nobody to tell.
    let _ = builder.serve_connection(TokioIo::new(stream), service_fn(boxed)).await;
}
