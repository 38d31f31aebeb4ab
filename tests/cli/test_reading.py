"""``look`` says what would be read, and builds nothing."""

from pathlib import Path

from layouts import drawn, json_lines, table
from typer.testing import CliRunner

from cli.main import app


def test_tells_layout_counts_and_bad_rows(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["look", str(json_lines(tmp_path, drawn(600)))])
    assert result.exit_code == 0, result.output
    first, *rows = result.stdout.splitlines()
    assert first == (
        f"{tmp_path.name}: 588 pictures (588 train) with 1176 captions, read as JSON lines "
        "(captions.jsonl); 12 bad rows"
    )
    assert rows[0].startswith("bad row at 50 of captions.jsonl, b/24.png: the file is no JPEG")
    assert rows[-1] == "and 2 more bad rows"
    assert len(rows) == 11
    again = CliRunner().invoke(app, ["look", str(tmp_path), "--undecoded"])
    assert "600 pictures" in again.output


def test_columns_are_named(tmp_path: Path) -> None:
    write = table("all.tsv", "\t", "bild\ttext\tjahr", "{name}\t{caption}\t{number}")
    source = str(write(tmp_path, drawn(2)[:1]))
    result = CliRunner().invoke(app, ["look", source])
    assert "read as pictures alone" in result.stdout
    assert (
        f"1 with the suffix .tsv, such as all.tsv ('semcore look {source}/all.tsv'" in result.stdout
    )
    result = CliRunner().invoke(app, ["look", f"{source}/all.tsv"])
    assert result.exit_code == 1
    assert "all.tsv is in no layout that is read" in result.stderr
    named = ["--image-column", "bild", "--caption-column", "text", "--split-column", "jahr"]
    result = CliRunner().invoke(app, ["look", source, *named])
    assert "the split '0' is none of train, val, test" in result.stderr
    result = CliRunner().invoke(app, ["look", source, *named[:4], "--metadata-column", "jahr"])
    assert "metadata.jahr is another than that of the same picture" in result.output


def test_links_are_followed_where_it_says_so(tmp_path: Path) -> None:
    json_lines(tmp_path / "corpus", drawn(1))
    (tmp_path / "corpus/pictures").rename(tmp_path / "elsewhere")
    (tmp_path / "corpus/pictures").symlink_to(tmp_path / "elsewhere")
    source = str(tmp_path / "corpus")
    result = CliRunner().invoke(app, ["look", source])
    assert "the image is a link; --follow-links takes what it leads to" in result.stderr
    result = CliRunner().invoke(app, ["look", source, "--follow-links"])
    assert "1 pictures" in result.output
