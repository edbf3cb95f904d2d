//! One key in other states: copied, and dumped and restored, here and there. Its digest stays.

use super::Pair;

use resp::Value;
use std::io;
use testkit::client::Client;

/// A name that no request uses.
const COPY: &[u8] = b"\x01copy";

fn digest(client: &mut Client, key: &[u8]) -> io::Result<Value> {
    client.call(&[b"DEBUG", b"DIGEST-VALUE", key])
}

/// Restores what `from` dumps of the key on `to`, and compares; `None` if they agree, or if `to`
/// does not know the form.
fn carried(from: &mut Client, to: &mut Client, key: &[u8]) -> io::Result<Option<String>> {
    let payload = from.call(&[b"DUMP", key])?;
    let Some(bytes) = payload.as_bytes() else {
        return Ok(Some(format!("DUMP: {}", payload.cli())));
    };
    let restored = to.call(&[b"RESTORE", COPY, b"0", bytes, b"REPLACE"])?;
    if restored.is_error() {
        let unknown = restored.cli().contains("DUMP payload version or checksum are wrong");
        return Ok((!unknown).then(|| format!("RESTORE: {}", restored.cli())));
    }
    // An expiry is no part of a dump, and shows in the digest.
    from.call(&[b"COPY", key, COPY, b"REPLACE"])?;
    from.call(&[b"PERSIST", COPY])?;
    let (here, there) = (digest(from, COPY)?, digest(to, COPY)?);
    for client in [from, to] {
        client.call(&[b"DEL", COPY])?;
    }
    Ok((here != there).then(|| format!("{} / {}", here.cli(), there.cli())))
}

/// Where the key differs from itself: what was done, and what came out.
pub(crate) fn differ(pair: &mut Pair, key: &[u8]) -> io::Result<Option<(String, String)>> {
    let name = String::from_utf8_lossy(key).into_owned();
    let ours = digest(&mut pair.ours, key)?;
    pair.ours.call(&[b"COPY", key, COPY, b"REPLACE"])?;
    let copied = digest(&mut pair.ours, COPY)?;
    if ours != copied {
        let text = format!("{name}: {} / {}", ours.cli(), copied.cli());
        return Ok(Some(("COPY".to_owned(), text)));
    }
    // Within one server: dumped here, restored over the copy.
    let payload = pair.ours.call(&[b"DUMP", key])?;
    if let Some(bytes) = payload.as_bytes() {
        pair.ours.call(&[b"PERSIST", COPY])?;
        let persisted = digest(&mut pair.ours, COPY)?;
        let restored = pair.ours.call(&[b"RESTORE", COPY, b"0", bytes, b"REPLACE"])?;
        let again = digest(&mut pair.ours, COPY)?;
        if restored.is_error() || again != persisted {
            let text = format!("{name}: {} / {}, {}", persisted.cli(), again.cli(), restored.cli());
            return Ok(Some(("RESTORE".to_owned(), text)));
        }
    }
    pair.ours.call(&[b"DEL", COPY])?;
    if let Some(text) = carried(&mut pair.ours, &mut pair.theirs, key)? {
        return Ok(Some(("RESTORE there".to_owned(), format!("{name}: {text}"))));
    }
    if let Some(text) = carried(&mut pair.theirs, &mut pair.ours, key)? {
        return Ok(Some(("RESTORE here".to_owned(), format!("{name}: {text}"))));
    }
    Ok(None)
}
