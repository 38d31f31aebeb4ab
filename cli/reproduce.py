"""``semcore reproduce``: the paper's tables and figures, from nothing to a report."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.cache_folder import cache_folder
from cli.demo import SERVICE
from cli.extras import require_engine
from cli.options import BudgetValue, RecipeValue, SmallBase
from cli.reading import tell_corpus
from cli.service_process import serving
from semcore.errors import SemcoreError


def reproduce(
    recipe: Annotated[
        RecipeValue,
        typer.Argument(
            help="Table 1 comes with table 2; all are all of the paper's: neither 'beyond', what "
            "goes beyond it, nor 'photographs', a corpus of yours as the product serves it."
        ),
    ],
    corpus: Annotated[str, typer.Option(help="'demo', or a folder or file of captions.")] = "demo",
    budget: Annotated[
        BudgetValue, typer.Option(help="What is spent; a moment shows that it runs.")
    ] = "short",
    base: Annotated[
        SmallBase | None,
        typer.Option(help="What all systems start from; default: tiny, for photographs small."),
    ] = None,
    source_captions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Captions of a picture that its identifier is made of; default: 2, of photographs "
            "1.",
        ),
    ] = None,
    gallery: Annotated[
        list[str] | None,
        typer.Option(
            help="Split that is searched; repeatable. Default: test, of photographs val as well."
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Trainings of a system; default: the budget's.")
    ] = None,
    towers: Annotated[
        bool,
        typer.Option("--towers", help="Of photographs: two towers and what re-ranks them as well."),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="System to make beside SemCORE; repeatable. Default: all of the recipe."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for models, answers and the report; default: in the cache."),
    ] = None,
) -> None:
    """Train, serve and ask every system of a table or figure, and write the report.

    Run again after an interruption, it goes on where it stopped.
    """
    require_engine("reproduce")
    from offline.corpus.corpus import CAPTIONS_FILE, Corpus
    from offline.corpus.reader import read_corpus
    from offline.demo.demo_corpus import write_demo_corpus, write_warm_up_corpus
    from offline.reproduction.budgets import choose_budget
    from offline.reproduction.expenses import Expenses
    from offline.reproduction.experiments import PHOTOGRAPHS, choose
    from offline.reproduction.photographs import check_photographs, write_photographs
    from offline.reproduction.results import write_results
    from offline.reproduction.runner import Reproduction

    of_photographs = recipe == PHOTOGRAPHS
    if of_photographs and corpus == "demo":
        raise SemcoreError("name the photographs: --corpus PATH, a folder or file of captions")
    if towers and not of_photographs:
        raise SemcoreError("--towers is for photographs; elsewhere --only says what is made")
    base = base or ("small" if of_photographs else "tiny")
    source_captions = source_captions or (1 if of_photographs else 2)
    searched = gallery or (["test", "val"] if of_photographs else ["test"])
    spent = choose_budget(budget, base, searched, seeds)
    chosen = choose(recipe, spent, only or (), towers=towers or not of_photographs)
    where = corpus if corpus == "demo" else Path(corpus).resolve()
    made_of = f"{where} {source_captions} {spent.gallery} {spent.runs}"
    origin = hashlib.sha256(made_of.encode()).hexdigest()[:6]
    folder = out or cache_folder(f"reproduce-{Path(corpus).name}-{origin}-{base}-{budget}")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        expenses = Expenses(folder)
        warm_up: Corpus | None = None
        with expenses.step("the corpus"):
            if corpus == "demo":
                if not (folder / "warm-up" / CAPTIONS_FILE).exists():
                    write_demo_corpus(folder / "demo", spent.pictures)
                    write_warm_up_corpus(folder / "warm-up", spent.warm_up, spent.pictures)
                warm_up = read_corpus(folder / "warm-up")
            source = folder / "demo" if corpus == "demo" else Path(corpus)
            found = read_corpus(source, source_captions=source_captions)
        if of_photographs:
            tell_corpus(found)
            check_photographs(found, spent)
        # The paper's beams spell to the end.
        serve = partial(serving, environment={**SERVICE, "SEMCORE_LEAF_LIMIT": "0"}, alone=True)
        outcomes = Reproduction(found, warm_up, folder, spent, serve, typer.echo).run(chosen)
        if of_photographs:
            told = outcomes[PHOTOGRAPHS]
            report = write_photographs(told, chosen[0], found, spent, folder)
        else:
            report = write_results(outcomes, chosen, found, spent, expenses.seconds, folder)
        typer.echo(f"the report is {report}")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Raises :class:`SemcoreError` while another reproduction works there: two would train in each
    other's folders."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SemcoreError(
                f"another reproduction works in {folder}; wait until it has ended, or name another "
                "folder with --out"
            ) from error
        yield
