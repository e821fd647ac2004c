#!/usr/bin/env python3
"""lint_links.py ROOT: every link of the documents to a file or a heading of this project leads there."""
import os
import re
import subprocess
import sys

root = sys.argv[1]
pages = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                       check=True, capture_output=True, text=True).stdout.split()
if len(pages) < 10:
    sys.exit(f"lint_links: only {len(pages)} documents found below {root}: nothing was checked")


def prose(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(path):
    """As GitHub makes them of headings: lower case, what is no letter left out, blanks as dashes."""
    headings = re.findall(r"^#+ +(.*?) *#*$", prose(path), flags=re.MULTILINE)
    return {re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", heading.lower())) for heading in headings}


bad, links = [], 0
for page in pages:
    text = "\n".join(line for line in prose(os.path.join(root, page)).split("\n") if not line.startswith("    "))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        links += 1
        path, _, anchor = target.partition("#")
        where = os.path.normpath(os.path.join(root, os.path.dirname(page), path)) if path else os.path.join(root, page)
        if not os.path.exists(where):
            bad.append(f"{page}: {target}: no such file")
        elif anchor and anchor not in anchors(where):
            bad.append(f"{page}: {target}: no such heading")
print("\n".join(bad))
print(f"{links} links on {len(pages)} pages, {len(bad)} that lead nowhere")
sys.exit(1 if bad or links < 50 else 0)
