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
    /// The queue is known to have it: as it is due now, or as it once was.
    MarkDispatched {
        as_it_is: bool,
    },
    Claim,
    /// A claim whose answer was lost comes again.
    ClaimAgain,
    Renew {
        token: Token,
    },
    Finish {
        token: Token,
        well: bool,
    },
    Release {
        token: Token,
        seconds: u64,
    },
    /// Something else goes on with it, which a worker looks at after that time.
    Detach {
        token: Token,
        seconds: u64,
    },
    Cancel,
    /// The queue gives its message up.
    Bury,
    Redrive,
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
    vec(step, 1..60)
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => any::<bool>().prop_map(|as_it_is| Act::MarkDispatched { as_it_is }),
        4 => Just(Act::Claim),
        1 => Just(Act::ClaimAgain),
        2 => token().prop_map(|token| Act::Renew { token }),
        1 => (token(), any::<bool>()).prop_map(|(token, well)| Act::Finish { token, well }),
        1 => (token(), 0..20_u64).prop_map(|(token, seconds)| Act::Release { token, seconds }),
        2 => (token(), 0..20_u64).prop_map(|(token, seconds)| Act::Detach { token, seconds }),
        1 => Just(Act::Cancel),
        1 => Just(Act::Bury),
        1 => Just(Act::Redrive),
    ]
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![4 => Just(Token::Last), 1 => Just(Token::First), 1 => Just(Token::Stranger)]
}
