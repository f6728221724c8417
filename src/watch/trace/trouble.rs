//! Why the message trace gives no answer, in a sentence that says what to do.
//!
//! It cannot see how far a service principal that was just made has come: Microsoft says hours.

use crate::{
    microsoft::{Error, Kind, TRACE_APP},
    watch::graph::Reason,
};
use std::time::Duration;

/// Why there is no answer.
pub(super) struct Trouble {
    pub(super) sentence: String,
    /// Whether it stays so until somebody has changed something.
    pub(super) standing: bool,
    /// No use in asking again sooner.
    pub(super) wait: Duration,
}

impl Trouble {
    pub(super) fn of(error: &Error) -> Self {
        let reason = Reason::of_refusal(error, of_refusal);
        Self {
            sentence: reason.sentence(),
            standing: reason.standing,
            wait: reason.wait,
        }
    }
}

impl Trouble {
    pub(super) fn too_many_rows() -> Self {
        Self {
            sentence: "the message trace shows more rows of this run's probes than a run can have: it is not believed".to_owned(),
            standing: true,
            wait: Duration::ZERO,
        }
    }
}

fn of_refusal(kind: Kind) -> (String, bool) {
    match kind {
        Kind::TraceNotProvisioned => (
            format!(
                "the tenant does not know the message trace's own application yet: let an administrator create its service principal once \
                 (`New-MgServicePrincipal -AppId {TRACE_APP}`), and wait for some hours, up to a day"
            ),
            true,
        ),
        Kind::AccessDenied => (
            "the app may not read the message trace: add the application permission ExchangeMessageTrace.Read.All, and let an administrator of \
             the tenant consent to it"
                .to_owned(),
            true,
        ),
        Kind::NotFound => (
            "there is no message trace in this cloud or tenant: leave `trace` out of it; a loss then carries `quarantine-unchecked`".to_owned(),
            true,
        ),
        Kind::TokenRefused => (
            "Microsoft Graph refuses the app's token: check the tenant and the cloud, and whether a policy (Conditional Access) blocks the app".to_owned(),
            true,
        ),
        Kind::Throttled | Kind::Unavailable => ("the message trace is busy: mailflow tries again".to_owned(), false),
        _ => ("Microsoft Graph refuses to show the message trace".to_owned(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_service_principal_is_told_apart() {
        let (missing, standing) = of_refusal(Kind::TraceNotProvisioned);
        assert!(standing && missing.contains(TRACE_APP) && missing.contains("hours"));
        let (denied, _) = of_refusal(Kind::AccessDenied);
        assert!(denied.contains("ExchangeMessageTrace.Read.All") && !denied.contains("service principal"));
        for kind in [Kind::NotFound, Kind::TokenRefused, Kind::Other] {
            let (plain, standing) = of_refusal(kind);
            assert!(standing && plain.len() > 30 && !plain.contains('\n'));
        }
    }
}
