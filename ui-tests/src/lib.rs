//! What the compiler says to users of larder: `fail/` holds one mistake a file with the message it gets, by the rule it breaks; `pass/` holds
//! what must compile whatever surrounds it. See `tests/ui.rs`.
