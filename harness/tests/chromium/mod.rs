//! A headless Chromium, spoken to over its debugging pipe: JSON messages that end in a zero byte, on descriptors 3 and 4.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Longest wait for an answer; a page takes a second.
const PATIENCE: Duration = Duration::from_secs(120);

const FLAGS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --disable-extensions --hide-scrollbars --remote-debugging-pipe";

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
}

/// One browser with one page; it ends when this is dropped.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// Errors that the console got.
    pub(crate) errors: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts Chromium. A test never passes by skipping: where there is none, this panics and says what to install.
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("a directory for the profile");
        let line = format!(
            "exec chromium {FLAGS} --user-data-dir={} about:blank 3<&0 4>&1 </dev/null >/dev/null 2>{}",
            profile.path().display(),
            profile.path().join("stderr").display()
        );
        let mut child = Command::new("/bin/sh")
            .args(["-c", &line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let input = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while output.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
                bytes.pop();
                let Ok(message) = serde_json::from_slice(&bytes) else { break };
                if sender.send(message).is_err() {
                    break;
                }
                bytes.clear();
            }
        });
        let mut browser = Self { child, input, messages, session: None, last: 0, errors: vec![], _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Sends a command and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let missing = "chromium does not run: install the Debian packages chromium and fonts-dejavu-core";
        self.input.write_all(&bytes).expect(missing);
        let id = json!(self.last);
        let mut answer = self.wait(method, |message| message["id"] == id);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].take()
    }

    fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                let status = self.child.try_wait();
                panic!("no answer to {what} ({error}, {status:?}): is the Debian package chromium installed?")
            });
            self.note_errors(&message);
            if is_it(&message) {
                return message;
            }
        }
    }

    fn note_errors(&mut self, message: &Value) {
        let params = &message["params"];
        let found = match message["method"].as_str() {
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => &params["entry"]["text"],
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => &params["args"],
            Some("Runtime.exceptionThrown") => &params["exceptionDetails"],
            _ => return,
        };
        self.errors.push(found.to_string());
    }

    /// Opens a file as it is seen in a view.
    pub(crate) fn open(&mut self, file: &Path, view: View) {
        let View { width, height, dark, .. } = view;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
        let answer = self.call("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
        assert!(answer["errorText"].is_null(), "{}: {answer}", file.display());
        let loaded = "document.readyState";
        while self.evaluate(loaded) != "complete" {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let mut answer = self
            .call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true, "awaitPromise": true }));
        assert!(answer["exceptionDetails"].is_null(), "{}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// A picture of `height` of the page from `top`, as a PNG file.
    pub(crate) fn screenshot_at(&mut self, file: &Path, width: u32, top: u32, height: u32) {
        let clip = json!({ "x": 0, "y": top, "width": width, "height": height, "scale": 1 });
        let arguments = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let answer = self.call("Page.captureScreenshot", arguments);
        save(file, &answer);
    }

    /// The page as it is printed on A4.
    pub(crate) fn print(&mut self, file: &Path) {
        let answer = self.call("Page.printToPDF", json!({ "paperWidth": 8.27, "paperHeight": 11.69 }));
        save(file, &answer);
    }
}

fn save(file: &Path, answer: &Value) {
    let text = answer["data"].as_str().expect("base64 data");
    let bytes = data_encoding::BASE64.decode(text.as_bytes()).expect("base64");
    std::fs::write(file, bytes).expect("the picture can be written");
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself, in which case there is nothing to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
