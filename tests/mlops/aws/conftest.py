"""One embedded AWS per test run, empty tables per test."""

from collections.abc import Iterator

import pytest

from mlops.aws.clients import Aws
from tests.mlops.aws.embedded import Clock, Embedded, FakeSageMaker


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    embedded = Embedded(tmp_path_factory.mktemp("embedded"))
    yield embedded
    embedded.close()


@pytest.fixture
def embedded(server: Embedded) -> Embedded:
    server.reset()
    return server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sagemaker(clock: Clock) -> FakeSageMaker:
    return FakeSageMaker(clock)


@pytest.fixture
def aws(embedded: Embedded, sagemaker: FakeSageMaker) -> Aws:
    return embedded.connect(sagemaker)
