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
    print(&script(shell))
}

/// What a shell is to read.
fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mosaic", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_learns_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            let commands = Cli::command();
            for command in commands.get_subcommands().filter(|command| !command.is_hide_set()) {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
