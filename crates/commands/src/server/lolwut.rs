//! LOLWUT: a hill at dusk, drawn anew each time, and the version.

use super::node;
use command::grammar::integer;
use command::{Args, Command, CommandError, Cx, Effect, Flags, Outcome, REDIS_VERSION, VERSION};
use resp::Reply;
use stdx::rng::Rng;

pub(super) const LOLWUT: Command = node("LOLWUT", lolwut, -1)
    .since("5.0.0")
    .flags(Flags::READONLY.or(Flags::FAST))
    .args(&[integer("version").token("VERSION").optional().samples(&["5"])])
    .summary("Draws a picture and tells the version.");

const WIDTH: usize = 64;
const HEIGHT: usize = 12;
/// Layers of earth from the grass down, red ochre being the deepest.
const EARTH: &[u8] = b"\"~=+*%#";

fn lolwut(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    // Other versions draw other pictures in Redis, and take their measures from further words.
    if args.left() >= 2 && args.token("VERSION") {
        let version = args.integer().map_err(|_| CommandError::NotAnInteger)?;
        let measures = match version {
            5 => 3,
            6 => 2,
            _ => 0,
        };
        for _ in 0..measures.min(args.left()) {
            args.integer().map_err(|_| CommandError::NotAnInteger)?;
        }
    }
    let mut picture = draw(cx.rng);
    picture.extend_from_slice(
        format!("\nRedis ver. {REDIS_VERSION}, served by Almagre {VERSION}\n").as_bytes(),
    );
    reply.verbatim(*b"txt", &picture);
    Ok(Effect::None)
}

/// A hill line by a walk of small steps, stars above it, layers below.
fn draw(rng: &mut Rng) -> Vec<u8> {
    let mut ridge = HEIGHT / 2;
    let ridges: Vec<usize> = (0..WIDTH)
        .map(|_| {
            ridge = match rng.below(4) {
                0 => ridge.saturating_sub(1).max(2),
                1 => (ridge + 1).min(HEIGHT - 3),
                _ => ridge,
            };
            ridge
        })
        .collect();
    let mut picture = Vec::with_capacity((WIDTH + 1) * HEIGHT);
    for row in 0..HEIGHT {
        for ridge in &ridges {
            picture.push(match row.checked_sub(*ridge) {
                Some(depth) => EARTH[depth.min(EARTH.len() - 1)],
                None if rng.below(40) == 0 => b'.',
                None => b' ',
            });
        }
        picture.push(b'\n');
    }
    picture
}
