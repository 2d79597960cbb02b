//! Direction numbers of Sobol' sequences, as data.
//!
//! # Source
//!
//! The first rows of the file `new-joe-kuo-6.21201`: Joe and Kuo, "Constructing Sobol sequences with
//! better two-dimensional projections", SIAM J. Sci. Comput. 30(5), 2008,
//! <https://web.maths.unsw.edu.au/~fkuo/sobol/>. The test in `sobol.rs` shows each of them to be that
//! of SciPy's copy.

/// A primitive polynomial over GF(2), x^s + a_1 x^(s-1) + ... + a_(s-1) x + 1, and the first s
/// direction integers m_1 .. m_s, where m_k is odd and below 2^k.
pub(super) struct DirectionNumbers {
    /// The coefficients a_1 .. a_(s-1), a_1 highest.
    pub(super) coefficients: u64,
    /// m_1 .. m_s; their number is the degree s.
    pub(super) initial: &'static [u64],
}

/// Row d is of dimension d + 1; dimension 0 is van der Corput's sequence and needs none.
#[rustfmt::skip]
pub(super) const DIRECTION_NUMBERS: [DirectionNumbers; 63] = [
    DirectionNumbers { coefficients: 0, initial: &[1] },
    DirectionNumbers { coefficients: 1, initial: &[1, 3] },
    DirectionNumbers { coefficients: 1, initial: &[1, 3, 1] },
    DirectionNumbers { coefficients: 2, initial: &[1, 1, 1] },
    DirectionNumbers { coefficients: 1, initial: &[1, 1, 3, 3] },
    DirectionNumbers { coefficients: 4, initial: &[1, 3, 5, 13] },
    DirectionNumbers { coefficients: 2, initial: &[1, 1, 5, 5, 17] },
    DirectionNumbers { coefficients: 4, initial: &[1, 1, 5, 5, 5] },
    DirectionNumbers { coefficients: 7, initial: &[1, 1, 7, 11, 19] },
    DirectionNumbers { coefficients: 11, initial: &[1, 1, 5, 1, 1] },
    DirectionNumbers { coefficients: 13, initial: &[1, 1, 1, 3, 11] },
    DirectionNumbers { coefficients: 14, initial: &[1, 3, 5, 5, 31] },
    DirectionNumbers { coefficients: 1, initial: &[1, 3, 3, 9, 7, 49] },
    DirectionNumbers { coefficients: 13, initial: &[1, 1, 1, 15, 21, 21] },
    DirectionNumbers { coefficients: 16, initial: &[1, 3, 1, 13, 27, 49] },
    DirectionNumbers { coefficients: 19, initial: &[1, 1, 1, 15, 7, 5] },
    DirectionNumbers { coefficients: 22, initial: &[1, 3, 1, 15, 13, 25] },
    DirectionNumbers { coefficients: 25, initial: &[1, 1, 5, 5, 19, 61] },
    DirectionNumbers { coefficients: 1, initial: &[1, 3, 7, 11, 23, 15, 103] },
    DirectionNumbers { coefficients: 4, initial: &[1, 3, 7, 13, 13, 15, 69] },
    DirectionNumbers { coefficients: 7, initial: &[1, 1, 3, 13, 7, 35, 63] },
    DirectionNumbers { coefficients: 8, initial: &[1, 3, 5, 9, 1, 25, 53] },
    DirectionNumbers { coefficients: 14, initial: &[1, 3, 1, 13, 9, 35, 107] },
    DirectionNumbers { coefficients: 19, initial: &[1, 3, 1, 5, 27, 61, 31] },
    DirectionNumbers { coefficients: 21, initial: &[1, 1, 5, 11, 19, 41, 61] },
    DirectionNumbers { coefficients: 28, initial: &[1, 3, 5, 3, 3, 13, 69] },
    DirectionNumbers { coefficients: 31, initial: &[1, 1, 7, 13, 1, 19, 1] },
    DirectionNumbers { coefficients: 32, initial: &[1, 3, 7, 5, 13, 19, 59] },
    DirectionNumbers { coefficients: 37, initial: &[1, 1, 3, 9, 25, 29, 41] },
    DirectionNumbers { coefficients: 41, initial: &[1, 3, 5, 13, 23, 1, 55] },
    DirectionNumbers { coefficients: 42, initial: &[1, 3, 7, 3, 13, 59, 17] },
    DirectionNumbers { coefficients: 50, initial: &[1, 3, 1, 3, 5, 53, 69] },
    DirectionNumbers { coefficients: 55, initial: &[1, 1, 5, 5, 23, 33, 13] },
    DirectionNumbers { coefficients: 56, initial: &[1, 1, 7, 7, 1, 61, 123] },
    DirectionNumbers { coefficients: 59, initial: &[1, 1, 7, 9, 13, 61, 49] },
    DirectionNumbers { coefficients: 62, initial: &[1, 3, 3, 5, 3, 55, 33] },
    DirectionNumbers { coefficients: 14, initial: &[1, 3, 1, 15, 31, 13, 49, 245] },
    DirectionNumbers { coefficients: 21, initial: &[1, 3, 5, 15, 31, 59, 63, 97] },
    DirectionNumbers { coefficients: 22, initial: &[1, 3, 1, 11, 11, 11, 77, 249] },
    DirectionNumbers { coefficients: 38, initial: &[1, 3, 1, 11, 27, 43, 71, 9] },
    DirectionNumbers { coefficients: 47, initial: &[1, 1, 7, 15, 21, 11, 81, 45] },
    DirectionNumbers { coefficients: 49, initial: &[1, 3, 7, 3, 25, 31, 65, 79] },
    DirectionNumbers { coefficients: 50, initial: &[1, 3, 1, 1, 19, 11, 3, 205] },
    DirectionNumbers { coefficients: 52, initial: &[1, 1, 5, 9, 19, 21, 29, 157] },
    DirectionNumbers { coefficients: 56, initial: &[1, 3, 7, 11, 1, 33, 89, 185] },
    DirectionNumbers { coefficients: 67, initial: &[1, 3, 3, 3, 15, 9, 79, 71] },
    DirectionNumbers { coefficients: 70, initial: &[1, 3, 7, 11, 15, 39, 119, 27] },
    DirectionNumbers { coefficients: 84, initial: &[1, 1, 3, 1, 11, 31, 97, 225] },
    DirectionNumbers { coefficients: 97, initial: &[1, 1, 1, 3, 23, 43, 57, 177] },
    DirectionNumbers { coefficients: 103, initial: &[1, 3, 7, 7, 17, 17, 37, 71] },
    DirectionNumbers { coefficients: 115, initial: &[1, 3, 1, 5, 27, 63, 123, 213] },
    DirectionNumbers { coefficients: 122, initial: &[1, 1, 3, 5, 11, 43, 53, 133] },
    DirectionNumbers { coefficients: 8, initial: &[1, 3, 5, 5, 29, 17, 47, 173, 479] },
    DirectionNumbers { coefficients: 13, initial: &[1, 3, 3, 11, 3, 1, 109, 9, 69] },
    DirectionNumbers { coefficients: 16, initial: &[1, 1, 1, 5, 17, 39, 23, 5, 343] },
    DirectionNumbers { coefficients: 22, initial: &[1, 3, 1, 5, 25, 15, 31, 103, 499] },
    DirectionNumbers { coefficients: 25, initial: &[1, 1, 1, 11, 11, 17, 63, 105, 183] },
    DirectionNumbers { coefficients: 44, initial: &[1, 1, 5, 11, 9, 29, 97, 231, 363] },
    DirectionNumbers { coefficients: 47, initial: &[1, 1, 5, 15, 19, 45, 41, 7, 383] },
    DirectionNumbers { coefficients: 52, initial: &[1, 3, 7, 7, 31, 19, 83, 137, 221] },
    DirectionNumbers { coefficients: 55, initial: &[1, 1, 1, 3, 23, 15, 111, 223, 83] },
    DirectionNumbers { coefficients: 59, initial: &[1, 1, 5, 13, 31, 15, 55, 25, 161] },
    DirectionNumbers { coefficients: 62, initial: &[1, 1, 3, 13, 25, 47, 39, 87, 257] },
];
