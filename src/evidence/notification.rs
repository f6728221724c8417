//! Notifications: what comes back about a probe, in whatever form, bound to the probe it is about. A bounce that quotes the whole probe is still
//! a notification and never a copy.

use super::{
    Finding, Reading, Recognizer,
    binding::Binding,
    dialect, dsn,
    dsn::Notice,
    looks,
    mdn::{self, Disposition},
    mime::Entity,
};
use crate::model::{Dsn, DsnAction};

impl Recognizer {
    /// A delivery or disposition report. `None` if it is no report; empty if it is one about a message that is not ours.
    pub(super) fn report(&self, message: &Entity, reading: Reading) -> Option<Vec<Finding>> {
        if let Some(mut report) = dsn::read(message) {
            let without_reason =
                |notice: &&mut Notice| notice.diagnostic.is_none() && matches!(notice.action, DsnAction::Failed | DsnAction::Delayed);
            let mut said = None;
            for notice in report.notices.iter_mut().filter(without_reason) {
                let said = said.get_or_insert_with(|| dialect::said(message));
                notice.diagnostic = dialect::reason(said, notice.recipient.as_deref().unwrap_or_default());
            }
            let binding = self.bind(message, report.envelope_id.as_deref(), &report.notices, reading.at);
            return Some(findings(report.notices, binding, reading));
        }
        match mdn::read(message) {
            Some(Disposition::Refused(notice)) => {
                let binding = self.bind(message, None, std::slice::from_ref(&notice), reading.at);
                return Some(findings(vec![notice], binding, reading));
            }
            Some(Disposition::Handled) => return Some(self.automatic_answer(message, reading)),
            None if !looks::is_report(&message.header) => return None,
            None => {}
        }
        // It calls itself a report, but its machine-readable part is missing or cut off: its words may still say what happened.
        Some(match dialect::read(message, true, &self.known) {
            Some(bounce) => {
                let binding = self.bind(message, None, &bounce, reading.at);
                findings(bounce, binding, reading)
            }
            None => self.automatic_answer(message, reading),
        })
    }

    /// A bounce that is no report. `None` if it is none; empty if it is one about a message that is not ours.
    pub(super) fn bounce(&self, message: &Entity, reading: Reading) -> Option<Vec<Finding>> {
        let notices = dialect::read(message, false, &self.known)?;
        let binding = self.bind(message, None, &notices, reading.at);
        Some(findings(notices, binding, reading))
    }

    /// Something automatic came back that says nothing of a delivery.
    fn automatic_answer(&self, message: &Entity, reading: Reading) -> Vec<Finding> {
        let binding = self.bind(message, None, &[], reading.at);
        binding
            .map(|binding| Finding::Answer {
                probe: binding.probe,
                automatic: true,
            })
            .into_iter()
            .collect()
    }
}

fn findings(notices: Vec<Notice>, binding: Option<Binding>, reading: Reading) -> Vec<Finding> {
    let Some(binding) = binding else { return Vec::new() };
    notices
        .into_iter()
        .map(|notice| Finding::Dsn {
            probe: binding.probe,
            dsn: Dsn {
                action: notice.action,
                status: notice.status,
                recipient: notice.recipient,
                original_recipient: notice.original_recipient,
                reporting_mta: notice.reporting_mta,
                remote_mta: notice.remote_mta,
                diagnostic: notice.diagnostic,
                bound_by: binding.by.to_owned(),
                guessed: binding.guessed,
                mailbox: reading.mailbox.clone(),
                at: reading.at,
            },
        })
        .collect()
}
