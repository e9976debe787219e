//! Whether every float in a payload is finite.
