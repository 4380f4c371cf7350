//! Slow readers, strangers and a thousand at once.

use std::time::Duration;

use futures_util::future::join_all;
use mosaic_testkit::ws::{RawSocket, Socket, opcode};
use mosaic_testkit::{StandIn, Step};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::testbed::{PATIENCE, Testbed, Wire, eventually, heard, soon};

/// CPU that the daemon used so far, in ticks of 10 ms.
fn ticks(bed: &Testbed) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", bed.pid())).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|field| fields.get(*field)?.parse::<u64>().ok()).sum()
}

#[tokio::test]
async fn readers_of_a_byte_a_second_are_cut_and_neither_memory_nor_their_neighbour_feels_it() {
    // A turn's text fits into what may be under way to a reader, and the next turn is asked for when the neighbour has
    // read the last: it is as fast as it is, and never behind.
    const BYTES: usize = 256 << 10;
    const TURNS: usize = 32;
    const SLOW: usize = 20;
    let bed =
        Testbed::with(StandIn::builder().always(Step::say_in("x".repeat(BYTES), BYTES >> 12, Duration::ZERO))).await;
    let session = bed.api().session().await;
    let connect = json!({"type": "connect", "protocol": 1, "token": bed.token()}).to_string();
    let subscribe = json!({"type": "subscribe", "session": session}).to_string();
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        let mut socket = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
        socket.text(&connect).await.expect("sent");
        socket.text(&subscribe).await.expect("sent");
        assert!(soon("a byte", socket.taste()).await);
        slow.push(socket);
    }
    let (mut wire, _) = Wire::ready(bed.address(), &bed.token()).await;
    wire.subscribe(&session, 0).await;
    let before = bed.resident_kib();
    let mut most = before;
    for turn in 0..TURNS {
        let id = format!("k{turn}");
        wire.send(json!({"type": "message.send", "id": id, "session": session, "text": "flood"})).await;
        let frames = wire.until("turn.finished").await;
        assert_eq!(heard(&frames).len(), BYTES, "the neighbour hears all of it");
        most = most.max(bed.resident_kib());
        for socket in &mut slow {
            soon("a byte, or the end", socket.taste()).await;
        }
    }
    // Kept for them without a bound it would be twenty times the text.
    let bound = (SLOW * TURNS * BYTES / 2) >> 10;
    assert!(most - before < bound as u64, "from {before} to {most} KiB");
    // What they still find is their goodbye, or the end of the connection.
    for mut socket in slow {
        soon("the slow one is cut", async { while socket.next().await.is_some() {} }).await;
    }
    let (mut back, _) = Wire::ready(bed.address(), &bed.token()).await;
    let replayed = back.subscribe(&session, 0).await;
    let answers = replayed.iter().filter(|frame| frame["type"] == "turn.finished");
    let lengths: Vec<_> = answers.map(|frame| frame["text"].as_str().map(str::len)).collect();
    assert_eq!(lengths, vec![Some(BYTES); TURNS]);
}

#[tokio::test]
async fn one_who_stops_reading_is_told_where_to_read_on_when_it_reads_again() {
    let mut bed = Testbed::asleep(StandIn::builder().always(Step::Flood { bytes: 4 << 20 }));
    bed.configure("");
    bed.restart().await;
    let session = bed.api().session().await;
    let mut socket = RawSocket::open(bed.address(), "/ws").await.expect("an upgrade");
    let connect = json!({"type": "connect", "protocol": 1, "token": bed.token()}).to_string();
    socket.text(&connect).await.expect("sent");
    socket.text(&json!({"type": "subscribe", "session": session}).to_string()).await.expect("sent");
    bed.api().say(&session, "flood").await;
    // It reads all that comes and answers no ping: what it has read is not confirmed.
    let (mut texts, mut part, mut goodbye) = (Vec::new(), Vec::new(), None);
    while goodbye.is_none() {
        let frame = soon("a frame", socket.next()).await.expect("a goodbye before the end");
        match frame.opcode {
            opcode::TEXT | opcode::CONTINUATION => {
                part.extend_from_slice(&frame.payload);
                if frame.fin {
                    texts.push(serde_json::from_slice::<Value>(&std::mem::take(&mut part)).expect("JSON"));
                }
            }
            opcode::CLOSE => goodbye = Some(frame.close()),
            _ => {}
        }
    }
    let (code, reason) = goodbye.expect("it was awaited");
    let seen = texts.iter().filter_map(|frame| frame["seq"].as_i64()).max().expect("the turn began");
    assert_eq!((code, reason), (4408, format!("too slow; subscribe to {session} after {seen}")));
    // In the middle of a long text there is no place for another frame than goodbye.
    if part.is_empty() {
        let error = texts.last().expect("a last word");
        assert_eq!((&error["code"], &error["resume"][0]["after"]), (&json!("too_slow"), &json!(seen)));
    }
}

#[tokio::test]
async fn a_thousand_sockets_that_come_back_at_once_are_all_resynced_and_then_the_daemon_rests() {
    const SOCKETS: usize = 1_000;
    let mut bed = Testbed::start().await;
    let api = bed.api();
    let mut sessions = Vec::new();
    while sessions.len() < SOCKETS {
        let some = join_all((0..100).map(|_| async {
            let session = api.session().await;
            api.ask(&session, "hello").await;
            session
        }));
        sessions.extend(some.await);
    }
    let token = bed.token();
    let open = async |address, session: &str, after| {
        let (mut wire, _) = Wire::ready(address, &token).await;
        let replayed = wire.subscribe(session, after).await;
        (wire, replayed.iter().filter_map(|frame| frame["seq"].as_i64()).collect::<Vec<_>>())
    };
    let first = join_all(sessions.iter().map(|session| open(bed.address(), session, 0))).await;
    assert!(first.iter().all(|(_, seqs)| *seqs == [1, 2, 3, 4]));
    bed.kill9().await;
    bed.restart().await;
    let again = join_all(sessions.iter().map(|session| open(bed.address(), session, 3))).await;
    assert!(again.iter().all(|(_, seqs)| *seqs == [4]), "what they had not seen, once");
    // Idle sockets cost next to nothing: a whole second with at most 50 ms of CPU.
    eventually("the daemon rests", || async {
        let before = ticks(&bed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        (ticks(&bed) - before <= 5).then_some(())
    })
    .await;
    drop(first);
    // And each of them still hears.
    let (mut last, _) = again.into_iter().next_back().expect("a thousand");
    bed.api().say(sessions.last().expect("a thousand"), "again").await;
    last.until("turn.finished").await;
}

/// Sockets that the daemon holds, its listener and its own pairs among them.
fn sockets(bed: &Testbed) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", bed.pid())).expect("it runs");
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// Connections that this process may open beside all else.
fn affordable() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let soft = line.split_whitespace().nth(3).and_then(|soft| soft.parse::<usize>().ok()).unwrap_or(1_024);
    10_000.min(soft / 2)
}

#[tokio::test]
async fn ten_thousand_half_open_sockets_end_by_themselves_and_a_good_client_gets_through() {
    let mut bed = Testbed::asleep(StandIn::builder());
    bed.configure("[gateway]\nbind = \"127.0.0.1:0\"\nworkers = 2\nconnections = 20000\n");
    bed.restart().await;
    let (address, strangers, before) = (bed.address(), affordable(), sockets(&bed));
    let upgrade = format!(
        "GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut open = Vec::new();
    while open.len() < strangers {
        let some = join_all((0..250).map(|_| async {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(upgrade.as_bytes()).await.expect("it is sent");
            stream
        }));
        open.extend(soon("they connect", some).await);
    }
    // Known by its header it does not stand among them.
    let bearer = format!("Bearer {}", bed.token());
    let good = soon("the good client", Socket::open(address, "/ws", &[("authorization", &bearer)])).await;
    let mut good = Wire::of(good.expect("an upgrade"));
    good.send(json!({"type": "connect", "protocol": 1})).await;
    assert_eq!(good.frame().await["type"], "ready");
    // Each of them is answered, and ends without a word of its own: the refused as well as who was let in.
    let ends = join_all(open.into_iter().map(|mut stream| async move {
        let (mut all, mut piece) = (Vec::new(), [0; 1_024]);
        loop {
            let read = tokio::time::timeout(2 * PATIENCE, stream.read(&mut piece)).await;
            let read = read.unwrap_or_else(|_| panic!("still open: {:?}", String::from_utf8_lossy(&all)));
            all.extend_from_slice(&piece[..*read.as_ref().unwrap_or(&0)]);
            if matches!(read, Ok(0) | Err(_)) {
                let refused = all.starts_with(b"HTTP/1.1 503");
                assert!(refused || all.starts_with(b"HTTP/1.1 101"), "{:?}", String::from_utf8_lossy(&all));
                return !refused;
            }
        }
    }))
    .await;
    let let_in = ends.iter().filter(|let_in| **let_in).count();
    assert!(let_in >= 1_024.min(strangers), "{let_in} of {strangers}");
    good.send(json!({"type": "ping"})).await;
    assert_eq!(good.frame().await["type"], "pong");
    // The good client's, and a few of the daemon's own that it opens in its first moments.
    eventually("nothing is left of them", || async { (sockets(&bed) <= before + 10).then_some(()) }).await;
}
