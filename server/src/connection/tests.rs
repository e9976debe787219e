//! The state machine, without a socket: frames in, actions and frames out.
