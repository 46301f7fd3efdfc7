//! Work, counted: one step is about what one byte through a table automaton costs.

/// The step budget is spent: what was being looked for was not looked for to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// A budget of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    left: u64,
}

impl Steps {
    /// A budget of so many steps.
    pub const fn new(limit: u64) -> Steps {
        Steps { left: limit }
    }

    /// Spends steps.
    ///
    /// # Errors
    /// There are not so many left. Then there are none left afterwards.
    #[inline]
    pub fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Exhausted)
            }
        }
    }

    /// How many are left.
    pub const fn left(&self) -> u64 {
        self.left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends() {
        let mut steps = Steps::new(3);
        assert_eq!(steps.spend(2), Ok(()));
        assert_eq!(steps.left(), 1);
        assert_eq!(steps.spend(2), Err(Exhausted));
        assert_eq!(steps.spend(1), Err(Exhausted));
    }
}
