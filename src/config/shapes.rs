//! The shape of a site file: which keys it knows, and what each is for. Descriptions here are what editors show.

use super::{
    alerts::AlertShape,
    choices::{MailboxRef, Quarantine, Secret},
    proofs::{Certificate, CloudChoice, Federated, Yes},
    read::{At, Named, OneOrMany, mapping},
    schedules::{ScheduleShape, ServeShape},
    traces::TraceChoice,
    values::{Address, Connections, Ip, Port},
    words::{AuthWord, Expected, TlsWord},
};
use crate::model::{Placement, Rate};
use chrono::NaiveDate;

mapping! {
    /// A mail world: who sends, by which routes, which mailboxes can be read, which addresses matter and who owns them.
    SiteShape, "a site", one_of ["sender", "senders"] {
        /// Who sends the probes, where there is only one.
        sender: SenderShape;
        /// Who sends the probes, by name; the first is the default.
        senders: Named<SenderShape>;
        /// Values for `{domain.NAME}` in routes, by the recipient's domain.
        domains: Named<Named<String>>;
        /// The ways a probe enters the mail system, by name.
        routes: Named<RouteShape>, needs;
        /// The paths that mail takes through gateways, by name: told by the hosts of its hops.
        paths: Named<PathShape>;
        /// Microsoft 365 tenants, by name.
        tenants: Named<TenantShape>;
        /// What a recipient that says nothing itself gets.
        defaults: DefaultsShape;
        /// Where mailflow can look, by name.
        mailboxes: Named<MailboxShape>;
        /// The addresses that matter.
        recipients: Vec<At<RecipientShape>>, needs;
        /// The key of the tags, which machines that share probes must share: any text of at least 32 characters, such as `openssl rand -base64 32` prints.
        tag_key: Secret;
        /// The DNS server that is asked about names (`ADDRESS[:PORT]`), by `mx` routes too; the system's by default.
        resolver: String;
        /// The domains to which messages may go that pretend to come from their own people (`self-spoof`, `display-name`). Each needs a record in its DNS, which `mailflow check` prints.
        own_domains: Vec<At<String>>;
        /// Who is told when a recipient fails or recovers, by name: by ways that do not depend on the mail under test.
        alerts: Named<AlertShape>;
        /// What `mailflow serve` runs, and when.
        schedules: Vec<At<ScheduleShape>>;
        /// The pages of `mailflow serve`.
        serve: ServeShape;
    }
}

mapping! {
    /// Who sends the probes.
    SenderShape, "a sender" {
        /// The address in `From`, and the envelope sender unless `envelope` sets that apart.
        address: Address, needs;
        /// The envelope sender.
        envelope: Address;
        /// The name shown to people.
        name: String;
        /// Whom the message says to ask.
        contact: String;
        /// The mailbox to which bounces and replies come back: a name, a mailbox in place, or `none`.
        mailbox: MailboxRef;
        /// VERP: what separates the local part of the envelope sender from the tag, such as `+`. Bounces are named surely, but greylists begin anew each time.
        subaddress: String;
        /// The key by which its messages are signed.
        dkim: DkimShape;
        /// The IP addresses from which its mail leaves towards other people's hosts: `check` then says of each whether SPF lists it and whether it has a name.
        sending_addresses: Vec<At<Ip>>;
    }
}

mapping! {
    /// How a sender signs its messages (DKIM, RFC 6376).
    DkimShape, "`dkim`" {
        /// The signing domain: that of the address, so that DMARC agrees.
        domain: String, needs;
        /// The selector: the public key stands in the DNS under `SELECTOR._domainkey.DOMAIN`.
        selector: String, needs;
        /// The private key in PEM, all lines of it: RSA of 2048 bits or more, or Ed25519; without a password.
        key: Secret, needs;
    }
}

mapping! {
    /// A path that mail takes, told by the hosts in its Received fields. Patterns know `*` and `?`, and no case.
    PathShape, "a path" {
        /// Some hop's host, by name or address, fits one of these.
        via: OneOrMany<String>;
        /// No hop's host fits any of these.
        not_via: OneOrMany<String>;
    }
}

mapping! {
    /// A way by which a probe enters the mail system.
    RouteShape, "a route", one_of ["smtp", "mx", "graph"] {
        /// To a named host: submission, or a gateway.
        smtp: SmtpShape;
        /// Straight to the MX hosts of the recipient's domain.
        mx: MxShape;
        /// By Microsoft Graph, from this mailbox: from inside the tenant, so that its inbound edge sees nothing of it.
        graph: GraphShape;
        /// The sender that uses this route; the site's first by default.
        sender: String;
        /// Whether scenarios that name no route use this one.
        default: bool;
        /// How many connections it may hold at once (`mx`: to each host); 4 by default, with the token of a tenant 1 and at most 3.
        connections: Connections;
        /// How quickly messages may leave; with the token of a tenant 30 a minute by default.
        rate: Rate;
        /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name the URL's host.
        connect: String;
        /// How the connection is protected.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// A named SMTP server.
    SmtpShape, "an SMTP server" {
        /// `smtp://HOST[:PORT]` (STARTTLS; port 25, or 587 with a sign-in) or `smtps://HOST[:PORT]` (TLS at once; port 465). The host may hold `{domain.NAME}`.
        url: String, needs;
        /// Who signs in.
        user: String;
        /// That user's password.
        password: Secret;
        /// `xoauth2`, together with `token` or `tenant`.
        auth: AuthWord;
        /// An OAuth 2.0 bearer token.
        token: Secret;
        /// A Microsoft 365 tenant (under `tenants`) that gives a token for Exchange Online at each sign-in.
        tenant: String;
        /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name the URL's host.
        connect: String;
        /// How the connection is protected: by default `required`, to port 25 `opportunistic`.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// Delivery by DNS.
    MxShape, "an MX route" {
        /// The DNS server to ask (`ADDRESS[:PORT]`); the site's by default.
        resolver: String;
        /// The port of the MX hosts; 25 by default.
        port: Port;
        /// How the connections are protected; `opportunistic` by default.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// A mailbox of Microsoft Graph.
    GraphShape, "a Graph mailbox", one_of ["user", "group"] {
        /// The tenant's name under `tenants`.
        tenant: String, needs;
        /// The address or object id of a user, a shared mailbox or a room.
        user: String;
        /// The address or object id of a Microsoft 365 group, whose conversations are read. A distribution list has no mailbox: name its members in `reaches`.
        group: String;
    }
}

mapping! {
    /// A Microsoft 365 tenant, and the app by which mailflow signs in there.
    TenantShape, "a tenant", one_of ["secret", "certificate", "federated", "managed_identity", "device_code"] {
        /// The directory (tenant) ID, a GUID, or a verified domain of the directory.
        tenant_id: String, needs;
        /// The application (client) ID, a GUID.
        client_id: String, needs;
        /// Where the tenant lives; `global` by default.
        cloud: CloudChoice;
        /// The app's client secret.
        secret: Secret;
        /// The app's certificate with its key.
        certificate: Certificate;
        /// A token of an outside identity provider that the app trusts: `github`, or `{ token_file: PATH }`.
        federated: Federated;
        /// The identity that Azure gives to the machine or the service on which mailflow runs.
        managed_identity: Yes;
        /// A person signs in on another device: for trying it out.
        device_code: Yes;
        /// Whether the message trace may be read: `true`, or `{ delay: TIME, explain: WAY }`.
        trace: TraceChoice;
        /// How `mailflow clean` deletes our probes; by default as this app.
        clean: CleanShape;
    }
}

mapping! {
    /// How `mailflow clean` deletes our probes in a tenant.
    CleanShape, "`clean`" {
        /// The tenant entry whose app deletes, so that the app that reads needs no right to write. It names the same directory and cloud.
        with: String, needs;
    }
}

mapping! {
    /// What a recipient that says nothing itself gets.
    DefaultsShape, "defaults" {
        /// The mailbox. In one written in place, `{address}`, `{local}` and `{domain}` are the recipient's.
        mailbox: MailboxRef;
        /// Where a quarantine would hold mail.
        quarantine: Quarantine;
    }
}

mapping! {
    /// A mailbox and the way into it.
    MailboxShape, "a mailbox", one_of ["imap", "graph", "trace"] {
        /// By IMAP.
        imap: ImapShape;
        /// By Microsoft Graph.
        graph: GraphShape;
        /// Not read; only the message trace of this tenant may speak.
        trace: String;
        /// Names of folders, where special-use attributes (RFC 6154) do not tell.
        folders: FoldersShape;
        /// What every folder of this mailbox means, such as `quarantine`.
        placement: Placement;
        /// Whether the bodies of new messages without a tag in their header may be peeked at, bounded, where the server cannot search them. By default only in senders' mailboxes.
        peek: bool;
        /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name the URL's host.
        connect: String;
        /// How the connection is protected.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// An IMAP mailbox.
    ImapShape, "an IMAP mailbox" {
        /// `imaps://HOST[:PORT]` (TLS at once; port 993) or `imap://HOST[:PORT]` (STARTTLS; port 143).
        url: String, needs;
        /// The mailbox's user.
        user: String, needs;
        /// That user's password.
        password: Secret;
        /// `xoauth2`, together with `token` or `tenant`.
        auth: AuthWord;
        /// An OAuth 2.0 bearer token.
        token: Secret;
        /// A Microsoft 365 tenant (under `tenants`) that gives a token for Exchange Online at each sign-in.
        tenant: String;
        /// Another login that may read this mailbox, so that one connection serves many.
        watch_as: WatchAsShape;
        /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name the URL's host.
        connect: String;
        /// How the connection is protected; `required` by default.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// The login that reads a mailbox in its user's stead. `{user}` is the mailbox's user.
    WatchAsShape, "`watch_as`" {
        /// Who signs in; a master user may be written as `{user}*watcher`.
        user: String, needs;
        /// That user's password.
        password: Secret;
        /// `xoauth2`, together with `token` or `tenant`.
        auth: AuthWord;
        /// An OAuth 2.0 bearer token.
        token: Secret;
        /// A Microsoft 365 tenant (under `tenants`) that gives a token for Exchange Online at each sign-in.
        tenant: String;
        /// The path of the mailbox's folders in the shared namespace, such as `All/{user}`.
        root: String;
    }
}

mapping! {
    /// Names of folders.
    FoldersShape, "`folders`" {
        /// The inbox, where it is not `INBOX`.
        inbox: String;
        /// The junk folder.
        junk: String;
        /// The folder that holds quarantined mail.
        quarantine: String;
        /// The deleted items.
        deleted: String;
    }
}

mapping! {
    /// A private CA.
    CaShape, "`ca`" {
        /// Its certificates in PEM; a relative path begins at the site's folder.
        file: String, needs;
    }
}

mapping! {
    /// An address that must receive mail, or must refuse it.
    RecipientShape, "a recipient" {
        /// The address.
        address: Address, needs;
        /// The role it holds.
        role: String;
        /// Who answers for it.
        owner: OwnerShape;
        /// Who answers for it where the owner cannot.
        backup: OwnerShape;
        /// Words by which scenarios may choose it.
        tags: OneOrMany<String>;
        /// Its mailbox: a name, a mailbox in place, or `none`.
        mailbox: MailboxRef;
        /// For a list: the mailboxes that it reaches, by name or address. Each gets a verdict.
        reaches: OneOrMany<MailboxRef>;
        /// Where a quarantine would hold its mail.
        quarantine: Quarantine;
        /// What its probes are expected to come to.
        expect: OneOrMany<Expected>;
        /// The recipient that receives in its stead.
        covered_by: Address;
        /// A failure that is accepted until a date.
        known: KnownShape;
    }
}

mapping! {
    /// A person.
    OwnerShape, "an owner" {
        /// The name.
        name: String;
        /// The address.
        email: Address;
    }
}

mapping! {
    /// A failure that somebody accepted for a time.
    KnownShape, "a waiver" {
        /// What is accepted.
        verdict: OneOrMany<Expected>, needs;
        /// The last day (UTC) on which it is.
        until: NaiveDate, needs;
        /// The change or incident.
        ticket: String;
        /// Who accepted it.
        approved_by: String;
    }
}
