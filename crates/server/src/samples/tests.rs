use super::Share;

#[test]
fn a_share_follows_what_is_observed() {
    let share = Share::default();
    share.observe(0, 0);
    assert_eq!(share.get(), 0.0);
    share.observe(100, 100);
    assert_eq!(share.get(), 0.05);
    share.observe(1, 2);
    assert!((share.get() - 0.0725).abs() < 1e-12);
    for _ in 0..200 {
        share.observe(7, 7);
    }
    assert!(share.get() > 0.9999);
    // A burst is forgotten where nothing is left to look at.
    for _ in 0..200 {
        share.observe(0, 0);
    }
    assert_eq!(format!("{:.2}", share.get() * 100.0), "0.00");
    share.observe(1, 1);
    share.reset();
    assert_eq!(share.get(), 0.0);
}
