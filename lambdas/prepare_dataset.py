"""Tool: validates and normalises a dataset; preparing the same files again changes nothing."""

from mlops.aws.clients import Aws
from mlops.aws.datasets import Datasets
from mlops.aws.serve import now, tool
from mlops.tools import PrepareInput, PrepareOutput


def prepare(aws: Aws, wanted: PrepareInput) -> PrepareOutput:
    dataset, already = Datasets(aws).prepare(wanted.dataset, now)
    return PrepareOutput(dataset=dataset, already_prepared=already)


lambda_handler = tool("prepare_dataset", prepare)
