//! Time, as those who decide have it: an argument.

/// A time or a span, in milliseconds.
pub type Millis = u64;

/// The time, and what else must come from outside.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Milliseconds of a clock that never jumps.
    pub mono: Millis,
    /// Milliseconds of the wall clock, which goes on while the machine sleeps.
    pub wall: Millis,
    /// A random number in 0..1.
    pub random: f64,
}
