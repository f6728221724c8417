//! What shells and editors ask for: completions, the manual page, schemas.

use super::{Code, Desk, Halt};
use crate::{
    cli::{Cli, SchemaKind},
    config::{FileKind, schema},
};
use clap::CommandFactory;

impl Desk {
    pub(super) fn schema(&mut self, kind: SchemaKind) -> Result<Code, Halt> {
        let schema = match kind {
            SchemaKind::Site => schema(FileKind::Site),
            SchemaKind::Scenario => schema(FileKind::Scenario),
        };
        let mut text = serde_json::to_string_pretty(&schema).map_err(|error| error.to_string())?;
        text.push('\n');
        self.output.print(text.as_bytes())?;
        Ok(Code::Passed)
    }

    pub(super) fn completions(&mut self, shell: clap_complete::Shell) -> Result<Code, Halt> {
        let mut bytes = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "mailflow", &mut bytes);
        self.output.print(&bytes)?;
        Ok(Code::Passed)
    }

    pub(super) fn man(&mut self) -> Result<Code, Halt> {
        let mut bytes = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut bytes)?;
        self.output.print(&bytes)?;
        Ok(Code::Passed)
    }
}
