//! The form of a job in RDB files: see [`rdb::opcode::value::JOB`]. Readers that have no such type get
//! a list of what KEYDB.CRON would be given.

use super::{Job, JobView, Schedule};
use crate::persist::Persist;
use rdb::opcode::value;
use rdb::{Dialect, Error, Reader, Writer};

impl Persist for JobView<'_> {
    fn kind(self, dialect: Dialect) -> u8 {
        if dialect == Dialect::Common { value::JOB } else { value::LIST }
    }

    fn save(self, out: &mut Writer<'_>) {
        let schedule = self.schedule();
        let words = self.words().count() as u64;
        if out.dialect() == Dialect::Common {
            out.length(u64::from(schedule.single));
            out.millis(schedule.due_ms);
            out.millis(schedule.interval_ms);
            out.length(self.keys() as u64);
            out.length(words);
            self.words().for_each(|word| out.string(word));
            return;
        }
        let head = schedule.words();
        out.length(head.len() as u64 + words + 1);
        head.iter().for_each(|word| out.string(word));
        for (at, word) in self.words().enumerate() {
            out.string(word);
            if at == 0 {
                out.string(self.keys().to_string().as_bytes());
            }
        }
    }
}

pub(crate) fn load(reader: &mut Reader<'_>) -> Result<Job, Error> {
    let single = match reader.length()? {
        0 => false,
        1 => true,
        _ => return Err(Error::Corrupt("a job of unknown kind")),
    };
    let schedule = Schedule { single, due_ms: reader.millis()?, interval_ms: reader.millis()? };
    let (keys, words) = (reader.length()?, reader.length()?);
    let has_start = schedule.due_ms.checked_sub(schedule.interval_ms).is_some();
    if schedule.interval_ms <= 0 || !has_start || keys >= words {
        return Err(Error::Corrupt("a job that does not say when it runs, or what"));
    }
    let mut all = Vec::new();
    for _ in 0..words {
        all.push(reader.string_vec()?);
    }
    Ok(Job::new(schedule, keys as usize, all.iter().map(Vec::as_slice)))
}
