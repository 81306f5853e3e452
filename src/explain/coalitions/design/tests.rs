use super::{Design, Sampling};
use crate::random::mix;

const ALL: [Sampling; 4] = [
    Sampling::Leverage,
    Sampling::Adjusted,
    Sampling::Kernel,
    Sampling::Permutations,
];

/// What a coalition of a design is worth, and its values.
fn estimate(design: &Design, players: usize, v: &dyn Fn(&[bool]) -> f64) -> [Vec<f64>; 2] {
    let worth = worths(design, players, v);
    assert_eq!(worth.len(), design.coalitions());
    let (values, errors) = design.values(&worth);
    [values, errors]
}

/// What the coalitions of a design are worth.
fn worths(design: &Design, players: usize, v: &dyn Fn(&[bool]) -> f64) -> Vec<f64> {
    let mut worth = Vec::new();
    for chunk in &design.chunks {
        for c in 0..chunk.count {
            let is_in = |p: usize| chunk.members[p][c / 64] >> (c % 64) & 1 == 1;
            let coalition: Vec<bool> = (0..players).map(is_in).collect();
            worth.push(v(&coalition));
        }
    }
    worth
}

#[test]
fn an_additive_game_is_estimated_exactly_from_any_coalitions() {
    for players in [2, 3, 7, 18, 33, 200] {
        let weight = |player: usize| ((player * 37) % 11) as f64 - 4.0;
        let v = |coalition: &[bool]| {
            let members = (0..players).filter(|&player| coalition[player]);
            2.5 + members.map(weight).sum::<f64>()
        };
        for sampling in ALL {
            let design = Design::new(sampling, players, Some(64), 3).expect("few players");
            let [values, errors] = estimate(&design, players, &v);
            for player in 0..players {
                let far = (values[player] - weight(player)).abs();
                assert!(far < 1e-9, "{sampling:?} {players} {player}");
                assert!(errors[player] < 1e-6, "{sampling:?} {players} {player}");
            }
        }
    }
}

/// A game of products of neighbours, whose values are known: half of each product to each.
#[test]
fn a_game_of_pairs_is_estimated_within_its_error() {
    let players = 24;
    let strength = |i: usize| ((i * 29) % 7) as f64 - 2.0;
    let v = |coalition: &[bool]| {
        let pairs = (0..players - 1).filter(|&i| coalition[i] && coalition[i + 1]);
        // A triple, so that coalitions and complements together do not give it exactly.
        let triple = coalition[0] && coalition[5] && coalition[9] && coalition[11];
        pairs.map(strength).sum::<f64>() + if triple { 8.0 } else { 0.0 }
    };
    let expected = |i: usize| {
        let mut value = if i < players - 1 {
            0.5 * strength(i)
        } else {
            0.0
        };
        value += if i > 0 { 0.5 * strength(i - 1) } else { 0.0 };
        value + if [0, 5, 9, 11].contains(&i) { 2.0 } else { 0.0 }
    };
    let mut outside = 0;
    for seed in 0..20 {
        let design = Design::new(Sampling::Leverage, players, None, seed).expect("few players");
        let [values, errors] = estimate(&design, players, &v);
        let total: f64 = values.iter().sum();
        assert!((total - v(&[true; 24])).abs() < 1e-9, "{total}");
        for i in 0..players {
            assert!(errors[i] > 0.0 && errors[i] < 0.5, "{i}: {}", errors[i]);
            outside += usize::from((values[i] - expected(i)).abs() > 2.0 * errors[i]);
        }
    }
    // Of 480 values 5 % are expected outside of two errors.
    assert!((1..70).contains(&outside), "{outside} of 480");
}

#[test]
fn all_coalitions_are_taken_where_they_are_few() {
    let v = |coalition: &[bool]| {
        let number = (0..6).fold(0, |sum, p| 2 * sum + usize::from(coalition[p]));
        ((number * 7919 + 13) % 101) as f64
    };
    let design = Design::new(Sampling::Leverage, 6, Some(1000), 0).expect("few players");
    assert_eq!(design.coalitions(), 64);
    let [values, errors] = estimate(&design, 6, &v);
    let mut exact = crate::explain::coalitions::Exact::new(6, 1, crate::explain::Index::Shapley);
    let worth = |number: usize| {
        let coalition: Vec<bool> = (0..6).map(|p| number >> p & 1 == 1).collect();
        v(&coalition)
    };
    exact.add(0, 6, &mut (0..64).map(worth).collect::<Vec<f64>>());
    for (value, exact) in values.iter().zip(exact.values()) {
        assert!((value - exact).abs() < 1e-9, "{value} is not {exact}");
    }
    assert!(errors.iter().all(|&error| error == 0.0), "{errors:?}");
}

#[test]
fn too_many_players_have_no_design() {
    assert!(Design::new(Sampling::Leverage, 1025, None, 0).is_none());
}

/// A game without structure that an estimate could use: a curved function of a sum, a rule, and products.
fn rough(kind: u64, players: usize) -> impl Fn(&[bool]) -> f64 {
    let number = move |i: usize| (mix(kind << 32 | i as u64) % 1000) as f64 / 500.0 - 1.0;
    move |coalition: &[bool]| {
        let members = (0..players).filter(|&player| coalition[player]);
        let sum: f64 = members.map(number).sum();
        let is_in = |at: usize| coalition[(kind as usize * 5 + at) % players];
        let rule = match (is_in(0), is_in(1) && is_in(2), is_in(3)) {
            (true, true, _) => 1.0,
            (true, false, true) => -0.7,
            (false, _, true) if is_in(4) != is_in(5) => 0.6,
            _ => 0.0,
        };
        let product = if is_in(6) && is_in(7) && is_in(8) {
            0.8
        } else {
            0.0
        };
        (1.5 * sum).tanh() + rule + product
    }
}

/// The values of a game from all of its coalitions.
fn exact(players: usize, v: &dyn Fn(&[bool]) -> f64) -> Vec<f64> {
    use crate::explain::{Index, coalitions::Exact};
    let worth = |number: usize| {
        let coalition: Vec<bool> = (0..players).map(|p| number >> p & 1 == 1).collect();
        v(&coalition)
    };
    let mut exact = Exact::new(players, 1, Index::Shapley);
    exact.add(
        0,
        players,
        &mut (0..1 << players).map(worth).collect::<Vec<f64>>(),
    );
    exact.values()
}

/// How many of the values are within so many standard errors, their mean squared error, and the mean of the
/// squared standard errors, over games and seeds.
fn calibration(
    sampling: Sampling,
    players: usize,
    pairs: u32,
    seeds: u64,
    within: f64,
) -> [f64; 3] {
    let (mut inside, mut count, mut squares, mut variances) = (0.0, 0.0, 0.0, 0.0);
    let number = |coalition: &[bool]| {
        let bits = coalition.iter().rev();
        bits.fold(0, |number, &is_in| 2 * number + usize::from(is_in))
    };
    let games: Vec<(Vec<f64>, Vec<f64>)> = (0..5)
        .map(|kind| {
            let v = rough(kind, players);
            let coalition = |number: usize| (0..players).map(move |p| number >> p & 1 == 1);
            let worths = (0..1 << players).map(|number| v(&coalition(number).collect::<Vec<_>>()));
            (worths.collect(), exact(players, &v))
        })
        .collect();
    for seed in 0..seeds {
        let design = Design::new(sampling, players, Some(pairs), seed).expect("few players");
        for (worths, expected) in &games {
            let [values, errors] =
                estimate(&design, players, &|coalition| worths[number(coalition)]);
            let off = values.iter().sum::<f64>() - worths[worths.len() - 1] + worths[0];
            assert!(off.abs() < 1e-9, "{sampling:?}: off by {off}");
            for ((value, error), expected) in values.iter().zip(&errors).zip(expected) {
                let far = (value - expected).abs();
                inside += f64::from(u8::from(far <= within * error));
                squares += far * far;
                variances += error * error;
                count += 1.0;
            }
        }
    }
    [inside / count, squares / count, variances / count]
}

/// The 95 % interval, ±1.96 standard errors, has the value in 93 to 97 % of some thousand cases.
#[test]
fn intervals_have_the_value_as_often_as_they_say() {
    for (sampling, pairs) in [
        (Sampling::Leverage, 50),
        (Sampling::Leverage, 150),
        (Sampling::Adjusted, 150),
        (Sampling::Kernel, 150),
    ] {
        let [share, squares, variances] = calibration(sampling, 10, pairs, 100, 1.96);
        assert!(
            (0.93..=0.97).contains(&share),
            "{sampling:?} {pairs}: {share}"
        );
        let ratio = variances / squares;
        assert!((0.9..1.2).contains(&ratio), "{sampling:?} {pairs}: {ratio}");
    }
    // Sixteen orders: Student's t with 15 degrees of freedom.
    let [share, squares, variances] = calibration(Sampling::Permutations, 10, 150, 100, 2.131);
    assert!((0.92..=0.97).contains(&share), "{share} of permutations");
    let ratio = variances / squares;
    assert!((0.9..1.1).contains(&ratio), "{ratio} of permutations");
}

#[test]
fn estimates_come_to_the_values_as_coalitions_grow() {
    for sampling in ALL {
        let few = calibration(sampling, 10, 40, 10, 1.96)[1];
        let more = calibration(sampling, 10, 400, 10, 1.96)[1];
        assert!(more < few / 6.0, "{sampling:?}: {few} and then {more}");
    }
    let by = |sampling| calibration(sampling, 10, 150, 30, 1.96)[1];
    let leverage = by(Sampling::Leverage);
    assert!(by(Sampling::Adjusted) < 0.8 * leverage);
    assert!(by(Sampling::Permutations) > leverage);
}

/// Few interactions of three are found and taken out; of noise, nothing is, and nothing is lost.
#[test]
fn adjustment_finds_what_is_there_and_leaves_noise_alone() {
    let players = 12;
    let few = |coalition: &[bool]| {
        let sign = |player: usize| if coalition[player] { 1.0 } else { -1.0 };
        sign(0) + 2.0 * sign(1) * sign(2) * sign(3) - sign(2) * sign(5) * sign(9) + sign(4)
    };
    let noise = |coalition: &[bool]| {
        let bits = coalition.iter().rev();
        let number = bits.fold(0_u64, |number, &is_in| 2 * number + u64::from(is_in));
        (mix(number) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let error = |sampling, v: &dyn Fn(&[bool]) -> f64| {
        let expected = exact(players, v);
        let of_seed = |seed| {
            let design = Design::new(sampling, players, Some(200), seed).expect("few players");
            let [values, _] = estimate(&design, players, v);
            let off = values.iter().zip(&expected).map(|(a, b)| (a - b).powi(2));
            off.sum::<f64>()
        };
        (0..40).map(of_seed).sum::<f64>()
    };
    let [leverage, adjusted] =
        [Sampling::Leverage, Sampling::Adjusted].map(|sampling| error(sampling, &few));
    assert!(adjusted < 1e-4 * leverage, "{adjusted} beside {leverage}");
    let [leverage, adjusted] =
        [Sampling::Leverage, Sampling::Adjusted].map(|sampling| error(sampling, &noise));
    assert!(adjusted < 1.05 * leverage, "{adjusted} beside {leverage}");
}

#[test]
fn every_way_to_sample_takes_as_many_coalitions_and_the_same_ones_again() {
    let v = rough(1, 20);
    for sampling in ALL {
        let design = |seed| Design::new(sampling, 20, Some(400), seed).expect("few players");
        let size = design(3).size();
        assert!((760..=810).contains(&size), "{sampling:?}: {size}");
        assert_eq!(estimate(&design(3), 20, &v), estimate(&design(3), 20, &v));
        assert_ne!(estimate(&design(3), 20, &v), estimate(&design(4), 20, &v));
    }
}

#[test]
fn a_design_that_grows_asks_for_the_new_coalitions_alone() {
    let v = rough(2, 14);
    for sampling in [
        Sampling::Leverage,
        Sampling::Adjusted,
        Sampling::Permutations,
    ] {
        let mut design = Design::new(sampling, 14, Some(60), 5).expect("few players");
        let mut known = worths(&design, 14, &v);
        for pairs in [120, 500, 9000] {
            let grown = design.grown(pairs).expect("few players");
            assert_eq!(grown.coalitions() + known.len() - 2, grown.size());
            known.truncate(known.len() - 2);
            known.extend(worths(&grown, 14, &v));
            let whole = Design::new(sampling, 14, Some(pairs as u32), 5).expect("few players");
            let [expected, expected_errors] = estimate(&whole, 14, &v);
            let (values, errors) = grown.values(&known);
            for i in 0..14 {
                assert!(
                    (values[i] - expected[i]).abs() < 1e-6,
                    "{sampling:?} {pairs}"
                );
                let far = (errors[i] - expected_errors[i]).abs();
                assert!(far < 1e-6, "{sampling:?} {pairs}");
            }
            design = grown;
        }
        assert_eq!(design.is_whole(), sampling != Sampling::Permutations);
    }
}
