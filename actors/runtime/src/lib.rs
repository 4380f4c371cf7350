//! Second floor: the actors that take a message to an answer.
