//! What do a hundred thousand awake sessions take, and how fast do they come and go? Real session actors over a real
//! store, in this process.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mosaic::app::App;
use mosaic::config::{Config, Env};
use mosaic::outside;
use mosaic_messages::CancelTurn;
use mosaic_supervise::Control;
use mosaic_types::SessionId;
use mosaic_types::journal::{API_CHANNEL, NewSession, Write};

use crate::report::{Report, float, resident};

const SESSIONS: usize = 100_000;
/// Asked at once, as many clients would.
const AT_ONCE: usize = 1_000;

pub(crate) fn measure(report: &mut Report) {
    let home = tempfile::tempdir().expect("a folder");
    let settings = "detect = false\n[session]\nidle = \"1d\"\n[agents.assistant]\nmodels = [\"up/m\"]\n\
                    [providers.up]\nbase_url = \"http://127.0.0.1:9/v1\"\n";
    std::fs::write(home.path().join("config.toml"), settings).expect("the config is written");
    let config = Config::load(None, home.path(), &Env::default()).expect("good settings");
    let (bytes, born, gone) = actix::System::new().block_on(async {
        let app = App::start(&config, &Env::default(), outside::system()).await.expect("the house starts");
        let ids = create(&app, SESSIONS).await;
        let (before, began) = (resident(), Instant::now());
        for some in ids.chunks(AT_ONCE) {
            // Nothing runs, so nothing is cancelled; but the answer comes only when the session is awake.
            join_all(some.iter().map(async |id| {
                let ask = CancelTurn::now(id.clone(), app.owner());
                app.sessions.open(id).ask(ask).await.expect("it lives").expect("it is ours");
            }))
            .await;
        }
        let (born, bytes) = (began.elapsed(), resident().saturating_sub(before) / SESSIONS as u64);
        assert_eq!(app.sessions.len(), SESSIONS, "all are awake");
        let began = Instant::now();
        for id in &ids {
            app.sessions.open(id).control(Control::Stop).expect("it lives");
        }
        while !app.sessions.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let gone = began.elapsed();
        app.stop().await;
        (bytes, born, gone)
    });
    let rate = |took: Duration| format!("{:.0}/s", float(SESSIONS) / took.as_secs_f64());
    let none = || "none".to_owned();
    let figure = "memory of an awake idle session, 100,000 of them without messages";
    report.row(figure, format!("{bytes} bytes"), "a supervised actor, see above".to_owned(), "<= 16 KB");
    report.row("sessions woken: born, read from the store, asked", rate(born), none(), "none");
    report.row("sessions stopped, told and forgotten", rate(gone), none(), "none");
}

/// So many sessions of the owner, by the writer.
pub(crate) async fn create(app: &App, count: usize) -> Vec<SessionId> {
    let ids: Vec<_> = (0..count).map(|_| app.doors.outside.session_id()).collect();
    for some in ids.chunks(AT_ONCE) {
        join_all(some.iter().map(async |id| {
            let new = NewSession {
                id: id.clone(),
                user: app.owner().user,
                channel: API_CHANNEL.into(),
                agent: "assistant".parse().expect("a good name"),
                title: "a talk about nothing in particular".to_owned(),
                at: app.doors.outside.now(),
            };
            app.doors.commit(Write::CreateSession(new)).await.expect("it is written");
        }))
        .await;
    }
    ids
}
