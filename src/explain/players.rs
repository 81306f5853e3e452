//! Who plays the game: the features, or groups of them.

use crate::error::{Error, Result};
use crate::explain::method::names;
use crate::model::Feature;

/// Features that play as one: they join a coalition together, and share one value.
///
/// The columns of a one-hot encoding are one variable of the world; so are the columns of a topic,
/// or a level of a hierarchy. Their value is that of the game between groups, which in general is
/// not the sum of the values that they have apart, and their interactions are within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name in the result.
    pub name: String,
    /// The features, by their position in the model, at least one.
    pub features: Vec<usize>,
}

impl Group {
    /// The group of these names: those of the features, or `f0`, … where the model has none.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a name that no feature has.
    pub fn of_names(name: &str, members: &[String], features: &[Feature]) -> Result<Self> {
        let known = names(features);
        let position = |member: &String| {
            let found = known.iter().position(|known| known == member);
            found.ok_or_else(|| {
                let some: Vec<&str> = known.iter().take(8).map(String::as_str).collect();
                let more = if known.len() > some.len() {
                    ", …"
                } else {
                    ""
                };
                refused(
                    format!("\"{member}\" in the group \"{name}\""),
                    format!("names of the model's features: {}{more}", some.join(", ")),
                )
            })
        };
        Ok(Self {
            name: name.to_owned(),
            features: members.iter().map(position).collect::<Result<_>>()?,
        })
    }
}

/// A partition of the features: groups, and each other feature by itself, in the order of their first
/// features.
#[derive(Debug, Clone)]
pub(super) struct Players {
    /// One name per player.
    pub(super) names: Vec<String>,
    /// The player of each feature.
    pub(super) of: Vec<u32>,
    /// The names of the features.
    pub(super) columns: Vec<String>,
    /// The groups as a result names them, in the order of the players.
    pub(super) groups: Vec<(String, Vec<String>)>,
}

impl Players {
    pub(super) fn new(features: &[Feature], groups: &[Group]) -> Result<Self> {
        let columns = names(features);
        let mut group_of = vec![None; columns.len()];
        for (g, group) in groups.iter().enumerate() {
            if group.features.is_empty() {
                return Err(refused(
                    format!("no features in the group \"{}\"", group.name),
                    "at least one feature in each group".to_owned(),
                ));
            }
            for &feature in &group.features {
                let Some(of) = group_of.get_mut(feature) else {
                    return Err(refused(
                        format!("feature {feature} in the group \"{}\"", group.name),
                        format!("positions below {}", columns.len()),
                    ));
                };
                if of.replace(g).is_some() {
                    return Err(refused(
                        format!("\"{}\" twice", columns[feature]),
                        "each feature in one group at the most, and there once".to_owned(),
                    ));
                }
            }
        }
        let mut players = Self {
            names: Vec::new(),
            of: Vec::with_capacity(columns.len()),
            groups: Vec::new(),
            columns: Vec::new(),
        };
        let mut player_of = vec![None; groups.len()];
        for (feature, group) in group_of.into_iter().enumerate() {
            let next = players.names.len() as u32;
            let Some(g) = group else {
                players.of.push(next);
                players.names.push(columns[feature].clone());
                continue;
            };
            let player = *player_of[g].get_or_insert(next);
            players.of.push(player);
            if player == next {
                let members = groups[g].features.iter().map(|&f| columns[f].clone());
                let name = groups[g].name.clone();
                players.groups.push((name.clone(), members.collect()));
                players.names.push(name);
            }
        }
        players.columns = columns;
        if !groups.is_empty() {
            players.check_names()?;
        }
        Ok(players)
    }

    /// A name that stands for two players would say nothing.
    fn check_names(&self) -> Result<()> {
        let mut sorted: Vec<&String> = self.names.iter().collect();
        sorted.sort();
        let twice = sorted
            .windows(2)
            .find(|pair| pair[0] == pair[1] && self.groups.iter().any(|(name, _)| name == pair[0]));
        match twice {
            Some(pair) => Err(refused(
                format!("the name \"{}\" for two players", pair[0]),
                "a name for each group that no other group and no feature outside it has"
                    .to_owned(),
            )),
            None => Ok(()),
        }
    }

    /// How many play.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

fn refused(got: String, allowed: String) -> Error {
    Error::Parameter {
        name: "groups",
        got,
        allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Players};
    use crate::model::Feature;

    fn features(names: &[&str]) -> Vec<Feature> {
        let feature = |name: &&str| Feature {
            name: Some((*name).to_owned()),
            categories: None,
        };
        names.iter().map(feature).collect()
    }

    fn group(name: &str, features: &[usize]) -> Group {
        Group {
            name: name.to_owned(),
            features: features.to_vec(),
        }
    }

    #[test]
    fn players_come_in_the_order_of_their_first_features() {
        let features = features(&["a", "b", "c", "d", "e"]);
        let groups = [group("late", &[4, 3]), group("early", &[2, 0])];
        let players = Players::new(&features, &groups).expect("a partition");
        assert_eq!(players.names, ["early", "b", "late"]);
        assert_eq!(players.of, [0, 1, 0, 2, 2]);
        assert_eq!(
            players.groups[0],
            ("early".into(), vec!["c".into(), "a".into()])
        );
    }

    #[test]
    fn what_is_no_partition_is_refused_by_name() {
        let features = features(&["a", "b", "c"]);
        for (groups, says) in [
            (vec![group("g", &[])], "no features in the group \"g\""),
            (vec![group("g", &[3])], "feature 3 in the group \"g\""),
            (vec![group("g", &[0]), group("h", &[0])], "\"a\" twice"),
            (vec![group("g", &[1, 1])], "\"b\" twice"),
            (vec![group("c", &[0, 1])], "the name \"c\" for two players"),
            (
                vec![group("g", &[0]), group("g", &[1])],
                "the name \"g\" for two players",
            ),
        ] {
            let error = Players::new(&features, &groups).expect_err(says);
            assert!(error.to_string().contains(says), "{error}");
        }
        let own = Players::new(&features, &[group("c", &[2, 0])]).expect("its own name");
        assert_eq!(own.names, ["c", "b"]);
        let unknown = Group::of_names("g", &["z".into()], &features).expect_err("z");
        assert!(
            unknown.to_string().contains("\"z\" in the group \"g\""),
            "{unknown}"
        );
    }
}
