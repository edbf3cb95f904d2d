use super::{Letter, OutputLimits};
use crate::{Card, Session};
use resp::{Protocol, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn client() -> (Session, Arc<Count>) {
    let card = Arc::new(Card::new(1, String::new(), String::new(), 0, 0));
    let count = Arc::new(Count(AtomicU32::new(0)));
    card.set_waker(&Waker::from(Arc::clone(&count)));
    (Session::new(card, true), count)
}

fn letter() -> Letter {
    Letter::push(|reply| {
        reply.push(2);
        reply.bulk(b"a");
        reply.integer(7);
    })
}

#[test]
fn letters_are_written_in_the_protocol_of_the_moment() {
    let (mut session, count) = client();
    let limits = OutputLimits::default();
    session.card.deliver(letter(), &limits);
    session.card.deliver(letter(), &limits);
    assert_eq!(count.0.load(Ordering::Relaxed), 1, "woken once for a batch");
    assert_eq!((session.card.mail_bytes(), session.card.unread_bytes()), (30, 30));
    let mut reply = Reply::new(Protocol::Resp2);
    session.collect(&mut reply);
    assert_eq!(reply.out.to_vec(), b"*2\r\n$1\r\na\r\n:7\r\n".repeat(2));
    assert!(!session.card.has_mail());
    session.protocol = 3;
    session.card.deliver(letter(), &limits);
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
    reply.out.clear();
    session.collect(&mut reply);
    assert_eq!(reply.out.to_vec(), b">2\r\n$1\r\na\r\n:7\r\n");
}

#[test]
fn an_inbox_has_the_limit_of_its_class() {
    let (mut session, count) = client();
    let mut limits = OutputLimits::default();
    limits.normal.hard_bytes = 40;
    session.card.deliver(letter(), &limits);
    session.card.deliver(letter(), &limits);
    assert!(!session.card.mail_overflowed());
    session.card.deliver(letter(), &limits);
    assert!(session.card.mail_overflowed() && session.card.has_mail());
    assert_eq!((session.card.mail_bytes(), count.0.load(Ordering::Relaxed)), (0, 1));
    let mut reply = Reply::new(Protocol::Resp3);
    session.collect(&mut reply);
    assert!(reply.out.is_empty() && session.card.has_mail(), "it stays lost");
}
