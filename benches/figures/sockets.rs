//! What does a reader cost: a delta on its way to one, one that hears nothing, an event for thousands of them?

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::{join, join_all};
use mosaic_testkit::http::{Client, Streaming};
use mosaic_testkit::ws::{Heard, Socket};
use mosaic_testkit::{StandIn, Step};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;

use crate::bed::{Bed, block_on, home};
use crate::report::{Report, Tries, float, ms};

/// Pieces of a stream in which each travels alone, and the pause between two.
const PACED: (usize, Duration) = (3_000, Duration::from_millis(1));
/// Pieces of a stream that comes as fast as it can.
const FLOOD: (usize, Duration) = (20_000, Duration::ZERO);
/// Times that an event reaches a socket, in one row: fifty events to a thousand of them, twenty to ten thousand.
const REACHED: usize = 50_000;
const EVENTS: std::ops::RangeInclusive<usize> = 20..=50;
/// Descriptors beside those of the sockets.
const OTHERS: usize = 200;

pub(crate) fn measure(report: &mut Report) {
    let affordable = descriptors().saturating_sub(OTHERS);
    deltas(report, PACED, "1 ms apart");
    deltas(report, FLOOD, "without pauses");
    for wanted in [1_000, 10_000] {
        let count = wanted.min(affordable);
        if count < wanted {
            eprintln!("  {count} sockets instead of {wanted}: more files may not be open here, see `ulimit -H -n`");
        }
        idle(report, count);
        everyone(report, count);
    }
}

/// Files that this process may open, and the daemon, which inherits the limit: as many as may be.
fn descriptors() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is refused, the old limit stays, and is what counts.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// One stream that was read to its end.
struct Read {
    /// From the stand-in's write to the reader.
    under_way: Tries,
    took: Duration,
    cpu: Duration,
}

/// The same stream straight from the stand-in, on a WebSocket and as an event stream.
fn deltas(report: &mut Report, (pieces, delay): (usize, Duration), pace: &str) {
    let upstream = StandIn::builder().always(Step::SayTimes { pieces, delay }).keep(0).start();
    let bed = Bed::start(home(&upstream));
    block_on(async {
        let mut direct = straight(&upstream, &bed).await;
        let reads = [("a WebSocket", by_socket(&bed).await), ("an event stream", by_stream(&bed).await)];
        let each = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6 / float(pieces));
        for (way, mut read) in reads {
            assert_eq!((direct.under_way.len(), read.under_way.len()), (pieces, pieces), "each piece came");
            let cpu = each(read.cpu);
            let (value, baseline) = if delay.is_zero() {
                (format!("{} a delta", each(read.took)), format!("straight {} a delta", each(direct.took)))
            } else {
                let times =
                    |read: &mut Tries| format!("p50 {}, p99 {}", ms(read.quantile(0.5)), ms(read.quantile(0.99)));
                (times(&mut read.under_way), format!("straight {}", times(&mut direct.under_way)))
            };
            let figure = format!("deltas on {way}, {pieces} of them {pace}");
            report.row(&figure, format!("{value}, {cpu} of the daemon's CPU each"), baseline, "none");
        }
    });
}

/// Adds how long each of the times in `text` was under way.
fn hear(tries: &mut Tries, text: &[u8]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    // Nanoseconds since 1970 have 19 digits, and nothing else in these events has.
    for digits in text.split(|byte| !byte.is_ascii_digit()).filter(|digits| digits.len() == 19) {
        let said = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).expect("it is a number");
        tries.push(now.saturating_sub(Duration::from_nanos(said)));
    }
}

/// Reads an event stream to its end; what counts are events that have `mark`.
async fn listen(mut answer: Streaming<'_>, mark: &[u8]) -> Tries {
    let (mut tries, mut held) = (Tries::default(), Vec::new());
    while let Some(piece) = answer.next().await.expect("to its end") {
        held.extend_from_slice(&piece);
        let Some(end) = held.windows(2).rposition(|two| two == b"\n\n") else { continue };
        for event in held[..end].split(|byte| *byte == b'\n') {
            if event.windows(mark.len()).any(|part| part == mark) {
                hear(&mut tries, event);
            }
        }
        held.drain(..end + 2);
    }
    tries
}

async fn timed(bed: &Bed, work: impl Future<Output = Tries>) -> Read {
    let (cpu, began) = (bed.cpu(), Instant::now());
    let under_way = work.await;
    Read { under_way, took: began.elapsed(), cpu: bed.cpu() - cpu }
}

async fn straight(upstream: &StandIn, bed: &Bed) -> Read {
    let body =
        json!({"model": "stand-in", "stream": true, "messages": [{"role": "user", "content": "go"}]}).to_string();
    let mut client = Client::connect(upstream.address()).await.expect("the stand-in accepts");
    timed(bed, async {
        let headers = [("content-type", "application/json")];
        let answer = client.stream("POST", "/v1/chat/completions", &headers, body.as_bytes()).await;
        listen(answer.expect("a stream"), b"content").await
    })
    .await
}

async fn by_stream(bed: &Bed) -> Read {
    let (bearer, path) = (format!("Bearer {}", bed.token), format!("/api/v1/sessions/{}/messages", session(bed).await));
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("accept", "text/event-stream")];
    let mut client = bed.client().await;
    timed(bed, async {
        let answer = client.stream("POST", &path, &headers, br#"{"text":"go"}"#).await;
        listen(answer.expect("a stream"), b"turn.delta").await
    })
    .await
}

async fn by_socket(bed: &Bed) -> Read {
    let session = session(bed).await;
    let mut socket = subscribed(bed, &session).await;
    let send = json!({"type": "message.send", "id": "k", "session": session, "text": "go"}).to_string();
    timed(bed, async {
        socket.send(&send).await;
        let mut tries = Tries::default();
        loop {
            let Heard::Text(text) = socket.next().await else { panic!("the socket ended") };
            if text.contains("turn.finished") {
                return tries;
            }
            if text.contains("turn.delta") {
                hear(&mut tries, text.as_bytes());
            }
        }
    })
    .await
}

async fn session(bed: &Bed) -> String {
    let bearer = format!("Bearer {}", bed.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let made = bed.client().await.request("POST", "/api/v1/sessions", &headers, b"{}").await;
    made.expect("an answer").json::<Value>()["id"].as_str().expect("an id").to_owned()
}

async fn subscribed(bed: &Bed, session: &str) -> Socket {
    let bearer = format!("Bearer {}", bed.token);
    let mut socket = Socket::open(bed.address, "/ws", &[("authorization", &bearer)]).await.expect("an upgrade");
    socket.send(r#"{"type":"connect","protocol":1}"#).await;
    until(&mut socket, "\"ready\"").await;
    socket.send(&json!({"type": "subscribe", "session": session, "after": 0}).to_string()).await;
    until(&mut socket, "\"subscribed\"").await;
    socket
}

/// When a frame with this text came.
async fn until(socket: &mut Socket, what: &str) -> Instant {
    loop {
        match socket.next().await {
            Heard::Text(text) if text.contains(what) => return Instant::now(),
            Heard::Text(_) => {}
            over => panic!("{over:?} before {what}"),
        }
    }
}

/// Sockets that follow a session. Each is read all the time, as a client does: pings are answered.
struct Followers {
    heard: UnboundedReceiver<Told>,
    _readers: JoinSet<()>,
}

/// What one of them heard of a turn.
enum Told {
    Started(Instant),
    Finished,
    Ended(Heard),
}

async fn many(bed: &Bed, session: &str, count: usize) -> Followers {
    let (tell, heard) = unbounded_channel();
    let mut readers = JoinSet::new();
    while readers.len() < count {
        let some = (count - readers.len()).min(100);
        for mut socket in join_all((0..some).map(|_| subscribed(bed, session))).await {
            let tell = tell.clone();
            readers.spawn(async move {
                loop {
                    let told = match socket.next().await {
                        Heard::Text(text) if text.contains("turn.started") => Told::Started(Instant::now()),
                        Heard::Text(text) if text.contains("turn.finished") => Told::Finished,
                        Heard::Text(_) => continue,
                        over => Told::Ended(over),
                    };
                    let over = matches!(told, Told::Ended(_));
                    if tell.send(told).is_err() || over {
                        break;
                    }
                }
            });
        }
    }
    Followers { heard, _readers: readers }
}

impl Followers {
    /// When each of so many heard that a turn started, once all have heard its end.
    async fn turn(&mut self, count: usize) -> Vec<Instant> {
        let (mut started, mut finished) = (Vec::with_capacity(count), 0);
        while finished < count {
            match self.heard.recv().await.expect("they are read as long as this is") {
                Told::Started(at) => started.push(at),
                Told::Finished => finished += 1,
                Told::Ended(over) => panic!("{over:?} in the middle of a turn"),
            }
        }
        assert_eq!(started.len(), count, "each of them hears of each turn once");
        started
    }
}

/// Memory of sockets that follow a session in which nothing happens.
fn idle(report: &mut Report, count: usize) {
    let upstream = StandIn::builder().always(Step::say("one")).keep(0).start();
    let bed = Bed::start(home(&upstream));
    block_on(async {
        let session = session(&bed).await;
        let before = bed.resident();
        let followers = many(&bed, &session, count).await;
        let after = bed.resident();
        let [each, all] = [float(count), 1_024.0].map(|part| after.saturating_sub(before) as f64 / part);
        let baseline = format!("without them {:.1} MiB", before as f64 / 1_024.0);
        let figure = format!("resident memory of {count} idle sockets, connected and subscribed");
        report.row(&figure, format!("{each:.1} KiB each, {all:.1} MiB in all"), baseline, "none");
        drop(followers);
    });
}

/// How long one event takes to reach all who follow a session, from the request that made it.
fn everyone(report: &mut Report, count: usize) {
    let upstream = StandIn::builder().always(Step::say("one")).keep(0).start();
    let bed = Bed::start(home(&upstream));
    let (mut first, mut last) = (Tries::default(), Tries::default());
    block_on(async {
        let session = session(&bed).await;
        let mut followers = many(&bed, &session, count).await;
        let (bearer, path) = (format!("Bearer {}", bed.token), format!("/api/v1/sessions/{session}/messages"));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let mut client = bed.client().await;
        for _ in 0..(REACHED / count.max(1)).clamp(*EVENTS.start(), *EVENTS.end()) {
            let began = Instant::now();
            client.send("POST", &path, &headers, br#"{"text":"go"}"#).await.expect("it is sent");
            let accepted = async {
                let mut answer = client.receive(false).await.expect("an answer");
                let body = answer.rest().await.expect("to its end");
                // Where it is refused, nobody hears anything.
                assert_eq!(answer.head.status, 202, "{}", String::from_utf8_lossy(&body));
            };
            let (started, ()) = join(followers.turn(count), accepted).await;
            first.push(*started.iter().min().expect("there are some") - began);
            last.push(*started.iter().max().expect("there are some") - began);
        }
    });
    let figure = format!("one event to the last of {count} sockets that follow a session, from the request on");
    let value = format!("p50 {}, p99 {}", ms(last.quantile(0.5)), ms(last.quantile(0.99)));
    let baseline = format!("to the first p50 {}, p99 {}", ms(first.quantile(0.5)), ms(first.quantile(0.99)));
    report.row(&figure, value, baseline, "none");
}
