//! HTTP+SSE (2024-11-05, "HTTP with SSE"): each GET of `/sse` opens a session, and what is POSTed
//! to the address in its `endpoint` event is answered on it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use hyper::body::Incoming;

use super::{
    Call, Server, Session,
    http::{Refusal, is_local, read},
    new_session, stream, unpoisoned,
};
use crate::{demo::loopback::plain, local::http::Answer};

impl Server {
    /// Answers a request for `/sse` or `/messages`.
    pub(in crate::demo) async fn answer_sse(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Answer {
        if let Err(refusal) = is_local(request.headers()) {
            return refusal.answer();
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/sse") => self.open(),
            (&Method::POST, "/messages") => {
                self.receive(request).await.unwrap_or_else(Refusal::answer)
            }
            _ => plain(405, "method not allowed"),
        }
    }

    fn open(self: &Arc<Self>) -> Answer {
        let (id, session) = (new_session(), Session::new(stream::Form::Named));
        let events = session.common.connect(None);
        unpoisoned(&self.sessions_of_sse).insert(id.clone(), session.clone());
        let endpoint = format!("event: endpoint\ndata: /messages?sessionId={id}\n\n");
        let server = self.clone();
        tokio::spawn(async move {
            session.common.abandoned().await;
            unpoisoned(&server.sessions_of_sse).remove(&id);
            session.end();
        });
        stream::answer(events, Some(Bytes::from(endpoint)))
    }

    async fn receive(self: &Arc<Self>, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let id = request.uri().query().and_then(|query| query.strip_prefix("sessionId="));
        let session = id.and_then(|id| unpoisoned(&self.sessions_of_sse).get(id).cloned());
        let session = session.ok_or(Refusal::Http(404, "there is no such session"))?;
        let message = read(request.into_body()).await?;
        if message.is_request() {
            let call = Call::new(message, Some(session.clone()), session.common.clone());
            self.start(call, &session, None);
        } else {
            session.receive(message);
        }
        Ok(plain(202, "Accepted"))
    }
}
