//! The floor: a plain keep-alive HTTP client in a process of its own.

use std::{
    cell::Cell,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::LocalSet;

use crate::subject::{FLIGHT, INITIALIZE, INITIALIZED, SMALL, Subject, call};

/// The driver's end of a floor process.
pub struct Plain {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Plain {
    /// Starts it; how long it took until the server had answered `initialize`.
    pub fn start(url: &str) -> (Self, Duration) {
        let executable = std::env::current_exe().expect("the path of this executable");
        let started = Instant::now();
        let mut child = Command::new(executable)
            .args(["--role", "plain", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this executable starts");
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut plain = Plain { child, stdin, stdout };
        plain.read_line();
        (plain, started.elapsed())
    }

    fn ask(&mut self, question: &str) -> Vec<Duration> {
        writeln!(self.stdin, "{question}").expect("the floor reads");
        let nanos = self.read_line();
        nanos
            .split_whitespace()
            .map(|number| Duration::from_nanos(number.parse().expect("a number")))
            .collect()
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the floor answers");
        assert!(line.ends_with('\n'), "the floor has ended");
        line
    }
}

impl Subject for Plain {
    fn one_by_one(&mut self, tool: &str, calls: usize) -> Vec<Duration> {
        self.ask(&format!("one {calls} {tool}"))
    }

    fn in_flight(&mut self, calls: usize) -> Duration {
        self.ask(&format!("all {calls} {SMALL}"))[0]
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The floor process: makes the calls that lines on its stdin ask for, and says how many
/// nanoseconds each took.
pub fn run(url: &str) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let client = Rc::new(Client { http: http_client(), url: url.parse().expect("a URL") });
        client.post(INITIALIZE.to_owned()).await;
        answer(&[]);
        client.post(INITIALIZED.to_owned()).await;
        for line in std::io::stdin().lines() {
            let line = line.expect("the driver writes text");
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().expect("three words");
            let (how, calls, tool) = (word(), word().parse().expect("a number"), word());
            match how {
                "one" => answer(&one_by_one(&client, tool, calls).await),
                _ => answer(&[in_flight(&client, tool, calls).await]),
            }
        }
    });
}

fn answer(times: &[Duration]) {
    let words: Vec<String> = times.iter().map(|time| time.as_nanos().to_string()).collect();
    writeln!(std::io::stdout(), "{}", words.join(" ")).expect("the driver reads");
}

async fn one_by_one(client: &Client, tool: &str, calls: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(calls);
    for id in 1..=calls {
        let started = Instant::now();
        client.post(call(id, tool)).await;
        times.push(started.elapsed());
    }
    times
}

async fn in_flight(client: &Rc<Client>, tool: &str, calls: usize) -> Duration {
    let started = Instant::now();
    let next = Rc::new(Cell::new(0));
    let workers: Vec<_> = (0..FLIGHT)
        .map(|_| {
            let (client, next, tool) = (client.clone(), next.clone(), tool.to_owned());
            tokio::task::spawn_local(async move {
                while next.get() < calls {
                    next.set(next.get() + 1);
                    client.post(call(next.get(), &tool)).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("no call panics");
    }
    started.elapsed()
}

struct Client {
    http: reqwest::Client,
    url: reqwest::Url,
}

impl Client {
    /// Sends a message and reads the whole answer, with the headers that a bridge has to send.
    async fn post(&self, body: String) {
        let mut response = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-session-id", "bench")
            .header("mcp-protocol-version", "2025-11-25")
            .body(body)
            .send()
            .await
            .expect("the server answers");
        assert!(response.status().is_success());
        let mut whole = Vec::new();
        while let Some(chunk) = response.chunk().await.expect("the body is whole") {
            whole.extend_from_slice(&chunk);
        }
        std::hint::black_box(whole);
    }
}

/// The settings of the bridge's own client for an http endpoint: no TLS is set up.
fn http_client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider's own versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(Duration::from_secs(10))
        .tcp_nodelay(true)
        .no_proxy()
        .cookie_store(true)
        .tls_backend_preconfigured(tls)
        .build()
        .expect("nothing here can be missing")
}
