"""Every operation of the services that run something, with a tiny function, job and model."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.archives import ROLE, packed, zipped
from tests.localaws.parity import Parity
from tests.patience import eventually

_BUCKET = "parity-models"
_JOB = "open(__import__('os').environ['SM_MODEL_DIR'] + '/weights.txt', 'w').write('2')"
_INFERENCE = """
import pathlib
def model_fn(folder): return int(pathlib.Path(folder, "weights.txt").read_text())
def input_fn(body, content_type): return int(body)
def predict_fn(data, model): return data * model
def output_fn(prediction, accept): return str(prediction), "application/json"
"""
_TOOL = {
    "name": "double",
    "description": "Twice a number",
    "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}},
}
_TARGET: dict[str, Any] = {
    "mcp": {
        "lambda": {
            "lambdaArn": "arn:aws:lambda:us-east-1:000000000000:function:none",
            "toolSchema": {"inlinePayload": [_TOOL]},
        }
    }
}


def lambda_(parity: Parity) -> None:
    call, name = parity.service("lambda"), {"FunctionName": "parity"}
    code = zipped("def lambda_handler(event, context): return event")
    call(
        "CreateFunction",
        **name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="handler.lambda_handler",
        Code={"ZipFile": code},
    )
    call("GetFunction", **name)
    call("GetFunctionConfiguration", **name)
    call("ListFunctions")
    call("UpdateFunctionCode", **name, ZipFile=code)
    call("UpdateFunctionConfiguration", **name, Timeout=5)
    assert call("Invoke", **name, Payload=b'{"a": 1}')["Payload"].read() == b'{"a": 1}'
    call("DeleteFunction", **name)


def events(parity: Parity) -> None:
    call = parity.service("events")
    call("PutRule", Name="parity", EventPattern='{"source": ["aws.sagemaker"]}')
    target = {"Id": "1", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:none"}
    call("PutTargets", Rule="parity", Targets=[target])
    call("DescribeRule", Name="parity")
    call("ListRules")
    call("ListTargetsByRule", Rule="parity")


def scheduler(parity: Parity) -> None:
    call = parity.service("scheduler")
    schedule = {
        "Name": "parity",
        "ScheduleExpression": "at(2999-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:lambda:us-east-1:000000000000:function:none",
            "RoleArn": ROLE,
            "Input": "{}",
        },
    }
    call("CreateSchedule", **schedule)
    call("UpdateSchedule", **schedule, Description="later")
    call("GetSchedule", Name="parity")
    call("ListSchedules", NamePrefix="par")
    call("DeleteSchedule", Name="parity")


def sagemaker(parity: Parity) -> None:
    _upload(parity)
    _train(parity)
    _register(parity)
    _serve(parity)


def sagemaker_runtime(parity: Parity) -> None:
    """Against the endpoint that the scenario of SageMaker made."""
    _upload(parity)
    _make_endpoint(parity, "served")
    answer = parity.service("sagemaker-runtime")(
        "InvokeEndpoint", EndpointName="served", Body="21"
    )
    assert json.loads(answer["Body"].read()) == 42


def bedrock(parity: Parity) -> None:
    call = parity.service("bedrock")
    found = call("ListFoundationModels")["modelSummaries"]
    call("GetFoundationModel", modelIdentifier=found[0]["modelId"])
    call("GetFoundationModelAvailability", modelId=found[0]["modelId"])
    call("ListInferenceProfiles")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        call("GetInferenceProfile", inferenceProfileIdentifier="global.any")
    # There are none, so that it has no answer to be checked.
    parity.called["bedrock"].add("GetInferenceProfile")


def bedrock_runtime(parity: Parity) -> None:
    call = parity.service("bedrock-runtime")
    messages = [{"role": "user", "content": [{"text": "What can you do?"}]}]
    request: dict[str, Any] = {"modelId": "local.planner-v1", "messages": messages}
    call("Converse", **request)
    assert list(call("ConverseStream", **request)["stream"])


def gateway(parity: Parity) -> None:
    call = parity.service("bedrock-agentcore-control")
    settings = {"roleArn": ROLE, "authorizerType": "AWS_IAM", "protocolType": "MCP"}
    made = call("CreateGateway", name="parity", **settings)
    gateway = {"gatewayIdentifier": made["gatewayId"]}
    call("GetGateway", **gateway)
    call("ListGateways")
    target = {"name": "tools", "targetConfiguration": _TARGET} | gateway
    target["credentialProviderConfigurations"] = [{"credentialProviderType": "GATEWAY_IAM_ROLE"}]
    made = call("CreateGatewayTarget", **target)
    one = {**gateway, "targetId": made["targetId"]}
    call("GetGatewayTarget", **one)
    call("ListGatewayTargets", **gateway)
    call("UpdateGatewayTarget", **target, targetId=made["targetId"])
    call("DeleteGatewayTarget", **one)
    call("DeleteGateway", **gateway)


def _upload(parity: Parity) -> None:
    s3 = parity.client("s3")
    s3.create_bucket(Bucket=_BUCKET)
    s3.put_object(Bucket=_BUCKET, Key="code.tar.gz", Body=packed({"train.py": _JOB}))
    model = packed({"weights.txt": "2", "code/inference.py": _INFERENCE})
    s3.put_object(Bucket=_BUCKET, Key="model.tar.gz", Body=model)
    s3.put_object(Bucket=_BUCKET, Key="data/train.tsv", Body=b"x")


def _train(parity: Parity) -> None:
    call, name = parity.service("sagemaker"), {"TrainingJobName": "parity"}
    arn = call("CreateTrainingJob", **name, **_job_request())["TrainingJobArn"]
    call("StopTrainingJob", **name)
    call("AddTags", ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    call("ListTags", ResourceArn=arn)
    call("ListTrainingJobs", MaxResults=1)
    eventually(
        lambda: (
            call("DescribeTrainingJob", **name)["TrainingJobStatus"] in ("Stopped", "Completed")
        )
    )


def _job_request() -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{_BUCKET}/data/"}
    channel = {"ChannelName": "training", "DataSource": {"S3DataSource": source}}
    return {
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [channel],
        "OutputDataConfig": {"S3OutputPath": f"s3://{_BUCKET}/out"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "HyperParameters": {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f'"s3://{_BUCKET}/code.tar.gz"',
        },
    }


def _register(parity: Parity) -> None:
    call, group = parity.service("sagemaker"), {"ModelPackageGroupName": "parity"}
    call("CreateModelPackageGroup", **group)
    call("DescribeModelPackageGroup", **group)
    call("ListModelPackageGroups", NameContains="par")
    specification = {
        "Containers": [{"Image": "image", "ModelDataUrl": f"s3://{_BUCKET}/model.tar.gz"}],
        "SupportedContentTypes": ["application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
    }
    arn = call("CreateModelPackage", **group, InferenceSpecification=specification)
    arn = arn["ModelPackageArn"]
    call("UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved")
    call("DescribeModelPackage", ModelPackageName=arn)
    call("ListModelPackages", **group, ModelApprovalStatus="Approved")
    call("DeleteModelPackage", ModelPackageName=arn)
    call("DeleteModelPackageGroup", **group)


def _serve(parity: Parity) -> None:
    call, name = parity.service("sagemaker"), "parity"
    _make_endpoint(parity, name)
    call("DescribeModel", ModelName=name)
    call("ListModels")
    call("DescribeEndpointConfig", EndpointConfigName=name)
    call("ListEndpointConfigs")
    call("ListEndpoints", StatusEquals="InService")
    call("DeleteEndpoint", EndpointName=name)
    call("DeleteEndpointConfig", EndpointConfigName=name)
    call("DeleteModel", ModelName=name)


def _make_endpoint(parity: Parity, name: str) -> None:
    call = parity.service("sagemaker")
    container = {"Image": "image", "ModelDataUrl": f"s3://{_BUCKET}/model.tar.gz"}
    call("CreateModel", ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 1}
    variant = {"VariantName": "all", "ModelName": name, "ServerlessConfig": serverless}
    call("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant])
    call("CreateEndpoint", EndpointName=name, EndpointConfigName=name)
    eventually(
        lambda: call("DescribeEndpoint", EndpointName=name)["EndpointStatus"] == "InService"
    )
