//! Dividing a budget among parts.

/// What a part wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Want {
    /// The tokens of the whole part.
    pub(super) tokens: usize,
    /// Its share relative to the others'.
    pub(super) weight: f64,
    /// Whether it gets all it wants, before the others.
    pub(super) mandatory: bool,
}

/// Returns how many tokens each part gets. Their sum is at most `room`, unless what is mandatory
/// needs more. What a part does not need flows on to the others.
pub(super) fn allocate(wants: &[Want], room: usize) -> Vec<usize> {
    let mut given: Vec<usize> = wants.iter().map(|want| if want.mandatory { want.tokens } else { 0 }).collect();
    let mut room = room.saturating_sub(given.iter().sum());
    let mut open: Vec<usize> = (0..wants.len()).filter(|index| !wants[*index].mandatory).collect();
    while !open.is_empty() {
        let weights: f64 = open.iter().map(|index| wants[*index].weight).sum();
        let share = |index: usize| (room as f64 * wants[index].weight / weights) as usize;
        let (content, hungry): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|index| wants[**index].tokens <= share(**index));
        if content.is_empty() {
            hungry.iter().for_each(|index| given[*index] = share(*index));
            break;
        }
        for index in content {
            given[index] = wants[index].tokens;
            room -= wants[index].tokens;
        }
        open = hungry;
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(tokens: usize, weight: f64) -> Want {
        Want { tokens, weight, mandatory: false }
    }

    #[test]
    fn what_is_not_needed_flows_on() {
        for (wants, room, expected) in [
            (vec![want(10, 1.0), want(500, 1.0), want(500, 1.0)], 110, vec![10, 50, 50]),
            (vec![want(500, 2.0), want(500, 1.0)], 90, vec![60, 30]),
            (vec![want(5, 1.0), want(6, 1.0)], 100, vec![5, 6]),
            (vec![], 10, vec![]),
            (vec![want(7, 1.0)], 0, vec![0]),
        ] {
            assert_eq!(allocate(&wants, room), expected);
        }
        let mandatory = Want { mandatory: true, ..want(80, 1.0) };
        assert_eq!(allocate(&[want(50, 9.0), mandatory], 100), [20, 80]);
    }
}
