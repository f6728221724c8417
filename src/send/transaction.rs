//! One mail transaction (RFC 5321 section 3.3): MAIL, RCPT, DATA, the message. One recipient, so that every refusal speaks of one address.
//!
//! The commands go in one write where PIPELINING is offered (RFC 2920). What it cannot see: whether a server that was cut off after the final dot
//! took the message; such an end is marked as in doubt.

use super::{
    Parcel,
    envelope::{Envelope, FINAL_DOT, stuffed},
    failure::{Failure, Stage, positive},
    reply::RawReply,
    session::Session,
    settings::Timeouts,
    wire::Broken,
};

/// Hands the parcel over; the reply is the positive one after the final dot.
pub(super) async fn hand_over(session: &mut Session, parcel: &Parcel, timeouts: &Timeouts) -> Result<RawReply, Box<Failure>> {
    let envelope = Envelope::of(parcel, session.offers())?;
    if session.unfinished {
        reset(session, timeouts).await?;
    }
    introduce(session, &envelope, timeouts).await?;
    let outcome = send_message(session, &parcel.message, timeouts).await;
    match &outcome {
        Err(failure) if failure.is_of_the_connection() => session.usable = false,
        // Whatever the server said to the final dot, the transaction is over.
        _ => session.unfinished = false,
    }
    outcome
}

async fn reset(session: &mut Session, timeouts: &Timeouts) -> Result<(), Box<Failure>> {
    let reply = session.exchange("RSET\r\n", Stage::Mail, timeouts.command).await?;
    if !reply.is_positive() {
        session.usable = false;
        return Err(Failure::unexpected(Stage::Mail, &reply));
    }
    session.unfinished = false;
    Ok(())
}

/// MAIL, RCPT and DATA, up to the 354.
async fn introduce(session: &mut Session, envelope: &Envelope, timeouts: &Timeouts) -> Result<(), Box<Failure>> {
    let limit = timeouts.command;
    let steps = [
        (Stage::Mail, envelope.mail.as_str()),
        (Stage::Rcpt, envelope.rcpt.as_str()),
        (Stage::Data, "DATA\r\n"),
    ];
    let pipelining = session.offers().pipelining;
    if pipelining {
        let all: String = steps.iter().map(|(_, line)| *line).collect();
        session.say(&all, Stage::Mail, limit).await?;
    }
    let mut refused: Option<Box<Failure>> = None;
    for (stage, line) in steps {
        if !pipelining {
            session.say(line, stage, limit).await?;
        }
        let reply = match session.hear(stage, limit).await {
            Ok(reply) => reply,
            Err(failure) => return Err(refused.unwrap_or(failure)),
        };
        if let Some(failure) = refused {
            if stage == Stage::Data && !reply.is_refusal() {
                // The server waits for a message that has no recipient. Only the end of the connection is sure to send it none.
                session.usable = false;
            }
            refused = Some(failure);
            continue;
        }
        match judged(stage, reply) {
            Ok(()) => session.unfinished = true,
            Err(failure) if pipelining && !failure.is_of_the_connection() => refused = Some(failure),
            Err(failure) => {
                session.usable &= !failure.is_of_the_connection();
                return Err(failure);
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

fn judged(stage: Stage, reply: RawReply) -> Result<(), Box<Failure>> {
    match reply.code {
        300..400 if stage == Stage::Data => Ok(()),
        200..300 if stage == Stage::Data => Err(Failure::unexpected(stage, &reply)),
        _ => positive(stage, reply).map(|_| ()),
    }
}

async fn send_message(session: &mut Session, message: &[u8], timeouts: &Timeouts) -> Result<RawReply, Box<Failure>> {
    // A server that hangs up after its 354 got nothing yet; and what it says before the message cannot be its answer to it.
    if !session.wire.is_quiet() {
        session.usable = false;
        return Err(match session.wire.last_words().await {
            Some(reply) => Failure::refused(Stage::Data, &reply),
            None => Failure::trouble(Stage::Data, "the server hung up, or spoke out of turn, before the message was sent"),
        });
    }
    let bytes = stuffed(message);
    let dot = bytes.len() - FINAL_DOT.len();
    // rustls takes more than it sends, so there the dot waits until the message has left.
    let first = if session.is_encrypted() { dot } else { bytes.len() };
    let mut written = 0;
    for end in [first, bytes.len()] {
        let part = bytes.get(written..end).unwrap_or_default();
        let mut count = 0;
        let outcome = session.wire.write_counting(part, timeouts.body, &mut count).await;
        written += count;
        if let Err(broken) = outcome {
            session.usable = false;
            return Err(match session.wire.last_words().await {
                Some(reply) => Failure::refused(Stage::Body, &reply),
                None if written > dot => Failure::in_doubt(&broken.to_string()),
                None => Failure::trouble(Stage::Body, cut(&broken)),
            });
        }
    }
    let reply = session.wire.reply(timeouts.final_reply).await;
    let reply = reply.map_err(|broken| Failure::in_doubt(&broken.to_string()))?;
    if reply.is_positive() {
        Ok(reply)
    } else if reply.is_refusal() {
        Err(Failure::refused(Stage::Body, &reply))
    } else {
        Err(Failure::in_doubt(&format!(
            "the server's reply makes no sense here: {}",
            reply.kept()
        )))
    }
}

fn cut(broken: &Broken) -> String {
    match broken {
        Broken::TimedOut(limit) => format!("the server did not take the whole message within {limit:?}"),
        broken => format!("{broken}, before the whole message had been sent"),
    }
}
