//! A browser that opens a page as a reader does: headless Chromium, driven by chromedriver over the
//! WebDriver protocol.
//!
//! The protocol is JSON over HTTP on the same machine, so this needs no more than an HTTP client.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

/// Key under which WebDriver returns an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A running browser; it ends when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    session: String,
    agent: Agent,
    _profile: TempDir,
}

/// How a page is shown.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// Whether the reader prefers dark pages.
    pub is_dark: bool,
}

impl Browser {
    /// Starts chromedriver and a browser of a fresh profile that asks the network for nothing.
    ///
    /// # Panics
    ///
    /// Where Debian's packages chromium and chromium-driver are not installed or do not start.
    #[must_use]
    pub fn start() -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; install Debian's packages chromium and chromium-driver");
        let port = port(&mut driver);
        let profile = tempfile::tempdir().expect("there is room for a profile");
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false);
        let mut browser = Browser {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent: config.build().into(),
            _profile: profile,
        };
        let started = browser.post("", &capabilities(browser._profile.path()));
        let id = started["sessionId"].as_str().expect("a session has an id").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Shows pages from now on in this way.
    pub fn show_on(&self, screen: Screen) {
        self.develop(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": screen.width, "height": screen.height, "deviceScaleFactor": 1,
                     "mobile": false }),
        );
        let scheme = if screen.is_dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.develop("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Opens a file.
    ///
    /// # Panics
    ///
    /// Where the path is not absolute.
    pub fn open(&self, path: &Path) {
        assert!(path.is_absolute(), "{} has no address", path.display());
        self.post("/url", &json!({ "url": format!("file://{}", path.display()) }));
    }

    /// What a script's `return` gives.
    #[must_use]
    pub fn evaluate(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Moves the pointer onto the middle of the first element that a CSS selector finds.
    pub fn hover(&self, selector: &str) {
        self.point_at(selector, &[]);
    }

    /// Clicks the first element that a CSS selector finds.
    pub fn click(&self, selector: &str) {
        let press = ["pointerDown", "pointerUp"].map(|kind| json!({ "type": kind, "button": 0 }));
        self.point_at(selector, &press);
    }

    /// Presses a key, by its WebDriver code.
    pub fn press(&self, key: &str) {
        let actions = ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }));
        let source = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", &json!({ "actions": [source] }));
    }

    /// Warnings and errors that the browser logged since the last call.
    ///
    /// # Panics
    ///
    /// Where the browser keeps no log.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().expect("a log is a list").clone();
        let is_problem = |entry: &&Value| ["WARNING", "SEVERE"].contains(&level(entry));
        entries.iter().filter(is_problem).map(ToString::to_string).collect()
    }

    fn point_at(&self, selector: &str, then: &[Value]) {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        let into_view = "arguments[0].scrollIntoView(
            { block: 'center', inline: 'center', behavior: 'instant' })";
        self.post("/execute/sync", &json!({ "script": into_view, "args": [found] }));
        let origin = json!({ ELEMENT: found[ELEMENT] });
        let mut actions =
            vec![json!({ "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": origin })];
        actions.extend_from_slice(then);
        let source = json!({ "type": "pointer", "id": "mouse", "actions": actions,
                             "parameters": { "pointerType": "mouse" } });
        self.post("/actions", &json!({ "actions": [source] }));
    }

    /// A command of Chromium's development protocol.
    fn develop(&self, command: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let response = self.agent.post(format!("{}{path}", self.session)).send_json(body);
        let mut response = response.expect("chromedriver answers");
        let answer: Value = response.body_mut().read_json().expect("answers are JSON");
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {}", answer["value"]);
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; chromedriver itself goes on until it is killed.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn level(entry: &Value) -> &str {
    entry["level"].as_str().unwrap_or_default()
}

/// The port that chromedriver chose, from its first lines.
fn port(driver: &mut Child) -> u16 {
    let output = BufReader::new(driver.stdout.take().expect("its output is piped"));
    for line in output.lines().map_while(Result::ok) {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim_end_matches('.').parse().expect("a port is a number");
        }
    }
    panic!("chromedriver ended before it listened");
}

fn capabilities(profile: &Path) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
        &profile,
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    } } })
}
