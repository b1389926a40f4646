//! What customers do with OpenSSH, and the same with paramiko.

use super::{noise, shared};
use crate::site::{Login, Running, shown, succeeded, text, tool, until, with_input};

const WEST: &str = "us-west-2";
const BUCKET: &str = "pl-pt99-5-uploads";

#[test]
fn openssh_uploads_and_downloads_in_both_regions() {
    let site = shared();
    let login = site.add(1001, "openssh", "correct horse");
    for (region, port) in site.ports() {
        let content = noise(3_000_001, u64::from(port));
        std::fs::write(site.dir.path().join(format!("{region}.bin")), &content).unwrap();
        let batch = format!(
            "pwd\nmkdir {region}\nput {region}.bin {region}/up.bin\nls -l {region}\nget {region}/up.bin {region}.back\n"
        );
        let output = succeeded(&region, &site.sftp(port, &login, &batch));
        assert!(output.contains(&format!("Remote working directory: /{BUCKET}/1001")), "{output}");
        assert!(output.contains("3000001"), "{output}");
        assert!(
            std::fs::read(site.dir.path().join(format!("{region}.back"))).unwrap() == content,
            "the file was changed in transit"
        );
        // The same bytes are an object in the right bucket, under the prefix of the home folder.
        let sum = with_input(&mut tool("sha256sum", "coreutils"), &content);
        let sum = text(&sum.stdout).split(' ').next().unwrap().to_owned();
        let object = site.oracle("door.py", &["object", BUCKET, &format!("1001/{region}/up.bin")]);
        assert_eq!(object, format!("3000001 {sum}"));
    }
}

#[test]
fn password_can_be_typed_at_the_prompt() {
    let site = shared();
    let login = site.add(1002, "typist", "it's \"$x\" typed \\");
    std::fs::write(site.dir.path().join("typed.txt"), "typed").unwrap();
    let port = site.port(WEST).to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/typed.exp");
    let run = |password: &str| {
        tool("expect", "expect")
            .args([script, &port, &login.username, "typed.txt"])
            .current_dir(site.dir.path())
            .env("SFTP_PASSWORD", password)
            .output()
            .unwrap()
    };
    succeeded("a typed password", &run(&login.password));
    assert_eq!(std::fs::read(site.dir.path().join("typed.txt.back")).unwrap(), b"typed");
    let wrong = run("another");
    assert_eq!(wrong.status.code(), Some(3), "{}", shown(&wrong));
}

#[test]
fn everything_outside_the_home_is_refused() {
    let site = shared();
    let login = site.add(17_578, "inside", "correct horse");
    site.add(175_781, "neighbour", "correct horse");
    let port = site.port(WEST);
    let victims = [(BUCKET, "175781/victim"), (BUCKET, "1757/victim"), ("pl-pt99-4-uploads", "17578/victim")];
    for (bucket, key) in victims {
        site.oracle("door.py", &["put", bucket, key, "theirs"]);
    }
    std::fs::write(site.dir.path().join("mine.bin"), "mine").unwrap();
    succeeded("put", &site.sftp(port, &login, "put mine.bin\n"));
    for line in [
        "ls ..",
        "ls /",
        &format!("ls /{BUCKET}"),
        "ls ../175781",
        "ls ../1757",
        &format!("ls /{BUCKET}/175781/"),
        "ls /pl-pt99-4-uploads/17578",
        "get ../175781/victim stolen",
        "get ../17578/../175781/victim stolen",
        &format!("get /{BUCKET}/175781/victim stolen"),
        "get /pl-pt99-4-uploads/17578/victim stolen",
        "put mine.bin ../175781/victim",
        "put mine.bin ../175781/planted",
        "put mine.bin ../175782",
        "put mine.bin ../17578x",
        "put mine.bin /pl-pt99-4-uploads/17578/planted",
        "put mine.bin /pl-pt99-4-uploads/planted",
        "put mine.bin /planted",
        "put mine.bin /no-such-bucket/planted",
        "put mine.bin ../../../etc/planted",
        "rename mine.bin ../175781/planted",
        "rename mine.bin /pl-pt99-4-uploads/17578/planted",
        "rename mine.bin /planted",
        "rename ../175781/victim stolen",
        "rm ../175781/victim",
        "rm /pl-pt99-4-uploads/17578/victim",
        "mkdir ../planted",
        "mkdir /planted",
        "rmdir ../175781",
        "symlink ../175781/victim link",
        "ln ../175781/victim link",
    ] {
        let output = site.sftp(port, &login, &format!("{line}\n"));
        assert_eq!(output.status.code(), Some(1), "{line}: {}", shown(&output));
    }
    assert!(!site.dir.path().join("stolen").exists());
    let paths = [
        "/",
        "..",
        "../175781",
        "../1757",
        "../17578x",
        "/pl-pt99-5-uploads",
        "/pl-pt99-5-uploads/175781",
        "/pl-pt99-4-uploads/17578",
        "/lambda-pl-upload-us-west-2",
        "/no-such-bucket",
        "/etc",
        "../../..",
    ];
    succeeded("rm", &site.sftp(port, &login, "rm mine.bin\n"));
    site.paramiko_ok(port, &login, &[&["outside"], paths.as_slice()].concat());
    for (bucket, key) in victims {
        assert!(site.oracle("door.py", &["object", bucket, key]).starts_with("6 "), "{bucket}/{key}");
    }
    for (bucket, prefix, left) in [
        (BUCKET, "175", r#"["1757/victim", "17578/", "175781/", "175781/victim"]"#),
        ("pl-pt99-4-uploads", "", r#"["17578/victim"]"#),
    ] {
        assert_eq!(site.oracle("door.py", &["keys", bucket, prefix]), left);
    }
}

#[test]
fn scp_works_over_sftp_and_everything_else_is_refused() {
    let site = shared();
    let login = site.add(1003, "copyist", "correct horse");
    let port = site.port(WEST).to_string();
    let at = |path: &str| format!("{}@127.0.0.1{path}", login.username);
    for (content, what) in [("first", "new"), ("second and longer", "again"), ("", "empty")] {
        std::fs::write(site.dir.path().join("copy.txt"), content).unwrap();
        let output = site.openssh("scp", &login).args(["-P", &port, "copy.txt", &at(":copy.txt")]).output().unwrap();
        succeeded(what, &output);
        let back = site.openssh("scp", &login).args(["-P", &port, &at(":copy.txt"), "copy.back"]).output().unwrap();
        succeeded(what, &back);
        assert_eq!(std::fs::read_to_string(site.dir.path().join("copy.back")).unwrap(), content, "{what}");
    }
    // A whole folder tree at once.
    std::fs::create_dir_all(site.dir.path().join("tree/deep")).unwrap();
    std::fs::write(site.dir.path().join("tree/deep/leaf"), "leaf").unwrap();
    let output = site.openssh("scp", &login).args(["-r", "-P", &port, "tree", &at(":")]).output().unwrap();
    succeeded("a tree", &output);
    assert!(site.oracle("door.py", &["object", BUCKET, "1003/tree/deep/leaf"]).starts_with("4 "));

    let old = site.openssh("scp", &login).args(["-O", "-P", &port, "copy.txt", &at(":old.txt")]).output().unwrap();
    assert!(!old.status.success() && shown(&old).contains("exec request failed"), "{}", shown(&old));
    for (arguments, message) in [
        (vec![], "shell request failed"),
        (vec!["id"], "exec request failed"),
        (vec!["-t", "id"], "exec request failed"),
        (vec!["-s", "netconf"], "subsystem request failed"),
        (vec!["-W", "127.0.0.1:22"], "stdio forwarding failed"),
        (vec!["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22"], "remote port forwarding failed"),
    ] {
        let host = at("");
        let mut all = vec!["-p", &port];
        let position = arguments.iter().position(|word| !word.starts_with('-')).filter(|_| arguments.len() == 1);
        // A command follows the host; options and their values precede it.
        match (position, arguments.as_slice()) {
            (Some(_), [command]) => all.extend([host.as_str(), command]),
            (_, ["-t", command]) => all.extend(["-t", host.as_str(), command]),
            (_, ["-s", subsystem]) => all.extend(["-s", host.as_str(), subsystem]),
            (_, options) => all.extend(options.iter().copied().chain([host.as_str()])),
        }
        let output = with_input(site.openssh("ssh", &login).args(&all), b"");
        assert!(!output.status.success() && shown(&output).contains(message), "{all:?}: {}", shown(&output));
    }
}

/// What docs/clients.md says that OpenSSH answers to each command; `scp -O` is above.
#[test]
fn refused_commands_are_answered_as_documented() {
    let site = shared();
    let login = site.add(1018, "explorer", "correct horse");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/clients.md")).unwrap();
    let (_, table) = page.split_once("| command | answer | instead |\n|---|---|---|\n").unwrap();
    let rows: Vec<Vec<&str>> =
        table.lines().take_while(|line| line.starts_with('|')).map(|row| row.split(" | ").collect()).collect();
    let commands = [
        ("| rename a folder", "mkdir folder\nrename folder elsewhere\n"),
        ("| append, or resume an upload", "put explorer.txt begun.txt\nput -a longer.txt begun.txt\n"),
        ("| `ln -s`", "ln -s explorer.txt link\n"),
        ("| `df`", "df\n"),
        ("| `cd /` and other customers' folders", "cd /\n"),
    ];
    std::fs::write(site.dir.path().join("explorer.txt"), "begun").unwrap();
    std::fs::write(site.dir.path().join("longer.txt"), "begun and ended").unwrap();
    for (row, batch) in commands {
        let answer = rows.iter().find(|cells| cells[0] == row).unwrap_or_else(|| panic!("no row {row}: {rows:?}"))[1];
        let output = site.sftp(site.port(WEST), &login, batch);
        let said = shown(&output);
        let (before, after) = answer.trim_matches('`').split_once('…').unwrap_or(("", answer.trim_matches('`')));
        let is_said = said.lines().any(|line| line.contains(before) && line.contains(after));
        assert!(output.status.code() == Some(1) && is_said, "{row}: {answer}\n{said}");
    }
    // What has no effect is no error either.
    let batch = "put explorer.txt\nchmod 600 explorer.txt\nput -p explorer.txt kept.txt\n";
    succeeded("chmod, times", &site.sftp(site.port(WEST), &login, batch));
    assert_eq!(rows.len(), commands.len() + 2, "a row is not tried: {rows:?}");
}

#[test]
fn one_connection_serves_many_sessions_in_turn() {
    let site = shared();
    let login = site.add(1007, "multiplexer", "correct horse");
    let (port, host) = (site.port(WEST).to_string(), format!("{}@127.0.0.1", login.username));
    let socket = site.dir.path().join("multiplexed");
    let mut master = site.openssh("ssh", &login);
    let _master = Running(master.args(["-N", "-M", "-S"]).arg(&socket).args(["-p", &port, &host]).spawn().unwrap());
    until("the connection is open", || socket.exists().then_some(()));
    let path = format!("ControlPath={}", socket.display());
    for number in 1..=25 {
        let mut sftp = site.openssh("sftp", &Login::new("multiplexer", "never prompted for"));
        let output = with_input(sftp.args(["-o", &path, "-b", "-", "-P", &port, &host]), b"pwd\n");
        succeeded(&format!("session {number}"), &output);
    }
}

#[test]
fn local_forwarding_is_refused() {
    let site = shared();
    let login = site.add(1004, "tunneler", "correct horse");
    let port = site.port(WEST).to_string();
    let from = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let forward = format!("{from}:127.0.0.1:{port}");
    let mut command = site.openssh("ssh", &login);
    command.args(["-N", "-L", &forward, "-p", &port, &format!("{}@127.0.0.1", login.username)]);
    let _ssh = Running(command.spawn().unwrap());
    let mut through = until("ssh listens", || std::net::TcpStream::connect(("127.0.0.1", from)).ok());
    // A forwarded connection would receive the SFTP endpoint's greeting.
    let mut greeting = Vec::new();
    let read = std::io::Read::read_to_end(&mut through, &mut greeting);
    assert!(greeting.is_empty(), "{read:?} {greeting:?}");
}

#[test]
fn paramiko_sees_the_behavior_of_transfer() {
    let site = shared();
    let login = site.add(1005, "paramiko", "correct horse");
    let port = site.port(WEST);
    for command in ["round-trip", "semantics", "sessions", "only-sftp", "opens", "long-keys", "long-names"] {
        site.paramiko_ok(port, &login, &[command]);
    }
}

#[test]
fn large_folder_is_listed_completely_without_duplicates() {
    let site = shared();
    let login = site.add(1006, "lister", "correct horse");
    let names = site.dir.path().join("names");
    let names = names.to_str().unwrap();
    site.oracle("door.py", &["many", BUCKET, "1006/many/", "10000", names]);
    site.paramiko_ok(site.port(WEST), &login, &["listing", "many", names]);
    let listed = succeeded("ls", &site.sftp(site.port(WEST), &login, "ls -1 many\n"));
    assert_eq!(listed.lines().filter(|line| line.starts_with("many/")).count(), 10_000);
}

#[test]
fn unusual_passwords_work_and_near_misses_do_not() {
    let site = shared();
    let passwords = [
        r#"it's "quoted" 'twice'"#.to_owned(),
        r"back\slash\\ \' \n \u0041".to_owned(),
        "${x} $input.params('username') $util.urlDecode('a')".to_owned(),
        r#"","username":"neighbour","x":""#.to_owned(),
        "#set($a = 1) #if(true)#end ## $!{b}".to_owned(),
        "😀 pāsswörd 漢字 abc".to_owned(),
        "p4ß-".repeat(50),
        "  leading and trailing  ".to_owned(),
        "100%25 +&=?/".to_owned(),
    ];
    let (west, east) = (site.port(WEST), site.port("us-east-2"));
    for (number, password) in (1..).zip(&passwords) {
        let login = site.add(2000 + number, &format!("odd.{number}"), password);
        assert!(site.admits(west, &login), "OpenSSH, {password}");
        assert_eq!(site.paramiko_ok(east, &login, &["log-in"]), "admitted", "{password}");
        let nearly = Login::new(&login.username, &format!("{password}x"));
        assert!(site.paramiko_ok(east, &nearly, &["log-in"]).starts_with("refused"), "{password}");
    }
    let trimmed = Login::new("odd.8", "leading and trailing");
    assert!(!site.admits(west, &trimmed), "spaces are significant");
    let logs = site.logs() + &site.oracle("door.py", &["log", WEST]) + &site.oracle("door.py", &["log", "us-east-2"]);
    for password in &passwords {
        assert!(!logs.contains(password), "{password} is in a log");
    }
}

#[test]
fn unusual_names_can_log_in() {
    let site = shared();
    let longest = "n".repeat(100);
    for (number, name) in (1..).zip(["a.b@example.com", "_x-y.z", "UPPER.lower", "007", &longest]) {
        let login = site.add(2100 + number, name, "correct horse");
        assert!(site.admits(site.port(WEST), &login), "{name}");
        assert_eq!(site.paramiko_ok(site.port("us-east-2"), &login, &["log-in"]), "admitted", "{name}");
    }
    assert!(!site.admits(site.port(WEST), &Login::new("upper.lower", "correct horse")), "names are case-sensitive");
}
