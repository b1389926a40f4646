//! Whether two patterns with `*` and `?` have a text in common.

/// Whether a text matches both patterns.
pub(super) fn meet(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // `reached[j]`: the first i characters of `a` and the first j of `b` have a text in common.
    let mut reached = vec![false; b.len() + 1];
    for i in 0..=a.len() {
        let before = reached.clone();
        for j in 0..=b.len() {
            let (left, right) = (i.checked_sub(1).map(|at| a[at]), j.checked_sub(1).map(|at| b[at]));
            let both = match (left, right) {
                (Some(x), Some(y)) => before[j - 1] && (x == y || [x, y].iter().any(|c| "*?".contains(*c))),
                _ => false,
            };
            let empty = i == 0 && j == 0;
            // A `*` stands for nothing, or for one character more of the other pattern.
            let more = |star: Option<char>, part: bool| star == Some('*') && part;
            let grown = more(left, i > 0 && before[j])
                || more(right, j > 0 && reached[j - 1])
                || more(left, j > 0 && reached[j - 1])
                || more(right, i > 0 && before[j]);
            reached[j] = empty || both || grown;
        }
    }
    reached[b.len()]
}

#[test]
fn patterns_meet_where_a_text_matches_both() {
    for (a, b, wanted) in [
        ("server/*", "server/*", true),
        ("server/*", "user/*/*", false),
        ("a*c", "ab*", true),
        ("a*c", "b*", false),
        ("*", "", true),
        ("?", "", false),
        ("??", "*", true),
        ("table/x/index/*", "table/*", true),
        ("table/x", "table/*/index/*", false),
        ("*x", "y*", true),
        ("abc", "abc", true),
        ("abc", "abd", false),
    ] {
        assert_eq!((meet(a, b), meet(b, a)), (wanted, wanted), "{a} {b}");
    }
}
