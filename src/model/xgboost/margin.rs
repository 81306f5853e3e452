//! From `base_score` to the margin before any tree. The file holds `base_score` as a prediction
//! (a probability, a mean), in every version; the objective's link turns it into a margin.

/// The library's smallest difference from 0 and 1, `kRtEps`.
const EPSILON: f32 = 1e-6;

/// The values of a `base_score`: a number (`5E-1`), or since 3.1 a list (`[5E-1,1E0]`).
pub(super) fn scores(text: &str) -> Option<Vec<f32>> {
    let text = text.trim();
    let list = text
        .strip_prefix(['[', '('])
        .and_then(|rest| rest.strip_suffix([']', ')']))
        .unwrap_or(text);
    list.split(',')
        .map(|score| score.trim().parse().ok())
        .collect()
}

/// Turns the base scores of `objective` into margins, in place, with the library's own float32
/// arithmetic (that of 3.4, which clamps where older ones refused).
///
/// # Errors
/// `Err(None)` for an objective that the library does not have, `Err(Some(reason))` for a score
/// that its link does not take.
pub(super) fn link(
    objective: &str,
    version: &[i64],
    scores: &mut [f32],
) -> Result<(), Option<String>> {
    match objective {
        // Until 1.3.0 the library took the base score of raw margins for a probability.
        "binary:logitraw" if !version.is_empty() && version < &[1, 3, 1][..] => {
            link("binary:logistic", version, scores)?;
        }
        "binary:logistic" | "reg:logistic" => {
            for score in scores.iter_mut() {
                if !(0.0..=1.0).contains(score) {
                    return Err(Some(format!(
                        "{score} is not a probability, as {objective} demands"
                    )));
                }
                let probability = score.clamp(EPSILON, 1.0 - EPSILON);
                *score = -(1.0 / probability - 1.0).ln();
            }
        }
        "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:aft" | "survival:cox" => {
            for score in scores.iter_mut() {
                if *score <= 0.0 {
                    return Err(Some(format!(
                        "{score} has no logarithm, which {objective} demands"
                    )));
                }
                *score = score.ln();
            }
        }
        // Each expectile but the first is stored as its softplus distance from the one before.
        "reg:expectileerror" => {
            for k in (1..scores.len()).rev() {
                let gap = (scores[k] - scores[k - 1] - EPSILON).max(EPSILON);
                scores[k] = gap + (-(-gap).exp_m1()).ln();
            }
        }
        "binary:hinge"
        | "binary:logitraw"
        | "multi:softmax"
        | "multi:softprob"
        | "rank:map"
        | "rank:ndcg"
        | "rank:pairwise"
        | "reg:absoluteerror"
        | "reg:linear"
        | "reg:pseudohubererror"
        | "reg:quantileerror"
        | "reg:squarederror"
        | "reg:squaredlogerror" => {}
        _ => return Err(None),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{link, scores};

    fn margin(objective: &str, score: f32) -> Result<f32, Option<String>> {
        let mut scores = [score];
        link(objective, &[3, 4, 1], &mut scores)?;
        Ok(scores[0])
    }

    #[test]
    fn base_scores_are_read_in_the_three_spellings() {
        assert_eq!(scores("5E-1"), Some(vec![0.5]));
        assert_eq!(scores("0.500000"), Some(vec![0.5]));
        assert_eq!(scores("[1E0, -2.5E-1]"), Some(vec![1.0, -0.25]));
        assert_eq!(scores("(1,2)"), Some(vec![1.0, 2.0]));
        for bad in ["", "[]", "[1", "a", "[1,,2]"] {
            assert_eq!(scores(bad), None, "{bad}");
        }
    }

    #[test]
    fn probabilities_of_nought_and_one_are_clamped_and_others_outside_refused() {
        assert_eq!(margin("binary:logistic", 0.5), Ok(0.0));
        assert!((margin("binary:logistic", 0.0).unwrap() + 13.815_51).abs() < 1e-4);
        assert!((margin("reg:logistic", 1.0).unwrap() - 13.8).abs() < 0.1);
        for bad in [-0.1, 1.5, f32::NAN] {
            assert!(matches!(margin("binary:logistic", bad), Err(Some(_))));
        }
    }

    #[test]
    fn logarithms_need_positive_scores_and_unknown_objectives_have_no_link() {
        assert_eq!(margin("count:poisson", 1.0), Ok(0.0));
        assert!(matches!(margin("reg:gamma", 0.0), Err(Some(_))));
        assert_eq!(margin("multi:softprob", 0.5), Ok(0.5));
        assert_eq!(margin("reg:mine", 0.5), Err(None));
    }

    #[test]
    fn raw_margins_of_the_first_versions_begin_at_a_probability() {
        for (version, expected) in [
            (&[1, 0, 2][..], 0.0),
            (&[1, 3, 0], 0.0),
            (&[1, 3, 1], 0.5),
            (&[3, 4, 1], 0.5),
            (&[], 0.5),
        ] {
            let mut scores = [0.5];
            link("binary:logitraw", version, &mut scores).unwrap();
            assert_eq!(scores, [expected], "{version:?}");
        }
    }
}
