//! Tests of `geo`: figures that Redis 8.0.2 answers, and searches against looking at every place.

use stdx::Rng;

use super::*;

#[test]
fn figures_are_those_of_redis() {
    let palermo = Point::new(13.361389, 38.115556).unwrap();
    let catania = Point::new(15.087269, 37.502669).unwrap();
    assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
    assert_eq!(catania.score(), 3_479_447_370_796_909.0);
    let (palermo, catania) = (Point::of_score(palermo.score()), Point::of_score(catania.score()));
    assert_eq!(palermo.longitude, 13.361_389_338_970_184);
    assert_eq!(palermo.latitude, 38.115_556_395_496_3);
    assert_eq!(format!("{:.4}", palermo.distance(catania)), "166274.1516");
    assert_eq!(&palermo.geohash(), b"sqc8b49rny0");
    assert_eq!(&catania.geohash(), b"sqdtr74hyu0");
}

#[test]
fn places_beyond_the_map_are_none() {
    assert!(Point::new(180.0, 85.051_128_78).is_some());
    assert!(Point::new(180.1, 0.0).is_none() && Point::new(0.0, -85.06).is_none());
    for score in [-1.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, 0.5] {
        let point = Point::of_score(score);
        assert!(Point::new(point.longitude, point.latitude).is_some(), "{score}");
    }
}

#[test]
fn bits_go_and_come_back() {
    let mut rng = Rng::new(1);
    for _ in 0..1000 {
        let value = rng.u64() as u32;
        assert_eq!(gather(spread(value)), value);
        assert_eq!(gather(spread(value) << 1), 0);
    }
}

/// All areas at most a few thousand kilometers wide, not at the edges of the map, where the cells of
/// the peers do not cover everything.
#[test]
fn ranges_cover_the_area() {
    let mut rng = Rng::new(7);
    let place = |rng: &mut Rng, spread: f64, around: Point| Point {
        longitude: (around.longitude + (rng.f64() - 0.5) * spread).clamp(-179.0, 179.0),
        latitude: (around.latitude + (rng.f64() - 0.5) * spread).clamp(-80.0, 80.0),
    };
    for round in 0..400 {
        let center = place(&mut rng, 100.0, Point::default());
        let size = 10_f64.powf(rng.f64() * 6.0);
        let spread = (size / 30_000.0).clamp(1e-6, 40.0);
        let area = match round % 3 {
            0 => Area::Circle { center, radius: size },
            1 => Area::Box { center, width: size, height: size * rng.f64() },
            _ => {
                let vertices = (0..3 + rng.index(5)).map(|_| place(&mut rng, spread, center));
                Area::Polygon { vertices: vertices.collect() }
            }
        };
        let (center, ranges) = (area.center(), area.ranges());
        let mut found = 0;
        for _ in 0..300 {
            let place = Point::of_score(place(&mut rng, spread, center).score());
            if area.distance_within(center, place).is_some() {
                found += 1;
                let score = place.score();
                let hits = ranges.iter().filter(|range| score >= range.0 && score < range.1);
                assert_eq!(hits.count(), 1, "{area:?} {place:?}");
            }
        }
        assert!(found > 0 || round % 3 > 0, "{area:?}");
    }
}
