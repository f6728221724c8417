//! Where bytes go: standard output, standard error, report files.

use crate::{
    cli::{Shared, When},
    compare,
    config::Diagnostics,
    explain,
    model::{Judged, Outcome, Verdict},
    report::{self, Format, ReportError, Style, comparison, live::Live},
};
use anstream::ColorChoice;
use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

/// The streams, and how they like it.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// How the terminal report looks.
    style: Style,
    color_errors: bool,
    quiet: bool,
    /// Whether a run that was interrupted can be finished.
    can_go_on: bool,
}

/// Where a further report goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    format: Format,
    /// `None`: standard output.
    file: Option<PathBuf>,
}

impl Output {
    pub fn new(shared: &Shared) -> Self {
        let color = |choice: ColorChoice| match shared.color {
            When::Always => true,
            When::Never => false,
            When::Auto => choice != ColorChoice::Never,
        };
        let width = terminal_size::terminal_size().map_or(80, |(terminal_size::Width(width), _)| usize::from(width).clamp(40, 200));
        Self {
            style: Style {
                color: color(anstream::AutoStream::choice(&io::stdout())),
                width,
                verbose: shared.verbose,
            },
            color_errors: color(anstream::AutoStream::choice(&io::stderr())),
            quiet: shared.quiet,
            can_go_on: true,
        }
    }

    /// How the terminal report looks.
    pub fn style(&self) -> &Style {
        &self.style
    }

    /// How a list looks: in a file or a pipe nothing of it is left out.
    pub fn list_style(&self) -> Style {
        let width = if io::stdout().is_terminal() {
            self.style.width
        } else {
            usize::MAX / 2
        };
        Style { width, ..self.style }
    }

    /// Whether somebody sits at both ends.
    pub fn is_interactive() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// There will be nothing to finish an interrupted run with.
    pub fn cannot_go_on(&mut self) {
        self.can_go_on = false;
    }

    /// The view of a run while it goes.
    pub fn live(&self) -> Live {
        Live::new(io::stderr().is_terminal(), self.color_errors, self.quiet)
    }

    /// Writes to standard output. A reader that has gone away is no error.
    #[expect(clippy::unused_self, reason = "all output goes through here")]
    pub fn print(&self, text: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// A line for people, beside the result.
    pub fn remark(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// A line for people that they must see, however quiet it shall be.
    #[expect(clippy::unused_self, reason = "all output goes through here")]
    pub fn insist(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// An error.
    pub fn error(&self, sentence: &str) {
        let (on, off) = if self.color_errors { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(io::stderr(), "{on}error:{off} {sentence}");
    }

    /// The mistakes of a file.
    pub fn mistakes(&mut self, mistakes: &Diagnostics) {
        let _ = writeln!(io::stderr(), "{}", mistakes.render(self.color_errors));
    }

    /// Writes the judged runs everywhere they are wanted: where one place fails, the others have them all the same.
    ///
    /// # Errors
    /// What failed.
    pub fn publish(&self, judged: &mut Judged, targets: &[Target]) -> Result<(), Vec<String>> {
        for probe in &mut judged.probes {
            (probe.explanation, probe.remedy) = explain::explain(probe);
            if probe.verdict == Verdict::Pending && !self.can_go_on {
                probe.remedy = None;
            }
        }
        judged.parity = compare::parity(judged);
        let all_well = judged
            .probes
            .iter()
            .map(|probe| probe.outcome)
            .chain(judged.parity.iter().map(comparison::parity::outcome))
            .all(|outcome| matches!(outcome, Outcome::Passed | Outcome::Waived));
        let failed = self.show(targets, all_well, |format, style| report::render(format, judged, style));
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// Writes what `render` makes everywhere it is wanted, and to standard output unless that shall be quiet. What could not be written comes back.
    pub fn show(&self, targets: &[Target], all_well: bool, render: impl Fn(Format, &Style) -> Result<Vec<u8>, ReportError>) -> Vec<String> {
        let terminal = Target {
            format: Format::Terminal,
            file: None,
        };
        let to_stdout = targets.iter().any(|target| target.file.is_none());
        let wanted = !(self.quiet && all_well || to_stdout);
        let all = targets.iter().chain(wanted.then_some(&terminal));
        all.filter_map(|target| self.write(target, &render).err()).collect()
    }

    fn write(&self, target: &Target, render: &impl Fn(Format, &Style) -> Result<Vec<u8>, ReportError>) -> Result<(), String> {
        let style = Style {
            color: target.file.is_none() && self.style.color,
            ..self.style
        };
        let bytes = render(target.format, &style).map_err(|error| error.to_string())?;
        match &target.file {
            Some(file) => write_file(file, &bytes),
            None => self.print(&bytes).map_err(|error| format!("the report cannot be written: {error}")),
        }
    }
}

impl Target {
    /// Where the further reports go; refused before anything is sent if that cannot be.
    pub fn all(asked: &[String]) -> Result<Vec<Self>, String> {
        asked.iter().map(|asked| Self::parse(asked)).collect()
    }

    /// The format of what goes there.
    pub fn format(&self) -> Format {
        self.format
    }

    fn parse(asked: &str) -> Result<Self, String> {
        let help = "help: write --report FORMAT=FILE, such as --report json=report.json";
        let (format, file) = asked
            .split_once('=')
            .ok_or_else(|| format!("--report {asked}: the file is missing\n  {help}"))?;
        let format = format.parse::<Format>().map_err(|error| error.to_string())?;
        if file == "-" {
            return Ok(Self { format, file: None });
        }
        let path = PathBuf::from(file);
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let why = if file.is_empty() {
            "the file is missing".to_owned()
        } else if path.is_dir() {
            format!("{} is a folder", path.display())
        } else if !folder.is_dir() {
            format!("there is no folder {}", folder.display())
        } else {
            return Ok(Self { format, file: Some(path) });
        };
        Err(format!("--report {asked}: {why}\n  {help}"))
    }
}

/// Written beside and moved into place, so that nobody ever reads half a report.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), String> {
    // Something that is there and is no ordinary file (/dev/stderr, a pipe) is written to as it is.
    let special = path.exists() && !path.is_file();
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.part", std::process::id()));
    let draft = PathBuf::from(draft);
    let written = if special {
        fs::write(path, bytes)
    } else {
        fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path))
    };
    written.map_err(|error| {
        let _ = fs::remove_file(&draft);
        format!(
            "the report {} cannot be written: {error}\n  help: `mailflow report` writes it again",
            path.display()
        )
    })
}
