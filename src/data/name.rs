//! Names of columns in messages: quoted, listed, found, and compared.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, Result};

/// How many names a message lists.
const LISTED: usize = 10;
/// How many characters of one name or cell a message shows.
const SHOWN: usize = 40;
/// How many candidates are compared for one near miss.
const COMPARED: usize = 2000;

/// A name or cell in quotes, cut where it is long, control characters escaped.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::from("\"");
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN {
            out.push('…');
            break;
        }
        match character {
            '"' => out.push_str("\\\""),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The first names in quotes, and how many more there are.
pub(super) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let total = names.len();
    let first = names.take(LISTED).map(shown).collect::<Vec<_>>().join(", ");
    match total.checked_sub(LISTED) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}

/// A column in a message: its name, or its position counted from 1.
pub(super) fn column(names: Option<&[String]>, index: usize) -> String {
    match names.and_then(|names| names.get(index)) {
        Some(name) => format!("column {}", shown(name)),
        None => format!("column {}", index + 1),
    }
}

/// Refuses names that two columns share.
pub(super) fn check_unique(path: &Path, at: &str, names: &[String]) -> Result<()> {
    let mut seen = HashMap::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name.as_str(), index) {
            return Err(Error::Data {
                path: path.to_owned(),
                at: at.to_owned(),
                reason: format!(
                    "columns {} and {} are both called {}; give every column a name of its own",
                    first + 1,
                    index + 1,
                    shown(name)
                ),
            });
        }
    }
    Ok(())
}

/// The column of a feature: the one of its name, or else the only one whose name differs from it
/// only by having blanks in place of `_`, because LightGBM writes names so.
pub(super) fn find<'a>(
    columns: impl Iterator<Item = (usize, &'a str)> + Clone,
    feature: &str,
) -> Option<usize> {
    if let Some((column, _)) = columns.clone().find(|(_, name)| *name == feature) {
        return Some(column);
    }
    let mut near = columns.filter(|(_, name)| name.replace(char::is_whitespace, "_") == feature);
    match (near.next(), near.next()) {
        (Some((only, _)), None) => Some(only),
        _ => None,
    }
}

/// The position of the column that a caller means by `wanted`: its name, or, in a table without
/// names, its position counted from 1.
pub(super) fn position(
    path: &Path,
    names: Option<&[String]>,
    columns: usize,
    wanted: &str,
) -> Result<usize> {
    let refused = |reason| Error::Data {
        path: path.to_owned(),
        at: format!("column {}", shown(wanted)),
        reason,
    };
    let Some(names) = names else {
        return match wanted.parse::<usize>() {
            Ok(number) if (1..=columns).contains(&number) => Ok(number - 1),
            _ => Err(refused(format!(
                "the table has no column names; name a column by its position, 1 to {columns}"
            ))),
        };
    };
    names.iter().position(|name| name == wanted).ok_or_else(|| {
        let near = nearest(wanted, names.iter().map(String::as_str));
        refused(match near {
            Some(near) => format!("no column has this name; did you mean {}?", shown(near)),
            None => format!(
                "no column has this name; the columns are {}",
                listed(names.iter().map(String::as_str))
            ),
        })
    })
}

/// The candidate that a typing error separates from `wanted`: the same but for case, spaces and
/// punctuation, or at most a third of its characters edited.
pub(super) fn nearest<'a>(
    wanted: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = fold(wanted);
    let limit = folded.len() / 3;
    candidates
        .take(COMPARED)
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(name: &str) -> Vec<char> {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .take(SHOWN)
        .collect()
}

/// Levenshtein's distance: insertions, deletions and substitutions.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut costs: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = i;
        costs[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = costs[j + 1];
            costs[j + 1] = substituted.min(diagonal + 1).min(costs[j] + 1);
        }
    }
    costs[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_found_and_a_stranger_is_not() {
        let names = ["age", "mean radius", "capital_gain"];
        let near = |wanted| nearest(wanted, names.iter().copied());
        assert_eq!(near("Age"), Some("age"));
        assert_eq!(near("mean_radius"), Some("mean radius"));
        assert_eq!(near("capital gains"), Some("capital_gain"));
        assert_eq!(near("id"), None);
        assert_eq!(near("zip code"), None);
    }

    #[test]
    fn distance_counts_edits() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("kitten"), &chars("sitting")), 3);
        assert_eq!(distance(&chars(""), &chars("abc")), 3);
        assert_eq!(distance(&chars("abc"), &chars("")), 3);
        assert_eq!(distance(&chars("abc"), &chars("abc")), 0);
    }

    #[test]
    fn long_and_hostile_names_are_cut_and_escaped() {
        assert_eq!(shown("a\n\"b\""), r#""a\n\"b\"""#);
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), SHOWN + 3);
    }
}
