//! The measurements, in the order in which they are taken.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    machine,
    piped::Piped,
    plain::Plain,
    server::NOTIFICATIONS,
    subject::{Era, SMALL, Subject},
    table::{Bound, Report, Row, Unit, median},
};

/// How much is measured.
pub struct Effort {
    starts: usize,
    rounds: usize,
    calls: usize,
    flight: usize,
    large: usize,
    growth: usize,
    idle: Duration,
}

impl Effort {
    /// For figures to rely on.
    pub const FULL: Self = Effort {
        starts: 40,
        rounds: 15,
        calls: 2_000,
        flight: 8_000,
        large: 4,
        growth: 100_000,
        idle: Duration::from_secs(5),
    };
    /// For a first look.
    pub const QUICK: Self = Effort {
        starts: 10,
        rounds: 3,
        calls: 1_000,
        flight: 5_000,
        large: 3,
        growth: 10_000,
        idle: Duration::from_secs(1),
    };
    /// For mcp-remote, which is slow enough to be seen clearly in one round.
    const GLANCE: Self = Effort {
        starts: 3,
        rounds: 1,
        calls: 1_000,
        flight: 5_000,
        large: 2,
        growth: 10_000,
        idle: Duration::from_secs(1),
    };
}

/// The payload of the largest result, in bytes.
const PAYLOAD: f64 = (16 << 20) as f64;

/// How long after the last call a process counts as idle.
const SETTLE: Duration = Duration::from_secs(2);

/// What one subject showed in one round. Times in seconds.
#[derive(Default)]
struct Round {
    p50: f64,
    p99: f64,
    rate: f64,
    medium: f64,
    large: f64,
    progress: f64,
    cpu: Option<f64>,
    idle: Option<f64>,
    private: Option<f64>,
    peak: Option<f64>,
}

/// Everything known of one subject.
#[derive(Default)]
struct Measured {
    starts: Vec<f64>,
    rounds: Vec<Round>,
    growth: Option<f64>,
    idle_cpu: Option<f64>,
}

/// Measures the floor, the bridge, and mcp-remote if it is there.
pub fn measure(effort: &Effort) -> Report {
    let server = Server::start();
    let home = temporary();
    let bridge = bridge();
    let start_plain = || Plain::start(&server.url);
    let start_bridge = || Piped::start(&bridge, &server.url, home.path());
    let (mut floor, mut ours) = (Measured::default(), Measured::default());
    for _ in 0..effort.starts {
        floor.starts.push(start_plain().1.as_secs_f64());
        ours.starts.push(start_bridge().1.as_secs_f64());
    }
    for _ in 0..effort.rounds {
        floor.rounds.push(round(&mut start_plain().0, effort));
        ours.rounds.push(round(&mut start_bridge().0, effort));
    }
    endure(&mut ours, &mut start_bridge().0, effort);
    let crossings = crossings(&bridge, &server, effort);
    let theirs = mcp_remote().map(|command| {
        // Each with a home of its own: one that was killed leaves a lock that the next waits for.
        let homes: Vec<_> = (0..Effort::GLANCE.starts + 2).map(|_| temporary()).collect();
        let mut unused = homes.iter();
        let mut start = || {
            let home = unused.next().expect("one for each start");
            Piped::start(&command, &server.url, home.path())
        };
        let mut theirs = Measured::default();
        for _ in 0..Effort::GLANCE.starts {
            theirs.starts.push(start().1.as_secs_f64());
        }
        theirs.rounds.push(round(&mut start().0, &Effort::GLANCE));
        endure(&mut theirs, &mut start().0, &Effort::GLANCE);
        theirs
    });
    let size = std::fs::metadata(&bridge[0]).map(|file| file.len() as f64).ok();
    let mut rows = rows(&floor, &ours, theirs.as_ref(), size);
    rows.extend(crossings);
    Report { rows, with_mcp_remote: theirs.is_some() }
}

/// What a small call costs where client and server are of other eras, against two legacy ones.
fn crossings(bridge: &[OsString], server: &Server, effort: &Effort) -> Vec<Row> {
    use Era::{Legacy, Modern};
    let pairs = [(Legacy, Legacy), (Modern, Modern), (Legacy, Modern), (Modern, Legacy)];
    let homes: Vec<_> = pairs.iter().map(|_| temporary()).collect();
    let mut costs = [const { Vec::new() }; 4];
    for _ in 0..effort.rounds {
        for (at, (client, remote)) in pairs.into_iter().enumerate() {
            let url = if remote == Modern { &server.modern_url } else { &server.url };
            let mut subject = Piped::start_as(client, bridge, url, homes[at].path()).0;
            subject.one_by_one(SMALL, effort.calls / 10);
            let before = machine::cpu(subject.pid());
            subject.one_by_one(SMALL, effort.calls);
            let spent = machine::cpu(subject.pid()).zip(before).map(|(a, b)| a - b);
            costs[at].extend(spent.map(|spent| spent.as_secs_f64() / effort.calls as f64));
        }
    }
    let [same, modern, up, down] = costs;
    let row =
        |name, cost| Row::new(name, Unit::Time, Bound::Ratio(1.5), [same.clone(), cost, vec![]]);
    vec![
        row("CPU a call, 2026-07-28", modern),
        row("  legacy client, 2026-07-28", up),
        row("  2026-07-28, legacy server", down),
    ]
}

fn round(subject: &mut dyn Subject, effort: &Effort) -> Round {
    subject.one_by_one(SMALL, effort.calls / 10);
    let before = machine::cpu(subject.pid());
    let mut times = seconds(&subject.one_by_one(SMALL, effort.calls));
    let after = machine::cpu(subject.pid());
    times.sort_by(f64::total_cmp);
    let (idle, private) = (machine::resident(subject.pid()), machine::private(subject.pid()));
    Round {
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        cpu: after.zip(before).map(|(a, b)| (a - b).as_secs_f64() / effort.calls as f64),
        idle,
        private,
        rate: effort.flight as f64 / subject.in_flight(effort.flight).as_secs_f64(),
        progress: typical(subject, "progress", effort.large),
        medium: typical(subject, "1 MB", effort.large * 3),
        large: typical(subject, "16 MB", effort.large),
        peak: machine::peak(subject.pid()),
    }
}

/// The median time of so many calls of a tool.
fn typical(subject: &mut dyn Subject, tool: &str, calls: usize) -> f64 {
    median(seconds(&subject.one_by_one(tool, calls))).unwrap_or(f64::NAN)
}

/// What shows only after many calls, and when nothing happens.
fn endure(measured: &mut Measured, subject: &mut dyn Subject, effort: &Effort) {
    // The heap takes this long to find the size that 64 calls at a time need.
    subject.in_flight(effort.growth / 2);
    let before = machine::resident(subject.pid());
    subject.in_flight(effort.growth);
    let after = machine::resident(subject.pid());
    measured.growth = after.zip(before).map(|(a, b)| a - b);
    // Nothing can be awaited here: that nothing happens is what is measured, once the calls are
    // a while ago.
    std::thread::sleep(SETTLE);
    let before = machine::cpu(subject.pid());
    std::thread::sleep(effort.idle);
    let after = machine::cpu(subject.pid());
    measured.idle_cpu = after.zip(before).map(|(a, b)| (a - b).as_secs_f64());
}

/// A figure of one subject, once for each time it was taken.
type Figure<'a> = &'a dyn Fn(&Measured) -> Vec<f64>;

fn rows(
    floor: &Measured,
    ours: &Measured,
    theirs: Option<&Measured>,
    size: Option<f64>,
) -> Vec<Row> {
    use {Bound::*, Unit::*};
    let row = |name, unit, bound, figure: Figure<'_>| {
        let theirs = theirs.map(figure).unwrap_or_default();
        Row::new(name, unit, bound, [figure(floor), figure(ours), theirs])
    };
    let alone = |name, unit, bound, figure: Figure<'_>| {
        let theirs = theirs.map(figure).unwrap_or_default();
        Row::new(name, unit, bound, [vec![], figure(ours), theirs])
    };
    let progress = format!("{NOTIFICATIONS} progress notifications");
    let above = |round: &Round| Some((round.peak? - round.idle?) / PAYLOAD);
    vec![
        row("start-up", Time, Ratio(1.3), &|all| all.starts.clone()),
        row("one by one, p50", Time, Ratio(1.5), &|all| all.each(|r| Some(r.p50))),
        row("one by one, p99", Time, None, &|all| all.each(|r| Some(r.p99))),
        row("64 in flight", Rate, AtLeast(0.5), &|all| all.each(|r| Some(r.rate))),
        row("1 MB result", Time, None, &|all| all.each(|r| Some(r.medium))),
        row("16 MB result", Time, Ratio(1.5), &|all| all.each(|r| Some(r.large))),
        row(&progress, Time, None, &|all| all.each(|r| Some(r.progress))),
        row("CPU per small call", Time, Ratio(1.5), &|all| all.each(|r| r.cpu)),
        alone("idle memory", Bytes, Most(6e6), &|all| all.each(|r| r.idle)),
        alone("  of that not file pages", Bytes, None, &|all| all.each(|r| r.private)),
        alone("peak above idle / 16 MB", Times, Most(3.0), &|all| all.each(above)),
        alone("growth over many calls", Bytes, Most(512e3), &|all| Vec::from_iter(all.growth)),
        alone("CPU while idle", Time, Most(0.001), &|all| Vec::from_iter(all.idle_cpu)),
        Row::new("executable", Bytes, Most(7e6), [vec![], Vec::from_iter(size), vec![]]),
    ]
}

impl Measured {
    /// A figure in each round; none where the system does not tell it.
    fn each(&self, figure: impl Fn(&Round) -> Option<f64>) -> Vec<f64> {
        self.rounds.iter().filter_map(figure).collect()
    }
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn seconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(Duration::as_secs_f64).collect()
}

/// The bridge as built for this bench, or the words of `BRIDGE_UNDER_TEST`.
fn bridge() -> Vec<OsString> {
    match std::env::var("BRIDGE_UNDER_TEST") {
        Ok(words) => words.split(' ').map(OsString::from).collect(),
        Err(_) => vec![env!("CARGO_BIN_EXE_composio-bridge").into()],
    }
}

fn mcp_remote() -> Option<Vec<OsString>> {
    let path = PathBuf::from(std::env::var_os("MCP_REMOTE")?);
    assert!(Path::exists(&path), "MCP_REMOTE names no file: {}", path.display());
    Some(vec!["node".into(), path.into()])
}

/// The server process; it ends when the driver does.
struct Server {
    child: Child,
    url: String,
    modern_url: String,
}

impl Server {
    fn start() -> Self {
        let executable = std::env::current_exe().expect("the path of this executable");
        let mut child = Command::new(executable)
            .args(["--role", "server"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this executable starts");
        let mut port = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut port).expect("the server says its port");
        let at = |path| format!("http://127.0.0.1:{}/{path}", port.trim());
        Server { child, url: at("mcp"), modern_url: at("modern") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
