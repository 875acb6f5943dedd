//! What may happen, and in which order: any.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A job is recorded and not yet given to the queue.
    Create { max_attempts: u32 },
    /// Something happens to a job; the number is taken modulo the number of jobs.
    Job(usize, Act),
    /// Time goes by.
    Advance { seconds: u64 },
    /// The sweep runs.
    Sweep,
}

/// One call for one job.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    MarkDispatched,
    Claim { seconds: u64 },
    Renew { token: Token, seconds: u64 },
    Finish { token: Token, well: bool },
    Release { token: Token },
    Cancel,
}

/// Which token a call has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    /// That of the last claim, whether or not it still holds.
    Last,
    /// That of the first claim.
    First,
    /// One that was never a claim's.
    Stranger,
}

/// Series of steps; a case begins with one job in any case.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (1..4_u32).prop_map(|max_attempts| Step::Create { max_attempts }),
        8 => (any::<usize>(), act()).prop_map(|(number, act)| Step::Job(number, act)),
        2 => (0..30_u64).prop_map(|seconds| Step::Advance { seconds }),
        2 => Just(Step::Sweep),
    ];
    vec(step, 1..50)
}

fn act() -> impl Strategy<Value = Act> {
    let seconds = || 0..20_u64;
    prop_oneof![
        1 => Just(Act::MarkDispatched),
        4 => seconds().prop_map(|seconds| Act::Claim { seconds }),
        2 => (token(), seconds()).prop_map(|(token, seconds)| Act::Renew { token, seconds }),
        1 => (token(), any::<bool>()).prop_map(|(token, well)| Act::Finish { token, well }),
        1 => token().prop_map(|token| Act::Release { token }),
        2 => Just(Act::Cancel),
    ]
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![4 => Just(Token::Last), 1 => Just(Token::First), 1 => Just(Token::Stranger)]
}
