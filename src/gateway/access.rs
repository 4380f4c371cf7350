//! What a route, or a frame of a socket, asks of whoever uses it.

use mosaic_types::{Code, Failure, UserRole};

/// Who may use a route or a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, known or not.
    Open,
    /// Whoever has this role or a higher one.
    Least(UserRole),
}

impl Access {
    /// Whether someone with `role` may.
    ///
    /// # Errors
    /// `forbidden`, with the role that is missing.
    pub fn check(self, role: UserRole) -> Result<(), Failure> {
        match self {
            Self::Least(least) if role < least => {
                let sentence = format!("This takes the role {least}; you have {role} here.");
                Err(Failure::new(Code::Forbidden, sentence))
            }
            Self::Open | Self::Least(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_reaches_what_asks_for_it_or_for_less() {
        for role in UserRole::ALL {
            assert_eq!(Access::Open.check(role), Ok(()));
            for least in UserRole::ALL {
                let answer = Access::Least(least).check(role).map_err(|failure| failure.code);
                assert_eq!(answer, if role < least { Err(Code::Forbidden) } else { Ok(()) }, "{role} for {least}");
            }
        }
    }
}
