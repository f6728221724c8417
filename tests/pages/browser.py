"""Opens a page in headless Chromium and says what is to be seen there, in JSON.

It reads one JSON object: `url`, and `visits`, each with the window's `width`, the colour `scheme`, what to `choose` in the filter (by the name of
its field), where to put a `picture` and a `print`. Nothing but the page's own origin may be asked for, and what else it tries is written down.
"""

import json
import os
import sys
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import sync_playwright

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

SEEN = """() => {
  const shown = (selector) => [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility());
  const words = (selector) => shown(selector).map((element) => element.innerText.trim());
  return {
    title: document.title,
    headline: document.querySelector('h1')?.innerText ?? null,
    headings: words('h2'),
    first: words('.first li'),
    first_ends: document.querySelector('.first ol')?.getBoundingClientRect().bottom ?? null,
    findings: words('article.finding h3 > bdi'),
    probes: shown('.probes > li').map((item) => item.id.slice(1)),
    rows: words('table.matrix tbody tr[data-probes] > th > bdi'),
    text: document.body.textContent,
    status: document.getElementById('shown')?.textContent ?? null,
    scripts: document.scripts.length,
    foreign: document.querySelectorAll('img, iframe, object, embed, link, audio, video, base').length,
    handlers: [...document.querySelectorAll('*')].filter((element) => [...element.attributes].some(({name}) => name.startsWith('on'))).length,
    ran: window.owned !== undefined,
    wide: document.scrollingElement.scrollWidth,
  };
}"""


def visit(browser, url, asked, token):
    context = browser.new_context(
        color_scheme=asked.get("scheme", "light"),
        viewport={"width": asked.get("width", 1280), "height": 900},
        extra_http_headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    page = context.new_page()
    errors, requests = [], []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: (errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(url, wait_until="load")
    for name, value in asked.get("choose", {}).items():
        field = page.locator(f"#filter [name={name}]")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(label=value)
        else:
            field.fill(value)
    seen = page.evaluate(SEEN)
    if asked.get("reset"):
        page.locator("#filter button[type=reset]").click()
        page.evaluate("new Promise((done) => setTimeout(done))")
        seen["probes_after_reset"] = page.evaluate(SEEN)["probes"]
    if asked.get("axe"):
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        # As it lies once somebody has scrolled there; until then an item's height is a guess.
        page.evaluate("document.querySelectorAll('.probes > li').forEach((item) => { item.style.contentVisibility = 'visible'; })")
        page.evaluate(AXE)
        found = page.evaluate("(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})", RULES)
        seen["checked"] = len(found["passes"])
        seen["violations"] = [
            f"{violation['id']}: {violation['help']}: {node['html'][:160]}"
            for violation in found["violations"]
            for node in violation["nodes"][:3]
        ]
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = false; })")
    if picture := asked.get("picture"):
        page.screenshot(path=picture, full_page=asked.get("whole", False))
    if paper := asked.get("print"):
        page.pdf(path=paper, prefer_css_page_size=True, print_background=False)
    seen["errors"] = errors
    seen["requests"] = [request for request in requests if request != url]
    context.close()
    return seen


def main():
    asked = json.load(sys.stdin)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("MAILFLOW_CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        seen = [visit(browser, asked["url"], one, asked.get("token")) for one in asked["visits"]]
        browser.close()
    json.dump(seen, sys.stdout)


main()
