"""A real Chromium without windows, driven by the DevTools protocol through a pipe (--remote-debugging-pipe): keys go
the way of a person's keyboard, and what a screen reader would read is Chromium's own accessibility tree."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

PROGRAM = "chromium-headless-shell"
# Seconds for whatever is waited for.
DEADLINE = 90
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, "")}


class Browser:
    def __init__(self):
        if not shutil.which(PROGRAM):
            sys.exit(f"{PROGRAM} is missing: apt-get install {PROGRAM}")
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # Chromium reads commands from descriptor 3 and writes to 4; both ends here are beyond those.
        (its_in, self.out), (self.into, its_out) = os.pipe(), os.pipe()
        its_in, its_out = (fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (its_in, its_out))
        options = ["--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                   "--disable-dev-shm-usage", "--lang=en-US", f"--user-data-dir={self.folder.name}"]
        if os.geteuid() == 0:
            # Chromium refuses root its sandbox. It opens only the console of this test.
            options.append("--no-sandbox")
        script = f'exec "$@" 3<&{its_in} 4>&{its_out}'
        environment = {**os.environ, "TZ": "UTC"}
        self.process = subprocess.Popen(["bash", "-c", script, "bash", PROGRAM, *options], env=environment,
                                        pass_fds=(its_in, its_out), stderr=subprocess.DEVNULL)
        os.close(its_in)
        os.close(its_out)
        self.number, self.buffer, self.events = 0, b"", []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def message(self):
        end = time.monotonic() + DEADLINE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.into], [], [], max(0, end - time.monotonic()))
            assert ready, f"Chromium has not answered within {DEADLINE} s"
            data = os.read(self.into, 1 << 20)
            assert data, "Chromium has ended"
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, **params):
        self.number += 1
        number = self.number
        request = {"id": number, "method": method, "params": params}
        if session:
            request["sessionId"] = session
        text = json.dumps(request).encode() + b"\0"
        while text:
            text = text[os.write(self.out, text):]
        while True:
            message = self.message()
            if message.get("id") != number:
                self.events.append(message)
                continue
            assert "error" not in message, f"{method}: {message['error']}"
            return message["result"]

    def page(self, address, width=1280, height=900, scheme="light", bypass_policy=False):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, address, (width, height), scheme, bypass_policy)


class Page:
    def __init__(self, browser, session, address, size, scheme, bypass_policy):
        self.browser, self.session = browser, session
        for domain in ["Page", "Runtime", "Log", "Accessibility"]:
            self.call(f"{domain}.enable")
        self.size(*size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        if bypass_policy:
            # For axe, which is not of the page.
            self.call("Page.setBypassCSP", enabled=True)
        self.open(address)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 500)

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def wait(self, condition):
        """Until a condition holds."""
        watch = f"""new Promise((done) => {{
            const end = performance.now() + {(DEADLINE - 10) * 1000};
            const look = () => {{
                if ({condition}) {{ done(true); }}
                else if (performance.now() > end) {{ done(false); }}
                else {{ setTimeout(look, 20); }}
            }};
            look();
        }})"""
        for _ in range(20):
            # A page that is being replaced has an exception.
            answer = self.call("Runtime.evaluate", expression=watch, awaitPromise=True, returnByValue=True)
            if "exceptionDetails" not in answer:
                shown = "" if answer["result"]["value"] else self.evaluate("document.body.innerText")
                assert answer["result"]["value"], f"not in time: {condition}\n{shown}"
                return
        raise AssertionError(f"{condition}: {answer['exceptionDetails']}")

    def press(self, key):
        code, text = KEYS[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.call("Input.dispatchKeyEvent", **down, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def focused(self):
        """What has the keyboard: its ID or else its name."""
        return self.evaluate("(document.activeElement.id || document.activeElement.getAttribute('aria-label') || "
                             "document.activeElement.textContent).trim()")

    def tab_to(self, name, most=60):
        """Presses the tabulator key until something has the keyboard. Each stop on the way must be visible as such."""
        for _ in range(most):
            self.press("Tab")
            self.shows_focus()
            if self.focused() == name:
                return
        raise AssertionError(f"{name!r} is not reached by the tabulator key, last {self.focused()!r}")

    def shows_focus(self):
        outline = self.evaluate("""(() => {
            const active = document.activeElement;
            if (active === document.body) { return 'solid 3'; }
            const style = getComputedStyle(active);
            return `${style.outlineStyle} ${parseFloat(style.outlineWidth)}`;
        })()""")
        style, width = outline.split()
        assert style != "none" and float(width) >= 2, f"{self.focused()!r} has the focus unseen: {outline}"

    def text(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def tree(self):
        """The nodes of the accessibility tree that are not ignored."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [node for node in nodes if not node["ignored"]]

    def shot(self, path, whole=True):
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture["data"]))

    def complaints(self):
        """What Chromium has logged: exceptions, refused scripts, failed requests."""
        self.evaluate("1")
        kinds = {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}
        return [event["params"] for event in self.browser.events
                if event.get("method") in kinds and event.get("sessionId") == self.session]
