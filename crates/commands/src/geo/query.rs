//! What a search asks for: where, how far, in which order, and what becomes of it.

use super::{point, unit};
use command::{Args, CommandError};
use keyspace::KeyRef;
use types::geo::{Area, Point};
use types::zset::ZSetView;

/// Which of the commands it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// GEORADIUS and GEORADIUSBYMEMBER, which may store.
    Radius,
    /// Their twins that may not.
    RadiusReadOnly,
    Search,
    SearchStore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Nearest,
    Farthest,
}

/// A parsed request.
pub(super) struct Query<'a> {
    pub(super) search: Search,
    pub(super) target: Option<KeyRef<'a>>,
    /// The scores of the target are distances.
    pub(super) stores_distance: bool,
}

/// What is looked for, and what is answered of it. There is no area only if there is no set.
pub(super) struct Search {
    pub(super) area: Option<Area>,
    /// Meters of the unit that distances are answered in.
    pub(super) meters: f64,
    pub(super) order: Option<Order>,
    /// Most places that are answered.
    pub(super) count: Option<usize>,
    /// The first places found will do.
    pub(super) any: bool,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_place: bool,
}

/// How far a search reaches.
enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
    Polygon { vertices: Vec<Point> },
}

/// The parts of a request as they come.
struct Parts<'a> {
    query: Query<'a>,
    /// The center, if it is known: a member of a set that is not there has no place.
    center: Option<Point>,
    from_member: bool,
    from_place: bool,
    shape: Option<Shape>,
}

impl<'a> Query<'a> {
    fn new() -> Self {
        let search = Search {
            area: None,
            meters: 1.0,
            order: None,
            count: None,
            any: false,
            with_distance: false,
            with_hash: false,
            with_place: false,
        };
        Self { search, target: None, stores_distance: false }
    }

    /// Reads GEORADIUS from its center on, or GEORADIUSBYMEMBER if `by_member`.
    pub(super) fn radius(
        args: &mut Args<'a>,
        kind: Kind,
        by_member: bool,
        set: Option<ZSetView<'_>>,
    ) -> Result<Self, CommandError> {
        let mut parts = Parts::new();
        if !by_member {
            parts.center = Some(point(args)?);
            parts.circle(args)?;
        } else if set.is_none() {
            // Nothing is looked at that is about the place.
            args.skip(3);
        } else {
            parts.center = Some(place_of(set, args.bytes()?)?);
            parts.circle(args)?;
        }
        parts.options(args, kind, set)?;
        parts.finish(kind, args)
    }

    /// Reads GEOSEARCH and GEOSEARCHSTORE behind their keys.
    pub(super) fn search(
        args: &mut Args<'a>,
        kind: Kind,
        target: Option<KeyRef<'a>>,
        set: Option<ZSetView<'_>>,
    ) -> Result<Self, CommandError> {
        let mut parts = Parts::new();
        parts.query.target = target;
        parts.options(args, kind, set)?;
        parts.finish(kind, args)
    }
}

/// Where a member is.
fn place_of(set: Option<ZSetView<'_>>, member: &[u8]) -> Result<Point, CommandError> {
    let score = set.and_then(|set| set.score(member)).ok_or(CommandError::NoSuchPlace)?;
    Ok(Point::of_score(score))
}

/// The next word as a size that is not negative.
fn size(args: &mut Args<'_>, error: CommandError) -> Result<f64, CommandError> {
    args.double().map_err(|_| error)
}

impl<'a> Parts<'a> {
    fn new() -> Self {
        let query = Query::new();
        Self { query, center: None, from_member: false, from_place: false, shape: None }
    }

    fn circle(&mut self, args: &mut Args<'_>) -> Result<(), CommandError> {
        let radius = size(args, CommandError::RadiusNotNumeric)?;
        if radius < 0.0 {
            return Err(CommandError::RadiusNegative);
        }
        self.query.search.meters = unit(args)?;
        self.shape = Some(Shape::Circle { radius });
        Ok(())
    }

    fn options(
        &mut self,
        args: &mut Args<'a>,
        kind: Kind,
        set: Option<ZSetView<'_>>,
    ) -> Result<(), CommandError> {
        while args.left() > 0 {
            let is_known = self.output(args)?
                || self.stored(args, kind)?
                || matches!(kind, Kind::Search | Kind::SearchStore) && self.located(args, set)?;
            if !is_known {
                return Err(CommandError::Syntax);
            }
        }
        Ok(())
    }

    /// Options of all commands.
    fn output(&mut self, args: &mut Args<'_>) -> Result<bool, CommandError> {
        let query = &mut self.query;
        if args.token("WITHDIST") {
            query.search.with_distance = true;
        } else if args.token("WITHHASH") {
            query.search.with_hash = true;
        } else if args.token("WITHCOORD") {
            query.search.with_place = true;
        } else if args.token("ANY") {
            query.search.any = true;
        } else if args.token("ASC") {
            query.search.order = Some(Order::Nearest);
        } else if args.token("DESC") {
            query.search.order = Some(Order::Farthest);
        } else if args.left() > 1 && args.token("COUNT") {
            let count = usize::try_from(args.integer()?).ok().filter(|count| *count > 0);
            query.search.count = Some(count.ok_or(CommandError::CountNotPositive)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Where the result goes.
    fn stored(&mut self, args: &mut Args<'a>, kind: Kind) -> Result<bool, CommandError> {
        let query = &mut self.query;
        match kind {
            Kind::SearchStore if args.token("STOREDIST") => query.stores_distance = true,
            Kind::Radius if args.left() > 1 && args.token("STORE") => {
                query.target = Some(target(args)?);
                query.stores_distance = false;
            }
            Kind::Radius if args.left() > 1 && args.token("STOREDIST") => {
                query.target = Some(target(args)?);
                query.stores_distance = true;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Center and shape of GEOSEARCH and GEOSEARCHSTORE.
    fn located(
        &mut self,
        args: &mut Args<'_>,
        set: Option<ZSetView<'_>>,
    ) -> Result<bool, CommandError> {
        let is_polygon = matches!(self.shape, Some(Shape::Polygon { .. }));
        let is_box = matches!(self.shape, Some(Shape::Box { .. }));
        let is_circle = matches!(self.shape, Some(Shape::Circle { .. }));
        let has_center = self.from_member || self.from_place;
        if !is_polygon && !self.from_place && args.left() > 1 && args.token("FROMMEMBER") {
            let member = args.bytes()?;
            if set.is_some() {
                self.center = Some(place_of(set, member)?);
            }
            self.from_member = true;
        } else if !is_polygon && !self.from_member && args.left() > 2 && args.token("FROMLONLAT") {
            self.center = Some(point(args)?);
            self.from_place = true;
        } else if !is_polygon && !is_box && args.left() > 2 && args.token("BYRADIUS") {
            self.circle(args)?;
        } else if !is_polygon && !is_circle && args.left() > 3 && args.token("BYBOX") {
            let width = size(args, CommandError::WidthNotNumeric)?;
            let height = size(args, CommandError::HeightNotNumeric)?;
            if width < 0.0 || height < 0.0 {
                return Err(CommandError::BoxNegative);
            }
            self.query.search.meters = unit(args)?;
            self.shape = Some(Shape::Box { width, height });
        } else if !is_box && !is_circle && !has_center && args.left() > 1 && args.token("BYPOLYGON")
        {
            let vertices = vertices(args)?;
            self.shape = Some(Shape::Polygon { vertices });
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn finish(self, kind: Kind, args: &Args<'_>) -> Result<Query<'a>, CommandError> {
        let mut query = self.query;
        if query.target.is_some()
            && (query.search.with_distance || query.search.with_hash || query.search.with_place)
        {
            let what = match kind {
                Kind::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            return Err(CommandError::err(format_args!(
                "{what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        if matches!(kind, Kind::Search | Kind::SearchStore) {
            // The name as the client wrote it.
            let name = args.all()[0];
            let is_polygon = matches!(self.shape, Some(Shape::Polygon { .. }));
            if !is_polygon && !self.from_member && !self.from_place {
                let text: &[u8] = b"exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
                return Err(CommandError::err_bytes(&[text, name]));
            }
            if self.shape.is_none() {
                let text: &[u8] = b"exactly one of BYRADIUS and BYBOX can be specified for ";
                return Err(CommandError::err_bytes(&[text, name]));
            }
        }
        if query.search.any && query.search.count.is_none() {
            return Err(CommandError::AnyWithoutCount);
        }
        let meters = query.search.meters;
        query.search.area = match (self.shape, self.center) {
            (Some(Shape::Circle { radius }), Some(center)) => {
                Some(Area::Circle { center, radius: radius * meters })
            }
            (Some(Shape::Box { width, height }), Some(center)) => {
                Some(Area::Box { center, width: width * meters, height: height * meters })
            }
            (Some(Shape::Polygon { vertices }), _) => Some(Area::Polygon { vertices }),
            _ => None,
        };
        // Of some places the nearest are meant, unless any will do.
        if query.search.count.is_some() && !query.search.any {
            query.search.order.get_or_insert(Order::Nearest);
        }
        Ok(query)
    }
}

/// The key behind `STORE` or `STOREDIST`: the first such word is the one that RESOLVE looks at.
fn target<'a>(args: &mut Args<'a>) -> Result<KeyRef<'a>, CommandError> {
    args.key().map_err(|_| CommandError::Syntax)
}

/// Reads `count longitude latitude [longitude latitude ...]`.
fn vertices(args: &mut Args<'_>) -> Result<Vec<Point>, CommandError> {
    let count = args.integer().ok().and_then(|count| i32::try_from(count).ok());
    let count = usize::try_from(count.ok_or(CommandError::InvalidVertices)?).unwrap_or(0);
    if count < 3 || count > args.left() / 2 {
        return Err(CommandError::TooFewVertices);
    }
    (0..count).map(|_| point(args)).collect()
}
