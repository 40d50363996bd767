"""`llmops datasets`: list, import, show, prepare."""

from pathlib import Path
from typing import Annotated

import typer

import workbench
from mlops.datasets import Dataset
from workbench.tables import facts, json_out, line, table
from workbench.wording import data_cell, split_sizes

Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
Name = Annotated[str, typer.Argument(help="Name of the dataset.")]

app = typer.Typer(help="Datasets to train on; alone it lists them.", add_completion=False)


@app.callback(invoke_without_command=True)
def _alone(ctx: typer.Context, as_json: Json = False) -> None:
    if ctx.invoked_subcommand is None:
        show_all(as_json)


@app.command("list")
def show_all(as_json: Json = False) -> None:
    """Every dataset with its size and status."""
    found = workbench.connect().datasets()
    if as_json:
        return json_out(found)
    table(
        ("name", "title", "data", "status", "train", "validation", "test", "types", "license"),
        (_row(dataset) for dataset in found),
        empty="There are no datasets yet. Import one: llmops datasets import PATH",
    )


@app.command("import")
def import_(
    paths: Annotated[
        list[Path],
        typer.Argument(help="A folder, data files, or sample:cier.", metavar="PATH…"),
    ],
    name: Annotated[str | None, typer.Option(help="Instead of that of the folder.")] = None,
    as_json: Json = False,
) -> None:
    """Upload CoNLL, TSV, CSV or JSON lines, and validate and normalise them for training.

    Splits follow the file names (train, dev or validation, test); missing ones are cut from
    train. A metadata.json beside them may give title, source, license, language and synthetic.
    """
    _show(workbench.connect().import_dataset([str(path) for path in paths], name), as_json)


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """One dataset: its splits, entity types and problems with file and line."""
    _show(workbench.connect().dataset(name), as_json)


@app.command()
def prepare(name: Name, as_json: Json = False) -> None:
    """Validate and normalise it for training; harmless to repeat."""
    _show(workbench.connect().prepare(name), as_json)


def _show(dataset: Dataset, as_json: bool) -> None:
    if as_json:
        return json_out(dataset)
    facts(
        {
            "name": dataset.name,
            "title": dataset.title,
            "data": data_cell(dataset.synthetic),
            "status": dataset.status.lower(),
            "language": dataset.language,
            "license": dataset.license,
            "source": dataset.source,
            "note": dataset.note,
        }
    )
    if dataset.splits:
        table(
            ("split", "sentences", "tokens", *dataset.labels),
            (
                (name, s.sentences, s.tokens, *(s.entities.get(e, 0) for e in dataset.labels))
                for name, s in dataset.splits.items()
            ),
            empty="",
        )
    for problem in dataset.problems:
        where = f"{problem.file}:{problem.line}" if problem.line else problem.file
        line(f"{problem.severity}: {where}: {problem.message}")
    if dataset.problem_count > len(dataset.problems):
        line(f"… and {dataset.problem_count - len(dataset.problems)} more problems.")


def _row(dataset: Dataset) -> tuple[object, ...]:
    return (
        dataset.name,
        dataset.title,
        data_cell(dataset.synthetic),
        dataset.status.lower(),
        *split_sizes(dataset),
        ", ".join(dataset.labels) or None,
        dataset.license,
    )
