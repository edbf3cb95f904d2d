use super::expire::Conditions;

#[test]
fn a_key_without_expiry_lives_longer_than_any_other() {
    let later = Conditions { later: true, ..Conditions::default() };
    let earlier = Conditions { earlier: true, ..Conditions::default() };
    assert!(!later.hold(None, 5) && earlier.hold(None, 5));
    assert!(later.hold(Some(4), 5) && !later.hold(Some(5), 5));
    assert!(earlier.hold(Some(6), 5) && !earlier.hold(Some(5), 5));
    let both = Conditions { present: true, ..earlier };
    assert!(!both.hold(None, 5) && both.hold(Some(6), 5));
    let absent = Conditions { absent: true, ..Conditions::default() };
    assert!(absent.hold(None, 5) && !absent.hold(Some(1), 5));
}
