//! `mosaic login` and `mosaic logout`: which daemon the commands of this home talk to.

use std::io::{IsTerminal, Read};

use clap::Args;
use mosaic_types::Secret;

use super::client::{Client, Source};
use super::output::{note, print};
use super::whoami::Me;
use super::{CliError, Common};
use crate::home::Login;

/// Bytes of a token read from stdin, at the most.
const TOKEN_BYTES: u64 = 4_096;

#[derive(Debug, Args)]
#[command(after_help = "mosaic login --url https://mosaic.example.org\n\
                        mosaic login --url http://127.0.0.1:14242 < token-file\n\n\
                        Without --token and MOSAIC_TOKEN the token is asked for without echo, or read from stdin.\n\
                        --url, --token and their variables go before a login, and a login before the home's own daemon.")]
pub(super) struct LogIn {}

#[derive(Debug, Args)]
pub(super) struct LogOut {}

pub(super) async fn log_in(common: Common, _: LogIn) -> Result<(), CliError> {
    let Some(url) = &common.url else {
        let sentence = "which daemon? Name it:  mosaic login --url https://HOST:PORT";
        return Err(CliError::Usage(sentence.to_owned()));
    };
    let home = common.home()?;
    let (token, token_from) = match &common.token {
        Some(token) => (Secret::new(token), Source::Given),
        None => (read_token()?, Source::Entered),
    };
    let client = Client::at(url, token.clone(), token_from)?;
    if client.is_exposed() {
        note("The token goes over the network unencrypted: this address is http and not of this machine.");
    }
    // Kept only when it is good.
    let me: Me = client.get("/api/v1/me").await?;
    home.log_in(&Login { url: client.base().to_owned(), token })?;
    print(&format!("Logged in at {} as {} with the role {}.\n", client.base(), me.user, me.role))?;
    note("Commands on this home talk to it from now on. `mosaic logout` ends that.");
    Ok(())
}

fn read_token() -> Result<Secret, CliError> {
    let stdin = std::io::stdin();
    let text = if stdin.is_terminal() {
        rpassword::prompt_password("Token (it is not shown): ")
            .map_err(|error| CliError::Failed(format!("no token was read, and nothing was changed: {error}")))?
    } else {
        let mut text = String::new();
        let read = stdin.lock().take(TOKEN_BYTES).read_to_string(&mut text);
        read.map_err(|error| CliError::Failed(format!("cannot read the token from stdin: {error}")))?;
        text
    };
    match text.trim() {
        "" => {
            Err(CliError::Usage("no token was given. `mosaic token create` on the daemon's side makes one.".to_owned()))
        }
        token => Ok(Secret::new(token)),
    }
}

pub(super) async fn log_out(common: Common, _: LogOut) -> Result<(), CliError> {
    if common.home()?.log_out()? {
        print("Logged out. The token itself is still good; `mosaic token revoke` ends it.\n")
    } else {
        print("There was no login on this home.\n")
    }
}
