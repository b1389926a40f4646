//! The canary on a schedule: `verify --put-metric`, and the alarm that reads its metric.

use crate::site::Site;

#[test]
fn canaries_feed_the_alarm_of_their_region() {
    let site = Site::deployed("alarms: { no_canary_in_minutes: 90 }\n");
    let seen = || site.oracle("canary.py", &[]);
    assert_eq!(seen(), "us-east-1: no alarm; us-east-2: 0 0; us-west-2: 0 0");
    site.ok(&["verify", "--env", "99", "--local"]);
    assert_eq!(seen(), "us-east-1: no alarm; us-east-2: 0 0; us-west-2: 0 0", "not asked for");
    site.ok(&["verify", "--env", "99", "--local", "--put-metric"]);
    assert_eq!(seen(), "us-east-1: no alarm; us-east-2: 1 1; us-west-2: 1 1");
    // A refused canary is a value, too, and the exit code is still that of the refusal.
    site.oracle("door.py", &["break", "invoke"]);
    let refused = site.ends_with(1, &["verify", "--env", "99", "--local", "--put-metric"]);
    assert!(refused.contains("the invocation role may not invoke the API"), "{refused}");
    assert_eq!(seen(), "us-east-1: no alarm; us-east-2: 2 2; us-west-2: 2 1");
    // One region's CloudWatch that fails does not keep the other's value.
    site.oracle("door.py", &["break", "invoke-again"]);
    site.ok(&["local", "faults", "add", "monitoring.PutMetricData", "error500", "--region", "us-east-2"]);
    let failed = site.ends_with(1, &["verify", "--env", "99", "--local", "--put-metric"]);
    assert!(failed.contains("PutMetricData"), "{failed}");
    assert!(!failed.contains("aws_smithy"), "no line of the SDK's own: {failed}");
    assert_eq!(seen(), "us-east-1: no alarm; us-east-2: 2 2; us-west-2: 3 2");
}
