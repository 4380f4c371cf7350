//! Beside the house: fakes of the outside world that speak the real wire.
