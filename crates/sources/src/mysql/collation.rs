//! What a collation takes for one name.

/// What the collation of the column of user names means for the accounts, in sentences; nothing if it compares bytes.
///
/// Sources: MySQL reference manual, "Collation Naming Conventions" and "The binary Collation Compared to _bin
/// Collations"; MariaDB's "NO PAD Collations".
pub(super) fn remarks(column: &str, collation: &str) -> Vec<String> {
    let mut remarks = Vec::new();
    let ignores_case = collation.ends_with("_ci") || collation.contains("_ci_") || collation.ends_with("_ai");
    if ignores_case {
        let accents = if collation.contains("_as_") { "" } else { ", often even `jän`," };
        remarks.push(format!(
            "`{column}` has the collation {collation}: `Jan`, `JAN` and `jan`{accents} were one name there; here they are \
             different unless `accounts.usernames` is `case-insensitive`"
        ));
    }
    let pads = !collation.contains("_nopad_") && !collation.contains("_0900_") && collation != "binary";
    if pads {
        remarks.push(format!(
            "`{column}` has the collation {collation}, for which `jan` and `jan ` with a space at its end are one name; \
             here a name with a space is refused"
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_collations_say_what_they_ignore() {
        for (collation, case, spaces, accents) in [
            ("utf8mb4_general_ci", true, true, true),
            ("latin1_swedish_ci", true, true, true),
            ("utf8mb4_bin", false, true, false),
            ("latin1_general_cs", false, true, false),
            ("utf8mb4_0900_ai_ci", true, false, true),
            ("utf8mb4_0900_as_ci", true, false, false),
            ("utf8mb4_0900_as_cs", false, false, false),
            ("utf8mb4_nopad_bin", false, false, false),
            ("utf8mb3_general_nopad_ci", true, false, true),
            ("binary", false, false, false),
        ] {
            let all = remarks("login", collation).join("\n");
            assert_eq!(all.contains("`JAN`"), case, "{collation}: {all}");
            assert_eq!(all.contains("`jan `"), spaces, "{collation}: {all}");
            assert_eq!(all.contains("`jän`"), accents, "{collation}: {all}");
        }
    }
}
