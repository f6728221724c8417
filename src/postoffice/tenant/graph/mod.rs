//! Microsoft Graph v1.0, as much of it as measuring mail flow needs.
//!
//! A request passes here: its token, its route, the limits, the permissions, and then what it asks for. Cannot see HTTP.

mod batch;
mod defender;
mod delta;
mod directory;
mod folders;
mod grammar;
mod groups;
mod messages;
mod odata;
mod render;
mod route;
mod send;
mod trace;

use std::sync::Arc;

use super::answer::Answer;
use super::call::Call;
use super::config::Trace;
use super::fate::Kind;
use super::http::recorded;
use super::residents::Resident;
use super::throttle::Target;
use super::token::{Audience, Grant};
use super::world::World;
use route::{Area, Op, Route};

/// Answers a request to Graph.
pub async fn answer(world: &Arc<World>, call: Call) -> Answer {
    let token = call
        .header("authorization")
        .strip_prefix("Bearer ")
        .unwrap_or_default()
        .trim()
        .to_owned();
    let grant = if token.is_empty() {
        Err("Access token is empty.")
    } else {
        world.state().tokens.check(&token, Audience::Graph, world.now())
    };
    let grant = match grant {
        Ok(grant) => grant,
        Err(why) => {
            let answer = Answer::bad_token(why).with("WWW-Authenticate", "Bearer error=\"invalid_token\"");
            world.record().note(recorded(world, &call, None, &answer));
            return answer;
        }
    };
    if call.segments.get(1).is_some_and(|s| s == "$batch") {
        return batch::answer(world, &grant, &call).await;
    }
    match begin(world, &grant, call) {
        Ok(begun) => {
            tokio::time::sleep(world.config.latency).await;
            begun.finish()
        }
        Err(refused) => refused,
    }
}

/// A request that the limits let in. They count it as in flight until it is dropped.
struct Begun {
    world: Arc<World>,
    grant: Grant,
    call: Call,
    route: Route,
    resident: Option<Resident>,
    target: Target,
}

/// Finds out what is asked for and whether the limits let it in.
fn begin(world: &Arc<World>, grant: &Grant, call: Call) -> Result<Begun, Answer> {
    let note = |answer: Answer| {
        world.record().note(recorded(world, &call, Some(&grant.app), &answer));
        answer
    };
    let route = Route::of(&call, grant.user.as_deref()).map_err(note)?;
    let resident = route.whom.as_deref().and_then(|key| world.resident(key));
    let target = match (&route.op.area(), &resident) {
        (Area::Mailbox | Area::Group, Some(resident)) => Target::Mailbox {
            address: resident.address.clone(),
            stormy: resident.meaning.kind == Kind::Stormy,
        },
        (Area::Trace, _) => Target::Trace,
        (Area::Hunting, _) => Target::Hunting,
        (Area::Directory(units), _) => Target::Directory(*units),
        _ => Target::Nobody,
    };
    let admitted = world.throttle().begin(&grant.app, &target, call.body.len(), world.now());
    if let Err(refusal) = admitted {
        return Err(note(Answer::throttled(refusal.code, refusal.message, refusal.retry_after)));
    }
    Ok(Begun {
        world: Arc::clone(world),
        grant: grant.clone(),
        call,
        route,
        resident,
        target,
    })
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.world.throttle().end(&self.grant.app, &self.target);
    }
}

impl Begun {
    /// Does what was asked.
    fn finish(self) -> Answer {
        let answer = self.permitted().and_then(|()| self.run()).unwrap_or_else(|refused| refused);
        let note = recorded(&self.world, &self.call, Some(&self.grant.app), &answer);
        self.world.record().note(note);
        answer
    }

    fn permitted(&self) -> Result<(), Answer> {
        let has = |roles: &[&str]| roles.is_empty() || roles.iter().any(|role| self.grant.roles.contains(*role));
        let op = &self.route.op;
        match op.area() {
            Area::Trace if self.world.config.trace == Trace::Absent => Err(Answer::no_such_segment("tracing")),
            Area::Mailbox | Area::Group if !has(op.needs()) => Err(Answer::access_denied()),
            _ if !has(op.needs()) => Err(Answer::privileges()),
            Area::Trace if self.world.config.trace == Trace::NotProvisioned => Err(trace::not_provisioned()),
            Area::Hunting | Area::Defender if !self.world.config.defender => Err(defender::not_licensed()),
            Area::Mailbox => self.mailbox().map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The resident whose mailbox is meant, if the app may open it.
    fn mailbox(&self) -> Result<&Resident, Answer> {
        let key = self.route.whom.as_deref().unwrap_or_default();
        let Some(resident) = self.resident.as_ref().filter(|r| !r.is_group()) else {
            return Err(Answer::error(
                404,
                "ErrorInvalidUser",
                &format!("The requested user '{key}' is invalid."),
            ));
        };
        match resident.meaning.kind {
            Kind::Unlicensed => Err(self.no_mailbox(&resident.address)),
            Kind::OutOfScope => Err(Answer::access_denied()),
            // Delegated permissions reach the mailbox of who signed in.
            _ if self.grant.user.as_ref().is_some_and(|user| *user != resident.address) => Err(Answer::access_denied()),
            _ => Ok(resident),
        }
    }

    /// Two codes for the same cause have been seen to alternate for one person.
    fn no_mailbox(&self, address: &str) -> Answer {
        let mut state = self.world.state();
        let times = state.refusals.entry(address.to_owned()).or_default();
        *times += 1;
        if times.is_multiple_of(2) {
            Answer::error(404, "ResourceNotFound", "Resource could not be discovered.")
        } else {
            let message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
            Answer::error(404, "MailboxNotEnabledForRESTAPI", message)
        }
    }

    fn run(&self) -> Result<Answer, Answer> {
        match &self.route.op {
            Op::SendMail => self.send_mail(),
            Op::Messages { folder } => self.messages(folder.as_deref()),
            Op::Message { id, .. } => self.message(id),
            Op::Mime { id } => self.mime(id),
            Op::Delete { id } => self.delete(id),
            Op::PermanentDelete { id } => self.permanent_delete(id),
            Op::Move { id } => self.move_to(id),
            Op::Delta { folder } => self.delta(folder),
            Op::Folders => self.folders(None),
            Op::ChildFolders { folder } => self.folders(Some(folder)),
            Op::Folder { folder } => self.folder(folder),
            Op::Rules => self.rules(),
            Op::Settings => self.settings(),
            Op::Purpose => self.purpose(),
            Op::Users => self.users(),
            Op::User => self.user(),
            Op::Groups => self.groups(),
            Op::Group => self.group(),
            Op::Members => self.members(),
            Op::Threads => self.threads(),
            Op::Thread { thread } => self.thread(thread),
            Op::DeleteThread { thread } => self.delete_thread(thread),
            Op::Posts { thread } => self.posts(thread),
            Op::Traces => self.traces(),
            Op::TraceDetails { id, recipient } => self.trace_details(id, recipient),
            Op::Hunt => self.hunt(),
            Op::AnalyzedEmails => self.analyzed_emails(),
            Op::ServicePrincipals => self.service_principals(),
            Op::Organization => Ok(self.organization()),
        }
    }

    /// The start of `@odata.context`.
    fn context(&self, what: &str) -> String {
        format!("{}/v1.0/$metadata#{what}", self.world.root())
    }
}
