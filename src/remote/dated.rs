//! A transport that notes what time the other side thinks it is (`Date`, RFC 9110 §6.6.1).

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::DATE;
use jiff::fmt::rfc2822::DateTimeParser;

use super::{Answer, Broken, Transport};
use crate::clock::Clock;

/// Carries requests on, and looks at the answers.
pub struct Dated {
    inner: Arc<dyn Transport>,
    clock: Clock,
    ahead: Mutex<Option<i64>>,
}

impl Dated {
    pub fn new(inner: Arc<dyn Transport>, clock: Clock) -> Dated {
        Dated {
            inner,
            clock,
            ahead: Mutex::new(None),
        }
    }

    /// Seconds that the other side is ahead of us, by its last answer.
    pub fn ahead(&self) -> Option<i64> {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Dated {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Answer<'_, Result<http::Response<Bytes>, Broken>> {
        Box::pin(async move {
            let answer = self.inner.send(request).await?;
            let date = answer
                .headers()
                .get(DATE)
                .and_then(|date| date.to_str().ok());
            let theirs = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
            if let Some(theirs) = theirs {
                let ahead = theirs.as_second() - self.clock.now();
                *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
            }
            Ok(answer)
        })
    }
}
