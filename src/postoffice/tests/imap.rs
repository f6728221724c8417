//! Mail is looked at: with the client library of the product, and line by line where it matters what is said.

use ::imap::extensions::idle::IdleResponse;
use ::imap::{Client, Session};
use data_encoding::BASE64;
use futures::TryStreamExt;

use super::*;

type Imap = Session<TlsStream<TcpStream>>;

/// Logs in over STARTTLS with the client library.
async fn login(office: &PostOffice, user: &str, password: &str) -> Imap {
    let stream = TcpStream::connect(office.addresses().imap).await.unwrap();
    let mut client = Client::new(stream);
    client.read_response().await.unwrap().unwrap();
    client.run_command_and_check_ok("STARTTLS", None).await.unwrap();
    let mut client = Client::new(tls(office, client.into_inner(), "imap.contoso.example").await);
    assert!(client.run_command_and_check_ok("NOOP", None).await.is_ok());
    client.login(user, password).await.map_err(|(e, _)| e).unwrap()
}

/// A raw session over implicit TLS that has heard the greeting.
async fn raw(office: &PostOffice) -> Talk<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(office.addresses().imaps).await.unwrap();
    let mut talk = Talk::new(tls(office, stream, "imap.contoso.example").await);
    assert!(talk.hear().await.starts_with("* OK [CAPABILITY IMAP4rev1"));
    talk
}

async fn logged_in(office: &PostOffice, user: &str) -> Talk<TlsStream<TcpStream>> {
    let mut talk = raw(office).await;
    let answer = talk.imap(&format!("LOGIN {user} {}", office.password(user))).await;
    assert!(answer.starts_with("a OK "), "{answer}");
    talk
}

#[tokio::test]
async fn idle_fetch_search_and_move_with_the_client_library() {
    let office = open().await;
    let user = "junk@contoso.example";
    let mut session = login(&office, user, &office.password(user)).await;
    let selected = session.select("INBOX").await.unwrap();
    assert_eq!((selected.exists, selected.uid_next), (0, Some(1)));

    let mut idle = session.idle();
    idle.init().await.unwrap();
    let (waiting, _stop) = idle.wait();
    let put = async {
        office
            .append(user, Place::Inbox, format!("{}\r\n", message("idle")).as_bytes())
            .unwrap()
    };
    let (news, _) = tokio::join!(waiting, put);
    let IdleResponse::NewData(data) = news.unwrap() else {
        panic!("no data")
    };
    assert!(format!("{:?}", data.parsed()).contains("Exists(1)"), "{data:?}");
    let mut session = idle.done().await.unwrap();

    let items = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER])";
    let fetched: Vec<_> = session.uid_fetch("1:*", items).await.unwrap().try_collect().await.unwrap();
    assert_eq!((fetched.len(), fetched[0].uid), (1, Some(1)));
    let header = String::from_utf8_lossy(fetched[0].header().unwrap()).into_owned();
    assert!(header.contains("X-Probe: idle\r\n") && header.ends_with("\r\n\r\n"));
    assert_eq!(fetched[0].internal_date().unwrap().timestamp(), 1_800_000_000);

    assert_eq!(
        session
            .uid_search("BODY \"see HTTPS\"")
            .await
            .unwrap()
            .into_iter()
            .collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(
        session
            .uid_search("HEADER X-Probe idle UNDELETED SINCE 1-Jan-2020 UID 1:*")
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(session.uid_search("SUBJECT nothing").await.unwrap().len(), 0);

    let names: Vec<_> = session.list(Some(""), Some("*")).await.unwrap().try_collect().await.unwrap();
    let junk = names.iter().find(|n| format!("{:?}", n.attributes()).contains("Junk")).unwrap();
    assert_eq!(junk.name(), "Courrier ind&AOk-sirable");
    session.uid_mv("1", "Courrier ind&AOk-sirable").await.unwrap();
    assert_eq!(places(&office, "idle"), ["junk@contoso.example Courrier indésirable"]);
    session.logout().await.unwrap();
}

#[tokio::test]
async fn messages_are_flagged_and_expunged_with_the_client_library() {
    let office = open().await;
    let user = "ok@contoso.example";
    let mut session = login(&office, &format!("{user}*{WATCHER}"), &office.password(WATCHER)).await;
    session
        .append("INBOX", Some("(\\Seen)"), None, "Subject: one\r\n\r\n1\r\n")
        .await
        .unwrap();
    session.append("INBOX", None, None, "Subject: two\r\n\r\n2\r\n").await.unwrap();
    session.select("INBOX").await.unwrap();
    let stored: Vec<_> = session
        .uid_store("1", "+FLAGS (\\Deleted)")
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(stored.len(), 1);
    session.uid_copy("1", "Trash").await.unwrap();
    let gone: Vec<_> = session.uid_expunge("1:*").await.unwrap().try_collect().await.unwrap();
    assert_eq!(gone, [1]);
    let status = session.status("INBOX", "(MESSAGES UIDNEXT)").await.unwrap();
    assert_eq!((status.exists, status.uid_next), (1, Some(3)));
}

#[tokio::test]
async fn the_sweep_tells_special_uses_and_states() {
    let office = open().await;
    let mut talk = logged_in(&office, "junk@contoso.example").await;
    office
        .append("junk@contoso.example", Place::Role(Role::Junk), b"Subject: x\r\n\r\n")
        .unwrap();
    let answer = talk.imap(r#"LIST "" "*" RETURN (SPECIAL-USE STATUS (UIDNEXT MESSAGES))"#).await;
    assert!(
        answer.contains("* LIST (\\HasNoChildren \\Junk) \"/\" \"Courrier ind&AOk-sirable\"\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("* STATUS \"Courrier ind&AOk-sirable\" (UIDNEXT 2 MESSAGES 1)\r\n"),
        "{answer}"
    );
    assert!(answer.contains("* STATUS INBOX (UIDNEXT 1 MESSAGES 0)\r\n"), "{answer}");
    let only = talk.imap(r#"LIST (SPECIAL-USE) "" "%""#).await;
    assert!(!only.contains("INBOX") && only.contains("\\Trash"), "{only}");
    assert!(
        talk.imap("LSUB \"\" inb*")
            .await
            .contains("* LSUB (\\HasNoChildren) \"/\" INBOX\r\n")
    );
    assert!(talk.imap("LIST \"\" \"\"").await.contains("* LIST (\\Noselect) \"/\" \"\"\r\n"));
    assert!(talk.imap("NAMESPACE").await.contains("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"));
    assert!(talk.imap("ID NIL").await.contains("* ID ("));
    assert!(talk.imap("STATUS Nowhere (MESSAGES)").await.starts_with("a NO [NONEXISTENT]"));
}

#[tokio::test]
async fn every_way_to_log_in() {
    let office = open().await;
    let user = "ok@contoso.example";
    let base64 = |text: String| BASE64.encode(text.as_bytes());
    let mut talk = connect(office.addresses().imap).await;
    assert!(talk.hear().await.contains("LOGINDISABLED"));
    assert!(
        talk.imap(&format!("LOGIN {user} {}", office.password(user)))
            .await
            .starts_with("a NO [PRIVACYREQUIRED]")
    );

    let mut talk = raw(&office).await;
    assert!(talk.imap("SELECT INBOX").await.starts_with("a BAD "));
    assert!(
        talk.imap(&format!("LOGIN {user} wrong"))
            .await
            .starts_with("a NO [AUTHENTICATIONFAILED]")
    );
    let master = base64(format!("{user}\0{WATCHER}\0{}", office.password(WATCHER)));
    assert!(talk.imap(&format!("AUTHENTICATE PLAIN {master}")).await.starts_with("a OK "));

    let mut talk = raw(&office).await;
    talk.say("a AUTHENTICATE XOAUTH2\r\n").await;
    assert_eq!(talk.hear().await, "+ \r\n");
    talk.say(&format!("{}\r\n", base64(format!("user={user}\x01auth=Bearer old\x01\x01"))))
        .await;
    assert!(talk.hear().await.starts_with("+ eyJ"));
    talk.say("\r\n").await;
    assert!(talk.hear().await.starts_with("a NO [AUTHENTICATIONFAILED]"));
    let bearer = base64(format!("user={user}\x01auth=Bearer {}\x01\x01", office.token(user)));
    assert!(talk.imap(&format!("AUTHENTICATE XOAUTH2 {bearer}")).await.starts_with("a OK "));

    let refused = "refuses-login@contoso.example";
    let answer = raw(&office)
        .await
        .imap(&format!("LOGIN {refused} {}", office.password(refused)))
        .await;
    assert!(answer.starts_with("a NO [AUTHORIZATIONFAILED]"), "{answer}");
    let hangs = "hangs-login@contoso.example";
    let mut talk = raw(&office).await;
    talk.say(&format!("a LOGIN {hangs} {}\r\n", office.password(hangs))).await;
    let silence = tokio::time::timeout(Duration::from_millis(300), talk.0.read_u8()).await;
    assert!(silence.is_err(), "an answer came");
}

#[tokio::test]
async fn literals_are_taken_and_bounded() {
    let office = open().await;
    let user = "ok@contoso.example";
    let password = office.password(user);
    let mut talk = raw(&office).await;
    talk.say(&format!("a LOGIN {{{}}}\r\n", user.len())).await;
    assert!(talk.hear().await.starts_with("+ "));
    talk.say(&format!("{user} {{{}+}}\r\n{password}\r\n", password.len())).await;
    assert!(talk.hear().await.starts_with("a OK "));
    assert!(
        talk.imap("APPEND INBOX {14+}\r\nSubject: x\r\n\r\n")
            .await
            .starts_with("a OK [APPENDUID ")
    );
    assert!(talk.imap("APPEND INBOX {999999999}").await.starts_with("a NO [TOOBIG]"));
    assert!(talk.imap("NOOP").await.starts_with("a OK "));

    let mut stranger = raw(&office).await;
    assert!(stranger.imap("LOGIN {99999}").await.starts_with("a NO [TOOBIG]"));
    stranger.say(&"x".repeat(200_000)).await;
    assert!(stranger.ends().await, "an endless line is cut off");
}

#[tokio::test]
async fn hostile_lines_are_answered() {
    let office = open().await;
    let mut talk = logged_in(&office, "ok@contoso.example").await;
    for line in [
        "",
        "FOO",
        "SELECT",
        "UID FETCH",
        "UID FETCH 0 FLAGS",
        "LIST \"\" * RETURN (",
        "SELECT \"\u{7}",
        "UID SEARCH (((((((((((((((((ALL",
    ] {
        assert!(talk.imap(line).await.starts_with("a BAD "), "{line}");
    }
    assert!(talk.imap("SELECT \"&bad\"").await.starts_with("a NO [CANNOT]"));
    talk.say("\r\n\0\0\r\n* * *\r\n").await;
    assert!(talk.imap("NOOP").await.contains("a OK "));
    assert!(talk.imap("SELECT INBOX").await.contains("a OK [READ-WRITE]"));
    assert!(
        talk.imap("UID FETCH * FLAGS").await.starts_with("a OK "),
        "an empty folder has no last message"
    );
    assert!(talk.imap("UID FETCH 1:* BODYSTRUCTURE").await.starts_with("a NO [CANNOT]"));
    assert!(talk.imap("UID COPY 1:* Nowhere").await.starts_with("a NO [TRYCREATE]"));
    assert!(talk.imap("UNSELECT").await.starts_with("a OK "));
    assert!(talk.imap("UNSELECT").await.starts_with("a BAD "));
    assert!(talk.imap("LOGOUT").await.starts_with("* BYE "));
    assert!(talk.ends().await);
}

#[tokio::test]
async fn another_session_hears_of_flags_and_expunges() {
    let office = open().await;
    let user = "ok@contoso.example";
    office.append(user, Place::Inbox, b"Subject: x\r\n\r\n").unwrap();
    let mut one = logged_in(&office, user).await;
    let mut other = logged_in(&office, user).await;
    assert!(one.imap("SELECT INBOX").await.contains("* 1 EXISTS\r\n"));
    other.imap("EXAMINE INBOX").await;
    assert!(
        other.imap("UID STORE 1 +FLAGS (\\Deleted)").await.starts_with("a NO "),
        "the folder is examined"
    );
    assert!(one.imap("UID STORE 1 +FLAGS.SILENT (\\Deleted)").await.starts_with("a OK "));
    other.say("a IDLE\r\n").await;
    assert!(other.hear_until("* 1 FETCH").await.contains("FLAGS (\\Deleted)"));
    assert!(one.imap("EXPUNGE").await.contains("* 1 EXPUNGE\r\n"));
    assert_eq!(other.hear().await, "* 1 EXPUNGE\r\n");
    other.say("DONE\r\n").await;
    assert!(other.hear().await.starts_with("a OK "));
}

#[tokio::test]
async fn connections_are_cut_and_mailboxes_closed_on_demand() {
    let office = open().await;
    let user = "ok@contoso.example";
    let mut idling = logged_in(&office, user).await;
    idling.imap("SELECT INBOX").await;
    idling.say("b IDLE\r\n").await;
    assert!(idling.hear().await.starts_with("+ "));
    office.cut_imap();
    assert!(idling.ends().await);

    let other = logged_in(&office, "junk@contoso.example").await;
    let open = logged_in(&office, user).await;
    office.close_mailbox(user);
    assert!(open.ends().await);
    let answer = raw(&office).await.imap(&format!("LOGIN {user} {}", office.password(user))).await;
    assert!(answer.starts_with("a NO [UNAVAILABLE]"), "{answer}");
    let mut other = other;
    assert!(other.imap("NOOP").await.starts_with("a OK "), "other mailboxes stay open");
    office.reopen_mailbox(user);

    let mut renumbered = logged_in(&office, user).await;
    let before = renumbered.imap("SELECT INBOX").await;
    let validity = office.change_uid_validity(user, Place::Inbox).unwrap();
    assert!(!before.contains(&format!("[UIDVALIDITY {validity}]")));
    assert!(renumbered.imap("NOOP").await.starts_with("* BYE "));
    let mut again = logged_in(&office, user).await;
    assert!(again.imap("SELECT INBOX").await.contains(&format!("[UIDVALIDITY {validity}]")));
}
