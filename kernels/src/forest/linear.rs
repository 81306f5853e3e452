//! Leaves that are linear in some cells, as sums of product games.

/// A leaf that is worth `constant + Σ weight · cell`, or the value of its node where one of the cells is
/// missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinearLeaf {
    /// What the cells are added to.
    pub constant: f64,
    /// What is added.
    pub terms: Vec<Term>,
}

/// A cell that a leaf is linear in. It stands in two columns, whose sum has twice the digits of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The feature, or the group of features, that it is attributed to.
    pub feature: u32,
    /// The column of the cell rounded to float32, NaN where it is missing.
    pub high: u32,
    /// The column of what rounding took away.
    pub low: u32,
    /// What the cell is multiplied with.
    pub weight: f64,
}

/// Players of a game, reused from leaf to leaf.
#[derive(Debug, Default)]
pub struct Players {
    with: Vec<u32>,
    without: Vec<u32>,
}

impl Term {
    #[inline]
    fn cell(&self, cells: &[f32]) -> f64 {
        f64::from(cells[self.high as usize]) + f64::from(cells[self.low as usize])
    }
}

impl LinearLeaf {
    /// What the leaf is worth to a row, whose cells are given by column; `missing` is the value of its
    /// node.
    pub fn value(&self, missing: f64, cells: &[f32]) -> f64 {
        let terms = self.terms.iter();
        let sum = terms.fold(self.constant, |sum, term| {
            sum + term.weight * term.cell(cells)
        });
        if sum.is_nan() { missing } else { sum }
    }

    /// What the leaf is worth to a coalition, whose players take the cells of a row where the others take
    /// those of a background row, is the sum of `value` over the games `(value, with, without)` of which
    /// the coalition has all players in `with` and none of those in `without`. `game` is told these.
    ///
    /// With no cell missing there is a game that the background row's sum is paid in to every coalition,
    /// and one for each term, of what the row's cell adds. A cell that is missing in one of the rows
    /// makes the linear games need the other row there, and a game of the node's value takes their place
    /// for coalitions that do not.
    #[inline]
    pub fn games(
        &self,
        missing: f64,
        cells: [&[f32]; 2],
        players: &mut Players,
        mut game: impl FnMut(f64, &[u32], &[u32]),
    ) {
        let Players { with, without } = players;
        with.clear();
        without.clear();
        for term in &self.terms {
            let (needed, opposite) = match cells.map(|cells| term.cell(cells).is_nan()) {
                [false, false] => continue,
                [false, true] => (&mut *with, &*without),
                [true, false] => (&mut *without, &*with),
                [true, true] => return game(missing, &[], &[]),
            };
            // Of a group, one feature can be missing in the one row, and one in the other.
            if opposite.contains(&term.feature) {
                return game(missing, &[], &[]);
            }
            if !needed.contains(&term.feature) {
                needed.push(term.feature);
            }
        }
        let mut constant = self.constant;
        if !(with.is_empty() && without.is_empty()) {
            game(missing, &[], &[]);
            constant -= missing;
        }
        for term in &self.terms {
            let cells = cells[usize::from(!with.contains(&term.feature))];
            constant += term.weight * term.cell(cells);
        }
        game(constant, with, without);
        for term in &self.terms {
            if with.contains(&term.feature) || without.contains(&term.feature) {
                continue;
            }
            let [row, background] = cells.map(|cells| term.cell(cells));
            let gain = term.weight * (row - background);
            if gain != 0.0 {
                with.push(term.feature);
                game(gain, with, without);
                with.pop();
            }
        }
    }
}
