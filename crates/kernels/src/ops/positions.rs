//! A fixed code for each place of a sequence: a bias that no gradient changes.

use crate::error::Error;
use crate::graph::{Graph, Initialiser, Node};
use crate::ops::Op;
use crate::ops::bias::Bias;

/// Places that have a code: the longest sequence of a network.
pub(crate) const MAX_PLACES: usize = 512;

impl Graph {
    /// Adds to each place of a sequence the code of that place.
    ///
    /// # Equation
    /// `y[n, t, c] = x[n, t, c] + p[t, c]`, `p[t, 2 i] = sin(t / 10000^(2 i / C))`,
    /// `p[t, 2 i + 1] = cos(t / 10000^(2 i / C))`. Backward: `grad_x = grad_y`.
    ///
    /// # Shapes
    /// `x`, `y: [N, T, C]`, T at most 512. Declares `NAME [512, C]`, which no gradient changes, so
    /// that sequences of any length share it.
    ///
    /// # Errors
    /// If x has not three axes or too many places, or the name is taken.
    ///
    /// # Source
    /// Vaswani et al. 2017, sec. 3.5.
    pub fn add_positions(&mut self, x: Node, name: &str) -> Result<Node, Error> {
        let shape = self.shape(x).clone();
        let &[batch, places, columns] = &*shape else {
            return Err(self.operand_error("add_positions", x, "x must be [N, T, C]"));
        };
        if places > MAX_PLACES {
            return Err(self.operand_error("add_positions", x, "T must be at most 512"));
        }
        let table =
            self.statistic(name, &[MAX_PLACES, columns], Initialiser::Sinusoids { columns })?;
        // The kernel reads the first T rows of the table only.
        let op = Bias { rows: batch, columns: places * columns };
        Ok(self.push(Op::AddBias(op), &[x, table], shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::CpuExecutor;
    use crate::executor::{Executor, Program};
    use crate::lane::{LaneState, Snapshot};
    use crate::plan::Plan;

    #[test]
    fn every_example_gets_the_code_of_its_places() {
        let mut graph = Graph::new();
        let x = graph.parameter("x", &[2, 3, 2], Initialiser::Zeros).unwrap();
        let y = graph.add_positions(x, "positions").unwrap();
        let loss = graph.squared_norm(y).unwrap();
        let gradient = graph.gradients(loss, &[x]).unwrap()[0];
        let plan = Plan::forward(&graph, &[y, gradient]).unwrap();
        let program = Program::new(vec![plan], vec![]).unwrap();
        let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
        executor.poison().unwrap();
        let values: Vec<f64> = (0..12).chain(100..100 + 2 * 512).map(f64::from).collect();
        executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
        executor.run(0, &[1]).unwrap();
        let expected: Vec<f64> = (0..12).map(|i| f64::from(i) + 100.0 + f64::from(i % 6)).collect();
        assert_eq!(executor.read(0, 0, y).unwrap(), expected);
        let expected: Vec<f64> = expected.iter().map(|y| 2.0 * y).collect();
        assert_eq!(executor.read(0, 0, gradient).unwrap(), expected);
    }

    #[test]
    fn sequences_that_are_too_long_are_refused() {
        let mut graph = Graph::new();
        let x = graph.parameter("x", &[1, 513, 2], Initialiser::Zeros).unwrap();
        let message = graph.add_positions(x, "positions").unwrap_err().to_string();
        assert!(message.contains("at most 512"), "{message}");
    }
}
