//! Ground: the actix messages, one file per receiving actor.
