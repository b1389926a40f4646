use super::*;

#[test]
fn only_what_is_the_same_is_no_difference() {
    let same = Counts { read: 3, same: 3, only_in_table: 2, of_other_sources: 1, ..Counts::default() };
    assert!(!differs(same));
    for other in [
        Counts { same: 2, rejected: 1, ..same },
        Counts { same: 2, newer: 1, ..same },
        Counts { same: 2, kept_out: 1, ..same },
        Counts { same: 2, new: 1, ..same },
        Counts { removed_but_newer: 1, ..same },
        Counts { removed: 1, ..same },
        Counts { spared: 1, ..same },
    ] {
        assert!(differs(other), "{other:?}");
    }
}

#[test]
fn an_account_whose_name_is_unchecked_is_a_reason_to_look() {
    assert_eq!(exit(&Written { new: 2, ..Written::default() }), Exit::Ok);
    assert_eq!(exit(&Written { new: 2, unchecked: 1, ..Written::default() }), Exit::Partly);
    assert_eq!(exit(&Written { failed: 1, ..Written::default() }), Exit::Failed);
}

#[test]
fn an_unwritable_report_is_named_without_a_temporary_file() {
    let path = Path::new("/nonexistent/x.csv");
    let message = unwritable(path, &report_file::begin(path).unwrap_err()).message;
    assert_eq!(message, "cannot write /nonexistent/x.csv: No such file or directory (os error 2)");
    let plain = unwritable(path, &std::io::Error::other("full")).message;
    assert_eq!(plain, "cannot write /nonexistent/x.csv: full");
}

#[test]
fn question_says_what_is_written() {
    let asked = |new, changed, renewed, removed, deletes| {
        question(Counts { new, changed, renewed, removed, ..Counts::default() }, deletes, "99")
    };
    assert_eq!(asked(1, 0, 0, 5, false), "Add 1 account to environment 99, change 0? [y/N]");
    assert_eq!(asked(2000, 3, 0, 5, true), "Add 2,000 accounts to environment 99, change 3, and delete 5? [y/N]");
    let renewed = "Write a new digest and the source's name to 1 account of environment 99, and nothing else? [y/N]";
    assert_eq!(asked(0, 0, 1, 5, false), renewed);
}

#[test]
fn without_a_table_the_hint_is_to_deploy() {
    let error = |code: &str| sftpctl_aws::AwsError {
        operation: "dynamodb:Scan",
        object: "dydb-98-uploads".into(),
        code: Some(code.into()),
        message: "not found".into(),
        status: Some(400),
    };
    let hint = |code| unreviewed(ReviewError::Aws(error(code)), "98").hint.unwrap_or_default();
    assert!(hint("ResourceNotFoundException").contains("deploy environment 98 first"));
    assert!(!hint("ValidationException").contains("deploy"));
}

#[test]
fn a_limit_is_a_number_or_a_share() {
    for (text, of_a_thousand) in [("0", 0), ("20", 20), ("1%", 10), ("0.15%", 1), ("100%", 1000)] {
        assert_eq!(Limit::parse(text).unwrap().of(1000), of_a_thousand, "{text}");
    }
    for wrong in ["", "%", "-1", "101%", "1 per cent"] {
        assert!(Limit::parse(wrong).is_err(), "{wrong}");
    }
}
