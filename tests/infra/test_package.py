"""What is deployed: deterministic archives that import alone."""

import importlib.util
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from infra.package import lambda_zips, source_digest, training_archive
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
HANDLERS = sorted(path.stem for path in (ROOT / "lambdas").glob("[a-z]*.py"))
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
IMPORT = """
import importlib, sys
sys.path[:0] = sys.argv[1:]
for name in {handlers}:
    assert callable(importlib.import_module(name).lambda_handler), name
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(loaded & {{"agent", "app", "workbench", "localaws", "streamlit", "pandas", "moto", "langgraph"}}))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project: one handler, one rule, data, and what must not be shipped."""
    root = tmp_path / "project"
    for name, text in {
        "lambdas/hello.py": "def lambda_handler(event, context): return event\n",
        "mlops/__init__.py": "",
        "mlops/rules.py": "RULE = 1\n",
        "mlops/prices.csv": "a,b\n",
        "mlops/__pycache__/rules.pyc": "x",
        "mlops/tests/test_rules.py": "x",
        "agent/graph.py": "x",
        "training/__init__.py": "",
        "training/train.py": "print(1)\n",
        "training/ner_data.py": "x = 1\n",
        "training/requirements.txt": "python-crfsuite\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_zip_holds_the_handler_the_rules_and_pydantic(project: Path):
    found = names(lambda_zips(project, ["hello"])["hello"])
    ours = [n for n in found if n.startswith(("mlops/", "hello", "agent", "lambdas"))]
    assert sorted(ours) == ["hello.py", "mlops/__init__.py", "mlops/prices.csv", "mlops/rules.py"]
    assert {"pydantic/__init__.py", "typing_extensions.py"} <= set(found)
    assert any(n.startswith("pydantic_core/_pydantic_core") for n in found)


def test_same_sources_same_bytes(project: Path):
    first = lambda_zips(project, ["hello"])["hello"]
    training = training_archive(project)
    for path in project.rglob("*.py"):
        path.write_text(path.read_text())  # a new modification time
    assert lambda_zips(project, ["hello"])["hello"] == first
    assert training_archive(project) == training
    (project / "mlops" / "rules.py").write_text("RULE = 2\n")
    assert lambda_zips(project, ["hello"])["hello"] != first


def test_vendor_folder_replaces_the_installed_packages(project: Path, tmp_path: Path):
    vendor = tmp_path / "wheels"
    for name in ("annotated_types", "pydantic", "pydantic_core", "typing_inspection"):
        (vendor / name).mkdir(parents=True)
        (vendor / name / "__init__.py").write_text("# for Linux\n")
    (vendor / "typing_extensions.py").write_text("")
    found = names(lambda_zips(project, ["hello"], vendor)["hello"])
    assert sorted(n for n in found if n.startswith("pydantic")) == [
        "pydantic/__init__.py",
        "pydantic_core/__init__.py",
    ]


def test_training_archive_is_flat(project: Path):
    with tarfile.open(fileobj=io.BytesIO(training_archive(project))) as tar:
        assert tar.getnames() == ["ner_data.py", "requirements.txt", "train.py"]


def test_every_handler_imports_alone(tmp_path: Path):
    """With its zip and boto3 only, as in Lambda's runtime."""
    task, runtime = tmp_path / "task", tmp_path / "runtime"
    runtime.mkdir()
    for content in lambda_zips(ROOT, HANDLERS).values():
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            fresh = [n for n in archive.namelist() if not (task / n).exists()]
            archive.extractall(task, fresh)
    for name in RUNTIME:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (runtime / source.name).symlink_to(source)
    code = IMPORT.format(handlers=HANDLERS)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(task), str(runtime)],
        capture_output=True,
        text=True,
        env={"AWS_DEFAULT_REGION": "us-east-1"},
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_digest_tells_other_code_from_the_same(project: Path):
    for folder in ("infra", "localaws"):
        (project / folder).mkdir()
    before = source_digest(project)
    (project / "mlops/__pycache__/rules.pyc").write_text("y")
    (project / "agent/graph.py").write_text("y")
    assert source_digest(project) == before
    (project / "mlops/prices.csv").write_text("a,c\n")
    changed = source_digest(project)
    (project / "mlops/prices.csv").rename(project / "mlops/price.csv")
    assert len({before, changed, source_digest(project)}) == 3
