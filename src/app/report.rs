//! `mailflow report`: a stored run again, in any format.

use super::{Code, Desk, Halt, output::Target};
use crate::judge::judge;
use std::sync::Arc;

impl Desk {
    pub(super) fn report(&mut self, run: &str) -> Result<Code, Halt> {
        let targets = Target::all(&self.shared.report)?;
        let (plan, events) = self.journal()?.load(run)?;
        let mut judged = judge(Arc::new(plan), &events);
        Ok(self.conclude(&mut judged, &targets, None))
    }
}
