//! `portcullis sync` over time: whoever else changes its file, whatever the umask, until it is told to end.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use portcullis_integration::releases::{AUDIENCE, Releases};
use portcullis_integration::{Control, Upstream, artefacts, control, envoy};
use support::Setup;

const SOON: Duration = Duration::from_secs(20);

/// A command that runs until it is told to end; killed where a test fails before.
struct Running(std::process::Child);

impl Running {
    fn start(compiler: &Path, dir: &Path, umask: &str, arguments: &[&str]) -> Running {
        let mut command = std::process::Command::new("sh");
        command.current_dir(dir).args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
        command.arg(compiler).args(arguments).stdout(Stdio::null());
        Running(command.spawn().unwrap())
    }

    /// Asks it to end, and gives its exit code.
    #[track_caller]
    fn ended_by(mut self, signal: &str) -> Option<i32> {
        control::signal(self.0.id(), signal).unwrap();
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < SOON, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A store that knows entity tags: what was sent is not sent again.
fn store(published: &Arc<Mutex<Vec<u8>>>) -> Upstream {
    let answering = Arc::clone(published);
    let store = Upstream::answering(move |request| {
        let body = answering.lock().unwrap().clone();
        let etag =
            format!("\"{}-{}\"", body.len(), body.iter().map(|it| u64::from(*it)).sum::<u64>());
        let known = request.header("if-none-match").is_some_and(|it| it == etag);
        let head = match known {
            true => format!("HTTP/1.1 304 X\r\netag: {etag}\r\n\r\n"),
            false => {
                format!("HTTP/1.1 200 X\r\netag: {etag}\r\ncontent-length: {}\r\n\r\n", body.len())
            }
        };
        Some([head.as_bytes(), if known { &[][..] } else { &body }].concat())
    });
    store.unwrap()
}

#[test]
fn sync_keeps_the_file_that_is_there() {
    let Some(setup) = Setup::new() else { return };
    let dir = envoy::fresh_dir().unwrap();
    let [first, second] =
        [1, 2].map(|epoch| std::fs::read(setup.compile("enforce", epoch, "")).unwrap());
    let published = Arc::new(Mutex::new(second.clone()));
    let store = store(&published);
    let url = format!("http://{}", store.address());
    // Rendered first, for a module and by a umask of its own.
    let render = |bundle: &str, umask: &str, more: &[&str]| {
        let mut command = std::process::Command::new("sh");
        command.current_dir(&dir).args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
        command.arg(&setup.artefacts.compiler).args([
            "render",
            "envoy",
            "--wasm",
            "/opt/module.wasm",
        ]);
        command.args(["--bundle", bundle, "--trusted-key", &setup.public_key, "--out", "gateway"]);
        let output = command.args(more).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let epoch = |number| setup.dir.join(format!("enforce-{number}.bundle")).display().to_string();
    assert!(render(&epoch(1), "077", &[]).0);
    let file = dir.join("gateway/filter/portcullis.pb");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&file), mode(file.parent().unwrap())),
        (0o644, 0o755),
        "Envoy is another user"
    );
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o664)).unwrap();

    let text = file.display().to_string();
    let arguments = ["sync", "--from", &url, "--path", "/any", "--interval", "1", "-o", &text];
    let arguments = [&arguments[..], &["--trusted-key", &setup.public_key]].concat();
    let sync = Running::start(&setup.artefacts.compiler, &dir, "077", &arguments);
    let holds = |bundle: &[u8], wasm: &str| {
        let bytes = std::fs::read(&file).unwrap_or_default();
        portcullis_ecds::read(&bytes).is_some_and(|read| {
            read.configuration == portcullis_ecds::Configuration::Bundle(bundle)
                && read.wasm == wasm
        })
    };
    soon("the newer bundle, and the module that was there", || holds(&second, "/opt/module.wasm"));
    assert_eq!(mode(&file), 0o664, "its mode is what it was");
    // Whoever takes it away, breaks it or puts an older one there: it is back, though the store has nothing new.
    std::fs::remove_file(&file).unwrap();
    soon("it is written again", || holds(&second, "/opt/module.wasm"));
    assert_eq!(mode(&file), 0o644);
    std::fs::write(&file, "rubbish").unwrap();
    soon("it is whole again", || holds(&second, "/opt/module.wasm"));
    let (done, told) = render(&epoch(1), "022", &[]);
    assert!(!done && told.contains("has epoch 2, above 1"), "{told}");
    assert!(render(&epoch(1), "022", &["--allow-older"]).0);
    assert!(holds(&first, "/opt/module.wasm"));
    soon("it is the newer one again", || holds(&second, "/opt/module.wasm"));
    // A newer one that somebody else put there is not replaced by an older one.
    let third = std::fs::read(setup.compile("enforce", 3, "")).unwrap();
    assert!(render(&epoch(3), "022", &[]).0);
    std::thread::sleep(Duration::from_secs(3));
    assert!(holds(&third, "/opt/module.wasm"));
    // Nor, once it is gone, does what was written come back older than it was.
    *published.lock().unwrap() = first;
    std::fs::remove_file(&file).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(!file.exists());
    *published.lock().unwrap() = third.clone();
    soon("the newest", || holds(&third, "/opt/module.wasm"));
    assert_eq!(sync.ended_by("TERM"), Some(0));
    // What is said by options counts, and is told.
    let mut command = std::process::Command::new(&setup.artefacts.compiler);
    command.args(&arguments).args(["--once", "--wasm", "/opt/other.wasm"]);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("`/opt/module.wasm`"), "{told}");
    assert!(holds(&third, "/opt/other.wasm"));
    let left = std::fs::read_dir(file.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "nothing beside it");
}

#[test]
fn what_runs_on_ends_when_it_is_told_to() {
    let Some(setup) = Setup::new() else { return };
    let dir = envoy::fresh_dir().unwrap();
    std::fs::write(dir.join("log"), "").unwrap();
    let key = &setup.public_key;
    // Nobody answers: it waits for the answer, or for the next question.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let sync = ["sync", "--from", &url, "--path", "/x", "--trusted-key", key, "-o", "x.bundle"];
    for arguments in [&sync[..], &["tail", "log"]] {
        for signal in ["TERM", "INT"] {
            let running = Running::start(&setup.artefacts.compiler, &dir, "022", arguments);
            // Its handlers are the last that it needs to start.
            let status = format!("/proc/{}/status", running.0.id());
            soon("it heeds signals", || {
                let status = std::fs::read_to_string(&status).unwrap();
                let caught = status.lines().find_map(|it| it.strip_prefix("SigCgt:")).unwrap();
                u64::from_str_radix(caught.trim(), 16).unwrap() & 0x4002 == 0x4002
            });
            assert_eq!(running.ended_by(signal), Some(0), "{arguments:?} by {signal}");
        }
    }
}

#[test]
fn what_is_withdrawn_before_its_time_is_refused_no_more() {
    let Some(setup) = Setup::new() else { return };
    let dir = envoy::fresh_dir().unwrap();
    let releases = Releases::new(&setup.artefacts, 0).unwrap();
    let time = |at| humantime::format_rfc3339_seconds(at).to_string();
    let (passed, later) = (Duration::from_secs(60), Duration::from_secs(3600));
    let (passed, later) = (time(SystemTime::now() - passed), time(SystemTime::now() + later));
    let good = releases.release(5).unwrap();
    let expired = releases.release_with(6, &["--not-after", &passed]).unwrap();
    let for_later = releases.release_with(7, &["--not-before", &later]).unwrap();
    let published = Arc::new(Mutex::new(good.clone()));
    let store = store(&published);
    let url = format!("http://{}", store.address());
    let arguments = ["sync", "--from", &url, "--path", "/x", "--interval", "1", "-o", "x.bundle"];
    let key = ["--trusted-key", &releases.keys[0], "--audience", AUDIENCE, "--metrics", "x.prom"];
    let gateway = ["--gateway", "gw-1"];
    let arguments = [&arguments[..], &key, &gateway].concat();
    let _sync = Running::start(&setup.artefacts.compiler, &dir, "022", &arguments);
    let value = |name: &str| -> u64 {
        let page = std::fs::read_to_string(dir.join("x.prom")).unwrap_or_default();
        let start = format!("portcullis_sync_{name}{{output=\"x.bundle\"}} ");
        page.lines().find_map(|it| it.strip_prefix(&start)?.parse().ok()).unwrap_or_default()
    };
    let told = || Some(store.take().pop()?.header("portcullis-refused").unwrap_or_default());
    let told_of = |epoch: &str| told().is_some_and(|it| it.starts_with(epoch));
    let publish = |bundle: &[u8]| *published.lock().unwrap() = bundle.to_vec();
    soon("it is taken", || value("last_success_timestamp_seconds") > 0);
    publish(&for_later);
    soon("it is refused for its time", || value("refusing") == 1);
    let before = value("last_success_timestamp_seconds");
    publish(&good);
    soon("what is there is published again", || value("refusing") == 0);
    soon("which is a success", || value("last_success_timestamp_seconds") > before);
    soon("and nothing is told as refused", || told().is_some_and(|it| it.is_empty()));
    // What was refused for good before, and is published again, is refused still.
    publish(&expired);
    soon("it is refused", || told_of("6;"));
    publish(&for_later);
    soon("the next one too", || told_of("7;"));
    publish(&expired);
    soon("the first one, which was not sent again", || told_of("6;"));
    assert_eq!(value("refusing"), 1);
}

/// The example of CONTROL.md, with a test's values, run once: its exit code, and the page that it left.
fn monitored(compiler: &Path, dir: &Path, values: &[(&str, &str)]) -> (bool, String) {
    let document = artefacts::root().join("policy-compiler/CONTROL.md");
    let document = std::fs::read_to_string(document).unwrap();
    let example = document.split("```sh sync-metrics\n").nth(1).unwrap();
    let mut example = example.split("```").next().unwrap().trim_end().to_owned();
    for (written, value) in values {
        assert!(example.contains(written), "{written}: {example}");
        example = example.replace(written, value);
    }
    let bin = compiler.parent().unwrap().display();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = std::process::Command::new("sh");
    command.current_dir(dir).env("PATH", path).args(["-c", &format!("{example} --once")]);
    let output = command.output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(dir.join("portcullis.prom")).unwrap();
    for name in page.lines().filter_map(|it| it.strip_prefix("# TYPE ")) {
        let name = name.split(' ').next().unwrap();
        assert!(document.contains(&format!("| `{name}` |")), "{name} is not in CONTROL.md");
    }
    (output.status.success(), page)
}

#[test]
fn a_monitor_sees_what_sync_refuses() {
    let Some(setup) = Setup::new() else { return };
    let (home, dir) = (envoy::fresh_dir().unwrap(), envoy::fresh_dir().unwrap());
    let options = ["--trusted-key", &*setup.public_key];
    let compiler = &setup.artefacts.compiler;
    let mut control = Control::start(compiler, &home, &options).unwrap();
    let publish = |control: &Control, epoch| {
        let bundle = setup.compile("enforce", epoch, "").display().to_string();
        let output = control.run(&["publish", &bundle, "--policy", "bank"]).unwrap();
        assert!(output.status.success());
    };
    publish(&control, 1);
    let url = control.url();
    let (file, page) = (dir.join("portcullis.pb"), dir.join("portcullis.prom"));
    let (file, page) = (file.display().to_string(), page.display().to_string());
    let ask = |key: &str| {
        let values = [
            ("http://control:18000", &*url),
            ("PUBLIC_KEY", key),
            ("/var/lib/portcullis/portcullis.pb", &*file),
            ("/var/lib/node_exporter/portcullis.prom", &*page),
        ];
        monitored(compiler, &dir, &values)
    };
    let says = |page: &str, name: &str, labels: &str, value: &str| {
        let line = format!("portcullis_sync_{name}{{output=\"{file}\"{labels}}} {value}\n");
        assert!(page.contains(&line), "{line}: {page}");
    };
    let (done, page) = ask(&setup.public_key);
    assert!(done && page.contains("portcullis_sync_last_success_timestamp_seconds{"));
    let never = "portcullis_sync_last_success_timestamp_seconds{output=\"{file}\"} 0\n";
    assert!(!page.contains(&never.replace("{file}", &file)), "{page}");
    says(&page, "epoch", "", "1");
    says(&page, "refusing", "", "0");
    // Signed by a key that is not trusted here.
    publish(&control, 2);
    let (done, page) = ask(&"00".repeat(32));
    assert!(!done);
    says(&page, "last_success_timestamp_seconds", "", "0");
    says(&page, "epoch", "", "1");
    says(&page, "refusing", "", "1");
    says(&page, "refused_total", ",reason=\"bundle-untrusted\"", "1");
    control.kill();
    let (done, page) = ask(&setup.public_key);
    assert!(!done);
    says(&page, "failed_total", ",reason=\"unreachable\"", "1");
    says(&page, "epoch", "", "1");
}
