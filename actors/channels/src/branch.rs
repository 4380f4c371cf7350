//! A long talk goes on in a place of its own: where the channel is told so, and its platform has such places.
//!
//! The place is named by the message that it begins with, so whoever dies on the way finds it again: a message that is told
//! once more is taken to where it went, and none is taken in twice.

use mosaic_types::outbox::Conversation;
use mosaic_types::{Code, Failure, Point};

use crate::channel::{Channel, Heard, Unopened};
use crate::house::House;

/// Characters of a place's title.
const TITLE_CHARS: usize = 80;

/// Where what was heard belongs. `after`: that one and all later ones of so many inputs have a place of their own; 0: none.
pub(crate) async fn follow(
    channel: &dyn Channel,
    house: &dyn House,
    here: &Conversation,
    heard: &Heard,
    after: usize,
) -> Result<Conversation, Failure> {
    let Some(branch) = heard.branch.clone().filter(|_| after > 0) else { return Ok(here.clone()) };
    let there = Conversation { name: branch, ..here.clone() };
    let first = heard.edits.as_ref().unwrap_or(&heard.event);
    if !house.look(there.clone(), first.clone()).await?.bound {
        let look = house.look(here.clone(), first.clone()).await?;
        if look.knows || heard.edits.is_some() || look.inputs + 1 < after {
            return Ok(here.clone());
        }
        match channel.open(here.clone(), first.clone(), title(&heard.text)).await {
            Ok(()) => Point::BranchOpened.pass(),
            Err(Unopened::Never) => return Ok(here.clone()),
            Err(Unopened::Later(wait)) => {
                let failure = Failure::new(Code::Unavailable, "No thread can be opened now. Write again in a moment.");
                let wait = wait.and_then(|wait| u64::try_from(wait.as_millis()).ok());
                return Err(Failure { retry_after_ms: wait, ..failure });
            }
        }
    }
    house.move_on(here.clone(), there.clone(), first.clone()).await?;
    Ok(there)
}

/// The first words of what was said.
fn title(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("Talk").trim();
    let plain: String = line.chars().filter(|char| !char.is_control()).take(TITLE_CHARS + 1).collect();
    match plain.char_indices().nth(TITLE_CHARS) {
        Some(_) => {
            let cut: String = plain.chars().take(TITLE_CHARS - 1).collect();
            let words = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
            format!("{words}…")
        }
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_called_by_the_first_words_of_its_first_message() {
        assert_eq!(title("\n  what is new? \nand old?"), "what is new?");
        assert_eq!(title(" \n"), "Talk");
        let long = title(&"words ".repeat(40));
        assert!(long.ends_with("words…") && long.chars().count() <= TITLE_CHARS, "{long}");
        assert_eq!(title(&"x".repeat(200)).chars().count(), TITLE_CHARS);
    }
}
