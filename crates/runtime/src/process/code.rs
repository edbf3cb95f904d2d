//! The program's own code in memory, before the first command needs it.
#![expect(unsafe_code, reason = "madvise")]

use std::path::Path;

use disk::RealDisk;

use crate::log;

/// Reads in all of the program's code. Else a page is read from the file when it is first run: by a
/// command that holds a shard meanwhile. A kernel before Linux 5.14 cannot, and then it is so.
pub fn populate() {
    let maps = disk::read(&RealDisk, Path::new("/proc/self/maps"), 1 << 20).unwrap_or_default();
    let Some((start, end)) = range_with(&maps, populate as fn() as usize) else { return };
    let start_at: *mut libc::c_void = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the range is a mapping of this program's code, which stays; the advice changes nothing
    // of what is in it.
    if unsafe { libc::madvise(start_at, end - start, libc::MADV_POPULATE_READ) } != 0 {
        log::debug!("The code is read in as it is run: {}", std::io::Error::last_os_error());
    }
}

/// The mapping that has `address`, as `/proc/self/maps` says.
fn range_with(maps: &[u8], address: usize) -> Option<(usize, usize)> {
    std::str::from_utf8(maps).ok()?.lines().find_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        (start..end).contains(&address).then_some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_of_an_address_is_found() {
        let maps = b"1000-2000 r--p 0 0 0 /a\n2000-3f00 r-xp 0 0 0 /a\nffff-ff0000 ---p 0 0 0\n";
        assert_eq!(range_with(maps, 0x2000), Some((0x2000, 0x3F00)));
        assert_eq!(range_with(maps, 0x3F00), None);
        populate();
    }
}
