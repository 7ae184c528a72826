"""The pictures of the page in negjax/search/README.md, from the workdir of a quickstart.

    python tools/page_pictures.py runs/quickstart negjax/search

Needs playwright and a Chromium. Writes page.webp (side by side with the plain cosine) and phone.webp.
"""

import argparse
import io
import shutil
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from search_table import served

from negjax.quickstart_index import INDEX_FOLDER
from negjax.weights.read import read_model

QUERIES = {"page": "a car but no cat", "phone": "a tree without a lamp"}
WIDE, PHONE = {"width": 1180, "height": 720}, {"width": 390, "height": 720}
QUALITY = 80


def take(page: Page, target: Path) -> None:
    """Writes what a page shows. target: a WebP file."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(target, quality=QUALITY, method=6)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdir", type=Path, help="of a quickstart")
    parser.add_argument("out", type=Path, help="the folder of the pictures")
    args = parser.parse_args()
    model = read_model(args.workdir / "pretrained")
    with served(args.workdir / INDEX_FOLDER, model) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, size, scheme in (("page", WIDE, "light"), ("phone", PHONE, "dark")):
            page = browser.new_context(viewport=size, color_scheme=scheme, device_scale_factor=1).new_page()
            page.goto(f"http://127.0.0.1:{port}/?{urlencode({'q': QUERIES[name]})}")
            page.wait_for_selector(".grid img")
            if name == "page":
                page.check("#compare")
                page.wait_for_selector("section:nth-child(2) .grid img")
            take(page, args.out / f"{name}.webp")
        browser.close()


if __name__ == "__main__":
    main()
