//! `mosaic completions`: teaches a shell the commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::output::print;
use super::{Cli, CliError};

#[derive(Debug, Args)]
#[command(after_help = "bash:  mosaic completions bash > ~/.local/share/bash-completion/completions/mosaic\n\
                        zsh:   mosaic completions zsh > \"${fpath[1]}/_mosaic\"\n\
                        fish:  mosaic completions fish > ~/.config/fish/completions/mosaic.fish")]
pub(super) struct Completions {
    shell: Shell,
}

pub(super) fn run(Completions { shell }: Completions) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mosaic", &mut script);
    print(&String::from_utf8_lossy(&script))
}
