//! The figures are there and plausible.

use super::*;

#[test]
fn the_system_is_known() {
    let os = os();
    assert!(os.starts_with("Linux ") && os.split(' ').count() == 3, "{os}");
    assert!(executable().is_absolute());
    assert!(processors() >= 1);
    assert!(total_memory() > 64 << 20);
    let resident = resident_memory();
    assert!(resident > 100_000 && resident < total_memory(), "{resident}");
    assert!(peak_resident_memory() > 100_000);
    assert!(!monotonic_clock().is_empty());
    assert_eq!(Uptime::start().seconds(), 0);
}

#[test]
fn processor_time_grows_with_work() {
    let (process, thread) = (cpu_of_process(), cpu_of_thread());
    let mut rounds = 0_u64;
    while cpu_of_thread().user_us < thread.user_us + 20_000 {
        rounds = std::hint::black_box(rounds.wrapping_add(1));
    }
    assert!(cpu_of_process().user_us >= process.user_us + 10_000);
}

#[test]
fn a_stat_file_with_a_hostile_name() {
    let stat = b"7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 150 25 0 0 20 0 1 0";
    let expected = CpuTimes { user_us: 1_500_000, system_us: 250_000 };
    assert_eq!(parse_cpu(stat, 100), Some(expected));
    assert_eq!(parse_cpu(b"7 (x) S 1", 100), None);
    assert_eq!(parse_cpu(b"", 100), None);
}
