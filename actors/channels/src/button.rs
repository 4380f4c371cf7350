//! What may be pressed under a message. A button names the turn that it hangs on, so that it does nothing to another one,
//! however late it is pressed.

use mosaic_types::TurnId;

/// A button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Button {
    /// Under an answer that is being made: it ends.
    Stop(TurnId),
    /// Under a failure: what was asked is asked once more.
    Retry(TurnId),
}

impl Button {
    /// What stands on it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Stop(_) => "Stop",
            Self::Retry(_) => "Try again",
        }
    }

    /// What the platform says when it is pressed: 42 bytes at the most. Telegram takes 64 of them (Bot API,
    /// `InlineKeyboardButton`), Discord 100 characters (API reference, "Button").
    pub(crate) fn id(self) -> String {
        match self {
            Self::Stop(turn) => format!("stop:{turn}"),
            Self::Retry(turn) => format!("retry:{turn}"),
        }
    }

    /// The command that a button stands for; `None` where it is none of ours. Those that hang on messages of older versions
    /// name no turn, and are what would be typed.
    pub(crate) fn command(id: &str) -> Option<String> {
        let (name, turn) = id.split_once(':').map_or((id, None), |(name, turn)| (name, Some(turn)));
        if !matches!(name, "stop" | "retry") {
            return None;
        }
        match turn {
            Some(turn) => turn.parse::<TurnId>().ok().map(|turn| format!("/{name} {turn}")),
            None => Some(format!("/{name}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use mosaic_types::command::{Line, Request};

    use super::*;

    #[test]
    fn a_button_names_its_turn_and_an_old_one_is_what_would_be_typed() {
        let turn = TurnId(uuid::Uuid::from_u128(u128::MAX));
        let read = |id: &str| Button::command(id)?.parse::<Line>().ok().map(|line| line.request);
        for (button, request) in
            [(Button::Stop(turn), Request::Stop(Some(turn))), (Button::Retry(turn), Request::Retry(Some(turn)))]
        {
            assert!(button.id().len() <= 42, "{}", button.id());
            assert_eq!(read(&button.id()), Some(request));
        }
        assert_eq!([read("stop"), read("retry")], [Some(Request::Stop(None)), Some(Request::Retry(None))]);
        for odd in ["", "new", "new:poet", "stop:", "stop:now", "stop: /new", "retry:1"] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
    }
}
