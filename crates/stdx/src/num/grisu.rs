//! The decimal digits of a double by Grisu2, from Florian Loitsch, "Printing Floating-Point Numbers
//! Quickly and Accurately with Integers" (PLDI 2010): scale the number and the borders of its
//! rounding interval by a cached power of ten into 64-bit fixed point, emit digits of the upper
//! border until what remains lies inside the interval, then step the last digit down towards the
//! number itself.
//!
//! About one double in a thousand gets a digit more than needed, or a neighbor of the closest
//! shortest text. Redis and Valkey print exactly these digits, so neither an exact algorithm nor
//! `std` can stand in.

/// `fraction * 2^exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    fraction: u64,
    exponent: i32,
}

/// Decimal digits without leading zeros: the number is `digits * 10^exponent`.
pub(super) struct Digits {
    bytes: [u8; DIGITS_MAX],
    len: usize,
    pub(super) exponent: i32,
}

/// The interval of a double is at least 2^-54 of it wide, so 17 digits separate it; one is spare.
const DIGITS_MAX: usize = 20;

const FRACTION_BITS: u32 = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;
const EXPONENT_BIAS: i32 = 1023 + 52;

/// Where the scaled upper border must lie, so that its integer part fits 32 bits.
const TARGET_EXPONENT_MIN: i32 = -60;
const TARGET_EXPONENT_MAX: i32 = -32;

const POWER_FIRST: i32 = -348;
const POWER_STEP: i32 = 8;

impl Digits {
    /// ASCII digits, the first one not `0`.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, digit: u64) {
        self.bytes[self.len] = b'0' + digit as u8;
        self.len += 1;
    }

    /// Steps the last digit down while that brings the text nearer to the number: `above` is how
    /// far the upper border is above the number, `rest` how far it is above the text, `unit` the
    /// weight of the last digit.
    fn approach(&mut self, width: u64, mut rest: u64, unit: u64, above: u64) {
        while rest < above
            && width.wrapping_sub(rest) >= unit
            && (rest.wrapping_add(unit) < above
                || above - rest > rest.wrapping_add(unit).wrapping_sub(above))
        {
            self.bytes[self.len - 1] -= 1;
            rest = rest.wrapping_add(unit);
        }
    }
}

/// The digits of a finite `value` above zero.
pub(super) fn digits(value: f64) -> Digits {
    let number = decompose(value);
    let (lower, upper) = borders(number);
    let (power, power_exponent) = cached_power(upper.exponent);

    let number = number.normalized().times(power);
    let mut lower = lower.times(power);
    let mut upper = upper.times(power);
    // Each product is off by less than one unit: shrink the interval to its safe part.
    lower.fraction = lower.fraction.wrapping_add(1);
    upper.fraction = upper.fraction.wrapping_sub(1);
    generate(number, lower, upper, -power_exponent)
}

fn decompose(value: f64) -> Scaled {
    let bits = value.to_bits();
    let fraction = bits & (HIDDEN_BIT - 1);
    let exponent = ((bits >> FRACTION_BITS) & 0x7ff) as i32;
    if exponent == 0 {
        Scaled { fraction, exponent: 1 - EXPONENT_BIAS }
    } else {
        Scaled { fraction: fraction + HIDDEN_BIT, exponent: exponent - EXPONENT_BIAS }
    }
}

/// The midpoints to the neighbors below and above, at one common exponent. Below a power of two the
/// neighbor is only half as far away.
fn borders(number: Scaled) -> (Scaled, Scaled) {
    let upper =
        Scaled { fraction: (number.fraction << 1) + 1, exponent: number.exponent - 1 }.normalized();
    let shift = if number.fraction == HIDDEN_BIT { 2 } else { 1 };
    let fraction = (number.fraction << shift) - 1;
    let align = (number.exponent - shift) - upper.exponent;
    (Scaled { fraction: fraction << align, exponent: upper.exponent }, upper)
}

impl Scaled {
    fn normalized(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Self { fraction: self.fraction << shift, exponent: self.exponent - shift as i32 }
    }

    /// The upper half of the product, rounded half up.
    fn times(self, other: Self) -> Self {
        let (a, b) = (self.fraction >> 32, self.fraction & 0xffff_ffff);
        let (c, d) = (other.fraction >> 32, other.fraction & 0xffff_ffff);
        let (ac, ad, bc, bd) = (a * c, a * d, b * c, b * d);
        let middle = (bd >> 32) + (ad & 0xffff_ffff) + (bc & 0xffff_ffff) + (1 << 31);
        Self {
            fraction: ac + (ad >> 32) + (bc >> 32) + (middle >> 32),
            exponent: self.exponent + other.exponent + 64,
        }
    }
}

/// The power of ten, and its exponent, that brings `exponent` into the target range.
fn cached_power(exponent: i32) -> (Scaled, i32) {
    const LOG10_2: f64 = 0.301_029_995_663_981_14;
    let count = POWERS.len() as i32;
    let estimate = (-f64::from(exponent + count) * LOG10_2) as i32;
    let mut index = (estimate - POWER_FIRST) / POWER_STEP;
    loop {
        let (fraction, power_exponent) = POWERS[index as usize];
        let reached = exponent + power_exponent + 64;
        if reached < TARGET_EXPONENT_MIN {
            index += 1;
        } else if reached > TARGET_EXPONENT_MAX {
            index -= 1;
        } else {
            let power = Scaled { fraction, exponent: power_exponent };
            return (power, POWER_FIRST + index * POWER_STEP);
        }
    }
}

fn generate(number: Scaled, lower: Scaled, upper: Scaled, exponent: i32) -> Digits {
    let above = upper.fraction.wrapping_sub(number.fraction);
    let mut width = upper.fraction.wrapping_sub(lower.fraction);
    let shift = -upper.exponent;
    let one = 1_u64 << shift;
    let mut integer = upper.fraction >> shift;
    let mut fraction = upper.fraction & (one - 1);
    let mut out = Digits { bytes: [0; DIGITS_MAX], len: 0, exponent };

    let mut unit = 1_000_000_000_u64;
    for position in (0..10).rev() {
        let digit = integer / unit;
        if digit != 0 || out.len != 0 {
            out.push(digit);
        }
        integer %= unit;
        let rest = (integer << shift) + fraction;
        if rest <= width {
            out.exponent += position;
            out.approach(width, rest, unit << shift, above);
            return out;
        }
        unit /= 10;
    }

    let mut scale = 1_u64;
    loop {
        fraction = fraction.wrapping_mul(10);
        width = width.wrapping_mul(10);
        scale = scale.wrapping_mul(10);
        out.exponent -= 1;
        let digit = fraction >> shift;
        if digit != 0 || out.len != 0 {
            out.push(digit);
        }
        fraction &= one - 1;
        if fraction < width {
            out.approach(width, fraction, one, above.wrapping_mul(scale));
            return out;
        }
    }
}

/// 10^(-348 + 8i) as (fraction, exponent): the 64-bit fraction with its top bit set, rounded to
/// nearest.
const POWERS: [(u64, i32); 87] = [
    (0xfa8fd5a0081c0288, -1220),
    (0xbaaee17fa23ebf76, -1193),
    (0x8b16fb203055ac76, -1166),
    (0xcf42894a5dce35ea, -1140),
    (0x9a6bb0aa55653b2d, -1113),
    (0xe61acf033d1a45df, -1087),
    (0xab70fe17c79ac6ca, -1060),
    (0xff77b1fcbebcdc4f, -1034),
    (0xbe5691ef416bd60c, -1007),
    (0x8dd01fad907ffc3c, -980),
    (0xd3515c2831559a83, -954),
    (0x9d71ac8fada6c9b5, -927),
    (0xea9c227723ee8bcb, -901),
    (0xaecc49914078536d, -874),
    (0x823c12795db6ce57, -847),
    (0xc21094364dfb5637, -821),
    (0x9096ea6f3848984f, -794),
    (0xd77485cb25823ac7, -768),
    (0xa086cfcd97bf97f4, -741),
    (0xef340a98172aace5, -715),
    (0xb23867fb2a35b28e, -688),
    (0x84c8d4dfd2c63f3b, -661),
    (0xc5dd44271ad3cdba, -635),
    (0x936b9fcebb25c996, -608),
    (0xdbac6c247d62a584, -582),
    (0xa3ab66580d5fdaf6, -555),
    (0xf3e2f893dec3f126, -529),
    (0xb5b5ada8aaff80b8, -502),
    (0x87625f056c7c4a8b, -475),
    (0xc9bcff6034c13053, -449),
    (0x964e858c91ba2655, -422),
    (0xdff9772470297ebd, -396),
    (0xa6dfbd9fb8e5b88f, -369),
    (0xf8a95fcf88747d94, -343),
    (0xb94470938fa89bcf, -316),
    (0x8a08f0f8bf0f156b, -289),
    (0xcdb02555653131b6, -263),
    (0x993fe2c6d07b7fac, -236),
    (0xe45c10c42a2b3b06, -210),
    (0xaa242499697392d3, -183),
    (0xfd87b5f28300ca0e, -157),
    (0xbce5086492111aeb, -130),
    (0x8cbccc096f5088cc, -103),
    (0xd1b71758e219652c, -77),
    (0x9c40000000000000, -50),
    (0xe8d4a51000000000, -24),
    (0xad78ebc5ac620000, 3),
    (0x813f3978f8940984, 30),
    (0xc097ce7bc90715b3, 56),
    (0x8f7e32ce7bea5c70, 83),
    (0xd5d238a4abe98068, 109),
    (0x9f4f2726179a2245, 136),
    (0xed63a231d4c4fb27, 162),
    (0xb0de65388cc8ada8, 189),
    (0x83c7088e1aab65db, 216),
    (0xc45d1df942711d9a, 242),
    (0x924d692ca61be758, 269),
    (0xda01ee641a708dea, 295),
    (0xa26da3999aef774a, 322),
    (0xf209787bb47d6b85, 348),
    (0xb454e4a179dd1877, 375),
    (0x865b86925b9bc5c2, 402),
    (0xc83553c5c8965d3d, 428),
    (0x952ab45cfa97a0b3, 455),
    (0xde469fbd99a05fe3, 481),
    (0xa59bc234db398c25, 508),
    (0xf6c69a72a3989f5c, 534),
    (0xb7dcbf5354e9bece, 561),
    (0x88fcf317f22241e2, 588),
    (0xcc20ce9bd35c78a5, 614),
    (0x98165af37b2153df, 641),
    (0xe2a0b5dc971f303a, 667),
    (0xa8d9d1535ce3b396, 694),
    (0xfb9b7cd9a4a7443c, 720),
    (0xbb764c4ca7a44410, 747),
    (0x8bab8eefb6409c1a, 774),
    (0xd01fef10a657842c, 800),
    (0x9b10a4e5e9913129, 827),
    (0xe7109bfba19c0c9d, 853),
    (0xac2820d9623bf429, 880),
    (0x80444b5e7aa7cf85, 907),
    (0xbf21e44003acdd2d, 933),
    (0x8e679c2f5e44ff8f, 960),
    (0xd433179d9c8cb841, 986),
    (0x9e19db92b4e31ba9, 1013),
    (0xeb96bf6ebadf77d9, 1039),
    (0xaf87023b9bf0ee6b, 1066),
];
