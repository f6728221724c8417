//! Where bytes go: standard output, standard error, report files.

use super::{Code, Halt, upload::Upload};
use crate::{
    cli::{Shared, When},
    compare,
    config::Diagnostics,
    explain,
    journal::JournalError,
    model::{Judged, Outcome, Verdict},
    report::{self, Format, ReportError, Style, attestation::Account, comparison, live::Live, nagios},
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
    convention: Convention,
}

/// Whose convention output and exit code follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Convention {
    /// Ours.
    Own,
    /// That of monitoring plugins, which say everything on standard output.
    Plugin,
}

/// Where the reports go.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    /// What standard output shows; `None`: the terminal's report, unless it shall be quiet.
    standard: Option<Format>,
    files: Vec<Target>,
    uploads: Vec<Upload>,
    /// What keeps even the best report from proving that all is well.
    doubts: Vec<String>,
}

/// Makes a report.
type Render<'a> = &'a dyn Fn(Format, &Style) -> Result<Vec<u8>, ReportError>;

/// Where a further report goes.
#[derive(Debug, Clone)]
struct Target {
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
            convention: Convention::of(shared),
        }
    }

    /// Whether this is a monitoring plugin.
    pub fn is_plugin(&self) -> bool {
        self.convention == Convention::Plugin
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
    fn mistakes(&self, mistakes: &Diagnostics) {
        if self.is_plugin() {
            let _ = self.print(&nagios::trouble_line(&mistakes.render(false)));
        } else {
            let _ = writeln!(io::stderr(), "{}", mistakes.render(self.color_errors));
        }
    }

    /// Says why a verb could not do its work.
    pub fn halted(&self, halt: Halt) -> Code {
        match halt {
            Halt::Mistakes(mistakes) => self.mistakes(&mistakes),
            // Of a plugin the first line counts, so one file's mistakes must do.
            Halt::Both(both) if self.is_plugin() => self.mistakes(&both.0),
            Halt::Both(both) => {
                self.mistakes(&both.0);
                self.mistakes(&both.1);
            }
            Halt::Sentence(sentence) | Halt::Stopped(sentence) if self.is_plugin() => {
                let _ = self.print(&nagios::trouble_line(&sentence));
            }
            Halt::Sentence(sentence) => self.error(&sentence),
            Halt::Held(run) => return self.halted(Halt::Sentence(JournalError::Held(run).to_string())),
            Halt::Stopped(sentence) => {
                self.error(&sentence);
                return Code::Interrupted;
            }
        }
        Code::Refused
    }

    /// Tells of the judged runs everywhere it is wanted: where one place fails, the others have them all the same. `account`: what an attestation
    /// needs beside them.
    ///
    /// # Errors
    /// What failed.
    pub async fn publish(&self, judged: &mut Judged, targets: &Targets, account: Option<&Account>) -> Result<(), Vec<String>> {
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
            .all(|outcome| matches!(outcome, Outcome::Passed | Outcome::Waived))
            && !judged
                .probes
                .iter()
                .filter_map(|probe| probe.later.last())
                .any(|later| later.change.is_news());
        let render = |format, style: &Style| match (format, account) {
            (Format::Attestation, Some(account)) => report::render_attestation(judged, account),
            _ => report::render(format, judged, style),
        };
        let mut failed = targets.doubts.clone();
        failed.extend(self.write_files(targets, &render));
        for upload in &targets.uploads {
            failed.extend(upload.send(judged).await);
        }
        let shown = if targets.standard == Some(Format::Nagios) {
            // It has room for what failed on the way.
            self.print_report(&nagios::render(judged, &failed))
        } else {
            self.write_standard(targets, all_well, &render)
        };
        failed.extend(shown.err());
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// Writes what `render` makes everywhere it is wanted, and to standard output unless that shall be quiet. What could not be written comes back.
    pub fn show(&self, targets: &Targets, all_well: bool, render: Render<'_>) -> Vec<String> {
        let mut failed = self.write_files(targets, render);
        failed.extend(self.write_standard(targets, all_well, render).err());
        failed
    }

    /// As [`Output::show`], for a plugin: its output has room for what failed on the way.
    pub fn show_as_plugin(&self, targets: &Targets, render: Render<'_>, plugin: &dyn Fn(&[String]) -> Vec<u8>) -> Vec<String> {
        let mut failed = self.write_files(targets, render);
        failed.extend(self.print_report(&plugin(&failed)).err());
        failed
    }

    fn write_files(&self, targets: &Targets, render: Render<'_>) -> Vec<String> {
        targets.files.iter().filter_map(|target| self.write(target, render).err()).collect()
    }

    fn write_standard(&self, targets: &Targets, all_well: bool, render: Render<'_>) -> Result<(), String> {
        let format = match targets.standard {
            Some(format) => format,
            None if self.quiet && all_well => return Ok(()),
            None => Format::Terminal,
        };
        self.write(&Target { format, file: None }, render)
    }

    fn write(&self, target: &Target, render: Render<'_>) -> Result<(), String> {
        let style = Style {
            color: target.file.is_none() && self.style.color,
            ..self.style
        };
        let bytes = render(target.format, &style).map_err(|error| error.to_string())?;
        match &target.file {
            Some(file) => write_file(file, &bytes),
            None => self.print_report(&bytes),
        }
    }

    fn print_report(&self, bytes: &[u8]) -> Result<(), String> {
        self.print(bytes).map_err(|error| format!("the report cannot be written: {error}"))
    }
}

impl Convention {
    fn of(shared: &Shared) -> Self {
        let asked = shared.format.as_deref().and_then(|word| word.parse().ok());
        if asked == Some(Format::Nagios) { Self::Plugin } else { Self::Own }
    }
}

impl Targets {
    /// What the command line and the environment ask for.
    ///
    /// # Errors
    /// What cannot be, in a sentence.
    pub fn of(shared: &Shared, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let asked = shared.format.as_deref().map(str::parse::<Format>).transpose();
        let asked = asked.map_err(|error| format!("--format: {error}"))?;
        let all: Vec<Target> = shared.report.iter().map(|asked| Target::parse(asked)).collect::<Result<_, _>>()?;
        let (standard, files): (Vec<Target>, Vec<Target>) = all.into_iter().partition(|target| target.file.is_none());
        let mut standard: Vec<Format> = asked.into_iter().chain(standard.iter().map(|target| target.format)).collect();
        standard.dedup();
        if let [first, second, ..] = standard[..] {
            return Err(format!(
                "standard output cannot be both {first} and {second}\n  help: let all but one go to files, such as --report {second}=FILE"
            ));
        }
        Ok(Self {
            standard: standard.first().copied(),
            files,
            uploads: Upload::all(shared, environment)?,
            doubts: Vec::new(),
        })
    }

    /// Whether standard output is a plugin's.
    pub fn is_plugin(&self) -> bool {
        self.standard == Some(Format::Nagios)
    }

    /// The formats of all.
    pub fn formats(&self) -> impl Iterator<Item = Format> {
        self.standard.into_iter().chain(self.files.iter().map(|target| target.format))
    }

    /// Something keeps even the best report from proving that all is well.
    pub fn doubt(&mut self, sentence: String) {
        self.doubts.push(sentence);
    }
}

impl Target {
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
