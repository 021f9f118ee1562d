"""What a configured repository adds to the site, and what it must not bring along."""

from __future__ import annotations

import os
import subprocess


def test_repository_adds_edit_links_and_colab(checkout):
    checkout.write(
        "docs/page.md",
        (checkout.root / "docs/page.md").read_text(encoding="utf-8") + '\n<% downloads("quick") %>\n',
    )
    done = subprocess.run(
        checkout.command("build"),
        cwd=checkout.root,
        env={
            **checkout.environment,
            "REPO_URL": "https://github.com/owner/course",
            "SITE_URL": "https://owner.github.io/course/",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (checkout.root / "site/page/index.html").read_text(encoding="utf-8")
    assert "https://github.com/owner/course/edit/main/docs/page.md" in page
    assert "colab.research.google.com/github/owner/course/blob/notebooks/page/quick.ipynb" in page
    # With this attribute Material's script would ask api.github.com for the number of stars.
    assert 'data-md-component="source"' not in page
    assert '<link rel="canonical" href="https://owner.github.io/course/page/">' in page
    notebook = (checkout.root / "site/downloads/page/quick.ipynb").read_text(encoding="utf-8")
    assert "git+https://github.com/owner/course" in notebook

    # Without it: no dead links. The change of settings alone rebuilds the pages.
    plain = {name: value for name, value in os.environ.items() if name not in {"REPO_URL", "SITE_URL"}}
    subprocess.run(
        checkout.command("build"), cwd=checkout.root, env={**plain, "PYTHONPATH": str(checkout.root)}, check=True
    )
    page = (checkout.root / "site/page/index.html").read_text(encoding="utf-8")
    assert "colab" not in page
    assert "/edit/" not in page
