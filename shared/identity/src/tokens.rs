//! Tokens that are kept until shortly before they expire. Who needs the same one at the same time waits for one fetch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use callboard_core::base::secret::Secret;

/// How long before its end a token is not used any more, so that it does not expire on its way.
const MARGIN: Duration = Duration::from_secs(60);
/// How many tokens are kept at most.
const MOST: usize = 1000;

/// A token that has been fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The token.
    pub token: Secret,
    /// How long it is valid from now on; not kept if unknown.
    pub valid: Option<Duration>,
}

/// A token to use.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub token: Secret,
    /// Whether it was fetched for an earlier call, so that it may have been revoked since.
    pub kept: bool,
}

/// Tokens by what they were fetched with and for: a digest that two fetches share only if they get equally good tokens.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<[u8; 32], Arc<tokio::sync::Mutex<Slot>>>>);

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Kept(Secret, Instant),
    Failed(String, Instant),
}

impl Tokens {
    /// Returns the token that is kept, or else fetches one. `stale` is a token that its receiver has refused: it is not returned
    /// again.
    ///
    /// # Errors
    /// What `fetch` tells, to everyone who has waited for it.
    pub async fn get(
        &self,
        key: [u8; 32],
        stale: Option<&Secret>,
        fetch: impl Future<Output = Result<Fetched, String>>,
    ) -> Result<Token, String> {
        let entered = Instant::now();
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        match &*slot {
            Slot::Kept(token, end) if *end > Instant::now() && stale != Some(token) => {
                return Ok(Token {
                    token: token.clone(),
                    kept: true,
                });
            }
            Slot::Failed(told, at) if *at >= entered => return Err(told.clone()),
            _ => {}
        }
        let fetched = fetch.await;
        *slot = match &fetched {
            Ok(fetched) => Slot::of(fetched),
            Err(told) => Slot::Failed(told.clone(), Instant::now()),
        };
        fetched.map(|fetched| Token {
            token: fetched.token,
            kept: false,
        })
    }

    fn slot(&self, key: [u8; 32]) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST && !slots.contains_key(&key) {
            // what cannot be locked is being fetched
            slots.retain(|_, slot| slot.try_lock().map_or(true, |slot| slot.is_valid()));
            if slots.len() >= MOST {
                slots.clear();
            }
        }
        Arc::clone(slots.entry(key).or_default())
    }
}

impl Slot {
    fn of(fetched: &Fetched) -> Self {
        let kept_for = fetched.valid.and_then(|valid| valid.checked_sub(MARGIN));
        match kept_for.and_then(|span| Instant::now().checked_add(span)) {
            Some(end) => Self::Kept(fetched.token.clone(), end),
            None => Self::Empty,
        }
    }

    fn is_valid(&self) -> bool {
        matches!(self, Self::Kept(_, end) if *end > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Fetches the tokens `token-1`, `token-2` and so on, each after all who may wait for it do.
    async fn fetch(count: &AtomicUsize, seconds: Option<u64>) -> Result<Fetched, String> {
        tokio::task::yield_now().await;
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Fetched {
            token: Secret::new(format!("token-{number}")),
            valid: seconds.map(Duration::from_secs),
        })
    }

    #[tokio::test]
    async fn a_token_is_fetched_once_until_it_expires_or_is_refused() -> Result<(), String> {
        let (tokens, count) = (Tokens::default(), AtomicUsize::new(0));
        let get = |key, stale: Option<&'static str>, seconds| {
            let (tokens, count) = (&tokens, &count);
            async move {
                let stale = stale.map(Secret::new);
                let token = tokens.get([key; 32], stale.as_ref(), fetch(count, seconds)).await?;
                Ok::<_, String>((token.token.expose().to_owned(), token.kept))
            }
        };
        let (one, other) = tokio::try_join!(get(1, None, Some(3600)), get(1, None, Some(3600)))?;
        assert_eq!(
            (one, other),
            (("token-1".to_owned(), false), ("token-1".to_owned(), true))
        );
        assert_eq!(get(1, Some("token-1"), Some(3600)).await?.0, "token-2");
        // who comes later with the same stale token gets the one that replaced it
        assert_eq!(get(1, Some("token-1"), Some(3600)).await?.0, "token-2");
        assert_eq!(get(2, None, Some(60)).await?.0, "token-3");
        assert_eq!(
            get(2, None, None).await?.0,
            "token-4",
            "one that expires within a minute"
        );
        assert_eq!(get(2, None, None).await?.0, "token-5", "one whose end is not known");
        Ok(())
    }

    #[tokio::test]
    async fn who_waits_for_a_fetch_that_fails_does_not_repeat_it() {
        let (tokens, count) = (Tokens::default(), AtomicUsize::new(0));
        let fail = || async {
            fetch(&count, None).await?;
            Err("it is down".to_owned())
        };
        let (one, other) = tokio::join!(tokens.get([1; 32], None, fail()), tokens.get([1; 32], None, fail()));
        assert!(one.is_err() && other.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(tokens.get([1; 32], None, fail()).await.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 2, "a later one is");
    }
}
