//! Ground: supervision of actix actors, the OTP way. Knows nothing of chat.
