//! Places on Earth as scores of a sorted set: 52-bit geohashes, distances, and search areas.
//!
//! ```text
//!   longitude -180..180     in 2^26 steps ─┐ bits interleaved, longitude first: 52 bits, which a
//!   latitude  -85.05..85.05 in 2^26 steps ─┘ double holds exactly
//! ```
//!
//! All places of a cell (a common prefix of bits) are one range of scores, so an area is searched by
//! looking at the cell of its center and the eight around it. Figures and formulas are those of the
//! peers, since clients see their digits: a sphere of 6,372,797.560856 m, haversine distances.

#[cfg(test)]
mod tests;

use std::f64::consts::PI;

/// Least and greatest longitude.
pub const LONGITUDES: (f64, f64) = (-180.0, 180.0);
/// Least and greatest latitude: of the Mercator projection.
pub const LATITUDES: (f64, f64) = (-85.051_128_78, 85.051_128_78);
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
const MERCATOR_MAX_M: f64 = 20_037_726.37;
/// Bits of each coordinate in a score.
const STEP_MAX: u32 = 26;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    pub longitude: f64,
    pub latitude: f64,
}

fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

impl Point {
    /// `None` if a coordinate is outside of what a score can hold.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let fits = |value: f64, (least, greatest): (f64, f64)| (least..=greatest).contains(&value);
        let fit = fits(longitude, LONGITUDES) && fits(latitude, LATITUDES);
        fit.then_some(Self { longitude, latitude })
    }

    /// The score of the place: the number of its smallest cell.
    pub fn score(self) -> f64 {
        Cell::of(self, STEP_MAX, LATITUDES).bits as f64
    }

    /// The middle of the smallest cell of this number. Scores that are none give some place.
    pub fn of_score(score: f64) -> Self {
        /// The first number beyond 64 bits.
        const BEYOND: f64 = 18_446_744_073_709_551_616.0;
        // As x86 converts: negative scores wrap around, and what is too great is 0.
        let bits = match score {
            ..0.0 => score as i64 as u64,
            ..BEYOND => score as u64,
            _ => 0,
        };
        let bounds = Cell { bits, step: STEP_MAX }.bounds();
        let middle = |(least, greatest): (f64, f64), all: (f64, f64)| {
            ((least + greatest) / 2.0).clamp(all.0, all.1)
        };
        Self {
            longitude: middle(bounds.longitudes, LONGITUDES),
            latitude: middle(bounds.latitudes, LATITUDES),
        }
    }

    /// The standard geohash: 11 digits, of which the last is always 0.
    pub fn geohash(self) -> [u8; 11] {
        const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::of(self, STEP_MAX, (-90.0, 90.0)).bits;
        std::array::from_fn(|at| match at {
            10 => DIGITS[0],
            _ => DIGITS[(bits >> (52 - (at + 1) * 5)) as usize & 31],
        })
    }

    /// Meters along the great circle.
    pub fn distance(self, other: Self) -> f64 {
        let v = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (from, to) = (radians(self.latitude), radians(other.latitude));
        let u = ((to - from) / 2.0).sin();
        let a = u * u + from.cos() * to.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }
}

/// Meters between two latitudes on one meridian.
fn latitude_distance(from: f64, to: f64) -> f64 {
    EARTH_RADIUS_M * (radians(to) - radians(from)).abs()
}

/// Puts the bits of `value` at the even places of the result.
fn spread(value: u32) -> u64 {
    const MASKS: [(u32, u64); 5] = [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ];
    MASKS.iter().fold(u64::from(value), |bits, (shift, mask)| (bits | bits << shift) & mask)
}

/// Takes the bits at the even places.
fn gather(bits: u64) -> u32 {
    (0..32).fold(0, |value, at| value | (((bits >> (2 * at)) & 1) as u32) << at)
}

/// A cell of the grid: `step` bits of each coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    bits: u64,
    step: u32,
}

/// Least and greatest coordinates.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    longitudes: (f64, f64),
    latitudes: (f64, f64),
}

impl Cell {
    fn of(point: Point, step: u32, latitudes: (f64, f64)) -> Self {
        let cells = (1_u64 << step) as f64;
        // The greatest coordinates are in a cell beyond the last, which is the first again.
        let place = |value: f64, (least, greatest): (f64, f64)| {
            ((value - least) / (greatest - least) * cells) as u64 as u32
        };
        let (x, y) = (place(point.longitude, LONGITUDES), place(point.latitude, latitudes));
        Self { bits: spread(y) | spread(x) << 1, step }
    }

    fn bounds(self) -> Bounds {
        let cells = (1_u64 << self.step) as f64;
        let edges = |place: u32, (least, greatest): (f64, f64)| {
            let edge = |place: f64| least + place / cells * (greatest - least);
            (edge(f64::from(place)), edge(f64::from(place) + 1.0))
        };
        Bounds {
            longitudes: edges(gather(self.bits >> 1), LONGITUDES),
            latitudes: edges(gather(self.bits), LATITUDES),
        }
    }

    /// The cell so many steps east and north, around the Earth.
    fn neighbor(self, east: i32, north: i32) -> Self {
        let mask = ((1_u64 << self.step) - 1) as u32;
        let x = gather(self.bits >> 1).wrapping_add_signed(east) & mask;
        let y = gather(self.bits).wrapping_add_signed(north) & mask;
        Self { bits: spread(y) | spread(x) << 1, step: self.step }
    }

    /// Its places have scores from the first (included) to the second (excluded).
    fn scores(self) -> (f64, f64) {
        let shift = 52 - self.step * 2;
        ((self.bits << shift) as f64, ((self.bits + 1) << shift) as f64)
    }
}

/// What is searched. Sizes are in meters.
#[derive(Clone, Debug, PartialEq)]
pub enum Area {
    Circle {
        center: Point,
        radius: f64,
    },
    Box {
        center: Point,
        width: f64,
        height: f64,
    },
    /// At least three vertices; the sides are straight lines on the map.
    Polygon {
        vertices: Vec<Point>,
    },
}

impl Area {
    /// What distances are counted from. Of a polygon: the direction of the mean of its vertices.
    pub fn center(&self) -> Point {
        match self {
            Self::Circle { center, .. } | Self::Box { center, .. } => *center,
            Self::Polygon { vertices } => {
                let mut sum = (0.0, 0.0, 0.0);
                for vertex in vertices {
                    let (x, y) = (radians(vertex.longitude), radians(vertex.latitude));
                    sum.0 += EARTH_RADIUS_M * y.cos() * x.cos();
                    sum.1 += EARTH_RADIUS_M * y.cos() * x.sin();
                    sum.2 += EARTH_RADIUS_M * y.sin();
                }
                let count = vertices.len() as f64;
                let (x, y, z) = (sum.0 / count, sum.1 / count, sum.2 / count);
                let flat = (x * x + y * y).sqrt();
                Point { longitude: degrees(y.atan2(x)), latitude: degrees(z.atan2(flat)) }
            }
        }
    }

    /// The distance of a place from the center, if it is in the area.
    pub fn distance_within(&self, center: Point, place: Point) -> Option<f64> {
        match self {
            Self::Circle { radius, .. } => {
                let distance = center.distance(place);
                (distance <= *radius).then_some(distance)
            }
            Self::Box { width, height, .. } => {
                let beside = Point { longitude: center.longitude, latitude: place.latitude };
                let is_within = latitude_distance(place.latitude, center.latitude) <= height / 2.0
                    && place.distance(beside) <= width / 2.0;
                is_within.then(|| center.distance(place))
            }
            Self::Polygon { vertices } => {
                is_in_polygon(vertices, place).then(|| center.distance(place))
            }
        }
    }

    /// The ranges of scores, each from the first (included) to the second (excluded), that cover the
    /// area: of the cell with the center, then of its neighbors north, south, east, west, northeast,
    /// northwest, southeast and southwest, as far as they are needed.
    pub fn ranges(&self) -> Vec<(f64, f64)> {
        let center = self.center();
        let bounds = self.bounds(center);
        let mut step = steps(self.reach(center, &bounds), center.latitude);
        let mut cell = Cell::of(center, step, LATITUDES);
        if step > 1 && !covers(cell, &bounds) {
            step -= 1;
            cell = Cell::of(center, step, LATITUDES);
        }
        // Neighbors behind an edge that the area does not reach are left out.
        let own = cell.bounds();
        let is_needed = |east: i32, north: i32| {
            step < 2
                || !(north < 0 && own.latitudes.0 < bounds.latitudes.0
                    || north > 0 && own.latitudes.1 > bounds.latitudes.1
                    || east < 0 && own.longitudes.0 < bounds.longitudes.0
                    || east > 0 && own.longitudes.1 > bounds.longitudes.1)
        };
        const AROUND: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut cells: Vec<Cell> = Vec::with_capacity(AROUND.len());
        for (east, north) in AROUND {
            // Of large cells there are so few that two neighbors may be the same.
            let next = cell.neighbor(east, north);
            if is_needed(east, north) && !cells.contains(&next) {
                cells.push(next);
            }
        }
        cells.into_iter().map(Cell::scores).collect()
    }

    /// A box of coordinates around the area.
    fn bounds(&self, center: Point) -> Bounds {
        let (width, height) = match self {
            Self::Circle { radius, .. } => (*radius, *radius),
            Self::Box { width, height, .. } => (width / 2.0, height / 2.0),
            Self::Polygon { vertices } => {
                let range = |of: fn(&Point) -> f64| {
                    let values = vertices.iter().map(of);
                    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), value| {
                        (least.min(value), greatest.max(value))
                    })
                };
                let (longitudes, latitudes) = (range(|at| at.longitude), range(|at| at.latitude));
                return Bounds { longitudes, latitudes };
            }
        };
        let north = degrees(height / EARTH_RADIUS_M);
        // The same width is more degrees nearer to the pole.
        let polar =
            if center.latitude < 0.0 { center.latitude - north } else { center.latitude + north };
        let east = degrees(width / EARTH_RADIUS_M / radians(polar).cos());
        Bounds {
            longitudes: (center.longitude - east, center.longitude + east),
            latitudes: (center.latitude - north, center.latitude + north),
        }
    }

    /// Meters from the center to the farthest of the area.
    fn reach(&self, center: Point, bounds: &Bounds) -> f64 {
        match self {
            Self::Circle { radius, .. } => *radius,
            Self::Box { width, height, .. } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
            Self::Polygon { .. } => {
                let (west, east) = bounds.longitudes;
                let (south, north) = bounds.latitudes;
                [(west, north), (east, north), (west, south), (east, south)]
                    .map(|(longitude, latitude)| center.distance(Point { longitude, latitude }))
                    .into_iter()
                    .fold(0.0, f64::max)
            }
        }
    }
}

/// How many bits of each coordinate a cell should have for nine of them to cover so many meters
/// around this latitude. Cells are narrower near the poles.
fn steps(meters: f64, latitude: f64) -> u32 {
    if meters == 0.0 {
        return STEP_MAX;
    }
    let mut meters = meters;
    let mut step = 1_i32;
    // A subnormal number takes 1,100 doublings.
    while meters < MERCATOR_MAX_M {
        meters *= 2.0;
        step += 1;
    }
    step -= 2;
    if latitude.abs() > 66.0 {
        step -= 1;
    }
    if latitude.abs() > 80.0 {
        step -= 1;
    }
    step.clamp(1, STEP_MAX as i32) as u32
}

/// Whether the cells north, south, east and west of `cell` reach as far as `bounds`.
fn covers(cell: Cell, bounds: &Bounds) -> bool {
    cell.neighbor(0, 1).bounds().latitudes.1 >= bounds.latitudes.1
        && cell.neighbor(0, -1).bounds().latitudes.0 <= bounds.latitudes.0
        && cell.neighbor(1, 0).bounds().longitudes.1 >= bounds.longitudes.1
        && cell.neighbor(-1, 0).bounds().longitudes.0 <= bounds.longitudes.0
}

/// Whether a ray from the place crosses an odd number of sides.
fn is_in_polygon(vertices: &[Point], place: Point) -> bool {
    let sides = vertices.iter().zip(vertices.iter().cycle().skip(1));
    let crosses = |(from, to): &(&Point, &Point)| {
        (from.latitude > place.latitude) != (to.latitude > place.latitude)
            && place.longitude
                < (to.longitude - from.longitude) * (place.latitude - from.latitude)
                    / (to.latitude - from.latitude)
                    + from.longitude
    };
    sides.filter(crosses).count() % 2 == 1
}
