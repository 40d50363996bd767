"""Tool: the datasets that can be trained on."""

from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets
from mlops.aws.serve import now, tool
from mlops.tools import ListDatasetsInput, ListDatasetsOutput


def list_datasets(aws: Aws, wanted: ListDatasetsInput) -> ListDatasetsOutput:
    return ListDatasetsOutput(datasets=tuple(Datasets(aws).all(now())))


lambda_handler = tool("list_s3_datasets", list_datasets)
