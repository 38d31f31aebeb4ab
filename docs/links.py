"""A hook of mkdocs: what pages link to outside of docs/ becomes part of the site.

Links stay what they are in the repository, ``../README.md`` say; in the site these files lie below
``repository/``.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).parents[1]
_README = "README.md"
_PLACE = "repository"
_OUTSIDE = re.compile(r"\]\(\.\./([^)#\s]+)")
_INSIDE = re.compile(r"\]\(docs/")
_OWN = re.compile(r"\]\((?!\w+:|#|docs/)([^)#\s]+)")  # of the readme, beside it


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the readme, and all that it and the pages link to."""
    linked = {_README, *_OWN.findall((_ROOT / _README).read_text())}
    for file in files.documentation_pages():
        linked.update(_OUTSIDE.findall(file.content_string))
    for path in sorted(linked):
        source = str(_ROOT / path)
        files.append(File.generated(config, f"{_PLACE}/{path}", abs_src_path=source))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links to where these files lie in the site."""
    if page.file.src_uri == f"{_PLACE}/{_README}":
        return _INSIDE.sub("](../", markdown)
    return _OUTSIDE.sub(rf"]({_PLACE}/\1", markdown)
