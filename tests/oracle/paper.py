"""Whether a page fits on paper: which elements are wider than it, which words of its pictures are cut off, and how many
pages it has.

    paper.py ADDRESS"""

import base64
import json
import re
import sys

from chromium import Browser

# A4, and what is left of its width within margins of 15 mm, in CSS pixels.
INCHES = 210 / 25.4, 297 / 25.4
WIDTH = int(180 / 25.4 * 96)
LOOK = """(() => {
    const wide = [...document.querySelectorAll('body *')].filter((one) => !one.closest('svg text') &&
        (one.getBoundingClientRect().right > innerWidth + 0.5 || one.getBoundingClientRect().left < 0));
    const cut = [...document.querySelectorAll('svg text')].filter((text) => {
        const box = text.getBoundingClientRect(), frame = text.closest('svg').getBoundingClientRect();
        return box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
            box.bottom > frame.bottom + 1;
    });
    return {wide: wide.map((one) => one.outerHTML.slice(0, 200)), cut: cut.map((text) => text.textContent)};
})()"""

with Browser() as browser:
    page = browser.page(sys.argv[1], width=WIDTH)
    page.call("Emulation.setEmulatedMedia", media="print")
    found = page.evaluate(LOOK)
    width, height = INCHES
    pdf = page.call("Page.printToPDF", paperWidth=width, paperHeight=height, preferCSSPageSize=True)["data"]
    found["pages"] = len(re.findall(rb"/Type\s*/Page\b(?!s)", base64.b64decode(pdf)))
print(json.dumps(found))
