"""What a person does with `sftpctl console`, in a real Chromium, by keyboard alone.
Usage: console.py ADDRESS COMMAND [ARGUMENTS]"""

import json
import sys

from checks import equal
from chromium import Browser

ADDRESS, COMMAND, *ARGUMENTS = sys.argv[1:]
ORIGIN = ADDRESS.split("#")[0].rstrip("/")
READ = "['regions-status', 'bots-status'].every((id) => !document.getElementById(id).textContent.startsWith('Reading'))"
QUIET = "![...document.querySelectorAll('#found [role=status]')].some((one) => one.textContent.startsWith('Reading'))"
FILLED = f"document.querySelector('#more details') && {QUIET}"


def opened(browser, **options):
    page = browser.page(ADDRESS, **options)
    page.wait("document.title.includes('environment')")
    # The token is neither in the address any more nor in the history's entry.
    equal("address", page.evaluate("location.href"), f"{ORIGIN}/")
    entries = page.call("Page.getNavigationHistory")["entries"]
    assert not any("token" in entry["url"] for entry in entries), entries
    return page


def find(page, name):
    """A customer, by keyboard from the start of the page."""
    if page.focused() != "who":
        page.tab_to("who")
    page.evaluate("document.getElementById('who').select()")
    page.type(name)
    page.press("Enter")


def found(page, name):
    find(page, name)
    page.wait(FILLED)
    equal("focus", page.focused(), "found-title")
    equal("customer", page.text("#found-title"), name)


def confirmed(page, button, name, yes):
    """A change: first given up, then done."""
    page.tab_to(button)
    page.press("Enter")
    page.wait("document.getElementById('confirm').open")
    equal("safe choice", page.focused(), "confirm-no")
    assert name in page.text("#confirm-title") and name in page.text("#confirm-text"), page.text("#confirm")
    equal("modal", page.evaluate("document.getElementById('confirm').matches(':modal')"), True)
    page.press("Escape")
    page.wait("!document.getElementById('confirm').open")
    equal("focus after giving up", page.focused(), button)
    page.press("Enter")
    page.wait("document.getElementById('confirm').open")
    page.tab_to("confirm-yes", 3)
    equal("what it does", page.text("#confirm-yes"), yes)
    page.press("Enter")


def reset(browser, name):
    page = opened(browser)
    found(page, name)
    confirmed(page, "Set a new password", name, "Set a new password")
    page.wait("document.getElementById('new-password')")
    equal("focus", page.focused(), "new-password")
    password = page.evaluate("document.getElementById('new-password').value")
    label = page.evaluate("document.getElementById('new-password').labels[0].textContent")
    assert name in label, label
    # It is nowhere else, and gone with the next customer.
    assert password not in page.evaluate("document.documentElement.outerHTML"), "the password is in the markup"
    page.tab_to("Hide the password")
    page.press("Enter")
    equal("hidden", page.evaluate("document.getElementById('new-password')"), None)
    equal("focus after hiding", page.focused(), "found-title")
    quiet(page)
    return {"password": password}


def turn(browser, name, word):
    page = opened(browser)
    found(page, name)
    confirmed(page, f"{word} the account", name, f"{word} the account")
    page.wait(f"document.getElementById('find-status').textContent.includes('is {word.lower()}d')")
    page.wait(FILLED)
    return {"badge": page.text("#found .badge")}


def unban(browser, address):
    page = opened(browser)
    page.wait(READ)
    before = page.text("#bots-found")
    button = page.evaluate(f"[...document.querySelectorAll('#bots-found button')].map((one) => one.getAttribute("
                           f"'aria-label')).find((name) => name.includes({json.dumps(address)}))")
    confirmed(page, button, address, "End the ban")
    page.wait("document.getElementById('bots-status').textContent.includes('is ended')")
    equal("focus", page.focused(), "bots")
    return {"before": before, "after": page.text("#bots-found")}


def look(browser, name):
    """What is shown of a customer, of the regions and of the bots."""
    page = opened(browser)
    find(page, name)
    page.wait("document.querySelector('#found .problem, #more details')")
    page.wait("document.getElementById('find-status').textContent === '' || "
              "!document.getElementById('find-status').textContent.startsWith('Looking')")
    page.wait(READ)
    page.wait(QUIET)
    buttons = page.evaluate("[...document.querySelectorAll('main button')].map((one) => one.textContent)")
    parts = {id: page.text(f"#{id}") for id in ["about", "found", "last", "refused", "events", "regions-found", "bots"]}
    # What a customer has put into a name or a file's name has become text.
    equal("markup", page.evaluate("document.querySelectorAll('main img, main script, main iframe').length"), 0)
    quiet(page)
    return {**parts, "buttons": buttons}


def badge(browser, name):
    """The word beside a customer's name, and what is said of the account."""
    page = opened(browser)
    found(page, name)
    quiet(page)
    return {"badge": page.text("#found .badge"), "facts": page.text("#found dl")}


def bots(browser):
    """What is shown of bots, with its headings."""
    page = opened(browser)
    page.wait(READ)
    titles = page.evaluate("[...document.querySelectorAll('#bots-found h3')].map((one) => one.textContent)")
    quiet(page)
    return {"titles": titles, "text": page.text("#bots-found"), "status": page.text("#bots-status"),
            "problems": page.evaluate("document.querySelectorAll('#bots-found .problem').length")}


def quiet(page):
    complaints = page.complaints()
    assert not complaints, complaints


def stranger(browser):
    """The page without its token."""
    page = browser.page(f"{ORIGIN}/")
    page.wait("document.querySelector('#fatal .problem')")
    return {"text": page.text("#fatal"), "enabled": page.evaluate("document.querySelectorAll('main :enabled').length")}


def ended(browser, name):
    """A page whose console ends; the line on standard input says that it has."""
    page = opened(browser)
    page.wait(READ)
    print("open", flush=True)
    sys.stdin.readline()
    find(page, name)
    page.wait("document.querySelector('#found .problem')")
    return {"text": page.text("#found")}


def frame(browser, other):
    """Another page of this machine, which tries to show the console and to read from it."""
    page = browser.page(other)
    tried = page.evaluate(f"""(async () => {{
        const results = [];
        for (const options of [{{}}, {{ mode: 'no-cors' }}, {{ headers: {{ 'x-sftpctl-token': '0' }} }},
                               {{ method: 'POST', body: '{{}}', mode: 'no-cors' }}]) {{
            results.push(await fetch('{ORIGIN}/api/about', options).then((answer) => answer.type, () => 'refused'));
        }}
        const frame = document.createElement('iframe');
        frame.src = '{ORIGIN}/';
        document.body.append(frame);
        await new Promise((done) => {{ frame.onload = done; }});
        let inside = null;
        try {{ inside = frame.contentDocument?.title ?? null; }} catch {{ inside = null; }}
        return {{ results, inside }};
    }})()""")
    frames = page.call("Page.getFrameTree")["frameTree"]["childFrames"]
    return {**tried, "frames": [one["frame"].get("unreachableUrl", one["frame"]["url"]) for one in frames],
            "shown": [one["frame"]["url"] for one in frames]}


# Names that a screen reader says.
NAMED = {"button", "link", "textbox", "combobox", "searchbox", "dialog", "article", "region", "navigation", "image"}


def accessible(browser, name, axe):
    """In both color schemes, wide and narrow: axe's rules, Chromium's accessibility tree, and no scrolling sideways."""
    with open(axe, encoding="utf-8") as file:
        axe = file.read()
    checked = 0
    for width, scheme in [(1280, "light"), (1280, "dark"), (320, "light"), (375, "dark")]:
        page = opened(browser, width=width, scheme=scheme, bypass_policy=True)
        page.wait(READ)
        found(page, name)
        page.evaluate("for (const one of document.querySelectorAll('details')) { one.open = true; }")
        page.evaluate(axe + "\n;true")
        for state in ["page", "dialog"]:
            if state == "dialog":
                page.tab_to("Set a new password")
                page.press("Enter")
                page.wait("document.getElementById('confirm').open")
            report = page.evaluate("axe.run(document, { resultTypes: ['violations'] }).then((report) => ({ "
                                   "violations: report.violations.map((one) => [one.id, one.help, "
                                   "one.nodes.map((node) => node.html + ' ' + node.failureSummary)]), passes: report.passes.length }))")
            equal(f"axe, {width} px, {scheme}, {state}", report["violations"], [])
            checked += report["passes"]
            tree = page.tree()
            roles = [node["role"]["value"] for node in tree]
            for node in tree:
                if node["role"]["value"] in NAMED:
                    assert node["name"]["value"].strip(), f"without a name: {node}"
            if state == "page":
                for role in ["banner", "main", "navigation", "search", "contentinfo", "article"]:
                    assert role in roles, f"{role} is not among {sorted(set(roles))}"
        width_needed = page.evaluate("document.documentElement.scrollWidth")
        assert width_needed <= width, f"{width_needed} px of {width}"
        small = page.evaluate("[...document.querySelectorAll('button, input, select')].filter((one) => "
                              "one.offsetParent && (one.offsetHeight < 24 || one.offsetWidth < 24)).map((one) => one.id)")
        equal("targets too small", small, [])
    return {"passes": checked}


def shots(browser, name, folder):
    """Pictures for the documentation, and for whoever changes the page."""
    for file, width, height, scheme in [("console", 960, 1200, "light"), ("narrow", 375, 800, "light"),
                                        ("dark", 960, 1200, "dark")]:
        page = opened(browser, width=width, height=height, scheme=scheme)
        found(page, name)
        page.wait(READ)
        page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
        page.shot(f"{folder}/{file}.png", whole=width < 500)
        page.tab_to("Set a new password")
        page.press("Enter")
        page.wait("document.getElementById('confirm').open")
        page.shot(f"{folder}/{file}-question.png", whole=False)
        page.press("Escape")
    page = opened(browser, width=960, height=1100)
    page.wait(f"document.querySelector('#bots-found > *') && {READ}")
    page.evaluate("document.activeElement.blur()")
    page.shot(f"{folder}/regions.png", whole=False)
    return {}


with Browser() as started:
    done = {"reset": reset, "turn": turn, "unban": unban, "badge": badge, "bots": bots, "look": look, "stranger": stranger, "ended": ended,
            "frame": frame, "accessible": accessible, "shots": shots}[COMMAND](started, *ARGUMENTS)
print(json.dumps(done))
