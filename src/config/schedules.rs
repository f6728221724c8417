//! What `serve` runs, and when.

use super::{
    choices::Secret,
    context::Context,
    mistakes::{quoted, suggestion},
    read::{At, mapping},
    values::Period,
};
use crate::{
    model::Schedule,
    schedule::{Timetable, Unusable},
};
use std::{path::Path, time::Duration};

mapping! {
    /// A scenario that `mailflow serve` runs again and again.
    ScheduleShape, "a schedule" {
        /// The scenario's file; a relative path begins at the site's folder.
        scenario: String, needs;
        /// When, as cron says it: minute, hour, day of the month, month, day of the week; with six fields seconds come first. `@daily` and its like are known.
        cron: String, needs;
        /// The time zone in which that is meant, such as `Europe/Berlin`; UTC by default.
        time_zone: String;
        /// Each run starts up to so much later, so that not everything starts at the full hour.
        jitter: Period;
        /// Its name; that of the file by default.
        name: String;
        /// Whether a run that was missed while `serve` was down is made up for, once; by default it is only told.
        catch_up: bool;
    }
}

mapping! {
    /// The pages of `mailflow serve`.
    ServeShape, "`serve`" {
        /// What a browser or a scraper must show from another machine: any text of at least 16 characters, such as `openssl rand -base64 24` prints.
        token: Secret;
    }
}

/// The schedules that could be read.
pub(super) fn build(context: &mut Context<'_>, shapes: Option<&At<Vec<At<ScheduleShape>>>>) -> Vec<Schedule> {
    let mut schedules: Vec<Schedule> = Vec::new();
    for shape in shapes.into_iter().flat_map(|shapes| shapes.iter()) {
        let Some(schedule) = schedule(context, shape) else { continue };
        if let Some(first) = schedules.iter().find(|known| known.name == schedule.name) {
            let title = format!("a second schedule with the name {}", quoted(&schedule.name));
            let span = shape.name.as_ref().map_or_else(|| shape.span.clone(), |name| name.span.clone());
            let line = first.place.line;
            context
                .mistakes
                .note(span, title)
                .label(format!("the first is in line {line}"))
                .help("tell them apart by `name`");
        }
        schedules.push(schedule);
    }
    schedules
}

fn schedule(context: &mut Context<'_>, shape: &At<ScheduleShape>) -> Option<Schedule> {
    let file = shape.scenario.as_ref();
    let path = file.map(|file| context.folder.join(&file.value));
    if let (Some(file), Some(path)) = (file, &path)
        && !path.is_file()
    {
        let title = format!("there is no file {}", quoted(&path.display().to_string()));
        context
            .mistakes
            .note(file.span.clone(), title)
            .help("a relative path begins at the site's folder");
    }
    let zone = shape.time_zone.as_ref().map_or("UTC", |zone| zone.as_str());
    if let Some(cron) = &shape.cron {
        check(context, cron, shape.time_zone.as_ref(), zone);
    }
    let path = path?;
    Some(Schedule {
        name: match &shape.name {
            Some(name) => name.value.clone(),
            None => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        },
        scenario: if path.as_os_str().is_empty() {
            Path::new(".").to_owned()
        } else {
            path
        },
        cron: shape.cron.as_ref()?.value.clone(),
        time_zone: zone.to_owned(),
        jitter: shape.jitter.as_ref().map_or(Duration::ZERO, |jitter| jitter.0),
        catch_up: shape.catch_up.as_ref().is_some_and(|said| said.value),
        place: context.place(&shape.span),
    })
}

fn check(context: &mut Context<'_>, cron: &At<String>, said: Option<&At<String>>, zone: &str) {
    match (Timetable::new(cron, zone), said) {
        (Ok(_), _) => {}
        (Err(Unusable::Zone), Some(zone)) => {
            let title = format!("there is no time zone {}", quoted(zone));
            let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            context
                .mistakes
                .note(zone.span.clone(), title)
                .help(suggestion(zone, known).unwrap_or_else(|| "write it as the IANA database does: `Europe/Berlin`, `UTC`".to_owned()));
            // The expression may be wrong as well.
            check(context, cron, None, "UTC");
        }
        (Err(Unusable::Never), _) => {
            context
                .mistakes
                .note(cron.span.clone(), format!("{} names a time that never comes", quoted(cron)));
        }
        (Err(_), _) => {
            context
                .mistakes
                .note(cron.span.clone(), format!("{} is no cron expression", quoted(cron)))
                .help("five fields: minute, hour, day of the month, month, day of the week, such as `0 6 * * MON`");
        }
    }
}
