//! A whole daemon, open for its clients: as `mosaic up` runs it, and as `mosaic tui` takes one along.

use std::io::ErrorKind;

use super::{CliError, Common};
use crate::app::App;
use crate::config::Config;
use crate::gateway::config::reachable;
use crate::gateway::{Principals, Server, Tls, hash_of, serve};
use crate::home::HomeLock;
use crate::outside;

/// Every actor and the listener; announced in its home.
pub(super) struct House {
    pub(super) app: App,
    pub(super) server: Server,
    pub(super) lock: HomeLock,
    /// Where it answers, as in `http://127.0.0.1:14242`.
    pub(super) base: String,
    /// Sessions that go on where they were cut off.
    pub(super) resumed: usize,
    /// Another program holds the address of the settings, so that a free port was taken.
    pub(super) held: bool,
}

impl House {
    /// Starts everything and announces it. `free_port`: where the port of the settings is held, any other will do.
    ///
    /// # Errors
    /// The store cannot be opened, or the address not be bound.
    pub(super) async fn open(
        common: &Common,
        config: &Config,
        mut lock: HomeLock,
        free_port: bool,
    ) -> Result<Self, CliError> {
        let outside = outside::system();
        let mut app = App::start(config, &common.env(), outside.clone()).await?;
        app.open_channels(config).await?;
        let principals = Principals::new(outside.clone());
        principals.load(app.doors.store.tokens().await?, &app.doors.store.browsers().await?);
        let token = lock.token(|| outside.bytes())?;
        principals.admit(hash_of(token.expose()), None, app.owner(), None);

        let mut served = serve(app.gate(principals.clone()), &config.gateway);
        let held = free_port && served.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
        if held {
            let mut gateway = config.gateway.clone();
            gateway.bind.set_port(0);
            served = serve(app.gate(principals), &gateway);
        }
        let server = match served {
            Ok(server) => server,
            Err(error) => {
                app.stop().await;
                let bind = config.gateway.bind;
                let what = unbound(error.kind());
                return Err(CliError::Unavailable(format!("cannot listen on {bind}: {error}. {what}")));
            }
        };
        let resumed = app.recover().await?;
        let tls = config.gateway.tls.as_ref();
        let address = reachable(server.address);
        lock.announce(address, tls.map(Tls::cert_sha256))?;
        let base = format!("{}://{address}", if tls.is_some() { "https" } else { "http" });
        Ok(Self { app, server, lock, base, resumed, held })
    }
}

/// What to do where the gateway cannot listen.
fn unbound(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AddrNotAvailable => {
            "No interface of this machine has that address; set gateway.bind to one that it has, or to 0.0.0.0 for all."
        }
        ErrorKind::PermissionDenied => "This user may not take that port; set gateway.bind to one from 1024 on.",
        _ => "Another program may hold the port; set gateway.bind to a free one.",
    }
}
