//! The nouns of mailflow, on the ground floor: values only, with no I/O, no clock and no random source.

mod alert;
mod comparison;
mod domain;
mod event;
mod evidence;
mod expect;
mod filter;
mod history;
mod hop;
mod judged;
mod later;
mod mailbox;
mod message;
mod origin;
mod pattern;
mod plan;
mod posture;
mod recipient;
mod reply;
mod route;
mod scenario;
mod schedule;
mod secret;
mod signature;
mod site;
mod tag;
mod tenant;
pub mod time;
mod trace;
mod verdict;

pub use alert::{ALERT_SCHEMA, AlertChange, AlertMessage, AlertService, AlertTarget, AlertTemplate, Occasion, Standing, Subject};
pub use comparison::{
    COMPARISON_SCHEMA, Comparison, ComparisonSummary, Difference, DifferenceKind, Effect, LatencyShift, Parity, ProbeChange, Ready,
    RoleChange, RoutePair, ShiftFinding, Side, Unmatched,
};
pub use domain::{is_mail_service, same_organisation};
pub use event::{Alteration, AlterationKind, Attempt, Copy, CopyId, Dsn, DsnAction, Event, How, Survived, Tls, What};
pub use evidence::{Authentication, Evidence};
pub use expect::{Expectation, Requirement};
pub use filter::{Filter, FilterName, FilterVerdict};
pub use history::{
    Counts, FLAP_CHANGES, FLAP_WINDOW, HISTORY_SCHEMA, History, Latencies, Line, Part, Past, Present, RecipientHistory, Series,
};
pub use hop::{Encryption, Hop, HopRecord, PathRule};
pub use judged::{
    Basis, Judged, JudgedProbe, Member, News, Phase, Progress, REPORT_SCHEMA, RequirementResult, RoleSummary, SightingRecord, Summary,
    Waiting,
};
pub use later::{Change, FoundCopy, FoundRow, Later, LaterMember, SecondLook};
pub use mailbox::{FolderMark, ImapAccess, Mailbox, MailboxAccess, MailboxName, Placement, SignIn, TraceAccess};
pub use message::MessageKind;
pub use origin::{LeftOut, NightRound, Origin, Scope, SourceFile};
pub use pattern::matches;
pub use plan::{NextHop, Plan, Probe, QuarantinePolicy, RunInfo, Subset};
pub use posture::{CheckKind, DomainFact, FactState};
pub use recipient::{Owner, Recipient, Waiver};
pub use reply::Reply;
pub use route::{Endpoint, MxRoute, Rate, Route, RouteKind, SmtpRoute, TlsMode};
pub use scenario::{Case, Limits, RecipientFilter, Scenario};
pub use schedule::Schedule;
pub use secret::SecretSource;
pub use signature::{FieldChange, LineChange, Signature, SignedPart};
pub use site::{Dkim, Place, Sender, Site};
pub use tag::{KEY_LENGTH, ProbeId, RunId, TAG_LENGTH, Tag, TagKey};
pub use tenant::{GraphAccess, GroupAccess, Proof, Tenant, TenantCloud};
pub use time::Time;
pub use trace::{
    DefenderFinding, SHORTEST_TRACE_DELAY, TraceCause, TraceExplainer, TraceReading, TraceRow, TraceStatus, USUAL_TRACE_DELAY,
};
pub use verdict::{Flag, Outcome, Verdict};
